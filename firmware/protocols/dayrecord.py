"""Daily summaries <-> bytes: some 30 for a meter of two points. SPEC.md, "DAY". Pure."""

from micropython import const

from firmware.errors import RecordError
from firmware.protocols.parts import Parts, Writer
from firmware.protocols.record import DAY, EPOCH_DAY, REGISTER
from firmware.protocols.varint import folded

_DAY_S = const(86400)

# Bits of the record: every slot brought a good reading; the day is 24 hours long; it is final; begins at a whole minute.
_COMPLETE = const(1)
_USUAL = const(2)
_FINAL = const(4)
_IN_MINUTES = const(8)
_KNOWN_BITS = const(15)

# Bits of a point: it has values; a register's first and last are of the day's two midnights; a gauge's highest was at a whole
# interval after the first one.
_HAS = const(1)
_FROM_START = const(2)
_TO_END = const(4)
_IN_INTERVALS = const(2)
_MOST_BITS = const(7)


class Day:
    """A meter's summary of a local day, that of zone (a POSIX TZ) from start_s to end_s; day: days since 1970 of its date.

    due, got, late: slots; quality: all bits of its readings; missed {cause: slots}; rev counts up when it is judged anew;
    config: hash of the configuration. found: for each of points None, or a register's (first slot, value, last slot, value), or
    a gauge's (lowest, highest, slot of that, mean)."""

    kind = DAY

    def __init__(self, meter, points, day, start_s, end_s):
        self.meter = meter
        self.points = points
        self.day = day
        self.start_s = start_s
        self.end_s = end_s
        self.due = self.got = self.late = self.quality = self.rev = 0
        self.final = True
        self.missed = {}
        self.found = [None] * len(points)
        self.zone = self.config = ""


def put_day(index, day, every_s):
    """Bytes of a Day of meter number index, whose interval is every_s. ValueError where a number cannot be."""
    out = Writer(index).number(folded(day.day - EPOCH_DAY))
    midnight_s = day.start_s - day.day * _DAY_S
    is_complete = day.got == day.due and not (day.late or day.quality or day.missed or day.rev)
    bits = (_COMPLETE if is_complete else 0) | (_FINAL if day.final else 0)
    bits |= _USUAL if day.end_s - day.start_s == _DAY_S else 0
    bits |= _IN_MINUTES if midnight_s % 60 == 0 else 0
    out.number(bits).number(folded(midnight_s // 60 if midnight_s % 60 == 0 else midnight_s))
    if not bits & _USUAL:
        out.number(day.end_s - day.start_s)
    out.number(day.due)
    if not is_complete:
        out.number(day.got).number(day.late).number(day.quality).number(day.rev).number(len(day.missed))
        for cause in sorted(day.missed):
            out.cause(cause).number(day.missed[cause])
    for point, found in zip(day.points, day.found):
        if found is None:
            out.number(0)
        elif point[3] == REGISTER:
            _put_register(out, day, found)
        else:
            _put_gauge(out, day, found, every_s)
    return out.bytes


def _put_register(out, day, found):
    first_s, first, last_s, last = found
    bits = _HAS | (_FROM_START if first_s == day.start_s else 0) | (_TO_END if last_s == day.end_s else 0)
    out.number(bits).number(folded(first)).number(folded(last - first))
    if not bits & _FROM_START:
        out.number(folded(first_s - day.start_s))
    if not bits & _TO_END:
        out.number(folded(last_s - day.start_s))


def _put_gauge(out, day, found, every_s):
    low, high, high_s, mean = found
    after_s = high_s - day.start_s
    in_intervals = after_s % every_s == 0
    out.number(_HAS | (_IN_INTERVALS if in_intervals else 0)).number(folded(mean)).number(mean - low).number(high - mean)
    out.number(folded(after_s // every_s if in_intervals else after_s))


def day_of(payload, names):
    """The Day of put_day's bytes, whose meter is names (record.MeterNames). RecordError if they are none."""
    parts = Parts(payload, 1)
    number, bits = parts.value() + EPOCH_DAY, parts.number()
    if bits & ~_KNOWN_BITS:
        raise RecordError("day")
    start_s = number * _DAY_S + parts.value() * (60 if bits & _IN_MINUTES else 1)
    day = Day(names.name, names.points, number, start_s, start_s + (_DAY_S if bits & _USUAL else parts.number()))
    day.final = bool(bits & _FINAL)
    day.due = day.got = parts.number()
    if not bits & _COMPLETE:
        day.got, day.late, day.quality, day.rev = [parts.number() for _ in range(4)]
        for _ in range(parts.number()):
            cause = parts.cause()
            day.missed[cause] = parts.number()
    for i, point in enumerate(names.points):
        bits = parts.number()
        if bits and not bits & _HAS or bits > (_MOST_BITS if point[3] == REGISTER else _HAS | _IN_INTERVALS):
            raise RecordError("point")
        if bits:
            day.found[i] = _register(parts, day, bits) if point[3] == REGISTER else _gauge(parts, day, bits, names.every_s)
    if not parts.is_done:
        raise RecordError("longer than a day")
    return day


def _register(parts, day, bits):
    first = parts.value()
    last = first + parts.value()
    first_s = day.start_s + (0 if bits & _FROM_START else parts.value())
    return first_s, first, day.end_s if bits & _TO_END else day.start_s + parts.value(), last


def _gauge(parts, day, bits, every_s):
    mean = parts.value()
    low = mean - parts.number()
    high = mean + parts.number()
    return low, high, day.start_s + parts.value() * (every_s if bits & _IN_INTERVALS else 1), mean
