"""Simulated `esp32`: the ring's flash partition, a NOR flash in a file that sim.json names.

"ring": {"file": its path, "blocks": how many, "real_time": true to wait as long as a flash takes}"""

import time

from machine import settings

from tests.sim.flashfile import FileFlash


class Partition(FileFlash):
    TYPE_DATA = 1

    @staticmethod
    def find(kind, label=None):
        return [Partition(settings()["ring"])] if label == "ring" else []

    def __init__(self, ring):
        super().__init__(ring["file"], ring["blocks"], spend=time.sleep_us if ring.get("real_time") else None)
