"""DL/T 645-1997: older electricity meters of one and of three phases."""

from firmware.protocols.record import GAUGE, REGISTER

_SOURCE = "DL/T 645-1997, appendix A"

# DL/T 645-1997, appendix A. Voltages have three digits; some meters send tenths in four, which needs a profile of its own.
_ONE = (
    ("energy_import", 0x9010, "bcd4", "kWh", 2, REGISTER),
    ("energy_import_t1", 0x9011, "bcd4", "kWh", 2, REGISTER),
    ("energy_import_t2", 0x9012, "bcd4", "kWh", 2, REGISTER),
    ("energy_import_t3", 0x9013, "bcd4", "kWh", 2, REGISTER),
    ("energy_import_t4", 0x9014, "bcd4", "kWh", 2, REGISTER),
    ("energy_export", 0x9020, "bcd4", "kWh", 2, REGISTER),
    ("voltage_l1", 0xB611, "bcd2:3", "V", 0, GAUGE),
    ("current_l1", 0xB621, "bcd2", "A", 2, GAUGE),
    ("power", 0xB630, "bcd3", "kW", 4, GAUGE),
)
_THREE = (
    ("voltage_l2", 0xB612, "bcd2:3", "V", 0, GAUGE),
    ("voltage_l3", 0xB613, "bcd2:3", "V", 0, GAUGE),
    ("current_l2", 0xB622, "bcd2", "A", 2, GAUGE),
    ("current_l3", 0xB623, "bcd2", "A", 2, GAUGE),
    ("power_l1", 0xB631, "bcd3", "kW", 4, GAUGE),
    ("power_l2", 0xB632, "bcd3", "kW", 4, GAUGE),
    ("power_l3", 0xB633, "bcd3", "kW", 4, GAUGE),
)
_ABOUT = (
    ("serial_number", 0xC032, "digits6", "", 0, "about"),
    ("clock_date", 0xC010, "date4", "", 0, "about"),
    ("clock_time", 0xC011, "time3", "", 0, "about"),
)


def _profile(model, points):
    return {
        "model": model,
        "source": _SOURCE,
        "protocol": "dlt645-1997",
        "settings": "1200 8E1",
        "default": ("energy_import",),
        "points": points,
    }


PROFILES = {
    "dlt645_1997_1p": _profile("DL/T 645-1997, one phase", _ONE + _ABOUT),
    "dlt645_1997_3p": _profile("DL/T 645-1997, three phases", _ONE + _THREE + _ABOUT),
}
