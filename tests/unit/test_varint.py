"""Integers in as few bytes as they need."""

from memory import raised, unallocated

from firmware.errors import RecordError
from firmware.protocols.varint import MOST_BYTES, folded, put_varint, unfolded, varint_of


def test_numbers_come_back_in_seven_bits_a_byte():
    buf = bytearray(MOST_BYTES)
    for number, n in ((0, 1), (127, 1), (128, 2), (16383, 2), (16384, 3), (2**32 - 1, 5), (2**64, 10), (2**70 - 1, 10)):
        assert put_varint(buf, 0, number) == n
        assert varint_of(buf, 0) == (number, n)
    raised(ValueError, put_varint, buf, 0, 2**70)
    raised(ValueError, put_varint, buf, 0, -1)


def test_a_number_that_does_not_end_is_none():
    raised(RecordError, varint_of, b"\x80\x80", 0)
    raised(RecordError, varint_of, b"\xff" * 20, 0)
    raised(RecordError, varint_of, b"\x01", 1)


def test_small_magnitudes_and_no_value_are_small_numbers():
    assert [folded(value) for value in (None, 0, -1, 1, -2, 2)] == [0, 1, 2, 3, 4, 5]
    for value in (None, 0, -1, 1, 63, -64, 2**63 - 1, -(2**65)):
        assert unfolded(folded(value)) == value


def test_writing_allocates_nothing():
    buf = bytearray(MOST_BYTES)
    assert unallocated(lambda: put_varint(buf, 0, folded(-(2**28))))
