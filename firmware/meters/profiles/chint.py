"""Chint DTSU666 and DDSU666: holding registers, f32, high word first."""

from firmware.protocols.modbus import HOLDING
from firmware.protocols.record import GAUGE, REGISTER

# Chint DTSU666 user manual, communication parameter table: pre-scaled: V and W by 10, A and power factor by 1000, Hz by
# 100; energy on the secondary side, kWh.
_GAUGES = (
    ("voltage_l1", 0x2006, "f32/10", "V", 1, GAUGE),
    ("voltage_l2", 0x2008, "f32/10", "V", 1, GAUGE),
    ("voltage_l3", 0x200A, "f32/10", "V", 1, GAUGE),
    ("current_l1", 0x200C, "f32/1000", "A", 3, GAUGE),
    ("current_l2", 0x200E, "f32/1000", "A", 3, GAUGE),
    ("current_l3", 0x2010, "f32/1000", "A", 3, GAUGE),
    ("power", 0x2012, "f32/10000", "kW", 4, GAUGE),
    ("power_l1", 0x2014, "f32/10000", "kW", 4, GAUGE),
    ("power_l2", 0x2016, "f32/10000", "kW", 4, GAUGE),
    ("power_l3", 0x2018, "f32/10000", "kW", 4, GAUGE),
    ("reactive_power", 0x201A, "f32/10000", "kvar", 4, GAUGE),
    ("power_factor", 0x202A, "f32/1000", "1", 3, GAUGE),
    ("frequency", 0x2044, "f32/100", "Hz", 2, GAUGE),
)

_DTSU666 = _GAUGES + (
    ("energy_import", 0x101E, "f32", "kWh", 2, REGISTER),
    ("energy_export", 0x1028, "f32", "kWh", 2, REGISTER),
)

# Other editions of the instrument have the energies here; compare a reading with the display.
_DTSU666_401E = _GAUGES + (
    ("energy_import", 0x401E, "f32", "kWh", 2, REGISTER),
    ("energy_export", 0x4028, "f32", "kWh", 2, REGISTER),
)

# Chint DDSU666 user manual, communication parameter table: one phase, kW and kvar.
_DDSU666 = (
    ("voltage_l1", 0x2000, "f32", "V", 1, GAUGE),
    ("current_l1", 0x2002, "f32", "A", 3, GAUGE),
    ("power", 0x2004, "f32", "kW", 4, GAUGE),
    ("reactive_power", 0x2006, "f32", "kvar", 4, GAUGE),
    ("power_factor", 0x200A, "f32", "1", 3, GAUGE),
    ("frequency", 0x200E, "f32", "Hz", 2, GAUGE),
    ("energy_import", 0x4000, "f32", "kWh", 2, REGISTER),
    ("energy_export", 0x400A, "f32", "kWh", 2, REGISTER),
)


def _profile(model, source, points):
    return {
        "model": model,
        "source": source,
        "function": HOLDING,
        "settings": "9600 8N1",
        "default": ("energy_import", "power"),
        "points": points,
    }


PROFILES = {
    "dtsu666": _profile("Chint DTSU666", "Chint DTSU666 user manual, communication parameters", _DTSU666),
    "dtsu666_401e": _profile(
        "Chint DTSU666, energies at 401E", "Chint DTSU666 user manual, communication parameters", _DTSU666_401E
    ),
    "ddsu666": _profile("Chint DDSU666", "Chint DDSU666 user manual, communication parameters", _DDSU666),
}
