"""record, decoder: what goes in comes out, and bytes that are no record are said to be none."""

from memory import raised

from firmware.errors import RecordError
from firmware.protocols import record
from firmware.protocols.decoder import Decoder
from firmware.protocols.parts import CAUSES, Parts, Writer
from firmware.protocols.record import MeterNames

_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 3, record.GAUGE))
_NAMES = MeterNames("main", 900, _POINTS, 1763799300, 20414)


def _decoder(n_meters=1):
    decoder = Decoder()
    for i in range(n_meters):
        decoder.decode(record.NAMES, record.put_names(i, MeterNames("m%d" % i, 900, _POINTS)), 0, 100 + i)
    return decoder


def _names_of(names, index=0):
    decoder = Decoder()
    assert decoder.decode(record.NAMES, record.put_names(index, names)) is decoder.meters[index]
    return decoder.meters[index]


def test_a_miss_comes_back_as_it_was_put():
    for cause in CAUSES[1:] + ("refused 02", "\u9505\u7089", ""):
        found = _decoder(2).decode(record.MISS, record.put_miss(1, 1763799300, 1763802000, 4, cause))
        assert found.kind == record.MISS and found.meter == "m1"
        assert (found.slot_s, found.end_s, found.n_slots, found.cause) == (1763799300, 1763802000, 4, cause)


def test_a_miss_has_the_bytes_of_the_specification():
    assert bytes(record.put_miss(3, 1735689600 + 900, 1735689600 + 2700, 3, "no reply")) == b"\x03\x89\x0e\x88\x0e\x03\x01"
    assert bytes(record.put_miss(3, 1735689600, 1735689600, 1, "refused 02")) == b"\x03\x01\x00\x01\x00\x0arefused 02"


def test_an_index_beyond_a_byte_and_numbers_that_cannot_be_are_refused():
    # A bytearray on a board would take 256 for 0: another meter's record.
    for index in (-1, 256):
        raised(ValueError, record.put_miss, index, 0, 0, 1, "")
        raised(ValueError, record.put_names, index, _NAMES)
    raised(ValueError, record.put_miss, 0, 10, 0, 1, "")


def test_an_event_and_a_change_keep_their_kind_and_text():
    for kind in (record.EVENT, record.CHANGE):
        found = Decoder().decode(kind, '"event":"start","name":"\u9505\u7089"'.encode())
        assert (found.kind, found.members) == (kind, '"event":"start","name":"\u9505\u7089"')
    assert Decoder().decode(record.EVENT, memoryview(b"x")).members == "x"


def test_names_come_back_as_they_were_put():
    found = _names_of(_NAMES, 7)
    assert (found.name, found.every_s, found.points) == ("main", 900, _POINTS)
    assert (found.last_slot_s, found.next_day, found.serial) == (1763799300, 20414, "")
    found = _names_of(MeterNames("\u9505\u7089", 1, _POINTS[:1], 0, 0, "000000000161"))
    assert (found.name, found.last_slot_s, found.next_day, found.serial) == ("\u9505\u7089", 0, 0, "000000000161")


def test_names_have_the_bytes_of_the_specification():
    points = (("power", "kW", 3, record.GAUGE), ("heat_gj", "GJ", 2, record.REGISTER))
    found = record.put_names(7, MeterNames("main", 900, points, 1735689600 + 900, 20089 + 2, "21"))
    assert bytes(found) == b"\x07\x04main\x84\x07\x84\x07\x02\x0221\x02\x03\x05power\x02kW\x12\x07heat_gj\x02GJ"
    assert bytes(record.put_names(2, _NAMES, 0))[-2:] == b"\x00\x00"


def test_points_of_another_meter_are_said_once():
    decoder = _decoder(1)
    decoder.decode(record.NAMES, record.put_names(3, MeterNames("twin", 60, _POINTS), 0))
    assert decoder.meters[3].points == _POINTS
    raised(RecordError, decoder.decode, record.NAMES, record.put_names(4, MeterNames("x", 60, _POINTS), 9))
    # What it was before holds no longer.
    decoder.decode(record.NAMES, record.put_names(4, MeterNames("x", 60, _POINTS), 0))
    raised(RecordError, decoder.decode, record.NAMES, record.put_names(4, MeterNames("x", 60, _POINTS), 9))
    assert 4 not in decoder.meters


def test_names_that_the_gateway_holds_are_not_held_twice():
    own = MeterNames("main", 900, _POINTS, 5, 6)
    decoder = Decoder({"main": own})
    assert decoder.decode(record.NAMES, record.put_names(0, _NAMES)) is own
    # Other points or another interval are another meter's.
    for other in (MeterNames("main", 900, _POINTS[:1]), MeterNames("main", 60, _POINTS)):
        assert decoder.decode(record.NAMES, record.put_names(0, other)) is not own


def test_cursors_come_back_behind_the_names_of_their_consumers():
    decoder = Decoder()
    assert not decoder.is_headed
    cursors = {"province": 1234, "nation": 1180}
    assert decoder.decode(record.CONSUMERS, record.put_consumers(cursors, 1300), 1300, 77) == cursors
    assert decoder.is_headed and decoder.tie(record.CURSORS, b"") == 77
    later = {"province": 1299, "nation": 1190}
    assert decoder.decode(record.CURSORS, record.put_cursors(later, 1310), 1310) == later
    assert len(record.put_cursors(later, 1310)) == 2
    decoder.begin()
    assert not decoder.is_headed


def test_about_time_and_retired_blocks_come_back():
    decoder = Decoder()
    about = decoder.decode(record.ABOUT, record.put_about("a1b2c3d4", "CST-8", "0.1.0", "5f0c11d2"))
    assert (about.config, about.zone, about.version, about.log) == ("a1b2c3d4", "CST-8", "0.1.0", "5f0c11d2")
    assert decoder.about is about
    # Another block says it anew.
    decoder.begin()
    assert decoder.about is None
    time = decoder.decode(record.TIME, record.put_time(1000, 1763799300, "ntp"))
    assert (time.kind, time.from_s, time.to_s, time.source) == (record.TIME, 1000, 1763799300, "ntp")
    assert decoder.decode(record.RETIRED, record.put_retired([300, 2])) == [2, 300]


def test_a_record_is_tied_to_the_names_that_it_needs():
    decoder = _decoder(2)
    assert decoder.tie(record.MISS, b"\x01") == 101 and decoder.tie(record.DAY, b"\x00") == 100
    raised(RecordError, decoder.tie, record.MISS, b"\x07")
    raised(RecordError, decoder.tie, record.DAY, b"")
    assert decoder.tie(record.EVENT, b"") == decoder.tie(record.NAMES, b"\x01") == 0
    decoder.begin()
    raised(RecordError, decoder.tie, record.MISS, b"\x01")


def test_a_kind_of_the_future_is_none():
    raised(RecordError, Decoder().decode, 9, b"later")
    raised(RecordError, Decoder().decode, record.READING, b"")


def _is_record(kind, payload):
    decoder = _decoder()
    try:
        # In this order, as a reader does.
        decoder.tie(kind, payload)
        decoder.decode(kind, payload)
    except RecordError:
        return False
    return True


def test_every_piece_of_a_record_is_that_or_none():
    payloads = (
        (record.MISS, record.put_miss(0, 1763799300, 1763802000, 4, "refused 02")),
        (record.NAMES, record.put_names(0, _NAMES)),
        (record.NAMES, record.put_names(1, _NAMES, 0)),
        (record.CONSUMERS, record.put_consumers({"a": 1, "b": 2}, 9)),
        (record.CURSORS, record.put_cursors({"a": 1, "b": 2}, 9)),
        (record.TIME, record.put_time(1, 2, "ntp")),
        (record.ABOUT, record.put_about("a", "b", "c", "d")),
        (record.RETIRED, record.put_retired([300, 2])),
        (record.EVENT, "\u9505\u7089".encode()),
    )
    for kind, payload in payloads:
        assert _is_record(kind, payload)
        changed = bytearray(payload)
        for n in range(len(payload)):
            _is_record(kind, payload[:n])
            for bits in range(1, 256):
                changed[n] = payload[n] ^ bits
                _is_record(kind, changed)
            changed[n] = payload[n]
            # A number that is as long as one may be, or longer.
            for n_bytes in (4, 8, 9, 10):
                _is_record(kind, payload[:n] + b"\xff" * n_bytes + b"\x7f" + payload[n + 1 :])


def test_a_miss_and_names_that_are_cut_are_none():
    for kind, payload in (
        (record.MISS, record.put_miss(0, 1763799300, 1763802000, 4, "refused 02")),
        (record.NAMES, record.put_names(0, _NAMES)),
    ):
        assert not any(_is_record(kind, payload[:n]) for n in range(len(payload)))


def test_parts_that_end_too_early_are_said_to():
    parts = Parts(Writer().number(300).text("abc").cause("fault").bytes, 0)
    assert (parts.number(), parts.text(), parts.cause(), parts.is_done) == (300, "abc", "fault", True)
    raised(RecordError, parts.number)
    raised(RecordError, Parts(b"\x05ab", 0).text)
    raised(RecordError, Parts(b"\x00", 0).value)
    raised(RecordError, Parts(b"\x02\xff\xfe", 0).text)
    raised(RecordError, Parts(b"\x63", 0).cause)
