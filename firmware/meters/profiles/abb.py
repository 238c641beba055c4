"""ABB B23 and B24: holding registers, integers, high word first; all ones, without the sign of a signed one, is no value."""

from firmware.protocols.modbus import HOLDING
from firmware.protocols.record import GAUGE, REGISTER

_NO_U16, _NO_U32, _NO_U64 = "!FFFF", "!FFFFFFFF", "!FFFFFFFFFFFFFFFF"
_NO_I16, _NO_I32 = "!7FFF", "!7FFFFFFF"

# ABB B23/B24 user manual 2CMC485003M0201, 9.3: mapping tables.
_B23 = (
    ("energy_import", 0x5000, "u64/100" + _NO_U64, "kWh", 2, REGISTER),
    ("energy_export", 0x5004, "u64/100" + _NO_U64, "kWh", 2, REGISTER),
    ("voltage_l1", 0x5B00, "u32/10" + _NO_U32, "V", 1, GAUGE),
    ("voltage_l2", 0x5B02, "u32/10" + _NO_U32, "V", 1, GAUGE),
    ("voltage_l3", 0x5B04, "u32/10" + _NO_U32, "V", 1, GAUGE),
    ("current_l1", 0x5B0C, "u32/100" + _NO_U32, "A", 2, GAUGE),
    ("current_l2", 0x5B0E, "u32/100" + _NO_U32, "A", 2, GAUGE),
    ("current_l3", 0x5B10, "u32/100" + _NO_U32, "A", 2, GAUGE),
    ("power", 0x5B14, "i32/100000" + _NO_I32, "kW", 5, GAUGE),
    ("power_l1", 0x5B16, "i32/100000" + _NO_I32, "kW", 5, GAUGE),
    ("power_l2", 0x5B18, "i32/100000" + _NO_I32, "kW", 5, GAUGE),
    ("power_l3", 0x5B1A, "i32/100000" + _NO_I32, "kW", 5, GAUGE),
    ("frequency", 0x5B2C, "u16/100" + _NO_U16, "Hz", 2, GAUGE),
    ("power_factor", 0x5B3A, "i16/1000" + _NO_I16, "1", 3, GAUGE),
    ("serial_number", 0x8900, "u32!FFFFFFFF", "", 0, "about"),
)


def _profile(model):
    return {
        "model": model,
        "source": "ABB B23/B24 user manual 2CMC485003M0201, 9.3",
        "function": HOLDING,
        "settings": "9600 8E1",
        # Every register from 1000 to 8EFF may be read, whether it is listed or not.
        "gap": 125,
        "default": ("energy_import", "power"),
        "points": _B23,
    }


PROFILES = {"b23": _profile("ABB B23"), "b24": _profile("ABB B24")}
