"""A record's parts, one behind the other: numbers and texts. Pure."""

from firmware.errors import RecordError
from firmware.protocols.varint import MOST_BYTES, put_varint, unfolded, varint_of

# Causes of misses by number; others are written out behind 0. Numbers that were given are never given again.
CAUSES = ("", "no reply", "bad frame", "bad data", "line busy", "not running", "clock set", "battery allowance", "fault")


class Writer:
    """The bytes of a record, which begins with a byte where one is given; ValueError if it is none."""

    def __init__(self, first=None):
        self.bytes = bytearray()
        if first is not None:
            # A bytearray on a board would take 256 for 0: another meter's record.
            if not 0 <= first <= 0xFF:
                raise ValueError("8 bits")
            self.bytes.append(first)

    def number(self, number):
        """A number, 0 or more, as a varint."""
        part = bytearray(MOST_BYTES)
        n = put_varint(part, 0, number)
        self.bytes.extend(part[:n])
        return self

    def text(self, text):
        """A text behind its length in bytes."""
        data = text.encode()
        self.number(len(data)).bytes.extend(data)
        return self

    def cause(self, text):
        """Why there was no reading."""
        code = CAUSES.index(text) if text in CAUSES else 0
        return self.number(code) if code else self.number(0).text(text)

    def rest(self, text):
        """A text up to the record's end."""
        self.bytes.extend(text.encode())
        return self


class Parts:
    """What a Writer has put, from the offset at on. RecordError where it ends too early, or is no text."""

    def __init__(self, payload, at):
        self._payload = payload
        self._at = at

    def number(self):
        number, self._at = varint_of(self._payload, self._at)
        return number

    def value(self):
        """The integer that was folded; None is none."""
        value = unfolded(self.number())
        if value is None:
            raise RecordError("no value")
        return value

    def text(self):
        n = self.number()
        first, self._at = self._at, self._at + n
        if self._at > len(self._payload):
            raise RecordError("no end")
        return text_of(self._payload[first : self._at])

    def cause(self):
        code = self.number()
        if code >= len(CAUSES):
            raise RecordError("cause")
        return CAUSES[code] if code else self.text()

    def rest(self):
        return text_of(self._payload[self._at :])

    @property
    def is_done(self):
        return self._at == len(self._payload)


def text_of(payload):
    """The text of these bytes. RecordError if they are not UTF-8."""
    try:
        return bytes(payload).decode()
    except UnicodeError:
        raise RecordError("text")
