"""What a simulated meter measures: a load whose energy is its power's exact integral. Integers alone; pure, portable."""

# The load swings by a fifth around its mean, up and down once in this time.
_PERIOD_MS = 120000
_SWING = 5
# Watt milliseconds of a kWh.
_KWH = 3600000000


class Load:
    """A load whose energy grows: Load(power_w, energy_wh, from_us)."""

    def __init__(self, power_w, energy_wh=0, from_us=0):
        self.power_w = power_w
        self.energy_wh = energy_wh
        self.from_us = from_us

    def power(self, at_us):
        """(numerator, denominator) of the power in W."""
        half = _PERIOD_MS // 2
        x = self.elapsed_ms(at_us) % _PERIOD_MS
        # From -half up to half and down again.
        swing = 2 * x - half if x < half else 3 * half - 2 * x
        return self.power_w * (_SWING * half + swing), _SWING * half

    def energy(self, at_us):
        """(numerator, denominator) of the energy in kWh. It never falls."""
        half = _PERIOD_MS // 2
        ms = self.elapsed_ms(at_us)
        x = ms % _PERIOD_MS
        # The integral of the swing, times half: nothing over a half period.
        area = x * (x - half) if x < half else (x - half) * (_PERIOD_MS - x)
        return self.energy_wh * _KWH // 1000 * _SWING * half + self.power_w * (ms * _SWING * half + area), _KWH * _SWING * half

    def elapsed_ms(self, at_us):
        return max(0, at_us - self.from_us) // 1000

    def quantity(self, name, at_us, three_phases=True):
        """(numerator, denominator) of the point called name, in the point's unit. KeyError for one that is not known.

        The tariffs are counted in whole hundredths: together they are energy_import, when it is counted so too."""
        return _quantity(self, name, at_us, three_phases)


class Given(Load):
    """A load whose quantities are said: Given({name: (numerator, denominator)}, from_us)."""

    def __init__(self, quantities, from_us=0):
        super().__init__(0, 0, from_us)
        self.quantities = quantities

    def quantity(self, name, at_us, three_phases=True):
        return self.quantities[name]


# What is always the same, by the beginning of a point's name: (numerator, denominator) in the point's unit.
_FIXED = (
    ("voltage", 2302, 10),
    ("power_factor", 95, 100),
    ("phase_angle", 182, 10),
    ("frequency", 5001, 100),
    ("temperature_supply", 7012, 100),
    ("temperature_return", 5012, 100),
    ("energy_export", 0, 1),
    ("alarm", 0, 1),
)
# (numerator, denominator) of the load's power in kW, by the beginning of a point's name. The current as 3 phases carry it;
# a heat meter's flow by the 23.26 kWh that a m3 gives between 70 and 50 Cel; a water meter's as if it were one.
_OF_POWER = (
    ("current", 10000, 6906),
    ("power", 1, 1),
    ("apparent_power", 100, 95),
    ("reactive_power", 33, 100),
    ("heat_power", 1, 1),
    ("flow", 100, 2326),
)
# The same of its energy in kWh; names of a register whole, for some begin alike. A heat meter counts GJ.
_OF_ENERGY = {
    "energy_import": (1, 1),
    "energy_import_l1": (1, 3),
    "energy_import_l2": (1, 3),
    "energy_import_l3": (1, 3),
    "energy_total": (1, 1),
    "energy_combined": (1, 1),
    "energy_reactive_1": (33, 100),
    "energy_reactive_2": (-11, 100),
    "energy_reactive_q1": (33, 100),
    "energy_reactive_q2": (11, 100),
    "energy_reactive_q3": (0, 1),
    "energy_reactive_q4": (0, 1),
    "energy_apparent": (100, 95),
    "volume": (100, 2326),
    "heat_gj": (36, 10000),
    "cooling_gj": (12, 10000),
}
# The same of the energy with which it began.
_SETTLED = {"volume_settlement": "volume", "heat_settlement_gj": "heat_gj"}
# Of every ten hundredths of a kWh so many are counted in each tariff, one tariff after the other.
_TARIFFS = (4, 3, 2, 1)
_WORKING_H = 1000


def _quantity(load, name, at_us, three_phases):
    for start, numerator, denominator in _FIXED:
        if name.startswith(start):
            return numerator, denominator
    if name.startswith("energy_import_t"):
        return _tariff(load, at_us, int(name[-1])), 100
    if name in _SETTLED:
        return load.quantity(_SETTLED[name], load.from_us)
    if name in _OF_ENERGY:
        energy, divisor = load.energy(at_us)
        return energy * _OF_ENERGY[name][0], divisor * _OF_ENERGY[name][1]
    if name == "demand_max":
        return load.power_w * (_SWING + 1), 1000 * _SWING
    if name == "working_hours":
        return load.elapsed_ms(at_us) + _WORKING_H * 3600000, 3600000
    for start, numerator, denominator in _OF_POWER:
        if name.startswith(start):
            watts, divisor = load.power(at_us)
            if start in ("power", "reactive_power") and three_phases and name[-3:-1] == "_l":
                denominator *= 3
            return watts * numerator, divisor * denominator * 1000
    raise KeyError(name)


def _tariff(load, at_us, tariff):
    """Hundredths of a kWh counted in a tariff, 1..4."""
    energy, divisor = load.energy(at_us)
    tens, rest = divmod(energy * 100 // divisor, 10)
    n = _TARIFFS[tariff - 1]
    return tens * n + min(n, max(0, rest - sum(_TARIFFS[: tariff - 1])))
