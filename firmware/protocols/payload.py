"""Numbers, texts and messages as JSON: from templates, since a dict loses its order on a board.

Numbers are plain decimals, exactly as stored; None is null. The keys are in README, "Messages".
"""

from micropython import const

from firmware.texts import json_text

VERSION = 1

# Before a message: a PUBLISH's header, with topics of up to 180 bytes.
_ROOM_BYTES = const(192)


def decimal_text(value, decimals):
    """'12345.67' of (1234567, 2); 'null' of None. decimals 0..9."""
    if value is None:
        return "null"
    if decimals == 0:
        return str(value)
    sign, value = ("-", -value) if value < 0 else ("", value)
    digits = str(value)
    if len(digits) <= decimals:
        digits = "0" * (decimals + 1 - len(digits)) + digits
    return "%s%s.%s" % (sign, digits[:-decimals], digits[-decimals:])


def text(value):
    """A JSON string, or null for None; the same bytes on every port."""
    return "null" if value is None else json_text(value)


def flag(value):
    return "true" if value else "false"


def obj(*pairs):
    """'{"a":1,"b":2}' of ("a", "1"), ("b", "2"): names as they are, values already JSON."""
    return "{%s}" % ",".join('"%s":%s' % pair for pair in pairs)


def head(gateway, log):
    """The first members of every message that carries records."""
    return '"v":%d,"gw":%s,"log":"%s"' % (VERSION, text(gateway), log)


def reading(seq, record):
    """One element of a readings message."""
    pairs = []
    for (name, _, decimals, _), value in zip(record.points, record.values):
        pairs.append((name, decimal_text(value, decimals)))
    return '{"seq":%d,"s":%d,"t":%d,"m":%s,"q":%d,"p":%s}' % (
        seq,
        record.slot_s,
        record.at_s,
        text(record.meter),
        record.quality,
        obj(*pairs),
    )


def miss(seq, record):
    """One element of a readings message: slots that brought no reading, and why."""
    return '{"seq":%d,"m":%s,"miss":%s,"s":%d,"s_end":%d,"n":%d}' % (
        seq,
        text(record.meter),
        text(record.cause),
        record.slot_s,
        record.end_s,
        record.n_slots,
    )


class Message:
    """A JSON message in a buffer that is there from the start: a heap in pieces has no place for a new one each time.

    Message(n_bytes): what it is to hold without growing. It leaves room before itself for a packet's header, so that a
    packet is one piece. len() gives the message's bytes."""

    def __init__(self, n_bytes):
        self._out = bytearray(_ROOM_BYTES + n_bytes)
        self._end = _ROOM_BYTES
        self._behind = False

    def __len__(self):
        return self._end - _ROOM_BYTES

    def start(self, text):
        """Begin a new one; itself."""
        self._end = _ROOM_BYTES
        self._behind = False
        self.put(text)
        return self

    def put(self, text):
        """More of its text."""
        data = text.encode()
        end = self._end + len(data)
        if end > len(self._out):
            # One record larger than what is configured goes all the same.
            self._out.extend(bytes(end - len(self._out)))
        self._out[self._end : end] = data
        self._end = end

    def has_room(self, text):
        """True if so much more of its text goes in without growing."""
        return self._end + len(text.encode()) <= len(self._out)

    def add(self, element):
        """The next element of the list that the text before has opened."""
        self.put("," + element if self._behind else element)
        self._behind = True

    def end(self, text):
        """The end of the list, and what comes behind it."""
        self._behind = False
        self.put(text)

    def behind(self, header):
        """A view of header, at most 192 bytes, and the message; valid until the next start."""
        first = _ROOM_BYTES - len(header)
        self._out[first:_ROOM_BYTES] = header
        return memoryview(self._out)[first : self._end]

    def joined(self):
        """The message, bytes."""
        return bytes(memoryview(self._out)[_ROOM_BYTES : self._end])


class Streamed:
    """A message that is made again whenever it is needed, piece by piece: it may be larger than what is free.

    make() gives an iterator over its texts, each time the same. len() gives its bytes."""

    def __init__(self, make):
        self._make = make
        self._n_bytes = sum(len(part) for part in self.pieces())

    def __len__(self):
        return self._n_bytes

    def pieces(self):
        for text in self._make():
            yield text.encode()


def start_readings(message, gateway, log):
    """Begin a readings message; add() what reading() and miss() give, then end("]}")."""
    message.start('{%s,"r":[' % head(gateway, log))


def put_single(message, gateway, log, seq, members):
    """A day or an event, whole: the record's stored members behind the message's head."""
    message.start('{%s,"seq":%d,' % (head(gateway, log), seq))
    message.put(members)
    message.put("}")
