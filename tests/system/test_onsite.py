"""A technician at the console of the unchanged gateway: scan and its end, read, raw, lines, meters; measuring goes on."""

import json
import re
import time

import pytest
from conftest import METERS, THREE, answer, config, meter

from metergate.image import read_image
from metergate.pcgateway import Gateway, SimulatedLine, board_root, twin
from metergate.processes import wait_for

_NEW = {"unit": 9, "profile": "iem3155", "power_kw": 36.0, "energy_kwh": 77.0}
# What an ESP32 has left for MicroPython with Wi-Fi on, at least.
_HEAP = 100 * 1024


def _stored(unit, kind=None):
    if not unit.ring.exists():
        return []
    return [record for _, record in read_image(unit.ring)[1] if kind is None or record.kind == kind]


def _readings(unit):
    return len(_stored(unit, 1))


@pytest.fixture
def more(tmp_path, own):
    """The pseudo terminal of a line with METERS, and one more that nobody has configured."""
    return own(SimulatedLine(tmp_path / "more", {"settings": "9600 8N1", "meters": [*METERS, _NEW]})).start().terminal


def _started(own, tmp_path, terminal, meters=THREE, **options):
    unit = own(Gateway(tmp_path / "board", config(meters), {"1": terminal}, **options))
    unit.start()
    wait_for(lambda: _readings(unit) >= 3, 20, "readings")
    return unit


def _scanned(unit):
    """Scan for what is there; check what is shown."""
    text = answer(unit, "scan A modbus 9600 8N1 1..10", 60)
    assert "looking for modbus on line A: up to " in text and "crash" not in text, text
    for name in ("main", "boiler", "press"):
        assert f"is in the configuration: {name}\n" in text, text
    row = next(row for row in text.split("\n") if row.startswith("  {"))
    assert json.loads(row) == {
        "name": "A-9", "line": "A", "protocol": "modbus", "unit": 9, "profile": "iem3155", "settings": "9600 8N1"
    }  # fmt: skip
    return row


def test_a_scan_finds_what_is_there_and_what_it_says_can_be_configured(own, tmp_path, more):
    unit = _started(own, tmp_path, more)
    row = _scanned(unit)
    # Slots that came meanwhile are on record, as late or as missed; then measuring goes on.
    n = _readings(unit)
    wait_for(lambda: _readings(unit) >= n + 6, 10, "readings behind it")
    misses = {record.cause for record in _stored(unit, 2)}
    assert "line busy" in misses and misses <= {"line busy", "not running"}
    assert "crashed" not in answer(unit, "status")
    settings = config(THREE)
    settings["meters"].append({**json.loads(row), "name": "new", "every_s": 1})
    (unit.folder / "new.json").write_text(json.dumps(settings))
    assert "new.json is valid" in answer(unit, "config check new.json")


def test_enter_ends_a_scan_and_the_line_is_free_at_once(own, tmp_path, more):
    unit = _started(own, tmp_path, more)
    unit.type("scan A")
    wait_for(lambda: "looking for" in unit.console(), 5, "a beginning")
    time.sleep(2)
    begun = time.monotonic()
    text = answer(unit, "", 5)
    assert time.monotonic() - begun < 3
    assert "not all was looked for" in text and text.endswith("stopped\n> ")
    n = _readings(unit)
    wait_for(lambda: _readings(unit) >= n + 6, 10, "readings behind it")
    assert "energy_import" in answer(unit, "read main") and "crashed" not in answer(unit, "status")


def test_keys_typed_meanwhile_are_dropped_and_quick_commands_may_be_typed_ahead(own, tmp_path, more):
    unit = _started(own, tmp_path, more)
    unit.type("scan A modbus 9600 8N1 1..3")
    time.sleep(1)
    before = len(unit.console())
    wait_for(lambda: unit.console().endswith("> "), 20, "its end")
    assert "3 found" in unit.console()[before - 200 :]
    # Behind a scan the first reading listens for late answers first, and is not quick.
    unit.type("clock\nlines\nread main")
    wait_for(lambda: unit.console().count("source kept") == 1 and "energy_import" in unit.console(), 10, "all answers")
    assert "3 meters;" in unit.console()


def test_read_shows_what_was_sent_and_heard_and_when(own, tmp_path, more):
    unit = _started(own, tmp_path, more)
    text = answer(unit, "read main")
    sent = re.search(r"sent   \d\d:\d\d:\d\d\.\d{3}  01 04 00 34 00 16 30 0A   \(8 bytes, 9 ms at 9600 8N1\)\n", text)
    heard = re.search(r"heard  \+(\d+) ms  +01 04 2C ", text)
    assert sent and heard and int(heard[1]) < 400, text
    assert re.search(r"energy_import \d+\.\d\d kWh\n", text)
    assert "power" in answer(unit, "read boiler all", 10)


def test_read_of_a_silent_meter_says_so(own, tmp_path, more):
    gone = meter("gone", 77, "sdm630", every_s=3600, timeout_ms=200)
    unit = _started(own, tmp_path, more, [THREE[0], gone])
    text = answer(unit, "read gone", 10)
    assert "meter gone (unit 77, 9600 8N1, line A): heard nothing" in text and text.count("sent   ") == 3, text


def test_raw_sends_what_reads_and_asks_before_anything_else(own, tmp_path, more):
    unit = _started(own, tmp_path, more)
    text = answer(unit, "raw A 01 04 00 00 00 02 71 CB")
    assert re.search(r"heard  \+\d+ ms +01 04 04 43 66 33 33 ", text) and "CRC right: unit 1, function 04, 4 bytes" in text
    assert "its CRC would be 71 CB" in answer(unit, "raw A 010400000002")
    assert "confirmed as the last word" in answer(unit, "raw A 01 06 00 01 00 05 fix")
    assert "raw_sent" not in "".join(record.members for record in _stored(unit) if hasattr(record, "members"))
    text = answer(unit, "raw A 01 06 00 01 00 05 fix confirmed")
    assert "unit 1 refuses: code 01" in text
    events = [json.loads("{%s}" % record.members) for record in _stored(unit) if hasattr(record, "members")]
    event = next(event for event in events if event["event"] == "raw_sent")
    assert (event["line"], event["hex"], event["by"]) == ("A", "01 06 00 01 00 05 18 09", "console")


def test_lines_and_meters_show_their_ledgers(own, tmp_path, more):
    unit = _started(own, tmp_path, more)
    text = answer(unit, "lines")
    assert re.search(r"A +3 meters; requests \d+, replies \d+", text) and "replies begin after" in text
    text = answer(unit, "meters")
    assert re.search(r"main +A/1 sdm630 9600 8N1 every 1 s; requests \d+, replies \d+", text) and "last good 20" in text


def test_a_scan_fits_on_a_boards_heap_where_our_modules_are_in_its_firmware(own, tmp_path, more, needs_twin):
    root = tmp_path / "root"
    whole = board_root(tmp_path / "whole")
    root.mkdir()
    for name in ("boot.py", "main.py"):
        (root / name).write_bytes((whole / name).read_bytes())
    unit = _started(own, tmp_path, more, program=twin(frozen=True), heap=_HEAP, root=root)
    _scanned(unit)
    assert "crashed" not in answer(unit, "status", 20)
