"""What CJ/T 188 frames say."""

from firmware.protocols import bcd, cjt188, cjt188data
from firmware.protocols.payload import decimal_text
from firmware.protocols.record import REGISTER
from metergate import decode68
from metergate.decoded import NotDecoded, hex_of, said, value_of, wrong

_REPLY, _REFUSED, _FUNCTION = 0x80, 0x40, 0x3F
# Read, read address, write, read key version, write address, synchronise (CJ/T 188-2004, table 4).
_FUNCTIONS = (cjt188.READ, cjt188.READ_ADDRESS, 0x04, 0x09, 0x15, 0x16)
# High bytes of data identifiers: makers differ in which byte they send first.
_HIGH = (0x90, 0x91, 0xD1, 0x81, 0xA0)
_PROTOCOL = "cjt188"

# D120..D12B: the values of the last twelve months. 8103, 8104: a day of the month.
_FIRST_MONTH, _N_MONTHS, _MONTH_BYTES = 0xD120, 12, 5
_DAYS = {0x8103: "settlement_day", 0x8104: "reading_day"}
# Quantity of a unit: name of the month's value.
_MONTHLY = {"L": "volume", "m3": "volume", "J": "heat", "Wh": "heat", "kWh": "heat", "MWh": "heat", "kJ": "heat"}
_MONTHLY |= {"MJ": "heat", "GJ": "heat"}


def decode(data, profile=None):
    """A dict for each frame in data, in order. profile: of firmware.meters.profiles, or None."""
    return [_decoded(frame, profile) for frame in decode68.frames_of(decode68.CJT188, data)]


def why_none(data):
    return decode68.why_none(decode68.CJT188, data)


def _decoded(frame, profile):
    place = _PROTOCOL, frame.number, frame.control
    kind = {"type": f"{frame.kind:02X}"}
    di = None
    try:
        decode68.check_number(frame)
        refused = frame.control & _REFUSED
        if refused and not frame.control & _REPLY or frame.control & _FUNCTION not in _FUNCTIONS:
            raise NotDecoded(f"control {frame.control:02X}: no function of CJ/T 188")
        if refused:
            di, keys = _refusal(frame.data)
            return said(*place, di, **kind, **keys)
        if len(frame.data) < 3:
            if frame.control & _REPLY and frame.control & _FUNCTION in (cjt188.READ, cjt188.READ_ADDRESS):
                raise NotDecoded(f"length {len(frame.data):02X}: too short for a data identifier and a sequence number")
            return said(*place, None, **kind, request=not frame.control & _REPLY, data=hex_of(frame.data) or None)
        number = _di_of(frame.data)
        di = f"{number:04X}"
        keys = kind | {"seq": frame.data[2], "request": not frame.control & _REPLY}
        reads = frame.control == _REPLY | cjt188.READ
        return said(*place, di, **_meaning(frame.kind, number, frame.data[3:], reads, profile), **keys)
    except NotDecoded as error:
        return wrong(error.args[0], *place, di) | kind


def _di_of(data):
    """The data identifier, in whichever order its bytes were sent; the low one first where both may be meant."""
    if data[0] in _HIGH and data[1] not in _HIGH:
        return data[0] << 8 | data[1]
    return data[1] << 8 | data[0]


def _refusal(data):
    """(data identifier or None, keys) of an error reply.

    Seen are sequence number and status; identifier, sequence number and a code; a code alone."""
    if not data:
        raise NotDecoded("error reply without an error byte")
    at = cjt188.code_at(len(data))
    found = {"error": hex_of(data[at:])} | ({"seq": data[at - 1]} if at else {})
    return f"{_di_of(data):04X}" if at == 3 else None, found


def _meaning(kind, di, data, reads, profile):
    """Keys of what stands behind the sequence number. NotDecoded names what is wrong there."""
    if not data:
        return {}
    try:
        if reads and di == cjt188.NOW and _is_known(kind):
            fields, clock, status = cjt188data.read(kind, data)
            values = [_value(field) for field in fields] if profile is None else _points(fields, profile)
            return {"values": values, "clock": clock, "status": status}
        if reads and _FIRST_MONTH <= di < _FIRST_MONTH + _N_MONTHS and len(data) == _MONTH_BYTES:
            return {"values": [_month(di - _FIRST_MONTH + 1, data)]}
        if reads and di in _DAYS and len(data) == 1:
            return {"values": [value_of(_DAYS[di], _digits(_DAYS[di], data, 1), "")]}
    except ValueError as error:
        raise NotDecoded(error.args[0])
    return {"data": hex_of(data)}


def _is_known(kind):
    return cjt188data.is_water(kind) or 0x20 <= kind <= 0x29


def _value(field):
    """A Field as the meter counts: the digits it sent, times 1, 10 or 100 of its unit."""
    unit, decimals = field.unit, field.decimals
    if field.value is None:
        return value_of(field.name, None, unit)
    # What has 10 and 100 of its unit has two decimals and more.
    shift = len(str(field.size)) - 1
    return value_of(field.name, decimal_text(field.value, decimals - shift), unit)


def _points(fields, profile):
    """The profile's points that the reply has, in their units. ValueError if it has none, or if a unit does not fit."""
    found = {field.name: field for field in fields}
    values = []
    for name, field, _, unit, decimals, klass in profile.points:
        if field in found:
            scaled, _ = found[field].scaled(unit, decimals, klass == REGISTER)
            values.append(value_of(name, None if scaled is None else decimal_text(scaled, decimals), unit))
    if not values:
        raise ValueError(f"no point of profile {profile.name} is in it: it has {', '.join(found)}")
    return values


def _month(n, data):
    """The value of the n-th last month: four bytes and a unit."""
    found = cjt188data.unit_of(data[4])
    if found is None or found[0] not in _MONTHLY:
        raise ValueError(f"data: unit {data[4]:02X} is none of a volume or an energy")
    name = f"{_MONTHLY[found[0]]}_last_{n}"
    if bcd.is_filled(data, 0, 4):
        return value_of(name, None, found[0])
    _digits(name, data, 4)
    return _value(cjt188data.Field(name, bcd.number_of(data, 0, 4), 2, *found))


def _digits(name, data, n):
    try:
        return bcd.digits_of(data, 0, n)
    except ValueError:
        raise ValueError(f"{name}: not BCD: {hex_of(data[:n])}")
