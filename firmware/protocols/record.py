"""Records of the log <-> bytes: the one language that store, meters and uplink share. SPEC.md, "Records".

The names, units and decimals a reading needs travel in the log as NAMES notes, so that a record stays readable
after the configuration has changed. Pure: no flash, no clock.
"""

import struct

from micropython import const

from firmware.errors import RecordError

# Kinds below NOTES have a seq and are sent; the others only serve the log itself.
READING = const(1)
MISS = const(2)
DAY = const(3)
EVENT = const(4)
CHANGE = const(5)
NOTES = const(16)
NAMES = const(16)
CURSORS = const(17)

# Quality bits of a reading.
Q_UNSYNCHRONISED = const(1)
Q_LATE = const(2)
Q_INCOMPLETE = const(32)
Q_FIRST = const(64)

# Classes of points: a register only counts up and is consumed by differences; a gauge has a mean and a peak.
REGISTER = "register"
GAUGE = "gauge"

_READING = "<BIB"
_MISS = "<BIIH"
_DAY = "<BI"
_READING_BYTES = const(6)
_MISS_BYTES = const(11)
_DAY_BYTES = const(5)
# 63 bits and a sign, 7 bits a byte.
_MOST_VARINT = const(10)
# Characters of a meter's own number; longer ones are cut.
MOST_SERIAL = const(16)


class MeterNames:
    """What the log knows of a meter: name, every_s, points ((name, unit, decimals, class), ..), and how far
    its records go: last_slot_s (0: none yet), next_day (the first day without a summary; 0: none begun).
    serial: the instrument's own number, "" if not known yet; None: it cannot tell."""

    def __init__(self, name, every_s, points, last_slot_s=0, next_day=0, serial=None):
        self.name = name
        self.every_s = every_s
        self.points = points
        self.last_slot_s = last_slot_s
        self.next_day = next_day
        self.serial = serial


class Reading:
    """slot_s, at_s in Unix seconds; meter, points as in MeterNames; values: scaled integers or None."""

    kind = READING

    def __init__(self, meter, points, slot_s, at_s, quality, values):
        self.meter = meter
        self.points = points
        self.slot_s = slot_s
        self.at_s = at_s
        self.quality = quality
        self.values = values


class Miss:
    """n_slots slots from slot_s to end_s brought no reading; cause: one short text."""

    kind = MISS

    def __init__(self, meter, slot_s, end_s, n_slots, cause):
        self.meter = meter
        self.slot_s = slot_s
        self.end_s = end_s
        self.n_slots = n_slots
        self.cause = cause


class Day:
    """members: the JSON members of the summary, as they are published."""

    kind = DAY

    def __init__(self, meter, day, members):
        self.meter = meter
        self.day = day
        self.members = members


class Event:
    """An event or a change; members: its JSON members."""

    def __init__(self, kind, members):
        self.kind = kind
        self.members = members


def _u32(value):
    # struct truncates without a word on a board.
    if not 0 <= value <= 0xFFFFFFFF:
        raise ValueError("32 bits")
    return value


def _u8(value):
    if not 0 <= value <= 0xFF:
        raise ValueError("8 bits")
    return value


def _put_varint(out, value):
    """0 is no value; else zigzag, so that small magnitudes are short, plus one. -2**63 < value < 2**63."""
    if value is None:
        number = 0
    elif -(1 << 63) < value < 1 << 63:
        number = (value << 1 if value >= 0 else (-value << 1) - 1) + 1
    else:
        raise ValueError("63 bits")
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _varint(buf, at):
    """(value or None, next offset). RecordError if it does not end."""
    number = shift = 0
    for i in range(at, min(at + _MOST_VARINT, len(buf))):
        number |= (buf[i] & 127) << shift
        if not buf[i] & 128:
            if number == 0:
                return None, i + 1
            number -= 1
            return (-((number + 1) >> 1) if number & 1 else number >> 1), i + 1
        shift += 7
    raise RecordError("number without end")


def put_reading(index, slot_s, at_s, quality, values):
    """Bytes of a reading of meter number index (0..255); values in the order of the meter's points."""
    out = bytearray(struct.pack(_READING, _u8(index), _u32(slot_s), quality & 0xFF))
    # A byte instead of four: most readings come within a minute.
    _put_varint(out, _u32(at_s) - slot_s)
    for value in values:
        _put_varint(out, value)
    return out


def put_miss(index, slot_s, end_s, n_slots, cause):
    """Bytes of a miss; n_slots above 65535 stands as 65535, the bounds stay exact."""
    return struct.pack(_MISS, _u8(index), _u32(slot_s), _u32(end_s), min(n_slots, 0xFFFF)) + cause.encode()


def put_day(index, day, members):
    """Bytes of a daily summary; day: days since 1970 of the local date."""
    return struct.pack(_DAY, _u8(index), _u32(day)) + members.encode()


def put_names(index, names, same=None):
    """Bytes of a NAMES note: `index name every_s last_slot_s next_day point:unit:decimals:class .. #serial`.

    same: the index of a note before it that has the same points; they are then said as `=index`."""
    if same is None:
        points = " ".join("%s:%s:%d:%s" % point for point in names.points)
    else:
        points = "=%d" % same
    serial = " #" + names.serial if names.serial else ""
    head = "%d %s %d %d %d " % (index, names.name, names.every_s, names.last_slot_s, names.next_day)
    return (head + points + serial).encode()


def serial_of(text):
    """A meter's own number as a NAMES note can hold it: its last 16, printable and without a space."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text.strip())[-MOST_SERIAL:]


def put_cursors(cursors):
    """Bytes of a CURSORS note: `consumer seq ..` of a dict."""
    return " ".join("%s %d" % pair for pair in sorted(cursors.items())).encode()


def cursors_of(payload):
    """The dict of a CURSORS note."""
    words = bytes(payload).decode().split()
    return {words[i]: int(words[i + 1]) for i in range(0, len(words) - 1, 2)}


def _point(word):
    name, unit, decimals, klass = word.split(":")
    return name, unit, int(decimals), klass


class Decoder:
    """Turns records into objects; NAMES notes, given in the log's order, tell it what the readings mean.

    shared: {meter's name: MeterNames}, which are used where a note says the same points: what only the log itself asks for,
    last slot, next day and serial number, is then theirs."""

    def __init__(self, shared=None):
        self.meters = {}
        self.shared = shared or {}
        # The MeterNames of the newest note, and the indices of its heading up to it.
        self.named = None
        self._said = []

    def decode(self, kind, payload):
        """Reading, Miss, Day or Event; None for a note. RecordError if the bytes are none of these."""
        if kind == READING:
            return self._reading(payload)
        if kind == MISS:
            if len(payload) < _MISS_BYTES:
                raise RecordError("short miss")
            index, slot_s, end_s, n_slots = struct.unpack_from(_MISS, payload)
            return Miss(self._meter(index).name, slot_s, end_s, n_slots, _text(payload, _MISS_BYTES))
        if kind == DAY:
            if len(payload) < _DAY_BYTES:
                raise RecordError("short day")
            index, day = struct.unpack_from(_DAY, payload)
            return Day(self._meter(index).name, day, _text(payload, _DAY_BYTES))
        if kind in (EVENT, CHANGE):
            return Event(kind, _text(payload, 0))
        if kind == NAMES:
            self._names(_text(payload, 0))
        return None

    def _reading(self, payload):
        if len(payload) < _READING_BYTES:
            raise RecordError("short reading")
        index, slot_s, quality = struct.unpack_from(_READING, payload)
        meter = self._meter(index)
        after_s, at = _varint(payload, _READING_BYTES)
        if after_s is None or not 0 <= slot_s + after_s <= 0xFFFFFFFF:
            raise RecordError("no time")
        values = []
        for _ in meter.points:
            value, at = _varint(payload, at)
            values.append(value)
        if at != len(payload):
            raise RecordError("more values than points")
        return Reading(meter.name, meter.points, slot_s, slot_s + after_s, quality, values)

    def _meter(self, index):
        if index not in self.meters:
            raise RecordError("a meter without names")
        return self.meters[index]

    def _names(self, line):
        try:
            words = line.split(" ")
            serial = words.pop()[1:] if words[-1][0] == "#" else ""
            index = int(words[0])
            if self._said and index <= self._said[-1]:
                self._said = []
            if words[5:6] and words[5][0] == "=":
                same = int(words[5][1:])
                if same not in self._said:
                    # Its note is damaged; one from before may be another meter's. Unreadable is better than wrong.
                    self.meters.pop(index, None)
                    raise RecordError("names")
                points = self._meter(same).points
            else:
                points = tuple(_point(word) for word in words[5:])
            self._said.append(index)
            # A decoder lives as long as a data centre does; what the gateway holds already is not held twice.
            names = self.shared.get(words[1])
            if names is None or names.points != points:
                names = MeterNames(words[1], int(words[2]), points, int(words[3]), int(words[4]), serial)
            self.meters[index] = self.named = names
        except (ValueError, IndexError):
            raise RecordError("names")


def _text(payload, first):
    try:
        return bytes(payload[first:]).decode()
    except UnicodeError:
        raise RecordError("text")
