"""plan: the names of a configuration fit together, or the key that does not fit is named."""

import gc
import os

from memory import raised

from firmware import plan
from firmware.clock import Zone
from firmware.config import parse
from firmware.errors import ConfigError
from firmware.meters import equip, profiles
from firmware.protocols import record
from firmware.protocols.dayrecord import put_day
from firmware.store.days import MeterDay
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import NorFlash


def _line(name, uart, tx, rx, de=-1):
    return {"name": name, "uart": uart, "tx": tx, "rx": rx, "de": de}


def _meter(name, line="A", unit=1, profile="sdm630", points=()):
    return {"name": name, "line": line, "protocol": "modbus", "unit": unit, "profile": profile, "points": list(points)}


def _other(name, protocol, number, profile, line="A", **keys):
    """A meter that does not speak Modbus."""
    keys.update({"name": name, "line": line, "protocol": protocol, "number": number, "profile": profile})
    return keys


def _dlt(name, number="000000000161", **keys):
    return _other(name, "dlt645", number, "dlt645_3p", **keys)


def _old(name, number="000000000161", **keys):
    return _other(name, "dlt645-1997", number, "dlt645_1997_3p", **keys)


def _water(name, number="78330011223344", **keys):
    keys["every_s"] = keys.get("every_s", 3600)
    return _other(name, "cjt188", number, "water", **keys)


def _uplink(name="province"):
    return {"name": name, "host": "mqtt.example.org", "ca": "ca.der"}


def _checked(lines=(), meters=(), uplinks=(), network=None):
    raw = {
        "gateway": {"id": "gw-0001", "zone": "CST-8"},
        "network": network or {"kind": "wifi", "ssid": "plant"},
        "lines": list(lines),
        "meters": list(meters),
        "uplinks": list(uplinks),
    }
    # What lives long then stays together, as in app.py: texts of many kilobytes find room on a small heap.
    gc.collect()
    return plan.check(parse(raw))


def _fault(**sections):
    try:
        _checked(**sections)
    except ConfigError as error:
        return error.key
    return None


_A = _line("A", 1, 17, 16, 4)
_B = _line("B", 2, 18, 19, 5)


def test_a_configuration_that_fits_together_is_given_back():
    found = _checked([_A, _B], [_meter("main"), _meter("roof", "B"), _meter("pump", "A", 2)], [_uplink()])
    assert [meter.name for meter in found.meters] == ["main", "roof", "pump"]
    assert _fault() is None
    assert _fault(lines=[_A]) is None


def test_a_line_that_does_not_exist_is_named():
    assert _fault(lines=[_A], meters=[_meter("main"), _meter("roof", "C")]) == "meters[1].line"
    assert _fault(meters=[_meter("main")]) == "meters[0].line"
    # Names are told apart by case.
    assert _fault(lines=[_A], meters=[_meter("main", "a")]) == "meters[0].line"


def test_a_unit_that_stands_twice_on_a_line_is_named():
    assert _fault(lines=[_A], meters=[_meter("main"), _meter("roof", unit=2), _meter("pump", unit=2)]) == "meters[2].unit"
    assert _fault(lines=[_A, _B], meters=[_meter("main"), _meter("roof", "B")]) is None


def test_a_profile_that_does_not_exist_is_named():
    assert _fault(lines=[_A], meters=[_meter("main"), _meter("roof", unit=2, profile="sdm999")]) == "meters[1].profile"


def test_a_point_its_profile_does_not_have_is_named():
    assert _fault(lines=[_A], meters=[_meter("main", points=("power", "heat_gj"))]) == "meters[0].points"
    # The SDM120 has one phase.
    assert _fault(lines=[_A], meters=[_meter("main", profile="sdm120", points=("voltage_l2",))]) == "meters[0].points"


def test_a_uart_or_pin_that_is_taken_is_named():
    for line, key in (
        (_line("B", 1, 18, 19), "lines[1].uart"),
        (_line("B", 2, 17, 19), "lines[1].tx"),
        (_line("B", 2, 16, 19), "lines[1].tx"),
        (_line("B", 2, 4, 19), "lines[1].tx"),
        (_line("B", 2, 18, 17), "lines[1].rx"),
        (_line("B", 2, 18, 18), "lines[1].rx"),
        (_line("B", 2, 18, 19, 4), "lines[1].de"),
        (_line("B", 2, 18, 19, 18), "lines[1].de"),
    ):
        assert _fault(lines=[_A, line]) == key
    # Pin 0 is one too.
    assert _fault(lines=[_line("A", 1, 0, 16), _line("B", 2, 18, 0)]) == "lines[1].rx"
    assert _fault(lines=[_line("A", 1, 17, 17)]) == "lines[0].rx"


def test_lines_without_a_driver_enable_pin_share_nothing():
    assert _fault(lines=[_line("A", 1, 17, 16), _line("B", 2, 18, 19)]) is None
    # A UART and a pin of one number are different things.
    assert _fault(lines=[_line("A", 1, 2, 3), _line("B", 2, 1, 0)]) is None


def test_an_uplink_needs_a_network():
    assert _fault(uplinks=[_uplink()], network={"kind": "none"}) == "network.kind"
    assert _fault(uplinks=[_uplink()]) is None
    assert _fault(network={"kind": "none"}) is None


def test_every_protocol_has_its_own_address():
    assert _fault(lines=[_A], meters=[_meter("m"), _dlt("d"), _old("o", "000000000162"), _water("w")]) is None
    for meter, key in (
        (dict(_meter("m"), number="000000000161"), "meters[0].number"),
        (dict(_meter("m"), number="A" * 12), "meters[0].number"),
        (dict(_meter("m"), unit=0), "meters[0].unit"),
        (_dlt("d", unit=1), "meters[0].unit"),
        (_dlt("d", ""), "meters[0].number"),
        (_dlt("d", "78330011223344"), "meters[0].number"),
        (_dlt("d", "A" * 14), "meters[0].number"),
        (_old("o", "A" * 14), "meters[0].number"),
        (_water("w", unit=1), "meters[0].unit"),
        (_water("w", ""), "meters[0].number"),
        (_water("w", "000000000161"), "meters[0].number"),
        (_water("w", "A" * 12), "meters[0].number"),
    ):
        assert _fault(lines=[_A], meters=[meter]) == key, meter
    missing = _dlt("d")
    del missing["number"]
    assert _fault(lines=[_A], meters=[missing]) == "meters[0].number"
    missing = _meter("m")
    del missing["unit"]
    assert _fault(lines=[_A], meters=[missing]) == "meters[0].unit"


def test_a_profile_is_of_the_protocol_that_is_spoken():
    for meter in (
        _other("d", "dlt645", "000000000161", "sdm630"),
        _other("d", "dlt645", "000000000161", "dlt645_1997_1p"),
        _other("o", "dlt645-1997", "000000000161", "dlt645_1p"),
        _other("w", "cjt188", "78330011223344", "dlt645_1p"),
        _meter("m", profile="water"),
        _meter("m", profile="dlt645_1p"),
    ):
        assert _fault(lines=[_A], meters=[meter]) == "meters[0].protocol", meter


def test_two_meters_that_would_answer_one_request_are_named():
    for one, other, key in (
        (_dlt("a"), _dlt("b"), "number"),
        # The frames of the two editions are alike.
        (_dlt("a"), _old("b", settings="2400 8E1"), "number"),
        (_old("a", settings="9600 8E1"), _dlt("b", settings="9600 8E1"), "number"),
        (_water("a"), _water("b"), "number"),
        (_water("a"), _other("b", "cjt188", "78330011223344", "gas", every_s=3600), "number"),
        (_meter("a"), dict(_meter("b"), settings="9600 8N1"), "unit"),
        (_meter("a"), _meter("b", profile="dtsu666"), "unit"),
        # A number of A alone is everybody's.
        (_dlt("a", "A" * 12), _dlt("b"), "number"),
        (_dlt("a"), _dlt("b", "A" * 12), "number"),
        (_dlt("a", "A" * 12), _dlt("b", "A" * 12), "number"),
        (_dlt("a", "A" * 12), _old("b", settings="2400 8E1"), "number"),
        (_water("a", "A" * 14), _water("b"), "number"),
    ):
        assert _fault(lines=[_A], meters=[one, other]) == "meters[1]." + key, (one, other)
        assert _fault(lines=[_A], meters=[one, _meter("between", unit=9), other]) == "meters[2]." + key


def test_two_meters_of_one_address_that_are_told_apart():
    for one, other in (
        # By line, by settings, by protocol.
        (_dlt("a"), _dlt("b", line="B")),
        (_dlt("a"), _dlt("b", settings="9600 8E1")),
        (_dlt("a"), _old("b")),  # 2400 and 1200 baud
        (_dlt("a", "A" * 12), _dlt("b", settings="9600 8E1")),
        (_dlt("a", "A" * 12), _dlt("b", "A" * 12, line="B")),
        (_dlt("a", "A" * 12), _water("b")),
        (_dlt("a", "A" * 12), _water("b", "A" * 14)),
        (_dlt("a", "A" * 12), _meter("b")),
        (_meter("a"), _meter("b", profile="iem3155")),
        (_meter("a"), dict(_meter("b"), settings="9600 8N2")),
    ):
        assert _fault(lines=[_A, _B], meters=[one, other]) is None, (one, other)


def test_a_meter_on_a_battery_is_not_read_more_often_than_that_lasts_for():
    assert _fault(lines=[_A], meters=[_water("w", every_s=3600)]) is None
    assert _fault(lines=[_A], meters=[_water("w", every_s=86400)]) is None
    for every_s in (1800, 900, 2700, 1):
        assert _fault(lines=[_A], meters=[_water("w", every_s=every_s)]) == "meters[0].every_s", every_s
    # The default of a quarter of an hour too.
    short = _water("w")
    del short["every_s"]
    assert _fault(lines=[_A], meters=[_meter("m"), short]) == "meters[1].every_s"
    assert _fault(lines=[_A], meters=[_water("w", every_s=900, reads_per_day_max=96)]) is None
    assert _fault(lines=[_A], meters=[_water("w", every_s=900, reads_per_day_max=95)]) == "meters[0].every_s"
    assert _fault(lines=[_A], meters=[_water("w", every_s=3600, reads_per_day_max=2)]) == "meters[0].every_s"
    assert _fault(lines=[_A], meters=[_water("w", every_s=43200, reads_per_day_max=2)]) is None
    # Any meter may have such a bound; without one it is read as often as one likes.
    assert _fault(lines=[_A], meters=[dict(_meter("m"), every_s=1)]) is None
    assert _fault(lines=[_A], meters=[dict(_meter("m"), every_s=60, reads_per_day_max=1439)]) == "meters[0].every_s"
    error = raised(ConfigError, _checked, [_A], [_water("w", every_s=900)])
    assert "3600" in error.allowed and "24" in error.allowed
    error = raised(ConfigError, _checked, [_A], [_water("w", every_s=900, reads_per_day_max=7)])
    # 86400 / 7, rounded up.
    assert "12343" in error.allowed


def test_what_says_something_of_the_meter_is_no_point_of_a_reading():
    for name in ("serial_number", "clock_date", "status_1", "freeze_energy_import"):
        assert _fault(lines=[_A], meters=[_dlt("d", points=["energy_import", name])]) == "meters[0].points"
    assert _fault(lines=[_A], meters=[_meter("m", points=("serial_number",))]) == "meters[0].points"
    assert _fault(lines=[_A], meters=[_dlt("d", points=["energy_import", "energy_import_t4", "phase_angle_l3"])]) is None


def _big_meters(n, n_points, apart):
    """Meters with the longest names; apart: each has its own points, so that none are said by another's."""
    points = profiles.profile_of("dlt645_3p").readable()
    found = []
    for i in range(n):
        own = points[i:] + points[:i] if apart else points
        found.append(_dlt("m" * 30 + "%02d" % i, "%012d" % i, points=own[:n_points], every_s=86400))
    return found


def test_meters_whose_names_do_not_fit_into_a_block_are_refused():
    assert _fault(lines=[_A], meters=_big_meters(8, 10, True)) is None
    error = raised(ConfigError, _checked, [_A], _big_meters(16, 14, True))
    assert error.key == "meters"
    assert "%d" % plan.MOST_TOGETHER_BYTES in error.allowed
    # Points that are another meter's too are said once.
    assert _fault(lines=[_A], meters=_big_meters(16, 14, False)) is None
    # With names as people give them, as many as there may be.
    points = ("energy_import", "energy_export", "power", "voltage_l1", "voltage_l2", "voltage_l3")
    meters = [_meter("meter%02d" % i, unit=i + 1, points=points) for i in range(32)]
    assert _fault(lines=[_A], meters=meters) is None


def test_a_short_timeout_needs_no_word_of_the_least():
    # As it was valid before there was one.
    assert _fault(lines=[_A], meters=[dict(_meter("m"), timeout_ms=80)]) is None
    assert _fault(lines=[_A], meters=[dict(_meter("m"), timeout_ms=80, timeout_least_ms=80)]) is None
    key = _fault(lines=[_A], meters=[dict(_meter("m"), timeout_ms=80, timeout_least_ms=90)])
    assert key == "meters[0].timeout_least_ms"


def test_a_meter_may_be_read_for_as_many_points_as_there_may_be():
    assert _fault(lines=[_A], meters=_big_meters(1, 32, True)) is None


def test_whatever_is_accepted_fits_into_the_ring():
    """The largest configurations that pass, with all cursors, the longest times and numbers and the largest record."""
    flash = NorFlash(4)
    uplinks = [_uplink("u" * 15 + "%d" % i) for i in range(4)]
    for n_points, apart in ((4, True), (5, True), (9, True), (13, True), (16, True), (32, True)):
        n = 1
        while n < 32 and _fault(lines=[_A], meters=_big_meters(n + 1, n_points, apart), uplinks=uplinks) is None:
            n += 1
        # The bound was met.
        assert n < 32
        found = _checked([_A], _big_meters(n, n_points, apart), uplinks)
        names = [equip.meter_of(section, None, None).names() for section in found.meters]
        for meter in names:
            meter.last_slot_s, meter.next_day = 4294967295, 49710
            assert meter.serial is not None
            meter.serial = "9" * record.MOST_SERIAL
        for block in range(4):
            flash.ioctl(6, block)
        ring = Ring(flash, lambda: 1763799300)
        log = Log(ring, Zone("CST-8"), found.hash, names)
        log.open()
        ring.next_seq = first_seq = 4294967295 - 64
        for uplink in found.uplinks:
            ring.acknowledge(uplink.name, 0)
        _put_days(log)
        assert ring.next_seq == first_seq + 2 * n, (n_points, n)


def _put_days(log):
    """A summary of a day of each meter, with long numbers, and one more of each."""
    for meter in log.meters:
        meter.last_slot_s = meter.next_day = 0
    for index, meter in enumerate(log.meters):
        n = len(meter.points)
        slot_s = log.zone.midnight_s(40000)
        day = MeterDay(log.zone, meter, 40000)
        slot_s += 1
        for value in (-99999999999, 99999999999):
            day.add(record.Reading(meter.name, meter.points, slot_s, slot_s, 0, [value] * n))
            slot_s += 900
        for i in range(8):
            day.missed["battery allowance"[i:]] = 1
        for _ in range(2):
            log.ring.append(record.DAY, put_day(index, day.summary(), 900))


def test_a_file_that_is_missing_or_no_json_is_named():
    error = raised(ConfigError, plan.load, "no-such-config.json", "no-such-secrets.json", "no-such-profiles.json")
    assert error.key == "no-such-config.json"
    # This module is a file, and no JSON.
    assert raised(ConfigError, plan.load, __file__, "no-such-secrets.json", "no-such-profiles.json").key == __file__


def test_a_file_that_is_not_utf_8_is_named():
    # What an editor writes that was not told to write UTF-8.
    name = "test_plan.new"
    with open(name, "wb") as file:
        file.write(b'{"gateway":{"id":"g","zone":"CST-8","name":"\xb9\xf8\xc2\xaf"}}')
    try:
        assert raised(ConfigError, plan.load, name, "no-such-secrets.json", "no-such-profiles.json").key == name
    finally:
        os.remove(name)


_CONFIG = """{"gateway":{"id":"g","zone":"CST-8"},"lines":[{"name":"A","uart":1,"tx":17,"rx":16}],
"meters":[{"name":"m","line":"A","protocol":"modbus","unit":1,"profile":"mine"}]}"""
_PROFILES = """{"mine":{"model":"M","source":"S","protocol":"modbus","default":["power"],
"points":[{"name":"power","register":"0000","form":"u16","unit":"kW","decimals":0,"class":"gauge"}]}}"""


def _loaded(profiles_text):
    """What plan.load makes of _CONFIG and these profiles; None: there is no such file."""
    names = ("test_plan.config", "no-such-secrets.json", "test_plan.profiles")
    texts = {names[0]: _CONFIG, names[2]: profiles_text}
    try:
        for name in texts:
            if texts[name] is not None:
                with open(name, "w") as file:
                    file.write(texts[name])
        return plan.load(*names)
    finally:
        for name in texts:
            if texts[name] is not None:
                os.remove(name)


def test_profiles_of_ones_own_are_there_for_the_meters():
    found = _loaded(_PROFILES)
    assert sorted(found.profiles) == ["mine"]
    assert found.profiles["mine"].model == "M"
    error = raised(ConfigError, _loaded, None)
    assert error.key == "meters[0].profile"
    assert "sdm630" in error.allowed and "mine" not in error.allowed
    assert raised(ConfigError, _loaded, "{}").key == "meters[0].profile"


def test_a_fault_in_profiles_of_ones_own_is_named_and_nothing_starts():
    assert raised(ConfigError, _loaded, "[]").key == "profiles"
    assert raised(ConfigError, _loaded, "{").key == "test_plan.profiles"
    bad = _PROFILES.replace('"0000"', '"000G"')
    assert raised(ConfigError, _loaded, bad).key == "profiles.mine.points[0].register"
    error = raised(ConfigError, _loaded, _PROFILES.replace("mine", "other"))
    assert error.key == "meters[0].profile" and "other" in error.allowed
