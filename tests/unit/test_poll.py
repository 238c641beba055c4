"""Poll: readings at slots, misses with their cause, and clocks that are set while it runs."""

from polled import NOON_S, POINTS, World

from firmware.clock import Zone
from firmware.errors import BadData, BadFrame, MeterRefused, NoReply
from firmware.meters.poll import CLOCK_SET, LINE_BUSY
from firmware.protocols import record
from firmware.store.log import Log
from firmware.store.ring import Ring


def test_readings_stand_at_their_slots_in_the_order_of_the_configuration():
    world = World((("a", 10), ("b", 10)))
    world.run(25)
    slots = [(r.meter, r.slot_s - NOON_S) for r in world.records(record.READING)]
    assert slots == [("a", 0), ("b", 0), ("a", 10), ("b", 10), ("a", 20), ("b", 20)]


def test_the_first_reading_after_a_start_says_so():
    world = World((("a", 10),))
    world.run(12)
    assert [r.quality for r in world.records(record.READING)] == [record.Q_FIRST, 0]


def test_missing_values_and_late_readings_say_so():
    world = World((("slow", 120, 70),))
    world.meters[0].script = [(None, 5)]
    world.run(30)
    found = world.records(record.READING)[0]
    assert found.quality == record.Q_FIRST | record.Q_INCOMPLETE | record.Q_LATE
    assert found.values == [None, 5] and found.at_s - found.slot_s == 70


def test_errors_become_misses_with_their_cause():
    world = World((("a", 10),))
    world.meters[0].script = [NoReply(500), MeterRefused(2), BadFrame(b"\x01"), BadData("00010000: 3 bytes", b"")]
    world.run(45)
    causes = [(m.cause, m.slot_s - NOON_S) for m in world.records(record.MISS)[1:]]
    assert causes == [("no reply", 0), ("refused 02", 10), ("bad frame", 20), ("bad data", 30)]
    assert len(world.records(record.READING)) == 1


def test_slots_that_pass_while_another_meter_is_read_are_one_miss():
    world = World((("slow", 3600, 35), ("fast", 10)))
    world.run(45)
    found = [(m.slot_s - NOON_S, m.end_s - NOON_S, m.n_slots) for m in world.records(record.MISS) if m.cause == LINE_BUSY]
    assert found == [(0, 20, 3)]


def test_slots_that_the_clock_steps_over_are_one_miss_of_that_cause():
    world = World((("a", 10),))

    def step(world):
        world.now += 1000
        world.poll.clock_stepped()

    world.run(25, at={5: step})
    found = [(m.slot_s - NOON_S, m.n_slots) for m in world.records(record.MISS) if m.cause == CLOCK_SET]
    assert found == [(10, 99)]
    assert not [m for m in world.records(record.MISS) if m.cause == LINE_BUSY]


def test_a_small_step_back_repeats_no_slot():
    world = World((("a", 10),))

    def step(world):
        world.now -= 15

    world.run(47, at={12: step})
    slots = [r.slot_s - NOON_S for r in world.records(record.READING)]
    assert slots == [0, 10, 20, 30]


def test_a_clock_that_was_far_ahead_and_is_set_back_does_not_stop_the_meter():
    world = World((("a", 10), ("b", 600)), start_s=NOON_S + 400 * 86400)

    def step(world):
        world.now = NOON_S

    world.run(48, at={11: step})
    slots = [r.slot_s - NOON_S for r in world.records(record.READING) if r.slot_s < NOON_S + 86400]
    assert slots == [10, 20, 30]


def test_a_start_after_the_clock_was_set_back_does_not_wait_for_the_future():
    world = World((("a", 10),), start_s=NOON_S + 400 * 86400)
    world.run(12)
    again = Log(Ring(world.ring.device, lambda: NOON_S), Zone("UTC0"), "00000000", [record.MeterNames("a", 10, POINTS)])
    again.open()
    assert again.resume(NOON_S) == [NOON_S]
