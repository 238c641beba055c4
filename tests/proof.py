"""make proof: python -m tests.proof [COUNT [SEED]]: the fuzz with a million inputs for each of its targets."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import metergate.onpc

metergate.onpc.install()

from metergate.onpc import ROOT  # noqa: E402
from metergate.pcgateway import micropython  # noqa: E402
from tests.sim.fuzz import TARGETS  # noqa: E402

_MOST_S = 3600


def _try(job):
    """(name, what it printed, whether all was well, seconds) of one target on one program."""
    name, program, target, count, seed = job
    begun = time.monotonic()
    words = [program, ROOT / "tests/sim/fuzz.py", target, count, seed]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=_MOST_S, check=False)
    text = (done.stdout + (done.stderr if done.returncode else "")).strip()
    return name, text, done.returncode == 0, time.monotonic() - begun


def main(count="1000000", seed="1"):
    """Try all targets on CPython and MicroPython, as many at a time as there are cores; the exit status."""
    programs = ("MicroPython", micropython()), ("CPython", sys.executable)
    jobs = [(name, program, target, count, seed) for name, program in programs for target in TARGETS]
    failed = 0
    begun = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, text, is_good, seconds in pool.map(_try, jobs):
            failed += not is_good
            print("%-12s %4d s  %s" % (name, seconds, text), flush=True)
    print("%d of %d failed; %d s" % (failed, len(jobs), time.monotonic() - begun))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
