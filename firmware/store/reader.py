"""Reads the ring's records in order, while others are appended and old blocks are overwritten."""

from firmware.store.block import FRAME_BYTES, HEADER_BYTES, check_frame, header_of, size_of


class Reader:
    """Iterates over (kind, seq, payload) from the first record of a block on, notes included.

    It ends when it has caught up, and goes on when more was appended: call next() again. If its block is
    overwritten it goes on with the oldest. Bytes that fail their check end a block: whoever reads sees the gap in
    the seqs."""

    def __init__(self, ring, block, stop_after=None):
        self.ring = ring
        self.offset = HEADER_BYTES
        self._stop_after = stop_after
        self._head = bytearray(FRAME_BYTES)
        self._enter(block)

    def _enter(self, block):
        header = bytearray(HEADER_BYTES)
        self.ring.device.readblocks(block, header, 0)
        fields = header_of(header)
        self._block = block
        self._start = self.ring.starts[block]
        self._generation = fields[0] if fields else 0
        self.offset = HEADER_BYTES

    def __iter__(self):
        return self

    def __next__(self):
        found = self.next()
        if found is None:
            raise StopIteration
        return found

    def next(self):
        """The next (kind, seq, payload), or None at the end."""
        ring = self.ring
        while True:
            if ring.starts[self._block] != self._start:
                self._enter(ring.oldest())
            found = self._read()
            if found is not None:
                return found
            if self._block == self._stop_after or ring.is_newest(self._block):
                return None
            self._enter(ring.after(self._block))

    def _read(self):
        """The record at the offset, or None if none stands there."""
        ring, offset, head = self.ring, self.offset, self._head
        if offset + FRAME_BYTES > ring.block_bytes:
            return None
        ring.device.readblocks(self._block, head, offset)
        n = size_of(head)
        if n is None or offset + FRAME_BYTES + n > ring.block_bytes:
            return None
        payload = bytearray(n)
        ring.device.readblocks(self._block, payload, offset + FRAME_BYTES)
        found = check_frame(head, payload, self._generation, offset)
        if found is None:
            return None
        self.offset = offset + FRAME_BYTES + n
        return found[0], found[1], payload
