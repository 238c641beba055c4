"""The simulated meter's f32 against struct and against exact fractions."""

import struct
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.sim.slave import f32_bits_of


def _exact(bits):
    return Fraction(struct.unpack(">f", struct.pack(">I", bits))[0])


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_f32_gives_its_own_bits(number):
    numerator, denominator = number.as_integer_ratio()
    assert f32_bits_of(numerator, denominator) & 0x7FFFFFFF == struct.unpack(">I", struct.pack(">f", abs(number)))[0]


@given(st.floats(min_value=-1e38, max_value=1e38))
def test_a_double_is_rounded_as_struct_does(number):
    if number:
        assert f32_bits_of(*number.as_integer_ratio()) == struct.unpack(">I", struct.pack(">f", number))[0]


@given(st.integers(0, 0x7F7FFFFE), st.integers(-3, 3), st.integers(1, 10**9))
def test_between_two_neighbours_the_nearer_one_and_the_even_one_of_a_tie(bits, aside, divisor):
    low, high = _exact(bits), _exact(bits + 1)
    value = (low + high) / 2 + (high - low) * aside / (7 * divisor)
    found = f32_bits_of(value.numerator, value.denominator)
    assert found == (bits + 1 if aside > 0 else bits if aside < 0 else bits + (bits & 1))
