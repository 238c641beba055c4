"""Simulated `esp32`: the ring's flash partition in a file, with NOR rules: erased bytes are FF and programmed once."""

import os

from machine import settings

_BLOCK = 4096


class Partition:
    TYPE_DATA = 1

    @staticmethod
    def find(kind, label=None):
        return [Partition(settings()["ring"])] if label == "ring" else []

    def __init__(self, ring):
        self._n_blocks = ring["blocks"]
        try:
            os.stat(ring["file"])
        except OSError:
            with open(ring["file"], "wb") as file:
                for _ in range(self._n_blocks):
                    file.write(b"\xff" * _BLOCK)
        self._file = open(ring["file"], "r+b", 0)

    def readblocks(self, block, buf, offset=0):
        self._file.seek(block * _BLOCK + offset)
        self._file.readinto(buf)

    def writeblocks(self, block, buf, offset=None):
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        there = bytearray(len(buf))
        self.readblocks(block, there, offset)
        if there != b"\xff" * len(there):
            raise RuntimeError("block %d, offset %d is programmed twice" % (block, offset))
        self._file.seek(block * _BLOCK + offset)
        self._file.write(buf)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._n_blocks
        if operation == 5:
            return _BLOCK
        if operation == 6:
            self._file.seek(argument * _BLOCK)
            self._file.write(b"\xff" * _BLOCK)
        return 0
