"""ring.*: what a reading costs in flash, beside files of littlefs on the same simulated flash."""

from metergate.pcgateway import micropython
from tests.bench.bed import run_on
from tests.bench.board import ring as board

_HEAP_BYTES = 32 << 20
_FIGURES = (
    ("bytes_per_reading", "B"),
    ("write_amplification", "1"),
    ("erases_per_mib_stored", "1"),
    ("wear_spread", "1"),
    ("history_days", "d"),
    ("days_years", "a"),
    ("mount_bytes_read", "B"),
    ("mount_bytes_read_worst", "B"),
    ("append_heap_bytes", "B"),
    ("open_heap_bytes", "B"),
)


def measure(say, n_cuts=1000):
    """All figures; n_cuts: after so many a mount is measured."""
    say("ring: laps of 8 meters, and files of littlefs")
    ours = run_on(micropython(), "ring.py", "ours", heap=_HEAP_BYTES)
    peers = run_on(micropython(), "ring.py", "peers", heap=_HEAP_BYTES)
    ours.update(run_on(micropython(), "ring.py", "heap", heap=_HEAP_BYTES))
    say(f"ring: mounts after {n_cuts} cuts")
    # Here, where it takes a tenth of the time: what is read is the same.
    ours.update(board.mounted(board.Week(), n_cuts))
    found = {}
    for name, unit in _FIGURES:
        found["ring." + name] = {
            "value": ours[name],
            "unit": unit,
            "peers": {p: peers[p][name] for p in sorted(peers) if name in peers[p]},
        }
    # What the peers wear: as erases for each reading, since they store it in another size.
    value = ours["erases_per_reading"]
    found["ring.erases_per_reading"] = {
        "value": value,
        "unit": "1",
        "peers": {p: peers[p]["erases_per_reading"] for p in sorted(peers)},
    }
    return found
