"""What is counted under callgrind: micropython instructions.py ROOT decode|append N"""

import gc
import json
import struct
import sys

ROOT, WHAT, N = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path[:] = ["", ".frozen", ROOT, ROOT + "/lib"]

_BLOCK = 4096
_BLOCKS = 16
_METERS = 8
_SLOT_S = 900
_START_S = 1795276800  # 2026-11-21 16:00:00 UTC, a midnight in CST-8


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


def decode():
    """N replies of 20 registers, in one piece, each found and turned into 10 decimals."""
    from firmware.protocols import modbus

    frame = bytearray((1, modbus.INPUT, 40))
    for i in range(10):
        frame.extend(struct.pack(">f", 230.5 + 1234.567 * i))
    crc = modbus.crc16(frame, 0, len(frame))
    frame.extend(bytes((crc & 0xFF, crc >> 8)))
    reply = modbus.Reply()
    for _ in range(N):
        reply.start(1, modbus.INPUT, 20)
        data = reply.add(frame, len(frame))
        for offset in range(0, 40, 4):
            modbus.scaled_of_f32(modbus.bits_of(data, offset), 2)


def append():
    """N readings of two points, of 8 meters in turn."""
    from firmware.clock import Zone
    from firmware.protocols import record
    from firmware.store.log import Log
    from firmware.store.ring import Ring

    points = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
    names = [record.MeterNames("meter%d" % i, _SLOT_S, points) for i in range(_METERS)]
    log = Log(Ring(Memory(), lambda: _START_S), Zone("CST-8"), "00000000", names)
    log.open()
    log.ring.keep_consumers(["centre"])
    for i in range(N):
        slot, meter = divmod(i, _METERS)
        slot_s = _START_S + slot * _SLOT_S
        seq = log.reading(meter, slot_s, slot_s + 2 + meter, 0, [123456700 + slot * 25, 1000000 + slot * 7919 % 400000])
        if meter == _METERS - 1:
            log.ring.acknowledge("centre", seq)
            log.ring.prepare()


# As firmware/app.py has it: collections are part of what is counted.
gc.threshold(8192)
{"decode": decode, "append": append}[WHAT]()
print(json.dumps(N))
