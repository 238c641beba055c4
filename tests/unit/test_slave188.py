"""The simulated CJ/T 188 meter: recorded frames, whom it answers, its variants and units."""

from memory import hexed, raised

from tests.sim.bytes68 import bcd_bytes, digit_bytes, ended, frame_behind
from tests.sim.load import Given
from tests.sim.slave188 import KINDS, UNITS, Meter188, meter
from tests.sim.wire import Wire

_2400 = (2400, 8, 0, 1)
_NUMBER = "78330011223344"


def _request(number=_NUMBER, data=b"\x1f\x90\0", function=0x01, kind=0xAA):
    return b"\xfe" * 4 + ended(bytes((0x68, kind)) + digit_bytes(number) + bytes((function, len(data))) + data)


def _ask(slave, data, end_us=1000):
    return slave.hear(data, end_us - 8000, end_us)


def _answer(slave, data, end_us=1000):
    """(kind, control, data) of its reply."""
    reply = _ask(slave, data, end_us)[1].lstrip(b"\xfe")
    assert ended(reply[:-2]) == reply and len(reply) == 13 + reply[10]
    return reply[1], reply[9], reply[11:-2]


def _one(number, kind, quantities, **options):
    return Meter188(number, "2400 8E1", kind, Given(quantities), **options)


def test_recorded_frames():
    volumes = {"volume": (556677, 1), "volume_settlement": (556677, 1)}
    slave = _one(_NUMBER, 0x10, volumes, clock_s=1431381691, status=b"\x21\x84", n_preamble=0)
    request = hexed("FE FE FE FE 68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16")
    assert _request(kind=0x10) == request
    assert _ask(slave, request) == (
        31000,
        hexed("68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84 13 16"),
    )
    # Volume and status alone, the data identifier either way.
    short = _one("11110000000937", 0x10, {"volume": (8093, 1)}, short=True, status=b"\x00\xff", n_preamble=0)
    assert _ask(short, _request("11110000000937"))[1] == hexed(
        "68 10 37 09 00 00 00 11 11 81 09 1F 90 00 00 93 80 00 00 FF 25 16"
    )
    short = _one("01501700000907", 0x10, {"volume": (3356, 1)}, short=True, status=b"\x00\xff", n_preamble=0)
    assert _ask(short, _request("01501700000907", b"\x90\x1f\0"))[1] == hexed(
        "68 10 07 09 00 00 17 50 01 81 09 90 1F 00 00 56 33 00 00 FF B1 16"
    )
    slave = _one("00000000000012", 0x10, {}, n_preamble=3)
    assert _ask(slave, _request("A" * 14, b"\x81\x0a\0", 0x03))[1] == hexed(
        "FE FE FE 68 10 12 00 00 00 00 00 00 83 03 81 0A 00 9B 16"
    )


def test_recorded_frames_of_heat_meters():
    heat = {
        "heat_settlement_gj": (532819 * 36, 1000000),
        "heat_gj": (532819 * 36, 1000000),
        "heat_power": (0, 1),
        "flow": (0, 1),
        "volume": (183342, 100),
        "temperature_supply": (1903, 100),
        "temperature_return": (1910, 100),
        "working_hours": (2761, 1),
    }
    slave = _one("42590008210438", 0x20, heat, units_first=True, clock_s=1427846246, status=b"\x03\x01", n_preamble=0)
    assert _ask(slave, _request("42590008210438", b"\x90\x1f\0"))[1] == hexed(
        "68 20 38 04 21 08 00 59 42 81 2E 90 1F 00 05 19 28 53 00 05 19 28 53 00 17 00 00 00 00 35 00 00 00 00 "
        "2C 42 33 18 00 03 19 00 10 19 00 61 27 00 26 57 23 31 03 15 20 03 01 F7 16"
    )
    cooling = {
        "cooling_gj": (0, 1),
        "heat_gj": (108, 10000),
        "heat_power": (0, 1),
        "flow": (0, 1),
        "volume": (27, 100),
        "temperature_supply": (1460, 100),
        "temperature_return": (1474, 100),
        "working_hours": (5446, 1),
    }
    slave = _one("11110059200991", 0x25, cooling, clock_s=1271929791, n_preamble=13, says_sequence=0x12)
    assert _ask(slave, _request("11110059200991"))[1] == hexed(
        "FE FE FE FE FE FE FE FE FE FE FE FE FE 68 25 91 09 20 59 00 11 11 81 2E 1F 90 12 00 00 00 00 05 00 03 00 00 05 "
        "00 00 00 00 17 00 00 00 00 35 27 00 00 00 2C 60 14 00 74 14 00 46 54 00 51 49 09 22 04 10 20 00 00 6D 16"
    )


def test_whom_it_answers():
    slave = meter(_NUMBER, "water", 1200, 0)
    for request in (
        _request(),
        _request("A" * 14),
        _request("AAAAAA11223344"),
        _request(kind=0x10),
        b"\x68\0" + _request()[2:],
    ):
        assert _answer(slave, request)[:2] == (0x10, 0x81)
    request = _request()
    for data in (
        b"",
        request[:-1],
        request + b"\0",
        request[:-2] + bytes((request[-2] ^ 1,)) + request[-1:],
        _request("78330011223345"),
        _request(kind=0x20),
        _request(data=b"\x1f\x90"),
        _ask(slave, request)[1],
    ):
        assert _ask(slave, data) is None, data
    assert slave.counts["requests"] == 6 and slave.writes == 0


def test_what_it_refuses():
    slave = meter(_NUMBER, "water", 1200, 0)
    for data, function in ((b"\x20\xd1\0", 0x01), (b"\x1f\x90\0", 0x03), (b"\x0a\x81\0", 0x01)):
        assert _answer(slave, _request(data=data, function=function)) == (0x10, function | 0xC0, b"\0\x02\0")
    assert slave.writes == 0
    assert _answer(slave, _request(data=b"\xa0\x17\0\x99", function=0x04))[1] == 0xC4
    assert slave.writes == 1 and slave.counts["exceptions"] == 4


def test_the_order_of_the_data_identifier():
    either = meter(_NUMBER, "water", 1200, 0)
    for first in (b"\x1f\x90\x07", b"\x90\x1f\x07"):
        assert _answer(either, _request(data=first))[2][:3] == first
    for high_first, heard, deaf in ((True, b"\x90\x1f\0", b"\x1f\x90\0"), (False, b"\x1f\x90\0", b"\x90\x1f\0")):
        slave = meter(_NUMBER, "water", 1200, 0, high_first=high_first)
        assert _answer(slave, _request(data=heard))[1] == 0x81
        assert _ask(slave, _request(data=deaf)) is None
        slave.refuses_order = True
        assert _answer(slave, _request(data=deaf))[1] == 0xC1


def test_variants():
    volumes = {"volume": (1234567, 100), "volume_settlement": (1000, 1)}
    slave = _one(_NUMBER, 0x13, volumes)
    assert _answer(slave, _request())[2][3:] == hexed("67 45 23 01 2C 00 00 10 00 2C 00 00 00 00 00 00 00 00 00")
    slave.says_kind, slave.says_sequence, slave.clock_s, slave.status = 0x19, 0x55, 1431381691, b"\x12\x34"
    kind, _, data = _answer(slave, _request())
    assert (kind, data[2]) == (0x19, 0x55)
    assert data[13:] == hexed("31 01 22 11 05 15 20 12 34")
    slave.missing = ("volume",)
    assert _answer(slave, _request())[2][3:8] == b"\xff\xff\xff\xff\x2c"
    slave.short = True
    assert _answer(slave, _request())[2][3:] == b"\xff\xff\xff\xff\x12\x34"
    slave = _one(_NUMBER, 0x30, volumes, units={"volume": "L"})
    assert _answer(slave, _request())[2][3:8] == bcd_bytes(123456700000 // 100, 4) + b"\x29"
    assert raised(TypeError, lambda: _one(_NUMBER, 0x30, volumes, colour="red"))


def test_each_unit_says_the_same():
    """The value of each, turned back by hand: code, and 36 GJ, 50 kW, 1 m3/h or 250 m3 in it."""
    for name, code, value in (
        ("Wh", 0x02, 1000000000),
        ("kWh", 0x05, 1000000),
        ("10 kWh", 0x06, 100000),
        ("100 kWh", 0x07, 10000),
        ("MWh", 0x08, 1000),
        ("MJ", 0x0E, 3600000),
        ("100 MJ", 0x10, 36000),
        ("GJ", 0x11, 3600),
        ("W", 0x14, 5000000),
        ("kW", 0x17, 5000),
        ("MW", 0x1A, 5),
        ("MJ/h", 0x46, 18000),
        ("L", 0x29, 25000000),
        ("10 L", 0x2A, 2500000),
        ("m3", 0x2C, 25000),
        ("10 m3", 0x2D, 2500),
        ("L/h", 0x32, 10000000),
        ("m3/h", 0x35, 10000),
    ):
        point, given, quantity, at = {
            0: ("heat_gj", (36, 1), "energy", 5),
            1: ("heat_power", (50, 1), "power", 10),
            2: ("flow", (1, 1), "flow", 15),
            3: ("volume", (250, 1), "volume", 20),
        }[0 if code < 0x14 else 1 if code < 0x20 or code > 0x40 else 3 if code < 0x32 else 2]
        quantities = {}
        slave = _one(_NUMBER, 0x20, quantities, units={quantity: name})
        for row in slave.fields:
            quantities[row[0]] = 0, 1
        quantities[point] = given
        data = _answer(slave, _request())[2][3:]
        assert data[at : at + 5] == bcd_bytes(value, 4) + bytes((code,)), name
        assert UNITS[name][0] == code


def test_each_fault():
    def faulty(**faults):
        slave = _one(_NUMBER, 0x10, {"volume": (68, 1)}, short=True, faults=faults, n_preamble=1)
        found = _ask(slave, _request())
        assert [slave.counts[name] for name in faults] == [1] * len(faults)
        return found

    always = 1000000
    good = faulty()[1]
    assert faulty(silent=always) is None
    assert faulty(late=(always, 70000)) == (101000, good)
    assert faulty(exception=always)[1][-5:-2] == b"\0\x02\0"
    other = faulty(wrong_meter=always)[1]
    assert frame_behind(other, 10)[2] == 0x10 and other[4:-2] == good[4:-2]
    bad = faulty(bad_checksum=always)[1]
    assert bad[:-2] + bad[-1:] == good[:-2] + good[-1:] and bad[-2] != good[-2]
    assert faulty(duplicate=always)[1] == good + good
    assert good.startswith(faulty(truncated=always)[1])
    assert faulty(noise_before=always)[1].endswith(good) and faulty(noise_after=always)[1].startswith(good)
    spoiled = faulty(not_bcd=always)[1]
    assert frame_behind(spoiled, 10)
    assert [byte & 15 > 9 for byte in spoiled[15:19]].count(True) == 1 and spoiled[19:-2] == good[19:-2]


def test_not_bcd_leaves_a_unit_that_stands_first():
    slave = meter(_NUMBER, "heat", 1200, 0, units_first=True, faults={"not_bcd": 1000000})
    for _ in range(20):
        data = _answer(slave, _request())[2]
        assert data[3] == 0x05 and [byte & 15 > 9 for byte in data[4:8]].count(True) == 1


def test_each_profile_says_what_its_load_is():
    # An hour of 23.26 kW on average, from 232.6 kWh on.
    for name in KINDS:
        slave = meter(_NUMBER, name, 23260, 232600)
        kind, control, data = _answer(slave, _request(), 3600 * 1000000 - 30000)
        assert (kind, control, slave.settings) == (KINDS[name], 0x81, _2400)
        data = data[3:]
        if name in ("heat", "cooling"):
            # 255.86 kWh; of cooling a third of it; 11 m3; the power is at its least.
            first = (23260, 0x05) if name == "heat" else (255860 // 3 // 10, 0x05)
            assert data[:5] == bcd_bytes(first[0], 4) + b"\x05" and data[5:10] == bcd_bytes(25586, 4) + b"\x05"
            assert data[10:15] == bcd_bytes(1860, 4) + b"\x17" and data[15:20] == bcd_bytes(8000, 4) + b"\x35"
            assert data[20:25] == bcd_bytes(1100, 4) + b"\x2c"
            assert data[25:34] == bcd_bytes(7012, 3) + bcd_bytes(5012, 3) + bcd_bytes(1001, 3)
        else:
            unit = (1000, 0x29) if name == "water_litre" else (1, 0x2C)
            assert data[:10] == b"".join(bcd_bytes(n * unit[0], 4) + bytes((unit[1],)) for n in (1100, 1000))
    assert meter(_NUMBER, "water", 1, 1, kind=0x11, settings="9600 8N1").kind == 0x11


def test_on_a_wire_it_is_heard_whole():
    wire = Wire()
    wire.set(_2400)
    slaves = [meter("7833001122334%d" % i, "heat", 1200, 0) for i in range(3)]
    for slave in slaves:
        wire.attach(slave)
    at_us = 0
    for i in (0, 2, 1, 7):
        wire.drive(True, at_us)
        wire.write(_request("7833001122334%d" % i), at_us)
        wire.drive(False, wire.sent_us())
        found = wire.read(at_us + 500000)
        assert len(found) == 63 if i < 3 else found == b""
        at_us += 500000
    assert [slave.counts["replies"] for slave in slaves] == [1, 1, 1]
