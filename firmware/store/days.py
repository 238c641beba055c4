"""Daily summaries: a fold over one meter's records of a local day. The same records give the same bytes.

A reading of 00:00 ends one day and begins the next. A day is closed by the first record of a slot at or after
its end, whether reading or miss, so that the log alone decides.
"""

from micropython import const

from firmware.clock import day_text, slots_between
from firmware.protocols import payload, record

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

    def members(self, decimals, start_s, end_s):
        """Consumption between the two; used is null where it would be invented or negative."""
        first, last = self.start, self.end
        if first is None or first[0] == last[0]:
            return '{"used":null,"src":null,"parts":[]}'
        used, why = last[1] - first[1], ""
        if used < 0:
            used, why = None, "register went back"
        text = payload.decimal_text
        part = '{"start":%s,"start_t":%d,"end":%s,"end_t":%d,"used":%s,"why":"%s"}' % (
            text(first[1], decimals),
            first[0],
            text(last[1], decimals),
            last[0],
            text(used, decimals),
            why,
        )
        src = "slot" if first[0] == start_s and last[0] == end_s else "near"
        return '{"used":%s,"src":"%s","parts":[%s]}' % (text(used, decimals), src, part)


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

    def members(self, decimals):
        if self.n == 0:
            return '{"min":null,"max":null,"max_t":null,"mean":null}'
        mean, rest = divmod(self.total, self.n)
        if 2 * rest > self.n or (2 * rest == self.n and mean & 1):
            mean += 1
        text = payload.decimal_text
        return '{"min":%s,"max":%s,"max_t":%d,"mean":%s}' % (
            text(self.low, decimals),
            text(self.high, decimals),
            self.high_s,
            text(mean, decimals),
        )


class MeterDay:
    """One meter, one local day. meter: record.MeterNames; add records in the log's order, then members()."""

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

    def members(self, config_hash):
        """The summary's JSON members, as stored and published."""
        missed = ",".join("%s:%d" % (payload.text(c), self.missed[c]) for c in sorted(self.missed))
        parts = [
            '"day":"%s","zone":%s,"m":%s' % (day_text(self.day), payload.text(self.zone.text), payload.text(self.meter.name)),
            '"rev":0,"final":true,"due":%d' % slots_between(self.zone, self.meter.every_s, self.start_s, self.end_s - 1),
            '"got":%d,"late":%d,"missed":{%s},"q":%d,"cfg":"%s"' % (self.got, self.late, missed, self.quality, config_hash),
        ]
        for fold, (name, _, decimals, klass) in zip(self.folds, self.meter.points):
            if klass == record.REGISTER:
                members = fold.members(decimals, self.start_s, self.end_s)
            else:
                members = fold.members(decimals)
            parts.append('"%s":%s' % (name, members))
        return ",".join(parts)


class Days:
    """The open day of every meter. emit(meter, day, members) is called for each day that a record closes.

    meter.next_day, the first day without a summary, is set here when a meter's first day begins; whoever stores the
    summaries counts it on."""

    def __init__(self, zone, config_hash, emit):
        self.zone = zone
        self.config_hash = config_hash
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
            self.emit(meter, fold.day, fold.members(self.config_hash))
            fold = MeterDay(self.zone, meter, max(fold.day + 1, self.zone.day_of(slot_s) - MOST_DAYS_OFF))
            self._open[meter.name] = fold
            fold.add(found)
