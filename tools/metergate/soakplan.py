"""What a soak run is: a site with eight meters and two data centres, and a plan of faults drawn from the seed.

Writes the files that tests/sim/soak.py runs by: run.json, plan.txt (a line each: microseconds, what, how) and the
board's folder."""

import json
import shutil

from tests.sim.scripted import FAULTS
from tests.sim.seeded import Seeded

DAY_S = 86400
HOUR_S = 3600
_US = 1_000_000

ZONE = "CET-1CEST,M3.5.0,M10.5.0/3"
# 2027-03-28 01:00 UTC: the zone's clocks go forward. It falls into the run, three fifths of the way.
_CHANGE_S = 1806195600
EVERY_S = 900
# What a start that is left alone has behind it: every session up, the clock set.
_SETTLE_S = 120

_METER_FAULTS = ("silent", "flaky", "late", "very_late", "bad", "exception", "busy", "noisy", "double", "wrong_unit")
_NOISE = ("inside 3000", "idle 300", "before 150000 after 150000", "idle 2000 inside 20000")
_PARAMS = {
    "late_puback": (2, 12),
    "reset_after": (200, 60000),
    "slow": (60, 400),
    "unasked": (10, 5000),
    "connack": (1, 5),
    "forget": (2, 6),
}
_METERS = (
    # name, line, unit, profile, settings, W, Wh, turnaround in us
    ("main", 0, 1, "sdm630", "9600 8N1", 240000, 1234567000, 3000),
    ("boiler", 0, 2, "sdm120", "2400 8N1", 9500, 8801250, 12000),
    ("press", 0, 3, "dtsu666", "9600 8N1", 55000, 40210500, 6000),
    ("office", 0, 4, "sdm630", "9600 8N1", 12000, 65000000, 25000),
    ("pumps", 1, 1, "sdm630", "19200 8E1", 31000, 770000, 4000),
    ("chiller", 1, 2, "dtsu666", "9600 8N1", 88000, 0, 40000),
    ("yard", 1, 7, "sdm120", "9600 8E1", 900, 99_900, 8000),
    ("spare", 1, 9, "sdm630", "9600 8N1", 0, 123456, 15000),
)
_LINES = ({"name": "A", "uart": 1, "tx": 17, "rx": 16, "de": 4}, {"name": "B", "uart": 2, "tx": 25, "rx": 26, "de": 27})
_CENTRES = (("province", "mqtt.example.org", "10.0.1.1"), ("nation", "mqtt.example.net", "10.0.1.2"))


class Scenario:
    """Scenario(days, seed, blocks): the parts of a run, in seconds from its beginning.

    Until calm_s the power is cut and the board reset too; until quiet_s everything else goes wrong; then nothing does.
    lulls: spans in between without faults, in a long run: there, and at its end, the heap is compared.
    outages: [(data centre, from_s, to_s), ..] that last for days. loses: data centres that are away for longer than the
    ring of so many blocks remembers. untimed: when no time server answers, or None. cuts False: the power stays, and
    nothing is reset."""

    def __init__(self, days, seed=1, blocks=160, outages=None, loses=(), cuts=True):
        self.days = days
        self.seed = seed
        self.blocks = blocks
        self.end_s = int(days * DAY_S)
        is_long = days >= 30
        self.quiet_s = self.end_s - (DAY_S * 3 // 2 if is_long else self.end_s // 6)
        self.calm_s = self.end_s // 3 if cuts else 0
        self.lulls = []
        if is_long:
            for from_s in (self.calm_s + DAY_S, self.end_s * 62 // 100):
                self.lulls.append((from_s, from_s + 2 * DAY_S))
        self.start_s = _CHANGE_S - self.end_s * 3 // 5 + 617
        self.outages = outages or [("nation", self.end_s // 2, self.end_s // 2 + self.end_s // 10)]
        self.loses = loses
        self.untimed = (self.end_s * 7 // 10, self.end_s * 7 // 10 + 9 * DAY_S) if days >= 50 else None

    # -- the files ------------------------------------------------------------------------------------------

    def write(self, folder, modules):
        """Make the run's folder. modules: MicroPython's extmod/asyncio."""
        shutil.rmtree(folder, ignore_errors=True)
        board = folder / "board"
        board.mkdir(parents=True)
        shutil.copytree(modules, folder / "modules" / "asyncio")
        (board / "config.json").write_text(json.dumps(self.config()))
        (board / "secrets.json").write_text(json.dumps({"uplinks": {"province": {"password": "of the province"}}}))
        (board / "ca.der").write_bytes(b"\x30\x03\x02\x01\x01")
        (folder / "run.json").write_text(json.dumps(self.run()))
        (folder / "plan.txt").write_text("".join(f"{at_us} {text}\n" for at_us, text in self.plan()))

    def config(self):
        meters = [
            {
                "name": name,
                "line": _LINES[line]["name"],
                "protocol": "modbus",
                "unit": unit,
                "profile": profile,
                "settings": settings,
                "every_s": EVERY_S,
            }
            for name, line, unit, profile, settings, *_ in _METERS
        ]
        uplinks = [{"name": name, "host": host, "ca": "ca.der"} for name, host, _ in _CENTRES]
        uplinks[0]["user"] = "gw-0001"
        return {
            "gateway": {"id": "gw-0001", "zone": ZONE, "name": "Soak"},
            "network": {"kind": "wifi", "ssid": "plant", "ntp": ["ntp.example.org"]},
            "lines": list(_LINES),
            "meters": meters,
            "uplinks": uplinks,
        }

    def run(self):
        keys = ("name", "line", "unit", "profile", "settings", "power_w", "energy_wh", "turnaround_us")
        return {
            "seed": self.seed,
            "start_s": self.start_s,
            "tick_us": 10000,
            "ppm": 18,
            "ring_blocks": self.blocks,
            "lines": [{"uart": line["uart"], "de": line["de"]} for line in _LINES],
            "meters": [dict(zip(keys, meter, strict=True)) for meter in _METERS],
            "brokers": [{"name": name, "host": host, "address": address} for name, host, address in _CENTRES],
        }

    # -- the plan -------------------------------------------------------------------------------------------

    def plan(self):
        """[(microseconds, text), ..] in order."""
        acts = [(self.end_s * _US, "end")]
        draw = Seeded(self.seed)
        # A short run gets its faults closer together.
        scale = max(0.1, min(1, self.days / 20))
        for name, *_ in _CENTRES:
            acts += self._broker(Seeded(draw.bits(32)), name, scale)
        acts += self._windows(Seeded(draw.bits(32)), 60 * HOUR_S * scale, (60, 6 * HOUR_S * scale), self._cell)
        acts += self._windows(Seeded(draw.bits(32)), 40 * HOUR_S * scale, (300, 2 * HOUR_S), self._dns)
        times = self._windows(Seeded(draw.bits(32)), 50 * HOUR_S * scale, (300, 30 * HOUR_S * scale), self._ntp)
        # In a long run no time server answers for more than the week that the clock is trusted.
        acts += _without(times, self.untimed, "ntp silent", "ntp -")
        for name, *_ in _METERS:
            windows = self._windows(
                Seeded(draw.bits(32)), 60 * HOUR_S * scale, (600, 9 * HOUR_S * scale), _cycle(_METER_FAULTS)
            )
            acts += [(at_us, f"meter {name} {text}") for at_us, text in windows]
        for number in range(len(_LINES)):
            windows = self._windows(Seeded(draw.bits(32)), 90 * HOUR_S * scale, (600, 4 * HOUR_S * scale), _cycle(_NOISE))
            acts += [(at_us, f"noise {number} {text if text != '-' else ''}".strip()) for at_us, text in windows]
        acts += self._console(Seeded(draw.bits(32)), scale)
        acts += self._cuts(Seeded(draw.bits(32)), scale)
        return sorted(acts, key=lambda act: act[0])

    def _windows(self, draw, gap_s, for_s, kind_of, until_s=None, from_s=_SETTLE_S):
        """One fault after another with pauses: [(us, kind), (us, "-"), ..]."""
        acts = []
        at_us = from_s * _US
        until_us = (until_s or self.quiet_s) * _US
        while True:
            at_us += _between(draw, gap_s * 0.3, gap_s * 1.7)
            end_us = at_us + _between(draw, *for_s)
            if end_us >= until_us:
                return acts
            if any(at_us < to_s * _US and from_s * _US < end_us for from_s, to_s in self.lulls):
                at_us = end_us
                continue
            kind, *off = kind_of(draw)
            acts += [(at_us, kind), (end_us, off[0] if off else "-")]
            at_us = end_us

    @staticmethod
    def _cell(_):
        return "cell down", "cell up"

    @staticmethod
    def _dns(draw):
        return "dns " + draw.choice(("silent", "no_such_name", "garbage")), "dns -"

    @staticmethod
    def _ntp(draw):
        kind = draw.choice(("silent", "wrong", "unsynchronised", "kiss", "wrong"))
        if kind == "wrong":
            kind += f" {draw.choice((-1, 1)) * draw.between(1, 90)}"
        return "ntp " + kind, "ntp -"

    def _broker(self, draw, name, scale):
        """A data centre's faults, each kind as often as the others, and its long outage."""
        kind_of = _cycle(FAULTS)

        def fault(draw):
            kind = kind_of(draw)[0]
            return (f"{kind} {draw.between(*_PARAMS[kind]) if kind in _PARAMS else ''}".strip(),)

        acts = self._windows(draw, 6 * HOUR_S * scale, (30, 90 * 60), fault)
        for outage_of, from_s, to_s in self.outages:
            if outage_of == name:
                acts = _without(acts, (from_s, to_s), "black_hole", "-")
        return [(at_us, f"broker {name} {text}") for at_us, text in acts]

    def _console(self, draw, scale):
        """A technician at the console, who types where it hurts: half of the time within a second of a slot."""
        acts = []
        at_us = HOUR_S * _US
        while True:
            at_us += _between(draw, 600, 10 * HOUR_S * scale)
            if at_us >= (self.end_s - HOUR_S) * _US:
                return acts
            if draw.bits(1):
                at_us = at_us // _US * _US + self._to_slot_s(at_us) * _US + draw.below(_US)
            command = draw.choice(("read", "read", "read", "status", "meters", "export", "clock", "config show", "help"))
            if command == "read":
                command += " " + draw.choice(_METERS)[0]
            acts.append((at_us, f"type {command}"))

    def _to_slot_s(self, at_us):
        """Seconds from the second of at_us to the next slot."""
        return EVERY_S - (self.start_s + at_us // _US) % EVERY_S

    def _cuts(self, draw, scale):
        """Cuts of the power, resets and hangs, up to calm_s."""
        acts = []
        at_us = 2 * HOUR_S * _US * scale
        while True:
            at_us += _between(draw, HOUR_S * scale, 12 * HOUR_S * scale)
            if at_us >= (self.calm_s - HOUR_S) * _US:
                return acts
            at_us = int(at_us)
            if draw.bits(1):
                # Where most is written: within seconds of a slot.
                at_us = at_us // _US * _US + self._to_slot_s(at_us) * _US + draw.below(5 * _US)
            kind = draw.choice(("cut", "cut", "program", "program", "erase", "brownout", "hang", "restart", "midnight"))
            off_s = draw.choice((0, 1, 3, 20, 70, 1500, draw.below(3 * HOUR_S)))
            if kind == "cut":
                acts.append((at_us, f"cut {off_s}"))
            elif kind == "program":
                acts.append((at_us, f"program {draw.below(400)} {off_s}"))
            elif kind == "erase":
                acts.append((at_us, f"erase {draw.below(3)} {off_s}"))
            elif kind == "hang":
                acts.append((at_us, f"hang {draw.between(20, 200)}"))
            elif kind == "restart":
                acts.append((at_us, "type restart"))
            elif kind == "brownout":
                for _ in range(draw.between(3, 12)):
                    acts.append((at_us, "cut 0"))
                    at_us += 200000 + draw.below(draw.choice((1, 8)) * _US)
            else:
                # Off over a midnight, or soon behind it.
                midnight_us = (DAY_S - (self.start_s + HOUR_S + at_us // _US) % DAY_S) * _US
                midnight_us += at_us // _US * _US - draw.below(600) * _US
                if midnight_us < (self.calm_s - HOUR_S) * _US:
                    acts.append((midnight_us, f"cut {draw.choice((30, 300, 620, 3000))}"))


def _without(acts, span_s, begin, end):
    """The acts, but within the span (or None) one fault alone, which no other one ends."""
    if span_s is None:
        return acts
    from_s, to_s = span_s
    kept = [(at_us, text) for at_us, text in acts if not from_s <= at_us // _US <= to_s]
    return [*kept, (from_s * _US, begin), (to_s * _US, end)]


def _cycle(kinds):
    """A function that gives each of the kinds once, in an order of its own, before any comes again."""
    left = []

    def kind_of(draw):
        if not left:
            left.extend(kinds)
        return (left.pop(draw.below(len(left))),)

    return kind_of


def _between(draw, low_s, high_s):
    """Microseconds between two numbers of seconds."""
    return draw.between(int(low_s * 1000), int(high_s * 1000)) * 1000 + draw.below(1000)
