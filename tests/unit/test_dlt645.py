"""dlt645: requests as recorded, and what makes a frame the reply to one."""

from framed import answer, bare, digits, dlt, ended, fed, recorded, started
from memory import hexed, raised

from firmware.errors import MeterRefused
from firmware.protocols import bcd, dlt645, dlt645data
from firmware.protocols.dlt645 import Reply

_NUMBER = "000000000161"
_ANY = "A" * 12


def _request(put, *args):
    # Whatever was in the buffer before.
    buf = bytearray(b"\xee" * dlt645.REQUEST_BYTES)
    n = put(buf, *args)
    return bytes(buf[:n])


def _read(number=_NUMBER, di=0x00010000):
    return _request(dlt645.put_read, number, di)


def _read_1997(number="138000130754", di=0x9010):
    return _request(dlt645.put_read_1997, number, di)


def _started(request):
    return started(Reply(), request)


def _answer(request, frame):
    return answer(Reply(), request, frame)


# -- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_is_the_recorded_one():
    assert _read() == recorded("1")
    assert _read_1997() == b"\xfe" * 4 + recorded("32.1")


def test_a_request_for_what_follows_is_the_recorded_one():
    first = _read("123456789012", 0x03300001)
    assert _request(dlt645.put_following, first, 1) == b"\xfe" * 4 + recorded("28")
    # What was asked for first is left as it was.
    assert first == b"\xfe" * 4 + dlt("123456789012", 0x11, hexed("01 00 30 03"))


def test_requests_for_what_follows_count_up_and_those_of_1997_do_not():
    for n, byte in ((1, 0x34), (2, 0x35), (204, 0xFF), (205, 0x00), (255, 0x32)):
        found = _request(dlt645.put_following, _read(), n)
        assert len(found) == 21 and found[18] == byte
        assert found == b"\xfe" * 4 + dlt(_NUMBER, 0x12, hexed("00 00 01 00") + bytes((n,)))
        found = _request(dlt645.put_following, _read_1997(), n)
        assert found == hexed("FE FE FE FE 68 54 07 13 00 80 13 68 02 02 43 C3 DB 16")
    for n in (0, -1, 256, 1000):
        raised(ValueError, dlt645.put_following, bytearray(21), _read(), n)


def test_the_request_for_the_number_is_the_one_everybody_sends():
    assert _request(dlt645.put_read_address) == hexed("FE FE FE FE 68 AA AA AA AA AA AA 68 13 00 DF 16")


def test_requests_at_the_bounds():
    for di, data in ((0, "00 00 00 00"), (0xFFFFFFFF, "FF FF FF FF"), (0x04000402, "02 04 00 04"), (0x80, "80 00 00 00")):
        assert _read(_ANY, di) == b"\xfe" * 4 + dlt("AA" * 6, 0x11, hexed(data))
    for di, data in ((0, "00 00"), (0xFFFF, "FF FF"), (0xB611, "11 B6")):
        assert _read_1997(_ANY, di) == b"\xfe" * 4 + dlt("AA" * 6, 0x01, hexed(data))
    # 33H is added modulo 256.
    assert _read(_NUMBER, 0xCDCCFE33)[14:18] == hexed("66 31 FF 00")


def test_requests_out_of_bounds_are_refused():
    for number in ("", "1", "16", "0" * 11, "0" * 13, "0" * 14, "00000000016a", "00000000016G", " 00000000161", "-00000000161"):
        raised(ValueError, dlt645.put_read, bytearray(30), number, 0x00010000)
        raised(ValueError, dlt645.put_read_1997, bytearray(30), number, 0x9010)
    for di in (-1, 1 << 32):
        raised(ValueError, dlt645.put_read, bytearray(30), _NUMBER, di)
    for di in (-1, 1 << 16, 0x00010000):
        raised(ValueError, dlt645.put_read_1997, bytearray(30), _NUMBER, di)


def test_a_request_says_what_it_asks_for_and_is_changed_to_another_item():
    request = bytearray(_read(_NUMBER, 0x0201FF00))
    assert dlt645.place_of(request) == "0201FF00"
    dlt645.put_di(request, 0x02010300)
    assert bytes(request) == _read(_NUMBER, 0x02010300)
    request = bytearray(_read_1997(di=0xB61F))
    assert dlt645.place_of(request) == "B61F"
    dlt645.put_di(request, 0xB612)
    assert bytes(request) == _read_1997(di=0xB612)


# -- setting the time -------------------------------------------------------------------------------------------------

_PASSWORD = hexed("02 56 34 12")
_TIME = hexed("30 15 14")


def _set_request(put, *args):
    buf = bytearray(b"\xee" * dlt645.SET_BYTES)
    n = put(buf, *args)
    return bytes(buf[:n])


def _write(data=_TIME, number=_NUMBER, di=0x04000102, password=_PASSWORD):
    return _set_request(dlt645.put_write, number, di, password, data)


def test_the_time_is_broadcast_seconds_first():
    # 2026-11-22 14:15:30; each byte 33H more, the checksum by hand: 68 + 6 x 99 + 68 + 08 + 06 + 63 + 48 + 47 + 55 + 44 + 59.
    instant = dlt645data.time_bytes(14 * 3600 + 15 * 60 + 30) + dlt645data.date_bytes(2026, 11, 22)
    assert instant == hexed("30 15 14 22 11 26")
    found = _set_request(dlt645.put_set_time, instant)
    assert found == hexed("FE FE FE FE 68 99 99 99 99 99 99 68 08 06 63 48 47 55 44 59 58 16")
    assert found == b"\xfe" * 4 + dlt("99" * 6, 0x08, instant)
    for n in (0, 5, 7):
        raised(ValueError, dlt645.put_set_time, bytearray(40), instant[:1] * n)


def test_times_and_dates_as_they_are_sent():
    assert dlt645data.time_bytes(0) == b"\0\0\0"
    assert dlt645data.time_bytes(86399) == hexed("59 59 23")
    assert dlt645data.time_bytes(3600 + 120 + 3) == hexed("03 02 01")
    assert dlt645data.date_bytes(2000, 1, 9) == hexed("09 01 00")
    assert dlt645data.date_bytes(2099, 12, 31) == hexed("31 12 99")
    # They are read back as they were written.
    assert dlt645data.text_of(dlt645data.time_bytes(50000), 0, dlt645data.form_of("time3")) == "13:53:20"


def test_what_is_written_has_data_identifier_password_operator_and_data():
    found = _write()
    assert found == b"\xfe" * 4 + dlt(_NUMBER, 0x14, hexed("02 01 00 04 02 56 34 12 00 00 00 00 30 15 14"))
    assert len(found) == dlt645.SET_BYTES
    assert _write(b"\x07") == b"\xfe" * 4 + dlt(_NUMBER, 0x14, hexed("02 01 00 04 02 56 34 12 00 00 00 00 07"))
    for data, number, password in (
        (b"", _NUMBER, _PASSWORD),
        (b"\0" * 4, _NUMBER, _PASSWORD),
        (b"\0", _NUMBER, _PASSWORD[1:]),
        (b"\0", _NUMBER, _PASSWORD + b"\0"),
        (b"\0", _NUMBER[1:], _PASSWORD),
    ):
        raised(ValueError, _write, data, number, 0x04000102, password)


def test_the_reply_to_what_was_written_says_nothing():
    assert _answer(_write(), dlt(_NUMBER, 0x94)) == b""
    # What a meter puts into it all the same is of no use.
    assert _answer(_write(), dlt(_NUMBER, 0x94, b"\2\1")) == b"\2\1"
    for code in (0x01, 0x04, 0x40):
        assert _answer(_write(), dlt(_NUMBER, 0xD4, bytes((code,)))) == ("refused", code)
    for frame in (
        dlt(_NUMBER, 0x91, hexed("02 01 00 04 30 15 14")),
        dlt(_NUMBER, 0x93),
        dlt("000000000162", 0x94),
        dlt(_NUMBER, 0xD1, b"\4"),
        # Its own echo.
        bare(_write()),
    ):
        assert _answer(_write(), frame) is None
    # A request behind it finds its reply as ever.
    reply = _started(_write())
    reply.expect(_read())
    assert fed(reply, dlt(_NUMBER, 0x91, hexed("00 00 01 00 26 00 00 00"))) == b"\x26\0\0\0"


# -- replies ----------------------------------------------------------------------------------------------------------


def test_data_are_without_their_offset():
    data = bytes(range(200 - 4))
    assert _answer(_read(), dlt(_NUMBER, 0x91, hexed("00 00 01 00") + data)) == data
    assert _answer(_read(), dlt(_NUMBER, 0x91, hexed("00 00 01 00"))) == b""


def test_every_byte_has_its_offset_taken_off():
    for byte in range(256):
        frame = ended(hexed("68 61 01 00 00 00 00 68 91 05 33 33 34 33") + bytes((byte,)))
        assert _answer(_read(), frame) == bytes(((byte + 205) % 256,))


def test_a_reply_must_be_to_the_function_that_was_asked():
    data = hexed("00 00 01 00 26 00 00 00")
    for control in range(256):
        found = _answer(_read(), dlt(_NUMBER, control, data))
        if control in (0x91, 0xB1):
            assert found == data[4:]
        elif control in (0xD1, 0xF1):
            # A refusal of more than a code.
            assert found == ("refused", 1)
        else:
            assert found is None, control


def test_a_reply_of_1997_must_be_to_the_function_that_was_asked():
    data = hexed("10 90 01 00 00 00")
    for control in range(256):
        found = _answer(_read_1997(), dlt("138000130754", control, data))
        if control in (0x81, 0xA1):
            assert found == data[2:]
        elif control in (0xC1, 0xE1, 0xC5):
            assert found == ("refused", 1)
        else:
            assert found is None, control


def test_a_data_identifier_must_come_back_unchanged():
    for at in range(4):
        for bit in range(8):
            di = bytearray(hexed("00 00 01 00"))
            di[at] ^= 1 << bit
            assert _answer(_read(), dlt(_NUMBER, 0x91, bytes(di) + b"\x26\0\0\0")) is None
    for at in range(2):
        for bit in range(8):
            di = bytearray(hexed("10 90"))
            di[at] ^= 1 << bit
            assert _answer(_read_1997(), dlt("138000130754", 0x81, bytes(di) + b"\1\0\0\0")) is None
    # The other order of its bytes is another data identifier.
    assert _answer(_read(), dlt(_NUMBER, 0x91, hexed("00 01 00 00 26 00 00 00"))) is None
    # Nor is one cut short.
    for n in range(4):
        assert _answer(_read(), dlt(_NUMBER, 0x91, hexed("00 00 01")[:n])) is None
    for n in range(2):
        assert _answer(_read_1997(), dlt("138000130754", 0x81, b"\x10"[:n])) is None


def test_the_second_68_must_be_there():
    frame = bytearray(bare(recorded("2"))[:-2])
    frame[7] = 0x69
    assert _answer(_read(), ended(frame)) is None


def test_a_number_of_a_alone_is_answered_by_any_meter():
    for number in (_NUMBER, "000000000000", "999999999999", "166868681616"):
        reply = _started(_read(_ANY))
        assert fed(reply, dlt(number, 0x91, hexed("00 00 01 00 26 00 00 00"))) == b"\x26\0\0\0"
        assert reply.number_text() == number


def test_a_meter_of_2007_does_not_answer_as_any():
    assert _answer(_read(), dlt("AA" * 6, 0x91, hexed("00 00 01 00 26 00 00 00"))) is None
    assert _answer(_read(), dlt("AA" * 6, 0xD1, b"\2")) is None


def test_a_meter_of_1997_may_answer_as_any():
    assert _answer(_read_1997(), dlt("AA" * 6, 0x81, hexed("10 90 01 00 00 00"))) == b"\1\0\0\0"
    assert _answer(_read_1997(), dlt("AA" * 6, 0xC1, b"\2")) == ("refused", 2)
    # All of it, and not a part.
    for i in range(6):
        number = "AA" * i + "00" + "AA" * (5 - i)
        assert _answer(_read_1997(), dlt(number, 0x81, hexed("10 90 01 00 00 00"))) is None
    following = _request(dlt645.put_following, _read_1997(), 1)
    assert _answer(following, dlt("AA" * 6, 0x82, hexed("10 90 01"))) == b"\1"


def test_recorded_replies_to_the_number_request():
    for name, number in (("12", "181226034194"), ("30", "123456789012")):
        reply = _started(_request(dlt645.put_read_address))
        data = fed(reply, recorded(name))
        assert bcd.digits_of(data, 0, 6) == number == reply.number_text()


def test_a_reply_to_the_number_request_has_six_bytes():
    request = _request(dlt645.put_read_address)
    for n in range(12):
        data = digits("000000123456000000")[:n]
        assert _answer(request, dlt("123456789012", 0x93, data)) == (data if n == 6 else None), n
    assert _answer(request, dlt("123456789012", 0x91, b"\0" * 6)) is None
    assert _answer(request, dlt("123456789012", 0xD3, b"\1")) == ("refused", 1)


def test_each_frame_of_a_recorded_burst_is_for_who_asked():
    burst = recorded("39")
    # B630 = 0.0000 kW of one meter, its vendor's error reply, 9010 = 0.09 kWh of another.
    for size in (1, 7, 64):
        assert fed(_started(_read_1997("360621121120", 0xB630)), burst, size) == b"\0\0\0"
        assert fed(_started(_read_1997("564100061120", 0x9010)), burst, size) == b"\x09\0\0\0"
        error = raised(MeterRefused, fed, _started(_read_1997("360621121120", 0x9010)), burst, size)
        assert error.code == 1
        assert fed(_started(_read_1997("564100061121", 0x9010)), burst, size) is None
        # The other edition's meter of that number has not answered.
        assert fed(_started(_read("360621121120", 0x9010)), burst, size) is None


# -- what follows -----------------------------------------------------------------------------------------------------


def test_a_reply_says_whether_more_follows():
    di = hexed("00 FF 01 00")
    for control, more in ((0x91, False), (0xB1, True), (0x91, False)):
        reply = _started(_read(_NUMBER, 0x0001FF00))
        assert not reply.more
        assert fed(reply, dlt(_NUMBER, control, di + b"\1\2\3\4")) == b"\1\2\3\4"
        assert reply.more == more
        # Another request knows nothing of it.
        reply.expect(_read())
        assert not reply.more
    for control, more in ((0x81, False), (0xA1, True)):
        reply = _started(_read_1997())
        assert fed(reply, dlt("138000130754", control, hexed("10 90 01"))) == b"\1"
        assert reply.more == more


def test_what_follows_comes_without_its_sequence_number():
    request = _request(dlt645.put_following, _read(_NUMBER, 0x0001FF00), 2)
    di = hexed("00 FF 01 00")
    for control, more in ((0x92, False), (0xB2, True)):
        reply = _started(request)
        assert fed(reply, dlt(_NUMBER, control, di + b"\1\2\3\2")) == b"\1\2\3"
        assert reply.more == more
    # Nothing but the sequence number.
    assert _answer(request, dlt(_NUMBER, 0x92, di + b"\2")) == b""


def test_what_follows_must_have_the_sequence_number_that_was_asked_for():
    di = hexed("00 FF 01 00")
    for n in (1, 2, 204, 205, 255):
        request = _request(dlt645.put_following, _read(_NUMBER, 0x0001FF00), n)
        assert _answer(request, dlt(_NUMBER, 0x92, di + bytes((7, n)))) == b"\7"
        for other in (0, n - 1, (n + 1) % 256, n ^ 0x80):
            assert _answer(request, dlt(_NUMBER, 0x92, di + bytes((7, other)))) is None, (n, other)
        # The first frame once more, late; another data identifier; none at all.
        assert _answer(request, dlt(_NUMBER, 0x91, di + bytes((7, n)))) is None
        assert _answer(request, dlt(_NUMBER, 0x92, hexed("00 FF 02 00") + bytes((7, n)))) is None
        assert _answer(request, dlt(_NUMBER, 0x92, di)) is None
        assert _answer(request, dlt(_NUMBER, 0x92, b"")) is None


def test_what_follows_in_1997_has_no_sequence_number():
    request = _request(dlt645.put_following, _read_1997(), 1)
    for control, more in ((0x82, False), (0xA2, True)):
        reply = _started(request)
        assert fed(reply, dlt("138000130754", control, hexed("10 90 01 02 03"))) == b"\1\2\3"
        assert reply.more == more
    assert _answer(request, dlt("138000130754", 0x81, hexed("10 90 01 02 03"))) is None
    assert _answer(request, dlt("138000130754", 0xC2, b"\2")) == ("refused", 2)


def test_a_refusal_to_what_follows_is_one():
    request = _request(dlt645.put_following, _read(), 1)
    assert _answer(request, dlt(_NUMBER, 0xD2, b"\2")) == ("refused", 2)
    assert _answer(request, dlt(_NUMBER, 0xD1, b"\2")) is None


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_the_recorded_refusal_is_one_with_its_code():
    assert _answer(_read("910004920760"), recorded("23")) == ("refused", 4)
    assert _answer(_read("910004920761"), recorded("23")) is None


def test_every_code_is_known_or_not_a_refusal():
    for code in range(256):
        assert _answer(_read(), dlt(_NUMBER, 0xD1, bytes((code,)))) == ("refused", code)
        assert _answer(_read_1997(), dlt("138000130754", 0xC1, bytes((code,)))) == ("refused", code)


def test_a_refusal_in_a_vendors_form_is_one_for_another_reason():
    for n in (2, 3, 10):
        assert _answer(_read(), dlt(_NUMBER, 0xD1, b"\4" * n)) == ("refused", 1)
        assert _answer(_read_1997(), dlt("138000130754", 0xC5, b"\4" * n)) == ("refused", 1)
    assert _answer(_read_1997(), dlt("138000130754", 0xC5, b"\2")) == ("refused", 2)
    # Without a code it is no refusal.
    for control in (0xD1, 0xC1, 0xC5):
        assert _answer(_read(), dlt(_NUMBER, control)) is None
        assert _answer(_read_1997(), dlt("138000130754", control)) is None


def test_refusals_of_one_edition_are_none_of_the_other():
    assert _answer(_read(), dlt(_NUMBER, 0xC1, b"\2")) is None
    assert _answer(_read(), dlt(_NUMBER, 0xC5, b"\2")) is None
    assert _answer(_read_1997(), dlt("138000130754", 0xD1, b"\2")) is None
