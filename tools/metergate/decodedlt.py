"""What DL/T 645 frames say, the editions of 2007 and of 1997."""

from datetime import datetime

from firmware.protocols import bcd, dlt645, dlt645data
from firmware.protocols.payload import decimal_text
from metergate import dataids, decode68
from metergate.decoded import NotDecoded, hex_of, said, value_of, wrong

_REPLY, _REFUSED, _MORE, _FUNCTION = 0x80, 0x40, 0x20, 0x1F
_OFFSET = 0x33
_BROADCAST_TIME = 0x08

# Edition: bytes of a data identifier; functions that read, that read what follows, that ask for the number; the others.
_EDITIONS = {
    "dlt645": (
        4,
        (dlt645.READ,),
        (dlt645.READ_FOLLOWING,),
        (dlt645.READ_ADDRESS,),
        (_BROADCAST_TIME, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C),
    ),
    # 03 asks for the last reply once more.
    "dlt645-1997": (
        2,
        (dlt645.READ_1997, 0x03),
        (dlt645.READ_FOLLOWING_1997,),
        (),
        (0x04, _BROADCAST_TIME, 0x0A, 0x0C, 0x0F, 0x10),
    ),
}
_OTHER = {"dlt645": "dlt645-1997", "dlt645-1997": "dlt645"}
# Functions that write have the identifier of what they write first.
_WRITE = (0x14, 0x04)

_TIMES = {"date4": "%Y-%m-%d", "time3": "%H:%M:%S", "time5": "%Y-%m-%d %H:%M", "time6": "%Y-%m-%d %H:%M:%S"}
_AT = dlt645data.form_of("time5")


def decode(protocol, data, profile=None):
    """A dict for each frame in data, in order. profile: of firmware.meters.profiles, or None."""
    return [_decoded(protocol, frame, profile) for frame in decode68.frames_of(decode68.DLT645, data)]


def why_none(data):
    return decode68.why_none(decode68.DLT645, data)


def _decoded(protocol, frame, profile):
    place = protocol, frame.number, frame.control
    data = bytes(byte - _OFFSET & 0xFF for byte in frame.data)
    di = None
    try:
        decode68.check_number(frame)
        if frame.control & _REPLY and frame.control & _REFUSED:
            _check_refusal(protocol, frame.control, data)
            return said(*place, None, error=hex_of(data))
        n_di, n_behind = _parts(protocol, frame.control, data)
        number = int.from_bytes(data[:n_di], "little") if n_di else None
        di = dataids.di_text(protocol, number) if n_di else None
        if frame.control & _REPLY:
            return said(*place, di, **_reply(protocol, frame.control, number, data[n_di:], n_behind, profile))
        return said(*place, di, **_request(frame.control, data[n_di:], n_behind))
    except NotDecoded as error:
        return wrong(error.args[0], *place, di)


def _check_refusal(protocol, control, data):
    """NotDecoded unless a function of the edition may be refused so."""
    if not data:
        raise NotDecoded("error reply without an error byte")
    functions = [function for row in _EDITIONS[protocol][1:] for function in row]
    is_vendors = protocol == "dlt645-1997" and control == dlt645.REFUSED_1997
    if not is_vendors and (control & _MORE or control & _FUNCTION not in functions):
        raise NotDecoded(f"control {control:02X}: refuses no function of {protocol}")


def _parts(protocol, control, data):
    """(bytes of the data identifier, of the sequence number behind everything). NotDecoded if the data are too short."""
    n_di, reads, follows, asks, others = _EDITIONS[protocol]
    function = control & _FUNCTION
    if control & ~(_REPLY | _FUNCTION) and not (control & _MORE and control & _REPLY and function in reads + follows):
        raise NotDecoded(f"control {control:02X} is none of DL/T 645")
    if function not in reads + follows + asks + others:
        hint = (
            f"; decode {_OTHER[protocol]} has it"
            if any(function in functions for functions in _EDITIONS[_OTHER[protocol]][1:])
            else ""
        )
        raise NotDecoded(f"control {control:02X}: no function of {protocol}{hint}")
    if function in asks or function in others and (function not in _WRITE or control & _REPLY):
        return 0, 0
    if function == 0x03 and not data:
        return 0, 0
    n_behind = 1 if function == dlt645.READ_FOLLOWING else 0
    if len(data) < n_di + n_behind:
        raise NotDecoded(f"length {len(data):02X}: too short for a data identifier" + (" and SEQ" if n_behind else ""))
    return n_di, n_behind


def _request(control, data, n_behind):
    """Keys of a request, by what stands behind its data identifier."""
    keys = {"request": True}
    if n_behind:
        keys["seq"], data = data[-1], data[:-1]
    if control == _BROADCAST_TIME:
        keys["clock"] = _time(data, "time6") if len(data) == 6 else None
        if keys["clock"]:
            return keys
    return keys | {"data": hex_of(data) or None}


def _reply(protocol, control, di, data, n_behind, profile):
    """Keys of a reply. NotDecoded if its data are not what they should be."""
    if control & _FUNCTION == dlt645.READ_ADDRESS:
        return {"values": [_number(data)]}
    if n_behind or control & _MORE or control & _FUNCTION == dlt645.READ_FOLLOWING_1997:
        # A part of a block: where its items begin is known only with all parts.
        return {
            "seq": data[-1] if n_behind else None,
            "more": bool(control & _MORE),
            "data": hex_of(data[: len(data) - n_behind]) or None,
        }
    try:
        items = None if di is None else _items(protocol, di, len(data), profile)
        if items is None:
            return {"data": hex_of(data) or None}
        values = _values(protocol, items, data)
    except ValueError as error:
        raise NotDecoded(error.args[0])
    return {"values": values}


def _number(data):
    if len(data) != 6:
        raise NotDecoded(f"data: {len(data)} bytes, where a number has 6")
    try:
        return value_of("communication_number", bcd.digits_of(data, 0, 6), "")
    except ValueError:
        raise NotDecoded(f"communication_number: not BCD: {hex_of(data)}")


def _items(protocol, di, n_bytes, profile):
    """The Items of a reply: those of the profile, else those that the standard has; None if nobody knows."""
    rows = {row[1]: dataids.Item(row[0], *row[2:5]) for row in profile.points} if profile else {}
    if di in rows:
        if not dlt645data.fits(dlt645data.form_of(rows[di].form), n_bytes):
            raise ValueError(f"data: {n_bytes} bytes, where {rows[di].name} is {rows[di].form}")
        return [rows[di]]
    for block, members in profile.blocks if profile else ():
        if block == di:
            return dataids.filling([rows[member] for member in members], True, n_bytes, dataids.di_text(protocol, di))
    return dataids.items_of(protocol, di, n_bytes)


def _values(protocol, items, data):
    """One value for each Item. ValueError names what is no number; one that is filled with FF among others has none."""
    if bcd.is_filled(data, 0, len(data)):
        raise ValueError(f"{items[0].name}: filled with FF: the meter has no value for it")
    values = []
    at = 0
    for item in items:
        values.append(_value(protocol, item, data[at : at + item.n_bytes], len(items) > 1))
        at += item.n_bytes
    return values


def _value(protocol, item, data, may_be_filled):
    form = dlt645data.form_of(item.form)
    kind, n, _, behind, _ = form
    more = {"at": _time(data[n:], "time5")} if behind == 5 else {}
    unit = "" if item.unit == dataids.MONTH_TIME else item.unit
    if may_be_filled and bcd.is_filled(data, 0, n):
        return value_of(item.name, None, unit, **more)
    try:
        if kind == "bcd":
            number = dlt645data.number_of(data, 0, form)
            return value_of(item.name, decimal_text(number, item.decimals), unit, **more)
        text = dlt645data.text_of(data, 0, form)
    except ValueError as error:
        raise ValueError(f"{item.name}: {error.args[0]}: {hex_of(data[:n])}")
    if item.unit == dataids.MONTH_TIME:
        text = f"{text[:2]}-{text[2:4]} {text[4:6]}:{text[6:]}"
    if item.form in _TIMES:
        text = _time(data, item.form)
    return value_of(item.name, text, unit)


def _time(data, form):
    """The time that stands there, or None if it is none: filled, or never set."""
    try:
        text = dlt645data.text_of(data, 0, dlt645data.form_of(form))
        datetime.strptime(text, _TIMES[form])
    except ValueError:
        return None
    return text
