"""A request that a person has typed: its protocol, its checksum, whether it only reads, where passwords stand. Pure."""

from micropython import const

from firmware.protocols import hearing
from firmware.protocols.crc import crc16
from firmware.protocols.frame68 import END, PREAMBLE, START, checksum

_MOST_PREAMBLE = const(16)

# Requests that only read. Modbus: function: bytes between it and the checksum (application protocol V1.1b3); the device
# identification (2B 0E) is looked at by itself. Not the file record (14): what stands in it could be a frame of the others.
_MODBUS_READS = {0x01: 4, 0x02: 4, 0x03: 4, 0x04: 4, 0x07: 0, 0x0B: 0, 0x11: 0, 0x18: 2}
_IDENTIFICATION = const(0x2B)
# The others: function: bytes of its data. DL/T 645-2007, 7.1 to 7.3, also with a count and a time; CJ/T 188-2004, 7.
# Not longer: what stands in the data could be a frame itself.
_DLT_READS = {0x01: (2,), 0x02: (2,), 0x11: (4, 5, 10), 0x12: (5,), 0x13: (0,)}
_CJT_READS = {0x01: (3,), 0x03: (3,)}
# Where passwords stand in the data of DL/T 645: (first, end). 2007: write 14H, password 18H, clear 19H to 1BH, relay 1CH;
# 1997: write 04H, password 0FH.
_PASSWORDS = {0x14: (4, 8), 0x18: (4, 12), 0x19: (0, 4), 0x1A: (0, 4), 0x1B: (0, 4), 0x1C: (0, 4), 0x04: (2, 6), 0x0F: (0, 10)}


def crc_bytes(body):
    crc = crc16(body, 0, len(body))
    return bytes((crc & 0xFF, crc >> 8))


class Typed:
    """Typed(request): kind: protocol as in hearing; body: the bytes before the checksum, preamble included; right: the
    checksum that belongs behind it, end included; is_right: it stands there, and nothing else does.

    ValueError with a text if the request's own length byte says something else."""

    def __init__(self, request):
        n = 0
        while n < len(request) and request[n] == PREAMBLE:
            n += 1
        # A Modbus meter may be unit 68H too; what reads it is shorter than any frame of the others.
        is68 = n <= _MOST_PREAMBLE and len(request) - n >= 10 and request[n] == START
        self._first = n if is68 else 0
        if not is68:
            self.kind = hearing.MODBUS
            self._end = _modbus_end(request)
            self.right = crc_bytes(request[: self._end])
        else:
            self.kind = hearing.DLT645 if request[n + 7] == START else hearing.CJT188
            self._end = _end68(request, n, 9 if self.kind == hearing.DLT645 else 10)
            self.right = bytes((checksum(request, n, self._end), END))
        self.body = request[: self._end]
        self.is_right = request == self.body + self.right

    @property
    def function(self):
        return hearing.function_of(self.body[self._first :], self.kind)

    @property
    def is_read(self):
        """True if it is exactly one request that changes nothing in a meter."""
        frame = self.body[self._first :]
        if self.kind == hearing.MODBUS:
            return _is_modbus_read(frame)
        whole = self.body + self.right
        if crc_bytes(whole[:-2]) == whole[-2:]:
            # It is a good request to Modbus unit 68H too.
            return False
        n = len(frame) - (10 if self.kind == hearing.DLT645 else 11)
        return n in (_DLT_READS if self.kind == hearing.DLT645 else _CJT_READS).get(self.function, ())

    def hidden_text(self):
        """Its bytes in hex with ** for those of a password, and for the sum, which would tell of them."""
        shown = ["%02X" % byte for byte in self.body + self.right]
        if self.kind == hearing.DLT645 and self.function in _PASSWORDS:
            first, end = _PASSWORDS[self.function]
            for i in range(self._first + 10 + first, min(self._first + 10 + end, len(self.body))):
                shown[i] = "**"
            shown[len(self.body)] = "**"
        return " ".join(shown)


def _modbus_end(request):
    """How many bytes of a Modbus request stand before its checksum, whether that is there or not."""
    if len(request) >= 4 and crc_bytes(request[:-2]) == request[-2:]:
        return len(request) - 2
    n = _MODBUS_READS.get(request[1], -1) + 2 if len(request) > 1 else 0
    # With as many bytes as a read takes with one, it is wrong; else it is taken to be missing.
    return n if n > 1 and len(request) == n + 2 else len(request)


def _end68(request, first, length_at):
    """Where the data of a frame end, of which checksum and end may be missing. ValueError."""
    n = len(request) - first - length_at - 1
    if n < 0:
        raise ValueError("it ends before its length byte")
    length = request[first + length_at]
    if not length <= n <= length + 2:
        raise ValueError("its length byte says %d bytes of data, behind it are %d" % (length, n))
    return first + length_at + 1 + length


def _is_modbus_read(frame):
    if len(frame) < 2:
        return False
    function, n = frame[1], len(frame) - 2
    if function == _IDENTIFICATION:
        return n == 3 and frame[2] == 0x0E
    return _MODBUS_READS.get(function, -1) == n
