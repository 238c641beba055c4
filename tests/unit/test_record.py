"""record: what goes in comes out, and bytes that are no record are said to be none."""

from memory import raised

from firmware.errors import RecordError
from firmware.protocols import record
from firmware.protocols.record import Decoder, MeterNames

_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
_NAMES = MeterNames("main", 900, _POINTS, 1763799300, 20414)


def _decoder(n_meters=1):
    decoder = Decoder()
    for i in range(n_meters):
        names = MeterNames("m%d" % i, 900, _POINTS)
        assert decoder.decode(record.NAMES, record.put_names(i, names)) is None
    return decoder


def _reading(values, index=0, slot_s=1763799300, at_s=1763799302, quality=0):
    return record.put_reading(index, slot_s, at_s, quality, values)


def test_a_reading_comes_back_as_it_was_put():
    for values in ([1234567, 12345], [0, 0], [-1, None], [None, None], [1 << 62, -(1 << 62)]):
        found = _decoder().decode(record.READING, _reading(values, quality=97))
        assert found.kind == record.READING
        assert found.meter == "m0" and found.points == _POINTS
        assert (found.slot_s, found.at_s, found.quality) == (1763799300, 1763799302, 97)
        assert found.values == values


def test_a_reading_has_the_bytes_of_the_specification():
    data = record.put_reading(3, 0x01020304, 0x01020304 + 30, 33, [0, None, 1, -1, 63, -64, 64, 1234567])
    assert bytes(data) == b"\x03\x04\x03\x02\x01\x21" + b"\x3d" + b"\x01" + b"\x00" + b"\x03" + b"\x02" + b"\x7f" + (
        b"\x80\x01" + b"\x81\x01" + b"\x8f\xda\x96\x01"
    )


def test_a_reading_may_come_before_its_slot_and_years_after_it():
    # The clock was set meanwhile.
    for slot_s, at_s in ((1763799300, 1763799240), (1763799300, 0), (0, 0xFFFFFFFF), (0xFFFFFFFF, 0), (5, 5)):
        found = _decoder().decode(record.READING, _reading([1, 2], slot_s=slot_s, at_s=at_s))
        assert (found.slot_s, found.at_s) == (slot_s, at_s)


def test_a_reading_whose_time_is_none_or_beyond_32_bits_is_refused():
    for slot_s, after in ((1763799300, b"\0"), (0xFFFFFFFF, b"\3"), (0, b"\2")):
        data = bytes((0,)) + slot_s.to_bytes(4, "little") + b"\0" + after + b"\1\1"
        raised(RecordError, _decoder().decode, record.READING, data)


def test_values_of_63_bits_come_back_and_larger_ones_are_refused():
    most = (1 << 63) - 1
    for value in (most, -most, most - 1, 1 - most, 1 << 32, -(1 << 32), 127, 128, -128, 16383, 16384):
        assert _decoder().decode(record.READING, _reading([value, value])).values == [value, value]
    for value in (1 << 63, -(1 << 63), 1 << 70):
        raised(ValueError, _reading, [value])


def test_times_of_32_bits_come_back_and_others_are_refused():
    most = 0xFFFFFFFF
    found = _decoder().decode(record.READING, _reading([1, 2], slot_s=most, at_s=most))
    assert (found.slot_s, found.at_s) == (most, most)
    for slot_s, at_s in ((most + 1, 0), (0, most + 1), (-1, 0), (0, -1)):
        raised(ValueError, record.put_reading, 0, slot_s, at_s, 0, [])
        raised(ValueError, record.put_miss, 0, slot_s, at_s, 1, "no reply")
    raised(ValueError, record.put_day, 0, -1, "")
    raised(ValueError, record.put_day, 0, most + 1, "")


def test_a_reading_belongs_to_the_meter_of_its_index():
    assert _decoder(3).decode(record.READING, _reading([1, 2], index=2)).meter == "m2"
    decoder = Decoder()
    decoder.decode(record.NAMES, record.put_names(255, _NAMES))
    assert decoder.decode(record.READING, _reading([1, 2], index=255)).meter == "main"


def test_an_index_beyond_a_byte_is_refused():
    # struct on a board would take 256 for 0: another meter's reading.
    for index in (-1, 256):
        raised(ValueError, record.put_reading, index, 0, 0, 0, [1])
        raised(ValueError, record.put_miss, index, 0, 0, 1, "")
        raised(ValueError, record.put_day, index, 0, "")


def test_a_miss_comes_back_as_it_was_put():
    found = _decoder(2).decode(record.MISS, record.put_miss(1, 1763799300, 1763802000, 4, "refused 02"))
    assert found.kind == record.MISS and found.meter == "m1"
    assert (found.slot_s, found.end_s, found.n_slots, found.cause) == (1763799300, 1763802000, 4, "refused 02")


def test_a_miss_of_more_slots_than_it_can_count_keeps_its_bounds():
    found = _decoder().decode(record.MISS, record.put_miss(0, 100, 100000100, 100000, "not running"))
    assert (found.slot_s, found.end_s, found.n_slots) == (100, 100000100, 65535)


def test_a_day_comes_back_as_it_was_put():
    found = _decoder().decode(record.DAY, record.put_day(0, 20414, '"day":"2025-11-22"'))
    assert found.kind == record.DAY and found.meter == "m0"
    assert (found.day, found.members) == (20414, '"day":"2025-11-22"')


def test_an_event_and_a_change_keep_their_kind_and_text():
    for kind in (record.EVENT, record.CHANGE):
        found = Decoder().decode(kind, '"event":"start","name":"\u9505\u7089"'.encode())
        assert (found.kind, found.members) == (kind, '"event":"start","name":"\u9505\u7089"')


def test_names_come_back_as_they_were_put():
    decoder = Decoder()
    assert decoder.decode(record.NAMES, record.put_names(7, _NAMES)) is None
    found = decoder.meters[7]
    assert (found.name, found.every_s, found.points) == ("main", 900, _POINTS)
    assert (found.last_slot_s, found.next_day) == (1763799300, 20414)


def test_names_have_the_text_of_the_specification():
    assert record.put_names(7, _NAMES) == b"7 main 900 1763799300 20414 energy_import:kWh:2:register power:kW:4:gauge"


def test_a_meters_own_number_stands_at_the_end_of_its_names():
    known = MeterNames("main", 900, _POINTS, 1763799300, 20414, "000000000161")
    text = record.put_names(7, known)
    assert text == b"7 main 900 1763799300 20414 energy_import:kWh:2:register power:kW:4:gauge #000000000161"
    decoder = Decoder()
    decoder.decode(record.NAMES, text)
    assert decoder.meters[7].serial == "000000000161" and decoder.meters[7].points == _POINTS
    text = record.put_names(8, known, 7)
    assert text == b"8 main 900 1763799300 20414 =7 #000000000161"
    decoder.decode(record.NAMES, text)
    assert decoder.meters[8].serial == "000000000161" and decoder.meters[8].points == _POINTS
    # Not known yet, and a meter that cannot tell.
    for serial in ("", None):
        text = record.put_names(7, MeterNames("main", 900, _POINTS, 1763799300, 20414, serial))
        assert text == record.put_names(7, _NAMES)
        decoder.decode(record.NAMES, text)
        assert decoder.meters[7].serial == ""


def test_numbers_of_any_characters_come_back():
    for serial in ("0", "#", "=1", "a:b:1:c", "x" * record.MOST_SERIAL, '"\\'):
        assert record.serial_of(serial) == serial
        decoder = Decoder()
        decoder.decode(record.NAMES, record.put_names(0, MeterNames("main", 900, _POINTS, 0, 0, serial)))
        assert decoder.meters[0].serial == serial and decoder.meters[0].points == _POINTS


def test_a_number_is_made_fit_for_its_note():
    for text, serial in (
        ("", ""),
        ("  ", ""),
        (" 4711 ", "4711"),
        ("A 12", "A_12"),
        ("A\n1\0", "A_1_"),
        ("\u8868\xe4", "__"),
        ("\x7f~!", "_~!"),
        ("0123456789" * 3, ("0123456789" * 3)[-record.MOST_SERIAL :]),
    ):
        assert record.serial_of(text) == serial


def test_points_of_a_note_before_are_named_by_its_index():
    decoder = Decoder()
    decoder.decode(record.NAMES, record.put_names(3, _NAMES))
    text = record.put_names(4, MeterNames("boiler", 60, _POINTS, 1763799360, 20415), 3)
    assert text == b"4 boiler 60 1763799360 20415 =3"
    decoder.decode(record.NAMES, text)
    found = decoder.meters[4]
    assert (found.name, found.every_s, found.points, found.last_slot_s) == ("boiler", 60, _POINTS, 1763799360)
    # What is named may change later; this meter's points stay.
    decoder.decode(record.NAMES, record.put_names(3, MeterNames("main", 900, _POINTS[:1])))
    assert decoder.meters[4].points == _POINTS
    for bad in (b"5 press 60 0 0 =7", b"5 press 60 0 0 =", b"5 press 60 0 0 =x"):
        raised(RecordError, decoder.decode, record.NAMES, bad)


def test_later_names_hold_for_later_readings():
    decoder = _decoder()
    decoder.decode(record.NAMES, record.put_names(0, MeterNames("new", 60, _POINTS[:1])))
    found = decoder.decode(record.READING, _reading([5]))
    assert found.meter == "new" and found.points == _POINTS[:1]


def test_cursors_come_back_as_they_were_put():
    assert record.put_cursors({"province": 12, "nation": 4294967295}) == b"nation 4294967295 province 12"
    for cursors in ({}, {"a": 0}, {"province": 12, "nation": 4294967295}):
        assert record.cursors_of(record.put_cursors(cursors)) == cursors


def test_a_reading_cut_short_anywhere_is_refused():
    data = _reading([1234567, None])
    for n in range(len(data)):
        raised(RecordError, _decoder().decode, record.READING, data[:n])
    for kind, least in ((record.MISS, 11), (record.DAY, 5)):
        for n in range(least):
            raised(RecordError, _decoder().decode, kind, bytes(n))


def test_a_reading_with_more_values_than_points_is_refused():
    raised(RecordError, _decoder().decode, record.READING, _reading([1, 2, 3]))
    raised(RecordError, _decoder().decode, record.READING, _reading([1, 2]) + b"\0")


def test_a_number_without_end_is_refused():
    raised(RecordError, _decoder().decode, record.READING, _reading([]) + b"\xff" * 20)


def test_records_of_a_meter_without_names_are_refused():
    for kind, data in (
        (record.READING, _reading([1, 2], index=1)),
        (record.MISS, record.put_miss(1, 0, 0, 1, "")),
        (record.DAY, record.put_day(1, 0, "")),
    ):
        raised(RecordError, _decoder(1).decode, kind, data)
        raised(RecordError, Decoder().decode, kind, data)


def test_bytes_that_are_no_text_are_refused():
    raised(RecordError, _decoder().decode, record.EVENT, b"\xff\xfe")
    raised(RecordError, _decoder().decode, record.MISS, record.put_miss(0, 0, 0, 1, "") + b"\x80")
    raised(RecordError, _decoder().decode, record.NAMES, b"\xc3")


def test_a_text_that_is_no_names_is_refused():
    for text in ("", "0", "0 main", "0 main 900 0", "x main 900 0 0 a:b:1:c", "0 main 900 0 0 a:b:1", "0 main 900 0 0 a:b:x:c"):
        raised(RecordError, _decoder().decode, record.NAMES, text.encode())
    for text in (
        "#1",
        "#",
        "0 #1",
        "0 main #1",
        "0 main 900 0 #1",
        " #1",
        "0 main 900 0 0 a:b:1:c ",
        "0 main 900 0 0 a:b:1:c #1 x",
    ):
        raised(RecordError, _decoder().decode, record.NAMES, text.encode())


def test_kinds_nobody_knows_are_passed_over():
    for kind in (0, 6, 15, 18, 255):
        assert _decoder().decode(kind, b"whatever") is None


def test_a_view_of_a_buffer_is_decoded_like_bytes():
    assert _decoder().decode(record.READING, memoryview(_reading([1, 2]))).values == [1, 2]
    assert Decoder().decode(record.EVENT, memoryview(b"x")).members == "x"


def test_points_said_as_anothers_are_never_those_of_an_older_heading():
    decoder = record.Decoder()
    power, voltage = (("power", "kW", 4, "gauge"),), (("voltage_l1", "V", 2, "gauge"),)
    for points in (power, voltage):
        first, second = (record.MeterNames(name, 900, points) for name in ("main", "boiler"))
        # The first note of the second heading is damaged.
        if points is power:
            decoder.decode(record.NAMES, record.put_names(0, first))
            decoder.decode(record.NAMES, record.put_names(1, second, 0))
    raised(RecordError, decoder.decode, record.NAMES, record.put_names(1, second, 0))
    reading = record.put_reading(1, 1800000000, 1800000001, 0, [23020])
    raised(RecordError, decoder.decode, record.READING, reading)
