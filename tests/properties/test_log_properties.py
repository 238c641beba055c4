"""log: whatever is read, missed, cut and restarted, every slot is on record once and every day is what its records say."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.clock import Zone, day_of_civil, slot_after
from firmware.protocols import record
from firmware.protocols.dayrecord import put_day
from firmware.protocols.record import MeterNames
from firmware.store.days import MeterDay
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import Cut, NorFlash

_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
_METERS = (("main", 3600), ("roof", 14400))
# A zone whose clock changes within the days that are simulated, at midnight, and one without changes.
_ZONES = (
    ("CST-8", (2025, 11, 22)),
    ("CST5CDT,M3.2.0/0,M11.1.0/1", (2025, 11, 1)),
    ("CST5CDT,M3.2.0/0,M11.1.0/1", (2025, 3, 8)),
)
_UNSET_S = 946684800

steps = st.one_of(
    # For so many hours all meters answer, or fail with a cause, or answer in turn.
    st.tuples(st.just("run"), st.integers(1, 30), st.sampled_from(("answer", "no reply", "bad frame", "in turn"))),
    st.tuples(st.just("event"), st.integers(0, 1500), st.none()),
    # The power is off for so many hours; the clock is right at the start, or only after the first records.
    st.tuples(st.just("off"), st.integers(0, 80), st.booleans()),
    st.tuples(st.just("stop"), st.integers(0, 3), st.none()),
    # The power goes after so many bytes from now on, and comes back so many minutes later.
    st.tuples(st.just("cut"), st.integers(0, 50) | st.integers(0, 2000), st.integers(0, 200)),
)


class Gateway:
    """A log with two meters, run by its slots; start() is what app.py does."""

    def __init__(self, zone, first_s):
        self.zone = zone
        self.flash = NorFlash(40)
        self.now_s = self.clock_s = first_s
        self.cut_minutes = 0
        self.clock_known = True
        self.start()

    def start(self):
        """Starts until the power lasts."""
        while True:
            try:
                return self.start_once()
            except Cut:
                self.flash.power_on()

    def start_once(self):
        self.ring = Ring(self.flash, lambda: self.now_s if self.clock_known else _UNSET_S)
        self.log = Log(self.ring, self.zone, "a1b2c3d4", [MeterNames(name, every_s, _POINTS) for name, every_s in _METERS])
        self.log.open()
        self.log.event('"event":"start"')
        self.clock_known = True
        self.due = self.log.resume(self.now_s)

    def step(self, name, amount, more):
        try:
            getattr(self, name)(amount, more)
        except Cut:
            self.flash.power_on()
            self.off(self.cut_minutes / 60, False)

    def run(self, hours, how):
        end_s = self.now_s + hours * 3600
        while min(self.due) <= end_s:
            index = self.due.index(min(self.due))
            slot_s = self.due[index]
            self.now_s = max(self.now_s, slot_s + 2)
            if how == "answer" or (how == "in turn" and slot_s // 3600 % 2):
                self.log.reading(index, slot_s, self.now_s, 0, [slot_s % 1000003, slot_s // 60 % 1009 - 500])
            else:
                self.log.miss(index, slot_s, "no reply" if how == "in turn" else how)
            self.due[index] = slot_after(self.zone, _METERS[index][1], slot_s)
        self.now_s = end_s

    def event(self, n, _):
        self.log.event('"event":"x","text":"%s"' % ("x" * n))

    def off(self, hours, clock_late):
        self.now_s += int(hours * 3600) + 1
        self.clock_known = not clock_late
        self.start()

    def stop(self, hours, _):
        self.log.close()
        self.off(hours, False)

    def cut(self, n_bytes, minutes):
        self.flash.cut_after = n_bytes
        self.cut_minutes = minutes

    def records(self):
        """[(seq, record), ..] by one who knows nothing but the log."""
        ring = Ring(self.flash, lambda: self.now_s)
        ring.mount()
        found = [(seq, item) for _, seq, item in ring.reader(0) if seq]
        assert [seq for seq, _ in found] == list(range(1, len(found) + 1))
        return [item for _, item in found]


def check_slots(gateway, name, every_s, items):
    """Every slot between the first and the last is on record once."""
    slots = []
    for item in items:
        slot_s, end_s, n = item.slot_s, getattr(item, "end_s", item.slot_s), 0
        while slot_s <= end_s:
            slots.append(slot_s)
            slot_s = slot_after(gateway.zone, every_s, slot_s)
            n += 1
        assert n == getattr(item, "n_slots", 1)
    wanted = []
    slot_s = min(slots) if slots else 0
    while slots and slot_s <= max(slots):
        wanted.append(slot_s)
        slot_s = slot_after(gateway.zone, every_s, slot_s)
    assert slots == wanted, name


def check_days(gateway, name, every_s, items, days):
    """Every day that is over has one summary, and it is what its records give."""
    if not items:
        assert not days
        return
    first = gateway.zone.day_of(items[0].slot_s)
    last = gateway.zone.day_of(max(getattr(item, "end_s", item.slot_s) for item in items))
    assert [day.day for day in days] == list(range(first, last)), name
    for day in days:
        fold = MeterDay(gateway.zone, MeterNames(name, every_s, _POINTS), day.day)
        for item in items:
            fold.add(item)
        assert put_day(0, day, every_s) == put_day(0, fold.summary(), every_s)


@given(st.sampled_from(_ZONES), st.integers(0, 86400), st.lists(steps, max_size=25))
def test_every_slot_is_on_record_once_and_every_day_is_what_its_records_say(place, second, plan):
    zone, civil = place
    zone = Zone(zone)
    gateway = Gateway(zone, zone.midnight_s(day_of_civil(*civil)) + second)
    for step in plan:
        gateway.step(*step)
    gateway.flash.power_on()
    gateway.stop(0, None)
    found = gateway.records()
    for name, every_s in _METERS:
        items = [item for item in found if item.kind in (record.READING, record.MISS) and item.meter == name]
        days = [item for item in found if item.kind == record.DAY and item.meter == name]
        check_slots(gateway, name, every_s, items)
        check_days(gateway, name, every_s, items, days)
