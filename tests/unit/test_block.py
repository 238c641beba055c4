"""block: mark, header and checks have the bytes of SPEC.md, "Flash"; what was spoilt in any bit is none."""

import binascii
import hashlib
import struct

from memory import unallocated

from firmware.protocols.crc import crc16
from firmware.store.block import (
    HEADER_BYTES,
    MARK_BYTES,
    NO_TIME_S,
    Header,
    check_of,
    header_of,
    is_erased,
    mark_of,
    put_header,
    put_mark,
    seed_of,
)

_LOG = 0x5F0C11D2
_SHA = hashlib.sha256(b"the block before").digest()


def _head(header=None, generation=7):
    """Mark and header as they stand in a block."""
    mark = put_mark(generation, _LOG)
    return bytearray(bytes(mark) + bytes(put_header(mark, header or Header(1234, 1763799300, 6, 100, 90000, _SHA))))


def _members(header):
    return header.first_seq, header.opened_s, header.before, header.min_s, header.max_s, header.sha


def test_a_mark_has_the_bytes_of_the_specification():
    mark = bytes(put_mark(7, _LOG))
    assert mark[:12] == b"MGr2\x07\x00\x00\x00\xd2\x11\x0c\x5f" and len(mark) == MARK_BYTES == 14
    assert mark[12:] == struct.pack("<H", crc16(mark, 0, 12))
    # Of Modbus, by its definition, bit by bit.
    crc = 0xFFFF
    for byte in mark[:12]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    assert mark[12:] == bytes((crc & 0xFF, crc >> 8))


def test_a_header_has_the_bytes_of_the_specification():
    head = bytes(_head())
    assert len(head) == HEADER_BYTES == 70
    assert head[14:34] == struct.pack("<5I", 1234, 1763799300, 6, 100, 90000)
    assert head[34:66] == _SHA
    assert head[66:] == struct.pack("<I", binascii.crc32(head[:66]))


def test_marks_and_headers_come_back():
    for generation in (1, 7, (1 << 31) + 1, (1 << 32) - 1):
        for values in (
            (1, 0, 0, NO_TIME_S, 0, bytes(32)),
            (1234, 1763799300, 6, 100, 90000, _SHA),
            (NO_TIME_S, NO_TIME_S, NO_TIME_S, 0, NO_TIME_S, b"\xff" * 32),
        ):
            head = _head(Header(*values), generation)
            assert mark_of(head) == (generation, _LOG)
            assert _members(header_of(head)) == values


def test_a_mark_or_header_with_any_wrong_bit_is_none():
    head = _head()
    for at in range(HEADER_BYTES):
        for bit in range(8):
            head[at] ^= 1 << bit
            # The header says which mark it stands behind.
            assert header_of(head) is None
            assert (mark_of(head) is None) == (at < MARK_BYTES)
            head[at] ^= 1 << bit
    assert mark_of(head) and header_of(head)


def test_what_a_cut_leaves_of_them_is_none():
    whole = _head()
    for n in range(HEADER_BYTES):
        # Of the byte in which the power went, some of the 0 bits are programmed.
        for torn in (0xFF, whole[n] | 0x0F, whole[n] | 0xF0, whole[n] | 0x55):
            if torn == whole[n]:
                continue
            head = whole[:n] + bytes((torn,)) + b"\xff" * (HEADER_BYTES - n - 1)
            assert header_of(head) is None
            assert (mark_of(head) is None) == (n < MARK_BYTES)
    assert mark_of(b"\xff" * HEADER_BYTES) is None and header_of(b"\xff" * HEADER_BYTES) is None
    assert mark_of(bytes(HEADER_BYTES)) is None and header_of(bytes(HEADER_BYTES)) is None


def test_another_format_is_none():
    for magic in (b"MGr1", b"MGr3", b"mgr2"):
        mark = put_mark(7, _LOG)
        mark[:4] = magic
        mark[12:] = struct.pack("<H", crc16(mark, 0, 12))
        assert mark_of(mark) is None


def test_a_header_behind_another_mark_is_none():
    head = _head()
    head[:MARK_BYTES] = put_mark(8, _LOG)
    assert mark_of(head) == (8, _LOG) and header_of(head) is None


def test_a_check_is_of_its_place_and_of_what_it_is_tied_to():
    frame = b"\x04\x05start"
    seed = seed_of(7, _LOG)
    check = check_of(seed, 70, 1234, 0, frame, len(frame))
    others = [seed_of(8, _LOG), seed_of(7, _LOG + 1), seed_of(7 + (1 << 16), _LOG)]
    assert seed not in others and len(set(others)) == 3
    found = [check_of(other, 70, 1234, 0, frame, len(frame)) for other in others]
    for offset, seq, tie in (
        (71, 1234, 0),
        (70 + 256, 1234, 0),
        (70, 1235, 0),
        (70, 1234 + 256, 0),
        (70, 1234, 1),
        (70, 1234, 256),
    ):
        found.append(check_of(seed, offset, seq, tie, frame, len(frame)))
    found.append(check_of(seed, 70, 1234, 0, b"\x05\x05start", len(frame)))
    found.append(check_of(seed, 70, 1234, 0, frame, len(frame) - 1))
    assert check not in found
    # Only the low 16 bits of the seq are in it.
    assert check_of(seed, 70, 1234 + 65536, 0, frame, len(frame)) == check


def test_a_check_is_the_crc_of_the_specification():
    mark = bytes(put_mark(7, _LOG))
    frame = b"\x04\x05start"
    text = mark[4:12] + struct.pack("<HHH", 70, 1234, 0xABCD) + frame
    assert check_of(seed_of(7, _LOG), 70, 1234, 0xABCD, frame, len(frame)) == crc16(text, 0, len(text))


def test_no_check_is_that_of_erased_bytes():
    # Each tie gives another check, so one of them would be FFFF.
    seed = seed_of(7, _LOG)
    checks = bytearray(8192)
    for tie in range(65536):
        check = check_of(seed, 70, 5, tie, b"\x04\x00", 2)
        checks[check >> 3] |= 1 << (check & 7)
    assert checks[8191] == 0x7F and checks[:8191] == b"\xff" * 8191


def test_a_check_takes_no_heap():
    buf = bytearray(b"\x04\x05start")
    seed = seed_of(7, _LOG)
    assert unallocated(lambda: check_of(seed, 4000, 1234, 0xFFFF, buf, 7)) >= 0


def test_erased_is_nothing_but_ff():
    assert is_erased(b"\xff" * 70) and is_erased(memoryview(b"\xff" * 3)) and is_erased(b"")
    assert not is_erased(b"\xff" * 69 + b"\xfe") and not is_erased(b"\x7f\xff")
