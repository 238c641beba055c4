"""Schneider iEM3155: holding registers, f32 and i64, high word first; kW, and energies in Wh."""

from firmware.protocols.modbus import HOLDING
from firmware.protocols.record import GAUGE, REGISTER

# Schneider iEM3000 series user manual, DOCA0005EN, Modbus register list (its registers less 1).
_IEM3155 = (
    ("current_l1", 0x0BB7, "f32", "A", 3, GAUGE),
    ("current_l2", 0x0BB9, "f32", "A", 3, GAUGE),
    ("current_l3", 0x0BBB, "f32", "A", 3, GAUGE),
    ("voltage_l1", 0x0BD3, "f32", "V", 2, GAUGE),
    ("voltage_l2", 0x0BD5, "f32", "V", 2, GAUGE),
    ("voltage_l3", 0x0BD7, "f32", "V", 2, GAUGE),
    ("power_l1", 0x0BED, "f32", "kW", 4, GAUGE),
    ("power_l2", 0x0BEF, "f32", "kW", 4, GAUGE),
    ("power_l3", 0x0BF1, "f32", "kW", 4, GAUGE),
    ("power", 0x0BF3, "f32", "kW", 4, GAUGE),
    ("frequency", 0x0C25, "f32", "Hz", 2, GAUGE),
    ("energy_import", 0x0C83, "i64/1000", "kWh", 3, REGISTER),
    ("energy_export", 0x0C87, "i64/1000", "kWh", 3, REGISTER),
    ("energy_import_l1", 0x0DBD, "i64/1000", "kWh", 3, REGISTER),
    ("energy_import_l2", 0x0DC1, "i64/1000", "kWh", 3, REGISTER),
    ("energy_import_l3", 0x0DC5, "i64/1000", "kWh", 3, REGISTER),
    ("serial_number", 0x0081, "u32!FFFFFFFF", "", 0, "about"),
)

PROFILES = {
    "iem3155": {
        "model": "Schneider iEM3155",
        "source": "Schneider iEM3000 series user manual DOCA0005EN, Modbus register list",
        "function": HOLDING,
        "settings": "19200 8E1",
        "default": ("energy_import", "power"),
        "points": _IEM3155,
    },
}
