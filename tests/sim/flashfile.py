"""The simulated NOR flash in a file: a process that is killed leaves what a cut of the power leaves, torn or half erased."""

import os

from tests.sim.flash import BLOCK, Nor

# What is handed to the system at once: a kill comes between two of these.
_PROGRAM_PIECE_BYTES = 64
_ERASE_PIECE_BYTES = 256


class FileFlash(Nor):
    """FileFlash(path, n_blocks, seed, spend): the rules of Nor, over a file that is made if it is missing.

    What is not FF when it is opened counts as programmed. ValueError if the file is of another size."""

    def __init__(self, path, n_blocks, seed=1, spend=None):
        super().__init__(n_blocks, seed, spend)
        try:
            os.stat(path)
        except OSError:
            _make(path, n_blocks)
        if os.stat(path)[6] != n_blocks * BLOCK:
            raise ValueError("%s does not hold %d blocks" % (path, n_blocks))
        self._file = open(path, "r+b", 0)

    def close(self):
        self._file.close()

    def _load(self, at, n):
        found = bytearray(n)
        self._file.seek(at)
        self._file.readinto(found)
        return found

    def _store(self, at, data, erasing):
        """Writes piece by piece; bytes behind a piece are under way then: some of their bits have turned, at random.

        That is the next byte of a program, and the next piece of an erase."""
        old = self._load(at, len(data))
        begin = 0
        while begin < len(data):
            end = begin + (_ERASE_PIECE_BYTES if erasing else 1 + self._random.below(_PROGRAM_PIECE_BYTES - 1))
            end = min(end, len(data))
            under_way = bytearray(data[end : end + (_ERASE_PIECE_BYTES if erasing else 1)])
            for i, byte in enumerate(under_way):
                was = old[end + i]
                under_way[i] = was ^ ((was ^ byte) & self._random.bits(8))
            self._file.seek(at + begin)
            self._file.write(data[begin:end] + under_way)
            begin = end


def _make(path, n_blocks):
    """Made aside and then named: a kill on the way leaves no file of this name."""
    with open(path + ".new", "wb") as file:
        for _ in range(n_blocks):
            file.write(b"\xff" * BLOCK)
    os.rename(path + ".new", path)
