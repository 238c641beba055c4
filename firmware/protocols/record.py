"""Records of the log <-> bytes: the one language that store, meters and uplink share. SPEC.md, "Records".

The names, units and decimals a reading needs travel in the log as NAMES notes, so that a record stays readable
after the configuration has changed. Pure: no flash, no clock.
"""

from micropython import const

from firmware.protocols.parts import Writer
from firmware.protocols.varint import folded
from firmware.texts import is_digits

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
EPOCH_DAY = const(20089)

# Of an event's time: until 2286.
_MOST_DIGITS = const(10)

# Quality bits of a reading.
Q_UNSYNCHRONISED = const(1)
Q_LATE = const(2)
Q_INCOMPLETE = const(32)
Q_FIRST = const(64)

# Classes of points: a register only counts up and is consumed by differences; a gauge has a mean and a peak.
REGISTER = "register"
GAUGE = "gauge"

REGISTER_BIT = const(16)
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


class Event:
    """An event or a change; members: its JSON members."""

    def __init__(self, kind, members):
        self.kind = kind
        self.members = members


class About:
    """What the records of a block were made under: config (its hash), zone (POSIX TZ), version of the firmware, and the log."""

    def __init__(self, config, zone, version, log):
        self.config = config
        self.zone = zone
        self.version = version
        self.log = log


def put_miss(index, slot_s, end_s, n_slots, cause):
    """Bytes of a miss of meter number index, 0..255: n_slots slots from slot_s to end_s, Unix seconds."""
    return Writer(index).number(folded(slot_s - EPOCH_S)).number(end_s - slot_s).number(n_slots).cause(cause).bytes


def put_names(index, names, same=None):
    """Bytes of a NAMES note: what the records of meter number index, 0..255, mean from now on.

    same: the index of a note before it that has the same points, which are then not said again."""
    out = Writer(index).text(names.name).number(names.every_s)
    out.number(max(0, names.last_slot_s - EPOCH_S)).number(max(0, names.next_day - EPOCH_DAY)).text(names.serial or "")
    if same is not None:
        out.number(0).number(same)
        return out.bytes
    out.number(len(names.points))
    for name, unit, decimals, klass in names.points:
        out.number(decimals | (REGISTER_BIT if klass == REGISTER else 0)).text(name).text(unit)
    return out.bytes


def serial_of(text):
    """A meter's own number as a NAMES note can hold it: its last 16, printable and without a space."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text.strip())[-MOST_SERIAL:]


def put_consumers(cursors, last_seq):
    """Bytes of a CONSUMERS note: the names of a dict's consumers, in order, and how far each is behind last_seq."""
    out = Writer()
    for name in sorted(cursors):
        out.text(name).number(max(0, last_seq - cursors[name]))
    return out.bytes


def put_cursors(cursors, last_seq):
    """Bytes of a CURSORS note: how far each consumer, in their order, is behind last_seq."""
    out = Writer()
    for name in sorted(cursors):
        out.number(max(0, last_seq - cursors[name]))
    return out.bytes


def put_about(config_hash, zone, version, log):
    """Bytes of an ABOUT note; texts without a space."""
    return ("%s %s %s %s" % (config_hash, zone, version, log)).encode()


def put_time(from_s, to_s, source):
    """Bytes of a TIME note: the clock was set from from_s to to_s, Unix seconds, after source."""
    return Writer().number(folded(from_s)).number(folded(to_s)).rest(source).bytes


def put_retired(blocks):
    """Bytes of a RETIRED note: the numbers of the blocks that are not used any more."""
    out = Writer()
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


def event_s(members):
    """The time of an event or a change, which stands first in its members, Unix seconds; None if it has none."""
    if not members.startswith('"t":'):
        return None
    digits = members[4:].split(",", 1)[0]
    return int(digits) if is_digits(digits) and len(digits) <= _MOST_DIGITS else None


def bounds_of(found):
    """(first, last) Unix seconds by which a record is searched for, a day by its last second; None if it has no time."""
    kind = found.kind if hasattr(found, "kind") else 0
    if kind == READING:
        return found.slot_s, found.at_s
    if kind == MISS:
        return found.slot_s, found.end_s
    if kind == DAY:
        return found.end_s - 1, found.end_s - 1
    at_s = event_s(found.members) if kind in (EVENT, CHANGE) else None
    return None if at_s is None else (at_s, at_s)
