"""The flash ring: records in order, on a block device, each with its check; the oldest are overwritten.

SPEC.md, "Flash", gives every byte. No byte is programmed twice and blocks are erased in turn. After a cut at most the record
being written is gone: a block that ends in torn bytes is left as it is, and the next one is opened.
"""

from micropython import const

from firmware.errors import StoreError
from firmware.protocols import record
from firmware.protocols.decoder import Decoder
from firmware.protocols.varint import MOST_BYTES, put_varint
from firmware.store import search, turn
from firmware.store.block import CHECK_BYTES, check_of, seed_of
from firmware.store.blocks import Blocks, cuts
from firmware.store.cursors import Cursors
from firmware.store.reader import Reader

# The names in the heading of a block and the largest record fit into a block together: what a block of 4096 bytes has
# beside mark, header, zone, the cursors of four data centres, frames and some retired blocks.
MOST_TOGETHER_BYTES = const(3700)

# Erased ahead: one to write into at once, and one for as long as no moment is found for an erase.
_SPARES = const(2)
# One reading in so many says everything: what stands behind damage is found again there. A prime: it is the turn of each meter.
_KEY_EVERY = const(61)
# In how many blocks one record is tried when the device does not take it, or says so.
_TRIES = const(4)
# What a reading has beside its points at most: head, index, slot, seconds after it, quality, check.
_HEAD_BYTES = const(20)


class Ring:
    """Ring(device, now_s, is_archive): device as MicroPython's extended block protocol, now_s() in Unix seconds; is_archive:
    its records begin with the seq that they have in another.

    mount() first. heading: set by the owner, called at each new block: a list of (kind, payload) notes that make the block
    readable by itself. StoreError if the device cannot hold a ring. To be read only: blocks, a Blocks; cursors; block (the
    newest, -1: none), generation and offset, where the next record goes; spares, [(block, generation), ..] erased ahead; oldest
    block, first_seq; gone, the newest generation that is given up; first_time and last_time of the newest block's records, in
    seconds since the epoch (first above last: none has a time). record_bytes: what records and notes have taken, with their
    checks; n_waited: appends that had to wait for an erase; n_torn: blocks given up at a start since they ended in torn
    bytes; damaged: generations of the blocks in which something could not be read, a set."""

    def __init__(self, device, now_s, is_archive=False):
        self.is_archive = is_archive
        self.now_s = now_s
        self.blocks = Blocks(device)
        self.heading = list
        self.number = 0
        self.next_seq = self.first_seq = 1
        self.cursors = Cursors(now_s)
        self.block = self.oldest = -1
        self.generation = self.offset = self.gone = 0
        # The highest that any block was erased for.
        self.last_generation = 0
        self.spares = []
        self.decoder = Decoder(None, is_archive)
        self.first_time, self.last_time = 0, -1
        self.damaged = set()
        # Of forecast: the generation it is of, and how many seconds a block lasts.
        self.pace = 0, 0
        self.record_bytes = self.n_waited = self.n_torn = 0
        self._seed = 0
        # Made by the first reading.
        self._cuts = ()

    @property
    def n_blocks(self):
        return self.blocks.n

    @property
    def log(self):
        """The log's name: its number as 8 hex digits."""
        return "%08x" % self.number

    def mount(self, is_told=False):
        """Find the newest block and the end of its records; True if it was formatted now.

        That is done if the device is blank, or is_told: then whatever stands there is gone. Else StoreError if it holds no
        ring."""
        # Only the start needs it.
        from firmware.store.mount import mount

        return mount(self, is_told)

    # -- writing --------------------------------------------------------------------------------------------

    def reading(self, index, slot, after_s, quality, values):
        """Store a reading of meter number index, which the newest NAMES note of it tells the points of; return its seq.

        slot: seconds since record.EPOCH_S; after_s: from there to the reply's end; quality 0..255; values: integers or None.
        When it returns, the reading survives a cut. Allocates nothing but for integers above 30 bits, unless a block is opened.
        OSError from the device."""
        if _HEAD_BYTES + MOST_BYTES * len(values) >= len(self._cuts):
            self._cuts = cuts(_HEAD_BYTES + MOST_BYTES * len(values))
        for i in range(_TRIES):
            try:
                return self._reading(index, slot, after_s, quality, values)
            except OSError:
                if i == _TRIES - 1:
                    raise

    def _reading(self, index, slot, after_s, quality, values):
        if not self.decoder.is_headed:
            turn.open_next(self)
        tracks, seq, buf = self.decoder.tracks, self.next_seq, self._cuts[-1]
        is_key = tracks.is_new(index) or seq % _KEY_EVERY == 0
        n = tracks.put(buf, index, slot, after_s, quality, values, is_key)
        if self.offset + n + CHECK_BYTES > self.blocks.bytes:
            turn.open_next(self)
            is_key = True
            n = tracks.put(buf, index, slot, after_s, quality, values, True)
        check = self._put(buf, n, self._cuts[n + CHECK_BYTES], tracks.tie(index, is_key))
        tracks.taken(index, is_key, slot, after_s, quality, values, check)
        self.next_seq = seq + 1
        self._take_time(slot, slot + after_s)
        return seq

    def append(self, kind, payload, bounds=None):
        """Store one record and return its seq. When it returns, the record survives a cut.

        bounds: as record.bounds_of has them, for the search by time.
        StoreError if it does not fit into a block with the heading; OSError from the device."""
        self._append(kind, payload)
        seq = self.next_seq
        self.next_seq = seq + 1
        if bounds:
            self._take_time(bounds[0] - record.EPOCH_S, bounds[1] - record.EPOCH_S)
        return seq

    def note(self, kind, payload):
        """Store a note: a record without seq that is not sent."""
        self._append(kind, payload)

    def _append(self, kind, payload):
        if len(payload) > MOST_TOGETHER_BYTES:
            raise StoreError("record of %d bytes" % len(payload))
        for i in range(_TRIES):
            try:
                if not self.decoder.is_headed or not self._fits(len(payload)):
                    turn.open_next(self)
                if not self._fits(len(payload)):
                    raise StoreError("record of %d bytes, heading of %d" % (len(payload), self.offset))
                return self.put_frame(kind, payload)
            except OSError:
                if i == _TRIES - 1:
                    raise

    def _fits(self, n):
        # Kind, length and check.
        return self.offset + 1 + (1 if n < 128 else 2) + n + CHECK_BYTES <= self.blocks.bytes

    def put_frame(self, kind, payload):
        """Write such a frame; a note holds from now on."""
        frame = bytearray(1 + MOST_BYTES + len(payload) + CHECK_BYTES)
        frame[0] = kind
        at = put_varint(frame, 1, len(payload))
        n = at + len(payload)
        frame[at:n] = payload
        check = self._put(frame, n, memoryview(frame)[: n + CHECK_BYTES], self.decoder.tie(kind, payload))
        if kind >= record.NOTES:
            self.decoder.decode(kind, payload, self.next_seq - 1, check)

    def _put(self, frame, n, whole, tie):
        """Program the frame of n bytes with its check behind it, whole; return the check."""
        offset = self.offset
        check = check_of(self._seed, offset, self.next_seq, tie, frame, n)
        frame[n] = check & 0xFF
        frame[n + 1] = check >> 8
        # If this fails the block counts as full: its next bytes may be programmed already.
        self.offset = self.blocks.bytes
        try:
            self.blocks.program(self.block, whole, offset)
        except OSError:
            self.blocks.retire(self.block)
            raise
        self.offset = offset + n + CHECK_BYTES
        self.record_bytes += n + CHECK_BYTES
        return check

    def _take_time(self, first, last):
        if self.first_time > self.last_time:
            self.first_time, self.last_time = first, last
        if first < self.first_time:
            self.first_time = first
        if last > self.last_time:
            self.last_time = last

    # -- blocks ---------------------------------------------------------------------------------------------

    @property
    def needs_erase(self):
        """True while fewer blocks are erased ahead than should be, and there is one to erase."""
        return len(self.spares) < _SPARES and turn.next_block(self) >= 0

    def prepare(self):
        """Erase the next block in turn if one is needed; True if it was. Blocks for the erase (60 ms).

        To be called when no meter is answering; without it append has to wait for the erase itself. OSError if the block cannot
        be erased: it is retired, and the one behind it is then next."""
        if not self.needs_erase:
            return False
        turn.erase_next(self)
        return True

    def enter(self, block, generation, offset, decoder):
        """Go on at this offset of this block, behind what decoder has seen of it."""
        self.block = block
        self.generation = generation
        self.offset = offset
        self.decoder = decoder
        self.first_time, self.last_time = 0, -1
        self._seed = seed_of(generation, self.number)

    # -- reading --------------------------------------------------------------------------------------------

    def reader(self, seq, shared=None):
        """Reader of all records from the block that holds seq, or the oldest if it is gone. shared: as Decoder has it."""
        return Reader(self, search.block_of_seq(self, seq), shared)

    def reader_of(self, block, shared=None):
        """Reader of all records from this block on."""
        return Reader(self, block, shared)

    def reader_at(self, at_s, shared=None):
        """Reader from the first block that holds anything of at_s or later; what is older may stand behind it."""
        return Reader(self, search.block_of_time(self, at_s), shared)

    @property
    def used_blocks(self):
        """How many blocks hold records, those that were retired since included."""
        return 0 if self.block < 0 else (self.block - self.oldest) % self.blocks.n + 1

    # -- consumers ------------------------------------------------------------------------------------------

    def cursor(self, consumer):
        """The last seq the consumer has acknowledged, or before which nothing was held when it was new."""
        return self.cursors.positions[consumer]

    def acknowledge(self, consumer, seq):
        """Move a consumer's cursor. It becomes durable by save_cursors, within 64 records or an hour."""
        self.cursors.acknowledge(consumer, seq)

    def save_cursors(self, force=False):
        """Write the cursors down if they are due, or if force. True if they were written."""
        cursors = self.cursors
        if not cursors.is_due and not (force and cursors.is_unsaved):
            return False
        if cursors.has_new_names:
            self.note(record.CONSUMERS, record.put_consumers(cursors.positions, self.next_seq - 1))
        else:
            self.note(record.CURSORS, record.put_cursors(cursors.positions, self.next_seq - 1))
        cursors.saved()
        return True

    def keep_consumers(self, names):
        """Forget the cursors of other consumers; a new one begins with the oldest record held."""
        positions = self.cursors.positions
        for name in list(positions):
            if name not in names:
                del positions[name]
        for name in names:
            if name not in positions:
                positions[name] = self.first_seq - 1
        self.save_cursors(force=True)
