"""Meters as tables: what stands in which register, with the source above each. One interpreter reads them all.

Per profile: its function, usual settings, register gap that may be read through, default points, and the points:
(name, first register, form, unit, decimals, class). The form's divisor turns the meter's unit into the point's.
"""

from firmware.protocols.modbus import HOLDING, INPUT
from firmware.protocols.record import GAUGE, REGISTER

# Eastron SDM630 Modbus protocol manual V1.5, table 1: input registers, f32, high word first; power in W.
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
    ("reactive_power", 0x003C, "f32/1000", "kvar", 4, GAUGE),
    ("power_factor", 0x003E, "f32", "1", 3, GAUGE),
    ("frequency", 0x0046, "f32", "Hz", 2, GAUGE),
    ("energy_import", 0x0048, "f32", "kWh", 2, REGISTER),
    ("energy_export", 0x004A, "f32", "kWh", 2, REGISTER),
    ("energy_total", 0x0156, "f32", "kWh", 2, REGISTER),
)

# Eastron SDM120 Modbus protocol manual V2.4: input registers, f32, high word first; one phase, power in W.
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
)

# Chint DTSU666 user manual, communication parameter table: holding registers, f32, high word first, pre-scaled:
# V and W by 10, A and power factor by 1000, Hz by 100; energy on the secondary side, kWh.
_DTSU666 = (
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
    ("energy_import", 0x101E, "f32", "kWh", 2, REGISTER),
    ("energy_export", 0x1028, "f32", "kWh", 2, REGISTER),
)

_DEFAULT = ("energy_import", "power")

# name: (model, function, settings, gap in registers, default points, points)
PROFILES = {
    "sdm630": ("Eastron SDM630", INPUT, "9600 8N1", 0, _DEFAULT, _SDM630),
    "sdm120": ("Eastron SDM120", INPUT, "2400 8N1", 0, _DEFAULT, _SDM120),
    "dtsu666": ("Chint DTSU666", HOLDING, "9600 8N1", 0, _DEFAULT, _DTSU666),
}
