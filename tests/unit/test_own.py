"""own: profiles of one's own are used like the others, and every fault in them is named with profile, row and field."""

import asyncio
import json

from asked import Line, section
from framed import cjt, dlt
from memory import golden, hexed, raised

from firmware.errors import ConfigError
from firmware.meters import equip, own
from firmware.protocols.record import GAUGE, REGISTER

_POINTS = [
    {"name": "energy_import", "register": "0100", "form": "u32~/100", "unit": "kWh", "decimals": 2, "class": "register"},
    {"name": "power", "register": "0000", "form": "i16/1000", "unit": "kW", "decimals": 3, "class": "gauge"},
    {"name": "oil_level_2", "register": "0002", "form": "u16!FFFF", "unit": "%", "decimals": 0, "class": "gauge"},
    {"name": "serial_number", "register": "0000", "form": "u32", "unit": "", "decimals": 0, "class": "about"},
]
_MODBUS = {
    "model": "Acme 9",
    "source": "Acme 9 manual, page 3",
    "protocol": "modbus",
    "settings": "19200 8E1",
    "default": ["energy_import", "power"],
    "points": _POINTS,
    "function": 3,
    "about_function": 4,
    "most": 60,
    "gap": 4,
    "forbidden": ["0003"],
    "reads_per_day": 0,
}
_DLT = {
    "model": "Acme E",
    "source": "Acme E manual",
    "protocol": "dlt645",
    "default": ["energy_import"],
    "points": [
        {"name": "energy_import", "register": "00010000", "form": "bcd4", "unit": "kWh", "decimals": 2, "class": "register"},
        {"name": "demand_a", "register": "0101FF01", "form": "bcd3+5", "unit": "kW", "decimals": 4, "class": "gauge"},
        {"name": "demand_b", "register": "0101FF02", "form": "bcd3s+5", "unit": "kW", "decimals": 4, "class": "gauge"},
        {"name": "maker", "register": "04000404", "form": "text6", "unit": "", "decimals": 0, "class": "about"},
    ],
    "blocks": [{"register": "0101FF00", "items": ["0101FF01", "0101FF02"]}],
}
_OLD = {
    "model": "Acme O",
    "source": "Acme O manual",
    "protocol": "dlt645-1997",
    "default": ["energy_import"],
    "points": [
        {"name": "energy_import", "register": "901F", "form": "bcd4..", "unit": "kWh", "decimals": 2, "class": "register"},
    ],
}
_CJT = {
    "model": "Acme W",
    "source": "Acme W manual",
    "protocol": "cjt188",
    "default": ["volume"],
    "reads_per_day": 4,
    "points": [
        {"name": "volume", "register": "volume", "unit": "m3", "decimals": 3, "class": "register"},
        {"name": "hot", "register": "temperature_supply", "form": "", "unit": "Cel", "decimals": 1, "class": "gauge"},
    ],
}


def _copy(value):
    return json.loads(json.dumps(value))


def _fault(raw):
    return raised(ConfigError, own.profiles_of, raw)


def _changed(table, path, value):
    """A copy of the table with another value at a path of keys and indices; _GONE: without it."""
    table = _copy(table)
    at = table
    for key in path[:-1]:
        at = at[key]
    if value is _GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return table


_GONE = object()


def _place(path):
    """'profiles.mine.points[1].form' of a path."""
    text = "profiles.mine"
    for key in path:
        text += "[%d]" % key if isinstance(key, int) else "." + key
    return text


def _meter(table, pairs, points, **keys):
    found = own.profiles_of({"mine": _copy(table)})
    of = section("mine", points, protocol=table["protocol"], **keys)
    return equip.meter_of(of, Line(pairs), equip.asking_of(table["protocol"]), found)


def test_a_modbus_profile_of_ones_own_is_read():
    # A gap that is allowed, a register that is not: two requests for the low registers.
    pairs = [
        (hexed("01 03 00 00 00 03 05 CB"), None),
        (hexed("01 03 01 00 00 02 C5 F7"), None),
    ]
    pairs[0] = (pairs[0][0], _reply(3, "FA 24 BA AD 00 2A"))
    pairs[1] = (pairs[1][0], _reply(3, "61 4E 00 BC"))
    found = _meter(_MODBUS, pairs, ("energy_import", "power", "oil_level_2"))
    assert asyncio.run(found.read()) == ([12345678, -1500, 42], True)
    assert found.points == (
        ("energy_import", "kWh", 2, REGISTER),
        ("power", "kW", 3, GAUGE),
        ("oil_level_2", "%", 0, GAUGE),
    )
    assert found.settings_text == "19200 8E1" and found.model == "Acme 9"
    found.line.pairs = [(hexed("01 04 00 00 00 02 71 CB"), _reply(4, "00 00 12 67"))]
    assert asyncio.run(found.read_serial()) == "4711"
    assert [point[0] for point in _meter(_MODBUS, (), ()).points] == ["energy_import", "power"]


def _reply(function, data):
    """A reply of unit 1, its checksum one bit at a time."""
    body = bytes((1, function, len(hexed(data)))) + hexed(data)
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return body + bytes((crc & 0xFF, crc >> 8))


def test_a_forbidden_register_is_not_read():
    table = _changed(_MODBUS, ("forbidden",), ["0001"])
    found = _meter(table, (), ("power", "oil_level_2"))
    assert [block.request[:6] for block in found.blocks] == [hexed("01 03 00 00 00 01"), hexed("01 03 00 02 00 01")]
    found = _meter(_MODBUS, (), ("power", "oil_level_2"))
    assert [block.request[:6] for block in found.blocks] == [hexed("01 03 00 00 00 03")]
    table = _changed(_MODBUS, ("gap",), 0)
    assert len(_meter(table, (), ("power", "oil_level_2")).blocks) == 2


def test_a_dlt645_profile_of_ones_own_is_read():
    number = "123456789012"

    def pair(di, data):
        return b"\xfe" * 4 + dlt(number, 0x11, hexed(di)), dlt(number, 0x91, hexed(di) + hexed(data))

    found = _meter(_DLT, [pair("00 00 01 00", "26 00 00 00")], (), number=number)
    assert asyncio.run(found.read()) == ([26], True)
    # Each item has its time behind it.
    block = pair("00 FF 01 01", "34 12 00 34 12 05 06 25 78 56 80 34 12 05 06 25")
    found = _meter(_DLT, [block], ("demand_b", "demand_a"), number=number)
    assert asyncio.run(found.read()) == ([-5678, 1234], True)


def test_profiles_of_ones_own_of_1997_and_of_cjt188_are_read():
    number = "138000130754"
    request = b"\xfe" * 4 + dlt(number, 1, hexed("1F 90"))
    reply = dlt(number, 0x81, hexed("1F 90 34 12 00 00 11 11 00 00"))
    found = _meter(_OLD, [(request, reply)], (), number=number)
    assert asyncio.run(found.read()) == ([1234], True)
    number = "78330011223344"
    request = b"\xfe" * 4 + cjt(0xAA, number, 1, hexed("1F 90 00"))
    data = hexed("1F 90 00 78 56 34 12 2C 00 00 00 00 2C 31 01 22 11 05 15 20 00 00")
    found = _meter(_CJT, [(request, cjt(0x10, number, 0x81, data))], (), number=number)
    assert asyncio.run(found.read()) == ([123456780], True)
    assert found.points == (("volume", "m3", 3, REGISTER),)
    assert own.profiles_of({"mine": _copy(_CJT)})["mine"].on_battery


def test_several_profiles_are_kept_by_their_names():
    found = own.profiles_of({"a": _copy(_MODBUS), "B-2": _copy(_DLT), "c_3": _copy(_CJT)})
    assert {name: found[name].name for name in found} == {"a": "a", "B-2": "B-2", "c_3": "c_3"}
    assert own.profiles_of({}) == {}
    assert [found[name].protocol for name in ("a", "B-2", "c_3")] == ["modbus", "dlt645", "cjt188"]


def test_what_is_left_out_is_as_in_the_firmwares_own_tables():
    table = _copy(_MODBUS)
    for key in ("settings", "function", "about_function", "most", "gap", "forbidden", "reads_per_day"):
        del table[key]
    # Points and what is said of the meter are read by different functions.
    found = own.profiles_of({"mine": table})["mine"]
    assert (found.function, found.about_function, found.most, found.gap, found.forbidden) == (4, 3, 125, 0, ())
    assert found.reads_per_day == 0 and not found.on_battery
    assert found.settings == "9600 8N1"


def test_the_file_is_an_object_of_a_few_profiles():
    for raw in ([], None, 1, "x", True):
        assert _fault(raw).key == "profiles"
    many = {"p%d" % i: _copy(_OLD) for i in range(16)}
    assert len(own.profiles_of(many)) == 16
    many["p16"] = _copy(_OLD)
    assert _fault(many).key == "profiles"


def test_a_profiles_name_is_its_own():
    for name in ("", "a b", "a:b", "a" * 33, "\u00e4", "a.b"):
        assert _fault({name: _copy(_MODBUS)}).key == "profiles." + name
    for value in ([], None, "x", 1):
        assert _fault({"mine": value}).key == "profiles.mine"


# Path, values that are refused there; the place that is named is the path's.
_BAD = (
    (("protocol",), ("", "Modbus", "mbus", 1, None, ["modbus"])),
    (("model",), (1, None, "m" * 65, "a\nb", [], {})),
    (("source",), (1, None, "s" * 121, "a\tb")),
    (("settings",), ("9600", "9600 8X1", "8N1", 9600, None, "", [])),
    (("default",), ([], "power", [1], ["power", "power"], ["powr"], ["serial_number"], [""], None, {})),
    (("reads_per_day",), (-1, 86401, 1.0, True, "24", None)),
    (("function",), (0, 1, 2, 5, 3.0, "3", True, None)),
    (("about_function",), (0, 5, "4", None)),
    (("most",), (0, 3, 126, 60.0, "60", None)),
    (("gap",), (-1, 126, 1.0, "1", None)),
    (("forbidden",), ("0003", 3, None, {}, ["0003"] * 65)),
    (("forbidden", 0), (3, "3", "00003", "000G", "0x03", "00a3", None, [])),
    (("points",), ([], {}, None, "x", [_POINTS[0]] * 65)),
    (("points", 1), ([], None, "x", 1)),
    (("points", 1, "name"), ("", "Power", "a b", "a-b", "a:b", "p" * 33, "\u00e4", 1, None, [])),
    (("points", 1, "register"), (0, "0", "00000", "000g", "00aa", "0x00", " 000", "-001", None, [], "10000")),
    (("points", 1, "form"), ("", "u8", "u16/0", "u16~", "f64", "bcd4", "i16!FF", 1, None, [], "i16 ")),
    (("points", 1, "unit"), ("", "k W", "k:W", "kilowatts", 1, None, "a\nb")),
    (("points", 1, "decimals"), (-1, 10, 3.0, "3", True, None)),
    (("points", 1, "class"), ("", "Gauge", "counter", 1, None, [])),
)


def test_every_fault_of_a_modbus_profile_is_named():
    for path, values in _BAD:
        for value in values:
            error = _fault({"mine": _changed(_MODBUS, path, value)})
            assert error.key == _place(path), (path, value, error.args)
            assert error.allowed.startswith("must "), (path, value, error.args)


def test_what_is_needed_and_missing_is_named():
    for path in [(key,) for key in ("model", "source", "protocol", "default", "points")] + [
        ("points", 2, key) for key in ("name", "register", "form", "unit", "decimals", "class")
    ]:
        assert _fault({"mine": _changed(_MODBUS, path, _GONE)}).key == _place(path), path
    for table in (_DLT, _OLD):
        assert _fault({"mine": _changed(table, ("points", 0, "form"), _GONE)}).key == "profiles.mine.points[0].form"


def test_keys_nobody_knows_are_named():
    for table, path in (
        (_MODBUS, ("colour",)),
        (_MODBUS, ("Model",)),
        (_MODBUS, ("blocks",)),
        (_MODBUS, ("points", 0, "scale")),
        (_MODBUS, ("points", 3, "Unit")),
        (_DLT, ("function",)),
        (_DLT, ("forbidden",)),
        (_DLT, ("gap",)),
        (_DLT, ("most",)),
        (_DLT, ("about_function",)),
        (_OLD, ("most",)),
        (_CJT, ("blocks",)),
        (_CJT, ("forbidden",)),
        (_CJT, ("function",)),
        (_CJT, ("points", 1, "field")),
    ):
        error = _fault({"mine": _changed(table, path, [])})
        assert error.key == _place(path), path
        assert error.allowed.startswith("is no key")


def test_points_that_overlap_or_stand_twice_are_named():
    for index, register in (
        # The second register of another; the first; the same.
        (1, "0101"),
        (1, "00FF"),
        (1, "0100"),
        (2, "0000"),
    ):
        table = _changed(_MODBUS, ("points", index, "register"), register)
        table["points"][1]["form"] = "i32"
        assert _fault({"mine": table}).key == "profiles.mine.points[%d].register" % index, register
    for table, i, k in ((_MODBUS, 0, 1), (_MODBUS, 1, 2), (_DLT, 0, 1), (_DLT, 1, 2), (_CJT, 0, 1)):
        table = _copy(table)
        for key in ("name", "unit", "class"):
            table["points"][k][key] = table["points"][i][key]
        if table["protocol"] == "cjt188":
            table["points"][k]["register"] = "volume_settlement"
        assert _fault({"mine": table}).key == "profiles.mine.points[%d].name" % k
    table = _changed(_MODBUS, ("points", 1, "form"), "i64")
    assert _fault({"mine": table}).key == "profiles.mine.points[2].register"
    # What is read by another function is another register.
    table = _changed(_MODBUS, ("about_function",), 3)
    assert _fault({"mine": table}).key == "profiles.mine.points[3].register"
    for table, path, value in (
        (_DLT, ("points", 1, "register"), "00010000"),
        (_DLT, ("points", 3, "register"), "00010000"),
        (_CJT, ("points", 1, "register"), "volume"),
    ):
        table = _changed(table, path, value)
        table["points"][path[1]]["unit"] = table["points"][0]["unit"]
        error = _fault({"mine": table})
        assert error.key == _place(path)


def test_points_may_touch_in_any_order():
    table = _changed(_MODBUS, ("points", 0, "register"), "0003")
    table["points"][2]["register"] = "0005"
    table["points"][1]["register"] = "0002"
    assert len(own.profiles_of({"mine": table})["mine"].points) == 4


def test_bounds_themselves_are_good():
    for key, values in (("most", (4, 125)), ("gap", (0, 125)), ("function", (3, 4)), ("reads_per_day", (0, 86400))):
        for value in values:
            # Without the point of class about, which would be another's register by the same function.
            table = _changed(_MODBUS, (key,), value)
            del table["points"][3]
            found = own.profiles_of({"mine": table})["mine"]
            assert getattr(found, key) == value
    points = [dict(_POINTS[2], name="p%d" % i, register="%04X" % i) for i in range(64)]
    names = [point["name"] for point in points]
    table = dict(_MODBUS, points=points, default=names[:32])
    assert len(own.profiles_of({"mine": _copy(table)})["mine"].points) == 64
    assert _fault({"mine": _copy(dict(table, default=names[:33]))}).key == "profiles.mine.default"
    for key, most in (("model", 64), ("source", 120)):
        own.profiles_of({"mine": _changed(_MODBUS, (key,), "x" * most)})
    table = _changed(_MODBUS, ("points", 2, "name"), "p" * 32)
    table["points"][2]["unit"] = "x" * 8
    own.profiles_of({"mine": table})


def test_registers_end_where_they_end():
    for register, form in (("FFFF", "u32"), ("FFFD", "u64"), ("FFFF", "f32~")):
        table = _changed(_MODBUS, ("points", 2, "register"), register)
        table["points"][2]["form"] = form
        assert _fault({"mine": table}).key == "profiles.mine.points[2].form"
    for register, form in (("FFFF", "u16"), ("FFFE", "u32"), ("FFFC", "u64")):
        table = _changed(_MODBUS, ("points", 2, "register"), register)
        table["points"][2]["form"] = form
        own.profiles_of({"mine": table})


def test_a_canonical_name_has_its_unit_and_class():
    for index, key, value in (
        (0, "unit", "Wh"),
        (0, "unit", "MWh"),
        (0, "class", "gauge"),
        (1, "class", "register"),
        (1, "unit", "W"),
    ):
        assert _fault({"mine": _changed(_MODBUS, ("points", index, key), value)}).key == "profiles.mine.points[%d].%s" % (
            index,
            key,
        )
    # One of what is said of a meter is no point of a reading, nor the reverse.
    table = _changed(_MODBUS, ("points", 2, "name"), "clock_date")
    assert _fault({"mine": table}).key == "profiles.mine.points[2].class"
    table = _changed(_MODBUS, ("points", 0, "class"), "about")
    assert _fault({"mine": table}).key == "profiles.mine.points[0].class"
    # A name of one's own has any.
    for unit, klass in (("%", "gauge"), ("bar", "gauge"), ("t", "register"), ("1", "register")):
        table = _changed(_MODBUS, ("points", 2, "unit"), unit)
        table["points"][2]["class"] = klass
        own.profiles_of({"mine": table})


def test_every_fault_of_a_dlt645_profile_is_named():
    for path, values in (
        (("points", 0, "register"), ("9010", "0001000", "000100000", "0001000g", "0001000a", 65536, None)),
        (("points", 0, "form"), ("", "u32", "bcd", "bcd9", "bcd4+", 4, None, "digits6", "text4", "hex2", "date4", "time3")),
        (("points", 3, "form"), ("", "text", "bcd0", "u16", "whatever", None, 1)),
        (("points", 3, "decimals"), (1, 2)),
        (("blocks",), ({}, "0101FF00", None, 1)),
        (("blocks", 0), ([], {}, None, "0101FF00", {"register": "0101FF00"}, {"register": "0101FF00", "items": [], "x": 1})),
        (("blocks", 0, "register"), ("0101FF0", "0101ff00", 1, None)),
        (("blocks", 0, "items"), ("0101FF01", None, {}, 1)),
        (("blocks", 0, "items", 1), ("0101FF03", "FF02", 2, None)),
    ):
        for value in values:
            error = _fault({"mine": _changed(_DLT, path, value)})
            assert error.key == _place(path), (path, value, error.args)
    for path, values in (
        (("points", 0, "register"), ("00010000", "901", "90100", "901g", 36880, None)),
        (("points", 0, "form"), ("u32", "digits2", "bcd9")),
    ):
        for value in values:
            assert _fault({"mine": _changed(_OLD, path, value)}).key == _place(path), (path, value)


def test_an_item_stands_once_in_a_block():
    error = _fault({"mine": _changed(_DLT, ("blocks", 0, "items"), ["0101FF01", "0101FF01"])})
    assert error.key == "profiles.mine.blocks[0].items[1]"


def test_every_fault_of_a_cjt188_profile_is_named():
    for path, values in (
        (("points", 0, "register"), ("", "Volume", "901F", 1, None, ["volume"])),
        (("points", 1, "form"), ("bcd3", "f32", 1, None)),
        (("points", 0, "class"), ("gauge", "about")),
        # A field is in units of its quantity.
        (("points", 1, "unit"), ("kWh", "h", "K")),
    ):
        for value in values:
            assert _fault({"mine": _changed(_CJT, path, value)}).key == _place(path), (path, value)
    table = _copy(_CJT)
    table["points"].append({"name": "mine_2", "register": "volume_settlement", "unit": "GJ", "decimals": 1, "class": "gauge"})
    assert _fault({"mine": table}).key == "profiles.mine.points[2].unit"
    table["points"][2]["unit"] = "L"
    own.profiles_of({"mine": table})


def test_one_fault_makes_all_of_it_nothing():
    good, bad = _copy(_MODBUS), _changed(_DLT, ("points", 0, "form"), "x")
    assert _fault({"good": good, "bad": bad}).key == "profiles.bad.points[0].form"


def test_the_recorded_frames_can_be_said_by_a_profile_of_ones_own():
    table = {
        "model": "PZEM",
        "source": "by hand",
        "protocol": "modbus",
        "gap": 10,
        "default": ["power"],
        "points": [
            {"name": "voltage_l1", "register": "0000", "form": "u16/10", "unit": "V", "decimals": 1, "class": "gauge"},
            {"name": "power", "register": "0003", "form": "u32~/10000", "unit": "kW", "decimals": 4, "class": "gauge"},
            {"name": "alarm", "register": "0009", "form": "u16", "unit": "1", "decimals": 0, "class": "gauge"},
        ],
    }
    (case,) = [case for case in golden("frames") if case["profile"] == "pzem004t"]
    (pair,) = case["frames"]
    found = _meter(table, [(hexed(pair[0]), hexed(pair[1]))], ("alarm", "voltage_l1", "power"))
    assert asyncio.run(found.read()) == ([0, 2257, 244], True)
