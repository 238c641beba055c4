"""The whole way on one machine: meters on a line -> flash -> TLS -> a data centre, with the plug pulled twice.

The broker is killed and restarted once, the gateway (kill -9) once, and local midnight falls into the run. The last
line is JSON; the exit status is 0 only if nothing was lost and a day was summed up.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from metergate.broker import Broker
from metergate.certificates import make_certificates
from metergate.image import read_image
from metergate.onpc import ROOT
from metergate.pcgateway import Gateway, SimulatedLine
from metergate.processes import take_folder
from metergate.proxy import Proxy
from metergate.receive import Receiver

_LEAST_SECONDS = 20
_EVERY_S = 5
_BROKER_DOWN_S = 3
# How long the data centre may take, after the measuring has ended, until it has everything.
_DRAIN_S = 30

_METERS = (
    ("main", 1, "sdm630", 240.0, 1234567.0),
    ("boiler", 2, "sdm120", 9.5, 8801.25),
    ("press", 3, "dtsu666", 55.0, 40210.5),
    ("office", 4, "sdm630", 12.0, 65000.0),
)


def midnight_zone(at_s):
    """A POSIX TZ string in which local midnight falls on at_s (Unix seconds)."""
    # Seconds that the local clock is ahead of UTC at that midnight, between -12 h and +12 h.
    east_s = -at_s % 86400
    if east_s > 43200:
        east_s -= 86400
    sign, size = ("-", east_s) if east_s >= 0 else ("+", -east_s)
    return f"<DEMO>{sign}{size // 3600}:{size // 60 % 60:02}:{size % 60:02}"


def line_plan():
    """The simulated line's file: the demo's four meters."""
    meters = [
        {"unit": unit, "profile": profile, "power_kw": power, "energy_kwh": energy}
        for _, unit, profile, power, energy in _METERS
    ]
    return {"settings": "9600 8N1", "meters": meters}


def board_config(zone, port):
    """The demo's configuration; port None: no data centre."""
    return {
        "gateway": {"id": "gw-demo", "zone": zone, "name": "Demo"},
        "network": {"kind": "wifi", "ssid": "plant"},
        "lines": [{"name": "A", "uart": 1, "tx": 17, "rx": 16, "de": 4}],
        "meters": [
            {
                "name": name,
                "line": "A",
                "protocol": "modbus",
                "unit": unit,
                "profile": profile,
                "settings": "9600 8N1",
                "every_s": _EVERY_S,
                "points": ["energy_import", "power", "voltage_l1"],
            }
            for name, unit, profile, _, _ in _METERS
        ],
        "uplinks": [{"name": "centre", "host": "localhost", "port": port, "ca": "ca.der"}] if port else [],
    }


class Demo:
    """One run in a folder of its own: parts started by start(), told by story(), ended by stop()."""

    def __init__(self, folder, seconds):
        self.folder = Path(folder)
        self.seconds = seconds
        self.notes = []
        self.parts = []
        self.gate = self.receiver = None
        self.begun = time.monotonic()

    def start(self):
        certs = make_certificates(self.folder / "certs")
        self.broker = self._own(Broker(self.folder / "broker", certs)).start()
        self._note(f"broker {self.broker.kind} listens with TLS")
        # The data centre counts what reaches its receiver: gateways get in only while that one listens.
        self.gate = Proxy(self.broker.port)
        self.gate.set_open(False)
        self.receiver = Receiver(self.broker.port, certs / "ca.pem", self.gate.set_open)
        line = self._line()
        zone = midnight_zone(int(time.time() + self.seconds * 0.45))
        self.gateway = self._own(
            Gateway(self.folder / "board", board_config(zone, self.gate.port), {"1": line}, certs / "ca.der")
        ).start()
        self._note("gateway started")

    def _line(self):
        """Start the simulated line; the name of the gateway's end."""
        line = self._own(SimulatedLine(self.folder, line_plan())).start()
        self._note(f"line with {len(_METERS)} meters on {line.terminal}")
        return line.terminal

    def _own(self, part):
        self.parts.append(part)
        return part

    def _note(self, text):
        self.notes.append(f"{time.monotonic() - self.begun:5.1f} s  {text}")

    def story(self, show):
        """Run for the given seconds; show() is called a few times a second."""
        acts = [
            (0.25, lambda: (self.broker.kill(), self._note("broker killed"))),
            (0.25 + _BROKER_DOWN_S / self.seconds, lambda: (self.broker.start(), self._note("broker restarted"))),
            (0.65, lambda: (self.gateway.kill(), self._note("gateway killed (kill -9)"))),
            (0.65 + 1 / self.seconds, lambda: (self.gateway.start(), self._note("gateway restarted"))),
        ]
        while time.monotonic() - self.begun < self.seconds:
            if acts and time.monotonic() - self.begun > acts[0][0] * self.seconds:
                acts.pop(0)[1]()
            show()
            time.sleep(0.2)

    def settle(self, show):
        """Wait until the data centre has all that is stored, then end the gateway; give the result's dict."""
        end = time.monotonic() + _DRAIN_S
        while True:
            # Held still, so that flash and data centre are compared at one moment.
            self.gateway.signal(signal.SIGSTOP)
            time.sleep(0.3)
            result = self.result()
            if result["lost"] == 0 or time.monotonic() > end:
                self.gateway.kill()
                return result
            self.gateway.signal(signal.SIGCONT)
            show()
            time.sleep(0.5)

    def stored(self):
        """{(gw, log, seq)} of the flash file; empty until the gateway has made it."""
        if not self.gateway.ring.exists():
            return set()
        log, found = read_image(self.gateway.ring)
        return {("gw-demo", log, seq) for seq, _ in found}

    def result(self):
        stored = self.stored()
        with self.receiver.lock:
            delivered = set(self.receiver.seen)
            return {
                "stored": len(stored),
                "delivered": len(delivered),
                "lost": len(stored - delivered),
                "duplicates": self.receiver.n_duplicates,
                "daily": len(self.receiver.days),
            }

    def stop(self):
        for part in reversed(self.parts):
            part.stop()
        if self.receiver:
            self.receiver.close()
        if self.gate:
            self.gate.close()


def _picture(demo):
    """What the data centre knows, as tables."""
    result = demo.result()
    with demo.receiver.lock:
        latest, days = dict(demo.receiver.latest), list(demo.receiver.days)
        online = demo.receiver.retained.get("gw-demo/status", {}).get("online")
    meters = Table(title="Meters, as the data centre sees them", title_justify="left", expand=True)
    for column in ("meter", "energy_import kWh", "power kW", "voltage_l1 V", "slot", "seq"):
        meters.add_column(column, justify="left" if column == "meter" else "right", no_wrap=True)
    for name, *_ in _METERS:
        found = latest.get(name)
        values = [str(found["p"][p]) for p in ("energy_import", "power", "voltage_l1")] if found else ["", "", ""]
        slot = time.strftime("%H:%M:%SZ", time.gmtime(found["s"])) if found else ""
        meters.add_row(name, *values, slot, str(found["seq"]) if found else "")
    daily = Table(title="Daily summaries", title_justify="left", expand=True)
    for column in ("day", "meter", "used kWh", "from", "got/due", "missed"):
        daily.add_column(column, no_wrap=True)
    for day in days:
        energy = day["energy_import"]
        missed = ", ".join(f"{cause} {n}" for cause, n in day["missed"].items())
        daily.add_row(day["day"], day["m"], str(energy["used"]), str(energy["src"]), f"{day['got']}/{day['due']}", missed)
    state = f"stored {result['stored']}   delivered {result['delivered']}   backlog {result['lost']}   "
    state += f"repeats {result['duplicates']}   gateway {'online' if online else 'offline'}"
    left = max(0, demo.seconds - (time.monotonic() - demo.begun))
    return Group(
        meters, daily, Panel("\n".join(demo.notes), title="What happened", title_align="left"), f"{state}   {left:.0f} s left"
    )


def _run(demo, console):
    demo.start()
    if console.is_terminal:
        with Live(_picture(demo), console=console, refresh_per_second=5) as live:
            show = lambda: live.update(_picture(demo))  # noqa: E731
            demo.story(show)
            return demo.settle(show)
    demo.story(lambda: None)
    result = demo.settle(lambda: None)
    console.print(_picture(demo))
    return result


def _ended(number, _frame):
    raise KeyboardInterrupt


def main(seconds):
    """Run the demo; its exit status. Its files stay in build/demo until the next run."""
    if seconds < _LEAST_SECONDS:
        print(f"metergate: seconds must be {_LEAST_SECONDS} or more", file=sys.stderr)
        return 2
    folder = ROOT / "build" / "demo"
    held = take_folder(folder)
    signal.signal(signal.SIGTERM, _ended)
    demo = Demo(folder, seconds)
    try:
        result = _run(demo, Console(width=None if sys.stdout.isatty() else 100))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"metergate: demo: {error}", file=sys.stderr)
        return 1
    finally:
        demo.stop()
        held.close()
    print(json.dumps(result, separators=(",", ":")))
    return 0 if result["lost"] == 0 and result["daily"] >= 1 else 1
