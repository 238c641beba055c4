"""The bench's figures of lines in short: a fault that breaks one is noticed here, not at the next release."""

import pytest

from tests.bench import cycle, noise, release, report
from tests.bench.board.watched import Watch, cost_of
from tests.bench.figures import FIGURES
from tests.sim.chars import silence_us, span_us
from tests.sim.slave import Slave, framed
from tests.sim.wire import Wire

_BY_NAME = {figure.name: figure for figure in FIGURES}
_9600, _2400 = (9600, 8, None, 1), (2400, 8, 0, 1)

pytestmark = pytest.mark.usefixtures("needs_twin")


def quiet(text):
    """Nobody reads how far it is."""


def check(results):
    """Every figure holds its limit, and none is missing in the table."""
    for name, found in results.items():
        assert report.holds(_BY_NAME[name], results), (name, found)


def test_the_wires_own_time_is_counted_by_hand():
    wire = Wire(observe_drive=False)
    watch = Watch(wire)
    watch.is_on = True
    watch.attach(Slave(1, _9600, {0: 5}, 20000))
    wire.set(_9600)
    request = framed(bytes((1, 4, 0, 0, 0, 1)))
    for at_us in (0, 100000, 200000):
        wire.write(request if at_us < 200000 else request[:-1], at_us)
        wire.run(at_us + 99000)
    assert [len(each.reply) for each in watch.exchanges] == [7, 7, 0]
    needed_us, spent_us = cost_of(watch.exchanges)
    # The same request twice is needed once; one that nobody answered, not at all.
    assert needed_us == span_us(_9600, 8 + 7) + 20000 + silence_us(_9600)
    assert abs(spent_us - (100000 + needed_us)) <= 2


def test_slots_are_told_apart_by_a_second_of_silence():
    class Each:
        def __init__(self, begun_us, end_us):
            self.begun_us, self.end_us = begun_us, end_us

    found = cycle.slots_of([Each(0, 500), Each(600, 0), Each(900000, 950000), Each(1960000, 1970000), Each(2000000, 2100000)])
    assert [len(slot) for slot in found] == [3, 2]


def test_a_cycle_of_mixed_meters_takes_what_its_wire_needs():
    found = cycle.efficiency(cycle.run(60, 2, 5))
    check({"cycle.efficiency": found})
    assert found["value"] <= 1.0001 and all(peer < 0.8 for peer in found["peers"].values())


def test_dead_meters_cost_the_others_nothing():
    found = cycle.dead_cost((60,))
    # The line is in use for the probes of two meters a quarter of an hour, which is not what is bounded here.
    check({"dead.cost": {**found, "value": found["cycle"][60]}})
    assert found["busy"][60] < 1.15 and found["first_us"] < found["bound_us"]
    assert min(found["peers"].values()) > 2


def test_the_registers_of_midnight_are_read_at_midnight():
    found = cycle.midnight()
    check({"midnight.skew": found})
    assert found["peers"]["each meter's points together"] > 30


def test_noise_costs_no_slots_and_no_truth():
    found = noise.results([noise.run(100, 5)], noise.run(20, 5, 0))
    recovery = found.pop("noise.recovery")
    assert abs(recovery["failed_share"] - 0.2) < 0.02
    # One slot of a thousand is too few to count by: as many as three may be missed by chance.
    assert recovery["n"] == 1000 and recovery["value"] >= 0.997
    check(found)
    # One reading in thousands would be wrong otherwise: whether it is read again is seen by the replies.
    assert found["noise.wrong.weak"]["replies_per_reading"] > 1.9


def test_what_is_expected_to_be_wrong_is_counted_by_hand():
    row = {"would_count": 2, "as_sent": 998, "readings": 500}
    single, again = noise.expected_wrong([{"dlt645": row, "cjt188": row}])
    assert abs(single - 2.0) < 1e-9 and abs(again - 0.012) < 1e-9
    limited = {"noise.wrong.weak": {"value": 0.01, "unit": "1", "peers": {}, "limit": 0.012}}
    assert report.holds(_BY_NAME["noise.wrong.weak"], limited)
    assert not report.holds(_BY_NAME["noise.wrong.weak"], {"noise.wrong.weak": {**limited["noise.wrong.weak"], "value": 0.013}})


@pytest.mark.parametrize("seed", [1, 2])
def test_the_driver_goes_off_within_a_character(seed):
    found = release.measure(quiet, 1500, seed)
    check(found)
    assert found["driver.release"]["peers"]["asleep for as long as it should take"] > 10
