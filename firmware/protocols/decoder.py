"""Bytes of a block -> records: what its notes say tells what the others mean. SPEC.md, "Records". Pure."""

from micropython import const

from firmware.errors import RecordError
from firmware.protocols.dayrecord import day_of
from firmware.protocols.parts import Parts, text_of
from firmware.protocols.record import (
    ABOUT,
    CHANGE,
    CONSUMERS,
    CURSORS,
    DAY,
    EPOCH_DAY,
    EPOCH_S,
    EVENT,
    GAUGE,
    MISS,
    NAMES,
    NOTES,
    REGISTER,
    REGISTER_BIT,
    RETIRED,
    TIME,
    About,
    Event,
    MeterNames,
    Miss,
    Reading,
    Time,
)
from firmware.protocols.tracks import Tracks
from firmware.protocols.varint import varint_of

_MOST_DECIMALS = const(9)


class Decoder:
    """Turns a block's records into objects; its notes, given in their order, tell it what the others mean.

    begin() at each block. shared: {meter's name: MeterNames}, which are used where a note says the same points: what only the
    log itself asks for, last slot, next day and serial number, is then theirs.
    meters {index: MeterNames}; about, or None; cursors {consumer: seq}; retired blocks, a list; is_headed: the heading of this
    block was whole, since CONSUMERS is its end. is_archive: records begin with their seq in the log, which becomes log_seq."""

    def __init__(self, shared=None, is_archive=False):
        self.shared = shared or {}
        self.is_archive = is_archive
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

    def state(self):
        """What is known, for restore()."""
        notes = dict(self.meters), self.about, dict(self.cursors), self.retired, self.is_headed, self._consumers_check
        return self.tracks.state(), notes

    def restore(self, state):
        """Know what was known when state() gave this."""
        tracks, (meters, self.about, cursors, self.retired, self.is_headed, self._consumers_check) = state
        self.tracks.restore(tracks)
        self.meters, self.cursors = dict(meters), dict(cursors)

    def tie(self, kind, payload):
        """What the check of such a record is tied to: the note without which it would be read as something else.

        RecordError if that is not known."""
        if kind in (MISS, DAY):
            if self.is_archive:
                payload = payload[varint_of(payload, 0)[1] :]
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
        if self.is_archive and kind < NOTES:
            log_seq, at = varint_of(payload, 0)
            found = self._decode(kind, payload[at:], last_seq, check)
            found.log_seq = log_seq
            return found
        return self._decode(kind, payload, last_seq, check)

    def _decode(self, kind, payload, last_seq, check):
        if kind == NAMES:
            return self._names(payload, check)
        if kind in (CURSORS, CONSUMERS):
            return self._cursors(kind, Parts(payload, 0), last_seq, check)
        if kind == MISS:
            parts = Parts(payload, 1)
            slot_s = parts.value() + EPOCH_S
            end_s = slot_s + parts.number()
            return Miss(self._meter(payload).name, slot_s, end_s, parts.number(), parts.cause())
        if kind == DAY:
            return self._day(payload)
        if kind in (EVENT, CHANGE):
            return Event(kind, text_of(payload))
        if kind == TIME:
            parts = Parts(payload, 0)
            return Time(parts.value(), parts.value(), parts.rest())
        if kind == ABOUT:
            words = text_of(payload).split(" ")
            if len(words) != 4:
                raise RecordError("about")
            self.about = About(*words)
            return self.about
        if kind == RETIRED:
            parts, self.retired = Parts(payload, 0), []
            while not parts.is_done:
                self.retired.append(parts.number())
            return self.retired
        raise RecordError("kind %d" % kind)

    def _day(self, payload):
        day = day_of(payload, self._meter(payload))
        if self.about:
            day.zone, day.config = self.about.zone, self.about.config
        return day

    def _meter(self, payload):
        if not len(payload) or payload[0] not in self.meters:
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
        if not len(payload):
            raise RecordError("names")
        parts = Parts(payload, 1)
        index = payload[0]
        # Until it is read: readings told by another one's points would be others.
        self.tracks.unname(index)
        self.meters.pop(index, None)
        name, every_s, slot, day, serial = parts.text(), parts.number(), parts.number(), parts.number(), parts.text()
        points = self._points(parts)
        # A decoder lives as long as a data centre does; what the gateway holds already is not held twice.
        names = self.shared.get(name)
        if names is None or names.points != points or names.every_s != every_s:
            last_slot_s, next_day = slot + EPOCH_S if slot else 0, day + EPOCH_DAY if day else 0
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
            if form & ~REGISTER_BIT > _MOST_DECIMALS:
                raise RecordError("decimals")
            name, unit = parts.text(), parts.text()
            points.append((name, unit, form & ~REGISTER_BIT, REGISTER if form & REGISTER_BIT else GAUGE))
        return tuple(points)
