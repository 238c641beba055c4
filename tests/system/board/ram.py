"""What a gateway's start leaves in the heap: micropython ram.py ROOT, in a folder with config.json. By test_ram.py.

Does what firmware/app.py does, up to the gateway itself, with ports that do nothing, and reads each Modbus meter once.
Prints one line of JSON: used, the bytes in use after a collection; modules, the names of ours that are loaded.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import asyncio
import gc
import json
import sys

ROOT = sys.argv[1]
sys.path[:] = [".frozen", ROOT, ROOT + "/lib"]

from firmware import app
from firmware.unload import START_ONLY, unload


class _Uart:
    """What a line asks of its port at the start."""

    def init(self, **settings):
        pass


class _Board:
    """What app._equipment asks a board for."""

    def line_ports(self, section):
        return _Uart(), None


async def _exchange(settings, request, n, reply, timeout_ms, counts, expect_ms):
    """Stands for Line.exchange: registers that are all 1."""
    from firmware.protocols.crc import crc16

    reply.expect(request)
    registers = request[4] << 8 | request[5]
    frame = bytes((request[0], request[1], 2 * registers)) + b"\x00\x01" * registers
    crc = crc16(frame, 0, len(frame))
    return reply.add(frame + bytes((crc & 0xFF, crc >> 8)), len(frame) + 2)


def main():
    lines, meters = app._equipment(_Board(), app._load())
    unload(*START_ONLY)
    from firmware.gateway import Gateway

    for line in lines:
        line.exchange = _exchange
    for meter in meters:
        if meter.section.protocol == "modbus":
            asyncio.run(meter.read())
    gc.collect()
    used = gc.mem_alloc()
    names = sorted(name for name in sys.modules if name.startswith("firmware"))
    print(json.dumps({"used": used, "modules": names, "meters": len(meters), "gateway": Gateway.__name__}))


main()
