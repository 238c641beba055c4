"""What stands behind the data identifiers of a simulated DL/T 645 meter, by the firmware's profiles. Pure, portable."""

from tests.sim.bytes68 import bcd_bytes, digit_bytes, signed_bytes
from tests.sim.meterclock import Clock


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
    n_tariffs, more of which it does not have; clock, its Clock, or clock_s, Unix seconds that it showed when the load began,
    in the meter's own local time; status, of status word 1."""

    def __init__(self, profile, load, number, serial_number=None, missing=(), clock_s=1763806530):
        self.load = load
        self.number = number
        self.serial_number = serial_number or number
        self.missing = missing
        self.fill = 0xFF
        self.refused = ()
        self.n_tariffs = 4
        self.clock = Clock(clock_s, load.from_us)
        self.status = 0
        self._rows = {row[1]: row for row in profile.points}
        self._blocks = dict(profile.blocks)
        self._three_phases = any(row[0][-3:] == "_l3" for row in profile.points)

    @property
    def clock_s(self):
        return self.clock.now_s(self.load.from_us)

    @clock_s.setter
    def clock_s(self, clock_s):
        self.clock.set(clock_s, self.load.from_us)

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
            name, at_us = name[7:], self.clock.midnight_us(at_us)
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
        return bcd_bytes(self.clock.civil(at_us)[6], 1) + instant[3:]

    def _instant(self, at_us):
        return instant(self.clock.civil(at_us))


_MINUTES = {"demand_period": 15, "demand_slide": 1}
_TEXTS = {"asset_number": "SIM-0001", "accuracy_class": "1.0"}


def instant(civil):
    """ss mm hh DD MM YY of (year, month, day, hour, minute, second, week day)."""
    year, month, day, hour, minute, second, _ = civil
    return b"".join([bcd_bytes(part, 1) for part in (second, minute, hour, day, month, year)])
