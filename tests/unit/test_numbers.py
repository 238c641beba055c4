"""numbers: forms of registers, and registers to exact integers by their bits."""

from memory import hexed, raised

from firmware.protocols.numbers import bits_of, bounded, form_of, scaled_of, step_of
from firmware.protocols.varint import MOST_BYTES, folded, put_varint

# Recorded: ten registers of a PZEM.
_PZEM = hexed("08 D1 00 6C 00 00 00 F4 00 00 00 26 00 00 01 F4 00 64 00 00")


def _bytes(bits, n_registers, swapped=False):
    """The registers of so many bits, each high byte first, by shifts."""
    words = [bits >> 16 * i & 0xFFFF for i in range(n_registers)]
    if not swapped:
        words.reverse()
    return b"".join(bytes((word >> 8, word & 0xFF)) for word in words)


def _scaled(text, bits, decimals=0):
    """The number and the step of these bits in this form, and the same at an odd offset between other bytes."""
    form = form_of(text)
    data = _bytes(bits, form[0], "~" in text)
    found = scaled_of(data, 0, form, decimals), step_of(data, 0, form, decimals)
    data = memoryview(b"\xff\xff\xff" + data + b"\xff\xff")
    assert found == (scaled_of(data, 3, form, decimals), step_of(data, 3, form, decimals))
    return found


def test_a_form_says_how_many_registers_it_takes():
    for kind, n in (("u16", 1), ("i16", 1), ("u32", 2), ("i32", 2), ("f32", 2), ("u64", 4), ("i64", 4)):
        assert form_of(kind)[0] == n
        assert form_of(kind + "*7/3!" + "0" * (4 * n))[0] == n


def test_forms_that_are_good():
    for text in (
        "u16",
        "i16/10",
        "u16*10",
        "u16*10/3",
        "u32~",
        "i32~/1000",
        "f32~*1000",
        "u64~*2/7",
        "i64/1000",
        "f32/1000000000",
        "u16*1000000000",
        "u16*1/1",
        "u16!FFFF",
        "i16/10!7FFF",
        "i16!7FFF!8000!FFFF",
        "u32~/10!FFFFFFFF",
        "f32!FFC00000",
        "u64/100!FFFFFFFFFFFFFFFF",
        "i64~*10/3!7FFFFFFFFFFFFFFF!8000000000000000",
    ):
        assert form_of(text)[0] in (1, 2, 4), text


def test_forms_that_are_none():
    for text in (
        "",
        "u",
        "u8",
        "u24",
        "u1 6",
        "U16",
        "F32",
        "f16",
        "f64",
        "u32 ",
        " u32",
        "s32",
        "u160",
        "u3 2",
        # A register has no words to swap.
        "u16~",
        "i16~/10",
        "u32~~",
        "u32/10~",
        "u32/",
        "u32*",
        "u32/0",
        "u32*0",
        "u32/010",
        "u32/-10",
        "u32/+10",
        "u32/1.5",
        "u32/1e3",
        "u32/0x10",
        "u32/ 10",
        "u32/10 ",
        "u32/1_000",
        "u32/\u0661",
        "u32//10",
        "u32**10",
        "u32/10*10",
        "u32/10/10",
        "u32*10*10",
        "u32/1000000001",
        "u32*1000000001",
        "u32/10000000000",
        "u32/99999999999999999999",
        "u16!",
        "u16!FFF",
        "u16!FFFFF",
        "u16!ffff",
        "u16!FFFG",
        "u16!-FFF",
        "u16!+FFF",
        "u16! FFF",
        "u16!0xFF",
        "u16!F_FF",
        "u16!FFFF!",
        "u16!!FFFF",
        "u16!FFFF/10",
        "u16!FFFF*10",
        "u32!FFFF",
        "u64!FFFFFFFF",
        "u16!FFFF FFFF",
        "u16x",
    ):
        raised(ValueError, form_of, text)


def test_bits_are_taken_in_either_order_of_the_words():
    data = b"\x99\x01\x23\x45\x67\x89\xab\xcd\xef\x99"
    for n, order, bits in (
        (1, 0, 0x0123),
        (1, 1, 0x0123),
        (2, 0, 0x01234567),
        (2, 1, 0x45670123),
        (4, 0, 0x0123456789ABCDEF),
        (4, 1, 0xCDEF89AB45670123),
    ):
        assert bits_of(data, 1, n, order) == bits
        assert bits_of(memoryview(data)[1:], 0, n, order) == bits
    assert bits_of(b"\xff" * 8, 0, 4, False) == 0xFFFFFFFFFFFFFFFF


def test_the_recorded_registers_are_the_recorded_values():
    # 225.7 V, 0.108 A, 24.4 W, 38 Wh, 50.0 Hz, power factor 1.00, no alarm.
    for offset, text, decimals, value in (
        (0, "u16/10", 1, 2257),
        (2, "u32~/1000", 3, 108),
        (6, "u32~/10000", 4, 244),
        (10, "u32~/1000", 3, 38),
        (14, "u16/10", 1, 500),
        (16, "u16/100", 2, 100),
        (18, "u16", 0, 0),
    ):
        assert scaled_of(_PZEM, offset, form_of(text), decimals) == value, text
    assert scaled_of(hexed("43 66 33 34"), 0, form_of("f32"), 2) == 23020


# form, bits, decimals, number, step: by hand.
_INTEGERS = (
    ("u16", 0, 0, 0, 1),
    ("u16", 0xFFFF, 0, 65535, 1),
    ("u16", 0x8000, 0, 32768, 1),
    ("i16", 0x7FFF, 0, 32767, 1),
    ("i16", 0x8000, 0, -32768, 1),
    ("i16", 0xFFFF, 0, -1, 1),
    ("u32", 0xFFFFFFFF, 0, 4294967295, 1),
    ("u32", 0x80000000, 0, 2147483648, 1),
    ("u32", 0x40000000, 0, 1073741824, 1),
    ("i32", 0x7FFFFFFF, 0, 2147483647, 1),
    ("i32", 0x80000000, 0, -2147483648, 1),
    ("i32", 0xFFFFFF38, 0, -200, 1),
    ("i32~", 0xFFFFFF38, 0, -200, 1),
    ("u32~", 0x00010000, 0, 65536, 1),
    ("u64", 0x0123456789ABCDEF, 0, 81985529216486895, 1),
    ("u64~", 0x0123456789ABCDEF, 0, 81985529216486895, 1),
    ("u64", 0x7FFFFFFFFFFFFFFF, 0, 9223372036854775807, 1),
    ("u64", 0x8000000000000000, 0, None, 1),
    ("u64", 0xFFFFFFFFFFFFFFFF, 0, None, 1),
    ("u64/2", 0xFFFFFFFFFFFFFFFF, 0, None, 1),  # 2**63 - 1/2 is 2**63, rounded
    ("u64/3", 0xFFFFFFFFFFFFFFFF, 0, 6148914691236517205, 1),
    ("i64", 0x7FFFFFFFFFFFFFFF, 0, 9223372036854775807, 1),
    ("i64", 0x8000000000000000, 0, None, 1),
    ("i64", 0x8000000000000001, 0, -9223372036854775807, 1),
    ("i64", 0xFFFFFFFFFFFFFFFF, 0, -1, 1),
    ("i64~/10", 0xFFFFFFFFFFFFFFFF, 0, 0, 1),
    ("i64/1000", 0x00000000075BCD15, 3, 123456789, 1),
    # Ties to even: 0.5, 1.5, 2.5, and what is next to them.
    ("u16/10", 5, 0, 0, 1),
    ("u16/10", 15, 0, 2, 1),
    ("u16/10", 25, 0, 2, 1),
    ("u16/10", 26, 0, 3, 1),
    ("u16/10", 24, 0, 2, 1),
    ("i16/10", 0xFFFB, 0, 0, 1),
    ("i16/10", 0xFFF1, 0, -2, 1),
    ("i16/10", 0xFFE7, 0, -2, 1),
    ("i16/10", 0xFFE6, 0, -3, 1),
    ("u32/1000", 2500, 2, 250, 1),
    ("u32/1000", 1234565, 2, 123456, 1),
    ("u32/1000", 1234575, 2, 123458, 1),
    # A meter that counts in larger steps than the point's last digit.
    ("u16*10", 7, 2, 7000, 1000),
    ("u16*10/3", 1, 0, 3, 4),
    ("u16/10", 7, 2, 70, 10),
    ("u32/100", 123456, 2, 123456, 1),
    ("u32*1000", 4294967295, 0, 4294967295000, 1000),
    ("u32*1000000000", 0xFFFFFFFF, 0, 4294967295000000000, 1000000000),
    ("u32*1000000000", 0xFFFFFFFF, 1, None, 10000000000),
    ("i32*1000000000", 0x80000000, 0, -2147483648000000000, 1000000000),
    ("i32*1000000000", 0x80000000, 1, None, 10000000000),
    ("u64*1000000000/1000000000", 0x7FFFFFFFFFFFFFFF, 0, 9223372036854775807, 1),
    # No value.
    ("u16!FFFF", 0xFFFF, 0, None, 1),
    ("u16!FFFF", 0xFFFE, 0, 65534, 1),
    ("u16/10!FFFF", 0xFFFF, 1, None, 1),
    ("i16!7FFF!8000", 0x7FFF, 0, None, 1),
    ("i16!7FFF!8000", 0x8000, 0, None, 1),
    ("i16!7FFF!8000", 0xFFFF, 0, -1, 1),
    ("i32!FFFFFFFF", 0xFFFFFFFF, 0, None, 1),
    ("u32~!FFFF0000", 0xFFFF0000, 0, None, 1),
    ("u32~!FFFF0000", 0x0000FFFF, 0, 65535, 1),
    ("i64~!7FFFFFFFFFFFFFFF", 0x7FFFFFFFFFFFFFFF, 0, None, 1),
    ("u64!FFFFFFFFFFFFFFFF", 0x00000000FFFFFFFF, 0, 4294967295, 1),
    ("f32!43663334", 0x43663334, 2, None, 1),
    ("f32!FFFFFFFF", 0x43663334, 2, 23020, 1),
    # f32 in either order, divided and multiplied.
    ("f32~", 0x43663334, 2, 23020, 1),
    ("f32~/10", 0x4511E000, 1, 2334, 1),
    ("f32*1000", 0x3F800000, 0, 1000, 1),
    ("f32*1000", 0x3A83126F, 3, 1000, 1),  # 0.001, as far as an f32 tells
    ("f32*10/3", 0x3F800000, 0, 3, 1),
    ("f32*1000", 0x4B800000, 0, 16777216000, 2000),
    ("f32*3/1000000000", 0x4E6E6B28, 0, 3, 1),  # 1e9
    ("f32", 0x7FC00000, 2, None, 1),
)


def test_registers_become_the_nearest_integer_and_their_step_is_known():
    for text, bits, decimals, value, step in _INTEGERS:
        found = _scaled(text, bits, decimals)
        assert found == (value, step), (text, "%X" % bits, found)
        assert value is None or type(found[0]) is int


def test_rounding_is_to_the_nearest_and_ties_go_to_even():
    for number, divisor, wanted in (
        (0, 1, 0),
        (1, 2, 0),
        (3, 2, 2),
        (5, 2, 2),
        (7, 2, 4),
        (1, 3, 0),
        (2, 3, 1),
        (10**18 + 1, 2, 10**18 // 2),
        (10**18 + 3, 2, (10**18 + 4) // 2),
        (499999999999999999999, 10**21, 0),
        (500000000000000000001, 10**21, 1),
        ((1 << 64) - 2, 2, (1 << 63) - 1),
        # What is rounded up to 64 bits takes too many.
        ((1 << 64) - 1, 2, None),
        (1 << 63, 1, None),
        (10**40, 1, None),
    ):
        assert bounded(False, number, divisor) == wanted, (number, divisor)
        assert bounded(True, number, divisor) == (None if wanted is None else -wanted), (number, divisor)


# bits, decimals, divisor, nearest integer (ties to even), one step in last digits: by hand, from the fractions.
_F32 = (
    (0x43663334, 2, 1, 23020, 1),  # 230.2000122..
    (0x43663334, 9, 1, 230200012207, 15259),
    (0x43663334, 0, 1, 230, 1),
    (0x00000000, 2, 1, 0, 1),
    (0x80000000, 2, 1, 0, 1),  # -0
    (0x3F000000, 0, 1, 0, 1),  # 0.5
    (0x3F000001, 0, 1, 1, 1),
    (0x3EFFFFFF, 0, 1, 0, 1),
    (0x3FC00000, 0, 1, 2, 1),  # 1.5
    (0x40200000, 0, 1, 2, 1),  # 2.5
    (0x40200001, 0, 1, 3, 1),
    (0x40600000, 0, 1, 4, 1),  # 3.5
    (0xBF000000, 0, 1, 0, 1),
    (0xBFC00000, 0, 1, -2, 1),
    (0xC0200000, 0, 1, -2, 1),
    (0xC0200001, 0, 1, -3, 1),
    (0x3E000000, 2, 1, 12, 1),  # 0.125
    (0x3EC00000, 2, 1, 38, 1),  # 0.375
    (0xBE000000, 2, 1, -12, 1),
    (0x3D4CCCCD, 2, 1, 5, 1),  # 0.05
    (0x3BA3D70A, 2, 1, 0, 1),  # just below 0.005
    (0x3BA3D70B, 2, 1, 1, 1),  # just above
    (0x449A5000, 4, 1000, 12345, 1),  # 1234.5 W as kW
    (0x41200000, 4, 10000, 10, 1),
    (0x41C80000, 0, 10, 2, 1),  # 25 / 10
    (0x420C0000, 0, 10, 4, 1),  # 35 / 10
    (0x4511E000, 1, 10, 2334, 1),  # 2334 tenths of a volt
    (0x44FA0000, 4, 10000, 2000, 1),
    (0x4B800000, 0, 1, 16777216, 2),
    (0x4B800001, 0, 1, 16777218, 2),
    (0x4B800001, 2, 1, 1677721800, 200),
    (0x4B3C614E, 2, 1, 1234567800, 100),  # 12345678, as far as an f32 counts
    (0x49742400, 2, 1, 100000000, 7),  # 1000000: steps of 1/16
    (0x7F7FFFFF, 0, 1000000000, None, 20282409603651670423948),
    (0x5EFFFFFF, 0, 1, 9223371487098961920, 549755813888),  # the largest below 2**63
    (0xDEFFFFFF, 0, 1, -9223371487098961920, 549755813888),
    (0x5F000000, 0, 1, None, 1099511627776),
    (0xDF000000, 0, 1, None, 1099511627776),
    (0x5F000000, 0, 10, 922337203685477581, 109951162778),
    (0x00000001, 9, 1, 0, 1),  # the smallest denormal
    (0x007FFFFF, 9, 1, 0, 1),
    (0x807FFFFF, 9, 1, 0, 1),
    (0x00000001, 46, 1, 14, 15),  # denormals have no hidden bit: 2**-149 is 1.4e-45
    (0x80000003, 46, 1, -42, 15),
    (0x00800000, 46, 1, 117549435, 15),
    (0x7F800000, 2, 1, None, 1),  # Inf
    (0xFF800000, 2, 1, None, 1),
    (0x7FC00000, 2, 1, None, 1),  # NaN
    (0x7F800001, 2, 1, None, 1),
    (0xFFFFFFFF, 2, 1, None, 1),
)


def test_floats_become_the_nearest_integer_by_their_bits():
    for bits, decimals, divisor, value, _ in _F32:
        found = scaled_of(_bytes(bits, 2), 0, form_of("f32/%d" % divisor), decimals)
        assert found == value, ("%08X" % bits, decimals, divisor, found)
        assert found is None or type(found) is int


def test_the_step_of_a_float_is_rounded_up_to_last_digits():
    for bits, decimals, divisor, _, step in _F32:
        form = form_of("f32/%d" % divisor)
        found = step_of(_bytes(bits, 2), 0, form, decimals)
        assert found == step, ("%08X" % bits, decimals, divisor, found)


def test_the_most_a_number_can_be_fits_a_record():
    for text, bits in (("u64", 0x7FFFFFFFFFFFFFFF), ("i64", 0x8000000000000001), ("f32", 0x5EFFFFFF), ("f32", 0xDEFFFFFF)):
        value, _ = _scaled(text, bits)
        # What differs most from what was foretold: from the one end to the other and back.
        put_varint(bytearray(MOST_BYTES), 0, folded(4 * value))
