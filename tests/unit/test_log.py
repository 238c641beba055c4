"""log: no slot without a record, and the same days whatever is cut or restarted."""

import json

from firmware.clock import Zone, day_of_civil, day_text, slot_after
from firmware.protocols import record
from firmware.protocols.daytext import day_members
from firmware.protocols.record import MeterNames
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import Cut, NorFlash

_CHINA = Zone("CST-8")
_BERLIN = Zone("CET-1CEST,M3.5.0,M10.5.0/3")
_ENERGY = ("energy_import", "kWh", 2, record.REGISTER)
_POWER = ("power", "kW", 4, record.GAUGE)
_POINTS = (_ENERGY, _POWER)
_DAY = day_of_civil(2025, 11, 22)
_MIDNIGHT_S = _CHINA.midnight_s(_DAY)


def _names(names=("main",), every_s=900, points=_POINTS):
    return [MeterNames(name, every_s, points) for name in names]


class _Gateway:
    """A log on a flash, with the meters of a configuration. restart() builds it anew, as after a cut.

    fills: bytes of an event that follows each reading, so that a few of them fill a block."""

    def __init__(self, flash=None, meters=_names, zone=_CHINA, fills=0):
        self.flash = flash or NorFlash(32)
        self.fills = fills
        self.make = meters
        self.zone = zone
        self.now_s = _MIDNIGHT_S
        self.restart()

    def restart(self):
        self.flash.power_on()
        self.ring = Ring(self.flash, lambda: self.now_s)
        self.log = Log(self.ring, self.zone, "a1b2c3d4", self.make())
        self.formatted = self.log.open()

    def read(self, slot_s, index=0, quality=0):
        """A reading whose values tell slot and meter."""
        self.now_s = max(self.now_s, slot_s + 2)
        n = (slot_s - _MIDNIGHT_S) // 60
        values = [100000 + n + 7 * index, n % 97 - 40][: len(self.log.meters[index].points)]
        seq = self.log.reading(index, slot_s, slot_s + 2, quality, values)
        if self.fills:
            self.log.event('"event":"%s"' % ("x" * self.fills))
        return seq

    def resume(self, now_s):
        self.now_s = now_s
        return self.log.resume(now_s)

    def records(self):
        """Every record of the flash, read by one who knows nothing but the log; seq as an attribute."""
        ring = Ring(self.flash, lambda: self.now_s)
        ring.mount()
        found = []
        for _, seq, item in ring.reader(0):
            if seq:
                item.seq = seq
                found.append(item)
        assert [item.seq for item in found] == list(range(1, len(found) + 1))
        return found

    def days(self):
        """[(meter, day, members), ..] as stored."""
        return [(d.meter, d.day, day_members(d, day_text(d.day))) for d in self.records() if d.kind == record.DAY]

    def misses(self):
        """[(meter, first slot, last slot, n, cause), ..] as stored."""
        return [(m.meter, m.slot_s, m.end_s, m.n_slots, m.cause) for m in self.records() if m.kind == record.MISS]


def _covered(gateway, every_s=900, meter="main"):
    """{slot: how often it is on record}; a miss counts every slot it spans."""
    slots = {}
    for item in gateway.records():
        if item.kind not in (record.READING, record.MISS) or item.meter != meter:
            continue
        slot_s, end_s = item.slot_s, item.slot_s if item.kind == record.READING else item.end_s
        n = 0
        while slot_s <= end_s:
            slots[slot_s] = slots.get(slot_s, 0) + 1
            slot_s = slot_after(gateway.zone, every_s, slot_s)
            n += 1
        assert item.kind == record.READING or n == item.n_slots
    return slots


def _check_whole(gateway, first_s, last_s, every_s=900):
    """Every slot from first to last is on record once, and none else."""
    wanted, slot_s = {}, first_s
    while slot_s <= last_s:
        wanted[slot_s] = 1
        slot_s = slot_after(gateway.zone, every_s, slot_s)
    assert _covered(gateway, every_s) == wanted


# -- records ----------------------------------------------------------------------------------------------------


def test_a_reading_is_stored_with_its_meter_slot_time_and_quality():
    gateway = _Gateway(meters=lambda: _names(("main", "roof")))
    assert gateway.formatted
    assert gateway.log.reading(1, _MIDNIGHT_S + 900, _MIDNIGHT_S + 907, 33, [5, None]) == 1
    (found,) = gateway.records()
    assert (found.meter, found.slot_s, found.at_s, found.quality) == ("roof", _MIDNIGHT_S + 900, _MIDNIGHT_S + 907, 33)
    assert found.values == [5, None] and found.points == _POINTS
    assert gateway.log.latest["roof"].values == [5, None] and "main" not in gateway.log.latest


def test_an_event_and_a_change_are_stored_and_counted_and_wake_who_waits():
    gateway = _Gateway()
    woken = []
    gateway.log.appended = lambda: woken.append(gateway.ring.next_seq)
    assert gateway.log.event('"t":1,"event":"start"') == 1
    assert gateway.log.event('"t":2,"event":"change"', record.CHANGE) == 2
    gateway.read(_MIDNIGHT_S)
    assert [(item.kind, item.members) for item in gateway.records()[:2]] == [
        (record.EVENT, '"t":1,"event":"start"'),
        (record.CHANGE, '"t":2,"event":"change"'),
    ]
    assert gateway.log.counts == {record.EVENT: 1, record.CHANGE: 1, record.READING: 1}
    assert woken == [2, 3, 4]


def test_the_first_miss_is_stored_at_once_and_the_next_as_spans_of_an_hour():
    gateway = _Gateway()
    for i in range(1, 12):
        gateway.log.miss(0, _MIDNIGHT_S + i * 900, "no reply")
        if i == 1:
            assert len(gateway.misses()) == 1
    gateway.log.close()
    assert gateway.misses() == [
        ("main", _MIDNIGHT_S + 900, _MIDNIGHT_S + 900, 1, "no reply"),
        ("main", _MIDNIGHT_S + 1800, _MIDNIGHT_S + 4500, 4, "no reply"),
        ("main", _MIDNIGHT_S + 5400, _MIDNIGHT_S + 8100, 4, "no reply"),
        ("main", _MIDNIGHT_S + 9000, _MIDNIGHT_S + 9900, 2, "no reply"),
    ]
    _check_whole(gateway, _MIDNIGHT_S + 900, _MIDNIGHT_S + 9900)


def test_a_meter_read_every_hour_or_less_often_has_each_miss_stored_at_once():
    for every_s in (3600, 14400):
        gateway = _Gateway(meters=lambda every_s=every_s: _names(every_s=every_s))
        for i in range(1, 4):
            gateway.log.miss(0, _MIDNIGHT_S + i * every_s, "no reply")
            assert [row[2] for row in gateway.misses()][-1] == _MIDNIGHT_S + i * every_s


def test_another_cause_begins_another_miss():
    gateway = _Gateway()
    for i, cause in enumerate(("no reply", "no reply", "no reply", "refused 02", "no reply", "no reply")):
        gateway.log.miss(0, _MIDNIGHT_S + (i + 1) * 900, cause)
    gateway.log.close()
    assert [(row[3], row[4]) for row in gateway.misses()] == [
        (1, "no reply"),
        (2, "no reply"),
        (1, "refused 02"),
        (1, "no reply"),
        (1, "no reply"),
    ]
    _check_whole(gateway, _MIDNIGHT_S + 900, _MIDNIGHT_S + 5400)


def test_a_reading_ends_a_span_of_misses_before_it():
    gateway = _Gateway()
    for i in (1, 2, 3):
        gateway.log.miss(0, _MIDNIGHT_S + i * 900, "no reply")
    gateway.read(_MIDNIGHT_S + 3600)
    gateway.log.miss(0, _MIDNIGHT_S + 4500, "no reply")
    assert [item.kind for item in gateway.records()] == [record.MISS, record.MISS, record.READING, record.MISS]
    _check_whole(gateway, _MIDNIGHT_S + 900, _MIDNIGHT_S + 4500)


def test_spans_of_misses_never_go_over_midnight():
    gateway = _Gateway()
    begin_s = _MIDNIGHT_S + 86400 - 3 * 900
    for i in range(6):
        gateway.log.miss(0, begin_s + i * 900, "no reply")
    gateway.log.close()
    assert [(row[1] - begin_s) // 900 for row in gateway.misses()] == [0, 1, 3, 4]
    assert [row[3] for row in gateway.misses()] == [1, 2, 1, 2]
    # Midnight's miss is stored at once and closes the day.
    ((_, day, members),) = gateway.days()
    assert day == _DAY and json.loads("{%s}" % members)["missed"] == {"no reply": 3}


def test_meters_have_spans_of_their_own():
    gateway = _Gateway(meters=lambda: _names(("main", "roof")))
    for i in (1, 2, 3):
        gateway.log.miss(0, _MIDNIGHT_S + i * 900, "no reply")
        gateway.read(_MIDNIGHT_S + i * 900, 1)
        gateway.log.miss(1, _MIDNIGHT_S + i * 900 + 300, "bad frame")
    gateway.log.close()
    assert [(row[0], row[3]) for row in gateway.misses()] == [("main", 1), ("roof", 1), ("roof", 1), ("roof", 1), ("main", 2)]


def test_slots_missed_at_one_time_are_one_record_behind_the_span_before():
    gateway = _Gateway()
    gateway.log.miss(0, _MIDNIGHT_S + 900, "no reply")
    gateway.log.miss(0, _MIDNIGHT_S + 1800, "no reply")
    gateway.log.missed(0, _MIDNIGHT_S + 2700, _MIDNIGHT_S + 4500, 3, "line busy")
    gateway.log.miss(0, _MIDNIGHT_S + 5400, "no reply")
    assert [(row[3], row[4]) for row in gateway.misses()] == [
        (1, "no reply"),
        (1, "no reply"),
        (3, "line busy"),
        (1, "no reply"),
    ]
    _check_whole(gateway, _MIDNIGHT_S + 900, _MIDNIGHT_S + 5400)


# -- starts -----------------------------------------------------------------------------------------------------


def test_a_first_start_accounts_for_its_day_from_midnight_on():
    gateway = _Gateway()
    assert gateway.resume(_MIDNIGHT_S + 1000) == [_MIDNIGHT_S + 1800]
    assert gateway.misses() == [("main", _MIDNIGHT_S, _MIDNIGHT_S + 900, 2, "not running")]
    gateway.read(_MIDNIGHT_S + 1800)
    _check_whole(gateway, _MIDNIGHT_S, _MIDNIGHT_S + 1800)
    # At midnight itself there is nothing to account for.
    for now_s in (_MIDNIGHT_S, _MIDNIGHT_S + 60):
        gateway = _Gateway()
        assert gateway.resume(now_s) == [_MIDNIGHT_S]
        assert gateway.misses() == []
    # The first slot after the start is the next day's: the day it was put up is not begun.
    gateway = _Gateway()
    assert gateway.resume(_MIDNIGHT_S - 100) == [_MIDNIGHT_S]
    assert gateway.misses() == []


def test_a_slot_that_has_just_passed_is_still_due():
    for every_s, late_s, passed in (
        (900, 0, True),
        (900, 60, True),
        (900, 61, False),
        (60, 30, True),
        (60, 31, False),
        (10, 5, True),
        (10, 6, False),
        (1, 0, True),
        (86400, 60, True),
        (86400, 61, False),
    ):
        gateway = _Gateway(meters=lambda every_s=every_s: _names(every_s=every_s))
        slot_s = _MIDNIGHT_S + 86400
        due = slot_s if passed else slot_s + every_s
        assert gateway.resume(slot_s + late_s) == [due], (every_s, late_s)


def test_a_slot_that_has_its_reading_is_not_due_again():
    gateway = _Gateway()
    gateway.read(_MIDNIGHT_S + 900)
    gateway.restart()
    assert not gateway.formatted
    assert gateway.resume(_MIDNIGHT_S + 905) == [_MIDNIGHT_S + 1800]
    assert gateway.misses() == []


def test_slots_that_passed_while_not_running_are_on_record():
    gateway = _Gateway(meters=lambda: _names(("main", "roof")))
    gateway.read(_MIDNIGHT_S + 900)
    gateway.log.miss(1, _MIDNIGHT_S + 900, "no reply")
    gateway.restart()
    due = gateway.resume(_MIDNIGHT_S + 7300)
    assert due == [_MIDNIGHT_S + 8100] * 2
    assert gateway.misses()[1:] == [
        (name, _MIDNIGHT_S + 1800, _MIDNIGHT_S + 7200, 7, "not running") for name in ("main", "roof")
    ]
    gateway.read(due[0])
    _check_whole(gateway, _MIDNIGHT_S + 900, _MIDNIGHT_S + 8100)


def test_a_slot_still_due_after_a_start_is_not_missed_as_well():
    gateway = _Gateway()
    gateway.read(_MIDNIGHT_S + 900)
    gateway.restart()
    assert gateway.resume(_MIDNIGHT_S + 3630) == [_MIDNIGHT_S + 3600]
    assert gateway.misses() == [("main", _MIDNIGHT_S + 1800, _MIDNIGHT_S + 2700, 2, "not running")]


def test_a_clock_behind_the_newest_reading_makes_no_slot_twice():
    gateway = _Gateway()
    gateway.read(_MIDNIGHT_S + 9000)
    gateway.restart()
    assert gateway.resume(_MIDNIGHT_S + 5000) == [_MIDNIGHT_S + 9900]
    assert gateway.misses() == []


def test_a_restart_at_any_slot_leaves_every_slot_on_record_once():
    for n_before in range(1, 40):
        gateway = _Gateway()
        for i in range(1, n_before + 1):
            # Readings and misses in turn, in groups.
            if i // 5 % 2:
                gateway.log.miss(0, _MIDNIGHT_S + i * 900, "no reply")
            else:
                gateway.read(_MIDNIGHT_S + i * 900)
        gateway.restart()
        (due,) = gateway.resume(_MIDNIGHT_S + (n_before + 6) * 900 + 100)
        gateway.read(due)
        _check_whole(gateway, _MIDNIGHT_S + 900, due)


def test_misses_that_were_gathered_and_lost_in_a_cut_still_have_a_cause():
    # The other meter's readings open a new block while the dead meter's misses are only in memory.
    gateway = _Gateway(meters=lambda: _names(("main", "roof"), 60), fills=20)
    slot_s = _MIDNIGHT_S
    gateway.read(slot_s)
    for _ in range(700):
        slot_s += 60
        gateway.log.miss(0, slot_s, "no reply")
        used = gateway.ring.used_blocks
        gateway.read(slot_s, 1)
        if gateway.ring.used_blocks > used:
            gateway.restart()
            (due, _) = gateway.resume(slot_s + 70)
            gateway.read(due)
            slot_s = due
    gateway.log.close()
    assert gateway.ring.used_blocks > 3
    _check_whole(gateway, _MIDNIGHT_S, slot_s, 60)


def test_what_the_log_knows_of_a_meter_is_in_every_block():
    gateway = _Gateway(NorFlash(8), lambda: _names(("main", "dead"), 900), fills=20)
    gateway.read(_MIDNIGHT_S, 1)
    # The dead meter's record is overwritten long before the restart.
    for i in range(1, 1600):
        gateway.read(_MIDNIGHT_S + i * 900, 0)
    assert gateway.ring.first_seq > 2
    gateway.restart()
    due = gateway.resume(_MIDNIGHT_S + 1600 * 900 + 5)
    assert due == [_MIDNIGHT_S + 1600 * 900] * 2
    names = {names.name: names for names in gateway.log.meters}
    assert names["dead"].last_slot_s == _MIDNIGHT_S + 1599 * 900
    assert names["main"].last_slot_s == _MIDNIGHT_S + 1599 * 900


def test_a_meter_that_is_new_in_the_configuration_begins_its_day_at_midnight():
    gateway = _Gateway()
    gateway.read(_MIDNIGHT_S)
    gateway.make = lambda: _names(("new", "main"))
    gateway.restart()
    assert gateway.resume(_MIDNIGHT_S + 2000) == [_MIDNIGHT_S + 2700] * 2
    assert gateway.misses() == [
        ("new", _MIDNIGHT_S, _MIDNIGHT_S + 1800, 3, "not running"),
        ("main", _MIDNIGHT_S + 900, _MIDNIGHT_S + 1800, 2, "not running"),
    ]
    gateway.read(_MIDNIGHT_S + 2700, 0)
    gateway.read(_MIDNIGHT_S + 2700, 1)
    assert [item.meter for item in gateway.records()] == ["main", "new", "main", "new", "main"]


def test_readings_stay_readable_after_the_configuration_has_changed():
    gateway = _Gateway(meters=lambda: _names(("main", "roof")))
    gateway.read(_MIDNIGHT_S, 0)
    gateway.read(_MIDNIGHT_S, 1)
    gateway.make = lambda: _names(("roof",), 900, (_POWER,))
    gateway.restart()
    gateway.read(_MIDNIGHT_S + 900, 0)
    assert [(item.meter, len(item.points)) for item in gateway.records()] == [("main", 2), ("roof", 2), ("roof", 1)]


# -- days -------------------------------------------------------------------------------------------------------

_METERS = ("main", "roof")


def _run(gateway, first_s, last_s, every_s, restart_every=0):
    """Reads both meters at every slot; a restart after every so many slots."""
    slot_s, n = first_s, 0
    while slot_s <= last_s:
        for index in range(len(gateway.log.meters)):
            gateway.read(slot_s, index)
        slot_s = slot_after(gateway.zone, every_s, slot_s)
        n += 1
        if restart_every and n % restart_every == 0:
            gateway.restart()
            assert gateway.resume(slot_s - every_s // 2 - 61)[0] == slot_s
    return gateway


def _hourly():
    return _names(_METERS, 3600)


def test_each_meter_has_a_summary_for_each_day_in_the_log():
    gateway = _run(_Gateway(meters=_hourly), _MIDNIGHT_S, _MIDNIGHT_S + 3 * 86400, 3600)
    assert [(meter, day) for meter, day, _ in gateway.days()] == [(meter, _DAY + i) for i in range(3) for meter in _METERS]
    for meter, _, members in gateway.days():
        found = json.loads("{%s}" % members)
        assert found["m"] == meter and found["due"] == found["got"] == 24
        # A kWh and 44 hundredths a day, see read().
        assert '"used":14.40,"src":"slot"' in members


def test_restarts_in_mid_day_give_the_same_days_as_none():
    last_s = _MIDNIGHT_S + 2 * 86400 + 3600
    quarters = lambda: _names(_METERS, 900)  # noqa: E731
    whole = _run(_Gateway(meters=quarters), _MIDNIGHT_S + 3600, last_s, 900).days()
    assert len(whole) == 4
    for restart_every in (1, 7, 31, 96):
        found = _run(_Gateway(meters=quarters), _MIDNIGHT_S + 3600, last_s, 900, restart_every).days()
        assert found == whole, restart_every


def test_restarts_with_a_clock_not_set_give_the_same_days_as_none():
    quarters = lambda: _names(_METERS, 900)  # noqa: E731
    whole = _run(_Gateway(meters=quarters), _MIDNIGHT_S, _MIDNIGHT_S + 2 * 86400, 900).days()
    gateway = _Gateway(meters=quarters)
    for i in range(0, 2 * 96 + 1):
        slot_s = _MIDNIGHT_S + i * 900
        for index in range(2):
            gateway.read(slot_s, index)
        if i % 10 == 9:
            # The board starts in the year 2000; its first records are written before a time server has answered.
            known_s, gateway.now_s = gateway.now_s, 946684800
            gateway.restart()
            for _ in range(3):
                gateway.log.event('"event":"start","t":0,"why":"%s"' % ("x" * 200))
            gateway.resume(known_s)
    assert gateway.days() == whole


def _cut_at_midnight(n_days, every):
    """Cuts the power at every byte that is written for the last midnight of n_days; every: 1, or each so many bytes."""
    end_s = _MIDNIGHT_S + n_days * 86400
    before = _run(_Gateway(NorFlash(8), _hourly), _MIDNIGHT_S, end_s - 3600, 3600)
    image = bytes(before.flash.bytes)
    whole = _run(before, end_s, end_s, 3600).days()
    assert len(whole) == 2 * n_days
    cut_after = 0
    while True:
        gateway = _Gateway(NorFlash(8, image), _hourly)
        gateway.flash.cut_after = cut_after
        try:
            _run(gateway, end_s, end_s, 3600)
        except Cut:
            gateway.restart()
            for index, due in enumerate(gateway.resume(end_s + 20)):
                if due == end_s:
                    gateway.read(end_s, index)
            assert gateway.days() == whole or sorted(gateway.days()) == sorted(whole), cut_after
            for meter in _METERS:
                assert _covered(gateway, 3600, meter)[end_s] == 1
            # What was written at the start is not written again at the next.
            gateway.restart()
            assert len(gateway.days()) == len(whole), cut_after
            cut_after += every
            continue
        return


def test_a_cut_at_any_byte_of_a_midnight_leaves_each_day_once():
    _cut_at_midnight(2, 3)


def test_a_cut_at_any_byte_of_the_first_midnight_leaves_each_day_once():
    _cut_at_midnight(1, 3)


def test_a_first_day_that_fills_several_blocks_is_whole_after_a_cut_at_its_end():
    minutes = lambda: _names(every_s=120)  # noqa: E731
    whole = _run(_Gateway(meters=minutes, fills=20), _MIDNIGHT_S, _MIDNIGHT_S + 86400, 120)
    assert whole.ring.used_blocks >= 4
    gateway = _run(_Gateway(meters=minutes, fills=20), _MIDNIGHT_S, _MIDNIGHT_S + 86400 - 120, 120)
    # The reading of midnight is written, its day is not.
    gateway.flash.cut_after = 60
    try:
        gateway.read(_MIDNIGHT_S + 86400)
        raise AssertionError("no cut")
    except Cut:
        gateway.restart()
    assert gateway.days() == whole.days()


def test_a_day_left_unwritten_is_written_under_its_meter_though_the_meters_have_changed():
    before = _run(_Gateway(meters=_hourly), _MIDNIGHT_S, _MIDNIGHT_S + 86400 - 3600, 3600)
    image = bytes(before.flash.bytes)
    n_whole = 0
    for cut_after in range(22):
        gateway = _Gateway(NorFlash(32, image), _hourly)
        gateway.flash.cut_after = cut_after
        try:
            gateway.read(_MIDNIGHT_S + 86400, 0)
            raise AssertionError("no cut")
        except Cut:
            gateway.make = lambda: _names(("new", "roof", "main"), 3600)
            gateway.restart()
        if gateway.log.meters[2].last_slot_s == _MIDNIGHT_S + 86400:
            n_whole += 1
            ((meter, day, members),) = gateway.days()
            assert (meter, day) == ("main", _DAY), cut_after
            assert json.loads("{%s}" % members)["m"] == "main"
            gateway.restart()
            assert len(gateway.days()) == 1
    assert n_whole > 10


def test_a_unit_that_was_off_for_days_has_a_summary_for_each_of_them():
    gateway = _run(_Gateway(meters=_hourly), _MIDNIGHT_S, _MIDNIGHT_S + 3600 * 12, 3600)
    gateway.restart()
    due = gateway.resume(_MIDNIGHT_S + 3 * 86400 + 7200)
    assert due == [_MIDNIGHT_S + 3 * 86400 + 7200] * 2
    assert [(m, n, cause) for m, _, _, n, cause in gateway.misses()] == [(m, 61, "not running") for m in _METERS]
    days = [(meter, day, json.loads("{%s}" % members)) for meter, day, members in gateway.days()]
    assert [(meter, day) for meter, day, _ in days] == [(meter, _DAY + i) for meter in _METERS for i in range(3)]
    assert [found["missed"] for _, _, found in days] == [{"not running": 11}, {"not running": 24}, {"not running": 24}] * 2
    assert [found["got"] for _, _, found in days] == [13, 0, 0] * 2
    gateway.restart()
    assert len(gateway.days()) == 6


def test_a_unit_that_was_off_for_a_year_has_summaries_of_its_newest_days():
    gateway = _run(_Gateway(NorFlash(16), lambda: _names(every_s=3600)), _MIDNIGHT_S, _MIDNIGHT_S + 3600, 3600)
    gateway.restart()
    gateway.resume(_MIDNIGHT_S + 365 * 86400 + 100)
    assert [day for _, day, _ in gateway.days()] == [_DAY] + list(range(_DAY + 365 - 62, _DAY + 365))
    (miss,) = gateway.misses()
    assert miss[3] == 365 * 24 - 2 + 1
    gateway.restart()
    assert len(gateway.days()) == 63


def test_days_of_23_and_25_hours_are_due_92_and_100_readings():
    for civil, due in (((2025, 3, 30), 92), ((2025, 10, 26), 100)):
        day = day_of_civil(*civil)
        gateway = _Gateway(meters=lambda: _names(every_s=900), zone=_BERLIN)
        _run(gateway, _BERLIN.midnight_s(day), _BERLIN.midnight_s(day + 1), 900, restart_every=40)
        ((_, found, members),) = gateway.days()
        assert found == day
        assert '"due":%d,"got":%d' % (due, due) in members
        _check_whole(gateway, _BERLIN.midnight_s(day), _BERLIN.midnight_s(day + 1))


def _ahead_and_back(restart_at):
    """A clock that was ten days ahead for two readings and was set back; a restart before the hour restart_at."""
    gateway = _Gateway(meters=_hourly)
    for hour in range(7):
        for index in range(2):
            gateway.read(_MIDNIGHT_S + hour * 3600, index)
    ahead_s = _MIDNIGHT_S + 10 * 86400 + 7 * 3600
    for index in range(2):
        gateway.log.missed(index, _MIDNIGHT_S + 7 * 3600, ahead_s - 3600, 240, "clock set")
        gateway.read(ahead_s, index)
    for index in range(2):
        gateway.now_s = _MIDNIGHT_S + 8 * 3600 + 10
        gateway.log.rewind(index)
    for hour in range(9, 50):
        if hour == restart_at:
            gateway.restart()
            assert gateway.resume(_MIDNIGHT_S + hour * 3600 - 1000) == [_MIDNIGHT_S + hour * 3600] * 2
        for index in range(2):
            gateway.now_s = _MIDNIGHT_S + hour * 3600 + 2
            gateway.read(_MIDNIGHT_S + hour * 3600, index)
    return gateway.days()


def test_a_restart_after_the_clock_was_set_back_gives_the_same_days_as_none():
    whole = _ahead_and_back(None)
    # The day that the clock left and came back to has two: what was known then, and what it became.
    assert [day - _DAY for meter, day, _ in whole if meter == "main"] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert '"due":24,"got":15' in whole[-4][2]
    for restart_at in (10, 11, 20, 25, 26, 40):
        assert _ahead_and_back(restart_at) == whole, restart_at


def test_a_point_that_is_new_in_the_configuration_counts_from_then_on():
    gateway = _Gateway(meters=lambda: _names(every_s=21600, points=(_ENERGY,)))
    for i in range(2):
        gateway.read(_MIDNIGHT_S + i * 21600)
    gateway.make = lambda: _names(every_s=21600, points=(_POWER, _ENERGY))
    gateway.restart()
    for i in range(2, 5):
        gateway.log.reading(0, _MIDNIGHT_S + i * 21600, _MIDNIGHT_S + i * 21600 + 2, 0, [i * 10, 100000 + i * 360])
    ((_, _, members),) = gateway.days()
    found = json.loads("{%s}" % members)
    assert found["got"] == 4
    # Both readings before the change have the register, none has the gauge.
    assert found["energy_import"]["used"] == 14.4
    assert (found["power"]["min"], found["power"]["max"]) == (0.002, 0.003)


def test_the_latest_reading_is_known_after_a_restart():
    gateway = _run(_Gateway(meters=_hourly), _MIDNIGHT_S, _MIDNIGHT_S + 7200, 3600)
    gateway.restart()
    assert {name: found.slot_s for name, found in gateway.log.latest.items()} == dict.fromkeys(_METERS, _MIDNIGHT_S + 7200)


def test_damaged_names_in_the_newest_block_cost_no_day_and_make_no_slot_twice():
    gateway = _Gateway(fills=300)
    for i in range(90):
        gateway.read(_MIDNIGHT_S + 900 * i)
    before = gateway.log.meters[0]
    block = gateway.ring.block
    # Behind mark and header stands ABOUT, then the first meter's names.
    gateway.flash.bytes[block * 4096 + 70 + 45] ^= 1
    gateway.restart()
    after = gateway.log.meters[0]
    assert after.next_day == before.next_day and before.last_slot_s - 20 * 900 < after.last_slot_s <= before.last_slot_s
    gateway.resume(_MIDNIGHT_S + 86400 + 1800)
    gateway.read(_MIDNIGHT_S + 86400 + 1800)
    assert [day for meter, day, _ in gateway.days() if meter == "main"] == [before.next_day]


def test_records_that_cannot_be_decoded_do_not_stop_a_start():
    gateway = _Gateway(meters=_hourly)
    gateway.read(_MIDNIGHT_S)
    for kind, data in ((record.READING, b"\x07"), (record.MISS, b"\x00"), (9, b"later")):
        gateway.ring.append(kind, data)
    gateway.read(_MIDNIGHT_S + 3600)
    gateway.restart()
    assert gateway.log.meters[0].last_slot_s == _MIDNIGHT_S + 3600
    assert gateway.resume(_MIDNIGHT_S + 7205)[0] == _MIDNIGHT_S + 7200


def test_an_index_that_went_to_another_meter_and_back_keeps_its_names():
    # Changed and changed back within one block: the newest note of the index decides, not the newest of the name.
    gateway = _Gateway(meters=lambda: [MeterNames("main", 60, _POINTS)])
    gateway.read(_MIDNIGHT_S)
    gateway.make = lambda: [MeterNames("other", 60, _POINTS)]
    gateway.restart()
    gateway.read(_MIDNIGHT_S + 60)
    gateway.make = lambda: [MeterNames("main", 60, _POINTS)]
    gateway.restart()
    gateway.read(_MIDNIGHT_S + 120)
    readings = [item for item in gateway.records() if item.kind == record.READING]
    assert [(item.meter, item.slot_s - _MIDNIGHT_S) for item in readings] == [("main", 0), ("other", 60), ("main", 120)]


def test_a_start_that_changes_no_names_writes_none():
    gateway = _Gateway()
    gateway.read(_MIDNIGHT_S)
    before = gateway.flash.bytes.count(b"main")
    for _ in range(3):
        gateway.restart()
    assert gateway.flash.bytes.count(b"main") == before
