"""DL/T 645-2007: electricity meters of one and of three phases; the standard says what stands where."""

from firmware.protocols.record import GAUGE, REGISTER

_SOURCE = "DL/T 645-2007, appendix A"

# DL/T 645-2007, appendix A, tables A.1 (energy), A.2 (demand), A.3 (variables), A.5 (parameters), A.6 (freezes).
_ENERGY = (
    ("energy_import", 0x00010000, "bcd4", "kWh", 2, REGISTER),
    ("energy_import_t1", 0x00010100, "bcd4", "kWh", 2, REGISTER),
    ("energy_import_t2", 0x00010200, "bcd4", "kWh", 2, REGISTER),
    ("energy_import_t3", 0x00010300, "bcd4", "kWh", 2, REGISTER),
    ("energy_import_t4", 0x00010400, "bcd4", "kWh", 2, REGISTER),
    ("energy_export", 0x00020000, "bcd4", "kWh", 2, REGISTER),
    ("energy_combined", 0x00000000, "bcd4s", "kWh", 2, REGISTER),
)
_DEMAND = (("demand_max", 0x01010000, "bcd3+5", "kW", 4, GAUGE),)
_PHASE = (
    ("voltage_l1", 0x02010100, "bcd2", "V", 1, GAUGE),
    ("current_l1", 0x02020100, "bcd3s", "A", 3, GAUGE),
    ("power", 0x02030000, "bcd3s", "kW", 4, GAUGE),
    ("reactive_power", 0x02040000, "bcd3s", "kvar", 4, GAUGE),
    ("apparent_power", 0x02050000, "bcd3s", "kVA", 4, GAUGE),
    ("power_factor", 0x02060000, "bcd2s", "1", 3, GAUGE),
    ("frequency", 0x02800002, "bcd2", "Hz", 2, GAUGE),
)
_PHASES = (
    ("energy_reactive_1", 0x00030000, "bcd4s", "kvarh", 2, REGISTER),
    ("energy_reactive_2", 0x00040000, "bcd4s", "kvarh", 2, REGISTER),
    ("energy_reactive_q1", 0x00050000, "bcd4", "kvarh", 2, REGISTER),
    ("energy_reactive_q2", 0x00060000, "bcd4", "kvarh", 2, REGISTER),
    ("energy_reactive_q3", 0x00070000, "bcd4", "kvarh", 2, REGISTER),
    ("energy_reactive_q4", 0x00080000, "bcd4", "kvarh", 2, REGISTER),
    ("energy_apparent", 0x00090000, "bcd4", "kVAh", 2, REGISTER),
    ("voltage_l2", 0x02010200, "bcd2", "V", 1, GAUGE),
    ("voltage_l3", 0x02010300, "bcd2", "V", 1, GAUGE),
    ("current_l2", 0x02020200, "bcd3s", "A", 3, GAUGE),
    ("current_l3", 0x02020300, "bcd3s", "A", 3, GAUGE),
    ("power_l1", 0x02030100, "bcd3s", "kW", 4, GAUGE),
    ("power_l2", 0x02030200, "bcd3s", "kW", 4, GAUGE),
    ("power_l3", 0x02030300, "bcd3s", "kW", 4, GAUGE),
    ("reactive_power_l1", 0x02040100, "bcd3s", "kvar", 4, GAUGE),
    ("reactive_power_l2", 0x02040200, "bcd3s", "kvar", 4, GAUGE),
    ("reactive_power_l3", 0x02040300, "bcd3s", "kvar", 4, GAUGE),
    ("power_factor_l1", 0x02060100, "bcd2s", "1", 3, GAUGE),
    ("power_factor_l2", 0x02060200, "bcd2s", "1", 3, GAUGE),
    ("power_factor_l3", 0x02060300, "bcd2s", "1", 3, GAUGE),
    ("phase_angle_l1", 0x02070100, "bcd2", "deg", 1, GAUGE),
    ("phase_angle_l2", 0x02070200, "bcd2", "deg", 1, GAUGE),
    ("phase_angle_l3", 0x02070300, "bcd2", "deg", 1, GAUGE),
)
_ABOUT = (
    ("serial_number", 0x04000402, "digits6", "", 0, "about"),
    ("communication_number", 0x04000401, "digits6", "", 0, "about"),
    ("asset_number", 0x04000403, "text32", "", 0, "about"),
    ("accuracy_class", 0x04000407, "text4", "", 0, "about"),
    ("clock_date", 0x04000101, "date4", "", 0, "about"),
    ("clock_time", 0x04000102, "time3", "", 0, "about"),
    ("demand_period", 0x04000103, "bcd1", "min", 0, "about"),
    ("demand_slide", 0x04000104, "bcd1", "min", 0, "about"),
    ("status_1", 0x04000501, "hex2", "", 0, "about"),
    ("freeze_time", 0x05060001, "time5", "", 0, "about"),
    ("freeze_energy_import", 0x05060101, "bcd4..", "kWh", 2, "about"),
)

_TARIFFS = (0x0001FF00, (0x00010000, 0x00010100, 0x00010200, 0x00010300, 0x00010400))
_BLOCKS = (
    _TARIFFS,
    (0x0201FF00, (0x02010100, 0x02010200, 0x02010300)),
    (0x0202FF00, (0x02020100, 0x02020200, 0x02020300)),
    (0x0203FF00, (0x02030000, 0x02030100, 0x02030200, 0x02030300)),
    (0x0204FF00, (0x02040000, 0x02040100, 0x02040200, 0x02040300)),
    (0x0206FF00, (0x02060000, 0x02060100, 0x02060200, 0x02060300)),
    (0x0207FF00, (0x02070100, 0x02070200, 0x02070300)),
)


def _profile(model, points, blocks):
    return {
        "model": model,
        "source": _SOURCE,
        "protocol": "dlt645",
        "settings": "2400 8E1",
        "default": ("energy_import", "power"),
        "points": points,
        "blocks": blocks,
    }


PROFILES = {
    "dlt645_1p": _profile("DL/T 645-2007, one phase", _ENERGY + _DEMAND + _PHASE + _ABOUT, (_TARIFFS,)),
    "dlt645_3p": _profile("DL/T 645-2007, three phases", _ENERGY + _DEMAND + _PHASE + _PHASES + _ABOUT, _BLOCKS),
}
