"""modbus: requests, and replies in whatever noise they come."""

import sys

from memory import golden, hexed, raised, unallocated

from firmware.errors import BadFrame, MeterRefused
from firmware.protocols import modbus
from firmware.protocols.crc import crc16
from firmware.protocols.modbus import HOLDING, INPUT, Reply


def _framed(*body):
    """body and its checksum, by the loop of Modbus over serial line V1.02, 6.2.2: one bit at a time."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


# Recorded: 230.2 V from input registers 0 and 1 of unit 1.
_REQUEST = hexed("01 04 00 00 00 02 71 CB")
_REPLY = hexed("01 04 04 43 66 33 34 1B 38")
_DATA = hexed("43 66 33 34")
# Recorded: ten registers of a PZEM.
_PZEM = hexed("01 04 14 08 D1 00 6C 00 00 00 F4 00 00 00 26 00 00 01 F4 00 64 00 00 51 34")


def _started(unit=1, function=INPUT, count=2):
    reply = Reply()
    reply.start(unit, function, count)
    return reply


def _added(reply, data, size=64):
    """What add gives last for the bytes, in pieces of size; stops at the first that is not None."""
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        found = reply.add(piece, len(piece))
        if found is not None:
            return bytes(found)
    return None


def test_checksums_are_those_of_recorded_frames():
    for frame in [_REQUEST, _REPLY, _PZEM] + [hexed(f) for case in golden("frames") for pair in case["frames"] for f in pair]:
        crc = crc16(frame, 0, len(frame) - 2)
        assert frame[-2] == crc & 0xFF and frame[-1] == crc >> 8
        assert _framed(*frame[:-2]) == frame


def test_a_checksum_covers_what_it_is_told():
    frame = b"\x99" + _REQUEST + b"\x99"
    assert crc16(frame, 1, 7) == 0xCB71
    assert crc16(frame, 1, 1) == 0xFFFF
    # A whole frame's checksum over everything is 0.
    assert crc16(frame, 1, 9) == 0


def test_an_allocation_is_noticed():
    if sys.implementation.name == "micropython":
        raised(MemoryError, unallocated, lambda: bytearray(100))


def test_checks_of_a_full_buffer_allocate_nothing():
    exception = _framed(1, 0x84, 2)[:-1] + b"\0"
    for stuff in (
        b"\x55" * 320,
        # Beginnings of the reply, whose checksum is then computed in vain; and refusals that are none.
        b"\x01\x04\xfa" * 106 + b"\x01\x04",
        exception * 64,
        b"\x01" * 320,
        bytes(i * 7 & 0xFF for i in range(320)),
    ):
        reply = _started(count=125)
        assert reply.add(stuff, 320) is None
        assert reply.heard == 320
        assert unallocated(reply._search) == -1
        assert unallocated(reply.wanted) == 1
    reply = _started(count=125)
    frame = _framed(1, INPUT, 250, *[i & 0xFF for i in range(250)])
    reply.add(b"\x55" * 65 + frame[:-1], 319)
    reply._buf[319] = frame[-1]
    reply._n = 320
    assert unallocated(reply._search) == 65


def test_a_request_is_the_recorded_one():
    buf = bytearray(modbus.REQUEST_BYTES)
    assert modbus.put_read(buf, 1, INPUT, 0, 2) == 8
    assert buf == _REQUEST


def test_requests_at_the_bounds():
    for unit, function, first, count in (
        (1, HOLDING, 0, 1),
        (247, INPUT, 0, 125),
        (247, HOLDING, 0xFFFF, 1),
        (16, INPUT, 0xFFFF - 124, 125),
        (17, HOLDING, 0x2012, 2),
    ):
        buf = bytearray(b"\xee" * 10)
        assert modbus.put_read(buf, unit, function, first, count) == 8
        assert buf == _framed(unit, function, first >> 8, first & 0xFF, 0, count) + b"\xee\xee"


def test_requests_out_of_bounds_are_refused_before_anything_is_packed():
    for unit, function, first, count in (
        (0, INPUT, 0, 2),
        (-1, INPUT, 0, 2),
        (248, INPUT, 0, 2),
        (257, INPUT, 0, 2),
        (1, 0, 0, 2),
        (1, 6, 0, 2),
        (1, 16, 0, 2),
        (1, INPUT + 256, 0, 2),
        (1, INPUT, -1, 2),
        (1, INPUT, 65536, 2),
        (1, INPUT, 65535, 2),
        (1, INPUT, 0, 0),
        (1, INPUT, 0, -1),
        (1, INPUT, 0, 126),
        (1, INPUT, 0, 65537),
        (1, HOLDING, 65412, 125),
    ):
        buf = bytearray(8)
        raised(ValueError, modbus.put_read, buf, unit, function, first, count)
        assert buf == bytearray(8), (unit, function, first, count)


def test_a_request_is_changed_to_other_registers():
    buf = bytearray(8)
    modbus.put_read(buf, 17, HOLDING, 0x2006, 63)
    assert modbus.first_of(buf) == 0x2006
    assert modbus.place_of(buf) == "registers 2006..2044"
    modbus.put_range(buf, 0x101E, 2)
    assert bytes(buf) == hexed("11 03 10 1E 00 02 A2 5D")
    assert modbus.place_of(buf) == "registers 101E..101F"
    modbus.put_range(buf, 0xFF83, 125)
    assert bytes(buf) == _framed(17, 3, 0xFF, 0x83, 0, 125)
    assert modbus.place_of(buf) == "registers FF83..FFFF"


def test_a_reply_in_pieces_of_every_size():
    for size in range(1, len(_PZEM) + 1):
        reply = _started(count=10)
        assert _added(reply, _PZEM[:-1], size) is None, size
        assert bytes(reply.add(_PZEM[-1:], 1)) == _PZEM[3:-2], size


def test_only_n_bytes_of_the_buffer_count():
    reply = _started()
    buf = bytearray(64)
    buf[:9] = _REPLY
    assert reply.add(buf, 8) is None
    assert reply.heard == 8
    buf[:1] = _REPLY[8:]
    assert bytes(reply.add(buf, 1)) == _DATA


def test_the_reply_counts_down_what_it_wants():
    reply = _started()
    assert (reply.heard, reply.wanted()) == (0, 9)
    reply.add(_REPLY, 5)
    assert (reply.heard, reply.wanted()) == (5, 4)
    reply.add(b"\0" * 20, 20)
    assert reply.wanted() == 1


def test_the_longest_reply_is_known_from_its_request():
    for count in (1, 2, 125):
        reply = Reply()
        request = bytearray(8)
        modbus.put_read(request, 9, HOLDING, 0, count)
        reply.expect(request)
        assert reply.longest == 5 + 2 * count == reply.wanted()


def test_a_request_that_is_expected_sets_unit_function_and_count():
    reply = Reply()
    reply.expect(_REQUEST)
    assert _added(reply, _framed(2, 4, 4, 1, 2, 3, 4) + _framed(1, 3, 4, 1, 2, 3, 4) + _framed(1, 4, 2, 1, 2) + _REPLY) == _DATA


def test_noise_before_and_after_costs_nothing():
    for before in (
        b"\0",
        b"\xff" * 7,
        b"\x01",
        b"\x01\x04",
        b"\x01\x04\x04",
        b"\x01\x04\x04\x43\x66\x33\x34",
        b"\x01\x84",
        _REPLY[:8],
    ):
        for after in (b"", b"\0", b"\x01\x04\x04\x43"):
            for size in (1, 3, 64):
                reply = _started()
                assert _added(reply, before + _REPLY + after, size) == _DATA, (before, after, size)
                assert reply.noise_bytes == len(before)


def test_an_echo_of_the_request_is_passed_over():
    for count in (1, 2, 10, 125):
        request = bytearray(8)
        modbus.put_read(request, 1, INPUT, 0, count)
        data = bytes(range(2 * count))
        frame = _framed(1, INPUT, 2 * count, *data)
        for size in (1, 8, 64):
            reply = _started(count=count)
            assert _added(reply, bytes(request) + frame, size) == data


def test_a_frame_of_another_unit_is_passed_over():
    reply = _started()
    assert _added(reply, _framed(2, 4, 4, 1, 2, 3, 4) + _REPLY) == _DATA
    reply = _started()
    assert _added(reply, _framed(2, 0x84, 2) + _REPLY) == _DATA


def test_what_does_not_answer_the_request_is_no_reply():
    for frame in (
        _framed(1, 3, 4, 1, 2, 3, 4),
        _framed(2, 4, 4, 1, 2, 3, 4),
        _framed(1, 4, 2, 1, 2),
        _framed(1, 4, 6, 1, 2, 3, 4, 5, 6),
        _framed(1, 4, 4, 1, 2, 3),
        _framed(1, 0x83, 2),
        _framed(2, 0x84, 2),
        _framed(1, 0x10, 0, 0, 0, 2),
        _REQUEST,
    ):
        reply = _started()
        assert _added(reply, frame) is None, frame
        assert raised(BadFrame, reply.give_up).args[0] == frame


def test_one_changed_bit_anywhere_makes_it_no_reply():
    for at in range(len(_REPLY)):
        for bit in range(8):
            frame = bytearray(_REPLY)
            frame[at] ^= 1 << bit
            assert _added(_started(), frame) is None, (at, bit)


def test_a_good_frame_behind_one_with_a_bad_checksum_is_found():
    bad = _REPLY[:-1] + b"\0"
    for size in (1, 9, 64):
        reply = _started()
        assert _added(reply, bad + _REPLY, size) == _DATA
        assert reply.noise_bytes == 9


def test_a_frame_cut_short_does_not_hide_the_next():
    for n in range(len(_PZEM)):
        reply = _started(count=10)
        assert _added(reply, _PZEM[:n] + _PZEM) == _PZEM[3:-2], n


def test_an_exception_is_the_meters_refusal_with_its_code():
    for function in (HOLDING, INPUT):
        for code in (1, 2, 3, 4, 6, 11, 255):
            reply = _started(function=function)
            frame = _framed(1, function | 0x80, code)
            assert reply.add(frame, 4) is None
            error = raised(MeterRefused, reply.add, frame[4:], 1)
            assert error.code == code


def test_an_exception_with_noise_before_it_is_a_refusal():
    reply = _started()
    data = b"\x01\x84\x02" + _framed(1, 0x84, 2)
    assert raised(MeterRefused, reply.add, data, len(data)).code == 2
    assert reply.noise_bytes == 3


def test_a_refusal_empties_the_buffer_before_it_is_raised():
    reply = _started()
    for before, after in ((b"", b""), (b"\x55" * 3, b"\x01\x04\x04")):
        data = before + _framed(1, 0x84, 2) + after
        raised(MeterRefused, reply.add, data, len(data))
        assert (reply.heard, reply.wanted()) == (0, 9)
    # What came behind it is gone too: it is the beginning of nothing.
    assert _added(reply, _DATA + _REPLY[-2:]) is None
    assert _added(reply, _REPLY) == _DATA


def test_an_exception_with_a_bad_checksum_is_none():
    reply = _started()
    assert _added(reply, b"\x01\x84\x02\xc2\xc0") is None
    assert _added(reply, _REPLY) == _DATA


def test_125_registers_fit():
    data = bytes(i * 7 & 0xFF for i in range(250))
    frame = _framed(9, HOLDING, 250, *data)
    for size in (1, 63, 64, 255):
        for noise in (b"", b"\x09", b"\x55" * 64, b"\x55" * 200, frame[:254]):
            reply = _started(9, HOLDING, 125)
            assert _added(reply, noise + frame, size) == data, (size, len(noise))


def test_noise_without_end_neither_grows_the_buffer_nor_hides_a_reply():
    reply = _started()
    for i in range(100):
        assert reply.add(bytes(i + k & 0xFF for k in range(64)), 64) is None
        assert reply.heard <= 320
    assert _added(reply, _REPLY) == _DATA
    assert len(reply._buf) == 320
    # All that came before the reply is noise.
    assert reply.noise_bytes == 6400


def test_a_reply_is_found_anywhere_in_a_long_piece():
    for n_before in (0, 100, 311, 320, 321, 1000):
        for n_after in (0, 100, 1000):
            for byte in (b"\x55", b"\x01"):
                reply = _started()
                stream = byte * n_before + _REPLY + byte * n_after
                assert _added(reply, stream, len(stream)) == _DATA, (n_before, n_after)
                assert len(reply._buf) == 320 and reply.noise_bytes == n_before


def test_giving_up_tells_what_was_heard_and_forgets_it():
    reply = _started()
    reply.add(b"\x01\x04\x04", 3)
    assert raised(BadFrame, reply.give_up).args == (b"\x01\x04\x04", "checksum")
    assert (reply.heard, reply.wanted()) == (0, 9)
    assert reply.noise_bytes == 3
    # Its last bytes are no reply's first.
    assert _added(reply, _REPLY[3:]) is None


def test_a_start_forgets_the_last_request():
    reply = _started()
    reply.add(_REPLY, 5)
    reply.start(2, HOLDING, 1)
    assert (reply.heard, reply.wanted()) == (0, 7)
    assert _added(reply, _REPLY[5:]) is None
    assert _added(reply, _framed(2, 3, 2, 9, 8)) == b"\x09\x08"


def test_what_was_heard_instead_of_a_reply_is_told_apart():
    reply = modbus.Reply()
    ours = _framed(1, 4, 4, 1, 2, 3, 4)
    for heard, fault in (
        (b"\x55", "noise"),
        (b"\x55" * 30, "noise"),
        (b"\x01\x04", "checksum"),
        (ours[:-1], "checksum"),
        (ours[:5] + b"\x00" + ours[6:], "checksum"),
        (b"\xff" + ours[:-2] + b"\x00\x00", "checksum"),
        (_framed(1, 0x84, 2)[:-1] + b"\x00", "checksum"),
        # Another count, another function, an exception of another function: of this meter, but to something else.
        (_framed(1, 4, 2, 1, 2), "late"),
        (_framed(1, 3, 4, 1, 2, 3, 4), "late"),
        (b"\xff" + _framed(1, 0x83, 2), "late"),
        (_framed(2, 4, 4, 1, 2, 3, 4), "other"),
        (b"\x01\x04\x55" + _framed(247, 0x84, 2), "other"),
        # Neither a broadcast nor a reserved unit answers.
        (_framed(0, 4, 2, 1, 2), "noise"),
        (_framed(248, 4, 2, 1, 2), "noise"),
    ):
        reply.start(1, 4, 2)
        assert reply.add(heard, len(heard)) is None
        assert raised(BadFrame, reply.give_up).args == (heard, fault), heard
