"""Whose turn it is on a line: readings at slots, misses with their cause. Nothing a meter does stops the others."""

import asyncio

from micropython import const

from firmware.bus import ledger
from firmware.clock import AHEAD_S, slot_after, slot_at, slots_between
from firmware.errors import BadFrame, MeterError, MeterRefused, NoReply
from firmware.meters.silence import Silence
from firmware.protocols import record

# A reading whose last byte came later than this after its slot says that it is late.
_LATE_S = const(60)
# The longest sleep, so that a clock that was set is noticed; and the sleep in the last second before a slot.
_NAP_MS = const(5000)
_SHORT_NAP_MS = const(20)
# How often the line is looked at while a person has it.
_TAKEN_NAP_MS = const(100)
# Errands are run when no slot is due meanwhile; after so many readings in any case.
_MOST_PUT_OFF = const(100)
_ANY_S = const(3600)
# What request and reply take on the wire at most, at 1200 baud and faster.
_REPLY_MS = const(600)

LINE_BUSY = "line busy"
CLOCK_SET = "clock set"
ALLOWANCE = "battery allowance"
FAULT = "fault"


class _Open:
    """A reading of which the gauges are still to be asked for."""

    def __init__(self, slot_s, values):
        self.slot_s = slot_s
        self.values = values
        # When the registers' last byte came, None if there are none; how the meter refused them; how many blocks were read.
        self.at_s = None
        self.error = None
        self.n_read = 0


class Poll:
    """Poll(line, meters, log, zone, now_s, errands): meters is a list of (index in the log, Meter).

    At a slot the registers of all its meters come first, the gauges after, silent meters last. errands: each has heard,
    missed, due, check and n_requests, as meters/identity.py; run while no slot is due. due: index -> the slot due next,
    from log.resume. quality: bits set from outside, such as the clock's."""

    def __init__(self, line, meters, log, zone, now_s, errands):
        self.line = line
        self.log = log
        self.zone = zone
        self.now_s = now_s
        self.quality = lambda: 0
        self.silence = Silence()
        self.due = {}
        self._errands = errands
        self._n_turns = 0
        # Bits by index: the clock was set since their slot before; not read since the start.
        self._stepped = 0
        # Readings since an errand is waiting.
        self._n_put_off = 0
        self._meters = meters
        self._fresh = self._all()
        # Index: reading that is begun.
        self._open = {}
        self._day = None

    @property
    def name(self):
        return self.line.name

    @property
    def progress(self):
        """Moves while anything is done; the watchdog watches it."""
        return self._n_turns + self.line.counts[ledger.REQUESTS]

    @property
    def next_s(self):
        """The slot that comes next, 0 while readings are begun and not ended, None before the start."""
        if self._open:
            return 0
        return min(self.due.values()) if self.due else None

    def start(self, due):
        """due: the list that log.resume gave, by index in the log."""
        self.due = {index: due[index] for index, _ in self._meters}

    def clock_stepped(self):
        """Slots that are now found to have passed were stepped over, not missed for want of time."""
        self._stepped = self._all()

    def _all(self):
        return sum([1 << index for index, _ in self._meters])

    async def run_poll(self):
        """Read every meter at its slots, for ever."""
        while True:
            self._n_turns += 1
            now_s = self.now_s()
            self._rewind(now_s)
            wait_s = self.next_s - now_s
            if wait_s <= 0:
                await self._take_turn()
                continue
            if wait_s > 1 and await self._run_errand(wait_s):
                continue
            await asyncio.sleep_ms(min(_NAP_MS, wait_s * 1000 - 1000) if wait_s > 1 else _SHORT_NAP_MS)

    async def _take_turn(self):
        """Do what is due next, once the line is ours: a person may have had it for many minutes."""
        while self.line.turn.locked():
            self._n_turns += 1
            await asyncio.sleep_ms(_TAKEN_NAP_MS)
        async with self.line.turn:
            self._begin_day(self.now_s())
            turn = self._choose(self.now_s())
            if turn:
                await turn[0](*turn[1:])
        if self._n_put_off >= _MOST_PUT_OFF:
            await self._run_errand(_ANY_S)
        # Lets the other tasks run where reading never had to wait.
        await asyncio.sleep_ms(0)

    def _choose(self, now_s):
        """(coroutine function, its arguments ..) of what is due: registers, the earliest slot first and at equal slots in
        configured order; then gauges; then probes of silent meters. None if nothing is due.

        On a line that has no idle moment a gauge waits until its meter's next slot at most, a probe for a minute."""
        found = probe = None
        for index, meter in self._meters:
            slot_s = self.due[index]
            if slot_s > now_s:
                continue
            if index in self._open:
                # Its next slot has come: the others leave no time between.
                return self._end_reading, index, meter
            is_silent = self.silence.is_silent(index)
            if not is_silent or now_s - slot_s > _LATE_S:
                if found is None or slot_s < self.due[found[1]]:
                    found = self._probe if is_silent else self._begin_reading, index, meter
            elif probe is None or slot_s < self.due[probe[1]]:
                probe = self._probe, index, meter
        if found is None and self._open:
            # The oldest one: a dict's order is lost on a board.
            index = min(self._open, key=lambda i: (self._open[i].slot_s, i))
            found = self._end_reading, index, self._meter(index)
        return found or probe

    def _meter(self, index):
        for i, meter in self._meters:
            if i == index:
                return meter

    # -- slots -------------------------------------------------------------------------------------------------

    def _rewind(self, now_s):
        """Take up meters that are due far ahead: the clock had been ahead and was set back."""
        for index, meter in self._meters:
            if self.due[index] > now_s + meter.section.every_s + AHEAD_S:
                # A reading that is begun is for a slot that has not been yet.
                self._open.pop(index, None)
                self.log.rewind(index)
                self.due[index] = slot_after(self.zone, meter.section.every_s, now_s)

    def _next_slot(self, index, meter):
        """The newest slot that is due, which is now no longer; those before it passed while the line was busy with others."""
        every_s = meter.section.every_s
        slot_s = self.due[index]
        newest_s = slot_at(self.zone, every_s, self.now_s())
        n = slots_between(self.zone, every_s, slot_s, newest_s - 1)
        if n:
            cause = CLOCK_SET if self._stepped >> index & 1 else LINE_BUSY
            self.log.missed(index, slot_s, slot_at(self.zone, every_s, newest_s - 1), n, cause)
        self._stepped &= ~(1 << index)
        slot_s = max(slot_s, newest_s)
        self.due[index] = slot_after(self.zone, every_s, slot_s)
        return slot_s

    def _begin_day(self, now_s):
        """Meters on a battery begin a new day's allowance at local midnight."""
        day = self.zone.day_of(now_s)
        if day == self._day:
            return
        for _, meter in self._meters:
            # After a start nobody knows how often a meter was asked: at each slot, it must be supposed.
            is_start = meter.allowance and self._day is None
            begin_s = self.zone.midnight_s(day) if is_start else now_s
            n = slots_between(self.zone, meter.section.every_s, begin_s, now_s - 1) * len(meter.blocks)
            meter.counts[ledger.ASKED] = n
        self._day = day

    def _has_allowance(self, meter, slot_s):
        """True if a meter may be asked today once more; sets what of it is left for repeats."""
        if meter.allowance:
            end_s = self.zone.midnight_s(self._day + 1) - 1
            n_left = slots_between(self.zone, meter.section.every_s, slot_s, end_s) * len(meter.blocks)
            n_asked = meter.counts[ledger.ASKED]
            meter.spare = meter.allowance - n_asked - n_left
            return n_asked < meter.allowance
        return True

    # -- readings ----------------------------------------------------------------------------------------------

    async def _begin_reading(self, index, meter):
        """Ask a meter for its registers. One that has no gauges to be asked for is done with it."""
        slot_s = self._next_slot(index, meter)
        if not self._has_allowance(meter, slot_s):
            self.log.miss(index, slot_s, ALLOWANCE)
            return
        await self._read(index, meter, _Open(slot_s, [None] * len(meter.points)), True)

    async def _end_reading(self, index, meter):
        """Ask a meter for its gauges, and store the reading."""
        await self._read(index, meter, self._open.pop(index), False)

    async def _read(self, index, meter, opened, registers, is_probe=False):
        try:
            opened.n_read += await meter.read_part(opened.values, registers, is_probe)
        except (NoReply, BadFrame) as error:
            if opened.n_read:
                self._store(index, meter, opened)
            else:
                self._miss(index, meter, opened.slot_s, error)
            return
        except MeterError as error:
            opened.error = opened.error or error
        except BaseException:
            # A fault of ours, no memory for one, which the supervisor reports: the slot is on record all the same.
            if opened.n_read:
                self._store(index, meter, opened)
            else:
                self.log.miss(index, opened.slot_s, FAULT)
            raise
        if registers and opened.n_read:
            opened.at_s = self.now_s()
        if registers and meter.holds(False):
            self._open[index] = opened
        elif opened.n_read:
            self._store(index, meter, opened)
        else:
            self._miss(index, meter, opened.slot_s, opened.error)

    async def _probe(self, index, meter):
        """Ask a silent meter once; if it answers, it is read as others are. Slots between two probes pass as missed."""
        slot_s = self._next_slot(index, meter)
        if not self.silence.is_due(index, slot_s, meter.section.every_s) or not self._has_allowance(meter, slot_s):
            # Not asked, for it was silent.
            self.log.miss(index, slot_s, self.silence.cause(index))
            return
        await self._read(index, meter, _Open(slot_s, [None] * len(meter.points)), meter.holds(True), True)

    def _miss(self, index, meter, slot_s, error):
        code = " %02X" % error.code if isinstance(error, MeterRefused) else ""
        self.log.miss(index, slot_s, error.cause + code)
        if isinstance(error, (NoReply, BadFrame)):
            # On a noisy line a request that nobody answers may have been garbled.
            is_garbage = isinstance(error, BadFrame) or self.line.is_noisy
            self.silence.missed(index, slot_s, meter.section.every_s, error.cause, is_garbage)
            for errand in self._errands:
                errand.missed(index)
        else:
            self.silence.heard(index)

    def _store(self, index, meter, opened):
        at_s = opened.at_s or self.now_s()
        self.silence.heard(index)
        meter.counts[ledger.READINGS] += 1
        quality = self.quality()
        if at_s - opened.slot_s > _LATE_S:
            quality |= record.Q_LATE
        if None in opened.values:
            quality |= record.Q_INCOMPLETE
        if self._fresh >> index & 1:
            self._fresh &= ~(1 << index)
            quality |= record.Q_FIRST
        self.log.reading(index, opened.slot_s, at_s, quality, opened.values)
        is_waiting = False
        for errand in self._errands:
            errand.heard(index, meter, opened.slot_s)
            is_waiting = is_waiting or errand.due is not None
        self._n_put_off = self._n_put_off + 1 if is_waiting else 0

    # -- errands -----------------------------------------------------------------------------------------------

    async def _run_errand(self, free_s):
        """Run an errand that is due, if it takes no longer than free_s; True if one was run."""
        for errand in self._errands:
            index = errand.due
            if index is None or self.line.turn.locked():
                continue
            meter = self._meter(index)
            section = meter.section
            longest_ms = errand.n_requests * (section.retries + 1) * (meter.timeout_ms + _REPLY_MS)
            if longest_ms < free_s * 1000:
                self._n_put_off = 0
                async with self.line.turn:
                    await errand.check(index, meter)
                return True
        return False
