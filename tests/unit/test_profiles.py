"""Profiles: what their tables must hold, a frame on record of each, and the fewest requests for their points."""

import asyncio
import os
import sys

from asked import Line, meter, section
from framed import bare, cjt, dlt, recorded
from memory import golden, hexed, raised

from firmware import texts
from firmware.errors import ConfigError, NoReply
from firmware.meters import equip, profiles
from firmware.meters.points import ABOUT, POINTS
from firmware.protocols import cjt188data, dlt645data, numbers, record
from firmware.protocols.decoder import Decoder
from firmware.protocols.record import GAUGE, REGISTER
from firmware.unload import START_ONLY, unload
from tests.sim.seeded import Seeded

# Read once, at the import: later a small heap has no room for the file's text in one piece.
_FRAMES = golden("frames")
_UNITS = {row[0]: row[1] for row in POINTS}
_CLASSES = {row[0]: row[2] for row in POINTS}
_ABOUT = {row[0]: row[1] for row in ABOUT}
_NAME_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789_"


def _all():
    return [profiles.profile_of(name) for name in profiles.names()]


def _rows():
    """(profile, row) for every row of every profile."""
    for profile in _all():
        for row in profile.points:
            yield profile, row


# -- the tables -------------------------------------------------------------------------------------------------------


def test_canonical_points_have_one_name_unit_class_and_meaning():
    names = [row[0] for row in POINTS] + [row[0] for row in ABOUT]
    assert len(set(names)) == len(names)
    for name in names:
        # Names stand in notes of the log between spaces and colons, in topics and in CSV.
        assert 1 <= len(name) <= 32 and all(c in _NAME_CHARS for c in name), name
    for name, unit, klass, meaning in POINTS:
        assert 1 <= len(unit) <= 8 and not any(c in unit for c in " :#,"), name
        assert klass in (REGISTER, GAUGE) and meaning, name
    for name, unit, meaning in ABOUT:
        assert len(unit) <= 8 and not any(c in unit for c in " :#,") and meaning, name


def test_names_say_what_is_measured():
    for name, unit, klass, _ in POINTS:
        for begin, units, classes in (
            ("energy_reactive", ("kvarh",), (REGISTER,)),
            ("energy_apparent", ("kVAh",), (REGISTER,)),
            ("energy", ("kWh",), (REGISTER,)),
            ("voltage", ("V",), (GAUGE,)),
            ("current", ("A",), (GAUGE,)),
            ("power_factor", ("1",), (GAUGE,)),
            ("power", ("kW",), (GAUGE,)),
            ("demand", ("kW",), (GAUGE,)),
            ("reactive_power", ("kvar",), (GAUGE,)),
            ("apparent_power", ("kVA",), (GAUGE,)),
            ("phase_angle", ("deg",), (GAUGE,)),
            ("frequency", ("Hz",), (GAUGE,)),
            ("alarm", ("1",), (GAUGE,)),
            # What stood at a settlement day only changes once a month: no consumption is counted from it.
            ("volume_settlement", ("m3",), (GAUGE,)),
            ("volume", ("m3",), (REGISTER,)),
            ("heat_settlement_gj", ("GJ",), (GAUGE,)),
            ("heat_power", ("kW",), (GAUGE,)),
            ("heat_gj", ("GJ",), (REGISTER,)),
            ("cooling_gj", ("GJ",), (REGISTER,)),
            ("flow", ("m3/h",), (GAUGE,)),
            ("temperature", ("Cel",), (GAUGE,)),
            ("working_hours", ("h",), (REGISTER,)),
        ):
            if name.startswith(begin):
                assert unit in units and klass in classes, name
                break
        else:
            raise AssertionError("a name no unit is known for: " + name)


def test_every_point_of_a_profile_is_a_canonical_one_in_its_unit_and_class():
    for profile, (name, _, _, unit, decimals, klass) in _rows():
        place = (profile.name, name)
        if klass == profiles.ABOUT:
            assert _ABOUT[name] == unit, place
        else:
            assert (_UNITS[name], _CLASSES[name]) == (unit, klass), place
        assert type(decimals) is int and 0 <= decimals <= 9, place


def test_no_canonical_point_is_nobodys():
    used = {row[0] for _, row in _rows()}
    assert {row[0] for row in POINTS} | {row[0] for row in ABOUT} == used


def test_no_name_stands_twice_in_a_profile():
    for profile in _all():
        names = [row[0] for row in profile.points]
        assert len(set(names)) == len(names), profile.name


def test_no_register_stands_in_two_points():
    for profile in _all():
        taken = set()
        for name, register, form, _, _, klass in profile.points:
            function = profile.about_function if klass == profiles.ABOUT else profile.function
            n = numbers.form_of(form)[0] if profile.protocol == "modbus" else 1
            for i in range(n):
                place = (function, register + i) if profile.protocol == "modbus" else register
                assert place not in taken, (profile.name, name)
                taken.add(place)


def test_registers_and_forms_are_those_of_the_protocol():
    for profile, (name, register, form, _, decimals, klass) in _rows():
        place = (profile.name, name)
        if profile.protocol == "modbus":
            assert register >= 0 and register + numbers.form_of(form)[0] <= 0x10000, place
        elif profile.protocol == "cjt188":
            assert register in (cjt188data.ABOUT if klass == profiles.ABOUT else cjt188data.NAMES) and form == "", place
        else:
            assert 0 <= register < (1 << 32 if profile.protocol == "dlt645" else 1 << 16), place
            kind = dlt645data.form_of(form)[0]
            # What is no number has no decimals.
            assert kind == "bcd" or (klass == profiles.ABOUT and decimals == 0), place


def test_every_profile_says_what_it_is():
    models = []
    for profile in _all():
        assert profile.model and profile.source, profile.name
        models.append(profile.model)
        assert profile.protocol in equip.PROTOCOLS
        assert texts.settings_text(texts.parse_settings(profile.settings)) == profile.settings
        assert len(profile.name) <= 32 and all(c in _NAME_CHARS for c in profile.name)
        assert profile.function in (3, 4) and profile.about_function in (3, 4)
        assert 4 <= profile.most <= 125 and 0 <= profile.gap <= 125
        assert 0 <= profile.reads_per_day <= 86400
        assert profile.on_battery == (profile.protocol == "cjt188"), profile.name
    assert len(set(models)) == len(models)


def _tables():
    """{name: table} of all modules of the package, whether profiles knows them or not."""
    tables = {}
    for file in os.listdir(profiles.__file__.rsplit("/", 1)[0]):
        if file.endswith(".py") and file != "__init__.py":
            loaded = __import__("firmware.meters.profiles." + file[:-3], None, None, ("PROFILES",))
            for name in loaded.PROFILES:
                assert name not in tables, name
                tables[name] = loaded.PROFILES[name]
    return tables


def test_tables_are_all_known_and_have_known_keys_only():
    tables = _tables()
    assert sorted(tables) == profiles.names()
    for name in tables:
        protocol = tables[name].get("protocol", "modbus")
        for key in tables[name]:
            assert key in profiles._USUAL, (name, key)
            if protocol != "modbus":
                assert key not in ("function", "about_function", "most", "gap", "forbidden"), (name, key)
            if not protocol.startswith("dlt645"):
                assert key != "blocks", name


def test_every_profile_has_default_points_with_a_register_among_them():
    for profile in _all():
        assert profile.default and len(set(profile.default)) == len(profile.default)
        for name in profile.default:
            assert name in profile.readable(), (profile.name, name)
        # What a day is billed by is always read.
        assert any(row[5] == REGISTER for row in profile.rows_of(profile.default)), profile.name


def test_blocks_hold_points_in_the_standards_order():
    for profile in _all():
        rows = {row[1]: row for row in profile.points}
        seen = []
        for block, items in profile.blocks:
            assert block not in rows and len(items) >= 2, profile.name
            # FF in the place of what the items differ in, and the items one after another.
            (shift,) = [i for i in (0, 8, 16) if block >> i & 0xFF == 0xFF]
            assert [item | 0xFF << shift for item in items] == [block] * len(items), "%X" % block
            first = items[0] >> shift & 0xFF
            assert [item >> shift & 0xFF for item in items] == list(range(first, first + len(items)))
            assert first in (0, 1)
            assert len({rows[item][2] for item in items}) == 1, "%X" % block
            seen += items
        assert len(set(seen)) == len(seen), profile.name


def test_the_serial_number_is_a_whole_number_or_digits():
    n = 0
    for profile, row in _rows():
        if row[0] == profiles.SERIAL_NUMBER:
            assert row[5] == profiles.ABOUT and row[4] == 0
            assert row[2][:1] in ("u", "d"), profile.name
            n += 1
    assert n >= 6


def test_names_of_every_profiles_points_fit_into_the_log():
    for profile in _all():
        points = [(row[0], row[3], row[4], row[5]) for row in profile.rows_of(profile.readable())]
        decoder = Decoder()
        decoder.decode(record.NAMES, record.put_names(0, record.MeterNames("m", 900, tuple(points), 1, 1, "4711")))
        assert decoder.meters[0].points == tuple(points) and decoder.meters[0].serial == "4711"


def test_a_profile_that_does_not_exist_is_none():
    for name in ("", "sdm631", "SDM630", "eastron", "names"):
        raised(KeyError, profiles.profile_of, name)
    assert profiles.names() == sorted(profiles.names())
    assert len(set(profiles.names())) == len(profiles.names()) >= 20
    raised(KeyError, profiles.profile_of("sdm630").rows_of, ("power", "powr"))


# -- what is loaded ---------------------------------------------------------------------------------------------------


def _loaded(prefix):
    return sorted(name for name in sys.modules if name.startswith(prefix))


def test_only_the_tables_and_protocols_in_use_are_loaded_and_nothing_of_them_stays():
    protocols = ("firmware.protocols.dlt645", "firmware.protocols.dlt645data", "firmware.protocols.cjt188")
    protocols += ("firmware.protocols.cjt188data", "firmware.protocols.numbers", "firmware.meters.ask_dlt645")
    protocols += ("firmware.meters.ask_cjt188", "firmware.meters.ask_modbus")
    unload(*START_ONLY)
    unload(*protocols)
    equip = __import__("firmware.meters.equip", None, None, ("meter_of",))
    found = equip.meter_of(section("sdm630"), Line(()), equip.asking_of("modbus"))
    assert _loaded("firmware.meters.profiles") == ["firmware.meters.profiles", "firmware.meters.profiles.eastron"]
    assert _loaded("firmware.protocols.dlt645") == _loaded("firmware.protocols.cjt188") == []
    assert _loaded("firmware.meters.ask_") == ["firmware.meters.ask_modbus"]
    found = equip.meter_of(section("water", (), number="A" * 14, protocol="cjt188"), Line(()), equip.asking_of("cjt188"))
    assert _loaded("firmware.protocols.dlt645") == []
    assert _loaded("firmware.meters.profiles.") == ["firmware.meters.profiles.cjt188", "firmware.meters.profiles.eastron"]
    unload(*START_ONLY)
    for name in START_ONLY:
        assert _loaded(name + ".") == [] and name not in sys.modules, name
    assert not hasattr(sys.modules["firmware.meters"], "profiles")
    # The meter works without them.
    assert found.points == (("volume", "m3", 2, REGISTER),)
    found.line.pairs.append((None, recorded("W2")))
    assert asyncio.run(found.read()) == ([55667700], True)


# -- frames on record -------------------------------------------------------------------------------------------------


def test_every_modbus_profile_has_a_frame_on_record():
    assert {case["profile"] for case in _FRAMES} == {p.name for p in _all() if p.protocol == "modbus"}


def test_every_point_of_every_modbus_profile_is_in_a_frame_on_record():
    seen = {(case["profile"], point) for case in _FRAMES for point in case["points"]}
    for profile in _all():
        if profile.protocol == "modbus":
            for name in profile.readable():
                assert (profile.name, name) in seen, (profile.name, name)


def test_modbus_frames_on_record_become_the_values_on_record():
    for case in _FRAMES:
        pairs = [(hexed(request), hexed(reply)) for request, reply in case["frames"]]
        found = meter(pairs, profile=case["profile"], points=case["points"], unit=case["unit"])
        values, complete = asyncio.run(found.read())
        assert values == case["values"], case["what"]
        assert complete == (None not in case["values"])
        assert found.steps == case["steps"], case["what"]
        assert not found.line.pairs
        assert [point[0] for point in found.points] == case["points"]


def _read(pairs, **keys):
    """Values of a meter that is answered with these pairs; all are used."""
    found = meter(pairs, **keys)
    values, _ = asyncio.run(found.read())
    assert not found.line.pairs
    return values


def _request(number, di):
    return b"\xfe" * 4 + dlt(number, 0x11, hexed(di))


def test_recorded_frames_of_dlt645_become_values():
    # One meter's frames, each data identifier asked for by itself: they are in no block together.
    number = "000000000161"
    points = (
        ("energy_import", "2", "00 00 01 00", 26),
        ("energy_export", "3", "00 00 02 00", 126),
        ("energy_reactive_2", "5", "00 00 04 00", 10023),
        ("voltage_l1", "6", "00 01 01 02", 1001),
        ("power", "8", "00 00 03 02", 2512),
        ("apparent_power", "10", "00 00 05 02", 5006),
        ("power_factor", "11", "00 00 06 02", 501),
    )
    for profile in ("dlt645_3p", "dlt645_1p"):
        chosen = [point for point in points if profile == "dlt645_3p" or point[0] != "energy_reactive_2"]
        pairs = [(_request(number, di), recorded(name)) for _, name, di, _ in chosen]
        values = _read(pairs, profile=profile, protocol="dlt645", number=number, points=[point[0] for point in chosen])
        assert values == [point[3] for point in chosen]
    # The default set.
    pairs = [(_request(number, points[i][2]), recorded(points[i][1])) for i in (0, 4)]
    assert _read(pairs, profile="dlt645_1p", protocol="dlt645", number=number, points=()) == [26, 2512]


def test_recorded_blocks_of_dlt645_become_values():
    tariffs = ["energy_import", "energy_import_t1", "energy_import_t2", "energy_import_t3", "energy_import_t4"]
    for profile in ("dlt645_1p", "dlt645_3p"):
        for name, number, values in (
            ("16", "201000000002", [2934, 766, 615, 480, 1071]),
            ("19", "000000000224", [21494, 5304, 5374, 5403, 5411]),
            ("18.1", "005223440001", [389, 0, 0, 389, 0]),
        ):
            pairs = [(_request(number, "00 FF 01 00"), recorded(name))]
            assert _read(pairs, profile=profile, protocol="dlt645", number=number, points=tariffs) == values
    number = "181226034194"
    pairs = [(_request(number, "00 FF 01 02"), recorded("14"))]
    names = ["voltage_l3", "voltage_l1", "voltage_l2"]
    assert _read(pairs, profile="dlt645_3p", protocol="dlt645", number=number, points=names) == [0, 2303, 0]


def test_recorded_frames_of_dlt645_1997_become_values():
    for profile, number, point, di, name, value in (
        ("dlt645_1997_1p", "000000060507", "energy_import", "10 90", "35", 9364),
        ("dlt645_1997_3p", "151800161485", "energy_import", "10 90", "37", 106248),
        ("dlt645_1997_1p", "138000130754", "energy_import", "10 90", "32.2", 1),
        ("dlt645_1997_3p", "010003635927", "voltage_l1", "11 B6", "34", 223),
    ):
        pairs = [(b"\xfe" * 4 + dlt(number, 0x01, hexed(di)), recorded(name))]
        values = _read(pairs, profile=profile, protocol="dlt645-1997", number=number, points=[point])
        assert values == [value]


def test_every_point_of_dlt645_by_a_frame_made_by_hand():
    # Data identifier: form of its digits, by the tables of the standards; the value's digits count up.
    number = "123456789012"
    for profile, old in (("dlt645_1p", False), ("dlt645_3p", False), ("dlt645_1997_1p", True), ("dlt645_1997_3p", True)):
        for name in profiles.profile_of(profile).readable():
            di, n, behind, decimals, signed = _BY_HAND[name] if not old else _OLD_BY_HAND[name]
            # A voltage of 1997 has three digits in its two bytes.
            text = "0234" if old and name[:7] == "voltage" else "12345678"[: 2 * n]
            data = digits_low(text)
            di_bytes = digits_low(di)
            for negative in (False, True) if signed else (False,):
                sent = data[:-1] + bytes((data[-1] | 0x80,)) if negative else data
                reply = dlt(number, 0x81 if old else 0x91, di_bytes + sent + b"\x11" * behind)
                request = b"\xfe" * 4 + dlt(number, 0x01 if old else 0x11, di_bytes)
                found = meter(
                    [(request, reply)],
                    profile=profile,
                    protocol="dlt645-1997" if old else "dlt645",
                    number=number,
                    points=[name],
                )
                assert asyncio.run(found.read()) == ([-int(text) if negative else int(text)], True), (profile, name)
                assert found.points[0][2] == decimals, (profile, name)


def digits_low(text):
    """Two digits a byte, the last two first."""
    return bytes(int(text[i : i + 2], 16) for i in range(len(text) - 2, -1, -2))


# Point: data identifier, bytes, bytes behind them, decimals, whether it has a sign. DL/T 645-2007, appendix A.
_BY_HAND = {
    "energy_combined": ("00000000", 4, 0, 2, True),
    "energy_import": ("00010000", 4, 0, 2, False),
    "energy_import_t1": ("00010100", 4, 0, 2, False),
    "energy_import_t2": ("00010200", 4, 0, 2, False),
    "energy_import_t3": ("00010300", 4, 0, 2, False),
    "energy_import_t4": ("00010400", 4, 0, 2, False),
    "energy_export": ("00020000", 4, 0, 2, False),
    "energy_reactive_1": ("00030000", 4, 0, 2, True),
    "energy_reactive_2": ("00040000", 4, 0, 2, True),
    "energy_reactive_q1": ("00050000", 4, 0, 2, False),
    "energy_reactive_q2": ("00060000", 4, 0, 2, False),
    "energy_reactive_q3": ("00070000", 4, 0, 2, False),
    "energy_reactive_q4": ("00080000", 4, 0, 2, False),
    "energy_apparent": ("00090000", 4, 0, 2, False),
    "demand_max": ("01010000", 3, 5, 4, False),
    "voltage_l1": ("02010100", 2, 0, 1, False),
    "voltage_l2": ("02010200", 2, 0, 1, False),
    "voltage_l3": ("02010300", 2, 0, 1, False),
    "current_l1": ("02020100", 3, 0, 3, True),
    "current_l2": ("02020200", 3, 0, 3, True),
    "current_l3": ("02020300", 3, 0, 3, True),
    "power": ("02030000", 3, 0, 4, True),
    "power_l1": ("02030100", 3, 0, 4, True),
    "power_l2": ("02030200", 3, 0, 4, True),
    "power_l3": ("02030300", 3, 0, 4, True),
    "reactive_power": ("02040000", 3, 0, 4, True),
    "reactive_power_l1": ("02040100", 3, 0, 4, True),
    "reactive_power_l2": ("02040200", 3, 0, 4, True),
    "reactive_power_l3": ("02040300", 3, 0, 4, True),
    "apparent_power": ("02050000", 3, 0, 4, True),
    "power_factor": ("02060000", 2, 0, 3, True),
    "power_factor_l1": ("02060100", 2, 0, 3, True),
    "power_factor_l2": ("02060200", 2, 0, 3, True),
    "power_factor_l3": ("02060300", 2, 0, 3, True),
    "phase_angle_l1": ("02070100", 2, 0, 1, False),
    "phase_angle_l2": ("02070200", 2, 0, 1, False),
    "phase_angle_l3": ("02070300", 2, 0, 1, False),
    "frequency": ("02800002", 2, 0, 2, False),
}
# DL/T 645-1997, appendix A.
_OLD_BY_HAND = {
    "energy_import": ("9010", 4, 0, 2, False),
    "energy_import_t1": ("9011", 4, 0, 2, False),
    "energy_import_t2": ("9012", 4, 0, 2, False),
    "energy_import_t3": ("9013", 4, 0, 2, False),
    "energy_import_t4": ("9014", 4, 0, 2, False),
    "energy_export": ("9020", 4, 0, 2, False),
    "voltage_l1": ("B611", 2, 0, 0, False),
    "voltage_l2": ("B612", 2, 0, 0, False),
    "voltage_l3": ("B613", 2, 0, 0, False),
    "current_l1": ("B621", 2, 0, 2, False),
    "current_l2": ("B622", 2, 0, 2, False),
    "current_l3": ("B623", 2, 0, 2, False),
    "power": ("B630", 3, 0, 4, False),
    "power_l1": ("B631", 3, 0, 4, False),
    "power_l2": ("B632", 3, 0, 4, False),
    "power_l3": ("B633", 3, 0, 4, False),
}


def _said(profile_name, name, di, data):
    """What a DL/T 645 meter says of itself by a point of class about, from the data of its reply."""
    profile = profiles.profile_of(profile_name)
    old = profile.protocol == "dlt645-1997"
    number = "123456789012"
    request = b"\xfe" * 4 + dlt(number, 0x01 if old else 0x11, digits_low(di))
    pairs = [(request, dlt(number, 0x81 if old else 0x91, digits_low(di) + hexed(data)))]
    keys = {"profile": profile_name, "protocol": profile.protocol, "number": number, "points": ()}
    blocks = equip.blocks_of(section(**keys), profile, profile.rows_of((name,)))
    return asyncio.run(meter(pairs, **keys).read_text(blocks[0]))


def test_what_a_dlt645_meter_says_of_itself():
    for name, di, data, said in (
        ("serial_number", "04000402", "94 41 03 26 12 18", "181226034194"),
        ("communication_number", "04000401", "12 90 78 56 34 12", "123456789012"),
        ("asset_number", "04000403", "37 31 31 34 20" + " 00" * 27, "4117"),
        ("accuracy_class", "04000407", "30 2E 31 00", "1.0"),
        ("clock_date", "04000101", "07 22 11 26", "2026-11-22"),
        ("clock_time", "04000102", "59 30 23", "23:30:59"),
        ("demand_period", "04000103", "15", "15"),
        ("demand_slide", "04000104", "01", "1"),
        ("status_1", "04000501", "06 00", "0006"),
        ("freeze_time", "05060001", "00 00 22 11 26", "2026-11-22 00:00"),
        ("freeze_energy_import", "05060101", "34 29 00 00", "2934"),
        ("freeze_energy_import", "05060101", "34 29 00 00 66 07 00 00 15 06 00 00 80 04 00 00 71 10 00 00", "2934"),
    ):
        for profile in ("dlt645_3p", "dlt645_1p"):
            assert _said(profile, name, di, data) == said, name
    for name, di, data, said in (
        ("serial_number", "C032", "94 41 03 26 12 18", "181226034194"),
        ("clock_date", "C010", "07 22 11 26", "2026-11-22"),
        ("clock_time", "C011", "59 30 23", "23:30:59"),
    ):
        for profile in ("dlt645_1997_1p", "dlt645_1997_3p"):
            assert _said(profile, name, di, data) == said, name
    assert set(_ABOUT) - {"clock", "status"} == {
        row[0] for row in profiles.profile_of("dlt645_3p").points if row[5] == profiles.ABOUT
    }


def _water_request(number, di):
    return b"\xfe" * 4 + cjt(0xAA, number, 1, hexed(di))


def test_recorded_frames_of_water_meters_become_values():
    for name, number, di, values in (
        ("W2", "78330011223344", "1F 90 00", [55667700, 55667700]),
        ("W3", "78330007061326", "1F 90 00", [6800, 0]),
        ("W5", "00201707010069", "1F 90 00", [0, 0]),
    ):
        pairs = [(_water_request(number, di), recorded(name))]
        for profile in ("water", "gas"):
            keys = {"protocol": "cjt188", "number": number, "points": ["volume", "volume_settlement"]}
            assert _read(list(pairs), profile=profile, **keys) == values, name
        # In litres more decimals are known.
        assert _read(pairs, profile="water_litre", **keys) == [value * 1000 for value in values]


def test_a_gas_meter_and_one_that_counts_in_litres():
    number = "00000012345678"
    data = "1F 90 00 78 56 34 12 2C 00 00 34 12 2C 31 01 22 11 05 15 20 00 00"
    pairs = [(_water_request(number, "1F 90 00"), cjt(0x30, number, 0x81, hexed(data)))]
    assert _read(pairs, profile="gas", protocol="cjt188", number=number, points=()) == [12345678]
    # 123456.78 L.
    data = "1F 90 00 78 56 34 12 29 00 00 34 12 29 31 01 22 11 05 15 20 00 00"
    pairs = [(_water_request(number, "1F 90 00"), cjt(0x11, number, 0x81, hexed(data)))]
    found = meter(pairs, profile="water_litre", protocol="cjt188", number=number, points=())
    assert asyncio.run(found.read()) == ([12345678], True)
    assert found.points == (("volume", "m3", 5, REGISTER),)


def test_recorded_frames_of_heat_meters_become_values():
    # In millionths of a GJ: 5328.19 kWh and 0.00 kWh; kW, m3/h with four decimals.
    points = ["heat_gj", "heat_settlement_gj", "heat_power", "flow", "volume"]
    points += ["temperature_supply", "temperature_return", "working_hours"]
    for name, number, order, values in (
        ("H1", "42590008210438", "90 1F 00", [19181484, 19181484, 0, 0, 183342, 1903, 1910, 2761]),
        ("H3", "00740012064713", "1F 90 00", [0, 0, 0, 0, 0, 2302, 2311, 5834]),
    ):
        pairs = [(_water_request(number, order), recorded(name))]
        if order != "1F 90 00":
            # It does not answer the other order.
            pairs.insert(0, (_water_request(number, "1F 90 00"), NoReply(500)))
        found = meter(pairs, profile="heat", protocol="cjt188", number=number, points=points, retries=1)
        assert asyncio.run(found.read()) == (values, True), name
        assert not found.line.pairs
        assert found.number == number
    # The step of a register in kWh: 0.01 kWh is 36 millionths of a GJ.
    assert found.steps[0] == 36


def test_the_recorded_frame_of_a_cooling_meter_becomes_values():
    number = "11110059200991"
    pairs = [(_water_request(number, "1F 90 00"), recorded("H4"))]
    found = meter(pairs, profile="cooling", protocol="cjt188", number=number, points=["cooling_gj", "heat_gj", "volume"])
    # 0.00 kWh, 3.00 kWh, 0.27 m3.
    assert asyncio.run(found.read()) == ([0, 10800, 27], True)
    # A heat meter's profile has no cooling.
    assert "cooling_gj" not in profiles.profile_of("heat").readable()
    assert bare(recorded("H4"))[1] == 0x25


# -- the fewest requests ----------------------------------------------------------------------------------------------


def _row(first, form="f32"):
    return ("p%d" % first, first, form, "V", 2, GAUGE)


def test_neighbours_are_read_by_one_request():
    plan = equip.plan_blocks
    assert plan([_row(0), _row(2), _row(4)]) == [(0, 6, [0, 1, 2])]
    assert plan([_row(4), _row(0), _row(2)]) == [(0, 6, [1, 2, 0])]
    assert plan([_row(0), _row(3)]) == [(0, 2, [0]), (3, 2, [1])]
    assert plan([_row(0), _row(3)], 1) == [(0, 5, [0, 1])]
    assert plan([_row(0), _row(4)], 1) == [(0, 2, [0]), (4, 2, [1])]
    assert plan([]) == []
    assert plan([_row(0, "u16"), _row(1, "u64"), _row(5, "u32")]) == [(0, 7, [0, 1, 2])]


def test_a_request_never_asks_for_more_registers_than_allowed():
    plan = equip.plan_blocks
    rows = [_row(2 * i) for i in range(100)]
    assert [(first, count) for first, count, _ in plan(rows)] == [(0, 124), (124, 76)]
    assert [(first, count) for first, count, _ in plan(rows, 0, 50)] == [(0, 50), (50, 50), (100, 50), (150, 50)]
    assert plan([_row(0), _row(123)], 200) == [(0, 125, [0, 1])]
    assert plan([_row(0), _row(124)], 200) == [(0, 2, [0]), (124, 2, [1])]


def test_a_forbidden_register_is_never_read_between_two_points():
    plan = equip.plan_blocks
    assert plan([_row(0), _row(4)], 9, 125, (2,)) == [(0, 2, [0]), (4, 2, [1])]
    assert plan([_row(0), _row(4)], 9, 125, (3,)) == [(0, 2, [0]), (4, 2, [1])]
    assert plan([_row(0), _row(4)], 9, 125, (6, 100)) == [(0, 6, [0, 1])]
    # A point itself may stand there.
    assert plan([_row(0), _row(2)], 9, 125, (0, 1, 2, 3)) == [(0, 4, [0, 1])]


def _fewest(rows, gap, most, forbidden):
    """The fewest requests there can be, by trying every way to cut the sorted points apart."""
    spans = sorted((row[1], row[1] + numbers.form_of(row[2])[0]) for row in rows)
    best = len(spans)
    for cuts in range(1 << (len(spans) - 1)):
        runs = [[spans[0]]]
        for i in range(1, len(spans)):
            if cuts >> (i - 1) & 1:
                runs.append([spans[i]])
            else:
                runs[-1].append(spans[i])
        if len(runs) < best and all(_allowed(run, gap, most, forbidden) for run in runs):
            best = len(runs)
    return best


def _allowed(run, gap, most, forbidden):
    if run[-1][1] - run[0][0] > most:
        return False
    for i in range(1, len(run)):
        between = range(run[i - 1][1], run[i][0])
        if len(between) > gap or any(register in forbidden for register in between):
            return False
    return True


def test_there_are_never_more_requests_than_needed():
    random = Seeded(4)
    n_saved = 0
    for _ in range(300):
        rows = []
        at = random.below(4)
        for _ in range(random.between(1, 7)):
            form = random.choice(("u16", "i32", "f32~", "u64/10"))
            rows.append(_row(at, form))
            at += numbers.form_of(form)[0] + random.choice((0, 0, 1, 2, 3, 5))
        forbidden = [random.below(40) for _ in range(random.below(3))]
        # In any order.
        for i in range(len(rows) - 1, 0, -1):
            k = random.below(i + 1)
            rows[i], rows[k] = rows[k], rows[i]
        gap, most = random.below(6), random.between(4, 20)
        blocks = equip.plan_blocks(rows, gap, most, forbidden)
        assert len(blocks) == _fewest(rows, gap, most, forbidden), (rows, gap, most, forbidden)
        seen = []
        for first, count, members in blocks:
            spans = sorted((rows[i][1], rows[i][1] + numbers.form_of(rows[i][2])[0]) for i in members)
            assert (spans[0][0], spans[-1][1]) == (first, first + count)
            assert _allowed(spans, gap, most, forbidden)
            seen += members
        assert sorted(seen) == list(range(len(rows)))
        n_saved += len(rows) - len(blocks)
    assert n_saved > 200


def test_every_point_of_every_modbus_profile_is_covered_by_its_request():
    for profile in _all():
        if profile.protocol != "modbus":
            continue
        rows = profile.rows_of(profile.readable())
        for gap in (0, 2, profile.gap, 125):
            seen = []
            for first, count, members in equip.plan_blocks(rows, gap, profile.most, profile.forbidden):
                assert 1 <= count <= profile.most
                for index in members:
                    n = numbers.form_of(rows[index][2])[0]
                    assert first <= rows[index][1] and rows[index][1] + n <= first + count
                seen += members
            assert sorted(seen) == list(range(len(rows))), profile.name


def test_all_points_of_an_sdm630_take_three_requests():
    profile = profiles.profile_of("sdm630")
    names = profile.readable()
    assert len(names) == 18
    assert len(equip.blocks_of(section(points=names), profile, profile.rows_of(names))) <= 3


def test_a_dlt645_meters_points_take_few_requests():
    profile = profiles.profile_of("dlt645_3p")
    keys = {"profile": "dlt645_3p", "protocol": "dlt645", "number": "000000000161"}
    for names, n in (
        (["energy_import"], 1),
        # Two and more of a block: the block.
        (["energy_import_t1", "energy_import_t4"], 1),
        (["voltage_l1", "voltage_l2", "voltage_l3", "current_l1", "current_l2", "current_l3"], 2),
        (["power", "power_l1", "power_l2", "power_l3", "reactive_power", "frequency"], 3),
        (["voltage_l1", "current_l1", "power"], 3),
    ):
        assert len(equip.blocks_of(section(points=names, **keys), profile, profile.rows_of(names))) == n, names


def test_functions_are_the_profiles_unless_the_configuration_says_another():
    for profile, function, wanted in (
        ("sdm630", "profile", 4),
        ("sdm630", "3", 3),
        ("dtsu666", "profile", 3),
        ("dtsu666", "4", 4),
    ):
        found = meter((), profile=profile, points=("energy_import", "power"), function=function)
        assert [block.request[1] for block in found.blocks] == [wanted] * len(found.blocks)
    # What says something of the meter has its own.
    profile = profiles.profile_of("sdm630")
    rows = profile.rows_of(("serial_number", "power"))
    for function, usual in (("profile", 4), ("3", 3)):
        blocks = equip.blocks_of(section(function=function), profile, rows)
        assert {(block.request[1], block.request[2]) for block in blocks} == {(3, 0xFC), (usual, 0)}


# -- what meter_of makes ----------------------------------------------------------------------------------------------


def test_default_points_and_settings_are_the_profiles():
    found = meter((), profile="sdm120", points=())
    assert [point[0] for point in found.points] == list(profiles.profile_of("sdm120").default)
    assert found.settings == (2400, 8, None, 1)
    assert found.settings_text == "2400 8N1"
    assert meter((), profile="sdm120", points=(), settings=(9600, 8, 0, 1)).settings_text == "9600 8E1"


def test_the_log_gets_names_units_decimals_and_classes_in_the_order_asked_for():
    names = meter((), points=("power", "energy_import")).names()
    assert names.name == "main" and names.every_s == 900
    assert tuple(names.points) == (("power", "kW", 4, GAUGE), ("energy_import", "kWh", 2, REGISTER))


def test_a_profile_or_point_that_does_not_exist_is_named():
    def fault(**keys):
        return raised(ConfigError, equip.meter_of, section(**keys), None, None, None, "meters[3]")

    assert fault(profile="sdm631").key == "meters[3].profile"
    assert fault(profile="water").key == "meters[3].protocol"
    error = fault(points=("power", "powr"))
    assert error.key == "meters[3].points"
    assert "energy_import" in error.allowed and "serial_number" not in error.allowed
    assert fault(points=("serial_number",)).key == "meters[3].points"
