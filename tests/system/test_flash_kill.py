"""The simulated flash in a file: a process killed at any moment leaves what a cut of a chip's power leaves, and no more."""

import os
import random
import subprocess
import time

from metergate.onpc import ROOT
from metergate.pcgateway import micropython
from tests.sim.flash import BLOCK
from tests.sim.flashstorm import bytes_from

_BLOCKS = 8
_KILLS = 40


def _storm(path, n_blocks, seed, journal, for_s):
    """Runs flashstorm.py for so long, from its first operation on if it begins one, and kills it."""
    command = [micropython(), ROOT / "tests/sim/flashstorm.py", path, str(n_blocks), str(seed), journal]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        time.sleep(for_s)
        assert child.poll() is None, child.stderr.read()
    finally:
        child.kill()
        child.wait()
        child.stderr.close()


def _operations(journal):
    """[(words, done), ..] of a journal."""
    found = []
    for line in journal.read_text().splitlines():
        if line == "d":
            found[-1] = (found[-1][0], True)
        else:
            found.append((line.split()[1:], False))
    return found


def _place(words):
    """(block, offset, bytes as they are to be) of a program; an erase has no bytes."""
    block = int(words[1])
    if words[0] == "erase":
        return block, 0, None
    return block, int(words[2]), bytes_from(int(words[4]), int(words[3]))


def _check_erase(was, now):
    """A half erased block: no bit is 0 that was 1. True if it is neither as it was nor erased."""
    assert all(a & b == a for a, b in zip(was, now))
    return now not in (was, b"\xff" * BLOCK)


def _check_program(wanted, now):
    """Bytes as they are to be, one of which some bits are to be cleared yet, then FF. True if it stopped on the way."""
    n = 0
    while n < len(now) and now[n] == wanted[n]:
        n += 1
    if n < len(now):
        assert now[n] & wanted[n] == wanted[n]
        assert now[n + 1 :] == b"\xff" * (len(now) - n - 1)
    return 0 < n < len(now)


def _checked(held, now, operations):
    """The flash now must be what was held, with all that was done, and the last operation done, half done or not begun.

    Returns what was half done: "erase", "program" or None."""
    held, half = bytearray(held), None
    for words, done in operations:
        block, offset, data = _place(words)
        begin, end = block * BLOCK + offset, block * BLOCK + (BLOCK if data is None else offset + len(data))
        if done:
            held[begin:end] = b"\xff" * BLOCK if data is None else data
            continue
        if _check_erase(held[begin:end], now[begin:end]) if data is None else _check_program(data, now[begin:end]):
            half = words[0]
        held[begin:end] = now[begin:end]
    assert held == now
    return half


def test_a_kill_leaves_what_was_done_and_one_operation_half_done_at_most(tmp_path):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    moments = random.Random(seed)
    path, journal = tmp_path / "flash.bin", tmp_path / "journal"
    held = b"\xff" * (_BLOCKS * BLOCK)
    halves, n_done = [], 0
    for i in range(_KILLS):
        journal.write_bytes(b"")
        _storm(path, _BLOCKS, seed + i, journal, moments.uniform(0.03, 0.12))
        operations = _operations(journal)
        n_done += len(operations)
        if not path.exists():
            assert not operations
            continue
        now = path.read_bytes()
        halves.append(_checked(held, now, operations))
        held = now
    print(n_done, "operations;", halves.count("program"), "programs and", halves.count("erase"), "erases half done")
    assert n_done > 10 * _KILLS
    assert any(halves)


def test_a_kill_while_the_file_is_made_leaves_none_or_a_whole_one(tmp_path):
    journal = tmp_path / "journal"
    n_blocks, n_half = 4096, 0
    for i in range(12):
        path = tmp_path / f"flash{i}.bin"
        journal.write_bytes(b"")
        _storm(path, n_blocks, i, journal, 0.004 * i)
        if path.exists():
            assert os.path.getsize(path) == n_blocks * BLOCK
        else:
            n_half += (tmp_path / f"flash{i}.bin.new").exists()
            assert not _operations(journal)
    print(n_half, "files half made")
