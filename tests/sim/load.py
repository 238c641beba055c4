"""What a simulated meter measures: a load whose energy is its power's exact integral. Integers alone; pure, portable."""

from tests.sim.wiring import TURN

# The load swings by a fifth around its mean, up and down once in this time.
_PERIOD_MS = 120000
_SWING = 5
# Watt milliseconds of a kWh.
KWH = 3600000000


class Load:
    """A load whose energy grows: Load(power_w, energy_wh, from_us), the same in each of three phases.

    Where phase may be said it is 0..2, None: all of them; n: the phases that the meter has, 1 or 3. All that is given is
    (numerator, denominator). To be changed before it is first asked: wiring, a Wiring; end_wh, where its register rolls over.
    power_factor: in hundredths, the tangent of its angle in hundredths, the angle in tenths of a degree."""

    power_factor = (95, 33, 182)
    wiring = None
    end_wh = 0
    _since_us = None

    def __init__(self, power_w, energy_wh=0, from_us=0):
        self.power_w = power_w
        self.energy_wh = energy_wh
        self.from_us = from_us

    def power(self, at_us, phase=None, n=3):
        """W that the meter shows; below 0 for what flows back."""
        watts, divisor = self._watts(at_us)
        if phase is None and not self.wiring:
            return watts, divisor
        turn, whole = self._turn(phase, n)
        return watts * turn, divisor * whole

    def flows(self, at_us, phase=None, n=3):
        """W of the phase whose current the meter takes for this one's, in the ratio that is set; without a sign."""
        watts, divisor = self._watts(at_us)
        ratio = self.wiring.ratio if self.wiring else (1, 1)
        return watts * ratio[0], divisor * ratio[1] * (1 if phase is None or n == 1 else 3)

    def energy(self, at_us, phase=None, sign=1, n=3):
        """kWh taken, which never fall; sign -1: given back, counted from 0."""
        area, scale = self._area(at_us, phase, sign, n)
        if self._since_us is not None:
            area -= self._area(self._since_us, phase, sign, n)[0]
        if sign > 0:
            begun = self.energy_wh * KWH // 1000 * scale
            area += begun if phase is None or n == 1 else begun // 3
        if self.end_wh:
            area %= self.end_wh * KWH // 1000 * scale
        return area, KWH * scale

    def restart(self, at_us, energy_wh):
        """From now on another register counts, which begins here."""
        self._since_us, self.energy_wh = at_us, energy_wh

    def voltage(self, at_us, phase=None, n=3):
        """V."""
        return 2302, 10

    def most(self, n=3):
        """W, the highest that the meter shows."""
        turn, whole = self._turn(None, n)
        return self.power_w * (_SWING + 1) * turn, _SWING * whole

    def elapsed_ms(self, at_us):
        return max(0, at_us - self.from_us) // 1000

    def quantity(self, name, at_us, three_phases=True):
        """(numerator, denominator) of the point called name, in the point's unit. KeyError for one that is not known.

        The tariffs are counted in whole hundredths: together they are energy_import, when it is counted so too."""
        return _quantity(self, name, at_us, 3 if three_phases else 1)

    def _watts(self, at_us):
        """What flows in all phases."""
        half = _PERIOD_MS // 2
        x = self.elapsed_ms(at_us) % _PERIOD_MS
        # From -half up to half and down again.
        swing = 2 * x - half if x < half else 3 * half - 2 * x
        return self.power_w * (_SWING * half + swing), _SWING * half

    def _area(self, at_us, phase, sign, n):
        """(watt milliseconds of that sign since it began, times scale; scale, which 3 divides)."""
        half = _PERIOD_MS // 2
        ms = self.elapsed_ms(at_us)
        x = ms % _PERIOD_MS
        # The integral of the swing, times half: nothing over a half period.
        swung = x * (x - half) if x < half else (x - half) * (_PERIOD_MS - x)
        area, scale = self.power_w * (ms * _SWING * half + swung), _SWING * half
        if phase is None and not self.wiring:
            return (area if sign > 0 else 0), scale
        turn, whole = self._turn(phase, n)
        return max(0, area * turn * sign), scale * whole

    def _turn(self, phase, n):
        """(numerator, denominator) of what the meter shows of a phase to all that flows."""
        phases = range(n) if phase is None or n == 1 else (phase,)
        if not self.wiring:
            return len(phases), n
        turn = sum([self.wiring.turn(phase, self.power_factor[1]) for phase in phases])
        return turn * self.wiring.ratio[0], TURN * n * self.wiring.ratio[1]


class Given(Load):
    """A load whose quantities are said: Given({name: (numerator, denominator)}, from_us)."""

    def __init__(self, quantities, from_us=0):
        super().__init__(0, 0, from_us)
        self.quantities = quantities

    def quantity(self, name, at_us, three_phases=True):
        return self.quantities[name]


# What is always the same: (numerator, denominator) in the point's unit.
_FIXED = {
    "frequency": (5001, 100),
    "temperature_supply": (7012, 100),
    "temperature_return": (5012, 100),
    "alarm": (0, 1),
}
# (numerator, denominator) of energy_import in kWh, by names. A heat meter counts GJ, and a m3 for every 23.26 kWh that it
# gives between 70 and 50 Cel; a water meter counts as if it were one.
_OF_ENERGY = {
    "energy_combined": (1, 1),
    "energy_reactive_2": (-11, 100),
    "energy_reactive_q2": (11, 100),
    "energy_reactive_q3": (0, 1),
    "energy_reactive_q4": (0, 1),
    "volume": (100, 2326),
    "heat_gj": (36, 10000),
    "cooling_gj": (12, 10000),
}
# The same of the energy with which it began.
_SETTLED = {"volume_settlement": "volume", "heat_settlement_gj": "heat_gj"}
# Of every ten hundredths of a kWh so many are counted in each tariff, one tariff after the other.
_TARIFFS = (4, 3, 2, 1)
_WORKING_H = 1000


def _quantity(load, name, at_us, n):
    phase = None
    if name[-3:-1] == "_l":
        name, phase = name[:-3], int(name[-1]) - 1
    if name in _FIXED:
        return _FIXED[name]
    if name in _SETTLED:
        return load.quantity(_SETTLED[name], load.from_us)
    if name == "working_hours":
        return load.elapsed_ms(at_us) + _WORKING_H * 3600000, 3600000
    if name[:7] == "energy_" or name in _OF_ENERGY:
        return _energy(load, name, at_us, phase, n)
    return _GAUGES[name](load, at_us, phase, n)


def _energy(load, name, at_us, phase, n):
    if name[:-1] == "energy_import_t":
        return _tariff(load, at_us, int(name[-1])), 100
    if name == "energy_export":
        return load.energy(at_us, phase, -1, n)
    energy, divisor = load.energy(at_us, phase, 1, n)
    if name == "energy_import":
        return energy, divisor
    if name == "energy_total":
        return energy + load.energy(at_us, phase, -1, n)[0], divisor
    if name == "energy_apparent":
        numerator, denominator = 100, load.power_factor[0]
    elif name in ("energy_reactive_1", "energy_reactive_q1"):
        numerator, denominator = load.power_factor[1], 100
    else:
        numerator, denominator = _OF_ENERGY[name]
    return energy * numerator, divisor * denominator


def _tariff(load, at_us, tariff):
    """Hundredths of a kWh counted in a tariff, 1..4."""
    energy, divisor = load.energy(at_us)
    tens, rest = divmod(energy * 100 // divisor, 10)
    n = _TARIFFS[tariff - 1]
    return tens * n + min(n, max(0, rest - sum(_TARIFFS[: tariff - 1])))


# -- what changes all the time: (load, at_us, phase, n) ---------------------------------------------------------------


def _power(load, at_us, phase, n):
    watts, divisor = load.power(at_us, phase, n)
    return watts, divisor * 1000


def _reactive(load, at_us, phase, n):
    watts, divisor = load.power(at_us, phase, n)
    return watts * load.power_factor[1], divisor * 100000


def _apparent(load, at_us, phase, n):
    watts, divisor = load.flows(at_us, phase, n)
    return watts * 100, divisor * 1000 * load.power_factor[0]


def _current(load, at_us, phase, n):
    """Of one phase: what is apparent there, by its voltage."""
    volts, volts_divisor = load.voltage(at_us, phase, n)
    watts, divisor = load.flows(at_us, phase, n)
    return watts * 100 * volts_divisor, divisor * load.power_factor[0] * volts


def _power_factor(load, at_us, phase, n):
    """What is shown to what flows: below 0 where power flows back, or a transformer is wrong."""
    shown, divisor = load.power(at_us, phase, n)
    flows, flows_divisor = load.flows(at_us, phase, n)
    if not shown or not flows:
        return load.power_factor[0], 100
    return load.power_factor[0] * shown * flows_divisor, 100 * divisor * flows


def _angle(load, at_us, phase, n):
    shift = load.wiring.shifts[phase or 0] if load.wiring else 0
    return (load.power_factor[2] + shift) % 3600, 10


def _demand(load, at_us, phase, n):
    watts, divisor = load.most(n)
    return watts, divisor * 1000


def _flow(load, at_us, phase, n):
    watts, divisor = load.power(at_us)
    return watts * 100, divisor * 2326000


_GAUGES = {
    "voltage": lambda load, at_us, phase, n: load.voltage(at_us, phase, n),
    "current": _current,
    "power": _power,
    "heat_power": _power,
    "reactive_power": _reactive,
    "apparent_power": _apparent,
    "power_factor": _power_factor,
    "phase_angle": _angle,
    "demand_max": _demand,
    "flow": _flow,
}
