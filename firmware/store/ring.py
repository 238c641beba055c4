"""The flash ring: records in order, on a block device, each checked by CRC; the oldest are overwritten.

SPEC.md, "Flash", gives every byte. No byte is programmed twice and blocks are erased in turn. After a cut at most
the record being written is gone: a block that ends in torn bytes is left as it is, and the next one is opened.
"""

import os
import struct
from array import array

from micropython import const

from firmware.clock import is_known
from firmware.errors import StoreError
from firmware.protocols import record
from firmware.store.block import FRAME_BYTES, HEADER_BYTES, header_of, put_frame, put_header
from firmware.store.reader import Reader

_UNUSED = const(0xFFFFFFFF)
_LEAST_BLOCKS = const(4)

# The names in the heading of a block and the largest record fit into a block together: what a block of 4096 bytes has
# beside its header, the cursors of four data centres, and frames.
MOST_TOGETHER_BYTES = const(3900)

# A cursor is written when so many records or seconds have gone since it was: the most that is sent twice after a cut.
_CURSOR_RECORDS = const(64)
_CURSOR_S = const(10)

_EIO = const(5)

# Block-device protocol, ioctl operations.
_BLOCK_COUNT = const(4)
_BLOCK_SIZE = const(5)
_BLOCK_ERASE = const(6)


class Ring:
    """Ring(device, now_s): device as MicroPython's extended block protocol, now_s() in Unix seconds.

    mount() first. heading: set by the owner, called at each new block: a list of (kind, payload) notes that make
    the block readable by itself. StoreError if the device cannot hold a ring."""

    def __init__(self, device, now_s):
        self.device = device
        self.now_s = now_s
        self.heading = list
        self.n_blocks = device.ioctl(_BLOCK_COUNT, 0)
        self.block_bytes = device.ioctl(_BLOCK_SIZE, 0)
        if self.n_blocks < _LEAST_BLOCKS or self.block_bytes < 4096:
            raise StoreError("the ring needs at least %d blocks of 4096 bytes" % _LEAST_BLOCKS)
        self.starts = array("I", (_UNUSED for _ in range(self.n_blocks)))
        self.log = ""
        self.next_seq = 1
        self.cursors = {}
        self.erases = 0
        self.erases_waited = 0
        self.programmed_bytes = 0
        self.torn = 0
        self._block = -1
        self._next = 0
        self._generation = 0
        self._offset = 0
        # The newest block's heading is known to be whole: without it its records could not be read by themselves.
        self._headed = False
        self._spare_erased = False
        self._saved = {}
        self._unsaved_s = 0

    # -- mounting -------------------------------------------------------------------------------------------

    def mount(self):
        """Find the newest block and the end of its records; format if there is no ring. True if it was formatted.

        Reads every block's header and the newest blocks."""
        header = bytearray(HEADER_BYTES)
        found = []
        newest = None
        for block in range(self.n_blocks):
            self.device.readblocks(block, header, 0)
            fields = header_of(header)
            found.append(fields)
            if fields and (newest is None or fields[0] > found[newest][0]):
                newest = block
        if newest is None:
            self._format()
            return True
        self._generation, self.log = found[newest][:2]
        self._block = newest
        self._next = (newest + 1) % self.n_blocks
        self._take_blocks(found)
        self._replay()
        return False

    def _take_blocks(self, found):
        """Note which blocks are part of the ring: of its log, and opened after those before them in the round."""
        highest = 0
        for i in range(self.n_blocks):
            block = (self._next + i) % self.n_blocks
            fields = found[block]
            # A block that could not be erased still stands with what it held a round ago.
            if fields and fields[1] == self.log and fields[0] > highest:
                highest, _, self.starts[block], _ = fields

    def _format(self):
        self.log = "%08x" % struct.unpack("<I", os.urandom(4))[0]
        self._open_block()

    def _replay(self):
        """Take next_seq, cursors and the end of the records from the newest blocks.

        Begins with the last block before the newest that has a numbered record: its heading was whole."""
        first_seq = self.next_seq = self.starts[self._block]
        reader = Reader(self, self._last_block(lambda block: self.starts[block] < first_seq))
        for kind, seq, payload in reader:
            if kind == record.CURSORS:
                self.cursors.update(record.cursors_of(payload))
            elif seq:
                self.next_seq = max(self.next_seq, seq + 1)
        # Without a numbered record behind it the heading may have been cut.
        self._headed = self.next_seq > first_seq
        # What a data centre has acknowledged was stored once, even if it cannot be read any more.
        self.next_seq = max([self.next_seq] + [seq + 1 for seq in self.cursors.values()])
        self._offset = reader.offset
        if not self._erased_from(reader.offset):
            self.torn += 1
            self._offset = self.block_bytes
        self._saved = dict(self.cursors)

    def _erased_from(self, offset):
        rest = bytearray(self.block_bytes - offset)
        self.device.readblocks(self._block, rest, offset)
        return rest == b"\xff" * len(rest)

    # -- writing --------------------------------------------------------------------------------------------

    def append(self, kind, payload):
        """Store one record and return its seq. When it returns, the record survives a cut.

        StoreError if it does not fit into a block with the heading; OSError from the device."""
        if len(payload) > MOST_TOGETHER_BYTES:
            raise StoreError("record of %d bytes" % len(payload))
        self._make_room(len(payload))
        seq = self.next_seq
        self._put(kind, seq, payload)
        self.next_seq = seq + 1
        return seq

    def note(self, kind, payload):
        """Store a note: a record without seq that is not sent."""
        self._make_room(len(payload))
        self._put(kind, 0, payload)

    @property
    def needs_erase(self):
        """True until the block that comes next is erased."""
        return not self._spare_erased

    def prepare(self):
        """Erase the block that comes next, if that is not done yet; True if it was. Blocks for the erase (60 ms).

        To be called when no meter is answering; without it append has to wait for the erase itself. OSError if the
        block cannot be erased; the one behind it is then next."""
        if not self.needs_erase:
            return False
        block = self._next
        if block == self._block:
            # Every other block has failed: the newest one is not given up for that.
            self._next = (block + 1) % self.n_blocks
            raise OSError(_EIO)
        self.starts[block] = _UNUSED
        # Passed over if this fails; tried again in the next round.
        self._next = (block + 1) % self.n_blocks
        self.device.ioctl(_BLOCK_ERASE, block)
        self._next = block
        self.erases += 1
        self._spare_erased = True
        return True

    def _make_room(self, n):
        if not self._headed or self._offset + FRAME_BYTES + n > self.block_bytes:
            self._open_block()
            if self._offset + FRAME_BYTES + n > self.block_bytes:
                raise StoreError("record of %d bytes, heading of %d" % (n, self._offset))

    def _open_block(self):
        """Go on to the next block: header, then the owner's heading and the cursors."""
        # Made before a block is given up for it: it may find no memory.
        heading = self.heading()
        if self.prepare():
            self.erases_waited += 1
        block = self._next
        self._next = (block + 1) % self.n_blocks
        self._spare_erased = False
        opened_s = self.now_s() & 0xFFFFFFFF
        generation = self._generation + 1
        self._program(block, 0, put_header(generation, self.log, self.next_seq, opened_s))
        self._generation = generation
        self._block = block
        self._headed = False
        self.starts[block] = self.next_seq
        self._offset = HEADER_BYTES
        for kind, payload in heading:
            self._put(kind, 0, payload)
        if self.cursors:
            self._put(record.CURSORS, 0, record.put_cursors(self.cursors))
            self._saved = dict(self.cursors)
        self._headed = True

    def _put(self, kind, seq, payload):
        frame = put_frame(self._generation, self._offset, kind, seq, payload)
        offset, self._offset = self._offset, self.block_bytes
        # If this fails the block counts as full: its next bytes may be programmed already.
        self._program(self._block, offset, frame)
        self._offset = offset + len(frame)

    def _program(self, block, offset, data):
        """Program data and read it back. OSError if it does not stand there: a worn block may say nothing of it."""
        failed = None
        try:
            self.device.writeblocks(block, data, offset)
        except OSError as error:
            # It counts as written if it stands there all the same: its seq must not be given twice.
            failed = error
        back = bytearray(len(data))
        self.device.readblocks(block, back, offset)
        if back != data:
            raise failed or OSError(_EIO)
        self.programmed_bytes += len(data)

    # -- reading --------------------------------------------------------------------------------------------

    @property
    def first_seq(self):
        """The oldest seq still held; next_seq if there is none."""
        return self.starts[self.oldest()]

    def oldest(self):
        """Number of the oldest block."""
        block = self._block
        for _ in range(self.n_blocks):
            block = (block + 1) % self.n_blocks
            if self.starts[block] != _UNUSED:
                return block
        return self._block

    def is_newest(self, block):
        return block == self._block

    def after(self, block):
        """The block that was opened after this one; the newest has none: itself."""
        while block != self._block:
            block = (block + 1) % self.n_blocks
            if self.starts[block] != _UNUSED:
                break
        return block

    def reader(self, seq):
        """Reader of all records from the block that holds seq, or from the oldest if it is gone."""
        return Reader(self, self._last_block(lambda block: self.starts[block] <= seq))

    def reader_at(self, at_s):
        """Reader from a block before which nothing was stored at or after at_s.

        Clocks are set: the search ends at the first block that was opened then or later, and a block that was opened
        with the clock unknown, or set back, says nothing."""
        found = block = self.oldest()
        highest_s = 0
        while True:
            opened_s = self.opened_s(block)
            if is_known(opened_s):
                # One opened in that very second may have records of it before it.
                if opened_s >= at_s:
                    break
                if opened_s >= highest_s:
                    found, highest_s = block, opened_s
            if block == self._block:
                break
            block = self.after(block)
        return Reader(self, found)

    def opened_s(self, block):
        """When a block was opened, Unix seconds; 0 if it does not say."""
        header = bytearray(HEADER_BYTES)
        self.device.readblocks(block, header, 0)
        fields = header_of(header)
        return fields[3] if fields else 0

    def _last_block(self, fits):
        found = block = self.oldest()
        while True:
            if fits(block):
                found = block
            if block == self._block:
                return found
            block = self.after(block)

    @property
    def used_blocks(self):
        return sum(1 for start in self.starts if start != _UNUSED)

    def history_s(self):
        """How far back the records reach, by the oldest block that was opened with the clock known; 0 if none was."""
        block = self.oldest()
        while not is_known(self.opened_s(block)):
            if block == self._block:
                return 0
            block = self.after(block)
        return max(0, self.now_s() - self.opened_s(block))

    # -- consumers ------------------------------------------------------------------------------------------

    def cursor(self, consumer):
        """The last seq the consumer has acknowledged, or before which nothing was held when it was new."""
        return self.cursors[consumer]

    def acknowledge(self, consumer, seq):
        """Move a consumer's cursor. It becomes durable by save_cursors, within 64 records or 10 s."""
        if self.cursors == self._saved:
            self._unsaved_s = self.now_s()
        self.cursors[consumer] = seq
        if seq - self._saved.get(consumer, 0) >= _CURSOR_RECORDS:
            self.save_cursors()

    def save_cursors(self, force=False):
        """Write the cursors down if they are due, or if force. True if they were written."""
        if self.cursors == self._saved:
            return False
        # A clock that stepped back would put it off for long: any distance beyond the bound counts.
        if not force and abs(self.now_s() - self._unsaved_s) < _CURSOR_S:
            recent = all(seq - self._saved.get(name, 0) < _CURSOR_RECORDS for name, seq in self.cursors.items())
            if recent:
                return False
        saved = dict(self.cursors)
        self.note(record.CURSORS, record.put_cursors(saved))
        self._saved = saved
        return True

    def keep_consumers(self, names):
        """Forget the cursors of other consumers; a new one begins with the oldest record held."""
        for name in list(self.cursors):
            if name not in names:
                del self.cursors[name]
        for name in names:
            if name not in self.cursors:
                self.cursors[name] = self.first_seq - 1
        self.save_cursors(force=True)
