"""Virtual `gc`: collecting takes a board's time; the figures are made up, since the bed lives in the same heap.

The real ones, which vary with where the system puts the heap, are in the run's heap.txt."""

import gc as _real

from tests.sim import world as _world

# ESP32 with 100 KB in use.
_COLLECT_US = 15000


def collect():
    _world.current.spend(_COLLECT_US)
    _real.collect()


def mem_free():
    return 100000


def mem_alloc():
    return 60000


def threshold(n_bytes=-1):
    """Not obeyed: the bed's own litter would have the heap collected all the time."""
