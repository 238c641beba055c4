"""The shortest decimal that stands for a binary32: from its bits, by integers alone."""

# 2**128 has 39 digits before the point; the smallest step is 2**-149, and its shortest decimal ends at the 45th behind it.
_MOST_POWER, _LEAST_POWER = 39, -46


def shortest(bits):
    """The decimal with the fewest digits that gives these 32 bits when rounded to nearest, ties to even; None: Inf, NaN.

    Of those with as few digits the closest to the number. Without exponent: '230.2', '-0', '0.0000001'."""
    exponent, mantissa = bits >> 23 & 0xFF, bits & 0x7FFFFF
    if exponent == 0xFF:
        return None
    sign = "-" if bits >> 31 else ""
    if not exponent and not mantissa:
        return sign + "0"
    # Below a power of two the steps are half as large.
    narrow = exponent > 1 and not mantissa
    mantissa |= 0x800000 if exponent else 0
    # The number and what lies half-way to its neighbours, as quarters of its own step of 2**power.
    exact, low, high = 4 * mantissa, 4 * mantissa - (1 if narrow else 2), 4 * mantissa + 2
    power = max(exponent, 1) - 152
    numerator, denominator = 1 << max(power, 0), 1 << max(-power, 0)
    for digits_power in range(_MOST_POWER, _LEAST_POWER, -1):
        # n * 10**digits_power, and quarters, in a common unit.
        unit = denominator * 10 ** max(digits_power, 0)
        quarter = numerator * 10 ** max(-digits_power, 0)
        below = exact * quarter // unit
        found = [n for n in (below, below + 1) if _inside(n * unit, low * quarter, high * quarter, mantissa % 2 == 0)]
        if found:
            n = min(found, key=lambda n: (abs(n * unit - exact * quarter), n % 2))
            return sign + _plain(str(n), digits_power)
    raise AssertionError("a binary32 needs nine digits at most")


def _inside(number, low, high, is_even):
    """True if number is rounded to what lies between: the half-way points are rounded to an even neighbour."""
    return low <= number <= high if is_even else low < number < high


def _plain(digits, power):
    """The decimal number digits * 10**power without exponent."""
    if power >= 0:
        return digits + "0" * power
    digits = digits.rjust(1 - power, "0")
    return f"{digits[:power]}.{digits[power:]}"
