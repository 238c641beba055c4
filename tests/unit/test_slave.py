"""The simulated meter itself: what it answers, what it refuses, its faults, its registers, its numbers."""

from firmware.meters.profiles import names, profile_of
from firmware.protocols import numbers
from tests.sim.load import Load
from tests.sim.slave import Form, Registers, Slave, crc16, f32_bits_of, framed, meter, register_bits
from tests.sim.wire import Wire

_9600 = (9600, 8, None, 1)


def _request(unit, function, first, count):
    return framed(bytes((unit, function, first >> 8, first & 0xFF, count >> 8, count & 0xFF)))


def _slave(**options):
    return Slave(7, "9600 8N1", {0: 0x1234, 1: 0xFFFF, 2: 0, 10: 5}, **options)


def _ask(slave, data, end_us=1000):
    return slave.hear(data, end_us - 8000, end_us)


def test_the_checksum_is_the_standards():
    assert crc16(b"\x01\x04\x00\x00\x00\x02") == 0xCB71
    assert framed(b"\x01\x04\x00\x00\x00\x02") == b"\x01\x04\x00\x00\x00\x02\x71\xcb"
    assert framed(b"\x01\x04\x04\x43\x66\x33\x34") == b"\x01\x04\x04\x43\x66\x33\x34\x1b\x38"


def test_it_answers_its_own_unit_after_its_turnaround():
    slave = _slave()
    for function in (3, 4):
        assert _ask(slave, _request(7, function, 0, 3)) == (3000, framed(bytes((7, function, 6, 0x12, 0x34, 0xFF, 0xFF, 0, 0))))
    slave.turnaround_us = 12345
    assert _ask(slave, _request(7, 3, 10, 1), 10**15) == (10**15 + 12345, framed(b"\x07\x03\x02\x00\x05"))
    assert slave.counts == {"requests": 3, "replies": 3, "exceptions": 0}


def test_it_is_silent_to_what_is_no_request_to_it():
    slave = _slave()
    request = _request(7, 3, 0, 1)
    bad = request[:-1] + bytes((request[-1] ^ 1,))
    for data in (_request(8, 3, 0, 1), _request(0, 3, 0, 1), request[:7], request + b"\x00", b"\x00" + request, bad, b""):
        assert _ask(slave, data) is None
    assert slave.counts["requests"] == 0


def test_it_refuses_what_it_does_not_have():
    slave = _slave(functions=(3,))
    for request, code in (
        (_request(7, 4, 0, 1), 1),
        (_request(7, 6, 0, 1), 1),
        (_request(7, 3, 3, 1), 2),
        (_request(7, 3, 2, 2), 2),
        (_request(7, 3, 65535, 2), 2),
        (_request(7, 3, 0, 0), 3),
        (_request(7, 3, 0, 126), 3),
    ):
        assert _ask(slave, request) == (3000, framed(bytes((7, request[1] | 0x80, code))))
    assert slave.counts == {"requests": 7, "replies": 7, "exceptions": 7}


def test_what_it_says_is_told():
    told = []
    slave = _slave(told=lambda *what: told.append(what))
    _ask(slave, _request(7, 3, 0, 2))
    _ask(slave, _request(7, 3, 9, 2))
    assert told == [(3000, 7, 0, b"\x12\x34\xff\xff")]
    # Also what a fault spoils on its way.
    slave.faults = {"bad_checksum": 1000000}
    _ask(slave, _request(7, 3, 10, 1))
    assert told[1:] == [(3000, 7, 10, b"\x00\x05")]


def test_registers_by_a_function_of_the_time():
    slave = Slave(1, _9600, lambda address, at_us: at_us // 1000 if address == 4 else None)
    assert _ask(slave, _request(1, 4, 4, 1), 7000) == (9000, framed(b"\x01\x04\x02\x00\x09"))
    assert _ask(slave, _request(1, 4, 5, 1))[1] == framed(b"\x01\x84\x02")


def test_each_fault():
    request = _request(7, 3, 0, 2)
    good = framed(b"\x07\x03\x04\x12\x34\xff\xff")

    def faulty(**faults):
        slave = _slave(faults=faults)
        found = _ask(slave, request)
        assert [slave.counts[name] for name in faults] == [1] * len(faults)
        return found

    always = 1000000
    assert faulty(silent=always) is None
    assert faulty(late=always) == (603000, good)
    assert faulty(late=(always, 70000)) == (73000, good)
    assert faulty(exception=always)[1] == framed(b"\x07\x83\x02")
    assert faulty(exception=[always, 4])[1] == framed(b"\x07\x83\x04")
    assert faulty(wrong_meter=always)[1] == framed(b"\x08" + good[1:-2])
    bad = faulty(bad_checksum=always)[1]
    assert bad[:-1] == good[:-1] and bad[-1] != good[-1]
    short = faulty(truncated=always)[1]
    assert 0 < len(short) < len(good) and good[: len(short)] == short
    assert faulty(duplicate=always)[1] == good + good
    before = faulty(noise_before=always)[1]
    assert 1 <= len(before) - len(good) <= 4 and before[-len(good) :] == good
    after = faulty(noise_after=always)[1]
    assert 1 <= len(after) - len(good) <= 4 and after[: len(good)] == good
    assert faulty(late=always, duplicate=always) == (603000, good + good)


def test_more_faults():
    request = _request(7, 3, 0, 2)
    good = framed(b"\x07\x03\x04\x12\x34\xff\xff")
    slave = _slave(faults={"noise_inside": 1000000})
    spoiled = [_ask(slave, request)[1] for _ in range(20)]
    turned = [[one ^ other for one, other in zip(good, each)] for each in spoiled]
    assert all(
        len(each) == len(good) and sum([bin(bits).count("1") for bits in row]) == 1 for each, row in zip(spoiled, turned)
    )
    assert len({tuple(row) for row in turned}) > 5
    slave = _slave(faults={"slow": (1000000, 15000)})
    # The turnaround is 2 ms; five seconds are its end.
    assert [_ask(slave, request)[0] for _ in range(3)] == [18000, 33000, 48000]
    slave.faults = {"slow": (1000000, 4000000)}
    assert [_ask(slave, request)[0] for _ in range(3)] == [4048000, 5001000, 5001000]
    told = []
    for how, expected in (("zeros", b"\0\0\0\0"), ("ff", b"\xff\xff\xff\xff")):
        slave = _slave(faults={"garbage": (1000000, how)}, told=lambda *what: told.append(what[3]))
        assert _ask(slave, request)[1] == framed(b"\x07\x03\x04" + expected)
    assert told == [b"\x12\x34\xff\xff"] * 2
    slave = _slave(faults={"garbage": (1000000, None)})
    found = [_ask(slave, request)[1] for _ in range(30)]
    assert all(framed(each[:-2]) == each and each[:3] == good[:3] for each in found)
    assert len(set(found)) > 5 and framed(b"\x07\x03\x04\0\0\0\0") in found
    # One register of many, of four bytes, whichever it is.
    slave = meter(3, "sdm630", 1200, 0, faults={"garbage": (1000000, "random")})
    slave.registers.load.power_w = 0
    clean = _ask(meter(3, "sdm630", 0, 0), _request(3, 4, 0, 18))[1]
    found = [_ask(slave, _request(3, 4, 0, 18))[1] for _ in range(40)]
    changed = [{(i - 3) // 4 for i in range(3, 39) if each[i] != clean[i]} for each in found]
    assert all(len(each) == 1 for each in changed) and len({min(each) for each in changed}) > 5


def test_faults_at_certain_requests():
    request = _request(7, 3, 0, 2)
    slave = _slave(faults={"silent": (0, None, (2, 5)), "exception": (0, 6, (3,))})
    found = [_ask(slave, request) for _ in range(6)]
    assert [each is None for each in found] == [False, True, False, False, True, False]
    assert found[2][1] == framed(b"\x07\x83\x06") and slave.counts["silent"] == 2 and slave.counts["exception"] == 1


def test_what_happens_to_it_later():
    request = _request(7, 3, 0, 2)
    slave = _slave()
    happened = []
    slave.changes = [(5000, lambda at_us: setattr(slave, "dead", True)), (9000, happened.append), (9000, happened.append)]
    assert _ask(slave, request, 4999) and not _ask(slave, request, 5000) and not happened
    slave.dead = False
    assert _ask(slave, request, 12000) and happened == [12000, 12000] and slave.changes == []
    assert slave.counts["requests"] == 2


def test_faults_come_at_the_given_rate_and_are_the_same_for_a_seed():
    def silences(seed, per_million):
        slave = _slave(seed=seed, faults={"silent": per_million})
        return [_ask(slave, _request(7, 3, 0, 1)) is None for _ in range(400)]

    found = silences(3, 250000)
    assert 70 < sum(found) < 130
    assert silences(3, 250000) == found != silences(4, 250000)
    assert not any(silences(3, 0))
    slave = _slave(faults={"silent": 1000000})
    assert _ask(slave, _request(7, 3, 0, 1)) is None
    slave.faults = {}
    assert _ask(slave, _request(7, 3, 0, 1)) is not None


def test_f32_bits_of_known_numbers():
    for numerator, denominator, bits in (
        (0, 5, 0),
        (1, 1, 0x3F800000),
        (-1, 1, 0xBF800000),
        (2302, 10, 0x43663333),
        (5001, 100, 0x42480A3D),
        (1, 3, 0x3EAAAAAB),
        (16777217, 1, 0x4B800000),
        (16777219, 1, 0x4B800002),
        (33554431, 2, 0x4B800000),
        (1 << 127, 1, 0x7F000000),
        ((1 << 24) - 1 << 104, 1, 0x7F7FFFFF),
        ((1 << 25) - 1 << 103, 1, 0x7F800000),
        (1 << 200, 1, 0x7F800000),
        # The least normal number, subnormal ones, half of the least, and less.
        (1, 1 << 126, 0x00800000),
        ((1 << 24) - 1, 1 << 150, 0x00800000),
        (1, 1 << 149, 1),
        (3, 1 << 150, 2),
        (1, 1 << 150, 0),
        (1, 1 << 151, 0),
        (1, 3 << 149, 0),
    ):
        assert f32_bits_of(numerator, denominator) == bits, (numerator, denominator)


def test_a_load_is_the_integral_of_its_power():
    load = Load(1000, 5000, 10000000)
    assert load.energy(0) == load.energy(10000000)
    numerator, denominator = load.energy(10000000)
    assert numerator * 1000 == 5000 * denominator
    # After each half period the swing has come to nothing.
    for half_periods in (1, 2, 7):
        numerator, denominator = load.energy(10000000 + half_periods * 60000000)
        assert (numerator - 5 * denominator) * 60 == half_periods * denominator
    total = 0
    for second in range(240):
        watts, divisor = load.power(10500000 + second * 1000000)
        assert 800 * divisor <= watts <= 1200 * divisor
        total += watts
        numerator, denominator = load.energy(11000000 + second * 1000000)
        # The power is straight within a second: the middle is the mean.
        assert (numerator - 5 * denominator) * 3600000 * divisor == total * denominator


def test_energy_never_falls():
    load = Load(36000000, 1)
    last = -1
    for ms in range(0, 250000, 777):
        energy = load.energy(ms * 1000)[0]
        assert energy > last
        last = energy


def _value(slave, profile, name, at_us):
    """What the firmware makes of a point, by its own table."""
    table = profile_of(profile)
    _, register, text, _, decimals, klass = table.rows_of((name,))[0]
    form = numbers.form_of(text)
    function = table.about_function if klass == "about" else table.function
    _, reply = _ask(slave, _request(slave.unit, function, register, form[0]), at_us - slave.turnaround_us)
    return numbers.scaled_of(reply, 3, form, decimals)


def _modbus_profiles():
    return [name for name in names() if profile_of(name).protocol == "modbus"]


def test_a_meter_of_each_profile_says_what_its_load_is():
    n = 0
    for profile in _modbus_profiles():
        slave = meter(3, profile, 1200, 8801250)
        rows = {row[0]: row for row in profile_of(profile).points}
        for name, unit_s, begins, later in (
            ("voltage_l1", 100, 23020, 23020),
            ("power", 10000, 9600, 12000),
            ("power_factor", 1000, 950, 950),
            ("frequency", 100, 5001, 5001),
            # 8.8 kWh and the 0.009 of half a minute, which no meter shows that counts in hundredths.
            ("energy_import", 1000, 8801250, 8801259),
            ("energy_export", 100, 0, 0),
        ):
            if name not in rows:
                continue
            for at_us, expected in ((0, begins), (30000000, later)):
                scale = 10 ** rows[name][4]
                below = expected * scale // unit_s
                found = _value(slave, profile, name, at_us)
                # An f32 is the nearest, and the firmware rounds it.
                assert found in ((below, below + 1) if rows[name][2][0] == "f" else (below,)), (profile, name, at_us)
                n += 1
    assert n > 150
    for name, value in (("power_l2", 4000), ("current_l3", 1829), ("reactive_power", 3960), ("demand_max", 14400)):
        assert _value(meter(3, "sdm630", 1200, 0), "sdm630", name, 30000000) == value
    assert _value(meter(3, "sdm120", 1200, 0), "sdm120", "apparent_power", 30000000) == 12632
    assert _value(meter(3, "iem3155", 1200, 9000000), "iem3155", "energy_import_l2", 0) == 3000000


def test_integer_registers_are_the_integer_below():
    for text, number, words in (
        ("u16", (7, 2), [3]),
        ("u16/10", (2302, 10), [2302]),
        ("u16/100", (50019, 1000), [5001]),
        ("i16", (-7, 2), [0xFFFC]),
        ("i16/1000", (-1, 2), [0xFE0C]),
        ("u16*10", (99, 1), [9]),
        ("u32/100", (1234567, 100), [0x0012, 0xD687]),
        ("u32~/100", (1234567, 100), [0xD687, 0x0012]),
        ("i32", (-2, 1), [0xFFFF, 0xFFFE]),
        ("u64/1000", (0x123456789ABCDEF, 1000), [0x0123, 0x4567, 0x89AB, 0xCDEF]),
        ("i64~", (-0x123456789ABCDEF, 1), [0x3211, 0x7654, 0xBA98, 0xFEDC]),
        ("f32", (-1, 2), [0xBF00, 0]),
        ("f32~/10", (2302, 10), [0xE000, 0x450F]),
        # A register that rolls over.
        ("u16", (65537, 1), [1]),
    ):
        assert register_bits(text, *number) == words, (text, number)


def test_a_serial_number_and_no_value():
    slave = meter(3, "b23", 1200, 0, serial_number=4294967290, missing=("voltage_l2", "power", "power_factor", "energy_export"))
    assert _value(slave, "b23", "serial_number", 0) == 4294967290
    for name in ("voltage_l2", "power", "power_factor", "energy_export"):
        assert _value(slave, "b23", name, 0) is None
    assert _value(slave, "b23", "voltage_l1", 0) == 2302
    _, reply = _ask(slave, _request(3, 3, 0x5B14, 2))
    assert reply[3:7] == b"\x7f\xff\xff\xff"
    slave.registers.missing = ()
    slave.registers.serial_number = 7
    assert _value(slave, "b23", "voltage_l2", 0) == 2302 and _value(slave, "b23", "serial_number", 0) == 7
    sdm = meter(3, "sdm630", 1200, 0, missing=("voltage_l1", "serial_number"))
    assert _value(sdm, "sdm630", "voltage_l1", 0) is None
    assert _value(sdm, "sdm630", "serial_number", 0) is None
    # A form without a code for it always has a value.
    assert _value(meter(3, "adw300", 1200, 0, missing=("voltage_l1",)), "adw300", "voltage_l1", 0) == 2302


def test_a_meter_has_its_profiles_registers_and_no_others():
    slave = meter(3, "sdm630", 1200, 0)
    assert slave.settings == _9600
    assert _ask(slave, _request(3, 4, 0, 18))[1][:3] == b"\x03\x04\x24"
    # Across what no manual lists, where the profile says that one may; not before, behind, or beyond its longest request.
    assert _ask(slave, _request(3, 4, 0x10, 4))[1][7:11] == b"\0\0\0\0"
    most = profile_of("sdm630").most
    for first, count, code in ((0x58, 2, 2), (0x155, 3, 2), (0, most, 0), (0, most + 1, 3)):
        found = _ask(slave, _request(3, 4, first, count))[1]
        assert found == framed(bytes((3, 0x84, code))) if code else len(found) == 5 + 2 * most
    assert _ask(slave, _request(3, 3, 0, 2))[1] == framed(b"\x03\x83\x02")
    # Its own number by function 3 alone.
    assert _ask(slave, _request(3, 3, 0xFC00, 2))[1] == framed(b"\x03\x03\x04\x01\x44\x03\x87")
    assert _ask(slave, _request(3, 4, 0xFC00, 2))[1] == framed(b"\x03\x84\x02")
    assert _ask(meter(3, "sdm72", 1, 1), _request(3, 3, 0xFC00, 2))[1] == framed(b"\x03\x83\x01")
    # Holding registers alone; and nothing across a gap.
    chint = meter(3, "dtsu666", 1200, 0)
    assert _ask(chint, _request(3, 4, 0x2006, 2))[1] == framed(b"\x03\x84\x01")
    assert _ask(chint, _request(3, 3, 0x201A, 18))[1] == framed(b"\x03\x83\x02")
    assert meter(3, "sdm120", 1, 1, settings="9600 8E1").settings == (9600, 8, 0, 1)


def test_what_must_not_be_read_is_refused_within_a_gap():
    profile = profile_of("pzem004t")
    profile.points = tuple(row for row in profile.points if row[0] in ("voltage_l1", "frequency"))
    profile.forbidden = (3,)
    value = Registers(profile, Load(1, 1)).by_function[4]
    assert [value(register, 0) for register in range(9)] == [2302, 0, 0, None, 0, 0, 0, 500, None]


def test_the_forms_that_profiles_have():
    form = Form("u64~*10/1000!FFFFFFFFFFFFFFFF!7FFFFFFFFFFFFFFF")
    assert (form.kind, form.n_bits, form.n_registers, form.low_first) == ("u", 64, 4, True)
    assert (form.multiplier, form.divisor, form.none) == (10, 1000, [0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF])
    form = Form("i16")
    assert (form.kind, form.n_registers, form.low_first, form.multiplier, form.divisor, form.none) == ("i", 1, False, 1, 1, [])


def test_the_same_bytes_on_every_machine():
    slave = meter(1, "sdm630", 240000, 1234567000)
    crc = 0
    for day in range(0, 400, 7):
        for first in (0x34, 0x48):
            _, reply = _ask(slave, _request(1, 4, first, 2), day * 86400000000 + 123456789)
            crc = crc16(bytes((crc & 0xFF, crc >> 8)) + reply[3:7])
    assert crc == 0x9B3E


def test_on_a_wire_it_is_heard_whole():
    wire = Wire()
    wire.set(_9600)
    slaves = [meter(unit, "sdm630", 1200, 0, seed=unit) for unit in (1, 2, 3)]
    for slave in slaves:
        wire.attach(slave)
    at_us = 0
    for unit in (1, 2, 3, 2, 9):
        wire.drive(True, at_us)
        wire.write(_request(unit, 4, 0, 6), at_us)
        wire.drive(False, wire.sent_us())
        found = wire.read(at_us + 100000)
        assert found[:3] == bytes((unit, 4, 12)) if unit < 9 else found == b""
        at_us += 100000
    assert [slave.counts["replies"] for slave in slaves] == [1, 2, 1]
