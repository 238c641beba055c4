"""Lets CPython import the firmware: the few names that only MicroPython has."""

import asyncio
import sys
import time
import traceback
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# MicroPython's ticks wrap at 2**30 on a board with 32-bit words.
_TICKS = 1 << 30


def _ticks_diff(end, start):
    return (end - start + _TICKS // 2) % _TICKS - _TICKS // 2


def install():
    """Add the project to the path, the module `micropython`, and MicroPython's additions to time, sys and asyncio."""
    for folder in (ROOT / "lib", ROOT):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    if "micropython" not in sys.modules:
        module = types.ModuleType("micropython")
        module.const = lambda value: value
        sys.modules["micropython"] = module
    if not hasattr(time, "ticks_ms"):
        time.ticks_ms = lambda: time.monotonic_ns() // 1_000_000 % _TICKS
        time.ticks_us = lambda: time.monotonic_ns() // 1_000 % _TICKS
        time.ticks_add = lambda ticks, delta: (ticks + delta) % _TICKS
        time.ticks_diff = _ticks_diff
    if not hasattr(sys, "print_exception"):
        sys.print_exception = lambda error, file=None: traceback.print_exception(error, file=file)
    if not hasattr(asyncio, "sleep_ms"):
        asyncio.sleep_ms = lambda ms: asyncio.sleep(ms / 1000)
