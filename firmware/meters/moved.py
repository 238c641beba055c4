"""Whether a register of energy moves as the power at the slots says. Integers, no meter, no clock."""

from micropython import const

from firmware.meters.plausible import factor_text, text_of

_LEAST_DIGITS = const(20)
# Pieces of so many slots, each with at least 20 digits of energy, are compared; fewer say nothing.
_LEAST_PIECES = const(24)
_LEAST_SLOTS = const(24)
# A longer gap between two readings is passed over.
_MOST_GAP_S = const(1800)


# Factors beyond 2**16 are counted as that.
_OCTAVES = const(33)


class Energy:
    """How a register moves, against the power at the slots: add(at_s, energy, power) in time's order, then finding().

    A power at a slot is a sample: of a load that is on and off it may say anything, so the sums of a day prove nothing. But
    a wrong ratio is the same all the time, and what chance brings is not. So it is counted by what power of two each piece is
    off, and only where most of them agree, on a factor of 4 and more, is that told: a ratio that is forgotten is 5 and more,
    a slip of the decimal point 10. Of 1800 simulated loads that are on and off 2 came to that by chance, both on for a
    hundredth of the time."""

    def __init__(self, energy_digit, power_digit):
        self._least = _LEAST_DIGITS * energy_digit
        self._power_digit = power_digit
        # The newest reading; of the piece that is not yet large enough: energy and time at its begin, kWs by power.
        self._at_s = self._power = self._begun = None
        self._begun_s = 0
        self._by_power = 0
        # How many pieces are off by a factor of 2**(i - 16) to twice that.
        self._octaves = [0] * _OCTAVES
        self.n_slots = self.n_pieces = 0
        self.moved = self.by_power = 0

    def add(self, at_s, energy, power):
        """A reading: when it was made; energy in kWh and power in kW, millionths, or None."""
        if energy is None or power is None or power < 0:
            self._at_s = None
            return
        if self._at_s is None or not 0 < at_s - self._at_s <= _MOST_GAP_S or energy < self._begun:
            self._begin(at_s, energy)
        else:
            self._by_power += (self._power + power) * (at_s - self._at_s) // 2
            self.n_slots += 1
            self._end_piece(at_s, energy)
        self._at_s, self._power = at_s, power

    def _end_piece(self, at_s, energy):
        moved, by_power = energy - self._begun, self._by_power // 3600
        if max(moved, by_power) < self._least:
            return
        if by_power > self._power_digit * (at_s - self._begun_s) // 3600:
            # Else power says nothing at all: that may be a load that is off at all slots.
            self.n_pieces += 1
            self._octaves[_octave(moved, by_power)] += 1
            self.moved += moved
            self.by_power += by_power
        self._begin(at_s, energy)

    def _begin(self, at_s, energy):
        self._begun_s, self._begun, self._by_power = at_s, energy, 0

    @property
    def is_enough(self):
        return self.n_slots >= _LEAST_SLOTS and self.n_pieces >= _LEAST_PIECES

    def finding(self):
        """(code, sentence), or None if it fits or there is too little to say."""
        moved, by_power = self.moved, self.by_power
        if not self.is_enough or by_power // 4 <= moved <= 4 * by_power:
            return None
        low, high = self._octaves[: _OCTAVES // 2 - 1], self._octaves[_OCTAVES // 2 + 2 :]
        if max(one + other for side in (low, high) for one, other in zip(side, side[1:])) * 5 < self.n_pieces * 3:
            return None
        words = _ENERGY_WORDS % (text_of(moved, 2), text_of(by_power, 2), factor_text(by_power, moved))
        return "energy", words


def _octave(one, other):
    """16 for a ratio of 1 to 2, 17 to 4, 15 for a half to 1, and so on; 0 to 32."""
    octave = _OCTAVES // 2
    while one >= 2 * other and octave < _OCTAVES - 1:
        other *= 2
        octave += 1
    while one < other and octave > 0:
        one *= 2
        octave -= 1
    return octave


_ENERGY_WORDS = (
    "energy moved %s kWh, power says %s: the factor is %s: is the transformer's ratio set in the meter, and is the profile "
    "right? Right if the load switches in step with the slots, or if energy is given back"
)
