"""Modbus RTU: requests out, replies in, registers to exact integers. Pure: no line, no clock.

PDUs are built by umodbus.functions; framing and checks are ours, since umodbus takes replies that do not match
their request. Modbus over serial line V1.02 and Modbus application protocol V1.1b3.
"""

import sys

from micropython import const

from firmware.errors import BadFrame, MeterRefused

HOLDING = const(3)
INPUT = const(4)
MOST_REGISTERS = const(125)

REQUEST_BYTES = const(8)
# Unit, function, byte count, 125 registers, CRC.
_MOST_FRAME = const(255)
_EXCEPTION_BYTES = const(5)
# Room for noise before a full frame.
_BUFFER_BYTES = const(320)

# CRC-16 of Modbus over serial line V1.02, 6.2.2, four bits at a time: polynomial A001, reflected.
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(buf, first, end):
    """The checksum of buf[first:end], 0..65535; it goes low byte first on the wire. Allocates nothing."""
    crc = 0xFFFF
    for i in range(first, end):
        crc ^= buf[i]
        crc = (crc >> 4) ^ _CRC[crc & 15]
        crc = (crc >> 4) ^ _CRC[crc & 15]
    return crc


class _Typing:
    """Stands for umodbus.typing, whose names are looked at by nobody on a board and take 6 KB of its heap."""

    List = Optional = Union = None


def _functions():
    """umodbus.functions, imported when a request is made: that is once, at start, and it takes 6 KB of heap."""
    if sys.implementation.name == "micropython":
        sys.modules.setdefault("umodbus.typing", _Typing)
    from umodbus import functions

    return functions


def put_read(buf, unit, function, first, count):
    """Write a request for count registers into buf; return its length, 8 bytes.

    unit 1..247, function HOLDING or INPUT, first 0..65535, count 1..125, all within the register space.
    ValueError outside. Modbus application protocol V1.1b3, 6.3 and 6.4."""
    if not 1 <= unit <= 247 or function not in (HOLDING, INPUT):
        raise ValueError("unit 1..247, function 3 or 4")
    if not (0 <= first <= 0xFFFF and 1 <= count <= MOST_REGISTERS and first + count <= 0x10000):
        raise ValueError("registers")
    functions = _functions()
    pdu = (functions.read_holding_registers if function == HOLDING else functions.read_input_registers)(first, count)
    buf[0] = unit
    buf[1 : 1 + len(pdu)] = pdu
    n = 1 + len(pdu)
    crc = crc16(buf, 0, n)
    buf[n] = crc & 0xFF
    buf[n + 1] = crc >> 8
    return n + 2


class Reply:
    """Finds the one reply that matches a request in a stream of bytes, whatever stands before or after it.

    start(unit, function, count) once per request, then add(bytes, n) until it gives the registers' bytes.
    A frame is found by its length and checksum, not by a pause. One buffer, allocated here and used again."""

    def __init__(self):
        self._buf = bytearray(_BUFFER_BYTES)
        self._n = 0
        self._head = bytearray(3)
        self.noise_bytes = 0

    def start(self, unit, function, count):
        """Forget all bytes; expect count registers from unit by function."""
        self._head[0] = unit
        self._head[1] = function
        self._head[2] = 2 * count
        self._n = 0

    def expect(self, request):
        """Start for the request that put_read has written."""
        self.start(request[0], request[1], request[4] << 8 | request[5])

    @property
    def heard(self):
        """How many bytes are in the buffer."""
        return self._n

    def wanted(self):
        """How many more bytes the reply may take at least: 1.. Lets the line sleep until they can have come."""
        return max(1, self._head[2] + 5 - self._n)

    def add(self, data, n):
        """Take n bytes of data. A memoryview of the registers' bytes once the reply is whole, else None.

        The view is valid until start. MeterRefused(code) if the unit answers with an exception. A frame that
        ends in garbage is no fault: the next bytes may bring a good one."""
        buf = self._buf
        if self._n + n > _BUFFER_BYTES:
            # Only noise can fill the buffer: the newest bytes may hold the beginning of a reply.
            keep = min(self._n, _MOST_FRAME, _BUFFER_BYTES - n)
            self.noise_bytes += self._n - keep
            buf[:keep] = buf[self._n - keep : self._n]
            self._n = keep
        buf[self._n : self._n + n] = memoryview(data)[:n]
        self._n += n
        return self._find()

    def _find(self):
        buf, end, head = self._buf, self._n, self._head
        for i in range(end - _EXCEPTION_BYTES + 1):
            if buf[i] != head[0]:
                continue
            if buf[i + 1] == head[1] and buf[i + 2] == head[2]:
                last = i + 3 + head[2]
                if last + 2 <= end and self._good(i, last):
                    self.noise_bytes += i
                    return memoryview(buf)[i + 3 : last]
            elif buf[i + 1] == head[1] | 0x80 and self._good(i, i + 3):
                self.noise_bytes += i
                raise MeterRefused(buf[i + 2])
        return None

    def _good(self, first, last):
        crc = crc16(self._buf, first, last)
        return self._buf[last] == crc & 0xFF and self._buf[last + 1] == crc >> 8

    def give_up(self):
        """The deadline has passed: BadFrame with what was heard. Call only when heard is not 0."""
        heard = bytes(memoryview(self._buf)[: self._n])
        self.noise_bytes += self._n
        self._n = 0
        raise BadFrame(heard)


# What a form may divide the register by, and its exponent of ten.
_DIVISORS = {"1": 0, "10": 1, "100": 2, "1000": 3, "10000": 4}


def form_of(text):
    """(n_registers, divide) of a register form: 'f32' or 'f32/1000'. ValueError if it is none of ours.

    divide: the exponent of ten by which the meter's unit is smaller than the point's."""
    if text == "f32":
        return 2, 0
    if text[:4] != "f32/" or text[4:] not in _DIVISORS:
        raise ValueError(text)
    return 2, _DIVISORS[text[4:]]


def bits_of(data, offset):
    """The 32 bits of two registers, high word first, at a byte offset of a reply."""
    return data[offset] << 24 | data[offset + 1] << 16 | data[offset + 2] << 8 | data[offset + 3]


def _fraction_of(bits):
    """(mantissa, power of two) of an IEEE 754 binary32, sign left out; None for Inf and NaN."""
    exponent = bits >> 23 & 0xFF
    mantissa = bits & 0x7FFFFF
    if exponent == 0xFF:
        return None
    if exponent == 0:
        return mantissa, -149
    return mantissa | 0x800000, exponent - 150


def scaled_of_f32(bits, decimals, divide=0):
    """The integer nearest to value * 10**(decimals - divide), ties to even; None for Inf, NaN and beyond 63 bits.

    From the bits alone: a board's own floats have no more digits than the register."""
    fraction = _fraction_of(bits)
    if fraction is None:
        return None
    number, power = fraction
    divisor = 1
    if decimals >= divide:
        number *= 10 ** (decimals - divide)
    else:
        divisor = 10 ** (divide - decimals)
    if power >= 0:
        number <<= power
    else:
        divisor <<= -power
    quotient, rest = divmod(number, divisor)
    if 2 * rest > divisor or (2 * rest == divisor and quotient & 1):
        quotient += 1
    if quotient >> 63:
        return None
    return -quotient if bits >> 31 else quotient


def step_of_f32(bits, decimals, divide=0):
    """One step of the f32 in units of the point's last digit, rounded up: 1 unless the register is the coarser."""
    fraction = _fraction_of(bits)
    if fraction is None:
        return 1
    power = fraction[1]
    number = 10 ** (decimals - divide) if decimals >= divide else 1
    divisor = 1 if decimals >= divide else 10 ** (divide - decimals)
    if power >= 0:
        number <<= power
    else:
        divisor <<= -power
    return max(1, (number + divisor - 1) // divisor)
