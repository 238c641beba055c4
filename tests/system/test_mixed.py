"""The unchanged gateway with meters of all protocols on one line, each with settings of its own, in real time."""

import json
import struct
import time
from fractions import Fraction

from conftest import answer, uplink
from conftest import config as configured

from firmware.meters.profiles import profile_of
from metergate.image import read_image
from metergate.pcgateway import Gateway
from metergate.processes import wait_for
from metergate.simulate import Line
from tests.sim.bytes68 import digit_bytes
from tests.sim.slave import Form

_KINDS = {"reading": 1, "miss": 2}
_LOAD = {"power_kw": 60.0, "energy_kwh": 1234.5, "turnaround_us": 25000}
_SLOW = "2400 8E1"
# As the line file has them, and as the configuration has them.
_METERS = {
    "panel": ({"unit": 1, "profile": "sdm630"}, ["energy_import", "power", "voltage_l1", "energy_total"]),
    "feeder": (
        {"protocol": "dlt645", "number": "202511220161", "profile": "dlt645_3p", "settings": _SLOW},
        [
            "power",
            "energy_import",
            "energy_import_t1",
            "energy_import_t2",
            "energy_import_t3",
            "energy_import_t4",
            "energy_reactive_2",
            "voltage_l1",
            "voltage_l2",
        ],
    ),
    "old": (
        {"protocol": "dlt645-1997", "number": "138000130754", "profile": "dlt645_1997_1p", "settings": _SLOW},
        ["energy_import", "voltage_l1"],
    ),
    # Of those that know one order of the data identifier, and send volume and status alone.
    "water": (
        {"protocol": "cjt188", "number": "01501700000907", "profile": "water", "settings": _SLOW},
        ["volume"],
    ),
    # Of those whose unit bytes stand before the values.
    "heat": (
        {"protocol": "cjt188", "number": "42590008210438", "profile": "heat", "settings": _SLOW},
        ["heat_gj", "heat_power", "flow", "volume", "temperature_supply", "temperature_return", "working_hours"],
    ),
}
_VARIANTS = {
    "feeder": {"serial_number": "000000004711"},
    "old": {"any_number": True, "n_preamble": 0},
    "water": {"high_first": True, "short": True},
    "heat": {"units_first": True, "n_preamble": 13, "says_sequence": 9},
}


class _Site:
    """The line in this process and a gateway on it. told: [(at_us, unit or number, register, bytes), ..]; asked: requests."""

    def __init__(self, own, folder, every_s, names, uplinks=(), **more):
        self.told = []
        meters = [{**_LOAD, **_METERS[name][0], "variant": _VARIANTS.get(name, {})} for name in names]
        plan = {"settings": "9600 8N1", "served_by": "exact", "drive": True, "meters": meters}
        self.line = own(Line(plan, lambda *what: self.told.append(what)))
        self.asked = []
        write = self.line.wire.write
        self.line.wire.write = lambda data, now_us: (self.asked.append(bytes(data)), write(data, now_us))
        sections = []
        for name in names:
            section, points = _METERS[name]
            section = {"name": name, "line": "A", "protocol": "modbus", **section, "every_s": every_s, "points": points}
            if section["protocol"] == "cjt188":
                section["reads_per_day_max"] = 86400
            sections.append({"settings": "9600 8N1", "timeout_ms": 250, "retries": 1, **section})
        self.gateway = own(Gateway(folder / "board", configured(sections, uplinks), {"1": self.line.uart(4)}, **more))
        self.line.start()
        self.gateway.start()

    def meter(self, name):
        """The simulated meter of that name."""
        section = _METERS[name][0]
        return self.line.meters[section.get("unit") or section["number"]]

    def records(self, kind=None, meter=None):
        if not self.gateway.ring.exists():
            return []
        found = [record for _, record in read_image(self.gateway.ring)[1] if record is not None]
        if kind:
            found = [record for record in found if record.kind == _KINDS[kind]]
        return [record for record in found if meter in (None, getattr(record, "meter", None))]

    def events(self, kind):
        """The events of that kind in the flash log, as dicts."""
        found = [json.loads("{%s}" % record.members) for record in self.records() if hasattr(record, "members")]
        return [event for event in found if event.get("event") == kind]


# -- what the meters said, read by hand -------------------------------------------------------------------------------


def _digits(data):
    """The number of decimal digits, two in a byte, the last two first."""
    return int(bytes(reversed(data)).hex())


def _said_by_registers(profile, first, data):
    for name, register, text, _, decimals, _ in profile.points:
        form = Form(text)
        part = data[2 * (register - first) :][: 2 * form.n_registers] if register >= first else b""
        if text[:3] == "f32" and len(part) == 4:
            yield name, round(Fraction(struct.unpack(">f", part)[0]) * 10**decimals / form.divisor)


def _said_by_dlt645(profile, di, data):
    rows = {row[1]: row for row in profile.points}
    for register in dict(profile.blocks).get(di, (di,)):
        name, _, text, *_ = rows[register]
        n = int(text[3])
        part, data = data[:n], data[n:]
        is_negative = text[-1] == "s" and part[-1] & 0x80
        yield name, -_digits(part[:-1] + bytes([part[-1] & 0x7F])) if is_negative else _digits(part)


def _said_by_cjt188(data):
    if len(data) == 6:
        return {"volume": _digits(data[:4])}.items()
    # Of a heat meter: unit and value, five times; kWh, kW, m3/h, m3 here.
    assert (data[5], data[10], data[15], data[20]) == (0x05, 0x17, 0x35, 0x2C)
    values = [_digits(data[at : at + 4]) for at in (6, 11, 16, 21)]
    return {
        "heat_gj": values[0] * 36,
        "heat_power": values[1] * 100,
        "flow": values[2],
        "volume": values[3],
        "temperature_supply": _digits(data[25:28]),
        "temperature_return": _digits(data[28:31]),
        "working_hours": _digits(data[31:34]),
    }.items()


def _said(site, name):
    """{point: [(when in Unix seconds, value), ..]} of a meter."""
    section = _METERS[name][0]
    profile = profile_of(section["profile"])
    begun_s = time.time() - time.monotonic()
    found = {}
    for at_us, address, register, data in list(site.told):
        if address != (section.get("unit") or section["number"]):
            continue
        if profile.protocol == "modbus":
            values = _said_by_registers(profile, register, data)
        elif profile.protocol == "cjt188":
            values = _said_by_cjt188(data)
        elif register in [row[1] for row in profile.points if row[5] == "about"]:
            continue
        else:
            values = _said_by_dlt645(profile, register, data)
        for point, value in values:
            found.setdefault(point, []).append((begun_s + at_us / 1000000, value))
    return found


def _compare(site, name):
    """How many stored values are what the meter said for that slot; fails if one is not."""
    said = _said(site, name)
    n = 0
    for reading in site.records("reading", name):
        assert [point[0] for point in reading.points] == _METERS[name][1]
        for (point, _, _, klass), value in zip(reading.points, reading.values):
            # Gauges are read once all meters' registers have been.
            after_s = 1.5 if klass == "register" else 6
            if value is None:
                # Its registers were asked for while it answered what is no number, its gauges were not.
                assert name == "old" and reading.quality & 32
                continue
            near = [each for at_s, each in said[point] if -4 < at_s - reading.at_s < after_s]
            assert value in near, (name, reading.slot_s, point, value, near)
            n += 1
    return n


def _readings(site, n):
    """True once each meter has so many readings."""
    return all(len(site.records("reading", name)) >= n for name in _METERS)


def test_five_meters_of_four_protocols_on_one_line(own, tmp_path):
    # So long that the line is free between two slots: numbers are asked for then.
    site = _Site(own, tmp_path, 5, list(_METERS))
    wait_for(lambda: _readings(site, 2), 20, "two readings of each meter")
    wait_for(lambda: len(site.events("meter_identified")) >= 4, 8, "their numbers")
    _identified(site)
    _console(site)
    # Of the others none is missed while one answers what is no number.
    n = {name: len(site.records("reading", name)) for name in _METERS}
    missed = len(site.records("miss"))
    site.meter("old").faults = {"not_bcd": 1000000}
    wait_for(lambda: [m for m in site.records("miss", "old") if m.cause == "bad data"], 10, "a miss")
    text = answer(site.gateway, "read old")
    assert "answers what is no value" in text and "9010" in text and "not BCD" in text
    site.meter("old").faults = {}
    done_s = time.time()
    wait_for(lambda: any(r.at_s > done_s for r in site.records("reading", "old")), 10, "the old meter again")
    assert all(m.meter == "old" and m.cause == "bad data" for m in site.records("miss")[missed:])
    assert all(len(site.records("reading", name)) > n[name] for name in _METERS if name != "old")
    site.gateway.kill()
    site.line.close()
    for name in _METERS:
        assert _compare(site, name) >= 2 * len(_METERS[name][1]), name
    first = site.records("reading", "feeder")[0]
    at = {point[0]: value for point, value in zip(first.points, first.values)}
    assert (
        at["energy_import"] == sum(at["energy_import_t%d" % tariff] for tariff in range(1, 5)) and at["energy_reactive_2"] < 0
    )
    # The order that the water meter knows was found once, and kept.
    orders = [data[-5:-3].hex() for data in site.asked if digit_bytes(_METERS["water"][0]["number"]) in data]
    assert orders.count("1f90") == 1 and orders.count("901f") > 2
    for name in _METERS:
        assert site.meter(name).counts["exceptions"] == 0 and getattr(site.meter(name), "writes", 0) == 0
    print({name: count for name, count in site.line.wire.counts.items() if count})


def _identified(site):
    """Those that can tell their own number have told it, once each."""
    found = {event["m"]: event["serial_number"] for event in site.events("meter_identified")}
    expected = {
        "panel": "21234567",
        "feeder": "000000004711",
        "water": "01501700000907",
        "heat": "42590008210438",
    }
    # Whether a meter of 1997 tells is for its profile to say.
    assert {name: found[name] for name in expected} == expected
    assert len(site.events("meter_identified")) == len(found) and site.events("meter_replaced") == []


def _console(site):
    """What a person sees who reads a meter."""
    text = answer(site.gateway, "read feeder")
    for word in ("energy_import 12", "energy_import_t4", "energy_reactive_2 -", "voltage_l1 230.2 V", " ms; not stored"):
        assert word in text, text
    text = answer(site.gateway, "read feeder serial_number clock_date")
    assert "serial_number 000000004711" in text and "clock_date 2025-11-22" in text
    assert "energy_import" not in text
    text = answer(site.gateway, "read old all", 10)
    for word in ("energy_import 12", "voltage_l1 230 V", "current_l1", "power"):
        assert word in text, text
    text = answer(site.gateway, "read heat all", 10)
    for word in ("heat_gj 4.", "temperature_supply 70.12 Cel", "temperature_return 50.12 Cel", "working_hours 1000 h"):
        assert word in text, text
    assert "no point colour" in answer(site.gateway, "read panel colour")
    text = answer(site.gateway, "meters")
    for name, (section, _) in _METERS.items():
        assert name in text and str(section.get("unit") or section["number"]) in text


def test_a_meter_replaced_is_an_event_and_in_points(own, tmp_path, broker, certs, receiver):
    site = _Site(own, tmp_path, 4, ["panel", "feeder", "water"], [uplink(broker.port)], ca=certs / "ca.der")
    replaced = {"panel": ("21234567", "31234567"), "feeder": ("000000004711", "000000000815")}
    events = lambda kind: {event["m"]: event for event in site.events(kind)}  # noqa: E731
    wait_for(lambda: len(events("meter_identified")) >= 3, 15, "three meters' numbers")
    site.meter("panel").registers.serial_number = int(replaced["panel"][1])
    site.meter("feeder").items.serial_number = replaced["feeder"][1]
    n = len(site.records("reading", "feeder"))
    wait_for(lambda: len(site.records("reading", "feeder")) > n, 10, "another reading")
    # As long as they answer they are the same.
    assert not events("meter_replaced")
    for name in replaced:
        site.meter(name).faults = {"silent": 1000000}
    silent = lambda: {miss.meter for miss in site.records("miss") if miss.cause == "no reply"}  # noqa: E731
    wait_for(lambda: silent() == set(replaced), 15, "two misses")
    for name in replaced:
        site.meter(name).faults = {}
    wait_for(lambda: len(events("meter_replaced")) >= 2, 15, "two meters replaced")
    assert {name: (event["old"], event["new"]) for name, event in events("meter_replaced").items()} == replaced

    def numbers():
        with receiver.lock:
            points = receiver.retained.get("gw-test/points")
        return {meter["m"]: meter["serial_number"] for meter in points["meters"]} if points else {}

    expected = {"panel": "31234567", "feeder": "000000000815", "water": "01501700000907"}
    wait_for(lambda: numbers() == expected, 25, "points with the new numbers")
