"""Numbers as decimal digits, two in a byte, the lowest byte first: DL/T 645 and CJ/T 188. Allocates nothing but texts."""


def is_filled(data, first, n):
    """True if the n bytes are all FF: the meter has no value for them."""
    for i in range(first, first + n):
        if data[i] != 0xFF:
            return False
    return True


def number_of(data, first, n, signed=False):
    """The number in n bytes of data; signed: the top bit of the last byte is its sign.

    ValueError if a digit is none: such bytes are never a number, whatever the checksum says."""
    number = 0
    negative = False
    for i in range(first + n - 1, first - 1, -1):
        byte = data[i]
        if signed and i == first + n - 1 and byte & 0x80:
            negative = True
            byte &= 0x7F
        if byte >> 4 > 9 or byte & 15 > 9:
            raise ValueError("not BCD")
        number = number * 100 + (byte >> 4) * 10 + (byte & 15)
    return -number if negative else number


def digits_of(data, first, n):
    """The 2n digits as text, the highest first: '000000000161'. ValueError as number_of."""
    number_of(data, first, n)
    return "".join("%02X" % data[i] for i in range(first + n - 1, first - 1, -1))


def put_digits(buf, at, text):
    """Write the digits, of which 'A' stands for any, into buf at `at`, the last two first; return their bytes.

    ValueError unless they are 0..9 and A in an even number."""
    n = len(text) // 2
    if len(text) % 2 or any(c not in "0123456789A" for c in text):
        raise ValueError("digits")
    for i in range(n):
        buf[at + i] = int(text[2 * (n - 1 - i) : 2 * (n - i)], 16)
    return n
