"""The stream decoder that DL/T 645 and CJ/T 188 have in common: frames that begin with 68H and say their length.

A frame is found by its length byte and its checksum, never by its end byte 16H: numbers and checksums contain that too.
"""

from micropython import const

from firmware.errors import BadFrame, MeterRefused

START = const(0x68)
END = const(0x16)
PREAMBLE = const(0xFE)
# Wakes up a meter's receiver before a request.
N_PREAMBLE = const(4)
ANY = const(0xAA)
# A meter may send up to 13 bytes of preamble (seen), and its data are at most 200 bytes (DL/T 645-2007, 5.2.5).
_MOST_PREAMBLE = const(13)
_MOST_USUAL_DATA = const(200)


def checksum(buf, first, end):
    """The sum of buf[first:end] modulo 256. Allocates nothing."""
    total = 0
    for i in range(first, end):
        total += buf[i]
    return total & 0xFF


def put_end(buf, first, n):
    """Write checksum and end behind the frame that begins at first and has n bytes in buf; return the new length."""
    buf[n] = checksum(buf, first, n)
    buf[n + 1] = END
    return n + 2


class Reply68:
    """Finds the one reply that matches a request in a stream of bytes, whatever stands before or after it.

    expect(request) once per request, then add(bytes, n) until it gives the reply's data. One buffer, allocated here and
    used again. A protocol says where the length byte stands (length_at), and which frames match (_matches) and what they
    hold (_data_of, _code_of)."""

    # Offset of the length byte in a frame; the numbers begin at number_at and have n_number bytes.
    length_at = 9
    number_at = 1
    n_number = 6

    def __init__(self):
        # The longest frame there can be, and room for what stands before it.
        self._buf = bytearray(self.length_at + 3 + 255 + _MOST_PREAMBLE)
        self._n = 0
        self._number = bytearray(self.n_number)
        self._wanted = 0
        self.noise_bytes = 0
        # Offset of the frame that add has found.
        self._at = 0

    @property
    def heard(self):
        """How many bytes are in the buffer."""
        return self._n

    @property
    def longest(self):
        """How many bytes the reply may take at most, its preamble included."""
        return _MOST_PREAMBLE + self.length_at + 3 + _MOST_USUAL_DATA

    def wanted(self):
        """How many more bytes the reply may take at least: 1.. Lets the line sleep until they can have come."""
        return self._wanted

    def _start(self):
        self._n = 0
        self._wanted = self.length_at + 4

    def add(self, data, n):
        """Take n bytes of data, any number. A memoryview of the reply's data once it is whole, else None.

        The view is valid until expect. MeterRefused(code) if the meter answers with an error. A frame that ends in
        garbage is no fault: the next bytes may bring a good one."""
        buf = self._buf
        taken = 0
        at = -1
        while at < 0 and taken < n:
            if self._n == len(buf):
                self._forget()
            end = self._n
            while end < len(buf) and taken < n:
                buf[end] = data[taken]
                end += 1
                taken += 1
            self._n = end
            at = self._search()
        if at < 0:
            return None
        self._at = at
        self.noise_bytes += self._n_before(at)
        control = buf[at + self.length_at - 1]
        if control & 0x40:
            code = self._code_of(at + self.length_at + 1, buf[at + self.length_at])
            self._start()
            raise MeterRefused(code)
        return self._data_of(at + self.length_at + 1, buf[at + self.length_at])

    def _n_before(self, at):
        """How many bytes before the frame at that offset are no preamble of it."""
        while at and self._buf[at - 1] == PREAMBLE:
            at -= 1
        return at

    def _forget(self):
        """Make room in a full buffer: what begins in its first bytes is whole, and is no answer."""
        buf = self._buf
        drop = _MOST_PREAMBLE
        while drop < self._n and buf[drop] != START:
            drop += 1
        for i in range(drop, self._n):
            buf[i - drop] = buf[i]
        self.noise_bytes += drop
        self._n -= drop

    def _search(self):
        """The offset of the first good frame that matches, or -1. Allocates nothing."""
        buf, end, length_at = self._buf, self._n, self.length_at
        self._wanted = length_at + 4
        hoped = False
        for i in range(end):
            if buf[i] != START:
                continue
            rest = length_at + 4 - (end - i)
            if i + length_at < end:
                rest = length_at + 3 + buf[i + length_at] - (end - i)
                if rest <= 0:
                    if self._good(i) and self._matches(i):
                        return i
                    continue
            if not hoped and self._may_match(i):
                hoped = True
                self._wanted = max(1, rest)
        return -1

    def _good(self, i):
        """True if a whole frame at i has its checksum and its end."""
        buf = self._buf
        last = i + self.length_at + 1 + buf[i + self.length_at]
        return buf[last + 1] == END and buf[last] == checksum(buf, i, last)

    def _may_match(self, i):
        """False if what has come of a frame at i already shows that it is not the one that is waited for."""
        for k in range(min(self.n_number, self._n - i - self.number_at)):
            if not self._is_number_byte(k, self._buf[i + self.number_at + k]):
                return False
        return True

    def _is_number_byte(self, k, byte):
        if self._number[k] == byte:
            return True
        # Any digits: what is none is no meter's number.
        return self._number[k] == ANY and byte >> 4 <= 9 and byte & 15 <= 9

    def number_text(self):
        """The number of the meter whose reply add has found, as its digits."""
        first = self._at + self.number_at
        return "".join("%02X" % self._buf[i] for i in range(first + self.n_number - 1, first - 1, -1))

    def give_up(self):
        """The deadline has passed: BadFrame with what was heard. Call only when heard is not 0."""
        heard = bytes(memoryview(self._buf)[: self._n])
        fault = self._fault()
        self.noise_bytes += self._n
        self._start()
        raise BadFrame(heard, fault)

    def _fault(self):
        """What was heard instead of the reply, as BadFrame says it."""
        fault = "noise"
        for i in range(self._n - self.length_at):
            if self._buf[i] != START:
                continue
            is_ours = Reply68._may_match(self, i)
            if i + self.length_at + 3 + self._buf[i + self.length_at] <= self._n and self._good(i):
                return "late" if is_ours else "other"
            if is_ours:
                fault = "checksum"
        return fault
