"""heap.*: the smallest Python heap on which the gateway runs, by bisection on the twin."""

import time

from metergate.pcgateway import board_root, twin
from tests.bench.bed import RING_BLOCKS, Bed, need, run_text

_METERS = 8
_EVERY_S = 2
_STEP = 1024
# A try that has not come so far by then has failed; one that can run takes a third of it.
_TRY_S = 20
# Beside the firmware's own heap nothing is to be measured.
_FLASH = {
    "ring": {"file": "ring.bin", "blocks": RING_BLOCKS, "plain": True},
    "days": {"file": "days.bin", "blocks": 8, "plain": True},
}
_CONTEXT = "import gc, tls; a = gc.mem_alloc(); c = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT); print(gc.mem_alloc() - a)"


def measure(say):
    """The three figures; say(text) tells what is being done."""
    results = {}
    with Bed(_METERS, _EVERY_S) as bed:
        mpy = board_root(bed.folder / "mpy")
        frozen = bed.folder / "frozen"
        frozen.mkdir()
        for name in ("boot.py", "main.py"):
            (frozen / name).write_bytes((mpy / name).read_bytes())
        for metric, program, root, low, high in (
            ("heap.needed_mpy_bytes", twin(), mpy, 60, 180),
            ("heap.needed_frozen_bytes", twin(frozen=True), frozen, 40, 100),
        ):
            need(program, "make twin")
            context = int(run_text(program, _CONTEXT))
            needed = _bisect(bed, program, root, low, high, lambda text, metric=metric: say(f"{metric}: {text}"))
            results[metric] = {"value": needed - context, "unit": "B", "peers": {}, "tls_context_bytes": context}
        results["heap.after_start_bytes"] = {"value": _after_start(bed, frozen) - context, "unit": "B", "peers": {}}
    return results


def _bisect(bed, program, root, low, high, say):
    """The smallest heap in bytes that passes. low is taken to fail, high to pass, in KB."""
    while not _passes(bed, program, root, high * _STEP):
        if high > 400:
            raise RuntimeError("the gateway does not run in 400 KB either")
        low, high = high, high + 40
    while high - low > 1:
        middle = (low + high) // 2
        passed = _passes(bed, program, root, middle * _STEP)
        say("%d KB %s" % (middle, "is enough" if passed else "is too little"))
        low, high = (low, middle) if passed else (middle, high)
    return high * _STEP


def _passes(bed, program, root, heap):
    """True if the gateway measures, delivers, reports, and comes back after a cut of the network, on this heap."""
    before = bed.n_delivered()
    with bed.receiver.lock:
        bed.receiver.retained.clear()
    gateway = bed.gateway(program=program, heap=heap, root=root, simulation=_FLASH)
    try:
        if not _until(lambda: bed.n_delivered() - before >= 3 * _METERS and _reported(bed), gateway):
            return False
        bed.proxy.cut()
        cut = bed.n_delivered()
        if not _until(lambda: bed.n_delivered() - cut >= 3 * _METERS, gateway):
            return False
        gateway.type("status")
        # The last row of `status` without crashes is the line's; a crash would follow it.
        return _until(lambda: "\nline " in gateway.console(), gateway) and "crashed" not in gateway.console()
    finally:
        gateway.kill()


def _reported(bed):
    with bed.receiver.lock:
        health = bed.receiver.retained.get("gw-bench/health")
    return health is not None and not health["crashes"]


def _until(check, gateway):
    end = time.monotonic() + _TRY_S
    while time.monotonic() < end and gateway.is_running:
        if check():
            return True
        if "MemoryError" in gateway.console() or "not enough memory" in gateway.console():
            return False
        time.sleep(0.05)
    return False


def _after_start(bed, root):
    """Bytes allocated after a collection when the gateway reports for the first time, its TLS context included."""
    with bed.receiver.lock:
        bed.receiver.retained.clear()
    gateway = bed.gateway(program=twin(frozen=True), heap=1 << 20, root=root, simulation=_FLASH)
    try:
        if not _until(lambda: _reported(bed), gateway):
            raise RuntimeError("no health: " + gateway.console()[-500:])
        with bed.receiver.lock:
            return bed.receiver.retained["gw-bench/health"]["memory"]["used"]
    finally:
        gateway.kill()
