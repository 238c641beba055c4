"""CPython finds the firmware, its third-party modules and the names that only MicroPython has. Tests that need the twin."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "unit"))

import metergate.onpc

metergate.onpc.install()

from metergate.pcgateway import twin  # noqa: E402

_left_out = []


@pytest.fixture(scope="session")
def _twins():
    """Build the twins of what is here now; return "" or why this machine cannot have them, which fails with CI set."""
    setup = [sys.executable, metergate.onpc.ROOT / "tools/setup.py", "--optional", "twin"]
    done = subprocess.run(setup, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.fail(done.stderr, pytrace=False)
    return "" if twin().exists() else done.stderr.strip()


@pytest.fixture
def needs_twin(_twins, request):
    """Without the twin a test is left out, and pytest's last lines say so."""
    if _twins:
        _left_out.append((request.node.nodeid, _twins))
        pytest.skip("no twin")


def pytest_terminal_summary(terminalreporter):
    if _left_out:
        terminalreporter.section("NOT EVERYTHING WAS TESTED", red=True, bold=True)
        terminalreporter.line(f"{len(_left_out)} tests were left out, from {_left_out[0][0]} on:")
        terminalreporter.line(_left_out[0][1])
