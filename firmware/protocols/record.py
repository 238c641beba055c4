"""Records of the log <-> bytes: the one language that store, meters and uplink share. SPEC.md, "Records".

The names, units and decimals a reading needs travel in the log as NAMES notes, so that a record stays readable
after the configuration has changed. Pure: no flash, no clock.
"""

from micropython import const

from firmware.errors import RecordError
from firmware.protocols.tracks import Tracks
from firmware.protocols.varint import MOST_BYTES, folded, put_varint, unfolded, varint_of

# Kinds below NOTES have a seq and are sent; the others only serve the log itself.
READING = const(1)
MISS = const(2)
DAY = const(3)
EVENT = const(4)
CHANGE = const(5)
NOTES = const(16)
NAMES = const(16)
CURSORS = const(17)
CONSUMERS = const(18)
ABOUT = const(19)
TIME = const(20)
RETIRED = const(21)
# All of them but readings, which have a form of their own.
KINDS = (MISS, DAY, EVENT, CHANGE, NAMES, CURSORS, CONSUMERS, ABOUT, TIME, RETIRED)

# 2025-01-01, from which seconds and days are counted in records: they are small integers on a board until 2059.
EPOCH_S = const(1735689600)
_EPOCH_DAY = const(20089)

# Quality bits of a reading.
Q_UNSYNCHRONISED = const(1)
Q_LATE = const(2)
Q_INCOMPLETE = const(32)
Q_FIRST = const(64)

# Classes of points: a register only counts up and is consumed by differences; a gauge has a mean and a peak.
REGISTER = "register"
GAUGE = "gauge"

_REGISTER_BIT = const(16)
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


class About:
    """What the records of a block were made under: config (its hash), zone (POSIX TZ), version of the firmware."""

    def __init__(self, config, zone, version):
        self.config = config
        self.zone = zone
        self.version = version


class _Writer:
    """The bytes of a record, one part after another."""

    def __init__(self, first=None):
        self.bytes = bytearray()
        if first is not None:
            if not 0 <= first <= 0xFF:
                raise ValueError("8 bits")
            self.bytes.append(first)

    def number(self, number):
        part = bytearray(MOST_BYTES)
        n = put_varint(part, 0, number)
        self.bytes.extend(part[:n])
        return self

    def text(self, text):
        data = text.encode()
        self.number(len(data)).bytes.extend(data)
        return self


class _Parts:
    """A record's parts, one after another. RecordError where it ends too early."""

    def __init__(self, payload, at):
        self._payload = payload
        self._at = at

    def number(self):
        number, self._at = varint_of(self._payload, self._at)
        return number

    def value(self):
        value = unfolded(self.number())
        if value is None:
            raise RecordError("no value")
        return value

    def text(self):
        n = self.number()
        first, self._at = self._at, self._at + n
        if self._at > len(self._payload):
            raise RecordError("no end")
        return _text(self._payload, first, self._at)

    def rest(self):
        return _text(self._payload, self._at, len(self._payload))

    @property
    def is_done(self):
        return self._at == len(self._payload)


def put_miss(index, slot_s, end_s, n_slots, cause):
    """Bytes of a miss of meter number index, 0..255: n_slots slots from slot_s to end_s, Unix seconds."""
    out = _Writer(index).number(folded(slot_s - EPOCH_S)).number(end_s - slot_s).number(n_slots)
    out.bytes.extend(cause.encode())
    return out.bytes


def put_day(index, day, members):
    """Bytes of a daily summary; day: days since 1970 of the local date."""
    out = _Writer(index).number(day - _EPOCH_DAY)
    out.bytes.extend(members.encode())
    return out.bytes


def put_names(index, names, same=None):
    """Bytes of a NAMES note: what the records of meter number index, 0..255, mean from now on.

    same: the index of a note before it that has the same points, which are then not said again."""
    out = _Writer(index).text(names.name).number(names.every_s)
    out.number(max(0, names.last_slot_s - EPOCH_S)).number(max(0, names.next_day - _EPOCH_DAY)).text(names.serial or "")
    if same is not None:
        out.number(0).number(same)
        return out.bytes
    out.number(len(names.points))
    for name, unit, decimals, klass in names.points:
        out.number(decimals | (_REGISTER_BIT if klass == REGISTER else 0)).text(name).text(unit)
    return out.bytes


def serial_of(text):
    """A meter's own number as a NAMES note can hold it: its last 16, printable and without a space."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text.strip())[-MOST_SERIAL:]


def put_consumers(cursors, last_seq):
    """Bytes of a CONSUMERS note: the names of a dict's consumers, in order, and how far each is behind last_seq."""
    out = _Writer()
    for name in sorted(cursors):
        out.text(name).number(max(0, last_seq - cursors[name]))
    return out.bytes


def put_cursors(cursors, last_seq):
    """Bytes of a CURSORS note: how far each consumer, in their order, is behind last_seq."""
    out = _Writer()
    for name in sorted(cursors):
        out.number(max(0, last_seq - cursors[name]))
    return out.bytes


def put_about(config_hash, zone, version):
    """Bytes of an ABOUT note; texts, of which the zone has no space."""
    return ("%s %s %s" % (config_hash, zone, version)).encode()


def put_time(from_s, to_s, source):
    """Bytes of a TIME note: the clock was set from from_s to to_s, Unix seconds, after source."""
    out = _Writer().number(folded(from_s)).number(folded(to_s))
    out.bytes.extend(source.encode())
    return out.bytes


def put_retired(blocks):
    """Bytes of a RETIRED note: the numbers of the blocks that are not used any more."""
    out = _Writer()
    for block in sorted(blocks):
        out.number(block)
    return out.bytes


class Time:
    """The clock was set from from_s to to_s, Unix seconds, after source."""

    kind = TIME

    def __init__(self, from_s, to_s, source):
        self.from_s = from_s
        self.to_s = to_s
        self.source = source


def times_of(found):
    """(first, last) time that a record is about, seconds since EPOCH_S; None if it has none."""
    kind = found.kind if hasattr(found, "kind") else 0
    if kind == READING:
        return found.slot_s - EPOCH_S, found.at_s - EPOCH_S
    if kind == MISS:
        return found.slot_s - EPOCH_S, found.end_s - EPOCH_S
    return None


class Decoder:
    """Turns a block's records into objects; its notes, given in their order, tell it what the others mean.

    begin() at each block. shared: {meter's name: MeterNames}, which are used where a note says the same points: what only the
    log itself asks for, last slot, next day and serial number, is then theirs.
    meters {index: MeterNames}; about, or None; cursors {consumer: seq}; retired blocks, a list; is_headed: the heading of this
    block was whole, since CONSUMERS is its end."""

    def __init__(self, shared=None):
        self.shared = shared or {}
        self.tracks = Tracks()
        self.meters = {}
        self.about = None
        self.cursors = {}
        self.retired = []
        self.is_headed = False
        self._consumers_check = 0

    def begin(self):
        """A block begins: what it means is said anew."""
        self.tracks.begin()
        self.meters = {}
        self.about = None
        self.is_headed = False
        self._consumers_check = 0

    def tie(self, kind, payload):
        """What the check of such a record is tied to: the note without which it would be read as something else.

        RecordError if that is not known."""
        if kind in (MISS, DAY):
            if not len(payload):
                raise RecordError("no meter")
            return self.tracks.named(payload[0])
        return self._consumers_check if kind == CURSORS else 0

    def reading(self, parsed, check):
        """The Reading that tracks.parse gave, whose check holds."""
        index, is_key, slot, after_s, quality, values, _ = parsed
        self.tracks.taken(index, is_key, slot, after_s, quality, values, check)
        meter = self.meters[index]
        slot_s = slot + EPOCH_S
        return Reading(meter.name, meter.points, slot_s, slot_s + after_s, quality, values)

    def decode(self, kind, payload, last_seq=0, check=0):
        """Miss, Day, Event, Time, MeterNames, About, or what else the kind has; its check holds. RecordError if it is none.

        last_seq: the newest seq before it, or its own."""
        if kind == NAMES:
            return self._names(payload, check)
        if kind in (CURSORS, CONSUMERS):
            return self._cursors(kind, _Parts(payload, 0), last_seq, check)
        if kind == MISS:
            parts = _Parts(payload, 1)
            slot_s = parts.value() + EPOCH_S
            end_s = slot_s + parts.number()
            return Miss(self._meter(payload).name, slot_s, end_s, parts.number(), parts.rest())
        if kind == DAY:
            parts = _Parts(payload, 1)
            return Day(self._meter(payload).name, parts.number() + _EPOCH_DAY, parts.rest())
        if kind in (EVENT, CHANGE):
            return Event(kind, _text(payload, 0, len(payload)))
        if kind == TIME:
            parts = _Parts(payload, 0)
            return Time(parts.value(), parts.value(), parts.rest())
        if kind == ABOUT:
            words = _text(payload, 0, len(payload)).split(" ")
            if len(words) != 3:
                raise RecordError("about")
            self.about = About(*words)
            return self.about
        if kind == RETIRED:
            parts, self.retired = _Parts(payload, 0), []
            while not parts.is_done:
                self.retired.append(parts.number())
            return self.retired
        raise RecordError("kind %d" % kind)

    def _meter(self, payload):
        if payload[0] not in self.meters:
            raise RecordError("a meter without names")
        return self.meters[payload[0]]

    def _cursors(self, kind, parts, last_seq, check):
        if kind == CONSUMERS:
            self._consumers_check = check
            self.is_headed = True
            self.cursors = {}
            while not parts.is_done:
                name = parts.text()
                self.cursors[name] = last_seq - parts.number()
        else:
            for name in sorted(self.cursors):
                self.cursors[name] = last_seq - parts.number()
        return self.cursors

    def _names(self, payload, check):
        parts = _Parts(payload, 1)
        index = payload[0]
        # Until it is read: readings told by another one's points would be others.
        self.tracks.unname(index)
        self.meters.pop(index, None)
        name, every_s, slot, day, serial = parts.text(), parts.number(), parts.number(), parts.number(), parts.text()
        points = self._points(parts)
        # A decoder lives as long as a data centre does; what the gateway holds already is not held twice.
        names = self.shared.get(name)
        if names is None or names.points != points or names.every_s != every_s:
            last_slot_s, next_day = slot + EPOCH_S if slot else 0, day + _EPOCH_DAY if day else 0
            names = MeterNames(name, every_s, points, last_slot_s, next_day, serial)
        self.meters[index] = names
        self.tracks.name(index, every_s, [point[3] == REGISTER for point in points], check)
        return names

    def _points(self, parts):
        n = parts.number()
        if n == 0:
            same = parts.number()
            if same not in self.meters:
                raise RecordError("names")
            return self.meters[same].points
        points = []
        for _ in range(n):
            form = parts.number()
            name, unit = parts.text(), parts.text()
            points.append((name, unit, form & ~_REGISTER_BIT, REGISTER if form & _REGISTER_BIT else GAUGE))
        return tuple(points)


def _text(payload, first, end):
    try:
        return bytes(payload[first:end]).decode()
    except UnicodeError:
        raise RecordError("text")
