"""What the gateway writes: readings, misses, days and events, in one log on the ring.

It keeps what the log knows of each meter (names, last slot, next day) in the heading of every block, so that
after a start only the newest blocks and the open day are read again.
"""

from micropython import const

from firmware import VERSION
from firmware.clock import AHEAD_S, slot_after, slot_at, slots_between
from firmware.errors import MetergateError
from firmware.protocols import record
from firmware.protocols.dayrecord import put_day
from firmware.store.days import Days
from firmware.texts import json_text

# The first slot of a span of misses is written at once; further ones are gathered for so long.
_SPAN_S = const(3600)

# After a start a slot that passed at most so long ago (and at most half an interval) is read late, not given up.
_CATCH_UP_S = const(60)

NOT_RUNNING = "not running"

_OF_METERS = (record.READING, record.MISS, record.DAY)


class Log:
    """Log(ring, zone, config_hash, meters, archive): meters is a list of record.MeterNames in the configuration's order;
    archive: an Archive, or None.

    open() mounts both; then reading, miss and event append. appended: called after each record, or None."""

    def __init__(self, ring, zone, config_hash, meters, archive=None):
        self.ring = ring
        self.archive = archive
        # What the archive could not take; the log has it all the same.
        self.n_unkept = 0
        self.archive_fault = None
        self.zone = zone
        self.meters = meters
        self.counts = {}
        self.latest = {}
        # What the ring was written under before this start, record.About; None: nothing was written.
        self.about_before = None
        self._config_hash = config_hash
        self.appended = None
        self._spans = {}
        self._days = Days(zone, self._put_day)
        for each in self.rings():
            each.heading = self._heading
            each.decoder.shared = {meter.name: meter for meter in meters}

    def rings(self):
        """The ring, and the archive's if there is one."""
        return (self.ring, self.archive.ring) if self.archive else (self.ring,)

    def _heading(self):
        notes = [(record.ABOUT, self._about())]
        for i, meter in enumerate(self.meters):
            # Meters of one model have the same points: said once, they take a tenth less of the flash.
            same = [j for j in range(i) if self.meters[j].points == meter.points]
            notes.append((record.NAMES, record.put_names(i, meter, same[0] if same else None)))
        return notes

    def _about(self):
        return record.put_about(self._config_hash, self.zone.text, VERSION, self.ring.log)

    # -- start ----------------------------------------------------------------------------------------------

    def open(self):
        """Mount ring and archive and take up the open day of every meter. True if the ring was formatted."""
        formatted = self.ring.mount()
        self._open_archive()
        if formatted:
            return True
        # From the block of the last record on: its heading is whole.
        reader = self.ring.reader(self.ring.next_seq - 1)
        known = self._known(reader)
        for meter in self.meters:
            old = known.get(meter.name)
            if old:
                meter.last_slot_s, meter.next_day = old.last_slot_s, old.next_day
                if meter.serial is not None:
                    meter.serial = old.serial
        self.about_before = reader.decoder.about
        self._say_anew(self.ring, reader.decoder)
        self._refold()
        return False

    def _open_archive(self):
        if self.archive is None:
            return
        try:
            self.archive.mount(self.ring.log)
            self._say_anew(self.archive.ring, self.archive.ring.decoder)
        except (OSError, MetergateError) as error:
            # Measuring goes on without it, and whoever looks is told.
            self.archive, self.archive_fault = None, error

    def _say_anew(self, ring, decoder):
        """Note what the records from now on mean, where that has changed: not at each start, for the flash's sake."""
        about = decoder.about
        if about is None:
            # No block yet: it will have a heading.
            return
        if (about.config, about.zone, about.version, about.log) != (self._config_hash, self.zone.text, VERSION, self.ring.log):
            ring.note(record.ABOUT, self._about())
        if not self._same_names(decoder.meters):
            # Before the summaries that follow: they name their meters by these.
            # Each with its points: a block that is opened meanwhile has a heading of its own.
            for i, meter in enumerate(self.meters):
                ring.note(record.NAMES, record.put_names(i, meter))

    def _same_names(self, in_force):
        """True if the notes in force (index -> MeterNames) give each index the meter that it has now."""
        for index, meter in enumerate(self.meters):
            old = in_force.get(index)
            if old is None or (old.name, old.every_s, old.points) != (meter.name, meter.every_s, meter.points):
                return False
            if (old.serial or "") != (meter.serial or ""):
                return False
        return True

    def _known(self, reader):
        """name -> MeterNames as the newest records left them; the reader's decoder then knows the notes in force."""
        known = {}
        for kind, _, found in reader:
            if found is None:
                continue
            if kind == record.NAMES:
                known[found.name] = found
            elif kind in _OF_METERS:
                self._follow(known, found)
        return known

    def _follow(self, known, found):
        """Carry a meter's last slot and next day on by one record."""
        meter = known.get(found.meter)
        if meter is None:
            return
        if found.kind == record.DAY:
            meter.next_day = found.day + 1
        else:
            meter.last_slot_s = found.slot_s if found.kind == record.READING else found.end_s
            meter.next_day = meter.next_day or self.zone.day_of(found.slot_s)

    def _refold(self):
        """Fold the records since the oldest open day again, and write the summaries that a cut left unwritten."""
        starts = [self.zone.midnight_s(meter.next_day) for meter in self.meters if meter.next_day]
        if not starts:
            return
        by_name = {meter.name: meter for meter in self.meters}
        unwritten = {}
        emit = self._days.emit
        self._days.emit = lambda meter, day: unwritten.update({(meter.name, day.day): day})
        # A clock that was ahead may have put a slot of the day into a block before the one opened when the day began.
        for kind, seq, found in self.ring.reader_at(min(starts) - AHEAD_S):
            if found is None:
                continue
            if kind == record.NAMES:
                if found.name in by_name and not found.last_slot_s:
                    # Rewound here: the open day was of a clock that had been ahead.
                    self._days.forget(by_name[found.name])
            elif kind == record.DAY:
                unwritten.pop((found.meter, found.day), None)
                self._keep(seq, found)
            elif kind == record.CHANGE:
                self._keep(seq, found)
            elif kind in _OF_METERS and found.meter in by_name:
                self._refold_one(by_name[found.meter], found)
        self._days.emit = emit
        for name, number in sorted(unwritten):
            self._put_day(by_name[name], unwritten[name, number])

    def _refold_one(self, meter, found):
        if found.kind == record.READING:
            # A reading made under another configuration may have other points: only those that are the same count.
            values = dict(zip(found.points, found.values))
            found.points, found.values = meter.points, [values.get(point) for point in meter.points]
            self.latest[meter.name] = found
        self._days.add(meter, found)

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
        self._days.forget(meter)
        self._name(index, meter)

    # -- records --------------------------------------------------------------------------------------------

    def reading(self, index, slot_s, at_s, quality, values):
        """Store one reading of meter number index; values: scaled integers or None. Returns its seq."""
        self._end_span(index)
        meter = self.meters[index]
        seq = self.ring.reading(index, slot_s - record.EPOCH_S, at_s - slot_s, quality, values)
        self._count(record.READING)
        meter.last_slot_s = slot_s
        found = record.Reading(meter.name, meter.points, slot_s, at_s, quality, values)
        self.latest[meter.name] = found
        self._days.add(meter, found)
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
        self.ring.save_cursors(force=True)

    def event(self, members, kind=record.EVENT):
        """Store an event; members: its JSON members without braces. Returns its seq."""
        seq = self.ring.append(kind, members.encode())
        self._count(kind)
        if kind == record.CHANGE:
            self._keep(seq, record.Event(kind, members))
        return seq

    def clock_set(self, from_s, to_s, source):
        """Note that the clock was set: what stands behind it counts by the new time."""
        self.ring.note(record.TIME, record.put_time(from_s, to_s, source))

    def changes(self):
        """[(key, old, new), ..] that differs from what the ring was written under before this start."""
        before = self.about_before
        if before is None:
            return []
        pairs = ("config", before.config, self._config_hash), ("zone", before.zone, self.zone.text)
        return [pair for pair in pairs + (("version", before.version, VERSION),) if pair[1] != pair[2]]

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
        self.ring.note(record.NAMES, record.put_names(index, meter))

    def _put_miss(self, index, first_s, last_s, n, cause):
        meter = self.meters[index]
        self.ring.append(record.MISS, record.put_miss(index, first_s, last_s, n, cause), first_s, last_s)
        self._count(record.MISS)
        meter.last_slot_s = last_s
        self._days.add(meter, record.Miss(meter.name, first_s, last_s, n, cause))

    def _put_day(self, meter, day):
        seq = self.ring.append(record.DAY, put_day(self.meters.index(meter), day, meter.every_s))
        self._count(record.DAY)
        meter.next_day = day.day + 1
        self._keep(seq, day)

    def _keep(self, seq, found):
        """Put a Day or a change into the archive, unless it has it."""
        if self.archive is None or seq <= self.archive.last_seq:
            return
        try:
            if found.kind == record.CHANGE:
                self.archive.keep_change(seq, found.members)
                return
            for index, meter in enumerate(self.meters):
                # Of a meter that is no longer there the archive has no names any more.
                if meter.name == found.meter and meter.points == found.points:
                    self.archive.keep_day(seq, index, found, meter.every_s)
        except (OSError, MetergateError):
            self.n_unkept += 1

    def _count(self, kind):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.appended:
            self.appended()
