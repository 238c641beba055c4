"""scan: what is found on simulated lines, in virtual time: every protocol, collisions, noise, floods, an end in between."""

import asyncio
import json

from framed import cjt, digits, dlt
from memory import raised
from wired import Site

from firmware.console.scan import scan, wanted_of
from firmware.errors import CommandError
from firmware.meters import apart, finds, profiles, scan_dlt645
from firmware.meters import scan as scanning
from tests.sim import slave, slave188, slave645
from tests.sim.load import Load

_FAST = (9600, 8, None, 1)


def _modbus(unit, profile="sdm630", **more):
    return slave.meter(unit, profile, 12000, 1234560, **more)


def _dlt(number, profile="dlt645_3p", **more):
    return slave645.meter(number, profile, 12000, 1234560, **more)


def _cjt(number, profile="heat", **more):
    return slave188.meter(number, profile, 12000, 1234560, **more)


def _words(text):
    return text.split()


def _scanned(site, words="A"):
    """The JSON objects that a scan shows; the time it said is checked, and that the line is free behind it."""
    site.run(scan(site, _words(words), site.say))
    return _result(site)


def _result(site):
    assert not site.line.turn.locked() and not site.line.lock.locked() and site.line.watch is None
    lines = [text for _, text in site.said]
    allowed_s = sum([_seconds(text.partition("up to ")[2]) for text in lines if "up to " in text])
    allowed_s += 20 * len([text for text in lines if text[:6] == "found:"])
    assert site.said[-1][0] <= allowed_s + 2, (site.said[-1][0], allowed_s)
    found = [json.loads(text.strip().rstrip(",")) for text in lines if text[:3] == "  {"]
    for each in found:
        assert each["line"] == "A" and each.pop("name") and each.pop("line")
    return found


def _seconds(text):
    number, unit = text.replace(",", "").split()[:2]
    return int(number) * {"s": 1, "min": 60}[unit]


def _places(found):
    return sorted([(each["settings"], each.get("unit") or each["number"], each["profile"]) for each in found])


def test_an_empty_line_is_said_to_be_one():
    site = Site()
    assert _scanned(site) == []
    assert "up to 9 min" in site.text() and "\n0 found in " in site.text()
    # Every unit, and each settings, was asked; nothing but reading.
    assert len(site.asked) == 11
    assert site.asked[_FAST] == b"\x00" + b"\x01" * 247 + bytes(8)
    assert site.functions == {0x01, 0x03, 0x04, 0x11, 0x13}
    # Progress is shown now and then.
    gaps = [after[0] - before[0] for before, after in zip(site.said, site.said[1:])]
    assert max(gaps) < 13 and len(site.said) < 60


def test_the_profile_of_each_modbus_meter_is_found():
    names = [name for name in profiles.names() if profiles.profile_of(name).protocol == "modbus"]
    alike = {"sdm230": "sdm120", "pzem016": "pzem004t", "b24": "b23", "we515": "we514"}
    for name in names:
        site = Site([_modbus(3, name, settings="9600 8N1")])
        found = _scanned(site, "A modbus 9600 8N1 3..3")
        assert found == [{"protocol": "modbus", "unit": 3, "profile": alike.get(name, name), "settings": "9600 8N1"}], (
            name,
            site.text(),
        )
        if name in alike:
            assert "%s has the same registers" % name in site.text()
        assert ("sure: voltage_l1 230" in site.text()) == (name not in ("adl400", "adw300", "sdm72d_m")), site.text()


def test_a_meter_that_no_profile_fits_is_found_all_the_same():
    site = Site([slave.Slave(9, "9600 8N1", {500: 1}, functions=(3,))])
    found = _scanned(site, "A 9600 8N1 5..12")
    assert found == [{"protocol": "modbus", "unit": 9, "profile": "?", "settings": "9600 8N1"}]
    assert "no profile fits" in site.text()


def test_a_profile_that_is_read_by_the_other_function_says_so():
    table = profiles.profile_of("dtsu666")
    registers = slave.Registers(table, Load(1000, 5000))
    meter = slave.Slave(2, "9600 8N1", functions={4: registers.by_function[3]})
    found = _scanned(Site([meter]), "A modbus 9600 8N1 1..4")
    assert found == [{"protocol": "modbus", "unit": 2, "profile": "dtsu666", "settings": "9600 8N1", "function": "4"}]


def test_energies_that_are_all_0_do_not_decide_between_two_places():
    site = Site([slave.Slave(2, "9600 8N1", functions={3: _no_energy()})])
    found = _scanned(site, "A modbus 9600 8N1 1..4")
    assert found[0]["profile"] == "dtsu666" and "not sure" in site.text() and "or dtsu666_401e" in site.text()


def _no_energy():
    reader = slave.Registers(profiles.profile_of("dtsu666"), Load(1000, 5000)).by_function[3]
    return lambda address, at_us: 0 if address in (0x101E, 0x101F, 0x401E, 0x401F) else reader(address, at_us)


def _with_zeros(profile, **values):
    """A meter that answers 0 where it has no register."""
    reader = slave.Registers(profiles.profile_of(profile), Load(12000, 5000)).by_function[4]

    def value(address, at_us):
        return values.get("r%02x" % address, reader(address, at_us) or 0)

    return slave.Slave(2, "9600 8N1", functions={4: value})


def test_one_phase_and_three_phases_of_which_one_is_connected():
    # A demand of 12.0 W stands in a SDM120 too; and the power factor of the phase in a SDM630.
    site = Site([_with_zeros("sdm120", r56=0x4140, r57=0)])
    assert _scanned(site, "A modbus 9600 8N1 1..4")[0]["profile"] == "sdm120" and "sure: voltage_l1" in site.text()
    site = Site([_with_zeros("sdm630", r02=0, r03=0, r04=0, r05=0, r1e=0x3F73, r1f=0x3333)])
    _scanned(site, "A modbus 9600 8N1 1..4")
    assert "not sure" in site.text() and "sdm120" in site.text() and "sdm630" in site.text()


def test_a_slow_meter_that_is_asked_last_is_listened_for():
    # Patient requests are made at the settings of the first meter alone.
    site = Site([_modbus(1), _modbus(4, settings="9600 8E1", turnaround_us=300000)])
    found = _scanned(site, "A modbus 9600 8N1 9600 8E1 1..4")
    assert [(each["settings"], each["unit"]) for each in found] == [("9600 8N1", 1), ("9600 8E1", 4)]


def test_slow_meters_are_found_by_the_late_reply_or_by_asking_patiently():
    # Slower than the first pass waits: one is heard at a later request, one between two, some fall together with requests.
    for turnaround_us in (60000, 95000, 101000, 110000, 200000, 300000, 600000):
        site = Site([_modbus(20, turnaround_us=turnaround_us)])
        found = _scanned(site, "A modbus 9600 8N1 10..40")
        assert _places(found) == [("9600 8N1", 20, "sdm630")], (turnaround_us, site.text())


def test_one_electricity_meter_of_each_edition_is_found():
    for profile in ("dlt645_1p", "dlt645_3p", "dlt645_1997_1p", "dlt645_1997_3p"):
        edition = profiles.profile_of(profile).protocol
        site = Site([_dlt("202511220161", profile, settings="1200 8E1")])
        found = _scanned(site, "A dlt645 dlt645-1997")
        assert found == [{"protocol": edition, "number": "202511220161", "profile": profile, "settings": "1200 8E1"}]
        assert "sure: energy_import 1234.56 kWh" in site.text()


def test_a_meter_that_does_not_say_its_number_is_asked_for_it():
    site = Site([_dlt("000000004711", "dlt645_1997_1p", any_number=True)])
    found = _scanned(site, "A dlt645-1997 1200 8E1")
    assert [each["number"] for each in found] == ["000000004711"]


def test_one_meter_for_water_gas_and_heat_is_found():
    for profile in ("water", "water_litre", "gas", "heat", "cooling"):
        site = Site([_cjt("42590008210438", profile)])
        found = _scanned(site, "A cjt188 2400 8E1")
        assert _places(found) == [("2400 8E1", "42590008210438", profile)], site.text()
        assert "sure: kind" in site.text()


def test_the_meters_of_a_bus_are_woken_up_as_configured():
    site = Site()
    site.config.lines[0].wake_bytes = 40
    assert _scanned(site, "A cjt188 2400 8E1") == []
    assert site.last == b"\xfe" * 44 + cjt(0xAA, "A" * 14, 0x01, b"\x90\x1f\x00")
    # What has no such preamble is sent as it is.
    site.run(scan(site, _words("A modbus 2400 8E1 5..5"), site.say))
    assert len(site.last) == 8


def test_a_meter_that_knows_one_order_of_the_identifier_is_found():
    for high_first in (False, True):
        site = Site([_cjt("42590008210438", "water", high_first=high_first, short=True)])
        assert _places(_scanned(site, "A cjt188 2400 8E1")) == [("2400 8E1", "42590008210438", "water")]


def test_six_meters_at_two_settings():
    site = Site(
        [
            _modbus(1),
            _modbus(2, "dtsu666"),
            _modbus(30, "sdm120", settings="9600 8N1"),
            _dlt("202511220161", turnaround_us=40000),
            _cjt("42590008210438"),
            _cjt("42590008210439", "water", kind=0x10, turnaround_us=500000),
        ]
    )
    found = _scanned(site, "A 2400 8E1 9600 8N1 1..32 dlt645 cjt188 modbus")
    assert _places(found) == [
        ("2400 8E1", "202511220161", "dlt645_3p"),
        ("2400 8E1", "42590008210438", "heat"),
        ("2400 8E1", "42590008210439", "water"),
        ("9600 8N1", 1, "sdm630"),
        ("9600 8N1", 2, "dtsu666"),
        ("9600 8N1", 30, "sdm120"),
    ], site.text()


def test_electricity_meters_that_answer_at_once_are_told_apart():
    numbers = ["202511220161", "202511220261", "202511220307", "202511224448"]
    site = Site([_dlt(number, turnaround_us=30000 + 300 * i) for i, number in enumerate(numbers)])
    found = _scanned(site, "A dlt645 2400 8E1")
    assert sorted([each["number"] for each in found]) == numbers, site.text()
    assert "several meters answer at once" in site.text() and "whose numbers end in 61" in site.text()
    assert "noise" not in site.text()


def test_two_answers_behind_one_another_are_both_found_at_once():
    site = Site([_dlt("202511220161", turnaround_us=30000), _dlt("202511220162", turnaround_us=300000)])
    assert len(_scanned(site, "A dlt645 2400 8E1")) == 2
    assert "at once:" not in site.text()


def test_two_meters_with_one_number_are_said_to_be():
    site = Site([_dlt("202511220161", turnaround_us=30000), _dlt("202511220161", turnaround_us=31000)])
    assert _scanned(site, "A dlt645 2400 8E1") == []
    assert "two meters have the number 202511220161" in site.text()


def test_water_meters_that_answer_at_once_are_told_apart_or_said_to_be_several():
    site = Site([_cjt("42590008210438", turnaround_us=30000), _cjt("42590008210439", turnaround_us=31000)])
    assert [each["number"][-2:] for each in _scanned(site, "A cjt188 2400 8E1")] == ["38", "39"]
    meters = [_cjt("42590008210438", turnaround_us=30000), _cjt("42590008210439", turnaround_us=31000)]
    for meter in meters:
        _knows_only_all_or_whole(meter)
    site = Site(meters)
    assert _scanned(site, "A cjt188 2400 8E1") == []
    assert "they do not answer to parts of a number" in site.text()


def _knows_only_all_or_whole(meter):
    real = meter._request

    def request(data, *more):
        frame = real(data, *more)
        return frame if frame and (frame[2:9] == b"\xaa" * 7 or 0xAA not in frame[2:9]) else None

    meter._request = request


def test_noise_that_begins_while_meters_are_told_apart_ends_it():
    said = []
    asked = []

    async def say(text):
        said.append(text)

    async def is_garbled(number, wait_ms, quiet_ms):
        asked.append(number)
        return True

    site = Site()
    found = scanning.Scan(site.line, say)
    asyncio.run(apart.split(found, _FAST, 12, is_garbled))
    assert len(asked) < 40 and "more noise than answers" in said[1]


def test_a_number_is_taken_from_where_it_stands():
    assert scan_dlt645.Scanner._number_of(dlt("A" * 12, 0x93, digits("000000000161"))) == "000000000161"
    assert scan_dlt645.Scanner._number_of(dlt("000000000161", 0x91, bytes(8))) == "000000000161"
    assert scan_dlt645.Scanner._number_of(dlt("A" * 12, 0x81, bytes(6))) == "A" * 12
    assert scan_dlt645.Scanner._number_of(dlt("A" * 12, 0x93, bytes((0x1F,) * 6))) == ""
    assert scan_dlt645.Scanner._number_of(dlt("00000000F161", 0x91, bytes(8))) == ""


def test_no_more_than_the_time_that_was_said_is_taken():
    real = scanning.said_ms
    scanning.said_ms = lambda ms: 3000
    site = Site()
    try:
        site.run(scan(site, ["A"], site.say))
    finally:
        scanning.said_ms = real
    assert 3 <= site.said[-1][0] < 5 and "the time is over" in site.text() and "not all was looked for" in site.text()


def test_noise_costs_time_and_no_meter():
    for seed in range(3):
        site = Site([_modbus(7), _modbus(19)], seed=seed + 1, noise={"idle": 20000, "inside": 3000})
        found = _scanned(site, "A modbus 9600 8N1 1..24")
        assert [place[1] for place in _places(found)] == [7, 19], site.text()


def test_a_line_that_is_never_silent_is_left_out_in_time():
    for talker in (None, _modbus(3)):
        site = Site([talker] if talker else [])
        site.wire.talk(talker, 0)
        assert _scanned(site, "A") == []
        assert "the line is never silent" in site.text() or "noise at 9600 8E1" in site.text()
        assert site.said[-1][0] < 150, site.text()


def test_a_meter_that_floods_for_a_while_does_not_hide_the_others():
    flood = _modbus(5)
    site = Site([flood, _modbus(9), _modbus(21)])
    site.wire.talk(flood, 1000000, 1500000)
    found = _scanned(site, "A modbus 9600 8N1 1..32")
    assert [place[1] for place in _places(found)] == [5, 9, 21], site.text()


def test_an_echo_is_no_meter():
    site = Site([_modbus(7), _dlt("202511220161")], echo=True)
    found = _scanned(site, "A dlt645 cjt188 modbus 9600 8N1 2400 8E1 1..16")
    assert [place[1] for place in _places(found)] == ["202511220161", 7], site.text()


def test_a_scan_that_is_ended_shows_what_it_has_and_lets_the_line_go():
    site = Site([_modbus(7)], meters=[{"name": "far", "unit": 200, "settings": "9600 8N1", "profile": "sdm630"}])
    done = []

    async def stopped():
        task = asyncio.create_task(scan(site, ["A", "modbus"], site.say))
        while site.clock.us < 20000000:
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            done.append(site.clock.us)

    site.run(stopped())
    assert done and done[0] < 21000000
    assert _places(_result(site)) == [("9600 8N1", 7, "sdm630")]
    assert "1 found in 20 s, not all was looked for" in site.text()
    # What was not looked for is not said to be missing.
    assert "far" not in site.text()


def test_whoever_waits_for_the_line_has_it_when_the_scan_is_over():
    site = Site([_modbus(7)])

    async def both():
        task = asyncio.create_task(scan(site, _words("A modbus 9600 8N1 7..7"), site.say))
        while not site.line.turn.locked():
            await asyncio.sleep(0)
        async with site.line.turn:
            assert task.done() or site.said[-1][1].startswith("  {")
        await task

    site.run(both())


def test_what_is_configured_is_marked_and_what_is_missing_is_named():
    site = Site(
        [_modbus(1), _modbus(2, settings="9600 8E1"), _dlt("202511220161")],
        meters=[
            {"name": "main", "unit": 1, "settings": "9600 8N1", "profile": "sdm630"},
            {"name": "press", "unit": 2, "settings": "9600 8N1", "profile": "sdm72"},
            {"name": "gone", "unit": 3, "settings": "9600 8N1", "profile": "sdm630"},
            {"name": "far", "unit": 99, "settings": "9600 8N1", "profile": "sdm630"},
            {"name": "shop", "number": "AAAAAAAAAAAA", "protocol": "dlt645", "settings": "2400 8E1", "profile": "dlt645_3p"},
        ],
    )
    assert _scanned(site, "A dlt645 modbus 2400 8E1 9600 8N1 9600 8E1 1..8") == []
    text = site.text()
    assert "unit 1 at 9600 8N1 is in the configuration: main\n" in text
    assert "unit 2 at 9600 8E1 is in the configuration: press, but with 9600 8N1, but as sdm72" in text
    assert "is in the configuration: shop" in text
    assert "not found: gone (modbus unit 3)" in text and "far" not in text


def test_a_scan_leaves_the_lines_ledger_as_it_was():
    site = Site([_modbus(1)])
    before = list(site.line.counts)
    _scanned(site, "A modbus 9600 8N1 1..4")
    assert list(site.line.counts) == before


def test_names_are_new_ones():
    site = Site(
        [_modbus(1, settings="9600 8N1"), _modbus(1, settings="19200 8N1")],
        meters=[{"name": "A-1", "unit": 44, "settings": "9600 8N1", "profile": "sdm630"}],
    )
    site.run(scan(site, _words("A modbus 9600 8N1 19200 8N1 1..2"), site.say))
    assert '"name":"A-1-2"' in site.text() and '"name":"A-1-3"' in site.text()


def test_words_that_are_none_are_refused_with_what_may_be_written():
    for words in ("B", "A modbuss", "A 9600", "A 9600 9N1", "A 1..300", "A 5..4", "A 0..4", "A x..4", ""):
        site = Site()
        error = raised(CommandError, site.run, scan(site, _words(words), site.say))
        assert not site.asked and len(error.args[0]) > 10
    wanted = wanted_of(_words("9600 8N1 2400 8E1 1..32"))
    assert (wanted.protocols, wanted.first, wanted.last) == (["modbus"], 1, 32)
    assert wanted.settings == [_FAST, (2400, 8, 0, 1)]
    assert wanted_of([]).protocols == finds.PROTOCOLS


def test_on_a_board_of_slow_ticks_the_time_is_kept_too():
    site = Site([_modbus(3)], tick_us=10000)
    assert _places(_scanned(site, "A modbus 9600 8N1 9600 8E1")) == [("9600 8N1", 3, "sdm630")]


def test_without_memory_for_the_tables_meters_are_found_all_the_same():
    def names():
        raise MemoryError

    site = Site([_modbus(3)])
    from firmware.meters import guess as guess_module

    real, guess_module._names = guess_module._names, names
    try:
        found = _scanned(site, "A modbus 9600 8N1 1..4")
    finally:
        guess_module._names = real
    assert found == [{"protocol": "modbus", "unit": 3, "profile": "?", "settings": "9600 8N1"}]
    assert "no memory left" in site.text()


def test_settings_that_the_port_cannot_do_are_left_out():
    site = Site([slave.meter(7, "sdm630", 12000, 1234560)])
    site.uart.refuses = (19200,)
    site.run(scan(site, ["A", "modbus", "19200", "8E1", "9600", "8N1", "7..7"], site.say))
    assert "at 19200 8E1 this port cannot do that; left out" in site.text() and '"unit":7' in site.text()
