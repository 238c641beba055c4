"""`export`: the log's records as CSV or JSON lines, or the flash's blocks as they are. Loaded when typed.

A PC makes the same lines from an image. Formats: SPEC.md, "Export".
"""

import binascii

from micropython import const

from firmware.clock import day_text, utc_text
from firmware.console.words import day_of, instant_of
from firmware.errors import CommandError
from firmware.protocols import payload, record
from firmware.protocols.daytext import day_members
from firmware.protocols.payload import decimal_text
from firmware.store import search
from firmware.store.block import HEADER_BYTES, MARK_BYTES
from firmware.store.blocks import Blocks
from firmware.texts import is_digits

_USAGE = "write: export [FROM [TO]] [from seq N] [csv | json], dates such as 2026-11-21 or 2026-11-21 14:05:00"
_BINARY_USAGE = "write: export binary [days] [heads], or export binary [days] [BLOCK [COUNT]]"

HEADER = "seq,slot,at,meter,point,value,unit,quality,other"
# A line of progress behind so many records: some 6 s at 115200 baud.
_EVERY = const(500)
_LATEST_S = const(0xFFFFFFFF)
# What is no record but a comment between them.
_COMMENT = const(0)
# Read, coded and shown at once: whole groups of three bytes, of which base64 makes 128 characters.
_PART_BYTES = const(96)


async def export(app, words, say):
    if words and words[0] == "binary":
        await _binary(app, words[1:], say)
        return
    if app.log is None:
        raise CommandError("safe mode: nothing but `export binary`; a PC reads the records from that")
    words = list(words)
    form = words.pop() if words and words[-1] in ("csv", "json") else "csv"
    behind = _behind(words)
    first_s, last_s = range_of(app.config.gateway.zone, words)
    for line in Export(app.ring, form, first_s, last_s, behind).lines():
        if line is not None:
            await say(line)
        else:
            await say("", "")


def _behind(words):
    """The N of `from seq N`, which is taken out of the words; 0 if it is not there."""
    if "from" not in words:
        return 0
    i = words.index("from")
    if len(words) < i + 3 or words[i + 1] != "seq" or not is_digits(words[i + 2]):
        raise CommandError(_USAGE)
    n = int(words[i + 2])
    del words[i : i + 3]
    return n


def range_of(zone, words):
    """(first, last) Unix seconds of FROM and TO, local dates or dates and times, a list of words; any may be missing."""
    ends = [(0, _LATEST_S)]
    i = 0
    while i < len(words):
        if i + 1 < len(words) and ":" in words[i + 1]:
            at_s = instant_of(zone, words[i], words[i + 1])
            ends.append((at_s, at_s))
            i += 1
        else:
            day = day_of(words[i])
            ends.append((zone.midnight_s(day), zone.midnight_s(day + 1) - 1))
        i += 1
    if len(ends) > 3:
        raise CommandError(_USAGE)
    first_s = ends[min(1, len(ends) - 1)][0]
    last_s = ends[2][1] if len(ends) == 3 else _LATEST_S
    if first_s > last_s:
        raise CommandError("TO is before FROM")
    return first_s, last_s


# -- records -------------------------------------------------------------------------------------------------------------


class Export:
    """Export(ring, form, first_s, last_s, behind): the records with a seq above behind that are about any time from first_s to
    last_s; form: csv or json. What is appended meanwhile is left out.

    lines() once. n_records: given; n_places: that could not be read; first, last: seqs given, 0: none."""

    def __init__(self, ring, form, first_s=0, last_s=_LATEST_S, behind=0):
        self.n_records = self.n_places = self.first = self.last = 0
        self._ring = ring
        self._form = form
        self._first_s = first_s
        self._last_s = last_s
        self._next_seq = ring.next_seq
        self._behind = behind = min(behind, ring.next_seq - 1)
        self._reader = ring.reader(behind + 1) if behind else ring.reader_at(first_s)

    def lines(self):
        """Its text lines, comments that begin with # among them; None: nothing to show, but others may have a turn."""
        ring = self._ring
        first_seq = ring.first_seq
        if self._form == "csv":
            yield HEADER
        yield "# log %s, seq %d..%d" % (_log_of(ring), first_seq, self._next_seq - 1)
        n = 0
        for kind, seq, found in self._records():
            if kind == _COMMENT:
                yield found
                continue
            n += 1
            if n % _EVERY == 0:
                yield "# %d %%, seq %d" % ((seq - first_seq) * 100 // (self._next_seq - first_seq), seq)
            if not self._is_wanted(kind, found):
                yield None
                continue
            # An archive's records have the seqs of the log.
            seq = found.log_seq if ring.is_archive else seq
            self.n_records += 1
            self.first = self.first or seq
            self.last = seq
            for line in _csv(kind, seq, found) if self._form == "csv" else (_json(kind, seq, found),):
                yield line
        seqs = "seq %d..%d, " % (self.first, self.last) if self.n_records else ""
        yield "# end: %d records, %s%d places could not be read" % (self.n_records, seqs, self.n_places)

    def _records(self):
        """(kind, seq, found) of each record, and (_COMMENT, 0, text) for what cannot be read where it would stand."""
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
                    yield _COMMENT, 0, comment
            elif damaged_at:
                yield _COMMENT, 0, self._problem("a place", damaged_at)
            if seq == self._next_seq:
                return
            if found is None:
                yield _COMMENT, 0, self._problem("seq %d" % seq, (reader.block, reader.generation))
            else:
                yield kind, seq, found
            expected, damaged_at = seq + 1, None

    def _gap(self, first, end, at):
        """Comments for the seqs from first to end - 1, which are not there; at: where the record before stood."""
        reader, ring = self._reader, self._ring
        if first < ring.first_seq:
            yield "# %s overwritten" % _seqs(first, min(end, ring.first_seq))
            first = ring.first_seq
        if first >= end:
            return
        if reader.block != at[0]:
            head = search.header(ring, reader.block)
            if head is None or head.first_seq > first:
                yield self._problem(_seqs(first, end), at) + ", or behind it"
                return
            at = reader.block, reader.generation
        yield self._problem(_seqs(first, end), at)

    def _problem(self, what, at):
        self.n_places += 1
        return "# %s cannot be read: block %d, generation %d" % (what, at[0], at[1])

    def _is_wanted(self, kind, found):
        if self._first_s == 0 and self._last_s == _LATEST_S:
            return True
        first_s, last_s = _times(kind, found)
        return first_s <= self._last_s and last_s >= self._first_s


def _seqs(first, end):
    return "seq %d" % first if end == first + 1 else "seq %d..%d" % (first, end - 1)


def _log_of(ring):
    """The log whose records these are: an archive keeps another one's."""
    about = ring.decoder.about
    return about.log if ring.is_archive and about else ring.log


def _times(kind, found):
    """(first, last) Unix seconds that a record is about; the whole of time if it does not say."""
    if kind == record.READING:
        return found.slot_s, found.slot_s
    if kind == record.MISS:
        return found.slot_s, found.end_s
    if kind == record.DAY:
        return found.start_s, found.end_s - 1
    at_s = _event_s(found.members)
    return (0, _LATEST_S) if at_s is None else (at_s, at_s)


def _event_s(members):
    """The time of an event, which stands first in it; None if it has none."""
    if not members.startswith('"t":'):
        return None
    digits = members[4:].split(",", 1)[0]
    return int(digits) if is_digits(digits) else None


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
    if kind in (record.MISS, record.DAY):
        first_s, last_s = _times(kind, found)
        slot, at, meter = utc_text(first_s), utc_text(last_s), found.meter
    else:
        at_s = _event_s(found.members)
        at = "" if at_s is None else utc_text(at_s)
    yield '%d,%s,%s,%s,,,,,"%s"' % (seq, slot, at, meter, _json(kind, seq, found).replace('"', '""'))


# -- blocks --------------------------------------------------------------------------------------------------------------


async def _binary(app, words, say):
    is_days = words[:1] == ["days"]
    words = words[1:] if is_days else words
    ring, blocks = _region(app, is_days)
    n_bytes, first, count = blocks.bytes, 0, blocks.n
    if words == ["heads"]:
        n_bytes = HEADER_BYTES
    elif len(words) > 2 or not all(is_digits(word) for word in words):
        raise CommandError(_BINARY_USAGE)
    elif words:
        first = int(words[0])
        count = int(words[1]) if len(words) > 1 else blocks.n - first
    if first + count > blocks.n:
        raise CommandError("there are %d blocks, 0 to %d" % (blocks.n, blocks.n - 1))
    await say("# %s, %d blocks of %d bytes" % ("days" if is_days else "ring", blocks.n, blocks.bytes))
    buf = memoryview(bytearray(_PART_BYTES))
    for block in range(first, first + count):
        await _block(ring, blocks, block, n_bytes, buf, say)
    await say("# end")


def _region(app, is_days):
    """(ring, its Blocks); in safe mode there is no ring: None."""
    if app.log is None:
        device = app.board.days_device() if is_days else app.board.ring_device()
        if device:
            return None, Blocks(device)
    elif not is_days:
        return app.ring, app.ring.blocks
    elif app.log.archive:
        return app.log.archive.ring, app.log.archive.ring.blocks
    raise CommandError("there is no region `days` in use")


async def _block(ring, blocks, block, n_bytes, buf, say):
    """One line: its number, its first n_bytes in base64, their CRC-32."""
    if blocks.is_erased(block, 0):
        await say("%d -" % block)
        return
    mark = bytearray(MARK_BYTES)
    blocks.read(block, mark)
    end = _written_end(ring, blocks, block)
    crc = 0
    before = "%d " % block
    for offset in range(0, n_bytes, _PART_BYTES):
        part = buf[: min(_PART_BYTES, n_bytes - offset)]
        blocks.read(block, part, offset)
        at = max(0, end - offset)
        if at < len(part):
            part[at:] = b"\xff" * (len(part) - at)
        crc = binascii.crc32(part, crc)
        await say(before + str(binascii.b2a_base64(part)[:-1], "ascii"), "")
        before = ""
    again = bytearray(MARK_BYTES)
    blocks.read(block, again)
    # It was erased meanwhile: no CRC, so that it is asked again.
    await say(" %08x" % crc if again == mark else " changed")


def _written_end(ring, blocks, block):
    """Up to where a block is written: what is appended while it is shown is left out, or half of it might be shown."""
    if ring is None:
        return blocks.bytes
    if block == ring.block:
        return ring.offset
    if block in [spare for spare, _ in ring.spares]:
        return MARK_BYTES
    return blocks.bytes
