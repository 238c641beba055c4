"""The faults of simulated meters: one table, which `metergate simulate --faults` prints and line files are checked by."""

import textwrap

from firmware.errors import ConfigError

_MILLION = 1000000
_LONGEST_S = 366 * 86400
_DIGITS = "0123456789"
RATE = "a number of times in a million, 0..1000000"

# -- what may stand behind a key: (words, function of the value that gives what is meant, or raises ValueError) ----------


def whole(least, most):
    def check(value):
        if type(value) is not int or not least <= value <= most:
            raise ValueError
        return value

    return f"a whole number {least}..{most}", check


def number(least, most):
    def check(value):
        if type(value) not in (int, float) or not least <= value <= most:
            raise ValueError
        return value

    return f"a number {least}..{most}", check


def one_of(*names):
    def check(value):
        if value not in names or isinstance(value, bool):
            raise ValueError
        return value

    return "one of " + ", ".join(names), check


def _digits(value):
    if not isinstance(value, str) or not 1 <= len(value) <= 14 or set(value) - set(_DIGITS):
        raise ValueError
    return value


def _ratio(value):
    if not isinstance(value, str) or value.count("/") != 1:
        raise ValueError
    parts = value.split("/")
    if any(not 1 <= len(part) <= 5 or set(part) - set(_DIGITS) or int(part) == 0 for part in parts):
        raise ValueError
    return int(parts[0]), int(parts[1])


def _phases(least, most):
    def check(value):
        found = [value] if type(value) is int else value
        if not isinstance(found, list) or not least <= len(found) <= most or len(set(map(repr, found))) < len(found):
            raise ValueError
        if any(type(phase) is not int or not 1 <= phase <= 3 for phase in found):
            raise ValueError
        return [phase - 1 for phase in found]

    return check


def _requests(value):
    if not isinstance(value, list) or not 1 <= len(value) <= 10000:
        raise ValueError
    return tuple(whole(1, 10**9)[1](each) for each in value)


AFTER_S, FOR_S = number(0, _LONGEST_S), number(0.001, _LONGEST_S)
_AFTER = {"after_s": (AFTER_S, 0)}
_SPAN = {**_AFTER, "for_s": (FOR_S, None)}
_MODBUS, _DLT, _CJT = ("modbus",), ("dlt645", "dlt645-1997"), ("cjt188",)
_ALL, _68 = _MODBUS + _DLT + _CJT, _DLT + _CJT
_WATTS = _MODBUS + _DLT

# -- the table ----------------------------------------------------------------------------------------------------------

# What may strike a request. name: (key of how, (words, check) of it, protocols, what it is).
STRIKES = {
    "silent": (None, None, _ALL, "no answer"),
    "slow": ("us", whole(1, 5000000), _ALL, "the turnaround grows by so many microseconds (20000), and stays so; 5 s at most"),
    "late": ("us", whole(1, 60000000), _ALL, "answers so many microseconds later than it would (600000)"),
    "noise_before": (None, None, _ALL, "1 to 4 stray bytes directly before the reply"),
    "noise_inside": (None, None, _ALL, "one bit of the reply turned"),
    "noise_after": (None, None, _ALL, "1 to 4 stray bytes directly behind the reply"),
    "truncated": (None, None, _ALL, "the reply ends early"),
    "bad_checksum": (None, None, _ALL, "the reply's checksum is wrong"),
    "duplicate": (None, None, _ALL, "the reply comes twice"),
    "wrong_meter": (None, None, _ALL, "the reply is another meter's, with a right checksum"),
    "wrong_di": (None, None, _DLT, "the reply is to another data identifier"),
    "exception": ("code", whole(0, 255), _ALL, "refuses with this code (2: no such register or data)"),
    "garbage": (
        "how",
        one_of("zeros", "ff", "random"),
        _ALL,
        "right checksum, but zeros, FF or a random register for data (one by chance)",
    ),
    "not_bcd": (None, None, _68, "right checksum, but one digit is none"),
}
# What the meter is like. name: ({option: ((words, check), default)}, option that may stand alone, protocols, what it is).
STATES = {
    "dead": (_SPAN, "after_s", _ALL, "hears and says nothing any more, or for so long"),
    "flood": (_SPAN, "after_s", _ALL, "sends without end, or for so long"),
    "rollover": ({"before": (number(0, 10**6), 1)}, "before", _ALL, "so many kWh or m3 before the register's end"),
    "replaced": (
        {
            "after_s": (AFTER_S, 60),
            "serial_number": (("digits in quotes", _digits), "31234567"),
            "energy_kwh": (number(0, 10**9), 0),
        },
        "after_s",
        _ALL,
        "another meter with the same address: its own number (CJ/T 188: it has no other), another register",
    ),
    "clock_offset": ({"s": (whole(-(10**9), 10**9), 0)}, "s", _68, "the clock is so many seconds ahead"),
    "clock_drift": ({"ppm": (whole(-100000, 100000), 100)}, "ppm", _68, "the clock goes too fast by so many millionths"),
    "stopped_clock": (_AFTER, "after_s", _68, "the clock stands still"),
    "reversed_ct": (
        {"phase": (("a phase 1..3, or a list of them", _phases(1, 3)), [0])},
        "phase",
        _WATTS,
        "a current transformer the wrong way round",
    ),
    "swapped_ct": (
        {"phases": (("two phases such as [1, 2]", _phases(2, 2)), [0, 1])},
        "phases",
        _WATTS,
        "two current transformers in each other's place",
    ),
    "wrong_ratio": (
        {"ratio": (('what is shown to what flows, such as "1/2"', _ratio), (1, 2))},
        "ratio",
        _WATTS,
        "the wrong ratio of current transformers is set",
    ),
}
# What the whole line is like: keys of the file, not of a meter.
OF_LINE = {
    "noise": "idle: stray bytes per character of silence; inside: bytes with a bit turned; before, after: replies with stray "
    "bytes there; each so often in a million",
    "echo": "true: the master hears its own bytes",
    "shorted": "after_s, for_s: the pair's wires touch: noise alone, nobody is understood",
}


def checked_faults(key, faults, protocol):
    """(strikes, states) of a meter's "faults"; ConfigError naming the place.

    strikes: {name: (how often in a million, how or None, numbers of requests)}; states: {name: {option: value}}."""
    if not isinstance(faults, dict):
        raise ConfigError(key, "must be an object: {name: how often in a million, ..}")
    strikes, states = {}, {}
    for name, value in faults.items():
        place = f"{key}.{name}"
        protocols = (STRIKES.get(name) or STATES.get(name) or (None, None, None))[2]
        if not protocols:
            raise ConfigError(place, "is no fault; `metergate simulate --faults` lists them")
        if protocol not in protocols:
            raise ConfigError(place, "is no fault of this meter: only of " + ", ".join(protocols))
        if name in STRIKES:
            strikes[name] = _strike(place, name, value)
        else:
            state = _state(place, name, value)
            if state is not None:
                states[name] = state
    return strikes, states


def _strike(place, name, value):
    how_key, how, _, _ = STRIKES[name]
    rate_of = whole(0, _MILLION)[1]
    keys = ["rate", "at"] + ([how_key] if how_key else [])
    words = RATE + f", or an object with {', '.join(keys)}" + (f"; or [rate, {how_key}]" if how_key else "")
    if isinstance(value, (list, tuple)) and len(value) == 2 and how_key:
        value = {"rate": value[0], how_key: value[1]}
    elif not isinstance(value, dict):
        value = {"rate": value}
    found = {"rate": 0, "at": ()}
    kinds = {"rate": (RATE, rate_of), "at": ("a list of numbers of requests, the first is 1", _requests), how_key: how}
    for key, each in value.items():
        if key not in keys:
            raise ConfigError(f"{place}.{key}", "is no key; known here: " + ", ".join(keys))
        try:
            found[key] = kinds[key][1](each)
        except ValueError:
            # Said whole where the key is not in the file.
            at_key = value.keys() != {"rate"}
            raise ConfigError(
                f"{place}.{key}" if at_key else place, "must be " + (kinds[key][0] if at_key else words)
            ) from None
    return found["rate"], found.get(how_key), found["at"]


def _state(place, name, value):
    """{option: value} with its defaults; None: it was said not to be."""
    options, alone, _, _ = STATES[name]
    if value is False:
        return None
    if value is True:
        value = {}
    elif not isinstance(value, dict):
        value = {alone: value}
    found = {option: default for option, (_, default) in options.items()}
    for key, each in value.items():
        if key not in options:
            raise ConfigError(f"{place}.{key}", "is no key; known here: " + ", ".join(options))
        words, check = options[key][0]
        try:
            found[key] = check(each)
        except ValueError:
            raise ConfigError(f"{place}.{key}", f"must be {words}") from None
    return found


def text():
    """The table for a person."""
    rows = ["What may strike a request to a meter: how often in a million, or an object with rate, at and how,", "such as"]
    rows += ['    "faults": {"silent": 10000, "late": [5000, 700000], "exception": {"at": [3, 4], "code": 6}}', ""]
    for name, (how_key, _, protocols, what) in STRIKES.items():
        rows += _row(name, how_key or "", what + _only(protocols))
    rows += ["", "What a meter is like: true, an object of the options, or the first option's value alone,", "such as"]
    rows += ['    "faults": {"clock_offset": -400, "replaced": {"after_s": 90, "energy_kwh": 3.5}}', ""]
    for name, (options, alone, protocols, what) in STATES.items():
        named = [alone] + [option for option in options if option != alone]
        rows += _row(name, named[0], what + _only(protocols))
        rows += [_row("", option, "")[0] for option in named[1:]]
    rows += ["", "What the line is like: keys of the file itself", ""]
    for name, what in OF_LINE.items():
        rows += _row(name, "", what)
    return "\n".join(row.rstrip() for row in rows)


def _row(name, option, what):
    """What stands beside a name, in lines that fit a terminal."""
    first, *others = textwrap.wrap(what, 80) or [""]
    return [f"{name:14} {option:13} {first}"] + [" " * 29 + line for line in others]


def _only(protocols):
    return "" if protocols == _ALL else " (" + ", ".join(protocols) + ")"
