"""Quiet: when the loop may stand still, and for how long it is waited for."""

import asyncio
import time

from memory import raised

from firmware.meters import quiet
from firmware.meters.quiet import Quiet

_SLOT_S = 1795348800


class _Line:
    is_sending = False

    def __init__(self):
        self.lock = asyncio.Lock()


class _Poll:
    def __init__(self, due=()):
        self.due = dict(enumerate(due))

    @property
    def next_s(self):
        return min(self.due.values()) if self.due else None


class _World:
    """A clock that only sleeping moves; at: {ms since the start: what happens then}."""

    def __init__(self, before_slot_ms, due=(_SLOT_S,)):
        self.begun_ms = self.ms = _SLOT_S * 1000 - before_slot_ms
        self.lines = [_Line(), _Line()]
        self.polls = [_Poll(due)]
        self.at = {}
        self.quiet = Quiet(self.lines, self.polls, lambda: self.ms)

    async def sleep_ms(self, ms):
        self.ms += ms
        for at_ms in sorted(self.at):
            if at_ms <= self.ms - self.begun_ms:
                self.at.pop(at_ms)()

    def ticks_ms(self):
        return self.ms - self.begun_ms

    @staticmethod
    def ticks_diff(end, start):
        return end - start

    def waited_ms(self, for_ms, most_ms):
        """What wait() returns; this world is its time."""
        real = quiet.asyncio, quiet.time
        quiet.asyncio = quiet.time = self
        try:
            return asyncio.run(self.quiet.wait(for_ms, most_ms))
        finally:
            quiet.asyncio, quiet.time = real


def test_it_is_quiet_until_a_slot_comes_within_the_time_asked_for():
    assert _World(501).quiet.is_quiet(500)
    assert _World(500).quiet.is_quiet(500)
    assert not _World(499).quiet.is_quiet(500)
    # A slot that is due is being read, or about to be.
    assert not _World(-3000).quiet.is_quiet(500)


def test_the_earliest_slot_of_all_lines_counts():
    world = _World(400, due=(_SLOT_S + 60, _SLOT_S))
    world.polls.append(_Poll((_SLOT_S + 900,)))
    assert not world.quiet.is_quiet(500)
    assert world.quiet.is_quiet(400)


def test_a_line_in_use_is_not_quiet():
    world = _World(60000)
    asyncio.run(world.lines[1].lock.acquire())
    assert not world.quiet.is_quiet(1)
    world.lines[1].lock.release()
    assert world.quiet.is_quiet(1)


def test_nothing_to_read_is_quiet():
    world = _World(0, due=())
    assert world.quiet.is_quiet(500)
    world.polls.clear()
    world.lines.clear()
    assert world.waited_ms(500, 5000) == 0


def test_it_waits_until_the_slot_has_been_read():
    world = _World(200)
    world.at[700] = lambda: world.polls[0].due.update({0: _SLOT_S + 60})
    assert 700 <= world.waited_ms(500, 5000) < 750


def test_it_waits_no_longer_than_it_may():
    world = _World(-100)
    assert 2000 <= world.waited_ms(500, 2000) < 2050
    assert world.waited_ms(500, 0) == 0
    assert world.waited_ms(500, -20) == 0


def test_a_request_that_is_being_sent_is_waited_for_beyond_the_time():
    # Whoever stands still meanwhile would hold the driver on over the reply.
    for until_ms, waited_ms in ((300, 300), (5000, 1100)):
        world = _World(60000)
        line = world.lines[1]
        line.is_sending = True
        raised(StopIteration, line.lock.acquire().send, None)
        world.at = {until_ms: lambda line=line: setattr(line, "is_sending", False)}
        assert waited_ms <= world.waited_ms(1000, 100) < waited_ms + 40


def _paused(world, most_s):
    """(how many lines were got, ms that took) of pause()."""

    async def pause():
        begun_ms = time.ticks_ms()
        held = await world.quiet.pause(most_s)
        took_ms = time.ticks_diff(time.ticks_ms(), begun_ms)
        world.quiet.resume(held)
        return len(held), took_ms

    return asyncio.run(pause())


def test_a_pause_is_asked_of_all_lines_and_counted():
    world = _World(1000)
    assert _paused(world, 5)[0] == 2 and world.quiet.n_pauses == 1
    assert not any(line.lock.locked() for line in world.lines)


def test_a_line_that_is_busy_for_long_does_not_hold_a_pause_up():
    world = _World(1000)

    async def run():
        await world.lines[0].lock.acquire()
        begun_ms = time.ticks_ms()
        held = await world.quiet.pause(1)
        took_ms = time.ticks_diff(time.ticks_ms(), begun_ms)
        # Nobody else begins meanwhile on the one that was got.
        assert held == [world.lines[1]] and world.lines[1].lock.locked()
        world.quiet.resume(held)
        assert world.lines[0].lock.locked() and not world.lines[1].lock.locked()
        return took_ms

    assert 900 <= asyncio.run(run()) < 4000


def test_all_busy_lines_together_are_waited_for_no_longer_than_it_may():
    world = _World(1000)
    world.lines += [_Line(), _Line(), _Line()]

    async def run():
        for line in world.lines[:4]:
            await line.lock.acquire()
        begun_ms = time.ticks_ms()
        held = await world.quiet.pause(1)
        assert held == world.lines[4:]
        world.quiet.resume(held)
        return time.ticks_diff(time.ticks_ms(), begun_ms)

    assert 900 <= asyncio.run(run()) < 1500


def test_a_pause_that_fails_holds_no_line():
    world = _World(1000)

    class _Lock:
        def locked(self):
            return False

        async def acquire(self):
            raise MemoryError

    world.lines[1].lock = _Lock()
    raised(MemoryError, _paused, world, 1)
    assert not world.lines[0].lock.locked()
