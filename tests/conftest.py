"""CPython finds the firmware, its third-party modules and the names that only MicroPython has. And the twins."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "unit"))

import metergate.onpc

metergate.onpc.install()

_left_out = []


@pytest.fixture(scope="session")
def _twins():
    """Build the twins of what is here now; "" or why there are none."""
    setup = [sys.executable, metergate.onpc.ROOT / "tools/setup.py", "twin"]
    done = subprocess.run(setup, capture_output=True, text=True, timeout=600, check=False)
    return done.stderr.strip().splitlines()[-1].removeprefix("metergate: ") if done.returncode else ""


@pytest.fixture
def needs_twin(_twins, request):
    """Without the twin, build/bin/twin, a test is left out, and the last lines say so; with CI set it fails."""
    if _twins:
        _left_out.append((request.node.nodeid, _twins))
        if os.environ.get("CI", "") not in ("", "0", "false"):
            pytest.fail(_twins)
        pytest.skip(_twins)


def pytest_terminal_summary(terminalreporter):
    if _left_out:
        terminalreporter.section("metergate: NOT EVERYTHING WAS TESTED", red=True, bold=True)
        terminalreporter.line(f"{len(_left_out)} tests on a board's kind of MicroPython were left out, from {_left_out[0][0]} on:")
        terminalreporter.line(_left_out[0][1])
