"""Peacefair PZEM-004T v3 and PZEM-016: ten input registers at 0, integers, the low word first."""

from firmware.protocols.modbus import INPUT
from firmware.protocols.record import GAUGE, REGISTER

# Peacefair PZEM-004T V3.0 and PZEM-014/016 user manuals, 2.3: input registers.
_PZEM = (
    ("voltage_l1", 0x0000, "u16/10", "V", 1, GAUGE),
    ("current_l1", 0x0001, "u32~/1000", "A", 3, GAUGE),
    ("power", 0x0003, "u32~/10000", "kW", 4, GAUGE),
    ("energy_import", 0x0005, "u32~/1000", "kWh", 3, REGISTER),
    ("frequency", 0x0007, "u16/10", "Hz", 1, GAUGE),
    ("power_factor", 0x0008, "u16/100", "1", 2, GAUGE),
    ("alarm", 0x0009, "u16", "1", 0, GAUGE),
)


def _profile(model, source):
    return {
        "model": model,
        "source": source,
        "function": INPUT,
        "settings": "9600 8N1",
        "gap": 10,
        "default": ("energy_import", "power"),
        "points": _PZEM,
    }


PROFILES = {
    "pzem004t": _profile("Peacefair PZEM-004T v3", "Peacefair PZEM-004T V3.0 user manual, 2.3"),
    "pzem016": _profile("Peacefair PZEM-016", "Peacefair PZEM-014/016 user manual, 2.3"),
}
