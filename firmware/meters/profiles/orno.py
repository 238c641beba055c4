"""ORNO WE-514 and WE-515: holding registers, integers, high word first; one phase."""

from firmware.protocols.modbus import HOLDING
from firmware.protocols.record import GAUGE, REGISTER

# ORNO OR-WE-514, OR-WE-515 user manual, Modbus register list.
_WE514 = (
    ("frequency", 0x0130, "u16/100", "Hz", 2, GAUGE),
    ("voltage_l1", 0x0131, "u16/100", "V", 2, GAUGE),
    ("current_l1", 0x0139, "u32/1000", "A", 3, GAUGE),
    ("power", 0x0140, "u32/1000", "kW", 3, GAUGE),
    ("reactive_power", 0x0148, "u32/1000", "kvar", 3, GAUGE),
    ("apparent_power", 0x0150, "u32/1000", "kVA", 3, GAUGE),
    ("power_factor", 0x0158, "u16/1000", "1", 3, GAUGE),
    ("energy_import", 0xA000, "u32/100", "kWh", 2, REGISTER),
)


def _profile(model):
    return {
        "model": model,
        "source": "ORNO %s user manual, Modbus register list" % model[5:],
        "function": HOLDING,
        "settings": "9600 8E1",
        "default": ("energy_import", "power"),
        "points": _WE514,
    }


PROFILES = {"we514": _profile("ORNO OR-WE-514"), "we515": _profile("ORNO OR-WE-515")}
