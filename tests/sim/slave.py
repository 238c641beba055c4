"""A Modbus RTU meter on a simulated wire: functions 03 and 04, by the tables of the firmware's profiles. Pure, portable."""

from firmware.meters.profiles import ABOUT, profile_of
from tests.sim.answering import Answering
from tests.sim.load import Load

_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 1, 2, 3
_READS = (3, 4)
_MOST_REGISTERS = 125
# The number that every simulated meter says is its own, unless it is given another.
SERIAL_NUMBER = 21234567


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


class Slave(Answering):
    """Slave(unit, settings, registers): registers a dict or a function value(address, at_us) that gives 0..65535, or None
    where there is no register; for the functions in `functions`, or those of its dict {function: registers}.

    most: registers of a request. told(at_us, unit, first_register, bytes) and faults as in Answering."""

    REFUSED = _ILLEGAL_ADDRESS

    def __init__(
        self,
        unit,
        settings,
        registers=None,
        turnaround_us=2000,
        functions=_READS,
        told=None,
        faults=None,
        seed=1,
        most=_MOST_REGISTERS,
    ):
        super().__init__(settings, turnaround_us, told, faults, seed + 257 * unit)
        self.unit = unit
        self.most = most
        if not isinstance(functions, dict):
            functions = dict.fromkeys(functions, registers)
        self._values = {function: _value(functions[function]) for function in functions}

    def _request(self, data, _end_us):
        if len(data) != 8 or data[0] != self.unit or framed(data[:6]) != data:
            return None
        return data

    def _reply(self, data, at_us):
        function = data[1]
        if function not in self._values:
            return self._refused(data, _ILLEGAL_FUNCTION)
        code = self._hit("exception", _ILLEGAL_ADDRESS)
        if code:
            return self._refused(data, code)
        first, count = data[2] << 8 | data[3], data[4] << 8 | data[5]
        if not 1 <= count <= self.most:
            return self._refused(data, _ILLEGAL_VALUE)
        found = bytearray()
        for address in range(first, first + count):
            value = self._values[function](address, at_us)
            if value is None:
                return self._refused(data, _ILLEGAL_ADDRESS)
            found.append(value >> 8)
            found.append(value & 0xFF)
        if self.told:
            self.told(at_us, self.unit, first, bytes(found))
        return framed(bytes((self.unit, function, 2 * count)) + self._garbage(bytes(found)))

    def _refusal(self, data, code):
        return framed(bytes((self.unit, data[1] | 0x80, code)))

    def _other(self, reply):
        return framed(bytes((self.unit % 247 + 1,)) + reply[1:-2])


def _value(registers):
    return registers if callable(registers) else lambda address, at_us: registers.get(address)


# -- a meter with a load ------------------------------------------------------------------------------------------


class Form:
    """What a form's text says: TYPE[~][*N][/N][!HEX].., as the profiles have it. Read here anew, not by the firmware."""

    def __init__(self, text):
        text, *codes = text.split("!")
        text, _, divisor = text.partition("/")
        text, _, multiplier = text.partition("*")
        self.low_first = text[-1:] == "~"
        self.kind = text[0]
        self.n_bits = int(text[1:3])
        self.n_registers = self.n_bits // 16
        self.multiplier, self.divisor = int(multiplier or 1), int(divisor or 1)
        self.none = [int(code, 16) for code in codes]
        if self.kind == "f":
            # Quiet NaN.
            self.none.append(0x7FC00000)

    def bits_of(self, numerator, denominator):
        """The bits that stand for numerator / denominator, in the point's unit: f32 the nearest, else the integer below.

        An integer that does not fit loses its highest bits, as a register does that rolls over."""
        numerator, denominator = numerator * self.divisor, denominator * self.multiplier
        if self.kind == "f":
            return f32_bits_of(numerator, denominator)
        return numerator // denominator & (1 << self.n_bits) - 1

    def words_of(self, bits):
        """The registers that hold so many bits, the first first."""
        words = [bits >> 16 * i & 0xFFFF for i in range(self.n_registers)]
        return words if self.low_first else words[::-1]


def register_bits(text, numerator, denominator):
    """The registers of a number in a form: the first first."""
    form = Form(text)
    return form.words_of(form.bits_of(numerator, denominator))


class Registers:
    """Registers(profile, load, serial_number): those of a meter of one of the firmware's profiles (a Profile).

    by_function: {function: value(address, at_us)}, for a Slave; None where no manual lists a register and the profile
    does not say that one may read across it. addresses: a set of the others. serial_number and missing, names of points
    that it has no value for, may be changed at any time; a form without a code for no value always has one."""

    def __init__(self, profile, load, serial_number=SERIAL_NUMBER, missing=()):
        self.load = load
        self.serial_number = serial_number
        self.missing = missing
        self._three_phases = any(row[0][-3:] == "_l3" for row in profile.points)
        self.by_function = {}
        self.addresses = set()
        for function in (profile.function, profile.about_function):
            rows = [row for row in profile.points if function_of(profile, row) == function]
            if rows:
                self.by_function[function] = self._reader(rows, readable_between(profile, rows))

    def _reader(self, rows, between):
        self.addresses.update(between)
        places = {}
        for name, register, text, _, _, _ in rows:
            form = Form(text)
            for i in range(form.n_registers):
                places[register + i] = (name, form, i)
        self.addresses.update(places)

        def value(address, at_us):
            if address not in places:
                return 0 if address in between else None
            name, form, i = places[address]
            return form.words_of(self._bits(name, form, at_us))[i]

        return value

    def _bits(self, name, form, at_us):
        if name in self.missing and form.none:
            return form.none[0]
        if name == "serial_number":
            return form.bits_of(self.serial_number, 1)
        numerator, denominator = self.load.quantity(name, at_us, self._three_phases)
        return form.bits_of(numerator, denominator)


def function_of(profile, row):
    """The Modbus function that a row of a Profile is read by."""
    return profile.about_function if row[5] == ABOUT else profile.function


def readable_between(profile, rows):
    """Registers between those of the rows that a request may run across, by the Profile's gap and forbidden."""
    found = []
    end = None
    for register, n in sorted((row[1], Form(row[2]).n_registers) for row in rows):
        if end is not None and register - end <= profile.gap:
            found += [address for address in range(end, register) if address not in profile.forbidden]
        end = register + n
    return found


def profile_registers(name, load):
    """value(address, at_us) of the points of a meter of the firmware's profile of that name."""
    profile = profile_of(name)
    return Registers(profile, load).by_function[profile.function]


def meter(
    unit, profile, power_w, energy_wh, settings=None, from_us=0, serial_number=SERIAL_NUMBER, missing=(), load=None, **more
):
    """A Slave as the firmware's profile of that name: its settings and functions unless said otherwise.

    Its `registers` are the Registers; load: another Load than that of power_w and energy_wh."""
    table = profile_of(profile)
    registers = Registers(table, load or Load(power_w, energy_wh, from_us), serial_number, missing)
    more.setdefault("functions", registers.by_function)
    more.setdefault("most", table.most)
    slave = Slave(unit, settings or table.settings, registers.by_function[table.function], **more)
    slave.registers = registers
    return slave


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
