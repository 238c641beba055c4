"""The bed: a virtual world with lines, meters, flash, network, scripted servers, and a board that is started in it.

Built from run.json's dict; plan.txt says what happens when. See tools/metergate/soak.py for both. MicroPython only.
"""

import sys

from tests.sim import world as worlds
from tests.sim.bedflash import BedFlash
from tests.sim.flash import Cut
from tests.sim.net import Net
from tests.sim.scripted import Broker, NameServer, TimeServer
from tests.sim.virtual.gc import _real as gc
from tests.sim.wire import Wire

_SECOND_US = 1000000
_DAY_US = 86400 * _SECOND_US
# From power to boot.py, on an ESP32.
_BOOT_US = 800000
# The heap is measured so often, off the grid of slots.
_HEAP_US = 1009 * _SECOND_US
# Of the region of daily summaries.
_DAYS_BLOCKS = 8
_QUIET_US = 20 * _SECOND_US
_NO_BYTES = 1 << 29


class Bed:
    """Bed(settings): settings as in run.json; run() lets everything happen and returns at the plan's end."""

    def __init__(self, settings):
        self.trace = worlds.Trace("trace.txt")
        self.world = worlds.make(settings["seed"], settings["start_s"], self.trace, settings["tick_us"])
        self._plan = open("plan.txt")
        self._heap = open("heap.txt", "w")
        self._day, self._least = 0, _NO_BYTES
        self._off_s = 0
        self.n_starts = 0
        self._build_ports(settings)
        self._build_lines(settings)
        self._build_network(settings)
        self._next()
        self.world.call_at(_HEAP_US, self._measure)

    def _build_ports(self, settings):
        import time

        import esp32
        import machine
        import network

        from tests.sim.virtual.sys import Sys

        self.machine, self.esp32, self.wlan, self.wall = machine, esp32, network.WLAN, time.wall
        self.wall.ppm = settings["ppm"]
        self.sys = sys.modules["sys"] = Sys()
        self.sys.stdout.said = self._said
        self.flash = BedFlash("ring.bin", settings["ring_blocks"], settings["seed"], self.world.spend)
        self.days = BedFlash("days.bin", _DAYS_BLOCKS, settings["seed"] + 1, self.world.spend)
        esp32.flashes.update({"ring": self.flash, "days": self.days})
        self.world.on_off += [self.flash.power_off, self.days.power_off]
        for forget in (network.WLAN.forget, machine.WDT.forget, self.sys.stdin.forget):
            self.world.on_off.append(forget)

    def _build_lines(self, settings):
        from tests.sim.meters import BedMeter

        self.wires = []
        self.meters = {}
        for number, line in enumerate(settings["lines"]):
            wire = Wire(settings["seed"] + number, noise=line.get("noise"))
            self.wires.append(wire)
            self.machine.wires[line["uart"]] = self.machine.pins[line["de"]] = wire
            # Without power, and in a reset, the pin's resistor pulls the driver off.
            self.world.on_off.append(lambda wire=wire: wire.drive(False, self.world.now_us))
        for number, section in enumerate(settings["meters"]):
            meter = BedMeter(self.world, self.wall, section, settings["seed"] * 97 + number)
            self.meters[section["name"]] = meter
            self.wires[section["line"]].attach(meter.slave)

    def _build_network(self, settings):
        import socket

        import tls

        self.tls = tls
        self.net = socket.net = Net(self.world)
        self.brokers = {}
        hosts = {}
        for number, section in enumerate(settings["brokers"]):
            broker = Broker(self.world, section["name"], settings["seed"] * 31 + number)
            broker.host = section["host"]
            self.brokers[section["name"]] = broker
            hosts[section["host"]] = section["address"]
            self.net.services[section["address"], 8883] = broker
        self.names = NameServer(self.world, hosts)
        self.clock = TimeServer(self.world)
        hosts["ntp.example.org"] = "10.0.0.3"
        self.net.name_server = "10.0.0.2"
        self.net.services["10.0.0.2", 53] = self.names
        self.net.services["10.0.0.3", 123] = self.clock

    # -- the board ------------------------------------------------------------------------------------------

    def run(self):
        """Start the board again and again until the plan ends."""
        _forget()
        cause = "power"
        while True:
            why = self._start(cause)
            if isinstance(why, worlds.End):
                break
            cause = why.args[0] if isinstance(why, worlds.Reset) else "power"
            off_s, self._off_s = (self._off_s, 0) if cause == "power" else (0, self._off_s)
            self.world.say("off %s %d" % (cause, off_s))
            _forget()
            self.world.rest()
            try:
                self.world.run_until(self.world.now_us + off_s * _SECOND_US)
            except worlds.End:
                break
        self._end()

    def _start(self, cause):
        """One start of the board; what ended it."""
        self.n_starts += 1
        self.flash.power_on()
        self.days.power_on()
        self.machine.started(cause)
        gc.collect()
        for number in range(len(self.wires)):
            self._count(number)
        self.world.say("start %d %s" % (self.n_starts, cause))
        self._heap.write("# start %d, heap used by the bed and what is left of others: %d\n" % (self.n_starts, gc.mem_alloc()))
        self.world.power_on()
        try:
            self.world.spend(_BOOT_US)
            try:
                __import__("boot")
                __import__("main")
                self.world.say("returned")
            except Exception as error:
                self.world.say("ended by %r" % error)
                self.sys.print_exception(error)
            # The firmware has come to an end: MicroPython's prompt, until the watchdog bites.
            self.world.run_until(worlds.FOREVER_US - 1)
        except (Cut, worlds.Reset, worlds.End) as why:
            return why

    def _end(self):
        for number in range(len(self.wires)):
            self._count(number)
        self._put_least()
        self.world.say("count flash erases %d" % sum(self.flash.erases))
        self.world.say("count flash programmed_bytes %d" % sum(self.flash.programmed_bytes))
        self.trace.close()
        self._heap.close()

    def _count(self, number):
        """A line of the trace with what the line has counted so far: faults begin and end here."""
        counts = self.wires[number].counts
        self.wires[number].run(self.world.now_us)
        self.world.say("line %d %s" % (number, " ".join("%s %d" % (name, counts[name]) for name in sorted(counts))))

    def _said(self, text):
        text = text.strip()
        # Neither the prompt nor the echo of what was typed.
        if len(text) > 1:
            self.world.say("console " + text)

    # -- the plan -------------------------------------------------------------------------------------------

    def _next(self):
        line = self._plan.readline()
        if line:
            words = line.split()
            self.world.call_at(int(words[0]), self._act, words[1:])

    def _act(self, words):
        self.world.say("plan " + " ".join(words))
        self._next()
        getattr(self, "_act_" + words[0])(*words[1:])

    def _act_broker(self, name, fault, param="0", *more):
        broker = self.brokers[name]
        self.tls.refused.pop(broker.host, None)
        if fault == "certificate":
            self.tls.refused[broker.host] = "The certificate is not correctly signed by the trusted CA\n"
        broker.set("" if fault == "-" else fault, int(param))

    def _act_cell(self, state):
        self.net.switch(state == "up")

    def _act_dns(self, fault):
        self.names.fault = "" if fault == "-" else fault

    def _act_ntp(self, fault, param="0"):
        self.clock.fault = "" if fault == "-" else fault
        self.clock.param = int(param)

    def _act_meter(self, name, fault):
        self._count(self.meters[name].line)
        self.meters[name].set("" if fault == "-" else fault)

    def _act_noise(self, number, *pairs):
        self._count(int(number))
        wire = self.wires[int(number)]
        wire._stray_us = None
        wire.noise = {pairs[i]: int(pairs[i + 1]) for i in range(0, len(pairs) - 1, 2)}
        self._hiss(wire)

    def _hiss(self, wire):
        """A line that is not read for long must not gather what it hissed meanwhile."""
        if wire.noise.get("idle"):
            wire.run(self.world.now_us)
            self.world.call_in(_SECOND_US, self._hiss, wire)

    def _act_type(self, *words):
        if self.world.is_on:
            self.sys.stdin.type(" ".join(words) + "\n")

    def _act_hang(self, for_s):
        """A port that does not come back for so long: the watchdog's business."""
        self.wlan.hang_us = int(for_s) * _SECOND_US

    def _act_cut(self, off_s):
        self._off_s = int(off_s)
        self.world.go_off(Cut())

    def _act_program(self, n_bytes, off_s):
        """The power goes after so many more programmed bytes, in the middle of one."""
        self._off_s = int(off_s)
        self.flash.cut_after = int(n_bytes)

    def _act_erase(self, how, off_s):
        """The power goes in the next erase, when that has come so far (BEGUN, HALF, NEARLY)."""
        self._off_s = int(off_s)
        self.flash.cut_at = int(how)
        self.flash.cut_in_erase = 0

    def _act_end(self):
        self.world.go_off(worlds.End())

    # -- the heap -------------------------------------------------------------------------------------------

    def _measure(self):
        """Measured only while every data centre is connected and has been silent: the same state each time.

        The least of a day counts, since the collector takes numbers for references now and then."""
        day = self.world.now_us // _DAY_US
        if day != self._day:
            self._put_least()
            self._day = day
        if all(broker.is_quiet(_QUIET_US) for broker in self.brokers.values()):
            gc.collect()
            self._least = min(self._least, gc.mem_alloc())
        self.world.call_in(_HEAP_US, self._measure)

    def _put_least(self):
        if self._least < _NO_BYTES:
            self._heap.write("%d %d %d\n" % (self._day, self.n_starts, self._least))
        self._least = _NO_BYTES


def _forget():
    """What is in RAM and dies with the power: the firmware's modules, and the loop.

    The two libraries keep no state, and stay: on 32 bits the stack is too short to compile them from so deep."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("boot", "main", "firmware", "asyncio"):
            # What old calls have left on the stack may still lead to a module: it leads no further.
            sys.modules[name].__dict__.clear()
            del sys.modules[name]
    gc.collect()
