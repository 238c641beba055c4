"""A DL/T 645 meter on a simulated wire, of 2007 or of 1997, by the tables of the firmware's profiles. Pure, portable.

What it sends is made here and in bytes68.py alone. DL/T 645-2007, 5 and 7; DL/T 645-1997, 4 and 5.
"""

from firmware.meters.profiles import profile_of
from tests.sim.bytes68 import NO_SUCH_DATA, Answering68, digit_bytes, fits_number, frame_behind
from tests.sim.items645 import Items, instant
from tests.sim.load import Load
from tests.sim.meterclock import clock_s_of

_OFFSET = 0x33
_ANY = b"\xaa" * 6
_BROADCAST = b"\x99" * 6
# Functions: read, read on, read address, of 2007; and of 1997, which has no reading of the address.
_READ, _FOLLOWING, _ADDRESS = 0x11, 0x12, 0x13
_READ_1997, _FOLLOWING_1997 = 0x01, 0x02
_READS = (_READ, _FOLLOWING, _ADDRESS, _READ_1997, _FOLLOWING_1997)
# Broadcast time: nobody answers it, nor what is sent to all. Write.
_TIME, _WRITE = 0x08, 0x14
_OTHER_FAULT, _UNAUTHORISED = 0x01, 0x04
_MOST_DATA = 200
# What can be written: the bytes behind a data identifier. Date; time; both.
_DATE, _CLOCK, _BOTH = 0x04000101, 0x04000102, 0x0400010C
_WRITABLE = {_DATE: 4, _CLOCK: 3, _BOTH: 7}
# Behind the data identifier of what is written: the password's level and itself, and who writes.
_AUTHORITY_BYTES = 8


class Meter645(Answering68):
    """Meter645(number, settings, item): number 12 digits; item(di, at_us) gives the bytes behind a data identifier, None
    where there is no such data.

    old: the edition of 1997. n_preamble: bytes FE before a reply. most_data: longer data go in further frames.
    any_number: a meter of 1997 that answers with the number AA AA AA AA AA AA; vendor_refusal: one that refuses by C5.
    clock: its Clock, which is set by broadcast time (08) and, of 2007, by a write (14) of 04000101, 04000102 and 0400010C with
    the password: 8 digits, its level and the six of itself, sent lowest first behind the level; None: it lets nobody write.
    told(at_us, number, di, bytes behind it). Faults as in Answering68, and wrong_di: the reply to another data identifier."""

    NUMBER_AT = 1

    def __init__(
        self,
        number,
        settings,
        item,
        old=False,
        turnaround_us=30000,
        told=None,
        faults=None,
        seed=1,
        n_preamble=4,
        most_data=_MOST_DATA,
        any_number=False,
        vendor_refusal=False,
        clock=None,
        password=None,
    ):
        super().__init__(number, settings, turnaround_us, told, faults, seed, n_preamble)
        self.clock = clock
        self.password = password
        self.old = old
        self.most_data = most_data
        self.any_number = any_number
        self.vendor_refusal = vendor_refusal
        self.writes = 0
        self._item = item
        self._n_di = 2 if old else 4
        # What goes in several frames: (data identifier, all its bytes, how many frames were sent).
        self._long = (b"", b"", 0)

    def _request(self, data, end_us):
        frame = frame_behind(data, 9)
        if frame is None or frame[7] != 0x68 or frame[8] & 0x80:
            return None
        number = frame[1:7]
        is_for_all = number == _BROADCAST or frame[8] == _TIME
        if not is_for_all and not fits_number(number, digit_bytes(self.number)):
            return None
        if frame[8] not in _READS:
            self.writes += 1
        if frame[8] == _TIME and self.clock:
            time = _plain(frame)
            self.clock.hear_broadcast(_clock_s_of(time) if len(time) == 6 else None, end_us)
        return None if is_for_all else frame

    def _reply(self, frame, at_us):
        function = frame[8]
        data = _plain(frame)
        code = self._hit("exception", NO_SUCH_DATA)
        if code:
            return self._refused(frame, code)
        if self.old:
            if function == _READ_1997 and len(data) == 2:
                return self._read(frame, data, at_us)
            if function == _FOLLOWING_1997 and len(data) == 2:
                return self._following(frame, data, self._long[2])
        else:
            if function == _ADDRESS and not data:
                return self._said_by(_ADDRESS, digit_bytes(self.number))
            if function == _READ and len(data) == 4:
                return self._read(frame, data, at_us)
            if function == _FOLLOWING and len(data) == 5:
                return self._following(frame, data[:4], data[4])
            if function == _WRITE and self.password is not None:
                return self._written(frame, data, at_us)
        return self._refused(frame, _UNAUTHORISED)

    def _read(self, frame, di, at_us):
        number = 0
        for byte in reversed(di):
            number = number << 8 | byte
        found = self._item(number, at_us)
        if found is None:
            return self._refused(frame, NO_SUCH_DATA)
        found = self._said(at_us, number, found)
        if self._hit("wrong_di"):
            di = bytes((di[0], di[1] ^ 1)) + di[2:]
        self._long = di, found, 0
        return self._part(frame, 0)

    def _written(self, frame, data, at_us):
        """What it says to a write: data identifier, level and password, who writes, data."""
        if len(data) <= 4 + _AUTHORITY_BYTES:
            return self._refused(frame, _OTHER_FAULT)
        if data[4:8] != digit_bytes(self.password[:2]) + digit_bytes(self.password[2:]):
            return self._refused(frame, _UNAUTHORISED)
        di = data[0] | data[1] << 8 | data[2] << 16 | data[3] << 24
        if not self.clock or di not in _WRITABLE:
            return self._refused(frame, NO_SUCH_DATA)
        data = data[4 + _AUTHORITY_BYTES :]
        clock_s = self._clock_written(di, data, at_us) if len(data) == _WRITABLE[di] else None
        if clock_s is None:
            return self._refused(frame, _OTHER_FAULT)
        self.clock.write(clock_s, at_us)
        return self._said_by(_WRITE, b"")

    def _clock_written(self, di, data, at_us):
        """Unix seconds that its clock shows with the written part in place of its own; None if that is no time."""
        now_s = self.clock.now_s(at_us)
        own = instant(self.clock.civil(at_us))
        if di == _DATE:
            data = own[:3] + data[1:]
        elif di == _CLOCK:
            data = data + own[3:]
        else:
            data = data[:3] + data[4:]
        found = _clock_s_of(data)
        return found if found is None or di != _CLOCK else now_s - now_s % 86400 + found % 86400

    def _following(self, frame, di, n):
        """The n-th further frame, as the data were when they were asked for."""
        known, found, _ = self._long
        if di != known or not 0 < n * self.most_data < len(found):
            return self._refused(frame, NO_SUCH_DATA)
        return self._part(frame, n)

    def _part(self, frame, n):
        di, found, _ = self._long
        self._long = di, found, n + 1
        part = di + found[n * self.most_data : (n + 1) * self.most_data]
        if n and not self.old:
            part += bytes((n,))
        return self._said_by(frame[8], part, (n + 1) * self.most_data < len(found))

    def _said_by(self, function, data, more=False):
        """The reply to a function."""
        number = _ANY if self.any_number else digit_bytes(self.number)
        return self._framed(number, function | (0xA0 if more else 0x80), data)

    def _refusal(self, frame, code):
        number = _ANY if self.any_number else digit_bytes(self.number)
        if self.vendor_refusal:
            return self._framed(number, 0xC5, bytes([byte - _OFFSET & 0xFF for byte in frame[10 : 10 + self._n_di]] + [code]))
        return self._framed(number, frame[8] | 0xC0, bytes((code,)))

    def _framed(self, number, control, data):
        body = bytes([byte + _OFFSET & 0xFF for byte in data])
        return self._sent(b"\x68" + number + b"\x68" + bytes((control, len(body))) + body)


def _plain(frame):
    """A frame's data without the offset."""
    return bytes([byte - _OFFSET & 0xFF for byte in frame[10:-2]])


def _clock_s_of(data):
    """Unix seconds of ss mm hh DD MM YY; None if that is no time."""
    if any(byte & 15 > 9 or byte > 0x99 for byte in data):
        return None
    second, minute, hour, day, month, year = [byte // 16 * 10 + byte % 16 for byte in data]
    return clock_s_of(year, month, day, hour, minute, second)


# -- a meter with a load ------------------------------------------------------------------------------------------


def meter(number, profile, power_w, energy_wh, settings=None, from_us=0, serial_number=None, missing=(), load=None, **more):
    """A Meter645 as the firmware's profile of that name: its edition and settings unless said otherwise.

    Its `items` are the Items; load: another Load than that of power_w and energy_wh; more: what both take, by name."""
    table = profile_of(profile)
    items = Items(table, load or Load(power_w, energy_wh, from_us), number, serial_number, missing)
    for name in ("fill", "refused", "n_tariffs", "clock_s", "status"):
        if name in more:
            setattr(items, name, more.pop(name))
    found = Meter645(number, settings or table.settings, items.item, table.protocol == "dlt645-1997", clock=items.clock, **more)
    found.items = items
    return found
