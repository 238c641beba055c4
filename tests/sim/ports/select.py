"""Simulated `select`: the loop of an ESP32 by choice; with neither key in sim.json it is the PC's own, at no cost.

"tick_ms": 10           control comes back at multiples of it only: a timeout is rounded up to the next one, and what
                        becomes ready meanwhile is noticed there (ports/esp32: ulTaskNotifyTake(pdFALSE, 1) a turn)
"stalls": {"every_ms": 20000, "for_ms": 400, "seed": 1}
                        between two turns of the loop the board is stuck for for_ms, every_ms apart in the mean
"""

import json
import time

import uselect
from uselect import *  # noqa: F403


def _chosen():
    try:
        with open("sim.json") as file:
            found = json.load(file)
    except OSError:
        return 0, None
    return found.get("tick_ms", 0), found.get("stalls")


_TICK_MS, _STALLS = _chosen()


class _Stalls:
    """Blocks whoever calls look() now and then."""

    def __init__(self, every_ms, for_ms, seed=1):
        from tests.sim.seeded import Seeded

        self._dice = Seeded(seed)
        self._every_ms = every_ms
        self._for_ms = for_ms
        self._next()

    def _next(self):
        gap_ms = self._dice.between(self._every_ms // 2, self._every_ms * 3 // 2)
        self._at_ms = time.ticks_add(time.ticks_ms(), gap_ms)

    def look(self):
        if time.ticks_diff(time.ticks_ms(), self._at_ms) >= 0:
            time.sleep_ms(self._for_ms)
            self._next()


class _Poll:
    """select.poll with a board's ticks and stalls; as asyncio uses it."""

    def __init__(self):
        self._poll = uselect.poll()
        self.register = self._poll.register
        self.unregister = self._poll.unregister
        self.modify = self._poll.modify

    def ipoll(self, timeout=-1, flags=0):
        self._wait(timeout)
        return self._poll.ipoll(0, flags)

    def poll(self, timeout=-1):
        self._wait(timeout)
        return self._poll.poll(0)

    def _wait(self, timeout):
        if _stalls:
            _stalls.look()
        if not _TICK_MS:
            self._poll.poll(timeout)
            return
        begun_ms = time.ticks_ms()
        while not self._poll.poll(0) and not 0 <= timeout <= time.ticks_diff(time.ticks_ms(), begun_ms):
            tick_us = _TICK_MS * 1000
            time.sleep_us(tick_us - time.ticks_us() % tick_us)


_stalls = _Stalls(**_STALLS) if _STALLS else None
if _TICK_MS or _STALLS:
    poll = _Poll
