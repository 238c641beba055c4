"""plan: the names of a configuration fit together, or the key that does not fit is named."""

import os

from memory import raised

from firmware import plan
from firmware.clock import Zone
from firmware.config import parse
from firmware.errors import ConfigError
from firmware.meters.meter import Meter
from firmware.meters.profiles import PROFILES
from firmware.protocols import record
from firmware.store.log import Log
from firmware.store.ring import MOST_PAYLOAD_BYTES, Ring
from tests.sim.flash import NorFlash


def _line(name, uart, tx, rx, de=-1):
    return {"name": name, "uart": uart, "tx": tx, "rx": rx, "de": de}


def _meter(name, line="A", unit=1, profile="sdm630", points=()):
    return {"name": name, "line": line, "protocol": "modbus", "unit": unit, "profile": profile, "points": list(points)}


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
    assert _fault(lines=[_line("A", 1, 17, 17)]) == "lines[0].rx"


def test_lines_without_a_driver_enable_pin_share_nothing():
    assert _fault(lines=[_line("A", 1, 17, 16), _line("B", 2, 18, 19)]) is None
    # A UART and a pin of one number are different things.
    assert _fault(lines=[_line("A", 1, 2, 3), _line("B", 2, 1, 0)]) is None


def test_an_uplink_needs_a_network():
    assert _fault(uplinks=[_uplink()], network={"kind": "none"}) == "network.kind"
    assert _fault(uplinks=[_uplink()]) is None
    assert _fault(network={"kind": "none"}) is None


def _big_meters(n, n_points=12):
    points = [row[0] for row in PROFILES["sdm630"][5]][:n_points]
    return [_meter("m" * 30 + "%02d" % i, unit=i + 1, points=points) for i in range(n)]


def test_meters_whose_names_do_not_fit_into_a_block_are_refused():
    assert _fault(lines=[_A], meters=_big_meters(1)) is None
    assert _fault(lines=[_A], meters=_big_meters(32)) == "meters"


def test_whatever_is_accepted_fits_into_the_ring():
    """The largest configurations that pass, with all cursors, the longest times and the largest record."""
    uplinks = [_uplink("u" * 15 + "%d" % i) for i in range(4)]
    for n_points in range(1, 13):
        n = 1
        while n < 32 and _fault(lines=[_A], meters=_big_meters(n + 1, n_points), uplinks=uplinks) is None:
            n += 1
        found = _checked([_A], _big_meters(n, n_points), uplinks)
        names = [Meter(section, None).names() for section in found.meters]
        for meter in names:
            meter.last_slot_s, meter.next_day = 4294967295, 49710
        ring = Ring(NorFlash(4), lambda: 1763799300)
        log = Log(ring, Zone("CST-8"), found.hash, names)
        log.open()
        for uplink in found.uplinks:
            ring.acknowledge(uplink.name, 4294967295 - 64)
        for _ in range(3):
            ring.append(record.EVENT, bytes(MOST_PAYLOAD_BYTES))
        assert ring.next_seq == 4, (n_points, n)


def test_a_file_that_is_missing_or_no_json_is_named():
    error = raised(ConfigError, plan.load, "no-such-config.json", "no-such-secrets.json")
    assert error.key == "no-such-config.json"
    # This module is a file, and no JSON.
    assert raised(ConfigError, plan.load, __file__, "no-such-secrets.json").key == __file__


def test_a_file_that_is_not_utf_8_is_named():
    # What an editor writes that was not told to write UTF-8.
    name = "test_plan.new"
    with open(name, "wb") as file:
        file.write(b'{"gateway":{"id":"g","zone":"CST-8","name":"\xb9\xf8\xc2\xaf"}}')
    try:
        assert raised(ConfigError, plan.load, name, "no-such-secrets.json").key == name
    finally:
        os.remove(name)
