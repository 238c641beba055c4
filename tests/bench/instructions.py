"""*.instructions: processor instructions on the twin, counted by valgrind's callgrind. And the heap that an append takes."""

import re
import shutil
import subprocess

from metergate.onpc import ROOT
from metergate.pcgateway import twin
from tests.bench.bed import Unmeasured, need, run_on
from tests.bench.figures import DECODED

# What the board has left for Python; collections cost by its size.
_HEAP_BYTES = 256 * 1024
_INSTALL = "apt install valgrind libc6-dbg:i386"


def _count(what, n, most):
    """Instructions of a whole run with n turns; most: those of the larger run."""
    script = ROOT / "tests" / "bench" / "board" / "instructions.py"
    options = ["--tool=callgrind", "--callgrind-out-file=/dev/null"]
    words = ["valgrind", *options, twin().resolve(), "-X", f"heapsize={_HEAP_BYTES}", script, ROOT, what, n, most]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=200, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found or done.stdout.split() != [str(n)]:
        raise Unmeasured(f"valgrind: {done.stderr[-500:]} (is it complete? {_INSTALL})")
    return int(found[1])


COUNTS = (*(("decode." + protocol, 100, 300) for protocol, _ in DECODED), ("append", 400, 1200), ("read", 400, 1200))
_APPENDS = 500
# Enough for them without a collection.
_HEAP_FOR_ALL_BYTES = 8 << 20


def measure(say, counts=COUNTS):
    """All figures; counts: (what, turns of the smaller run, of the larger one)."""
    need(twin(), "make twin")
    if not shutil.which("valgrind"):
        raise Unmeasured(f"no valgrind: {_INSTALL}")
    results = {}
    for what, few, many in counts:
        say(f"{what}: {few} and {many} turns under callgrind")
        per_turn = (_count(what, many, many) - _count(what, few, many)) / (many - few)
        results[what + ".instructions"] = {"value": round(per_turn), "unit": "1", "peers": {}}
    taken, opening = run_on(twin(), "instructions.py", "heap", _APPENDS, _APPENDS, heap=_HEAP_FOR_ALL_BYTES)
    note = f"the one that opens a block: {opening}"
    results["append.heap_bytes"] = {"value": taken / _APPENDS, "unit": "B", "peers": {}, "note": note}
    return results
