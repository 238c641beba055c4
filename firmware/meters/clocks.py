"""Meters' clocks: how far they are off, and setting them where the configuration says so. Loaded once a day and meter.

A meter shows local time, of winter all year or with summer time: what it is off by is the difference nearest to zero that one
of the zone's offsets gives. It is known to a second or so: a request takes a part of one, and clocks say whole ones.
"""

from binascii import unhexlify

from micropython import const

from firmware.clock import civil_of_day, day_of_civil
from firmware.errors import BadData, MeterError, MeterRefused
from firmware.protocols import dlt645, dlt645data
from firmware.protocols.payload import text

# As profiles have them, of the edition of 2007 and of 1997: data identifiers and forms of date and time of day.
_POINTS = {
    "dlt645": ((0x04000101, "date4"), (0x04000102, "time3")),
    "dlt645-1997": ((0xC010, "date4"), (0xC011, "time3")),
}
_TIME = const(0x04000102)
_DAY_S = const(86400)
# Beyond that a meter's midnight, its tariffs and its registers at midnight are of another time: an event.
OFF_S = const(300)
# Grid companies' collectors keep meters within 10 s; less is hardly more than what the reading may be wrong by, and each
# setting disturbs an interval of demand.
_LEAST_SET_S = const(10)
# A broadcast is followed only by clocks that are off by 5 minutes at most (DL/T 645-2007). Written: more than half an hour
# may be summer time, another zone or an empty battery, which a person should look at.
_MOST_SET_S = {"never": -1, "broadcast": 300, "write": 1800}
# Neither clock may be so near to midnight: what meters do there must happen, and once.
_MIDNIGHT_S = const(300)
# A board's own clock may be off by 100 ppm, 2 s after so long without an answer of a time server: good enough to set others by.
_FRESH_S = const(21600)
# A clock that was set is right to that; and two readings of one clock agree to that.
_SET_WITHIN_S = const(3)
_AGREE_S = const(2)
# A clock that shows the same after so many minutes stands still.
_STOPPED_MIN = const(60)

STOPPED = "stopped"
NONE = "none"
OFF = "off"


# -- rules --------------------------------------------------------------------------------------------------------------


def shown_of(words):
    """Seconds from 1970 of the local calendar that 'YYYY-MM-DD hh:mm:ss' shows; None if that is no date or time."""
    try:
        parts = [int(part) for part in words.replace(" ", "-").replace(":", "-").split("-")]
        year, month, day, hour, minute, second = parts
    except (AttributeError, ValueError):
        return None
    if not 1 <= month <= 12 or not 1 <= day <= 31 or hour > 23 or minute > 59 or second > 59:
        return None
    number = day_of_civil(year, month, day)
    return number * _DAY_S + hour * 3600 + minute * 60 + second if civil_of_day(number) == (year, month, day) else None


def drift_of(zone, shown_s, at_s):
    """(what a clock that shows shown_s at at_s is off by, the zone's offset that this is by)."""
    found = [(shown_s - at_s - offset_s, offset_s) for offset_s in (zone.standard_s, zone.summer_s)]
    return min(found, key=lambda pair: abs(pair[0]))


def judged(before, zone, shown_s, at_s):
    """(drift in s or None, Unix minute, "" or OFF, STOPPED, NONE) of a clock, as Meter.clock has it.

    before: the same of an earlier reading, or None."""
    minute = at_s // 60
    if shown_s is None:
        return None, minute, NONE
    drift_s = drift_of(zone, shown_s, at_s)[0]
    if before and before[0] is not None and minute - before[1] >= _STOPPED_MIN:
        # What it has fallen behind since is the time that has passed, but for the seconds of that minute; where it is nearer
        # to the zone's other offset by now, less what lies between the two.
        lost_s = before[0] - drift_s - 60 * (minute - before[1])
        if min(abs(lost_s), abs(lost_s + abs(zone.summer_s - zone.standard_s))) <= 60:
            return drift_s, minute, STOPPED
    return drift_s, minute, OFF if abs(drift_s) > OFF_S else ""


def may_set(by, shown_s, drift_s):
    """True if a clock that shows shown_s may be set: by: "never", "broadcast" or "write"."""
    if not _LEAST_SET_S <= abs(drift_s) <= _MOST_SET_S[by]:
        return False
    right_s = shown_s - drift_s
    if shown_s // _DAY_S != right_s // _DAY_S:
        return False
    return all(_MIDNIGHT_S <= second % _DAY_S <= _DAY_S - _MIDNIGHT_S for second in (shown_s, right_s))


# -- reading ------------------------------------------------------------------------------------------------------------


async def check(daily, index, meter):
    """Read a meter's clock into meter.clock; tell what is new; set the clock if that is configured and may be.

    daily: a Daily, whose said, timed, tried and set_clocks are changed. NoReply and BadFrame if the meter is silent."""
    gateway = daily.gateway
    if meter.says_number:
        words, at_s = daily.said.pop(index) if index in daily.said else (None, gateway.now_s())
        shown_s = shown_of(words)
    else:
        shown_s, at_s = await _read(gateway, meter)
    before = meter.clock
    meter.clock = found = judged(before, gateway.log.zone, shown_s, at_s)
    drift_s, _, state = found
    _tell_change(gateway.tell, meter, before, found)
    if daily.set_clocks and index in daily.set_clocks:
        _tell_set(gateway.tell, meter, daily.set_clocks.pop(index), drift_s)
    elif state in ("", OFF) and not daily.tried >> index & 1 and may_set(meter.section.set_clock, shown_s, drift_s):
        await _set(daily, index, meter, drift_s)


async def _read(gateway, meter):
    """(what a DL/T 645 meter's clock shows or None, when). A time between two equal dates is of that date."""
    date_row, time_row = [("", di, form) for di, form in _POINTS[meter.section.protocol]]
    try:
        date = await meter.read_about(date_row)
        for _ in range(2):
            time = await meter.read_about(time_row)
            at_s = gateway.now_s()
            shown_s = shown_of(date + " " + time)
            if shown_s is None or 60 <= shown_s % _DAY_S < _DAY_S - 60:
                break
            again, date = date, await meter.read_about(date_row)
            if again == date:
                break
    except (BadData, MeterRefused):
        # No digits, or no such data.
        return None, gateway.now_s()
    return shown_s, at_s


def _tell_change(tell, meter, before, found):
    """Events when a clock begins to be off by much, stopped or none, and when that is over."""
    drift_s, _, state = found
    was = before[2] if before else ""
    if state == was or state == NONE and not before and meter.says_number:
        # Many of those have no clock.
        return
    shown = "null" if drift_s is None else drift_s
    if state:
        tell('"event":"clock_off","m":%s,"why":"%s","drift_s":%s' % (text(meter.name), state, shown))
    else:
        tell('"event":"clock_right","m":%s,"drift_s":%s' % (text(meter.name), shown))


# -- setting ------------------------------------------------------------------------------------------------------------


def _is_exact(gateway):
    """True if our own clock is right to some seconds, by which others may be set."""
    return gateway.time.source == "kept" or gateway.now_s() - gateway.time.set_s <= _FRESH_S


async def _set(daily, index, meter, drift_s):
    """Set a clock that is off by drift_s, once a day at most; it is read again, and then told."""
    gateway = daily.gateway
    # One reply of 256 garbled ones passes an 8-bit sum: no clock is set by one alone.
    shown_s, at_s = await _read(gateway, meter)
    again_s, offset_s = drift_of(gateway.log.zone, shown_s, at_s) if shown_s is not None else (None, 0)
    if shown_s is None or abs(again_s - drift_s) > _AGREE_S or not _is_exact(gateway):
        return
    by = meter.section.set_clock
    if not may_set(by, shown_s, again_s):
        return
    daily.tried |= 1 << index
    daily.set_clocks = daily.set_clocks or {}
    day, second = divmod(gateway.now_s() + offset_s, _DAY_S)
    request = bytearray(dlt645.SET_BYTES)
    time = dlt645data.time_bytes(second)
    if by == "broadcast":
        n = dlt645.put_set_time(request, time + dlt645data.date_bytes(*civil_of_day(day)))
        await meter.line.tell(meter.settings, bytes(request[:n]))
        _mark_all(daily, meter.settings)
        return
    # The date is right: it is never set over midnight.
    n = dlt645.put_write(request, meter.section.number, _TIME, _password_bytes(meter.section.password), time)
    why = ""
    try:
        await meter.order(bytes(request[:n]))
    except MeterRefused as error:
        why = "refused %02X" % error.code
    except MeterError as error:
        why = error.cause
    daily.set_clocks[index] = by, drift_s, why
    daily.timed &= ~(1 << index)


def _password_bytes(digits):
    """PA P0 P1 P2 of level and password, '02123456': the level, then the password like all numbers, lowest digits first."""
    return unhexlify(digits[:2] + digits[6:] + digits[4:6] + digits[2:4])


def _mark_all(daily, settings):
    """A broadcast has set all DL/T 645 meters that listen with these settings: they are read, and told, each."""
    for index, meter in daily.meters:
        if meter.section.protocol in _POINTS and meter.settings == settings:
            daily.tried |= 1 << index
            daily.timed &= ~(1 << index)
            daily.set_clocks[index] = "broadcast", meter.clock[0] if meter.clock else None, ""


def _tell_set(tell, meter, how, after_s):
    by, drift_s, why = how
    members = '"m":%s,"by":"%s","drift_s":%s,"after_s":%s' % (
        text(meter.name),
        by,
        "null" if drift_s is None else drift_s,
        "null" if after_s is None else after_s,
    )
    if after_s is not None and abs(after_s) <= _SET_WITHIN_S:
        tell('"event":"clock_set",' + members)
    else:
        tell('"event":"clock_not_set",%s,"why":%s' % (members, text(why or "no change")))
