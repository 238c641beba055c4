"""archive: days and changes are kept beside the log, each once, whatever is cut."""

from firmware.clock import Zone
from firmware.protocols import record
from firmware.protocols.dayrecord import Day
from firmware.protocols.record import MeterNames
from firmware.store.archive import Archive
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import Cut, NorFlash

_ZONE = Zone("CST-8")
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 3, record.GAUGE))
_MIDNIGHT_S = 1795276800


class _Unit:
    """A log with its archive; every meter is read once an hour."""

    def __init__(self, n_meters=2, ring_blocks=8, days_blocks=4):
        self.flash, self.days = NorFlash(ring_blocks), NorFlash(days_blocks)
        self.n_meters = n_meters
        self.now_s = self.slot_s = _MIDNIGHT_S
        self.start()

    def start_cut(self, which, cut_after):
        """A start with another configuration, cut behind so many bytes of one region."""
        self.flash.power_on()
        self.days.power_on()
        (self.flash if which == "ring" else self.days).cut_after = cut_after
        self._open("ffffffff")

    def start(self, config="a1b2c3d4"):
        self.flash.power_on()
        self.days.power_on()
        self._open(config)

    def _open(self, config):
        meters = [MeterNames("m%d" % i, 3600, _POINTS) for i in range(self.n_meters)]
        archive = Archive(self.days, lambda: self.now_s)
        self.log = Log(Ring(self.flash, lambda: self.now_s), _ZONE, config, meters, archive)
        self.changes = []
        self.log.open(self._tell)

    def _tell(self, key, old, new):
        self.changes.append((key, old, new))
        self.log.event('"t":%d,"event":"change","key":"%s"' % (self.now_s, key), record.CHANGE)

    def read(self, n_slots):
        for _ in range(n_slots):
            self.now_s = self.slot_s + 2
            for i in range(self.n_meters):
                values = [1000 + (self.slot_s - _MIDNIGHT_S) // 60, 500 + i]
                self.log.reading(i, self.slot_s, self.slot_s + 2 + i, 0, values)
            self.slot_s += 3600

    def kept(self):
        """[(kind, seq in the log, meter and day, or members), ..] of the archive."""
        found = []
        for kind, seq, item in self._reader():
            if seq:
                found.append((kind, item.log_seq, (item.meter, item.day) if kind == record.DAY else item.members))
        return found

    def _reader(self):
        archive = Archive(self.days, lambda: self.now_s)
        archive.mount(self.log.ring.log)
        return archive.ring.reader(0)

    def logged(self):
        found = []
        for kind, seq, item in self.log.ring.reader(0):
            if kind in (record.DAY, record.CHANGE):
                found.append((kind, seq, (item.meter, item.day) if kind == record.DAY else item.members))
        return found


def test_days_and_changes_are_kept_under_their_seqs_of_the_log():
    unit = _Unit()
    unit.read(60)
    unit.log.event('"event":"change","key":"config"', record.CHANGE)
    unit.log.event('"event":"start"')
    unit.read(30)
    assert len(unit.kept()) == 7 and unit.kept() == unit.logged()


def test_days_are_held_longer_than_the_readings():
    unit = _Unit(ring_blocks=4, days_blocks=4)
    while unit.log.ring.first_seq < 1000:
        unit.read(24)
    assert unit.kept()[0][1] < unit.log.ring.first_seq
    assert unit.kept()[-len(unit.logged()) :] == unit.logged()


def test_256_kib_hold_the_summaries_of_8_meters_for_two_years():
    unit = _Unit(8, 4, 64)
    every_s = 900
    for meter in unit.log.meters:
        meter.every_s = every_s
        meter.serial = "000123456789"
    archive = unit.log.archive
    number = 20780
    # Until it goes round, and on by a block.
    while archive.ring.first_seq < 200:
        start_s = _ZONE.midnight_s(number)
        unit.now_s = start_s + 86400
        for i, meter in enumerate(unit.log.meters):
            day = Day(meter.name, _POINTS, number, start_s, start_s + 86400)
            day.due = day.got = 96
            if number % 4 == 0:
                day.got, day.missed = 90, {"no reply": 6}
            first = 123456700 + number * 200000 + i
            day.found = [(start_s, first, start_s + 86400, first + 244600), (12345, 185000, start_s + every_s * 50, 101925 + i)]
            archive.keep_day(archive.last_seq + 97, i, day, every_s)
        number += 1
    assert archive.ring.next_seq - archive.ring.first_seq >= 8 * 2 * 365


def test_a_cut_at_any_byte_of_a_midnight_leaves_each_day_once_in_both():
    whole = _Unit()
    whole.read(26)
    wanted = whole.kept()
    assert len(wanted) == 2
    before = _Unit()
    before.read(24)
    images = bytes(before.flash.bytes), bytes(before.days.bytes)
    n_cuts = 0
    for which in ("flash", "days"):
        cut_after = 0
        while True:
            unit = _Unit()
            unit.flash, unit.days = NorFlash(8, images[0]), NorFlash(4, images[1])
            unit.slot_s = before.slot_s
            unit.start()
            getattr(unit, which).cut_after = cut_after
            try:
                unit.read(2)
                break
            except Cut:
                n_cuts += 1
                unit.start()
            found = [row[2] for row in unit.kept()]
            logged = [row[2] for row in unit.logged()]
            assert found == logged, (which, cut_after)
            cut_after += 1 if which == "days" else 3
    assert n_cuts > 60


def test_another_configuration_is_noted_in_both():
    unit = _Unit()
    unit.read(26)
    unit.n_meters = 3
    unit.start("ffffffff")
    assert unit.changes == [("config", "a1b2c3d4", "ffffffff")]
    unit.read(26)
    assert [row[2][0] for row in unit.kept() if row[0] == record.DAY] == ["m0", "m1", "m0", "m1", "m2"]
    days = [item for kind, _, item in unit._reader() if kind == record.DAY]
    assert {day.config for day in days[:2]} == {"a1b2c3d4"} and {day.config for day in days[2:]} == {"ffffffff"}
    unit.start("ffffffff")
    assert unit.changes == []


def test_a_cut_at_any_byte_of_a_start_with_another_configuration_loses_neither_change_nor_day():
    n_cuts = 0
    for which in "ring", "days":
        cut_after, is_whole = 0, False
        while not is_whole:
            unit = _Unit()
            unit.read(24)
            # The day's summaries are cut off the archive: the next start copies them, under what they were made.
            unit.days.cut_after = 60
            try:
                unit.read(2)
                raise AssertionError("no cut")
            except Cut:
                pass
            (unit.flash if which == "ring" else unit.days).power_on()
            try:
                unit.start_cut(which, cut_after)
                is_whole = True
            except Cut:
                n_cuts += 1
            unit.start("ffffffff")
            unit.read(1)
            changes = [row for row in unit.logged() if row[0] == record.CHANGE]
            assert len(changes) in (1, 2), (which, cut_after, changes)
            assert unit.kept() == unit.logged(), (which, cut_after)
            kept, logged = [
                [item.config for kind, _, item in reader if kind == record.DAY]
                for reader in (unit._reader(), unit.log.ring.reader(0))
            ]
            assert kept == logged and kept[0] == "a1b2c3d4", (which, cut_after, kept, logged)
            cut_after += 3
    assert n_cuts > 20


def test_an_archive_of_another_log_goes_on_with_this_one():
    unit = _Unit()
    unit.read(50)
    unit.flash = NorFlash(8)
    unit.start()
    unit.read(50)
    unit.start()
    found = unit.kept()
    assert len(found) == 8 and found[4:] == unit.logged()


def test_a_region_that_is_none_stops_nothing():
    unit = _Unit()
    unit.days = NorFlash(4, bytes(4 * 4096))
    unit.start()
    assert unit.log.archive is None and "no ring" in unit.log.archive_fault.args[0]
    unit.read(30)
    assert len(unit.logged()) == 2
    # One that fails later neither.
    unit.days = NorFlash(4)
    unit.start()
    unit.days.bad.update(range(4))
    unit.read(30)
    assert unit.log.n_unkept == 2 and len(unit.logged()) == 4
