"""line.*: how much of an exchange's time the wire itself needs, beside other masters on the same line."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from metergate.onpc import ROOT
from metergate.pcgateway import twin
from metergate.ptywire import PtyWire
from tests.bench.bed import Unmeasured, need, run_on
from tests.bench.linepeers import PEERS
from tests.sim.chars import silence_us, span_us
from tests.sim.slave import Slave
from tests.sim.wire import Wire

_TURNAROUND_US = 2000
_COUNT = 20
_REQUEST_BYTES = 8
_REPLY_BYTES = 5 + 2 * _COUNT
# Each master's exchanges are done in so many rounds, the masters in turn, so that a busy machine is so for all.
_ROUNDS = 4
_TICK_MS = 10


def settings_of(baud):
    return baud, 8, None, 1


def needed_us(baud):
    """What the wire needs for an exchange: request, turnaround, reply and one silence."""
    settings = settings_of(baud)
    return span_us(settings, _REQUEST_BYTES) + _TURNAROUND_US + span_us(settings, _REPLY_BYTES) + silence_us(settings)


class _BenchLine:
    """One exact meter with 20 registers in a row behind a terminal, in a thread of this process. Use with `with`.

    This process does nothing else meanwhile; the masters are processes of their own."""

    def __init__(self, baud):
        registers = {register: (register + 1) << 8 | 255 - register for register in range(_COUNT)}
        wire = Wire(observe_drive=False)
        wire.set(settings_of(baud))
        wire.attach(Slave(1, settings_of(baud), registers, _TURNAROUND_US))
        self._front = PtyWire(wire)
        self.terminal = self._front.terminal

    def __enter__(self):
        self._front.start()
        return self

    def __exit__(self, *_):
        self._front.close()


def _on_twin(who, terminal, baud, n, folder, tick_ms=0):
    simulation = {"uarts": {"1": terminal}, **({"tick_ms": tick_ms} if tick_ms else {})}
    (folder / "sim.json").write_text(json.dumps(simulation))
    return run_on(twin(), "line.py", who, baud, n, cwd=folder, seconds=60)


def _on_pc(who, terminal, baud, n):
    words = [sys.executable, "-m", "tests.bench.linepeers", who, terminal, str(baud), str(n)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Unmeasured(f"{who}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _masters(folder):
    """name -> function(terminal, baud, n) that gives the times of n exchanges in us."""
    found = {
        "metergate": lambda *where: _on_twin("metergate", *where, folder),
        "metergate, ticks": lambda *where: _on_twin("metergate", *where, folder, _TICK_MS),
        "umodbus": lambda *where: _on_twin("umodbus", *where, folder),
    }
    for who in PEERS:
        found[who] = lambda *where, who=who: _on_pc(who, *where)
    return found


def measure(say, counts=((9600, 80), (115200, 400))):
    """Figures for each baud rate; counts: (baud, exchanges of each master)."""
    need(twin(), "make twin")
    results = {}
    with tempfile.TemporaryDirectory(prefix="metergate-bench-") as folder:
        for baud, n in counts:
            results.update(_measure_baud(say, baud, n, _masters(Path(folder))))
    return results


def _measure_baud(say, baud, n, masters):
    times = {who: [] for who in masters}
    failed = {}
    with _BenchLine(baud) as line:
        for i in range(_ROUNDS):
            say(f"line at {baud}, round {i + 1} of {_ROUNDS}: {'; '.join(masters)}")
            for who, run in masters.items():
                if who not in failed:
                    _add(times[who], failed, who, lambda run=run: run(line.terminal, baud, n // _ROUNDS))
    for who in ("metergate", "metergate, ticks"):
        if who in failed:
            raise Unmeasured(f"line at {baud}: {failed[who]}")
    efficiency = {who: needed_us(baud) / statistics.median(found) for who, found in times.items() if who not in failed}
    ours, ticks = efficiency.pop("metergate"), efficiency.pop("metergate, ticks")
    name = f"line.efficiency.{baud}"
    more = {"median_us": {who: round(statistics.median(found)) for who, found in times.items() if found}, "n": n}
    first = {"value": ours, "unit": "1", "peers": efficiency, **more}
    if failed:
        first["failed"] = failed
    return {name: first, name + ".ticks": {"value": ticks, "unit": "1", "peers": {}}}


def _add(times, failed, who, run):
    """A master that cannot do it is named with its reason; it does not take the others' figures away."""
    try:
        times.extend(run())
    except (Unmeasured, RuntimeError, subprocess.TimeoutExpired) as error:
        failed[who] = str(error)
