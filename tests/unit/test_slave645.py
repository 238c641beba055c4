"""The simulated DL/T 645 meter: recorded frames, what it answers and refuses, further frames, its variants, its numbers."""

from memory import hexed

from firmware.meters.profiles import names, profile_of
from tests.sim.bytes68 import bcd_bytes, civil, digit_bytes, ended, fits_number, frame_behind, signed_bytes
from tests.sim.items645 import Form, Items
from tests.sim.load import Given
from tests.sim.slave645 import Meter645, meter
from tests.sim.wire import Wire

_2400 = (2400, 8, 0, 1)
_NUMBER = "000000000161"


def _di_bytes(di, n):
    return bytes([di >> 8 * i & 0xFF for i in range(n)])


def _request(number, function, data=b""):
    body = bytes([byte + 0x33 & 0xFF for byte in data])
    return b"\xfe" * 4 + ended(b"\x68" + digit_bytes(number) + b"\x68" + bytes((function, len(body))) + body)


def _read(number, di, n=4):
    return _request(number, 0x11 if n == 4 else 0x01, _di_bytes(di, n))


def _ask(slave, data, end_us=1000):
    return slave.hear(data, end_us - 8000, end_us)


def _answer(slave, data, end_us=1000):
    """(control, data without the offset) of its reply."""
    reply = _ask(slave, data, end_us)[1].lstrip(b"\xfe")
    assert ended(reply[:-2]) == reply and reply[7] == 0x68 and len(reply) == 12 + reply[9]
    return reply[8], bytes([byte - 0x33 & 0xFF for byte in reply[10:-2]])


def _one(number, **options):
    """A meter that has these bytes behind these data identifiers."""
    items = options.pop("items")
    return Meter645(number, "2400 8E1", lambda di, at_us: items.get(di), **options)


def test_recorded_frames():
    request = hexed("FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16")
    assert _read(_NUMBER, 0x00010000) == request
    slave = _one(_NUMBER, items={0x00010000: b"\x26\0\0\0"}, n_preamble=0)
    assert _ask(slave, request) == (31000, hexed("68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"))
    # 1.29, 0.62, 0.60, 0.03, 0.02 kWh.
    tariffs = {0x0001FF00: hexed("29 01 00 00 62 00 00 00 60 00 00 00 03 00 00 00 02 00 00 00")}
    slave = _one("201000000012", items=tariffs, n_preamble=0)
    assert _ask(slave, _read("201000000012", 0x0001FF00))[1] == hexed(
        "68 12 00 00 00 10 20 68 91 18 33 32 34 33 5C 34 33 33 95 33 33 33 93 33 33 33 36 33 33 33 35 33 33 33 74 16"
    )
    assert _ask(slave, _read("201000000012", 0x03300D00))[1] == hexed("68 12 00 00 00 10 20 68 D1 01 35 19 16")
    slave = _one("181226034194", items={})
    assert _ask(slave, _request("A" * 12, 0x13))[1] == hexed(
        "FE FE FE FE 68 94 41 03 26 12 18 68 93 06 C7 74 36 59 45 4B EB 16"
    )


def test_recorded_frames_of_1997():
    slave = _one("138000130754", items={0x9010: b"\x01\0\0\0"}, old=True, n_preamble=0)
    assert _ask(slave, hexed("68 54 07 13 00 80 13 68 01 02 43 C3 DA 16"))[1] == hexed(
        "68 54 07 13 00 80 13 68 81 06 43 C3 34 33 33 33 2B 16"
    )
    slave = _one("138000130754", items={0x9010: b"\x61\x72\x02\0"}, old=True, n_preamble=0, any_number=True)
    assert _ask(slave, _read("A" * 12, 0x9010, 2))[1] == hexed("68 AA AA AA AA AA AA 68 81 06 43 C3 94 A5 35 33 FA 16")
    slave = _one("360621121120", items={}, old=True, n_preamble=0, vendor_refusal=True, faults={"exception": (1000000, 0x30)})
    assert _ask(slave, _read("360621121120", 0xCEB6, 2))[1] == hexed("68 20 11 12 21 06 36 68 C5 03 E9 01 63 85 16")
    slave.vendor_refusal = False
    assert _answer(slave, _read("360621121120", 0x9010, 2)) == (0xC1, b"\x30")


def test_it_is_silent_to_what_is_no_request_to_it():
    slave = _one(_NUMBER, items={0x00010000: b"\x26\0\0\0"})
    request = _read(_NUMBER, 0x00010000)
    for data in (
        b"",
        request[:-1],
        request + b"\x16",
        request[:-2] + bytes((request[-2] ^ 1,)) + request[-1:],
        request[:-1] + b"\x17",
        _read("000000000162", 0x00010000),
        _read("A" * 11 + "2", 0x00010000),
        # Its own reply, and another meter's.
        _ask(slave, request)[1],
    ):
        assert _ask(slave, data) is None, data
    assert slave.counts["requests"] == 1 and slave.writes == 0
    # Time for all, and a freeze for all: not answered, but changes.
    assert _ask(slave, _request("999999999999", 0x08, bytes(6))) is None
    assert _ask(slave, _request("999999999999", 0x16, bytes(4))) is None
    assert slave.writes == 2


def test_whom_it_answers():
    slave = _one(_NUMBER, items={0x00010000: b"\x26\0\0\0"})
    expected = 0x91, _di_bytes(0x00010000, 4) + b"\x26\0\0\0"
    for number in (_NUMBER, "A" * 12, "A" * 10 + "61", "0000000001AA"):
        assert _answer(slave, _read(number, 0x00010000)) == expected
    # With other preambles, and behind what somebody else has said.
    request = _read(_NUMBER, 0x00010000)
    for data in (
        request.lstrip(b"\xfe"),
        b"\xfe" * 9 + request,
        _read("000000000162", 0x00010000) + request,
        b"\x68\0" + request,
    ):
        assert _answer(slave, data) == expected
    for n in (0, 1, 13):
        slave.n_preamble = n
        assert _ask(slave, request)[1][: n + 1] == b"\xfe" * n + b"\x68"


def test_what_it_refuses():
    slave = _one(_NUMBER, items={0x00010000: b"\x26\0\0\0"})
    assert _answer(slave, _read(_NUMBER, 0x00010001)) == (0xD1, b"\x02")
    assert _answer(slave, _request(_NUMBER, 0x11, b"\0\0\1")) == (0xD1, b"\x04")
    assert _answer(slave, _read(_NUMBER, 0x9010, 2)) == (0xC1, b"\x04")
    assert slave.writes == 0
    for function in (0x14, 0x15, 0x17, 0x1A, 0x1C):
        assert _answer(slave, _request(_NUMBER, function, bytes(12))) == (0xC0 | function, b"\x04")
    assert slave.writes == 5 and slave.counts["exceptions"] == 8


def test_long_data_go_in_further_frames():
    data = bytes(range(20))
    slave = _one(_NUMBER, items={0x0001FF00: data}, most_data=8)
    di = _di_bytes(0x0001FF00, 4)
    # Nothing was begun.
    assert _answer(slave, _request(_NUMBER, 0x12, di + b"\1")) == (0xD2, b"\x02")
    assert _answer(slave, _read(_NUMBER, 0x0001FF00)) == (0xB1, di + data[:8])
    assert _answer(slave, _request(_NUMBER, 0x12, di + b"\1")) == (0xB2, di + data[8:16] + b"\1")
    # Asked again for the same, it says the same.
    assert _answer(slave, _request(_NUMBER, 0x12, di + b"\1")) == (0xB2, di + data[8:16] + b"\1")
    assert _answer(slave, _request(_NUMBER, 0x12, di + b"\2")) == (0x92, di + data[16:] + b"\2")
    for wrong in (di + b"\3", di + b"\0", _di_bytes(0x0002FF00, 4) + b"\1"):
        assert _answer(slave, _request(_NUMBER, 0x12, wrong)) == (0xD2, b"\x02")
    slave.most_data = 20
    assert _answer(slave, _read(_NUMBER, 0x0001FF00)) == (0x91, di + data)
    # In 1997 the frames had no number.
    slave = _one(_NUMBER, items={0x901F: data}, most_data=8, old=True)
    assert _answer(slave, _read(_NUMBER, 0x901F, 2)) == (0xA1, b"\x1f\x90" + data[:8])
    for control, part in ((0xA2, data[8:16]), (0x82, data[16:])):
        assert _answer(slave, _request(_NUMBER, 0x02, b"\x1f\x90")) == (control, b"\x1f\x90" + part)
    assert _answer(slave, _request(_NUMBER, 0x02, b"\x1f\x90")) == (0xC2, b"\x02")


def test_what_it_says_is_told():
    told = []
    slave = _one(_NUMBER, items={0x00010000: b"\x26\0\0\0"}, told=lambda *what: told.append(what))
    _ask(slave, _read(_NUMBER, 0x00010000))
    _ask(slave, _read(_NUMBER, 0x00020000))
    _ask(slave, _request(_NUMBER, 0x13))
    slave.faults = {"not_bcd": 1000000}
    _ask(slave, _read(_NUMBER, 0x00010000))
    assert told == [(31000, _NUMBER, 0x00010000, b"\x26\0\0\0")] * 2


def test_each_fault():
    request = _read(_NUMBER, 0x00010000)
    good = hexed("FE FE FE FE 68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16")

    def faulty(**faults):
        slave = _one(_NUMBER, items={0x00010000: b"\x26\0\0\0"}, faults=faults)
        found = _ask(slave, request)
        assert [slave.counts[name] for name in faults] == [1] * len(faults)
        return found

    always = 1000000
    assert faulty(silent=always) is None
    assert faulty(late=always) == (631000, good)
    assert faulty(late=(always, 70000)) == (101000, good)
    assert faulty(exception=always)[1] == hexed("FE FE FE FE 68 61 01 00 00 00 00 68 D1 01 35 39 16")
    assert faulty(exception=(always, 4))[1][-3] == 0x37
    other = faulty(wrong_meter=always)[1]
    assert other == hexed("FE FE FE FE 68 10 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 39 16")
    bad = faulty(bad_checksum=always)[1]
    assert bad[:-2] + bad[-1:] == good[:-2] + good[-1:] and bad[-2] != good[-2]
    short = faulty(truncated=always)[1]
    assert 0 < len(short) < len(good) and good[: len(short)] == short
    assert faulty(duplicate=always)[1] == good + good
    before = faulty(noise_before=always)[1]
    assert 1 <= len(before) - len(good) <= 4 and before[-len(good) :] == good
    after = faulty(noise_after=always)[1]
    assert 1 <= len(after) - len(good) <= 4 and after[: len(good)] == good
    spoiled = faulty(not_bcd=always)[1]
    assert frame_behind(spoiled, 9) and spoiled[:18] == good[:18]
    assert sum(1 for byte in spoiled[18:22] if (byte - 0x33 & 15) > 9) == 1
    assert faulty(wrong_di=always)[1][14:18] == b"\x33\x34\x34\x33"


def test_bytes():
    assert bcd_bytes(12345678, 4) == b"\x78\x56\x34\x12" and bcd_bytes(123456789, 4) == b"\x89\x67\x45\x23"
    assert signed_bytes(-500, 3) == b"\x00\x05\x80" and signed_bytes(799999, 3) == b"\x99\x99\x79"
    assert signed_bytes(-800001, 3) == b"\x01\x00\x80" and signed_bytes(0, 2) == b"\0\0"
    assert digit_bytes("78330011223344") == b"\x44\x33\x22\x11\x00\x33\x78"
    assert fits_number(b"\xaa\x01", b"\x61\x01") and not fits_number(b"\x60\xaa", b"\x61\x01")
    assert civil(0) == (1970, 1, 1, 0, 0, 0, 4)
    assert civil(1431381691) == (2015, 5, 11, 22, 1, 31, 1)
    assert civil(951782399) == (2000, 2, 28, 23, 59, 59, 1) and civil(951868799)[:3] == (2000, 2, 29)
    assert civil(1767225599) == (2025, 12, 31, 23, 59, 59, 3)


def test_forms():
    for text, expected in (
        ("bcd4", ("bcd", 4, False, 0, False)),
        ("bcd3s", ("bcd", 3, True, 0, False)),
        ("bcd3+5", ("bcd", 3, False, 5, False)),
        ("bcd4..", ("bcd", 4, False, 0, True)),
        ("digits6", ("digits", 6, False, 0, False)),
        ("text32", ("text", 32, False, 0, False)),
        ("hex2", ("hex", 2, False, 0, False)),
        ("date4", ("date", 4, False, 0, False)),
    ):
        form = Form(text)
        assert (form.kind, form.n_bytes, form.signed, form.n_behind, form.more) == expected


def _items(profile="dlt645_3p", **quantities):
    """A meter's Items that say these quantities."""
    return Items(profile_of(profile), Given(quantities), _NUMBER)


def test_numbers_as_they_stand_on_the_wire():
    items = _items(
        voltage_l1=(2302, 10), current_l2=(-7, 2), power=(-1, 3), energy_import=(123456789, 1000), energy_combined=(-1, 100)
    )
    assert items.item(0x02010100, 0) == b"\x02\x23"
    assert items.item(0x02020200, 0) == b"\x00\x35\x80"
    # The integer below -3333.3.
    assert items.item(0x02030000, 0) == b"\x34\x33\x80"
    assert items.item(0x00010000, 0) == b"\x78\x56\x34\x12"
    assert items.item(0x00000000, 0) == b"\x01\0\0\x80"
    items = _items("dlt645_1997_1p", voltage_l1=(2302, 10), power=(5, 2))
    assert items.item(0xB611, 0) == b"\x30\x02" and items.item(0xB630, 0) == b"\x00\x50\x02"


def test_the_tariffs_add_up_at_any_time():
    slave = meter(_NUMBER, "dlt645_3p", 48000000, 1230)
    last = [0] * 5
    for at_us in range(0, 60000000, 777000):
        _, data = _answer(slave, _read(_NUMBER, 0x0001FF00), at_us)
        found = [int("".join("%02X" % byte for byte in reversed(data[4 + 4 * i : 8 + 4 * i]))) for i in range(5)]
        assert found[0] == sum(found[1:]) >= 123 and all(found[i] >= last[i] for i in range(5))
        last = found
    assert last[0] > 60000 and last[1] > last[2] > last[3] > last[4] > 0


def test_blocks_and_what_is_missing():
    items = _items(voltage_l1=(2302, 10), voltage_l2=(2310, 10), voltage_l3=(229, 1))
    assert items.item(0x0201FF00, 0) == b"\x02\x23\x10\x23\x90\x22"
    items.missing = ("voltage_l2", "voltage_l3")
    assert items.item(0x0201FF00, 0) == b"\x02\x23\xff\xff\xff\xff" and items.item(0x02010200, 0) == b"\xff\xff"
    items.fill = 0
    assert items.item(0x0201FF00, 0) == b"\x02\x23\0\0\0\0"
    items.refused = (0x0201FF00,)
    assert items.item(0x0201FF00, 0) is None and items.item(0x02010100, 0) == b"\x02\x23"
    assert items.item(0x02010400, 0) is None
    slave = meter(_NUMBER, "dlt645_1p", 1200, 0, n_tariffs=2)
    assert len(_answer(slave, _read(_NUMBER, 0x0001FF00))[1]) == 4 + 12
    assert _answer(slave, _read(_NUMBER, 0x00010300)) == (0xD1, b"\x02")
    assert _answer(slave, _read(_NUMBER, 0x0201FF00)) == (0xD1, b"\x02")


def test_what_it_says_of_itself():
    slave = meter(_NUMBER, "dlt645_3p", 48000000, 1230, serial_number="202511220001", status=6, clock_s=1763806530)

    def said(di, at_us=1000):
        return _answer(slave, _read(_NUMBER, di), at_us)[1][4:]

    assert said(0x04000402) == b"\x01\x00\x22\x11\x25\x20" and said(0x04000401) == b"\x61\x01\0\0\0\0"
    slave.items.serial_number = "202511220002"
    assert said(0x04000402) == b"\x02\x00\x22\x11\x25\x20"
    assert said(0x04000403) == b" " * 24 + b"1000-MIS" and said(0x04000407) == b" 0.1"
    assert said(0x04000103) == b"\x15" and said(0x04000104) == b"\x01" and said(0x04000501) == b"\x06\0"
    # 2025-11-22 10:15:30, a Saturday; 90 s later.
    assert said(0x04000101) == b"\x06\x22\x11\x25" and said(0x04000102) == b"\x30\x15\x10"
    assert said(0x04000102, 90000000) == b"\x00\x17\x10"
    # The day's beginning, and what the registers showed then: before its load began they were what they are now.
    assert said(0x05060001, 90000000) == b"\0\0\x22\x11\x25"
    assert said(0x05060101, 90000000) == said(0x0001FF00, -30000)
    assert said(0x05060101, 2 * 86400000000) == said(0x0001FF00, (86400 + 49470) * 1000000 - 30000)
    # 14.4 kW, when its load began.
    slave = meter(_NUMBER, "dlt645_3p", 12000, 1230, clock_s=1763806530)
    assert said(0x01010000) == hexed("00 40 14 15 10 22 11 25")


# 2025-11-22 10:15:30, a Saturday.
_CLOCK_S = 1763806530


def _bcd(*parts):
    return b"".join([bcd_bytes(part, 1) for part in parts])


def _shown(slave, at_us):
    """ss mm hh DD MM YY that it shows."""
    date, time = [_answer(slave, _read(_NUMBER, di), at_us - 30000)[1][4:] for di in (0x04000101, 0x04000102)]
    return time + date[1:]


def test_a_broadcast_time_is_taken_within_five_minutes_and_once_a_day():
    def told(slave, at_us, *parts):
        before = slave.counts["requests"]
        assert _ask(slave, _request("999999999999", 0x08, _bcd(*parts)), at_us) is None
        assert slave.counts["requests"] == before
        return slave.items.clock.n_set, slave.items.clock.n_refused

    slave = meter(_NUMBER, "dlt645_3p", 1200, 0, clock_s=_CLOCK_S)
    # Five minutes and one second ahead and behind; no time at all; five minutes.
    assert told(slave, 1000, 31, 20, 10, 22, 11, 25) == (0, 1)
    assert told(meter(_NUMBER, "dlt645_3p", 1, 0, clock_s=_CLOCK_S), 1000, 29, 10, 10, 22, 11, 25) == (0, 1)
    assert told(slave, 1000, 31, 60, 10, 22, 11, 25) == (0, 2) and told(slave, 1000, 31, 15, 10, 31, 11, 25) == (0, 3)
    assert _shown(slave, 1000) == _bcd(30, 15, 10, 22, 11, 25)
    assert told(slave, 1000, 30, 20, 10, 22, 11, 25) == (1, 3) and _shown(slave, 1000) == _bcd(30, 20, 10, 22, 11, 25)
    # Not twice a day, and again on the next.
    assert told(slave, 2001000, 30, 20, 10, 22, 11, 25) == (1, 4) and _shown(slave, 60001000) == _bcd(30, 21, 10, 22, 11, 25)
    assert told(slave, 1000 + 86400000000, 0, 18, 10, 23, 11, 25) == (2, 4)
    assert _shown(slave, 1000 + 86401000000) == _bcd(1, 18, 10, 23, 11, 25)
    assert slave.writes == 6 and slave.counts["exceptions"] == 0
    # Of 1997 alike; one that is dead does not hear it.
    old = meter(_NUMBER, "dlt645_1997_1p", 1200, 0, clock_s=_CLOCK_S)
    assert told(old, 1000, 0, 15, 10, 22, 11, 25) == (1, 0)
    old.dead = True
    assert told(old, 86400001000, 0, 15, 10, 23, 11, 25) == (1, 0)


def test_writing_the_clock():
    slave = meter(_NUMBER, "dlt645_3p", 1200, 0, clock_s=_CLOCK_S, password="02123456")

    def write(di, data, password=b"\x02\x56\x34\x12", at_us=1000):
        return _answer(slave, _request(_NUMBER, 0x14, _di_bytes(di, 4) + password + b"\x01\0\0\0" + data), at_us)

    # A wrong password, a wrong level; what cannot be written; wrong length; no date, no time; each changes nothing.
    assert write(0x04000102, _bcd(0, 0, 12), b"\x02\x56\x34\x13") == (0xD4, b"\x04")
    assert write(0x04000102, _bcd(0, 0, 12), b"\x04\x56\x34\x12") == (0xD4, b"\x04")
    assert write(0x04000103, b"\x15") == write(0x00010000, bytes(4)) == (0xD4, b"\x02")
    assert write(0x04000102, _bcd(0, 0)) == write(0x04000101, _bcd(0, 30, 2, 26)) == (0xD4, b"\x01")
    assert write(0x04000102, _bcd(60, 0, 12)) == write(0x04000102, b"\x0a\0\x12") == (0xD4, b"\x01")
    assert _answer(slave, _request(_NUMBER, 0x14, bytes(5))) == (0xD4, b"\x01")
    assert _shown(slave, 1000) == _bcd(30, 15, 10, 22, 11, 25) and slave.items.clock.n_set == 0
    # An hour's difference is none to a write. The date is kept.
    assert write(0x04000102, _bcd(5, 59, 23)) == (0x94, b"")
    assert _shown(slave, 31000) == _bcd(5, 59, 23, 22, 11, 25) and _shown(slave, 61031000) == _bcd(6, 0, 0, 23, 11, 25)
    # The date alone: the time goes on.
    assert write(0x04000101, _bcd(0, 29, 2, 28), at_us=61001000) == (0x94, b"")
    assert _shown(slave, 62031000) == _bcd(7, 0, 0, 29, 2, 28)
    assert write(0x0400010C, _bcd(1, 2, 3, 4, 5, 6, 27), at_us=70000000) == (0x94, b"")
    assert _shown(slave, 70030000) == _bcd(1, 2, 3, 5, 6, 27)
    assert slave.writes == 12 and slave.items.clock.n_set == 3
    # Without a password it lets nobody write.
    slave.password = None
    assert write(0x04000102, _bcd(0, 0, 12)) == (0xD4, b"\x04")


def test_clocks_that_drift_and_stand():
    slave = meter(_NUMBER, "dlt645_3p", 1200, 0, clock_s=_CLOCK_S)
    slave.items.clock.ppm = 1000
    # An hour and 3.6 s; before midnight its registers were others.
    assert _shown(slave, 3600000000) == _bcd(33, 15, 11, 22, 11, 25)
    slave.items.clock.stand(3600000000)
    assert _shown(slave, 90000000000) == _bcd(33, 15, 11, 22, 11, 25)
    slave.items.clock.write(_CLOCK_S, 90000000000)
    assert _shown(slave, 99000000000) == _bcd(30, 15, 10, 22, 11, 25)


def test_several_meters_answer_a_wildcard_at_once():
    wire = Wire(observe_drive=False)
    wire.set(_2400)
    slaves = [meter(number, "dlt645_3p", 1200, 0) for number in ("000000000161", "000000000262")]
    for slave in slaves:
        wire.attach(slave)
    wire.write(_request("A" * 12, 0x13), 0)
    found = wire.read(1000000)
    assert wire.counts["collisions"] == 1 and frame_behind(found, 9) is None
    assert [slave.counts["replies"] for slave in slaves] == [1, 1]
    # By a digit that only one of them has.
    wire.write(_request("A" * 10 + "62", 0x13), 2000000)
    assert frame_behind(wire.read(3000000).lstrip(b"\xfe"), 9)[1:7] == digit_bytes("000000000262")


def test_garbage_is_digits():
    slave = _one(_NUMBER, items={0x00010000: b"\x26\0\0\0"}, faults={"garbage": (1000000, "random")})
    found = [_answer(slave, _read(_NUMBER, 0x00010000))[1][4:] for _ in range(20)]
    assert len(set(found)) > 15 and all((byte & 15) < 10 and byte < 0xA0 for each in found for byte in each)


def test_each_profile_has_all_it_names():
    n = 0
    for name in names():
        profile = profile_of(name)
        if profile.protocol[:6] != "dlt645":
            continue
        old = profile.protocol == "dlt645-1997"
        slave = meter(_NUMBER, name, 1200, 8801250)
        assert slave.old == old and slave.settings == ((1200, 8, 0, 1) if old else _2400)
        for row in profile.points:
            control, data = _answer(slave, _read(_NUMBER, row[1], 2 if old else 4))
            assert control == (0x81 if old else 0x91) and len(data) > 2, (name, row)
            n += 1
    assert n > 70


def test_on_a_wire_it_is_heard_whole():
    wire = Wire()
    wire.set(_2400)
    slaves = [meter("00000000016%d" % i, "dlt645_3p", 1200, 0) for i in range(3)]
    for slave in slaves:
        wire.attach(slave)
    at_us = 0
    for i in (0, 2, 1, 7):
        wire.drive(True, at_us)
        wire.write(_read("00000000016%d" % i, 0x02010100), at_us)
        wire.drive(False, wire.sent_us())
        found = wire.read(at_us + 400000)
        assert found[-4:-2] == b"\x35\x56" if i < 3 else found == b""
        at_us += 400000
    assert [slave.counts["replies"] for slave in slaves] == [1, 1, 1]
