"""Upkeep: blocks are erased ahead, at quiet moments or in a pause; a flash that dies stops nothing and is told once."""

import asyncio

from memory import raised

from firmware.clock import Zone
from firmware.errors import StoreError
from firmware.protocols import record
from firmware.protocols.record import MeterNames
from firmware.store.archive import Archive
from firmware.store.log import Log
from firmware.store.ring import Ring
from firmware.upkeep import Upkeep
from tests.sim.flash import NorFlash

_T0 = 1795276800
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 3, record.GAUGE))


class _Quiet:
    """Counts what it is asked for."""

    is_quiet_now = True

    def __init__(self):
        self.n_waits = self.n_pauses = self.n_held = 0

    async def wait(self, for_ms, most_ms):
        self.n_waits += 1

    def is_quiet(self, for_ms):
        return self.is_quiet_now

    async def pause(self, most_s):
        self.n_pauses += 1
        self.n_held += 1
        return ("a line",)

    def resume(self, lines):
        self.n_held -= len(lines)


class _Unit:
    """A log and its upkeep; each slot is a second of an hour's interval."""

    def __init__(self, ring_blocks=6, days_blocks=4):
        self.flash, self.days = NorFlash(ring_blocks), NorFlash(days_blocks)
        self.slot_s = _T0
        self.ring = Ring(self.flash, lambda: self.slot_s)
        meters = [MeterNames("m%d" % i, 3600, _POINTS) for i in range(2)]
        self.log = Log(self.ring, Zone("CST-8"), "a1b2c3d4", meters, Archive(self.days, lambda: self.slot_s))
        self.log.open()
        self.quiet = _Quiet()
        self.told = []
        self.n_overwritten = 0
        self.upkeep = Upkeep(self.log, self.quiet, self._tell, self._overwritten)
        self.upkeep.erase_first()
        self.log.keep_consumers(["province"])

    def _tell(self, members):
        self.told.append(members)
        self.log.event('"t":%d,%s' % (self.slot_s, members))

    def _overwritten(self):
        self.n_overwritten += 1

    def run(self, n_slots, n_looks=1):
        for _ in range(n_slots):
            for i in range(2):
                self.log.reading(i, self.slot_s, self.slot_s + 2, 0, [1000 + (self.slot_s - _T0) // 60, 500 + i])
            self.log.event('"t":%d,"event":"%s"' % (self.slot_s, "x" * 300))
            self.slot_s += 3600
            for _ in range(n_looks):
                asyncio.run(self.upkeep.look())


def test_a_new_ring_waits_for_nothing():
    unit = _Unit()
    assert (unit.ring.n_waited, unit.quiet.n_pauses, unit.ring.blocks.erases) == (0, 0, 2)
    unit.run(100)
    assert (unit.ring.n_waited, unit.quiet.n_pauses) == (0, 0) and unit.quiet.n_waits and unit.n_overwritten
    assert unit.told == [] and unit.log.n_unstored == 0


def test_where_no_moment_is_quiet_the_lines_are_asked_for_a_pause():
    unit = _Unit()
    unit.quiet.is_quiet_now = False
    unit.run(100)
    # An erase for each block, none in the way of an append.
    assert unit.quiet.n_pauses > 5 and unit.quiet.n_held == 0 and unit.ring.n_waited == 0
    assert len(unit.ring.spares) <= 1


def test_days_that_cannot_be_erased_cost_the_log_nothing_but_an_event_for_each_block():
    unit = _Unit()
    unit.days.bad.update(range(4))
    unit.run(300, 10)
    assert 1 <= len(unit.told) <= 4 and all('"region":"days"' in members for members in unit.told)
    assert unit.quiet.n_pauses <= 4 and unit.quiet.n_held == 0
    assert unit.log.n_unstored == 0 and unit.log.n_unkept


def test_a_log_that_dies_stops_nothing_and_its_last_block_is_not_worn_out():
    unit = _Unit()
    unit.run(30)
    unit.flash.bad.update(range(6))
    n_reads = unit.flash.n_reads
    unit.run(200, 10)
    assert len(unit.told) <= 6 and unit.quiet.n_pauses <= 6
    # What was read stands in memory, and what is not stored is counted.
    assert unit.log.latest["m1"].slot_s == unit.slot_s - 3600 and unit.log.n_unstored >= 600
    assert unit.flash.n_reads - n_reads < 6000
    unit.log.close()
    unit.log.clock_set(_T0, _T0 + 5, "ntp")
    last = unit.ring.next_seq - 1
    unit.flash.bad.clear()
    again = Ring(unit.flash, lambda: unit.slot_s)
    again.mount()
    assert [seq for _, seq, _ in again.reader(0) if seq][-1] == last


def test_a_flash_that_cannot_be_read_is_said():
    flash = NorFlash(6)

    def failing(block, buf, offset=0):
        raise OSError(5)

    flash.readblocks = failing
    log = Log(Ring(flash, lambda: _T0), Zone("CST-8"), "a1b2c3d4", [])
    assert "cannot be read" in raised(StoreError, log.open).args[0]


def test_with_two_blocks_left_it_goes_on_and_says_it_once():
    unit = _Unit()
    unit.run(30)
    unit.flash.bad.update((0, 1, 2, 3))
    unit.run(30)
    n_told, n_pauses = len(unit.told), unit.quiet.n_pauses
    assert 1 <= n_told <= 4
    unit.run(60, 20)
    assert len(unit.told) == n_told and unit.log.n_unstored == 0
    assert unit.quiet.n_pauses - n_pauses <= 30
