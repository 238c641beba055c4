"""make proof: python -m tests.proof [COUNT [SEED]]: every cut of a ring's life; the fuzz, a million inputs for each target."""

import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import metergate.onpc

metergate.onpc.install()

from metergate.onpc import ROOT  # noqa: E402
from metergate.pcgateway import micropython  # noqa: E402
from tests.sim import ringrig  # noqa: E402
from tests.sim.fuzz import TARGETS  # noqa: E402

_MOST_S = 3600
# The ring whose life is cut; of so many cuts one has its recovery cut too, and of those in what opens a block; and how many
# there are at least.
_BLOCKS = 4
_DEEP = 40
_OPENING = 6
_LEAST_CUTS = 100000
# For each core.
_PARTS = 8


def _try(job):
    """(name, what it printed, whether all was well, seconds) of one target on one program."""
    name, program, target, count, seed = job
    begun = time.monotonic()
    words = [program, ROOT / "tests/sim/fuzz.py", target, count, seed]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=_MOST_S, check=False)
    text = (done.stdout + (done.stderr if done.returncode else "")).strip()
    return name, text, done.returncode == 0, time.monotonic() - begun


def _prove_ring(part, n_parts):
    """(cuts checked, recoveries cut everywhere) of this part of all cuts of a lap."""
    life, journal = ringrig.lap(_BLOCKS)
    proof = ringrig.Proof(life, 1, _DEEP, _OPENING)
    proof.run(journal, part, n_parts)
    return proof.n_checked, proof.n_recoveries


def prove_ring():
    """Cut the power at every byte programmed and in every erase of a ring's lap, and of many recoveries; how many cuts."""
    n_cores = os.cpu_count()
    # Some parts take longer.
    n_parts = n_cores * _PARTS
    begun = time.monotonic()
    with ProcessPoolExecutor(n_cores) as pool:
        found = list(pool.map(_prove_ring, range(n_parts), [n_parts] * n_parts))
    n_cuts, n_recoveries = (sum(column) for column in zip(*found, strict=True))
    text = "%d cuts of a ring, those of %d recoveries among them; %d s"
    print(text % (n_cuts, n_recoveries, time.monotonic() - begun), flush=True)
    return n_cuts


def main(count="1000000", seed="1"):
    """Try all targets on CPython and MicroPython, as many at a time as there are cores; the exit status."""
    programs = ("MicroPython", micropython()), ("CPython", sys.executable)
    jobs = [(name, program, target, count, seed) for name, program in programs for target in TARGETS]
    failed = prove_ring() < _LEAST_CUTS
    begun = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, text, is_good, seconds in pool.map(_try, jobs):
            failed += not is_good
            print("%-12s %4d s  %s" % (name, seconds, text), flush=True)
    print("%d of %d failed; %d s" % (failed, len(jobs), time.monotonic() - begun))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
