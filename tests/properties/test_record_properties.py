"""record, tracks, dayrecord: whatever is put comes back, and no bytes raise anything but RecordError."""

import json

from hypothesis import given
from hypothesis import strategies as st

from firmware.clock import Zone, day_text, slot_after
from firmware.errors import RecordError
from firmware.protocols import record
from firmware.protocols.dayrecord import Day, day_of, put_day
from firmware.protocols.daytext import day_members
from firmware.protocols.decoder import Decoder
from firmware.protocols.parts import CAUSES
from firmware.protocols.record import MeterNames, Miss, Reading
from firmware.protocols.tracks import Tracks
from firmware.store.days import MeterDay

_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 3, record.GAUGE), ("volume", "m3", 3, record.REGISTER))
instants = st.integers(0, 2**32 - 1)
values = st.one_of(st.none(), st.integers(-(2**63) + 1, 2**63 - 1), st.integers(-1000, 1000))
texts = st.text(st.characters(codec="utf-8", exclude_characters=" "), min_size=1, max_size=12)
causes = st.one_of(st.sampled_from(CAUSES[1:]), st.text(max_size=20))
names = st.builds(
    MeterNames,
    texts,
    st.integers(1, 86400),
    st.lists(st.tuples(texts, texts, st.integers(0, 9), st.sampled_from([record.REGISTER, record.GAUGE])), min_size=1).map(
        tuple
    ),
    st.integers(1735689600, 2**32 - 1),
    st.integers(20090, 60000),
    texts,
)
readings = st.tuples(
    st.integers(0, 2),
    st.integers(0, 2**31),
    st.integers(-4000, 10**9),
    st.integers(0, 255),
    st.lists(values, min_size=3, max_size=3),
    st.booleans(),
)


@given(st.lists(readings, max_size=40), st.integers(1, 3600))
def test_readings_come_back_whatever_was_before_them(rows, every_s):
    writer, reader = Tracks(), Tracks()
    for tracks in (writer, reader):
        tracks.begin()
        for index in range(3):
            tracks.name(index, every_s, [point[3] == record.REGISTER for point in _POINTS], index)
    for check, (index, slot, after_s, quality, row, is_key) in enumerate(rows):
        buf = bytearray(80)
        is_key = is_key or writer.is_new(index)
        n = writer.put(buf, index, slot, after_s, quality, row, is_key)
        assert buf[0] & 0x80 and buf[0] != 0xFF
        found = reader.parse(bytes(buf))
        assert found == (index, is_key, slot, after_s, quality, row, n)
        assert writer.tie(index, is_key) == reader.tie(index, is_key)
        writer.taken(index, is_key, slot, after_s, quality, row, check)
        reader.taken(*found[:6], check)


@given(st.integers(0, 255), names, instants, instants, st.integers(1, 10**6), causes)
def test_names_and_misses_come_back(index, meter, first_s, for_s, n, cause):
    decoder = Decoder()
    found = decoder.decode(record.NAMES, record.put_names(index, meter))
    for name in ("name", "every_s", "points", "next_day", "serial"):
        assert getattr(found, name) == getattr(meter, name)
    assert found.last_slot_s in (meter.last_slot_s, 0)
    miss = decoder.decode(record.MISS, record.put_miss(index, first_s, first_s + for_s, n, cause))
    assert (miss.meter, miss.slot_s, miss.end_s, miss.n_slots, miss.cause) == (meter.name, first_s, first_s + for_s, n, cause)


@given(st.dictionaries(texts, st.integers(0, 10**6), max_size=4), st.integers(0, 10**6))
def test_cursors_come_back(behind, last_seq):
    cursors = {name: last_seq - n for name, n in behind.items()}
    decoder = Decoder()
    assert decoder.decode(record.CONSUMERS, record.put_consumers(cursors, last_seq), last_seq, 1) == cursors
    assert decoder.decode(record.CURSORS, record.put_cursors(cursors, last_seq + 7), last_seq + 7, 1) == cursors


@given(
    st.integers(20000, 40000),
    st.integers(-50000, 50000),
    st.integers(82800, 90000),
    st.tuples(*[st.integers(0, 1000)] * 3),
    st.dictionaries(causes, st.integers(1, 1000), max_size=4),
    st.lists(st.one_of(st.none(), st.tuples(*[st.integers(-(2**40), 2**40)] * 4)), min_size=3, max_size=3),
    st.booleans(),
)
def test_days_come_back(number, after_s, length_s, counts, missed, found, final):
    start_s = number * 86400 + after_s
    day = Day("m", _POINTS, number, start_s, start_s + length_s)
    day.due, day.got, day.late = counts
    day.missed, day.final = missed, final
    for i, row in enumerate(found):
        if row and _POINTS[i][3] == record.GAUGE:
            low, mean, high, at_s = sorted(row)
            day.found[i] = low, high, at_s, mean
        elif row:
            day.found[i] = row
    back = day_of(put_day(1, day, 900), MeterNames("m", 900, _POINTS))
    assert vars(back) == vars(day)


slots = st.tuples(
    st.sampled_from(["reading"] * 3 + ["miss"]), st.integers(1, 5), st.sampled_from([0, 0, 2, 33]), values, values
)


@given(st.sampled_from(["CST-8", "CET-1CEST,M3.5.0,M10.5.0/3", "IST-5:30"]), st.integers(20450, 20820), st.lists(slots), causes)
def test_a_folded_day_is_published_from_flash_as_it_was_folded(text, number, rows, cause):
    zone, meter = Zone(text), MeterNames("m", 3600, _POINTS)
    fold = MeterDay(zone, meter, number)
    slot_s = fold.start_s
    for what, n, quality, one, two in rows:
        for _ in range(n if what == "miss" else 1):
            last_s, slot_s = slot_s, slot_after(zone, 3600, slot_s)
        if what == "reading":
            fold.add(Reading("m", _POINTS, last_s, last_s + 2, quality, [one, two, n]))
        else:
            fold.add(Miss("m", last_s, last_s, n, cause))
    day = fold.summary()
    back = day_of(put_day(0, day, meter.every_s), meter)
    back.zone = day.zone
    assert day_members(back, day_text(number)) == day_members(day, day_text(number))


@given(st.integers(0, 2), st.binary(min_size=1, max_size=12), st.integers(0, 60), st.integers(0, 12), st.booleans())
def test_spoilt_days_are_days_that_can_be_published_or_none(n_missed, spoilt, at, n_over, is_usual):
    day = Day("m", _POINTS, 20414, 20414 * 86400 - 28800, 20415 * 86400 - 28800 + (0 if is_usual else 3600))
    day.due, day.got, day.missed = 96, 96 - n_missed, dict.fromkeys(CAUSES[1 : 1 + n_missed], 1)
    day.found = [(day.start_s, 123456700, day.end_s, 123701300), (123456, 1850000, day.start_s + 7, 1019250), None]
    payload = put_day(0, day, 900)
    at = min(at, len(payload))
    # Put in, or over so many bytes.
    payload = payload[:at] + spoilt + payload[at + n_over :]
    try:
        found = day_of(payload, MeterNames("m", 900, _POINTS))
    except RecordError:
        return
    json.loads("{%s}" % day_members(found, day_text(found.day)))


@given(st.sampled_from((*record.KINDS, 0, 1, 9)), st.binary(max_size=60))
def test_any_bytes_are_a_record_or_said_to_be_none(kind, payload):
    decoder = Decoder()
    decoder.decode(record.NAMES, record.put_names(0, MeterNames("m", 900, _POINTS)))
    try:
        decoder.tie(kind, payload)
        decoder.decode(kind, payload)
    except RecordError:
        pass


@given(st.binary(min_size=1, max_size=60))
def test_any_bytes_are_a_reading_or_said_to_be_none(data):
    tracks = Tracks()
    tracks.begin()
    tracks.name(0, 900, (True, False), 1)
    buf = bytearray(60)
    tracks.put(buf, 0, 900, 2, 0, [5, 5], True)
    tracks.taken(0, True, 900, 2, 0, [5, 5], 7)
    try:
        assert tracks.parse(data)[6] <= len(data)
    except RecordError:
        pass
