"""The decoders under mutated and random bytes, beside a slow reference: fuzz.py WHAT COUNT SEED [FIRST [ROOT]]

WHAT: a name of TARGETS, or all. Runs on CPython, MicroPython and the twin, with the same inputs for a seed. A failure
prints number, bytes and the command that shows it again; the exit status is then 1. ROOT: the firmware that is tried.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import gc
import os
import sys
import time


def _root():
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    here = os.getcwd()
    os.chdir(folder + "/../..")
    root = os.getcwd()
    os.chdir(here)
    return root


if __name__ == "__main__":
    _ROOT = _root()
    _FIRMWARE = sys.argv[5] if len(sys.argv) > 5 else _ROOT
    if sys.implementation.name == "micropython":
        sys.path[:] = [".frozen", _FIRMWARE, _ROOT, _ROOT + "/lib"]
    else:
        from metergate.onpc import install

        sys.path.insert(0, _ROOT)
        install()
        sys.path.insert(0, _FIRMWARE)

from tests.sim import fuzzdata, fuzzlines
from tests.sim.fuzzdata import Wrong
from tests.sim.seeded import Seeded

# Inputs that use one decoder one after the other: what one leaves behind must not be heard by the next.
BATCH = 64
# No input keeps a decoder longer, not on a busy machine either.
_MOST_US = 3000000
# What a run may leave in the heap: small lists that have grown, the last input.
_MOST_LEFT_BYTES = 4096
_MOST_LEFT_BLOCKS = 500

TARGETS = {
    "modbus": fuzzlines.Modbus,
    "dlt645": fuzzlines.Dlt645,
    "dlt645-1997": fuzzlines.Dlt645Old,
    "cjt188": fuzzlines.Cjt188,
    "numbers": fuzzdata.Numbers,
    "dlt645data": fuzzdata.Dlt645Data,
    "cjt188data": fuzzdata.Cjt188Data,
}


def _in_use():
    """Bytes of MicroPython's heap that are in use, or blocks of CPython's."""
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else sys.getallocatedblocks()


def run(what, count, seed, first=0):
    """Try inputs first.. of a target. A dict of what they were: inputs, values, refused, near, slowest_us, left.

    Wrong at the first that is not as it should be; its arguments: the text, the input's number."""
    target = TARGETS[what](fuzzlines.Noise(seed))
    counts = {"inputs": 0, "values": 0, "refused": 0, "near": 0, "slowest_us": 0}
    before = None
    number = first - first % BATCH
    while number < first + count:
        dice = Seeded(seed * 1000003 + number // BATCH)
        try:
            target.begin(dice)
            for _ in range(min(BATCH, first + count - number)):
                begun_us = time.ticks_us()
                target.one(dice, counts)
                took_us = time.ticks_diff(time.ticks_us(), begun_us)
                counts["slowest_us"] = max(counts["slowest_us"], took_us)
                if took_us > _MOST_US:
                    raise Wrong("takes %d ms" % (took_us // 1000))
                number += 1
        except Wrong as error:
            raise Wrong(error.args[0], number)
        if before is None:
            before = _in_use()
    counts["left"] = _in_use() - before
    if counts["left"] > (_MOST_LEFT_BYTES if hasattr(gc, "mem_alloc") else _MOST_LEFT_BLOCKS):
        raise Wrong("%d more in use after the run" % counts["left"], number)
    return counts


_PROGRAMS = {"cpython": "build/venv/bin/python", "micropython": "build/bin/micropython"}


def main(what, count, seed, first=0, *_):
    """Run one target or all; the exit status."""
    for name in sorted(TARGETS) if what == "all" else [what]:
        try:
            counts = run(name, int(count), int(seed), int(first))
        except Wrong as error:
            text, number = error.args
            begin = number - number % BATCH
            print("FAILED %s, input %d of seed %s: %s" % (name, number, seed, text))
            words = _PROGRAMS[sys.implementation.name], name, number + 1 - begin, seed, begin
            print("again: %s tests/sim/fuzz.py %s %d %s %d" % words)
            return 1
        print(name, " ".join("%s=%d" % (key, counts[key]) for key in sorted(counts)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
