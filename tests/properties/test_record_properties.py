"""record and payload: round trips, bytes at random, and JSON that says exactly what was stored."""

import json
from decimal import Context, Decimal

from hypothesis import given
from hypothesis import strategies as st

from firmware.errors import RecordError
from firmware.protocols import payload, record
from firmware.protocols.record import Decoder, MeterNames

# 2**63 has 19 digits.
_EXACT = Context(prec=40)

u32 = st.integers(0, 0xFFFFFFFF)
values = st.none() | st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-300, 300)
words = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1, max_size=32)
points = st.lists(
    st.tuples(words, st.sampled_from(("kWh", "kW", "1", "m3")), st.integers(0, 9), st.sampled_from(("register", "gauge"))),
    min_size=1,
    max_size=12,
    unique_by=lambda point: point[0],
).map(tuple)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def _decoder(index, names):
    decoder = Decoder()
    assert decoder.decode(record.NAMES, record.put_names(index, names)) is None
    return decoder


@given(st.integers(0, 255), words, st.integers(1, 86400), points, u32, st.integers(0, 49710))
def test_names_come_back(index, name, every_s, rows, last_slot_s, next_day):
    found = _decoder(index, MeterNames(name, every_s, rows, last_slot_s, next_day)).meters
    assert list(found) == [index]
    names = found[index]
    assert (names.name, names.every_s, names.points) == (name, every_s, rows)
    assert (names.last_slot_s, names.next_day) == (last_slot_s, next_day)


@given(st.integers(0, 255), points, u32, u32, st.integers(0, 255), st.data())
def test_readings_come_back(index, rows, slot_s, at_s, quality, data):
    row = data.draw(st.lists(values, min_size=len(rows), max_size=len(rows)))
    decoder = _decoder(index, MeterNames("main", 900, rows))
    found = decoder.decode(record.READING, record.put_reading(index, slot_s, at_s, quality, row))
    assert (found.meter, found.slot_s, found.at_s, found.quality) == ("main", slot_s, at_s, quality)
    assert found.values == row and found.points == rows


@given(st.integers(0, 255), u32, u32, st.integers(0, 200000), texts)
def test_misses_days_and_events_come_back(index, first_s, last_s, n, text):
    decoder = _decoder(index, MeterNames("main", 900, (("power", "kW", 4, "gauge"),)))
    miss = decoder.decode(record.MISS, record.put_miss(index, first_s, last_s, n, text))
    assert (miss.slot_s, miss.end_s, miss.n_slots, miss.cause) == (first_s, last_s, min(n, 65535), text)
    day = decoder.decode(record.DAY, record.put_day(index, first_s, text))
    assert (day.day, day.members) == (first_s, text)
    assert decoder.decode(record.CHANGE, text.encode()).members == text


@given(st.dictionaries(words, u32, max_size=4))
def test_cursors_come_back(cursors):
    assert record.cursors_of(record.put_cursors(cursors)) == cursors


@given(st.lists(st.tuples(st.sampled_from((1, 2, 3, 4, 5, 16)), st.binary(max_size=60)), max_size=6))
def test_bytes_at_random_are_records_or_refused(records):
    decoder = _decoder(0, MeterNames("main", 900, (("power", "kW", 4, "gauge"),)))
    for kind, data in records:
        try:
            found = decoder.decode(kind, data)
        except RecordError:
            continue
        assert (found is None) == (kind >= record.NOTES)


@given(points, st.data(), st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_is_a_record_or_refused(rows, data, at, change):
    row = data.draw(st.lists(values, min_size=len(rows), max_size=len(rows)))
    whole = record.put_reading(0, 1, 2, 3, row)
    whole[at % len(whole)] ^= change
    decoder = _decoder(0, MeterNames("main", 900, rows))
    try:
        found = decoder.decode(record.READING, whole)
    except RecordError:
        return
    assert len(found.values) == len(rows)


@given(st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-2000, 2000), st.integers(0, 9))
def test_decimals_are_exact(value, decimals):
    text = payload.decimal_text(value, decimals)
    assert Decimal(text) == Decimal(value).scaleb(-decimals, context=_EXACT)
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == Decimal(text)
    assert len(text.partition(".")[2]) == decimals
    assert "e" not in text.lower()


@given(points, u32, u32, u32, st.integers(0, 255), st.data())
def test_a_reading_as_json_says_what_was_stored(rows, seq, slot_s, at_s, quality, data):
    row = data.draw(st.lists(values, min_size=len(rows), max_size=len(rows)))
    found = record.Reading("main", rows, slot_s, at_s, quality, row)
    message = payload.Message(2048)
    payload.start_readings(message, "gw-0001", "0123abcd")
    message.add(payload.reading(seq, found))
    message.end("]}")
    body = json.loads(message.joined(), parse_float=Decimal, parse_int=Decimal)
    (element,) = body["r"]
    assert [element[key] for key in ("seq", "s", "t", "m", "q")] == [seq, slot_s, at_s, "main", quality]
    assert list(element["p"]) == [point[0] for point in rows]
    for point, value in zip(rows, row):
        wanted = None if value is None else Decimal(value).scaleb(-point[2], context=_EXACT)
        assert element["p"][point[0]] == wanted


@given(texts, u32, u32, u32)
def test_any_cause_is_json(cause, seq, first_s, n):
    body = json.loads(payload.miss(seq, record.Miss("main", first_s, first_s, n, cause)))
    assert body == {"seq": seq, "m": "main", "miss": cause, "s": first_s, "s_end": first_s, "n": n}
    assert "\n" not in payload.text(cause)
