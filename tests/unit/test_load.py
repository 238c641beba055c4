"""Simulated loads: energy is the exact integral of power, phases fit their sum, current transformers as people wire them."""

from tests.sim.dayload import SHAPES, DayLoad
from tests.sim.load import Load
from tests.sim.wiring import TURN, Wiring

_HOUR_US = 3600000000
_DAY_US = 24 * _HOUR_US
# Sunday, 2025-11-23 00:00:00.
_SUNDAY_S = 1763856000
_NAMES = ("voltage", "current", "power", "power_factor")


def _value(load, name, at_us, scale=1000, three_phases=True):
    numerator, denominator = load.quantity(name, at_us, three_phases)
    return numerator * scale // denominator


def _minutes_sum(load, from_us, minutes, phase, sign, n=3):
    """Milliwatt minutes of that sign, added up one by one."""
    total = 0
    for minute in range(minutes):
        watts, divisor = load.power(from_us + minute * 60000000, phase, n)
        assert divisor == 1000
        total += max(0, watts * sign)
    return total


def _counted(load, from_us, to_us, phase, sign, n=3):
    """The same, as the energy says it."""
    begun, divisor = load.energy(from_us, phase, sign, n)
    ended, _ = load.energy(to_us, phase, sign, n)
    kwh_of_mwmin = divisor // 60000000
    assert divisor % 60000000 == 0 and (ended - begun) % kwh_of_mwmin == 0
    return (ended - begun) // kwh_of_mwmin


def test_the_energy_of_each_day_is_the_sum_of_its_minutes():
    for shape in SHAPES:
        load = DayLoad(3000, 1230, 0, shape, _SUNDAY_S, 5, 4000 if shape == "house" else 0)
        for phase in (None, 0, 2):
            for sign in (1, -1):
                expected = _minutes_sum(load, 0, 1440, phase, sign)
                assert _counted(load, 0, _DAY_US, phase, sign) == expected, (shape, phase, sign)
    assert expected == 0
    # One that is counted in more than milliwatts.
    load = DayLoad(36000000, 1230, 0, "house", _SUNDAY_S, 5)
    assert _counted(load, 0, _DAY_US, None, 1) == _minutes_sum(load, 0, 1440, None, 1) > 20 * 10**6 * 1000 * 1440


def test_energy_never_falls_and_grows_as_the_power_says_within_a_minute():
    load = DayLoad(3000, 1230, 5000000, "house", _SUNDAY_S + 11 * 3600, 5, 9000)
    last = [load.energy(0), load.energy(0, None, -1)]
    for step in range(1, 300):
        at_us = 5000000 + step * 7777000
        now = [load.energy(at_us), load.energy(at_us, None, -1)]
        assert now[0][0] >= last[0][0] and now[1][0] >= last[1][0]
        last = now
    # Both happened: it was taken and given back.
    assert last[0][0] > load.energy(0)[0] and last[1][0] > 0
    watts, divisor = load.power(10 * 60000000 + 5000000)
    grown = [load.energy(10 * 60000000 + 5000000 + ms * 1000)[0] for ms in (0, 1000, 20000)]
    if watts < 0:
        grown = [load.energy(10 * 60000000 + 5000000 + ms * 1000, None, -1)[0] for ms in (0, 1000, 20000)]
    per_ms = abs(watts) * 3
    assert divisor == 1000 and grown[1] - grown[0] == 1000 * per_ms and grown[2] - grown[0] == 20000 * per_ms


def test_the_mean_of_a_week_is_what_was_asked_for():
    for shape in SHAPES:
        load = DayLoad(60000, 0, 0, shape, _SUNDAY_S, 3)
        kwh = _value(load, "energy_import", 7 * _DAY_US)
        assert 10079990 <= kwh <= 10080000, (shape, kwh)
        assert _value(load, "energy_export", 7 * _DAY_US) == 0


def test_days_have_their_shape():
    factory = DayLoad(60000, 0, 0, "factory", _SUNDAY_S, 3)
    at = lambda hour: _value(factory, "power", hour * _HOUR_US)  # noqa: E731
    assert at(24 + 10) > 5 * at(10) and at(24 + 10) > 4 * at(24 + 3)
    assert at(24 + 10) == at(3 * 24 + 10) and at(6 * 24 + 10) < at(24 + 10)
    water = DayLoad(4000, 0, 0, "water", _SUNDAY_S, 3)
    assert _value(water, "flow", 3 * _HOUR_US) == 0 < _value(water, "flow", 7 * _HOUR_US)
    pump = DayLoad(4000, 0, 0, "pump", _SUNDAY_S, 3)
    assert _value(pump, "power", 10 * 60000000) > 20 * _value(pump, "power", 40 * 60000000)


def test_two_seeds_are_two_houses_and_one_seed_is_one():
    powers = lambda seed: [DayLoad(3000, 0, 0, "house", 0, seed).power(hour * _HOUR_US)[0] for hour in range(24)]  # noqa: E731
    assert powers(1) == powers(1) != powers(2)


def test_a_meter_of_three_phases_is_consistent():
    for load in (
        Load(12000, 0),
        DayLoad(9000, 0, 0, "house", _SUNDAY_S, 5, 8000),
        DayLoad(9000, 0, 0, "pump", _SUNDAY_S, 5),
    ):
        seen = set()
        for hour in range(0, 48, 3):
            at_us = hour * _HOUR_US + 123000
            total = 0
            for phase in ("_l1", "_l2", "_l3"):
                volts, amps, watts, factor = [load.quantity(name + phase, at_us) for name in _NAMES]
                # V x I x PF is P, exactly.
                left = volts[0] * amps[0] * factor[0] * watts[1]
                assert left == watts[0] * 1000 * volts[1] * amps[1] * factor[1]
                assert 2200 < _value(load, "voltage" + phase, at_us, 10) < 2420
                total += watts[0] * load.quantity("power_l1", at_us)[1] // watts[1]
                seen.add(watts[0] * 1000 // watts[1])
            whole, divisor = load.quantity("power", at_us)
            assert total * divisor == whole * load.quantity("power_l1", at_us)[1]
            assert _value(load, "apparent_power", at_us) >= abs(_value(load, "power", at_us))
        # A steady load's phases are alike, and the hours are whole swings.
        assert len(seen) == 1 if load.__class__ is Load else len(seen) > 12


def test_a_meter_of_one_phase_is_consistent():
    for load in (Load(1200, 0), DayLoad(900, 0, 0, "house", _SUNDAY_S, 5)):
        volts, amps, watts, factor = [load.quantity(name, _HOUR_US, False) for name in _NAMES]
        assert volts[0] * amps[0] * factor[0] * watts[1] == watts[0] * 1000 * volts[1] * amps[1] * factor[1]
        assert load.quantity("current_l1", _HOUR_US, False) == amps


def test_a_reversed_transformer():
    for load, shown in ((Load(12000, 3000), 4000), (DayLoad(12000, 3000, 0, "factory", _SUNDAY_S, 5), None)):
        right = [_value(load, "power_l%d" % phase, 0) for phase in (1, 2, 3)]
        amps = _value(load, "current_l2", 0)
        load.__init__(*((12000, 3000) if shown else (12000, 3000, 0, "factory", _SUNDAY_S, 5)))
        load.wiring = Wiring(reversed=(1,))
        found = [_value(load, "power_l%d" % phase, 0) for phase in (1, 2, 3)]
        assert found[0] == right[0] and found[2] == right[2] and found[1] in (-right[1], -right[1] - 1)
        assert _value(load, "current_l2", 0) == amps and _value(load, "power_factor_l2", 0) < 0
        assert _value(load, "energy_import_l2", _DAY_US) == 1000 < _value(load, "energy_import_l1", _DAY_US)
        assert _value(load, "energy_export", _DAY_US) == 0
        assert load.energy(_DAY_US, 1, -1)[0] > 0
        # What two phases take, less the third's: a steady load shows a third.
        if shown:
            assert _value(load, "energy_import", _DAY_US) == 3000 + 4000 * 24
            assert _value(load, "power", 30000000) == 4000
        assert _value(load, "phase_angle_l2", 0, 10) == _value(load, "phase_angle_l1", 0, 10) + 1800


def test_more_reversed_than_right_counts_backwards():
    load = Load(12000, 3000)
    load.wiring = Wiring(reversed=(0, 1))
    assert _value(load, "energy_import", _DAY_US) == 3000 and _value(load, "energy_export", _DAY_US) == 4000 * 24
    assert _value(load, "energy_total", _DAY_US) == 3000 + 4000 * 24 and _value(load, "power", 30000000) == -4000


def test_swapped_transformers():
    load = Load(12000, 0)
    load.wiring = Wiring(swapped=(0, 1))
    powers = [_value(load, "power_l%d" % phase, 30000000) for phase in (1, 2, 3)]
    # cos(120 + 18.2) and cos(120 - 18.2) over cos 18.2: both below 0, and together the third's opposite.
    assert powers == [-3144, -857, 4000]
    assert _value(load, "power", 30000000) in (-1, 0)
    assert _value(load, "power_factor_l1", 30000000) == -747
    angles = [_value(load, "phase_angle_l%d" % phase, 0, 10) for phase in (1, 2, 3)]
    assert angles == [1382, 2582, 182]
    load.wiring = Wiring(swapped=(0, 1), reversed=(0,))
    assert _value(load, "power_l1", 30000000) == 3143


def test_a_wrong_ratio():
    load = Load(12000, 3000)
    amps = _value(load, "current_l1", 30000000)
    load.wiring = Wiring(ratio=(1, 2))
    assert _value(load, "power", 30000000) == 6000 and _value(load, "power_l3", 30000000) == 2000
    assert _value(load, "current_l1", 30000000) == amps // 2 and _value(load, "power_factor", 0) == 950
    assert _value(load, "energy_import", _DAY_US) == 3000 + 6000 * 24
    assert Wiring().turn(1, 33) == TURN


def test_a_register_that_rolls_over_and_one_that_begins_anew():
    load = Load(12000, 999999000)
    load.end_wh = 10**9
    assert _value(load, "energy_import", 0) == 999999000
    # Five minutes of 12 kW are the last kWh.
    assert _value(load, "energy_import", 299999000) > 999999900 and _value(load, "energy_import", 300000000) == 0
    load.restart(600000000, 7)
    assert _value(load, "energy_import", 600000000) == 7 and _value(load, "energy_import", 900000000) == 1007
    assert _value(load, "energy_import_l1", 900000000) == 335
    solar = DayLoad(100, 0, 0, "house", _SUNDAY_S, 5, 9000)
    solar.restart(12 * _HOUR_US, 5)
    assert _value(solar, "energy_export", 12 * _HOUR_US) == 0 < _value(solar, "energy_export", 13 * _HOUR_US)
