"""tracks: a reading is told by what has changed, and comes back; each form has the bytes of SPEC.md, "Readings"."""

from memory import raised, unallocated

from firmware.errors import RecordError
from firmware.protocols.tracks import KEY, Tracks

_SLOT = 60000000


def _tracks(n=3, points=(True, False)):
    tracks = Tracks()
    tracks.begin()
    for i in range(n):
        tracks.name(i, 900, points, 100 + i)
    return tracks


class _Both:
    """What is written is read by another, who knows no more than the bytes."""

    def __init__(self, n=3, points=(True, False)):
        self.writer, self.reader = _tracks(n, points), _tracks(n, points)
        self.check = 1000

    def tell(self, index, slot, after_s, quality, values, is_key=False):
        """The bytes of a reading."""
        self.check += 1
        buf = bytearray(400)
        is_key = is_key or self.writer.is_new(index)
        n = self.writer.put(buf, index, slot, after_s, quality, values, is_key)
        tie = self.writer.tie(index, is_key)
        self.writer.taken(index, is_key, slot, after_s, quality, values, self.check)
        found = self.reader.parse(bytes(buf[:n]) + b"\x12\x34")
        assert found == (index, is_key, slot, after_s, quality, values, n)
        assert self.reader.tie(index, is_key) == tie
        self.reader.taken(*found[:6], self.check)
        assert buf[0] & 0x80 and buf[0] != 0xFF
        return bytes(buf[:n])


def test_the_forms_have_the_bytes_of_the_specification():
    both = _Both(2)
    # A key: index, slot, seconds after it, quality, values.
    assert both.tell(0, 900, 2, 33, [100, 50]) == b"\xe0\x00\x89\x0e\x05\x21\xc9\x01\x65"
    both.tell(1, 900, 4, 0, [7, 7])
    # Not foretold yet that 0 comes behind 1; all else is: the step was 0 and is 25, the gauge is 3 lower.
    assert both.tell(0, 1800, 2, 33, [125, 47]) == b"\xfd\x00\x33\x06"
    assert both.tell(1, 1800, 4, 0, [7, 7]) == b"\x81\x01"
    # Now it is. The step is 25 again: the difference of steps is 0. One second later, one sooner.
    assert both.tell(0, 2700, 3, 33, [150, 47]) == b"\xa1\x01"
    both.tell(1, 2700, 4, 0, [7, 7])
    assert both.tell(0, 3600, 2, 33, [175, 47]) == b"\xc1\x01"
    both.tell(1, 3600, 4, 0, [7, 7])
    # 31 and more.
    assert both.tell(0, 4500, 2, 33, [215, 47]) == b"\x9f\x00\x01"
    both.tell(1, 4500, 4, 0, [7, None])
    # Another slot, another time after it, another quality.
    assert both.tell(0, 7200, 9, 32, [256, 48]) == b"\xe3\x91\x1c\x13\x20\x03\x03"


def test_a_meter_out_of_its_turn_is_named():
    both = _Both()
    for slot in range(3):
        for i in range(3):
            both.tell(i, _SLOT + 900 * slot, 2, 0, [slot, slot])
    slot = _SLOT + 2700
    assert len(both.tell(0, slot, 2, 0, [3, 3])) == 2
    # 1 is silent.
    assert both.tell(2, slot, 2, 0, [3, 3])[:2] == b"\xfd\x02"
    assert len(both.tell(0, slot + 900, 2, 0, [4, 4])) == 2
    # And comes back.
    assert both.tell(1, slot + 900, 2, 0, [4, 4])[:2] == b"\xf9\x01"


def test_values_of_all_sizes_and_none_come_back():
    both = _Both(1)
    values = [0, -1, 1, 127, None, 16383, -(1 << 30), (1 << 31) + 5, None, None, 1 << 62, -(1 << 62), (1 << 63) - 1, 5, 5, 5]
    for i, value in enumerate(values):
        for k, other in enumerate(values):
            both.tell(0, _SLOT + 900 * i + k, k, i, [value, other], (i + k) % 5 == 0)


def test_a_point_without_a_value_is_told_against_the_last_that_had_one():
    both = _Both(1, (True,))
    both.tell(0, _SLOT, 2, 0, [1000])
    both.tell(0, _SLOT + 900, 2, 0, [1010])
    both.tell(0, _SLOT + 1800, 2, 0, [None])
    assert both.tell(0, _SLOT + 2700, 2, 0, [1020]) == b"\x81"
    # A key forgets what was before it.
    both.tell(0, _SLOT + 3600, 2, 0, [None], True)
    assert both.tell(0, _SLOT + 4500, 2, 0, [3]) == b"\x87"


def test_many_points_come_back():
    both = _Both(1, (True, False) * 16)
    for i in range(5):
        both.tell(0, _SLOT + 900 * i, 2, 0, [(1 << 40) * (i % 2) + k for k in range(32)])


def test_what_is_not_known_is_not_guessed():
    tracks = _tracks(1)
    for bytes_ in (
        b"\x80\x01",
        b"\xe0\x05\x01\x01\x00\x01\x01",
        b"\xfd\x00\x01\x01",
        b"\xe2\x00",
        b"\xe0",
        b"\xe0\x00\x01\x00\x00\x01\x01",
    ):
        raised(RecordError, tracks.parse, bytes_)
    raised(RecordError, tracks.named, 3)
    both = _Both(1)
    both.tell(0, _SLOT, 2, 0, [1, 1])
    whole = both.tell(0, _SLOT + 901, 7, 1, [-500, 300])
    for n in range(1, len(whole)):
        raised(RecordError, both.reader.parse, whole[:n])
    # A new NAMES note: the next one has to be a key again.
    both.reader.name(0, 900, (True, False), 5)
    raised(RecordError, both.reader.parse, whole)
    both.reader.unname(0)
    raised(RecordError, both.reader.tie, 0, True)


_BUF = bytearray(64)
_WRITER = _tracks(2)


def test_a_reading_is_written_without_heap():
    # What a function has of another one's names, and is more than five, takes heap itself: the longest live in the module.
    for i in range(4):
        for index in range(2):
            values = [100000 + i * 30, 500 - i]
            is_key = _WRITER.is_new(index)
            slot = _SLOT + 900 * i
            n = unallocated(lambda: _WRITER.put(_BUF, index, slot, 2, 0, values, is_key))  # noqa: B023
            assert 2 <= n < 20
            unallocated(lambda: _WRITER.taken(index, is_key, slot, 2, 0, values, 7))  # noqa: B023
    assert _BUF[0] != KEY
