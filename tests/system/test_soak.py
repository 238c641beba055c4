"""Days in virtual time: what was promised holds, the same seed gives the same bytes, and the check sees what is wrong."""

import shutil
from types import SimpleNamespace

import pytest

from metergate import soak
from metergate.soakcheck import Check
from metergate.soakplan import DAY_S, Scenario
from metergate.soakrest import check_heap
from metergate.soaktrace import Breaches

_SHORT = Scenario(0.4, seed=5)


def _checked(folder, scenario):
    check = Check(folder, scenario).run()
    print(soak.result(check, 0))
    assert not check.breaches.counts, "\n".join(check.breaches.first)
    return check.figures


def test_two_days_with_faults(needs_twin, tmp_path):
    scenario = Scenario(2, seed=1)
    soak.run(scenario, tmp_path / "run")
    figures = _checked(tmp_path / "run", scenario)
    assert figures["readings"] > 1000 and figures["summaries"] == 16 and figures["values"] > 2000
    assert figures["starts"] > 3 and figures["repeats"] > 10


def test_what_the_ring_could_not_keep_is_told_as_lost(needs_twin, tmp_path):
    away = ("nation", DAY_S * 4 // 10, DAY_S * 26 // 10)
    # A ring that does not hold a day: after a restart it could not be summed up whole.
    scenario = Scenario(3, seed=3, blocks=4, outages=[away], loses=("nation",), cuts=False)
    soak.run(scenario, tmp_path / "run")
    figures = _checked(tmp_path / "run", scenario)
    assert figures["lost nation"] > 20 and figures["lost province"] == 0


@pytest.fixture(scope="module")
def short_run(_twins, tmp_path_factory):
    """The folder of a short run; None without the twin, which the tests need too and are left out for."""
    if _twins:
        return None
    folder = tmp_path_factory.mktemp("soak") / "run"
    soak.run(_SHORT, folder)
    return folder


def test_the_same_seed_gives_the_same_bytes(needs_twin, short_run, tmp_path):
    soak.run(_SHORT, tmp_path / "again")
    soak.run(Scenario(0.4, seed=6), tmp_path / "other")
    for name in ("trace.txt", "ring.bin", "days.bin"):
        first = (short_run / name).read_bytes()
        assert first == (tmp_path / "again" / name).read_bytes()
        assert first != (tmp_path / "other" / name).read_bytes()


def _reading(line):
    return "/readings - " in line and '"p":' in line


# What is done to a sound trace, and what the check has to call it.
_WRONGS = (
    ("a message is gone", lambda line: "" if _reading(line) and " m nation " in line else None, "not delivered"),
    ("a digit differs", lambda line: _digit(line) if _reading(line) and " m nation " in line else None, "value"),
    ("a meter said otherwise", lambda line: line[:-3] + "77\n" if " told main " in line else None, "value"),
    ("a topic is not retained", lambda line: line.replace(" r {", " - {") if "/health r " in line else None, "topic"),
    (
        "a centre is told otherwise",
        lambda line: line.replace('"boot":', '"boot":1') if '"event":"start"' in line else None,
        "differ",
    ),
    (
        "MQTT is broken",
        lambda line: line + line.split()[0] + " broken nation CONNECT\n" if "session nation open" in line else None,
        "broken",
    ),
)


def _digit(line):
    """The first value of a reading, with another digit before its point: the last ones may be right some seconds later."""
    at = line.index(".", line.index('"energy_import":')) - 1
    return line[:at] + str((int(line[at]) + 5) % 10) + line[at + 1 :]


@pytest.mark.parametrize(("what", "change", "kind"), _WRONGS, ids=[wrong[0] for wrong in _WRONGS])
def test_the_check_sees_what_is_wrong(needs_twin, short_run, tmp_path, what, change, kind):
    folder = tmp_path / "run"
    shutil.copytree(short_run, folder)
    lines = (short_run / "trace.txt").read_text().splitlines(keepends=True)
    # In the middle of the run, once.
    for at in range(100, len(lines)):
        changed = change(lines[at])
        if changed is not None:
            lines[at] = changed
            break
    else:
        raise AssertionError("nothing to change")
    (folder / "trace.txt").write_text("".join(lines))
    counts = Check(folder, _SHORT).run().breaches.counts
    assert any(kind in name for name in counts), counts


@pytest.mark.parametrize(("bytes_a_day", "n"), [(0, 0), (100, 1)])
def test_the_check_sees_a_heap_that_grows(tmp_path, bytes_a_day, n):
    scenario = Scenario(60)
    rows = [f"{day} 7 {200000 + bytes_a_day * day}\n" for day in range(20, 60)]
    (tmp_path / "heap.txt").write_text("# start 1\n0 1 1\n# start 7\n" + "".join(rows))
    check = SimpleNamespace(folder=tmp_path, scenario=scenario, figures={}, breaches=Breaches())
    check_heap(check)
    assert len(check.figures["heap"]) == 3 and check.breaches.counts["heap"] == n
