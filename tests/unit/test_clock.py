"""clock: civil days, time zones and slots, against dates and changes of the clock that are on record."""

import time

from memory import ZONES, raised

from firmware import clock
from firmware.clock import Zone, slot_after, slot_at, slots_between
from firmware.errors import ConfigError

# Days from 1970-01-01, by Python's datetime.
_DAYS = (
    ((1, 1, 1), -719162),
    ((1969, 12, 31), -1),
    ((1970, 1, 1), 0),
    ((1972, 2, 29), 789),
    ((2000, 1, 1), 10957),
    ((2000, 2, 29), 11016),
    ((2000, 3, 1), 11017),
    ((2024, 2, 29), 19782),
    ((2025, 1, 1), 20089),
    ((2025, 11, 22), 20414),
    ((2100, 2, 28), 47540),
    ((2100, 3, 1), 47541),
    ((2400, 2, 29), 157113),
    ((9999, 12, 31), 2932896),
)

# Changes of 2025 by the IANA database: zone, last second before it + 1, offset before and after.
_CHANGES = (
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1743296400, 3600, 7200),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1761440400, 7200, 3600),
    ("CST5CDT,M3.2.0/0,M11.1.0/1", 1741496400, -18000, -14400),
    ("CST5CDT,M3.2.0/0,M11.1.0/1", 1762059600, -14400, -18000),
    ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", 1743908400, -10800, -14400),
    ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", 1757217600, -14400, -10800),
    ("<-01>1<+00>,M3.5.0/0,M10.5.0/1", 1743296400, -3600, 0),
    ("<-01>1<+00>,M3.5.0/0,M10.5.0/1", 1761440400, 0, -3600),
    ("EET-2EEST,M3.5.0/0,M10.5.0/0", 1743285600, 7200, 10800),
    ("EET-2EEST,M3.5.0/0,M10.5.0/0", 1761426000, 10800, 7200),
    ("EET-2EEST,M4.5.5/0,M10.5.4/24", 1745532000, 7200, 10800),
    ("EET-2EEST,M4.5.5/0,M10.5.4/24", 1761858000, 10800, 7200),
    ("IST-2IDT,M3.4.4/26,M10.5.0", 1743120000, 7200, 10800),
    ("IST-2IDT,M3.4.4/26,M10.5.0", 1761433200, 10800, 7200),
    ("EET-2EEST,M3.4.4/50,M10.4.4/50", 1743206400, 7200, 10800),
    ("EET-2EEST,M3.4.4/50,M10.4.4/50", 1761346800, 10800, 7200),
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1743296400, -7200, -3600),
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1761440400, -3600, -7200),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1743865200, 39600, 37800),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1759591800, 37800, 39600),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", 1743296400, 0, 3600),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", 1761440400, 3600, 0),
    ("<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", 1743296400, 0, 7200),
    ("EST5EDT,M3.2.0,M11.1.0", 1741503600, -18000, -14400),
    ("<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", 1758981600, 45900, 49500),
)

_BAD_ZONES = (
    "",
    "8",
    "CST",
    "CS-8",
    "CST-",
    "CST-25",
    "CST-8:60",
    "CST-8:00:60",
    "CST-8 ",
    " CST-8",
    "CST-8X",
    "CST--8",
    "CST-8CDT",
    "CST-8CDT,M3.2.0",
    "CST-8CDT,M3.2.0,M11.1.0,M12.1.0",
    "CST-8CDT,M3.2,M11.1.0",
    "CST-8CDT,M0.2.0,M11.1.0",
    "CST-8CDT,M13.2.0,M11.1.0",
    "CST-8CDT,M3.0.0,M11.1.0",
    "CST-8CDT,M3.6.0,M11.1.0",
    "CST-8CDT,M3.2.7,M11.1.0",
    "CST-8CDT,M3.2.0/168,M11.1.0",
    "CST-8CDT,M3.2.0/2:60,M11.1.0",
    "CST-8CDT,J0,J305",
    "CST-8CDT,J366,J305",
    "CST-8CDT,366,305",
    "CST-8CDT,M3.2.0/,M11.1.0",
    "<+08-8",
    "<+>-8",
    "<>-8",
    "<+0 8>-8",
    "Asia/Shanghai",
    ":CST-8",
    "CST-8,M3.2.0,M11.1.0",
    "\u00c4\u00d6\u00dc-8",
    "CST-\u0668",
    "CST-8\n",
)

_BERLIN = Zone("CET-1CEST,M3.5.0,M10.5.0/3")
_CHINA = Zone("CST-8")


def _day(year, month, day):
    return clock.day_of_civil(year, month, day)


def test_days_are_counted_from_1970_in_leap_and_common_years():
    for civil, day in _DAYS:
        assert clock.day_of_civil(*civil) == day, civil
        assert clock.civil_of_day(day) == civil, civil


def test_civil_of_day_reverses_day_of_civil_from_1970_to_2110():
    expected = 0
    for year in range(1970, 2111):
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        for month, n_days in enumerate((31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)):
            for day in (1, 2, n_days - 1, n_days):
                civil = (year, month + 1, day)
                assert clock.day_of_civil(*civil) == expected + day - 1, civil
                assert clock.civil_of_day(expected + day - 1) == civil, civil
            expected += n_days


def test_texts_of_days_and_instants():
    assert clock.day_text(20414) == "2025-11-22"
    assert clock.day_text(-719162) == "0001-01-01"
    assert clock.utc_text(0) == "1970-01-01T00:00:00Z"
    assert clock.utc_text(1763799302) == "2025-11-22T08:15:02Z"
    assert clock.utc_text(4102444799) == "2099-12-31T23:59:59Z"


def test_local_text_shows_the_offset_in_force():
    assert _CHINA.local_text(1763799302) == "2025-11-22 16:15:02+08:00"
    assert Zone("<-0930>9:30").local_text(1763799302) == "2025-11-21 22:45:02-09:30"
    assert _BERLIN.local_text(1743296399) == "2025-03-30 01:59:59+01:00"
    assert _BERLIN.local_text(1743296400) == "2025-03-30 03:00:00+02:00"
    assert Zone("LMT-8:05:43").local_text(0) == "1970-01-01 08:05:43+08:05:43"


def test_now_is_the_machines_clock_in_whole_seconds():
    epoch_s = 0 if time.gmtime(0)[0] == 1970 else 946684800
    before_s = int(time.time()) + epoch_s
    now_s = clock.now_s()
    assert type(now_s) is int
    assert before_s <= now_s <= int(time.time()) + epoch_s


def test_a_clock_before_2025_was_never_set():
    assert not clock.is_known(0)
    assert not clock.is_known(946684800)
    assert not clock.is_known(1735689599)
    assert clock.is_known(1735689600)


def test_fixed_offsets_are_read_with_their_sign():
    for text, offset_s in (
        ("UTC0", 0),
        ("CST-8", 28800),
        ("CST-08:00:00", 28800),
        ("EST5", -18000),
        ("EST+5", -18000),
        ("<+0545>-5:45", 20700),
        ("<-0930>9:30", -34200),
        ("LMT-8:05:43", 29143),
        ("XXX24:59:59", -89999),
        ("XXX-24", 86400),
    ):
        zone = Zone(text)
        for at_s in (0, 1763799302, 4102444800):
            assert zone.offset_s(at_s) == offset_s, text
        assert zone.text == text


def test_summer_time_changes_at_the_second_on_record():
    for text, at_s, before_s, after_s in _CHANGES:
        zone = Zone(text)
        assert zone.offset_s(at_s - 1) == before_s, (text, at_s)
        assert zone.offset_s(at_s) == after_s, (text, at_s)


def test_summer_time_rules_are_those_of_the_year_asked_for():
    # 2026: 29 March and 25 October; asked for out of order, since the rules of a year are kept.
    zone = Zone("CET-1CEST,M3.5.0,M10.5.0/3")
    for at_s, offset_s in (
        (1774746000, 7200),
        (1743296399, 3600),
        (1774745999, 3600),
        (1743296400, 7200),
        (1792889999, 7200),
        (1792890000, 3600),
        (1761440400, 3600),
    ):
        assert zone.offset_s(at_s) == offset_s, at_s


def test_julian_rules_never_count_29_february_and_plain_ones_do():
    # J60 is 1 March in every year; 59 is 1 March in common years and 29 February in leap years.
    for rule, year, civil in (
        ("J60/0", 2024, (2024, 3, 1)),
        ("J60/0", 2025, (2025, 3, 1)),
        ("J59/0", 2024, (2024, 2, 28)),
        ("J1/0", 2024, (2024, 1, 1)),
        ("J200/0", 2024, (2024, 7, 19)),
        ("J200/0", 2025, (2025, 7, 19)),
        ("59/0", 2024, (2024, 2, 29)),
        ("59/0", 2025, (2025, 3, 1)),
        ("60/0", 2024, (2024, 3, 1)),
    ):
        zone = Zone("XXX0YYY,%s,J365/0" % rule)
        begin_s = _day(*civil) * 86400
        assert zone.offset_s(begin_s - 1) == 0, (rule, year)
        assert zone.offset_s(begin_s) == 3600, (rule, year)


def test_a_text_that_is_no_zone_is_refused():
    for text in _BAD_ZONES:
        error = raised(ConfigError, Zone, text)
        assert error.key == "zone", text
        assert "CST-8" in error.allowed


def test_local_midnight_of_a_fixed_zone():
    assert _CHINA.midnight_s(20414) == 20414 * 86400 - 28800
    assert _CHINA.day_of(20414 * 86400 - 28800) == 20414
    assert _CHINA.day_of(20414 * 86400 - 28801) == 20413


def test_days_have_23_and_25_hours_where_the_clock_changes():
    for zone, civil, hours in (
        ("CET-1CEST,M3.5.0,M10.5.0/3", (2025, 3, 29), 24),
        ("CET-1CEST,M3.5.0,M10.5.0/3", (2025, 3, 30), 23),
        ("CET-1CEST,M3.5.0,M10.5.0/3", (2025, 3, 31), 24),
        ("CET-1CEST,M3.5.0,M10.5.0/3", (2025, 10, 26), 25),
        ("CST5CDT,M3.2.0/0,M11.1.0/1", (2025, 3, 9), 23),
        ("CST5CDT,M3.2.0/0,M11.1.0/1", (2025, 11, 2), 25),
        ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", (2025, 4, 5), 25),
        ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", (2025, 9, 7), 23),
        ("EET-2EEST,M4.5.5/0,M10.5.4/24", (2025, 10, 30), 25),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", (2025, 4, 6), 24.5),
        ("<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", (2025, 3, 30), 22),
    ):
        zone = Zone(zone)
        day = _day(*civil)
        assert zone.midnight_s(day + 1) - zone.midnight_s(day) == hours * 3600, (zone.text, civil)


def test_a_day_whose_midnight_does_not_exist_begins_where_the_clock_jumps():
    for zone, civil, begin_s, local in (
        ("CST5CDT,M3.2.0/0,M11.1.0/1", (2025, 3, 9), 1741496400, "2025-03-09 01:00:00-04:00"),
        ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", (2025, 9, 7), 1757217600, "2025-09-07 01:00:00-03:00"),
        ("<-01>1<+00>,M3.5.0/0,M10.5.0/1", (2025, 3, 30), 1743296400, "2025-03-30 01:00:00+00:00"),
        ("EET-2EEST,M3.5.0/0,M10.5.0/0", (2025, 3, 30), 1743285600, "2025-03-30 01:00:00+03:00"),
        ("<-02>2<-01>,M3.5.0/-0:30,M10.5.0/0", (2025, 3, 30), 1743298200, "2025-03-30 00:30:00-01:00"),
    ):
        zone = Zone(zone)
        assert zone.midnight_s(_day(*civil)) == begin_s, zone.text
        assert zone.local_text(begin_s) == local
        assert zone.day_of(begin_s) == _day(*civil)
        assert zone.day_of(begin_s - 1) == _day(*civil) - 1


def test_a_midnight_that_comes_twice_begins_the_day_the_first_time():
    # Havana, 2 November 2025: 01:00 becomes 00:00.
    zone = Zone("CST5CDT,M3.2.0/0,M11.1.0/1")
    assert zone.midnight_s(_day(2025, 11, 2)) == 1762056000
    assert zone.local_text(1762056000) == "2025-11-02 00:00:00-04:00"
    assert zone.local_text(1762059600) == "2025-11-02 00:00:00-05:00"


def test_an_hour_of_the_old_day_that_comes_again_after_midnight_belongs_to_the_new_day():
    # Newfoundland until 2011: at 00:01 the clock falls back to 23:01 of the day before.
    zone = Zone("NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01")
    day = _day(2025, 11, 2)
    begin_s = zone.midnight_s(day)
    assert zone.local_text(begin_s) == "2025-11-02 00:00:00-02:30"
    assert zone.local_text(begin_s + 60) == "2025-11-01 23:01:00-03:30"
    for at_s in range(begin_s, begin_s + 2 * 3600, 60):
        assert zone.day_of(at_s) == day
    assert zone.day_of(begin_s - 1) == day - 1


def test_days_of_every_zone_follow_each_other_without_gap_or_overlap():
    for text in ZONES:
        zone = Zone(text)
        for day in range(_day(2025, 1, 1), _day(2026, 1, 1)):
            begin_s, end_s = zone.midnight_s(day), zone.midnight_s(day + 1)
            assert 20 * 3600 < end_s - begin_s < 28 * 3600, (text, day)
            assert zone.day_of(begin_s) == day, (text, day)
            assert zone.day_of(end_s - 1) == day, (text, day)


def test_slots_are_counted_from_local_midnight():
    midnight_s = _CHINA.midnight_s(20414)
    assert slot_at(_CHINA, 900, midnight_s) == midnight_s
    assert slot_at(_CHINA, 900, midnight_s + 899) == midnight_s
    assert slot_at(_CHINA, 900, midnight_s + 900) == midnight_s + 900
    assert slot_at(_CHINA, 86400, midnight_s + 86399) == midnight_s
    assert slot_at(_CHINA, 900, midnight_s - 1) == midnight_s - 900
    # Nepal's midnight is at a quarter past 18 UTC: full hours are local ones.
    nepal = Zone("<+0545>-5:45")
    assert slot_at(nepal, 3600, 1763799302) == 1763799300


def test_the_next_slot_is_at_the_latest_local_midnight():
    midnight_s = _CHINA.midnight_s(20414)
    assert slot_after(_CHINA, 900, midnight_s) == midnight_s + 900
    assert slot_after(_CHINA, 900, midnight_s - 1) == midnight_s
    assert slot_after(_CHINA, 86400, midnight_s) == midnight_s + 86400
    # A day of 23 hours: its last span of four hours has three.
    spring_s = _BERLIN.midnight_s(_day(2025, 3, 30))
    assert slot_after(_BERLIN, 14400, spring_s + 5 * 14400) == spring_s + 23 * 3600
    # A day of 25 hours: its slots go on until midnight.
    autumn_s = _BERLIN.midnight_s(_day(2025, 10, 26))
    assert slot_after(_BERLIN, 14400, autumn_s + 5 * 14400) == autumn_s + 24 * 3600
    assert slot_after(_BERLIN, 14400, autumn_s + 24 * 3600) == autumn_s + 25 * 3600


def test_a_day_of_23_24_and_25_hours_has_92_96_and_100_quarters():
    for civil, n in (((2025, 3, 30), 92), ((2025, 3, 31), 96), ((2025, 10, 26), 100)):
        day = _day(*civil)
        assert slots_between(_BERLIN, 900, _BERLIN.midnight_s(day), _BERLIN.midnight_s(day + 1) - 1) == n


def test_slots_between_counts_both_ends_and_nothing_backward():
    midnight_s = _CHINA.midnight_s(20414)
    assert slots_between(_CHINA, 900, midnight_s, midnight_s) == 1
    assert slots_between(_CHINA, 900, midnight_s + 1, midnight_s + 899) == 0
    assert slots_between(_CHINA, 900, midnight_s + 1, midnight_s + 900) == 1
    assert slots_between(_CHINA, 900, midnight_s, midnight_s + 900) == 2
    assert slots_between(_CHINA, 900, midnight_s, midnight_s - 1) == 0
    assert slots_between(_CHINA, 900, midnight_s, midnight_s + 86400) == 97
    assert slots_between(_CHINA, 900, midnight_s - 10 * 86400, midnight_s - 1) == 960


def test_slots_between_counts_what_slot_after_walks_over():
    for text, civil in (
        ("CET-1CEST,M3.5.0,M10.5.0/3", (2025, 3, 29)),
        ("CET-1CEST,M3.5.0,M10.5.0/3", (2025, 10, 25)),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", (2025, 4, 5)),
        ("CST5CDT,M3.2.0/0,M11.1.0/1", (2025, 11, 1)),
    ):
        zone = Zone(text)
        begin_s = zone.midnight_s(_day(*civil))
        for every_s in (1800, 3600, 5400, 14400, 43200, 86400):
            slots = [begin_s]
            while slots[-1] < begin_s + 3 * 86400:
                slots.append(slot_after(zone, every_s, slots[-1]))
            for first_s in (begin_s, begin_s + 1, begin_s + 40000):
                for last_s in (begin_s + 80000, begin_s + 95000, begin_s + 2 * 86400 + 1):
                    n = len([s for s in slots if first_s <= s <= last_s])
                    assert slots_between(zone, every_s, first_s, last_s) == n, (text, every_s, first_s, last_s)
            for slot_s in slots:
                assert slot_at(zone, every_s, slot_s) == slot_s
