"""A CJ/T 188 meter on a simulated wire: water, gas, heat, with the variants that makers have. Pure, portable.

What it sends is made here and in bytes68.py alone. CJ/T 188-2004, 5 to 7; the variants are those of meters that were seen.
"""

from firmware.meters.profiles import profile_of
from tests.sim.bytes68 import NO_SUCH_DATA, Answering68, bcd_bytes, digit_bytes, fits_number, frame_behind
from tests.sim.load import Load
from tests.sim.meterclock import Clock

_READ, _ADDRESS = 0x01, 0x03
_NOW, _NUMBER = 0x901F, 0x810A

# Unit: (code, what one of it is in the point's unit, as numerator and denominator). 10 and 100 of it have the next codes.
UNITS = {
    "Wh": (0x02, 36, 10000000),
    "kWh": (0x05, 36, 10000),
    "10 kWh": (0x06, 36, 1000),
    "100 kWh": (0x07, 36, 100),
    "MWh": (0x08, 36, 10),
    "MJ": (0x0E, 1, 1000),
    "100 MJ": (0x10, 1, 10),
    "GJ": (0x11, 1, 1),
    "W": (0x14, 1, 1000),
    "kW": (0x17, 1, 1),
    "MW": (0x1A, 1000, 1),
    "MJ/h": (0x46, 10, 36),
    "L": (0x29, 1, 1000),
    "10 L": (0x2A, 1, 100),
    "m3": (0x2C, 1, 1),
    "10 m3": (0x2D, 10, 1),
    "L/h": (0x32, 1, 1000),
    "m3/h": (0x35, 1, 1),
}
_USUAL = {"energy": "kWh", "power": "kW", "volume": "m3", "flow": "m3/h"}

# Point, bytes, decimals, quantity of its unit byte; None: it has none.
_WATER = (("volume", 4, 2, "volume"), ("volume_settlement", 4, 2, "volume"))
_HEAT = (
    ("heat_settlement_gj", 4, 2, "energy"),
    ("heat_gj", 4, 2, "energy"),
    ("heat_power", 4, 2, "power"),
    ("flow", 4, 4, "flow"),
    ("volume", 4, 2, "volume"),
    ("temperature_supply", 3, 2, None),
    ("temperature_return", 3, 2, None),
    ("working_hours", 3, 0, None),
)
# The kind of meter (T) that a profile's meters are.
KINDS = {"water": 0x10, "water_litre": 0x10, "gas": 0x30, "heat": 0x20, "cooling": 0x22}
_COOLING = (0x21, 0x22, 0x25)


class Meter188(Answering68):
    """Meter188(number, settings, kind, load): number 14 digits, kind T of its frames, 10..39 hex.

    high_first: which byte of a data identifier it wants first: True 90 1F, False 1F 90, None either; asked the other way
    it is silent, or with refuses_order refuses. units: {quantity: name in UNITS}; units_first: before the values. short: a
    water meter that sends volume and status alone. clock: its Clock, None: it has none and sends zeros; or clock_s, what it
    showed when the load began. status: two bytes. says_kind, says_sequence: T and sequence number of its replies, None:
    as asked. missing: names of points that it has no value for. told(at_us, number, 901F, bytes behind those). All but the
    number may be changed at any time."""

    NUMBER_AT = 2

    def __init__(
        self, number, settings, kind, load, turnaround_us=30000, told=None, faults=None, seed=1, n_preamble=4, **variant
    ):
        super().__init__(number, settings, turnaround_us, told, faults, seed, n_preamble)
        self.kind = kind
        self.load = load
        self.high_first = None
        self.refuses_order = False
        self.units = {}
        self.units_first = False
        self.short = False
        self.clock = None
        self.status = b"\x00\x00"
        self.says_kind = None
        self.says_sequence = None
        self.missing = ()
        self.writes = 0
        for name in variant:
            if not hasattr(self, name):
                raise TypeError(name)
            setattr(self, name, variant[name])

    @property
    def clock_s(self):
        return self.clock and self.clock.now_s(self.load.from_us)

    @clock_s.setter
    def clock_s(self, clock_s):
        self.clock = None if clock_s is None else Clock(clock_s, self.load.from_us)

    def _request(self, data, _end_us):
        frame = frame_behind(data, 10)
        if frame is None or frame[9] & 0x80 or frame[1] not in (0xAA, self.kind):
            return None
        if not fits_number(frame[2:9], digit_bytes(self.number)):
            return None
        if frame[9] not in (_READ, _ADDRESS):
            self.writes += 1
            return frame
        return None if frame[10] < 3 or self._is_deaf(frame) else frame

    def _is_deaf(self, frame):
        """True if it does not know this order of the data identifier's bytes and says nothing."""
        return self.high_first == (frame[11] not in (0x90, 0x81)) and not self.refuses_order

    def _reply(self, frame, at_us):
        code = self._hit("exception", NO_SUCH_DATA)
        if code:
            return self._refused(frame, code)
        is_high_first = frame[11] in (0x90, 0x81)
        di = (frame[11] << 8 | frame[12]) if is_high_first else frame[12] << 8 | frame[11]
        if self.high_first == (not is_high_first) or (frame[9], di) not in ((_READ, _NOW), (_ADDRESS, _NUMBER)):
            return self._refused(frame, NO_SUCH_DATA)
        head = frame[11:13] + self._sequence(frame)
        return self._framed(frame[9] | 0x80, head + (self._said(at_us, di, self._data(at_us)) if di == _NOW else b""))

    def _sequence(self, frame):
        return bytes((frame[13] if self.says_sequence is None else self.says_sequence,))

    def _refusal(self, frame, code):
        sequence = self._sequence(frame) if len(frame) > 15 else b"\x00"
        return self._framed(frame[9] | 0xC0, sequence + bytes((code, 0)))

    def _framed(self, control, data):
        kind = self.kind if self.says_kind is None else self.says_kind
        return self._sent(bytes((0x68, kind)) + digit_bytes(self.number) + bytes((control, len(data))) + data)

    # -- what stands in its replies ----------------------------------------------------------------------------

    @property
    def fields(self):
        """(point, bytes, decimals, quantity) in the order of the reply."""
        if self.kind < 0x20 or self.kind >= 0x30:
            return _WATER[:1] if self.short else _WATER
        if self.kind in _COOLING:
            return (("cooling_gj",) + _HEAT[0][1:],) + _HEAT[1:]
        return _HEAT

    def _data(self, at_us):
        found = b"".join([self._field(row, at_us) for row in self.fields])
        return found + (b"" if self.short else self._clock(at_us)) + self.status

    def _field(self, row, at_us):
        name, n, decimals, quantity = row
        code, numerator, denominator = UNITS[self.units.get(quantity, _USUAL[quantity])] if quantity else (None, 1, 1)
        value = b"\xff" * n
        if name not in self.missing:
            number, divisor = self.load.quantity(name, at_us)
            value = bcd_bytes(number * denominator * 10**decimals // (divisor * numerator), n)
        if quantity is None or self.short:
            return value
        unit = bytes((code,))
        return unit + value if self.units_first else value + unit

    def _clock(self, at_us):
        if self.clock is None:
            return bytes(7)
        year, month, day, hour, minute, second, _ = self.clock.civil(at_us)
        return b"".join([bcd_bytes(part, 1) for part in (second, minute, hour, day, month)]) + bcd_bytes(year, 2)

    def _digits(self, n):
        """The first value; a unit byte may stand before it."""
        return (1, 5) if self.units_first else (0, 4)


def meter(number, profile, power_w, energy_wh, settings=None, from_us=0, kind=None, load=None, **more):
    """A Meter188 as the firmware's profile of that name: its settings and usual kind unless said otherwise; more: as there.

    load: another Load than that of power_w and energy_wh.
    water_litre counts in litres."""
    if profile == "water_litre":
        more.setdefault("units", {"volume": "L"})
    load = load or Load(power_w, energy_wh, from_us)
    return Meter188(number, settings or profile_of(profile).settings, kind or KINDS[profile], load, **more)
