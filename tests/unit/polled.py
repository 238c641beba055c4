"""A poll of scripted meters in a world of its own: its clock, its log in memory; virtual seconds pass one by one."""

import asyncio

from firmware.bus import ledger
from firmware.clock import Zone
from firmware.meters import poll
from firmware.meters.identity import Identity
from firmware.meters.poll import Poll
from firmware.protocols import record
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import NorFlash

NOON_S = 1795348800  # 2026-11-22 12:00:00 UTC
POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))


class _End(Exception):
    """The world's time is over."""


class _Section:
    def __init__(self, every_s):
        self.every_s = every_s
        self.timeout_ms = 500
        self.retries = 2


class Line:
    """Stands for a meter's line, whose turn nobody else takes."""

    name = "A"
    is_noisy = False

    def __init__(self):
        self.counts = ledger.new()
        self.turn = asyncio.Lock()


class Meter:
    """A meter that does what script says at each reading: values, or an error to raise; take_s passes meanwhile.

    has_gauges: its power is asked for by itself, after its register; then a step of the script may also be
    (value, error to raise at the gauge). serial: what read_serial() gives, or raises; None: it cannot tell. asked: the
    instants it was asked at for its number; parts: (instant, "registers", "gauges" or "probe") of its readings.
    allowance: as of the real one; a reading is one request."""

    timeout_ms = 500
    has_gauges = False
    allowance = reads_per_day = 0
    spare = 0
    blocks = (None,)

    def __init__(self, world, name, every_s=60, take_s=0, serial=None):
        self.name = name
        self.section = _Section(every_s)
        self.points = POINTS
        self.world = world
        self.take_s = take_s
        self.script = []
        self.serial = serial
        self.asked = []
        self.parts = []
        self.counts = ledger.new()
        self._step = None

    @property
    def identifies(self):
        return self.serial is not None

    def names(self):
        return record.MeterNames(self.name, self.section.every_s, POINTS, serial="" if self.identifies else None)

    def holds(self, registers):
        return registers or self.has_gauges

    async def read_part(self, values, registers, is_probe):
        self.note("probe" if is_probe else "registers" if registers else "gauges")
        if registers:
            self._begin()
        first, end = (0, 2) if not self.has_gauges else (0, 1) if registers else (1, 2)
        for i in range(first, end):
            if isinstance(self._step[i], Exception):
                raise self._step[i]
            values[i] = self._step[i]
        return 1

    def note(self, part):
        self.parts.append((self.world.now, part))
        self.world.parts.append((self.world.now, self.name, part))

    def _begin(self):
        self.world.now += self.take_s
        self.counts[ledger.ASKED] += 1
        self._step = self.script.pop(0) if self.script else (100, 5)
        if isinstance(self._step, Exception):
            raise self._step

    async def read_serial(self):
        self.asked.append(self.world.now)
        if isinstance(self.serial, Exception):
            raise self.serial
        return self.serial


class World:
    """specs: arguments of Meter behind the world. run(seconds) lets time pass; events: what was told, as texts."""

    def __init__(self, specs, start_s=NOON_S, flash=None, zone="UTC0"):
        self.now = start_s
        # (instant, meter, part) of all meters, in the order in which they were asked for.
        self.parts = []
        self._passed_ms = 0
        self.meters = [Meter(self, *spec) for spec in specs]
        self.ring = Ring(flash or NorFlash(8), lambda: self.now)
        self.log = Log(self.ring, Zone(zone), "00000000", [meter.names() for meter in self.meters])
        self.log.open()
        self.events = []
        self.identity = Identity(self.log, self.tell, self.log.zone)
        pairs = list(enumerate(self.meters))
        self.line = Line()
        self.poll = Poll(self.line, pairs, self.log, self.log.zone, lambda: self.now, (self.identity,))
        self.poll.start(self.log.resume(self.now))

    def tell(self, members):
        self.events.append(members)
        self.log.event(members)

    def run(self, seconds, at=None):
        """Let seconds pass. at: {second: function of this world, called when so many have passed}."""
        self._end_ms = self._passed_ms + seconds * 1000
        self._at = dict(at or {})
        real, poll.asyncio = poll.asyncio, self
        try:
            asyncio.run(self.poll.run_poll())
        except _End:
            pass
        finally:
            poll.asyncio = real

    async def sleep_ms(self, ms):
        """What the poll takes for asyncio's: the world's time passes, nobody waits."""
        before_s = self._passed_ms // 1000
        self._passed_ms += max(ms, 1)
        self.now += self._passed_ms // 1000 - before_s
        for second in sorted(self._at):
            if second * 1000 <= self._passed_ms:
                self._at.pop(second)(self)
        if self._passed_ms >= self._end_ms:
            raise _End()

    def records(self, kind):
        return [found for k, _, found in self.ring.reader(1) if k == kind]
