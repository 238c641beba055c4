"""A simulated RS-485 line in real time: meters on a wire with true timing, behind a pseudo terminal.

The line file is JSON:
    {"settings": "9600 8N1",
     "meters": [{"unit": 1, "profile": "sdm630", "power_kw": 240.0, "energy_kwh": 1234.5},
                {"protocol": "dlt645", "number": "000000000161", "profile": "dlt645_3p", "power_kw": 60.0, "energy_kwh": 0,
                 "settings": "2400 8E1"}, ..]}
A meter: "protocol" modbus (the default), dlt645, dlt645-1997 or cjt188, with "unit" or "number", and one of the firmware's
profiles; "power_kw" swings by a fifth, and "energy_kwh" is where its register begins (a heat meter counts its kWh in its own
unit, and a m3 for every 23.26 of them; a water or gas meter that alone). And optionally:
    "settings"       its own, if they are not the line's. The gateway's settings are known only where driver-enable is
                     observed, see below: else the line takes them for its own, and such a meter understands nothing
    "served_by"      "pymodbus" (its RTU server, a counterpart that is not ours) or "exact" (answers after turnaround_us,
                     with registers that are an exact function of time); others than Modbus meters are always exact
    "turnaround_us", "faults"   of exact meters, as tests/sim/answering.py has them
    "variant"        of exact meters: what meter() of tests/sim/slave.py, slave645.py or slave188.py takes more, such as
                     {"units_first": true} or {"serial_number": "000000000162"}
For the whole line, optionally:
    "served_by"      of Modbus meters that say nothing else; default "pymodbus"
    "turnaround_us"  of exact meters, from the request's last byte to the reply's first; default 2000
    "noise", "echo", "seed"   as tests/sim/wire.py has them
    "drive"          true: driver-enable is observed; the second line printed is the fifo for the gateway's sim.json
                     (tests/sim/ports/machine.py), which also tells its settings. Default false: the transceiver switches
                     by itself
    "report"         a file that gets {"wire": counts, "meters": {unit or number: counts}} about once a second and at the end
    "told"           a file with a line `AT_US UNIT REGISTER HEX` for each reply an exact meter gave: its unit or number;
                     the first register, the data identifier, or 36895 (901F), in decimal; and what stood there
"""

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from firmware.forms import parse_settings
from firmware.meters.profiles import profile_of
from metergate.ptywire import HOLD_US, PtyWire, Station, now_us
from tests.sim.load import Load
from tests.sim.meters import slave_of
from tests.sim.slave import Registers
from tests.sim.wire import Wire


def _load(section):
    """(W, Wh) of a meter's section."""
    return round(section["power_kw"] * 1000), round(section["energy_kwh"] * 1000)


def served_meter(section):
    """The meter of a line file as pymodbus serves it: the same registers as an exact one, and no others."""
    registers = Registers(profile_of(section["profile"]), Load(*_load(section), now_us()))

    async def fill(function, start, address, count, found, _values):
        """Put the present values into the registers that are about to be read."""
        if function not in registers.by_function:
            return ExcCodes.ILLEGAL_FUNCTION
        at_us = now_us()
        values = [registers.by_function[function](i, at_us) for i in range(address, address + count)]
        if None in values:
            return ExcCodes.ILLEGAL_ADDRESS
        found[address - start : address - start + count] = values
        return None

    blocks = [SimData(address, count=1, values=0, datatype=DataType.REGISTERS) for address in sorted(registers.addresses)]
    return SimDevice(section["unit"], blocks, action=fill)


class Line:
    """What a line file says, built: wire (tests.sim.wire.Wire), front (PtyWire), meters {unit or number: simulated meter}
    that are exact, stations {settings: (Station, sections)} for pymodbus's servers.

    start(), then close(). told(at_us, unit or number, register, bytes) is called in the wire's thread."""

    def __init__(self, plan, told=None):
        self.settings = parse_settings(plan["settings"])
        seed = plan.get("seed", 1)
        drive = plan.get("drive", False)
        noise, echo = plan.get("noise"), plan.get("echo", False)
        self.wire = Wire(seed, echo, noise, observe_drive=drive, hold_us=HOLD_US if drive else 0)
        self.wire.set(self.settings)
        self.meters = {}
        self.stations = {}
        for section in plan["meters"]:
            if _is_exact(plan, section):
                meter = self._exact(plan, section, told, seed)
                self.meters[section.get("unit") or section["number"]] = meter
                self.wire.attach(meter)
            else:
                self._serve(plan, section)
        stations = [station for station, _ in self.stations.values()]
        self.front = PtyWire(self.wire, drive, stations)

    @staticmethod
    def _exact(plan, section, told, seed):
        section = {"settings": plan["settings"], **section}
        return slave_of(
            section,
            *_load(section),
            now_us(),
            turnaround_us=section.get("turnaround_us", plan.get("turnaround_us", 2000)),
            told=told,
            faults=section.get("faults"),
            seed=seed,
            **section.get("variant", {}),
        )

    def _serve(self, plan, section):
        """A server hears one kind of settings; it has all the meters with these."""
        settings = parse_settings(section.get("settings", plan["settings"]))
        if settings not in self.stations:
            self.stations[settings] = (Station(settings), [])
            self.wire.attach(self.stations[settings][0])
        self.stations[settings][1].append(section)

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
    if section.get("protocol", "modbus") != "modbus":
        return True
    return section.get("served_by", plan.get("served_by", "pymodbus")) == "exact"


def _server(settings, station, sections):
    """pymodbus's server at the far end of a station's terminal."""
    units = {section["unit"] for section in sections}
    return ModbusSerialServer(
        [served_meter(section) for section in sections],
        port=station.terminal,
        # The wire has the parity: a pseudo terminal has none, and refuses to be set to one.
        baudrate=settings[0],
        # A unit that is not on the line is silent, as on real ones; pymodbus would answer for it.
        trace_packet=lambda sending, packet: packet if not sending or packet[0] in units else b"",
    )


async def serve(plan):
    """Serve a line file's meters until SIGTERM or Ctrl-C; prints the gateway's end once it stands."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    told = open(plan["told"], "a", buffering=1) if "told" in plan else None
    say = lambda at_us, address, register, data: told.write(f"{at_us} {address} {register} {data.hex()}\n")  # noqa: E731
    line = Line(plan, say if told else None)
    servers = [
        asyncio.create_task(_server(settings, station, sections).serve_forever())
        for settings, (station, sections) in line.stations.items()
    ]
    line.start()
    print(line.front.terminal, flush=True)
    if line.front.fifo:
        print(line.front.fifo, flush=True)
    while not ended.is_set() and not line.front.error:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 1)
        if "report" in plan:
            _put(Path(plan["report"]), line.report())
        for server in servers:
            if server.done():
                server.result()
    for server in servers:
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
