"""Meters' clocks: what they are off by, when they are read and set, and what is told of it."""

import asyncio

from memory import Section, hexed

from firmware.clock import Zone, civil_of_day, day_of_civil
from firmware.errors import BadData, ConfigError, MeterRefused, NoReply
from firmware.meters import clocks, daily
from firmware.meters.daily import Daily
from firmware.protocols import dlt645

_CET = "CET-1CEST,M3.5.0,M10.5.0/3"
_MIDNIGHT_S = 1795276800  # 2026-11-22 00:00:00 at UTC+8
_DAY_S = 86400


class _Time:
    """The gateway's own clock: a server has just answered, or set_s or source are set otherwise."""

    is_synchronised = True
    source = "ntp"

    def __init__(self, now_s):
        self._now_s = now_s
        self._set_s = None

    @property
    def set_s(self):
        return self._now_s() if self._set_s is None else self._set_s

    @set_s.setter
    def set_s(self, at_s):
        self._set_s = at_s


class _Log:
    def __init__(self, zone):
        self.zone = Zone(zone)


class _Quiet:
    def __init__(self):
        self.took_ms = 0

    async def wait(self, for_ms, most_ms):
        return min(self.took_ms, most_ms)


class _World:
    """A gateway as Daily uses it, with a line of DL/T 645 meters whose clocks go; told: its events."""

    def __init__(self, zone="CST-8", at_s=_MIDNIGHT_S + 3600):
        self.at_s = at_s
        self.time = _Time(self.now_s)
        self.log = _Log(zone)
        self.quiet = _Quiet()
        self.told = []
        self.sent = []
        self.meters = []

    def now_s(self):
        return self.at_s

    def tell(self, members):
        self.told.append(members.replace('"event":', "").replace('"', ""))

    # -- as a line
    async def tell_all(self, settings, request):
        assert bytes(request[4:12]) == b"\x68" + b"\x99" * 6 + b"\x68"
        self.sent.append((settings, bytes(request)))
        for meter in self.meters:
            if meter.settings == settings and meter.section.protocol != "cjt188":
                meter.told(request)

    def add(self, *args, **keys):
        self.meters.append(_Meter(self, "m%d" % len(self.meters), *args, **keys))
        return self.meters[-1]

    def daily(self):
        return Daily(self, list(enumerate(self.meters)))


class _Line:
    def __init__(self, world):
        self.tell = world.tell_all


class _Meter:
    """A meter whose clock is off by off_s and gains gain_s a day; still_s: what it stands still at. asked: data identifiers.

    limit_s: it follows a broadcast if it is off by no more; shows: what it says instead of date and time."""

    clock = None
    clock_text = None

    reads_per_day = 0

    def __init__(self, world, name, off_s=0, set_clock="never", protocol="dlt645", settings=(2400, 8, 0, 1), limit_s=300):
        self.world = world
        self.name = name
        self.section = Section(set_clock=set_clock, protocol=protocol, number="000000000161", password="02123456")
        self.settings = settings
        self.line = _Line(world)
        self.off_s = off_s
        self.limit_s = limit_s
        self.gain_s = 0
        self.still_s = None
        self.takes_s = 0
        self.shows = None
        self.errors = []
        self.asked = []
        self.written = []
        self.offset_s = world.log.zone.standard_s
        self.begun_s = world.at_s

    @property
    def says_number(self):
        return self.section.protocol == "cjt188"

    def shown_s(self):
        if self.still_s is not None:
            return self.still_s
        at_s = self.world.at_s
        return at_s + self.offset_s + self.off_s + (at_s - self.begun_s) * self.gain_s // _DAY_S

    async def read_about(self, row):
        self.asked.append(row[1])
        if self.errors:
            error = self.errors.pop(0)
            if error:
                raise error
        day, second = divmod(self.shown_s(), _DAY_S)
        self.world.at_s += self.takes_s
        date = row[2] == "date4"
        assert row[1] in ((0x04000101, 0xC010) if date else (0x04000102, 0xC011)), row
        if self.shows:
            return self.shows[0 if date else 1]
        return "%04d-%02d-%02d" % civil_of_day(day) if date else _clock(second)

    def told(self, request):
        data = [byte - 0x33 & 0xFF for byte in request[14:20]]
        second, minute, hour, day, month, year = [byte // 16 * 10 + byte % 16 for byte in data]
        self._set(day_of_civil(2000 + year, month, day) * _DAY_S + hour * 3600 + minute * 60 + second, self.limit_s)

    def _set(self, shown_s, limit_s):
        if abs(shown_s - self.shown_s()) <= limit_s:
            self.off_s += shown_s - self.shown_s()

    async def order(self, request):
        self.written.append(bytes(request))
        if self.errors:
            raise self.errors.pop(0)
        time = [byte - 0x33 & 0xFF for byte in request[26:29]]
        second, minute, hour = [byte // 16 * 10 + byte % 16 for byte in time]
        self._set(self.shown_s() // _DAY_S * _DAY_S + hour * 3600 + minute * 60 + second, 10**9)


def _clock(second):
    return "%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)


def _run(coroutine):
    return asyncio.run(coroutine)


def _check(world, found, index=0):
    # Other tests hold the modules that would be given back.
    unload, daily.unload = daily.unload, lambda *names: None
    try:
        _run(found.check(index, world.meters[index]))
    finally:
        daily.unload = unload


def _day(world, found, at_s=None, most=20):
    """Let every meter be heard, and check what is due; how many checks that took."""
    if at_s is not None:
        world.at_s = at_s
    for index, meter in enumerate(world.meters):
        found.heard(index, meter, world.at_s)
        # Not of interest here.
        found.judged |= 1 << index
    found._by_day = True
    for n in range(most):
        index = found.due
        if index is None:
            return n
        _check(world, found, index)
    raise AssertionError("always due")


# -- rules ------------------------------------------------------------------------------------------------------------


def test_a_shown_date_and_time_are_seconds_or_none():
    for words, shown_s in (
        ("1970-01-01 00:00:00", 0),
        ("2026-11-22 14:15:30", 20779 * _DAY_S + 14 * 3600 + 15 * 60 + 30),
        ("2024-02-29 23:59:59", 19782 * _DAY_S + 86399),
        ("2000-01-01 00:00:01", 10957 * _DAY_S + 1),
    ):
        assert clocks.shown_of(words) == shown_s
    for words in (
        "2000-00-00 00:00:00",
        "2026-13-01 00:00:00",
        "2026-11-31 00:00:00",
        "2023-02-29 00:00:00",
        "2026-00-22 00:00:00",
        "2026-11-00 00:00:00",
        "2026-11-22 24:00:00",
        "2026-11-22 23:60:00",
        "2026-11-22 23:00:60",
        "2026-11-22",
        "",
        None,
        "2026-11-22 FF:00:00",
    ):
        assert clocks.shown_of(words) is None, words


def test_a_clock_is_off_by_the_least_that_an_offset_of_its_zone_gives():
    at_s = 1784000000  # July
    for zone, by, offset_s in (
        ("CST-8", 0, 8 * 3600),
        (_CET, 0, 3600),
        (_CET, 0, 7200),
        (_CET, 1799, 3600),
        (_CET, -1799, 7200),
        (_CET, -100, 3600),
        ("CST-8", 40000, 8 * 3600),
        ("CST-8", -7 * _DAY_S, 8 * 3600),
        ("<-0930>9:30", 5, -9 * 3600 - 1800),
    ):
        assert clocks.drift_of(Zone(zone), at_s + offset_s + by, at_s) == (by, offset_s)


def _judged(drift_s, before=None, at_s=_MIDNIGHT_S, zone="CST-8"):
    return clocks.judged(before, Zone(zone), None if drift_s is None else at_s + 8 * 3600 + drift_s, at_s)


def test_a_clock_is_judged():
    minute = _MIDNIGHT_S // 60
    assert _judged(0) == (0, minute, "")
    for drift_s in (300, -300, 12):
        assert _judged(drift_s) == (drift_s, minute, "")
    for drift_s in (301, -301, -_DAY_S, -800000000):
        assert _judged(drift_s) == (drift_s, minute, "off")
    assert _judged(None) == (None, minute, "none")


def test_a_clock_that_shows_the_same_stands_still():
    before = (40, _MIDNIGHT_S // 60, "")
    for after_s in (3600, 7200, _DAY_S, 7 * _DAY_S):
        found = clocks.judged(before, Zone("CST-8"), _MIDNIGHT_S + 8 * 3600 + 40, _MIDNIGHT_S + after_s)
        assert found == (40 - after_s, (_MIDNIGHT_S + after_s) // 60, "stopped"), after_s
        # One that goes, and one that loses a lot.
        assert _judged(41, before, _MIDNIGHT_S + after_s)[2] == ""
        assert _judged(40 - after_s // 2, before, _MIDNIGHT_S + after_s)[2] == "off"
    # Too soon to say.
    assert clocks.judged(before, Zone("CST-8"), _MIDNIGHT_S + 8 * 3600 + 40, _MIDNIGHT_S + 1800)[2] == "off"
    # Of one that was none nothing is known.
    assert _judged(5, (None, 0, "none"))[2] == ""
    # In a zone with summer time it is off by the other offset after a while; also where summer time is the one behind.
    for zone in (Zone(_CET), Zone("IST-1GMT0,M10.5.0,M3.5.0/1")):
        for offset_s in (zone.standard_s, zone.summer_s):
            for off_s in (-1700, -1500, 0, 1500, 1700):
                for hours in (1, 2, 24):
                    shown_s = 1784000000 + offset_s + off_s
                    first = clocks.judged(None, zone, shown_s, 1784000000)
                    later = clocks.judged(first, zone, shown_s, 1784000000 + hours * 3600)
                    assert later[2] == "stopped", (offset_s, off_s, first, later)


def test_a_clock_is_set_within_bounds_only():
    noon_s = 20779 * _DAY_S + 43200
    for by, least, most in (("broadcast", 10, 300), ("write", 10, 1800)):
        for drift_s in (least, -least, most, -most):
            assert clocks.may_set(by, noon_s + drift_s, drift_s), (by, drift_s)
        for drift_s in (0, least - 1, 1 - least, most + 1, -most - 1, 10**8):
            assert not clocks.may_set(by, noon_s + drift_s, drift_s), (by, drift_s)
    for drift_s in (0, 50, 300):
        assert not clocks.may_set("never", noon_s + drift_s, drift_s)


def test_a_clock_is_not_set_around_midnight_of_either_clock_nor_over_it():
    midnight_s = 20779 * _DAY_S
    for right, drift_s, may in (
        (300, 60, True),
        (299, 60, False),
        (359, -60, False),
        (360, -60, True),
        (-300, -60, True),
        (-299, -60, False),
        (-360, 60, True),
        (-359, 60, False),
        # Over it.
        (1000, -1400, False),
        (-1000, 1400, False),
        (1800, -1400, True),
    ):
        assert clocks.may_set("write", midnight_s + right + drift_s, drift_s) == may, (right, drift_s)


# -- when they are read -------------------------------------------------------------------------------------------------


def test_a_clock_is_read_once_a_local_day_not_near_midnight():
    world = _World()
    meter = world.add(17)
    found = world.daily()
    assert found.due is None
    assert _day(world, found, _MIDNIGHT_S) == 0
    assert _day(world, found, _MIDNIGHT_S + 899) == 0
    assert _day(world, found, _MIDNIGHT_S + 900) == 1
    assert meter.asked == [0x04000101, 0x04000102]
    assert meter.clock == (17, (_MIDNIGHT_S + 900) // 60, "")
    assert _day(world, found, _MIDNIGHT_S + 85499) == 0
    assert _day(world, found, _MIDNIGHT_S + _DAY_S + 100) == 0
    assert _day(world, found, _MIDNIGHT_S + _DAY_S + 85500) == 0
    assert _day(world, found, _MIDNIGHT_S + 2 * _DAY_S + 50000) == 1
    assert len(meter.asked) == 4
    assert world.told == []


def test_a_clock_is_not_read_while_ours_is_not_right_nor_before_the_meter_is_heard():
    world = _World()
    meter = world.add(17)
    found = world.daily()
    world.time.is_synchronised = False
    assert _day(world, found) == 0 and meter.asked == []
    # Its values can be judged all the same.
    found.judged = 0
    assert found.due == 0
    found.judged = 1
    assert found.due is None
    world.time.is_synchronised = True
    assert found.due == 0
    found.missed(0)
    assert found.due is None
    found.heard(0, meter, world.at_s)
    assert found.due == 0
    # Heard yesterday says nothing today.
    world.add(0)
    found.meters = list(enumerate(world.meters))
    world.at_s += _DAY_S
    found.heard(1, world.meters[1], world.at_s)
    _check(world, found, 1)
    found.judged |= 2
    assert found.due is None


def test_the_edition_of_1997_has_its_own_data_identifiers_and_modbus_no_clock():
    world = _World()
    world.add(5, protocol="dlt645-1997")
    world.add(5, protocol="modbus")
    assert _day(world, world.daily()) == 1
    assert world.meters[0].asked == [0xC010, 0xC011]
    assert world.meters[0].clock[0] == 5
    assert world.meters[1].asked == [] and world.meters[1].clock is None


def test_it_waits_for_a_quiet_moment():
    world = _World()
    meter = world.add(5)
    found = world.daily()
    world.quiet.took_ms = 10**6
    found.heard(0, meter, world.at_s)
    _check(world, found)
    assert meter.asked == [] and found.due == 0
    world.quiet.took_ms = 1000
    _check(world, found)
    assert len(meter.asked) == 2


def test_a_line_that_is_never_quiet_is_left_alone_that_day():
    world = _World()
    meter = world.add(5)
    found = world.daily()
    world.quiet.took_ms = 10**6
    assert _day(world, found) == 7
    assert meter.asked == [] and found.n_unjudged == 1
    world.quiet.took_ms = 0
    assert _day(world, found) == 0
    assert _day(world, found, world.at_s + _DAY_S) == 1 and meter.clock[0] == 5


def test_a_silent_meter_is_asked_again_when_it_is_heard_but_not_for_ever():
    world = _World()
    meter = world.add(5)
    found = world.daily()
    n = 0
    for _ in range(20):
        meter.errors = [NoReply(500)]
        n += _day(world, found)
    assert n == 7 and meter.clock is None
    world.at_s += _DAY_S
    meter.errors = []
    assert _day(world, found) == 1
    assert meter.clock[0] == 5


def test_a_time_is_of_the_date_on_both_sides_of_it():
    for shown, takes_s, date, n_asked in (
        # 23:59:59.. between date and time it becomes midnight: the date is read again, and the time.
        (_DAY_S - 1, 2, 1, 5),
        (_DAY_S - 30, 2, 0, 3),
        (20, 2, 0, 3),
        (60, 2, 0, 2),
        (_DAY_S - 61, 0, 0, 2),
    ):
        world = _World()
        meter = world.add(0)
        # Noon here, midnight there: so far off that no offset of ours is meant.
        meter.off_s = shown - 3600 - meter.offset_s + 8 * 3600
        meter.takes_s = takes_s
        begun_s = meter.shown_s()
        assert begun_s % _DAY_S == shown
        assert _day(world, world.daily()) == 1
        assert len(meter.asked) == n_asked, (shown, meter.asked)
        seen_s = meter.clock[0] + world.at_s + 8 * 3600
        assert seen_s // _DAY_S == begun_s // _DAY_S + date
        # What is read is a second or so old, never a day.
        assert abs(meter.clock[0] - meter.off_s) <= 2 * takes_s


# -- what is told ---------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_off_is_told_when_it_begins_and_when_it_ends():
    world = _World()
    meter = world.add(290)
    meter.gain_s = 6
    found = world.daily()
    for day in range(5):
        _day(world, found, _MIDNIGHT_S + 3600 + day * _DAY_S)
    assert world.told == ["clock_off,m:m0,why:off,drift_s:302"]
    meter.off_s, meter.gain_s = -3, 0
    for day in range(5, 8):
        _day(world, found, _MIDNIGHT_S + 3600 + day * _DAY_S)
    assert world.told[1:] == ["clock_right,m:m0,drift_s:-3"]


def test_a_clock_that_stops_is_told():
    world = _World()
    meter = world.add(-7)
    found = world.daily()
    _day(world, found, _MIDNIGHT_S + 3600)
    meter.still_s = meter.shown_s() + 100
    for day in range(1, 4):
        _day(world, found, _MIDNIGHT_S + 3600 + day * _DAY_S)
    assert world.told == [
        "clock_off,m:m0,why:off,drift_s:-86307",
        "clock_off,m:m0,why:stopped,drift_s:-172707",
    ]


def test_a_clock_that_is_none_is_told_once():
    for shows, error in (
        (("2000-00-00", "00:00:00"), None),
        (("2026-11-22", "25:00:00"), None),
        (None, MeterRefused(2)),
        (None, BadData("04000101", b"")),
    ):
        world = _World()
        meter = world.add(0)
        found = world.daily()
        for day in range(3):
            meter.shows, meter.errors = shows, [error]
            assert _day(world, found, _MIDNIGHT_S + 3600 + day * _DAY_S) == 1
            assert meter.clock[0] is None and meter.clock[2] == "none"
        assert world.told == ["clock_off,m:m0,why:none,drift_s:null"]


def test_a_meter_that_says_its_clock_in_every_reply_is_not_asked():
    world = _World()
    meter = world.add(0, protocol="cjt188")
    other = world.add(0, protocol="cjt188")
    found = world.daily()
    meter.clock_text = "2026-11-22 00:00:31"
    # Heard in the first minutes of the day, when nothing is judged yet.
    assert _day(world, found, _MIDNIGHT_S + 11) == 0
    meter.clock_text = "2026-11-22 01:00:00"
    assert _day(world, found, _MIDNIGHT_S + 3580) == 2
    assert meter.clock == (20, (_MIDNIGHT_S + 3580) // 60, "")
    assert other.clock == (None, (_MIDNIGHT_S + 3580) // 60, "none")
    # Many have none, and that is no event; that it has one no more is one.
    assert world.told == []
    meter.clock_text = None
    assert _day(world, found, _MIDNIGHT_S + _DAY_S + 3600) == 2
    assert world.told == ["clock_off,m:m0,why:none,drift_s:null"]
    assert meter.asked == other.asked == [] and not found.said


def test_a_clock_that_is_said_while_ours_is_not_right_says_nothing():
    world = _World()
    meter = world.add(0, protocol="cjt188")
    found = world.daily()
    meter.clock_text = "2026-11-22 05:00:00"
    world.time.is_synchronised = False
    found.heard(0, meter, world.at_s)
    assert not found.said
    world.time.is_synchronised = True
    assert found.due is None
    meter.clock_text = "2026-11-22 01:00:00"
    assert _day(world, found) == 1 and meter.clock[0] == 0
    # Once a day is enough: nothing is kept of the replies that follow.
    found.heard(0, meter, world.at_s)
    assert not found.said


# -- setting ----------------------------------------------------------------------------------------------------------------


def test_a_broadcast_sets_the_clock_and_is_told():
    world = _World()
    meter = world.add(37, "broadcast")
    found = world.daily()
    assert _day(world, found) == 2
    assert len(world.sent) == 1
    settings, frame = world.sent[0]
    assert settings == meter.settings and len(frame) == 22
    # 01:00:00 of 2026-11-22 there.
    assert bytes(byte - 0x33 & 0xFF for byte in frame[14:20]) == hexed("00 00 01 22 11 26")
    assert world.told == ["clock_set,m:m0,by:broadcast,drift_s:37,after_s:0"]
    assert meter.clock[0] == 0 and meter.written == [] and not found.set_clocks
    # Right now: nothing is to be done the next days.
    assert _day(world, found, _MIDNIGHT_S + _DAY_S + 3600) == 1
    assert len(world.sent) == 1


def test_a_clock_is_set_only_where_that_is_configured_and_may_be():
    for set_clock, off_s, at_s, n in (
        ("never", 37, 3600, 0),
        ("broadcast", 9, 3600, 0),
        ("broadcast", -300, 3600, 1),
        ("broadcast", 301, 3600, 0),
        ("write", 1800, 7200, 1),
        ("write", 1801, 7200, 0),
        ("write", -1800, 1900, 0),
    ):
        world = _World()
        meter = world.add(off_s, set_clock)
        _day(world, world.daily(), _MIDNIGHT_S + at_s)
        assert len(world.sent) + len(meter.written) == n, (set_clock, off_s)


def test_a_meter_that_does_not_take_it_is_told_once_a_day():
    world = _World()
    meter = world.add(37, "broadcast", limit_s=0)
    found = world.daily()
    for day in range(3):
        assert _day(world, found, _MIDNIGHT_S + 3600 + day * _DAY_S) == 2
        assert _day(world, found, _MIDNIGHT_S + 50000 + day * _DAY_S) == 0
        assert len(world.sent) == day + 1
    assert world.told == ["clock_not_set,m:m0,by:broadcast,drift_s:37,after_s:37,why:no change"] * 3
    assert meter.clock[0] == 37


def test_a_broadcast_is_told_of_every_meter_that_hears_it():
    world = _World()
    world.add(2, "broadcast")
    world.add(-120, "broadcast")
    world.add(5, "write", protocol="dlt645-1997")
    world.add(6, "broadcast", settings=(9600, 8, None, 1))
    world.add(0, protocol="cjt188")
    found = world.daily()
    _day(world, found)
    assert len(world.sent) == 1
    assert world.told == [
        "clock_set,m:m0,by:broadcast,drift_s:2,after_s:0",
        "clock_set,m:m1,by:broadcast,drift_s:-120,after_s:0",
        "clock_set,m:m2,by:broadcast,drift_s:null,after_s:0",
    ]
    assert world.meters[3].clock[0] == 6
    # Once a day, whoever is off.
    world.meters[0].off_s = 100
    found.timed = 0
    _day(world, found)
    assert len(world.sent) == 1


def test_a_clock_is_written_with_the_password_and_the_time_alone():
    world = _World()
    meter = world.add(-1000, "write")
    found = world.daily()
    assert _day(world, found) == 2
    buf = bytearray(dlt645.SET_BYTES)
    dlt645.put_write(buf, meter.section.number, 0x04000102, hexed("02 56 34 12"), hexed("00 00 01"))
    assert meter.written == [bytes(buf)]
    assert world.told == [
        "clock_off,m:m0,why:off,drift_s:-1000",
        "clock_right,m:m0,drift_s:0",
        "clock_set,m:m0,by:write,drift_s:-1000,after_s:0",
    ]


def test_a_refused_password_is_told_and_not_tried_again_that_day():
    for error, why in ((MeterRefused(4), "refused 04"), (NoReply(500), "no reply")):
        world = _World()
        meter = world.add(60, "write")
        found = world.daily()
        meter.errors = [None] * 4 + [error]
        assert _day(world, found) == 2
        assert world.told == ["clock_not_set,m:m0,by:write,drift_s:60,after_s:60,why:" + why]
        assert len(meter.written) == 1
        assert _day(world, found) == 0


def test_a_meter_keeps_the_time_of_its_own_season():
    # Summer in Europe; one meter shows winter time, another one summer time: each is set to its own.
    at_s = 1784000000
    for offset_s in (3600, 7200):
        world = _World(_CET, at_s)
        meter = world.add(-40, "write")
        meter.offset_s = offset_s
        _day(world, world.daily())
        assert meter.off_s == 0 and len(meter.written) == 1
        assert world.told == ["clock_set,m:m0,by:write,drift_s:-40,after_s:0"]


def test_one_reading_alone_sets_no_clock():
    # A garbled time that passed its checksum, and then the right one, or another garbled one.
    for first_s, second_s, n_sent in ((37, 0, 0), (200, 37, 0), (37, 200, 0), (37, 40, 0), (37, 39, 1), (37, 35, 1)):
        world = _World()
        meter = world.add(first_s, "broadcast")
        read = meter.read_about

        async def garbled(row, meter=meter, read=read, second_s=second_s):
            words = await read(row)
            if len(meter.asked) == 2:
                meter.off_s = second_s
            return words

        meter.read_about = garbled
        assert _day(world, world.daily()) == 1 + n_sent
        assert len(world.sent) == n_sent, (first_s, second_s)


def test_clocks_are_set_by_one_of_ours_that_is_exact_only():
    for source, age_s, n in (("ntp", 21600, 1), ("ntp", 21601, 0), ("ntp", 6 * _DAY_S, 0), ("kept", 6 * _DAY_S, 1)):
        world = _World()
        meter = world.add(37, "broadcast")
        world.time.source, world.time.set_s = source, world.at_s - age_s
        found = world.daily()
        assert _day(world, found) == 1 + n
        assert len(world.sent) == n, (source, age_s)
        # It is read all the same, and may be set later that day.
        assert meter.clock[0] == (0 if n else 37) and bool(found.tried) == bool(n)


def test_no_memory_or_a_fault_of_flash_costs_that_day_only():
    for error in (MemoryError(), OSError(5), ConfigError("profiles.json", "is not JSON")):
        world = _World()
        meter = world.add(37)
        found = world.daily()
        meter.errors = [error]
        assert _day(world, found) == 1
        assert found.n_unjudged == 1 and meter.clock is None
        assert _day(world, found, _MIDNIGHT_S + _DAY_S + 3600) == 1
        assert meter.clock[0] == 37


def test_the_modules_are_given_back():
    world = _World()
    meter = world.add(37)
    found = world.daily()
    found.heard(0, meter, world.at_s)
    unload, given = daily.unload, []
    daily.unload = lambda *names: given.extend(names)
    try:
        _run(found.check(0, meter))
    finally:
        daily.unload = unload
    for name in ("clocks", "examine", "plausible", "moved", "equip", "profiles"):
        assert "firmware.meters." + name in given
