"""Poll: readings at slots, misses with their cause, and clocks that are set while it runs."""

from memory import raised
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
    world.meters[0].script = [NoReply(500), MeterRefused(2), BadFrame(b"\x01", "noise"), BadData("00010000: 3 bytes", b"")]
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
    again = Log(Ring(world.ring.blocks.device, lambda: NOON_S), Zone("UTC0"), "00000000", [record.MeterNames("a", 10, POINTS)])
    again.open()
    assert again.resume(NOON_S) == [NOON_S]


# -- registers first, gauges after ------------------------------------------------------------------------------------


def _parts(world):
    """[(seconds since noon, meter, part), ..] in the order in which they were asked for."""
    return [(at - NOON_S, name, part) for at, name, part in world.parts]


def test_registers_of_all_meters_come_before_the_gauges_of_any():
    world = World((("a", 60, 2), ("b", 60, 2), ("c", 60, 2)))
    for meter in world.meters[:2]:
        meter.has_gauges = True
    world.run(30)
    wanted = [("a", "registers"), ("b", "registers"), ("c", "registers"), ("a", "gauges"), ("b", "gauges")]
    assert [each[1:] for each in _parts(world)] == wanted
    found = world.records(record.READING)
    # Each says when its register was read, and stands in the log once it is whole.
    assert [(r.meter, r.at_s - NOON_S, r.values) for r in found] == [("c", 6, [100, 5]), ("a", 2, [100, 5]), ("b", 4, [100, 5])]


def test_a_slot_that_comes_between_has_its_registers_read_before_older_gauges():
    world = World((("slow", 300, 20), ("fast", 10)))
    world.meters[0].has_gauges = True
    world.run(35)
    assert [each[1:] for each in _parts(world)][:4] == [
        ("slow", "registers"),
        ("fast", "registers"),
        ("slow", "gauges"),
        ("fast", "registers"),
    ]


def test_a_gauge_that_is_not_answered_costs_only_itself():
    world = World((("a", 60), ("b", 60)))
    world.meters[0].has_gauges = True
    world.meters[0].script = [(100, error) for error in (NoReply(500), MeterRefused(2), BadData("x", b""))]
    world.run(150)
    found = [r for r in world.records(record.READING) if r.meter == "a"]
    assert [r.values for r in found] == [[100, None]] * 3
    assert all(r.quality & record.Q_INCOMPLETE for r in found)
    # It is there: it is not asked less often.
    assert not [m for m in world.records(record.MISS) if m.meter == "a" and m.cause != "not running"]


def test_a_meter_without_registers_is_read_too():
    world = World((("a", 60),))
    meter = world.meters[0]
    meter.has_gauges = True

    async def read_part(values, registers, is_probe):
        if registers:
            meter._step = (7, 5)
            return 0
        values[0], values[1] = meter._step
        return 1

    meter.read_part = read_part
    world.run(10)
    assert [r.values for r in world.records(record.READING)] == [[7, 5]]


# -- silent meters ----------------------------------------------------------------------------------------------------


def test_a_silent_meter_is_asked_less_and_less_often_and_once():
    world = World((("dead", 60), ("good", 60)))
    world.meters[0].script = [NoReply(500)] * 100
    world.run(7200)
    asked = [(at - NOON_S) // 60 for at, part in world.meters[0].parts]
    # 1, 2, 4 and 8 minutes, then every quarter of an hour.
    assert asked[:9] == [0, 1, 3, 7, 15, 30, 45, 60, 75]
    assert [part for _, part in world.meters[0].parts] == ["registers"] + ["probe"] * (len(asked) - 1)
    # Every slot is on record all the same.
    world.log.close()
    misses = [m for m in world.records(record.MISS) if m.meter == "dead" and m.cause == "no reply"]
    assert sum([m.n_slots for m in misses]) == 120
    assert len([r for r in world.records(record.READING) if r.meter == "good"]) == 120


def test_a_silent_meter_of_gauges_alone_is_probed_once_by_its_gauges():
    world = World((("dead", 60),))
    meter = world.meters[0]
    asked = []

    async def read_part(values, registers, is_probe):
        if registers:
            return 0
        asked.append(is_probe)
        raise NoReply(500)

    meter.holds = lambda registers: not registers
    meter.read_part = read_part
    world.run(1000)
    # Full tries once, then a request at 1, 2, 4 and 8 minutes.
    assert asked == [False] + [True] * 4


def test_a_silent_meter_with_few_slots_is_asked_at_each():
    world = World((("dead", 3600),))
    world.meters[0].script = [NoReply(500)] * 10
    world.run(5 * 3600)
    assert [(at - NOON_S) // 3600 for at, _ in world.meters[0].parts] == [0, 1, 2, 3, 4]


def test_a_silent_meter_has_its_turn_after_all_others():
    world = World((("dead", 60, 3), ("a", 60), ("b", 60)))
    world.meters[0].script = [NoReply(500)] * 2
    for meter in world.meters[1:]:
        meter.has_gauges = True
    world.run(80)
    second = [each[1:] for each in _parts(world) if each[0] >= 60]
    assert second == [("a", "registers"), ("b", "registers"), ("a", "gauges"), ("b", "gauges"), ("dead", "probe")]


def test_a_meter_that_answers_again_is_read_as_before():
    world = World((("a", 60),))
    world.meters[0].script = [NoReply(500), NoReply(500)]
    world.run(400)
    parts = [((at - NOON_S) // 60, part) for at, part in world.meters[0].parts]
    assert parts == [(0, "registers"), (1, "probe"), (3, "probe"), (4, "registers"), (5, "registers"), (6, "registers")]
    assert [(r.slot_s - NOON_S) // 60 for r in world.records(record.READING)] == [3, 4, 5, 6]


def test_a_refusal_is_no_silence_and_garbage_only_the_third_time():
    world = World((("a", 60),))
    world.meters[0].script = [MeterRefused(2)] * 5
    world.run(290)
    assert len(world.meters[0].parts) == 5
    world = World((("a", 60),))
    world.meters[0].script = [BadFrame(b"\x01", "noise")] * 5
    world.run(420)
    parts = [((at - NOON_S) // 60, part) for at, part in world.meters[0].parts]
    assert parts == [(0, "registers"), (1, "registers"), (2, "registers"), (3, "probe"), (5, "probe")]
    # The slots between have the cause of what was heard last.
    world.log.close()
    assert [m.cause for m in world.records(record.MISS)[1:]] == ["bad frame"] * (len(world.records(record.MISS)) - 1)


def test_on_a_noisy_line_silence_is_believed_the_third_time_only():
    world = World((("a", 60),))
    world.line.is_noisy = True
    world.meters[0].script = [NoReply(500)] * 5
    world.run(290)
    assert [part for _, part in world.meters[0].parts] == ["registers"] * 3 + ["probe"]


def test_a_probe_is_not_put_off_by_a_clock_that_was_set_back():
    world = World((("a", 60),))
    world.meters[0].script = [NoReply(500)] * 6

    def step(world):
        world.now -= 7200

    world.run(1300, at={700: step})
    # 15 minutes after the step at the latest.
    assert world.meters[0].parts[-1][0] <= NOON_S - 7200 + 700 + 960


# -- meters on a battery ----------------------------------------------------------------------------------------------


def test_a_meter_on_a_battery_is_not_asked_more_often_than_allowed():
    world = World((("water", 3600),))
    meter = world.meters[0]
    # Noon: twelve slots have passed, which must be supposed to have been asked for.
    meter.allowance = 15
    world.run(8 * 3600)
    assert len(meter.parts) == 3
    causes = [m.cause for m in world.records(record.MISS)]
    assert causes[-1] == "battery allowance"
    # From midnight on there is a new one.
    world.run(10 * 3600)
    assert [(at - NOON_S) // 3600 for at, _ in meter.parts] == [0, 1, 2, 12, 13, 14, 15, 16, 17]


def test_what_is_left_for_repeats_is_what_the_slots_do_not_need():
    world = World((("water", 3600),))
    meter = world.meters[0]
    meter.allowance = 30
    world.run(10)
    # Twelve before, twelve from now on.
    assert meter.spare == 30 - 12 - 12


# -- somebody else has the line ---------------------------------------------------------------------------------------


def test_while_a_person_has_the_line_the_poll_waits_and_moves():
    world = World((("a", 10),))
    seen = []

    def take(world):
        # Nobody has it at that moment, so there is nothing to wait for.
        raised(StopIteration, world.line.turn.acquire().send, None)

    def look(world):
        seen.append(world.poll.progress)

    world.run(120, at={11: take, 30: look, 60: look, 90: lambda world: world.line.turn.release()})
    assert seen[1] > seen[0]
    slots = [r.slot_s - NOON_S for r in world.records(record.READING)]
    assert slots[:2] == [0, 10] and slots[2] == 90 and slots[-1] == 110
    busy = [m for m in world.records(record.MISS) if m.cause == LINE_BUSY]
    assert [(m.slot_s - NOON_S, m.n_slots) for m in busy] == [(20, 7)]
