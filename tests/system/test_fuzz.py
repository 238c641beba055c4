"""The decoders under 50 000 mutated and random inputs each, on CPython and MicroPython; `make proof` tries a million.

And the fuzz itself: spoiled copies of the firmware are caught, and what it prints shows the failure again.
"""

import re
import shutil
import subprocess
import sys

import pytest

from metergate.onpc import ROOT
from metergate.pcgateway import micropython, twin
from tests.sim.fuzz import TARGETS

_SCRIPT = ROOT / "tests" / "sim" / "fuzz.py"
_COUNT = 50000
_TWIN_COUNT = 5000
_MOST_S = 300
# Of a hundred inputs: how many bring values, are refused by the meter, hold a frame that is nearly one. Less, and the
# fuzz no longer reaches what it is for.
_LEAST = {"values": 8, "refused": 6, "near": 15}


def _started(program, *words):
    return subprocess.Popen([str(word) for word in (*program, _SCRIPT, *words)], stdout=subprocess.PIPE, text=True)


def _check(process, count):
    """Every target has tried so many, without a failure."""
    try:
        text = process.communicate(timeout=_MOST_S)[0]
    finally:
        process.kill()
    assert process.returncode == 0, text[-3000:]
    found = {}
    for line in text.splitlines():
        name, *pairs = line.split()
        found[name] = {key: int(value) for key, value in (pair.split("=") for pair in pairs)}
    assert found.keys() == TARGETS.keys()
    for name, counts in found.items():
        assert counts["inputs"] == count
        for key in _LEAST if "data" not in name and name != "numbers" else ("values", "refused"):
            assert 100 * counts[key] >= _LEAST[key] * count, (name, counts)


def test_decoders_on_cpython_and_micropython():
    processes = [_started([program], "all", _COUNT, 1) for program in (sys.executable, micropython())]
    for process in processes:
        _check(process, _COUNT)


def test_decoders_on_the_twin(needs_twin):
    _check(_started([twin(), "-X", "heapsize=600k"], "all", _TWIN_COUNT, 2), _TWIN_COUNT)


_PROTOCOLS = "firmware/protocols/"
# Target, file, what stands there, what a spoiled copy has.
_FAULTS = {
    "modbus checksum left out": ("modbus", "modbus.py", "== crc & 0xFF", "is not None"),
    "modbus unit not compared": ("modbus", "modbus.py", "if buf[i] != head[0]:", "if False:"),
    "modbus whole too early": ("modbus", "modbus.py", "last + 2 <= end", "last + 1 <= end"),
    "end byte not looked at": ("dlt645", "frame68.py", "buf[last + 1] == END and", ""),
    "checksum left out": ("cjt188", "frame68.py", "buf[last] == checksum(buf, i, last)", "True"),
    "length one too short": ("dlt645", "frame68.py", "length_at + 3 + buf[i", "length_at + 2 + buf[i"),
    "data identifier not compared": ("dlt645", "dlt645.py", "if buf[i + 10 + k] != self._di[k]:", "if False:"),
    "sequence number not compared": ("dlt645", "dlt645.py", "not self._n_sequence or", "True or"),
    "forgets too much": ("cjt188", "frame68.py", "drop = _MOST_PREAMBLE", "drop = 60"),
    "ties rounded up": ("numbers", "numbers.py", "2 * rest > divisor or", "2 * rest >= divisor or"),
    "digits that are none": ("dlt645data", "bcd.py", "or byte & 15 > 9", ""),
    "unit of another quantity": ("cjt188data", "cjt188data.py", "_SIZES[found[0]][0] != quantity", "False"),
}


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_spoiled_decoder_is_caught_and_shown_again(fault, tmp_path):
    target, file, right, wrong = _FAULTS[fault]
    shutil.copytree(ROOT / "firmware", tmp_path / "firmware", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / _PROTOCOLS / file
    text = path.read_text()
    assert text.count(right) == 1, "the copy is not spoiled: " + right
    path.write_text(text.replace(right, wrong))
    shown = _failure([sys.executable], target, _COUNT, 1, 0, tmp_path)
    again = re.search(r"^again: build/venv/bin/python tests/sim/fuzz.py (\S+) (\d+) (\d+) (\d+)$", shown, re.MULTILINE)
    # A few inputs suffice, on the other interpreter too.
    assert again and int(again[2]) <= 64
    first = re.match("FAILED %s, input .* of seed 1: " % target, shown)[0]
    assert _failure([micropython()], *again.groups(), tmp_path).startswith(first)


def _failure(program, *words):
    process = _started(program, *words)
    try:
        text = process.communicate(timeout=_MOST_S)[0]
    finally:
        process.kill()
    assert process.returncode == 1, "not caught: " + text
    return text[text.index("FAILED") :]
