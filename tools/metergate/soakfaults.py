"""When a soak run's plan disturbed what: which spans excuse a miss, and which do not."""

from collections import defaultdict

from metergate.soakplan import DAY_S
from metergate.soaktrace import US, WRONG_S

# How long after a fault a slot may still be touched by it.
_GRACE_S = 30
# The longest hang of the plan.
_HANG_S = 200


class Faults:
    """Faults(trace, scenario): line_of {meter: number of its line}."""

    def __init__(self, trace, scenario):
        self.trace = trace
        self.scenario = scenario
        # By line, spans of true seconds in which it or one of its meters was disturbed; by meter, those in which that one
        # was, or its line by noise.
        self.disturbed = defaultdict(list)
        open_at = {}
        lines = {meter["name"]: meter["line"] for meter in self.scenario.run()["meters"]}
        for at_us, words in self.trace.acts:
            if words[0] not in ("meter", "noise"):
                continue
            line = lines[words[1]] if words[0] == "meter" else int(words[1])
            key = (words[0], words[1])
            is_on = words[2] != "-" if words[0] == "meter" else len(words) > 2
            if is_on:
                open_at[key] = at_us // US
            elif key in open_at:
                span = (open_at.pop(key) - 5, at_us // US + _GRACE_S)
                self.disturbed[line].append(span)
                for name in lines:
                    if name == words[1] or (words[0] == "noise" and lines[name] == line):
                        self.disturbed[name].append(span)
        self.line_of = lines
        # Spans in which the board did not measure: from when it went off until it knew the time again.
        self.stopped = []
        ends = [off_us for off_us, *_ in self.trace.offs] + [self.scenario.end_s * US]
        off_us = -DAY_S * US
        is_known = False
        for (start_us, cause), end_us in zip(self.trace.starts, ends, strict=True):
            # A reset leaves the clock as it was, and that may be unknown.
            is_known = is_known and cause != "power"
            known_us = start_us + 5 * US
            if not is_known:
                known_us = next((at_us for at_us in self.trace.clocks if start_us < at_us < end_us), None)
                is_known = known_us is not None
            known_us = known_us or end_us
            self.stopped.append((off_us // US, known_us // US))
            off_us = end_us

    def is_disturbed(self, line, true_s):
        """line: a line's number, or a meter's name."""
        return any(first_s <= true_s <= last_s for first_s, last_s in self.disturbed[line])

    def is_stopped(self, line, true_s):
        """True if the board did not measure then: it was off, or did not know the time, or what it had gathered was cut."""
        for off_s, measures_s in self.stopped:
            gathered = self.is_disturbed(line, true_s) and off_s - 3700 <= true_s
            # A slot that waited for a port that hung is cut too.
            hung_s = self.hung_s(off_s)
            if (off_s - WRONG_S - hung_s <= true_s or gathered) and true_s <= measures_s + WRONG_S:
                return True
        return False

    def touches(self, line, first_s, last_s):
        """A disturbance other than the ones that begin or end right there."""
        return any(begin_s + 5 < last_s and first_s < end_s - _GRACE_S for begin_s, end_s in self.disturbed[line])

    def stops(self, first_us, last_us):
        """The board stopped or stood still in that time, perhaps in the middle of a request."""
        return any(first_us <= off_us <= last_us for off_us, *_ in self.trace.offs) or self._hangs(first_us, last_us)

    def hung_s(self, true_s):
        """How long, at the most, the board may have stood still up to then."""
        return _HANG_S if self._hangs((true_s - WRONG_S - _HANG_S) * US, (true_s + WRONG_S) * US) else 0

    def _hangs(self, first_us, last_us):
        return any(words[0] == "hang" and first_us <= at_us <= last_us for at_us, words in self.trace.acts)
