"""transactions.per_reading: how many requests a reading of all 18 points of an SDM630 takes, counted by the meter."""

import json
import tempfile
from pathlib import Path

from metergate.pcgateway import twin
from metergate.ptywire import PtyWire
from tests.bench.bed import need, run_on
from tests.sim.slave import Load, Slave, profile_registers
from tests.sim.wire import Wire

_SETTINGS = (115200, 8, None, 1)
_POINTS = 18
_READINGS = 5
# The same gateway with other blocks: registers that nobody asked for in a request, registers of a request.
_PEERS = {"a request for each point": (0, 2), "blocks without gaps": (0, 60)}


def _meter():
    """An SDM630; the registers between those of the manual hold nothing, as in the instrument."""
    told = profile_registers("sdm630", Load(36000, 1234000))
    return Slave(1, _SETTINGS, lambda address, at_us: told(address, at_us) or 0)


def _per_reading(folder, gap, most):
    """Requests for each reading that the meter has answered."""
    meter = _meter()
    wire = Wire(observe_drive=False)
    wire.set(_SETTINGS)
    wire.attach(meter)
    front = PtyWire(wire)
    front.start()
    try:
        (folder / "sim.json").write_text(json.dumps({"uarts": {"1": front.terminal}}))
        n_points = run_on(twin(), "transactions.py", gap, most, _READINGS, cwd=folder, seconds=60)
    finally:
        front.close()
    if n_points != _POINTS:
        raise RuntimeError("the profile has %d points" % n_points)
    return meter.counts["replies"] / _READINGS


def measure(say):
    """The figure, and those of other ways to make requests."""
    need(twin(), "make twin")
    say("transactions: %d readings of %d points, in three ways" % (_READINGS, _POINTS))
    with tempfile.TemporaryDirectory(prefix="metergate-bench-") as folder:
        ours = _per_reading(Path(folder), "-", "-")
        peers = {name: _per_reading(Path(folder), *blocks) for name, blocks in _PEERS.items()}
    return {"transactions.per_reading": {"value": ours, "unit": "1", "peers": peers}}
