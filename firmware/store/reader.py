"""Reads the ring's records in order, while others are appended and old blocks are overwritten."""

from firmware.store.block import FRAME_BYTES, HEADER_BYTES, check_frame, header_of, size_of

_DAMAGED = object()


class Reader:
    """Iterates over (kind, seq, payload) from the first record of a block on, notes included.

    It ends when it has caught up, and goes on when more was appended: call next() again. If its block is
    overwritten it goes on with the oldest. Bytes that fail their check are passed over up to the next good record:
    whoever reads sees the gap in the seqs."""

    def __init__(self, ring, block):
        self.ring = ring
        self.offset = HEADER_BYTES
        self._head = bytearray(FRAME_BYTES)
        self._enter(block)

    def _enter(self, block):
        header = bytearray(HEADER_BYTES)
        self.ring.device.readblocks(block, header, 0)
        fields = header_of(header)
        self._block = block
        # The offset of damage behind which nothing good was found.
        self._searched = 0
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
            found = self._record_at(self.offset)
            if found is _DAMAGED:
                found = self._behind_damage()
            if found is not None:
                self.offset, kind, seq, payload = found
                return kind, seq, payload
            if ring.is_newest(self._block):
                return None
            self._enter(ring.after(self._block))

    def _record_at(self, offset):
        """(offset behind it, kind, seq, payload) of the record at offset; None if nothing was written there, or _DAMAGED."""
        ring, head = self.ring, self._head
        if offset + FRAME_BYTES > ring.block_bytes:
            return None
        ring.device.readblocks(self._block, head, offset)
        n = size_of(head)
        if n is None:
            return None
        end = offset + FRAME_BYTES + n
        if end > ring.block_bytes:
            return _DAMAGED
        payload = bytearray(n)
        ring.device.readblocks(self._block, payload, offset + FRAME_BYTES)
        found = check_frame(head, payload, self._generation, offset)
        return (end, found[0], found[1], payload) if found else _DAMAGED

    def _behind_damage(self):
        """The next good record in this block, as _record_at gives it, or None. Looks at every byte, once."""
        ring, first = self.ring, self.offset
        if first == self._searched:
            return None
        rest = bytearray(ring.block_bytes - first)
        ring.device.readblocks(self._block, rest, first)
        end = len(rest)
        while end and rest[end - 1] == 0xFF:
            end -= 1
        for i in range(1, min(end, len(rest) - FRAME_BYTES + 1)):
            head = rest[i : i + FRAME_BYTES]
            n = size_of(head)
            if n is None or i + FRAME_BYTES + n > len(rest):
                continue
            payload = rest[i + FRAME_BYTES : i + FRAME_BYTES + n]
            found = check_frame(head, payload, self._generation, first + i)
            if found:
                return first + i + FRAME_BYTES + n, found[0], found[1], payload
        self._searched = first
        return None
