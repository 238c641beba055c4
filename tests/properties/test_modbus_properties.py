"""modbus and numbers: replies in any noise, and registers of every form as an integer, against fractions and struct."""

import struct
from fractions import Fraction
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from firmware.errors import MeterRefused
from firmware.protocols import modbus, numbers
from firmware.protocols.crc import crc16
from firmware.protocols.modbus import HOLDING, INPUT, Reply

units = st.integers(1, 247)
functions = st.sampled_from((HOLDING, INPUT))
counts = st.integers(1, 125) | st.integers(1, 4)


def crc_of(data):
    """Modbus over serial line V1.02, 6.2.2, one bit at a time."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def framed(body):
    return bytes(body) + crc_of(body).to_bytes(2, "little")


def answers(data, unit, function, count):
    """Every good answer to a request that stands anywhere in data: registers, or the code of a refusal."""
    found = []
    for i in range(len(data)):
        frame = data[i : i + 5 + 2 * count]
        if len(frame) == 5 + 2 * count and frame[:3] == bytes((unit, function, 2 * count)) and crc_of(frame) == 0:
            found.append(bytes(frame[3:-2]))
        frame = data[i : i + 5]
        if len(frame) == 5 and frame[:2] == bytes((unit, function | 0x80)) and crc_of(frame) == 0:
            found.append(frame[2])
    return found


def given_in_pieces(reply, data, sizes):
    """What add gives for data in pieces: registers, a refusal's code, or None."""
    at = 0
    for size in cycle(sizes):
        piece = data[at : at + size]
        at += size
        try:
            found = reply.add(piece, len(piece))
        except MeterRefused as error:
            return error.code
        assert reply.heard <= 320 and len(reply._buf) == 320
        if found is not None:
            return bytes(found)
        if at >= len(data):
            break
    return None


# The line reads at most 64 bytes at a time; the sizes are used over and over.
pieces = st.lists(st.integers(1, 64), min_size=1, max_size=10)


@given(st.binary(max_size=300))
def test_the_checksum_is_the_one_of_the_standard(data):
    assert crc16(data, 0, len(data)) == crc_of(data)
    assert crc16(b"x" + data + b"y", 1, 1 + len(data)) == crc_of(data)


@given(units, functions, st.integers(-5, 70000), st.integers(-5, 200))
def test_a_request_is_right_or_refused(unit, function, first, count):
    buf = bytearray(8)
    try:
        assert modbus.put_read(buf, unit, function, first, count) == 8
    except ValueError:
        assert not (first >= 0 and 1 <= count <= 125 and first + count <= 65536)
        return
    assert first >= 0 and 1 <= count <= 125 and first + count <= 65536
    assert bytes(buf) == framed(struct.pack(">BBHH", unit, function, first, count))


@given(units, functions, counts, st.data())
def test_a_good_reply_is_found_behind_any_noise(unit, function, count, data):
    registers = data.draw(st.binary(min_size=2 * count, max_size=2 * count))
    request = bytearray(8)
    modbus.put_read(request, unit, function, 0, count)
    frame = framed(bytes((unit, function, 2 * count)) + registers)
    head = st.just(bytes((unit, function, 2 * count)))
    noise = b"".join(
        data.draw(st.lists(st.binary(max_size=20) | head | st.just(bytes(request)) | st.just(frame[:-1]), max_size=4), "noise")
    )
    stream = noise + frame
    if answers(stream, unit, function, count) != [registers]:
        return  # The noise holds an answer by chance.
    reply = Reply()
    reply.start(unit, function, count)
    assert given_in_pieces(reply, stream, data.draw(pieces)) == registers


@given(units, functions, st.integers(0, 255), st.binary(max_size=40))
def test_a_refusal_is_found_behind_any_noise(unit, function, code, noise):
    stream = noise + framed(bytes((unit, function | 0x80, code)))
    if answers(stream, unit, function, 2) == [code]:
        reply = Reply()
        reply.start(unit, function, 2)
        assert given_in_pieces(reply, stream, [1]) == code


@given(units, functions, st.integers(1, 8), st.data())
def test_nothing_is_accepted_that_is_no_whole_answer(unit, function, count, data):
    body = bytes((unit, function, 2 * count)) + data.draw(st.binary(min_size=2 * count, max_size=2 * count))
    frame = bytearray(framed(body))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        change = data.draw(st.sampled_from(("flip", "drop", "double")))
        if change == "flip":
            frame[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "drop" and len(frame) > 1:
            del frame[at]
        else:
            frame.insert(at, frame[at])
    stream = data.draw(st.binary(max_size=10)) + bytes(frame) + data.draw(st.binary(max_size=10))
    reply = Reply()
    reply.start(unit, function, count)
    found = given_in_pieces(reply, stream, data.draw(pieces))
    assert (found is None) == (not answers(stream, unit, function, count))
    assert found is None or found in answers(stream, unit, function, count)


@given(units, functions, counts, st.binary(max_size=2000), pieces)
def test_garbage_is_never_an_answer_and_never_an_error(unit, function, count, data, sizes):
    reply = Reply()
    reply.start(unit, function, count)
    found = given_in_pieces(reply, data, sizes)
    assert found is None or found in answers(data, unit, function, count)


floats = st.integers(0, 0xFFFFFFFF) | st.floats(width=32).map(lambda x: struct.unpack(">I", struct.pack(">f", x))[0])
# Halves at a point's last decimal are too seldom by chance.
halves = st.builds(
    lambda n, decimals: struct.unpack(">I", struct.pack(">f", (2 * n + 1) / 2 / 10**decimals))[0],
    st.integers(-(1 << 22), 1 << 22),
    st.integers(0, 4),
)
decimals_ = st.integers(0, 9)
factors = st.integers(1, 10**9) | st.sampled_from([10**n for n in range(10)])


def value_of(bits):
    """The exact value of the bits, or None."""
    number = struct.unpack(">f", struct.pack(">I", bits))[0]
    return Fraction(number) if bits >> 23 & 0xFF != 0xFF else None


def rounded(value):
    """What must be stored of an exact value, or None: round() of a Fraction is exact and rounds half to even."""
    wanted = round(value)
    return wanted if abs(wanted) < 1 << 63 else None


@given(floats | halves, decimals_, factors, factors)
def test_a_float_becomes_the_nearest_integer_ties_to_even(bits, decimals, multiplier, divisor):
    value = value_of(bits)
    form = numbers.form_of(f"f32*{multiplier}/{divisor}")
    found = numbers.scaled_of(struct.pack(">I", bits), 0, form, decimals)
    assert found == (None if value is None else rounded(value * multiplier * 10**decimals / divisor))


@given(floats, decimals_, factors, factors)
def test_the_step_is_the_distance_to_the_next_float(bits, decimals, multiplier, divisor):
    magnitude = bits & 0x7FFFFFFF
    value = value_of(magnitude)
    following = value_of(magnitude + 1) if magnitude < 0x7F7FFFFF else None
    form = numbers.form_of(f"f32*{multiplier}/{divisor}")
    found = numbers.step_of(struct.pack(">I", bits), 0, form, decimals)
    if value is None:
        assert found == 1
    elif following is not None:
        step = (following - value) * multiplier * 10**decimals / divisor
        assert found == max(1, -(-step.numerator // step.denominator))


# Type: struct's form of it, high word first.
KINDS = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "u64": ">Q", "i64": ">q", "f32": ">f"}
texts = st.builds(
    lambda kind, swapped, multiplier, divisor: (
        kind,
        swapped and kind[1:] != "16",
        multiplier,
        divisor,
    ),
    st.sampled_from(sorted(KINDS)),
    st.booleans(),
    st.just(1) | factors,
    st.just(1) | factors,
)


@given(texts, st.binary(min_size=8, max_size=8), st.integers(0, 3), decimals_, st.booleans())
def test_registers_of_every_form_become_the_nearest_integer(form, registers, before, decimals, is_none):
    kind, swapped, multiplier, divisor = form
    n = struct.calcsize(KINDS[kind]) // 2
    registers = registers[: 2 * n]
    words = [registers[i : i + 2] for i in range(0, 2 * n, 2)]
    if swapped:
        words.reverse()
    text = kind + "~" * swapped
    # Each factor may be left out where it is 1.
    text += f"*{multiplier}" * (multiplier > 1) + f"/{divisor}" * (divisor > 1)
    if is_none:
        text += "!" + b"".join(words).hex().upper()
    form = numbers.form_of(text)
    assert form[0] == n
    (value,) = struct.unpack(KINDS[kind], b"".join(words))
    found = numbers.scaled_of(b"\xff" * before + registers + b"\xff", before, form, decimals)
    if is_none or (kind == "f32" and value_of(int.from_bytes(b"".join(words), "big")) is None):
        assert found is None
    else:
        assert found == rounded(Fraction(value) * multiplier * 10**decimals / divisor)


@given(st.text("ui136240f2~*/!0123456789ABCDEF ", max_size=24))
def test_a_form_is_good_or_a_value_error(text):
    try:
        form = numbers.form_of(text)
    except ValueError:
        return
    assert form[0] in (1, 2, 4)
    assert 1 <= form[2] <= 10**9 and 1 <= form[3] <= 10**9
    assert all(0 <= code < 1 << 16 * form[0] for code in form[4])
    numbers.scaled_of(bytes(8), 0, form, 9)


@given(st.booleans(), st.integers(0, 1 << 140), st.integers(1, 1 << 70))
def test_rounding_is_that_of_fractions(negative, number, divisor):
    assert numbers.bounded(negative, number, divisor) == rounded(Fraction(-number if negative else number, divisor))


@given(st.binary(min_size=8, max_size=40), st.data())
def test_bits_are_those_of_struct(data, draw):
    offset = draw.draw(st.integers(0, len(data) - 8))
    assert numbers.bits_of(data, offset, 1, False) == struct.unpack_from(">H", data, offset)[0]
    assert numbers.bits_of(data, offset, 2, False) == struct.unpack_from(">I", data, offset)[0]
    assert numbers.bits_of(data, offset, 4, False) == struct.unpack_from(">Q", data, offset)[0]
    words = struct.unpack_from(">4H", data, offset)
    assert numbers.bits_of(data, offset, 2, True) == words[1] << 16 | words[0]
    assert numbers.bits_of(data, offset, 4, True) == words[3] << 48 | words[2] << 32 | words[1] << 16 | words[0]
