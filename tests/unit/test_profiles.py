"""profiles and meter: the tables are sound, and frames become values through a Meter."""

import asyncio
import time

from memory import Section, golden, raised

from firmware import texts
from firmware.errors import BadFrame, ConfigError, MeterRefused, NoReply
from firmware.meters.meter import Meter, plan_blocks
from firmware.meters.profiles import PROFILES
from firmware.protocols import modbus
from firmware.protocols.record import GAUGE, REGISTER


def _rows():
    """(profile, its function, row) of every point of every profile."""
    for profile in sorted(PROFILES):
        for row in PROFILES[profile][5]:
            yield profile, PROFILES[profile][1], row


class _Line:
    """Answers requests from a list of (request, reply): each request once, in this order. A reply may be an error."""

    def __init__(self, pairs):
        self.pairs = list(pairs)
        self.settings = []
        self.settled_ms = []
        self.turn = asyncio.Lock()

    async def settle(self, for_ms):
        self.settled_ms.append(for_ms)

    async def exchange(self, settings, request, n, reply, timeout_ms):
        assert self.pairs, "asked once more: %r" % bytes(request[:n])
        wanted, answer = self.pairs.pop(0)
        assert wanted is None or bytes(request[:n]) == wanted
        self.settings.append(settings)
        if isinstance(answer, Exception):
            raise answer
        reply.expect(request)
        found = reply.add(answer, len(answer))
        assert found is not None, "the frame is no answer"
        return found


def _section(profile="sdm630", points=("energy_import",), unit=1, retries=0, settings="", timeout_ms=500):
    return Section(
        name="main",
        unit=unit,
        profile=profile,
        settings=settings,
        every_s=900,
        points=points,
        timeout_ms=timeout_ms,
        retries=retries,
    )


def _frame(text):
    return bytes(int(word, 16) for word in text.split())


def _floats(unit, function, bits):
    """A reply frame with these f32 registers."""
    frame = bytearray((unit, function, 4 * len(bits)))
    for word in bits:
        frame.extend(word.to_bytes(4, "big"))
    crc = modbus.crc16(frame, 0, len(frame))
    return bytes(frame) + bytes((crc & 0xFF, crc >> 8))


def test_no_point_and_no_register_stands_twice_in_a_profile():
    for profile in PROFILES:
        names, registers = set(), set()
        for name, first, form, _, _, _ in PROFILES[profile][5]:
            assert name not in names, (profile, name)
            names.add(name)
            for register in range(first, first + modbus.form_of(form)[0]):
                assert register not in registers, (profile, name)
                assert 0 <= register <= 0xFFFF
                registers.add(register)


def test_names_forms_decimals_and_classes_are_ours():
    for profile, function, (name, _, form, unit, decimals, klass) in _rows():
        place = (profile, name)
        assert name and all(c in "abcdefghijklmnopqrstuvwxyz0123456789_" for c in name), place
        assert len(name) <= 32, place
        modbus.form_of(form)
        # A unit stands in a note of the log between colons and spaces.
        assert unit and ":" not in unit and " " not in unit, place
        assert type(decimals) is int and 0 <= decimals <= 9, place
        assert klass in (REGISTER, GAUGE), place
        assert (klass == REGISTER) == name.startswith("energy"), place
        assert function in (modbus.HOLDING, modbus.INPUT)


def test_a_name_has_one_unit_in_all_profiles():
    units = {}
    for profile, _, (name, _, _, unit, _, _) in _rows():
        assert units.setdefault(name, unit) == unit, (profile, name)
    for name in units:
        for begin, unit in (
            ("voltage", "V"),
            ("current", "A"),
            ("power_factor", "1"),
            ("power", "kW"),
            ("reactive_power", "kvar"),
            ("apparent_power", "kVA"),
            ("frequency", "Hz"),
            ("energy", "kWh"),
        ):
            if name.startswith(begin):
                assert units[name] == unit, name
                break
        else:
            raise AssertionError("a name no unit is known for: " + name)


def test_every_profile_has_a_model_settings_and_default_points_that_exist():
    for profile in PROFILES:
        model, _, settings, gap, default, rows = PROFILES[profile]
        assert model
        assert texts.settings_text(texts.parse_settings(settings)) == settings
        assert gap >= 0
        assert default
        names = [row[0] for row in rows]
        for name in default:
            assert name in names, (profile, name)
        assert len(set(default)) == len(default)
        # What a day is billed by is always read.
        assert any(row[5] == REGISTER for row in rows if row[0] in default)


def test_every_profile_has_a_frame_on_record():
    assert {case["profile"] for case in golden("frames")} == set(PROFILES)


def test_frames_on_record_become_the_values_on_record():
    for case in golden("frames"):
        line = _Line([(_frame(request), _frame(reply)) for request, reply in case["frames"]])
        meter = Meter(_section(case["profile"], case["points"], case["unit"]), line)
        values, complete = asyncio.run(meter.read())
        assert values == case["values"], case["what"]
        assert complete == (None not in case["values"])
        assert meter.steps == case["steps"]
        assert not line.pairs
        assert [point[0] for point in meter.points] == case["points"]


def test_default_points_and_settings_are_the_profiles():
    meter = Meter(_section("sdm120", ()), None)
    assert [point[0] for point in meter.points] == list(PROFILES["sdm120"][4])
    assert meter.settings == (2400, 8, None, 1)
    assert meter.settings_text == "2400 8N1"
    assert Meter(_section("sdm120", (), settings=(9600, 8, 0, 1)), None).settings_text == "9600 8E1"


def test_the_log_gets_names_units_decimals_and_classes_in_the_order_asked_for():
    names = Meter(_section("sdm630", ("power", "energy_import")), None).names()
    assert names.name == "main" and names.every_s == 900
    assert tuple(names.points) == (("power", "kW", 4, GAUGE), ("energy_import", "kWh", 2, REGISTER))


def test_a_profile_or_point_that_does_not_exist_is_named():
    assert raised(ConfigError, Meter, _section("sdm631"), None, None, "meters[3]").key == "meters[3].profile"
    error = raised(ConfigError, Meter, _section("sdm630", ("power", "powr")), None, None, "meters[3]")
    assert error.key == "meters[3].points"
    assert "energy_import" in error.allowed


def _row(first, form="f32"):
    return ("p%d" % first, first, form, "V", 2, GAUGE)


def test_neighbours_are_read_by_one_request():
    assert plan_blocks([_row(0), _row(2), _row(4)], 0) == [(0, 6, [0, 1, 2])]
    assert plan_blocks([_row(4), _row(0), _row(2)], 0) == [(0, 6, [1, 2, 0])]
    assert plan_blocks([_row(0), _row(3)], 0) == [(0, 2, [0]), (3, 2, [1])]
    assert plan_blocks([_row(0), _row(3)], 1) == [(0, 5, [0, 1])]
    assert plan_blocks([_row(0), _row(4)], 1) == [(0, 2, [0]), (4, 2, [1])]
    assert plan_blocks([], 0) == []


def test_a_request_never_asks_for_more_than_125_registers():
    rows = [_row(2 * i) for i in range(100)]
    assert [(first, count) for first, count, _ in plan_blocks(rows, 0)] == [(0, 124), (124, 76)]
    assert plan_blocks([_row(0), _row(123)], 200) == [(0, 125, [0, 1])]
    assert plan_blocks([_row(0), _row(124)], 200) == [(0, 2, [0]), (124, 2, [1])]


def test_every_point_of_every_profile_is_covered_by_its_request():
    for profile in PROFILES:
        rows = PROFILES[profile][5]
        for gap in (0, 2, 125):
            seen = []
            for first, count, members in plan_blocks(rows, gap):
                assert 1 <= count <= 125
                for index in members:
                    n = modbus.form_of(rows[index][2])[0]
                    assert first <= rows[index][1] and rows[index][1] + n <= first + count
                seen += members
            assert sorted(seen) == list(range(len(rows))), profile


def test_an_unanswered_or_garbled_request_is_repeated_as_often_as_configured():
    good = _floats(1, 4, (0x41200000,))
    line = _Line([(None, NoReply(500)), (None, BadFrame(b"\0")), (None, good)])
    meter = Meter(_section(retries=2), line)
    assert asyncio.run(meter.read()) == ([1000], True)
    assert meter.counts == {"readings": 1, "no_reply": 1, "bad_frame": 1, "refused": 0, "retries": 2}
    line = _Line([(None, NoReply(500))] * 3)
    meter = Meter(_section(retries=2), line)
    assert _fault(meter, NoReply)
    assert meter.counts == {"readings": 0, "no_reply": 3, "bad_frame": 0, "refused": 0, "retries": 2}
    assert not line.pairs


def _fault(meter, kind):
    """The exception of this kind that a reading ends in."""
    return raised(kind, asyncio.run, meter.read())


def test_a_refusal_is_not_repeated():
    meter = Meter(_section(retries=5), _Line([(None, MeterRefused(2))]))
    assert _fault(meter, MeterRefused).code == 2
    assert meter.counts["refused"] == 1 and meter.counts["retries"] == 0


def test_a_block_the_meter_refuses_costs_only_its_own_points():
    line = _Line([(None, MeterRefused(2)), (None, _floats(1, 4, (0x41200000,)))])
    meter = Meter(_section(points=("energy_import", "power")), line)
    assert asyncio.run(meter.read()) == ([1000, None], False)
    assert meter.counts["readings"] == 1


def test_a_block_without_an_answer_costs_only_its_own_points():
    for error in (NoReply(500), BadFrame(b"\0")):
        line = _Line([(None, _floats(1, 4, (0x44FA0000,))), (None, error)])
        meter = Meter(_section(points=("energy_import", "power")), line)
        assert asyncio.run(meter.read()) == ([None, 20000], False)


def test_a_meter_that_does_not_answer_its_first_request_is_not_asked_the_others():
    line = _Line([(None, NoReply(500))])
    meter = Meter(_section(points=("energy_import", "power", "voltage_l1")), line)
    assert _fault(meter, NoReply)


def test_the_reply_to_a_request_that_was_given_up_may_pass_before_the_next():
    # A Modbus reply does not say which registers it holds: late, it would be taken for those of another block.
    good = _floats(1, 4, (0x41200000,))
    line = _Line([(None, NoReply(500)), (None, good), (None, good)])
    meter = Meter(_section(), line)
    assert _fault(meter, NoReply)
    assert line.settled_ms == []
    assert asyncio.run(meter.read()) == ([1000], True)
    (settled_ms,) = line.settled_ms
    assert 500 < settled_ms <= 1000
    # Once is enough.
    asyncio.run(meter.read())
    assert len(line.settled_ms) == 1


def test_what_answers_a_repeated_request_may_be_late_so_the_other_reply_may_pass():
    # The first try's reply came late and was taken for the second's, whose own is still to come.
    good = _floats(1, 4, (0x41200000,))
    line = _Line([(None, NoReply(500)), (None, good), (None, good)])
    meter = Meter(_section(retries=1), line)
    assert asyncio.run(meter.read()) == ([1000], True)
    assert line.settled_ms == []
    asyncio.run(meter.read())
    (settled_ms,) = line.settled_ms
    assert 1000 < settled_ms <= 1500


def test_a_request_given_up_long_ago_costs_no_time():
    line = _Line([(None, NoReply(20)), (None, _floats(1, 4, (0x41200000,)))])
    meter = Meter(_section(timeout_ms=20), line)
    assert _fault(meter, NoReply)
    time.sleep(0.1)
    asyncio.run(meter.read())
    assert line.settled_ms == []


def test_a_value_that_is_no_number_is_missing_and_said_to_be():
    meter = Meter(_section(), _Line([(None, _floats(1, 4, (0x7FC00000,)))]))
    assert asyncio.run(meter.read()) == ([None], False)


def test_the_step_of_a_coarse_register_is_known():
    meter = Meter(_section(), _Line([(None, _floats(1, 4, (0x4B800001,)))]))
    assert asyncio.run(meter.read()) == ([1677721800], True)
    assert meter.steps == [200]
