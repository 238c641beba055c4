"""Acrel ADL400 and ADW300: holding registers, integers, high word first; the secondary side: ratios are not applied."""

from firmware.protocols.modbus import HOLDING
from firmware.protocols.record import GAUGE, REGISTER

# Acrel ADL400 installation and operation instruction, Modbus register table (not confirmed by a second source).
_ADL400 = (
    ("energy_total", 0x0000, "u32/100", "kWh", 2, REGISTER),
    ("current_l1", 0x0064, "u16/100", "A", 2, GAUGE),
    ("current_l2", 0x0065, "u16/100", "A", 2, GAUGE),
    ("current_l3", 0x0066, "u16/100", "A", 2, GAUGE),
    ("power_l1", 0x0164, "i32/1000", "kW", 3, GAUGE),
    ("power_l2", 0x0166, "i32/1000", "kW", 3, GAUGE),
    ("power_l3", 0x0168, "i32/1000", "kW", 3, GAUGE),
    ("power", 0x016A, "i32/1000", "kW", 3, GAUGE),
)

# Acrel ADW300 installation and operation instruction, Modbus register table.
_ADW300 = (
    ("voltage_l1", 0x0014, "u16/10", "V", 1, GAUGE),
    ("voltage_l2", 0x0015, "u16/10", "V", 1, GAUGE),
    ("voltage_l3", 0x0016, "u16/10", "V", 1, GAUGE),
    ("current_l1", 0x001A, "u16/100", "A", 2, GAUGE),
    ("current_l2", 0x001B, "u16/100", "A", 2, GAUGE),
    ("current_l3", 0x001C, "u16/100", "A", 2, GAUGE),
    ("power_l1", 0x001E, "i32/1000", "kW", 3, GAUGE),
    ("power_l2", 0x0020, "i32/1000", "kW", 3, GAUGE),
    ("power_l3", 0x0022, "i32/1000", "kW", 3, GAUGE),
    ("power", 0x0024, "i32/1000", "kW", 3, GAUGE),
    ("energy_import", 0x003E, "i32/100", "kWh", 2, REGISTER),
    ("energy_export", 0x0040, "i32/100", "kWh", 2, REGISTER),
)

PROFILES = {
    "adl400": {
        "model": "Acrel ADL400",
        "source": "Acrel ADL400 installation and operation instruction, register table (unconfirmed)",
        "function": HOLDING,
        "default": ("energy_total", "power"),
        "points": _ADL400,
    },
    "adw300": {
        "model": "Acrel ADW300",
        "source": "Acrel ADW300 installation and operation instruction, register table",
        "function": HOLDING,
        "default": ("energy_import", "power"),
        "points": _ADW300,
    },
}
