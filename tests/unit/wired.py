"""A Line on a simulated wire with simulated meters, in virtual time, and the console's commands on it."""

import asyncio

from memory import Section
from ticking import STEP_US, Clock

from firmware.bus import line as line_module
from firmware.bus.line import Line
from firmware.clock import Zone
from firmware.console import onsite
from firmware.meters import scan as scanning
from tests.sim.wire import Wire


class _Uart:
    """A machine.UART on a Wire."""

    def __init__(self, clock, wire):
        self._clock = clock
        self._wire = wire
        self.refuses = ()

    def init(self, baudrate, bits, parity, stop):
        if baudrate in self.refuses:
            raise ValueError("baudrate")
        self._wire.set((baudrate, bits, parity, stop), self._clock.us)

    def any(self):
        self._clock.us += STEP_US
        return self._wire.any(self._clock.us)

    def readinto(self, buf, n):
        data = self._wire.read(self._clock.us, n)
        buf[: len(data)] = data
        return len(data)

    def write(self, data):
        self._wire.write(bytes(data), self._clock.us)
        return len(data)

    def txdone(self):
        self._clock.us += STEP_US
        return self._wire.sent_us() <= self._clock.us


class Site:
    """Site(slaves, meters): a gateway as the console's commands see it, with one line, A.

    meters: keys of sections of the configuration, with settings. said: [(when in s, line), ..]; asked: {settings: 256
    bytes, 1 for each unit that was asked by 8 bytes}; functions: those that were asked; last: the newest request; told:
    events."""

    def __init__(self, slaves=(), meters=(), tick_us=1000, **wire):
        self.clock = Clock(tick_us)
        self.wire = Wire(**wire)
        for slave in slaves:
            self.wire.attach(slave)
        self.asked = {}
        self.functions = set()
        self.last = None
        self._write, self.wire.write = self.wire.write, self._sent
        self.uart = _Uart(self.clock, self.wire)
        self.line = self._patched(lambda: Line("A", self.uart, self._drive))
        self.lines = [self.line]
        self.meters = [_Meter(self.line, keys) for keys in meters]
        self.config = Section(gateway=Section(zone=Zone("CST-8")), lines=[Section(name="A", wake_bytes=0)])
        self.said = []
        self.told = []
        self.tell = self.told.append

    def _drive(self, on):
        self.wire.drive(on, self.clock.us)

    def _sent(self, data, now_us):
        self.last = data
        units = self.asked.setdefault(self.wire.settings, bytearray(256))
        if len(data) == 8:
            units[data[0]] = 1
        # Behind a preamble of 4 bytes: DL/T 645 has a second 68H.
        self.functions.add(data[1] if data[0] != 0xFE else data[12] if data[11] == 0x68 else data[13])
        self._write(data, now_us)

    async def say(self, text):
        self.said.append((self.clock.us / 1000000, text))
        await asyncio.sleep(0)

    def text(self):
        return "\n".join([text for _, text in self.said])

    def run(self, coroutine):
        """What the coroutine gives, in virtual time."""
        return self._patched(lambda: asyncio.run(coroutine))

    def _patched(self, function):
        modules = [(line_module, "time"), (line_module, "asyncio"), (scanning, "time"), (onsite, "time")]
        real = [getattr(module, name) for module, name in modules]
        for module, name in modules:
            setattr(module, name, self.clock)
        try:
            return function()
        finally:
            for (module, name), before in zip(modules, real):
                setattr(module, name, before)


class _Meter:
    def __init__(self, line, keys):
        from firmware.texts import parse_settings

        self.line = line
        self.settings = parse_settings(keys["settings"])
        found = {"line": "A", "unit": 0, "number": "", "protocol": "modbus"}
        found.update(keys)
        self.section = Section(**found)
        self.name = found["name"]
