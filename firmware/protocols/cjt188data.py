"""What stands in the data of a CJ/T 188 meter's reply to READ of 901F: fields, units, clock, status. Pure.

CJ/T 188-2004, table 8 and appendix; the variants are those that meters were seen to send.
"""

from firmware.protocols import bcd
from firmware.protocols.numbers import bounded

# Code, unit, how many codes there are: the unit, 10 and 100 of it.
_UNITS = (
    (0x01, "J", 1), (0x02, "Wh", 3), (0x05, "kWh", 3), (0x08, "MWh", 3), (0x0B, "kJ", 3), (0x0E, "MJ", 3), (0x11, "GJ", 3),
    (0x14, "W", 3), (0x17, "kW", 3), (0x1A, "MW", 3), (0x29, "L", 3), (0x2C, "m3", 3), (0x32, "L/h", 3), (0x35, "m3/h", 3),
    (0x40, "J/h", 1), (0x43, "kJ/h", 3), (0x46, "MJ/h", 3), (0x49, "GJ/h", 3),
)  # fmt: skip

# Unit: (quantity, how many of the quantity's smallest unit it is).
_SIZES = {
    "J": ("energy", 1),
    "Wh": ("energy", 3600),
    "kWh": ("energy", 3600000),
    "MWh": ("energy", 3600000000),
    "kJ": ("energy", 1000),
    "MJ": ("energy", 1000000),
    "GJ": ("energy", 1000000000),
    "J/h": ("power", 1),
    "kJ/h": ("power", 1000),
    "MJ/h": ("power", 1000000),
    "GJ/h": ("power", 1000000000),
    "W": ("power", 3600),
    "kW": ("power", 3600000),
    "MW": ("power", 3600000000),
    "L": ("volume", 1),
    "m3": ("volume", 1000),
    "L/h": ("flow", 1),
    "m3/h": ("flow", 1000),
}

# Field, bytes, decimals, quantity of its unit byte; a text in brackets: no unit byte, and that is the unit.
_WATER = (("volume", 4, 2, "volume"), ("volume_settlement", 4, 2, "volume"))
_WATER_BYTES = 19
# Some meters send only the volume, without a unit byte, and the status.
_SHORT_BYTES = 6
_VOLUME_CODES = (0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E)
_HEAT = (
    ("heat_settlement", 4, 2, "energy"),
    ("heat", 4, 2, "energy"),
    ("heat_power", 4, 2, "power"),
    ("flow", 4, 4, "flow"),
    ("volume", 4, 2, "volume"),
    ("temperature_supply", 3, 2, "(Cel)"),
    ("temperature_return", 3, 2, "(Cel)"),
    ("working_hours", 3, 0, "(h)"),
)
_HEAT_BYTES = 43
# What says something of the meter itself.
ABOUT = ("clock", "status")
# All fields there are.
NAMES = ("cooling",) + tuple(row[0] for row in _WATER[1:] + _HEAT)
# Their first energy is that of cooling.
_COOLING_KINDS = (0x21, 0x22, 0x25)
_N_HEAT_UNITS = 5


def unit_of(code):
    """(unit, 1 or 10 or 100 of it) of a unit byte, or None."""
    for first, unit, n in _UNITS:
        if first <= code < first + n:
            return unit, 10 ** (code - first)
    return None


def measures(name, unit):
    """True if a field of this name, one of NAMES, can be said in this unit."""
    for field, _, _, quantity in (("cooling", 0, 0, "energy"),) + _WATER + _HEAT:
        if field == name:
            return quantity in ("(%s)" % unit, _SIZES.get(unit, ("",))[0])
    return False


def is_water(kind):
    """True of water and gas meters, whose data are alike."""
    return 0x10 <= kind <= 0x19 or 0x30 <= kind <= 0x39


class Field:
    """A field of a reply's data. name; value: scaled integer or None; decimals; unit; size: 1, 10 or 100 of the unit."""

    def __init__(self, name, value, decimals, unit, size):
        self.name = name
        self.value = value
        self.decimals = decimals
        self.unit = unit
        self.size = size

    def scaled(self, unit, decimals, exact):
        """(the value in units of another unit's last decimal, what one step of the meter is there), rounded once.

        None: no value, which what takes more than 63 bits is too. exact: ValueError if a step of the meter's own number is
        no whole number of them. ValueError too if the units do not measure the same quantity."""
        if not self.unit:
            # Its unit byte is filled with FF too.
            return None, 1
        multiplier, divisor = self.size * 10**decimals, 10**self.decimals
        if unit != self.unit:
            quantity, size = _SIZES.get(self.unit, ("", 1))
            wanted, divided = _SIZES.get(unit, (unit, 1))
            if quantity != wanted:
                raise ValueError("%s: is in %s" % (self.name, self.unit))
            multiplier *= size
            divisor *= divided
        if exact and multiplier % divisor:
            raise ValueError("%s: is in %s%s, more exact than can be said" % (self.name, _times(self.size), self.unit))
        step = max(1, -(-multiplier // divisor))
        if self.value is None:
            return None, step
        return bounded(self.value < 0, abs(self.value) * multiplier, divisor), step


def _times(size):
    return "" if size == 1 else "%d " % size


def read(kind, data, before=None):
    """([Field, ..], clock or None, status) of the data behind the sequence number of a reply of 901F.

    kind: T of the frame. before: whether this heat meter puts its unit bytes before the values, if units_before has said so
    of an earlier reply: some replies could be read both ways. clock 'YYYY-MM-DD hh:mm:ss'; status: the last bytes as hex
    digits. ValueError names the place that is not as it should be: the length, a unit byte, a digit."""
    if is_water(kind):
        return _read_water(data)
    if 0x20 <= kind <= 0x29:
        return _read_heat(kind, data, before)
    raise ValueError("kind %02X: not water, heat or gas" % kind)


def _read_water(data):
    if len(data) == _SHORT_BYTES:
        return _read_short(data)
    if len(data) != _WATER_BYTES:
        raise ValueError("data: %d bytes, not %d or %d" % (len(data), _WATER_BYTES, _SHORT_BYTES))
    fields = [_field(data, 5 * i, 5 * i + 4, row) for i, row in enumerate(_WATER)]
    return fields, clock_of(data, 10), _status(data, 17)


def _read_short(data):
    name, n, decimals, _ = _WATER[0]
    if data[4] in _VOLUME_CODES:
        raise ValueError("%s: %02X behind it is a unit or a status" % (name, data[4]))
    return [Field(name, _number(data, 0, n, name), decimals, "m3", 1)], None, _status(data, 4)


def units_before(kind, data):
    """Whether a heat meter's reply has its unit bytes before the values; None: it has none, or both fits."""
    if not 0x20 <= kind <= 0x29 or len(data) != _HEAT_BYTES:
        return None
    before = _holds_units(data, 0)
    return None if before == _holds_units(data, 4) else before


def _read_heat(kind, data, known_before):
    if len(data) != _HEAT_BYTES:
        raise ValueError("data: %d bytes, not %d" % (len(data), _HEAT_BYTES))
    behind, before = _holds_units(data, 4), _holds_units(data, 0)
    if behind and before and known_before is not None:
        behind = not known_before
    elif behind == before:
        raise ValueError("units: " + ("before and behind the values" if behind else "none where they should be"))
    fields = []
    at = 0
    for i, row in enumerate(_HEAT):
        if i < _N_HEAT_UNITS:
            fields.append(_field(data, 5 * i + (0 if behind else 1), 5 * i + (4 if behind else 0), row))
        else:
            name, n, decimals, unit = row
            fields.append(Field(name, _number(data, 25 + at, n, name), decimals, unit[1:-1], 1))
            at += n
    if kind in _COOLING_KINDS:
        fields[0].name = "cooling"
    return fields, clock_of(data, 34), _status(data, 41)


def _holds_units(data, offset):
    """True if a unit byte stands at offset in each group of five that is not filled with FF, and in one at least."""
    n = 0
    for at in range(0, 5 * _N_HEAT_UNITS, 5):
        if unit_of(data[at + offset]):
            n += 1
        elif not bcd.is_filled(data, at, 5):
            return False
    return n > 0


def _field(data, at, unit_at, row):
    name, n, decimals, quantity = row
    value = _number(data, at, n, name)
    found = unit_of(data[unit_at])
    if found is None:
        if value is None and data[unit_at] == 0xFF:
            return Field(name, None, decimals, "", 1)
        raise ValueError("%s: unit %02X" % (name, data[unit_at]))
    if _SIZES[found[0]][0] != quantity:
        raise ValueError("%s: unit %02X is %s" % (name, data[unit_at], found[0]))
    return Field(name, value, decimals, found[0], found[1])


def _number(data, at, n, name):
    """The number there, or None where it is filled with FF."""
    if bcd.is_filled(data, at, n):
        return None
    try:
        return bcd.number_of(data, at, n)
    except ValueError:
        raise ValueError("%s: not BCD" % name)


_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def clock_of(data, at):
    """'2015-05-11 22:01:31' of seven bytes, seconds first; None if they are none: many meters have no clock."""
    try:
        second, minute, hour, day, month = [bcd.number_of(data, at + i, 1) for i in range(5)]
        year = bcd.number_of(data, at + 5, 2)
    except ValueError:
        return None
    if second > 59 or minute > 59 or hour > 23 or not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1] or year < 1990:
        return None
    if month == 2 and day == 29 and (year % 4 or (year % 100 == 0 and year % 400)):
        return None
    return "%04d-%02d-%02d %02d:%02d:%02d" % (year, month, day, hour, minute, second)


def _status(data, at):
    return "".join("%02X" % data[i] for i in range(at, len(data)))
