"""Gets a unit's flash over its console into a file, block by block; what the file has already is not fetched again.

A block of the file is kept if its first 70 bytes are those on the unit, and if the block behind it on the unit names its
SHA-256: it is then what the unit holds, and whole. The newest block, which no other names yet, and what is damaged are always
fetched.
"""

import hashlib
import os
from pathlib import Path

from firmware.errors import ConfigError
from firmware.store.block import HEADER_BYTES, header_of, mark_of
from metergate.image import BLOCK
from metergate.unit import UnitError

# A block is asked for once, and again so often.
_MOST_AGAIN = 3
# So often it is looked whether the unit has changed meanwhile what was fetched.
_MOST_ROUNDS = 5
_BLANK = b"\xff" * BLOCK


class ImageFile:
    """A file of n_blocks, made or taken up; what was never written in it is FF."""

    def __init__(self, path, n_blocks):
        path = Path(path)
        if not path.exists():
            path.write_bytes(_BLANK * n_blocks)
        elif path.stat().st_size != n_blocks * BLOCK:
            raise ConfigError(str(path), f"is no image of this region, which has {n_blocks * BLOCK} bytes: another --out")
        self._file = open(path, "r+b", 0)

    def block(self, number):
        self._file.seek(number * BLOCK)
        return self._file.read(BLOCK)

    def put(self, number, data):
        self._file.seek(number * BLOCK)
        self._file.write(data)

    def close(self):
        os.fsync(self._file.fileno())
        self._file.close()


def fetch(unit, path, words, resume, progress):
    """Make the file path hold what the unit's region holds; (blocks, how many of them were fetched, numbers of those that were
    read differently each time). UnitError, ConfigError.

    words: "" or "days "; resume: a file that is there is taken up; progress(done, of) in blocks, as they come."""
    if Path(path).exists() and not resume:
        raise ConfigError(path, "is there already: --resume brings it up to what the unit holds now; or another --out")
    heads = _heads(unit, words)
    file = ImageFile(path, len(heads))
    held, asked = _log([file.block(number) for number in heads]), _log(heads.values())
    if held not in (None, asked):
        file.close()
        raise ConfigError(str(path), f"holds another log, {held}, than the unit, {asked}: another --out")
    fetched, settled = {}, set()
    try:
        for _ in range(_MOST_ROUNDS):
            wanted = _wanted(file, heads, fetched, settled)
            if not wanted:
                break
            for done, (number, data) in enumerate(_get(unit, words, wanted), 1):
                # Fetched twice with one result, it is what stands there, whatever the block behind it says.
                if fetched.get(number) == data:
                    settled.add(number)
                fetched[number] = data
                file.put(number, data)
                progress(done, len(wanted))
            heads = _heads(unit, words)
        return len(heads), len(fetched), _wanted(file, heads, fetched, settled)
    finally:
        file.close()


def _log(blocks):
    """The name of the log that blocks, or their heads, hold; None if they hold none."""
    newest = max((mark for mark in map(mark_of, blocks) if mark), default=None)
    return f"{newest[1]:08x}" if newest else None


def _heads(unit, words):
    """{number: its first bytes} of every block of the unit's region."""
    found = {}
    for _ in range(1 + _MOST_AGAIN):
        for number, data in unit.blocks(words + "heads"):
            if data is None or len(data) == HEADER_BYTES:
                found[number] = data or _BLANK[:HEADER_BYTES]
        if unit.n_blocks and len(found) == unit.n_blocks:
            return found
    raise UnitError("too much of what the unit says comes broken: check cable and port, then again with --resume")


def _wanted(file, heads, fetched, settled):
    """The numbers of the blocks of which the file does not hold what the unit does, or cannot be known to."""
    named = {}
    for head in heads.values():
        header = header_of(head) if mark_of(head) else None
        if header:
            named[header.before] = header.sha
    wanted = []
    for number, head in sorted(heads.items()):
        held = file.block(number)
        mark = mark_of(head)
        sha = named.get(mark[0]) if mark else None
        is_known = number in fetched if sha is None else sha == hashlib.sha256(held).digest() or number in settled
        if held[:HEADER_BYTES] != head or not is_known:
            wanted.append(number)
    return wanted


def _get(unit, words, wanted):
    """(number, bytes) of each of these blocks, as they come; those that come broken are asked for again. UnitError."""
    left = sorted(wanted)
    for _ in range(1 + _MOST_AGAIN):
        for first, n in _runs(left):
            for number, data in unit.blocks(f"{words}{first} {n}"):
                if number in left and (data is None or len(data) == BLOCK):
                    left.remove(number)
                    yield number, data or _BLANK
        if not left:
            return
    shown = ", ".join(str(number) for number in left[:8]) + (" .." if len(left) > 8 else "")
    raise UnitError(
        f"{len(left)} blocks came broken {1 + _MOST_AGAIN} times ({shown}): check the cable, then again with --resume"
    )


def _runs(numbers):
    """(first, how many) of each run of consecutive numbers, which are sorted."""
    runs = []
    for number in numbers:
        if runs and number == sum(runs[-1]):
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((number, 1))
    return runs
