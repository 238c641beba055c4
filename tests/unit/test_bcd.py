"""bcd: digits, two in a byte, the lowest byte first."""

from memory import hexed, raised, unallocated

from firmware.protocols import bcd


def test_digits_become_a_number_the_lowest_byte_first():
    for text, number in (
        ("00", 0),
        ("99", 99),
        ("26 00 00 00", 26),
        ("78 56 34 12", 12345678),
        ("99 99 99 99", 99999999),
        ("00 00 00 10", 10000000),
        ("01 23", 2301),
        ("88 77 66 55 44 33 22 11", 1122334455667788),
    ):
        data = hexed(text)
        assert bcd.number_of(data, 0, len(data)) == number
        # The bytes around it say nothing.
        assert bcd.number_of(b"\xff\xaf" + data + b"\xfa", 2, len(data)) == number
        assert bcd.number_of(memoryview(data), 0, len(data)) == number


def test_the_top_bit_of_the_last_byte_is_the_sign_of_a_signed_number():
    for text, number in (
        ("12 25 00", 2512),
        ("12 25 80", -2512),
        ("99 99 79", 799999),
        ("99 99 F9", -799999),
        ("00 00 80", 0),
        ("81", -1),
        ("99 F9", -7999),
        # Only the last byte has one: here the number is 80 00 01.
        ("01 00 80", -1),
    ):
        assert bcd.number_of(hexed(text), 0, len(hexed(text)), True) == number, text
    assert bcd.number_of(b"\x12\x25\x80", 0, 3) == 802512


def test_a_digit_that_is_none_makes_it_no_number():
    for n in (1, 2, 4):
        for at in range(n):
            for byte in range(256):
                data = bytearray(b"\x11" * n)
                data[at] = byte
                good = byte // 16 < 10 and byte % 16 < 10
                if good:
                    bcd.number_of(data, 0, n)
                else:
                    raised(ValueError, bcd.number_of, data, 0, n)
                    raised(ValueError, bcd.digits_of, data, 0, n)
                if at < n - 1 and not good:
                    raised(ValueError, bcd.number_of, data, 0, n, True)
    # The sign is no digit's bit: 7 and F is none, nor is F9's last.
    for text in ("FF", "FA", "00 8A", "0A 80", "00 00 00 FF"):
        raised(ValueError, bcd.number_of, hexed(text), 0, len(hexed(text)), True)


def test_numbers_are_made_without_a_byte_of_heap():
    data = bytearray(b"\x99\x99\x99\x59")
    assert unallocated(lambda: bcd.number_of(data, 0, 4)) == 59999999
    assert unallocated(lambda: bcd.is_filled(data, 0, 4)) is False


def test_filled_with_ff_is_no_value():
    assert bcd.is_filled(b"\x00\xff\xff\xff\x00", 1, 3)
    for data in (b"\xff\xff\xfe", b"\xfe\xff\xff", b"\xff\x7f\xff", b"\0\0\0"):
        assert not bcd.is_filled(data, 0, 3)


def test_digits_are_text_with_the_highest_first():
    assert bcd.digits_of(hexed("61 01 00 00 00 00"), 0, 6) == "000000000161"
    assert bcd.digits_of(hexed("FF 78 56 34 12 90 00 FF"), 1, 6) == "009012345678"


def test_digits_are_written_with_the_last_two_first():
    buf = bytearray(b"\xee" * 10)
    assert bcd.put_digits(buf, 1, "000000000161") == 6
    assert buf == hexed("EE 61 01 00 00 00 00 EE EE EE")
    assert bcd.put_digits(buf, 0, "78330011223344") == 7
    assert buf == hexed("44 33 22 11 00 33 78 EE EE EE")
    assert bcd.put_digits(buf, 4, "AA" * 6) == 6
    assert buf == hexed("44 33 22 11 AA AA AA AA AA AA")
    assert bcd.put_digits(buf, 0, "") == 0


def test_what_are_no_digits_is_refused():
    for text in ("1", "123", "0G", "0a", "BB", "1 ", " 1", "-1", "+1", "1.", "0x", "\u0661\u0662"):
        raised(ValueError, bcd.put_digits, bytearray(8), 0, text)
