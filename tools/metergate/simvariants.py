"""What a line file's "variant" may hold: what makers do otherwise, as meter() of the simulated meters takes it."""

from metergate.simfaults import whole
from tests.sim.slave188 import UNITS

_QUANTITIES = ("energy", "power", "volume", "flow")


def truth(value):
    if not isinstance(value, bool):
        raise ValueError
    return value


def _digits(n):
    def check(value):
        if not isinstance(value, str) or len(value) != n or set(value) - set("0123456789"):
            raise ValueError
        return value

    return f"{n} digits in quotes", check


def _listed(of):
    def check(value):
        if not isinstance(value, list) or not all(type(each) is of for each in value):
            raise ValueError
        return tuple(value)

    return check


def _units(value):
    if not isinstance(value, dict) or any(name not in _QUANTITIES or unit not in UNITS for name, unit in value.items()):
        raise ValueError
    return value


def _two_bytes(value):
    if not isinstance(value, str) or len(value) != 4:
        raise ValueError
    return bytes.fromhex(value)


TRUTH = ("true or false", truth)
_NAMES = ("a list of names of points", _listed(str))
_CLOCK = ("Unix seconds in the meter's own local time", whole(946684800, 4102444799)[1])
_PREAMBLE = whole(0, 13)
_OF_DLT = {
    "serial_number": _digits(12),
    "missing": _NAMES,
    "fill": whole(0, 255),
    "refused": ("a list of data identifiers, in decimal", _listed(int)),
    "n_tariffs": whole(0, 4),
    "clock_s": _CLOCK,
    "status": whole(0, 65535),
    "n_preamble": _PREAMBLE,
    "most_data": whole(1, 200),
    "any_number": TRUTH,
    "vendor_refusal": TRUTH,
    "password": _digits(8),
}
VARIANTS = {
    "modbus": {"serial_number": whole(0, 2**32 - 1), "missing": _NAMES, "most": whole(1, 125)},
    "dlt645": _OF_DLT,
    "dlt645-1997": _OF_DLT,
    "cjt188": {
        "kind": whole(0x10, 0x39),
        "high_first": TRUTH,
        "refuses_order": TRUTH,
        "units": (f"an object: any of {', '.join(_QUANTITIES)}, each one of {', '.join(UNITS)}", _units),
        "units_first": TRUTH,
        "short": TRUTH,
        "clock_s": _CLOCK,
        "status": ("two bytes as hex digits in quotes", _two_bytes),
        "says_kind": whole(0x10, 0x39),
        "says_sequence": whole(0, 255),
        "missing": _NAMES,
        "n_preamble": _PREAMBLE,
    },
}
