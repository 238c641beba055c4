"""Lines of an ESP32 with simulated meters, in virtual time, and the firmware's own parts that poll them. MicroPython only.

Imported before anything of the firmware, by scripts whose path begins with tests/sim/virtual and a folder with
MicroPython's own asyncio/: it puts the virtual ports in the real ones' places.
"""

import sys


class _Nothing:
    """Stands for the C module _asyncio, which reads the real clock: without TaskQueue, asyncio takes its own in Python."""


sys.modules["_asyncio"] = _Nothing()
for _name in ("time", "os", "select", "socket", "tls", "gc"):
    # Some ports look at their own modules before the path.
    sys.modules[_name] = getattr(__import__("tests.sim.virtual." + _name).sim.virtual, _name)

import asyncio  # noqa: E402
import time  # noqa: E402

import esp32  # noqa: E402
import machine  # noqa: E402

from firmware import board, clock, config, plan  # noqa: E402
from firmware.app import _equipment as equipment  # noqa: E402
from firmware.meters.poll import Poll  # noqa: E402
from firmware.meters.quiet import Quiet  # noqa: E402
from firmware.store.log import Log  # noqa: E402
from firmware.store.ring import Ring  # noqa: E402
from tests.bench.board.watched import Watch  # noqa: E402
from tests.sim import world as worlds  # noqa: E402
from tests.sim.flash import NorFlash  # noqa: E402
from tests.sim.meters import slave_of  # noqa: E402
from tests.sim.wire import Wire  # noqa: E402

_ESP32_EPOCH_S = 946684800
_RING_BLOCKS = 16
# As firmware/gateway.py has them.
ERASE_MS, ERASE_WAIT_MS = 100, 5000


class Rig:
    """Rig(lines, meters, seed, start_s, noise): sections as in config.json; a meter's section may have `sim`, what its
    simulated meter takes beside. noise: of the lines' wires.

    wires, watches: by the lines' names; slaves: by the meters'. readings: (index, slot_s, at_s, values, world's time in us) of
    what was stored. busy_us: how long lines were in use."""

    def __init__(self, lines, meters, seed=1, start_s=1795276790, noise=None):
        self.world = worlds.make(seed, start_s)
        self.world.power_on()
        time.wall.set((start_s - _ESP32_EPOCH_S) * 1000000)
        esp32.flashes["ring"] = NorFlash(_RING_BLOCKS, spend=self.world.spend)
        self.readings = []
        self.busy_us = 0
        self._build_wires(lines, meters, seed, noise)
        raw = {"gateway": {"id": "gw-bench", "zone": "CST-8"}, "lines": lines}
        raw["meters"] = [{key: row[key] for key in row if key != "sim"} for row in meters]
        parsed = plan.check(config.parse(raw))
        self.lines, self.meters = equipment(board, parsed)
        self.log = Log(
            Ring(board.ring_device(), clock.now_s), parsed.gateway.zone, parsed.hash, [meter.names() for meter in self.meters]
        )
        self.log.open()
        self._watch_log()
        for line in self.lines:
            self._watch_line(line)
        self.polls = []

    def _build_wires(self, lines, meters, seed, noise):
        self.wires, self.watches, self.slaves = {}, {}, {}
        for number, line in enumerate(lines):
            # A transceiver without a pin switches by itself.
            wire = self.wires[line["name"]] = Wire(seed + number, noise=noise, observe_drive="de" in line)
            machine.wires[line["uart"]] = machine.pins[line.get("de")] = wire
            self.watches[line["name"]] = Watch(wire)
        for number, row in enumerate(meters):
            more = {"turnaround_us": 20000, "seed": seed * 97 + number}
            more.update(row.get("sim", {}))
            slave = slave_of(row, 3500 + 137 * number, 1234000 + 77777 * number, **more)
            self.slaves[row["name"]] = slave
            self.watches[row["line"]].attach(slave)

    def _watch_line(self, line):
        exchange = line.exchange

        async def watched(*args):
            begun_us = self.world.now_us
            try:
                return await exchange(*args)
            finally:
                self.busy_us += self.world.now_us - begun_us

        line.exchange = watched

    def _watch_log(self):
        reading = self.log.reading

        def watched(index, slot_s, at_s, quality, values):
            found = reading(index, slot_s, at_s, quality, values)
            self.readings.append((index, slot_s, at_s, values, self.world.now_us))
            return found

        self.log.reading = watched

    def at_us(self, at_s):
        """The world's time at a Unix second."""
        return (at_s - self.world.start_s) * 1000000

    # -- time passes -------------------------------------------------------------------------------------------

    def poll(self):
        """Begin to poll every line and to erase ahead, as the gateway does it when the time is known."""
        due = self.log.resume(clock.now_s())
        for line in self.lines:
            meters = [(i, meter) for i, meter in enumerate(self.meters) if meter.line is line]
            poll = Poll(line, meters, self.log, self.log.zone, clock.now_s, ())
            self.polls.append(poll)
            poll.start(due)
            asyncio.create_task(poll.run_poll())
        asyncio.create_task(self._run_store())

    async def _run_store(self):
        quiet = Quiet(self.lines, self.polls, clock.now_ms)
        while True:
            if self.log.ring.needs_erase:
                await quiet.wait(ERASE_MS, ERASE_WAIT_MS)
                await self.erase(self.log.ring.prepare)
            await asyncio.sleep(1)

    async def erase(self, function):
        """Stand still while no line is busy, as the gateway's store does."""
        for line in self.lines:
            await line.lock.acquire()
        try:
            function()
        finally:
            for line in self.lines:
                line.lock.release()

    def run_until(self, at_s):
        """Let everything happen up to a Unix second."""
        end_us = self.at_us(at_s)

        async def wait():
            while self.world.now_us < end_us:
                await asyncio.sleep_ms(max(1, (end_us - self.world.now_us) // 1000))

        asyncio.run(wait())
