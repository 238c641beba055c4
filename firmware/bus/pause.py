"""The pause a line makes when it turns to another meter: as configured, and longer where meters turn out to need it.

Some meters take the request to the next one for the tail of their own reply, or miss a request that comes too soon.
"""

from micropython import const

_FIRST_MS = const(20)
# Twice what was seen to help (facts of other projects: 200 ms).
_MOST_MS = const(400)
# So many slots in a row in which a meter's first request after the change failed, and was answered when it was repeated.
_ENOUGH = const(8)


class Pause:
    """Pause(ms): ms is what is configured; `ms` what is in force, `is_raised` whether that is more."""

    def __init__(self, ms):
        self.ms = ms
        self.is_raised = False
        # {id of a meter: how often in a row}; None while there is none.
        self._rows = None
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
        """The exchange has ended. Raises the pause where a meter is answered only when it is asked again after a change.

        Noise breaks requests too, but not one meter's first one each time; and it breaks others, which were no change."""
        if not is_good:
            self._failed = 2 if self._is_change else self._failed or 1
            return
        if self._failed == 2:
            self._count()
        elif self._failed:
            self._rows = None
        elif self._is_change and self._rows:
            self._rows.pop(id(self._meter), None)
        self._failed = 0

    def _count(self):
        rows = self._rows = self._rows or {}
        n = rows[id(self._meter)] = rows.get(id(self._meter), 0) + 1
        if n >= _ENOUGH:
            self._rows = None
            if self.ms < _MOST_MS:
                self.ms = min(_MOST_MS, max(_FIRST_MS, 2 * self.ms))
                self.is_raised = True
