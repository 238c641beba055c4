"""cjt188: requests as recorded, and what makes a frame the reply to one."""

from framed import answer, cjt, digits, fed, recorded, started
from memory import hexed, raised

from firmware.protocols import cjt188
from firmware.protocols.cjt188 import NOW, Reply

_NUMBER = "78330011223344"
_ANY = "A" * 14


def _request(put, *args):
    # Whatever was in the buffer before.
    buf = bytearray(b"\xee" * cjt188.REQUEST_BYTES)
    assert put(buf, *args) == 20
    return bytes(buf)


def _read(number=_NUMBER, high_first=False):
    return _request(cjt188.put_read, number, NOW, high_first)


def _started(request):
    return started(Reply(), request)


def _answer(request, frame):
    return answer(Reply(), request, frame)


def test_a_request_is_the_recorded_one():
    assert _request(cjt188.put_read, _NUMBER, NOW, False, 0x10) == recorded("W1")


def test_requests_with_either_order_of_the_data_identifier():
    assert _read() == b"\xfe" * 4 + cjt(0xAA, _NUMBER, 1, hexed("1F 90 00"))
    assert _read(high_first=True) == b"\xfe" * 4 + cjt(0xAA, _NUMBER, 1, hexed("90 1F 00"))
    assert _read(_ANY, True) == b"\xfe" * 4 + cjt(0xAA, "AA" * 7, 1, hexed("90 1F 00"))
    assert _request(cjt188.put_read, _NUMBER, 0xD12B, True, 0x25) == b"\xfe" * 4 + cjt(0x25, _NUMBER, 1, hexed("D1 2B 00"))
    for kind in (0, 0xFF):
        assert _request(cjt188.put_read, _NUMBER, NOW, False, kind) == b"\xfe" * 4 + cjt(kind, _NUMBER, 1, hexed("1F 90 00"))
    for di, data in ((0, "00 00 00"), (0xFFFF, "FF FF 00"), (0x0102, "02 01 00")):
        assert _request(cjt188.put_read, _NUMBER, di) == b"\xfe" * 4 + cjt(0xAA, _NUMBER, 1, hexed(data))


def test_the_request_for_the_number_is_the_one_everybody_sends():
    frame = _request(cjt188.put_read_address, True)
    assert frame == hexed("FE FE FE FE 68 AA AA AA AA AA AA AA AA 03 03 81 0A 00 49 16")
    frame = _request(cjt188.put_read_address)
    assert frame == hexed("FE FE FE FE 68 AA AA AA AA AA AA AA AA 03 03 0A 81 00 49 16")


def test_requests_out_of_bounds_are_refused():
    for number in ("", "1", "0" * 12, "0" * 13, "0" * 15, "0" * 16, "7833001122334a", "7833001122334G", " 8330011223344"):
        raised(ValueError, cjt188.put_read, bytearray(30), number, NOW)
    for di in (-1, 1 << 16):
        raised(ValueError, cjt188.put_read, bytearray(30), _NUMBER, di)
    for kind in (-1, 256):
        raised(ValueError, cjt188.put_read, bytearray(30), _NUMBER, NOW, False, kind)


def test_data_begin_behind_the_sequence_number():
    for n in (0, 1, 6, 19, 43, 100, 252):
        data = bytes(i % 256 for i in range(n))
        assert _answer(_read(), cjt(0x10, _NUMBER, 0x81, hexed("1F 90 00") + data)) == data


def test_kind_and_sequence_number_of_the_reply_may_be_others():
    for kind in (0, 0x10, 0x19, 0x25, 0x30, 0x49, 0x68, 0xAA, 0xFF):
        for sequence in (0, 1, 0x29, 255):
            reply = _started(_read())
            assert fed(reply, cjt(kind, _NUMBER, 0x81, bytes((0x1F, 0x90, sequence, 5)))) == b"\5"
            assert reply.kind == kind


def test_a_kind_that_was_asked_for_need_not_come_back():
    request = _request(cjt188.put_read, _NUMBER, NOW, False, 0x20)
    assert _answer(request, cjt(0x25, _NUMBER, 0x81, hexed("1F 90 00 05"))) == b"\5"


def test_the_data_identifier_must_come_back_in_either_order():
    low, high = hexed("1F 90 00 05"), hexed("90 1F 00 05")
    for asked, swapped in ((_read(), high), (_read(high_first=True), low)):
        for data in (low, high):
            reply = cjt188.Reply()
            for _ in range(2):
                reply.expect(asked)
                assert not reply.is_swapped
                frame = cjt(0x10, _NUMBER, 0x81, data)
                assert bytes(reply.add(frame, len(frame))) == b"\5"
                assert reply.is_swapped == (data == swapped)
    for at in range(2):
        for bit in range(8):
            bad = bytearray(low)
            bad[at] ^= 1 << bit
            assert _answer(_read(), cjt(0x10, _NUMBER, 0x81, bytes(bad))) is None
    for n in range(3):
        assert _answer(_read(), cjt(0x10, _NUMBER, 0x81, low[:n])) is None


def test_a_reply_must_be_to_the_function_that_was_asked():
    for control in range(256):
        found = _answer(_read(), cjt(0x10, _NUMBER, control, hexed("1F 90 00 05")))
        if control == 0x81:
            assert found == b"\5"
        elif control == 0xC1:
            assert found[0] == "refused"
        else:
            assert found is None, control


def test_a_number_of_a_alone_is_answered_by_any_meter():
    for number in (_NUMBER, "0" * 14, "9" * 14, "16681668686816"):
        reply = _started(_read(_ANY))
        assert fed(reply, cjt(0x10, number, 0x81, hexed("1F 90 00 05"))) == b"\5"
        assert reply.number_text() == number
    assert _answer(_read(), cjt(0x10, "AA" * 7, 0x81, hexed("1F 90 00 05"))) is None


def test_the_recorded_reply_to_the_number_request():
    reply = _started(_request(cjt188.put_read_address, True))
    assert fed(reply, recorded("W13")) == b""
    assert reply.number_text() == "00000000000012"
    assert _answer(_request(cjt188.put_read_address), recorded("W13")) == b""
    assert _answer(_read(high_first=True), recorded("W13")) is None


def test_a_lost_end_byte_does_not_hide_the_frame_that_comes_next():
    # Recorded: the reply to the other order of the data identifier with its end overwritten, preamble, a good reply.
    first = hexed("68 10 37 09 00 00 00 00 00 81 09 90 1F 00 00 93 80 00 00 FF 03 00")
    second = hexed("68 10 37 09 00 00 00 11 11 81 09 1F 90 00 00 93 80 00 00 FF 25 16")
    stream = first + b"\xfe\xfe\xfe" + second
    for size in (1, 64):
        assert fed(_started(_read("11110000000937")), stream, size) == hexed("00 93 80 00 00 FF")
        assert fed(_started(_read(_ANY)), stream, size) == hexed("00 93 80 00 00 FF")
        assert fed(_started(_read("00000000000937", True)), stream, size) is None
        # The first one with its end.
        stream = first[:-1] + b"\x16" + stream
        assert fed(_started(_read("00000000000937", True)), stream, size) == hexed("00 93 80 00 00 FF")
        stream = first + b"\xfe\xfe\xfe" + second


def test_noise_as_recorded_before_a_reply():
    frame = hexed("68 10 61 08 00 00 17 80 00 81 16 90 1F 00 00 01 72 17 2C 00 00 00 00 2C 00 00 00 00 00 00 00 00 00 A0 16")
    for size in (1, 5, 64):
        reply = _started(_read(_ANY, True))
        assert fed(reply, hexed("FF DB FB DB DB 3B FE FE") + frame, size) == frame[14:-2]
        assert reply.number_text() == "00801700000861"


def test_refusals_in_their_forms():
    # Sequence number and status; one code; data identifier, sequence number and code.
    for data, code in (("00 02 04", 2), ("00 00 00", 0), ("01 FF 00", 255), ("05", 5), ("00", 0)):
        assert _answer(_read(), cjt(0x10, _NUMBER, 0xC1, hexed(data))) == ("refused", code)
    assert _answer(_read(), cjt(0x10, _NUMBER, 0xC1, hexed("90 1F 01 02")))[0] == "refused"
    for code in range(256):
        assert _answer(_read(), cjt(0x10, _NUMBER, 0xC1, bytes((0, code, 0)))) == ("refused", code)
    # Without a code it is none; nor is that to another request.
    assert _answer(_read(), cjt(0x10, _NUMBER, 0xC1)) is None
    assert _answer(_read(), cjt(0x10, _NUMBER, 0xC3, b"\0\2\0")) is None
    assert _answer(_request(cjt188.put_read_address), cjt(0x10, _NUMBER, 0xC3, b"\0\2\0")) == ("refused", 2)
    assert _answer(_read(), cjt(0x10, "78330011223345", 0xC1, b"\0\2\0")) is None


def test_a_number_of_seven_bytes_must_be_the_one_asked_for():
    frame = cjt(0x10, _NUMBER, 0x81, hexed("1F 90 00 05"))
    for at in range(7):
        number = bytearray(digits(_NUMBER))
        number[at] = 0x55
        other = "".join("%02X" % byte for byte in reversed(number))
        assert _answer(_read(other), frame) is None
