"""dayrecord: a summary is some 30 bytes, comes back whole and says the same; bytes that are none are said to be none."""

import json

from memory import ZONES, raised

from firmware.clock import Zone, day_of_civil, day_text
from firmware.errors import RecordError
from firmware.protocols import record
from firmware.protocols.dayrecord import Day, day_of, put_day
from firmware.protocols.daytext import day_members
from firmware.protocols.decoder import Decoder
from firmware.protocols.parts import CAUSES
from firmware.protocols.record import MeterNames

_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
_NAMES = MeterNames("main", 900, _POINTS)
# 2025-11-22, and its beginning in CST-8.
_DAY = 20414
_MIDNIGHT_S = _DAY * 86400 - 28800


def _day(start_s=_MIDNIGHT_S, end_s=_MIDNIGHT_S + 86400):
    """A complete day of 1 234 567 kWh and around 100 kW."""
    day = Day("main", _POINTS, _DAY, start_s, end_s)
    day.due = day.got = 96
    day.found = [(start_s, 123456700, end_s, 123701300), (123456, 1850000, start_s + 900 * 41, 1019250)]
    return day


def _incomplete():
    """A day of 25 hours that has everything else."""
    day = _day(_MIDNIGHT_S, _MIDNIGHT_S + 90000)
    day.due, day.got, day.late, day.quality, day.missed = 100, 94, 2, 35, {"no reply": 5, "refused 02": 1}
    day.found = [(_MIDNIGHT_S + 900, 123456700, _MIDNIGHT_S + 85500, 123701300), (-1500, 1850000, _MIDNIGHT_S + 7, 99)]
    return day


def _back(day, names=_NAMES):
    return day_of(put_day(5, day, names.every_s), names)


def _all(day):
    counts = day.due, day.got, day.late, day.quality, day.missed, day.rev, day.final
    return day.meter, day.points, day.day, day.start_s, day.end_s, counts, day.found


def test_a_day_has_the_bytes_of_the_specification():
    day = _day()
    day.found = [(day.start_s, 123456789, day.end_s, 123461356), (-1500, 285000, day.start_s + 900 * 41, 190275)]
    head, register = b"\x05\x8b\x05\x0f\xc0\x07\x60", b"\x07\xab\xb4\xde\x75\xaf\x47"
    assert bytes(put_day(5, day, 900)) == head + register + b"\x03\x87\x9d\x17\x9f\xda\x0b\x85\xe4\x05\x53"
    # 25 hours from 00:00:17 UTC on, not final, with misses; first and last slot are not midnights.
    start_s = record.EPOCH_S + 17
    day = Day("main", _POINTS, record.EPOCH_DAY, start_s, start_s + 90000)
    day.due, day.got, day.late, day.quality, day.rev, day.final = 100, 97, 2, 33, 1, False
    day.missed = {"refused 02": 1, "no reply": 2}
    day.found = [(start_s + 900, -5, start_s + 1800, -7), None]
    head = b"\x00\x01\x00\x23\x90\xbf\x05\x64\x61\x02\x21\x01"
    missed, register, gauge = b"\x02\x01\x02\x00\x0arefused 02\x01", b"\x01\x0a\x04\x89\x0e\x91\x1c", b"\x00"
    assert bytes(put_day(0, day, 900)) == head + missed + register + gauge


def test_a_usual_day_takes_at_most_30_bytes():
    for kilowatts in (1000, 10000):
        day = _day()
        day.found[1] = 12 * kilowatts, 185 * kilowatts + 7, _MIDNIGHT_S + 86400 - 900, 101 * kilowatts + 3
        assert len(put_day(7, day, 900)) <= 30
        # A few slots are missing, for one of the usual reasons.
        for cause in CAUSES[1:]:
            day.got, day.missed = 90, {cause: 6}
            assert len(put_day(7, day, 900)) <= 38
    # The slots of both midnights are among them, which is rarer.
    day.found[0] = _MIDNIGHT_S + 900, 123456700, _MIDNIGHT_S + 85500, 123701300
    assert len(put_day(7, day, 900)) <= 42


def test_days_come_back():
    assert put_day(5, _day(), 900)[0] == 5
    for day in (_day(), _incomplete()):
        assert _all(_back(day)) == _all(day)
        day.rev, day.final = 3, False
        assert _all(_back(day)) == _all(day)
    # One thing alone is not as usual.
    for name, value in (("got", 95), ("late", 1), ("quality", 64), ("missed", {"fault": 1}), ("rev", 1), ("final", False)):
        day = _day()
        setattr(day, name, value)
        assert _all(_back(day)) == _all(day)
    # Slots are longer than a day.
    day.due = day.got = 0
    assert _all(_back(day)) == _all(day)


def test_days_that_begin_and_end_anywhere_come_back():
    for after_s in (0, 1, 17, 30, 59, 60, -1, -30, 34200, -45900):
        for length_s in (86400, 86399, 82800, 88200, 90000):
            start_s = _DAY * 86400 + after_s
            day = _day(start_s, start_s + length_s)
            assert _all(_back(day)) == _all(day)
            for first_s, last_s in ((1, length_s - 1), (0, length_s + 1), (-1, length_s), (900, length_s - 900)):
                day.found[0] = start_s + first_s, 100, start_s + last_s, 200
                assert _all(_back(day)) == _all(day)


def test_the_same_day_gives_the_same_bytes_in_whichever_order_slots_were_missed():
    texts = sorted(["refused %02d" % i for i in range(9)])
    payloads = set()
    for i in range(9):
        day = _day()
        day.missed = {}
        for text in texts[i:] + texts[:i]:
            day.missed[text] = 1
        payloads.add(bytes(put_day(0, day, 900)))
    assert len(payloads) == 1


def test_values_of_all_sizes_and_none_come_back():
    most = (1 << 63) - 1
    for found in (
        [None, None],
        [(_MIDNIGHT_S, -5, _MIDNIGHT_S + 1800, -7), None],
        [(_MIDNIGHT_S + 900, 5, _MIDNIGHT_S + 86400, 5), (0, 0, _MIDNIGHT_S, 0)],
        [None, (-3, -1, _MIDNIGHT_S + 7, -2)],
        [(_MIDNIGHT_S, most, _MIDNIGHT_S + 5, -most), (-most, most, _MIDNIGHT_S + 86399, 0)],
        [(_MIDNIGHT_S, -most, _MIDNIGHT_S + 5, most), (-most, most, _MIDNIGHT_S, -most)],
        [None, (-most, most, _MIDNIGHT_S, most)],
    ):
        day = _day()
        day.found = found
        assert _all(_back(day)) == _all(day)


def test_causes_come_back_and_usual_ones_take_two_bytes():
    plain = len(put_day(0, _day(), 900))
    for cause in CAUSES[1:] + ("refused 02", "\u9505\u7089", ""):
        day = _day()
        day.got, day.missed = 95, {cause: 1}
        assert _back(day).missed == {cause: 1}
        if cause in CAUSES[1:]:
            # got, late, quality, rev, one cause.
            assert len(put_day(0, day, 900)) == plain + 5 + 2
    day.missed = {cause: i for i, cause in enumerate(CAUSES)}
    assert _back(day).missed == day.missed


def test_the_days_of_all_zones_come_back_with_their_bounds():
    n_unusual = 0
    for text in ZONES:
        zone = Zone(text)
        first = day_of_civil(2059, 1, 1)
        end_s = zone.midnight_s(first)
        for number in range(first, first + 365):
            start_s, end_s = end_s, zone.midnight_s(number + 1)
            if end_s - start_s == 86400 and number % 30:
                continue
            n_unusual += end_s - start_s != 86400
            day = _day(start_s, end_s)
            day.day = number
            found = _back(day)
            assert (found.day, found.start_s, found.end_s) == (number, start_s, end_s), (text, number)
    assert n_unusual > 30


def test_a_day_is_published_as_before_it_was_stored():
    for day in (_day(), _incomplete()):
        found = _back(day)
        found.zone, found.config = day.zone, day.config = "CST-8", "a1b2c3d4"
        assert day_members(found, "2025-11-22") == day_members(day, "2025-11-22")
    assert day_members(_with_about(_day()), "2025-11-22") == (
        '"day":"2025-11-22","zone":"CST-8","m":"main","rev":0,"final":true,"due":96,"got":96,"late":0,"missed":{},"q":0,'
        '"cfg":"a1b2c3d4","energy_import":{"used":2446.00,"src":"slot","parts":[{"start":1234567.00,"start_t":1763740800,'
        '"end":1237013.00,"end_t":1763827200,"used":2446.00,"why":""}]},"power":{"min":12.3456,"max":185.0000,'
        '"max_t":1763777700,"mean":101.9250}'
    )


def _with_about(day):
    decoder = Decoder()
    decoder.decode(record.NAMES, record.put_names(0, _NAMES))
    decoder.decode(record.ABOUT, record.put_about("a1b2c3d4", "CST-8", "0.1.0", "5f0c11d2"))
    return decoder.decode(record.DAY, put_day(0, day, 900))


def test_zone_and_configuration_are_those_of_the_newest_note():
    decoder = Decoder()
    decoder.decode(record.NAMES, record.put_names(0, _NAMES))
    payload = put_day(0, _day(), 900)
    for about in (("", ""), ("a1b2c3d4", "CST-8"), ("ffffffff", "CET-1CEST,M3.5.0,M10.5.0/3")):
        if about[0]:
            decoder.decode(record.ABOUT, record.put_about(*about, "0.1.0", "5f0c11d2"))
        found = decoder.decode(record.DAY, payload)
        assert (found.config, found.zone) == about and found.start_s == _MIDNIGHT_S


def test_what_cannot_be_is_not_put():
    # A bytearray on a board would take 256 for 0: another meter's record.
    for index in (-1, 256):
        raised(ValueError, put_day, index, _day(), 900)
    for name in ("due", "got", "late", "quality", "rev"):
        day = _incomplete()
        setattr(day, name, -1)
        raised(ValueError, put_day, 0, day, 900)
    for found in ((5, 3, _MIDNIGHT_S, 4), (3, 5, _MIDNIGHT_S, 2), (3, 5, _MIDNIGHT_S, 6)):
        day = _day()
        day.found[1] = found
        raised(ValueError, put_day, 0, day, 900)
    raised(ValueError, put_day, 0, _day(_MIDNIGHT_S, _MIDNIGHT_S - 1), 900)


def test_every_cut_of_a_day_is_none():
    for day in (_day(), _incomplete()):
        payload = bytes(put_day(0, day, 900))
        for n in range(len(payload)):
            raised(RecordError, day_of, payload[:n], _NAMES)
        raised(RecordError, day_of, payload + b"\0", _NAMES)
        raised(RecordError, day_of, payload, MeterNames("main", 900, _POINTS[:1]))
    # A bit that has no meaning.
    raised(RecordError, day_of, payload[:3] + b"\x10" + payload[4:], _NAMES)


def _is_day(payload):
    """False if the bytes are none; whatever stands in a Day can be published."""
    try:
        found = day_of(payload, _NAMES)
    except RecordError:
        return False
    json.loads("{%s}" % day_members(found, day_text(found.day)))
    return True


def test_every_changed_byte_gives_a_day_or_none():
    for day in (_day(), _incomplete()):
        payload = put_day(0, day, 900)
        n_days = 0
        for at in range(len(payload)):
            right = payload[at]
            for bits in range(1, 256):
                payload[at] = right ^ bits
                n_days += _is_day(payload)
            payload[at] = right
            assert _is_day(payload)
            # A number that is as long as one may be, or longer; more causes, or a longer text, than there are bytes.
            for n in (4, 8, 9, 10):
                for last in (b"\x01", b"\x7f"):
                    _is_day(payload[:at] + b"\xff" * n + last + payload[at + 1 :])
        # Most of it is numbers, which only the check of its frame can tell from others.
        assert n_days > 100 * len(payload)
