"""days: summaries of known records, and which record closes which day."""

import json

from memory import golden

from firmware.clock import Zone, day_of_civil, day_text
from firmware.protocols import record
from firmware.protocols.dayrecord import day_of, put_day
from firmware.protocols.daytext import day_members
from firmware.protocols.record import MeterNames, Miss, Reading
from firmware.store.days import MOST_DAYS_OFF, Days, MeterDay

_CHINA = Zone("CST-8")
_BERLIN = Zone("CET-1CEST,M3.5.0,M10.5.0/3")
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
_DAY = day_of_civil(2025, 11, 22)
_MIDNIGHT_S = _CHINA.midnight_s(_DAY)


def _names(every_s=21600, points=_POINTS, next_day=0):
    return MeterNames("main", every_s, points, 0, next_day)


def _reading(slot_s, energy=100, power=1, quality=0):
    return Reading("main", _POINTS, slot_s, slot_s + 2, quality, [energy, power])


def _members(day):
    """A summary's JSON members once it was stored and read again."""
    found = day_of(put_day(7, day, 900), MeterNames(day.meter, 900, day.points))
    found.zone, found.config = day.zone, "a1b2c3d4"
    return day_members(found, day_text(day.day))


class _Emitted:
    """Days of one meter; days and members in the order they were closed."""

    def __init__(self, meter, zone=_CHINA):
        self.meter = meter
        self.closed = []
        self.days = Days(zone, self._emit)

    def _emit(self, meter, day):
        assert meter is self.meter
        self.closed.append((day.day, json.loads("{%s}" % _members(day))))

    def add(self, *records):
        for found in records:
            self.days.add(self.meter, found)
        return [day for day, _ in self.closed]


def test_known_records_give_the_summary_on_record():
    for case in golden("days"):
        points = tuple(tuple(point) for point in case["points"])
        meter = _names(case["every_s"], points)
        fold = MeterDay(Zone(case["zone"]), meter, case["day"])
        for row in case["records"]:
            if row[0] == "reading":
                fold.add(Reading("main", points, row[1], row[1] + 2, row[2], row[3]))
            else:
                fold.add(Miss("main", *row[1:]))
        assert _members(fold.summary()) == case["members"], case["what"]
        json.loads("{%s}" % case["members"])


def test_the_order_of_points_is_the_meters():
    points = (_POINTS[1], _POINTS[0])
    text = _members(MeterDay(_CHINA, _names(points=points), _DAY).summary())
    assert 0 < text.index('"power"') < text.index('"energy_import"')


def test_a_day_is_open_until_a_record_of_its_end_or_later():
    emitted = _Emitted(_names())
    assert emitted.add(*(_reading(_MIDNIGHT_S + i * 21600) for i in range(4))) == []
    # Whoever stores the summary counts it on.
    assert emitted.meter.next_day == _DAY
    assert emitted.add(_reading(_MIDNIGHT_S + 86400)) == [_DAY]


def test_the_reading_of_midnight_ends_one_day_and_begins_the_next():
    emitted = _Emitted(_names())
    for i in range(9):
        emitted.add(_reading(_MIDNIGHT_S + i * 21600, 1000 + 10 * i))
    (_, first), (_, second) = emitted.closed
    assert first["energy_import"]["used"] == second["energy_import"]["used"] == 0.4
    assert first["energy_import"]["parts"][0]["end"] == second["energy_import"]["parts"][0]["start"] == 10.4
    assert (first["got"], second["got"]) == (4, 4)
    assert first["energy_import"]["src"] == second["energy_import"]["src"] == "slot"


def test_a_miss_at_midnight_closes_the_day_too():
    emitted = _Emitted(_names())
    emitted.add(_reading(_MIDNIGHT_S))
    assert emitted.add(Miss("main", _MIDNIGHT_S + 86400, _MIDNIGHT_S + 86400, 1, "no reply")) == [_DAY]
    # It counts for the day that begins.
    assert emitted.closed[0][1]["missed"] == {}
    emitted.add(Miss("main", _MIDNIGHT_S + 2 * 86400, _MIDNIGHT_S + 2 * 86400, 1, "bad frame"))
    assert emitted.closed[1][1]["missed"] == {"no reply": 1}


def test_a_record_of_a_later_day_closes_those_between():
    emitted = _Emitted(_names())
    emitted.add(_reading(_MIDNIGHT_S, 100), _reading(_MIDNIGHT_S + 21600, 150))
    span = Miss("main", _MIDNIGHT_S + 43200, _MIDNIGHT_S + 3 * 86400 + 21600, 12, "not running")
    assert emitted.add(span) == [_DAY, _DAY + 1, _DAY + 2]
    assert [found["missed"] for _, found in emitted.closed] == [{"not running": 2}, {"not running": 4}, {"not running": 4}]
    assert [found["due"] for _, found in emitted.closed] == [4, 4, 4]
    assert [found["got"] for _, found in emitted.closed] == [2, 0, 0]
    assert emitted.closed[0][1]["energy_import"]["src"] == "near"
    # The day it ends in goes on, with its part of the span.
    emitted.add(_reading(_MIDNIGHT_S + 3 * 86400 + 43200, 300), _reading(_MIDNIGHT_S + 4 * 86400, 400))
    assert emitted.closed[3][1]["missed"] == {"not running": 2}
    assert emitted.closed[3][1]["energy_import"]["used"] == 1


def test_days_of_23_and_25_hours_close_at_their_own_midnight():
    for civil, due in (((2025, 3, 30), 92), ((2025, 10, 26), 100)):
        day = day_of_civil(*civil)
        emitted = _Emitted(_names(900), _BERLIN)
        begin_s, end_s = _BERLIN.midnight_s(day), _BERLIN.midnight_s(day + 1)
        for slot_s in range(begin_s, end_s, 900):
            assert emitted.add(_reading(slot_s)) == []
        assert emitted.add(_reading(end_s)) == [day]
        assert (emitted.closed[0][1]["due"], emitted.closed[0][1]["got"]) == (due, due)


def test_days_that_have_a_summary_get_no_second_one():
    # After a start the log is folded from a block that holds records of closed days.
    emitted = _Emitted(_names(next_day=_DAY + 1))
    records = [_reading(_MIDNIGHT_S + i * 21600, 100 + i) for i in range(9)]
    assert emitted.add(*records) == [_DAY + 1]
    whole = _Emitted(_names())
    whole.add(*records)
    assert emitted.closed == whole.closed[1:]


def test_a_unit_off_for_long_gets_summaries_of_the_newest_days_only():
    emitted = _Emitted(_names())
    emitted.add(_reading(_MIDNIGHT_S))
    days = emitted.add(Miss("main", _MIDNIGHT_S + 21600, _MIDNIGHT_S + 200 * 86400, 799, "not running"))
    assert days == [_DAY] + list(range(_DAY + 200 - MOST_DAYS_OFF, _DAY + 200))
    assert emitted.closed[-1][1]["missed"] == {"not running": 4}


def test_a_meters_first_day_is_that_of_its_first_record():
    emitted = _Emitted(_names())
    assert emitted.add(_reading(_MIDNIGHT_S + 43200), _reading(_MIDNIGHT_S + 86400)) == [_DAY]
    assert emitted.closed[0][1]["due"] == 4 and emitted.closed[0][1]["got"] == 1


def test_meters_have_days_of_their_own():
    closed = []
    days = Days(_CHINA, lambda meter, day: closed.append((meter.name, day.day)))
    one, two = _names(), _names()
    two.name = "two"
    days.add(one, _reading(_MIDNIGHT_S))
    days.add(two, _reading(_MIDNIGHT_S - 86400))
    days.add(one, _reading(_MIDNIGHT_S + 86400))
    assert closed == [("main", _DAY)]
    days.add(two, _reading(_MIDNIGHT_S))
    assert closed == [("main", _DAY), ("two", _DAY - 1)]


def test_the_same_records_give_the_same_bytes():
    texts = set()
    for _ in range(2):
        days = Days(_CHINA, lambda meter, day: texts.add(bytes(put_day(0, day, 900))))
        meter = _names()
        for i in range(5):
            days.add(meter, _reading(_MIDNIGHT_S + i * 21600, 100 + i, -i))
    assert len(texts) == 1
