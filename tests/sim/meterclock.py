"""A simulated meter's clock: it drifts, stands still, and is set by the rules of DL/T 645. Integers alone; pure, portable."""

from tests.sim.bytes68 import civil

_DAY_S = 86400
# DL/T 645-2007, 7.1.8 (and 1997, 6.6): a broadcast time is taken if it is no further from the meter's own, and once a day.
_BROADCAST_S = 300


class Clock:
    """Clock(clock_s, from_us): Unix seconds, in the meter's own local time, that it shows at from_us.

    ppm: how much too fast it goes; stand(at_us): from then on it stands still. n_set: how often it was set;
    n_refused: broadcast times that it did not take."""

    def __init__(self, clock_s, from_us=0, ppm=0):
        self.ppm = ppm
        self.n_set = self.n_refused = 0
        self._broadcast_day = None
        self._stood_us = None
        self.set(clock_s, from_us)

    def set(self, clock_s, at_us):
        self._clock_s, self._from_us = clock_s, at_us
        if self._stood_us is not None:
            self._stood_us = at_us

    def now_s(self, at_us):
        return self._shown_us(at_us) // 1000000

    def midnight_us(self, at_us):
        """When it showed midnight last."""
        if self._stood_us is not None:
            at_us = min(at_us, self._stood_us)
        return at_us - self._shown_us(at_us) % (_DAY_S * 1000000)

    def stand(self, at_us):
        self._stood_us = at_us

    def _shown_us(self, at_us):
        if self._stood_us is not None:
            at_us = min(at_us, self._stood_us)
        us = max(0, at_us - self._from_us)
        return self._clock_s * 1000000 + us + us * self.ppm // 1000000

    def civil(self, at_us):
        """(year, month, day, hour, minute, second, week day from 0 on Sunday)."""
        return civil(self.now_s(at_us))

    def hear_broadcast(self, clock_s, at_us):
        """A time that was sent to everybody; clock_s None: it is none."""
        now_s = self.now_s(at_us)
        if clock_s is None or abs(clock_s - now_s) > _BROADCAST_S or self._broadcast_day == now_s // _DAY_S:
            self.n_refused += 1
            return
        self._broadcast_day = clock_s // _DAY_S
        self.write(clock_s, at_us)

    def write(self, clock_s, at_us):
        """It is set, whatever it showed."""
        self.n_set += 1
        self.set(clock_s, at_us)


def clock_s_of(year, month, day, hour, minute, second):
    """Unix seconds of a date and time from 2000 to 2099, years counted from 2000; None if there is no such."""
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return None
    lengths = (31, 28 + (year % 4 == 0), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= day <= lengths[month - 1]:
        return None
    days = 10957 + 365 * year + (year + 3) // 4 + sum(lengths[: month - 1]) + day - 1
    return days * _DAY_S + hour * 3600 + minute * 60 + second
