"""Simulated `esp32`: the flash partitions of ring and days, NOR flashes in files that sim.json names.

"ring": {"file": its path, "blocks": how many, "real_time": true to wait as long as a flash takes,
         "plain": true for a file without rules, which takes no heap: for measuring the firmware's}
"""

import time

from machine import settings

from tests.sim.flash import BLOCK
from tests.sim.flashfile import FileFlash


class Partition(FileFlash):
    TYPE_DATA = 1

    @staticmethod
    def find(kind, label=None):
        region = settings().get(label)
        return [(_Plain if region.get("plain") else Partition)(region)] if region else []

    def __init__(self, ring):
        super().__init__(ring["file"], ring["blocks"], spend=time.sleep_us if ring.get("real_time") else None)


class _Plain:
    """A partition as C code has it: nothing of it lies in the Python heap but a buffer of 64 bytes."""

    def __init__(self, ring):
        self._n_blocks = ring["blocks"]
        self._erased = b"\xff" * 64
        self._file = open(ring["file"], "w+b", 0)
        for block in range(self._n_blocks):
            self.ioctl(6, block)

    def readblocks(self, block, buf, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.readinto(buf)

    def writeblocks(self, block, buf, offset):
        self._file.seek(block * BLOCK + offset)
        self._file.write(buf)

    def ioctl(self, operation, argument):
        if operation == 6:
            self._file.seek(argument * BLOCK)
            for _ in range(BLOCK // len(self._erased)):
                self._file.write(self._erased)
        return {4: self._n_blocks, 5: BLOCK}.get(operation, 0)
