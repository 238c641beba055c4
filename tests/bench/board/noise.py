"""Slots on a noisy line: micropython noise.py ROOT MODULES SLOTS SEED INSIDE STRAYS READ_AGAIN, in virtual time.

SLOTS of each meter; INSIDE, STRAYS: the wire's rates in a million; READ_AGAIN 0: what has only an 8-bit sum is believed.
Prints one line of JSON: for each protocol what was asked, stored and wrong, and the frames whose sum fits though noise broke
them.
"""

# The path is set before what is found by it.
# The virtual ports come before what uses them.
# ruff: noqa: E402, I001

import json
import sys

ROOT, MODULES = sys.argv[1], sys.argv[2]
SLOTS, SEED, INSIDE, STRAYS, READ_AGAIN = [int(word) for word in sys.argv[3:8]]
sys.path[:] = ["", ROOT + "/tests/sim/virtual", MODULES, ROOT, ROOT + "/lib"]

from tests.bench.board.lines import Rig
from tests.bench.board.mixed import of_noise
from firmware.bus import ledger
from firmware.bus.line import Line

START_S = 1795276800
# Long enough for every repeat of all meters.
EVERY_S = 60
FAILURES = (ledger.NO_REPLY, ledger.BAD_CHECKSUM, ledger.WRONG_METER, ledger.BAD_FRAME, ledger.REFUSED)
# Where the length stands in a frame, and from where on data do.
PLACES = {"dlt645": (9, 14), "cjt188": (10, 14)}
TARIFFS = 0x0001FF00


def bcd(data):
    """The number of these bytes, two digits each, the last two first."""
    found = 0
    for byte in reversed(data):
        found = found * 100 + (byte >> 4) * 10 + (byte & 15)
    return found


def scaled(bits, factor):
    """An f32 above 0, times factor, to the nearest integer, ties to even."""
    number, power = (bits & 0x7FFFFF | 0x800000) * factor, 150 - (bits >> 23)
    whole, rest = number >> power, number & (1 << power) - 1
    half = 1 << power - 1
    return whole + (rest > half or rest == half and whole & 1)


def values_of(protocol, register, data):
    """What a reply's data say, as they were told: the values of the meter's points; None for another reply."""
    if protocol == "modbus":
        if register != 0x34 or len(data) != 44:
            return None
        # Power in W to 0.0001 kW, energy in kWh to 0.01.
        return (scaled(int.from_bytes(data[40:44], "big"), 100), scaled(int.from_bytes(data[0:4], "big"), 10))
    if protocol == "dlt645":
        return tuple(bcd(data[i : i + 4]) for i in range(0, 20, 4)) if register == TARIFFS else None
    return bcd(data[0:4]), bcd(data[5:9])


class Checked:
    """What is known of one meter: what it has said in this slot, and how its readings fit to that."""

    def __init__(self, rig, row, index):
        self.name = row["name"]
        self.protocol = row["protocol"]
        self.meter = rig.meters[index]
        self.said = []
        self.readings = self.good = self.wrong = 0
        rig.slaves[self.name].told = self.tell

    def tell(self, at_us, address, register, data):
        values = values_of(self.protocol, register, data)
        if values:
            self.said.append(values)

    def take(self, values):
        self.readings += 1
        self.good += None not in values
        for i, value in enumerate(values):
            if value is not None and all(value != said[i] for said in self.said):
                self.wrong += 1
                break
        self.said.clear()
        rig.readings.clear()


class Heard:
    """Stands for the line's watch list: compares each reply as it was heard with how it was sent."""

    def __init__(self, rig):
        self.frames = {protocol: [0, 0, 0] for protocol in PLACES}  # as sent; broken, and the sum fits; of these as asked for
        self.reply = b""
        self.protocol = None
        self.data = bytearray()
        self.of = {id(rig.slaves[each.name]): each.protocol for each in checked}
        rig.watches["A"].on_reply = self.replied

    def replied(self, slave, reply):
        self.reply = reply.lstrip(b"\xfe")
        self.protocol = self.of[id(slave)]

    def append(self, item):
        if item[1] == "heard":
            self.data.extend(item[2])
            return
        if self.protocol in PLACES:
            self.compare(*PLACES[self.protocol])
        self.protocol = None
        self.data = bytearray()

    def compare(self, length_at, data_at):
        counts = self.frames[self.protocol]
        for i in range(len(self.data) - length_at):
            if self.data[i] != 0x68:
                continue
            end = i + length_at + 3 + self.data[i + length_at]
            frame = bytes(self.data[i:end])
            if end <= len(self.data) and frame[-1] == 0x16 and sum(frame[:-2]) & 0xFF == frame[-2]:
                broken = frame != self.reply
                counts[0] += not broken
                counts[1] += broken
                counts[2] += broken and frame[:data_at] == self.reply[:data_at]
                return


if not READ_AGAIN:
    Line.is_noisy = property(lambda line: False)
rows = [dict(row, every_s=EVERY_S, retries=4, timeout_ms=200) for row in of_noise()]
# A transceiver that switches by itself: the end of a request is not what is measured here.
line = {"name": "A", "uart": 1, "tx": 17, "rx": 16}
rig = Rig([line], rows, seed=SEED, start_s=START_S - 5, noise={"inside": INSIDE, "before": STRAYS, "after": STRAYS})
checked = [Checked(rig, row, index) for index, row in enumerate(rows)]
rig.log.reading = lambda index, slot_s, at_s, quality, values, reading=rig.log.reading: (
    checked[index].take(values),
    reading(index, slot_s, at_s, quality, values),
)
heard = rig.lines[0].watch = Heard(rig)
rig.poll()
rig.run_until(START_S + SLOTS * EVERY_S - 1)
found = {}
for each in checked:
    counts = each.meter.counts
    row = found.setdefault(each.protocol, {})
    told = {"slots": SLOTS, "readings": each.readings, "good": each.good, "wrong": each.wrong}
    told["requests"] = counts[ledger.REQUESTS]
    told["failed"] = sum([counts[place] for place in FAILURES])
    for key in told:
        row[key] = row.get(key, 0) + told[key]
for protocol, (sent, fits, asked) in heard.frames.items():
    found[protocol].update({"as_sent": sent, "sum_fits": fits, "would_count": asked})
print(
    json.dumps({"protocols": found, "noise_bytes": rig.wires["A"].counts["noise_bytes"], "erases": rig.log.ring.blocks.erases})
)
