"""Every form of number against exact fractions: some 20 000 vectors, on CPython, MicroPython and the twin."""

import math
import random
import struct
import subprocess
import sys
from fractions import Fraction

import pytest

from metergate.onpc import ROOT
from metergate.pcgateway import micropython, twin

_SCRIPT = ROOT / "tests" / "system" / "board" / "vectors.py"
_SEED = 4
_MOST = 1 << 63


def _nearest(exact):
    """A fraction as text: to the nearest integer, ties to even, which Python's round does; none beyond 63 bits."""
    value = round(exact)
    return "none" if abs(value) >= _MOST else str(value)


def _step(exact):
    return str(max(1, math.ceil(exact)))


# -- Modbus -----------------------------------------------------------------------------------------------------------

_FORMATS = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "u64": ">Q", "i64": ">q", "f32": ">f"}


def _value_and_step(kind, data):
    """The number that the bytes stand for and one step of it, as fractions; (None, 0) if it is none."""
    number = struct.unpack(_FORMATS[kind], data)[0]
    if kind != "f32":
        return Fraction(number), Fraction(1)
    if not math.isfinite(number):
        return None, Fraction(0)
    bits = int.from_bytes(data, "big") & 0x7FFFFFFF
    # To the next f32 upward; the largest has none.
    low = bits - 1 if bits == 0x7F7FFFFF else bits
    low, high = (Fraction(struct.unpack(">f", struct.pack(">I", each))[0]) for each in (low, low + 1))
    return Fraction(number), high - low


def _swapped(data):
    """The last register first."""
    return b"".join(data[i : i + 2] for i in range(len(data) - 2, -1, -2))


def _modbus_line(kind, data, decimals=0, multiplier=1, divisor=1, swapped=False, codes=()):
    """data: the number's bytes, the highest first."""
    form = kind + ("~" if swapped else "")
    form += ("*%d" % multiplier if multiplier > 1 else "") + ("/%d" % divisor if divisor > 1 else "")
    form += "".join("!" + code.hex().upper() for code in codes)
    exact, step = _value_and_step(kind, data)
    factor = Fraction(multiplier * 10**decimals, divisor)
    value = "none" if exact is None or data in codes else _nearest(exact * factor)
    sent = _swapped(data) if swapped else data
    return "modbus %s %d %s %s %s" % (form, decimals, sent.hex(), value, _step(step * factor))


def _patterns(dice, kind):
    """Bytes at the edges of a type: ends of its range, around powers of two, signs; random ones."""
    n_bits = 8 * struct.calcsize(_FORMATS[kind])
    if kind == "f32":
        for exponent in range(256):
            for mantissa in (0, 1, 0x400000, 0x7FFFFF, dice.getrandbits(23)):
                yield struct.pack(">I", dice.getrandbits(1) << 31 | exponent << 23 | mantissa)
        yield from (struct.pack(">I", bits) for bits in (0x80000000, 0x00000001, 0x807FFFFF, 0x7F7FFFFF, 0xFF7FFFFF))
    else:
        for power in range(n_bits):
            for value in ((1 << power) - 1, 1 << power, (1 << power) + 1, -(1 << power)):
                yield (value % (1 << n_bits)).to_bytes(n_bits // 8, "big")
    for _ in range(600):
        yield dice.randbytes(n_bits // 8)


def _factor(dice):
    return dice.choice((1, 1, 1, 2, 3, 7, 10, 100, 1000, 3600, 1000000000, dice.randint(1, 1000000000)))


def _modbus_lines(dice):
    for kind in _FORMATS:
        for data in _patterns(dice, kind):
            codes = dice.choice(((), (), (data,), (bytes(len(data)), b"\xff" * len(data))))
            for decimals in (dice.randint(0, 9), dice.choice((0, 2, 4))):
                swapped = kind[1:] != "16" and dice.random() < 0.5
                yield _modbus_line(kind, data, decimals, _factor(dice), _factor(dice), swapped, codes)


def _tie_lines(dice):
    """Numbers in the middle between two, and a step of the type beside it."""
    for _ in range(1200):
        decimals = dice.randint(0, 9)
        odd = dice.randrange(1, 1 << 14, 2) * dice.choice((1, -1))
        # odd / 2**(decimals + 1) * 10**decimals is an odd number of halves.
        bits = int.from_bytes(struct.pack(">f", odd / 2 ** (decimals + 1)), "big")
        for beside in (-1, 0, 1):
            yield _modbus_line("f32", struct.pack(">I", bits + beside), decimals)
        kind = dice.choice(("u16", "i16", "u32", "i32", "u64", "i64"))
        half = 5 * 10 ** dice.randint(0, 8)
        number = abs(odd) * half if kind[1:] != "16" else abs(odd) % 3000 * 5 | 1
        divisor = 2 * half if kind[1:] != "16" else 10
        number = min(number, (1 << int(kind[1:]) - 1) - 2)
        for beside in (-1, 0, 1):
            signed = -number if kind[0] == "i" and odd < 0 else number
            yield _modbus_line(kind, struct.pack(_FORMATS[kind], signed + beside), 0, 1, divisor)


def _bound_lines(dice):
    """Numbers that 63 bits just hold, and just not."""
    for _ in range(300):
        decimals, multiplier = dice.randint(0, 9), dice.choice((1, 2, 3, 1000))
        number = _MOST // (10**decimals * multiplier) + dice.randint(-2, 2)
        sign = dice.choice((1, -1))
        if number < _MOST:
            yield _modbus_line("i64", struct.pack(">q", sign * number), decimals, multiplier)
        yield _modbus_line("u64", struct.pack(">Q", number), decimals, multiplier)
        bits = int.from_bytes(struct.pack(">f", sign * number), "big")
        yield _modbus_line("f32", struct.pack(">I", bits + dice.randint(-1, 1)), decimals, multiplier)


# -- BCD --------------------------------------------------------------------------------------------------------------


def _digits(dice, n):
    """2n decimal digits, at the ends of the range too."""
    return dice.choice(("0" * 2 * n, "9" * 2 * n, "0" * (2 * n - 1) + "1", "%0*d" % (2 * n, dice.randrange(10 ** (2 * n)))))


def _reversed(digits):
    """As they are sent: the last two first."""
    return bytes.fromhex(digits)[::-1]


def _bcd_lines(dice):
    for i in range(4000):
        n = dice.randint(1, 8)
        signed = i % 2
        digits = _digits(dice, n)
        minus = signed and dice.random() < 0.5
        if signed:
            digits = str(int(digits[0]) % 8) + digits[1:]
        value = str(-int(digits) if minus else int(digits))
        sent = ("%x" % (int(digits[0]) + 8) if minus else digits[0]) + digits[1:]
        if i % 5 == 0:
            at = dice.randrange(2 * n)
            sent = sent[:at] + dice.choice("abcdef") + sent[at + 1 :]
            # The first digit of a signed number is 8 more where it is below zero.
            top = int(sent[0], 16)
            value = "error"
            if signed and at == 0 and top >= 8:
                value = str(-int(str(top - 8) + sent[1:])) if sent[1:].isdigit() else "error"
        before = dice.randbytes(dice.randint(0, 3))
        if i % 3:
            yield "bcd %d %d %d %s %s" % (len(before), n, signed, (before + _reversed(sent)).hex(), value)
        else:
            yield "dlt645 bcd%d%s %s %s" % (n, "s" if signed else "", _reversed(sent).hex(), value)


# -- CJ/T 188 ---------------------------------------------------------------------------------------------------------

# Unit byte: (quantity, how many J, W, m3 or m3/h it is). CJ/T 188-2004, table of units.
_HOUR, _LITRE = Fraction(3600), Fraction(1, 1000)
_UNITS = {0x01: ("energy", Fraction(1)), 0x40: ("power", 1 / _HOUR)}
for _first, _quantity, _size in (
    (0x02, "energy", _HOUR),
    (0x05, "energy", 1000 * _HOUR),
    (0x08, "energy", 10**6 * _HOUR),
    (0x0B, "energy", Fraction(10**3)),
    (0x0E, "energy", Fraction(10**6)),
    (0x11, "energy", Fraction(10**9)),
    (0x14, "power", Fraction(1)),
    (0x17, "power", Fraction(10**3)),
    (0x1A, "power", Fraction(10**6)),
    (0x29, "volume", _LITRE),
    (0x2C, "volume", Fraction(1)),
    (0x32, "flow", _LITRE),
    (0x35, "flow", Fraction(1)),
    (0x43, "power", 10**3 / _HOUR),
    (0x46, "power", 10**6 / _HOUR),
    (0x49, "power", 10**9 / _HOUR),
):
    for _power in range(3):
        _UNITS[_first + _power] = _quantity, _size * 10**_power
# Units of ours.
_OURS = {
    "GJ": ("energy", Fraction(10**9)),
    "kWh": ("energy", 1000 * _HOUR),
    "MJ": ("energy", Fraction(10**6)),
    "kW": ("power", Fraction(1000)),
    "W": ("power", Fraction(1)),
    "MJ/h": ("power", 10**6 / _HOUR),
    "m3": ("volume", Fraction(1)),
    "L": ("volume", _LITRE),
    "m3/h": ("flow", Fraction(1)),
    "L/h": ("flow", _LITRE),
}
# Field of a heat meter: decimals, quantity.
_FIELDS = (
    ("heat_settlement", 2, "energy"),
    ("heat", 2, "energy"),
    ("heat_power", 2, "power"),
    ("flow", 4, "flow"),
    ("volume", 2, "volume"),
)
_USUAL = {"energy": 0x05, "power": 0x17, "flow": 0x35, "volume": 0x2C}


def _heat_data(chosen, digits, code):
    """Data of a heat meter whose field `chosen` has these digits and this unit; the rest is nothing in usual units."""
    groups = [
        _reversed(digits) + bytes((code,)) if i == chosen else bytes((0, 0, 0, 0, _USUAL[row[2]]))
        for i, row in enumerate(_FIELDS)
    ]
    return b"".join(groups) + bytes(9 + 7 + 2)


def _cjt188_lines(dice):
    for code, (quantity, size) in _UNITS.items():
        for chosen, (name, own, of) in enumerate(_FIELDS):
            if of != quantity:
                continue
            for unit, (measured, ours) in _OURS.items():
                for decimals in range(10):
                    digits = dice.choice((_digits(dice, 4), _digits(dice, 4), "FFFFFFFF"))
                    exact = dice.random() < 0.3
                    step = size / ours * Fraction(10**decimals, 10**own)
                    if measured != quantity or exact and step.denominator != 1:
                        told = "error"
                    else:
                        told = "%s %s" % ("none" if "F" in digits else _nearest(int(digits) * step), _step(step))
                    data = _heat_data(chosen, digits, code).hex()
                    yield "cjt188 %d %s %s %s %d %d %s" % (0x20, data, name, unit, decimals, exact, told)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """(file, {kind: lines of it})."""
    dice = random.Random(_SEED)
    lines = [line for make in (_modbus_lines, _tie_lines, _bound_lines, _bcd_lines, _cjt188_lines) for line in make(dice)]
    file = tmp_path_factory.mktemp("vectors") / "vectors.txt"
    file.write_text("\n".join(lines) + "\n")
    kinds = [line.split()[0] for line in lines]
    return file, {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def _check(vectors, *program):
    file, counts = vectors
    assert sum(counts.values()) > 20000 and min(counts.values()) > 1000
    words = [str(word) for word in (*program, _SCRIPT, file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    text = " ".join("%s=%d" % pair for pair in counts.items())
    assert done.stdout.splitlines()[-1] == text + " differ=0", done.stdout


def test_every_number_form_is_exact_on_cpython(vectors):
    _check(vectors, sys.executable)


def test_every_number_form_is_exact_on_micropython(vectors):
    _check(vectors, micropython())


def test_every_number_form_is_exact_on_the_twin(vectors, needs_twin):
    _check(vectors, twin(), "-X", "heapsize=600k")
