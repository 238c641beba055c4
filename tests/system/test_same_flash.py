"""The flash's bytes are the same on MicroPython, the twin and CPython, and each reads the others'."""

import subprocess

from metergate.onpc import ROOT
from metergate.pcgateway import micropython, twin
from tests.system.board import sameflash

_SCRIPT = ROOT / "tests" / "system" / "board" / "sameflash.py"


def _said(program, what, path):
    words = [program, "-X", "heapsize=8000000", _SCRIPT, ROOT, what, path]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_three_interpreters_write_the_same_bytes_and_read_each_others(needs_twin, tmp_path):
    written = [sameflash.write(tmp_path / "cpython")]
    for program in (micropython(), twin()):
        written.append(_said(program, "write", tmp_path / program.name))
    assert len(set(written)) == 1
    read = sameflash.read(tmp_path / micropython().name)
    assert int(read.split()[0]) > 100
    for program in (micropython(), twin()):
        assert _said(program, "read", tmp_path / "cpython") == read
        assert _said(program, "read", tmp_path / twin().name) == read
