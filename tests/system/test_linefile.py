"""What is wrong with a line file is said in words, naming the place; what `metergate simulate` prints about it is right."""

import contextlib
import json
import random
import subprocess
import sys

import pytest

from firmware.errors import ConfigError
from metergate import linefile, simfaults
from metergate.onpc import ROOT
from metergate.simmeter import exact_meter
from metergate.simulate import EXAMPLE, Line
from metergate.simvariants import VARIANTS

_MODBUS = {"unit": 1, "profile": "sdm630"}
_DLT = {"protocol": "dlt645", "number": "000000000161", "profile": "dlt645_3p"}
_CJT = {"protocol": "cjt188", "number": "01501700000907", "profile": "heat"}
_OLD = {"protocol": "dlt645-1997", "number": "000000000161", "profile": "dlt645_1997_1p"}
_KINDS = {"modbus": _MODBUS, "dlt645": _DLT, "cjt188": _CJT, "dlt645-1997": _OLD}


_REQUESTS = {
    "modbus": "01 04 00 00 00 02 71 CB",
    "dlt645": "68 61 01 00 00 00 00 68 11 04 33 33 34 33 00 16",
    "dlt645-1997": "68 61 01 00 00 00 00 68 01 02 43 C3 00 16",
    "cjt188": "68 20 07 09 00 00 17 50 01 01 03 90 1F 00 00 16",
}


def _request(protocol):
    """A request to one of _KINDS, with its checksum."""
    frame = bytearray.fromhex(_REQUESTS[protocol])
    if protocol != "modbus":
        frame[-2] = sum(frame[:-2]) & 0xFF
    return bytes(frame)


def _plan(*meters, **more):
    return {"settings": "9600 8N1", "meters": list(meters) or [_MODBUS], **more}


def _meter(of=_MODBUS, **more):
    return _plan({**of, **more})


def _error(plan):
    with pytest.raises(ConfigError) as raised:
        linefile.checked(plan)
    return raised.value.key, raised.value.allowed


@pytest.mark.parametrize(
    ("plan", "key", "words"),
    [
        ([], "the file", "an object"),
        ({}, "settings", "is missing"),
        ({"settings": "9600 8N1"}, "meters", "is missing"),
        (_plan(settings="9600"), "settings", "such as 9600 8N1"),
        (_plan(settings="200 8N1"), "settings", "such as 9600 8N1"),
        ({"settings": "9600 8N1", "meters": []}, "meters", "1 to 64"),
        (_plan("x"), "meters[0]", "an object"),
        (_plan(colour=1), "colour", "is no key; known here: clock"),
        (_plan(seed="1"), "seed", "whole number"),
        (_plan(seed=True), "seed", "whole number"),
        (_plan(drive=1), "drive", "true or false"),
        (_plan(echo="yes"), "echo", "true or false"),
        (_plan(noise=5), "noise", "an object"),
        (_plan(noise={"often": 1}), "noise.often", "is no key"),
        (_plan(noise={"idle": 1000001}), "noise.idle", "0..1000000"),
        (_plan(shorted={"for_s": 0}), "shorted.for_s", "a number"),
        (_plan(clock="2025-11-22"), "clock", "such as 2025"),
        (_plan(clock="2025-02-30T00:00:00"), "clock", "such as 2025"),
        (_plan(port=7), "port", "/dev/ttyUSB0"),
        (_plan(port="/dev/x", drive=True), "drive", "must not be there"),
        (_plan(_MODBUS, {**_DLT, "settings": "2400 8E1"}, port="/dev/x"), "meters[1].settings", "one settings"),
        (_plan(_MODBUS, _MODBUS), "meters[1].unit", "used once"),
        (_plan(_CJT, _CJT), "meters[1].number", "used once"),
        (_plan({"unit": 1}), "meters[0].profile", "is missing"),
        (_meter(unit=0), "meters[0].unit", "1..247"),
        (_plan({"profile": "sdm630"}), "meters[0].unit", "is missing"),
        (_meter(number="000000000161"), "meters[0].number", "must not be there"),
        (_meter(_DLT, unit=1), "meters[0].unit", "must not be there"),
        (_meter(_DLT, number="161"), "meters[0].number", "12 digits"),
        (_meter(_CJT, number="000000000161"), "meters[0].number", "14 digits"),
        (_meter(_DLT, number="9" * 12), "meters[0].number", "not all 9"),
        (_meter(_DLT, number=161), "meters[0].number", "in quotes"),
        (_meter(protocol="mbus"), "meters[0].protocol", "one of modbus"),
        (_meter(protocol=["modbus"]), "meters[0].protocol", "one of modbus"),
        (_meter(profile="sdm999"), "meters[0].profile", "sdm630"),
        (_meter(_DLT, profile="sdm630"), "meters[0].profile", "is of modbus"),
        (_meter(power_kw="1"), "meters[0].power_kw", "a number"),
        (_meter(energy_kwh=-1), "meters[0].energy_kwh", "a number"),
        (_meter(energy_kwh=float("nan")), "meters[0].energy_kwh", "a number"),
        (_meter(load="castle"), "meters[0].load", "steady, house"),
        (_meter(solar_kw=5), "meters[0].solar_kw", "a load with a day"),
        (_meter(flow_m3_h=5), "meters[0].flow_m3_h", "CJ/T 188"),
        (_meter(variant={"colour": 1}), "meters[0].variant.colour", "is no key"),
        (_meter(variant={"serial_number": "x"}), "meters[0].variant.serial_number", "whole number"),
        (_meter(_DLT, variant={"password": "1234"}), "meters[0].variant.password", "8 digits"),
        (_meter(_CJT, variant={"status": "zzzz"}), "meters[0].variant.status", "two bytes"),
        (_meter(_CJT, variant={"units": {"energy": "furlong"}}), "meters[0].variant.units", "GJ"),
        (_meter(served_by="pymodbus", faults={}), "meters[0].faults", "served_by must be exact"),
        (_meter(faults=[]), "meters[0].faults", "an object"),
        (_meter(faults={"silnt": 1}), "meters[0].faults.silnt", "is no fault"),
        (_meter(faults={"not_bcd": 1}), "meters[0].faults.not_bcd", "only of dlt645"),
        (_meter(_CJT, faults={"reversed_ct": 1}), "meters[0].faults.reversed_ct", "only of modbus"),
        (_meter(faults={"silent": 0.5}), "meters[0].faults.silent", "a number of times in a million"),
        (_meter(faults={"silent": [1, 2]}), "meters[0].faults.silent", "an object with rate, at"),
        (_meter(faults={"late": [1, 0]}), "meters[0].faults.late.us", "1..60000000"),
        (_meter(faults={"late": {"rate": 1, "at": 3}}), "meters[0].faults.late.at", "a list"),
        (_meter(faults={"late": {"code": 1}}), "meters[0].faults.late.code", "is no key"),
        (_meter(faults={"garbage": {"how": "nice"}}), "meters[0].faults.garbage.how", "zeros"),
        (_meter(faults={"dead": {"after": 1}}), "meters[0].faults.dead.after", "known here: after_s, for_s"),
        (_meter(faults={"reversed_ct": 4}), "meters[0].faults.reversed_ct.phase", "1..3"),
        (_meter(faults={"reversed_ct": [1, 1]}), "meters[0].faults.reversed_ct.phase", "1..3"),
        (_meter(faults={"swapped_ct": [1]}), "meters[0].faults.swapped_ct.phases", "two phases"),
        (_meter(faults={"wrong_ratio": "1/0"}), "meters[0].faults.wrong_ratio.ratio", "such as"),
        (_meter(faults={"replaced": {"serial_number": "A1"}}), "meters[0].faults.replaced.serial_number", "digits"),
        (_meter(_DLT, faults={"clock_offset": "1"}), "meters[0].faults.clock_offset.s", "whole number"),
    ],
)
def test_what_is_wrong_is_named(plan, key, words):
    found = _error(plan)
    assert found[0] == key and words in found[1], found


def test_faults_are_taken_as_they_are_said():
    faults = {
        "silent": 5,
        "late": [10, 700],
        "exception": {"at": [3, 4], "code": 6},
        "garbage": {"rate": 7, "how": "ff"},
        "slow": {"rate": 8},
        "dead": True,
        "flood": False,
        "replaced": 9.5,
        "swapped_ct": [3, 1],
        "wrong_ratio": "200/5",
    }
    (meter,) = linefile.checked(_meter(faults=faults))["meters"]
    assert meter["exact"] and meter["strikes"] == {
        "silent": (5, None, ()),
        "late": (10, 700, ()),
        "exception": (0, 6, (3, 4)),
        "garbage": (7, "ff", ()),
        "slow": (8, None, ()),
    }
    assert meter["states"] == {
        "dead": {"after_s": 0, "for_s": None},
        "replaced": {"after_s": 9.5, "serial_number": "31234567", "energy_kwh": 0},
        "swapped_ct": {"phases": [2, 0]},
        "wrong_ratio": {"ratio": (200, 5)},
    }


def test_values_at_random_are_an_error_or_a_meter():
    """Whatever stands at a key that is known: a ConfigError, or a meter that can be asked."""
    dice = random.Random(5)
    odd = [None, True, False, 0, 1, -1, 2**70, 1.5, "", "1", "x" * 20, [], [1], [1, 2], [[1]], {}, {"rate": 1}, {"at": [1]}]
    odd += [{"after_s": 1}, {"": 1}, ["l1"], "zeros", [500, 3], "1/2", float("inf"), "\ud800", "٣٣"]
    n_built = 0
    for _ in range(4000):
        protocol = dice.choice(list(_KINDS))
        section = dict(_KINDS[protocol])
        place = dice.randrange(4)
        if place == 0:
            section[dice.choice(list(linefile._OF_METER))] = dice.choice(odd)
        elif place == 1:
            section["variant"] = {dice.choice(list(VARIANTS[protocol])): dice.choice(odd)}
        else:
            faults = [*simfaults.STRIKES, *simfaults.STATES]
            section["faults"] = {dice.choice(faults): dice.choice(odd), dice.choice(faults): dice.choice(odd)}
        with contextlib.suppress(ConfigError):
            plan = linefile.checked(_plan(section))
            meter = exact_meter(plan["meters"][0], 0)
            for at_us in (1000, 100000000):
                meter.hear(_request(protocol), 0, at_us)
            n_built += 1
    assert n_built > 150


def _simulate(*words):
    command = [sys.executable, "-m", "metergate", "simulate", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=ROOT, check=False)


def test_what_the_command_says_of_a_file_that_cannot_be_used(tmp_path):
    file = tmp_path / "line.json"
    for text, words in (
        ("{", "is not JSON"),
        ('{"seed": 1, "seed": 2}', "seed stands twice"),
        ("\xff", "is not"),
        (json.dumps(_meter(faults={"silnt": 1})), "metergate: meters[0].faults.silnt is no fault"),
        (json.dumps(_plan(told=str(tmp_path / "no" / "told"))), "told"),
        (json.dumps(_plan(port=str(tmp_path / "none"))), "metergate: port"),
    ):
        file.write_text(text, encoding="latin-1")
        done = _simulate(file)
        assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr, (text, done.stderr)
        assert done.stdout == ""
    done = _simulate(tmp_path / "nothing.json")
    assert done.returncode == 2 and "nothing.json cannot be read" in done.stderr
    done = _simulate()
    assert done.returncode == 2 and "--example" in done.stderr


def test_what_it_prints_of_itself():
    done = _simulate("--faults")
    assert done.returncode == 0 and not done.stderr
    rows = {line.split()[0] for line in done.stdout.splitlines() if line}
    assert rows >= {*simfaults.STRIKES, *simfaults.STATES, *simfaults.OF_LINE}
    assert all(len(line) <= 128 for line in done.stdout.splitlines())
    # Every key there is is told.
    told = _simulate("--keys").stdout
    for name in [*linefile._OF_LINE, *linefile._OF_METER]:
        assert f'"{name}"' in told, name
    assert all(name in told for name in linefile.SHAPES)
    done = _simulate("--example")
    assert json.loads(done.stdout) == json.loads(EXAMPLE)
    line = Line(json.loads(done.stdout))
    try:
        text = line.text()
    finally:
        line.close()
    for words in ("modbus 1 ", "dlt645 202511220161", "2400 8E1", "factory 60 kW", "faults: silent, garbage", "faults: noise"):
        assert words in text, text
    for option in ("--port", "--example", "--faults", "--keys"):
        assert option in _simulate("--help").stdout


def test_the_table_of_faults_has_what_the_meters_have():
    """Each that may strike does, on a meter of each protocol that it is of, and is counted by its name."""
    for protocol in _KINDS:
        request = _request(protocol)
        for name, (_, _, protocols, _) in simfaults.STRIKES.items():
            if protocol not in protocols:
                continue
            meter, clean = [
                exact_meter(linefile.checked(_meter(_KINDS[protocol], faults=faults, energy_kwh=5))["meters"][0], 0)
                for faults in ({name: {"at": [2]}}, {})
            ]
            found = [meter.hear(request, 0, at_us) for at_us in (1000, 2000)]
            right = [clean.hear(request, 0, at_us) for at_us in (1000, 2000)]
            assert found[0] == right[0] is not None and found[1] != right[1], (protocol, name)
            assert meter.counts[name] == 1
