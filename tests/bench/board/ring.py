"""What a reading costs in flash: micropython ring.py ROOT DAYS -> one line of JSON.

The log of 8 meters with two points every 15 minutes, a data centre that acknowledges every slot, headings, cursors and
daily summaries included; beside it littlefs files on the same simulated flash.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import json
import sys

sys.path[:] = ["", ".frozen", sys.argv[1], sys.argv[1] + "/lib"]

import vfs

from firmware.clock import Zone
from firmware.protocols import payload, record
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import NorFlash

_BLOCKS = 320
_METERS = 8
_DAYS = int(sys.argv[2])
_SLOT_S = 900
_START_S = 1795276800  # 2026-11-21 16:00:00 UTC, a midnight in CST-8
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
# The files' readings, so that the largest files fit: 4 days, after which their costs have long settled.
_MOST_IN_FILES = 3000
# As MicroPython mounts a file system by itself, on an ESP32 too: extmod/vfs_lfs.c, LFS_MAKE_ARG_*.
_LFS = {"readsize": 32, "progsize": 32, "lookahead": 32}
# A reading as a struct of the usual kind: meter, quality, slot, time, two 64-bit values, padding.
_BINARY_BYTES = 32


def values_of(meter, slot):
    """Energy in 0.01 kWh and power in 0.1 W, as they grow and swing in a plant."""
    return [123456700 + meter * 10000019 + slot * (25 + meter), 1000000 + (slot * 7919 + meter * 104729) % 400000]


def readings():
    for slot in range(_DAYS * 86400 // _SLOT_S):
        for meter in range(_METERS):
            yield slot, meter, _START_S + slot * _SLOT_S


def costs(flash, n):
    return {"programmed_bytes": sum(flash.programmed_bytes) / n, "erases": sum(flash.erases) / n}


def ours():
    now_s = [_START_S]
    flash = NorFlash(_BLOCKS)
    ring = Ring(flash, lambda: now_s[0])
    zone = Zone("CST-8")
    log = Log(ring, zone, "00000000", [record.MeterNames("meter%d" % i, _SLOT_S, _POINTS) for i in range(_METERS)])
    log.open()
    ring.keep_consumers(["centre"])
    n = 0
    for slot, meter, slot_s in readings():
        now_s[0] = slot_s + 2 + meter
        seq = log.reading(meter, slot_s, now_s[0], 0, values_of(meter, slot))
        n += 1
        if meter == _METERS - 1:
            ring.acknowledge("centre", seq)
            now_s[0] += 60
            ring.save_cursors()
            ring.prepare()
    return costs(flash, n)


def as_json(slot, meter, slot_s):
    values = values_of(meter, slot)
    found = record.Reading("meter%d" % meter, _POINTS, slot_s, slot_s + 2 + meter, 0, values)
    return payload.reading(slot * _METERS + meter + 1, found).encode() + b"\n"


def as_binary(slot, meter, slot_s):
    return bytes(_BINARY_BYTES - 1) + b"\x01"


def littlefs(form, per_flush):
    """Readings appended to a file on VfsLfs2, one file a day as logs usually are."""
    flash = NorFlash(_BLOCKS)
    vfs.VfsLfs2.mkfs(flash, **_LFS)
    vfs.mount(vfs.VfsLfs2(flash, mtime=True, **_LFS), "/log")
    before = sum(flash.programmed_bytes), sum(flash.erases)
    n = 0
    file = None
    for slot, meter, slot_s in readings():
        if n == _MOST_IN_FILES:
            break
        if slot * _SLOT_S % 86400 == 0 and meter == 0:
            if file:
                file.close()
            # One handle a day, as loggers do that care: opening for each reading costs more.
            file = open("/log/%d" % (slot_s // 86400), "ab")
        file.write(form(slot, meter, slot_s))
        n += 1
        if n % per_flush == 0:
            file.flush()
    file.close()
    vfs.umount("/log")
    return {
        "programmed_bytes": (sum(flash.programmed_bytes) - before[0]) / n,
        "erases": (sum(flash.erases) - before[1]) / n,
    }


print(
    json.dumps(
        {
            "metergate": ours(),
            "littlefs JSON, flush each": littlefs(as_json, 1),
            "littlefs 32 B, flush each": littlefs(as_binary, 1),
            "littlefs JSON, flush per 16": littlefs(as_json, 16),
            "littlefs 32 B, flush per 16": littlefs(as_binary, 16),
        }
    )
)
