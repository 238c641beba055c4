"""Numbers in Modbus registers to exact integers, from their bits: a board's own floats have fewer digits.

A form says how a number stands in the registers and what makes its unit the point's: TYPE[~][*N][/N][!HEX].. with TYPE
one of u16 i16 u32 i32 u64 i64 f32; ~ the low word comes first (else the high one); *N /N multiplied and divided by;
!HEX these bits mean no value.
"""

from micropython import const

# What a record of the log can hold: 63 bits and a sign.
_MOST_BITS = const(63)
_MOST_FACTOR = const(1000000000)

_FLOAT = const(1)
_SIGNED = const(2)
_SWAPPED = const(4)


def form_of(text):
    """(n_registers, flags, multiplier, divisor, no-value bits) of a form's text. ValueError if it is none.

    What it gives is for scaled_of and step_of; n_registers is for everybody."""
    # One text and not a table: each short string in a table stays in a board's heap for good.
    if text[:3] not in "u16 i16 u32 i32 u64 i64 f32".split():
        raise ValueError(text)
    n_registers = int(text[1:3]) // 16
    flags = _FLOAT if text[0] == "f" else _SIGNED if text[0] == "i" else 0
    rest = text[3:]
    if rest[:1] == "~" and n_registers > 1:
        flags |= _SWAPPED
        rest = rest[1:]
    rest, none = _codes_of(rest, 4 * n_registers)
    rest, divisor = _factor_of(rest, "/")
    rest, multiplier = _factor_of(rest, "*")
    if rest:
        raise ValueError(text)
    return n_registers, flags, multiplier, divisor, none


def _codes_of(text, n_digits):
    """(what stands before the first !, the numbers behind the !s)."""
    parts = text.split("!")
    for code in parts[1:]:
        if len(code) != n_digits or any(c not in "0123456789ABCDEF" for c in code):
            raise ValueError(text)
    return parts[0], tuple(int(code, 16) for code in parts[1:])


def _factor_of(text, mark):
    """(what stands before mark, the number behind it; 1 without mark)."""
    rest, found, digits = text.partition(mark)
    if not found:
        return text, 1
    if not digits or digits[0] == "0" or len(digits) > 10 or any(c not in "0123456789" for c in digits):
        raise ValueError(text)
    if int(digits) > _MOST_FACTOR:
        raise ValueError(text)
    return rest, int(digits)


def bits_of(data, offset, n_registers, swapped):
    """The bits of so many registers at a byte offset; each register high byte first, swapped: the low word first."""
    bits = 0
    for i in range(n_registers):
        at = offset + 2 * (n_registers - 1 - i if swapped else i)
        bits = bits << 16 | data[at] << 8 | data[at + 1]
    return bits


def scaled_of(data, offset, form, decimals):
    """The integer nearest to the number * 10**decimals in the point's unit, ties to even, rounded once.

    form: of form_of. None: no value, which Inf, NaN and what takes more than 63 bits are too."""
    return read(data, offset, form, decimals)[0]


def step_of(data, offset, form, decimals):
    """One step of the meter's number in units of the point's last digit, rounded up: 1 unless the meter is the coarser."""
    return read(data, offset, form, decimals)[1]


def read(data, offset, form, decimals):
    """(what scaled_of gives, what step_of gives), for half the work of both."""
    n_registers, flags, multiplier, divisor, none = form
    bits = bits_of(data, offset, n_registers, flags & _SWAPPED)
    factor = multiplier * 10**decimals
    if flags & _FLOAT:
        fraction = _fraction_of(bits)
        if fraction is None:
            return None, 1
        number, power = fraction
        negative = bits >> 31
        if power >= 0:
            factor <<= power
        else:
            divisor <<= -power
    else:
        negative = flags & _SIGNED and bits >> (16 * n_registers - 1)
        number = (1 << 16 * n_registers) - bits if negative else bits
    step = 1 if factor <= divisor else (factor + divisor - 1) // divisor
    return None if bits in none else bounded(negative, number * factor, divisor), step


def _fraction_of(bits):
    """(mantissa, power of two) of an IEEE 754 binary32, sign left out; None for Inf and NaN."""
    exponent = bits >> 23 & 0xFF
    mantissa = bits & 0x7FFFFF
    if exponent == 0xFF:
        return None
    if exponent == 0:
        return mantissa, -149
    return mantissa | 0x800000, exponent - 150


def bounded(negative, number, divisor):
    """number / divisor to the nearest integer, ties to even; None beyond 63 bits."""
    quotient = _rounded(number, divisor)
    if quotient >> _MOST_BITS:
        return None
    return -quotient if negative else quotient


def _rounded(number, divisor):
    """number / divisor to the nearest integer, ties to even. number from 0, divisor from 1."""
    quotient, rest = divmod(number, divisor)
    if 2 * rest > divisor or (2 * rest == divisor and quotient & 1):
        quotient += 1
    return quotient
