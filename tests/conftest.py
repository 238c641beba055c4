"""CPython finds the firmware, its third-party modules and the names that only MicroPython has. Tests that need the twin."""

import os
import shutil
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
        _leave_out(request, _twins)


@pytest.fixture
def needs_valgrind(request):
    """Without valgrind a test is left out, and pytest's last lines say so; with CI set it fails."""
    if not shutil.which("valgrind"):
        _must_be_there("no valgrind: apt install valgrind libc6-dbg:i386", request)


@pytest.fixture
def needs_mbpoll(request):
    """Without mbpoll a test is left out, and pytest's last lines say so; with CI set it fails."""
    if not shutil.which("mbpoll"):
        _must_be_there("no mbpoll: apt install mbpoll", request)


def _must_be_there(why, request):
    if os.environ.get("CI", "") not in ("", "0", "false"):
        pytest.fail(why, pytrace=False)
    _leave_out(request, why)


def _leave_out(request, why):
    _left_out.append((request.node.nodeid, why))
    pytest.skip(why)


def pytest_terminal_summary(terminalreporter):
    if _left_out:
        terminalreporter.section("NOT EVERYTHING WAS TESTED", red=True, bold=True)
        for why in dict.fromkeys(why for _, why in _left_out):
            names = [name for name, reason in _left_out if reason == why]
            terminalreporter.line(f"{len(names)} tests were left out, from {names[0]} on:")
            terminalreporter.line(why)
