"""ring.*: what a reading costs in flash, beside files of littlefs on the same simulated flash."""

from metergate.pcgateway import twin
from tests.bench.bed import need, run_on

_HEAP_BYTES = 64 << 20


def measure(say, days=12):
    """Both figures over so many days of 8 meters."""
    need(twin(), "make twin")
    say(f"ring: {days} days of 8 meters, and files of littlefs")
    costs = run_on(twin(), "ring.py", days, heap=_HEAP_BYTES)
    ours = costs.pop("metergate")
    return {
        "ring." + metric: {"value": ours[key], "unit": unit, "peers": {name: peer[key] for name, peer in sorted(costs.items())}}
        for metric, key, unit in (
            ("programmed_bytes_per_reading", "programmed_bytes", "B"),
            ("erases_per_reading", "erases", "1"),
        )
    }
