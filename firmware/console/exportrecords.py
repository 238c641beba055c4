"""The log's records as lines of CSV or JSON. SPEC.md, "Export"."""

from micropython import const

from firmware.clock import day_text, utc_text
from firmware.protocols import payload, record
from firmware.protocols.daytext import day_members
from firmware.protocols.payload import decimal_text
from firmware.store import search

HEADER = "seq,slot,at,meter,point,value,unit,quality,other"
LATEST_S = const(0xFFFFFFFF)
# A line of progress behind so many records: some 6 s at 115200 baud.
_EVERY = const(500)
# What a line is; of TURN there is none, but others may have a turn. Below the kinds of records.
COMMENT, PROGRESS, TURN = const(-1), const(-2), const(-3)
RECORD = const(0)


class Export:
    """Export(ring, form, first_s, last_s, behind): the records with a seq above behind that are about any time from first_s to
    last_s; form: csv or json. What is appended meanwhile is left out.

    lines() once. n_records: given; n_places: that could not be read; first, last: seqs given, 0: none."""

    def __init__(self, ring, form, first_s=0, last_s=LATEST_S, behind=0):
        self.n_records = self.n_places = self.first = self.last = 0
        self._ring = ring
        self._form = form
        self._first_s = first_s
        self._last_s = last_s
        self._next_seq = ring.next_seq
        self._behind = behind = min(behind, ring.next_seq - 1)
        self._reader = ring.reader(behind + 1) if behind else ring.reader_at(first_s)

    def lines(self):
        """(RECORD, COMMENT, PROGRESS or TURN, its text) of each line."""
        ring = self._ring
        first_seq = ring.first_seq
        if self._form == "csv":
            yield RECORD, HEADER
        if ring.is_archive:
            yield COMMENT, "log %s, daily summaries and changes" % _log_of(ring)
        else:
            yield COMMENT, "log %s, seq %d..%d" % (ring.log, first_seq, self._next_seq - 1)
        n = 0
        for kind, seq, found in self._records():
            if kind == COMMENT:
                yield COMMENT, found
                continue
            n += 1
            if n % _EVERY == 0:
                done = (seq - first_seq) * 100 // (self._next_seq - first_seq)
                yield PROGRESS, "%d %%, %s" % (done, self._seqs(seq, seq + 1))
            if not self._is_wanted(found):
                yield TURN, ""
                continue
            # An archive's records have the seqs of the log.
            seq = found.log_seq if ring.is_archive else seq
            self.n_records += 1
            self.first = self.first or seq
            self.last = seq
            for line in _csv(kind, seq, found) if self._form == "csv" else (_json(kind, seq, found),):
                yield RECORD, line
        seqs = "seq %d..%d, " % (self.first, self.last) if self.n_records else ""
        yield COMMENT, "end: %d records, %s%d places could not be read" % (self.n_records, seqs, self.n_places)

    def _records(self):
        """(kind, seq, found) of each record, and (COMMENT, 0, text) for what cannot be read where it would stand."""
        reader = self._reader
        # The seq that comes next, 0: not known; and where something was damaged since the record before.
        expected = self._behind + 1 if self._behind else reader.seq
        damaged_at = (reader.block, reader.generation) if reader.n_damaged else None
        while True:
            at, n_damaged = (reader.block, reader.generation), reader.n_damaged
            item = reader.next()
            if reader.n_damaged != n_damaged:
                damaged_at = damaged_at or at
            kind, seq, found = item or (0, self._next_seq, None)
            if 0 < seq <= self._behind:
                damaged_at = None
            if not self._behind < seq <= self._next_seq:
                # A note, or what is not asked for.
                continue
            if 0 < expected < seq:
                for comment in self._gap(expected, seq, damaged_at or at):
                    yield COMMENT, 0, comment
            elif damaged_at:
                yield COMMENT, 0, self._problem("a place", damaged_at)
            if seq == self._next_seq:
                return
            if found is None:
                yield COMMENT, 0, self._problem(self._seqs(seq, seq + 1), (reader.block, reader.generation))
            else:
                yield kind, seq, found
            expected, damaged_at = seq + 1, None

    def _gap(self, first, end, at):
        """Comments for the seqs from first to end - 1, which are not there; at: where the record before stood."""
        reader, ring = self._reader, self._ring
        if first < ring.first_seq:
            yield "%s overwritten" % self._seqs(first, min(end, ring.first_seq))
            first = ring.first_seq
        if first >= end:
            return
        if reader.block != at[0]:
            head = search.header(ring, reader.block)
            if head is None or head.first_seq > first:
                yield self._problem(self._seqs(first, end), at) + ", or behind it"
                return
            at = reader.block, reader.generation
        yield self._problem(self._seqs(first, end), at)

    def _problem(self, what, at):
        self.n_places += 1
        return "%s cannot be read: block %d, generation %d" % (what, at[0], at[1])

    def _seqs(self, first, end):
        # An archive's own are not those of the log, which its records have.
        what = "record" if self._ring.is_archive else "seq"
        return "%s %d" % (what, first) if end == first + 1 else "%s %d..%d" % (what, first, end - 1)

    def _is_wanted(self, found):
        if self._first_s == 0 and self._last_s == LATEST_S:
            return True
        times = _times(found)
        return times is None or times[0] <= self._last_s and times[1] >= self._first_s


def _log_of(ring):
    """The log whose records an archive keeps."""
    about = ring.decoder.about
    return about.log if about else "unknown"


def _times(found):
    """(first, last) Unix seconds that a record is about; None if it does not say."""
    if found.kind == record.READING:
        return found.slot_s, found.slot_s
    if found.kind == record.DAY:
        return found.start_s, found.end_s - 1
    return record.bounds_of(found)


def _json(kind, seq, found):
    if kind == record.READING:
        return payload.reading(seq, found)
    if kind == record.MISS:
        return payload.miss(seq, found)
    members = day_members(found, day_text(found.day)) if kind == record.DAY else found.members
    return '{"seq":%d,%s}' % (seq, members)


def _csv(kind, seq, found):
    """The lines of a record: a reading has one for each value; another one's JSON is the last field."""
    if kind == record.READING:
        head = "%d,%s,%s,%s" % (seq, utc_text(found.slot_s), utc_text(found.at_s), found.meter)
        for (name, unit, decimals, _), value in zip(found.points, found.values):
            shown = "" if value is None else decimal_text(value, decimals)
            yield "%s,%s,%s,%s,%d," % (head, name, shown, unit, found.quality)
        return
    slot = at = meter = ""
    times = _times(found)
    if kind in (record.MISS, record.DAY):
        slot, at, meter = utc_text(times[0]), utc_text(times[1]), found.meter
    elif times:
        at = utc_text(times[0])
    yield '%d,%s,%s,%s,,,,,"%s"' % (seq, slot, at, meter, _json(kind, seq, found).replace('"', '""'))
