"""Other masters on the bench's line, each in a process of its own: python -m tests.bench.linepeers WHO TERMINAL BAUD N

Prints one line of JSON: the microseconds of each of N reads of 20 registers, back to back, from return to return.
"""

import asyncio
import json
import sys
import time

UNIT, COUNT = 1, 20
EXPECTED = [(register + 1) << 8 | 255 - register for register in range(COUNT)]


class _Times:
    """take(registers) after each read, as the master gave them."""

    def __init__(self):
        self._begun_ns = time.monotonic_ns()
        self.found_us = []

    def take(self, registers):
        now_ns = time.monotonic_ns()
        if list(registers) != EXPECTED:
            raise ValueError(registers)
        self.found_us.append((now_ns - self._begun_ns) // 1000)
        self._begun_ns = now_ns


def _minimalmodbus(terminal, baud, n):
    import minimalmodbus

    meter = minimalmodbus.Instrument(terminal, UNIT)
    meter.serial.baudrate = baud
    meter.serial.timeout = 0.5
    times = _Times()
    for _ in range(n):
        times.take(meter.read_registers(0, COUNT, 4))
    return times


def _pymodbus(terminal, baud, n):
    from pymodbus.client import ModbusSerialClient

    client = ModbusSerialClient(terminal, baudrate=baud, timeout=0.5)
    client.connect()
    times = _Times()
    for _ in range(n):
        times.take(client.read_input_registers(0, count=COUNT, device_id=UNIT).registers)
    client.close()
    return times


def _pymodbus_asyncio(terminal, baud, n):
    from pymodbus.client import AsyncModbusSerialClient

    async def run():
        client = AsyncModbusSerialClient(terminal, baudrate=baud, timeout=0.5)
        await client.connect()
        times = _Times()
        for _ in range(n):
            times.take((await client.read_input_registers(0, count=COUNT, device_id=UNIT)).registers)
        client.close()
        return times

    return asyncio.run(run())


PEERS = {"minimalmodbus": _minimalmodbus, "pymodbus": _pymodbus, "pymodbus asyncio": _pymodbus_asyncio}


if __name__ == "__main__":
    who, terminal, baud, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    # The first one finds a line that has long been silent, and makes what is made once.
    print(json.dumps(PEERS[who](terminal, baud, n + 1).found_us[1:]))
