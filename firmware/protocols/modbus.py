"""Modbus RTU: requests out, replies in. Pure: no line, no clock. What stands in the registers is in numbers.

PDUs are built by umodbus.functions; framing and checks are ours, since umodbus takes replies that do not match
their request. Modbus over serial line V1.02 and Modbus application protocol V1.1b3.
"""

import sys

from micropython import const

from firmware.errors import BadFrame, MeterRefused
from firmware.protocols.crc import crc16

HOLDING = const(3)
INPUT = const(4)
MOST_REGISTERS = const(125)

REQUEST_BYTES = const(8)
# Unit, function, byte count, 125 registers, CRC.
_MOST_FRAME = const(255)
_EXCEPTION_BYTES = const(5)
# Room for noise before a full frame.
_BUFFER_BYTES = const(320)


class _Typing:
    """Stands for umodbus.typing, whose names are looked at by nobody on a board and take 6 KB of its heap."""

    List = Optional = Union = None


class _Const:
    """Stands for umodbus.const: these are used here, and each of its thirty others stays in the heap for good."""

    READ_HOLDING_REGISTERS = HOLDING
    READ_INPUT_REGISTER = INPUT


def _functions():
    """umodbus.functions, imported when a request is made: that is once, at start, and it takes 6 KB of heap."""
    if sys.implementation.name == "micropython":
        sys.modules.setdefault("umodbus.typing", _Typing)
        sys.modules.setdefault("umodbus.const", _Const)
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


def put_range(request, first, count):
    """Change a request that put_read has written to ask for other registers."""
    request[2] = first >> 8
    request[3] = first & 0xFF
    request[4] = count >> 8
    request[5] = count & 0xFF
    crc = crc16(request, 0, 6)
    request[6] = crc & 0xFF
    request[7] = crc >> 8


def first_of(request):
    """The first register that a request asks for."""
    return request[2] << 8 | request[3]


def place_of(request):
    """'registers 0034..0049': what a request asks for, as manuals have it in hex."""
    first = first_of(request)
    return "registers %04X..%04X" % (first, first + (request[4] << 8 | request[5]) - 1)


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

    @property
    def longest(self):
        """How many bytes the reply may take at most."""
        return self._head[2] + 5

    def wanted(self):
        """How many more bytes the reply may take at least: 1.. Lets the line sleep until they can have come."""
        return max(1, self._head[2] + 5 - self._n)

    def add(self, data, n):
        """Take n bytes of data, any number. A memoryview of the registers' bytes once the reply is whole, else None.

        The view is valid until start. MeterRefused(code) if the unit answers with an exception. A frame that
        ends in garbage is no fault: the next bytes may bring a good one."""
        buf = self._buf
        taken = 0
        at = -1
        while at < 0 and taken < n:
            if self._n == _BUFFER_BYTES:
                self._forget()
            end = self._n
            while end < _BUFFER_BYTES and taken < n:
                buf[end] = data[taken]
                end += 1
                taken += 1
            self._n = end
            at = self._search()
        if at < 0:
            return None
        self.noise_bytes += at
        if buf[at + 1] & 0x80:
            self._n = 0
            raise MeterRefused(buf[at + 2])
        return memoryview(buf)[at + 3 : at + 3 + self._head[2]]

    def _forget(self):
        """Make room in a full buffer: only noise fills it, and a frame that has begun is among its newest bytes."""
        buf = self._buf
        drop = _BUFFER_BYTES - _MOST_FRAME
        for i in range(_MOST_FRAME):
            buf[i] = buf[i + drop]
        self.noise_bytes += drop
        self._n = _MOST_FRAME

    def _search(self):
        """The offset of the first good frame that matches, or -1. Allocates nothing."""
        buf, end, head = self._buf, self._n, self._head
        for i in range(end - _EXCEPTION_BYTES + 1):
            if buf[i] != head[0]:
                continue
            if buf[i + 1] == head[1] and buf[i + 2] == head[2]:
                last = i + 3 + head[2]
                if last + 2 <= end and self._good(i, last):
                    return i
            elif buf[i + 1] == head[1] | 0x80 and self._good(i, i + 3):
                return i
        return -1

    def _good(self, first, last):
        crc = crc16(self._buf, first, last)
        return self._buf[last] == crc & 0xFF and self._buf[last + 1] == crc >> 8

    def give_up(self):
        """The deadline has passed: BadFrame with what was heard. Call only when heard is not 0."""
        heard = bytes(memoryview(self._buf)[: self._n])
        fault = self._fault()
        self.noise_bytes += self._n
        self._n = 0
        raise BadFrame(heard, fault)

    def _fault(self):
        """What was heard instead of the reply, as BadFrame says it."""
        buf, head = self._buf, self._head
        fault = "noise"
        for i in range(self._n - 1):
            if buf[i] == head[0] and buf[i + 1] & 0x7F == head[1]:
                fault = "checksum"
            rest = self._n - i - _EXCEPTION_BYTES
            n = 0 if buf[i + 1] & 0x80 or rest < 0 else buf[i + 2]
            # A good frame, though not the one that is waited for. 0 and above 247 are no meter's.
            if 0 < buf[i] <= 247 and n <= rest and self._good(i, i + 3 + n):
                return "late" if buf[i] == head[0] else "other"
        return fault
