"""Protocols and profiles that no meter of a gateway uses take no heap once it runs, whether there are such modules or not."""

import json
import subprocess

import pytest
from conftest import config, meter

from metergate.onpc import ROOT
from metergate.pcgateway import board_root, twin

_SCRIPT = ROOT / "tests" / "system" / "board" / "ram.py"
_MODBUS = {"firmware.protocols.modbus", "firmware.protocols.numbers", "firmware.meters.ask_modbus"}
_DLT645 = {
    "firmware.protocols.bcd",
    "firmware.protocols.frame68",
    "firmware.protocols.dlt645",
    "firmware.protocols.dlt645data",
    "firmware.meters.ask_dlt645",
}
_CJT188 = {
    "firmware.protocols.bcd",
    "firmware.protocols.frame68",
    "firmware.protocols.cjt188",
    "firmware.protocols.cjt188data",
    # A unit is turned into another by it.
    "firmware.protocols.numbers",
    "firmware.meters.ask_cjt188",
}
_SPOKEN = _MODBUS | _DLT645 | _CJT188
_ELECTRIC = [meter("main", 1, "sdm630", points=["energy_import", "power", "voltage_l1"]), meter("boiler", 2, "sdm120")]
_WATER = {"name": "water", "line": "A", "protocol": "cjt188", "number": "10000000000001", "profile": "water", "every_s": 3600}
_GRID = {"name": "grid", "line": "A", "protocol": "dlt645", "number": "000000000161", "profile": "dlt645_3p", "every_s": 900}

pytestmark = pytest.mark.usefixtures("needs_twin")


@pytest.fixture(scope="module")
def mpy(tmp_path_factory, _twins):
    """The firmware as .mpy files. Paths stand in the heap: those of both folders are equally long."""
    return board_root(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def modbus_only(tmp_path_factory, _twins):
    """The same without the modules that a gateway with Eastron's meters does not use."""
    root = board_root(tmp_path_factory.mktemp("parts"))
    unused = [name.replace(".", "/") for name in _SPOKEN - _MODBUS] + ["firmware/meters/own"]
    for name in unused:
        (root / (name + ".mpy")).unlink()
    for path in (root / "firmware/meters/profiles").glob("*.mpy"):
        if path.stem not in ("__init__", "eastron"):
            path.unlink()
    return root


def started(folder, program, root, meters):
    """(bytes in use, the protocols' modules that are loaded) of a gateway with these meters."""
    (folder / "config.json").write_text(json.dumps(config(meters)))
    command = [str(word) for word in (program, "-X", "heapsize=300k", _SCRIPT, root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["meters"] == len(meters)
    assert not [name for name in found["modules"] if name.startswith(("firmware.meters.profiles", "firmware.meters.own"))]
    return found["used"], _SPOKEN.intersection(found["modules"])


def test_modules_that_no_meter_uses_take_no_heap(tmp_path, mpy, modbus_only):
    whole, loaded = started(tmp_path, twin(), mpy, _ELECTRIC)
    assert loaded == _MODBUS
    without, _ = started(tmp_path, twin(), modbus_only, _ELECTRIC)
    assert whole == without
    # And that it would show: one meter that speaks otherwise takes kilobytes.
    more, loaded = started(tmp_path, twin(), mpy, [*_ELECTRIC, _WATER])
    assert loaded == _MODBUS | _CJT188 and more > whole + 4096


@pytest.mark.parametrize("frozen", [False, True], ids=["mpy", "frozen"])
def test_a_gateway_loads_what_its_meters_speak(frozen, tmp_path, mpy):
    root = tmp_path / "empty" if frozen else mpy
    for meters, modules in (
        (_ELECTRIC, _MODBUS),
        ([_GRID], _DLT645),
        ([_WATER], _CJT188),
        ([_GRID, *_ELECTRIC, _WATER], _SPOKEN),
    ):
        _, loaded = started(tmp_path, twin(frozen), root, meters)
        assert loaded == modules
