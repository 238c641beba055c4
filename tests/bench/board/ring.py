"""What a reading costs in flash: micropython ring.py ROOT WHAT -> one line of JSON. WHAT: ours, mount, heap or peers.

The log of 8 meters with two points every 15 minutes, two data centres that acknowledge every slot, headings, cursors and daily
summaries, in both regions, included; beside it files and trees of littlefs on the same simulated flash.
"""

# The path is set before what is found by it.

import gc
import json
import sys

if sys.implementation.name == "micropython":
    sys.path[:] = ["", ".frozen", sys.argv[1], sys.argv[1] + "/lib"]

from firmware.clock import Zone
from firmware.protocols import payload, record
from firmware.store.archive import Archive
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.dayload import DayLoad
from tests.sim.flash import Cut, NorFlash
from tests.sim.seeded import Seeded

_BLOCKS = 320
_DAYS_BLOCKS = 64
# Laps are counted on a smaller ring: what a block costs is the same.
_LAP_BLOCKS = 24
_LAPS = 3
_SLOT_S = 900
_DAY_S = 86400
_START_S = 1795276800  # 2026-11-21 16:00:00 UTC, a midnight in CST-8
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 3, record.GAUGE))
_CENTRES = ("province", "nation")
# Shape and mean power in W of each meter, from a flat to a hall of machines.
_LOADS = (
    ("house", 600),
    ("house", 900),
    ("house", 1500),
    ("pump", 2000),
    ("shop", 2500),
    ("shop", 4000),
    ("factory", 30000),
    ("factory", 60000),
)
# The files' readings, so that the largest files fit: 4 days, after which their costs have long settled.
_MOST_IN_FILES = 3000
# As MicroPython mounts a file system by itself, on an ESP32 too: extmod/vfs_lfs.c, LFS_MAKE_ARG_*.
_LFS = {"readsize": 32, "progsize": 32, "lookahead": 32}
# A reading as a struct of the usual kind: meter, quality, slot, time, two 64-bit values, padding.
_BINARY_BYTES = 32


class Week:
    """The values of the eight meters at each slot of a week, which come again with the energy of the weeks before."""

    def __init__(self):
        # Of the meters' local time: the load has no zone.
        loads = [
            DayLoad(power, 123456700 + 10000019 * i, 0, shape, _START_S + 28800, i + 1)
            for i, (shape, power) in enumerate(_LOADS)
        ]
        self._rows = []
        for slot in range(7 * _DAY_S // _SLOT_S + 1):
            at_us = slot * _SLOT_S * 1000000
            row = []
            for load in loads:
                energy, scale = load.quantity("energy_import", at_us)
                power, divisor = load.quantity("power", at_us)
                row.append((energy * 100 // scale, power * 1000 // divisor))
            self._rows.append(row)

    def values(self, slot, meter):
        """[energy in 0.01 kWh, power in W]"""
        n = len(self._rows) - 1
        week, slot = divmod(slot, n)
        energy, power = self._rows[slot][meter]
        return [energy + week * (self._rows[n][meter][0] - self._rows[0][meter][0]), power]


class Unit:
    """A log on flashes of so many blocks, and what a gateway does with it in a slot."""

    def __init__(self, week, n_blocks):
        self.week = week
        self.now_s = _START_S
        self.flash = NorFlash(n_blocks)
        self.days = NorFlash(_DAYS_BLOCKS)
        self.random = Seeded(5)
        self.slot = self.n = 0
        self.start()

    def start(self):
        self.ring = Ring(self.flash, lambda: self.now_s)
        names = [record.MeterNames("meter%d" % i, _SLOT_S, _POINTS) for i in range(len(_LOADS))]
        self.log = Log(self.ring, Zone("CST-8"), "a1b2c3d4", names, Archive(self.days, lambda: self.now_s))
        self.log.open()
        self.ring.keep_consumers(_CENTRES)

    def read(self):
        """A slot: each meter in turn takes 1 or 2 s, both data centres acknowledge, the store does what is due."""
        slot_s = _START_S + self.slot * _SLOT_S
        self.now_s = slot_s
        for meter in range(len(_LOADS)):
            # A reply now and then falls into the next second.
            self.now_s = slot_s + 1 + meter + (self.random.below(8) == 0)
            self.log.reading(meter, slot_s, self.now_s, 0, self.week.values(self.slot, meter))
            self.n += 1
        for centre in _CENTRES:
            self.ring.acknowledge(centre, self.ring.next_seq - 1)
        self.slot += 1
        self.tend()

    def tend(self):
        self.now_s += 60
        for ring in self.log.rings():
            ring.prepare()
        self.ring.save_cursors()


def ours(week):
    """Laps of a ring; figures of the last ones, when all has settled."""
    unit = Unit(week, _LAP_BLOCKS)
    while sum(unit.flash.erases) < _LAP_BLOCKS:
        unit.read()
    first = unit.n, unit.slot, sum(unit.flash.erases), _programmed(unit), unit.ring.record_bytes
    # What is on its way to the end of a block counts with it: from the opening of one to that of another.
    while sum(unit.flash.erases) < _LAPS * _LAP_BLOCKS:
        unit.read()
    n, slots, erases = unit.n - first[0], unit.slot - first[1], sum(unit.flash.erases) - first[2]
    main, days = [now - before for now, before in zip(_programmed(unit), first[3])]
    return {
        "bytes_per_reading": (main + days) / n,
        "write_amplification": main / (unit.ring.record_bytes - first[4]),
        "erases_per_mib_stored": erases * 1048576 / main,
        "erases_per_reading": (erases + sum(unit.days.erases)) / n,
        "wear_spread": max(unit.flash.erases) - min(unit.flash.erases),
        "history_days": (_BLOCKS - 2) * slots * _SLOT_S / erases / _DAY_S,
        "days_years": (_DAYS_BLOCKS - 1) * 4096 / (days * 365 * _DAY_S / (slots * _SLOT_S)),
    }


def _programmed(unit):
    return sum(unit.flash.programmed_bytes), sum(unit.days.programmed_bytes)


def mounted(week, n_cuts=100):
    """Bytes read to mount a full ring, and the most after any of many cuts."""
    unit = Unit(week, _BLOCKS)
    filler = b'"event":"%s"' % (b"x" * 3000)
    while unit.ring.first_seq == 1:
        unit.ring.append(record.EVENT, filler)
        unit.tend()
    # The newest blocks as they are in life, the last one nearly full.
    block = unit.ring.block
    while (unit.ring.block - block) % _BLOCKS < 2 or unit.ring.offset < 4000:
        unit.read()
    found = {"mount_bytes_read": _mount(unit.flash)}
    worst = 0
    random = Seeded(9)
    for _ in range(n_cuts):
        which = random.below(4)
        if which == 0:
            unit.flash.cut_in_erase = 0
        else:
            unit.flash.cut_after = random.below((0, 400, 2000, 8000)[which])
        # Often while blocks are opened one after another.
        try:
            while True:
                if which == 1 or random.below(40) == 0:
                    unit.ring.offset = 4096
                unit.read()
        except Cut:
            unit.flash.power_on()
        worst = max(worst, _mount(unit.flash))
        unit.start()
    found["mount_bytes_read_worst"] = worst
    return found


def _mount(flash):
    before = flash.read_bytes
    Ring(flash, lambda: _START_S).mount()
    return flash.read_bytes - before


class Still:
    """A flash in a piece of memory that takes no other for what it does."""

    def __init__(self, n_blocks):
        self._bytes = bytearray(b"\xff" * (n_blocks * 4096))

    def readblocks(self, block, buf, offset=0):
        at = block * 4096 + offset
        for i in range(len(buf)):
            buf[i] = self._bytes[at + i]

    def writeblocks(self, block, buf, offset):
        at = block * 4096 + offset
        for i in range(len(buf)):
            self._bytes[at + i] = buf[i]

    def ioctl(self, operation, argument):
        if operation == 6:
            for i in range(argument * 4096, argument * 4096 + 4096):
                self._bytes[i] = 0xFF
        return {4: len(self._bytes) // 4096, 5: 4096}.get(operation, 0)


def heap(week):
    """Python heap that the ring takes for a reading, and the most for one that opens a block."""
    unit = Unit(week, _LAP_BLOCKS)
    ring = Ring(Still(8), lambda: unit.now_s)
    ring.mount()
    ring.heading = unit.ring.heading
    gc.threshold(-1)
    most = total = 0
    for i in range(2000):
        ring.prepare()
        values = week.values(i // 8, i % 8)
        slot = i // 8 * _SLOT_S
        if i % 100 == 0:
            gc.collect()
        before = gc.mem_alloc()
        ring.reading(i % 8, slot, 3, 0, values)
        took = gc.mem_alloc() - before
        most = max(most, took)
        total += took if took < 1000 else 0
    return {"append_heap_bytes": total / 2000, "open_heap_bytes": most}


def readings():
    for slot in range(_MOST_IN_FILES // len(_LOADS)):
        for meter in range(len(_LOADS)):
            yield slot, meter, _START_S + slot * _SLOT_S


def as_json(week, slot, meter, slot_s):
    found = record.Reading("meter%d" % meter, _POINTS, slot_s, slot_s + 2 + meter, 0, week.values(slot, meter))
    return payload.reading(slot * len(_LOADS) + meter + 1, found).encode() + b"\n"


def as_binary(week, slot, meter, slot_s):
    return bytes(_BINARY_BYTES - 1) + b"\x01"


def littlefs(week, form, per_flush):
    """Readings appended to a file on VfsLfs2, one file a day as logs usually are."""
    import vfs

    flash = NorFlash(_BLOCKS)
    vfs.VfsLfs2.mkfs(flash, **_LFS)
    vfs.mount(vfs.VfsLfs2(flash, mtime=True, **_LFS), "/log")
    before = sum(flash.programmed_bytes), sum(flash.erases)
    n = 0
    file = None
    for slot, meter, slot_s in readings():
        if slot * _SLOT_S % 86400 == 0 and meter == 0:
            if file:
                file.close()
            # One handle a day, as loggers do that care: opening for each reading costs more.
            file = open("/log/%d" % (slot_s // 86400), "ab")
        file.write(form(week, slot, meter, slot_s))
        n += 1
        if n % per_flush == 0:
            file.flush()
    file.close()
    vfs.umount("/log")
    return costs(flash, n, before)


def costs(flash, n, before):
    """Bytes programmed for a reading, erases for a MiB of readings of 32 bytes ..."""
    programmed = sum(flash.programmed_bytes) - before[0]
    return {"bytes_per_reading": programmed / n, "erases_per_reading": (sum(flash.erases) - before[1]) / n}


def tree(week, per_flush):
    """Readings in a B-tree in a file on VfsLfs2, by meter and slot."""
    import btree
    import vfs

    flash = NorFlash(_BLOCKS)
    vfs.VfsLfs2.mkfs(flash, **_LFS)
    vfs.mount(vfs.VfsLfs2(flash, mtime=True, **_LFS), "/log")
    file = open("/log/tree", "w+b")
    db = btree.open(file)
    before = sum(flash.programmed_bytes), sum(flash.erases)
    n = 0
    for slot, meter, slot_s in readings():
        db[b"%08x%02x" % (slot_s, meter)] = as_binary(week, slot, meter, slot_s)
        n += 1
        if n % per_flush == 0:
            db.flush()
            file.flush()
    found = costs(flash, n, before)
    db.close()
    file.close()
    vfs.umount("/log")
    return found


def peers(week):
    found = {
        "littlefs JSON, flush each": littlefs(week, as_json, 1),
        "littlefs 32 B, flush each": littlefs(week, as_binary, 1),
        "littlefs JSON, flush per 16": littlefs(week, as_json, 16),
        "littlefs 32 B, flush per 16": littlefs(week, as_binary, 16),
    }
    try:
        found["btree, flush each"] = tree(week, 1)
        found["btree, flush per 16"] = tree(week, 16)
    except ImportError:
        # Not in this build.
        return found
    return found


PARTS = {"ours": ours, "mount": mounted, "heap": heap, "peers": peers}

if __name__ == "__main__":
    # What lives long stays together, so that a flash finds its place.
    gc.threshold(1 << 20)
    print(json.dumps(PARTS[sys.argv[2]](Week())))
