"""The turn of a ring's blocks: the next one is erased ahead, given up if it cannot be, and opened when the newest is full."""

import hashlib

from micropython import const

from firmware.protocols import record
from firmware.store import search
from firmware.store.block import HEADER_BYTES, MARK_BYTES, NO_TIME_S, Header, put_header, put_mark

_PART_BYTES = const(256)
_EIO = const(5)


def next_block(ring):
    """The block to be erased next; -1: all others have failed, and the newest one is not given up for that."""
    blocks = ring.blocks
    if len(blocks.retired) + 1 >= blocks.n:
        return -1
    block = blocks.after(ring.spares[-1][0] if ring.spares else ring.block)
    return -1 if block == ring.block or block in blocks.retired else block


def erase_next(ring):
    """Erase the next block in turn: a spare more. OSError if it cannot be: it is retired."""
    blocks = ring.blocks
    block = next_block(ring)
    if block < 0:
        raise OSError(_EIO)
    search.give_up(ring, block)
    generation = ring.last_generation = ring.last_generation + 1
    try:
        blocks.erase(block)
        blocks.program(block, put_mark(generation, ring.number), 0)
    except OSError:
        blocks.retire(block)
        raise
    ring.spares.append((block, generation))


def open_next(ring):
    """Go on to the next block: header, then the owner's heading, retired blocks and cursors. OSError if none takes them."""
    if not ring.spares and next_block(ring) < 0:
        raise OSError(_EIO)
    # Made before a block is given up for it: it may find no memory.
    heading = ring.heading()
    while True:
        # Of the block that is the newest now: one that took its header and nothing else is part of the chain.
        sha = _sha(ring)
        block, generation = _spare(ring)
        try:
            return _open(ring, block, generation, sha, heading)
        except OSError:
            ring.blocks.retire(block)


def _spare(ring):
    """(block, generation) of a block that is erased. OSError if none can be."""
    if ring.spares:
        return ring.spares.pop(0)
    while True:
        try:
            erase_next(ring)
            ring.n_waited += 1
            return ring.spares.pop(0)
        except OSError:
            if next_block(ring) < 0:
                raise


def _open(ring, block, generation, sha, heading):
    first_s, last_s = NO_TIME_S, 0
    if ring.first_time <= ring.last_time:
        first_s, last_s = ring.first_time + record.EPOCH_S, ring.last_time + record.EPOCH_S
    header = Header(ring.next_seq, ring.now_s() & 0xFFFFFFFF, ring.generation, first_s, last_s, sha)
    ring.blocks.program(block, put_header(put_mark(generation, ring.number), header), MARK_BYTES)
    if ring.block < 0:
        ring.oldest = block
    ring.decoder.begin()
    ring.enter(block, generation, HEADER_BYTES, ring.decoder)
    for kind, payload in heading:
        ring.put_frame(kind, payload)
    if ring.blocks.retired:
        ring.put_frame(record.RETIRED, record.put_retired(ring.blocks.retired))
    ring.put_frame(record.CONSUMERS, record.put_consumers(ring.cursors.positions, ring.next_seq - 1))
    ring.cursors.saved()


def _sha(ring):
    """The SHA-256 of the newest block as it stands; zeros if there is none."""
    if ring.block < 0:
        return bytes(32)
    sha = hashlib.sha256()
    part = bytearray(_PART_BYTES)
    for offset in range(0, ring.blocks.bytes, _PART_BYTES):
        ring.blocks.read(ring.block, part, offset)
        sha.update(part)
    return sha.digest()
