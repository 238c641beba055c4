"""The bytes of a block of the ring: mark, header, and the checks of its frames. SPEC.md, "Flash". Pure: no device."""

import binascii
import struct

from micropython import const

from firmware.protocols.crc import crc16

MAGIC = b"MGr2"
_MARK = "<4sIIH"  # magic, generation, log, crc16 of the 12 bytes before
MARK_BYTES = const(14)
# First seq, opened_s, generation of the block before, bounds of its times, its SHA-256, crc32 of mark and header.
_HEADER = "<IIIII32sI"
HEADER_BYTES = const(70)
# A header's bounds where the block before held nothing that has a time.
NO_TIME_S = const(0xFFFFFFFF)
CHECK_BYTES = const(2)
# What a check that was never written reads as; so no check may be that.
_ERASED = const(0xFFFF)

_place = bytearray(6)


class Header:
    """Of an opened block: first_seq, opened_s; before: generation of the block before it (0: none), whose min_s, max_s, sha."""

    def __init__(self, first_seq, opened_s, before, min_s, max_s, sha):
        self.first_seq = first_seq
        self.opened_s = opened_s
        self.before = before
        self.min_s = min_s
        self.max_s = max_s
        self.sha = sha


def put_mark(generation, log):
    """The 14 bytes that say: this block was erased, wholly. Both 0..2**32-1."""
    mark = bytearray(MARK_BYTES)
    struct.pack_into(_MARK, mark, 0, MAGIC, generation, log, 0)
    struct.pack_into("<H", mark, MARK_BYTES - 2, crc16(mark, 0, MARK_BYTES - 2))
    return mark


def mark_of(buf):
    """(generation, log) by a block's first 14 bytes, or None if they are no mark."""
    magic, generation, log, crc = struct.unpack_from(_MARK, buf, 0)
    if magic != MAGIC or crc != crc16(buf, 0, MARK_BYTES - 2):
        return None
    return generation, log


def put_header(mark, header):
    """The 56 bytes behind the mark."""
    buf = bytearray(HEADER_BYTES)
    buf[:MARK_BYTES] = mark
    values = header.first_seq, header.opened_s, header.before, header.min_s, header.max_s, header.sha
    struct.pack_into(_HEADER, buf, MARK_BYTES, *values, 0)
    struct.pack_into("<I", buf, HEADER_BYTES - 4, binascii.crc32(memoryview(buf)[: HEADER_BYTES - 4]))
    return memoryview(buf)[MARK_BYTES:]


def header_of(buf):
    """Header by a block's first 70 bytes, or None if it has none, or not a whole one."""
    values = struct.unpack_from(_HEADER, buf, MARK_BYTES)
    if values[6] != binascii.crc32(memoryview(buf)[: HEADER_BYTES - 4]):
        return None
    return Header(*values[:6])


def seed_of(generation, log):
    """What the checks of a block's frames begin with: they hold in this life of this block only."""
    return crc16(put_mark(generation, log), 4, 12)


def check_of(seed, offset, seq, tie, buf, end):
    """The check of the frame buf[:end] that stands at offset, where seq is the next one; never FFFF. Allocates nothing."""
    _place[0] = offset & 0xFF
    _place[1] = offset >> 8
    _place[2] = seq & 0xFF
    _place[3] = seq >> 8 & 0xFF
    _place[4] = tie & 0xFF
    _place[5] = tie >> 8
    check = crc16(buf, 0, end, crc16(_place, 0, 6, seed))
    return check if check != _ERASED else 0


def is_erased(buf):
    """True if nothing but FF is in buf."""
    return buf == b"\xff" * len(buf)
