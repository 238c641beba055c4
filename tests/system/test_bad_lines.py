"""A line on which something is wrong all the time: it stays bounded, and neither the other line nor the data centre notices."""

import pytest
from conftest import METERS, answer, config, meter, uplink
from test_whole import drained

from metergate.image import read_image
from metergate.pcgateway import Gateway, SimulatedLine
from metergate.processes import wait_for

_FAULT_S = 6
_AFTER_S = 3
_WHEN = {"after_s": _AFTER_S, "for_s": _FAULT_S}
# What the file of line A has more, and its first meter's faults.
_BAD = {
    "shorted": ({"shorted": _WHEN}, {}),
    "flood": ({}, {"faults": {"flood": _WHEN}}),
    "echo": ({"echo": True}, {}),
}


def _line(meters, **more):
    return {"settings": "9600 8N1", "served_by": "exact", "meters": meters, **more}


def _settings(broker):
    found = config([meter("main", 1, "sdm630"), meter("office", 4, "sdm630")], [uplink(broker.port)])
    found["lines"].append({"name": "B", "uart": 2, "tx": 25, "rx": 26})
    found["meters"] += [meter("boiler", 2, "sdm120", line="B"), meter("press", 3, "dtsu666", line="B")]
    return found


def _stored(unit):
    return [record for _, record in read_image(unit.ring)[1]] if unit.ring.exists() else []


def _slots(stored, name):
    """{slot: seconds after it} of a meter's readings."""
    return {record.slot_s: record.at_s - record.slot_s for record in stored if record.kind == 1 and record.meter == name}


def _misses(stored, *names):
    """The causes of what is missing since each meter's first reading: a start takes a moment, on every line."""
    found = set()
    for name in names:
        first = min(_slots(stored, name))
        found |= {r.cause for r in stored if r.kind == 2 and r.meter == name and r.end_s > first}
    return found


@pytest.mark.parametrize("bad", _BAD)
def test_a_bad_line_costs_the_other_line_and_the_data_centre_nothing(own, tmp_path, certs, broker, receiver, bad):
    of_line, of_meter = _BAD[bad]
    plans = {
        "1": _line([{**METERS[0], **of_meter}, {"unit": 4, "profile": "sdm630"}], **of_line),
        "2": _line(METERS[1:]),
    }
    uarts = {number: own(SimulatedLine(tmp_path / number, plan)).start().terminal for number, plan in plans.items()}
    unit = own(Gateway(tmp_path / "board", _settings(broker), uarts, ca=certs / "ca.der"))
    unit.start()
    if bad != "echo":
        # In the midst of it: the line has given up more than once, and is not stuck in one request.
        wait_for(lambda: "bad frame" in answer(unit, "lines"), 10, "a fault that strikes")
    wait_for(lambda: len(_slots(_stored(unit), "press")) > _AFTER_S + _FAULT_S, 30, "slots of line B over all of it")
    n = len(_slots(_stored(unit), "main"))
    wait_for(lambda: len(_slots(_stored(unit), "main")) > n, 20, "the bad line's meter, when the fault is over")
    lines, status = answer(unit, "lines"), answer(unit, "status")
    stored = drained(unit, receiver)
    unit.kill()
    stored = [record for _, record in stored]

    assert _misses(stored, "boiler", "press") == set()
    for name in ("boiler", "press"):
        found = _slots(stored, name)
        first, last = min(found), max(found)
        assert sorted(found) == list(range(first, last + 1)), f"{name}: a slot is missing"
        assert max(found[slot] for slot in found if slot > first) <= 1, f"{name}: read late"
    assert "crashed" not in status and "connected, backlog" in status and "failed" not in status, status
    if bad == "echo":
        assert "its transceiver echoes" in lines and _misses(stored, "main", "office") == set()
    else:
        # Several slots of it, each of them ended: it was given up, not waited for.
        n_given_up = sum(record.kind == 2 and record.cause == "bad frame" for record in stored)
        assert n_given_up >= 3 and "bad frame" in _misses(stored, "main"), stored
