"""cjt188data: fields, units, clock and status of water, heat and gas meters, in every layout that was recorded."""

from framed import bare
from memory import golden, hexed, raised

from firmware.protocols import cjt188data
from firmware.protocols.cjt188data import Field, clock_of, is_water, read, unit_of, units_before
from firmware.protocols.payload import decimal_text

# The data of W2: now, settlement day, clock, status.
_WATER = "00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84"
# Six fields with their units behind them, clock, status; energies in kWh, power in kW, m3/h, m3.
_HEAT = (
    "11 22 33 44 05 66 55 44 33 05 34 12 00 00 17 78 56 34 12 35 42 33 18 00 2C "
    "03 19 00 10 20 00 61 27 00 26 57 23 31 03 15 20 03 01"
)
# The same with the units before them.
_BEFORE = (
    "05 11 22 33 44 05 66 55 44 33 17 34 12 00 00 35 78 56 34 12 2C 42 33 18 00 "
    "03 19 00 10 20 00 61 27 00 26 57 23 31 03 15 20 03 01"
)

# Code: unit, how much of it; CJ/T 188-2004, table of units.
_CODES = {}
for _first, _unit, _sizes in (
    (0x01, "J", (1,)),
    (0x02, "Wh", (1, 10, 100)),
    (0x05, "kWh", (1, 10, 100)),
    (0x08, "MWh", (1, 10, 100)),
    (0x0B, "kJ", (1, 10, 100)),
    (0x0E, "MJ", (1, 10, 100)),
    (0x11, "GJ", (1, 10, 100)),
    (0x14, "W", (1, 10, 100)),
    (0x17, "kW", (1, 10, 100)),
    (0x1A, "MW", (1, 10, 100)),
    (0x29, "L", (1, 10, 100)),
    (0x2C, "m3", (1, 10, 100)),
    (0x32, "L/h", (1, 10, 100)),
    (0x35, "m3/h", (1, 10, 100)),
    (0x40, "J/h", (1,)),
    (0x43, "kJ/h", (1, 10, 100)),
    (0x46, "MJ/h", (1, 10, 100)),
    (0x49, "GJ/h", (1, 10, 100)),
):
    for _i, _size in enumerate(_sizes):
        _CODES[_first + _i] = (_unit, _size)


def _changed(text, *changes):
    """The bytes of text with (offset, bytes as text) put over them."""
    data = bytearray(hexed(text))
    for at, bytes_ in changes:
        data[at : at + len(hexed(bytes_))] = hexed(bytes_)
    return bytes(data)


def _fields(kind, data):
    """{name: (value as text, unit with its size)}, clock, status."""
    fields, clock, status = read(kind, data if isinstance(data, bytes) else hexed(data))
    found = {}
    for field in fields:
        assert field.name in cjt188data.NAMES and field.name not in found
        value = None if field.value is None else decimal_text(field.value, field.decimals)
        found[field.name] = (value, ("" if field.size == 1 else "%d " % field.size) + field.unit)
    return found, clock, status


def _refused(kind, data):
    """What is said of data that cannot be read."""
    return raised(ValueError, read, kind, data if isinstance(data, bytes) else hexed(data)).args[0]


def test_unit_codes_are_all_known_and_others_are_none():
    for code in range(256):
        assert unit_of(code) == _CODES.get(code), "%02X" % code


def test_recorded_water_frames_hold_the_recorded_values():
    n = 0
    for case in golden("recorded"):
        expect = case["expect"]
        if case["protocol"] != "cjt188" or "values" not in expect:
            continue
        frame = bare(hexed(case["hex"]))
        found, clock, status = _fields(frame[1], frame[14:-2])
        values = [tuple(value) for value in expect["values"]]
        assert [found[name] for name in ("volume", "volume_settlement")[: len(values)]] == values, case["id"]
        assert sorted(found) == ["volume", "volume_settlement"]
        if "clock" in expect:
            assert clock == expect["clock"], case["id"]
        if "status" in expect:
            assert status == expect["status"], case["id"]
        n += 1
    assert n == 8


def test_recorded_heat_frames_hold_the_recorded_values():
    names = (
        ("heat", "heat"),
        ("power", "heat_power"),
        ("flow", "flow"),
        ("volume", "volume"),
        ("supply", "temperature_supply"),
        ("ret", "temperature_return"),
    )
    n = 0
    for case in golden("recorded"):
        expect = case["expect"]
        if "heat" not in expect:
            continue
        frame = bare(hexed(case["hex"]))
        found, clock, status = _fields(frame[1], frame[14:-2])
        for said, name in names:
            if said in expect:
                assert found[name] == tuple(expect[said]), (case["id"], name)
        assert found["working_hours"] == (str(int(expect["hours"])), "h")
        assert clock == expect["clock"]
        if "status" in expect:
            assert status == expect["status"]
        # The first energy is that of the settlement day, or of cooling.
        first = "cooling" if frame[1] == 0x25 else "heat_settlement"
        assert first in found
        n += 1
    assert n == 3


def test_all_fields_of_a_heat_meter_in_both_layouts():
    for text in (_HEAT, _BEFORE):
        found, clock, status = _fields(0x20, text)
        assert found == {
            "heat_settlement": ("443322.11", "kWh"),
            "heat": ("334455.66", "kWh"),
            "heat_power": ("12.34", "kW"),
            "flow": ("1234.5678", "m3/h"),
            "volume": ("1833.42", "m3"),
            "temperature_supply": ("19.03", "Cel"),
            "temperature_return": ("20.10", "Cel"),
            "working_hours": ("2761", "h"),
        }
        assert (clock, status) == ("2015-03-31 23:57:26", "0301")


def test_the_first_energy_of_cooling_meters_is_that_of_cooling():
    for kind in range(0x20, 0x2A):
        found, _, _ = _fields(kind, _HEAT)
        if kind in (0x21, 0x22, 0x25):
            assert found["cooling"] == ("443322.11", "kWh") and "heat_settlement" not in found
        else:
            assert found["heat_settlement"] == ("443322.11", "kWh") and "cooling" not in found
        assert found["heat"] == ("334455.66", "kWh")


def test_kinds_have_their_layout_and_others_are_refused():
    for kind in range(256):
        water = 0x10 <= kind <= 0x19 or 0x30 <= kind <= 0x39
        assert is_water(kind) == water
        if water:
            assert _fields(kind, _WATER)[0]["volume"] == ("556677.00", "m3")
            assert "43 bytes" in _refused(kind, _HEAT)
        elif 0x20 <= kind <= 0x29:
            assert "19 bytes" in _refused(kind, _WATER)
        else:
            assert "%02X" % kind in _refused(kind, _WATER)
            assert "%02X" % kind in _refused(kind, _HEAT)


def test_short_water_replies_have_only_volume_and_status():
    # Recorded from three makers' meters.
    for data, volume, status in (
        ("00 93 80 00 00 FF", "8093.00", "00FF"),
        ("56 33 00 00 00 FF", "33.56", "00FF"),
        ("23 01 00 00 00 FF", "1.23", "00FF"),
        ("78 56 34 12 00 FF", "123456.78", "00FF"),
    ):
        assert _fields(0x10, data) == ({"volume": (volume, "m3")}, None, status)
    # A unit code behind the volume leaves open which of the two bytes is status.
    for code in range(256):
        data = hexed("56 33 00 00") + bytes((code, 0xFF))
        if code in range(0x29, 0x2F):
            assert _refused(0x10, data).startswith("volume:") and "%02X" % code in _refused(0x10, data)
        else:
            assert _fields(0x10, data)[2] == "%02XFF" % code
    assert _fields(0x10, "FF FF FF FF 21 84") == ({"volume": (None, "m3")}, None, "2184")
    assert "volume" in _refused(0x10, "0A 00 00 00 00 FF")


def test_data_of_another_length_are_refused_with_it():
    whole = hexed(_WATER)
    for n in range(60):
        if n not in (6, 19):
            assert ("%d bytes" % n) in _refused(0x10, (whole + whole + whole + whole)[:n])
    whole = hexed(_HEAT)
    for n in range(90):
        if n != 43:
            assert ("%d bytes" % n) in _refused(0x20, (whole + whole + whole)[:n])


def test_a_reply_of_the_length_of_water_with_other_fields_is_refused():
    # A maker's own layout: total, decimals, flow, temperature, time, date, status, without a unit byte.
    assert "unit" in _refused(0x10, "45 23 01 00 03 12 00 00 21 59 30 12 22 11 25 00 00 00 00")


def test_water_must_be_in_units_of_volume():
    for code in range(256):
        for at, name in ((4, "volume"), (9, "volume_settlement")):
            data = _changed(_WATER, (at, "%02X" % code))
            unit = _CODES.get(code)
            if unit and unit[0] in ("L", "m3"):
                size = "" if unit[1] == 1 else "%d " % unit[1]
                assert _fields(0x10, data)[0][name] == ("556677.00", size + unit[0])
            else:
                said = _refused(0x10, data)
                assert said.startswith(name + ":") and "%02X" % code in said


def test_units_before_and_behind_or_at_neither_place_are_refused():
    # A unit code is also two digits: here one stands before and one behind each value.
    both = "05 11 22 33 05 05 66 55 44 05 17 34 12 00 17 35 78 56 34 35 2C 42 33 18 2C "
    rest = _HEAT[3 * 25 :]
    assert "before and behind" in _refused(0x20, both + rest)
    # One group with none is enough to know.
    for at in range(0, 25, 5):
        for offset, layout in ((4, _HEAT), (0, _BEFORE)):
            data = _changed(layout, (at + offset, "00"))
            assert _refused(0x20, data).startswith("units:"), (at, offset)
    for byte in ("00 ", "FF "):
        assert "none" in _refused(0x20, _changed(_HEAT, (0, byte * 25)))
    # One is enough where the others have no value.
    for layout in (_HEAT, _BEFORE):
        found, _, _ = _fields(0x20, _changed(layout, (0, "FF " * 20)))
        assert found["volume"] == ("1833.42", "m3") and found["heat"] == (None, "")


def test_a_meter_whose_layout_is_known_is_read_by_it_though_both_would_do():
    assert units_before(0x20, hexed(_HEAT)) is False
    assert units_before(0x20, hexed(_BEFORE)) is True
    both = hexed("05 11 22 33 05 05 66 55 44 05 17 34 12 00 17 35 78 56 34 35 29 42 33 18 29 " + _HEAT[3 * 25 :])
    assert units_before(0x20, both) is None
    found = {field.name: field.value for field in read(0x20, both, True)[0]}
    assert (found["heat_settlement"], found["volume"]) == (5332211, 29183342)
    found = {field.name: field.value for field in read(0x20, both, False)[0]}
    assert (found["heat_settlement"], found["volume"]) == (33221105, 18334229)
    # What is known does not make another layout good.
    for known in (True, False, None):
        for text in (_HEAT, _BEFORE):
            assert [field.name for field in read(0x20, hexed(text), known)[0]] == [
                "heat_settlement",
                "heat",
                "heat_power",
                "flow",
                "volume",
                "temperature_supply",
                "temperature_return",
                "working_hours",
            ]
        assert raised(ValueError, read, 0x20, _changed(_HEAT, (4, "00")), known).args[0].startswith("units:")
    assert units_before(0x20, _changed(_HEAT, (4, "00"))) is None
    for kind in (0x1F, 0x2A, 0x10):
        assert units_before(kind, hexed(_HEAT)) is None
    for kind in (0x21, 0x29):
        assert units_before(kind, hexed(_HEAT)) is False
    assert units_before(0x10, hexed(_WATER)) is None
    assert units_before(0x20, hexed(_WATER)) is None


def test_a_value_beyond_63_bits_is_none():
    assert Field("x", (1 << 62), 0, "m3", 1).scaled("m3", 0, True) == (1 << 62, 1)
    assert Field("x", (1 << 62), 0, "m3", 10).scaled("m3", 0, True) == (None, 10)


def test_digits_that_look_like_units_in_some_groups_do_not_matter():
    # Where the other layout has its units, digits of some values are codes too.
    found, _, _ = _fields(0x20, _changed(_HEAT, (0, "05"), (15, "35")))
    assert found["heat_settlement"] == ("443322.05", "kWh") and found["flow"] == ("1234.5635", "m3/h")
    found, _, _ = _fields(0x20, _changed(_BEFORE, (4, "05"), (9, "14"), (24, "29")))
    assert found["heat_settlement"] == ("53322.11", "kWh") and found["heat"] == ("144455.66", "kWh")
    assert found["volume"] == ("291833.42", "m3")


def test_heat_must_be_in_units_of_the_quantity():
    wanted = (
        (4, "heat_settlement", ("J", "Wh", "kWh", "MWh", "kJ", "MJ", "GJ")),
        (9, "heat", ("J", "Wh", "kWh", "MWh", "kJ", "MJ", "GJ")),
        (14, "heat_power", ("W", "kW", "MW", "J/h", "kJ/h", "MJ/h", "GJ/h")),
        (19, "flow", ("L/h", "m3/h")),
        (24, "volume", ("L", "m3")),
    )
    for at, name, units in wanted:
        for code in sorted(_CODES):
            data = _changed(_HEAT, (at, "%02X" % code))
            unit, size = _CODES[code]
            if unit in units:
                assert _fields(0x20, data)[0][name][1] == ("" if size == 1 else "%d " % size) + unit
            else:
                said = _refused(0x20, data)
                assert said.startswith(name + ":") and "%02X" % code in said, (name, unit)


def test_what_is_filled_with_ff_is_no_value():
    for unit in ("2C", "FF"):
        found, _, _ = _fields(0x10, _changed(_WATER, (0, "FF FF FF FF " + unit)))
        assert found["volume"] == (None, "m3" if unit == "2C" else "") and found["volume_settlement"] == ("556677.00", "m3")
    for text, at, value_at in ((_HEAT, 5, 5), (_BEFORE, 5, 6)):
        for filled_from, n in ((value_at, 4), (at, 5)):
            found, clock, _ = _fields(0x20, _changed(text, (filled_from, "FF " * n)))
            assert found["heat"][0] is None
            assert found["heat_settlement"] == ("443322.11", "kWh") and found["heat_power"] == ("12.34", "kW")
            assert clock
    for at, name in ((25, "temperature_supply"), (28, "temperature_return"), (31, "working_hours")):
        found, _, _ = _fields(0x20, _changed(_HEAT, (at, "FF FF FF")))
        assert found[name][0] is None
        assert len([value for value, _ in found.values() if value is None]) == 1
    found, clock, status = _fields(0x20, _changed(_HEAT, (34, "FF " * 9)))
    assert (clock, status) == (None, "FFFF")


def test_a_value_of_ff_with_a_unit_keeps_it_and_one_without_fits_any():
    fields, _, _ = read(0x10, _changed(_WATER, (0, "FF FF FF FF 2C")))
    assert fields[0].scaled("m3", 2, True) == (None, 1)
    fields, _, _ = read(0x10, _changed(_WATER, (0, "FF FF FF FF FF")))
    assert fields[0].scaled("m3", 2, True) == (None, 1)
    fields, _, _ = read(0x20, _changed(_HEAT, (5, "FF FF FF FF FF")))
    assert fields[1].scaled("GJ", 6, True) == (None, 1)


def test_partly_filled_fields_are_no_numbers_and_refused_by_name():
    for text, kind, at, name in (
        (_WATER, 0x10, 0, "volume"),
        (_WATER, 0x10, 5, "volume_settlement"),
        (_HEAT, 0x20, 0, "heat_settlement"),
        (_HEAT, 0x20, 5, "heat"),
        (_HEAT, 0x20, 10, "heat_power"),
        (_HEAT, 0x20, 15, "flow"),
        (_HEAT, 0x20, 20, "volume"),
        (_HEAT, 0x20, 25, "temperature_supply"),
        (_HEAT, 0x20, 28, "temperature_return"),
        (_HEAT, 0x20, 31, "working_hours"),
    ):
        for byte in ("FF", "0A", "A0"):
            assert _refused(kind, _changed(text, (at, byte))) == name + ": not BCD"


def test_a_clock_that_is_none_is_no_fault():
    good = "31 01 22 11 05 15 20"
    assert clock_of(hexed(good), 0) == "2015-05-11 22:01:31"
    assert clock_of(hexed("FF " + good), 1) == "2015-05-11 22:01:31"
    for at, byte in (
        (0, "60"),
        (0, "FF"),
        (0, "1A"),
        (1, "60"),
        (1, "99"),
        (2, "24"),
        (2, "25"),
        (3, "00"),
        (3, "32"),
        (4, "00"),
        (4, "13"),
        (6, "00"),
        (6, "FF"),
        (5, "A5"),
    ):
        assert clock_of(_changed(good, (at, byte)), 0) is None, (at, byte)
    for text in ("00 " * 7, "FF " * 7, "99 " * 7, "00 00 00 01 01 89 19"):
        assert clock_of(hexed(text), 0) is None
    found, clock, status = _fields(0x10, _changed(_WATER, (10, "00 " * 7)))
    assert (found["volume"], clock, status) == (("556677.00", "m3"), None, "2184")


def test_clocks_know_the_days_of_months():
    for date, good in (
        ("31 01 15 20", True),
        ("31 04 15 20", False),
        ("30 04 15 20", True),
        ("29 02 15 20", False),
        ("29 02 16 20", True),
        ("30 02 16 20", False),
        ("29 02 00 20", True),
        ("29 02 00 21", False),
        ("31 06 15 20", False),
        ("31 09 15 20", False),
        ("31 11 15 20", False),
        ("32 01 15 20", False),
        ("31 03 15 20", True),
        ("32 03 15 20", False),
        ("31 05 15 20", True),
        ("32 05 15 20", False),
        ("30 06 15 20", True),
        ("31 07 15 20", True),
        ("32 07 15 20", False),
        ("31 08 15 20", True),
        ("32 08 15 20", False),
        ("30 09 15 20", True),
        ("31 10 15 20", True),
        ("32 10 15 20", False),
        ("30 11 15 20", True),
        ("32 12 15 20", False),
        ("31 12 99 20", True),
        ("31 12 90 19", True),
    ):
        day, month, low, high = date.split()
        wanted = "%s%s-%s-%s 00:00:00" % (high, low, month, day) if good else None
        assert clock_of(hexed("00 00 00 " + date), 0) == wanted, date


def test_a_field_in_another_unit_is_exact_or_refused():
    # value, unit, size -> wanted unit, decimals: value, step. By hand: 1 kWh is 0.0036 GJ.
    for value, unit, size, wanted, decimals, scaled, step in (
        (100, "kWh", 1, "GJ", 6, 3600, 36),
        (1, "kWh", 1, "GJ", 6, 36, 36),
        (99999999, "kWh", 100, "GJ", 6, 359999996400, 3600),
        (532819, "kWh", 1, "GJ", 6, 19181484, 36),
        (1, "MWh", 1, "GJ", 6, 36000, 36000),
        (1, "MWh", 10, "GJ", 6, 360000, 360000),
        (1, "MJ", 1, "GJ", 6, 10, 10),
        (12345678, "MJ", 1, "GJ", 6, 123456780, 10),
        (1, "kJ", 100, "GJ", 6, 1, 1),
        (1, "GJ", 1, "GJ", 6, 10000, 10000),
        (12345678, "GJ", 1, "GJ", 2, 12345678, 1),
        (1, "GJ", 100, "GJ", 2, 100, 100),
        (1, "Wh", 100, "GJ", 8, 360, 360),
        (1, "m3", 1, "m3", 2, 1, 1),
        (1, "m3", 10, "m3", 2, 10, 10),
        (1, "L", 100, "m3", 3, 1, 1),
        (12345678, "L", 1, "m3", 5, 12345678, 1),
        (12345678, "L", 100, "m3", 5, 1234567800, 100),
        (5, "m3", 1, "L", 0, 50, 10),
    ):
        field = Field("x", value, 2, unit, size)
        assert field.scaled(wanted, decimals, True) == (scaled, step), (value, unit, wanted)
        assert field.scaled(wanted, decimals, False) == (scaled, step)
        field = Field("x", -value, 2, unit, size)
        assert field.scaled(wanted, decimals, True) == (-scaled, step)
        assert Field("x", None, 2, unit, size).scaled(wanted, decimals, True) == (None, step)


def test_a_register_that_is_more_exact_than_its_point_is_refused():
    for unit, size, wanted, decimals, step in (
        ("Wh", 1, "GJ", 6, 1),
        ("Wh", 10, "GJ", 6, 1),
        ("Wh", 100, "GJ", 6, 4),  # a step is 1 Wh, 3.6 of a millionth GJ
        ("kWh", 1, "GJ", 4, 1),
        ("J", 1, "GJ", 6, 1),
        ("kJ", 1, "GJ", 6, 1),
        ("kJ", 10, "GJ", 6, 1),
        ("MJ", 1, "GJ", 4, 1),
        ("GJ", 1, "GJ", 1, 1),
        ("L", 1, "m3", 2, 1),
        ("L", 100, "m3", 2, 1),
        ("m3", 1, "m3", 1, 1),
    ):
        field = Field("heat", 123456, 2, unit, size)
        said = raised(ValueError, field.scaled, wanted, decimals, True).args[0]
        assert said.startswith("heat:") and unit in said
        # What moves up and down is rounded.
        assert field.scaled(wanted, decimals, False)[1] == step


def test_a_gauge_in_another_unit_is_rounded_once():
    # value of two decimals, unit -> unit, decimals: by hand; 1 MJ/h is 1/3.6 kW.
    for value, unit, size, wanted, decimals, scaled, step in (
        (3600, "MJ/h", 1, "kW", 4, 100000, 28),
        (1, "MJ/h", 1, "kW", 4, 28, 28),
        (5, "MJ/h", 1, "kW", 4, 139, 28),
        (100, "GJ/h", 1, "kW", 4, 2777778, 27778),
        (1234, "W", 1, "kW", 4, 123, 1),
        (1250, "W", 1, "kW", 4, 125, 1),
        (5, "W", 10, "kW", 4, 5, 1),
        (1234, "kW", 1, "kW", 4, 123400, 100),
        (1, "MW", 1, "kW", 4, 100000, 100000),
        (15, "W", 1, "kW", 3, 0, 1),
        (50, "W", 1, "kW", 3, 0, 1),
        (150, "W", 1, "kW", 3, 2, 1),
        (250, "W", 1, "kW", 3, 2, 1),
        (100, "J/h", 1, "kW", 4, 0, 1),
        # 999999.99 of them: 1 kJ/h is 1/3600 kW.
        (99999999, "J/h", 1, "kW", 9, 277777775, 3),
        (99999999, "kJ/h", 1, "kW", 6, 277777775, 3),
        (99999999, "MJ/h", 1, "kW", 3, 277777775, 3),
        (99999999, "GJ/h", 1, "kW", 0, 277777775, 3),
        (99999999, "W", 1, "kW", 5, 99999999, 1),
        (99999999, "MW", 1, "kW", 4, 9999999900000, 100000),
    ):
        field = Field("x", value, 2, unit, size)
        assert field.scaled(wanted, decimals, False) == (scaled, step), (value, unit, wanted, decimals)
    assert Field("flow", 123456, 4, "L/h", 1).scaled("m3/h", 4, False) == (123, 1)
    assert Field("flow", 5, 4, "L/h", 100).scaled("m3/h", 5, False) == (5, 1)
    assert Field("t", 1903, 2, "Cel", 1).scaled("Cel", 2, False) == (1903, 1)
    assert Field("t", 1905, 2, "Cel", 1).scaled("Cel", 1, False) == (190, 1)
    assert Field("t", 1915, 2, "Cel", 1).scaled("Cel", 1, False) == (192, 1)


def test_units_of_another_quantity_are_refused():
    for unit, wanted in (("kWh", "m3"), ("m3", "GJ"), ("kW", "kWh"), ("L/h", "m3"), ("Cel", "h"), ("kWh", "Cel"), ("h", "x")):
        for exact in (False, True):
            said = raised(ValueError, Field("heat", 1, 2, unit, 1).scaled, wanted, 2, exact).args[0]
            assert said.startswith("heat:") and unit in said
