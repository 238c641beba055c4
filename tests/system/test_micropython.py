"""The unit tests again, on MicroPython: one test here for each of their modules."""

import subprocess
from pathlib import Path

import pytest

from metergate.onpc import ROOT
from metergate.pcgateway import micropython

_UNIT = Path(__file__).parents[1] / "unit"


@pytest.mark.parametrize("module", sorted(path.stem for path in _UNIT.glob("test_*.py")))
def test_units_on_micropython(module):
    done = subprocess.run(
        [micropython(), _UNIT / "run.py", module], capture_output=True, text=True, timeout=300, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    print(done.stdout.strip().splitlines()[-1])
