"""How current transformers are wired to a meter: right, or as people wire them wrong. Integers alone; pure, portable."""

# One in the units of a turn.
TURN = 100000
# Half the square root of 3, in these.
_HALF_ROOT = 86603


class Wiring:
    """Wiring(reversed, swapped, ratio): phases 0..2; all may be left out.

    reversed: phases whose transformer stands the wrong way round; swapped: two phases whose transformers changed places;
    ratio: (numerator, denominator) of what is shown to what flows, where the wrong ratio is set.
    source[i]: the phase whose current the meter takes for that of phase i; turns[i], in 100000ths: what it shows as power of
    phase i for what flows in source[i]; shifts[i]: the tenths of a degree by which its phase angle is off."""

    def __init__(self, reversed=(), swapped=(), ratio=(1, 1)):
        self.ratio = ratio
        self.source = [0, 1, 2]
        self._is_reversed = [phase in reversed for phase in range(3)]
        self.shifts = [0, 0, 0]
        if swapped:
            one, other = swapped
            self.source[one], self.source[other] = other, one
            for phase in swapped:
                # Where the current of the next phase flows, it lags by a third of a turn more.
                self.shifts[phase] = 1200 if (self.source[phase] - phase) % 3 == 1 else 2400
        for phase in reversed:
            self.shifts[phase] = (self.shifts[phase] + 1800) % 3600

    def turn(self, phase, tangent):
        """What is shown for what flows, in TURNs without the ratio; tangent: of the load's phase angle, in hundredths."""
        turn = TURN
        if self.source[phase] != phase:
            across = _HALF_ROOT * tangent // 100
            turn = -TURN // 2 + (across if (phase - self.source[phase]) % 3 == 1 else -across)
        return -turn if self._is_reversed[phase] else turn
