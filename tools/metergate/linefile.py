"""A line file: what it may hold. What is wrong in one is told with its place (ConfigError).

{"settings": "9600 8N1",
 "meters": [{"unit": 1, "profile": "sdm630", "power_kw": 240.0, "energy_kwh": 1234.5},
            {"protocol": "dlt645", "number": "000000000161", "profile": "dlt645_3p", "settings": "2400 8E1",
             "load": "house"}, ..]}
A meter: "protocol" modbus (the default), dlt645, dlt645-1997 or cjt188, with "unit" or "number", and one of the firmware's
profiles. And optionally:
    "settings"       its own, if they are not the line's
    "load"           how its power goes: steady (the default: swings by a fifth around its mean, up and down in two minutes), or
                     one of the days of tests/sim/dayload.py: house, shop, factory, pump, water, gas, heating
    "power_kw"       the load's mean (1); "energy_kwh": where its register begins (0). A heat meter counts its kWh in its own
                     unit, and a m3 for every 23.26 of them; a water or gas meter that alone, which may be said directly:
    "flow_m3_h", "volume_m3"    of CJ/T 188 meters, in place of these two
    "solar_kw"       what the sun gives at noon, of a load with a day: what is left over is given back and counted apart (0)
    "faults"         as `metergate simulate --faults` has them
    "served_by"      "pymodbus" (its RTU server, a counterpart that is not ours) or "exact" (answers after turnaround_us,
                     with registers that are an exact function of time); exact are all but Modbus meters, and those with one of
                     faults, turnaround_us and variant
    "turnaround_us"  from the request's last byte to the reply's first
    "variant"        what meter() of tests/sim/slave.py, slave645.py or slave188.py takes more, such as
                     {"units_first": true}, {"serial_number": "000000000162"} or {"password": "02123456"}
For the whole line, optionally:
    "served_by"      of Modbus meters that say nothing else; default "pymodbus"
    "turnaround_us"  of exact meters that say nothing else; default 2000
    "port"           a serial port in place of a pseudo terminal; all meters have its settings then
    "noise", "echo", "shorted"    as `metergate simulate --faults` has them
    "seed"           of noise, faults and loads; default 1
    "clock"          what meters' clocks show at the start, "now" or "2025-11-22T10:15:30" in their own local time
    "drive"          true: driver-enable is observed; the second line printed is the fifo for the gateway's sim.json
                     (tests/sim/ports/machine.py), which also tells its settings. Default false: the transceiver switches
                     by itself
    "report"         a file that gets {"wire": counts, "meters": {unit or number: counts}} about once a second and at the end
    "told"           a file with a line `AT_US UNIT REGISTER HEX` for each reply an exact meter gave: its unit or number;
                     the first register, the data identifier, or 36895 (901F), in decimal; and what stood there
"""

import calendar
import json
import time

from firmware.errors import ConfigError
from firmware.forms import parse_settings
from firmware.meters.profiles import names, profile_of
from metergate.simfaults import AFTER_S, FOR_S, RATE, checked_faults, number, one_of, whole
from metergate.simvariants import TRUTH, VARIANTS
from tests.sim.dayload import SHAPES

STEADY = "steady"
_PROTOCOLS = ("modbus", "dlt645", "dlt645-1997", "cjt188")
_MOST_METERS = 64
_NUMBER_DIGITS = {"dlt645": 12, "dlt645-1997": 12, "cjt188": 14}
_ONLY_EXACT = ("faults", "turnaround_us", "variant")


def _settings(value):
    if not isinstance(value, str) or not value:
        raise ValueError
    return parse_settings(value)


def _text(value):
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _object(value):
    if not isinstance(value, dict):
        raise ValueError
    return value


def _clock(value):
    """Unix seconds in the meters' own local time."""
    if value == "now":
        return calendar.timegm(time.localtime())
    if not isinstance(value, str) or len(value) != 19:
        raise ValueError
    found = calendar.timegm(time.strptime(value, "%Y-%m-%dT%H:%M:%S"))
    if not 946684800 <= found < 4102444800:
        raise ValueError
    return found


_SETTINGS = ("baud rate, data bits, parity and stop bits, such as 9600 8N1", _settings)
_FILE = ("a file's name", _text)
_OBJECT = ("an object: {..}", _object)
_SERVED = one_of("pymodbus", "exact")
_TURNAROUND = whole(0, 5000000)
_OF_LINE = {
    "settings": _SETTINGS,
    "meters": (f"a list of 1 to {_MOST_METERS} meters", lambda value: _listed(value)),
    "served_by": _SERVED,
    "turnaround_us": _TURNAROUND,
    "port": ("a serial port's name, such as /dev/ttyUSB0", _text),
    "noise": _OBJECT,
    "echo": TRUTH,
    "shorted": _OBJECT,
    "seed": whole(0, 2**31),
    "clock": ("now, or a date and time from 2000 to 2099 such as 2025-11-22T10:15:30", _clock),
    "drive": TRUTH,
    "report": _FILE,
    "told": _FILE,
}
_OF_METER = {
    "protocol": one_of(*_PROTOCOLS),
    "unit": whole(1, 247),
    "number": ("its digits, in quotes: 12 of DL/T 645, 14 of CJ/T 188", _text),
    "profile": ("one of " + ", ".join(names()), lambda value: one_of(*names())[1](value)),
    "settings": _SETTINGS,
    "load": one_of(STEADY, *SHAPES),
    "power_kw": number(0, 10**6),
    "energy_kwh": number(0, 10**12),
    "flow_m3_h": number(0, 10**6),
    "volume_m3": number(0, 10**9),
    "solar_kw": number(0, 10**6),
    "served_by": _SERVED,
    "turnaround_us": _TURNAROUND,
    "faults": _OBJECT,
    "variant": _OBJECT,
}
_OF_NOISE = {name: (RATE, whole(0, 1000000)[1]) for name in ("idle", "before", "inside", "after")}
_OF_SHORT = {"after_s": AFTER_S, "for_s": FOR_S}


def _listed(value):
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= _MOST_METERS:
        raise ValueError
    return value


def load(path):
    """The dict that a file holds; ConfigError if it cannot be read, or is no JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file, object_pairs_hook=_once)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(str(path), f"is not JSON: {error}") from None
    return found


def _once(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set()
        for name, _ in pairs:
            if name in seen:
                raise ConfigError(name, "stands twice in one object")
            seen.add(name)
    return found


def checked(raw):
    """The plan: the file's keys as they are meant, defaults filled in. ConfigError naming the first place that is wrong.

    plan["settings"] and each meter's are tuples; a meter has also "address" (unit or number), "exact", and in place of its
    faults "strikes" and "states" as simfaults.checked_faults gives them; noise and shorted may be None, clock is Unix seconds
    or None."""
    plan = {"served_by": "pymodbus", "turnaround_us": 2000, "echo": False, "seed": 1, "drive": False, "noise": None}
    plan.update({"shorted": None, "clock": None, "port": None})
    plan.update(_values("", raw, _OF_LINE, ("settings", "meters")))
    if plan["noise"] is not None:
        _values("noise.", plan["noise"], _OF_NOISE)
    if plan["shorted"] is not None:
        plan["shorted"] = {"after_s": 0, "for_s": None, **_values("shorted.", plan["shorted"], _OF_SHORT)}
    plan["meters"] = [_meter(f"meters[{i}]", section, plan) for i, section in enumerate(plan["meters"])]
    seen = set()
    for i, meter in enumerate(plan["meters"]):
        if meter["address"] in seen:
            name = "number" if "number" in meter else "unit"
            raise ConfigError(f"meters[{i}].{name}", f"must be used once; {meter['address']} stands twice")
        seen.add(meter["address"])
    if plan["port"]:
        _check_port(plan)
    return plan


def _values(prefix, raw, kinds, required=()):
    if not isinstance(raw, dict):
        raise ConfigError(prefix[:-1] or "the file", "must be an object: {..}")
    found = {}
    for key, value in raw.items():
        if key not in kinds:
            raise ConfigError(prefix + key, "is no key; known here: " + ", ".join(sorted(kinds)))
        words, check = kinds[key]
        try:
            found[key] = check(value)
        except ValueError:
            raise ConfigError(prefix + key, f"must be {words}") from None
    for key in required:
        if key not in found:
            raise ConfigError(prefix + key, f"is missing; must be {kinds[key][0]}")
    return found


def _meter(key, raw, plan):
    found = {"protocol": "modbus", "settings": plan["settings"], "load": STEADY, "power_kw": 1, "energy_kwh": 0, "solar_kw": 0}
    found.update(_values(key + ".", raw, _OF_METER, ("profile",)))
    _check_who(key, found)
    protocol = found["protocol"]
    if protocol != "cjt188":
        for name in ("flow_m3_h", "volume_m3"):
            if name in found:
                raise ConfigError(f"{key}.{name}", "must not be there: only a CJ/T 188 meter has one")
    if found["solar_kw"] and found["load"] == STEADY:
        raise ConfigError(f"{key}.solar_kw", "must not be there: only a load with a day has the sun")
    found["variant"] = _values(f"{key}.variant.", found.get("variant", {}), VARIANTS[protocol])
    found["strikes"], found["states"] = checked_faults(f"{key}.faults", found.pop("faults", {}), protocol)
    told = [name for name in _ONLY_EXACT if name in raw]
    if protocol != "modbus" or (told and "served_by" not in found):
        served_by = "exact"
    else:
        served_by = found.get("served_by", plan["served_by"])
    if served_by != "exact" and told:
        raise ConfigError(f"{key}.{told[0]}", "must not be there: pymodbus's server knows none; served_by must be exact")
    found["exact"] = served_by == "exact"
    found.setdefault("turnaround_us", plan["turnaround_us"])
    return found


def _check_who(key, found):
    """unit or number, and a profile of the protocol."""
    protocol = found["protocol"]
    if protocol == "modbus":
        wanted, other = "unit", "number"
        words = _OF_METER["unit"][0]
    else:
        wanted, other = "number", "unit"
        words = f"its {_NUMBER_DIGITS[protocol]} digits, in quotes"
        number = found.get("number", "")
        if number and (len(number) != _NUMBER_DIGITS[protocol] or set(number) - set("0123456789") or set(number) == {"9"}):
            raise ConfigError(f"{key}.number", f"must be {words}, not all 9")
    if other in found:
        raise ConfigError(f"{key}.{other}", f"must not be there: a meter of {protocol} has a {wanted}")
    if wanted not in found:
        raise ConfigError(f"{key}.{wanted}", f"is missing; must be {words}")
    profile = profile_of(found["profile"])
    if profile.protocol != protocol:
        raise ConfigError(f"{key}.profile", f"must be one of {protocol}; {found['profile']} is of {profile.protocol}")
    found["address"] = found[wanted]


def _check_port(plan):
    if plan["drive"]:
        raise ConfigError("drive", "must not be there: a serial port tells nobody when its driver is on")
    for i, meter in enumerate(plan["meters"]):
        if meter["settings"] != plan["settings"]:
            words = "must be the line's: a serial port has one settings, and hears nobody who has others"
            raise ConfigError(f"meters[{i}].settings", words)
