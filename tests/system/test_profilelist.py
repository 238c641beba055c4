"""metergate profiles: every meter with its points, units, resolution and source, as text and as JSON."""

import json
import subprocess
import sys

import pytest

from firmware.meters import profiles
from metergate import cli
from metergate.onpc import ROOT
from metergate.profilelist import resolution_of

NAMES = profiles.names()


@pytest.fixture
def listed(monkeypatch, capsys):
    """listed(*words) -> (exit status, standard output, standard error) of the command."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["metergate", "profiles", *words])
        status = cli.main()
        return (status, *capsys.readouterr())

    return run


def lines_of(out, name):
    """The lines about one profile in the list of all."""
    lines = out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.split(" ")[0] == name)
    last = next(i for i in range(first + 1, len(lines)) if not lines[i].startswith(" "))
    return " ".join(line.strip() for line in lines[first:last])


def test_all_profiles_with_points_units_resolution_and_source(listed):
    status, out, error = listed()
    assert (status, error) == (0, "")
    for name in NAMES:
        profile = profiles.profile_of(name)
        text = lines_of(out, name)
        assert profile.model in text and profile.protocol in text and profile.settings in text and profile.source in text
        for row in profile.points:
            unit = "" if row[3] == "1" else row[3]
            assert f" {row[0]}" in text and unit in text, (name, row)
    assert "energy_import* 0.01.. kWh" in lines_of(out, "sdm630")
    assert "voltage_l1 0.1 V" in lines_of(out, "pzem016")
    assert "24 (battery)" in lines_of(out, "water") and "battery" not in lines_of(out, "sdm630")
    assert "\x1b" not in out


def test_one_profile_has_a_line_for_each_point(listed):
    status, out, _ = listed("sdm630", "heat", "dlt645_3p")
    assert status == 0
    rows = [line.replace("*", " ").split() for line in out.splitlines()]
    for name in ("sdm630", "heat", "dlt645_3p"):
        for row in profiles.profile_of(name).points:
            assert any(words[:1] == [row[0]] for words in rows), row
    assert ["energy_import", "0048", "f32", "kWh", "2", "0.01", "grows", "with", "the", "value", "register"] in [
        words[:11] for words in rows
    ]
    assert ["energy_import_t1", "00010100", "bcd4", "kWh", "2", "0.01", "register"] in [words[:7] for words in rows]
    assert ["heat_gj", "heat", "GJ", "6", "0.000001", "grows", "with", "the", "meter's", "unit"] in [
        words[:10] for words in rows
    ]
    # The default points are marked.
    assert [line.split()[1] for line in out.splitlines() if line.startswith("* ") and "read unless" not in line][:2] == [
        "power",
        "energy_import",
    ]
    assert "Eastron SDM630 Modbus protocol manual V1.5, table 1" in out


def test_json_has_everything(listed):
    status, out, _ = listed("--json")
    found = {profile["profile"]: profile for profile in json.loads(out)}
    assert status == 0 and sorted(found) == NAMES
    for name in NAMES:
        profile = profiles.profile_of(name)
        assert found[name]["source"] == profile.source and found[name]["default"] == list(profile.default)
        assert [point["name"] for point in found[name]["points"]] == [row[0] for row in profile.points]
    assert found["water"]["on_battery"] is True and found["water"]["reads_per_day"] == 24
    assert found["sdm630"]["on_battery"] is False and found["sdm630"]["reads_per_day"] is None
    points = {point["name"]: point for point in found["sdm630"]["points"]}
    assert points["power"] == {
        "name": "power",
        "register": "0034",
        "form": "f32/1000",
        "unit": "kW",
        "decimals": 4,
        "resolution": "0.0001",
        "resolution_grows": "with the value",
        "class": "gauge",
        "default": True,
        "meaning": "active power of all phases",
    }
    # A number that is no quantity has no steps.
    assert points["serial_number"]["resolution"] is None
    assert json.loads(listed("b23", "--json")[1])[0]["points"][2]["resolution"] == "0.1"


@pytest.mark.parametrize(
    "form, decimals, resolution",
    [
        ("u16/10", 1, ("0.1", None)),
        # The map's step, not the point's last digit.
        ("u16/10", 3, ("0.100", None)),
        ("u32*100", 0, ("100", None)),
        # The point's last digit, where the map is finer.
        ("u32/1000", 1, ("0.1", None)),
        ("i64", 2, ("1.00", None)),
        ("f32", 2, ("0.01", "with the value")),
    ],
)
def test_resolution_is_the_smallest_step_that_map_and_point_allow(form, decimals, resolution):
    profile = profiles.Profile("mine", {"protocol": "modbus"})
    assert resolution_of(profile, ("voltage_l1", 0, form, "V", decimals, "gauge")) == resolution


def test_unknown_profile_ends_with_status_2_and_says_what_there_is(listed):
    status, out, error = listed("sdm630", "sdm999")
    assert (status, out) == (2, "")
    assert error.startswith("metergate: profile sdm999 is not known; there are: adl400, adw300, ")
    assert error.count("\n") == 1


def test_own_profiles_are_listed_with_the_others(listed, tmp_path):
    point = {"name": "volume", "register": "0010", "form": "u32/100", "unit": "m3", "decimals": 2, "class": "register"}
    mine = {"model": "Acme", "source": "Acme manual", "protocol": "modbus", "default": ["volume"], "points": [point]}
    file = tmp_path / "profiles.json"
    file.write_text(json.dumps({"acme": mine}))
    status, out, _ = listed("--profiles", str(file))
    assert status == 0 and "volume* 0.01 m3" in lines_of(out, "acme") and "sdm630" in out
    assert "0010" in listed("acme", "--profiles", str(file))[1]
    mine["points"][0]["unit"] = "L"
    file.write_text(json.dumps({"acme": mine}))
    status, out, error = listed("--profiles", str(file))
    assert (status, out) == (2, "") and "profiles.acme.points[0].unit must be m3" in error
    assert listed("--profiles", str(tmp_path / "none.json"))[0] == 2


def test_output_is_not_cut_to_the_width_of_a_terminal():
    environment = {"PYTHONPATH": str(ROOT / "tools"), "COLUMNS": "40", "LANG": "C"}
    command = [sys.executable, "-m", "metergate", "profiles", "sdm630"]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, timeout=60, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert any(len(line) > 100 for line in done.stdout.splitlines())
    assert "the meter's own maximum demand since it was reset" in done.stdout
