"""The unit tests again, on MicroPython of 64 bits and on the twin: one test here for each of their modules."""

import subprocess
from pathlib import Path

import pytest

from metergate.onpc import ROOT
from metergate.pcgateway import micropython, twin

_UNIT = Path(__file__).parents[1] / "unit"
_MODULES = sorted(path.stem for path in _UNIT.glob("test_*.py"))
# The tests' own source is compiled in this heap too; so most modules need 60 to 250 KB, the greediest 500 KB: twice that,
# since what a conservative collector keeps, and so in how many pieces the rest lies, depends on where the heap stands.
_HEAP_BYTES = 1_200_000
# These hold flashes of up to 128 KB, and images of them, in the heap, or the source of half the firmware, compiled there.
_LARGE_HEAP_BYTES = 4_000_000
# Twice as much where a word has 64 bits. Heap is never moved: one piece of 32 KB needs more than 32 KB free.
_WIDE_HEAP_BYTES = 8_000_000
_LARGE = ("test_log", "test_outbox", "test_ring", "test_ring_cuts", "test_identity", "test_raw", "test_scan")
_LARGE += ("test_poll", "test_poll_busy")


def _run(module, *words):
    command = [*words, _UNIT / "run.py", module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    print(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("module", _MODULES)
def test_units_on_micropython(module):
    _run(module, micropython(), "-X", f"heapsize={_WIDE_HEAP_BYTES}")


@pytest.mark.parametrize("module", _MODULES)
def test_units_on_the_twin(module, needs_twin):
    _run(module, twin(), "-X", f"heapsize={_LARGE_HEAP_BYTES if module in _LARGE else _HEAP_BYTES}")
