"""What the gateway writes: readings, misses, days and events, in one log on the ring.

It keeps what the log knows of each meter (names, last slot, next day) in the heading of every block, so that
after a start only the newest blocks and the open day are read again.
"""

from micropython import const

from firmware import VERSION
from firmware.clock import AHEAD_S, slot_after, slot_at, slots_between
from firmware.errors import MetergateError, StoreError
from firmware.protocols import record
from firmware.protocols.dayrecord import put_day
from firmware.store.days import Days
from firmware.texts import json_text

# The first slot of a span of misses is written at once; further ones are gathered for so long.
_SPAN_S = const(3600)

# After a start a slot that passed at most so long ago (and at most half an interval) is read late, not given up.
_CATCH_UP_S = const(60)

NOT_RUNNING = "not running"


class Log:
    """Log(ring, zone, config_hash, meters, archive): meters is a list of record.MeterNames in the configuration's order;
    archive: an Archive, or None.

    open() mounts both; then reading, miss and event append. appended: called after each record, or None."""

    def __init__(self, ring, zone, config_hash, meters, archive=None):
        self.ring = ring
        self.archive = archive
        # What the flash did not take; and what the archive did not: the log has that all the same.
        self.n_unstored = self.n_unkept = 0
        self.archive_fault = None
        self.zone = zone
        self.meters = meters
        self.counts = {}
        self.latest = {}
        self.config_hash = config_hash
        self.appended = None
        self._spans = {}
        self.days = Days(zone, self.day)
        ring.heading = lambda: self._heading(self.about())
        # What the day that is being kept was made under, payload of an ABOUT note; None: as now.
        self._kept_under = None
        if archive:
            archive.ring.heading = lambda: self._heading(self._kept_under or self.about())
        for each in self.rings():
            each.decoder.shared = {meter.name: meter for meter in meters}

    def rings(self):
        """The ring, and the archive's if there is one."""
        return (self.ring, self.archive.ring) if self.archive else (self.ring,)

    def _heading(self, about):
        notes = [(record.ABOUT, about)]
        for i, meter in enumerate(self.meters):
            # Meters of one model have the same points: said once, they take a tenth less of the flash.
            same = [j for j in range(i) if self.meters[j].points == meter.points]
            notes.append((record.NAMES, record.put_names(i, meter, same[0] if same else None)))
        return notes

    def about(self):
        """The ABOUT note's payload for what is written from now on."""
        return record.put_about(self.config_hash, self.zone.text, VERSION, self.ring.log)

    # -- start ----------------------------------------------------------------------------------------------

    def open(self, tell_change=None):
        """Mount ring and archive and take up the open day of every meter. True if the ring was formatted.

        tell_change(key, old, new): called for what differs from before this start; when it returns, that is noted.
        StoreError if the flash holds no log, or cannot be read."""
        # Only the start needs it.
        from firmware.store.takeup import take_up

        try:
            return take_up(self, tell_change)
        except OSError as error:
            raise StoreError("the log's flash cannot be read: %s" % error)

    def resume(self, now_s):
        """The slot each meter is due for next; slots that passed while the gateway was not running become misses.

        A slot that has only just passed is still due: it will be read late. Call once, when the time is known."""
        due = []
        for index, meter in enumerate(self.meters):
            if meter.last_slot_s > now_s + AHEAD_S + meter.every_s:
                self.rewind(index)
            slot_s = slot_at(self.zone, meter.every_s, now_s)
            if now_s - slot_s > min(_CATCH_UP_S, meter.every_s // 2) or slot_s <= meter.last_slot_s:
                slot_s = slot_after(self.zone, meter.every_s, max(slot_s, meter.last_slot_s))
            due.append(slot_s)
            if meter.last_slot_s:
                first_s = slot_after(self.zone, meter.every_s, meter.last_slot_s)
            else:
                # A new meter's first day is accounted for from its midnight on.
                first_s = self.zone.midnight_s(self.zone.day_of(slot_s))
            n = slots_between(self.zone, meter.every_s, first_s, slot_s - 1)
            if n:
                self._put_miss(index, first_s, slot_at(self.zone, meter.every_s, slot_s - 1), n, NOT_RUNNING)
        return due

    def rewind(self, index):
        """The clock had been ahead: what the log knows of this meter's slots and days no longer bounds what comes."""
        self._end_span(index)
        meter = self.meters[index]
        meter.last_slot_s = meter.next_day = 0
        self.days.forget(meter)
        self._name(index, meter)

    # -- records --------------------------------------------------------------------------------------------

    def reading(self, index, slot_s, at_s, quality, values):
        """Store one reading of meter number index; values: scaled integers or None. Returns its seq, 0: it is not stored."""
        self._end_span(index)
        meter = self.meters[index]
        found = record.Reading(meter.name, meter.points, slot_s, at_s, quality, values)
        self.latest[meter.name] = found
        try:
            seq = self.ring.reading(index, slot_s - record.EPOCH_S, at_s - slot_s, quality, values)
        except OSError:
            self.n_unstored += 1
            return 0
        self._count(record.READING)
        meter.last_slot_s = slot_s
        self.days.add(meter, found)
        return seq

    def miss(self, index, slot_s, cause):
        """Store that a slot brought no reading. The first is written at once, further ones as spans of an hour."""
        meter = self.meters[index]
        span = self._spans.get(index)
        midnight = slot_s == self.zone.midnight_s(self.zone.day_of(slot_s))
        if span and (span[3] != cause or midnight):
            self._end_span(index)
            span = None
        if span is None:
            self._put_miss(index, slot_s, slot_s, 1, cause)
            self._spans[index] = (0, slot_s, 0, cause)
            return
        first_s, _, n, _ = span
        first_s = first_s if n else slot_s
        # The slot counts as recorded only when the span is written: until then a cut may come.
        self._spans[index] = (first_s, slot_s, n + 1, cause)
        if slot_s - first_s + meter.every_s >= _SPAN_S:
            self._write_span(index)

    def missed(self, index, first_s, last_s, n, cause):
        """Store a span of n slots without a reading as one record."""
        self._end_span(index)
        self._put_miss(index, first_s, last_s, n, cause)

    def _write_span(self, index):
        first_s, last_s, n, cause = self._spans[index]
        if n:
            self._spans[index] = (0, last_s, 0, cause)
            self._put_miss(index, first_s, last_s, n, cause)

    def _end_span(self, index):
        if index in self._spans:
            self._write_span(index)
            del self._spans[index]

    def close(self):
        """Write down what is gathered: before a wanted stop."""
        for index in list(self._spans):
            self._end_span(index)
        self.save_cursors(True)

    def event(self, members, kind=record.EVENT):
        """Store an event; members: its JSON members without braces. Returns its seq."""
        found = record.Event(kind, members)
        seq = self._append(found, members.encode())
        if seq and kind == record.CHANGE:
            self.keep(seq, found)
        return seq

    def clock_set(self, from_s, to_s, source):
        """Note that the clock was set: what stands behind it counts by the new time."""
        self.note(record.TIME, record.put_time(from_s, to_s, source))

    def identify(self, index, serial, tell):
        """What a meter says is its own number. Another than before is an event; tell(members) stores it."""
        meter = self.meters[index]
        serial = record.serial_of(serial)
        # Nothing but zeros: nobody has given it one.
        if serial == meter.serial or not serial.strip("0"):
            return
        event = '"event":"meter_replaced","m":%s,"old":%s,"new":%s'
        if not meter.serial:
            event = '"event":"meter_identified","m":%s,%s"serial_number":%s'
        # The event first: after a cut between the two it comes twice, not never.
        tell(event % (json_text(meter.name), json_text(meter.serial) if meter.serial else "", json_text(serial)))
        meter.serial = serial
        self._name(index, meter)

    def _name(self, index, meter):
        self.note(record.NAMES, record.put_names(index, meter))

    def _put_miss(self, index, first_s, last_s, n, cause):
        meter = self.meters[index]
        found = record.Miss(meter.name, first_s, last_s, n, cause)
        if not self._append(found, record.put_miss(index, first_s, last_s, n, cause)):
            return
        meter.last_slot_s = last_s
        self.days.add(meter, found)

    def day(self, meter, day):
        """Store a Day of a record.MeterNames, here and in the archive."""
        seq = self._append(day, put_day(self.meters.index(meter), day, meter.every_s))
        if not seq:
            return
        meter.next_day = day.day + 1
        self.keep(seq, day)

    def keep(self, seq, found):
        """Put a Day or a change into the archive, unless it has it."""
        if self.archive is None or seq <= self.archive.last_seq:
            return
        try:
            if found.kind == record.CHANGE:
                self.archive.keep_change(seq, found)
                return
            for index, meter in enumerate(self.meters):
                # Of a meter that is no longer there the archive has no names any more.
                if meter.name == found.meter and meter.points == found.points:
                    self._keep_day(seq, index, found, meter.every_s)
                    return
            self.n_unkept += 1
        except (OSError, MetergateError):
            self.n_unkept += 1

    def _keep_day(self, seq, index, day, every_s):
        """Put a day into the archive, noted before it what it was made under, where that is not what the notes in force say."""
        config, zone = day.config or self.config_hash, day.zone or self.zone.text
        self._kept_under = record.put_about(config, zone, VERSION, self.ring.log)
        ring = self.archive.ring
        about = ring.decoder.about
        if about and (about.config, about.zone) != (config, zone):
            ring.note(record.ABOUT, self._kept_under)
        self.archive.keep_day(seq, index, day, every_s)
        self._kept_under = None

    def _append(self, found, payload):
        try:
            seq = self.ring.append(found.kind, payload, record.bounds_of(found))
        except (OSError, StoreError):
            self.n_unstored += 1
            return 0
        self._count(found.kind)
        return seq

    def note(self, kind, payload):
        """Note in the log what the records behind it mean."""
        try:
            self.ring.note(kind, payload)
        except OSError:
            self.n_unstored += 1

    def keep_consumers(self, names):
        """As Ring.keep_consumers."""
        try:
            self.ring.keep_consumers(names)
        except OSError:
            # They stand in memory.
            self.n_unstored += 1

    def save_cursors(self, force=False):
        """As Ring.save_cursors; where the flash does not take them, what was sent is sent again after a start."""
        try:
            self.ring.save_cursors(force)
        except OSError:
            # It is counted by the ring.
            return

    def _count(self, kind):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.appended:
            self.appended()
