"""modbus: requests, replies in whatever noise they come, and registers to integers by their bits."""

import sys

from memory import golden, raised

from firmware.errors import BadFrame, MeterRefused
from firmware.protocols import modbus
from firmware.protocols.modbus import HOLDING, INPUT, Reply


def _hex(text):
    return bytes(int(word, 16) for word in text.split())


def _framed(*body):
    """body and its checksum, by the loop of Modbus over serial line V1.02, 6.2.2: one bit at a time."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


# Recorded: 230.2 V from input registers 0 and 1 of unit 1.
_REQUEST = _hex("01 04 00 00 00 02 71 CB")
_REPLY = _hex("01 04 04 43 66 33 34 1B 38")
_DATA = _hex("43 66 33 34")
# Recorded: ten registers of a PZEM.
_PZEM = _hex("01 04 14 08 D1 00 6C 00 00 00 F4 00 00 00 26 00 00 01 F4 00 64 00 00 51 34")


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
    for frame in [_REQUEST, _REPLY, _PZEM] + [_hex(f) for case in golden("frames") for pair in case["frames"] for f in pair]:
        crc = modbus.crc16(frame, 0, len(frame) - 2)
        assert frame[-2] == crc & 0xFF and frame[-1] == crc >> 8
        assert _framed(*frame[:-2]) == frame


def test_a_checksum_covers_what_it_is_told():
    frame = b"\x99" + _REQUEST + b"\x99"
    assert modbus.crc16(frame, 1, 7) == 0xCB71
    assert modbus.crc16(frame, 1, 1) == 0xFFFF
    # A whole frame's checksum over everything is 0.
    assert modbus.crc16(frame, 1, 9) == 0


def test_a_checksum_allocates_nothing():
    if sys.implementation.name != "micropython":
        return
    import micropython

    micropython.heap_lock()
    try:
        crc = modbus.crc16(_PZEM, 0, 23)
    finally:
        micropython.heap_unlock()
    assert crc == 0x3451


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
        assert raised(BadFrame, reply.give_up).args == (frame,)


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


def test_giving_up_tells_what_was_heard_and_forgets_it():
    reply = _started()
    reply.add(b"\x01\x04\x04", 3)
    assert raised(BadFrame, reply.give_up).args == (b"\x01\x04\x04",)
    assert reply.heard == 0
    assert reply.noise_bytes == 3


def test_a_start_forgets_the_last_request():
    reply = _started()
    reply.add(_REPLY, 5)
    reply.start(2, HOLDING, 1)
    assert (reply.heard, reply.wanted()) == (0, 7)
    assert _added(reply, _REPLY[5:]) is None
    assert _added(reply, _framed(2, 3, 2, 9, 8)) == b"\x09\x08"


def test_forms_are_read_and_others_refused():
    for text, found in (("f32", (2, 0)), ("f32/1", (2, 0)), ("f32/10", (2, 1)), ("f32/100", (2, 2)), ("f32/10000", (2, 4))):
        assert modbus.form_of(text) == found
    for text in ("", "f64", "u16", "F32", "f32/", "f32/0", "f32/5", "f32/1000/10", "f32 /10", "f32/-10"):
        raised(ValueError, modbus.form_of, text)


def test_bits_are_taken_high_word_first_at_an_offset():
    assert modbus.bits_of(_PZEM, 3) == 0x08D1006C
    assert modbus.bits_of(memoryview(_REPLY)[3:7], 0) == 0x43663334
    assert modbus.bits_of(b"\xff\xff\xff\xff", 0) == 0xFFFFFFFF


# bits, decimals, divide, nearest integer (ties to even), one step in last digits: by hand, from the fractions.
_F32 = (
    (0x43663334, 2, 0, 23020, 1),  # 230.2000122..
    (0x43663334, 9, 0, 230200012207, 15259),
    (0x43663334, 0, 0, 230, 1),
    (0x00000000, 2, 0, 0, 1),
    (0x80000000, 2, 0, 0, 1),  # -0
    (0x3F000000, 0, 0, 0, 1),  # 0.5
    (0x3F000001, 0, 0, 1, 1),
    (0x3EFFFFFF, 0, 0, 0, 1),
    (0x3FC00000, 0, 0, 2, 1),  # 1.5
    (0x40200000, 0, 0, 2, 1),  # 2.5
    (0x40200001, 0, 0, 3, 1),
    (0x40600000, 0, 0, 4, 1),  # 3.5
    (0xBF000000, 0, 0, 0, 1),
    (0xBFC00000, 0, 0, -2, 1),
    (0xC0200000, 0, 0, -2, 1),
    (0xC0200001, 0, 0, -3, 1),
    (0x3E000000, 2, 0, 12, 1),  # 0.125
    (0x3EC00000, 2, 0, 38, 1),  # 0.375
    (0xBE000000, 2, 0, -12, 1),
    (0x3D4CCCCD, 2, 0, 5, 1),  # 0.05
    (0x3BA3D70A, 2, 0, 0, 1),  # just below 0.005
    (0x3BA3D70B, 2, 0, 1, 1),  # just above
    (0x449A5000, 4, 3, 12345, 1),  # 1234.5 W as kW
    (0x41200000, 4, 4, 10, 1),
    (0x41C80000, 0, 1, 2, 1),  # 25 / 10
    (0x420C0000, 0, 1, 4, 1),  # 35 / 10
    (0x4511E000, 1, 1, 2334, 1),  # 2334 tenths of a volt
    (0x44FA0000, 4, 4, 2000, 1),
    (0x4B800000, 0, 0, 16777216, 2),
    (0x4B800001, 0, 0, 16777218, 2),
    (0x4B800001, 2, 0, 1677721800, 200),
    (0x4B3C614E, 2, 0, 1234567800, 100),  # 12345678, as far as an f32 counts
    (0x49742400, 2, 0, 100000000, 7),  # 1000000: steps of 1/16
    (0x7F7FFFFF, 0, 9, None, 20282409603651670423948),
    (0x5EFFFFFF, 0, 0, 9223371487098961920, 549755813888),  # the largest below 2**63
    (0xDEFFFFFF, 0, 0, -9223371487098961920, 549755813888),
    (0x5F000000, 0, 0, None, 1099511627776),
    (0xDF000000, 0, 0, None, 1099511627776),
    (0x5F000000, 0, 1, 922337203685477581, 109951162778),
    (0x00000001, 9, 0, 0, 1),  # the smallest denormal
    (0x007FFFFF, 9, 0, 0, 1),
    (0x807FFFFF, 9, 0, 0, 1),
    (0x00000001, 46, 0, 14, 15),  # denormals have no hidden bit: 2**-149 is 1.4e-45
    (0x80000003, 46, 0, -42, 15),
    (0x00800000, 46, 0, 117549435, 15),
    (0x7F800000, 2, 0, None, 1),  # Inf
    (0xFF800000, 2, 0, None, 1),
    (0x7FC00000, 2, 0, None, 1),  # NaN
    (0x7F800001, 2, 0, None, 1),
    (0xFFFFFFFF, 2, 0, None, 1),
)


def test_floats_become_the_nearest_integer_by_their_bits():
    for bits, decimals, divide, value, _ in _F32:
        found = modbus.scaled_of_f32(bits, decimals, divide)
        assert found == value, ("%08X" % bits, decimals, divide, found)
        assert found is None or type(found) is int


def test_the_step_of_a_float_is_rounded_up_to_last_digits():
    for bits, decimals, divide, _, step in _F32:
        found = modbus.step_of_f32(bits, decimals, divide)
        assert found == step, ("%08X" % bits, decimals, divide, found)
