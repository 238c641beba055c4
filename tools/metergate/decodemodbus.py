"""What Modbus RTU frames say: requests, replies and refusals of functions 03 and 04, found by length and checksum."""

from typing import NamedTuple

from firmware.meters.profiles import ABOUT
from firmware.protocols import numbers
from firmware.protocols.modbus import HOLDING, INPUT, MOST_REGISTERS, REQUEST_BYTES, crc16
from firmware.protocols.payload import decimal_text
from metergate.decoded import NotDecoded, hex_of, said, value_of, wrong
from metergate.f32text import shortest

_PROTOCOL = "modbus"
_READS = (HOLDING, INPUT)
_REFUSED = 0x80
_REQUEST, _REPLY, _ERROR, _OTHER = "request", "reply", "error", "other"
_ERROR_BYTES = 5
_N_REGISTERS = 0x10000

# Functions whose frames are found, and not decoded: those that read bits, and those that write one or many.
_BITS, _WRITE_ONE, _WRITE_MANY = (1, 2), (5, 6), (15, 16)
_KNOWN = _READS + _BITS + _WRITE_ONE + _WRITE_MANY

# How near a place is to a frame, when none is whole.
_NEAR_SHORT, _NEAR_BEYOND, _NEAR_SUM, _NEAR_LAST = range(4)


class _Asked(NamedTuple):
    first: int
    count: int


def decode(data, profile=None, first=None):
    """A dict for each frame in data, in order.

    profile: of firmware.meters.profiles, or None; first: the first register of replies whose request is not there."""
    found = []
    # (unit, function): what was asked for last.
    asked = {}
    at = 0
    while at < len(data):
        kind, n = _frame_at(data, at)
        if n:
            found.append(_decoded(kind, data[at : at + n], asked, profile, first))
        at += n or 1
    return found


def _frame_at(data, at):
    """(kind, bytes) of the frame that begins there; (None, 0) if none does."""
    for kind, n in _shapes(data, at):
        if at + n <= len(data) and crc16(data, at, at + n - 2) == data[at + n - 2] | data[at + n - 1] << 8:
            return kind, n
    return None, 0


def _shapes(data, at):
    """(kind, bytes) of each frame that the bytes there may begin. Unit 0 is everybody: nobody is read by it."""
    if at + _ERROR_BYTES > len(data) or not data[at]:
        return []
    function = data[at + 1]
    if function & _REFUSED:
        return [(_ERROR, _ERROR_BYTES)] if function & ~_REFUSED in _KNOWN else []
    if function in _READS:
        reply = (_REPLY, _ERROR_BYTES + data[at + 2])
        # A reply of three bytes is as long as a request, and holds no whole registers.
        return [(_REQUEST, REQUEST_BYTES), reply]
    if function in _BITS:
        return [(_OTHER, REQUEST_BYTES), (_OTHER, _ERROR_BYTES + data[at + 2])]
    if function in _WRITE_ONE:
        return [(_OTHER, REQUEST_BYTES)]
    if function in _WRITE_MANY:
        return [(_OTHER, REQUEST_BYTES)] + ([(_OTHER, 9 + data[at + 6])] if at + 6 < len(data) else [])
    return []


# -- one frame --------------------------------------------------------------------------------------------------------


def _decoded(kind, frame, asked, profile, first):
    place = _PROTOCOL, str(frame[0]), frame[1]
    key = frame[0], frame[1] & ~_REFUSED
    try:
        if kind == _OTHER:
            raise NotDecoded(f"function {frame[1]:02X}: only 03 and 04, which read registers, are decoded")
        if kind == _REQUEST:
            asked[key] = _asked(frame)
            return said(*place, f"{asked[key].first:04X}", request=True, count=asked[key].count)
        answers = asked.pop(key, None)
        begin = answers.first if answers else first
        if kind == _ERROR:
            return said(*place, _di(answers.first if answers else None), error=f"{frame[2]:02X}")
    except NotDecoded as error:
        return wrong(error.args[0], *place)
    try:
        _check_count(frame[2], answers, begin)
        registers = frame[3:-2]
        if profile:
            begin, values = _points(registers, frame[1], profile, begin)
        else:
            values = _unnamed(registers, begin)
        return said(*place, _di(begin), values, data=None if values else hex_of(registers))
    except NotDecoded as error:
        return wrong(error.args[0], *place, _di(begin))


def _di(register):
    return None if register is None else f"{register:04X}"


def _asked(frame):
    """What a request asks for. NotDecoded if nobody may ask so."""
    first, count = frame[2] << 8 | frame[3], frame[4] << 8 | frame[5]
    if frame[2] == 3 and not 1 <= count <= MOST_REGISTERS:
        raise NotDecoded("byte count 3: odd, and a register has two bytes")
    if not 1 <= count <= MOST_REGISTERS:
        raise NotDecoded(f"count {count}: a request is for 1 to {MOST_REGISTERS} registers")
    if first + count > _N_REGISTERS:
        raise NotDecoded(f"register {first:04X}, count {count}: goes beyond register FFFF")
    return _Asked(first, count)


def _check_count(n_bytes, answers, begin):
    """NotDecoded unless the bytes are registers, as many as were asked for, from `begin` (None: not known) to FFFF."""
    if n_bytes % 2:
        raise NotDecoded(f"byte count {n_bytes}: odd, and a register has two bytes")
    count = n_bytes // 2
    if not 1 <= count <= MOST_REGISTERS:
        raise NotDecoded(f"byte count {n_bytes}: a reply has 1 to {MOST_REGISTERS} registers")
    if answers and count != answers.count:
        what = "too few" if count < answers.count else "too many"
        raise NotDecoded(f"byte count {n_bytes}: {count} registers, but the request before it asks for {answers.count}: {what}")
    if begin is not None and begin + count > _N_REGISTERS:
        raise NotDecoded(f"byte count {n_bytes}: {count} registers from {begin:04X} go beyond register FFFF")


def _unnamed(registers, begin):
    """Pairs of registers as f32, the high word first; if their number is odd, each as u16."""
    step = 4 if len(registers) % 4 == 0 else 2
    values = []
    for at in range(0, len(registers), step):
        bits = int.from_bytes(registers[at : at + step], "big")
        name = f"+{at // 2}" if begin is None else f"{begin + at // 2:04X}"
        values.append(value_of(name, shortest(bits) if step == 4 else str(bits), ""))
    return values


# -- by a profile -----------------------------------------------------------------------------------------------------


def _points(registers, function, profile, begin):
    """(first register, values of the profile's points that lie in the registers as a whole)."""
    rows = [(row, numbers.form_of(row[2])) for row in _rows_of(profile, function)]
    count = len(registers) // 2
    if begin is None:
        begin = _only_place(rows, count, profile)
    values = []
    for (name, register, _, unit, decimals, _), form in rows:
        if begin <= register and register + form[0] <= begin + count:
            scaled = numbers.scaled_of(registers, 2 * (register - begin), form, decimals)
            values.append(value_of(name, None if scaled is None else decimal_text(scaled, decimals), unit))
    return begin, values


def _rows_of(profile, function):
    """The rows that a function reads: meters exist whose points are read by the other one than most."""
    if function == profile.about_function != profile.function:
        return [row for row in profile.points if row[5] == ABOUT]
    both = profile.about_function == function
    return [row for row in profile.points if both or row[5] != ABOUT]


def _only_place(rows, count, profile):
    """The only register at which a reply of so many can begin so that its ends are ends of points and it cuts none."""
    spans = [(row[1], row[1] + form[0]) for row, form in rows]
    places = []
    for begin in sorted({first for first, _ in spans}):
        end = begin + count
        cuts = any(first < place < last for place in (begin, end) for first, last in spans)
        if not cuts and any(last == end for _, last in spans):
            places.append(f"{begin:04X}")
    if len(places) == 1:
        return int(places[0], 16)
    shown = ", ".join(places[:4]) + (", .." if len(places) > 4 else "")
    why = f"may begin at {shown}" if places else "fit nowhere between the points"
    raise NotDecoded(f"{count} registers of {profile.name} {why}: put the request before the reply, or give --first REGISTER")


# -- no frame ---------------------------------------------------------------------------------------------------------


def why_none(data):
    """Why there is no frame in data: what is wrong at the place that is most like one, and what to do."""
    if len(data) < _ERROR_BYTES:
        return f"{len(data)} bytes are no frame, the shortest has {_ERROR_BYTES}; record some more"
    if not crc16(data, 0, len(data)):
        if data[1] & ~_REFUSED in _READS:
            return f"the checksum is right, but {len(data)} bytes from unit {data[0]} are neither request nor reply"
        return f"function {data[1]:02X}: only 03 and 04, which read registers, are decoded"
    found = [_fault(data, at, kind, n) for at in range(len(data)) for kind, n in _shapes(data, at) if kind != _OTHER]
    if not found:
        return f"in {len(data)} bytes no unit is followed by function 03 or 04; is it this protocol?"
    nearest = max(near for near, _ in found)
    return next(text for near, text in found if near == nearest)


def _fault(data, at, kind, n):
    """(how near it is to a frame, what is wrong) of a frame that might begin there."""
    begin = f"{kind} at byte {at}: "
    if at + n > len(data):
        what = f"its byte count {data[at + 2]:02X} (byte {at + 2})" if kind == _REPLY else f"it has {n} bytes, which"
        near = _NEAR_SHORT if kind == _REQUEST or data[at + 2] % 2 else _NEAR_BEYOND
        return near, f"{begin}{what} goes {at + n - len(data)} bytes beyond the end; were all bytes recorded?"
    crc = crc16(data, at, at + n - 2)
    heard, wanted = hex_of(data[at + n - 2 : at + n]), f"{crc & 0xFF:02X}{crc >> 8:02X}"
    is_usual = kind == _REPLY and data[at + 2] and not data[at + 2] % 2
    near = _NEAR_LAST if at + n == len(data) else _NEAR_SUM if is_usual else _NEAR_SHORT
    return near, f"{begin}checksum wrong: heard {heard}, wanted {wanted}; a byte was lost or changed: read again"
