"""Finds a ring on its device: its newest block, what is erased ahead, where its records end. Only the start needs it."""

import os
import struct
from array import array

from micropython import const

from firmware.errors import StoreError
from firmware.protocols import record
from firmware.store import search
from firmware.store.block import HEADER_BYTES, MAGIC, MARK_BYTES, header_of, is_erased, mark_of
from firmware.store.reader import Reader

_ANY_MAGIC = b"MGr"
_HINT = "- is it the right region? `format` shows, and gives up what stands there"
_ERASED = const(0xFF)


def mount(ring, is_told):
    """As Ring.mount has it."""
    if is_told:
        _format(ring)
        return True
    generations = _marks(ring)
    if not ring.last_generation:
        _check_blank(ring)
        _format(ring)
        return True
    newest = _newest(ring, generations)
    if newest < 0:
        # The first block was erased and never opened.
        return True
    ring.block, ring.generation = newest, generations[newest]
    _take_blocks(ring, generations)
    _replay(ring)
    return False


def _marks(ring):
    """The generation of each block that has a mark of the newest log; 0 of the others. Sets log and last_generation."""
    blocks = ring.blocks
    generations = array("I", (0 for _ in range(blocks.n)))
    logs = array("I", (0 for _ in range(blocks.n)))
    head = bytearray(MARK_BYTES)
    for block in range(blocks.n):
        blocks.read(block, head)
        mark = mark_of(head)
        if mark:
            generations[block], logs[block] = mark
            if mark[0] > ring.last_generation:
                ring.last_generation, ring.number = mark
    for block in range(blocks.n):
        if logs[block] != ring.number:
            generations[block] = 0
    return generations


def _check_blank(ring):
    """StoreError unless nothing stands on the device, or no more than a mark at its beginning that was cut."""
    blocks = ring.blocks
    for block in range(blocks.n):
        if blocks.is_erased(block, 0 if block or not _is_cut_mark(blocks) else MARK_BYTES):
            continue
        head = bytearray(len(_ANY_MAGIC) + 1)
        blocks.read(block, head)
        if head[:-1] == _ANY_MAGIC and head[-1] != MAGIC[-1]:
            raise StoreError("the ring is of format %s, and this firmware's is 2" % chr(head[-1]), _HINT)
        raise StoreError("block %d holds what is no ring" % block, _HINT)


def _is_cut_mark(blocks):
    """True if block 0 begins as a mark does, as far as that was programmed."""
    head = bytearray(len(MAGIC))
    blocks.read(0, head)
    return all(byte & MAGIC[i] == MAGIC[i] for i, byte in enumerate(head))


def _format(ring):
    """Begin a ring: nothing of what stands there is part of it."""
    _marks(ring)
    ring.number = struct.unpack("<I", os.urandom(4))[0]
    ring.block, ring.oldest, ring.generation, ring.spares = -1, -1, 0, []
    ring.gone = ring.last_generation


def _newest(ring, generations):
    """The block that was opened last, -1: none was; those erased after it are noted as spares."""
    head = bytearray(HEADER_BYTES + 1)
    order = sorted((generation, block) for block, generation in enumerate(generations) if generation)
    while order:
        generation, block = order.pop()
        ring.blocks.read(block, head)
        if is_erased(head[MARK_BYTES:]):
            ring.spares.insert(0, (block, generation))
        # A header that was cut has nothing behind it; one that is damaged has.
        elif header_of(head) is not None or head[HEADER_BYTES] != _ERASED:
            return block
    return -1


def _take_blocks(ring, generations):
    """Find the oldest block: going back from the newest, generations fall by about one with each.

    A retired block still stands with what it held a round ago, or several."""
    n = ring.blocks.n
    held = [ring.block]
    spares = [block for block, _ in ring.spares]
    for back in range(1, n):
        block = (ring.block - back) % n
        if block in spares:
            break
        generation = generations[block]
        if not 0 < generation < ring.generation:
            continue
        # What was opened after a block stands behind it: if not, that one was retired before, and its turn passed over.
        while generation > generations[held[-1]]:
            held.pop()
        apart = (held[-1] - block) % n
        if generations[held[-1]] - generation < apart + n // 2:
            held.append(block)
    ring.oldest, low = held[-1], generations[held[-1]]
    ring.gone = low - 1
    search.note_oldest(ring)


def _replay(ring):
    """Take next_seq, cursors, retired blocks and the end of the records from the newest blocks."""
    ring.offset = ring.blocks.bytes
    reader = Reader(ring, _headed(ring), ring.decoder.shared)
    first, last = 0, -1
    block = reader.block
    for _, _, found in reader:
        if reader.block != block:
            block, first, last = reader.block, 0, -1
        bounds = record.bounds_of(found)
        if bounds:
            first, last = (min(first, bounds[0]), max(last, bounds[1])) if first <= last else bounds
    decoder = reader.decoder
    offset = reader.offset
    if not decoder.is_headed or not ring.blocks.is_erased(ring.block, offset):
        ring.n_torn += 1
        offset = ring.blocks.bytes
    ring.next_seq = max(1, reader.seq)
    ring.blocks.retired = list(decoder.retired)
    ring.cursors.positions = dict(decoder.cursors)
    ring.cursors.saved()
    ring.enter(ring.block, ring.generation, offset, decoder)
    if first <= last:
        ring.first_time, ring.last_time = first - record.EPOCH_S, last - record.EPOCH_S


def _headed(ring):
    """The newest block whose heading is whole: cursors and retired blocks are known from there on. The oldest if none is."""
    n = ring.blocks.n
    block = ring.block
    while block != ring.oldest:
        if search.generation_of(ring, block) and _is_headed(ring, block):
            break
        block = (block - 1) % n
    return block


def _is_headed(ring, block):
    reader = Reader(ring, block)
    while reader.next() and reader.block == block:
        if reader.decoder.is_headed:
            return True
    return False
