"""The pause a line makes when it turns to another meter: as configured, and longer where meters turn out to need it.

Some meters take the request to the next one for the tail of their own reply, or miss a request that comes too soon.
"""

from micropython import const

_FIRST_MS = const(20)
# Twice what was seen to help (facts of other projects: 200 ms).
_MOST_MS = const(400)
# A request that failed right after a change, and was answered when it was repeated, counts for so many that were answered
# at once; so many such failures in a row raise the pause. A retry that helped elsewhere speaks for noise, not for a pause.
_WEIGHT = const(4)
_ENOUGH = const(16)


class Pause:
    """Pause(ms): ms is what is configured; `ms` what is in force, `is_raised` whether that is more."""

    def __init__(self, ms):
        self.ms = ms
        self.is_raised = False
        self._score = 0
        # Whom the line has turned to; whether it was just now; whether the exchange before failed right after a change.
        self._meter = None
        self._is_change = False
        self._failed = 0

    def turn(self, meter):
        """The line turns to a meter, any object: how long it must have been silent before, in milliseconds."""
        self._is_change = meter is not self._meter
        if self._is_change:
            self._failed = 0
        self._meter = meter
        return self.ms if self._is_change else 0

    def ended(self, is_good):
        """The exchange has ended. Raises the pause where only repeated requests are answered after a change."""
        if not is_good:
            self._failed = 2 if self._is_change else self._failed or 1
        elif self._failed == 2:
            self._count(_WEIGHT)
        elif self._is_change:
            self._count(-1)
        elif self._failed:
            self._count(-_WEIGHT)
        if is_good:
            self._failed = 0

    def _count(self, weight):
        self._score = max(0, self._score + weight)
        if self._score >= _ENOUGH:
            self._score = 0
            if self.ms < _MOST_MS:
                self.ms = min(_MOST_MS, max(_FIRST_MS, 2 * self.ms))
                self.is_raised = True
