"""What a soak run's trace says: the meters' own words, what the data centres received, what happened to the board."""

import json
import struct
from bisect import bisect_left
from collections import Counter, defaultdict
from decimal import ROUND_HALF_EVEN, Decimal

US = 1_000_000
# How far the plan's wrong time servers and the grid of slots may put a slot off.
WRONG_S = 95
_RETAINED = {"status": True, "points": True, "health": True, "readings": False, "daily": False, "event": False}
# A reply is read within so long after the meter has begun to say it; beyond that a value is not taken for it.
_SAID_S = 12
# How long after its meter's registers a gauge may have been read: every meter of the line may be slow.
_GAUGES_S = 90


class Breaches:
    """What was found wrong: counted by kind, the first ones kept in words."""

    def __init__(self):
        self.counts = Counter()
        self.first = []

    def add(self, kind, text):
        self.counts[kind] += 1
        if self.counts[kind] <= 3:
            self.first.append(f"{kind}: {text}")


class Said:
    """What the meters said: by meter and first register, [(true s, board s, bytes), ..] in order of time."""

    def __init__(self, start_s):
        self._start_s = start_s
        # When the board's clock was set.
        self.steps = []
        self.by_register = defaultdict(list)

    def add(self, words):
        name, at_us, board_s, register, data = words
        self.by_register[name, int(register, 16)].append((int(at_us) // US, int(board_s), bytes.fromhex(data)))

    def values(self, name, point, at_s, hung_s):
        """The decimals that the meter may have said for a point (of the message `points`) in the reading of at_s.

        hung_s: how long the board may have stood still before it looked."""
        divide = int(point["form"].partition("/")[2] or 1)
        step = Decimal(1).scaleb(-point["decimals"])
        found = []
        wanted = int(point["register"], 16)
        for back in range(0, 126):
            # Gauges are asked for once all meters' registers have been read, which the reading's time is that of.
            after_s = _GAUGES_S if point["class"] == "gauge" else 1
            for _, _, data in self._near(name, wanted - back, at_s, hung_s, after_s):
                bits = data[2 * back : 2 * back + 4]
                if len(bits) == 4:
                    number = Decimal(struct.unpack(">f", bits)[0])
                    found.append((number / divide).quantize(step, ROUND_HALF_EVEN))
        return found

    def _near(self, name, register, at_s, hung_s, after_s):
        """What was said there when the board's clock showed at_s or a little less, or up to after_s more."""
        rows = self.by_register.get((name, register))
        if not rows:
            return []
        true_s = at_s - self._start_s
        first = bisect_left(rows, (true_s - 2 * WRONG_S - hung_s,))
        last = bisect_left(rows, (true_s + 2 * WRONG_S + after_s,))
        return [
            row
            for row in rows[first:last]
            if at_s - _SAID_S - hung_s <= row[1] <= at_s + after_s
            # The clock was set between two requests of one reading.
            or self._is_stepped(row[0])
        ]

    def _is_stepped(self, true_s):
        """True if the clock was set soon after."""
        at = bisect_left(self.steps, true_s)
        return at < len(self.steps) and self.steps[at] - true_s <= _SAID_S


class Centre:
    """What one data centre has received: records by seq, in the order they came."""

    def __init__(self, name):
        self.name = name
        self.records = {}
        self.newest = 0
        self.n_repeats = 0
        self.retained = {}
        # Records that the broker has not kept.
        self.forgotten = set()


class Trace:
    """trace.txt read once: said, centres, starts [(true us, cause)], offs, acts of the plan, clocks set,
    answers of the time server, lines."""

    def __init__(self, folder, start_s, breaches):
        self.said = Said(start_s)
        self.centres = {}
        self.starts = []
        self.offs = []
        self.acts = []
        self.clocks = []
        self.answers = []
        self.lines = []
        self.logs = set()
        self.n_messages = 0
        self.points = {}
        self._breaches = breaches
        with open(folder / "trace.txt") as file:
            for line in file:
                at_us, kind, rest = line.rstrip("\n").split(" ", 2)
                self._take(int(at_us), kind, rest)

    def _take(self, at_us, kind, rest):
        if kind in ("m", "w", "f"):
            self._message(at_us, kind, *rest.split(" ", 3))
        elif kind == "told":
            self.said.add(rest.split())
        elif kind == "start":
            self.starts.append((at_us, rest.split()[1]))
        elif kind == "off":
            self.offs.append((at_us, *rest.split()))
        elif kind == "clock":
            self.clocks.append(at_us)
            self.said.steps.append(at_us // US)
        elif kind == "ntp":
            self.answers.append(at_us)
        elif kind == "plan":
            self.acts.append((at_us, rest.split()))
        elif kind == "line":
            words = rest.split()
            counts = dict(zip(words[1::2], map(int, words[2::2]), strict=True))
            self.lines.append((at_us, int(words[0]), counts))
        elif kind in ("broken", "ended", "returned"):
            self._breaches.add(kind, f"{at_us / US:.0f} s: {rest}")

    def _message(self, at_us, kind, name, topic, flag, payload):
        self.n_messages += 1
        centre = self.centres.setdefault(name, Centre(name))
        what = topic.rpartition("/")[2]
        try:
            body = json.loads(payload, parse_float=Decimal)
        except ValueError as error:
            self._breaches.add("not JSON", f"{topic}: {error}: {payload[:80]}")
            return
        if topic != f"metergate/gw-0001/{what}" or _RETAINED.get(what) != (flag == "r") or body["v"] != 1:
            self._breaches.add("topic", f"{topic} {flag}")
        if kind == "f" and _RETAINED[what]:
            return
        if kind == "w" or _RETAINED[what]:
            centre.retained[what] = (at_us, body)
            if what == "points":
                self.points.update({meter["m"]: meter for meter in body["meters"]})
            return
        if kind == "f":
            centre.forgotten |= {element["seq"] for element in body.get("r", [body])}
            return
        self.logs.add(body["log"])
        if what == "readings":
            last = 0
            for element in body["r"]:
                if last and element["seq"] != last + 1:
                    self._breaches.add("order", f"{name}: {last} and then {element['seq']} in one message")
                last = element["seq"]
                self._record(centre, element["seq"], element)
        else:
            seq = body.pop("seq")
            self._record(centre, seq, body)

    def _record(self, centre, seq, element):
        if seq in centre.records:
            centre.n_repeats += 1
            if centre.records[seq] != element:
                self._breaches.add("repeat differs", f"{centre.name} {seq}: {element}")
            return
        if seq < centre.newest and seq not in centre.forgotten:
            self._breaches.add("order", f"{centre.name}: {seq} after {centre.newest}")
        centre.newest = max(centre.newest, seq)
        centre.records[seq] = element
