"""What all simulated meters on a wire have in common: a fixed turnaround, faults by name, counts. Pure, portable."""

from firmware.forms import parse_settings
from tests.sim.seeded import Seeded

# How much later than its turnaround a fault `late` answers, unless it says so.
_LATE_US = 600000


class Answering:
    """Answering(settings, turnaround_us, told, faults, seed): settings as text or tuple.

    A protocol says _request(data), the request to this meter that data ends with, or None; _reply(request, at_us), the
    whole reply's bytes, or None where none is due; _other(reply), the same reply as another meter would give it;
    _refusal(request, code) and REFUSED, the code of a refusal that a fault brings.

    told(at_us, address, register, bytes) is called with every reply's data, also where a fault spoils the reply.
    faults: {name: how often in a million}, may be changed at any time; "late" and "exception" also take (how often,
    extra us) and (how often, code). Names: silent, late, bad_checksum, exception, wrong_unit (the reply is another
    meter's), truncated, duplicate, noise_before, noise_after, and those of a protocol. counts: requests, replies,
    exceptions and one for each fault."""

    REFUSED = 0

    def __init__(self, settings, turnaround_us, told, faults, seed):
        self.settings = parse_settings(settings) if isinstance(settings, str) else settings
        self.turnaround_us = turnaround_us
        self.told = told
        self.faults = faults or {}
        self.counts = {"requests": 0, "replies": 0, "exceptions": 0}
        self._dice = Seeded(seed)

    def hear(self, data, first_us, end_us):
        """The wire's question: (start_us, reply) to a request to this meter that has ended at end_us, else None."""
        request = self._request(data)
        if request is None:
            return None
        self.counts["requests"] += 1
        if self._hit("silent"):
            return None
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
        """What a fault gives this time: extra, or its own second number; None where it does not strike."""
        fault = self.faults.get(name)
        if not fault:
            return None
        if not isinstance(fault, int):
            fault, extra = fault
        if not self._dice.chance(fault):
            return None
        self.counts[name] = self.counts.get(name, 0) + 1
        return extra

    def _spoiled(self, reply):
        if self._hit("wrong_unit"):
            reply = self._other(reply)
        if self._hit("bad_checksum"):
            reply = self._miscounted(reply)
        if self._hit("truncated"):
            reply = reply[: self._dice.between(1, len(reply) - 1)]
        if self._hit("duplicate"):
            reply += reply
        if self._hit("noise_before"):
            reply = self._dice.bytes(self._dice.between(1, 4)) + reply
        if self._hit("noise_after"):
            reply += self._dice.bytes(self._dice.between(1, 4))
        return reply

    def _miscounted(self, reply):
        """The reply with a wrong checksum, which is its last byte unless a protocol says otherwise."""
        return reply[:-1] + bytes((reply[-1] ^ (1 + self._dice.below(255)),))
