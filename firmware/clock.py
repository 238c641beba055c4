"""Civil days by a POSIX TZ string, local midnight, slots, the epoch: integer functions, no state but a cache.

Instants are Unix seconds, UTC; days are counted from 1970-01-01. A local day begins at its first instant,
also where the clock jumps over midnight. Slots are counted from local midnight, so midnight is always a slot.
"""

import time

from micropython import const

_DAY_S = const(86400)
# 2025-01-01T00:00:00Z: an earlier clock has not been set since power came (ESP32 starts in 2000).
_KNOWN_S = const(1735689600)
# After a clock was set back by less, slots already recorded are not read again; by more, measuring goes on at once
# and slots may stand in the log twice.
AHEAD_S = const(3600)
# Unix seconds of this port's epoch: 0 where it is 1970 (unix), 946684800 where it is 2000 (ESP32).
_EPOCH_S = 0 if time.gmtime(0)[0] == 1970 else 946684800


def now_s():
    """Unix seconds, UTC. time.time() is a float on some ports and loses seconds where floats have 32 bits."""
    return time.time_ns() // 1000000000 + _EPOCH_S


def now_ms():
    """The same in milliseconds."""
    return time.time_ns() // 1000000 + _EPOCH_S * 1000


def is_known(at_s):
    """True if a clock that shows at_s can have been set."""
    return at_s >= _KNOWN_S


def day_of_civil(year, month, day):
    """Days from 1970-01-01 to a Gregorian date, year 1..9999.

    Counts years from March, so that the leap day comes last in the year."""
    if month < 3:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469


def civil_of_day(day):
    """(year, month, day of month) of a day number; the reverse of day_of_civil."""
    era, in_era = divmod(day + 719468, 146097)
    year = (in_era - in_era // 1460 + in_era // 36524 - in_era // 146096) // 365
    in_year = in_era - (365 * year + year // 4 - year // 100)
    month = (5 * in_year + 2) // 153
    day_of_month = in_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month <= 2), month, day_of_month


def day_text(day):
    """'2026-11-21' of a day number."""
    return "%04d-%02d-%02d" % civil_of_day(day)


def utc_text(at_s):
    """'2026-11-21T16:00:00Z' of Unix seconds."""
    day, second = divmod(at_s, _DAY_S)
    return "%sT%02d:%02d:%02dZ" % (day_text(day), second // 3600, second // 60 % 60, second % 60)


class Zone:
    """A time zone given as a POSIX TZ string (POSIX.1-2017, 8.3), with its own summer time rules if it has any.

    Zone("CST-8"), Zone("CET-1CEST,M3.5.0,M10.5.0/3"). ConfigError("zone", ..) if the text cannot be read;
    a summer time without rules is refused, since the rules would be a guess."""

    def __init__(self, text):
        # Imported here: a zone is read once, at start.
        from firmware.posixtz import Parts

        self.text = text
        parts = Parts(text)
        parts.name()
        self.standard_s = -parts.offset()
        self.summer_s = self.standard_s
        self.rules = None
        if parts.more():
            parts.name()
            self.summer_s = self.standard_s + 3600
            if not parts.more(","):
                self.summer_s = -parts.offset()
            self.rules = (parts.rule(), parts.rule())
        if parts.more():
            parts.fail()
        self._year = None
        self._summer = (0, 0)

    def offset_s(self, at_s):
        """Seconds east of UTC in force at at_s."""
        if self.rules is None:
            return self.standard_s
        year = civil_of_day((at_s + self.standard_s) // _DAY_S)[0]
        if year != self._year:
            begin, end = self.rules
            self._summer = (_rule_s(begin, year) - self.standard_s, _rule_s(end, year) - self.summer_s)
            self._year = year
        begin_s, end_s = self._summer
        if begin_s < end_s:
            summer = begin_s <= at_s < end_s
        else:
            summer = not end_s <= at_s < begin_s
        return self.summer_s if summer else self.standard_s

    def day_of(self, at_s):
        """The local day number that at_s falls on."""
        day = (at_s + self.offset_s(at_s)) // _DAY_S
        # Where the clock falls back over midnight an hour of the old day comes again: it belongs to the new day.
        return day + 1 if self.rules and at_s >= self.midnight_s(day + 1) else day

    def midnight_s(self, day):
        """The first instant of a local day, Unix seconds."""
        local_s = day * _DAY_S
        early_s = local_s - max(self.standard_s, self.summer_s)
        late_s = local_s - min(self.standard_s, self.summer_s)
        for at_s in (early_s, late_s):
            if at_s + self.offset_s(at_s) == local_s:
                return at_s
        # 00:00 does not exist: the day begins where the clock jumps.
        return self._summer[0] if early_s <= self._summer[0] <= late_s else self._summer[1]

    def local_text(self, at_s):
        """'2026-11-22 00:15:00+08:00' of Unix seconds."""
        offset_s = self.offset_s(at_s)
        day, second = divmod(at_s + offset_s, _DAY_S)
        sign, east_s = ("-", -offset_s) if offset_s < 0 else ("+", offset_s)
        clock = "%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
        seconds = ":%02d" % (east_s % 60) if east_s % 60 else ""
        return "%s %s%s%02d:%02d%s" % (day_text(day), clock, sign, east_s // 3600, east_s // 60 % 60, seconds)


def _rule_s(rule, year):
    """The rule's local instant in that year, as seconds from 1970 of the local calendar."""
    form, month, week, day, second = rule
    if form == "M":
        first = day_of_civil(year, month, 1)
        # 1970-01-01 was a Thursday (4), Sunday is 0.
        date = first + (day - first - 4) % 7 + (week - 1) * 7
        following = day_of_civil(year + month // 12, month % 12 + 1, 1)
        while date >= following:
            date -= 7
    else:
        date = day_of_civil(year, 1, 1) + day
        if form == "J":
            # Jn counts 1..365 and never names 29 February.
            date += (date - 1 >= day_of_civil(year, 2, 29) and _is_leap(year)) - 1
    return date * _DAY_S + second


def _is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def slot_at(zone, every_s, at_s):
    """The newest slot at or before at_s. every_s divides a day."""
    midnight_s = zone.midnight_s(zone.day_of(at_s))
    return at_s - (at_s - midnight_s) % every_s


def slot_after(zone, every_s, at_s):
    """The first slot after at_s: at the latest the next local midnight."""
    return min(slot_at(zone, every_s, at_s) + every_s, zone.midnight_s(zone.day_of(at_s) + 1))


def slots_between(zone, every_s, first_s, last_s):
    """How many slots lie in first_s..last_s, both included; 0 if last_s is before first_s."""
    n = 0
    while first_s <= last_s:
        day = zone.day_of(first_s)
        midnight_s, end_s = zone.midnight_s(day), zone.midnight_s(day + 1)
        upto_s = min(last_s, end_s - 1)
        n += (upto_s - midnight_s) // every_s - (first_s - midnight_s + every_s - 1) // every_s + 1
        first_s = end_s
    return n
