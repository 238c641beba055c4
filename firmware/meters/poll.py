"""Whose turn it is on a line: readings at slots, misses with their cause. Nothing a meter does stops the others."""

import asyncio

from micropython import const

from firmware.clock import AHEAD_S, slot_after, slot_at, slots_between
from firmware.errors import MeterError, MeterRefused
from firmware.protocols import record

# A reading whose last byte came later than this after its slot says that it is late.
_LATE_S = const(60)
# The longest sleep, so that a clock that was set is noticed; and the sleep in the last second before a slot.
_NAP_MS = const(5000)
_SHORT_NAP_MS = const(20)
# A meter's own number is asked for when no slot is due meanwhile; after so many readings in any case.
_MOST_PUT_OFF = const(100)
_ANY_S = const(3600)
# What request and reply take on the wire at most, at 1200 baud and faster.
_REPLY_MS = const(600)

LINE_BUSY = "line busy"
CLOCK_SET = "clock set"


class Poll:
    """Poll(line name, meters, log, zone, now_s, identity): meters is a list of (index in the log, Meter).

    due: index -> the slot due next, from log.resume. quality: bits set from outside, such as the clock's.
    progress counts slots done; the watchdog watches it."""

    def __init__(self, name, meters, log, zone, now_s, identity):
        self.name = name
        self._identity = identity
        self.log = log
        self.zone = zone
        self.now_s = now_s
        self.progress = 0
        self.quality = lambda: 0
        self._stepped = set()
        # Readings since a meter is waiting to be asked for its own number.
        self._n_put_off = 0
        self.due = {}
        self._meters = meters
        self._fresh = {index for index, _ in meters}

    def start(self, due):
        """due: the list that log.resume gave, by index in the log."""
        self.due = {index: due[index] for index, _ in self._meters}

    def clock_stepped(self):
        """Slots that are now found to have passed were stepped over, not missed for want of time."""
        self._stepped = {index for index, _ in self._meters}

    async def run_poll(self):
        """Read every meter at its slots, for ever. The earliest slot first; at equal slots in configured order."""
        while True:
            self._rewind(self.now_s())
            index, meter = min(self._meters, key=lambda pair: (self.due[pair[0]], pair[0]))
            slot_s = self.due[index]
            wait_s = slot_s - self.now_s()
            if wait_s > 1 and await self._identify(wait_s):
                continue
            if wait_s > 0:
                await asyncio.sleep_ms(min(_NAP_MS, wait_s * 1000 - 1000) if wait_s > 1 else _SHORT_NAP_MS)
                self.progress += 1
                continue
            slot_s = self._skip_passed(index, meter, slot_s)
            await self._read(index, meter, slot_s)
            self.due[index] = slot_after(self.zone, meter.section.every_s, slot_s)
            self.progress += 1
            if self._n_put_off >= _MOST_PUT_OFF:
                await self._identify(_ANY_S)
            # Lets the other tasks run where reading never had to wait.
            await asyncio.sleep_ms(0)

    def _rewind(self, now_s):
        """Take up meters that are due far ahead: the clock had been ahead and was set back."""
        for index, meter in self._meters:
            if self.due[index] > now_s + meter.section.every_s + AHEAD_S:
                self.log.rewind(index)
                self.due[index] = slot_after(self.zone, meter.section.every_s, now_s)

    def _skip_passed(self, index, meter, slot_s):
        """The newest slot that is due; those before it passed while the line was busy with others."""
        every_s = meter.section.every_s
        newest_s = slot_at(self.zone, every_s, self.now_s())
        n = slots_between(self.zone, every_s, slot_s, newest_s - 1)
        if n:
            cause = CLOCK_SET if index in self._stepped else LINE_BUSY
            self.log.missed(index, slot_s, slot_at(self.zone, every_s, newest_s - 1), n, cause)
        self._stepped.discard(index)
        return max(slot_s, newest_s)

    async def _read(self, index, meter, slot_s):
        try:
            values, complete = await meter.read()
        except MeterError as error:
            code = " %02X" % error.code if isinstance(error, MeterRefused) else ""
            self.log.miss(index, slot_s, error.cause + code)
            self._identity.missed(index)
            return
        at_s = self.now_s()
        quality = self.quality()
        if at_s - slot_s > _LATE_S:
            quality |= record.Q_LATE
        if not complete:
            quality |= record.Q_INCOMPLETE
        if index in self._fresh:
            self._fresh.discard(index)
            quality |= record.Q_FIRST
        self.log.reading(index, slot_s, at_s, quality, values)
        self._identity.heard(index, meter, slot_s)
        self._n_put_off = 0 if self._identity.due is None else self._n_put_off + 1

    async def _identify(self, free_s):
        """Ask a meter that is to be asked for its own number, if that takes no longer than free_s; True if it was asked."""
        index = self._identity.due
        for i, meter in self._meters:
            section = meter.section
            if i == index and (section.retries + 1) * (section.timeout_ms + _REPLY_MS) < free_s * 1000:
                self._n_put_off = 0
                await self._identity.check(index, meter)
                self.progress += 1
                return True
        return False
