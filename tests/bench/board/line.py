"""Times of exchanges on a line: micropython line.py ROOT metergate|umodbus BAUD N, in a folder with sim.json.

Prints one line of JSON: the microseconds of each of N reads of 20 registers, back to back, from return to return.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import json
import sys
import time

ROOT, WHO, BAUD, N = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path[:] = ["", ROOT + "/tests/sim/ports", ".frozen", ROOT, ROOT + "/lib"]

import machine

from tests.sim.umodbusport import Uart

UNIT = 1
COUNT = 20
EXPECTED = bytes(byte for register in range(COUNT) for byte in (register + 1, 255 - register))


def metergate():
    import asyncio

    from firmware.bus.line import Line
    from firmware.protocols import modbus

    settings = (BAUD, 8, None, 1)
    request = bytearray(modbus.REQUEST_BYTES)
    modbus.put_read(request, UNIT, modbus.INPUT, 0, COUNT)
    reply = modbus.Reply()
    line = Line("A", machine.UART(1, rxbuf=512))

    async def run():
        times = []
        begun_us = time.ticks_us()
        for _ in range(N + 1):
            found = await line.exchange(settings, request, len(request), reply, 500)
            now_us = time.ticks_us()
            if bytes(found) != EXPECTED:
                raise ValueError(bytes(found))
            times.append(time.ticks_diff(now_us, begun_us))
            begun_us = now_us
        return times

    return asyncio.run(run())


def umodbus():
    machine.UART = Uart
    from umodbus.serial import Serial

    master = Serial(uart_id=1, baudrate=BAUD, pins=(17, 16))
    expected = tuple(EXPECTED[i] << 8 | EXPECTED[i + 1] for i in range(0, 2 * COUNT, 2))
    times = []
    begun_us = time.ticks_us()
    for _ in range(N + 1):
        found = master.read_input_registers(UNIT, 0, COUNT, False)
        now_us = time.ticks_us()
        if tuple(found) != expected:
            raise ValueError(found)
        times.append(time.ticks_diff(now_us, begun_us))
        begun_us = now_us
    return times


# The first one finds a line that has long been silent, and makes what is made once.
print(json.dumps((metergate if WHO == "metergate" else umodbus)()[1:]))
