"""Eastron SDM: input registers, f32, high word first; powers in W."""

from micropython import const

from firmware.protocols.modbus import INPUT
from firmware.protocols.record import GAUGE, REGISTER

# Manuals allow 40 or 30 parameters in a request, 80 or 60 registers; some meters refuse from 51 on (openWB, pull request
# 2890). Those between that no manual lists may be read: ESPHome's sdm_meter does, on SDM120, SDM230, SDM630, SDM72 V2.
_MOST = const(50)

# A holding register that newer manuals list; nmakel/sdm_modbus reads it from SDM120, SDM230 and SDM630.
_SERIAL_NUMBER = ("serial_number", 0xFC00, "u32!FFFFFFFF", "", 0, "about")

# Eastron SDM630 Modbus protocol manual V1.5, table 1.
_SDM630 = (
    ("voltage_l1", 0x0000, "f32", "V", 2, GAUGE),
    ("voltage_l2", 0x0002, "f32", "V", 2, GAUGE),
    ("voltage_l3", 0x0004, "f32", "V", 2, GAUGE),
    ("current_l1", 0x0006, "f32", "A", 3, GAUGE),
    ("current_l2", 0x0008, "f32", "A", 3, GAUGE),
    ("current_l3", 0x000A, "f32", "A", 3, GAUGE),
    ("power_l1", 0x000C, "f32/1000", "kW", 4, GAUGE),
    ("power_l2", 0x000E, "f32/1000", "kW", 4, GAUGE),
    ("power_l3", 0x0010, "f32/1000", "kW", 4, GAUGE),
    ("power", 0x0034, "f32/1000", "kW", 4, GAUGE),
    ("apparent_power", 0x0038, "f32/1000", "kVA", 4, GAUGE),
    ("reactive_power", 0x003C, "f32/1000", "kvar", 4, GAUGE),
    ("power_factor", 0x003E, "f32", "1", 3, GAUGE),
    ("frequency", 0x0046, "f32", "Hz", 2, GAUGE),
    ("energy_import", 0x0048, "f32", "kWh", 2, REGISTER),
    ("energy_export", 0x004A, "f32", "kWh", 2, REGISTER),
    ("demand_max", 0x0056, "f32/1000", "kW", 4, GAUGE),
    ("energy_total", 0x0156, "f32", "kWh", 2, REGISTER),
    _SERIAL_NUMBER,
)

# Eastron SDM72D-M V2 Modbus protocol: the same without demand; where its serial number stands is not known.
_SDM72 = tuple(row for row in _SDM630 if row[0] not in ("demand_max", "serial_number"))

# Eastron SDM72D-M manual, V1.5, its first edition: it counts, and tells nothing of the phases.
_SDM72D_M = tuple(row for row in _SDM630 if row[0] in ("power", "energy_import", "energy_export", "energy_total"))

# Eastron SDM120 Modbus protocol manual V2.4: one phase.
_SDM120 = (
    ("voltage_l1", 0x0000, "f32", "V", 2, GAUGE),
    ("current_l1", 0x0006, "f32", "A", 3, GAUGE),
    ("power", 0x000C, "f32/1000", "kW", 4, GAUGE),
    ("apparent_power", 0x0012, "f32/1000", "kVA", 4, GAUGE),
    ("reactive_power", 0x0018, "f32/1000", "kvar", 4, GAUGE),
    ("power_factor", 0x001E, "f32", "1", 3, GAUGE),
    ("frequency", 0x0046, "f32", "Hz", 2, GAUGE),
    ("energy_import", 0x0048, "f32", "kWh", 2, REGISTER),
    ("energy_export", 0x004A, "f32", "kWh", 2, REGISTER),
    ("energy_total", 0x0156, "f32", "kWh", 2, REGISTER),
    _SERIAL_NUMBER,
)


def _profile(model, source, points, settings):
    return {
        "model": model,
        "source": source,
        "function": INPUT,
        "settings": settings,
        "most": _MOST,
        "gap": _MOST,
        "default": ("energy_import", "power"),
        "points": points,
    }


PROFILES = {
    "sdm630": _profile("Eastron SDM630", "Eastron SDM630 Modbus protocol manual V1.5, table 1", _SDM630, "9600 8N1"),
    "sdm72": _profile("Eastron SDM72 V2", "Eastron SDM72D-M V2 Modbus protocol manual", _SDM72, "9600 8N1"),
    "sdm72d_m": _profile("Eastron SDM72D-M, first edition", "Eastron SDM72D-M manual V1.5", _SDM72D_M, "9600 8N1"),
    "sdm120": _profile("Eastron SDM120", "Eastron SDM120 Modbus protocol manual V2.4", _SDM120, "2400 8N1"),
    "sdm230": _profile("Eastron SDM230", "Eastron SDM120 Modbus protocol manual V2.4", _SDM120, "2400 8N1"),
}
