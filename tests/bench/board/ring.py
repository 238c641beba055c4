"""What the store costs in flash: micropython ring.py ROOT WHAT N -> one line of JSON. WHAT:

history: a ring of N blocks is filled until its first blocks are overwritten; what was programmed, what is held, what a
start reads then. wear: so many laps of a small ring. cuts: N cuts, and what the start behind each reads.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import gc
import json
import sys

ROOT, WHAT, N = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path[:] = ["", ".frozen", ROOT, ROOT + "/lib"]

from firmware.protocols import record
from firmware.store.ring import Ring
from tests.bench.board.plant import CENTRES, METERS, SLOT_S, START_S, Keeper, Plant, new_keeper
from tests.sim.flash import Cut, NorFlash
from tests.sim.seeded import Seeded

_MIB = 1 << 20
# After so many blocks that were given up the ring is as it will be for ever.
_GIVEN_UP = 8
_START_EVERY = 5  # slots

_SMALL_BLOCKS = 32
# From here on no block is new.
_FIRST_LAPS = 3

# In a ring of the boards' size: a start reads something of each block.
_CUT_BLOCKS = 320
# After every sixth cut the power goes twice more.
_ROW_EVERY, _IN_A_ROW = 6, 3
# How far ahead a cut may come: within a mark, a heading, the records behind it, the block.
_AHEAD_BYTES = (16, 80, 400, 3000)
# Before a block's end.
_ROOM_BYTES = (5, 60)
_MARK_BYTES = 14


def history():
    """Until the ring has given up some blocks; a start is tried now and then while the last one is filled."""
    keeper, flash, days_flash = new_keeper(N)
    plant, ring, n, mount_bytes = Plant(), keeper.ring, 0, 0
    while sum(flash.erases) < N + _GIVEN_UP:
        keeper.keep(plant.slot(n))
        n += 1
        if sum(flash.erases) >= N + _GIVEN_UP - 1 and n % _START_EVERY == 0:
            mount_bytes = max(mount_bytes, _mount_bytes(flash, ring))
    oldest_s = next(found.slot_s for kind, _, found in ring.reader(ring.first_seq) if kind == record.READING)
    return {
        "readings": n * METERS,
        "for_s": n * SLOT_S,
        "programmed_bytes": sum(flash.programmed_bytes) + sum(days_flash.programmed_bytes),
        "days_bytes": sum(days_flash.programmed_bytes),
        "record_bytes": sum([each.record_bytes for each in keeper.log.rings()]),
        "numbered_share": _numbered_share(ring),
        "erases": sum(flash.erases) + sum(days_flash.erases),
        "history_s": keeper.now_s[0] - oldest_s,
        "mount_bytes_read": mount_bytes,
    }


def _mount_bytes(flash, ring):
    """What a start reads now; ValueError if it does not find this ring."""
    flash.read_bytes = 0
    again = Ring(flash, ring.now_s)
    again.mount()
    if (again.next_seq, again.first_seq, again.offset) != (ring.next_seq, ring.first_seq, ring.offset):
        raise ValueError("another ring was found")
    return flash.read_bytes


def _numbered_share(ring):
    """Of the bytes of full blocks, those of records, without headings, cursors and other notes."""
    reader = ring.reader(ring.first_seq)
    block, offset, total = reader.block, reader.offset, 0
    for _, seq, _ in reader:
        if reader.block == ring.block:
            break
        if reader.block != block:
            # A block begins with notes.
            block, offset = reader.block, reader.offset
        if seq:
            total += reader.offset - offset
        offset = reader.offset
    return total / ((ring.used_blocks - 1) * ring.blocks.bytes)


def wear():
    """N laps; the erases of blocks differ by so many at most, at any time from the third lap on."""
    keeper, flash, _ = new_keeper(_SMALL_BLOCKS)
    plant, n, spread, begun = Plant(), 0, 0, None
    while sum(flash.erases) < N * _SMALL_BLOCKS:
        keeper.keep(plant.slot(n))
        n += 1
        if sum(flash.erases) < _FIRST_LAPS * _SMALL_BLOCKS:
            continue
        begun = begun or (sum(flash.erases), sum(flash.programmed_bytes))
        spread = max(spread, max(flash.erases) - min(flash.erases))
    erases, programmed = sum(flash.erases) - begun[0], sum(flash.programmed_bytes) - begun[1]
    return {"spread": spread, "erases": erases, "programmed_bytes": programmed, "laps": N}


class _Watched(NorFlash):
    """offset: where the last write began, None: it was an erase. in_mark: None, or bytes of the next mark before a cut."""

    offset = in_mark = None

    def writeblocks(self, block, buf, offset=None):
        self.offset = offset
        if offset == 0 and self.in_mark is not None:
            self.cut_after = self.in_mark
        super().writeblocks(block, buf, offset)

    def ioctl(self, operation, argument):
        if operation == 6:
            self.offset = None
        return super().ioctl(operation, argument)

    def arm(self, random):
        """Cut the next erase, the next mark, or something soon; else never again."""
        self.power_on()
        self.in_mark = None
        kind = random.below(5)
        if kind == 0:
            self.cut_in_erase = 0
        elif kind == 1:
            self.in_mark = random.below(_MARK_BYTES)
        else:
            self.cut_after = random.below(random.choice(_AHEAD_BYTES))


def cuts():
    """What the start behind each of N cuts reads, the most; for some the power goes again soon, and again."""
    worst, places, random, plant, n = [0] * _IN_A_ROW, {}, Seeded(N), Plant(), 0
    slots = [plant.slot(i) for i in range(16)]
    heading_end = new_keeper(_SMALL_BLOCKS)[0].ring.offset
    for room in _ROOM_BYTES:
        image, at_s = _nearly_full(room)
        for _ in range(N // len(_ROOM_BYTES)):
            # Each takes a megabyte in one piece.
            gc.collect()
            flash = _Watched(_CUT_BLOCKS, image, n + 1)
            for i in range(1 if n % _ROW_EVERY else _IN_A_ROW):
                _cut(flash, at_s, slots, random)
                place = _place_of(flash.offset, heading_end)
                places[place] = places.get(place, 0) + (i == 0)
                flash.power_on()
                flash.read_bytes = 0
                Ring(flash, int).mount()
                worst[i] = max(worst[i], flash.read_bytes)
            n += 1
    return {"worst": worst, "cuts": n, "places": places}


def _nearly_full(room):
    """(what stands on the flash, when) of a ring in its second lap whose newest block has room for so few bytes.

    Filled by long events, which takes less time than readings; the last two blocks by readings."""
    keeper, flash, _ = new_keeper(_CUT_BLOCKS)
    plant, ring, n = Plant(), keeper.ring, 0
    while sum(flash.erases) < _CUT_BLOCKS + 2:
        keeper.log.event('"event":"x","text":"%s"' % ("x" * 900))
        ring.prepare()
    full = ring.generation + 2
    while ring.generation < full or ring.blocks.bytes - ring.offset > 400:
        keeper.keep(plant.slot(n))
        n += 1
    while ring.blocks.bytes - ring.offset > room + 6:
        keeper.log.reading(n % METERS, keeper.now_s[0], keeper.now_s[0] + 1, 0, [n, n])
        n += 1
    return bytes(flash.bytes), keeper.now_s[0]


def _cut(flash, at_s, slots, random):
    """Start, and store readings until the power goes."""
    keeper = Keeper(flash, None, at_s)
    keeper.log.open()
    flash.arm(random)
    shift_s = at_s - START_S
    try:
        keeper.ring.keep_consumers(CENTRES)
        while True:
            for slot_s, readings in slots:
                keeper.keep((slot_s + shift_s, [(meter, each_s + shift_s, values) for meter, each_s, values in readings]))
            shift_s += len(slots) * SLOT_S
    except Cut:
        pass


def _place_of(offset, heading_end):
    """SPEC.md, "Flash": a block begins with a mark, a header, and a heading."""
    if offset is None:
        return "erase"
    return "mark" if offset == 0 else "header" if offset == _MARK_BYTES else "heading" if offset < heading_end else "record"


print(json.dumps({"history": history, "wear": wear, "cuts": cuts}[WHAT]()))
