"""The 8 mixed meters of the bench, 20 ms turnaround each, and the 32 of its midnight. On the board and on the PC."""

LINE = {"name": "A", "uart": 1, "tx": 17, "rx": 16, "de": 4}

_DAILY = 86400


def modbus(unit, profile="sdm630", **more):
    return dict({"name": "modbus%d" % unit, "line": "A", "protocol": "modbus", "unit": unit, "profile": profile}, **more)


def dlt645(n, profile="dlt645_1p", **more):
    return dict(
        {"name": "dlt645_%d" % n, "line": "A", "protocol": "dlt645", "number": "%012d" % (161 + n), "profile": profile}, **more
    )


def cjt188(n, profile="water", **more):
    """Asked as often as the others, whatever its battery says."""
    row = {
        "name": "cjt188_%d" % n,
        "line": "A",
        "protocol": "cjt188",
        "number": "%014d" % (78330011220000 + n),
        "profile": profile,
    }
    return dict(row, reads_per_day_max=_DAILY, **more)


METERS = (
    modbus(1),
    dlt645(1),
    modbus(2, "dtsu666"),
    cjt188(1),
    modbus(3, "pzem016"),
    dlt645(2),
    modbus(4, "b23", settings="9600 8N1"),
    cjt188(2, "heat"),
)

_ENERGY = ["energy_import", "energy_export"]
_SIX = _ENERGY + ["voltage_l1", "current_l1", "power", "power_factor"]
_SIX_HEAT = ["heat_gj", "volume", "heat_power", "flow", "temperature_supply", "temperature_return"]


def of_midnight(every_s):
    """32 meters at 2400 baud with 6 points each, two of them registers: 12 of Modbus, 12 of DL/T 645, 8 of CJ/T 188.

    They take 20 to 100 ms to answer."""
    found = []
    for n in range(12):
        profile = ("sdm630", "sdm120", "b23")[n % 3]
        found.append(modbus(n + 1, profile, settings="2400 8N1", points=_SIX))
        found.append(dlt645(n, "dlt645_1p", points=_SIX))
        if n < 8:
            found.append(cjt188(n, "heat", points=_SIX_HEAT))
    for n, row in enumerate(found):
        row["every_s"] = every_s
        row["sim"] = {"turnaround_us": 20000 + n * 80000 // (len(found) - 1)}
    return found


def of_noise():
    """10 meters of the three protocols, whose requests and replies together are 57 to 60 bytes, in one exchange each."""
    fast = {"turnaround_us": 2000}
    tariffs = ["energy_import", "energy_import_t1", "energy_import_t2", "energy_import_t3", "energy_import_t4"]
    found = [modbus(n + 1, "sdm630", sim=fast) for n in range(4)]
    found += [dlt645(n, settings="9600 8E1", points=tariffs, sim=fast) for n in range(3)]
    return found + [cjt188(n, settings="9600 8E1", points=["volume", "volume_settlement"], sim=fast) for n in range(3)]
