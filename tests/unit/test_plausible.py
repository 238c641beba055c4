"""Plausible: what does not fit is said, and healthy loads are not complained of."""

from firmware.meters import moved, plausible
from firmware.meters.moved import Energy
from firmware.meters.plausible import Seen, factor_text, is_judged, judge, text_of
from firmware.meters.profiles import profile_of
from tests.sim.dayload import DayLoad
from tests.sim.wiring import Wiring

# Hundredths of the cosine of 0, 10, .. 180 degrees, by hand.
_COSINES = (100, 98, 94, 87, 77, 64, 50, 34, 17, 0, -17, -34, -50, -64, -77, -87, -94, -98, -100)


def _cos(degrees):
    return _COSINES[round(abs((degrees + 180) % 360 - 180) / 10)] / 100


class _Random:
    """The same numbers on every port."""

    def __init__(self, seed):
        self._state = seed * 2654435761 % 4294967296

    def below(self, n):
        self._state = (self._state * 1664525 + 1013904223) % 4294967296
        return (self._state >> 8) % n

    def pick(self, choices):
        return choices[self.below(len(choices))]


# What a profile gives: name ends, decimals of V, A, kW, and whether it has power factors, reactive and apparent power.
_MODBUS = (2, 3, 4, True)
_OLD = (0, 2, 4, False)
_COARSE = (1, 2, 3, True)


def _site(amperes, degrees=(20, 20, 20), volts=(230, 230, 230), form=_MODBUS, signs=(1, 1, 1), **more):
    """Values of three phases that fit: {name: (value, decimals)}. signs: -1 where a transformer is turned around."""
    dv, da, dp, has_factors = form
    found = {}
    total = reactive = 0
    for n in range(3):
        kw = volts[n] * amperes[n] * _cos(degrees[n]) * signs[n] / 1000
        kvar = volts[n] * amperes[n] * _cos(degrees[n] - 90) * signs[n] / 1000
        total += kw
        reactive += kvar
        end = "_l%d" % (n + 1)
        found["voltage" + end] = volts[n], dv
        found["current" + end] = amperes[n], da
        found["power" + end] = kw, dp
        if has_factors:
            found["power_factor" + end] = _cos(degrees[n]) * signs[n], 3
            found["reactive_power" + end] = kvar, dp
    found["power"] = total, dp
    if has_factors:
        found["reactive_power"] = reactive, dp
        found["apparent_power"] = (total * total + reactive * reactive) ** 0.5, dp
    found["energy_import"], found["energy_export"] = (1234.5, 2), (0, 2)
    for name in more:
        value, decimals = more[name], found.get(name, (0, 4))[1]
        if value is None:
            del found[name]
        else:
            found[name] = value, decimals
    return found


def _seen(found):
    points = [(name, "", found[name][1], "gauge") for name in sorted(found)]
    # What a meter cannot say it cuts off.
    return Seen(points, [int(found[point[0]][0] * 10 ** point[2]) for point in points], [1] * len(points))


def _codes(found, with_signs=True):
    return [code for code, _ in judge(_seen(found), with_signs)]


def _single(volts=230, amperes=4, factor=0.95, **more):
    found = {
        "voltage_l1": (volts, 1),
        "current_l1": (amperes, 3),
        "power": (volts * amperes * factor / 1000, 4),
        "power_factor": (factor, 3),
    }
    for name in more:
        found[name] = more[name], 4
    return found


# -- healthy --------------------------------------------------------------------------------------------------------------


def test_healthy_loads_are_not_complained_of():
    n_judged = 0
    for seed in range(400):
        random = _Random(seed)
        amperes = [random.pick((0, 0.004, 0.03, 0.3, 2, 17, 88, 400)) * (50 + random.below(50)) / 100 for _ in range(3)]
        degrees = [random.below(12) * 10 - 50 for _ in range(3)]
        volts = [random.pick((57.7, 230)) * 1.0] * 3
        volts = [v * (93 + random.below(14)) / 100 for v in volts]
        form = random.pick((_MODBUS, _OLD, _COARSE))
        signs = (1, 1, 1)
        exported = 0
        if random.below(3) == 0:
            # A phase or all that feed in.
            signs = [random.pick((1, -1)) for _ in range(3)]
            degrees = [0 if sign < 0 else angle for sign, angle in zip(signs, degrees)]
            exported = 300 + random.below(5000)
        found = _site(amperes, degrees, volts, form, signs, energy_export=exported)
        # Currents and powers of another moment: the load has changed by a fifth.
        if random.below(2):
            for n in (1, 2, 3):
                value, decimals = found["current_l%d" % n]
                found["current_l%d" % n] = value * (80 + random.below(40)) / 100, decimals
        n_judged += any(phase.is_sure for phase in plausible.phases_of(_seen(found)))
        assert _codes(found) == [], (seed, judge(_seen(found)), found)
    assert n_judged > 250


_NAMES = ("power", "power_factor", "voltage", "current", "reactive_power", "apparent_power", "energy_import", "energy_export")


def _simulated(load, profile, hour):
    """Seen of a simulated meter at an hour of the 31st day, a Tuesday."""
    rows = [row for row in profile.points if row[0] in _NAMES or row[0][:-3] in _NAMES]
    values = []
    for name, _, _, _, decimals, _ in rows:
        numerator, denominator = load.quantity(name, (30 * 86400 + hour * 3600 + 1234) * 1000000, True)
        values.append(numerator * 10**decimals // denominator)
    return Seen([(row[0], row[3], row[4], row[5]) for row in rows], values, [1] * len(rows))


def test_loads_of_a_day_are_not_complained_of():
    # 1795219200 is 2026-11-21 00:00:00.
    for shape, watts, sun in (("house", 300, 0), ("house", 2000, 10000), ("shop", 20000, 0), ("factory", 50000, 100000)):
        load = DayLoad(watts, 1000000, 0, shape, 1795219200, 3, sun)
        for name in ("dlt645_3p", "sdm630", "dlt645_1997_3p", "adw300"):
            profile = profile_of(name)
            for hour in range(0, 24, 3):
                found = judge(_simulated(load, profile, hour), hour < 4)
                assert found == [], (shape, name, hour, found)


def test_loads_of_a_day_behind_wrong_wires_are_told():
    for shape in ("shop", "factory"):
        for wiring, code in (
            (Wiring(reversed=(1,)), "reversed_l2"),
            (Wiring(swapped=(0, 2)), "swapped_l1_l3"),
            (Wiring(swapped=(0, 1)), "swapped_l1_l2"),
        ):
            load = DayLoad(20000, 1000000, 0, shape, 1795219200, 3)
            load.wiring = wiring
            for hour in (0, 2, 3):
                found = judge(_simulated(load, profile_of("dlt645_3p"), hour))
                assert [each for each, _ in found] == [code], (shape, code, hour, found)


def test_a_phase_that_feeds_in_by_day_is_no_turned_transformer():
    found = _site((5, 8, 6), (180, 20, 20))
    assert _codes(found, with_signs=False) == []
    assert _codes(found) == ["reversed_l1"]


def test_nothing_and_little_are_not_judged():
    assert _codes({}) == []
    assert _codes(_site((0, 0, 0))) == []
    # 19 mA at 230 V: 19 digits of the current.
    for milliamperes in (1, 10, 19):
        assert _codes(_site((milliamperes / 1000,) * 3, power_l1=-0.9, power_l2=0.8)) in ([], ["total"])
    # A capacitor takes no active power, and says so.
    found = _site((2, 2, 2), (90, 90, 90))
    assert _codes(found) == []
    # No neutral: two elements, one of which may be negative.
    found = _site((5, 0, 5), (90, 0, 30), (100, 0, 100), signs=(-1, 1, 1))
    assert _codes(found) == []
    # A meter of three phases on one.
    assert _codes(_site((5, 0, 0), volts=(230, 0, 0))) == []


def test_twenty_digits_and_twenty_va_are_judged():
    # Hundredths of an ampere at 230 V: 19 digits, and 21.
    for amperes, codes in ((0.19, []), (0.21, ["reversed_l2"])):
        found = _site((5, amperes, 5), form=_COARSE, signs=(1, -1, 1))
        assert _codes(found) == codes, amperes
    # Thousandths: 19 VA, and 21.
    for amperes, codes in ((0.083, []), (0.092, ["reversed_l2"])):
        assert _codes(_site((5, amperes, 5), signs=(1, -1, 1))) == codes, amperes
    # A power in tenths of a kW: 19 digits, and 21.
    for amperes, codes in ((8.2, []), (9.3, ["reversed_l2"])):
        assert _codes(_site((50, amperes, 50), form=(1, 2, 1, True), signs=(1, -1, 1))) == codes, amperes


def test_a_small_power_factor_says_little():
    for factor, codes in ((0.29, []), (0.31, ["power_l1"])):
        assert _codes(_single(power=0.6, power_factor=factor)) == codes
    # A phase that is all but reactive may be negative by an error of its angle.
    for degrees, codes in ((90, []), (100, []), (110, ["reversed_l2"]), (120, ["reversed_l2"])):
        found = _codes(_site((5, 5, 5), (20, degrees, 20)))
        assert found == codes, (degrees, found)


def test_single_phase_meters_are_judged_by_their_total():
    assert _codes(_single()) == []
    assert _codes(_single(factor=-0.95)) == []
    assert _codes(_single(power=0.0874)) == ["power_l1"]
    assert _codes(_single(power=0)) == ["no_power_l1"]
    assert _codes(_single(power=0, reactive_power=0.9)) == []
    assert _codes(_single(volts=23)) == ["voltage_l1"]


# -- transformers ------------------------------------------------------------------------------------------------------


def test_a_turned_transformer_is_named():
    for n in range(3):
        for degrees in (0, 20, -30, 50):
            signs = [1, 1, 1]
            signs[n] = -1
            assert _codes(_site((5, 8, 6), (degrees,) * 3, signs=signs)) == ["reversed_l%d" % (n + 1)], (n, degrees)
    assert _codes(_site((5, 8, 6), signs=(-1, 1, -1))) == ["reversed_l1", "reversed_l3"]
    words = judge(_seen(_site((5, 8, 6), signs=(1, -1, 1))))[0][1]
    assert words == (
        "phase 2: power is negative (-1.730 kW), the others' is not: is its current transformer turned around (S1, S2)? "
        "Right if this phase feeds in"
    )
    # All three: who gives back, or a generator's meter.
    assert _codes(_site((5, 8, 6), signs=(-1, -1, -1))) == []
    # Where energy is given back, a phase may be negative; a fifth counts.
    assert _codes(_site((5, 8, 6), signs=(1, -1, 1), energy_export=246.9)) == []
    assert _codes(_site((5, 8, 6), signs=(1, -1, 1), energy_export=246.8)) == ["reversed_l2"]
    # A new meter: nothing has been counted.
    assert _codes(_site((5, 8, 6), signs=(1, -1, 1), energy_import=0)) == ["reversed_l2"]


def test_swapped_transformers_are_named():
    for k in range(3):
        for phi in (-30, -20, 0, 10, 30, 40):
            degrees = [phi, phi, phi]
            degrees[(k + 1) % 3] += 120
            degrees[(k + 2) % 3] -= 120
            pair = sorted(((k + 1) % 3 + 1, (k + 2) % 3 + 1))
            found = _codes(_site((5, 5.5, 4.8), degrees))
            assert "swapped_l%d_l%d" % tuple(pair) in found, (k, phi, found)
            assert not [code for code in found if code[:8] == "reversed"]
    # Loads of different angles.
    for degrees in ((120, -100, 10), (130, -120, 0), (120, -130, 20)):
        assert _codes(_site((5, 5, 5), degrees)) == ["swapped_l1_l2"], degrees
    # Two that are turned around are not swapped.
    assert _codes(_site((5, 5, 5), (0, 0, 0), signs=(-1, -1, 1))) == ["reversed_l1", "reversed_l2"]


# -- ratios, voltages, totals ------------------------------------------------------------------------------------------


def test_a_wrong_ratio_is_said_with_its_factor():
    for factor, words in ((8, "8"), (0.125, "1/8"), (80, "80"), (2, "2"), (0.5, "1/2"), (1.73, "1.7"), (1000, "1000")):
        found = _site((5, 5, 5))
        for n in (1, 2, 3):
            value, decimals = found["power_l%d" % n]
            found["power_l%d" % n] = value * factor, decimals
        found["power"] = found["power"][0] * factor, 4
        del found["apparent_power"]
        sentences = judge(_seen(found))
        assert [code for code, _ in sentences] == ["power_l1", "power_l2", "power_l3"], (factor, sentences)
        assert sentences[0][1].split(": the factor is ")[1].split(":")[0] == words
    assert "W in the place of kW" in sentences[0][1]


def test_a_swing_between_two_requests_is_no_wrong_ratio():
    for factor in (0.62, 0.8, 1.2, 1.55):
        found = _site((5, 5, 5))
        value, decimals = found["power_l1"]
        assert _codes(_site((5, 5, 5), power_l1=value * factor, power=None, apparent_power=None)) == []
    for factor in (0.55, 1.65):
        assert _codes(_site((5, 5, 5), power_l1=value * factor, power=None, apparent_power=None)) == ["power_l1"]


def test_without_power_factors_power_is_at_most_v_times_i():
    found = _site((5, 5, 5), form=_OLD)
    assert _codes(found) == []
    for factor, codes in ((0.3, []), (1.6, []), (1.9, ["power_l1", "power_l2", "power_l3"])):
        scaled = dict(found)
        for name in ("power", "power_l1", "power_l2", "power_l3"):
            scaled[name] = found[name][0] * factor, 4
        assert _codes(scaled) == codes, factor


def test_a_current_without_power_is_said():
    # The current of one phase and the voltage of another, 90 degrees from it.
    found = _site((5, 5, 5), power_l2=0.001, reactive_power_l2=0.1, power=2.163, apparent_power=None)
    assert _codes(found) == ["no_power_l2"]
    # The same of 40 VA: not enough to say it.
    small = _site((5, 0.17, 5), power_l2=0, reactive_power_l2=0, power=2.163, apparent_power=None)
    assert _codes(small) == []


def test_voltages():
    for volts in (57.7, 63.5, 100, 110, 127, 207, 230, 253, 300, 400, 440, 3464, 5774, 20207):
        assert _codes(_site((5, 5, 5), volts=(volts,) * 3)) == [], volts
    for volts in (12, 23, 40, 77, 460, 1000, 2300, 41000):
        assert _codes(_site((5, 5, 5), volts=(volts,) * 3)) == ["voltage_l1", "voltage_l2", "voltage_l3"], volts
    assert _codes(_site((5, 5, 5), volts=(230, 230, 150))) == ["uneven"]
    assert _codes(_site((5, 5, 5), volts=(230, 230, 170))) == []
    found = _site((5, 5, 5), volts=(230, 3, 230))
    assert _codes(found) == ["no_voltage_l2"]
    assert judge(_seen(found))[0][1].startswith("phase 2: current, but no voltage (3.0 V)")


def test_the_phases_add_up():
    found = _site((5, 8, 6))
    total = found["power"][0]
    for factor, codes in ((0.86, []), (1.14, []), (0.8, ["total"]), (3, ["total"]), (0.1, ["total"])):
        assert _codes(_site((5, 8, 6), power=total * factor, apparent_power=None)) == codes, factor
    # Added without signs, as some meters do; or with the other one.
    found = _site((5, 8, 6), signs=(1, -1, 1), energy_export=500, apparent_power=None)
    powers = [found["power_l%d" % n][0] for n in (1, 2, 3)]
    for total in (sum(powers), sum(abs(power) for power in powers), -sum(powers)):
        found["power"] = total, 4
        assert _codes(found) == []


def test_apparent_power_is_not_less_than_its_parts():
    found = _site((5, 8, 6), (50, 50, 50))
    apparent = found["apparent_power"][0]
    for factor, codes in ((0.9, []), (2, []), (0.8, ["apparent"]), (0.1, ["apparent"]), (10, ["apparent"])):
        assert _codes(_site((5, 8, 6), (50, 50, 50), apparent_power=apparent * factor)) == codes, factor


def test_a_total_alone_is_judged_by_all_phases():
    def site(factor):
        found = _site((5, 5, 5), power_l1=None, power_l2=None, power_l3=None, apparent_power=None, power_factor=0.94)
        found["power"] = found["power"][0] * factor, 4
        return _codes(found)

    assert site(1) == site(0.5) == site(2) == []
    assert site(8) == site(0.1) == ["power"]


# -- whether it is over -------------------------------------------------------------------------------------------------


def test_what_is_too_small_to_be_judged_is_not_over():
    big, small, mixed = _seen(_site((5, 5, 5))), _seen(_site((0.01,) * 3)), _seen(_site((5, 0.01, 5)))
    for code in ("reversed_l2", "swapped_l1_l2", "power_l2", "no_power_l2", "no_voltage_l2"):
        assert is_judged(code, big) and not is_judged(code, small) and not is_judged(code, mixed), code
    for code in ("power_l1", "total", "apparent", "power"):
        assert is_judged(code, big) and not is_judged(code, small) and is_judged(code, mixed), code
    for code in ("voltage_l1", "uneven"):
        assert is_judged(code, small) and not is_judged(code, _seen({}))
    for code in ("reversed_l1", "swapped_l1_l2"):
        assert not is_judged(code, big, with_signs=False)
    assert is_judged("power_l1", big, with_signs=False)


# -- energy against power -----------------------------------------------------------------------------------------------


def _energy(powers, every_s=900, factor=1, energy_digit=10000, power_digit=100, gap_s=0):
    """Energy of readings at these powers in W, each for one slot, with the register counting factor times them."""
    found = Energy(energy_digit, power_digit)
    at_s, joules = 1795276800, 0
    for n, watts in enumerate(powers):
        register = int(joules * factor) // 3600 * 1000 // energy_digit * energy_digit
        found.add(at_s, register, watts * 1000 // power_digit * power_digit)
        joules += max(0, watts) * every_s
        at_s += every_s + (gap_s if n % 2 else 0)
    return found


def test_energy_that_moves_as_power_says_is_fine():
    for powers in ([1000] * 97, [0] * 97, [7] * 97, [200 + 10 * n for n in range(97)], [50000] * 30):
        assert _energy(powers).finding() is None
    assert _energy([1000] * 97).is_enough and not _energy([7] * 97).is_enough


def test_energy_that_moves_by_another_factor_is_said():
    for factor, words in ((8, "1/8"), (0.125, "8"), (100, "1/100"), (0.0125, "80"), (5, "1/5")):
        found = _energy([4000] * 97, factor=factor)
        code, sentence = found.finding()
        assert code == "energy" and "the factor is %s:" % words in sentence, sentence
        assert found.is_enough
    assert _energy([4000] * 97, factor=8).finding()[1].startswith("energy moved 768.00 kWh, power says 96.00: ")
    # Little is not said: meters differ in what a power is the mean of.
    for factor in (0.3, 0.5, 1.3, 2, 3.9):
        assert _energy([4000] * 97, factor=factor).finding() is None
    # A register that stands still though there is power.
    assert "energy moved 0.00 kWh, power says 96.00: the factor is " in _energy([4000] * 97, factor=0).finding()[1]


def test_energy_is_not_judged_by_a_few_readings_or_long_gaps():
    for n in range(2, 25):
        assert _energy([4000] * n, factor=8).finding() is None
    assert _energy([4000] * 26, factor=8).finding() is not None
    assert _energy([4000] * 97, every_s=1801, factor=8).finding() is None
    assert _energy([4000] * 97, gap_s=3600, factor=8).finding() is not None
    found = Energy(10000, 100)
    for n in range(100):
        found.add(n * 900, 1000000 * n, None if n % 2 else 4000000)
    assert not found.n_slots


def _pieces(ratios):
    """Energy of pieces of one slot each, which power says have 1 kWh and of which the register counts so many hundredths."""
    found = Energy(10000, 100)
    register = 0
    for n, ratio in enumerate(ratios):
        found.add(n * 900, register, 4000000)
        register += ratio * 10000
    found.add(len(ratios) * 900, register, 4000000)
    return found


def test_energy_is_told_only_where_most_pieces_agree():
    assert _pieces([800] * 40).finding() is not None
    assert _pieces([800] * 27 + [100] * 13).finding() is not None
    # Half of them fit; or each is off by another factor; or one has a lot.
    assert _pieces([100] * 20 + [1600] * 20).finding() is None
    assert _pieces([50, 400, 3200, 25600] * 10).finding() is None
    assert _pieces([100] * 39 + [100000]).finding() is None
    # A factor on the edge of two powers of two.
    assert _pieces([780, 820] * 20).finding() is not None
    assert _pieces([12, 13] * 20).finding() is not None


def test_energy_needs_pieces_large_enough():
    # 10 W and 8 times that: a piece of 0.2 kWh takes hours.
    found = _energy([80] * 190, factor=0.125)
    assert found.n_slots == 189 and 10 < found.n_pieces < 24
    assert not found.is_enough and found.finding() is None


def test_a_load_that_is_on_between_the_slots_is_no_wrong_ratio():
    for seed in range(40):
        random = _Random(seed)
        found = Energy(10000, 100)
        at_s = register = 0
        on = random.pick((500, 3000, 20000))
        duty = random.pick((5, 10, 30, 60, 90))
        base = random.pick((5, 50, 300))
        for _ in range(193):
            power = base
            for _ in range(30):
                power = base + (on if random.below(100) < duty else 0)
                register += power * 30
                at_s += 30
            found.add(at_s, register // 36000 * 10000, power * 1000)
        assert found.finding() is None, (seed, found.moved, found.by_power)


def test_a_register_that_goes_back_or_a_meter_that_gives_back_begins_anew():
    found = Energy(10000, 100)
    for n in range(60):
        # It is set to 0 halfway.
        found.add(n * 900, (n % 30) * 1000000, 4000000)
    assert found.moved == 58000000 and found.by_power == 58000000
    found = Energy(10000, 100)
    for n in range(60):
        found.add(n * 900, n * 1000000, -4000000)
    assert found.n_slots == 0


def test_power_that_is_too_coarse_to_see_the_load_is_not_judged():
    # 40 W, and a meter that says power in 0.1 kW.
    for watts in (40, 700):
        found = _energy([watts] * 190, power_digit=1000000)
        assert found.finding() is None and found.n_pieces == 0
    assert _energy([700] * 190, power_digit=100000).n_pieces > 24


def test_factors_in_words():
    for one, other, words in (
        (8, 1, "8"), (1, 8, "1/8"), (173, 100, "1.7"), (100, 173, "1/1.7"), (5, 5, "1"), (0, 5, "0"), (1234, 10, "123"),
        (995, 100, "10"), (15, 10, "1.5"), (7, 0, "7"),
    ):  # fmt: skip
        assert factor_text(one, other) == words, (one, other)
    for value, decimals, words in ((1234567, 2, "1.23"), (-1235000, 2, "-1.24"), (999999, 1, "1.0"), (-400, 3, "0.000")):
        assert text_of(value, decimals) == words


def test_octaves():
    for one, other, octave in (
        (1, 1, 16), (199, 100, 16), (2, 1, 17), (8, 1, 19), (99, 100, 15), (50, 100, 15), (49, 100, 14), (0, 5, 0),
        (1 << 40, 1, 32), (1, 1 << 40, 0),
    ):  # fmt: skip
        assert moved._octave(one, other) == octave, (one, other)
