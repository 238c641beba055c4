"""Loads as they go through a day and a week: a house, a factory, a pump, .., and the sun. Integers alone; pure, portable.

The power is an integer of milliwatts in every minute of the meter's local time, the same every week, and the energy is its
sum: exact at any time, and what is taken and given back is counted apart.
"""

from array import array

from tests.sim.load import Load
from tests.sim.seeded import Seeded
from tests.sim.wiring import TURN

_MINUTES = 1440
_DAY_MS = 86400000
# Minutes are more or less than their curve by up to so many hundredths.
_NOISE = 10
# Tenths of a volt, and what the highest power takes of it.
_VOLTS = (2342, 2334, 2349)
_DROOP = 60


class Shape:
    """hours: 24 levels at the full hours, between which it goes straight; week: hundredths of it from Monday to Friday, on
    Saturday, and on Sunday; shares: hundredths in each phase; cycles: (minutes on, of so many, level, phase or None for all);
    bursts: (n a day, minutes, level), each in a phase by chance, between 6 and 22 o'clock; power_factor as a Load has it."""

    def __init__(self, hours, week=(100, 100, 100), shares=(34, 33, 33), cycles=(), bursts=None, power_factor=(95, 33, 182)):
        self.hours = [int(level) for level in hours.split()]
        self.week = week
        self.shares = shares
        self.cycles = cycles
        self.bursts = bursts
        self.power_factor = power_factor


SHAPES = {
    "house": Shape(
        "20 18 17 17 18 25 45 60 45 35 35 45 50 40 35 35 45 70 95 100 90 70 45 28",
        (100, 115, 120),
        (50, 30, 20),
        ((15, 45, 12, 1),),
        (9, 5, 180),
    ),
    "shop": Shape(
        "12 12 12 12 12 14 20 35 70 90 95 95 90 92 95 95 95 95 90 85 70 30 14 12",
        (100, 110, 15),
        (30, 40, 30),
        ((6, 20, 15, 2),),
    ),
    "factory": Shape(
        "12 12 12 12 12 20 60 95 100 100 98 80 70 95 100 100 95 90 80 60 40 20 12 12",
        (100, 45, 12),
        (36, 34, 30),
        ((3, 10, 15, None),),
        None,
        (85, 62, 318),
    ),
    "pump": Shape(" ".join(["2"] * 24), (100, 100, 100), (34, 33, 33), ((20, 60, 100, None),), None, (82, 70, 349)),
    # Nobody draws water at night: a flow then is a leak.
    "water": Shape("0 0 0 0 0 0 30 60 30 10 8 15 30 10 5 5 10 30 45 40 30 20 8 0", (100, 120, 130), bursts=(30, 2, 150)),
    "gas": Shape("4 4 4 4 5 30 80 70 30 15 15 30 35 15 10 10 20 60 80 70 50 40 15 5", (100, 110, 120)),
    "heating": Shape("55 52 50 50 55 80 100 100 95 90 85 80 78 76 76 78 82 88 92 95 92 85 70 60", (100, 100, 105)),
}


class DayLoad(Load):
    """DayLoad(power_w, energy_wh, from_us, shape, clock_s, seed, solar_w): shape a name of SHAPES; power_w the week's mean.

    clock_s: the Unix seconds of the meter's local time that it was at from_us. solar_w: what the sun gives at noon."""

    def __init__(self, power_w, energy_wh=0, from_us=0, shape="house", clock_s=0, seed=1, solar_w=0):
        super().__init__(power_w, energy_wh, from_us)
        self._shape = SHAPES[shape]
        self.power_factor = self._shape.power_factor
        self._clock_ms = clock_s * 1000
        self._tables, self._unit = _tables(self._shape, power_w, solar_w, Seeded(seed))
        self._peak = max([max(max(row), -min(row)) for table in self._tables for row in table]) or 1
        # What was once added up: {(kind of day, phase, n, sign): the sums to each hour}.
        self._sums = {}

    def power(self, at_us, phase=None, n=3):
        kind, minute, _ = self._minute(self._clock_ms + self.elapsed_ms(at_us))
        return self._shown(kind, minute, phase, n), 1000

    def flows(self, at_us, phase=None, n=3):
        kind, minute, _ = self._minute(self._clock_ms + self.elapsed_ms(at_us))
        if phase is not None and n == 3:
            phases = (self.wiring.source[phase] if self.wiring else phase,)
        else:
            phases = range(3)
        ratio = self.wiring.ratio if self.wiring else (1, 1)
        return abs(sum([self._tables[kind][i][minute] for i in phases])) * self._unit * ratio[0], 1000 * ratio[1]

    def voltage(self, at_us, phase=None, n=3):
        kind, minute, _ = self._minute(self._clock_ms + self.elapsed_ms(at_us))
        phase = phase or 0
        return _VOLTS[phase] - _DROOP * self._tables[kind][phase][minute] // self._peak, 10

    def most(self, n=3):
        return max([self._shown(kind, minute, None, n) for kind in range(3) for minute in range(_MINUTES)]), 1000

    def _minute(self, ms):
        """(kind of day, minute of the day, milliseconds of the minute) of local time."""
        day, ms = divmod(ms, _DAY_MS)
        return _kind(day), ms // 60000, ms % 60000

    def _shown(self, kind, minute, phase, n):
        """Milliwatts that the meter shows in a minute of such a day."""
        table = self._tables[kind]
        if n == 1:
            return self._turned(table[0][minute] + table[1][minute] + table[2][minute], 0)
        if phase is None:
            return sum([self._shown(kind, minute, each, n) for each in range(3)])
        return self._turned(table[self.wiring.source[phase] if self.wiring else phase][minute], phase)

    def _turned(self, counts, phase):
        milliwatts = counts * self._unit
        if not self.wiring:
            return milliwatts
        turn, ratio = self.wiring.turn(phase, self.power_factor[1]), self.wiring.ratio
        return milliwatts * turn * ratio[0] // (TURN * ratio[1])

    def _area(self, at_us, phase, sign, n):
        ms = self._clock_ms + self.elapsed_ms(at_us)
        return 3 * (self._sum_to(ms, phase, sign, n) - self._sum_to(self._clock_ms, phase, sign, n)), 3000

    def _sum_to(self, ms, phase, sign, n):
        """Milliwatt milliseconds of that sign from day 0 on."""
        day = ms // _DAY_MS
        kind, minute, rest_ms = self._minute(ms)
        whole = [self._hours(each, phase, sign, n)[24] for each in range(3)]
        minutes = day // 7 * (5 * whole[0] + whole[1] + whole[2])
        minutes += sum([whole[_kind(each)] for each in range(day - day % 7, day)])
        minutes += self._hours(kind, phase, sign, n)[minute // 60]
        for each in range(minute - minute % 60, minute):
            minutes += max(0, self._shown(kind, each, phase, n) * sign)
        return minutes * 60000 + max(0, self._shown(kind, minute, phase, n) * sign) * rest_ms

    def _hours(self, kind, phase, sign, n):
        """Milliwatt minutes of that sign from midnight to each full hour of such a day."""
        key = kind, phase, n, sign
        if key not in self._sums:
            sums = [0]
            for hour in range(24):
                minutes = range(60 * hour, 60 * hour + 60)
                sums.append(sums[-1] + sum([max(0, self._shown(kind, minute, phase, n) * sign) for minute in minutes]))
            self._sums[key] = sums
        return self._sums[key]


def _kind(day):
    """0 Monday to Friday, 1 Saturday, 2 Sunday, of days since 1970, which began on a Thursday."""
    week_day = (day + 4) % 7
    return {0: 2, 6: 1}.get(week_day, 0)


def _tables(shape, power_w, solar_w, dice):
    """([[counts of each minute for each phase] for each kind of day], milliwatts of a count)."""
    tables = [_levels(shape, percent, dice) for percent in shape.week]
    week = peak = 0
    for kind in range(3):
        week += (5, 1, 1)[kind] * sum([sum(row) for row in tables[kind]])
        peak = max(peak, max([max(row) for row in tables[kind]]))
    mean = power_w * 1000 * 7 * _MINUTES
    # So that a count fits 32 bits.
    unit = 1 + max(peak * mean // week, solar_w * 1000 // 3) // (1 << 30)
    sun = _sun(solar_w, dice)
    for table in tables:
        for row in table:
            for i in range(_MINUTES):
                row[i] = (row[i] * mean // week - sun[i]) // unit
    return tables, unit


def _levels(shape, percent, dice):
    """The levels of each minute for each phase, in millionths."""
    bursts = _bursts(shape, dice)
    found = [array("i", [0] * _MINUTES) for _ in range(3)]
    for minute in range(_MINUTES):
        hour, rest = divmod(minute, 60)
        level = shape.hours[hour] * (60 - rest) + shape.hours[(hour + 1) % 24] * rest
        level = level * percent * (100 + dice.between(-_NOISE, _NOISE)) // 60
        levels = [level * share for share in shape.shares]
        for on, period, height, phase in shape.cycles:
            if minute % period < on:
                _raise(levels, height * percent * 100, phase, shape.shares)
        for first, for_minutes, height, phase in bursts:
            if first <= minute < first + for_minutes:
                _raise(levels, height * 10000, phase, shape.shares)
        for i in range(3):
            found[i][minute] = levels[i]
    return found


def _raise(levels, height, phase, shares):
    for i in range(3):
        if phase is None:
            levels[i] += height * shares[i]
        elif phase == i:
            levels[i] += height * 100


def _bursts(shape, dice):
    """[(first minute, minutes, level, phase), ..] of a day."""
    if not shape.bursts:
        return ()
    n, most, height = shape.bursts
    return [(dice.between(360, 1320), dice.between(1, most), height, dice.below(3)) for _ in range(n)]


def _sun(solar_w, dice):
    """Milliwatts that the sun gives each phase in each minute, from 6 to 18 o'clock, with clouds."""
    found = [0] * _MINUTES
    if not solar_w:
        return found
    clear = 100
    for x in range(720):
        if x % 7 == 0:
            clear = dice.between(60, 100)
        # A parabola: 1 at noon.
        found[360 + x] = solar_w * 1000 * 4 * x * (720 - x) * clear // (720 * 720 * 100 * 3)
    return found
