"""Pseudo-random numbers that are the same for a seed on CPython and on MicroPython of 64 and of 32 bits."""

_MASK = 0xFFFFFFFF


class Seeded:
    """Seeded(seed): xorshift32 (Marsaglia, Xorshift RNGs, 2003: shifts 13, 17, 5). seed: any integer."""

    def __init__(self, seed):
        # Neighbouring seeds must not give neighbouring numbers, and 0 would give 0 for ever.
        self._state = (seed * 2654435761 + 0x9E3779B9) & _MASK or 1
        for _ in range(4):
            self.bits(32)

    def bits(self, n):
        """n random bits as an integer, n 1..32."""
        x = self._state
        x ^= x << 13 & _MASK
        x ^= x >> 17
        x ^= x << 5 & _MASK
        self._state = x
        return x >> (32 - n)

    def below(self, n):
        """An integer 0..n-1, n 1..2**32."""
        return (self.bits(32) * n) >> 32

    def between(self, low, high):
        """An integer low..high, both included, of a span up to 2**32 - 1."""
        return low + ((self.bits(32) * (high - low + 1)) >> 32)

    def chance(self, per_million):
        """True so many times in a million."""
        return self.below(1000000) < per_million

    def choice(self, items):
        return items[self.below(len(items))]

    def bytes(self, n):
        return bytes(self.bits(8) for _ in range(n))
