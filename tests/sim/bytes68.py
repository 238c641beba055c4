"""Bytes of DL/T 645 and CJ/T 188 as simulated meters make them: digits, checksum, clock. Pure, portable.

Nothing here is the firmware's: meters that count as it does would hide what it counts wrong.
"""

from tests.sim.answering import Answering

_DAY_S = 86400
# The error reply "no such data" of DL/T 645; simulated CJ/T 188 meters say it in their status.
NO_SUCH_DATA = 0x02


def bcd_bytes(number, n):
    """The last 2n digits of a number from 0, two in a byte, the last two first."""
    found = []
    for _ in range(n):
        number, two = divmod(number, 100)
        found.append(two // 10 * 16 + two % 10)
    return bytes(found)


def signed_bytes(number, n):
    """The same with a sign in the top bit of the last byte, which then has a digit 0..7."""
    size = 8 * 10 ** (2 * n - 1)
    found = bytearray(bcd_bytes(abs(number) % size, n))
    if number < 0:
        found[-1] += 0x80
    return bytes(found)


def digit_bytes(text):
    """The bytes of a number as it is written, '000000000161': the last two digits first."""
    return bytes([int(text[i : i + 2], 16) for i in range(len(text) - 2, -1, -2)])


def ended(frame):
    """A frame from its first 68H on with checksum and end behind it."""
    total = 0
    for byte in frame:
        total += byte
    return bytes(frame) + bytes((total % 256, 0x16))


def frame_behind(data, length_at):
    """The frame with a right checksum that data ends with, from its first 68H on; None if there is none.

    length_at: where the length of what stands before checksum and end is."""
    for first in range(len(data)):
        frame = data[first:]
        if frame[0] != 0x68 or len(frame) < length_at + 3 or len(frame) != length_at + 3 + frame[length_at]:
            continue
        if ended(frame[:-2]) == frame:
            return bytes(frame)
    return None


def fits_number(asked, own):
    """True if a request to these bytes is to a meter with those: AA is any."""
    return all(asked[i] in (0xAA, own[i]) for i in range(len(own)))


def civil(at_s):
    """(year, month, day, hour, minute, second, week day from 0 on Sunday) of Unix seconds from 1970 to 2099."""
    day, second = divmod(at_s, _DAY_S)
    week_day = (day + 4) % 7
    year = 1970
    while day >= 365 + (year % 4 == 0):
        day -= 365 + (year % 4 == 0)
        year += 1
    month = 1
    for length in (31, 28 + (year % 4 == 0), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31):
        if day < length:
            break
        day -= length
        month += 1
    return year, month, day + 1, second // 3600, second // 60 % 60, second % 60, week_day


class Answering68(Answering):
    """An Answering with a number and `n_preamble` bytes FE before its replies. One more fault: not_bcd, a digit that is
    none under a right checksum. writes: requests that would have changed it, whether it took them or not."""

    REFUSED = NO_SUCH_DATA

    def __init__(self, number, settings, turnaround_us, told, faults, seed, n_preamble):
        own = sum(ord(number[i]) * (i + 1) for i in range(len(number)))
        super().__init__(settings, turnaround_us, told, faults, seed + 257 * own)
        self.number = number
        self.n_preamble = n_preamble

    def _sent(self, frame):
        return b"\xfe" * self.n_preamble + ended(frame)

    def _said(self, at_us, register, data):
        """The data of a reply, as they are told and as they are sent."""
        if self.told:
            self.told(at_us, self.number, register, data)
        data = self._garbage(data)
        if data and self._hit("not_bcd"):
            data = bytearray(data)
            first, end = self._digits(len(data))
            at = self._dice.between(first, end - 1)
            data[at] = data[at] & 0xF0 | self._dice.between(10, 14)
        return bytes(data)

    def _random(self, n):
        """Digits, so that it is a number."""
        return bcd_bytes(self._dice.bits(32), n)

    def _digits(self, n):
        """(first, end) of those of n bytes of data that not_bcd may spoil."""
        return 0, n

    def _other(self, reply):
        """The same reply with another number."""
        frame = bytearray(reply[self.n_preamble : -2])
        frame[self.NUMBER_AT] = 0x10 if frame[self.NUMBER_AT] != 0x10 else 0x11
        return self._sent(frame)

    def _miscounted(self, reply):
        """The checksum stands before the end."""
        return reply[:-2] + bytes((reply[-2] ^ (1 + self._dice.below(255)),)) + reply[-1:]
