"""Identity: which instrument stands where, asked at the start, daily and after silence, and kept through restarts."""

from polled import NOON_S, POINTS, World

from firmware.clock import Zone
from firmware.errors import BadData, BadFrame, MeterRefused, NoReply
from firmware.protocols import record
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import Cut, NorFlash

_DAY_S = 86400
_IDENTIFIED = '"event":"meter_identified","m":"a","serial_number":"%s"'
_REPLACED = '"event":"meter_replaced","m":"a","old":"%s","new":"%s"'


def _asked(world, meter=0):
    """When a meter was asked for its number, in seconds since noon."""
    return [at_s - NOON_S for at_s in world.meters[meter].asked]


def test_a_meter_is_asked_once_it_is_heard():
    world = World((("a", 60, 0, "4711"),))
    world.run(200)
    assert _asked(world) == [0]
    assert world.events == [_IDENTIFIED % "4711"]
    assert world.log.meters[0].serial == "4711"
    # The reading came first.
    kinds = [kind for kind, seq, _ in world.ring.reader(1) if seq and kind != record.MISS]
    assert kinds[:2] == [record.READING, record.EVENT]


def test_a_meter_that_is_silent_is_not_asked():
    world = World((("a", 60, 0, "4711"),))
    # Asked at 0, at 60, and at 180 s, for it was silent twice.
    world.meters[0].script = [NoReply(500)] * 2
    world.run(170)
    assert _asked(world) == []
    world.run(60)
    assert _asked(world) == [180]


def test_a_meter_that_cannot_tell_is_never_asked():
    world = World((("a", 60), ("b", 60, 0, "1")))
    world.run(200)
    assert _asked(world, 0) == [] and _asked(world, 1) == [0]
    assert world.log.meters[0].serial is None
    assert len(world.events) == 1


def test_a_meter_is_asked_once_a_local_day():
    world = World((("a", 3600, 0, "4711"),), zone="CST-8")
    # Noon in UTC is eight in the evening there.
    world.run(2 * _DAY_S)
    assert _asked(world) == [0, 4 * 3600, 28 * 3600]
    # The same number is no news.
    assert world.events == [_IDENTIFIED % "4711"]


def test_a_meter_is_asked_again_after_silence():
    world = World((("a", 60, 0, "4711"),))
    bad = BadFrame(b"\0", "noise")
    world.meters[0].script = [(1, 1), (2, 2), NoReply(500), (3, 3), (4, 4), bad, bad, (5, 5)]
    world.run(600)
    assert _asked(world) == [0, 180, 420]
    assert len(world.events) == 1


def test_another_number_is_an_event_with_the_old_and_the_new():
    world = World((("a", 60, 0, "4711"),))
    world.meters[0].script = [(1, 1), NoReply(500), (3, 3)]

    def exchange(world):
        world.meters[0].serial = "4712"

    world.run(200, at={70: exchange})
    assert world.events == [_IDENTIFIED % "4711", _REPLACED % ("4711", "4712")]
    assert world.log.meters[0].serial == "4712"
    found = [event.members for event in world.records(record.EVENT)]
    assert found == world.events


def test_a_meter_exchanged_without_a_missed_reading_is_found_the_next_day():
    world = World((("a", 3600, 0, "4711"),))
    world.run(60)
    world.meters[0].serial = "4712"
    world.run(_DAY_S)
    assert _asked(world) == [0, 12 * 3600]
    assert world.events[1:] == [_REPLACED % ("4711", "4712")]


def test_a_meter_that_refuses_is_not_asked_again_that_day():
    for error in (MeterRefused(2), BadData("04000402: not BCD", b"")):
        world = World((("a", 3600, 0, error),))
        world.run(_DAY_S)
        assert _asked(world) == [0, 12 * 3600]
        assert world.events == [] and world.log.meters[0].serial == ""
        assert len(world.records(record.READING)) == 24


def test_a_meter_that_does_not_tell_is_asked_three_times_a_day():
    for error in (NoReply(500), BadFrame(b"\0", "noise")):
        world = World((("a", 3600, 0, error),))
        world.run(_DAY_S)
        assert _asked(world) == [0, 0, 0] + [12 * 3600] * 3
        assert world.events == []
    # When it is silent in between, it has three more.
    world = World((("a", 3600, 0, NoReply(500)),))
    world.run(60)
    world.meters[0].serial = "4711"
    world.meters[0].script = [NoReply(500)]
    world.run(2 * 3600)
    assert world.events == [_IDENTIFIED % "4711"]
    assert _asked(world) == [0, 0, 0, 7200]


def test_nothing_told_is_no_number():
    world = World((("a", 3600, 0, ""),))
    world.run(600)
    assert world.events == [] and world.log.meters[0].serial == ""
    world = World((("a", 3600, 0, "   "),))
    world.run(600)
    assert world.events == []


def test_a_number_is_kept_as_a_note_can_hold_it():
    world = World((("a", 3600, 0, "A 12\n\u00e43456789012345678901234"),))
    world.run(60)
    assert world.log.meters[0].serial == "9012345678901234"
    assert world.events == [_IDENTIFIED % "9012345678901234"]
    # Cut, it is the same number tomorrow.
    world.run(_DAY_S)
    assert len(world.events) == 1


def test_quotes_in_names_and_numbers_stay_in_their_place():
    world = World((("a", 3600, 0, 'x"y\\z'),))
    world.run(60)
    assert world.events == [_IDENTIFIED % 'x\\"y\\\\z']
    assert world.log.meters[0].serial == 'x"y\\z'


# -- when the line has time -------------------------------------------------------------------------------------------


def test_a_meter_is_not_asked_when_a_slot_is_near():
    # Three tries of 500 ms, and their replies' time on the wire: 2.4 s.
    world = World((("a", 2, 0, "4711"),))
    world.run(60)
    assert _asked(world) == []
    world = World((("a", 5, 0, "4711"),))
    world.run(60)
    assert _asked(world) == [0]


def test_a_meter_on_a_busy_line_is_asked_after_a_hundred_readings():
    world = World((("a", 1, 0, "4711"),))
    world.run(98)
    assert _asked(world) == []
    world.run(20)
    (asked_s,) = _asked(world)
    assert 98 <= asked_s <= 102
    assert world.events == [_IDENTIFIED % "4711"]
    n = len(world.records(record.READING))
    assert n >= 115
    # Once is enough for the day.
    world.run(300)
    assert len(_asked(world)) == 1


def test_a_busy_line_asks_all_its_meters_in_turn():
    world = World((("a", 2, 0, "1"), ("b", 2, 0, "2"), ("c", 2, 0, NoReply(500)), ("d", 2)))
    world.run(500)
    assert len(world.meters[0].asked) == len(world.meters[1].asked) == 1
    assert len(world.meters[2].asked) >= 2
    assert [meter.serial for meter in world.log.meters] == ["1", "2", "", None]


def test_all_meters_of_a_line_are_asked_when_there_is_time():
    world = World((("a", 60, 0, "1"), ("b", 60, 0, "2"), ("c", 3600, 0, "3")))
    world.run(50)
    assert [len(meter.asked) for meter in world.meters] == [1, 1, 1]
    assert [meter.serial for meter in world.log.meters] == ["1", "2", "3"]


# -- what the log keeps -----------------------------------------------------------------------------------------------


def _names(*pairs):
    return [record.MeterNames(name, 60, POINTS, serial=serial) for name, serial in pairs]


def _log(flash, names):
    log = Log(Ring(flash, lambda: NOON_S), Zone("UTC0"), "00000000", names)
    log.open()
    return log


def test_a_number_survives_a_restart_and_is_no_news_then():
    flash = NorFlash(8)
    world = World((("a", 60, 0, "4711"),), flash=flash)
    world.run(30)
    again = World((("a", 60, 0, "4711"),), start_s=NOON_S + 600, flash=flash)
    assert again.log.meters[0].serial == "4711"
    again.run(100)
    # A start is a reason to ask.
    assert len(again.meters[0].asked) == 1
    assert again.events == []
    changed = World((("a", 60, 0, "4712"),), start_s=NOON_S + 1200, flash=flash)
    changed.run(100)
    assert changed.events == [_REPLACED % ("4711", "4712")]


def test_a_number_survives_when_its_note_was_overwritten_long_ago():
    # Each block has it in its heading, also where two meters have the same points.
    flash = NorFlash(5)
    told = []
    log = _log(flash, _names(("a", ""), ("b", ""), ("c", None)))
    log.identify(0, "4711", told.append)
    log.identify(1, "4712", told.append)
    first = log.ring.next_seq
    for _ in range(3000):
        log.event("x" * 40)
    assert log.ring.first_seq > first
    again = _log(flash, _names(("a", ""), ("b", ""), ("c", None)))
    assert [meter.serial for meter in again.meters] == ["4711", "4712", None]
    assert len(told) == 2


def test_a_number_goes_with_the_meters_name_and_not_with_its_index():
    flash = NorFlash(8)
    log = _log(flash, _names(("a", ""), ("b", ""), ("c", None)))
    log.identify(0, "4711", log.event)
    log.identify(1, "4712", log.event)
    log = _log(flash, _names(("b", ""), ("new", ""), ("c", None), ("a", "")))
    assert [meter.serial for meter in log.meters] == ["4712", "", None, "4711"]
    # And it is in the log in that order.
    log = _log(flash, _names(("b", ""), ("new", ""), ("c", None), ("a", "")))
    assert [meter.serial for meter in log.meters] == ["4712", "", None, "4711"]


def test_a_meter_that_cannot_tell_any_more_has_no_number():
    flash = NorFlash(8)
    log = _log(flash, _names(("a", "")))
    log.identify(0, "4711", log.event)
    # Its profile was changed for one that knows no number; then back: what it was before is forgotten.
    assert _log(flash, _names(("a", None))).meters[0].serial is None
    assert _log(flash, _names(("a", ""))).meters[0].serial == ""


def test_the_same_number_again_writes_nothing():
    flash = NorFlash(8)
    log = _log(flash, _names(("a", "")))
    log.identify(0, "4711", log.event)
    programmed = sum(flash.programmed_bytes)
    for serial in ("4711", " 4711 ", "", "  "):
        log.identify(0, serial, log.event)
    assert sum(flash.programmed_bytes) == programmed


def _events(flash):
    """How often each event is in the log."""
    ring = Ring(flash, lambda: NOON_S)
    ring.mount()
    return [found.members for kind, _, found in ring.reader(1) if kind == record.EVENT]


def _cut_while(old, new, event):
    """Cuts the power at every byte that identify writes; the event is then there once or twice, and the number right."""
    flash = NorFlash(8)
    log = _log(flash, _names(("a", "")))
    if old:
        log.identify(0, old, log.event)
    before = _events(flash)
    image = bytes(flash.bytes)
    twice = 0
    for cut_after in range(400):
        flash = NorFlash(8, image, seed=cut_after + 1)
        log = _log(flash, _names(("a", "")))
        flash.cut_after = cut_after
        whole = True
        try:
            log.identify(0, new, log.event)
        except Cut:
            whole = False
        flash.power_on()
        log = _log(flash, _names(("a", "")))
        if whole:
            assert log.meters[0].serial == new
        assert log.meters[0].serial in (old, new)
        # As the meter is asked at the start.
        log.identify(0, new, log.event)
        found = _events(flash)[len(before) :]
        assert found in ([event], [event, event]), (cut_after, found)
        twice += len(found) == 2
        assert _log(flash, _names(("a", ""))).meters[0].serial == new
        if whole:
            assert found == [event]
            break
    assert whole and cut_after > 60
    # A cut between the event and the note.
    assert twice


def test_a_cut_while_a_meter_is_identified_repeats_the_event_and_never_loses_it():
    _cut_while("", "4711", _IDENTIFIED % "4711")


def test_a_cut_while_a_meter_is_replaced_repeats_the_event_and_never_loses_it():
    _cut_while("4711", "4712", _REPLACED % ("4711", "4712"))
