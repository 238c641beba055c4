"""Simulated `esp32`: the flash partitions of ring and days, NOR flashes in files that sim.json names.

"ring": {"file": its path, "blocks": how many, "real_time": true to wait as long as a flash takes,
         "plain": true for a file without rules, which takes no heap: for measuring the firmware's}
"""

import time

from machine import settings

from tests.sim.flashfile import FileFlash
from tests.sim.plainflash import PlainFlash


class Partition(FileFlash):
    TYPE_DATA = 1

    @staticmethod
    def find(kind, label=None):
        region = settings().get(label)
        if not region:
            return []
        return [PlainFlash(region["file"], region["blocks"]) if region.get("plain") else Partition(region)]

    def __init__(self, ring):
        super().__init__(ring["file"], ring["blocks"], spend=time.sleep_us if ring.get("real_time") else None)
