"""CJ/T 188: water, gas, heat and cooling meters; a field of the reply to 901F is a point, in a unit of ours.

The meter says its own unit in every reply. A register that it counts more finely than the point's decimals is refused.
"""

from firmware.protocols.record import GAUGE, REGISTER

_SOURCE = "CJ/T 188-2004, table 8; CJ/T 188-2018"


_ABOUT = (
    ("clock", "clock", "", "", 0, "about"),
    ("status", "status", "", "", 0, "about"),
)


# Field of the reply (protocols/cjt188data.py) in the place of a register.
def _volume(decimals):
    return (
        ("volume", "volume", "", "m3", decimals, REGISTER),
        ("volume_settlement", "volume_settlement", "", "m3", decimals, GAUGE),
    ) + _ABOUT


# A hundredth of a kWh is 0.000036 GJ: six decimals hold every unit from kWh and MJ up.
_HEAT = (
    ("heat_gj", "heat", "", "GJ", 6, REGISTER),
    ("heat_settlement_gj", "heat_settlement", "", "GJ", 6, GAUGE),
    ("heat_power", "heat_power", "", "kW", 4, GAUGE),
    ("flow", "flow", "", "m3/h", 4, GAUGE),
    ("volume", "volume", "", "m3", 2, REGISTER),
    ("temperature_supply", "temperature_supply", "", "Cel", 2, GAUGE),
    ("temperature_return", "temperature_return", "", "Cel", 2, GAUGE),
    ("working_hours", "working_hours", "", "h", 0, REGISTER),
) + _ABOUT
_COOLING = (("cooling_gj", "cooling", "", "GJ", 6, REGISTER),) + tuple(row for row in _HEAT if row[0] != "heat_settlement_gj")


def _profile(model, default, points):
    return {
        "model": model,
        "source": _SOURCE,
        "protocol": "cjt188",
        "settings": "2400 8E1",
        "default": default,
        "points": points,
        # Once an hour: a wake-up of the receiver costs a battery that is to last for six years and more.
        "reads_per_day": 24,
    }


PROFILES = {
    "water": _profile("CJ/T 188, water", ("volume",), _volume(2)),
    "water_litre": _profile("CJ/T 188, water, counting in litres", ("volume",), _volume(5)),
    "gas": _profile("CJ/T 188, gas", ("volume",), _volume(2)),
    "heat": _profile("CJ/T 188, heat", ("heat_gj", "heat_power", "temperature_supply", "temperature_return"), _HEAT),
    "cooling": _profile("CJ/T 188, heat and cooling", ("cooling_gj", "heat_gj", "heat_power"), _COOLING),
}
