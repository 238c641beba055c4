"""How long a ring reaches back, how long it will hold what comes, and how long a consumer may stay away."""

from micropython import const

from firmware.clock import is_known
from firmware.store import search
from firmware.store.reader import Reader

# The pace is that of so many blocks, the newest, as far as they were opened under the present configuration.
_PACE_BLOCKS = const(16)
# Of a first block it is told from when so much of it is full.
_LEAST_PART = const(8)


def history_s(ring):
    """How far back the records reach, seconds; 0 if none has a time."""
    oldest_s = search.oldest_s(ring) if ring.block >= 0 else 0
    return max(0, ring.now_s() - oldest_s) if oldest_s else 0


def block_s(ring):
    """How many seconds a block lasts under the present configuration; 0 if that cannot be told yet."""
    if ring.block < 0 or ring.decoder.about is None:
        return 0
    if ring.pace[0] != ring.generation:
        ring.pace = ring.generation, _step_s(ring)
    return ring.pace[1] or _by_fill(ring)


def _step_s(ring):
    """The median of the seconds from one of the newest blocks to the next; 0 if there is none.

    Days without power, and what the clock was set by, are steps like any other: they do not count as pace."""
    config = ring.decoder.about.config
    steps = []
    block, opened_s = ring.block, _opened_s(ring, ring.block)
    for _ in range(_PACE_BLOCKS):
        block = search.before(ring, block)
        if block < 0 or _config(ring, block) != config:
            break
        before_s = _opened_s(ring, block)
        if 0 < before_s < opened_s:
            steps.append(opened_s - before_s)
        opened_s = before_s
    return sorted(steps)[len(steps) // 2] if steps else 0


def _by_fill(ring):
    """As block_s, by how full the newest block is."""
    opened_s = _opened_s(ring, ring.block)
    heading = _heading_bytes(ring)
    used = ring.offset - heading
    is_of_config = _config(ring, ring.block) == ring.decoder.about.config
    if not opened_s or not is_of_config or used * _LEAST_PART < ring.blocks.bytes:
        return 0
    return max(0, ring.now_s() - opened_s) * (ring.blocks.bytes - heading) // used


def _opened_s(ring, block):
    """When a block was opened; 0 if that is not known."""
    found = search.header(ring, block)
    return found.opened_s if found is not None and is_known(found.opened_s) else 0


def _config(ring, block):
    """Hash of the configuration that a block was opened under, which its first note says; empty if it cannot be read."""
    reader = Reader(ring, block)
    reader.next()
    return reader.decoder.about.config if reader.decoder.about else ""


def _heading_bytes(ring):
    """How many bytes of the newest block stand before its first record."""
    reader = Reader(ring, ring.block)
    while not reader.decoder.is_headed and reader.next():
        continue
    return reader.offset


def holds_s(ring):
    """How many seconds of records the ring holds when it is full, at the present pace; 0: not known yet."""
    return (ring.blocks.n - len(ring.blocks.retired) - len(ring.spares)) * block_s(ring)


def left_s(ring, seq):
    """For how many seconds a consumer that has seq may stay away before what it has not got is overwritten; None: not known."""
    pace_s = block_s(ring)
    if not pace_s:
        return None
    n = ring.blocks.n
    last = ring.spares[-1][0] if ring.spares else ring.block
    n_free = (ring.oldest - last - 1) % n
    return (n_free + (search.block_of_seq(ring, seq + 1) - ring.oldest) % n) * pace_s
