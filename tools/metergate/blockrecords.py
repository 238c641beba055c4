"""What the records of one block of an image say, whatever stands around it. Pure."""

from types import SimpleNamespace

from firmware.protocols import record
from firmware.store.block import HEADER_BYTES, is_erased
from firmware.store.reader import Reader
from metergate.chainblock import HEADLESS


def read_block(block, expected, is_days):
    """Go through a Block's records, and set in it what they say; expected: the seq that comes first, if its header does not."""
    block.counts, block.gaps, block.min_s, block.max_s = {}, [], None, None
    if block.state == HEADLESS and not expected:
        return
    reader = _reader(block, is_days)
    if block.state == HEADLESS:
        reader.seq, reader.offset, reader.n_damaged = expected, HEADER_BYTES, 0
    block.first_seq = seq = reader.seq
    for kind, found_seq, found in reader:
        if not found_seq:
            continue
        if found_seq > seq:
            block.gaps.append((seq, found_seq - 1))
        if found is None:
            block.gaps.append((found_seq, found_seq))
        else:
            block.counts[kind] = block.counts.get(kind, 0) + 1
            _take_times(block, found)
        seq = found_seq + 1
    block.next_seq, block.end, block.n_spots = seq, reader.offset, reader.n_damaged


def retired_of(block, is_days):
    """The retired blocks that the heading of a Block names."""
    reader = _reader(block, is_days)
    for kind, _, _ in reader:
        if kind == record.CONSUMERS:
            break
    return reader.decoder.retired


def _take_times(block, found):
    bounds = record.bounds_of(found)
    if bounds:
        first_s, last_s = bounds
        block.min_s = first_s if block.min_s is None else min(block.min_s, first_s)
        block.max_s = last_s if block.max_s is None else max(block.max_s, last_s)


def _reader(block, is_days):
    """A Reader of this block alone."""
    ring = SimpleNamespace(is_archive=is_days, blocks=_OneBlock(block), number=block.log, gone=block.generation - 1)
    ring.block = ring.oldest = block.number
    ring.damaged = set()
    ring.generation, ring.offset = block.generation, len(block.bytes)
    return Reader(ring, block.number)


class _OneBlock:
    """The stand-in for firmware's Blocks of a ring that has this block alone."""

    n = 1
    retired = ()

    def __init__(self, block):
        self._bytes = block.bytes
        self.bytes = len(block.bytes)

    def read(self, _, buf, offset=0):
        buf[:] = self._bytes[offset : offset + len(buf)]

    def is_erased(self, _, offset):
        return is_erased(self._bytes[offset:])
