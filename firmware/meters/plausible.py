"""Whether an electricity meter's values fit each other, and what to look at where they do not. Integers, no meter, no clock.

Values are in millionths of their point's unit. What is small is not judged: below 20 digits of a number, or 20 VA, digits and
electronic loads decide what is seen, not the wiring.
"""

from micropython import const

from firmware.protocols.payload import decimal_text

_MILLIONTHS = const(6)
_LEAST_DIGITS = const(20)
# kVA and kW in millionths.
_LEAST_S = const(20000)
_LEAST_IDLE_S = const(50000)
# V in millionths.
_NO_VOLTAGE = const(10000000)
# Between phase and neutral, in V: mains of 100 to 400 V phase to phase or 690, with their tolerance; behind a voltage
# transformer of 100 V; before one, from 6 kV up, where the meter is told its ratio.
_VOLTAGES = ((45, 75), (80, 450), (3000, 40000))
# Power and V x I x PF are of one meter, but may be of two moments: a load may swing by half. A factor of 1.73, as between
# phase and line voltage, is beyond that.
_NEAR = (60, 160)
# The sum of three phases is no exact thing: meters add with or without sign, and with harmonics or without.
_ROUGH = (40, 250)
# A site that gives back: a fifth of what it takes, since it was built.
_LITTLE_EXPORT = const(5)
# A smaller power factor says little of active power.
_LEAST_PF = const(300000)


class Seen:
    """Values of one moment: Seen(points, values, steps), points (name, .., decimals) as (name, unit, decimals, class)."""

    def __init__(self, points, values, steps):
        self._found = {}
        for (name, _, decimals, _), value, step in zip(points, values, steps):
            if value is not None:
                self._found[name] = scaled(value, decimals), max(1, scaled(step, decimals))

    def value(self, name):
        return self._found.get(name, (None, 1))[0]

    def digit(self, name):
        """One step of the number."""
        return self._found.get(name, (None, 1))[1]

    def has(self, name):
        return name in self._found

    def is_sure(self, name):
        """True if there is a value of 20 digits and more."""
        value, digit = self._found.get(name, (0, 1))
        return abs(value) >= _LEAST_DIGITS * digit

    @property
    def has_phases(self):
        return self.has("voltage_l2") or self.has("current_l2") or self.has("power_l2")


def scaled(value, decimals):
    """A scaled integer in millionths; None stays None."""
    if value is None:
        return None
    return value * 10 ** (_MILLIONTHS - decimals) if decimals <= _MILLIONTHS else value // 10 ** (decimals - _MILLIONTHS)


class Phase:
    """One phase of Seen: volts, apparent (V x I), power, factor (|PF|), reactive, each or None; is_sure: worth judging."""

    def __init__(self, seen, n):
        self.n = n
        suffix = "_l%d" % n
        power = "power" + suffix if seen.has_phases or seen.has("power_l1") else "power"
        factor = "power_factor" + suffix if seen.has("power_factor" + suffix) or power != "power" else "power_factor"
        self.volts = seen.value("voltage" + suffix)
        self.power = seen.value(power)
        self.digit = seen.digit(power)
        self.factor = seen.value(factor)
        reactive = "reactive_power" + suffix if power != "power" else "reactive_power"
        self.reactive = seen.value(reactive)
        amperes = seen.value("current" + suffix)
        self.has_current = seen.is_sure("current" + suffix)
        self.apparent = None if None in (amperes, self.volts) else abs(self.volts * amperes) // 10**9
        self.is_sure = bool(
            self.has_current and self.apparent is not None and self.apparent >= max(_LEAST_S, _LEAST_DIGITS * self.digit)
        )

    @property
    def cosine(self):
        """Power by V x I in hundredths."""
        return self.power * 100 // self.apparent


def phases_of(seen):
    return [Phase(seen, n) for n in ((1, 2, 3) if seen.has_phases else (1,))]


def judge(seen, with_signs=True):
    """[(code, sentence), ..] of what does not fit; [] where all does, or where nothing is large enough to be judged.

    with_signs: False where phases may feed in, which looks like a transformer that is turned around."""
    phases = phases_of(seen)
    found = []
    for phase in phases:
        _judge_voltage(phase, found)
        if phase.is_sure and phase.power is not None:
            _judge_power(phase, found)
    _judge_evenness(phases, found)
    if with_signs:
        _judge_signs(seen, phases, found)
    _judge_total(seen, phases, found)
    _judge_apparent(seen, phases, found)
    return found


def is_judged(code, seen, with_signs=True):
    """True if judge would have found this code again, if it were still so: False where the load is too small."""
    phases = phases_of(seen)
    if code[:8] in ("reversed", "swapped_"):
        return with_signs and all(phase.is_sure for phase in phases)
    if code[:7] == "voltage" or code == "uneven":
        return any(phase.volts is not None for phase in phases)
    sure = [phase.n for phase in phases if phase.is_sure]
    return int(code[-1]) in sure if code[-3:-1] == "_l" else bool(sure)


def _judge_voltage(phase, found):
    volts = phase.volts
    if volts is None:
        return
    if volts < _NO_VOLTAGE:
        if phase.has_current:
            found.append(("no_voltage_l%d" % phase.n, _NO_VOLTAGE_WORDS % (phase.n, text_of(volts, 1))))
    elif not any(low * 10**6 <= volts <= high * 10**6 for low, high in _VOLTAGES):
        found.append(("voltage_l%d" % phase.n, _VOLTAGE_WORDS % (phase.n, text_of(volts, 1))))


def _judge_power(phase, found):
    """A phase's power against V x I and its power factor."""
    power, apparent = abs(phase.power), phase.apparent
    if power <= max(2 * phase.digit, apparent // 50):
        is_idle = phase.reactive is not None and abs(phase.reactive) * 10 >= apparent * 7
        if apparent >= max(_LEAST_IDLE_S, 50 * phase.digit) and not is_idle:
            found.append(("no_power_l%d" % phase.n, _NO_POWER_WORDS % (phase.n, text_of(apparent, 3), text_of(phase.power, 3))))
        return
    expected = apparent
    if phase.factor is not None:
        if abs(phase.factor) < _LEAST_PF:
            return
        expected = apparent * abs(phase.factor) // 10**6
    # Without a power factor a power below V x I may be right.
    if power * 100 > expected * _NEAR[1] + 200 * phase.digit or (
        phase.factor is not None and power * 100 < expected * _NEAR[0] - 200 * phase.digit
    ):
        words = _POWER_WORDS % (phase.n, text_of(phase.power, 3), text_of(expected, 3), factor_text(power, expected))
        found.append(("power_l%d" % phase.n, words + _hint(power, expected)))


def _judge_evenness(phases, found):
    """A phase whose voltage is far below the others'."""
    volts = [phase.volts for phase in phases if phase.volts is not None and phase.volts >= _NO_VOLTAGE]
    if len(volts) > 1 and min(volts) * 100 < max(volts) * 70:
        found.append(("uneven", _UNEVEN_WORDS % (text_of(min(volts), 1), text_of(max(volts), 1))))


def _judge_signs(seen, phases, found):
    """Transformers that are turned around, or sit on another phase's wire."""
    if len(phases) < 3 or not all(phase.is_sure and phase.power is not None for phase in phases):
        # With two elements one of them may well be negative.
        return
    swapped = _swapped(phases)
    if swapped:
        found.append(("swapped_l%d_l%d" % swapped, _SWAPPED_WORDS % swapped))
        return
    negative = [phase for phase in phases if phase.cosine <= -20]
    positive = [phase for phase in phases if phase.cosine >= 20]
    exported, taken = seen.value("energy_export") or 0, seen.value("energy_import") or 0
    # A turned transformer may outweigh the others at times; what gives back by night gives back a lot.
    if negative and positive and exported * _LITTLE_EXPORT < max(taken, 1):
        for phase in negative:
            found.append(("reversed_l%d" % phase.n, _REVERSED_WORDS % (phase.n, text_of(phase.power, 3))))


def _swapped(phases):
    """(phase, phase) whose currents are measured with each other's voltage, or None.

    The angle phi of a load is then seen as phi - 120 and phi + 120 degrees: the two cosines add up to minus cos phi, which
    the third phase shows, but for loads that differ by 20 degrees. Of one that is turned around the sum is 0."""
    for k in range(3):
        third, one, other = phases[k], phases[(k + 1) % 3], phases[(k + 2) % 3]
        both = one.cosine + other.cosine
        if third.cosine >= 50 and abs(both + third.cosine) <= 35 and max(one.cosine, other.cosine) <= 30:
            return min(one.n, other.n), max(one.n, other.n)
    return None


def _judge_total(seen, phases, found):
    total = seen.value("power")
    powers = [phase.power for phase in phases]
    if len(phases) < 3 or total is None or None in powers:
        return
    summed, apart = sum(powers), sum(abs(power) for power in powers)
    allowed = apart * 15 // 100 + 5 * seen.digit("power") + 5 * phases[0].digit
    if apart >= _LEAST_S and min(abs(total - summed), abs(total - apart), abs(total + summed)) > allowed:
        words = _TOTAL_WORDS % (text_of(total, 3), text_of(summed, 3), factor_text(abs(total), abs(summed)))
        found.append(("total", words + _hint(abs(total), abs(summed))))


def _judge_apparent(seen, phases, found):
    """Apparent power against active and reactive, and against V x I; active against V x I where no phase has its own."""
    apparent, power, reactive = seen.value("apparent_power"), seen.value("power"), seen.value("reactive_power")
    by_phase = [phase.apparent for phase in phases]
    is_whole = None not in by_phase and all(phase.power is None or phase.power >= 0 for phase in phases)
    summed = sum(by_phase) if is_whole and any(phase.is_sure for phase in phases) else 0
    if seen.is_sure("apparent_power") and apparent >= _LEAST_S:
        squares = (power or 0) ** 2 + (reactive or 0) ** 2
        digits = seen.digit("apparent_power") + seen.digit("power") + seen.digit("reactive_power")
        if (apparent + 3 * digits) ** 2 * 100 < squares * 72:
            shown = tuple(text_of(value or 0, 3) for value in (apparent, power, reactive))
            found.append(("apparent", _APPARENT_WORDS % shown))
        elif summed and not summed * _ROUGH[0] <= apparent * 100 <= summed * _ROUGH[1]:
            found.append(("apparent", _by_phases("apparent power", apparent, summed)))
    factor = abs(seen.value("power_factor") or 0)
    if summed and len(phases) == 3 and phases[0].power is None and factor >= _LEAST_PF and seen.is_sure("power"):
        expected = summed * factor // 10**6
        if not expected * _ROUGH[0] <= abs(power) * 100 <= expected * _ROUGH[1]:
            found.append(("power", _by_phases("power", abs(power), expected)))


def _by_phases(name, one, other):
    return _BY_PHASES_WORDS % (name, text_of(one, 3), text_of(other, 3), factor_text(one, other)) + _hint(one, other)


# -- words ----------------------------------------------------------------------------------------------------------------

_NO_VOLTAGE_WORDS = "phase %d: current, but no voltage (%s V): a fuse or a wire of the voltage input? Its energy is not counted"
_VOLTAGE_WORDS = "phase %d: %s V is no voltage of a mains: is the profile right, and the voltage transformer's ratio?"
_UNEVEN_WORDS = "voltages of %s and %s V: a fuse, a loose neutral, or phase and line voltage mixed up?"
_NO_POWER_WORDS = "phase %d: %s kVA by V x I, but power is %s kW: are voltage and current of the same phase?"
_POWER_WORDS = "phase %d: power is %s kW, V x I x PF says %s: the factor is %s"
_REVERSED_WORDS = (
    "phase %d: power is negative (%s kW), the others' is not: is its current transformer turned around (S1, S2)? "
    "Right if this phase feeds in"
)
_SWAPPED_WORDS = "phases %d and %d: each current fits the other's voltage: are their current transformers swapped?"
_TOTAL_WORDS = "power is %s kW, the phases add up to %s: the factor is %s"
_APPARENT_WORDS = "apparent power %s kVA is less than %s kW and %s kvar together: is the profile right?"
_BY_PHASES_WORDS = "%s is %s, the phases' V x I say %s: the factor is %s"
_HINTS = (
    (165, 182, ": 1.73 is between phase and line voltage"),
    (950, 1050, ": a place of the decimal point: is the profile right?"),
    (9500, 10500, ": a place of the decimal point: is the profile right?"),
    (95000, 105000, ": W in the place of kW: is the profile right?"),
)
_RATIO_WORDS = ": is the transformer's ratio set in the meter, and is the profile right?"


def _hint(one, other):
    ratio = max(one, other) * 100 // max(1, min(one, other))
    for low, high, words in _HINTS:
        if low <= ratio <= high:
            return words
    return _RATIO_WORDS


def factor_text(one, other):
    """'8', '1.7' or '1/8': how many times one is the other."""
    if one < other:
        return "1/" + factor_text(other, one) if one else "0"
    tenths = (one * 20 + max(1, other)) // (2 * max(1, other))
    return str(tenths // 10) if tenths >= 100 or tenths % 10 == 0 else "%d.%d" % divmod(tenths, 10)


def text_of(value, decimals):
    """A value of millionths with fewer decimals."""
    divisor = 10 ** (_MILLIONTHS - decimals)
    rounded = (abs(value) + divisor // 2) // divisor
    return decimal_text(-rounded if value < 0 else rounded, decimals)
