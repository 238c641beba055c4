"""CJ/T 188-2004 and -2018, water, heat and gas meters: requests out, replies in. Pure: no line, no clock.

Frame: 68 T A0..A6 C L DATA CS 16; T the kind of meter, A0..A6 its number, lowest digits first; DATA begins with a data
identifier (DI) of two bytes and a sequence number. What stands in the data is in cjt188data.
"""

from micropython import const

from firmware.protocols import bcd
from firmware.protocols.frame68 import ANY, N_PREAMBLE, PREAMBLE, START, Reply68, put_end

READ = const(0x01)
READ_ADDRESS = const(0x03)
# Data identifiers: the measured values now; the meter's number.
NOW = const(0x901F)
NUMBER = const(0x810A)

# Preamble, frame without data, data identifier, sequence number.
REQUEST_BYTES = const(4 + 13 + 3)


def put_read(buf, number, di, high_first=False, kind=ANY, function=READ):
    """Write a request for data identifier di into buf; return its length, 20 bytes.

    number: 14 digits, A for any; di 0..FFFF; high_first: makers differ in which of its bytes they send first; kind: T,
    AA for any. ValueError outside. CJ/T 188-2004, 7.3."""
    if len(number) != 14 or not 0 <= di <= 0xFFFF or not 0 <= kind <= 0xFF:
        raise ValueError("14 digits, di and kind in range")
    for i in range(N_PREAMBLE):
        buf[i] = PREAMBLE
    n = N_PREAMBLE
    buf[n] = START
    buf[n + 1] = kind
    bcd.put_digits(buf, n + 2, number)
    buf[n + 9] = function
    buf[n + 10] = 3
    buf[n + 11] = di >> 8 if high_first else di & 0xFF
    buf[n + 12] = di & 0xFF if high_first else di >> 8
    buf[n + 13] = 0
    return put_end(buf, N_PREAMBLE, n + 14)


def swap_di(request):
    """Change a request of put_read to have its data identifier's bytes in the other order. The checksum stays."""
    at = N_PREAMBLE + 11
    request[at], request[at + 1] = request[at + 1], request[at]


def put_read_address(buf, high_first=False):
    """Write the request for the number of the only meter on the line; 20 bytes."""
    return put_read(buf, "A" * 14, NUMBER, high_first, function=READ_ADDRESS)


class Reply(Reply68):
    """Finds a meter's reply to a request of put_read; add gives the data behind the sequence number.

    The reply may have another kind and another sequence number than the request, and the bytes of the data identifier in
    the other order: is_swapped. kind: T of the reply."""

    length_at = 10
    number_at = 2
    n_number = 7

    def __init__(self):
        super().__init__()
        self._function = 0
        self._di = bytearray(2)
        self.is_swapped = False

    def expect(self, request):
        """Forget all bytes; expect the reply to a request in this module's form."""
        self._start()
        self.is_swapped = False
        for k in range(7):
            self._number[k] = request[N_PREAMBLE + 2 + k]
        self._function = request[N_PREAMBLE + 9]
        self._di[0] = request[N_PREAMBLE + 11]
        self._di[1] = request[N_PREAMBLE + 12]

    @property
    def kind(self):
        return self._buf[self._at + 1]

    def _may_match(self, i):
        """As in Reply68; a number of A alone would match everything, the request's echo for one."""
        if i + 9 < self._n and self._buf[i + 9] & 0xBF != self._function | 0x80:
            return False
        return super()._may_match(i)

    def _matches(self, i):
        """True if the good frame at i answers the request. Allocates nothing."""
        buf = self._buf
        if not self._may_match(i):
            return False
        control, n = buf[i + 9], buf[i + 10]
        if control & 0x40:
            return n >= 1
        if n < 3:
            return False
        low, high = buf[i + 11], buf[i + 12]
        # The order that was not asked for: the late reply to a request that was tried before.
        self.is_swapped = low == self._di[1] and high == self._di[0]
        return self.is_swapped or low == self._di[0] and high == self._di[1]

    def _data_of(self, first, n):
        return memoryview(self._buf)[first + 3 : first + n]

    def _code_of(self, first, n):
        return self._buf[first + code_at(n)]


def code_at(n):
    """Offset of the code in the n bytes of a refusal's data: makers differ.

    Seen are sequence number and two bytes of status, of which the first; data identifier, sequence number and code; a code
    alone."""
    return 0 if n < 2 else 1 if n <= 3 else 3
