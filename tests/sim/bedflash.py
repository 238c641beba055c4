"""The bed's flash: the rules of tests/sim/flash.py over a file, with books that do not grow with the months."""

from tests.sim.flash import BLOCK, ERASE_US, Nor

_PIECE = b"\xff" * 256


class BedFlash(Nor):
    """BedFlash(path, n_blocks, seed, spend): a new file of erased bytes.

    Bytes that were programmed as FF are not remembered: programming one of them twice is not seen. The unit tests of
    the ring see it; here a set of them for every block would hide a growing heap."""

    def __init__(self, path, n_blocks, seed, spend):
        super().__init__(n_blocks, seed, spend)
        with open(path, "wb") as file:
            for _ in range(n_blocks):
                for _ in range(BLOCK // len(_PIECE)):
                    file.write(_PIECE)
        self._file = open(path, "r+b", 0)

    def _load(self, at, n):
        found = bytearray(n)
        self._file.seek(at)
        self._file.readinto(found)
        return found

    def _store(self, at, data, _):
        self._file.seek(at)
        self._file.write(data)

    def ioctl(self, operation, argument):
        if operation == 6 and self.cut_in_erase is None and argument not in self.bad:
            # As Nor erases, in small pieces: this heap has better things to do than to keep 4 KB in one piece.
            self._check(argument, 0, BLOCK)
            self.erases[argument] += 1
            for i in range(BLOCK // len(_PIECE)):
                self._store(argument * BLOCK + i * len(_PIECE), _PIECE, True)
            self._weak.pop(argument, None)
            self._odd.pop(argument, None)
            self.spend(ERASE_US)
            return 0
        return super().ioctl(operation, argument)

    def _note_programmed(self, block, offset, new):
        pass

    def _half_erase(self, block):
        super()._half_erase(block)
        self._odd.pop(block, None)
