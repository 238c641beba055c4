"""Poll on lines that are never idle, with clocks that are set and faults in the middle of a reading: no slot is forgotten."""

from polled import NOON_S, World

from firmware.errors import NoReply
from firmware.protocols import record
from tests.sim.flash import NorFlash


def _check_starves_nobody(silent):
    # Two meters that are due every second and take twenty of them each; two hundred turns of the poll.
    world = World((("busy", 1, 20), ("busier", 1, 20), ("a", 60)), flash=NorFlash(4))
    meter = world.meters[2]
    meter.has_gauges = not silent
    if silent:
        meter.script = [NoReply(500)] * 2
    world.run(0.2)
    found = [r.slot_s for r in world.records(record.READING) if r.meter == "a"]
    assert len(found) >= 2
    # Every slot since the ring begins is on record, up to the newest.
    world.log.close()
    misses = [m for m in world.records(record.MISS) if m.meter == "a" and m.slot_s >= found[0]]
    last_s = max(found + [m.end_s for m in misses])
    assert len(found) + sum([m.n_slots for m in misses]) == (last_s - found[0]) // 60 + 1
    assert world.now - last_s < 180


def test_a_line_without_an_idle_moment_starves_no_gauges():
    _check_starves_nobody(False)


def test_a_line_without_an_idle_moment_starves_no_silent_meter():
    _check_starves_nobody(True)


def test_a_fault_in_the_middle_of_a_reading_leaves_no_hole():
    for step, slots in (((100, MemoryError()), [0, 60, 120, 180]), (MemoryError(), [0, 120, 180])):
        world = World((("a", 60),))
        world.meters[0].has_gauges = True
        world.meters[0].script = [(1, 1), step]
        done = 0
        while done < 4:
            done += 1
            try:
                world.run(60)
            except MemoryError:
                # As the supervisor does: it is started again.
                done -= 1
        found = [r.slot_s - NOON_S for r in world.records(record.READING)]
        assert found[: len(slots)] == slots
        faults = [m.slot_s - NOON_S for m in world.records(record.MISS) if m.cause == "fault"]
        assert faults == ([] if slots[1] == 60 else [60])


def test_a_reading_of_a_wrong_future_is_dropped_when_the_clock_is_set_back():
    world = World((("a", 900, 30),), start_s=NOON_S + 86400)
    world.meters[0].has_gauges = True
    parts = []
    real = world.meters[0].read_part

    async def read_part(values, registers, is_probe):
        found = await real(values, registers, is_probe)
        if registers and not parts:
            parts.append(1)
            world.now = NOON_S + 60
        return found

    world.meters[0].read_part = read_part
    world.run(14 * 3600)
    slots = [r.slot_s for r in world.records(record.READING)]
    assert slots and max(slots) < NOON_S + 86400
    # The day has its summary.
    assert len(world.records(record.DAY)) >= 1
