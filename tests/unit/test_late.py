"""Replies that come when another is waited for: of a real line, meters and decoders on a simulated wire, in virtual time."""

import asyncio

from asked import section
from wired import Site

from firmware.bus import ledger
from firmware.console.raw import raw
from firmware.console.scan import scan
from firmware.errors import MeterError
from firmware.meters import equip
from firmware.meters import meter as meter_module
from tests.sim.slave import Slave, framed

_SETTINGS = "9600 8N1"


def _registers(address, at_us):
    """f32 whose upper half says where it stands."""
    return 0x4120 + (address & 0xFF) if address % 2 == 0 else 0


# 10.0 and some sixteenths, by the register's number.
_IMPORT, _POWER, _TOTAL = 1450, 132500, 1538


class _Meter(Slave):
    """Answers after turnaround_us; before a reply it, or somebody else, says `stray` once, 20 ms after the request."""

    stray = b""
    is_dead = False
    wire = None

    def hear(self, data, first_us, end_us):
        found = None if self.is_dead else super().hear(data, first_us, end_us)
        if found and self.stray:
            self.wire.send(self, self.stray, end_us + 20000)
            self.stray = b""
        return found


class _World:
    """A site with one such meter, and the firmware's own of it; points: those of its readings."""

    def __init__(self, points=("energy_import",), turnaround_us=30000, function="profile", **keys):
        self.slave = _Meter(1, _SETTINGS, _registers, turnaround_us=turnaround_us)
        self.site = Site([self.slave], tick_us=10000)
        self.slave.wire = self.site.wire
        self.clock = self.site.clock
        self.line = self.site.line
        self.asking = equip.asking_of("modbus")
        keys = dict({"timeout_ms": 1000, "retries": 2}, **keys)
        self.section = section(points=points, function=function, **keys)
        self.meter = equip.meter_of(self.section, self.line, self.asking)
        self.site.meters = [self.meter]

    def run(self, coroutine):
        real, meter_module.time = meter_module.time, self.clock
        try:
            return self.site.run(coroutine)
        finally:
            meter_module.time = real

    async def read(self, is_probe=False):
        """The values of a reading, or the cause of its miss."""
        async with self.line.turn:
            try:
                if is_probe:
                    values = [None] * len(self.meter.points)
                    await self.meter.read_part(values, True, True)
                    return values
                return (await self.meter.read())[0]
            except MeterError as error:
                return error.cause

    async def stopped(self, coroutine, after_ms):
        """Begin it and end it after so long, as a person does."""
        task = asyncio.create_task(coroutine)
        until_us = self.clock.us + 1000 * after_ms
        while self.clock.us < until_us:
            await self.clock.sleep_ms(10)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
        raise AssertionError("it had ended")


def test_a_stopped_commands_late_reply_is_not_taken_for_the_polls():
    world = _World(turnaround_us=400000)
    other = equip.meter_of(section(points=("power",), timeout_ms=1000), world.line, world.asking)

    async def read_power():
        async with world.line.turn:
            await world.meter.read_others(other.rows, other.blocks)

    async def run():
        before = await world.read()
        await world.clock.sleep_ms(5000)
        await world.stopped(read_power(), 150)
        assert not world.line.is_sending and not world.line.turn.locked() and not world.line.lock.locked()
        return before, await world.read()

    assert world.run(run()) == ([_IMPORT], [_IMPORT])


def test_nor_is_that_to_bytes_by_hand_or_to_a_scans_question():
    request = framed(b"\x01\x04\x00\x34\x00\x02")
    for function, command in (
        ("4", lambda site: raw(site, ["A", "".join(["%02X" % byte for byte in request])], site.say)),
        ("3", lambda site: scan(site, ["A", "modbus", "9600", "8N1", "1..1"], site.say)),
    ):
        world = _World(turnaround_us=400000, function=function)

        async def run(world=world, command=command):
            before = await world.read()
            await world.clock.sleep_ms(5000)
            await world.stopped(command(world.site), 110)
            return before, await world.read()

        assert world.run(run()) == ([_IMPORT], [_IMPORT])


def test_noise_and_other_meters_frames_are_no_reply_that_was_heard():
    # The meter answers the first try too late; it is taken for the second's, whose own must not be the next block's.
    for stray in (b"\x55\xaa\x11\x22", framed(b"\x07\x04\x04AB\x00\x00"), b"\x55" * 12):
        world = _World(points=("energy_import", "energy_total"))

        async def run(world=world, stray=stray):
            for _ in range(20):
                await world.read()
                await world.clock.sleep_ms(1000)
            world.slave.turnaround_us = 160000
            world.slave.stray = stray
            return await world.read()

        assert world.run(run()) == [_IMPORT, _TOTAL]


def test_a_meter_that_has_become_slower_is_found_again():
    for delay_ms in (120, 150, 250, 400, 900):
        for retries in (0, 1, 2):
            world = _World(retries=retries)

            async def run(world=world, delay_ms=delay_ms):
                for _ in range(30):
                    await world.read()
                    await world.clock.sleep_ms(10000)
                world.slave.turnaround_us = 1000 * delay_ms
                n_missed = 0
                for _ in range(30):
                    n_missed += await world.read() != [_IMPORT]
                    await world.clock.sleep_ms(10000)
                return n_missed

            # One slot for each doubling at most, and repeats only until it is known.
            assert world.run(run()) <= (4 if retries == 0 else 2)
            assert world.meter.counts[ledger.RETRIES] <= 4 and world.meter.timeout_ms >= min(1000, 2 * delay_ms)


def test_a_silent_meter_that_comes_back_slower_is_found_by_a_probe():
    for delay_ms in (150, 600):
        world = _World()

        async def run(world=world, delay_ms=delay_ms):
            for _ in range(30):
                await world.read()
                await world.clock.sleep_ms(10000)
            world.slave.is_dead = True
            await world.read()
            world.slave.is_dead = False
            world.slave.turnaround_us = 1000 * delay_ms
            found = []
            for _ in range(3):
                await world.clock.sleep_ms(60000)
                found.append(await world.read(True))
            return found

        assert world.run(run())[1:] == [[_IMPORT]] * 2
