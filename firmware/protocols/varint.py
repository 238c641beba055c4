"""Integers in as few bytes as they need: 7 bits a byte, the lowest first, bit 7 set where more follow. Pure."""

from micropython import const

from firmware.errors import RecordError

# 70 bits: the difference of differences of 63 bits and a sign, folded.
MOST_BYTES = const(10)


def put_varint(buf, at, number):
    """Write number, 0 or more, into buf from at on; return the offset behind it. ValueError: negative, above 70 bits."""
    if number < 0 or number >> 70:
        raise ValueError("70 bits")
    while number > 127:
        buf[at] = number & 127 | 128
        number >>= 7
        at += 1
    buf[at] = number
    return at + 1


def varint_of(buf, at):
    """(number, offset behind it). RecordError if it does not end within buf and 10 bytes."""
    number = shift = 0
    for i in range(at, min(at + MOST_BYTES, len(buf))):
        number |= (buf[i] & 127) << shift
        if not buf[i] & 128:
            return number, i + 1
        shift += 7
    raise RecordError("number without end")


def folded(value):
    """0 for None, else 1 more than 0, -1, 1, -2, .. as 0, 1, 2, 3, ..: small magnitudes are small numbers."""
    if value is None:
        return 0
    return (value << 1) + 1 if value >= 0 else -value << 1


def unfolded(number):
    """The value or None that was folded."""
    if number == 0:
        return None
    return number >> 1 if number & 1 else -(number >> 1)
