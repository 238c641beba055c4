"""A simulated RS-485 line in real time: meters on a wire with true timing, behind a pseudo terminal or a serial port.

tools/metergate/linefile.py says what a line file may hold.
"""

import asyncio
import calendar
import contextlib
import json
import logging
import os
import signal
import time
from pathlib import Path

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from firmware.errors import ConfigError
from firmware.meters.profiles import profile_of
from firmware.texts import settings_text
from metergate import linefile, simfaults
from metergate.ptywire import HOLD_US, PtyWire, Station, now_us
from metergate.simmeter import exact_meter, load_of, span_us, text_of
from tests.sim.chars import ANY
from tests.sim.slave import Registers, framed
from tests.sim.wire import Wire

_BY_TERMINAL = (
    "\na pseudo terminal keeps a baud rate and no parity: say the meter's baud rate and no parity, and it hears you in its own"
)

EXAMPLE = """{
 "settings": "9600 8N1",
 "served_by": "exact",
 "turnaround_us": 20000,
 "meters": [
  {"unit": 1, "profile": "sdm630", "load": "factory", "power_kw": 60, "energy_kwh": 81234.5},
  {"unit": 2, "profile": "sdm120", "settings": "2400 8N1", "load": "house", "power_kw": 0.6, "solar_kw": 5},
  {"unit": 3, "profile": "dtsu666", "power_kw": 12, "faults": {"silent": 20000, "garbage": 1000, "reversed_ct": 2}},
  {"protocol": "dlt645", "number": "202511220161", "profile": "dlt645_3p", "settings": "2400 8E1", "load": "shop",
   "power_kw": 20, "energy_kwh": 5000, "variant": {"password": "02123456"}, "faults": {"clock_offset": -90}},
  {"protocol": "cjt188", "number": "01501700000907", "profile": "water", "settings": "2400 8E1", "load": "water",
   "flow_m3_h": 0.4, "volume_m3": 812.5, "faults": {"late": [10000, 900000]}}
 ],
 "noise": {"idle": 50, "inside": 20},
 "seed": 7,
 "clock": "now"
}"""


def served_meter(section, begin_us=None, clock_s=None, seed=1):
    """The meter of a line file as pymodbus serves it: the same registers as an exact one, and no others."""
    load = load_of(section, now_us() if begin_us is None else begin_us, clock_s, seed)
    registers = Registers(profile_of(section["profile"]), load)

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
    that are exact, stations {settings: (Station, sections)} for pymodbus's servers. plan: the file's dict; ConfigError.

    start(), then close(). told(at_us, unit or number, register, bytes) is called in the wire's thread. begin_us: when it
    begins, by default now; clock_s: what the meters' clocks show then where the file says nothing."""

    def __init__(self, plan, told=None, clock_s=None, begin_us=None):
        self.plan = plan = linefile.checked(plan)
        self.settings = plan["settings"]
        self.begin_us = now_us() if begin_us is None else begin_us
        self.clock_s = clock_s if plan["clock"] is None else plan["clock"]
        drive, port, seed = plan["drive"], plan["port"], plan["seed"]
        hold_us = HOLD_US if drive else 0
        self.wire = Wire(seed, plan["echo"], plan["noise"], observe_drive=drive, hold_us=hold_us, by_start=bool(port))
        self.wire.set(self.settings)
        if plan["shorted"]:
            self.wire.talk(None, *span_us(self.begin_us, plan["shorted"]))
        self.meters = {}
        self.stations = {}
        for section in plan["meters"]:
            if section["exact"]:
                meter = exact_meter(section, self.begin_us, self.clock_s, told, seed, self.wire)
                self.meters[section["address"]] = meter
                self.wire.attach(meter)
            else:
                self._serve(section)
        stations = [station for station, _ in self.stations.values()]
        self.front = PtyWire(self.wire, drive, stations, port, None if drive or port else self.settings_at)

    def _serve(self, section):
        """A server hears one kind of settings; it has all the meters with these."""
        settings = section["settings"]
        if settings not in self.stations:
            # pymodbus's server keeps what was garbled, and does not understand what comes after the silence.
            self.stations[settings] = (Station(settings, lambda data: framed(data[:-2]) == data), [])
            self.wire.attach(self.stations[settings][0])
        self.stations[settings][1].append(section)

    def settings_at(self, baud=None):
        """The settings of a master whose terminal is set to a baud rate; None: to nothing, which is the line's.

        A terminal has no parity: it is that of the meters with this baud rate; where they differ each takes it for its own."""
        baud = baud or self.settings[0]
        found = [section["settings"] for section in self.plan["meters"] if section["settings"][0] == baud]
        if not found:
            return self.settings if baud == self.settings[0] else (baud, 8, None, 1)
        if all(settings[:3] == found[0][:3] for settings in found):
            return found[0]
        return (baud, found[0][1], ANY, found[0][3])

    def uart(self, pin):
        """What the gateway's sim.json says of its UART; pin: its driver-enable pin."""
        if not self.front.fifo:
            return self.front.terminal
        return {"terminal": self.front.terminal, "drive": {"pin": pin, "fifo": self.front.fifo}}

    def report(self):
        """The counts so far."""
        return {"wire": self.wire.counts, "meters": {str(unit): slave.counts for unit, slave in self.meters.items()}}

    def text(self):
        """What a person should know of it."""
        plan = self.plan
        where = " on a serial port" if plan["port"] else _BY_TERMINAL if not plan["drive"] else ", driver-enable observed"
        rows = [f"{settings_text(self.settings)}, seed {plan['seed']}{where}"]
        rows += [text_of(section, settings_text(section["settings"])) for section in plan["meters"]]
        faults = [name for name in simfaults.OF_LINE if plan[name]]
        if faults:
            rows.append("the line's faults: " + ", ".join(faults))
        return "\n".join([*rows, "Ctrl-C ends it"])

    def servers(self):
        """pymodbus's servers, one for each kind of settings."""
        return [_server(self, *found) for found in self.stations.items()]

    def start(self):
        self.front.start()
        return self

    def close(self):
        self.front.close()


def _server(line, settings, found):
    """pymodbus's server at the far end of a station's terminal."""
    station, sections = found
    units = {section["unit"] for section in sections}
    return ModbusSerialServer(
        [served_meter(section, line.begin_us, line.clock_s, line.plan["seed"]) for section in sections],
        port=station.terminal,
        # The wire has the parity: a pseudo terminal has none, and refuses to be set to one.
        baudrate=settings[0],
        # A unit that is not on the line is silent, as on real ones; pymodbus would answer for it.
        trace_packet=lambda sending, packet: packet if not sending or packet[0] in units else b"",
    )


async def serve(plan):
    """Serve a line file's meters until SIGTERM or Ctrl-C; prints the gateway's end once it stands, then the meters."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    # A garbled request that comes through as one to a unit that is not there would be told with a traceback.
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        line = Line(plan, _teller(plan, stack), calendar.timegm(time.localtime()))
        stack.callback(line.close)
        servers = [asyncio.create_task(server.serve_forever()) for server in line.servers()]
        line.start()
        print(line.front.terminal, flush=True)
        if line.front.fifo:
            print(line.front.fifo, flush=True)
        print(line.text(), flush=True)
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


def _teller(plan, stack):
    """told() of the file that the plan names, or None."""
    linefile.checked(plan)
    if "told" not in plan:
        return None
    file = stack.enter_context(_opened("told", plan["told"]))
    return lambda at_us, address, register, data: file.write(f"{at_us} {address} {register} {data.hex()}\n")


def _opened(key, path):
    try:
        return open(path, "a", buffering=1)
    except OSError as error:
        raise ConfigError(key, f"{path} cannot be written: {error.strerror}") from None


def _put(path, report):
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(report))
        os.replace(part, path)
    except OSError as error:
        raise ConfigError("report", f"{path} cannot be written: {error.strerror}") from None


def main(arguments):
    """Print what was asked for, or read a line file and serve it until ended."""
    asked = {"faults": simfaults.text, "example": lambda: EXAMPLE, "keys": lambda: linefile.__doc__.strip()}
    shown = [text() for name, text in asked.items() if getattr(arguments, name)]
    if shown:
        print("\n\n".join(shown))
        return
    if arguments.file is None:
        raise ConfigError("FILE", "is missing; `metergate simulate --example` prints one")
    plan = linefile.load(arguments.file)
    if arguments.port and isinstance(plan, dict):
        plan["port"] = arguments.port
    asyncio.run(serve(plan))
