"""Meters that do not answer: each is asked less and less often, so that it costs the others nothing."""

from micropython import const

# A silent meter is asked so often at least, or at each of its slots where these are further apart.
_LONGEST_S = const(900)
# One that was garbled is there, or its line is shorted and will be mended by somebody who wants to see it: so often at least.
_LONGEST_GARBAGE_S = const(120)
# Slots that brought nothing but garbage: from so many on a meter counts as silent too. It is there, after all.
_GARBAGE = const(3)


class Silence:
    """What is known of the silent meters of a line, by index. Those that answer take no room."""

    def __init__(self):
        # Index: [slots without a reading, level of the back-off, instant of the next probe, cause of the newest miss].
        self._silent = {}

    def heard(self, index):
        """A meter has answered, be it with a refusal."""
        self._silent.pop(index, None)

    def missed(self, index, slot_s, every_s, cause, is_garbage):
        """A slot has brought no answer. The next probe is 1, 2, 4, .. slots later, up to 15 minutes, or 2."""
        entry = self._silent.setdefault(index, [0, 0, 0, cause])
        entry[0] += 1
        entry[3] = cause
        if is_garbage and not entry[1] and entry[0] < _GARBAGE:
            return
        longest_s = max(every_s, _LONGEST_GARBAGE_S if is_garbage else _LONGEST_S)
        entry[2] = slot_s + min(every_s << min(entry[1], 16), longest_s)
        entry[1] += 1

    def is_silent(self, index):
        """True if its next request is a probe: one, not repeated, when the others have had their turn."""
        return index in self._silent and self._silent[index][1] > 0

    def is_due(self, index, slot_s, every_s):
        """True unless the slot of a silent meter passes without a probe."""
        # A clock that was set back does not put it off.
        return not 0 < self.rest_s(index, slot_s) <= max(every_s, _LONGEST_S)

    def cause(self, index):
        """Why the newest slot of a silent meter brought nothing."""
        return self._silent[index][3]

    def rest_s(self, index, now_s):
        """Seconds until the next probe of a silent meter, 0 or more."""
        return max(0, self._silent[index][2] - now_s) if index in self._silent else 0
