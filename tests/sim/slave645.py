"""A DL/T 645 meter on a simulated wire, of 2007 or of 1997, by the tables of the firmware's profiles. Pure, portable.

What it sends is made here and in bytes68.py alone. DL/T 645-2007, 5 and 7; DL/T 645-1997, 4 and 5.
"""

from firmware.meters.profiles import profile_of
from tests.sim.bytes68 import NO_SUCH_DATA, Answering68, bcd_bytes, civil, digit_bytes, fits_number, frame_behind, signed_bytes
from tests.sim.load import Load

_OFFSET = 0x33
_ANY = b"\xaa" * 6
_BROADCAST = b"\x99" * 6
# Functions: read, read on, read address, of 2007; and of 1997, which has no reading of the address.
_READ, _FOLLOWING, _ADDRESS = 0x11, 0x12, 0x13
_READ_1997, _FOLLOWING_1997 = 0x01, 0x02
_READS = (_READ, _FOLLOWING, _ADDRESS, _READ_1997, _FOLLOWING_1997)
# Broadcast time: nobody answers it, nor what is sent to all.
_TIME = 0x08
_UNAUTHORISED = 0x04
_MOST_DATA = 200
_DAY_S = 86400


class Meter645(Answering68):
    """Meter645(number, settings, item): number 12 digits; item(di, at_us) gives the bytes behind a data identifier, None
    where there is no such data.

    old: the edition of 1997. n_preamble: bytes FE before a reply. most_data: longer data go in further frames.
    any_number: a meter of 1997 that answers with the number AA AA AA AA AA AA; vendor_refusal: one that refuses by C5.
    told(at_us, number, di, bytes behind it). writes: requests that would have changed the meter. Faults as in
    Answering68, and wrong_di: the reply to another data identifier."""

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
    ):
        super().__init__(number, settings, turnaround_us, told, faults, seed, n_preamble)
        self.old = old
        self.most_data = most_data
        self.any_number = any_number
        self.vendor_refusal = vendor_refusal
        self.writes = 0
        self._item = item
        self._n_di = 2 if old else 4
        # What goes in several frames: (data identifier, all its bytes, how many frames were sent).
        self._long = (b"", b"", 0)

    def _request(self, data):
        frame = frame_behind(data, 9)
        if frame is None or frame[7] != 0x68 or frame[8] & 0x80:
            return None
        number = frame[1:7]
        is_for_all = number == _BROADCAST or frame[8] == _TIME
        if not is_for_all and not fits_number(number, digit_bytes(self.number)):
            return None
        if frame[8] not in _READS:
            self.writes += 1
        return None if is_for_all else frame

    def _reply(self, frame, at_us):
        function = frame[8]
        data = bytes([byte - _OFFSET & 0xFF for byte in frame[10:-2]])
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


# -- a meter with a load ------------------------------------------------------------------------------------------


class Form:
    """What a form's text says, as the profiles of DL/T 645 have it: bcd4, bcd3s, bcd3+5, bcd4.., digits6, text32, date4."""

    def __init__(self, text):
        kind = text.rstrip("0123456789+.:s") if text[:3] == "bcd" else text.rstrip("0123456789")
        rest = text[len(kind) :]
        self.kind = kind
        self.more = rest[-2:] == ".."
        rest = rest.rstrip(".")
        rest, _, behind = rest.partition("+")
        self.n_behind = int(behind or 0)
        self.signed = rest[-1:] == "s"
        # What stands behind a colon is how many digits there may be.
        self.n_bytes = int(rest.partition(":")[0].rstrip("s"))

    @property
    def length(self):
        return self.n_bytes + self.n_behind


class Items:
    """Items(profile, load, number): item(di, at_us) of a meter of one of the firmware's profiles (a Profile), for Meter645.

    To be changed at any time: serial_number; missing, names of points that it has no value for; fill, the byte that such
    ones are made of: FF, or 00 as some meters have it; refused, data identifiers that it does not have, such as blocks;
    n_tariffs, more of which it does not have; clock_s, Unix seconds that its clock showed when the load began, in the
    meter's own local time; status, of status word 1."""

    def __init__(self, profile, load, number, serial_number=None, missing=(), clock_s=1763806530):
        self.load = load
        self.number = number
        self.serial_number = serial_number or number
        self.missing = missing
        self.fill = 0xFF
        self.refused = ()
        self.n_tariffs = 4
        self.clock_s = clock_s
        self.status = 0
        self._rows = {row[1]: row for row in profile.points}
        self._blocks = dict(profile.blocks)
        self._three_phases = any(row[0][-3:] == "_l3" for row in profile.points)

    def item(self, di, at_us):
        """The bytes behind a data identifier; None if the meter has no such data."""
        if di in self.refused:
            return None
        if di in self._blocks:
            parts = [self._value(self._rows[register], at_us) for register in self._blocks[di]]
            return b"".join([part for part in parts if part is not None])
        return self._value(self._rows[di], at_us) if di in self._rows else None

    def _value(self, row, at_us):
        name, _, text, _, decimals, _ = row
        if name[:-1] == "energy_import_t" and int(name[-1]) > self.n_tariffs:
            return None
        form = Form(text)
        if name in self.missing:
            return bytes((self.fill,)) * form.length
        if form.kind != "bcd":
            return self._about(name, form, at_us)
        if name in _MINUTES:
            return bcd_bytes(_MINUTES[name], form.n_bytes)
        if name[:7] == "freeze_":
            # With the tariffs behind it.
            name, at_us = name[7:], self._midnight_us(at_us)
        found = self._number(name, form, decimals, at_us)
        for tariff in range(1, self.n_tariffs + 1 if form.more else 0):
            found += self._number("energy_import_t%d" % tariff, form, decimals, at_us)
        if form.n_behind:
            # When the demand was highest.
            found += self._instant(self.load.from_us)[1:]
        return found

    def _number(self, name, form, decimals, at_us):
        numerator, denominator = self.load.quantity(name, at_us, self._three_phases)
        number = numerator * 10**decimals // denominator
        return signed_bytes(number, form.n_bytes) if form.signed else bcd_bytes(number, form.n_bytes)

    def _about(self, name, form, at_us):
        if name == "serial_number":
            return digit_bytes(self.serial_number)
        if name == "communication_number":
            return digit_bytes(self.number)
        if form.kind == "text":
            text = _TEXTS[name]
            return bytes([ord(c) for c in reversed(text + " " * (form.n_bytes - len(text)))])
        if form.kind == "hex":
            return bytes([self.status >> 8 * i & 0xFF for i in range(form.n_bytes)])
        if name == "freeze_time":
            return bytes(2) + self._instant(at_us)[3:]
        instant = self._instant(at_us)
        if name == "clock_time":
            return instant[:3]
        return bcd_bytes(self._civil(at_us)[6], 1) + instant[3:]

    def _clock_s(self, at_us):
        return self.clock_s + self.load.elapsed_ms(at_us) // 1000

    def _midnight_us(self, at_us):
        """When its clock showed midnight last."""
        clock_s = self._clock_s(at_us)
        return self.load.from_us + (clock_s - clock_s % _DAY_S - self.clock_s) * 1000000

    def _civil(self, at_us):
        return civil(self._clock_s(at_us))

    def _instant(self, at_us):
        """ss mm hh DD MM YY."""
        year, month, day, hour, minute, second, _ = self._civil(at_us)
        return b"".join([bcd_bytes(part, 1) for part in (second, minute, hour, day, month, year)])


_MINUTES = {"demand_period": 15, "demand_slide": 1}
_TEXTS = {"asset_number": "SIM-0001", "accuracy_class": "1.0"}


def meter(number, profile, power_w, energy_wh, settings=None, from_us=0, serial_number=None, missing=(), **more):
    """A Meter645 as the firmware's profile of that name: its edition and settings unless said otherwise.

    Its `items` are the Items; more: what both take, by name."""
    table = profile_of(profile)
    items = Items(table, Load(power_w, energy_wh, from_us), number, serial_number, missing)
    for name in ("fill", "refused", "n_tariffs", "clock_s", "status"):
        if name in more:
            setattr(items, name, more.pop(name))
    found = Meter645(number, settings or table.settings, items.item, table.protocol == "dlt645-1997", **more)
    found.items = items
    return found
