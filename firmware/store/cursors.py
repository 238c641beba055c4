"""How far each consumer of the ring has come, and when that is to be written down."""

from micropython import const

# Written down when so many records or seconds have gone since it was: the most that is sent twice after a cut.
_MOST_RECORDS = const(64)
# An hour, less a minute in which the caller gets to it.
_MOST_S = const(3540)


class Cursors:
    """Cursors(now_s): positions {consumer: the last seq that it has acknowledged}."""

    def __init__(self, now_s):
        self.positions = {}
        self._now_s = now_s
        self._saved = {}
        self._unsaved_s = 0

    def acknowledge(self, consumer, seq):
        """Move a consumer's cursor."""
        if not self.is_unsaved:
            self._unsaved_s = self._now_s()
        self.positions[consumer] = seq

    @property
    def is_unsaved(self):
        return self.positions != self._saved

    @property
    def is_due(self):
        """True if they have to be written down now."""
        if not self.is_unsaved:
            return False
        # A clock that stepped back would put it off for long: any distance beyond the bound counts.
        if abs(self._now_s() - self._unsaved_s) >= _MOST_S:
            return True
        for name, seq in self.positions.items():
            if seq - self._saved.get(name, 0) >= _MOST_RECORDS:
                return True
        return False

    @property
    def has_new_names(self):
        """True if a CURSORS note would not tell whose they are."""
        return sorted(self.positions) != sorted(self._saved)

    def saved(self):
        """They stand on flash as they are now."""
        self._saved = dict(self.positions)
