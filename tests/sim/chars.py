"""Characters on a wire: their length, who hears them right, transmissions of them, and a slave's receiver.

Byte i of a transmission has ended at start + (i + 1) * bits * 1000000 // baud, where bits counts start, data, parity
and stop bits.

Whose settings differ hears what a UART makes of it: other baud rate or data bits: no byte right, about half of them
lost. Other stop bits alone: right, since receivers look at the first one. Sent with parity, heard without: the parity
bit is taken for the stop bit: right where it is 1, a framing error and lost where it is 0. Sent without, heard with:
the next start bit is taken for the stop bit: no byte right. Even against odd: every byte is dropped.
"""

# Modbus over serial line V1.02, 2.5.1.1: 3.5 characters of silence end a frame, 1.75 ms from 19200 baud up.
_FAST_BAUD = 19200
_FAST_SILENCE_US = 1750
# A listener that never hears a silence keeps so much.
_MOST_HEARD_BYTES = 600
_MILLION = 1000000
# The parity of a master behind a terminal that has none: it is what its meter's is.
ANY = -1


def char_bits(settings):
    """Bits of one character on the wire, start bit included, of (baud, bits, parity, stop)."""
    return 1 + settings[1] + (settings[2] is not None) + settings[3]


def span_us(settings, n):
    """What n characters take without a pause."""
    return n * char_bits(settings) * _MILLION // settings[0]


def silence_us(settings):
    """The silence that ends a frame."""
    return _FAST_SILENCE_US if settings[0] > _FAST_BAUD else 7 * char_bits(settings) * 500000 // settings[0]


def alike(one, other):
    """True if a receiver with one settings hears what is sent with the other right."""
    return one[:3] == other[:3] or (ANY in (one[2], other[2]) and one[:2] == other[:2])


def _ones(byte):
    n = 0
    while byte:
        n += byte & 1
        byte >>= 1
    return n


def understood(byte, garbled, sent, heard):
    """What a receiver with settings `heard` makes of a byte sent with others: the byte, `garbled`, or None for lost."""
    if byte is None or alike(sent, heard):
        return byte
    if sent[:2] != heard[:2] or sent[2] is None:
        return garbled
    return byte if heard[2] is None and (_ones(byte) + sent[2]) & 1 else None


class Sent:
    """A transmission: bytes one behind the other from start_us on. by: a slave, None for the gateway, or a word for noise."""

    def __init__(self, number, by, settings, data, start_us):
        self.number = number
        self.by = by
        self.settings = settings
        self.data = data
        self.start_us = start_us
        self._baud = settings[0]
        self._bits = char_bits(settings) * _MILLION
        self.end_us = self.end_of(len(data) - 1)
        # How many bytes the gateway's receiver is through with, and whether the slaves are.
        self.n_received = 0
        self.offered = False

    def end_of(self, i):
        """When byte i has ended, and byte i + 1 begins."""
        return self.start_us + (i + 1) * self._bits // self._baud

    def n_ended(self, now_us):
        if now_us <= self.start_us:
            return 0
        return min(len(self.data), ((now_us - self.start_us + 1) * self._baud - 1) // self._bits)


class Listener:
    """A slave's receiver: the bytes since the last silence."""

    def __init__(self, slave):
        self.slave = slave
        self.busy_us = 0
        self._heard = b""
        self._first_us = 0
        self._last_us = 0

    def hear(self, data, start_us, end_us):
        """What the slave answers: [(start_us, bytes), ..]."""
        if start_us - self._last_us > silence_us(self.slave.settings):
            self._heard = b""
        if data:
            if not self._heard:
                self._first_us = start_us
            self._heard = (self._heard + data)[-_MOST_HEARD_BYTES:]
        self._last_us = end_us
        answer = self.slave.hear(self._heard, self._first_us, end_us) if data else None
        return answer if isinstance(answer, list) else [answer] if answer else []

    def forget(self):
        """It sends: what it heard before is no longer a frame's beginning."""
        self._heard = b""
