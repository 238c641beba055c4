"""How long a ring reaches back, how long it will hold what comes, and how long a consumer may stay away."""

from micropython import const

from firmware.clock import is_known
from firmware.store import search

# The pace is that of so many blocks, the newest: what changed in the configuration before says nothing of now.
_PACE_BLOCKS = const(16)


def history_s(ring):
    """How far back the records reach, seconds; 0 if none has a time."""
    oldest_s = search.oldest_s(ring) if ring.block >= 0 else 0
    return max(0, ring.now_s() - oldest_s) if oldest_s else 0


def block_s(ring):
    """How many seconds a block lasts at the present pace; 0 if that cannot be told yet."""
    if ring.block < 0:
        return 0
    newest = search.header(ring, ring.block)
    if newest is None or not is_known(newest.opened_s):
        return 0
    n_back = min(_PACE_BLOCKS, (ring.block - ring.oldest) % ring.blocks.n)
    while n_back:
        before = search.header(ring, (ring.block - n_back) % ring.blocks.n)
        if before is not None and is_known(before.opened_s) and before.opened_s < newest.opened_s:
            return (newest.opened_s - before.opened_s) // n_back
        n_back //= 2
    # The first block since the clock was known: by how full it is.
    return max(0, ring.now_s() - newest.opened_s) * ring.blocks.bytes // max(1, ring.offset)


def holds_s(ring):
    """How many seconds of records the ring holds when it is full, at the present pace; 0: not known yet."""
    return (ring.blocks.n - len(ring.blocks.retired) - len(ring.spares)) * block_s(ring)


def left_s(ring, seq):
    """For how many seconds a consumer that has seq may stay away before what it has not got is overwritten; 0: not known, or
    now."""
    if ring.block < 0:
        return 0
    n = ring.blocks.n
    last = ring.spares[-1][0] if ring.spares else ring.block
    n_free = (ring.oldest - last - 1) % n
    return (n_free + (search.block_of_seq(ring, seq + 1) - ring.oldest) % n) * block_s(ring)
