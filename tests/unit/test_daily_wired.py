"""The day's errand on a line: clocks of simulated DL/T 645 meters read and set, their values judged, in virtual time."""

import asyncio
import gc

from asked import section
from memory import Section
from wired import Site

from firmware.clock import Zone
from firmware.meters import daily as daily_module
from firmware.meters import equip, examine
from firmware.meters.daily import Daily
from firmware.protocols import record
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim import slave188, slave645
from tests.sim.dayload import DayLoad
from tests.sim.flash import NorFlash
from tests.sim.wiring import Wiring

_START_S = 1795276800 + 3600  # 2026-11-22 01:00:00 at UTC+8
_LOCAL_S = 8 * 3600
_POINTS = ("energy_import", "power")


class _World:
    """Slaves on a wire and the firmware's meters for them. told: events, without quotes."""

    def __init__(self, slaves, sections, **wire):
        self.site = Site(slaves, **wire)
        shared = {}
        self.meters = []
        for found in sections:
            key = found.protocol[:6]
            if key not in shared:
                shared[key] = equip.asking_of(found.protocol)
            self.meters.append(equip.meter_of(found, self.site.line, shared[key]))
        self.time = Section(is_synchronised=True, source="kept", set_s=0)
        self.quiet = self
        # In one piece, on a small heap.
        gc.collect()
        self.log = Log(Ring(NorFlash(4), self.now_s), Zone("CST-8"), "00000000", [meter.names() for meter in self.meters])
        self.log.open()
        self.told = []
        self.daily = Daily(self, list(enumerate(self.meters)))

    def now_s(self):
        return _START_S + self.site.clock.us // 1000000

    def tell(self, members):
        self.told.append(members.replace('"event":', "").replace('"', ""))

    async def wait(self, for_ms, most_ms):
        return 0

    def own_profiles(self):
        return {}

    async def _day(self):
        for index, meter in enumerate(self.meters):
            async with meter.line.turn:
                values, _ = await meter.read()
            self.log.reading(index, self.now_s() // 900 * 900, self.now_s(), 0, values)
            self.daily.heard(index, meter, self.now_s())
        for _ in range(20):
            index = self.daily.due
            if index is None:
                return
            async with self.meters[index].line.turn:
                await self.daily.check(index, self.meters[index])
        raise AssertionError("always due")

    def run(self):
        """Read every meter once, then do what is due."""
        real, examine.asyncio = examine.asyncio, self.site.clock
        unload, daily_module.unload = daily_module.unload, lambda *names: None
        try:
            self.site.run(self._day())
        finally:
            examine.asyncio, daily_module.unload = real, unload


def _section(number, profile="dlt645_3p", points=_POINTS, set_clock="never", protocol="dlt645", **keys):
    keys.setdefault("timeout_least_ms", 100)
    return section(
        profile=profile,
        points=points,
        number=number,
        protocol=protocol,
        set_clock=set_clock,
        password="02123456",
        retries=2,
        **keys,
    )


def _slave(number, off_s, profile="dlt645_3p", load=None, **more):
    """A meter whose clock is off by so much when the world begins."""
    return slave645.meter(number, profile, 5000, 1000000, clock_s=_START_S + _LOCAL_S + off_s, load=load, **more)


def _off_s(slave, world):
    """What its clock is off by, truly."""
    return slave.clock.now_s(world.site.clock.us) - world.now_s() - _LOCAL_S


def test_clocks_are_read_on_the_line():
    slaves = [_slave("000000000161", 17), _slave("000000000162", -3, "dlt645_1997_3p", settings="2400 8E1")]
    sections = [
        _section("000000000161"),
        _section("000000000162", "dlt645_1997_3p", protocol="dlt645-1997", settings=(2400, 8, 0, 1)),
    ]
    world = _World(slaves, sections)
    world.run()
    assert abs(world.meters[0].clock[0] - 17) <= 1 and abs(world.meters[1].clock[0] + 3) <= 1
    assert [meter.clock[2] for meter in world.meters] == ["", ""]
    assert world.told == []


def test_a_broadcast_sets_all_clocks_on_the_line():
    slaves = [_slave("000000000161", 120), _slave("000000000162", -40)]
    world = _World(slaves, [_section("000000000161", set_clock="broadcast"), _section("000000000162", set_clock="broadcast")])
    world.run()
    assert [slave.clock.n_set for slave in slaves] == [1, 1]
    assert all(abs(_off_s(slave, world)) <= 1 for slave in slaves)
    assert [told.split(",drift")[0] for told in world.told] == ["clock_set,m:main,by:broadcast"] * 2
    assert all(abs(int(told.rpartition(":")[2])) <= 1 for told in world.told)


def test_a_meter_that_has_been_set_today_says_no():
    slave = _slave("000000000161", 120)
    world = _World([slave], [_section("000000000161", set_clock="broadcast")])
    slave.clock.hear_broadcast(slave.clock.now_s(0), 0)
    slave.clock.set(slave.clock.now_s(0) + 0, 0)
    world.run()
    assert slave.clock.n_refused == 1
    assert world.told[0].startswith("clock_not_set,m:main,by:broadcast,drift_s:1") and world.told[0].endswith("no change")


def test_a_clock_is_written_by_password():
    for password, why in (("02123456", None), ("02123457", "refused 04"), (None, "refused 04")):
        slave = _slave("000000000161", -1000, password=password)
        world = _World([slave], [_section("000000000161", set_clock="write")])
        world.run()
        if why:
            assert slave.clock.n_set == 0
            assert world.told[-1].startswith("clock_not_set,m:main,by:write,drift_s:-") and world.told[-1].endswith(why)
        else:
            assert slave.clock.n_set == 1 and abs(_off_s(slave, world)) <= 1
            assert world.told[-1].startswith("clock_set,m:main,by:write,drift_s:-")


def test_a_water_meter_says_its_clock():
    slave = slave188.meter("11110000001234", "water", 10, 1000)
    slave.clock_s = _START_S + _LOCAL_S - 25
    world = _World([slave], [_section("11110000001234", "water", ("volume",), protocol="cjt188")])
    world.run()
    drift_s, _, state = world.meters[0].clock
    assert -26 <= drift_s <= -24 and state == ""
    # No request of its own: the first one was answered, in the order of bytes that it takes.
    assert world.site.line.counts[0] <= 2 and world.told == []
    # One without a clock sends zeros.
    slave = slave188.meter("11110000001234", "water", 10, 1000)
    slave.clock_s = None
    world = _World([slave], [_section("11110000001234", "water", ("volume",), protocol="cjt188")])
    world.run()
    assert world.meters[0].clock[0] is None and world.meters[0].clock[2] == "none" and world.told == []


def test_a_turned_transformer_is_found_on_the_line():
    load = DayLoad(20000, 1000000, 0, "factory", _START_S + _LOCAL_S, 3)
    load.wiring = Wiring(reversed=(1,))
    world = _World([_slave("000000000161", 0, load=load)], [_section("000000000161")])
    world.run()
    assert world.meters[0].findings == ("reversed_l2",)
    assert len(world.told) == 1 and world.told[0].startswith(
        "implausible,m:main,code:reversed_l2,why:phase 2: power is negative"
    )
    lines = []

    async def say(line):
        lines.append(line)
        await asyncio.sleep(0)

    async def shown():
        async with world.meters[0].line.turn:
            return await examine.examine(world, world.meters[0], say)

    real, examine.asyncio = examine.asyncio, world.site.clock
    try:
        assert [code for code, _ in world.site.run(shown())] == ["reversed_l2"]
    finally:
        examine.asyncio = real
    assert lines[0].startswith("phase 2: power is negative")
    assert record.READING in world.log.counts
