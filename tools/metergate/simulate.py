"""A simulated RS-485 line: pymodbus's RTU server as the meters, behind pseudo terminals that take the wire's time."""

import asyncio
import json
import math
import os
import pty
import struct
import time
import tty
from functools import partial

from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from firmware.forms import parse_settings
from firmware.meters.profiles import PROFILES
from firmware.protocols.modbus import form_of


def load_of(meter, at_s):
    """Power in kW of a simulated load: a base and a swing with a period of two minutes."""
    return meter["power_kw"] * (1 + 0.2 * math.sin(at_s / 19))


class Meter:
    """One meter of a line file: {"unit", "profile", "power_kw", "energy_kwh"}; its register grows with its load."""

    def __init__(self, section):
        self.section = section
        self.rows = PROFILES[section["profile"]][5]
        self._energy = section["energy_kwh"]
        self._at_s = time.monotonic()

    def value(self, name):
        """The quantity called name, in the point's unit, now."""
        now = time.monotonic()
        power = load_of(self.section, now)
        self._energy += power * (now - self._at_s) / 3600
        self._at_s = now
        phase = 3 if name[-3:] in ("_l1", "_l2", "_l3") and "voltage_l3" in {row[0] for row in self.rows} else 1
        if name.startswith("power_factor"):
            return 0.95
        for start, value in (
            ("voltage", 230.2),
            ("current", power * 1000 / 230.2 / 3),
            ("power", power / phase),
            ("apparent", power / 0.95),
            ("reactive", power * 0.33),
            ("frequency", 50.01),
            ("energy_export", 0.0),
            ("energy", self._energy),
        ):
            if name.startswith(start):
                return value
        raise ValueError(name)

    def device(self):
        """The meter as pymodbus serves it: registers that no manual lists are refused."""
        blocks = [SimData(row[1], count=2, values=0, datatype=DataType.REGISTERS) for row in self.rows]
        return SimDevice(self.section["unit"], blocks, action=self._fill)

    async def _fill(self, _function, start, address, count, registers, values):
        """Put the present values into the registers that are about to be read."""
        for name, first, form, *_ in self.rows:
            if address <= first < address + count:
                number = self.value(name) * 10 ** form_of(form)[1]
                registers[first - start : first - start + 2] = struct.unpack(">HH", struct.pack(">f", number))


class Line:
    """The wire: two pseudo terminals, and bytes that take their time from one to the other."""

    def __init__(self, settings):
        baud, bits, parity, stop = parse_settings(settings)
        self._char_s = (1 + bits + (parity is not None) + stop) / baud
        self._ends = []
        for _ in range(2):
            master, slave = pty.openpty()
            tty.setraw(slave)
            # The slave stays open here: a gateway that is killed must not hang up the line.
            self._ends.append((master, slave))

    @property
    def gateway_end(self):
        return os.ttyname(self._ends[0][1])

    @property
    def meters_end(self):
        return os.ttyname(self._ends[1][1])

    def start(self):
        loop = asyncio.get_running_loop()
        for here, there in ((0, 1), (1, 0)):
            queue = asyncio.Queue()
            master = self._ends[here][0]
            loop.add_reader(master, partial(self._take, master, queue))
            self._tasks = [*getattr(self, "_tasks", []), asyncio.create_task(self._carry(queue, self._ends[there][0]))]

    @staticmethod
    def _take(master, queue):
        queue.put_nowait(os.read(master, 4096))

    async def _carry(self, queue, master):
        while True:
            data = await queue.get()
            await asyncio.sleep(len(data) * self._char_s)
            os.write(master, data)


async def serve(plan):
    """Serve a line file's meters for ever; prints the gateway's end once it stands."""
    line = Line(plan["settings"])
    line.start()
    baud, _, parity, stop = parse_settings(plan["settings"])
    units = {section["unit"] for section in plan["meters"]}
    server = ModbusSerialServer(
        [Meter(section).device() for section in plan["meters"]],
        port=line.meters_end,
        baudrate=baud,
        parity="N" if parity is None else "EO"[parity],
        stopbits=stop,
        # A unit that is not on the line is silent, as on real ones; pymodbus would answer for it.
        trace_packet=lambda sending, packet: packet if not sending or packet[0] in units else b"",
    )
    print(line.gateway_end, flush=True)
    await server.serve_forever()


def main(path):
    """Read a line file and serve it until killed."""
    with open(path) as file:
        plan = json.load(file)
    asyncio.run(serve(plan))
