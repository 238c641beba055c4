"""What is done once a day for each meter of a line while it is idle: its clock is read, its values are judged.

This much is always loaded, so it holds as little as can be; what does the work is loaded for it and given back.
"""

from micropython import const

from firmware.errors import MeterError, MetergateError
from firmware.unload import START_ONLY, unload

# Not so near to local midnight: slots come first there, and a date and a time may be of two days.
_FROM_S = const(900)
_UNTIL_S = const(85500)
# Judged in the dark, for by day the sun may feed in, which looks like a transformer that is turned around; and once more
# by day, when there is a load.
_DARK_UNTIL_S = const(4 * 3600)
_BY_DAY_S = const(10 * 3600)
# Loading from flash may block a board for so long; a moment in which it may is waited for so long.
_LOAD_MS = const(600)
_WAIT_MS = const(2000)
# How often a day it may be in vain on a line: a meter does not answer, or no moment is quiet.
_MOST_IN_VAIN = const(6)


class Daily:
    """Daily(gateway, meters): meters is a list of (index in the log, Meter) of one line.

    Of the gateway it uses log, tell, now_s, time, quiet.wait and own_profiles. heard and missed say what the
    poll has met; due gives the meter whose turn it is, check does one thing for it. What is found is kept on the Meter: clock
    and findings. n_unjudged: how often it could not be done that day."""

    # What the poll reckons with. There may be four times as many, but a meter that falls silent ends it at its first, and one
    # that answers takes a part of the time that is reckoned for each.
    n_requests = 6
    n_unjudged = 0
    # {index: (the clock that the newest reply said, when)} of meters that say it in every reply; {index: what a clock
    # that was set had been off by, ..}, see clocks.
    said = ()
    _by_day = False
    set_clocks = ()

    def __init__(self, gateway, meters):
        self.gateway = gateway
        self.meters = meters
        self._day = self._n_vain = 0
        # A bit for each index, of this day: heard since it was silent; clock read, clock set, values judged.
        self._heard = self.timed = self.tried = self.judged = 0

    def heard(self, index, meter, slot_s):
        """A meter has given a reading: what is to be done this day may be done."""
        now_s = self.gateway.now_s()
        day = self.gateway.log.zone.day_of(now_s)
        if day != self._day:
            self._day = day
            self._by_day = False
            self._n_vain = self._heard = self.timed = self.tried = self.judged = 0
        bit = 1 << index
        protocol = meter.section.protocol
        if protocol == "modbus":
            # No clock that we know.
            self.timed |= bit
        if meter.reads_per_day:
            # What it may be asked is for its slots.
            self.judged |= bit
            if protocol != "cjt188":
                self.timed |= bit
        if protocol == "cjt188":
            # No electricity; and its clock is heard, not asked for.
            self.judged |= bit
            if self.timed & bit or not self.gateway.time.is_synchronised:
                return
            self.said = self.said or {}
            self.said[index] = meter.clock_text, now_s
        self._heard |= bit

    def missed(self, index):
        """A meter was silent: it is left alone until it is heard again."""
        self._heard &= ~(1 << index)

    @property
    def due(self):
        """The index of a meter that is to be checked, or None."""
        if not self._heard:
            return None
        second = self._second()
        if second >= _BY_DAY_S and not self._by_day:
            self._by_day = True
            self.judged = 0
        # While our own clock may be wrong, no other one is looked at.
        timed = self.timed if self.gateway.time.is_synchronised else self._heard
        left = self._heard & ~(timed & self.judged)
        if not _FROM_S <= second < _UNTIL_S:
            return None
        if _DARK_UNTIL_S <= second < _BY_DAY_S:
            left &= ~timed
        for index, _ in self.meters:
            if left >> index & 1:
                return index
        return None

    def _second(self):
        """Seconds of the local day."""
        now_s = self.gateway.now_s()
        return (now_s + self.gateway.log.zone.offset_s(now_s)) % 86400

    async def check(self, index, meter):
        """Read a meter's clock, or judge its values; what is new is an event."""
        bit = 1 << index
        is_timed = self.timed & bit or not self.gateway.time.is_synchronised
        is_quiet = await self.gateway.quiet.wait(_LOAD_MS, _WAIT_MS) < _WAIT_MS
        if is_timed:
            self.judged |= bit
        else:
            self.timed |= bit
        try:
            if is_quiet:
                await self._do(index, meter, is_timed)
                return
        except MeterError:
            # Once it is heard again, it is asked again.
            self._heard &= ~bit
        except (MetergateError, OSError, MemoryError):
            # profiles.json, the log, or no memory: the next day.
            self.n_unjudged += 1
            return
        finally:
            unload("firmware.meters.clocks", "firmware.meters.examine", "firmware.meters.plausible", "firmware.meters.moved")
            unload(*START_ONLY)
        self._n_vain += 1
        if self._n_vain > _MOST_IN_VAIN:
            self.n_unjudged += 1
        elif is_timed:
            self.judged &= ~bit
        else:
            self.timed &= ~bit

    async def _do(self, index, meter, is_timed):
        """Imported here: a quarter of the firmware, for some seconds a day."""
        if not is_timed:
            from firmware.meters import clocks

            await clocks.check(self, index, meter)
        elif meter.section.protocol != "cjt188":
            from firmware.meters import examine

            await examine.judge_daily(self.gateway, meter, self._second() < _DARK_UNTIL_S)
