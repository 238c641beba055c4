"""DL/T 645, the editions of 2007 and 1997: requests out, replies in. Pure: no line, no clock.

Frame: 68 A0..A5 68 C L DATA CS 16, every DATA byte 33H more than it means; A0..A5 the meter's number, lowest digits
first. The two editions differ in the functions and in the data identifier (DI): four bytes, or two.
"""

from micropython import const

from firmware.protocols import bcd
from firmware.protocols.frame68 import ANY, N_PREAMBLE, PREAMBLE, START, Reply68, put_end

# Functions of 2007; those of 1997 are below READ_ADDRESS and have data identifiers of two bytes. SET_TIME is of both.
SET_TIME = const(0x08)
READ = const(0x11)
READ_FOLLOWING = const(0x12)
READ_ADDRESS = const(0x13)
WRITE = const(0x14)
READ_1997 = const(0x01)
READ_FOLLOWING_1997 = const(0x02)
# Some meters of 1997 refuse with this instead of C1.
REFUSED_1997 = const(0xC5)

# Preamble, frame without data, data identifier, sequence number.
REQUEST_BYTES = const(4 + 12 + 4 + 1)
# Preamble, frame without data, data identifier, password, operator, time of day.
SET_BYTES = const(4 + 12 + 4 + 4 + 4 + 3)
_ALL_METERS = "999999999999"
# Who writes: for the meter's own record of it. A gateway has no number of a person.
_OPERATOR = b"\x00\x00\x00\x00"
_OFFSET = const(0x33)
# Error byte: other. What a refusal in an unknown form is taken for.
_OTHER = const(0x01)


def _put_request(buf, number, function, data):
    """Preamble and frame; data: bytes without the offset."""
    if len(number) != 12:
        raise ValueError("12 digits")
    for i in range(N_PREAMBLE):
        buf[i] = PREAMBLE
    n = N_PREAMBLE
    buf[n] = buf[n + 7] = START
    bcd.put_digits(buf, n + 1, number)
    buf[n + 8] = function
    buf[n + 9] = len(data)
    n += 10
    for byte in data:
        buf[n] = byte + _OFFSET & 0xFF
        n += 1
    return put_end(buf, N_PREAMBLE, n)


def put_read(buf, number, di):
    """Write a request of 2007 for data identifier di into buf; return its length, 20 bytes.

    number: 12 digits, A for any; di 0..FFFFFFFF. ValueError outside. DL/T 645-2007, 7.1."""
    return _put_request(buf, number, READ, _di_bytes(di, 4))


def put_read_1997(buf, number, di):
    """The same of 1997: di 0..FFFF; 18 bytes."""
    return _put_request(buf, number, READ_1997, _di_bytes(di, 2))


def put_following(buf, request, n):
    """Write the request for the n-th frame that follows the reply to request, 1..255; its length: 21 bytes, 1997: 18.

    request: of put_read or put_read_1997. ValueError outside. DL/T 645-2007, 7.2."""
    if not 1 <= n <= 255:
        raise ValueError("frame 1..255")
    is_1997 = request[N_PREAMBLE + 8] == READ_1997
    n_di = 2 if is_1997 else 4
    length = N_PREAMBLE + 10 + n_di
    buf[:length] = request[:length]
    buf[N_PREAMBLE + 8] = READ_FOLLOWING_1997 if is_1997 else READ_FOLLOWING
    if not is_1997:
        buf[N_PREAMBLE + 9] = n_di + 1
        buf[length] = n + _OFFSET & 0xFF
        length += 1
    return put_end(buf, N_PREAMBLE, length)


def is_numbered(request):
    """True if a request of put_following says which frame it asks for: that of 2007 does."""
    return request[N_PREAMBLE + 8] == READ_FOLLOWING


def put_di(request, di):
    """Change a request that put_read or put_read_1997 has written to ask for another data identifier."""
    first = N_PREAMBLE + 10
    end = first + request[N_PREAMBLE + 9]
    for i in range(first, end):
        request[i] = (di & 0xFF) + _OFFSET & 0xFF
        di >>= 8
    put_end(request, N_PREAMBLE, end)


def place_of(request):
    """'0001FF00': the data identifier that a request asks for."""
    first = N_PREAMBLE + 10
    n = request[N_PREAMBLE + 9]
    return "".join("%02X" % (request[i] - _OFFSET & 0xFF) for i in range(first + n - 1, first - 1, -1))


def put_read_address(buf):
    """Write the request of 2007 for the number of the only meter on the line; 16 bytes."""
    return _put_request(buf, "A" * 12, READ_ADDRESS, b"")


def put_set_time(buf, instant):
    """Write the request that sets the clocks of all meters on the line, which none answers; 22 bytes.

    instant: ss mm hh DD MM YY as digits, of dlt645data.time_bytes. A meter follows it only if its clock is off by 5 minutes
    at most, and once a day. DL/T 645-2007 and -1997: C = 08H, to 99..99H, seconds first, like all that is sent; published
    clients differ: the dlt645 package sends the year first."""
    if len(instant) != 6:
        raise ValueError("6 bytes")
    return _put_request(buf, _ALL_METERS, SET_TIME, instant)


def put_write(buf, number, di, password, data):
    """Write a request of 2007 that sets data identifier di of one meter; 28 bytes and the data. The reply has no data.

    password: PA P0 P1 P2, PA its level, in the order they are sent; data: as sent. ValueError outside.
    DL/T 645-2007, C = 14H: DI0..DI3, PA P0 P1 P2, C0..C3 (operator), data; reply 94H, refused D4H."""
    if len(password) != 4 or not 1 <= len(data) <= len(buf) - SET_BYTES + 3:
        raise ValueError("password of 4 bytes, data that fit")
    return _put_request(buf, number, WRITE, _di_bytes(di, 4) + password + _OPERATOR + data)


def _di_bytes(di, n):
    """di's n bytes, DI0 first."""
    if not 0 <= di < 1 << 8 * n:
        raise ValueError("data identifier")
    return bytes(di >> 8 * i & 0xFF for i in range(n))


class Reply(Reply68):
    """Finds a meter's reply to a request that this module has written; add gives the data behind the data identifier,
    without the offset and without the sequence number of a following frame.

    more: the meter has further frames."""

    length_at = 9

    def __init__(self):
        super().__init__()
        self._function = 0
        # Data identifier and sequence number as they stand in the request.
        self._di = bytearray(5)
        self._n_di = 0
        self._n_sequence = 0
        self.more = False
        # Whether a reply of 1997 with the number AA..AA is taken: not where two such meters share a line.
        self.takes_anonymous = True

    def expect(self, request):
        """Forget all bytes; expect the reply to a request in this module's form."""
        self._start()
        self.more = False
        for k in range(6):
            self._number[k] = request[N_PREAMBLE + 1 + k]
        self._function = request[N_PREAMBLE + 8]
        # The reply to what was written says nothing of it.
        n = 0 if self._function == WRITE else request[N_PREAMBLE + 9]
        self._n_sequence = 1 if self._function == READ_FOLLOWING else 0
        self._n_di = n - self._n_sequence
        for k in range(n):
            self._di[k] = request[N_PREAMBLE + 10 + k]

    def _matches(self, i):
        """True if the good frame at i answers the request. Allocates nothing."""
        buf = self._buf
        if buf[i + 7] != START or not self._may_match(i):
            return False
        control, n = buf[i + 8], buf[i + 9]
        if control == REFUSED_1997 and self._function < READ:
            return n >= 1
        if control & 0x9F != self._function | 0x80:
            return False
        if control & 0x40:
            return n >= 1
        if self._function == READ_ADDRESS:
            return n == 6
        if n < self._n_di + self._n_sequence:
            return False
        for k in range(self._n_di):
            if buf[i + 10 + k] != self._di[k]:
                return False
        return not self._n_sequence or buf[i + 9 + n] == self._di[self._n_di]

    def _may_match(self, i):
        """As in Reply68; some meters of 1997 answer with the number AA AA AA AA AA AA."""
        if i + 7 < self._n and self._buf[i + 7] != START:
            return False
        if super()._may_match(i):
            return True
        if self._function >= READ or not self.takes_anonymous:
            return False
        for k in range(i + 1, min(i + 7, self._n)):
            if self._buf[k] != ANY:
                return False
        return True

    def _data_of(self, first, n):
        buf = self._buf
        self.more = bool(buf[first - 2] & 0x20)
        end = first + n - self._n_sequence
        first += self._n_di
        for i in range(first, end):
            buf[i] = buf[i] - _OFFSET & 0xFF
        return memoryview(buf)[first:end]

    def _code_of(self, first, n):
        return self._buf[first] - _OFFSET & 0xFF if n == 1 else _OTHER
