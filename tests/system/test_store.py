"""The store in a board's heap, for years: what is in use does not grow."""

import json
import os
import subprocess

import pytest

from metergate.onpc import ROOT
from metergate.pcgateway import board_root, twin

_SCRIPT = ROOT / "tests" / "system" / "board" / "appends.py"
# 3.5 years of 8 meters, in half a minute.
_COUNT = int(os.environ.get("COUNT", "1000000"))
_SECONDS = 3600

pytestmark = pytest.mark.usefixtures("needs_twin")


def test_a_store_that_is_written_and_acknowledged_for_years_takes_no_more_heap(tmp_path):
    root = board_root(tmp_path / "board")
    command = [twin(), "-X", "heapsize=100k", _SCRIPT, root, tmp_path, _COUNT]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    readings = found["readings"]
    # The first day of each meter is closed by the first slot of the second.
    assert readings == _COUNT // 8 * 8 and found["days"] == (readings // 8 - 1) // 96 * 8 and found["unkept"] == 0
    assert found["next_seq"] == readings + found["days"] + 1 and found["laps"] >= _COUNT // 25000
    assert found["first_seq"] > found["next_seq"] // 2
    assert 0 < found["late"] <= found["early"]
