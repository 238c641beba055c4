"""What is counted under callgrind: micropython instructions.py ROOT decode.PROTOCOL|append|read N MOST -> N. MOST: the N of the
larger run, so that both store as many to be read.

And heap N N -> [bytes of heap that N readings take in the ring, and the one behind them that opens a block]."""

import gc
import json
import struct
import sys

ROOT, WHAT, N, MOST = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path[:] = ["", ".frozen", ROOT, ROOT + "/lib"]

_BLOCK = 4096
_BLOCKS = 16
_METERS = 8
_SLOT_S = 900
_START_S = 1795276800  # 2026-11-21 16:00:00 UTC, a midnight in CST-8

_PHASES = ("voltage_l1", "voltage_l2", "voltage_l3", "current_l1", "current_l2", "current_l3")
_POWERS = ("power", "power_l1", "power_l2", "power_l3")
_TARIFFS = ("energy_import", "energy_import_t1", "energy_import_t2", "energy_import_t3", "energy_import_t4")
_COOLING = (
    "cooling_gj",
    "heat_gj",
    "heat_power",
    "flow",
    "volume",
    "temperature_supply",
    "temperature_return",
    "working_hours",
)
# Protocol: the meter, and what stands before and in its reply; those that begin with 68 are recorded.
_DECODED = {
    "modbus": ({"unit": 1, "profile": "dtsu666", "points": _PHASES + _POWERS}, ""),
    "dlt645": (
        {"number": "005223440001", "profile": "dlt645_3p", "points": _TARIFFS},
        "FEFEFEFE 680100442352006891183332343 3BC363333 33333333 33333333 BC363333 33333333 1316",
    ),
    "cjt188": (
        {"number": "00312718241912", "profile": "cooling", "points": _COOLING},
        "FEFEFEFE6825121924182731 00812E1F90 031174020005 8827440505 0000000017 0000000035 085671002C 792600 642600 664707"
        "11521703092520 0005 2A16",
    ),
}


class Memory:
    """A block device that takes next to no instructions: what is counted is the ring, not the flash."""

    def __init__(self):
        self._blocks = [bytearray(b"\xff" * _BLOCK) for _ in range(_BLOCKS)]

    def readblocks(self, block, buf, offset=0):
        buf[:] = memoryview(self._blocks[block])[offset : offset + len(buf)]

    def writeblocks(self, block, buf, offset):
        self._blocks[block][offset : offset + len(buf)] = buf

    def ioctl(self, operation, argument):
        if operation == 6:
            self._blocks[argument][:] = b"\xff" * _BLOCK
        return {4: _BLOCKS, 5: _BLOCK}.get(operation, 0)


class Unallocating(Memory):
    """The same byte by byte: what takes heap is the ring, not the flash."""

    def readblocks(self, block, buf, offset=0):
        held = self._blocks[block]
        for i in range(len(buf)):
            buf[i] = held[offset + i]

    def writeblocks(self, block, buf, offset):
        held = self._blocks[block]
        for i in range(len(buf)):
            held[offset + i] = buf[i]


def decode(protocol):
    """N replies in one piece, each found and turned into values as firmware/meters/meter.py does it."""
    from firmware.meters import equip
    from firmware.unload import START_ONLY, unload

    meter, frame = _DECODED[protocol]
    asking = equip.asking_of(protocol)
    block = equip.meter_of(_section(protocol, meter), None, asking).blocks[0]
    del equip
    unload(*START_ONLY)
    frame = bytes.fromhex(frame.replace(" ", "")) or _registers()
    values, steps = [None] * len(block.members), [1] * len(block.members)
    for _ in range(N):
        asking.reply.expect(block.request)
        asking.put_values(block, asking.reply.add(frame, len(frame)), values, steps)
    if None in values:
        raise ValueError(values)


def _registers():
    """A Modbus reply of 10 f32."""
    from firmware.protocols import modbus
    from firmware.protocols.crc import crc16

    frame = bytearray((1, modbus.HOLDING, 40))
    for i in range(10):
        frame.extend(struct.pack(">f", 230.5 + 1234.567 * i))
    crc = crc16(frame, 0, len(frame))
    return bytes(frame) + bytes((crc & 0xFF, crc >> 8))


def _section(protocol, meter):
    from firmware.config import parse

    meter = dict(meter, name="main", line="A", protocol=protocol, points=list(meter["points"]))
    lines = [{"name": "A", "uart": 1, "tx": 17, "rx": 16}]
    return parse({"gateway": {"id": "gw-bench", "zone": "UTC0"}, "lines": lines, "meters": [meter]}).meters[0]


def _log(device):
    """A log of 8 meters with two points that has started."""
    from firmware.clock import Zone
    from firmware.protocols import record
    from firmware.store.log import Log
    from firmware.store.ring import Ring

    points = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
    names = [record.MeterNames("meter%d" % i, _SLOT_S, points) for i in range(_METERS)]
    log = Log(Ring(device, lambda: _START_S), Zone("CST-8"), "00000000", names)
    log.open()
    log.ring.keep_consumers(["centre"])
    return log


def _append(log, n):
    """n readings of the meters in turn."""
    for i in range(n):
        slot, meter = divmod(i, _METERS)
        slot_s = _START_S + slot * _SLOT_S
        seq = log.reading(meter, slot_s, slot_s + 2 + meter, 0, [123456700 + slot * 25, 1000000 + slot * 7919 % 400000])
        if meter == _METERS - 1:
            log.ring.acknowledge("centre", seq)
            log.ring.prepare()


def read():
    """N of the MOST readings that the ring holds, all of which are stored first."""
    log = _log(Memory())
    _append(log, MOST)
    n, reader = 0, log.ring.reader(1)
    while n < N:
        _, seq, found = next(reader)
        n += seq > 0 and found is not None


def heap():
    """(bytes of heap taken by N readings, by the one behind them that opens a block), with the collector off."""
    from firmware.protocols import record

    log = _log(Unallocating())
    # What is made once is made.
    _append(log, _METERS)
    ring, values = log.ring, [123456700, 1000000]
    slot = _START_S + _SLOT_S - record.EPOCH_S
    gc.collect()
    gc.disable()
    taken, i = 0, 0
    while True:
        # The log's number of the newest block tells whether this one opens another.
        before, generation = gc.mem_alloc(), ring.generation
        ring.reading(i % _METERS, slot + i // _METERS * _SLOT_S, 2 + i % _METERS, 0, values)
        more = gc.mem_alloc() - before
        if i < N:
            taken += more
        elif ring.generation != generation:
            return taken, more
        values[0] += 3
        values[1] += 7919 if i % 3 else -15838
        i += 1


# As firmware/app.py has it: collections are part of what is counted.
gc.threshold(2048)
if WHAT == "append":
    _append(_log(Memory()), N)
elif WHAT == "read":
    read()
elif WHAT != "heap":
    decode(WHAT.split(".")[1])
print(json.dumps(heap() if WHAT == "heap" else N))
