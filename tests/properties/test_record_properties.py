"""record, tracks, dayrecord: whatever is put comes back, and no bytes raise anything but RecordError."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.errors import RecordError
from firmware.protocols import record
from firmware.protocols.dayrecord import Day, day_of, put_day
from firmware.protocols.decoder import Decoder
from firmware.protocols.parts import CAUSES
from firmware.protocols.record import MeterNames
from firmware.protocols.tracks import Tracks

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
