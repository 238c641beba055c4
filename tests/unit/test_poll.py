"""Poll: readings at slots, misses with their cause, and clocks that are set while it runs."""

import asyncio

from firmware.clock import Zone
from firmware.errors import MeterRefused, NoReply
from firmware.meters import poll
from firmware.meters.poll import CLOCK_SET, LINE_BUSY, Poll
from firmware.protocols import record
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import NorFlash

_NOON_S = 1795348800  # 2026-11-22 12:00:00 UTC
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))


class _End(Exception):
    """The world's time is over."""


class _Section:
    def __init__(self, every_s):
        self.every_s = every_s


class _Meter:
    """A meter whose read() does what script says: values, or an error to raise; take_s passes meanwhile."""

    def __init__(self, world, name, every_s=60, take_s=0):
        self.name = name
        self.section = _Section(every_s)
        self.points = _POINTS
        self.world = world
        self.take_s = take_s
        self.script = []

    async def read(self):
        self.world.now += self.take_s
        step = self.script.pop(0) if self.script else (100, 5)
        if isinstance(step, Exception):
            raise step
        return list(step), None not in step


class _World:
    """A clock, a log in memory and a poll; run(seconds) lets virtual seconds pass one by one."""

    def __init__(self, specs, start_s=_NOON_S):
        self.now = start_s
        self._passed_ms = 0
        self.meters = [_Meter(self, *spec) for spec in specs]
        self.ring = Ring(NorFlash(8), lambda: self.now)
        names = [record.MeterNames(m.name, m.section.every_s, _POINTS) for m in self.meters]
        self.log = Log(self.ring, Zone("UTC0"), "00000000", names)
        self.log.open()
        self.poll = Poll("A", list(enumerate(self.meters)), self.log, self.log.zone, lambda: self.now)
        self.poll.start(self.log.resume(self.now))

    def run(self, seconds, at=None):
        """Let seconds pass. at: {second: function of this world, called when so many have passed}."""
        self._end_ms = self._passed_ms + seconds * 1000
        self._at = dict(at or {})
        real, poll.asyncio = poll.asyncio, self
        try:
            asyncio.run(self.poll.run_poll())
        except _End:
            pass
        finally:
            poll.asyncio = real

    async def sleep_ms(self, ms):
        """What the poll takes for asyncio's: the world's time passes, nobody waits."""
        before_s = self._passed_ms // 1000
        self._passed_ms += max(ms, 1)
        self.now += self._passed_ms // 1000 - before_s
        for second in sorted(self._at):
            if second * 1000 <= self._passed_ms:
                self._at.pop(second)(self)
        if self._passed_ms >= self._end_ms:
            raise _End()

    def records(self, kind):
        decoder = record.Decoder()
        found = []
        for k, seq, payload in self.ring.reader(1):
            item = decoder.decode(k, payload)
            if seq and k == kind:
                found.append(item)
        return found


def test_readings_stand_at_their_slots_in_the_order_of_the_configuration():
    world = _World((("a", 10), ("b", 10)))
    world.run(25)
    slots = [(r.meter, r.slot_s - _NOON_S) for r in world.records(record.READING)]
    assert slots == [("a", 0), ("b", 0), ("a", 10), ("b", 10), ("a", 20), ("b", 20)]


def test_the_first_reading_after_a_start_says_so():
    world = _World((("a", 10),))
    world.run(12)
    assert [r.quality for r in world.records(record.READING)] == [record.Q_FIRST, 0]


def test_missing_values_and_late_readings_say_so():
    world = _World((("slow", 120, 70),))
    world.meters[0].script = [(None, 5)]
    world.run(30)
    found = world.records(record.READING)[0]
    assert found.quality == record.Q_FIRST | record.Q_INCOMPLETE | record.Q_LATE
    assert found.values == [None, 5] and found.at_s - found.slot_s == 70


def test_errors_become_misses_with_their_cause():
    world = _World((("a", 10),))
    world.meters[0].script = [NoReply(500), MeterRefused(2)]
    world.run(25)
    causes = [(m.cause, m.slot_s - _NOON_S) for m in world.records(record.MISS)[1:]]
    assert causes == [("no reply", 0), ("refused 02", 10)]
    assert len(world.records(record.READING)) == 1


def test_slots_that_pass_while_another_meter_is_read_are_one_miss():
    world = _World((("slow", 3600, 35), ("fast", 10)))
    world.run(45)
    found = [(m.slot_s - _NOON_S, m.end_s - _NOON_S, m.n_slots) for m in world.records(record.MISS) if m.cause == LINE_BUSY]
    assert found == [(0, 20, 3)]


def test_slots_that_the_clock_steps_over_are_one_miss_of_that_cause():
    world = _World((("a", 10),))

    def step(world):
        world.now += 1000
        world.poll.clock_stepped()

    world.run(25, at={5: step})
    found = [(m.slot_s - _NOON_S, m.n_slots) for m in world.records(record.MISS) if m.cause == CLOCK_SET]
    assert found == [(10, 99)]
    assert not [m for m in world.records(record.MISS) if m.cause == LINE_BUSY]


def test_a_small_step_back_repeats_no_slot():
    world = _World((("a", 10),))

    def step(world):
        world.now -= 15

    world.run(47, at={12: step})
    slots = [r.slot_s - _NOON_S for r in world.records(record.READING)]
    assert slots == [0, 10, 20, 30]


def test_a_clock_that_was_far_ahead_and_is_set_back_does_not_stop_the_meter():
    world = _World((("a", 10), ("b", 600)), start_s=_NOON_S + 400 * 86400)

    def step(world):
        world.now = _NOON_S

    world.run(48, at={11: step})
    slots = [r.slot_s - _NOON_S for r in world.records(record.READING) if r.slot_s < _NOON_S + 86400]
    assert slots == [10, 20, 30]


def test_a_start_after_the_clock_was_set_back_does_not_wait_for_the_future():
    world = _World((("a", 10),), start_s=_NOON_S + 400 * 86400)
    world.run(12)
    again = Log(Ring(world.ring.device, lambda: _NOON_S), Zone("UTC0"), "00000000", [record.MeterNames("a", 10, _POINTS)])
    again.open()
    assert again.resume(_NOON_S) == [_NOON_S]
