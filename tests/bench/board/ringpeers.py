"""What a reading costs in flash where others keep it: micropython ringpeers.py ROOT SLOTS -> one line of JSON.

The same readings on the same simulated flash, in files of littlefs; in a btree on one, where MicroPython has that module.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import json
import struct
import sys

ROOT, SLOTS = sys.argv[1], int(sys.argv[2])
sys.path[:] = ["", ".frozen", ROOT, ROOT + "/lib"]

import vfs

try:
    import btree
except ImportError:
    btree = None

from firmware.protocols import payload, record
from tests.bench.board.plant import METERS, POINTS, SLOT_S, START_S, Plant
from tests.sim.flash import NorFlash

_BLOCKS = 320
# As MicroPython mounts a file system by itself, on an ESP32 too: extmod/vfs_lfs.c, LFS_MAKE_ARG_*.
_LFS = {"readsize": 32, "progsize": 32, "lookahead": 32}
_DAY_SLOTS = 86400 // SLOT_S
# A reading as a struct of the usual kind: seq, slot, time, meter, quality, padding, two 64-bit values.
_BINARY = "<IIIBBHqq"


def as_json(seq, meter, slot_s, at_s, values):
    return payload.reading(seq, record.Reading("meter%d" % meter, POINTS, slot_s, at_s, 0, values)).encode() + b"\n"


def as_binary(seq, meter, slot_s, at_s, values):
    return struct.pack(_BINARY, seq, slot_s - START_S, at_s - START_S, meter, 0, 0, values[0], values[1])


class Files:
    """Lines or records appended to a file a day, as logs usually are."""

    def __init__(self, form):
        self._form = form
        self._file = None

    def open(self, slot):
        if slot % _DAY_SLOTS == 0:
            self.close()
            # One handle a day, as loggers do that care: opening for each reading costs more.
            self._file = open("/log/%d" % (slot // _DAY_SLOTS), "ab")

    def put(self, *reading):
        self._file.write(self._form(*reading))

    def flush(self):
        self._file.flush()

    def close(self):
        if self._file:
            self._file.close()


class Tree:
    """Records in a btree by their seq, which grows."""

    def __init__(self, _):
        self._db = None

    def open(self, slot):
        if self._db is None:
            self._file = open("/log/db", "w+b")
            self._db = btree.open(self._file)

    def put(self, *reading):
        self._db[struct.pack(">I", reading[0])] = as_binary(*reading)

    def flush(self):
        self._db.flush()
        self._file.flush()

    def close(self):
        self._db.close()
        self._file.close()


def costs(kind, form, per_flush):
    """Programmed bytes and erases for each reading."""
    flash = NorFlash(_BLOCKS)
    vfs.VfsLfs2.mkfs(flash, **_LFS)
    vfs.mount(vfs.VfsLfs2(flash, mtime=True, **_LFS), "/log")
    before = sum(flash.programmed_bytes), sum(flash.erases)
    kept, n = kind(form), 0
    for number, (slot_s, readings) in enumerate(_SLOTS):
        kept.open(number)
        for meter, at_s, values in readings:
            n += 1
            kept.put(n, meter, slot_s, at_s, values)
            if n % per_flush == 0:
                kept.flush()
    kept.close()
    vfs.umount("/log")
    return {
        "programmed_bytes": (sum(flash.programmed_bytes) - before[0]) / n,
        "erases": (sum(flash.erases) - before[1]) / n,
    }


_PLANT = Plant()
_SLOTS = [_PLANT.slot(number) for number in range(SLOTS)]
_KINDS = [("littlefs JSON", Files, as_json), ("littlefs 32 B", Files, as_binary)]
if btree:
    _KINDS.append(("btree on littlefs", Tree, None))
found = {}
for name, kind, form in _KINDS:
    found[name + ", flush each"] = costs(kind, form, 1)
    found[name + ", flush per 16"] = costs(kind, form, 16)
print(json.dumps({"readings": SLOTS * METERS, "has_btree": bool(btree), "peers": found}))
