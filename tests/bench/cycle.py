"""cycle.*, dead.*, midnight.*: slots of mixed meters on one line, beside what its wire needs, and beside dead meters."""

import json
import statistics
import tempfile
from pathlib import Path

from metergate.pcgateway import twin
from metergate.ptywire import HOLD_US, PtyWire
from tests.bench.bed import need, run_on
from tests.bench.board.mixed import LINE, METERS
from tests.bench.board.watched import Watch, cost_of
from tests.bench.virtual import run_virtual
from tests.sim.meters import slave_of
from tests.sim.wire import Wire

# One of Modbus, one of DL/T 645.
DEAD = "modbus2,dlt645_2"
_TURNAROUND_US = 20000
_TICK_MS = 10
# Slots until a dead meter is asked every 15 minutes only, by their distance in seconds.
_SETTLED = {60: 32, 5: 300}
# And how many hold a whole such time.
_SLOTS = {60: 30, 5: 180}
# As firmware/config.py has them: what a dead meter may take of its first slot.
_TIMEOUT_US, _TRIES = 1000000, 3
# A tick of the loop and one turn of it, request, its silence.
_MORE_US = 150000
_MASTERS = {
    "pause 50": "the next request 50 ms after each reply",
    "pause 100": "the next request 100 ms after each reply",
    "silence 50": "a reply ends after 50 ms of silence",
    "wait 500": "500 ms are waited for each reply",
}


def run(every_s, first, n, dead="-", left_out="-"):
    return run_virtual("cycle.py", every_s, first, n, dead, left_out)


def mean(found, key):
    return statistics.mean(slot[key] for slot in found["slots"])


def measure(say, distances=(60, 5), real_slots=12):
    """All figures; distances: of slots in seconds, for dead meters; real_slots: in real time, 0: none."""
    say("cycle: slots of 8 mixed meters, with other masters on the same line")
    results = {"cycle.efficiency": efficiency(run(60, 2, 30))}
    if real_slots:
        say(f"cycle: {real_slots} slots in real time")
        results["cycle.efficiency.real_time"] = real_time(real_slots)
    say("cycle: two of the meters dead")
    results["dead.cost"] = dead_cost(distances)
    say("cycle: midnight of 32 meters")
    return {**results, "midnight.skew": midnight()}


def efficiency(found):
    slots = found["slots"]
    needed_us = slots[0]["needed_us"]
    peers = {_MASTERS[name]: needed_us / spent_us for name, spent_us in found["plain_us"].items()}
    values = [slot["needed_us"] / slot["spent_us"] for slot in slots]
    note = "%d requests in %.3f s, of which the wire needs %.3f s" % (
        slots[0]["requests"],
        statistics.median(slot["spent_us"] for slot in slots) / 1e6,
        needed_us / 1e6,
    )
    return {
        "value": statistics.median(values),
        "unit": "1",
        "peers": peers,
        "note": note,
        "least": min(values),
        "n": len(slots),
    }


def dead_cost(distances):
    """The worst of: a cycle's length with slots of each distance, and the time the line is in use where slots are densest."""
    costs, texts, busy = {}, [], {}
    for every_s in distances:
        with_dead = run(every_s, _SETTLED[every_s], _SLOTS[every_s], DEAD)
        alone = run(every_s, _SETTLED[every_s], min(30, _SLOTS[every_s]), "-", DEAD)
        costs[every_s] = mean(with_dead, "cycle_us") / mean(alone, "cycle_us")
        busy[every_s] = mean(with_dead, "busy_us") / mean(alone, "busy_us")
        texts.append("slots every %d s: cycle %.4f, line in use %.4f" % (every_s, costs[every_s], busy[every_s]))
    first = run(60, 0, 1, DEAD)
    first_us, bound_us = first["slots"][0]["cycle_us"], first_bound_us(mean(alone, "cycle_us"))
    texts.append("the first cycle %.1f s, at most %.1f s" % (first_us / 1e6, bound_us / 1e6))
    plain_us = first["plain_us"]
    peers = {
        "asked three times at each slot": plain_us["dead 3"] / plain_us["alive"],
        "asked once at each slot": plain_us["dead 1"] / plain_us["alive"],
    }
    value = max(*costs.values(), busy[min(distances)])
    found = {"value": value, "unit": "1", "peers": peers, "note": "; ".join(texts), "first_us": first_us, "bound_us": bound_us}
    return {**found, "cycle": costs, "busy": busy}


def first_bound_us(alone_us):
    """What the first cycle may take: that of the others, and each try of the dead ones."""
    return alone_us + 2 * _TRIES * (_TIMEOUT_US + _MORE_US)


def midnight():
    found, whole = [run_virtual("midnight.py", how) for how in ("registers", "whole")]
    if (found["meters"], found["readings"], found["values"]) != (32, 32, 192):
        raise RuntimeError("not everything was read: %s" % found)
    note = "%d requests; all 192 values %.1f s after midnight, of which the wire needs %.1f s" % (
        found["requests"],
        found["stored_us"] / 1e6,
        found["needed_us"] / 1e6,
    )
    peers = {"each meter's points together": whole["registers_us"] / 1e6}
    return {"value": found["registers_us"] / 1e6, "unit": "s", "peers": peers, "note": note}


# -- in real time -------------------------------------------------------------------------------------------------------


def real_time(n, every_s=4):
    """The same meters behind a pseudo terminal, ticks in the simulated loop."""
    wire = Wire(hold_us=HOLD_US)
    watch = Watch(wire)
    for number, row in enumerate(METERS):
        watch.attach(slave_of(row, 3500 + 137 * number, 1234000, turnaround_us=_TURNAROUND_US, seed=number + 1))
    watch.is_on = True
    front = PtyWire(wire, drive=True).start()
    try:
        with tempfile.TemporaryDirectory(prefix="metergate-bench-") as folder:
            uart = {"terminal": front.terminal, "drive": {"pin": LINE["de"], "fifo": front.fifo}}
            (Path(folder) / "sim.json").write_text(json.dumps({"uarts": {"1": uart}, "tick_ms": _TICK_MS}))
            run_on(need(twin(), "make twin"), "cyclereal.py", every_s, n + 1, cwd=folder, seconds=30 + every_s * (n + 2))
    finally:
        front.close()
    costs = [cost_of(slot) for slot in slots_of(watch.exchanges)]
    # The first one learns what the meters take.
    values = [needed_us / spent_us for needed_us, spent_us in costs[1:]]
    return {"value": statistics.median(values), "unit": "1", "peers": {}, "least": min(values), "n": len(values)}


def slots_of(exchanges):
    """The exchanges of each slot: between slots the line is silent for a second."""
    found = [[exchanges[0]]]
    for before, each in zip(exchanges, exchanges[1:], strict=False):
        if each.begun_us - max(before.end_us, before.begun_us) > 1000000:
            found.append([])
        found[-1].append(each)
    return found
