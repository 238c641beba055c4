"""Reads the ring's records in order, while others are appended and old blocks are overwritten."""

from micropython import const

from firmware.errors import RecordError
from firmware.protocols import record, tracks
from firmware.protocols.decoder import Decoder
from firmware.protocols.varint import varint_of
from firmware.store import search
from firmware.store.block import CHECK_BYTES, HEADER_BYTES, check_of, header_of, is_erased, mark_of, seed_of
from firmware.store.salvage import LEAST_BYTES, Salvage

_WINDOW_BYTES = const(256)
# What most records fit into, and the most that a reading takes.
_LOOK_BYTES = const(32)
_LONG_BYTES = const(768)
# Where so many bytes are erased, nothing stands behind them.
_EMPTY_BYTES = const(64)
_ERASED = const(0xFF)


class Reader:
    """Iterates over (kind, seq, found) from the first record of a block on, notes included, which have seq 0.

    found: what record.Decoder makes of it, or None where the check holds and it cannot. It ends when it has caught up, and goes
    on when more was appended: call next() again. If its block is overwritten it goes on with the oldest. What fails its check
    is passed over up to what holds again: the seqs show the gap. n_damaged: places that were passed over; block, offset, seq:
    where it stands, and the seq that comes next; decoder: what is known there. The rest is for Salvage: frames of its block."""

    def __init__(self, ring, block, shared=None):
        self.ring = ring
        self.decoder = Decoder(shared, ring.is_archive)
        self.n_damaged = 0
        self.seq = self._given = 0
        self._window = memoryview(bytearray(_WINDOW_BYTES))
        if block < 0:
            # Nothing stands there yet: it begins with the oldest when there is one.
            self.block, self.generation = -1, 0
        else:
            self._enter(block)

    def _enter(self, block):
        ring = self.ring
        head = bytearray(HEADER_BYTES)
        ring.blocks.read(block, head)
        mark, header = mark_of(head), header_of(head)
        self.block = block
        self.generation = mark[0] if mark else ring.gone + 1
        self.offset = HEADER_BYTES
        self._from = self._to = 0
        self._seed = seed_of(self.generation, ring.number)
        self.decoder.begin()
        if header:
            self.seq = header.first_seq
            return
        # One that was retired when it should have taken its header has nothing else.
        if block not in ring.blocks.retired and not ring.blocks.is_erased(block, HEADER_BYTES):
            self._count_damage()
        if not self.seq or not mark:
            # Nothing says what its records' checks begin with.
            self.offset = ring.blocks.bytes

    def __iter__(self):
        return self

    def __next__(self):
        found = self.next()
        if found is None:
            raise StopIteration
        return found

    def next(self):
        """The next (kind, seq, found), or None at the end."""
        ring = self.ring
        while ring.block >= 0:
            if self.generation <= ring.gone:
                self._enter(ring.oldest)
            end = ring.offset if self.block == ring.block else ring.blocks.bytes
            if not self.is_end(end):
                found = self.take(self.offset, self.seq, end) or self._pass(end)
                if found and not 0 < found[1] <= self._given:
                    self._given = max(self._given, found[1])
                    return found
                if found:
                    # Written once more, since it was not seen to stand here.
                    continue
            if self.block == ring.block:
                break
            seq = self.seq
            self._enter(search.following(ring, self.block))
            # Records are missing that were neither overwritten nor seen to be damaged.
            if seq < self.seq and self.generation > ring.gone + 1:
                self._count_damage()
        return None

    def view(self, offset, n, end):
        """A view of the block's bytes from offset on: n of them, or as many as there are up to end."""
        n = min(n, end - offset)
        if self._from <= offset and offset + n <= self._to:
            return self._window[offset - self._from : self._to - self._from]
        if n > _WINDOW_BYTES:
            view = memoryview(bytearray(n))
            self.ring.blocks.read(self.block, view, offset)
            return view
        self._from, self._to = offset, min(end, offset + _WINDOW_BYTES)
        self.ring.blocks.read(self.block, self._window[: self._to - offset], offset)
        return self._window[: self._to - offset]

    def look(self, offset, seq, end):
        """What stands at offset, if its check holds with this seq: (parsed, kind, payload, check, length), parsed of a reading.

        RecordError if nothing does."""
        view, parsed, kind, first, n = self.shape(offset, end)
        if parsed:
            tie = self.decoder.tracks.tie(parsed[0], parsed[1])
        else:
            tie = self.decoder.tie(kind, view[first:n])
        if n + CHECK_BYTES > len(view):
            raise RecordError("no end")
        check = check_of(self._seed, offset, seq, tie, view, n)
        if view[n] != check & 0xFF or view[n + 1] != check >> 8:
            raise RecordError("check")
        return parsed, kind, view[first:n], check, n + CHECK_BYTES

    def shape(self, offset, end):
        """(view, tracks.parse of a reading or None, kind, where the payload begins and ends) of the frame at offset.

        RecordError if it is none."""
        view = self.view(offset, _LOOK_BYTES, end)
        if view[0] & tracks.READING_BIT:
            for n in (_LOOK_BYTES, _WINDOW_BYTES, _LONG_BYTES):
                view = self.view(offset, n, end)
                try:
                    parsed = self.decoder.tracks.parse(view)
                    if parsed[6] + CHECK_BYTES <= len(view):
                        return view, parsed, record.READING, 0, parsed[6]
                except RecordError:
                    pass
                if len(view) >= end - offset:
                    break
            raise RecordError("reading")
        kind = view[0]
        n, first = varint_of(view, 1)
        n += first
        if kind == 0 or n + CHECK_BYTES > end - offset:
            raise RecordError("frame")
        if n + CHECK_BYTES > len(view):
            view = self.view(offset, n + CHECK_BYTES, end)
        return view, None, kind, first, n

    def take(self, offset, seq, end):
        """(kind, seq, found) of the frame at offset if its check holds with this seq, and go on behind it; else None."""
        try:
            parsed, kind, payload, check, n = self.look(offset, seq, end)
        except RecordError:
            return None
        is_note = kind >= record.NOTES
        self.go(offset + n, seq if is_note else seq + 1)
        if parsed:
            return kind, seq, self.decoder.reading(parsed, check)
        try:
            found = self.decoder.decode(kind, payload, seq - is_note, check)
        except RecordError:
            found = None
        return kind, 0 if is_note else seq, found

    def go(self, offset, seq):
        self.offset = offset
        self.seq = seq

    def is_end(self, end):
        if self.offset + LEAST_BYTES > end:
            return True
        # A head may read so by damage.
        return self.view(self.offset, 1, end)[0] == _ERASED and self.is_empty(self.offset, end)

    def is_empty(self, offset, end):
        """True if nothing stands from there on, as far as one looks."""
        return is_erased(self.view(offset, _EMPTY_BYTES, end)[:_EMPTY_BYTES])

    def _pass(self, end):
        """The first record behind the damage at offset that holds; None if the block's records end here."""
        # The rest of the block at once: it is looked at here and there, again and again.
        small, self._window = self._window, memoryview(bytearray(end - self.offset))
        self.ring.blocks.read(self.block, self._window, self.offset)
        self._from, self._to = self.offset, end
        found = Salvage(self, end).find()
        self._window, self._from, self._to = small, 0, 0
        if found:
            self._count_damage()
        return found

    def _count_damage(self):
        self.n_damaged += 1
        self.ring.damaged.add(self.generation)
