"""A board's clock for tests of lines: time passes by looking at it and by sleeping, which ends at the next tick."""

import asyncio

# What a board needs at least between two looks at its clock.
STEP_US = 20
_PERIOD = 1 << 30


class Clock:
    """Stands for the modules time and asyncio. Sleeps end at the next tick, as a board's loop does."""

    Lock = asyncio.Lock
    CancelledError = asyncio.CancelledError

    def __init__(self, tick_us=1000, start_us=0):
        self.us = start_us
        self.tick_us = tick_us

    def ticks_us(self):
        self.us += STEP_US
        return self.us % _PERIOD

    def ticks_ms(self):
        self.us += STEP_US
        return self.us // 1000 % _PERIOD

    def ticks_diff(self, end, start):
        return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2

    def ticks_add(self, ticks, delta):
        return (ticks + delta) % _PERIOD

    async def sleep_ms(self, ms):
        # A sleep of nothing only gives the other tasks their turn: the loop polls and comes back at once.
        if ms:
            end_us = self.us + ms * 1000
            self.us = -(-end_us // self.tick_us) * self.tick_us
        await asyncio.sleep(0)
