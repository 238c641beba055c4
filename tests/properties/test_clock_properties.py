"""clock against CPython's zoneinfo, which reads the same TZ strings by other code, and against plain counting."""

import datetime
import io
import struct
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from memory import ZONES

from firmware import clock
from firmware.clock import Zone, slot_after, slot_at, slots_between

_FIRST_S = 1735689600  # 2025-01-01
_LAST_S = 3502828800  # 2081-01-01

instants = st.integers(_FIRST_S, _LAST_S)
# Instants around changes of the clock come too seldom by chance: near a Sunday or Friday of the months that have them.
near_changes = st.builds(
    lambda year, month, day, second: clock.day_of_civil(year, month, day) * 86400 + second,
    st.integers(2025, 2080),
    st.sampled_from((3, 4, 9, 10, 11)),
    st.integers(1, 30),
    st.integers(-14 * 3600, 38 * 3600),
)
zones = st.sampled_from(ZONES)


@cache
def zoneinfo_of(text):
    """A ZoneInfo whose file holds no transitions, just the TZ string in its footer (RFC 8536, 3.3)."""

    def block(version):
        return b"TZif" + version + bytes(15) + struct.pack(">6I", 0, 0, 0, 0, 1, 4) + struct.pack(">iBB", 0, 0, 0) + b"XXX\0"

    return ZoneInfo.from_file(io.BytesIO(block(b"2") + block(b"2") + b"\n" + text.encode() + b"\n"), key=text)


def oracle_offset_s(text, at_s):
    return int(datetime.datetime.fromtimestamp(at_s, zoneinfo_of(text)).utcoffset().total_seconds())


def oracle_day(text, at_s):
    return (at_s + oracle_offset_s(text, at_s)) // 86400


@given(st.integers(-719162, 2932896))
def test_civil_days_are_those_of_datetime(day):
    date = datetime.date.fromordinal(day + 719163)
    assert clock.civil_of_day(day) == (date.year, date.month, date.day)
    assert clock.day_of_civil(date.year, date.month, date.day) == day
    assert clock.day_text(day) == date.isoformat()


@given(zones, instants | near_changes)
def test_offsets_are_those_of_zoneinfo(text, at_s):
    assert Zone(text).offset_s(at_s) == oracle_offset_s(text, at_s)


@given(zones, st.lists(instants | near_changes, min_size=2, max_size=6))
def test_an_offset_does_not_depend_on_what_was_asked_before(text, all_at_s):
    zone = Zone(text)
    assert [zone.offset_s(at_s) for at_s in all_at_s] == [Zone(text).offset_s(at_s) for at_s in all_at_s]


def _rule():
    month_rule = st.builds("M{}.{}.{}".format, st.integers(1, 12), st.integers(1, 5), st.integers(0, 6))
    # CPython's zoneinfo is a day off for n without J, and for J59 in leap years: test_clock.py has those.
    day_rule = st.builds("J{}".format, st.integers(2, 364).filter(lambda n: n != 59))
    time = st.just("") | st.builds("/{}:{:02}".format, st.integers(0, 24), st.integers(0, 59))
    return st.builds("{}{}".format, month_rule | day_rule, time)


@given(st.integers(-12, 12), _rule(), _rule(), near_changes | instants)
def test_made_up_rules_are_read_as_zoneinfo_reads_them(hours, begin, end, at_s):
    text = f"AAA{hours}BBB,{begin},{end}"
    # Where both changes fall into the same days, or near the turn of the year, the order of evaluation decides.
    year = clock.civil_of_day(at_s // 86400)[0]
    changes = [s for s in range(_year_s(year), _year_s(year + 1), 6 * 3600) if _changes(text, s)]
    if len(changes) == 2 and changes[0] > _year_s(year) + 3 * 86400 and changes[1] < _year_s(year + 1) - 3 * 86400:
        assert Zone(text).offset_s(at_s) == oracle_offset_s(text, at_s)


def _year_s(year):
    return clock.day_of_civil(year, 1, 1) * 86400


def _changes(text, at_s):
    return oracle_offset_s(text, at_s) != oracle_offset_s(text, at_s + 6 * 3600)


@given(zones, instants | near_changes)
def test_midnight_is_the_first_instant_of_its_day(text, at_s):
    zone = Zone(text)
    day = zone.day_of(at_s)
    begin_s = zone.midnight_s(day)
    assert oracle_day(text, begin_s) == day
    # Zones change their clocks at full minutes.
    for before_s in (begin_s - 1, *range(begin_s - 60, begin_s - 27 * 3600, -60)):
        assert oracle_day(text, before_s) < day
    assert zone.offset_s(begin_s) == oracle_offset_s(text, begin_s)


@given(zones, instants | near_changes)
def test_days_part_the_time(text, at_s):
    zone = Zone(text)
    day = zone.day_of(at_s)
    assert zone.midnight_s(day) <= at_s < zone.midnight_s(day + 1)


every = st.sampled_from([n for n in range(60, 86401, 60) if 86400 % n == 0])


@given(zones, every, near_changes, st.integers(0, 3 * 86400))
def test_slots_between_equals_plain_counting(text, every_s, first_s, span_s):
    zone = Zone(text)
    # Slots fall on full minutes, since midnights do.
    n = 0
    for at_s in range(-(-first_s // 60) * 60, first_s + span_s + 1, 60):
        day = oracle_day(text, at_s)
        # The day may begin before its midnight's second coming.
        begin_s = zone.midnight_s(day + (at_s >= zone.midnight_s(day + 1)))
        n += (at_s - begin_s) % every_s == 0
    assert slots_between(zone, every_s, first_s, first_s + span_s) == n


@given(zones, st.sampled_from([n for n in range(1, 86401) if 86400 % n == 0]), instants | near_changes)
def test_an_instant_lies_between_its_slot_and_the_next(text, every_s, at_s):
    zone = Zone(text)
    slot_s, next_s = slot_at(zone, every_s, at_s), slot_after(zone, every_s, at_s)
    assert slot_s <= at_s < next_s <= slot_s + every_s
    assert slot_at(zone, every_s, slot_s) == slot_s
    assert slot_at(zone, every_s, next_s) == next_s
    assert slots_between(zone, every_s, slot_s, next_s) == 2
    assert zone.midnight_s(zone.day_of(at_s)) <= slot_s
