"""Daily summaries: a fold over one meter's records of a local day. The same records give the same bytes.

A reading of 00:00 ends one day and begins the next. A day is closed by the first record of a slot at or after
its end, whether reading or miss, so that the log alone decides.
"""

from micropython import const

from firmware.clock import slots_between
from firmware.protocols import record
from firmware.protocols.dayrecord import Day

# A unit that was off for longer gets summaries for the newest of these days only.
MOST_DAYS_OFF = const(62)


class _Register:
    """First and last value of a register that counts up."""

    def __init__(self):
        self.start = self.end = None

    def add(self, slot_s, value):
        if self.start is None:
            self.start = (slot_s, value)
        self.end = (slot_s, value)

    def found(self):
        """(first slot, value, last slot, value), or None where nothing lies between two."""
        if self.start is None or self.start[0] == self.end[0]:
            return None
        return self.start + self.end


class _Gauge:
    """Minimum, maximum with its time, and mean of a gauge."""

    def __init__(self):
        self.n = self.total = self.low = self.high = self.high_s = 0

    def add(self, slot_s, value):
        if self.n == 0 or value < self.low:
            self.low = value
        if self.n == 0 or value > self.high:
            self.high, self.high_s = value, slot_s
        self.n += 1
        self.total += value

    def found(self):
        """(lowest, highest, slot of that, mean), or None; the mean rounded, a half to the even one."""
        if self.n == 0:
            return None
        mean, rest = divmod(self.total, self.n)
        if 2 * rest > self.n or (2 * rest == self.n and mean & 1):
            mean += 1
        return self.low, self.high, self.high_s, mean


class MeterDay:
    """One meter, one local day. meter: record.MeterNames; add records in the log's order, then summary()."""

    def __init__(self, zone, meter, day):
        self.zone = zone
        self.meter = meter
        self.day = day
        self.start_s = zone.midnight_s(day)
        self.end_s = zone.midnight_s(day + 1)
        self.got = self.late = self.quality = 0
        self.missed = {}
        self.folds = [_Register() if point[3] == record.REGISTER else _Gauge() for point in meter.points]

    def add(self, found):
        """Take one Reading or Miss; those of other days do not count, but a register at 00:00 after the day does."""
        if found.kind == record.MISS:
            first_s, last_s = max(found.slot_s, self.start_s), min(found.end_s, self.end_s - 1)
            n = slots_between(self.zone, self.meter.every_s, first_s, last_s)
            if n:
                self.missed[found.cause] = self.missed.get(found.cause, 0) + n
            return
        if not self.start_s <= found.slot_s <= self.end_s:
            return
        within = found.slot_s < self.end_s
        if within:
            self.got += 1
            self.late += bool(found.quality & record.Q_LATE)
            self.quality |= found.quality
        for fold, point, value in zip(self.folds, self.meter.points, found.values):
            if value is not None and (within or point[3] == record.REGISTER):
                fold.add(found.slot_s, value)

    def summary(self):
        """The Day, as stored; its configuration is the one that is in force where it is."""
        day = Day(self.meter.name, self.meter.points, self.day, self.start_s, self.end_s)
        day.zone = self.zone.text
        day.due = slots_between(self.zone, self.meter.every_s, self.start_s, self.end_s - 1)
        day.got, day.late, day.quality, day.missed = self.got, self.late, self.quality, self.missed
        day.found = [fold.found() for fold in self.folds]
        return day


class Days:
    """The open day of every meter. emit(meter, Day) is called for each day that a record closes.

    meter.next_day, the first day without a summary, is set here when a meter's first day begins; whoever stores the
    summaries counts it on."""

    def __init__(self, zone, emit):
        self.zone = zone
        self.emit = emit
        self._open = {}

    def forget(self, meter):
        """Drop a meter's open day: it was of a clock that had been ahead."""
        self._open.pop(meter.name, None)

    def add(self, meter, found):
        """Take a Reading or Miss of a meter (MeterNames) in the log's order; may call emit."""
        slot_s = found.end_s if found.kind == record.MISS else found.slot_s
        fold = self._open.get(meter.name)
        if fold is None:
            first_s = found.slot_s
            day = self.zone.day_of(first_s)
            if meter.next_day and day < meter.next_day:
                # A summary of that day exists already; only its register at the end still counts.
                day = meter.next_day
            elif not meter.next_day:
                meter.next_day = day
            fold = self._open[meter.name] = MeterDay(self.zone, meter, day)
        fold.add(found)
        while slot_s >= fold.end_s:
            self.emit(meter, fold.summary())
            fold = MeterDay(self.zone, meter, max(fold.day + 1, self.zone.day_of(slot_s) - MOST_DAYS_OFF))
            self._open[meter.name] = fold
            fold.add(found)
