"""What all simulated meters on a wire have in common: a turnaround, faults by name, counts. Pure, portable."""

from firmware.forms import parse_settings
from tests.sim.seeded import Seeded

# How much later than its turnaround a fault `late` answers, unless it says so; and how much longer `slow` makes that for good,
# and up to where.
_LATE_US = 600000
_SLOWER_US = 20000
_SLOWEST_US = 5000000


class Answering:
    """Answering(settings, turnaround_us, told, faults, seed): settings as text or tuple.

    A protocol says _request(data, end_us), the request to this meter that data ends with, or None; _reply(request, at_us), the
    whole reply's bytes, or None where none is due; _other(reply), the same reply as another meter would give it;
    _refusal(request, code) and REFUSED, the code of a refusal that a fault brings; _random(n), bytes of a random register.

    told(at_us, address, register, bytes) is called with every reply's data, also where a fault spoils the reply.
    faults: {name: how often in a million}, may be changed at any time; or (how often, how), how None: as usual, else "late" and
    "slow" microseconds, "exception" a code, "garbage" one of "zeros", "ff", "random"; or (how often, how, numbers of requests
    that it strikes, the first is 1). Names: silent, slow (its turnaround grows), late, bad_checksum, exception, wrong_meter
    (the reply is another's), garbage (what no meter measured, under a right checksum), truncated, duplicate, noise_before,
    noise_inside, noise_after, and those of a protocol. counts: requests, replies, exceptions and one for each fault.
    dead: it hears and says nothing. changes: [(at_us, what(at_us)), ..] in order: what is to happen to the meter, at the first
    that it hears after that."""

    REFUSED = 0
    changes = ()
    dead = False

    def __init__(self, settings, turnaround_us, told, faults, seed):
        self.settings = parse_settings(settings) if isinstance(settings, str) else settings
        self.turnaround_us = turnaround_us
        self.told = told
        self.faults = faults or {}
        self.counts = {"requests": 0, "replies": 0, "exceptions": 0}
        self._dice = Seeded(seed)

    def hear(self, data, first_us, end_us):
        """The wire's question: (start_us, reply) to a request to this meter that has ended at end_us, else None."""
        while self.changes and self.changes[0][0] <= end_us:
            self.changes.pop(0)[1](end_us)
        request = None if self.dead else self._request(data, end_us)
        if request is None:
            return None
        self.counts["requests"] += 1
        if self._hit("silent"):
            return None
        slower_us = self._hit("slow", _SLOWER_US)
        if slower_us:
            self.turnaround_us = min(self.turnaround_us + slower_us, _SLOWEST_US)
        start_us = end_us + self.turnaround_us
        late = self._hit("late", _LATE_US)
        if late:
            start_us += late
        reply = self._reply(request, start_us)
        if reply is None:
            return None
        self.counts["replies"] += 1
        return start_us, self._spoiled(reply)

    def _refused(self, request, code):
        self.counts["exceptions"] += 1
        return self._refusal(request, code)

    def _hit(self, name, extra=True):
        """What a fault gives this time: extra, or its own second part; None where it does not strike."""
        fault = self.faults.get(name)
        if not fault:
            return None
        at = ()
        if not isinstance(fault, int):
            if len(fault) > 2:
                at = fault[2]
            extra = extra if fault[1] is None else fault[1]
            fault = fault[0]
        if self.counts["requests"] not in at and not (fault and self._dice.chance(fault)):
            return None
        self.counts[name] = self.counts.get(name, 0) + 1
        return extra

    def _spoiled(self, reply):
        if self._hit("wrong_meter"):
            reply = self._other(reply)
        if self._hit("bad_checksum"):
            reply = self._miscounted(reply)
        if self._hit("noise_inside"):
            reply = bytearray(reply)
            reply[self._dice.below(len(reply))] ^= 1 << self._dice.below(8)
            reply = bytes(reply)
        if self._hit("truncated"):
            reply = reply[: self._dice.between(1, len(reply) - 1)]
        if self._hit("duplicate"):
            reply += reply
        if self._hit("noise_before"):
            reply = self._dice.bytes(self._dice.between(1, 4)) + reply
        if self._hit("noise_after"):
            reply += self._dice.bytes(self._dice.between(1, 4))
        return reply

    def _garbage(self, data):
        """The data of a reply, or what no meter measured in their place: zeros, FF, or a random register among them."""
        how = self._hit("garbage", "any")
        if not how or not data:
            return data
        if how == "any":
            how = self._dice.choice(("zeros", "ff", "random"))
        if how != "random":
            return (b"\x00" if how == "zeros" else b"\xff") * len(data)
        first = 4 * self._dice.below((len(data) + 3) // 4)
        n = min(4, len(data) - first)
        return data[:first] + self._random(n) + data[first + n :]

    def _random(self, n):
        return self._dice.bytes(n)

    def _miscounted(self, reply):
        """The reply with a wrong checksum, which is its last byte unless a protocol says otherwise."""
        return reply[:-1] + bytes((reply[-1] ^ (1 + self._dice.below(255)),))
