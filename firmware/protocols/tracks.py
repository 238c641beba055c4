"""Readings told by what has changed since the same meter's reading before, within a block. SPEC.md, "Readings". Pure.

A register is told by how much its step differs from the step before, a gauge by how much it differs. Which meter it is, its
slot and how long after it the reply came are foretold and said only where they differ. What is foretold depends on the same
meter's readings alone, and a reading's check on the check of the one before: what is damaged spoils nothing but its own meter,
and that not unseen."""

from micropython import const

from firmware.errors import RecordError
from firmware.protocols.varint import folded, put_varint, unfolded, varint_of

# The first byte of a reading: bit 7, two bits how it is told, five for the first number or for what is as foretold.
READING_BIT = const(0x80)
KEY = const(0xE0)
_TOLD = const(3)
_MANY = const(31)

# As foretold, in an explicit head.
_NOT_KEY = const(1)
_SAME_ORDER = const(2)
_SAME_STEP = const(4)
_SAME_AFTER = const(8)
_SAME_QUALITY = const(16)

# Of a meter's track: check of its NAMES note (None: not named in this block), of its newest reading; its slot (None: none yet),
# how long after the slot, quality, interval, which meter came next; then value and step of each point (step None: a gauge).
_NAMED = const(0)
_CHECK = const(1)
_SLOT = const(2)
_AFTER = const(3)
_QUALITY = const(4)
_EVERY = const(5)
_NEXT = const(6)
_VALUES = const(7)


class Tracks:
    """What each meter's newest reading in a block was. Writing and reading move it on alike, by taken().

    slot: seconds since record.EPOCH_S, which are small integers on a board; after_s: from the slot to the reply's end."""

    def __init__(self):
        self._tracks = {}
        # Whose reading was the last; None: not known.
        self.last = None
        self._expected = None

    def begin(self):
        """A block begins: no meter is named."""
        self.last = None
        for track in self._tracks.values():
            track[_NAMED] = None

    def name(self, index, every_s, registers, check):
        """A NAMES note with this check: meter number index, with one of registers, true or false, for each point."""
        track = self._tracks.get(index)
        if track is None or len(track) != _VALUES + 2 * len(registers):
            track = self._tracks[index] = [None] * (_VALUES + 2 * len(registers))
        track[_NAMED] = check
        track[_SLOT] = track[_NEXT] = None
        track[_EVERY] = every_s
        for i, is_register in enumerate(registers):
            track[_VALUES + 2 * i + 1] = 0 if is_register else None

    def unname(self, index):
        """A NAMES note that cannot be read: nothing is known of this meter any more."""
        if index in self._tracks:
            self._tracks[index][_NAMED] = None

    def is_new(self, index):
        """True if the meter's next reading has to be a key: no other has come before it."""
        return self._tracks[index][_SLOT] is None

    def named(self, index):
        """The check of the meter's NAMES note. RecordError if it is not known in this block."""
        track = self._tracks.get(index)
        if track is None or track[_NAMED] is None:
            raise RecordError("a meter without names")
        return track[_NAMED]

    def tie(self, index, is_key):
        """What the check of the meter's next reading begins with."""
        return self.named(index) if is_key else self._tracks[index][_CHECK]

    # -- writing --------------------------------------------------------------------------------------------

    def put(self, buf, index, slot, after_s, quality, values, is_key):
        """Write a reading without its check into buf; return its length. Allocates nothing but for integers above 30 bits."""
        track = self._tracks[index]
        if is_key:
            buf[0] = KEY
            buf[1] = index
            at = put_varint(buf, 2, folded(slot))
            at = put_varint(buf, at, folded(after_s))
            buf[at] = quality
            return self._put_values(buf, at + 1, track, values, 0, True)
        late_s = after_s - track[_AFTER]
        told = _NOT_KEY
        if index == self.foretold():
            told |= _SAME_ORDER
        if slot == track[_SLOT] + track[_EVERY]:
            told |= _SAME_STEP
        if late_s == 0:
            told |= _SAME_AFTER
        if quality == track[_QUALITY]:
            told |= _SAME_QUALITY
        if told | _SAME_AFTER == _MANY and -1 <= late_s <= 1:
            return self._put_short(buf, track, values, late_s)
        buf[0] = KEY | told
        at = 1
        if not told & _SAME_ORDER:
            buf[at] = index
            at += 1
        if not told & _SAME_STEP:
            at = put_varint(buf, at, folded(slot - track[_SLOT] - track[_EVERY]))
        if not told & _SAME_AFTER:
            at = put_varint(buf, at, folded(after_s))
        if not told & _SAME_QUALITY:
            buf[at] = quality
            at += 1
        return self._put_values(buf, at, track, values, 0, False)

    def _put_short(self, buf, track, values, late_s):
        number = _told_by(track, 0, values[0], False)
        head = READING_BIT | (late_s % 3) << 5
        if number < _MANY:
            buf[0] = head | number
            return self._put_values(buf, 1, track, values, 1, False)
        buf[0] = head | _MANY
        return self._put_values(buf, put_varint(buf, 1, number - _MANY), track, values, 1, False)

    @staticmethod
    def _put_values(buf, at, track, values, first, is_key):
        for i in range(first, len(values)):
            at = put_varint(buf, at, _told_by(track, i, values[i], is_key))
        return at

    # -- reading --------------------------------------------------------------------------------------------

    def parse(self, buf):
        """(index, is key, slot, after_s, quality, values, length) of the reading that buf begins with, its check not looked at.

        RecordError if it is none, or is not told against what is known."""
        head = buf[0]
        told = head & _MANY
        if head >> 5 & _TOLD != _TOLD:
            return self._parse_short(buf, told, head >> 5 & _TOLD)
        if told == 0:
            index = _byte(buf, 1)
            self.named(index)
            slot, at = varint_of(buf, 2)
            after_s, at = varint_of(buf, at)
            return self._parsed(buf, index, True, _value(slot), _value(after_s), _byte(buf, at), at + 1, ())
        if not told & _NOT_KEY:
            raise RecordError("head")
        at = 1
        if told & _SAME_ORDER:
            index = self.foretold()
        else:
            index, at = _byte(buf, at), at + 1
        track = self._known(index)
        slot, after_s, quality = track[_SLOT] + track[_EVERY], track[_AFTER], track[_QUALITY]
        if not told & _SAME_STEP:
            more, at = varint_of(buf, at)
            slot += _value(more)
        if not told & _SAME_AFTER:
            after_s, at = varint_of(buf, at)
            after_s = _value(after_s)
        if not told & _SAME_QUALITY:
            quality, at = _byte(buf, at), at + 1
        return self._parsed(buf, index, False, slot, after_s, quality, at, ())

    def _parse_short(self, buf, number, late_s):
        index = self.foretold()
        track = self._known(index)
        at = 1
        if number == _MANY:
            more, at = varint_of(buf, 1)
            number += more
        after_s = track[_AFTER] + (late_s if late_s < 2 else -1)
        return self._parsed(buf, index, False, track[_SLOT] + track[_EVERY], after_s, track[_QUALITY], at, (number,))

    def _parsed(self, buf, index, is_key, slot, after_s, quality, at, numbers):
        track = self._tracks[index]
        values = []
        for i in range((len(track) - _VALUES) // 2):
            if i < len(numbers):
                number = numbers[i]
            else:
                number, at = varint_of(buf, at)
            values.append(_told(track, i, number, is_key))
        return index, is_key, slot, after_s, quality, values, at

    def _known(self, index):
        """The track of a meter that has a reading in this block."""
        track = self._tracks.get(index)
        if track is None or track[_NAMED] is None or track[_SLOT] is None:
            raise RecordError("a meter without a reading before")
        return track

    # -- both -----------------------------------------------------------------------------------------------

    def taken(self, index, is_key, slot, after_s, quality, values, check):
        """The reading stands in the block, or was read there, and its check holds."""
        track = self._tracks[index]
        self.passed(index)
        track[_CHECK] = check
        track[_SLOT] = slot
        track[_AFTER] = after_s
        track[_QUALITY] = quality
        for i in range(len(values)):
            at = _VALUES + 2 * i
            value, before = values[i], track[at]
            if is_key:
                track[at] = value
                if track[at + 1] is not None:
                    track[at + 1] = 0
            elif value is not None:
                if before is not None and track[at + 1] is not None:
                    track[at + 1] = value - before
                track[at] = value

    def passed(self, index):
        """A reading of this meter stands there; the order of meters goes on behind it."""
        if self.last is not None:
            self._tracks[self.last][_NEXT] = index
        self.last = index

    def expect(self, index):
        """What comes next is this meter's, whatever was foretold; None: as foretold."""
        self._expected = index

    def state(self):
        """What is known, for restore()."""
        return self.last, {index: list(track) for index, track in self._tracks.items()}

    def restore(self, state):
        """Know what was known when state() gave this."""
        self.last, tracks = state
        self._tracks = {index: list(track) for index, track in tracks.items()}

    def known(self):
        """The numbers of the meters that have a reading in this block."""
        return [index for index, track in self._tracks.items() if track[_NAMED] is not None and track[_SLOT] is not None]

    def foretold(self):
        """The meter that came next after the last one's reading before; None if none did."""
        if self._expected is not None:
            return self._expected
        return None if self.last is None else self._tracks[self.last][_NEXT]


def _told_by(track, i, value, is_key):
    """The number that tells the value of point i."""
    if value is None:
        return 0
    before = track[_VALUES + 2 * i]
    if is_key or before is None:
        return folded(value)
    step = track[_VALUES + 2 * i + 1]
    return folded(value - before if step is None else value - before - step)


def _told(track, i, number, is_key):
    """The value of point i that this number tells."""
    value = unfolded(number)
    before = track[_VALUES + 2 * i]
    if value is None or is_key or before is None:
        return value
    step = track[_VALUES + 2 * i + 1]
    return before + value if step is None else before + step + value


def _value(number):
    value = unfolded(number)
    if value is None:
        raise RecordError("no time")
    return value


def _byte(buf, at):
    if at >= len(buf):
        raise RecordError("no end")
    return buf[at]
