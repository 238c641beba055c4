"""Meter: its requests, read as one reading; what is refused, silent, garbled or no value, and what that costs."""

import asyncio
import time

from asked import Line, meter, section
from framed import cjt, dlt
from memory import hexed, raised

from firmware.bus import ledger
from firmware.errors import BadData, BadFrame, MeterRefused, NoReply
from firmware.meters import equip, profiles
from firmware.protocols import dlt645

_NUMBER = "000000000161"
_NUMBER14 = "78330011223344"


def _read(found):
    return asyncio.run(found.read())


def _fault(found, kind):
    """The exception of this kind that a reading ends in; its whole script was used."""
    error = raised(kind, asyncio.run, found.read())
    assert not found.line.pairs
    return error


def _counts(found, **others):
    """True if the ledger's counts are these, and 0 for those that are not named; requests are not looked at."""
    found = dict(ledger.counted(found.counts))
    found.pop("requests")
    return found == others


# -- Modbus -----------------------------------------------------------------------------------------------------------


def _framed(*body):
    """body and its checksum, one bit at a time."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


def _ask(first, count, function=4, unit=1):
    return _framed(unit, function, first >> 8, first & 0xFF, 0, count)


def _floats(*bits, function=4, unit=1):
    """A reply with these f32 registers."""
    data = b"".join(word.to_bytes(4, "big") for word in bits)
    return _framed(unit, function, len(data), *data)


_10 = 0x41200000  # 10.0
_2000 = 0x44FA0000  # 2000.0
_GOOD = _floats(_10)


def _gap(first, last, n_between):
    """A reply with a float at its beginning, one at its end and registers between that nobody asked for."""
    between = b"\xba\xad" * n_between
    data = first.to_bytes(4, "big") + between + last.to_bytes(4, "big")
    return _framed(1, 4, len(data), *data)


def test_an_unanswered_or_garbled_request_is_repeated_as_often_as_configured():
    found = meter([(None, NoReply(500)), (None, BadFrame(b"\0", "noise")), (_ask(0x48, 2), _GOOD)], retries=2)
    assert _read(found) == ([1000], True)
    assert _counts(found, no_reply=1, bad_frame=1, retries=2)
    found = meter([(_ask(0x48, 2), NoReply(500))] * 3, retries=2)
    _fault(found, NoReply)
    assert _counts(found, no_reply=3, retries=2)
    found = meter([(None, NoReply(500))], retries=0)
    _fault(found, NoReply)
    assert _counts(found, no_reply=1)


def test_a_refusal_is_not_repeated():
    found = meter([(None, MeterRefused(2))], retries=5)
    assert _fault(found, MeterRefused).code == 2
    assert _counts(found, refused=1)


def test_a_reading_is_made_with_the_meters_settings():
    found = meter([(None, _GOOD)], settings=(19200, 8, 0, 1))
    _read(found)
    assert found.line.settings == [(19200, 8, 0, 1)]
    found = meter([(None, _GOOD)])
    _read(found)
    assert found.line.settings == [(9600, 8, None, 1)]


def test_registers_between_that_a_meter_refuses_are_not_asked_for_again():
    for code in (2, 3):
        found = meter(
            [
                (_ask(0x34, 22), MeterRefused(code)),
                (_ask(0x34, 2), _floats(_2000)),
                (_ask(0x48, 2), _GOOD),
                (_ask(0x156, 2), _GOOD),
                # The next reading knows.
                (_ask(0x34, 2), _floats(_2000)),
                (_ask(0x48, 2), _GOOD),
                (_ask(0x156, 2), _GOOD),
            ],
            points=("energy_import", "power", "energy_total"),
        )
        assert _read(found) == ([1000, 20000, 1000], True)
        assert _read(found) == ([1000, 20000, 1000], True)
        assert not found.line.pairs
        assert _counts(found, refused=1)


def test_a_refusal_for_another_reason_does_not_take_a_request_apart():
    for code in (1, 4, 6, 11):
        found = meter([(_ask(0x34, 22), MeterRefused(code))] * 2, points=("energy_import", "power"))
        assert raised(MeterRefused, asyncio.run, found.read()).code == code
        assert _fault(found, MeterRefused).code == code


def test_neighbours_are_one_part_of_a_request_that_is_taken_apart():
    # V1 to V3, and power far behind them, within a meter's most registers; asked for in another order.
    found = meter(
        [
            (_ask(0, 14), MeterRefused(2)),
            (_ask(0, 6), _floats(_10, _2000, _10)),
            (_ask(12, 2), _floats(_2000)),
        ],
        points=("voltage_l3", "power_l1", "voltage_l1", "voltage_l2"),
    )
    assert _read(found) == ([1000, 20000, 1000, 200000], True)
    assert found.steps == [1, 1, 1, 1]
    # They cannot be taken apart further.
    found = meter([(_ask(0, 6), MeterRefused(2))] * 2, points=("voltage_l1", "voltage_l2", "voltage_l3"))
    raised(MeterRefused, asyncio.run, found.read())
    _fault(found, MeterRefused)


def test_a_part_that_is_refused_costs_only_its_own_points():
    pairs = [(_ask(0x34, 22), MeterRefused(2)), (_ask(0x34, 2), MeterRefused(2)), (_ask(0x48, 2), _GOOD)]
    found = meter(pairs + pairs[1:], points=("energy_import", "power"))
    for _ in range(2):
        assert _read(found) == ([1000, None], False)
    assert _counts(found, refused=3)


def test_a_block_the_meter_refuses_costs_only_its_own_points():
    found = meter([(_ask(0x48, 2), MeterRefused(4)), (_ask(0x156, 2), _GOOD)], points=("energy_import", "energy_total"))
    assert _read(found) == ([None, 1000], False)
    assert _counts(found, refused=1)


def test_all_refused_is_a_refusal_with_the_first_code():
    found = meter([(None, MeterRefused(4)), (None, MeterRefused(6))], points=("energy_import", "energy_total"))
    assert _fault(found, MeterRefused).code == 4
    assert _counts(found, refused=2)


_THREE = ("voltage_l1", "power", "energy_total")


def test_a_meter_that_falls_silent_is_not_asked_for_the_rest():
    for error in (NoReply(500), BadFrame(b"\0", "noise")):
        found = meter([(_ask(0, 2), _GOOD), (_ask(0x34, 2), error)], points=_THREE)
        assert _read(found) == ([1000, None, None], False)
        assert not found.line.pairs
        # All of it is asked for again at the next slot.
        found.line.pairs = [(_ask(0, 2), _GOOD), (_ask(0x34, 2), _floats(_2000)), (_ask(0x156, 2), _GOOD)]
        assert _read(found) == ([1000, 20000, 1000], True)


def test_a_meter_that_does_not_answer_its_first_request_is_not_asked_the_others():
    found = meter([(_ask(0, 2), NoReply(500))], points=_THREE)
    _fault(found, NoReply)
    # A refusal is an answer, but no reading.
    found = meter([(_ask(0, 2), MeterRefused(2)), (_ask(0x34, 2), NoReply(500))], points=_THREE)
    _fault(found, NoReply)
    # What was found out before the silence is remembered.
    found = meter([(_ask(0x34, 22), MeterRefused(2)), (_ask(0x34, 2), NoReply(500))], points=("energy_import", "power"))
    _fault(found, NoReply)
    found.line.pairs = [(_ask(0x34, 2), _GOOD), (_ask(0x48, 2), _GOOD)]
    assert _read(found) == ([1000, 100], True)


def test_the_reply_to_a_request_that_was_given_up_may_pass_before_the_next():
    # A Modbus reply does not say which registers it holds: late, it would be taken for those of another block.
    found = meter([(None, NoReply(500)), (None, _GOOD), (None, _GOOD)])
    raised(NoReply, asyncio.run, found.read())
    assert found.line.settled_ms == []
    time.sleep(0.05)
    assert _read(found) == ([1000], True)
    # What has passed since it was made counts.
    (settled_ms,) = found.line.settled_ms
    assert 500 < settled_ms <= 951
    # Once is enough.
    _read(found)
    assert len(found.line.settled_ms) == 1


def test_what_answers_a_repeated_request_may_be_late_so_the_other_reply_may_pass():
    # The first try's reply came late and was taken for the second's, whose own is still to come.
    found = meter([(None, NoReply(500)), (None, _GOOD), (None, _GOOD)], retries=1)
    assert _read(found) == ([1000], True)
    assert found.line.settled_ms == []
    _read(found)
    (settled_ms,) = found.line.settled_ms
    assert 500 < settled_ms <= 1000


def test_a_late_reply_may_pass_between_two_blocks_too():
    found = meter([(None, NoReply(500)), (None, _GOOD), (None, _GOOD)], points=("voltage_l1", "power"), retries=1)
    assert _read(found) == ([1000, 100], True)
    assert len(found.line.settled_ms) == 1


def test_a_request_given_up_long_ago_costs_no_time():
    found = meter([(None, NoReply(20)), (None, _GOOD)], timeout_ms=20)
    raised(NoReply, asyncio.run, found.read())
    time.sleep(0.1)
    _read(found)
    assert found.line.settled_ms == []


def test_a_value_that_is_no_number_is_missing_and_said_to_be():
    found = meter([(None, _floats(0x7FC00000))])
    assert _read(found) == ([None], False)
    assert _counts(found)


def test_the_step_of_a_coarse_register_is_known():
    found = meter([(None, _floats(0x4B800001))])
    assert _read(found) == ([1677721800], True)
    assert found.steps == [200]


def test_registers_nobody_asked_for_are_no_values():
    found = meter([(_ask(0x34, 22), _gap(_2000, _10, 18))], points=("energy_import", "power"))
    assert _read(found) == ([1000, 20000], True)


def test_other_points_are_read_without_the_readings_own():
    found = meter([(_ask(0, 2), _floats(0x43663334)), (_ask(0x46, 2), _floats(0x42480000))])
    profile = profiles.profile_of("sdm630")
    rows = profile.rows_of(("frequency", "voltage_l1"))
    values = asyncio.run(found.read_others(rows, equip.blocks_of(section(), profile, rows)))
    assert values == [5000, 23020]
    assert _counts(found)
    assert [point[0] for point in found.points] == ["energy_import"] and found.steps == [1]
    # What could not be read is no value; nothing at all is an error.
    found.line.pairs = [(None, MeterRefused(2)), (None, _GOOD)]
    assert asyncio.run(found.read_others(rows, equip.blocks_of(section(), profile, rows))) == [1000, None]
    found.line.pairs = [(None, NoReply(500))]
    raised(NoReply, asyncio.run, found.read_others(rows, equip.blocks_of(section(), profile, rows)))


def test_a_modbus_meter_tells_its_own_number():
    found = meter([(_ask(0xFC00, 2, 3), _framed(1, 3, 4, 0x01, 0x57, 0x7A, 0x9B)), (_ask(0x48, 2), _GOOD)])
    assert found.identifies and not found.says_number
    assert asyncio.run(found.read_serial()) == "22510235"
    # Its points are still read by their own function.
    assert _read(found) == ([1000], True)
    found.line.pairs = [(None, MeterRefused(2))]
    assert raised(MeterRefused, asyncio.run, found.read_serial()).code == 2
    found.line.pairs = [(None, NoReply(500))]
    raised(NoReply, asyncio.run, found.read_serial())
    found = meter([(_ask(0x81, 2, 3), _framed(1, 3, 4, 0xFF, 0xFF, 0xFF, 0xFF))], profile="iem3155")
    # Nobody has given it one.
    raised(BadData, asyncio.run, found.read_serial())


def test_only_meters_whose_number_is_known_to_stand_somewhere_identify():
    for profile, identifies in (("sdm630", True), ("sdm120", True), ("sdm72", False), ("pzem004t", False), ("b23", True)):
        found = meter((), profile=profile)
        assert found.identifies == identifies, profile
        assert found.names().serial == ("" if identifies else None)
    for profile, protocol, number in (
        ("dlt645_1p", "dlt645", _NUMBER),
        ("dlt645_3p", "dlt645", _NUMBER),
        ("dlt645_1997_1p", "dlt645-1997", _NUMBER),
        ("water", "cjt188", _NUMBER14),
        ("heat", "cjt188", _NUMBER14),
    ):
        assert meter((), profile=profile, protocol=protocol, number=number, points=()).identifies, profile


def test_a_meter_says_where_it_is():
    assert meter(()).place == "unit 1"
    assert _dlt_meter((), ("power",)).place == "number 000000000161"


# -- DL/T 645 ---------------------------------------------------------------------------------------------------------


def _dlt_meter(pairs, points, **keys):
    keys.update({"profile": keys.get("profile", "dlt645_3p"), "protocol": "dlt645", "number": keys.get("number", _NUMBER)})
    return meter(pairs, points=points, **keys)


def _dlt_ask(di, control=0x11, behind=b"", number=_NUMBER):
    return b"\xfe" * 4 + dlt(number, control, hexed(di) + behind)


def _dlt_reply(di, data, control=0x91, number=_NUMBER):
    return b"\xfe" * 2 + dlt(number, control, hexed(di) + hexed(data))


_VOLTAGES = ("voltage_l1", "voltage_l2", "voltage_l3")
_V, _V1, _V2, _V3 = "00 FF 01 02", "00 01 01 02", "00 02 01 02", "00 03 01 02"
_TARIFFS = ("energy_import", "energy_import_t1", "energy_import_t2", "energy_import_t3", "energy_import_t4")
_E = "00 FF 01 00"


def test_a_block_a_meter_does_not_have_is_read_item_by_item_from_then_on():
    items = [
        (_dlt_ask(_V1), _dlt_reply(_V1, "03 23")),
        (_dlt_ask(_V2), MeterRefused(2)),
        (_dlt_ask(_V3), _dlt_reply(_V3, "05 23")),
    ]
    # No such data; some meters say only that there is another reason.
    for code in (2, 1, 3):
        found = _dlt_meter([(_dlt_ask(_V), MeterRefused(code))] + items + items, _VOLTAGES)
        for _ in range(2):
            assert _read(found) == ([2303, None, 2305], False)
        assert not found.line.pairs
        assert _counts(found, refused=3)


def test_a_block_that_is_refused_for_another_reason_stays():
    for code in (4, 8):
        found = _dlt_meter([(_dlt_ask(_V), MeterRefused(code))] * 2, _VOLTAGES)
        assert raised(MeterRefused, asyncio.run, found.read()).code == code
        assert _fault(found, MeterRefused).code == code


def test_two_of_a_block_are_read_from_it_at_their_places():
    found = _dlt_meter([(_dlt_ask(_V), _dlt_reply(_V, "03 23 04 23 05 23"))], ("voltage_l3", "voltage_l1"))
    assert _read(found) == ([2305, 2303], True)
    # Its first item is that of the total.
    found = _dlt_meter(
        [(_dlt_ask(_E), _dlt_reply(_E, "01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00 05 00 00 00"))],
        ("energy_import_t4", "energy_import_t1"),
    )
    assert _read(found) == ([5, 2], True)


def test_a_meter_with_fewer_items_has_no_value_for_the_others():
    found = _dlt_meter([(_dlt_ask(_E), _dlt_reply(_E, "11 00 00 00 12 00 00 00 13 00 00 00"))], _TARIFFS)
    assert _read(found) == ([11, 12, 13, None, None], False)
    # None of those asked for is bad data.
    for data in ("", "11 00 00 00"):
        found = _dlt_meter([(_dlt_ask(_E), _dlt_reply(_E, data))], _TARIFFS[3:])
        error = _fault(found, BadData)
        assert "0001FF00" in error.args[0]


def test_an_item_filled_with_ff_among_others_is_no_value():
    found = _dlt_meter([(_dlt_ask(_V), _dlt_reply(_V, "03 23 FF FF 05 23"))], _VOLTAGES)
    assert _read(found) == ([2303, None, 2305], False)
    assert _counts(found)
    found = _dlt_meter([(_dlt_ask(_V), _dlt_reply(_V, "03 23 FF FF 05 23"))], _VOLTAGES[:2])
    assert _read(found) == ([2303, None], False)


def test_data_that_are_no_digits_are_no_reading():
    for points, di, data in (
        (("voltage_l1",), _V1, "0A 23"),
        (("voltage_l1",), _V1, "FF FF"),
        (_VOLTAGES, _V, "03 23 0A 23 05 23"),
        (_VOLTAGES, _V, "FF FF FF FF FF FF"),
        (("current_l1",), "00 01 02 02", "00 00 FF"),
    ):
        # An answer is not asked for again.
        found = _dlt_meter([(_dlt_ask(di), _dlt_reply(di, data))], points, retries=3)
        error = _fault(found, BadData)
        place = "".join(reversed(di.split()))
        assert error.args[0].startswith(place) and error.args[1] == hexed(data)
        assert _counts(found, bad_data=1)


def test_bad_data_cost_only_their_own_points_and_leave_none_of_them():
    # The voltages' second is none: the first is not stored either, for the frame is wrong.
    pairs = [(_dlt_ask(_V), _dlt_reply(_V, "03 23 1F 23 05 23")), (_dlt_ask("02 00 80 02"), _dlt_reply("02 00 80 02", "99 49"))]
    found = _dlt_meter(pairs, _VOLTAGES + ("frequency",))
    assert _read(found) == ([None, None, None, 4999], False)
    assert _counts(found, bad_data=1)


def test_an_item_of_another_length_is_bad_data():
    for points, di, sent in (
        (("voltage_l1",), _V1, ("", "03", "03 23 00", "03 23 04 23")),
        (("energy_import",), "00 00 01 00", ("", "26 00 00", "26 00 00 00 00", "26 00 00 00 27 00 00 00")),
        (("demand_max",), "00 00 01 01", ("34 12 00", "34 12 00 34 12 05 06", "34 12 00 34 12 05 06 25 00")),
    ):
        for data in sent:
            found = _dlt_meter([(_dlt_ask(di), _dlt_reply(di, data))], points)
            error = _fault(found, BadData)
            assert "%d bytes" % len(hexed(data)) in error.args[0]
    found = _dlt_meter([(None, _dlt_reply("00 00 01 01", "34 12 00 34 12 05 06 25"))], ("demand_max",))
    assert _read(found) == ([1234], True)


def test_a_refusal_of_dlt645_that_may_still_come_is_waited_out():
    found = _dlt_meter(
        [(None, NoReply(500)), (None, _dlt_reply(_V1, "03 23")), (None, _dlt_reply(_V1, "03 23"))], ("voltage_l1",)
    )
    raised(NoReply, asyncio.run, found.read())
    assert _read(found) == ([2303], True)
    (settled_ms,) = found.line.settled_ms
    assert 500 < settled_ms <= 1000
    # Once is enough; and a late reply that was taken for a repeated request's costs nothing, since it is named.
    _read(found)
    found = _dlt_meter([(None, NoReply(500))] + [(None, _dlt_reply(_V1, "03 23"))] * 2, ("voltage_l1",), retries=1)
    assert _read(found) == _read(found) == ([2303], True)
    assert found.line.settled_ms == []


def test_a_refusal_of_dlt645_that_may_come_twice_is_waited_for():
    # No refusal says what it refuses: that of the second try must not be taken for one of the next block.
    frequency = "02 00 80 02"
    pairs = [(_dlt_ask(_V), NoReply(500)), (_dlt_ask(_V), MeterRefused(4))]
    pairs += [(_dlt_ask(frequency), _dlt_reply(frequency, "99 49"))] * 2
    found = _dlt_meter(pairs[:3], _VOLTAGES + ("frequency",), retries=1)
    assert _read(found) == ([None, None, None, 4999], False)
    (settled_ms,) = found.line.settled_ms
    assert 500 < settled_ms <= 1000
    # One that answers the only try needs no waiting.
    found = _dlt_meter([(_dlt_ask(_V), MeterRefused(4)), pairs[3]], _VOLTAGES + ("frequency",), retries=1)
    assert _read(found) == ([None, None, None, 4999], False)
    assert found.line.settled_ms == []


def test_a_block_of_another_length_is_bad_data():
    amperes = "00 FF 02 02"
    for points, di, data in (
        (_VOLTAGES, _V, "00 23 00 00 23 00 00 23 00"),
        (_VOLTAGES, _V, "00 23 00 23"),
        (_VOLTAGES[:2], _V, "00 23 00 23"),
        (_VOLTAGES, _V, "00 23 00 23 00 23 00 23"),
        (("current_l1", "current_l2", "current_l3"), amperes, "00 20 00 20 00 20"),
        (_TARIFFS, _E, "11 00 00 00 12 00 00 00 13"),
        (_TARIFFS[:2], _E, "11 00 00 00 12 00 00 00 13"),
    ):
        # The items are then asked for one by one.
        refusals = [(None, MeterRefused(4))] * len(points)
        found = _dlt_meter([(_dlt_ask(di), _dlt_reply(di, data))] + refusals, points)
        error = _fault(found, BadData)
        assert "%d bytes" % len(hexed(data)) in error.args[0]
    # A meter of one phase under a profile of three is read as far as it goes, and asked so from then on.
    items = [(_dlt_ask(_V1), _dlt_reply(_V1, "03 23")), (_dlt_ask(_V2), MeterRefused(2)), (_dlt_ask(_V3), MeterRefused(2))]
    found = _dlt_meter([(_dlt_ask(_V), _dlt_reply(_V, "03 23"))] + items * 2, _VOLTAGES)
    for _ in range(2):
        assert _read(found) == ([2303, None, None], False)
    # There are meters with more tariffs.
    found = _dlt_meter([(_dlt_ask(_E), _dlt_reply(_E, "11 00 00 00 12 00 00 00" + " 13 00 00 00" * 9))], _TARIFFS[:2])
    assert _read(found) == ([11, 12], True)


def test_frames_that_follow_are_gathered():
    found = _dlt_meter(
        [
            (_dlt_ask(_E), _dlt_reply(_E, "11 00 00 00 12 00", 0xB1)),
            (_dlt_ask(_E, 0x12, b"\1"), _dlt_reply(_E, "00 00 13 00 00 00 14 01", 0xB2)),
            (_dlt_ask(_E, 0x12, b"\2"), _dlt_reply(_E, "00 00 00 15 00 00 00 02", 0x92)),
            # The next reading begins anew.
            (_dlt_ask(_E), _dlt_reply(_E, "21 00 00 00 22 00 00 00 23 00 00 00 24 00 00 00 25 00 00 00")),
        ],
        _TARIFFS,
    )
    assert _read(found) == ([11, 12, 13, 14, 15], True)
    assert _read(found) == ([21, 22, 23, 24, 25], True)


def test_frames_that_follow_have_an_end():
    pairs = [(_dlt_ask(_E), _dlt_reply(_E, "11 00 00 00", 0xB1))]
    for n in range(1, 9):
        pairs.append((_dlt_ask(_E, 0x12, bytes((n,))), _dlt_reply(_E, "12 00 00 00 %02X" % n, 0xB2)))
    found = _dlt_meter(pairs, _TARIFFS)
    _fault(found, BadData)
    assert _counts(found, bad_data=1)
    # And frames as long as they may be do not fill the heap.
    pairs = [(None, _dlt_reply(_E, "11 " * 196, 0xB1))]
    for n in range(1, 6):
        pairs.append((None, _dlt_reply(_E, "12 " * 195 + "%02X" % n, 0xB2)))
    # The items are then asked for one by one.
    pairs += [(None, MeterRefused(4))] * 5
    found = _dlt_meter(pairs, _TARIFFS)
    error = raised(BadData, asyncio.run, found.read())
    assert len(error.args[1]) <= 1024 + 200


def test_a_frame_that_follows_and_is_lost_is_asked_for_again():
    first = (_dlt_ask(_E), _dlt_reply(_E, "11 00 00 00", 0xB1))
    second = _dlt_ask(_E, 0x12, b"\1")
    for error in (NoReply(500), BadFrame(b"\0", "noise")):
        found = _dlt_meter([first, (second, error), (second, _dlt_reply(_E, "12 00 00 00 01", 0x92))], _TARIFFS, retries=2)
        assert _read(found) == ([11, 12, None, None, None], False)
        found = _dlt_meter([first] + [(second, error)] * 3, _TARIFFS, retries=2)
        _fault(found, type(error))
    found = _dlt_meter([first, (second, MeterRefused(4))], _TARIFFS, retries=2)
    _fault(found, MeterRefused)


def test_a_frame_of_1997_that_follows_and_is_lost_makes_no_reading():
    # The same request again would bring the frame behind it.
    number = "138000130754"
    first = (b"\xfe" * 4 + dlt(number, 1, hexed("10 90")), dlt(number, 0xA1, hexed("10 90 34 12")))
    for error in (NoReply(500), BadFrame(b"\0", "noise")):
        pairs = [first, (b"\xfe" * 4 + dlt(number, 2, hexed("10 90")), error)]
        found = meter(pairs, profile="dlt645_1997_1p", protocol="dlt645-1997", number=number, retries=2)
        _fault(found, type(error))
        assert not found.line.pairs


def test_frames_that_follow_in_1997():
    number = "138000130754"
    found = meter(
        [
            (b"\xfe" * 4 + dlt(number, 1, hexed("10 90")), dlt(number, 0xA1, hexed("10 90 34 12"))),
            (b"\xfe" * 4 + dlt(number, 2, hexed("10 90")), dlt(number, 0x82, hexed("10 90 56 00"))),
        ],
        profile="dlt645_1997_1p",
        protocol="dlt645-1997",
        number=number,
    )
    assert _read(found) == ([561234], True)


def test_a_dlt645_meter_tells_its_own_number():
    ask = _dlt_ask("02 04 00 04")
    found = _dlt_meter([(ask, _dlt_reply("02 04 00 04", "94 41 03 26 12 18"))], ("power",))
    assert asyncio.run(found.read_serial()) == "181226034194"
    for data in ("94 41 03 26 12", "94 41 03 26 12 18 00", "FF FF FF FF FF FF", "94 41 03 26 12 1A", ""):
        found.line.pairs = [(ask, _dlt_reply("02 04 00 04", data))]
        assert "04000402" in raised(BadData, asyncio.run, found.read_serial()).args[0]
    found.line.pairs = [(ask, MeterRefused(2))]
    assert raised(MeterRefused, asyncio.run, found.read_serial()).code == 2
    # Also where the points are read by blocks.
    found = _dlt_meter([(ask, _dlt_reply("02 04 00 04", "94 41 03 26 12 18"))], _VOLTAGES)
    assert asyncio.run(found.read_serial()) == "181226034194"


def test_a_meter_of_1997_tells_its_own_number():
    number = "138000130754"
    ask = b"\xfe" * 4 + dlt(number, 1, hexed("32 C0"))
    reply = dlt("AA" * 6, 0x81, hexed("32 C0 94 41 03 26 12 18"))
    found = meter([(ask, reply)], profile="dlt645_1997_1p", protocol="dlt645-1997", number=number)
    assert asyncio.run(found.read_serial()) == "181226034194"


def test_a_meter_asked_as_any_answers_with_its_own_number():
    found = _dlt_meter(
        [(_dlt_ask(_V1, number="AA" * 6), _dlt_reply(_V1, "03 23", number="181226034194"))], ("voltage_l1",), number="A" * 12
    )
    assert _read(found) == ([2303], True)


def test_both_editions_share_a_decoder():
    asking = equip.asking_of("dlt645")
    new = _dlt_meter([(None, _dlt_reply(_V1, "03 23"))], ("voltage_l1",), asking=asking)
    number = "138000130754"
    old = meter(
        [(None, dlt(number, 0x81, hexed("11 B6 23 02")))],
        profile="dlt645_1997_1p",
        protocol="dlt645-1997",
        number=number,
        points=("voltage_l1",),
        asking=asking,
    )
    assert _read(new) == ([2303], True)
    assert _read(old) == ([223], True)


# -- CJ/T 188 ---------------------------------------------------------------------------------------------------------


_LOW, _HIGH = "1F 90 00", "90 1F 00"
_CLOCK = " 31 01 22 11 05 15 20 00 00"
_WATER = "78 56 34 12 2C 01 00 00 00 2C" + _CLOCK


def _cjt_meter(pairs, profile="water", points=(), **keys):
    keys["number"] = keys.get("number", _NUMBER14)
    return meter(pairs, profile=profile, protocol="cjt188", points=points, **keys)


def _cjt_ask(order=_LOW, number=_NUMBER14):
    return b"\xfe" * 4 + cjt(0xAA, number, 1, hexed(order))


def _cjt_reply(data, order=_LOW, kind=0x10, number=_NUMBER14):
    return cjt(kind, number, 0x81, hexed(order + " " + data))


def test_the_other_order_of_the_data_identifier_is_tried_and_remembered():
    found = _cjt_meter(
        [
            (_cjt_ask(_LOW), NoReply(500)),
            (_cjt_ask(_HIGH), _cjt_reply(_WATER, _HIGH)),
            (_cjt_ask(_HIGH), _cjt_reply(_WATER, _HIGH)),
            # A reply lost is not the order's fault.
            (_cjt_ask(_HIGH), NoReply(500)),
            (_cjt_ask(_HIGH), BadFrame(b"\0", "noise")),
            (_cjt_ask(_HIGH), _cjt_reply(_WATER, _HIGH)),
        ],
        retries=2,
    )
    for _ in range(3):
        assert _read(found) == ([12345678], True)
    assert not found.line.pairs
    assert _counts(found, no_reply=2, bad_frame=1, retries=3)


def test_the_usual_order_is_remembered_too():
    found = _cjt_meter(
        [(_cjt_ask(_LOW), _cjt_reply(_WATER)), (_cjt_ask(_LOW), NoReply(500)), (_cjt_ask(_LOW), _cjt_reply(_WATER))], retries=1
    )
    assert _read(found) == ([12345678], True)
    assert _read(found) == ([12345678], True)


def test_the_other_order_is_tried_in_the_same_reading_even_without_retries():
    found = _cjt_meter([(_cjt_ask(_LOW), NoReply(500)), (_cjt_ask(_HIGH), _cjt_reply(_WATER, _HIGH))])
    assert _read(found) == ([12345678], True)
    assert _counts(found, no_reply=1, retries=1)
    # Known, it is asked once.
    found.line.pairs = [(_cjt_ask(_HIGH), NoReply(500))]
    raised(NoReply, asyncio.run, found.read())
    assert not found.line.pairs


def test_a_meter_that_refuses_an_order_is_asked_in_the_other_at_once():
    for retries in (0, 2):
        found = _cjt_meter([(_cjt_ask(_LOW), MeterRefused(2)), (_cjt_ask(_HIGH), _cjt_reply(_WATER, _HIGH))], retries=retries)
        assert _read(found) == ([12345678], True)
    # What was refused is not asked for again; the newest refusal is told.
    found = _cjt_meter([(_cjt_ask(_LOW), MeterRefused(2)), (_cjt_ask(_HIGH), MeterRefused(4))], retries=5)
    assert raised(MeterRefused, asyncio.run, found.read()).code == 4
    found = _cjt_meter([(_cjt_ask(_LOW), MeterRefused(2))] + [(_cjt_ask(_HIGH), NoReply(500))] * 3, retries=3)
    raised(NoReply, asyncio.run, found.read())
    assert not found.line.pairs


def test_a_meter_that_refuses_what_it_has_answered_is_not_asked_again():
    found = _cjt_meter([(_cjt_ask(_LOW), _cjt_reply(_WATER)), (_cjt_ask(_LOW), MeterRefused(2))], retries=5)
    _read(found)
    assert raised(MeterRefused, asyncio.run, found.read()).code == 2
    assert not found.line.pairs


def test_a_meter_that_falls_silent_for_long_is_asked_in_both_orders_again():
    # Another one may stand there.
    found = _cjt_meter([(_cjt_ask(_LOW), NoReply(500)), (_cjt_ask(_HIGH), _cjt_reply(_WATER, _HIGH))])
    _read(found)
    found.line.pairs = [
        (_cjt_ask(_HIGH), NoReply(500)),
        (_cjt_ask(_HIGH), NoReply(500)),
        (_cjt_ask(_LOW), _cjt_reply(_WATER)),
    ]
    raised(NoReply, asyncio.run, found.read())
    assert _read(found) == ([12345678], True)
    assert not found.line.pairs


def test_the_number_of_a_meter_that_says_it_is_heard_and_not_asked_for():
    found = _cjt_meter([(_cjt_ask(number="AA" * 7), _cjt_reply(_WATER, number="00001234567890"))], number="A" * 14)
    assert found.says_number and found.identifies
    assert found.number == ""
    _read(found)
    assert asyncio.run(found.read_serial()) == "00001234567890"
    assert not found.line.pairs
    # What was no reading says nothing.
    found.line.pairs = [(None, _cjt_reply("0A" + _WATER[2:], number="00001234567899"))]
    _fault(found, BadData)
    assert asyncio.run(found.read_serial()) == "00001234567890"


def test_a_reply_that_cannot_be_read_names_the_field():
    for profile, kind, points, data, said in (
        ("water", 0x10, (), "0A 56 34 12 2C 01 00 00 00 2C" + _CLOCK, "volume"),
        ("water", 0x10, (), "78 56 34 12 05 01 00 00 00 2C" + _CLOCK, "volume"),
        # In litres: more exact than a point of two decimals.
        ("water", 0x10, (), "78 56 34 12 29 01 00 00 00 2C" + _CLOCK, "volume"),
        ("water", 0x10, (), "78 56 34 12 2C", "5 bytes"),
        # A heat meter under a water meter's profile has no such settlement volume; nor is a water meter one for heat.
        ("water", 0x20, ("volume_settlement",), _HEAT, "volume_settlement"),
        ("heat", 0x10, (), _WATER, "heat"),
        ("cooling", 0x20, (), _HEAT, "cooling"),
        ("water", 0x40, (), _WATER, "40"),
    ):
        found = _cjt_meter([(None, _cjt_reply(data, kind=kind))], profile, points, retries=3)
        error = _fault(found, BadData)
        assert error.args[0].startswith("901F:") and said in error.args[0], error.args[0]
        assert error.args[1] == hexed(data)
        assert _counts(found, bad_data=1)


_HEAT = (
    "11 22 33 44 05 66 55 44 33 05 34 12 00 00 17 78 56 34 12 35 42 33 18 00 2C "
    "03 19 00 10 20 00 61 27 00 26 57 23 31 03 15 20 03 01"
)


def test_a_heat_meters_fields_are_in_the_points_units():
    points = ("working_hours", "heat_gj", "heat_settlement_gj", "heat_power", "flow", "volume", "temperature_supply")
    found = _cjt_meter([(None, _cjt_reply(_HEAT, kind=0x20))], "heat", points)
    # 334455.66 kWh is 1204.040376 GJ, 443322.11 kWh 1595.959596 GJ.
    assert _read(found) == ([2761, 1204040376, 1595959596, 123400, 12345678, 183342, 1903], True)
    assert found.steps == [1, 36, 36, 100, 1, 1, 1]


def test_fields_filled_with_ff_are_no_values():
    data = _HEAT[:15] + "FF FF FF FF FF " + _HEAT[30:]
    found = _cjt_meter([(None, _cjt_reply(data, kind=0x20))], "heat", ("heat_gj", "heat_power"))
    assert _read(found) == ([None, 123400], False)


def test_units_that_could_stand_at_both_places_are_read_as_the_same_meters_before():
    both = "05 11 22 33 05 05 66 55 44 05 17 34 12 00 17 35 78 56 34 35 29 42 33 18 29 " + _HEAT[75:]
    found = _cjt_meter([(None, _cjt_reply(both, kind=0x20))], "heat", ("heat_settlement_gj",))
    assert "units" in _fault(found, BadData).args[0]
    found = _cjt_meter(
        [(None, _cjt_reply(_HEAT, kind=0x20)), (None, _cjt_reply(both, kind=0x20))], "heat", ("heat_settlement_gj",)
    )
    _read(found)
    # 332211.05 kWh.
    assert _read(found) == ([1195959780], True)
    # Another meter's layout says nothing of this one's.
    other = _cjt_reply(both, kind=0x20, number="00000000000001")
    found = _cjt_meter([(None, _cjt_reply(_HEAT, kind=0x20)), (None, other)], "heat", ("heat_settlement_gj",), number="A" * 14)
    _read(found)
    _fault(found, BadData)


def test_a_refusal_of_cjt188_that_may_still_come_is_waited_out():
    found = _cjt_meter([(None, NoReply(500)), (None, NoReply(500)), (None, _cjt_reply(_WATER, _HIGH))])
    raised(NoReply, asyncio.run, found.read())
    _read(found)
    assert len(found.line.settled_ms) == 1


def test_a_late_reply_in_the_other_order_is_taken_and_that_order_kept_to():
    # A meter slower than the time allowed answers the first form while it is asked in the second.
    found = _cjt_meter([(_cjt_ask(_LOW), NoReply(500)), (_cjt_ask(_HIGH), _cjt_reply(_WATER, _LOW))])
    assert _read(found) == ([12345678], True)
    found.line.pairs = [(_cjt_ask(_LOW), _cjt_reply(_WATER))]
    assert _read(found) == ([12345678], True)


def test_two_meters_of_1997_on_a_line_must_say_who_they_are():
    sections = [
        section(protocol="dlt645-1997", line=line, number=number) for line, number in (("A", "1"), ("A", "2"), ("B", "3"))
    ]
    shared = {(line, "dlt645"): equip.asking_of("dlt645-1997") for line in "AB"}
    equip.forbid_anonymous(sections, shared)
    request = bytearray(dlt645.REQUEST_BYTES)
    dlt645.put_read_1997(request, "138000130754", 0x9010)
    frame = dlt("AA" * 6, 0x81, hexed("10 90 01 00 00 00"))
    for line, taken in (("A", False), ("B", True)):
        reply = shared[line, "dlt645"].reply
        reply.expect(request)
        assert (reply.add(frame, len(frame)) is not None) == taken


# -- what is learned of a meter ---------------------------------------------------------------------------------------


def _slow_meter(delays_ms, **keys):
    """A meter that has answered after so many milliseconds each."""
    found = meter([(None, _GOOD)] * len(delays_ms), timeout_ms=1000, **keys)
    for found.line.delay_ms in delays_ms:
        _read(found)
    return found


def test_a_reply_is_waited_for_as_long_as_is_configured_until_the_first_came():
    found = _slow_meter([30])
    assert found.line.timeouts_ms == [1000]
    assert found.timeout_ms == 100


def test_the_time_out_is_twice_what_replies_take_within_its_bounds():
    for delay_ms, timeout_ms in ((0, 100), (39, 100), (41, 102), (200, 420), (489, 998), (900, 1000)):
        assert _slow_meter([delay_ms]).timeout_ms == timeout_ms
    assert _slow_meter([10], timeout_least_ms=20).timeout_ms == 40
    assert _slow_meter([0], timeout_least_ms=20).timeout_ms == 22


def test_a_slow_reply_is_remembered_at_once_and_forgotten_slowly():
    found = _slow_meter([50, 300, 50])
    # It answers in 300 ms under load and may do so again.
    assert 500 < found.timeout_ms < 620
    found = _slow_meter([300] + [50] * 100)
    assert found.timeout_ms == 120


def test_each_repeat_is_waited_for_twice_as_long():
    found = _slow_meter([50], retries=5)
    found.line.timeouts_ms = []
    found.line.pairs = [(None, NoReply(500))] * 6
    _fault(found, NoReply)
    assert found.line.timeouts_ms == [120, 240, 480, 960, 1000, 1000]


def test_refusals_are_counted_by_their_code():
    found = meter([(None, MeterRefused(2)), (None, MeterRefused(4)), (None, MeterRefused(2))])
    for _ in range(3):
        raised(MeterRefused, asyncio.run, found.read())
    assert found.codes == {2: 2, 4: 1}
    # Whatever it thinks of.
    found = meter([(None, MeterRefused(code)) for code in range(40)])
    for _ in range(40):
        raised(MeterRefused, asyncio.run, found.read())
    assert len(found.codes) == 16


# -- what an 8-bit sum lets through -----------------------------------------------------------------------------------


_STEPS = ("03 23", "04 23", "05 23", "09 29")


def _noisy_meter(*voltages):
    """A DL/T meter on a noisy line that says these voltages, one after another."""
    found = _dlt_meter([(None, _dlt_reply(_V1, voltage)) for voltage in voltages], ("voltage_l1",))
    found.line.is_noisy = True
    return found


def test_where_noise_was_heard_two_replies_alike_count():
    found = _noisy_meter("03 23", "03 23")
    assert _read(found) == ([2303], True) and not found.line.pairs


def test_of_three_that_differ_the_middle_one_counts():
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        found = _noisy_meter(*[_STEPS[i] for i in order])
        assert _read(found) == ([2304], True) and not found.line.pairs
    # A garbled one between, or at either end, is not taken.
    for order in ((0, 3, 0), (3, 0, 0), (0, 3, 1), (3, 0, 1), (0, 1, 3)):
        found = _noisy_meter(*[_STEPS[i] for i in order])
        assert _read(found)[0][0] in (2303, 2304) and not found.line.pairs


def test_a_value_that_one_of_the_replies_lacks_is_none():
    for order in ((0, 1, None), (0, None, 1), (None, 0, 1)):
        voltages = [_STEPS[i] if i is not None else "FF FF" for i in order]
        found = _dlt_meter([(None, _dlt_reply(_V, v + " 03 23 03 23")) for v in voltages], _VOLTAGES)
        found.line.is_noisy = True
        assert _read(found) == ([None, 2303, 2303], False)


def test_what_cannot_be_confirmed_is_no_value():
    for error in (NoReply(500), BadFrame(b"\0", "noise"), MeterRefused(4)):
        found = _noisy_meter("03 23")
        found.line.pairs.append((None, error))
        raised(type(error), asyncio.run, found.read())
    # The others are there.
    frequency = "02 00 80 02"
    pairs = [(_dlt_ask(frequency), _dlt_reply(frequency, "99 49"))] * 2
    pairs += [(_dlt_ask(_V1), _dlt_reply(_V1, "03 23")), (_dlt_ask(_V1), NoReply(500))]
    found = _dlt_meter(pairs, ("frequency", "voltage_l1"))
    found.line.is_noisy = True
    found.blocks.sort(key=lambda block: block.request != pairs[0][0])
    assert _read(found) == ([4999, None], False)


def test_without_noise_and_with_16_bits_nothing_is_read_twice():
    found = _noisy_meter("03 23")
    found.line.is_noisy = False
    assert _read(found) == ([2303], True)
    found = meter([(None, _GOOD)])
    found.line.is_noisy = True
    assert _read(found) == ([1000], True)


# -- registers and gauges ---------------------------------------------------------------------------------------------


def _read_part(found, values, registers):
    return asyncio.run(found.read_part(values, registers))


def test_blocks_that_hold_a_register_are_read_for_themselves():
    found = meter(
        [(_ask(0x156, 2), _floats(_2000)), (_ask(0, 2), _GOOD), (_ask(0x34, 2), _floats(_10))],
        points=("voltage_l1", "power", "energy_total"),
    )
    assert found.holds(True) and found.holds(False)
    values = [None] * 3
    assert _read_part(found, values, True) == 1 and values == [None, None, 200000]
    assert _read_part(found, values, False) == 2 and values == [1000, 100, 200000]


def test_a_block_with_both_is_read_with_the_registers():
    found = meter([(_ask(0x34, 22), _gap(_2000, _10, 18))], points=("energy_import", "power"))
    assert found.holds(True) and not found.holds(False)
    values = [None] * 2
    assert _read_part(found, values, True) == 1 and None not in values
    assert _read_part(found, values, False) == 0


def test_a_part_that_brings_nothing_says_why():
    found = meter([(None, MeterRefused(4)), (None, NoReply(500))], points=("energy_import",))
    assert raised(MeterRefused, asyncio.run, found.read_part([None], True)).code == 4
    raised(NoReply, asyncio.run, found.read_part([None], True))
    # There is no such part.
    assert _read_part(found, [None], False) == 0


def test_a_probe_is_made_once_and_what_it_wakes_is_read_as_usual():
    found = meter([(None, NoReply(500))], retries=3)
    raised(NoReply, asyncio.run, found.read_part([None], True, True))
    found = meter([(None, _GOOD), (None, NoReply(500)), (None, _floats(_2000))], points=("voltage_l1", "power"), retries=3)
    values = [None, None]
    assert asyncio.run(found.read_part(values, False, True)) == 2 and values == [1000, 20000]


def test_probes_try_both_orders_of_a_data_identifier_in_turn():
    found = _cjt_meter([(_cjt_ask(order), NoReply(500)) for order in (_LOW, _HIGH, _LOW)], retries=3)
    for _ in range(3):
        raised(NoReply, asyncio.run, found.read_part([None], True, True))
    assert not found.line.pairs


# -- batteries --------------------------------------------------------------------------------------------------------


def test_a_meter_on_a_battery_repeats_only_what_is_left():
    found = meter([(None, NoReply(500))] * 3, retries=5)
    found.reads_per_day, found.spare = 24, 2
    _fault(found, NoReply)
    assert found.spare < 0 and found.counts[ledger.ASKED] == 3
    found.line.pairs = [(None, NoReply(500))]
    _fault(found, NoReply)
    assert found.counts[ledger.ASKED] == 4


def test_the_allowance_of_a_profile_has_a_quarter_for_repeats():
    found = equip.meter_of(section("water", (), number="78330011223344", protocol="cjt188"), None, None)
    assert found.allowance == 24 + 6
    keys = {"number": "78330011223344", "protocol": "cjt188", "reads_per_day_max": 2, "retries": 3}
    assert equip.meter_of(section("water", (), **keys), None, None).allowance == 2 + 3
    assert equip.meter_of(section(), None, None).allowance == 0


def test_what_a_battery_has_left_is_not_spent_on_confirming():
    found = _noisy_meter("03 23", "04 23")
    found.reads_per_day, found.spare = 24, 0
    assert _read(found) == ([2303], True) and len(found.line.pairs) == 1
    # One re-reading was left, and it said something else.
    found = _noisy_meter("03 23", "04 23")
    found.reads_per_day, found.spare = 24, 1
    assert _read(found) == ([None], False) and not found.line.pairs


def test_a_block_that_was_split_counts_as_its_parts_in_the_allowance():
    found = meter([], reads_per_day_max=24)
    assert found.allowance == 24 + 6
    found.blocks.append(found.blocks[0])
    assert found.allowance == 48 + 12


# -- the line's turn --------------------------------------------------------------------------------------------------


class _Slow(Line):
    """Other tasks have their turn while it is asked."""

    async def exchange(self, *more):
        await asyncio.sleep_ms(1)
        return await super().exchange(*more)


def test_two_readings_on_one_line_do_not_mix():
    line = _Slow(
        [
            (_ask(0, 2), _GOOD),
            (_ask(0x34, 2), _floats(_2000)),
            (_ask(0x156, 2), _GOOD),
            (_ask(0, 2, unit=2), _floats(_2000, unit=2)),
            (_ask(0x34, 2, unit=2), _floats(_10, unit=2)),
            (_ask(0x156, 2, unit=2), _floats(_2000, unit=2)),
        ]
    )
    asking = equip.asking_of("modbus")
    one, two = (equip.meter_of(section(points=_THREE, unit=unit), line, asking) for unit in (1, 2))

    async def in_turn(meter):
        async with line.turn:
            return await meter.read()

    async def both():
        return await asyncio.gather(in_turn(one), in_turn(two))

    assert asyncio.run(both()) == [([1000, 20000, 1000], True), ([200000, 100, 200000], True)]
