"""A simulated RS-485 line in real time: meters on a wire with true timing, behind a pseudo terminal.

The line file is JSON:
    {"settings": "9600 8N1",
     "meters": [{"unit": 1, "profile": "sdm630", "power_kw": 240.0, "energy_kwh": 1234.5}, ..]}
and optionally, for the whole line:
    "served_by"      "pymodbus" (its RTU server, a counterpart that is not ours) or "exact" (answers after turnaround_us,
                     with registers that are an exact function of time); default "pymodbus"
    "turnaround_us"  of exact meters, from the request's last byte to the reply's first; default 2000
    "noise", "echo", "seed"   as tests/sim/wire.py has them
    "drive"          true: driver-enable is observed; the second line printed is the fifo for the gateway's sim.json
                     (tests/sim/ports/machine.py). Default false: the transceiver switches by itself
    "report"         a file that gets {"wire": counts, "meters": {unit: counts}} about once a second and at the end
    "told"           a file with a line `AT_US UNIT REGISTER HEX` for each reply an exact meter gave
and for a meter, beside served_by and turnaround_us: "settings", "faults" as tests/sim/slave.py has them (exact meters).
"""

import asyncio
import contextlib
import json
import math
import os
import signal
import struct
import time
from pathlib import Path

from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from firmware.forms import parse_settings
from firmware.meters.profiles import PROFILES
from firmware.protocols.modbus import form_of
from metergate.ptywire import HOLD_US, PtyWire, Station, now_us
from tests.sim import slave as slaves
from tests.sim.wire import Wire


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
    """What a line file says, built: wire (tests.sim.wire.Wire), front (PtyWire), meters {unit: Slave} that are exact.

    start(), then close(). told(at_us, unit, first register, bytes) is called in the wire's thread."""

    def __init__(self, plan, told=None):
        self.settings = parse_settings(plan["settings"])
        seed = plan.get("seed", 1)
        drive = plan.get("drive", False)
        noise, echo = plan.get("noise"), plan.get("echo", False)
        self.wire = Wire(seed, echo, noise, observe_drive=drive, hold_us=HOLD_US if drive else 0)
        self.wire.set(self.settings)
        self.meters = {}
        self.served = [section for section in plan["meters"] if not _is_exact(plan, section)]
        self.station = Station(self.settings) if self.served else None
        if self.station:
            self.wire.attach(self.station)
        from_us = now_us()
        for section in plan["meters"]:
            if _is_exact(plan, section):
                self.meters[section["unit"]] = slave = slaves.meter(
                    section["unit"],
                    section["profile"],
                    round(section["power_kw"] * 1000),
                    round(section["energy_kwh"] * 1000),
                    section.get("settings", plan["settings"]),
                    from_us,
                    turnaround_us=section.get("turnaround_us", plan.get("turnaround_us", 2000)),
                    told=told,
                    faults=section.get("faults"),
                    seed=seed,
                )
                self.wire.attach(slave)
        self.front = PtyWire(self.wire, drive, [self.station] if self.station else [])

    def uart(self, pin):
        """What the gateway's sim.json says of its UART; pin: its driver-enable pin."""
        if not self.front.fifo:
            return self.front.terminal
        return {"terminal": self.front.terminal, "drive": {"pin": pin, "fifo": self.front.fifo}}

    def report(self):
        """The counts so far."""
        return {"wire": self.wire.counts, "meters": {str(unit): slave.counts for unit, slave in self.meters.items()}}

    def start(self):
        self.front.start()
        return self

    def close(self):
        self.front.close()


def _is_exact(plan, section):
    return section.get("served_by", plan.get("served_by", "pymodbus")) == "exact"


def _server(line):
    """pymodbus's server at the far end of the station's terminal."""
    baud, _, parity, stop = line.settings
    units = {section["unit"] for section in line.served}
    return ModbusSerialServer(
        [Meter(section).device() for section in line.served],
        port=line.station.terminal,
        baudrate=baud,
        parity="N" if parity is None else "EO"[parity],
        stopbits=stop,
        # A unit that is not on the line is silent, as on real ones; pymodbus would answer for it.
        trace_packet=lambda sending, packet: packet if not sending or packet[0] in units else b"",
    )


async def serve(plan):
    """Serve a line file's meters until SIGTERM or Ctrl-C; prints the gateway's end once it stands."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    told = open(plan["told"], "a", buffering=1) if "told" in plan else None
    say = lambda at_us, unit, first, data: told.write(f"{at_us} {unit} {first} {data.hex()}\n")  # noqa: E731
    line = Line(plan, say if told else None)
    server = asyncio.create_task(_server(line).serve_forever()) if line.served else None
    line.start()
    print(line.front.terminal, flush=True)
    if line.front.fifo:
        print(line.front.fifo, flush=True)
    while not ended.is_set() and not line.front.error:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 1)
        if "report" in plan:
            _put(Path(plan["report"]), line.report())
        if server and server.done():
            server.result()
    if server:
        server.cancel()
    line.close()


def _put(path, report):
    part = path.with_suffix(".part")
    part.write_text(json.dumps(report))
    os.replace(part, path)


def main(path):
    """Read a line file and serve it until ended."""
    with open(path) as file:
        plan = json.load(file)
    asyncio.run(serve(plan))
