"""Heap of the store through a million readings: micropython appends.py ROOT FOLDER COUNT. By test_store.py.

Ring and archive in files in FOLDER, 8 meters, three consumers that acknowledge each slot. Prints one line of JSON: readings;
early and late, the most bytes in use after a collection in the second twentieth and in the last one of them; laps of the
ring; days, the summaries that were written; first_seq, the oldest record held.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import gc
import json
import sys

ROOT, FOLDER, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path[:] = [".frozen", ROOT, ROOT + "/lib", ""]

from firmware.clock import Zone
from firmware.protocols import record
from firmware.store.archive import Archive
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.plainflash import PlainFlash

_RING_BLOCKS = 32
_DAYS_BLOCKS = 8
_METERS = 8
_SLOT_S = 900
_START_S = 1795276800  # 2026-11-21 16:00:00 UTC, a midnight in CST-8
_CONSUMERS = ("province", "nation", "owner")
_LOOKS = 200


class Clock:
    """now_s() gives what s was set to."""

    s = _START_S

    def now_s(self):
        return self.s


def store():
    clock = Clock()
    ring = Ring(PlainFlash(FOLDER + "/ring.bin", _RING_BLOCKS), clock.now_s)
    archive = Archive(PlainFlash(FOLDER + "/days.bin", _DAYS_BLOCKS), clock.now_s)
    points = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 3, record.GAUGE))
    names = [record.MeterNames("meter%d" % i, _SLOT_S, points) for i in range(_METERS)]
    log = Log(ring, Zone("CST-8"), "00000000", names, archive)
    log.open()
    ring.keep_consumers(_CONSUMERS)
    early = late = 0
    for slot in range(COUNT // _METERS):
        slot_s = _START_S + slot * _SLOT_S
        for meter in range(_METERS):
            clock.s = slot_s + 2 + meter
            seq = log.reading(meter, slot_s, clock.s, 0, [412491 + 31 * meter + slot * 12, 500 + slot * 7919 % 4000])
        for name in _CONSUMERS:
            ring.acknowledge(name, seq)
        for each in log.rings():
            each.prepare()
        ring.save_cursors()
        n = (slot + 1) * _METERS
        if slot % (COUNT // _METERS // _LOOKS) == 0:
            gc.collect()
            if COUNT // 20 < n <= COUNT // 10:
                early = max(early, gc.mem_alloc())
            elif n > COUNT - COUNT // 20:
                late = max(late, gc.mem_alloc())
    return {
        "readings": log.counts[record.READING],
        "days": log.counts[record.DAY],
        "unkept": log.n_unkept,
        "early": early,
        "late": late,
        "laps": ring.generation // _RING_BLOCKS,
        "first_seq": ring.first_seq,
        "next_seq": ring.next_seq,
    }


print(json.dumps(store()))
