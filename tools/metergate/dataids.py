"""What stands behind the data identifiers of DL/T 645: tables, and the rules by which one row stands for many.

DL/T 645-2007, appendix A, tables A.1 (energy), A.2 (demand), A.3 (variables), A.4 (events), A.5 (parameters), A.6 (freezes);
DL/T 645-1997, appendix A. Names are the canonical ones of firmware/meters/points.py where there is one. An identifier
that is not here is not known to us: what its reply holds is then shown as bytes.
"""

from itertools import accumulate
from typing import NamedTuple

from firmware.protocols import dlt645data

# A unit of 1997: month, day, hour and minute, the last first on the wire.
MONTH_TIME = "MMDDhhmm"

_MOST_TARIFFS = 63
_MOST_BILLINGS = 12
_BLOCK = 0xFF


class Item(NamedTuple):
    """One quantity of a reply. form: of firmware/protocols/dlt645data.py."""

    name: str
    form: str
    unit: str
    decimals: int

    @property
    def n_bytes(self):
        _, n, _, behind, _ = dlt645data.form_of(self.form)
        return n + (behind or 0)


def items_of(protocol, di, n_bytes):
    """The Items that fill a reply's n_bytes behind the data identifier, or None if the identifier is not known.

    ValueError if it is known, and has another length."""
    found = (_of_2007 if protocol == "dlt645" else _of_1997)(di, n_bytes)
    return None if found is None else filling(*found, n_bytes, di_text(protocol, di))


def filling(items, may_be_fewer, n_bytes, place):
    """The first of these items that fill n_bytes; may_be_fewer: meters have as many as they have. ValueError if none do."""
    ends = list(accumulate(item.n_bytes for item in items))
    if n_bytes == ends[-1] or may_be_fewer and n_bytes in ends:
        return items[: ends.index(n_bytes) + 1]
    wanted = f"{ends[-1]}" if not may_be_fewer else f"1 to {len(items)} times {ends[0]}"
    raise ValueError(f"data: {n_bytes} bytes, where {place} has {wanted}")


def di_text(protocol, di):
    return f"{di:08X}" if protocol == "dlt645" else f"{di:04X}"


# -- 2007 -------------------------------------------------------------------------------------------------------------

# Table A.1 and A.2, DI2: energy, its unit, form; demand, its unit, form. The top bit of what may be negative is its sign.
_KINDS = {
    0x00: ("energy_combined", "kWh", "bcd4s", None, "", ""),
    0x01: ("energy_import", "kWh", "bcd4", "demand_max", "kW", "bcd3+5"),
    0x02: ("energy_export", "kWh", "bcd4", "demand_max_export", "kW", "bcd3+5"),
    0x03: ("energy_reactive_1", "kvarh", "bcd4s", "demand_max_reactive_1", "kvar", "bcd3s+5"),
    0x04: ("energy_reactive_2", "kvarh", "bcd4s", "demand_max_reactive_2", "kvar", "bcd3s+5"),
    0x05: ("energy_reactive_q1", "kvarh", "bcd4", "demand_max_reactive_q1", "kvar", "bcd3+5"),
    0x06: ("energy_reactive_q2", "kvarh", "bcd4", "demand_max_reactive_q2", "kvar", "bcd3+5"),
    0x07: ("energy_reactive_q3", "kvarh", "bcd4", "demand_max_reactive_q3", "kvar", "bcd3+5"),
    0x08: ("energy_reactive_q4", "kvarh", "bcd4", "demand_max_reactive_q4", "kvar", "bcd3+5"),
    0x09: ("energy_apparent", "kVAh", "bcd4", "demand_max_apparent", "kVA", "bcd3+5"),
    0x0A: ("energy_apparent_export", "kVAh", "bcd4", "demand_max_apparent_export", "kVA", "bcd3+5"),
}
# What is added to the DI2 of an energy or demand for one phase, and the name's end.
_OF_PHASES = ((0x14, "_l1"), (0x28, "_l2"), (0x3C, "_l3"))

# Table A.3, DI2: name of DI1 = 00, of DI1 = 01..03 (phases), form, unit, decimals.
_VARIABLES = {
    0x01: (None, "voltage_l%d", "bcd2", "V", 1),
    0x02: (None, "current_l%d", "bcd3s", "A", 3),
    0x03: ("power", "power_l%d", "bcd3s", "kW", 4),
    0x04: ("reactive_power", "reactive_power_l%d", "bcd3s", "kvar", 4),
    0x05: ("apparent_power", "apparent_power_l%d", "bcd3s", "kVA", 4),
    0x06: ("power_factor", "power_factor_l%d", "bcd2s", "1", 3),
    0x07: (None, "phase_angle_l%d", "bcd2", "deg", 1),
}

# Data identifiers that stand for themselves: tables A.3 (0280), A.4 (03), A.5 (04).
_SINGLE = {
    0x02800001: Item("current_neutral", "bcd3s", "A", 3),
    0x02800002: Item("frequency", "bcd2", "Hz", 2),
    0x02800003: Item("power_minute", "bcd3s", "kW", 4),
    0x02800004: Item("demand", "bcd3s", "kW", 4),
    0x02800005: Item("demand_reactive", "bcd3s", "kvar", 4),
    0x02800006: Item("demand_apparent", "bcd3s", "kVA", 4),
    0x02800007: Item("temperature", "bcd2s", "Cel", 1),
    0x02800008: Item("battery_clock", "bcd2", "V", 2),
    0x02800009: Item("battery_reading", "bcd2", "V", 2),
    0x0280000A: Item("battery_worked", "bcd4", "min", 0),
    0x0280000B: Item("price_step", "bcd4", "", 4),
    0x03110000: Item("outages", "bcd3", "", 0),
    0x03300000: Item("programmings", "bcd3", "", 0),
    0x03300100: Item("clearings_meter", "bcd3", "", 0),
    0x03300200: Item("clearings_demand", "bcd3", "", 0),
    0x03300300: Item("clearings_events", "bcd3", "", 0),
    0x03300400: Item("clock_settings", "bcd3", "", 0),
    0x03300500: Item("tariff_programmings", "bcd3", "", 0),
    0x03300D00: Item("cover_openings", "bcd3", "", 0),
    0x03300E00: Item("terminal_cover_openings", "bcd3", "", 0),
    0x04000101: Item("clock_date", "date4", "", 0),
    0x04000102: Item("clock_time", "time3", "", 0),
    0x04000103: Item("demand_period", "bcd1", "min", 0),
    0x04000104: Item("demand_slide", "bcd1", "min", 0),
    0x04000401: Item("communication_number", "digits6", "", 0),
    0x04000402: Item("serial_number", "digits6", "", 0),
    0x04000403: Item("asset_number", "text32", "", 0),
    0x04000404: Item("voltage_rated", "text6", "", 0),
    0x04000405: Item("current_basic", "text6", "", 0),
    0x04000406: Item("current_max", "text6", "", 0),
    0x04000407: Item("accuracy_class", "text4", "", 0),
    0x04000408: Item("accuracy_class_reactive", "text4", "", 0),
    0x04000409: Item("constant_active", "bcd3", "imp/kWh", 0),
    0x0400040A: Item("constant_reactive", "bcd3", "imp/kvarh", 0),
    0x0400040B: Item("model", "text10", "", 0),
    0x0400040C: Item("production_date", "text10", "", 0),
    0x0400040D: Item("protocol_version", "text16", "", 0),
    0x04000601: Item("combined_active_word", "hex1", "", 0),
}

# DI 040005nn: status words 1..7.
_STATUS_WORDS = [Item(f"status_{n}", "hex2", "", 0) for n in range(1, 8)]

# DI 033000nn with nn = 01..0A, the n-th last programming: when, who, the first data identifiers that were written.
_PROGRAMMING = [Item("programmed_at", "time6", "", 0), Item("operator", "hex4", "", 0)]
_PROGRAMMING += [Item(f"written_{n}", "hex4", "", 0) for n in range(1, 11)]
_MOST_RECORDS = 10

# Table A.6, DI 05kkffnn, kk: what the freeze's names begin with. DI0: the n-th last.
_FREEZES = {0x00: "timed_freeze_", 0x01: "instant_freeze_", 0x04: "hourly_freeze_", 0x06: "freeze_"}
_HOURLY = 0x04


def _of_2007(di, n_bytes):
    """(items, whether a meter may have fewer of them), or None."""
    kind, di2, di1, di0 = di >> 24, di >> 16 & 0xFF, di >> 8 & 0xFF, di & 0xFF
    if di in _SINGLE:
        return [_SINGLE[di]], False
    if kind in (0x00, 0x01) and di0 <= _MOST_BILLINGS:
        return _energies(di2, di1, kind, _last(di0))
    if kind == 0x02 and di2 in _VARIABLES and di0 == 0:
        return _variables(di2, di1)
    if di >> 8 == 0x033000 and di0 <= _MOST_RECORDS:
        return [item._replace(name=item.name + _last(di0 - 1)) for item in _PROGRAMMING], False
    if di >> 8 == 0x040005 and 1 <= di0 <= len(_STATUS_WORDS):
        return _STATUS_WORDS[di0 - 1 : di0], False
    if di == 0x040005FF:
        return _STATUS_WORDS, True
    if kind == 0x05 and di2 in _FREEZES and 1 <= di0 < _BLOCK:
        return _frozen(di2, di1, _last(di0 - 1))
    return None


def _last(n):
    """The end of the name of what was n billing days or freezes ago."""
    return f"_last_{n}" if n else ""


def _energies(di2, di1, is_demand, end):
    """An energy or a maximum demand: total, one tariff, or both."""
    phase = ""
    for added, name in _OF_PHASES:
        if di2 - added in _KINDS and di2 - added:
            di2, phase = di2 - added, name
    if di2 not in _KINDS or phase and di1:
        return None
    name, unit, form = _KINDS[di2][3:] if is_demand else _KINDS[di2][:3]
    if name is None:
        return None
    items = _tariffs(name + phase, form, unit, 4 if is_demand else 2, end)
    if di1 == _BLOCK:
        return items, True
    return (items[di1 : di1 + 1], False) if di1 <= _MOST_TARIFFS else None


def _tariffs(name, form, unit, decimals, end):
    return [Item(name + (f"_t{n}" if n else "") + end, form, unit, decimals) for n in range(_MOST_TARIFFS + 1)]


def _variables(di2, di1):
    total, phase, form, unit, decimals = _VARIABLES[di2]
    names = [total, *(phase % n for n in (1, 2, 3))]
    items = [Item(name, form, unit, decimals) if name else None for name in names]
    if di1 == _BLOCK:
        return [item for item in items if item], True
    return ([items[di1]], False) if di1 < len(items) and items[di1] else None


def _frozen(di2, di1, end):
    begin = _FREEZES[di2]
    if di1 == 0:
        return [Item(f"{begin}time{end}", "time5", "", 0)], False
    if di2 == _HOURLY:
        if di1 not in (0x01, 0x02, _BLOCK):
            return None
        both = [Item(f"{begin}{name}{end}", "bcd4", "kWh", 2) for name in ("energy_import", "energy_export")]
        return ([Item(f"{begin}time{end}", "time5", "", 0), *both] if di1 == _BLOCK else both[di1 - 1 : di1]), False
    if di1 > 0x08:
        return None
    name, unit, form = _KINDS[di1][:3]
    return _tariffs(begin + name, form, unit, 2, end), True


# -- 1997 -------------------------------------------------------------------------------------------------------------

# DI1 without its months, upper half of DI0: name, form, unit, decimals. DI0's lower half: 0 total, 1..E tariff, F all.
_MONTHLY = {
    (0x90, 1): ("energy_import", "bcd4", "kWh", 2),
    (0x90, 2): ("energy_export", "bcd4", "kWh", 2),
    (0x91, 1): ("energy_reactive_import", "bcd4", "kvarh", 2),
    (0x91, 2): ("energy_reactive_export", "bcd4", "kvarh", 2),
    (0x91, 3): ("energy_reactive_q1", "bcd4", "kvarh", 2),
    (0x91, 4): ("energy_reactive_q4", "bcd4", "kvarh", 2),
    (0x91, 5): ("energy_reactive_q2", "bcd4", "kvarh", 2),
    (0x91, 6): ("energy_reactive_q3", "bcd4", "kvarh", 2),
    (0xA0, 1): ("demand_max", "bcd3", "kW", 4),
    (0xA0, 2): ("demand_max_export", "bcd3", "kW", 4),
    (0xB0, 1): ("demand_max_at", "digits4", MONTH_TIME, 0),
    (0xB0, 2): ("demand_max_export_at", "digits4", MONTH_TIME, 0),
}
# What is added to DI1 for the last month and the one before.
_MONTHS = ((0, ""), (4, "_last_1"), (8, "_last_2"))

# Upper half of DI0 of B6: name of the total, of the phases, form, unit, decimals. Lower half: 0 total, 1..3, F all.
_VARIABLES_1997 = {
    1: (None, "voltage_l%d", "bcd2:3", "V", 0),
    2: (None, "current_l%d", "bcd2", "A", 2),
    3: ("power", "power_l%d", "bcd3", "kW", 4),
    4: ("reactive_power", "reactive_power_l%d", "bcd2", "kvar", 2),
    5: ("power_factor", "power_factor_l%d", "bcd2", "1", 3),
}
# Some meters say their reactive power as finely as the active.
_REACTIVE, _REACTIVE_FINE = 4, ("reactive_power", "reactive_power_l%d", "bcd3", "kvar", 4)

_SINGLE_1997 = {
    0xB210: Item("programmed_at", "digits4", MONTH_TIME, 0),
    0xB211: Item("demand_cleared_at", "digits4", MONTH_TIME, 0),
    0xB212: Item("programmings", "bcd2", "", 0),
    0xB213: Item("clearings_demand", "bcd2", "", 0),
    0xB214: Item("battery_worked", "bcd3", "min", 0),
    0xC010: Item("clock_date", "date4", "", 0),
    0xC011: Item("clock_time", "time3", "", 0),
    0xC020: Item("status_meter", "hex1", "", 0),
    0xC021: Item("status_grid", "hex1", "", 0),
    0xC030: Item("constant_active", "bcd3", "imp/kWh", 0),
    0xC031: Item("constant_reactive", "bcd3", "imp/kvarh", 0),
    0xC032: Item("serial_number", "digits6", "", 0),
}


def _of_1997(di, n_bytes):
    """As _of_2007."""
    high, group, n = di >> 8, di >> 4 & 15, di & 15
    if di in _SINGLE_1997:
        return [_SINGLE_1997[di]], False
    for added, end in _MONTHS:
        row = _MONTHLY.get((high - added, group))
        if row:
            name, form, unit, decimals = row
            items = _tariffs(name, form, unit, decimals, end)
            return (items, True) if n == 15 else (items[n : n + 1], False)
    if high == 0xB6 and group in _VARIABLES_1997:
        return _variables_1997(group, n, n_bytes)
    return None


def _variables_1997(group, n, n_bytes):
    total, phase, form, unit, decimals = _VARIABLES_1997[group]
    if group == _REACTIVE and n_bytes in (3, 12):
        total, phase, form, unit, decimals = _REACTIVE_FINE
    names = [total, *(phase % n for n in (1, 2, 3))]
    items = [Item(name, form, unit, decimals) if name else None for name in names]
    if n == 15:
        return [item for item in items if item], True
    return ([items[n]], False) if n < len(items) and items[n] else None
