"""Finds the next record behind damage in a block. SPEC.md, "Damage"."""

from micropython import const

from firmware.errors import RecordError
from firmware.protocols import record, tracks
from firmware.store.block import CHECK_BYTES

_ERASED = const(0xFF)
# Shorter is no record: a head that tells a number, and its check.
LEAST_BYTES = const(3)
# More than a block of 4096 bytes has.
_MOST_FRAMES = const(2048)
# How far behind what is gone the next record is looked for: behind a reading or two, behind something else.
_NEAR_BYTES = const(48)
_LONG_BYTES = const(768)
# A record that was found with so few seqs tried needs no other to confirm it; else one of so many behind it has to.
_FEW = const(2)
_CONFIRM_FRAMES = const(64)
# So many records damage may have taken at once, and what follows is still found.
_MOST_LOST = const(64)


class Salvage:
    """Salvage(reader, end): reader stands where a frame does not hold; end: where the block's frames end.

    find() once."""

    def __init__(self, reader, end):
        self._reader = reader
        self._decoder = reader.decoder
        self._end = end

    def find(self):
        """The first record behind the damage that holds, taken; None if the block's records end here."""
        first = self._where()
        for find in (self._pass_one, self._find_near, self._pass_shapes, self._find_far):
            found = find()
            if found:
                return found
            self._back(first)
        return None

    def _where(self):
        return self._reader.offset, self._reader.seq, self._decoder.state()

    def _back(self, where):
        """Go back there: what was tried since is forgotten."""
        self._reader.offset, self._reader.seq, state = where
        self._decoder.restore(state)

    # -- from frame to frame ----------------------------------------------------------------------------------

    def _pass_one(self):
        """Pass over a frame that still has its shape: what is damaged, or told against what was."""
        return self._pass_shapes(1)

    def _pass_shapes(self, most=_MOST_FRAMES):
        """Pass over frames that still have their shape, so many at most."""
        reader, end = self._reader, self._end
        try:
            for _ in range(most):
                if reader.is_end(end):
                    break
                self._pass_shape()
                found = None if reader.is_end(end) else reader.take(reader.offset, reader.seq, end)
                if found:
                    return found
        except RecordError:
            pass
        return None

    def _pass_shape(self):
        """Go on behind a frame that does not hold but has its shape. RecordError if it has none."""
        reader = self._reader
        _, parsed, kind, _, n = reader.shape(reader.offset, self._end)
        if parsed:
            self._decoder.tracks.passed(parsed[0])
        reader.go(reader.offset + n + CHECK_BYTES, reader.seq if kind >= record.NOTES else reader.seq + 1)

    # -- byte by byte -----------------------------------------------------------------------------------------

    def _find_near(self):
        """The next record after one whose shape is gone: where it begins is tried, and at last whose it is."""
        order, seq = self._decoder.tracks, self._reader.seq
        before, foretold = order.last, order.foretold()
        if foretold is not None:
            # Most often the one that is gone was that meter's.
            order.passed(foretold)
            found = self._scan(_NEAR_BYTES, seq + 1, (None,))
            if found:
                return found
        # Else it is not known who came before.
        order.last = None
        found = self._scan(_NEAR_BYTES, seq + 1, order.known())
        if found:
            return found
        # Or it was no reading, and perhaps a note.
        order.last = before
        return self._scan(_LONG_BYTES, seq + 1, (None,)) or self._scan(_LONG_BYTES, seq, (None,))

    def _scan(self, n, seq, meters):
        """The first record within n bytes that holds with this seq, taken for a reading of one of these meters; else None."""
        first = self._where()
        begin = first[0]
        for offset in range(begin + LEAST_BYTES, min(begin + n, self._end - LEAST_BYTES)):
            head = self._head(offset)
            if self._is_empty(offset, head):
                break
            for index in meters if head & tracks.READING_BIT else (None,):
                found = self._try(offset, seq, first, index)
                if found:
                    return found
        return None

    def _find_far(self):
        """Look at every byte for a record that says all by itself."""
        reader = self._reader
        self._decoder.tracks.last = None
        first = self._where()
        begin, first_seq, _ = first
        for offset in range(begin + 1, self._end - LEAST_BYTES):
            head = self._head(offset)
            if self._is_empty(offset, head):
                break
            if head != tracks.KEY and head not in record.KINDS:
                continue
            n_seqs = min(_MOST_LOST, (offset - begin) // LEAST_BYTES + 1) + 1
            for seq in range(first_seq, first_seq + n_seqs):
                found = reader.take(offset, seq, self._end) if n_seqs <= _FEW else self._try(offset, seq, first)
                if found:
                    return found
        return None

    def _head(self, offset):
        return self._reader.view(offset, 1, self._end)[0]

    def _is_empty(self, offset, head):
        return head == _ERASED and self._reader.is_empty(offset, self._end)

    def _try(self, offset, seq, first, index=None):
        """As Reader.take, but it counts only if one of the frames behind it holds as well; else back to first.

        index: whose reading it is taken for; None: as foretold."""
        self._decoder.tracks.expect(index)
        found = self._reader.take(offset, seq, self._end)
        self._decoder.tracks.expect(None)
        if found and not self._is_confirmed():
            self._back(first)
            return None
        return found

    def _is_confirmed(self):
        """True if one of the next frames holds with the seq that it then has: what was found by trying is no chance."""
        here = self._where()
        confirmed = False
        try:
            for _ in range(_CONFIRM_FRAMES):
                if self._reader.is_end(self._end):
                    break
                if self._holds():
                    confirmed = True
                    break
                self._pass_shape()
        except RecordError:
            pass
        self._back(here)
        return confirmed

    def _holds(self):
        try:
            self._reader.look(self._reader.offset, self._reader.seq, self._end)
        except RecordError:
            return False
        return True
