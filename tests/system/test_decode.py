"""metergate decode: recorded frames and their meaning, whatever stands around them; no input ends in a traceback."""

import io
import json
import random
import re
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from firmware.meters.profiles import Profile, profile_of
from metergate import cli
from metergate.decode import bytes_of, decode
from metergate.f32text import shortest
from metergate.onpc import ROOT
from tests.sim.slave import f32_bits_of, framed

RECORDED = json.loads((ROOT / "tests/golden/meterframes.json").read_text())
IDS = [f"{entry['protocol']}-{i}" for i, entry in enumerate(RECORDED)]
DLT = "FE FE 68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"
WATER = "68 10 26 13 06 07 00 33 78 81 16 1F 90 04 00 68 00 00 2C 00 00 00 00 2C 00 00 00 00 00 00 00 00 00 73 16"
PZEM = "01 04 14 08 D1 00 6C 00 00 00 F4 00 00 00 26 00 00 01 F4 00 64 00 00 51 34"


def compact(frame):
    """What decode says, as meterframes.json has it: values as texts, nothing that is null."""
    kept = {key: value for key, value in frame.items() if key not in ("ok", "protocol") and value not in (None, [])}
    if not frame["ok"]:
        kept["wrong"] = kept.pop("error")
    if "values" in kept:
        kept["values"] = [" ".join(str(v[key]) for key in ("name", "value", "unit") if v[key] != "") for v in kept["values"]]
    return kept


def frames(protocol, text, **more):
    return [compact(frame) for frame in decode(protocol, bytes_of([text]), **more)]


def only(protocol, data, **more):
    """The one thing that is said of these bytes."""
    found = decode(protocol, bytes_of([data]) if isinstance(data, str) else data, **more)
    assert len(found) == 1, found
    return found[0]


def error_of(protocol, data, **more):
    found = only(protocol, data, **more)
    assert found["ok"] is False
    return found["error"]


def framed68(head, data, offset=0):
    """A frame: its bytes up to the control byte, data with the offset, checksum and end."""
    body = bytes_of([head]) + bytes((len(data),)) + bytes(byte + offset & 0xFF for byte in data)
    return body + bytes((sum(body) & 0xFF, 0x16))


def dlt(control, data, number="61 01 00 00 00 00"):
    return framed68(f"68 {number} 68 {control}", bytes.fromhex(data), 0x33)


def cjt(data, kind="10", control="81"):
    return framed68(f"68 {kind} 44 33 22 11 00 33 78 {control}", bytes.fromhex(data))


def modbus(text):
    return framed(bytes.fromhex(text))


def values_of(found):
    return [(value["name"], value["value"], value["unit"]) for value in found["values"]]


def run(*words, text=b""):
    """(exit status, dicts on standard output, standard error) of the command itself."""
    done = subprocess.run(
        [sys.executable, "-m", "metergate", "decode", *words],
        input=text,
        capture_output=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "tools"), "LANG": "C"},
        timeout=60,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


# -- what was recorded ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", RECORDED, ids=IDS)
def test_every_recorded_frame(entry):
    assert frames(entry["protocol"], entry["hex"]) == entry["frames"]


@pytest.mark.parametrize("entry", RECORDED, ids=IDS)
def test_with_any_bit_flipped_nothing_else_is_said(entry):
    data = bytes_of([entry["hex"]])
    # A name depends on the request before it, which may be the one that is lost.
    known = [_without_names(frame) for frame in decode(entry["protocol"], data)]
    for i in range(8 * len(data)):
        changed = bytearray(data)
        changed[i // 8] ^= 1 << i % 8
        for frame in decode(entry["protocol"], bytes(changed)):
            assert not frame["ok"] or _without_names(frame) in known, (i, frame)


def _without_names(frame):
    if frame.get("protocol") != "modbus":
        return frame
    return frame | {"di": None, "values": [value["value"] for value in frame.get("values", ())]}


@pytest.mark.parametrize("protocol", ["modbus", "dlt645", "dlt645-1997", "cjt188"])
def test_frames_are_found_among_noise_broken_frames_and_echoes(protocol):
    chance = random.Random(4)
    whole = [e for e in RECORDED if e["protocol"] == protocol and all("meter" in frame for frame in e["frames"])]
    for _ in range(20):
        stream, wanted = b"", []
        for entry in chance.sample(whole, min(6, len(whole))):
            data = bytes_of([entry["hex"]])
            # Noise; the head of a frame that was broken off, whose length reaches into what follows; preamble.
            stream += chance.randbytes(chance.randrange(6)) + data[: chance.randrange(8 if protocol == "modbus" else 12)]
            stream += b"\xfe" * chance.randrange(4) + data
            wanted += [_without_names(frame) for frame in decode(protocol, data)]
        assert [_without_names(frame) for frame in decode(protocol, stream + b"\x68\x01")] == wanted


def test_a_burst_of_three_frames_of_two_meters():
    burst = "68 20 11 12 21 06 36 68 81 05 63 E9 33 33 33 DB 16 68 20 11 12 21 06 36 68 C5 03 E9 01 63 85 16 "
    burst += "68 20 11 06 00 41 56 68 81 06 43 C3 3C 33 33 33 00 16"
    assert frames("dlt645-1997", burst) == [
        {"meter": "360621121120", "control": "81", "di": "B630", "values": ["power 0.0000 kW"]},
        {"meter": "360621121120", "control": "C5", "error": "B6CE30"},
        {"meter": "564100061120", "control": "81", "di": "9010", "values": ["energy_import 0.09 kWh"]},
    ]


def test_keys_stand_in_one_order():
    assert list(only("dlt645", DLT)) == ["ok", "protocol", "meter", "control", "di", "values", "clock", "status"]
    assert list(only("cjt188", WATER))[:10] == [*only("dlt645", DLT), "type", "seq"]
    assert list(only("dlt645", dlt("91", "00000100 5A000000"))) == ["ok", "error", "protocol", "meter", "control", "di"]


# -- Modbus -----------------------------------------------------------------------------------------------------------


def test_modbus_reply_is_named_by_its_request_or_first_or_offset():
    request, reply = modbus("01 04 0048 0004"), modbus("01 04 08 4640E6AE 3D4CCCCD")
    both = [("0048", "12345.67", ""), ("004A", "0.05", "")]
    asked, answered = decode("modbus", request + reply)
    assert asked["di"] == "0048" and asked["request"] is True and asked["values"] == []
    assert answered["di"] == "0048" and values_of(answered) == both
    assert values_of(only("modbus", reply, first=0x48)) == both
    assert values_of(only("modbus", reply)) == [("+0", "12345.67", ""), ("+2", "0.05", "")]
    # Another unit's request, and one of another function, are not what it answers.
    for other in (modbus("02 04 0048 0004"), modbus("01 03 0048 0004")):
        assert decode("modbus", other + reply)[1]["di"] is None
    # The echo of a request is a request; an answer is answered once.
    assert [frame["di"] for frame in decode("modbus", request + request + reply + reply)] == ["0048", "0048", "0048", None]


def test_modbus_registers_without_a_number_are_null_and_odd_ones_u16():
    assert values_of(only("modbus", modbus("01 03 08 7F800000 7FC00000"))) == [("+0", None, ""), ("+2", None, "")]
    assert values_of(only("modbus", modbus("01 03 06 0001 FFFF 0100"), first=16)) == [
        ("0010", "1", ""),
        ("0011", "65535", ""),
        ("0012", "256", ""),
    ]


def test_modbus_by_profile():
    found = only("modbus", PZEM, profile=profile_of("pzem016"))
    assert found["di"] == "0000"
    assert values_of(found) == [
        ("voltage_l1", "225.7", "V"),
        ("current_l1", "0.108", "A"),
        ("power", "0.0244", "kW"),
        ("energy_import", "0.038", "kWh"),
        ("frequency", "50.0", "Hz"),
        ("power_factor", "1.00", ""),
        ("alarm", "0", ""),
    ]
    sdm630 = profile_of("sdm630")
    reply = modbus("01 04 08 4640E6AE 3D4CCCCD")
    wanted = [("energy_import", "12345.67", "kWh"), ("energy_export", "0.05", "kWh")]
    assert values_of(only("modbus", reply, profile=sdm630, first=0x48)) == wanted
    assert values_of(decode("modbus", modbus("01 04 0048 0004") + reply, sdm630)[1]) == wanted
    # Only what lies in it as a whole; the rest is bytes if nothing does.
    assert values_of(only("modbus", modbus("01 04 06 0000 4640E6AE"), profile=sdm630, first=0x47)) == wanted[:1]
    assert values_of(only("modbus", modbus("01 04 06 4640E6AE 0000"), profile=sdm630, first=0x48)) == wanted[:1]
    half = only("modbus", reply, profile=sdm630, first=0x1000)
    assert half["ok"] and half["values"] == [] and half["data"] == "4640E6AE3D4CCCCD"
    # What is read by another function is something else.
    assert values_of(only("modbus", modbus("01 03 04 01443C07"), profile=sdm630)) == [("serial_number", "21249031", "")]
    assert only("modbus", modbus("01 03 04 43663334"), profile=sdm630, first=0)["values"] == []
    # Some meters answer by the other function than most of their model.
    for function in ("03", "04"):
        reply = modbus(f"01 {function} 04 45000000")
        assert values_of(only("modbus", reply, profile=profile_of("dtsu666"), first=0x2012)) == [("power", "0.2048", "kW")]


def test_modbus_by_profile_says_what_is_no_value():
    b23 = profile_of("b23")
    # Where the profile's own number of registers tells the place: 4 registers of a u64 fit at 5000 and 5004.
    assert "4 registers of b23 may begin at" in error_of("modbus", modbus("01 03 08" + "FF" * 8), profile=b23)
    found = only("modbus", modbus("01 03 08" + "FF" * 8), profile=b23, first=0x5000)
    assert values_of(found) == [("energy_import", None, "kWh")]
    assert values_of(only("modbus", modbus("01 03 04 7FFFFFFF"), profile=b23, first=0x5B14)) == [("power", None, "kW")]
    assert values_of(only("modbus", modbus("01 03 04 FFFFFFFF"), profile=b23, first=0x5B14)) == [("power", "-0.00001", "kW")]


def test_modbus_by_profile_without_a_place():
    assert "2 registers of sdm630 may begin at 0000, 0002, 0004, 0006, .." in error_of(
        "modbus", modbus("01 04 04 43663334"), profile=profile_of("sdm630")
    )
    text = error_of("modbus", modbus("01 04 06 000000000000"), profile=profile_of("pzem016"))
    assert "give --first" in text


@pytest.mark.parametrize(
    "data, says",
    [
        ("01 04 03 433333", "byte count 3: odd"),
        ("01 04 00", "byte count 0: a reply has 1 to 125 registers"),
        ("01 03 FC" + "00" * 252, "byte count 252: a reply has 1 to 125 registers"),
        ("01 04 0000 0000", "count 0: a request is for 1 to 125 registers"),
        ("01 04 0000 007E", "count 126: a request is for 1 to 125 registers"),
        ("01 04 FFFF 0002", "register FFFF, count 2: goes beyond register FFFF"),
        ("01 06 0001 0002", "function 06: only 03 and 04"),
        ("01 10 0001 0002", "function 10: only 03 and 04"),
        ("01 02 01 0F", "function 02: only 03 and 04"),
        ("01 2B 0E 01 00", "function 2B: only 03 and 04"),
    ],
)
def test_modbus_frames_that_are_not_valid(data, says):
    found = only("modbus", modbus(data))
    assert found["ok"] is False and says in found["error"], found
    if "2B" not in data:
        assert found["meter"] == "1" and found["control"] == data[3:5]


def test_modbus_replies_with_too_few_or_too_many_registers():
    request = modbus("01 04 0048 0002")
    few, many = (
        decode("modbus", request + modbus("01 04 02 0001"))[1],
        decode("modbus", request + modbus("01 04 06" + "00" * 6))[1],
    )
    assert few["error"] == "byte count 2: 1 registers, but the request before it asks for 2: too few"
    assert many["error"] == "byte count 6: 3 registers, but the request before it asks for 2: too many"


def test_modbus_exceptions_known_and_unknown():
    asked, refused = decode("modbus", modbus("01 04 0048 0002") + modbus("01 84 02"))
    assert refused["ok"] and refused["error"] == "02" and refused["control"] == "84" and refused["di"] == "0048"
    assert only("modbus", modbus("F8 83 7B"))["error"] == "7B"
    assert only("modbus", modbus("F8 83 7B"))["meter"] == "248"


# -- the shortest decimal ---------------------------------------------------------------------------------------------


def _by_trial(bits):
    """The decimal with fewest digits, and of those the nearest, found by trying all that are near: (value, digits)."""
    exponent, mantissa = bits >> 23 & 0xFF, bits & 0x7FFFFF
    number = Fraction(mantissa | (0x800000 if exponent else 0)) * Fraction(2) ** (max(exponent, 1) - 150)
    highest = len(str(int(number))) if number >= 1 else 1 - len(re.match("0*", str(int(1 / number)))[0])
    while Fraction(10) ** highest > number:
        highest -= 1
    for n_digits in range(1, 10):
        step = Fraction(10) ** (highest - n_digits + 1)
        near = [k * step for k in range(int(number / step) - 1, int(number / step) + 3) if k > 0]
        good = [value for value in near if f32_bits_of(value.numerator, value.denominator) == bits]
        if good:
            least = min(abs(value - number) for value in good)
            return n_digits, [value for value in good if abs(value - number) == least]
    raise AssertionError(bits)


def _check_shortest(bits):
    text = shortest(bits)
    n_digits, values = _by_trial(bits)
    assert re.fullmatch(r"0|[1-9]\d*|(0|[1-9]\d*)\.\d*[1-9]", text), (hex(bits), text)
    assert Fraction(text) in values, (hex(bits), text, values)
    # 10 is one digit, 0.010 too.
    assert len(text.replace(".", "").strip("0")) <= n_digits
    assert shortest(bits | 0x80000000) == "-" + text


def test_shortest_decimal_of_powers_of_two_and_their_neighbours():
    for exponent in range(0, 255):
        for bits in ((exponent << 23) - 1, exponent << 23, (exponent << 23) + 1):
            if bits > 0:
                _check_shortest(bits)


def test_shortest_decimal_of_denormals_powers_of_ten_and_random_bits():
    chance = random.Random(32)
    bits = [1 << i for i in range(24)] + list(range(1, 100))
    for power in range(-45, 39):
        near = f32_bits_of(10 ** max(power, 0), 10 ** max(-power, 0))
        bits += [near + i for i in range(-2, 3)]
    bits += [chance.randrange(1, 0x7F800000) for _ in range(2500)]
    # Numbers as meters have them.
    bits += [f32_bits_of(chance.randrange(1, 10**7), 10 ** chance.randrange(5)) for _ in range(1000)]
    for each in bits:
        if 0 < each < 0x7F800000:
            _check_shortest(each)


@pytest.mark.parametrize(
    "bits, text",
    [
        (0x00000000, "0"),
        (0x80000000, "-0"),
        (0x43663334, "230.20001"),
        (0x43663333, "230.2"),
        (0x3DCCCCCD, "0.1"),
        (0x45000000, "2048"),
        (0x4B800000, "16777216"),
        (0x33800000, "0.000000059604645"),
        # 2**90: of eight digits 1.2379400e27 is the nearest, but it is rounded to the number below.
        (0x6C800000, "1237940100000000000000000000"),
        # 2097152.25: as near to .2 as to .3.
        (0x4A000001, "2097152.2"),
        (0x00000001, "0." + "0" * 44 + "1"),
        (0x7F7FFFFF, "34028235" + "0" * 31),
        (0x7F800000, None),
        (0xFF800000, None),
        (0x7FC00000, None),
    ],
)
def test_shortest_decimal_of_some_numbers(bits, text):
    assert shortest(bits) == text


# -- DL/T 645 ---------------------------------------------------------------------------------------------------------

_POWERS = ["power 0.0001 kW", "power_l1 0.0002 kW", "power_l2 0.0003 kW", "power_l3 -0.0004 kW"]
_WORDS = ["status_1 0004", *(f"status_{n} 0000" for n in range(2, 7)), "status_7 8001"]
_HOURLY = [
    "hourly_freeze_time 2015-10-09 10:00",
    "hourly_freeze_energy_import 0.01 kWh",
    "hourly_freeze_energy_export 0.02 kWh",
]


@pytest.mark.parametrize(
    "di, data, values",
    [
        ("00000000", "12345680", ["energy_combined -5634.12 kWh"]),
        ("00010300", "01000000", ["energy_import_t3 0.01 kWh"]),
        ("00013F00", "01000000", ["energy_import_t63 0.01 kWh"]),
        ("00010003", "01000000", ["energy_import_last_3 0.01 kWh"]),
        ("0001020C", "01000000", ["energy_import_t2_last_12 0.01 kWh"]),
        ("0001FF01", "0100000002000000", ["energy_import_last_1 0.01 kWh", "energy_import_t1_last_1 0.02 kWh"]),
        ("00150000", "01000000", ["energy_import_l1 0.01 kWh"]),
        ("002A0000", "01000000", ["energy_export_l2 0.01 kWh"]),
        ("003D0001", "01000000", ["energy_import_l3_last_1 0.01 kWh"]),
        ("003F0000", "01000080", ["energy_reactive_1_l3 -0.01 kvarh"]),
        ("00080000", "01000000", ["energy_reactive_q4 0.01 kvarh"]),
        ("00090000", "01000000", ["energy_apparent 0.01 kVAh"]),
        ("02020100", "010080", ["current_l1 -0.001 A"]),
        ("0203FF00", "010000020000030000040080", _POWERS),
        ("0203FF00", "010000020000", ["power 0.0001 kW", "power_l1 0.0002 kW"]),
        ("02060100", "0090", ["power_factor_l1 -1.000"]),
        ("02070200", "0012", ["phase_angle_l2 120.0 deg"]),
        ("02800001", "234501", ["current_neutral 14.523 A"]),
        ("02800002", "0250", ["frequency 50.02 Hz"]),
        ("02800007", "5180", ["temperature -5.1 Cel"]),
        ("02800008", "6503", ["battery_clock 3.65 V"]),
        ("04000101", "01110116", ["clock_date 2016-01-11"]),
        ("04000102", "555321", ["clock_time 21:53:55"]),
        ("04000103", "15", ["demand_period 15 min"]),
        ("04000402", "610100000000", ["serial_number 000000000161"]),
        ("04000403", "2000" + "20" * 26 + "41303142", ["asset_number B10A"]),
        ("04000407", "20302E31", ["accuracy_class 1.0"]),
        ("04000409", "001600", ["constant_active 1600 imp/kWh"]),
        ("04000501", "0400", ["status_1 0004"]),
        ("040005FF", "0400" + "0000" * 5 + "0180", _WORDS),
        ("05060001", "0000091015", ["freeze_time 2015-10-09 00:00"]),
        ("05060101", "0100000002000000", ["freeze_energy_import 0.01 kWh", "freeze_energy_import_t1 0.02 kWh"]),
        ("05060203", "01000000", ["freeze_energy_export_last_2 0.01 kWh"]),
        ("05000101", "01000000", ["timed_freeze_energy_import 0.01 kWh"]),
        ("05040101", "01000000", ["hourly_freeze_energy_import 0.01 kWh"]),
        (
            "0504FF01",
            "00100910150100000002000000",
            _HOURLY,
        ),
        ("03300000", "270000", ["programmings 27"]),
        ("03110000", "030000", ["outages 3"]),
    ],
)  # fmt: skip
def test_dlt645_identifiers(di, data, values):
    found = only("dlt645", dlt("91", bytes.fromhex(di)[::-1].hex() + data))
    assert compact(found).get("values") == values, found
    assert found["di"] == di


def test_dlt645_demands_have_their_time():
    text = "230100" + "0122110515"
    found = only("dlt645", dlt("91", "00000101" + text))
    assert found["values"] == [{"name": "demand_max", "value": "0.0123", "unit": "kW", "at": "2015-05-11 22:01"}]
    found = only("dlt645", dlt("91", "00FF0101" + text + "000000" + "00" * 5 + "FF" * 8))
    assert [(value["name"], value["value"], value["at"]) for value in found["values"]] == [
        ("demand_max", "0.0123", "2015-05-11 22:01"),
        ("demand_max_t1", "0.0000", None),
        ("demand_max_t2", None, None),
    ]


def test_dlt645_programming_record():
    data = "555321110116" + "78563412" + "01010004" + "02010004" + "FF" * 32
    found = only("dlt645", dlt("91", "01003003" + data))
    assert values_of(found)[:5] == [
        ("programmed_at", "2016-01-11 21:53:55", ""),
        ("operator", "12345678", ""),
        ("written_1", "04000101", ""),
        ("written_2", "04000102", ""),
        ("written_3", None, ""),
    ]
    assert len(found["values"]) == 12


def test_dlt645_frames_that_follow():
    first = only("dlt645", dlt("B1", "01003003" + "0102"))
    assert first["more"] is True and first["data"] == "0102" and first["values"] == []
    following = only("dlt645", dlt("B2", "01003003" + "0304" + "01"))
    assert (following["seq"], following["more"], following["data"], following["di"]) == (1, True, "0304", "03300001")
    last = only("dlt645", dlt("92", "01003003" + "05" + "02"))
    assert (last["seq"], last.get("more"), last["data"]) == (2, None, "05")
    old = only("dlt645-1997", dlt("A2", "1090" + "0102"))
    assert (old.get("seq"), old["more"], old["data"], old["di"]) == (None, True, "0102", "9010")


def test_dlt645_other_frames():
    assert only("dlt645", dlt("13", "", "AA AA AA AA AA AA"))["meter"] == "AAAAAAAAAAAA"
    assert only("dlt645", dlt("08", "310122110515", "99 99 99 99 99 99"))["clock"] == "2015-05-11 22:01:31"
    # An identifier that nobody knows: its bytes, less 33H, as they stood.
    assert only("dlt645", dlt("91", "01020304 FF00"))["data"] == "FF00"
    assert only("dlt645", dlt("14", "01010004 02000000 78563412 01110116"))["data"] == "020000007856341201110116"
    assert only("dlt645", dlt("91", "00011500 01000000"))["data"] == "01000000"
    assert only("dlt645", dlt("94", ""))["values"] == []


def test_a_frame_within_a_frame_is_data():
    inner = bytes_of([DLT])
    assert len(decode("dlt645", framed68("68 12 00 00 00 10 20 68 91", b"\x0a\x0b\x0c\x0d" + inner))) == 1
    assert len(decode("cjt188", framed68("68 10 44 33 22 11 00 33 78 81", b"\x02\x81\x00" + bytes_of([WATER])))) == 1
    assert len(decode("modbus", modbus("01 04 0A 0000" + modbus("01 04 0048 0002").hex()))) == 1


@pytest.mark.parametrize(
    "data, says",
    [
        (dlt("91", "00000100 5A000000"), "energy_import: not BCD: 5A000000"),
        (dlt("91", "00000100 000000"), "data: 3 bytes, where 00010000 has 4"),
        (dlt("91", "00000100"), "data: 0 bytes, where 00010000 has 4"),
        (dlt("91", "00FF0100 0000000000"), "data: 5 bytes, where 0001FF00 has 1 to 64 times 4"),
        (dlt("91", "00FF0100 01000000 0A000000"), "energy_import_t1: not BCD: 0A000000"),
        (dlt("91", "00FF0102" + "00" * 8), "data: 8 bytes, where 0201FF00 has 1 to 3 times 2"),
        (dlt("91", "00FF0102 FFFFFFFFFFFF"), "voltage_l1: filled with FF"),
        (dlt("91", "00000101 230100"), "data: 3 bytes, where 01010000 has 8"),
        (dlt("91", "00000101 FFFFFF 0122110515"), "demand_max: not BCD: FFFFFF"),
        (dlt("91", "0000"), "length 02: too short for a data identifier"),
        (dlt("92", "00000100"), "length 04: too short for a data identifier and SEQ"),
        (dlt("93", "0102"), "data: 2 bytes, where a number has 6"),
        (dlt("93", "6101000000FF"), "communication_number: not BCD"),
        (dlt("D1", ""), "error reply without an error byte"),
        (dlt("81", "1090 01000000"), "control 81: no function of dlt645; decode dlt645-1997 has it"),
        (dlt("9F", "00"), "control 9F: no function of dlt645"),
        (dlt("51", "00000100"), "control 51 is none of DL/T 645"),
        (dlt("B4", "00"), "control B4 is none of DL/T 645"),
    ],
)
def test_dlt645_frames_that_are_not_valid(data, says):
    found = only("dlt645", data)
    assert found["ok"] is False and says in found["error"], found
    assert found["meter"] == "000000000161" and found["control"] == f"{data[8]:02X}"


@pytest.mark.parametrize(
    "di, data, values",
    [
        ("9010", "78563412", ["energy_import 123456.78 kWh"]),
        ("9020", "01000000", ["energy_export 0.01 kWh"]),
        ("901F", "0100000002000000", ["energy_import 0.01 kWh", "energy_import_t1 0.02 kWh"]),
        ("9412", "01000000", ["energy_import_t2_last_1 0.01 kWh"]),
        ("9810", "01000000", ["energy_import_last_2 0.01 kWh"]),
        # The standard's order of the quadrants is 1, 4, 2, 3.
        ("9140", "01000000", ["energy_reactive_q4 0.01 kvarh"]),
        ("9150", "01000000", ["energy_reactive_q2 0.01 kvarh"]),
        ("A010", "234501", ["demand_max 1.4523 kW"]),
        ("B010", "01221105", ["demand_max_at 05-11 22:01"]),
        ("B611", "2302", ["voltage_l1 223 V"]),
        ("B61F", "2302 FFFF 2402", ["voltage_l1 223 V", "voltage_l2 None V", "voltage_l3 224 V"]),
        ("B621", "3412", ["current_l1 12.34 A"]),
        ("B640", "3412", ["reactive_power 12.34 kvar"]),
        ("B640", "563412", ["reactive_power 12.3456 kvar"]),
        ("B64F", "01000000020000000300000004000000"[:24], None),
        ("B650", "0010", ["power_factor 1.000"]),
        ("C010", "01110116", ["clock_date 2016-01-11"]),
        ("C032", "610100000000", ["serial_number 000000000161"]),
        ("B212", "1200", ["programmings 12"]),
    ],
)
def test_dlt645_1997_identifiers(di, data, values):
    found = only("dlt645-1997", dlt("81", bytes.fromhex(di)[::-1].hex() + data))
    assert found["ok"] and found["di"] == di
    assert values is None or compact(found)["values"] == values
    assert len(found["values"]) == (4 if values is None else len(values))


def test_dlt645_1997_voltage_of_four_digits_is_said_not_guessed():
    found = only("dlt645-1997", dlt("81", "11B6 0123"))
    assert not found["ok"] and "voltage_l1: more than 3 digits" in found["error"]
    tenths = Profile("mine", {"protocol": "dlt645-1997", "points": (("voltage_l1", 0xB611, "bcd2", "V", 1, "gauge"),)})
    assert values_of(only("dlt645-1997", dlt("81", "11B6 0123"), profile=tenths)) == [("voltage_l1", "230.1", "V")]


def test_dlt645_by_profile(tmp_path):
    # The profile's own points first, then what the standard has.
    own = {
        "mine": {
            "model": "m", "source": "s", "protocol": "dlt645", "default": ["energy_import"],
            "points": [
                {"name": "energy_import", "register": "00010000", "form": "bcd4", "unit": "kWh", "decimals": 3,
                 "class": "register"},
                {"name": "gas_flow", "register": "0A0B0C0D", "form": "bcd2", "unit": "L/min", "decimals": 1, "class": "gauge"},
            ],
            "blocks": [{"register": "0A0BFF0D", "items": ["0A0B0C0D", "00010000"]}],
        }
    }  # fmt: skip
    file = tmp_path / "profiles.json"
    file.write_text(json.dumps(own))
    more = ("--profile", "mine", "--profiles", str(file))
    assert run("dlt645", dlt("91", "0D0C0B0A 2301").hex(), *more)[1][0]["values"] == [
        {"name": "gas_flow", "value": "12.3", "unit": "L/min"}
    ]
    found = run("dlt645", dlt("91", "0DFF0B0A 2301 01000000").hex(), *more)[1][0]
    assert values_of(found) == [("gas_flow", "12.3", "L/min"), ("energy_import", "0.001", "kWh")]
    assert values_of(run("dlt645", DLT, *more)[1][0]) == [("energy_import", "0.026", "kWh")]
    status, found, _ = run("dlt645", dlt("91", "0D0C0B0A 230100").hex(), *more)
    assert status == 1 and found[0]["error"] == "data: 3 bytes, where gas_flow is bcd2"
    profile = profile_of("dlt645_1p")
    assert values_of(only("dlt645", DLT, profile=profile)) == [("energy_import", "0.26", "kWh")]
    # The profile has the total of a freeze alone.
    frozen = dlt("91", "01010605 01000000 02000000")
    assert values_of(only("dlt645", frozen, profile=profile)) == [("freeze_energy_import", "0.01", "kWh")]


# -- CJ/T 188 ---------------------------------------------------------------------------------------------------------

WATER_DATA = "77665500 2C 00660000 2C 31012211051520 2184"
HEAT_FIELDS = ("01020304 05", "11121314 06", "21222324 17", "31323334 35", "41424344 2C")
HEAT_TAIL = "190300 191000 612700 26572331031520 0301"


def test_cjt188_in_either_order_of_its_identifier():
    low, high = only("cjt188", cjt("1F90 00" + WATER_DATA)), only("cjt188", cjt("901F 00" + WATER_DATA))
    assert low == high
    assert low["di"] == "901F" and low["clock"] == "2015-05-11 22:01:31" and low["status"] == "2184"
    assert values_of(low) == [("volume", "5566.77", "m3"), ("volume_settlement", "66.00", "m3")]
    assert only("cjt188", cjt("9081 00"))["di"] == "8190"
    for di in ("9110", "D120", "810A", "8103", "A015"):
        for order in (di, di[2:] + di[:2]):
            assert only("cjt188", cjt(order + "00"))["di"] == di


def test_cjt188_units_before_and_behind_and_multiples():
    behind = only("cjt188", cjt("1F90 00" + "".join(HEAT_FIELDS) + HEAT_TAIL, "20"))
    before = only("cjt188", cjt("1F90 00" + "".join(field[-2:] + field[:-3] for field in HEAT_FIELDS) + HEAT_TAIL, "20"))
    assert before == behind
    # 06: 10 kWh.
    assert values_of(behind)[:3] == [
        ("heat_settlement", "40302.01", "kWh"),
        ("heat", "1413121.1", "kWh"),
        ("heat_power", "242322.21", "kW"),
    ]
    thousand = only("cjt188", cjt("1F90 00" + WATER_DATA.replace("2C", "2E")))
    assert values_of(thousand)[0] == ("volume", "556677", "m3")


def test_cjt188_fields_filled_with_ff_are_null():
    found = only("cjt188", cjt("1F90 00 FFFFFFFF FF 00660000 2C" + "FF" * 7 + "2184"))
    assert values_of(found) == [("volume", None, ""), ("volume_settlement", "66.00", "m3")]
    assert found["clock"] is None


def test_cjt188_by_profile():
    heat = only("cjt188", cjt("1F90 00" + "".join(HEAT_FIELDS) + HEAT_TAIL, "20"), profile=profile_of("heat"))
    # 40302.01 kWh = 145.087236 GJ.
    assert values_of(heat)[:2] == [("heat_gj", "5087.235960", "GJ"), ("heat_settlement_gj", "145.087236", "GJ")]
    assert heat["clock"] == "2015-03-31 23:57:26"
    litres = bytes_of(
        ["68 10 43 76 32 51 00 00 00 81 16 90 1F 00 47 70 01 00 29 51 48 01 00 29 20 20 05 28 20 58 24 00 00 A7 16"]
    )
    assert values_of(only("cjt188", litres, profile=profile_of("water_litre")))[0] == ("volume", "0.17047", "m3")
    assert "more exact than can be said" in error_of("cjt188", litres, profile=profile_of("water"))
    # A heat profile for a water meter: the one point that both have, or none.
    assert values_of(only("cjt188", WATER, profile=profile_of("heat"))) == [("volume", "68.00", "m3")]
    mine = Profile("mine", {"protocol": "cjt188", "points": (("heat_gj", "heat", "", "GJ", 6, "register"),)})
    assert error_of("cjt188", WATER, profile=mine) == "no point of profile mine is in it: it has volume, volume_settlement"


def test_cjt188_other_frames():
    refused = only("cjt188", cjt("05 0400", control="C1"))
    assert refused["ok"] and (refused["error"], refused["seq"], refused["di"]) == ("0400", 5, None)
    assert only("cjt188", cjt("04", control="C1"))["error"] == "04"
    assert only("cjt188", cjt("901F 05 04", control="C1"))["error"] == "04"
    month = only("cjt188", cjt("D12B 00 34120000 2C"))
    assert values_of(month) == [("volume_last_12", "12.34", "m3")]
    assert values_of(only("cjt188", cjt("20D1 00 34120000 05", "20"))) == [("heat_last_1", "12.34", "kWh")]
    assert values_of(only("cjt188", cjt("8103 00 25"))) == [("settlement_day", "25", "")]
    assert only("cjt188", cjt("8102 00 112233"))["data"] == "112233"
    # Kind 40: nobody says what its data are.
    assert only("cjt188", cjt("901F 00 112233", "40"))["data"] == "112233"
    assert only("cjt188", cjt("A017 00 55", control="04"))["request"] is True


@pytest.mark.parametrize(
    "data, says",
    [
        (cjt("1F90 00 7766550A 2C 00660000 2C 31012211051520 2184"), "volume: not BCD"),
        (cjt("1F90 00 77665500 05 00660000 2C 31012211051520 2184"), "volume: unit 05 is kWh"),
        (cjt("1F90 00 77665500 00 00660000 2C 31012211051520 2184"), "volume: unit 00"),
        (cjt("1F90 00" + WATER_DATA + "00"), "data: 20 bytes, not 19 or 6"),
        (cjt("1F90 00" + "".join(HEAT_FIELDS) + HEAT_TAIL), "data: 43 bytes, not 19 or 6"),
        (cjt("1F90 00" + WATER_DATA, "20"), "data: 19 bytes, not 43"),
        (cjt("1F90 00" + "01020304 01" * 5 + HEAT_TAIL, "20"), "units: before and behind the values"),
        (cjt("1F90 00" + "99999999 99" * 5 + HEAT_TAIL, "20"), "units: none where they should be"),
        (cjt("1F"), "length 01: too short for a data identifier and a sequence number"),
        (cjt("1F90 00 00", control="B7"), "control B7: no function of CJ/T 188"),
        (cjt("", control="C1"), "error reply without an error byte"),
        (cjt("D120 00 34120000 35"), "data: unit 35 is none of a volume or an energy"),
        (cjt("8103 00 2F"), "settlement_day: not BCD: 2F"),
    ],
)
def test_cjt188_frames_that_are_not_valid(data, says):
    found = only("cjt188", data)
    assert found["ok"] is False and says in found["error"], found
    assert found["meter"] == "78330011223344" and found["type"] in ("10", "20")


# -- no frame ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "protocol, text, says",
    [
        ("dlt645", "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8B 16", "checksum wrong: heard 8B, wanted 8A"),
        ("dlt645", "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33", "length byte 08 (byte 9) goes 4 bytes beyond the end"),
        ("dlt645", "68 61 01 00 00 00 00 68 91 C8 33 33 34 33 59 33 33 33 8A 16", "length byte C8 (byte 9) goes 192 bytes"),
        ("dlt645", "68 61 01 00 00 00 00 68 91 07 33 33 34 33 59 33 33 33 8A 16", "there are neither checksum nor 16"),
        ("dlt645", "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 00", "ends with 00 in byte 19, not with 16"),
        ("dlt645", "68 61 01 00", "ends in its head"),
        ("dlt645", "68 61 01 00 00 00 00 69 91 08 33 33 34 33 59 33 33 33 8A 16", "byte 7 is 69, not 68"),
        ("dlt645", "68 61 01 00 00 00 00 69 91 08 33 33 34 33 59 33 33 33 8B 16", "byte 7 is 69, not 68"),
        ("dlt645", "01 02 03", "no byte of 3 is 68"),
        ("dlt645", WATER, "but there is a frame of cjt188: decode it as that"),
        ("cjt188", DLT, "but there is a frame of dlt645: decode it as that"),
        ("modbus", DLT, "but there is a frame of dlt645: decode it as that"),
        ("dlt645", PZEM, "but there is a frame of modbus: decode it as that"),
        ("cjt188", WATER[:-5] + "74 16", "heard 74, wanted 73"),
        ("modbus", PZEM[:-2] + "35", "checksum wrong: heard 5135, wanted 5134"),
        ("modbus", PZEM[:-9], "reply at byte 0: its byte count 14 (byte 2) goes 3 bytes beyond the end"),
        ("modbus", "FF FF " + PZEM[:-2] + "35", "reply at byte 2: checksum wrong"),
        ("modbus", "01 04 00 00 00 02 71 CC", "request at byte 0: checksum wrong: heard 71CC, wanted 71CB"),
        ("modbus", "01 84 02 C2 C2", "error at byte 0: checksum wrong: heard C2C2, wanted C2C1"),
        ("modbus", "01 04 00", "3 bytes are no frame, the shortest has 5"),
        # Unit 0 is everybody, and nobody is read by it.
        ("modbus", modbus("00 04 0000 0001").hex(), "8 bytes from unit 0 are neither request nor reply"),
        ("modbus", modbus("01 04 06 0000 0000").hex(), "9 bytes from unit 1 are neither request nor reply"),
        ("modbus", "11 22 33 44 55 66", "no unit is followed by function 03 or 04"),
    ],
)  # fmt: skip
def test_why_there_is_no_frame(protocol, text, says):
    found = only(protocol, text)
    assert list(found) == ["ok", "error"] and found["ok"] is False
    assert found["error"].startswith("no frame: ") and says in found["error"], found


def test_no_input_ends_in_a_traceback_and_values_are_plain_decimals():
    chance = random.Random(188)
    every = [(e["protocol"], bytes_of([e["hex"]])) for e in RECORDED]
    profiles = {"modbus": ("sdm630", "b23", "pzem016"), "dlt645": ("dlt645_3p",), "dlt645-1997": ("dlt645_1997_3p",)}
    profiles["cjt188"] = ("heat", "water", "cooling")
    for _ in range(1500):
        protocol, data = chance.choice(every)
        data = bytearray(data)
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(len(data))] = chance.choice((0, 0x68, 0x16, 0xFF, 0xFA, chance.randrange(256)))
        data = _mended(protocol, bytes(data)) if chance.random() < 0.8 else bytes(data)
        profile = profile_of(chance.choice(profiles[protocol])) if chance.random() < 0.5 else None
        first = chance.choice((None, 0, 0xFFFF, 0x5000))
        for other in (protocol, chance.choice(list(profiles))):
            for frame in decode(other, data, profile if other == protocol else None, first):
                assert json.loads(json.dumps(frame)) == frame
                for value in frame.get("values", ()):
                    numeric = value["unit"] not in ("",) and value["value"] is not None
                    assert not numeric or re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", value["value"]), frame


def _mended(protocol, data):
    """Bytes with a right checksum where a frame may end with them."""
    if protocol == "modbus":
        return framed(data[:-2])
    at = data.find(0x68)
    if at < 0 or len(data) - at < 4:
        return data
    n = data[at + (10 if protocol == "cjt188" else 9)] if len(data) > at + 10 else 0
    end = min(len(data), at + n + (13 if protocol == "cjt188" else 12))
    return data[: end - 2] + bytes((sum(data[at : end - 2]) & 0xFF, 0x16)) + data[end:]


def test_long_input_takes_little_time():
    begun = time.monotonic()
    for protocol in ("modbus", "dlt645", "cjt188"):
        for pattern in (b"\x68", b"\x01\x04\x10", b"\x04"):
            decode(protocol, pattern * (60000 // len(pattern)))
    assert time.monotonic() - begun < 30


# -- the command ------------------------------------------------------------------------------------------------------


def test_exit_status_and_standard_input():
    assert run("dlt645", *DLT.split())[0] == 0
    status, found, error = run("dlt645", "-", text=DLT.encode() + b"\r\n")
    assert (status, found[0]["values"][0]["value"], error) == (0, "0.26", "")
    status, found, _ = run("dlt645", DLT, dlt("91", "00000100 5A000000").hex())
    assert status == 1 and [frame["ok"] for frame in found] == [True, False]
    status, found, error = run("dlt645", "FE")
    assert status == 1 and len(found) == 1 and not found[0]["ok"] and error == ""
    assert run("dlt646", "FE")[0] == 2


@pytest.mark.parametrize(
    "words, says",
    [
        (("modbus", "0G"), "argument 1 is not hex: 'G' in '0G'"),
        (("modbus", "01", "0"), "argument 2 is not hex: '0' has an odd number of digits"),
        (("modbus", "hello"), "is not hex: 'h'"),
        (("modbus", "\u0661\u0662"), "is not hex"),
        (("modbus", ""), "there are no bytes"),
        (("modbus", PZEM, "--first=10000"), "--first must be a register as hex digits"),
        (("modbus", PZEM, "--first=-1"), "--first must be a register as hex digits"),
        (("modbus", PZEM, "--first="), "--first must be a register as hex digits"),
        (("modbus", PZEM, "--first=FFFF"), "10 registers from FFFF go beyond register FFFF"),
        (("modbus", PZEM, "--profile", "sdm999"), "--profile must be one of: adl400, adw300"),
        (("modbus", PZEM, "--profile", "water"), "--profile must be one for modbus; water is for cjt188"),
        (("modbus", PZEM, "--profile", "x", "--profiles", "/nothing.json"), "/nothing.json cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said_as_json(words, says, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["metergate", "decode", *words])
    assert cli.main() == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert says in json.loads(out)["error"]


def test_hex_with_and_without_marks():
    wanted = bytes.fromhex("0104AB")
    for texts in (["0104ab"], ["01 04 AB"], ["01", "04", "AB"], ["0x01 0x04,0xAB"], ["01:04:AB"], ["01;04\t\nAB"]):
        assert bytes_of(texts) == wanted


def test_standard_input_that_is_no_text(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\x68\x00\xff")))
    monkeypatch.setattr(sys, "argv", ["metergate", "decode", "cjt188", "-"])
    assert cli.main() == 1
    assert "standard input is not hex" in json.loads(capsys.readouterr().out)["error"]


def test_own_profiles_with_a_fault_are_named(tmp_path):
    file = tmp_path / "profiles.json"
    file.write_text('{"mine": {"model": "m"}}')
    status, found, _ = run("modbus", PZEM, "--profile", "mine", "--profiles", str(file))
    assert status == 1 and found[0]["error"].startswith("profiles.mine.protocol must be one of")


@pytest.mark.parametrize("words", ["decode dlt645 -", "profiles --json"])
def test_a_reader_that_goes_away_is_no_traceback(words):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m metergate {words} | head -1"],
        input=((DLT + " ") * 5000).encode(),
        capture_output=True,
        cwd=ROOT,
        env={"PYTHONPATH": "tools", "PATH": "/bin:/usr/bin"},
        timeout=60,
    )
    assert done.stderr == b"" and done.stdout.count(b"\n") == 1


def test_the_recorded_frames_are_facts_with_right_checksums():
    # But for those that say so.
    n_good = sum(1 for entry in RECORDED if "meter" in entry["frames"][0])
    assert len(RECORDED) - n_good == 1
    assert Path(ROOT / "tests/golden/meterframes.json").stat().st_size < 40000


def test_a_meters_number_that_is_no_digits_is_said():
    found = only("dlt645", dlt("91", "00000100 26000000", "EEEEEEEEEEEE"))
    assert not found["ok"] and "meter: not BCD" in found["error"] and found["meter"] == "EEEEEEEEEEEE"
