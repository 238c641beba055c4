"""ring.*: what the log costs in flash, how long it reaches and what a start reads; beside files on the same simulated flash."""

from concurrent.futures import ThreadPoolExecutor

from metergate.pcgateway import twin
from tests.bench.bed import RING_BLOCKS, need, run_on

_HEAP_BYTES = 192 << 20
_MIB = 1 << 20
_DAY_S = 86400
_YEAR_S = 365 * _DAY_S
_BLOCK_BYTES = 4096
_DAYS_BLOCKS = 64
# Turns of the scripts, the longest first: cuts, blocks that are filled, laps of a small ring, slots that the peers keep.
COUNTS = {"cuts": 640, "history": RING_BLOCKS, "wear": 6, "peers": 384}


def measure(say, counts=COUNTS):
    """All figures. counts: as COUNTS has them, for fewer of each."""
    need(twin(), "make twin")
    say("ring: %(history)d blocks are filled, %(wear)d laps of a small ring, %(cuts)d cuts, files of littlefs" % counts)
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(counts, pool.map(_run, counts, counts.values())))
    history, wear, cuts = found["history"], found["wear"], found["cuts"]
    n, days = history["readings"], history["days_bytes"]
    of_records = (history["programmed_bytes"] - days) * history["numbered_share"]
    twice = (history["programmed_bytes"] / of_records, 1 / history["numbered_share"])
    return {
        "ring.bytes_per_reading": _figure(
            history["programmed_bytes"] / n,
            "B",
            f"of it the region of daily summaries: {days / n:.2f}",
            _peers(found, "programmed_bytes"),
        ),
        "ring.erases_per_reading": _figure(history["erases"] / n, "1", "", _peers(found, "erases")),
        "ring.write_amplification": _figure(
            history["programmed_bytes"] / history["record_bytes"],
            "1",
            "over those of records alone, without notes: %.3f; without the region of daily summaries: %.3f" % twice,
        ),
        "ring.erases_per_mib_stored": _figure(wear["erases"] * _MIB / wear["programmed_bytes"], "1/MiB"),
        "ring.wear_spread": _figure(wear["spread"], "1"),
        "ring.history_days": _figure(history["history_s"] / _DAY_S, "d"),
        "ring.days_years": _figure(_years(history), "a"),
        "ring.mount_bytes_read": _figure(history["mount_bytes_read"], "B"),
        "ring.mount_bytes_read_worst": _figure(cuts["worst"][0], "B", _cuts_text(cuts)),
    }


def _years(history):
    """How far back daily summaries reach: their region, less the blocks that are erased ahead."""
    return (_DAYS_BLOCKS - 2) * _BLOCK_BYTES / history["days_bytes"] * history["for_s"] / _YEAR_S


def _run(what, n):
    if what == "peers":
        return run_on(twin(), "ringpeers.py", n, heap=_HEAP_BYTES)
    return run_on(twin(), "ring.py", what, n, heap=_HEAP_BYTES)


def _figure(value, unit, note="", more=None):
    return {"value": value, "unit": unit, "peers": {}, **({"note": note} if note else {}), **(more or {})}


def _peers(found, key):
    """The peers' figures, and who was not measured."""
    peers = {name: costs[key] for name, costs in sorted(found["peers"]["peers"].items())}
    failed = {} if found["peers"]["has_btree"] else {"failed": {"btree on littlefs": "this MicroPython has no btree"}}
    return {"peers": peers, **failed}


def _cuts_text(cuts):
    """Where the power went, and what a start reads if it goes again soon."""
    places = ", ".join("%d in %s" % (n, place) for place, n in sorted(cuts["places"].items()))
    again = ", ".join("%d" % most for most in cuts["worst"][1:])
    return f"{cuts['cuts']} cuts: {places}; where it goes a second and a third time in a row: {again}"
