"""Moments in which the loop may stand still: no line is in use, and no slot is about to come."""

import asyncio
import time

from micropython import const

_NAP_MS = const(20)
_SENDING_MS = const(1000)


class Quiet:
    """Quiet(lines, polls, now_ms): all lines and their polls; now_ms() in Unix milliseconds, by the clock of the slots.

    n_pauses: how often all lines were asked for a pause."""

    def __init__(self, lines, polls, now_ms):
        self._lines = lines
        self._polls = polls
        self._now_ms = now_ms
        self.n_pauses = 0

    def is_quiet(self, for_ms):
        """True if nobody uses a line, and no slot is due or comes within for_ms."""
        if any(line.lock.locked() for line in self._lines):
            return False
        end_ms = self._now_ms() + for_ms
        return not any(poll.next_s is not None and poll.next_s * 1000 < end_ms for poll in self._polls)

    def _is_sending(self):
        return any(line.is_sending for line in self._lines)

    async def wait(self, for_ms, most_ms):
        """Wait for a moment from which it stays quiet for so long, at most most_ms; returns how many ms that took.

        It is quiet until the caller awaits something else. most_ms 0 or less: returns at once, but for a request that is
        being sent: whoever stands still then holds its driver on over the reply. That is waited for a second at most."""
        begun_ms = time.ticks_ms()
        while True:
            waited_ms = time.ticks_diff(time.ticks_ms(), begun_ms)
            if self.is_quiet(for_ms) or waited_ms >= most_ms and (not self._is_sending() or waited_ms >= most_ms + _SENDING_MS):
                return waited_ms
            await asyncio.sleep_ms(_NAP_MS)

    async def pause(self, most_s):
        """Ask every line for a pause, and wait at most most_s seconds for the exchanges that go on, and then for what is being
        sent. The lines that were got, for resume().

        A slot that comes meanwhile is late by no more than that and what the caller takes."""
        self.n_pauses += 1
        begun_ms = time.ticks_ms()
        held, is_done = [], False
        try:
            for line in self._lines:
                left_ms = most_s * 1000 - time.ticks_diff(time.ticks_ms(), begun_ms)
                if await self._got(line, left_ms):
                    held.append(line)
            if len(held) < len(self._lines):
                # Who stands still while a request is sent holds its driver on over the reply.
                await self.wait(0, 0)
            is_done = True
        finally:
            if not is_done:
                self.resume(held)
        return held

    @staticmethod
    async def _got(line, left_ms):
        """True if the line could be had for oneself within that time."""
        if left_ms <= 0 and line.lock.locked():
            return False
        try:
            await asyncio.wait_for(line.lock.acquire(), max(1, left_ms) / 1000)
        except asyncio.TimeoutError:
            return False
        return True

    @staticmethod
    def resume(lines):
        """The pause is over."""
        for line in lines:
            line.lock.release()
