"""A Modbus RTU meter on a simulated wire: functions 03 and 04, a fixed turnaround, faults by choice. Pure, portable."""

from firmware.forms import parse_settings
from firmware.meters.profiles import PROFILES
from tests.sim.seeded import Seeded

_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 1, 2, 3
_READS = (3, 4)
_MOST_REGISTERS = 125
_ALWAYS = 1000000
# How much later than its turnaround a fault `late` answers, unless it says so.
_LATE_US = 600000


def crc16(data):
    """The checksum of Modbus over serial line V1.02, 6.2.2, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def framed(body):
    """Bytes with their checksum behind them, low byte first."""
    crc = crc16(body)
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


class Slave:
    """Slave(unit, settings, registers): settings as text or tuple, registers a dict or a function value(address, at_us)
    that gives 0..65535, or None where there is no register.

    told(at_us, unit, first_register, bytes) is called with every reply's registers, also where a fault spoils the
    reply. faults: {name: how often in a million}, may be changed at any time; "late" and "exception" also take
    (how often, extra us) and (how often, code). Names: silent, late, bad_checksum, exception, wrong_unit, truncated,
    duplicate, noise_before, noise_after. counts: requests, replies, exceptions and one for each fault."""

    def __init__(self, unit, settings, registers, turnaround_us=2000, functions=_READS, told=None, faults=None, seed=1):
        self.unit = unit
        self.settings = parse_settings(settings) if isinstance(settings, str) else settings
        self.turnaround_us = turnaround_us
        self.functions = functions
        self.told = told
        self.faults = faults or {}
        self.counts = {"requests": 0, "replies": 0, "exceptions": 0}
        self._value = registers if callable(registers) else _lookup(registers)
        self._dice = Seeded(seed + 257 * unit)

    def hear(self, data, first_us, end_us):
        """The wire's question: (start_us, reply) to a request to this unit that has ended at end_us, else None."""
        if len(data) != 8 or data[0] != self.unit or framed(data[:6]) != data:
            return None
        self.counts["requests"] += 1
        if self._hit("silent"):
            return None
        start_us = end_us + self.turnaround_us
        late = self._hit("late", _LATE_US)
        if late:
            start_us += late
        reply = self._reply(data, start_us)
        self.counts["replies"] += 1
        return start_us, self._spoiled(reply)

    def _reply(self, data, at_us):
        function = data[1]
        if function not in self.functions:
            return self._refused(function, _ILLEGAL_FUNCTION)
        code = self._hit("exception", _ILLEGAL_ADDRESS)
        if code:
            return self._refused(function, code)
        first, count = data[2] << 8 | data[3], data[4] << 8 | data[5]
        if not 1 <= count <= _MOST_REGISTERS:
            return self._refused(function, _ILLEGAL_VALUE)
        found = bytearray()
        for address in range(first, first + count):
            value = self._value(address, at_us)
            if value is None:
                return self._refused(function, _ILLEGAL_ADDRESS)
            found.append(value >> 8)
            found.append(value & 0xFF)
        if self.told:
            self.told(at_us, self.unit, first, bytes(found))
        return framed(bytes((self.unit, function, 2 * count)) + bytes(found))

    def _refused(self, function, code):
        self.counts["exceptions"] += 1
        return framed(bytes((self.unit, function | 0x80, code)))

    def _hit(self, name, extra=True):
        """What a fault gives this time: extra, or its own second number; None where it does not strike."""
        fault = self.faults.get(name)
        if not fault:
            return None
        if not isinstance(fault, int):
            fault, extra = fault
        if not self._dice.chance(fault):
            return None
        self.counts[name] = self.counts.get(name, 0) + 1
        return extra

    def _spoiled(self, reply):
        if self._hit("wrong_unit"):
            reply = framed(bytes((self.unit % 247 + 1,)) + reply[1:-2])
        if self._hit("bad_checksum"):
            reply = reply[:-1] + bytes((reply[-1] ^ (1 + self._dice.below(255)),))
        if self._hit("truncated"):
            reply = reply[: self._dice.between(1, len(reply) - 1)]
        if self._hit("duplicate"):
            reply += reply
        if self._hit("noise_before"):
            reply = self._dice.bytes(self._dice.between(1, 4)) + reply
        if self._hit("noise_after"):
            reply += self._dice.bytes(self._dice.between(1, 4))
        return reply


def _lookup(registers):
    return lambda address, at_us: registers.get(address)


# -- a meter with a load ------------------------------------------------------------------------------------------

# The load swings by a fifth around its mean, up and down once in this time.
_PERIOD_MS = 120000
_SWING = 5
# Watt milliseconds of a kWh.
_KWH = 3600000000


class Load:
    """A load whose energy grows: Load(power_w, energy_wh, from_us). Integers; the energy is the power's exact integral."""

    def __init__(self, power_w, energy_wh=0, from_us=0):
        self.power_w = power_w
        self.energy_wh = energy_wh
        self.from_us = from_us

    def power(self, at_us):
        """(numerator, denominator) of the power in W."""
        half = _PERIOD_MS // 2
        x = self._ms(at_us) % _PERIOD_MS
        # From -half up to half and down again.
        swing = 2 * x - half if x < half else 3 * half - 2 * x
        return self.power_w * (_SWING * half + swing), _SWING * half

    def energy(self, at_us):
        """(numerator, denominator) of the energy in kWh. It never falls."""
        half = _PERIOD_MS // 2
        ms = self._ms(at_us)
        x = ms % _PERIOD_MS
        # The integral of the swing, times half: nothing over a half period.
        area = x * (x - half) if x < half else (x - half) * (_PERIOD_MS - x)
        return self.energy_wh * _KWH // 1000 * _SWING * half + self.power_w * (ms * _SWING * half + area), _KWH * _SWING * half

    def _ms(self, at_us):
        return max(0, at_us - self.from_us) // 1000


# Quantities of a point by the beginning of its name: (numerator, denominator) of the load's power in kW that they are;
# the rest is fixed. 230.2 V, current as 3 phases carry it.
_OF_POWER = (
    ("current", 10000, 6906),
    ("power", 1, 1),
    ("apparent", 100, 95),
    ("reactive", 33, 100),
)
_FIXED = (
    ("voltage", 2302, 10),
    ("power_factor", 95, 100),
    ("frequency", 5001, 100),
    ("energy_export", 0, 1),
)


def quantity_of(name, load, at_us, three_phases=True):
    """(numerator, denominator) of the point called name, in the point's unit. KeyError for one that is not known."""
    for start, numerator, denominator in _FIXED:
        if name.startswith(start):
            return numerator, denominator
    if name.startswith("energy"):
        return load.energy(at_us)
    for start, numerator, denominator in _OF_POWER:
        if name.startswith(start):
            watts, divisor = load.power(at_us)
            if start == "power" and three_phases and name[-3:-1] == "_l":
                denominator = 3
            return watts * numerator, divisor * denominator * 1000
    raise KeyError(name)


def profile_registers(profile, load):
    """value(address, at_us) of a meter of one of the firmware's profiles; None where no manual lists a register."""
    rows = {}
    for row in PROFILES[profile][5]:
        rows[row[1]] = (row[0], int(row[2][4:] or 1), 16)
        rows[row[1] + 1] = (row[0], int(row[2][4:] or 1), 0)
    three_phases = any(row[0] == "power_l3" for row in PROFILES[profile][5])

    def value(address, at_us):
        row = rows.get(address)
        if row is None:
            return None
        numerator, denominator = quantity_of(row[0], load, at_us, three_phases)
        return f32_bits_of(numerator * row[1], denominator) >> row[2] & 0xFFFF

    return value


def meter(unit, profile, power_w, energy_wh, settings=None, from_us=0, **more):
    """A Slave as one of the firmware's profiles: PROFILES' settings and function unless said otherwise."""
    _, function, usual, _, _, _ = PROFILES[profile]
    registers = profile_registers(profile, Load(power_w, energy_wh, from_us))
    more.setdefault("functions", (function,))
    return Slave(unit, settings or usual, registers, **more)


def f32_bits_of(numerator, denominator):
    """The bits of the IEEE 754 binary32 nearest to numerator / denominator, ties to even. denominator above 0.

    Integers alone, so that every machine gives the same; beyond the largest number it is infinity."""
    sign = 0
    if numerator < 0:
        sign, numerator = 0x80000000, -numerator
    if not numerator:
        return sign
    # value = numerator / denominator * 2**power with a quotient of 24 bits, fewer where the exponent is at its least.
    power = max(_n_bits(numerator) - _n_bits(denominator) - 24, -149)
    quotient = _rounded(numerator, denominator, power)
    if quotient >> 24:
        # One bit too many, or rounded up to the next power of two.
        power += 1
        quotient = _rounded(numerator, denominator, power)
    if quotient >> 23 == 0:
        return sign | quotient
    exponent = power + 150
    if quotient >> 24:
        quotient >>= 1
        exponent += 1
    if exponent >= 255:
        return sign | 0x7F800000
    return sign | exponent << 23 | quotient & 0x7FFFFF


def _rounded(numerator, denominator, power):
    """numerator / denominator / 2**power, to the nearest integer, ties to even."""
    if power >= 0:
        denominator <<= power
    else:
        numerator <<= -power
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient & 1):
        quotient += 1
    return quotient


def _n_bits(number):
    n = 0
    while number >> 16:
        number >>= 16
        n += 16
    while number:
        number >>= 1
        n += 1
    return n
