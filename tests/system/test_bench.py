"""The bench before it is believed: what its figures mean, how they are shown and kept, and its quick sections."""

import importlib
import json

from metergate.faults import FAULTS
from tests.bench import __main__ as bench
from tests.bench import instructions, lateness, line, report, ring, transactions
from tests.bench.figures import FIGURES, LATE_FAULTS, RESOLVER
from tests.sim.chars import span_us

_NAMES = [figure.name for figure in FIGURES]
_BY_NAME = {figure.name: figure for figure in FIGURES}


def found(value, **peers):
    return {"value": value, "unit": "1", "peers": peers}


def everything(value=1.0):
    return {name: found(value) for name in _NAMES}


def test_a_count_has_all_its_digits_and_a_ratio_three():
    shown = {
        319295: "319295",
        2241.98: "2242",
        999.7: "1000",
        247.97: "248",
        43.8865: "43.9",
        0.9996: "1.00",
        0.0109592: "0.0110",
    }
    assert {value: report.number(value) for value in shown} == shown


def test_a_limit_holds_up_to_its_bound():
    efficiency, erases = _BY_NAME["line.efficiency.9600"], _BY_NAME["ring.erases_per_reading"]
    for figure, value, holds in (
        (efficiency, 0.97, True),
        (efficiency, 0.9699, False),
        (erases, 0.01, True),
        (erases, 0.0101, False),
        (_BY_NAME["decode.modbus.instructions"], 10**9, True),
    ):
        assert report.holds(figure, {figure.name: found(value)}) is holds
    assert report.limit_text(erases, {}) == "<= 0.01"
    history = _BY_NAME["ring.history_days"]
    assert [report.holds(history, {history.name: found(days)}) for days in (182.9, 183)] == [False, True]


def test_lateness_is_bounded_by_the_healthy_figure():
    figure = _BY_NAME["lateness.p99_ms.drop"]
    results = {"lateness.p99_ms.healthy": found(31.25), figure.name: found(51.2)}
    assert report.limit_text(figure, results) == "<= 51.2"
    assert report.holds(figure, results)
    results[figure.name] = found(51.4)
    assert not report.holds(figure, results)
    # Without the healthy figure there is nothing to compare with, and the healthy one has no limit of its own.
    assert report.limit_of(figure, {figure.name: found(400)}) is None
    assert report.limit_of(_BY_NAME["lateness.p99_ms.healthy"], results) is None


def test_the_table_shows_peers_broken_limits_and_what_was_not_measured_now(capsys):
    results = {
        "line.efficiency.9600": {**found(0.5, minimalmodbus=0.75), "failed": {"pymodbus": "no reply"}},
        "ring.erases_per_reading": found(0.004),
    }
    assert report.show(results, earlier=("ring.erases_per_reading",)) == ["line.efficiency.9600"]
    shown = capsys.readouterr().out
    assert max(map(len, shown.split("\n"))) <= 100
    rows = [" ".join(row.split()) for row in shown.split("\n")]
    assert "line.efficiency.9600 0.500 1 >= 0.97 BROKEN" in rows
    assert "minimalmodbus 0.750 x 1.50" in rows
    assert "ring.erases_per_reading * 0.00400 1 <= 0.01 holds" in rows
    assert "pymodbus: not measured" in shown and "limits BROKEN: line.efficiency.9600" in rows


def test_the_json_has_the_form_that_is_promised(tmp_path):
    (tmp_path / "build").mkdir()
    assert not report.write({"ring.erases_per_reading": found(0.0109592013888, littlefs=1.0413333333)}, tmp_path)
    kept = json.loads((tmp_path / "build" / "bench.json").read_text())
    assert kept == {"ring.erases_per_reading": {"value": 0.0109592, "unit": "1", "peers": {"littlefs": 1.04133}}}
    assert not (tmp_path / "BENCH.md").exists()


def test_the_page_has_a_row_and_a_line_for_each_figure(tmp_path):
    (tmp_path / "build").mkdir()
    assert report.write(everything(), tmp_path, earlier=("decode.modbus.instructions",))
    lines = (tmp_path / "BENCH.md").read_text().split("\n")
    for name in _NAMES:
        assert sum(text.startswith(f"| `{name}`") for text in lines) == 1
        assert sum(text.startswith(f"- `{name}`: ") for text in lines) == 1
    assert sum("(earlier run)" in text for text in lines) == 1
    assert [text for text in lines if "**BROKEN**" in text]


def test_every_figure_belongs_to_one_section():
    assert len(set(_NAMES)) == len(_NAMES)
    for name in _NAMES:
        assert sum(name.startswith(prefixes) for prefixes in bench.SECTIONS.values()) == 1
    for section in bench.SECTIONS:
        assert callable(importlib.import_module("tests.bench." + section).measure)


def test_a_section_that_fails_keeps_no_old_figure_and_the_others_their_own(monkeypatch, tmp_path, capsys):
    (tmp_path / "build").mkdir()
    report.write({**everything(), "ring.erases_per_reading": found(0.5)}, tmp_path)

    def fails(say):
        raise bench.Unmeasured("no flash")

    monkeypatch.setattr(ring, "measure", fails)
    counted = {"decode.modbus.instructions": found(7), "append.instructions": found(8)}
    monkeypatch.setattr(instructions, "measure", lambda say: counted)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "_be_urgent", lambda: None)
    assert bench.main(["ring", "instructions"]) == 1
    assert "not measured: ring: Unmeasured: no flash" in capsys.readouterr().out
    kept = json.loads((tmp_path / "build" / "bench.json").read_text())
    assert "ring.erases_per_reading" not in kept
    assert kept["decode.modbus.instructions"]["value"] == 7 and kept["uplink.bytes_per_reading"]["value"] == 1
    assert bench.main(["rings"]) == 2


def test_faults_are_those_that_people_can_set_themselves():
    assert set(LATE_FAULTS) - set(FAULTS) == {RESOLVER}


def test_percentiles_are_by_nearest_rank():
    assert lateness.rank(range(1, 101), 99) == 99
    assert lateness.rank(range(1, 61), 99) == 60
    assert lateness.rank([5], 99) == 5


def test_what_the_wire_needs_is_computed_by_hand():
    # 53 characters of 10 bits, 2 ms, and 3.5 characters or 1.75 ms.
    assert abs(line.needed_us(9600) - (53 * 1041.67 + 2000 + 3645.8)) < 3
    assert abs(line.needed_us(115200) - (53 * 86.8 + 2000 + 1750)) < 3
    assert span_us((9600, 8, None, 1), 96) == 100000


def test_the_line_is_measured_with_every_master(needs_twin):
    results = line.measure(lambda text: None, ((115200, 8),))
    found = results["line.efficiency.115200"]
    assert found["peers"].keys() == {"umodbus", "minimalmodbus", "pymodbus", "pymodbus asyncio"}
    assert 0.2 < found["value"] <= 1.01 and "failed" not in found


def test_the_ring_is_measured_beside_files(needs_twin):
    results = ring.measure(lambda text: None, {"history": 12, "wear": 4, "cuts": 24, "peers": 24})
    assert results.keys() == {name for name in _NAMES if name.startswith("ring.")}
    for name in ("ring.bytes_per_reading", "ring.erases_per_reading"):
        assert len(results[name]["peers"]) >= 4
        assert 0 < results[name]["value"] < min(results[name]["peers"].values())
    # A small ring holds less of course, and a start reads less of it.
    assert 1 < results["ring.history_days"]["value"] < 20
    for name in set(results) - {"ring.history_days"}:
        assert report.holds(_BY_NAME[name], results), results[name]
    assert 0 < results["ring.mount_bytes_read"]["value"] < results["ring.mount_bytes_read_worst"]["value"]
    places = results["ring.mount_bytes_read_worst"]["note"]
    assert all("in " + place in places for place in ("erase", "mark", "header", "heading", "record"))


def test_instructions_are_counted(needs_twin, needs_valgrind):
    counts = [(what, 8, 24) if what in ("append", "read") else (what, 2, 12) for what, _, _ in instructions.COUNTS]
    results = instructions.measure(lambda text: None, counts)
    assert results.keys() == {name for name in _NAMES if name.startswith(bench.SECTIONS["instructions"])}
    heap = results.pop("append.heap_bytes")
    assert 0 <= heap["value"] < 1000
    assert all(10000 < found["value"] < 10**7 for found in results.values())


def test_requests_of_a_reading_are_counted_by_the_meter(needs_twin):
    found = transactions.measure(lambda text: None)["transactions.per_reading"]
    assert found["value"] <= 3 and 3 < found["peers"]["blocks without gaps"] < found["peers"]["a request for each point"] == 18
