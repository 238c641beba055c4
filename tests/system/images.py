"""Images of logs for the tests: made by the firmware's own ring, then changed by hand."""

import hashlib
from pathlib import Path

from firmware.clock import day_of_civil
from firmware.protocols import record
from firmware.protocols.dayrecord import Day, put_day
from firmware.store.block import HEADER_BYTES, Header, header_of, mark_of, put_header, put_mark
from firmware.store.ring import Ring
from tests.sim.flash import NorFlash

BLOCK = 4096
# 2026-11-21 16:00:00 UTC: midnight in China.
T0 = 1795276800
POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
MAIN = record.MeterNames("main", 900, POINTS)


def heading(log="00000000"):
    about = record.put_about("a1b2c3d4", "CST-8", "0.1.0", log)
    return [(record.ABOUT, about), (record.NAMES, record.put_names(0, MAIN))]


class Image:
    """Image(n_blocks, n): a ring with n records: readings, and among them long events, a miss and a day now and then."""

    def __init__(self, n_blocks=16, n=200, seed=1):
        self.flash = NorFlash(n_blocks, seed=seed)
        self.start()
        self.add(n)

    def start(self, is_told=False):
        """As a gateway starts; is_told: what stands there is given up."""
        self.ring = Ring(self.flash, lambda: T0)
        self.ring.heading = lambda: heading(self.ring.log)
        self.ring.mount(is_told)

    def add(self, n):
        for _ in range(n):
            seq = self.ring.next_seq
            slot_s = T0 + 900 * seq
            if seq % 50 == 7:
                self.ring.append(record.MISS, record.put_miss(0, slot_s, slot_s, 1, "no reply"), (slot_s, slot_s))
            elif seq % 50 == 8:
                day = Day("main", POINTS, day_of_civil(2026, 11, 22), T0, T0 + 86400)
                day.due = day.got = 96
                self.ring.append(record.DAY, put_day(0, day, 900), record.bounds_of(day))
            elif seq % 2:
                self.ring.append(record.EVENT, b'"t":%d,"event":"x","why":"%s"' % (slot_s, b"x" * 300), (slot_s, slot_s))
            else:
                self.ring.reading(0, slot_s - record.EPOCH_S, 2, 0, (123450 + seq, 12340 - seq))
            self.ring.prepare()

    @property
    def bytes(self):
        return bytearray(self.flash.bytes)

    def save(self, path):
        Path(path).write_bytes(self.bytes)
        return path


def block_of(data, number):
    return bytes(data[number * BLOCK : (number + 1) * BLOCK])


def put_block(data, number, block):
    data[number * BLOCK : (number + 1) * BLOCK] = block


def forged(block, **changes):
    """A block with another generation, or other members of its header, all sums right but those of its records."""
    generation, log = mark_of(block)
    mark = put_mark(changes.pop("generation", generation), log)
    header = header_of(block)
    values = {name: changes.pop(name, getattr(header, name)) for name in vars(header)}
    assert not changes
    return bytes(mark) + bytes(put_header(mark, Header(**values))) + block[HEADER_BYTES:]


def sha(block):
    return hashlib.sha256(block).digest()
