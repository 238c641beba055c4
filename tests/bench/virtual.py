"""Scripts of tests/bench/board in virtual time: the twin, MicroPython's own asyncio, no clock but the simulated one."""

from metergate.pcgateway import twin
from metergate.soak import modules
from tests.bench.bed import need, run_on

_HEAP_BYTES = 16 << 20


def run_virtual(script, *arguments, seconds=300):
    """What a script prints as its last line, JSON. RuntimeError if MicroPython's source is missing."""
    return run_on(need(twin(), "make twin"), script, modules().parent, *arguments, heap=_HEAP_BYTES, seconds=seconds)
