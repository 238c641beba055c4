"""The bytes of a block of the ring: header and record frames. SPEC.md, "Flash". Pure: no device."""

import binascii
import struct

from micropython import const

_MAGIC = b"MGr1"
_HEADER = "<4sIIIII"  # magic, generation, log, first seq, opened_s, crc32 of the 20 bytes before
HEADER_BYTES = const(24)
_FRAME = "<HBII"  # payload bytes, kind, seq (0 for notes), crc32
FRAME_BYTES = const(11)
_PLACE = "<IHHBI"  # what the crc covers before the payload: generation, offset, payload bytes, kind, seq
_ERASED_SIZE = const(0xFFFF)
_ERASED_KIND = const(0xFF)


def put_header(generation, log, first_seq, opened_s):
    """The 24 bytes at the beginning of a block. log: 8 hex digits; the others 0..2**32-1."""
    header = bytearray(HEADER_BYTES)
    struct.pack_into(_HEADER, header, 0, _MAGIC, generation, int(log, 16), first_seq, opened_s & 0xFFFFFFFF, 0)
    struct.pack_into("<I", header, 20, binascii.crc32(memoryview(header)[:20]))
    return header


def header_of(header):
    """(generation, log, first seq, opened_s), or None if these bytes are no header."""
    magic, generation, log, first_seq, opened_s, crc = struct.unpack(_HEADER, header)
    if magic != _MAGIC or crc != binascii.crc32(memoryview(header)[:20]):
        return None
    return generation, "%08x" % log, first_seq, opened_s


def _crc_of(generation, offset, kind, seq, payload):
    """The check of a record: it holds only in this place of this life of the block."""
    return binascii.crc32(payload, binascii.crc32(struct.pack(_PLACE, generation, offset, len(payload), kind, seq)))


def put_frame(generation, offset, kind, seq, payload):
    """The bytes of a record that is to stand at offset."""
    frame = bytearray(FRAME_BYTES + len(payload))
    frame[FRAME_BYTES:] = payload
    struct.pack_into(_FRAME, frame, 0, len(payload), kind, seq, _crc_of(generation, offset, kind, seq, payload))
    return frame


def size_of(head):
    """Payload bytes by a record's first 11 bytes, or None if nothing was written there."""
    n, kind, _, _ = struct.unpack(_FRAME, head)
    return None if n == _ERASED_SIZE and kind == _ERASED_KIND else n


def check_frame(head, payload, generation, offset):
    """(kind, seq) of a record found at offset, or None if its check does not hold."""
    _, kind, seq, crc = struct.unpack(_FRAME, head)
    return (kind, seq) if crc == _crc_of(generation, offset, kind, seq, payload) else None
