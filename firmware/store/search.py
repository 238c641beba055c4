"""Which block of a ring holds what: by their order on the device, by seq, and by time."""

from firmware.protocols.record import EPOCH_S
from firmware.store.block import HEADER_BYTES, MARK_BYTES, header_of, mark_of


def generation_of(ring, block):
    """The generation of a block that is part of the ring; 0 of one that is not."""
    return _generation_of(ring, _head(ring, block, MARK_BYTES))


def header(ring, block):
    """The Header of a block of the ring, or None if it is not, or has none that can be read."""
    head = _head(ring, block, HEADER_BYTES)
    return header_of(head) if _generation_of(ring, head) else None


def _head(ring, block, n):
    head = bytearray(n)
    ring.blocks.read(block, head)
    return head


def _generation_of(ring, head):
    mark = mark_of(head)
    return mark[0] if mark and mark[1] == ring.number and ring.gone < mark[0] <= ring.generation else 0


def following(ring, block):
    """The block that was opened after this one; the newest has none: itself."""
    while block != ring.block:
        block = (block + 1) % ring.blocks.n
        if block == ring.block or generation_of(ring, block):
            break
    return block


def before(ring, block):
    """The block that was opened before this one; -1: it is the oldest."""
    while block != ring.oldest:
        block = (block - 1) % ring.blocks.n
        if generation_of(ring, block):
            return block
    return -1


def give_up(ring, block):
    """A block is about to be erased: whoever reads it goes on with what is then the oldest."""
    generation = generation_of(ring, block)
    if not generation:
        return
    ring.gone = generation
    ring.damaged = {each for each in ring.damaged if each > generation}
    # A retired block before it that still held something is given up with it.
    while ring.oldest != ring.block and not generation_of(ring, ring.oldest):
        ring.oldest = (ring.oldest + 1) % ring.blocks.n
    note_oldest(ring)


def note_oldest(ring):
    """Find out which seq the oldest block begins with."""
    block = ring.oldest
    while True:
        found = header(ring, block)
        if found is not None:
            ring.first_seq = found.first_seq
            return
        if block == ring.block:
            # Only the newest one is left, and its header is damaged.
            return
        block = following(ring, block)


def block_of_seq(ring, seq):
    """The last block that begins with seq or an earlier one; the oldest if none does."""
    if ring.block < 0:
        return -1
    n = ring.blocks.n
    found, low, high = ring.oldest, 0, (ring.block - ring.oldest) % n
    while low <= high:
        middle = (low + high) // 2
        # Some have no header: not opened, retired or damaged.
        for at in range(middle, high + 1):
            head = header(ring, (ring.oldest + at) % n)
            if head is not None:
                break
        else:
            high = middle - 1
            continue
        if head.first_seq <= seq:
            found, low = (ring.oldest + at) % n, at + 1
        else:
            high = middle - 1
    return found


def block_of_time(ring, at_s):
    """The first block that holds anything of at_s or later; the newest if none does."""
    block = ring.oldest
    while block != ring.block:
        later = following(ring, block)
        head = header(ring, later)
        # A damaged header says nothing of the one before: it may.
        if head is None or head.max_s >= at_s:
            return block
        block = later
    return block


def oldest_s(ring):
    """The earliest time that any record of the oldest blocks is about, Unix seconds; 0 if none of them has one."""
    block = ring.oldest
    while block != ring.block:
        block = following(ring, block)
        head = header(ring, block)
        if head is not None and head.min_s <= head.max_s:
            return head.min_s
    return ring.first_time + EPOCH_S if ring.first_time <= ring.last_time else 0
