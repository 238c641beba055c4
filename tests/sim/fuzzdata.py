"""What stands in the frames, read by the firmware and by a slow reference of the fuzz: numbers, data of both standards.

The reference follows the standards' tables; a number is checked by what it must be, not made a second time. Portable.
"""

from firmware.protocols import cjt188data, dlt645data, numbers


class Wrong(Exception):
    """The firmware does not do as the reference. args: (text, number of the input)."""


class _Data:
    """What the three have in common: no request, and an input of its own each time."""

    def __init__(self, noise):
        self._noise = noise

    def begin(self, dice):
        pass

    def one(self, dice, counts):
        counts["inputs"] += 1
        tried = self.input(dice)
        try:
            counts["values" if self.check(tried) else "refused"] += 1
        except Exception as error:
            raise Wrong("%r of %s" % (error, " ".join(str(part) for part in tried)))


def _hex(data):
    return "".join("%02x" % byte for byte in data)


def bytes_of(digits):
    return bytes(int(digits[i : i + 2], 16) for i in range(0, len(digits), 2))


# -- numbers in Modbus registers --------------------------------------------------------------------------------------

_BITS = {"u16": 16, "i16": 16, "u32": 32, "i32": 32, "f32": 32, "u64": 64, "i64": 64}
_EDGES = (b"\x00\x00", b"\xff\xff", b"\x80\x00", b"\x7f\xff", b"\x7f\x80", b"\x7f\xc0", b"\x00\x01", b"\x3f\x80")


def is_nearest(value, numerator, denominator):
    """True if value is numerator / denominator to the nearest integer, ties to even. denominator above 0."""
    twice = 2 * (numerator - value * denominator)
    return -denominator < twice < denominator or abs(twice) == denominator and value % 2 == 0


def fraction_of(kind, bits):
    """(numerator, denominator) of the number that a type's bits stand for; None for NaN and infinity."""
    if kind[0] == "u":
        return bits, 1
    if kind[0] == "i":
        n = _BITS[kind]
        return bits - (bits >> n - 1 << n), 1
    sign = -1 if bits >> 31 else 1
    exponent = bits >> 23 & 255
    if exponent == 255:
        return None
    if exponent == 0:
        return sign * (bits & 0x7FFFFF), 1 << 149
    mantissa = sign * (bits & 0x7FFFFF | 0x800000)
    return (mantissa << exponent - 150, 1) if exponent >= 150 else (mantissa, 1 << 150 - exponent)


class Numbers(_Data):
    """Registers and forms, whole ones and spoiled ones."""

    def input(self, dice):
        kind = dice.choice(("u16", "i16", "u32", "i32", "u64", "i64", "f32", "f32"))
        swapped = kind[1:] != "16" and dice.below(2)
        # As the registers stand, the first that is sent first.
        data = self._noise.of(dice, 256)[:8] if dice.below(2) else b""
        while len(data) < 8:
            data += dice.choice(_EDGES)
        codes = [dice.choice(("8000", "FFFF", "7FFF")) * (_BITS[kind] // 16) for _ in range(dice.below(3) // 2)]
        if dice.below(8) == 0:
            codes.append(_hex(data).upper()[: _BITS[kind] // 4])
        multiplier = dice.choice((1, 1, 2, 10, 1000, 1 + dice.below(1000000000)))
        divisor = dice.choice((1, 1, 3, 10, 1000, 1 + dice.below(1000000000)))
        text = kind + ("~" if swapped else "")
        text += ("*%d" % multiplier if multiplier > 1 else "") + ("/%d" % divisor if divisor > 1 else "")
        text += "".join("!" + code for code in codes)
        meant = kind, swapped, multiplier, divisor, codes
        if dice.below(4) == 0:
            at = dice.below(len(text))
            text = text[:at] + dice.choice("~*/!01f9 i") + text[at + dice.below(2) :]
            meant = None
        return text, _hex(data), dice.below(10), meant

    def check(self, tried):
        text, digits, decimals, meant = tried
        data = bytes_of(digits)
        try:
            form = numbers.form_of(text)
        except ValueError:
            if meant:
                raise Wrong("refused")
            return False
        if not (1 <= form[2] <= 1000000000 and 1 <= form[3] <= 1000000000):
            raise Wrong("takes factors %d, %d" % form[2:4])
        value, step = numbers.scaled_of(data, 0, form, decimals), numbers.step_of(data, 0, form, decimals)
        if meant:
            check_number(meant, data, decimals, value, step)
        elif value is not None and abs(value) >> 63 or step < 1:
            raise Wrong("gives %r, step %r" % (value, step))
        return value is not None


def check_number(meant, data, decimals, value, step):
    """Wrong unless value and step are those of a form: (type, low word first, multiplier, divisor, no-value codes)."""
    kind, swapped, multiplier, divisor, codes = meant
    n = _BITS[kind] // 16
    words = [data[2 * i] << 8 | data[2 * i + 1] for i in range(n)]
    bits = 0
    for word in words[::-1] if swapped else words:
        bits = bits * 65536 + word
    found = fraction_of(kind, bits)
    if found is None or any(int(code, 16) == bits for code in codes):
        if value is not None or found is None and step != 1:
            raise Wrong("gives %r, step %r for no value" % (value, step))
        return
    numerator, denominator = found[0] * multiplier * 10**decimals, found[1] * divisor
    if value is None:
        if is_nearest(0, numerator, denominator << 62):
            raise Wrong("gives no value")
    elif abs(value) >> 63 or not is_nearest(value, numerator, denominator):
        raise Wrong("gives %d" % value)
    one = 1, 1
    if kind == "f32":
        # A step is the last bit of the mantissa.
        exponent = max(bits >> 23 & 255, 1)
        one = (1 << exponent - 150, 1) if exponent >= 150 else (1, 1 << 150 - exponent)
    numerator, denominator = one[0] * multiplier * 10**decimals, one[1] * divisor
    if not (step == 1 and numerator <= denominator or (step - 1) * denominator < numerator <= step * denominator):
        raise Wrong("gives step %d" % step)


# -- DL/T 645 ---------------------------------------------------------------------------------------------------------

_TIMES = {"date4": "wDMY", "time3": "smh", "time5": "mhDMY", "time6": "smhDMY"}
DECIMAL = (0x00, 0x99, 0x26, 0x12, 0x80, 0x59, 0x23, 0x01)


class Dlt645Data(_Data):
    """Forms and data, whole ones and spoiled ones."""

    def input(self, dice):
        what = dice.below(16)
        n = 1 + dice.below(8)
        signed = behind = 0
        if what < 8:
            kind, text = "bcd", "bcd%d" % n
            if what & 1:
                signed, text = 1, text + "s"
            if what & 6 == 2:
                behind = 1 + dice.below(5)
                text += "+%d" % behind
            elif what & 6 == 4:
                behind, text = None, text + ".."
        elif what < 12:
            kind = dice.choice(("digits", "text", "hex"))
            text = "%s%d" % (kind, n)
        else:
            text = dice.choice(sorted(_TIMES))
            kind, n = text[:4], int(text[4:])
        meant = kind, n, signed, behind
        if dice.below(4) == 0:
            at = dice.below(len(text))
            text = text[:at] + dice.choice("0d9.+st5") + text[at + dice.below(2) :]
            meant = None
        size = 4 + n + (behind or 0) if dice.below(4) else dice.below(32)
        if dice.below(2):
            data = bytes(dice.choice(DECIMAL) for _ in range(size))
            if size and dice.below(4) == 0:
                data = data[:-1] + bytes((data[-1] | 0x80,))
        else:
            data = self._noise.of(dice, 256)[:size]
        return text, _hex(data), min(dice.below(5), len(data)), meant

    def check(self, tried):
        text, digits, at, meant = tried
        data = bytes_of(digits)
        try:
            form = dlt645data.form_of(text)
        except ValueError:
            if meant:
                raise Wrong("refused")
            return False
        n = form[1]
        if form[0] == "bcd" and n > 8:
            raise Wrong("takes numbers of %d bytes" % n)
        if meant:
            kind, n, _, behind = meant
            fits = len(data) > 0 and len(data) % n == 0 if behind is None else len(data) == n + behind
            if dlt645data.fits(form, len(data)) != fits:
                raise Wrong("fits: %r" % (not fits))
        if at + n > len(data):
            return False
        found = _text_or_none(dlt645data.text_of, data, at, form)
        if meant and found != _dlt645_text(data[at : at + n], meant, text):
            raise Wrong("gives %r" % found)
        if form[0] == "bcd" and _text_or_none(dlt645data.number_of, data, at, form) != found:
            raise Wrong("gives two numbers")
        return found is not None


def _text_or_none(function, *args):
    try:
        return str(function(*args))
    except ValueError:
        return None


def _dlt645_text(data, meant, form):
    """What a value's bytes say; None if they are no decimal digits."""
    kind, _, signed, _ = meant
    last_first = bytes(data[i] for i in range(len(data) - 1, -1, -1))
    if kind == "text":
        return bytes(byte for byte in last_first if 0x20 <= byte <= 0x7E).decode().strip(" ")
    digits = _hex(last_first)
    if kind == "hex":
        return digits.upper()
    minus = signed and digits[0] in "89abcdef"
    if minus:
        digits = "01234567"[int(digits[0], 16) - 8] + digits[1:]
    if any(c in "abcdef" for c in digits):
        return None
    if kind == "bcd":
        return str(-int(digits) if minus else int(digits))
    if kind == "digits":
        return digits
    pairs = {}
    for i, what in enumerate(_TIMES[form]):
        pairs[what] = "%02x" % data[i]
    date = "20%s-%s-%s" % (pairs["Y"], pairs["M"], pairs["D"]) if "Y" in pairs else ""
    time = ":".join(pairs[what] for what in "hms" if what in pairs)
    return date + (" " if date and time else "") + time


# -- CJ/T 188 ---------------------------------------------------------------------------------------------------------

# The codes of the units in order, each 1, 10 and 100 of it; the letters: how much energy, power, volume or flow it is.
_CODES = ["J", "Wh", "kWh", "MWh", "kJ", "MJ", "GJ", "W", "kW", "MW", "L", "m3", "L/h", "m3/h", "J/h", "kJ/h", "MJ/h", "GJ/h"]
_FIRST = (1, 2, 5, 8, 0x0B, 0x0E, 0x11, 0x14, 0x17, 0x1A, 0x29, 0x2C, 0x32, 0x35, 0x40, 0x43, 0x46, 0x49)
_PREFIX = {"k": 1000, "M": 1000000, "G": 1000000000}


def _code_of(byte):
    for first, unit in zip(_FIRST, _CODES):
        if first <= byte < first + (1 if unit in ("J", "J/h") else 3):
            return unit, 10 ** (byte - first)
    return None


# Unit byte: (unit, how many of it), or None.
_UNITS = [_code_of(_byte) for _byte in range(256)]


def _measures_of(unit):
    if unit.endswith("/h"):
        quantity, numerator, denominator = _measures_of(unit[:-2])
        if quantity == "energy":
            return "power", numerator, denominator * 3600
        return "flow", numerator, denominator
    if unit in ("L", "m3"):
        return "volume", 1, 1000 if unit == "L" else 1
    prefix = _PREFIX.get(unit[0], 1)
    rest = unit if prefix == 1 else unit[1:]
    if rest in ("J", "Wh", "W"):
        return ("power" if rest == "W" else "energy"), prefix * (3600 if rest == "Wh" else 1), 1
    return unit, 1, 1


# Unit: (quantity, numerator, denominator), as a multiple of J, W, m3 or m3/h.
_MEASURES = {unit: _measures_of(unit) for unit in _CODES + ["Cel", "h"]}
# Quantity: its unit bytes.
_BYTES = {"energy": b"", "power": b"", "volume": b"", "flow": b""}
for _byte in range(256):
    if _UNITS[_byte]:
        _BYTES[_MEASURES[_UNITS[_byte][0]][0]] += bytes((_byte,))

_WATER = ("volume", "volume_settlement")
_HEAT = ("heat_settlement", "heat", "heat_power", "flow", "volume")
_HEAT_QUANTITIES = ("energy", "energy", "power", "flow", "volume")
_REST = (("temperature_supply", 2, "Cel"), ("temperature_return", 2, "Cel"), ("working_hours", 0, "h"))


class _Refused(Exception):
    pass


def _digits(data):
    """The number of decimal digits, the last byte first; None if all are FF."""
    digits = ""
    for byte in data:
        digits = "%02x" % byte + digits
    if digits == "f" * len(digits):
        return None
    if any(c in "abcdef" for c in digits):
        raise _Refused
    return int(digits)


def _group(name, group, quantity, at, decimals):
    """One field of a value and a unit byte at `at`: (name, value, decimals, unit, how many of it)."""
    value = _digits(group[1:] if at == 0 else group[:4])
    found = _UNITS[group[at]]
    if found is None:
        if value is None and group[at] == 0xFF:
            return name, None, decimals, "", 1
        raise _Refused
    if _MEASURES[found[0]][0] != quantity:
        raise _Refused
    return name, value, decimals, found[0], found[1]


def _clock(data):
    """The clock's text, or None."""
    try:
        digits = [_digits(data[i : i + 1]) for i in range(7)]
    except _Refused:
        return None
    if None in digits:
        return None
    second, minute, hour, day, month, low, high = digits
    year = 100 * high + low
    most = (31, 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if second > 59 or minute > 59 or hour > 23 or not 1 <= month <= 12 or not 1 <= day <= most[month - 1] or year < 1990:
        return None
    return "%04d-%02d-%02d %02d:%02d:%02d" % (year, month, day, hour, minute, second)


def _reference(kind, data, before):
    """([fields], clock, status) or None where it must be refused."""
    try:
        if 0x20 <= kind <= 0x29:
            return _heat(kind, data, before)
        if kind >> 4 in (1, 3) and kind & 15 <= 9:
            return _water(data)
    except _Refused:
        pass
    return None


def _water(data):
    if len(data) == 6 and data[4:5] not in _BYTES["volume"]:
        # With a unit there it would be another kind of reply.
        return [("volume", _digits(data[:4]), 2, "m3", 1)], None, _hex(data[4:]).upper()
    if len(data) != 19:
        return None
    fields = [_group(name, data[5 * i : 5 * i + 5], "volume", 4, 2) for i, name in enumerate(_WATER)]
    return fields, _clock(data[10:17]), _hex(data[17:]).upper()


def _heat(kind, data, before):
    """before: where the units of earlier replies stood, or None."""
    if len(data) != 43:
        return None
    groups = [data[5 * i : 5 * i + 5] for i in range(5)]
    filled = [group == b"\xff\xff\xff\xff\xff" for group in groups]
    places = []
    for at in (0, 4):
        known = [_UNITS[group[at]] is not None for group in groups]
        if any(known) and all(a or b for a, b in zip(known, filled)):
            places.append(at)
    if len(places) == 2 and before is not None:
        places = [0 if before else 4]
    if len(places) != 1:
        return None
    fields = []
    for i, name in enumerate(_HEAT):
        if i == 0 and kind in (0x21, 0x22, 0x25):
            name = "cooling"
        fields.append(_group(name, groups[i], _HEAT_QUANTITIES[i], places[0], 4 if name == "flow" else 2))
    for i, (name, decimals, unit) in enumerate(_REST):
        fields.append((name, _digits(data[25 + 3 * i : 28 + 3 * i]), decimals, unit, 1))
    return fields, _clock(data[34:41]), _hex(data[41:]).upper()


# Units of ours, and decimals.
_WANTED = (("m3", 2), ("m3", 5), ("GJ", 6), ("kW", 4), ("m3/h", 4), ("Cel", 2), ("h", 0), ("kWh", 9), ("L", 0), ("MWh", 3))


class Cjt188Data(_Data):
    """Data of water and heat meters, whole ones and spoiled ones."""

    def input(self, dice):
        kind = dice.choice((0x10, 0x19, 0x20, 0x20, 0x21, 0x25, 0x30, dice.below(256)))
        shape = dice.below(8)
        if shape == 0:
            data = self._noise.of(dice, 48)
        elif kind >> 4 == 2:
            before = dice.below(2)
            data = b""
            all_filled = dice.below(24) == 0
            for quantity in _HEAT_QUANTITIES:
                value, unit = self._value(dice, 4), self._unit(dice, quantity)
                if all_filled or dice.below(10) == 0:
                    value, unit = b"\xff\xff\xff\xff", b"\xff"
                data += unit + value if before else value + unit
            data += self._value(dice, 3) + self._value(dice, 3) + self._value(dice, 3) + self._time(dice) + dice.bytes(2)
        elif shape < 3:
            data = self._value(dice, 4) + dice.bytes(2)
        else:
            data = b"".join([self._value(dice, 4) + self._unit(dice, "volume") for _ in range(2)])
            data += self._time(dice) + dice.bytes(2)
        if data and dice.below(3) == 0:
            at = dice.below(len(data))
            end = at + (1, 0, 5)[dice.below(3)]
            byte = bytes((dice.choice((0xFF, 0xAA, 0x2C, 0x05, dice.below(256))),))
            data = data[:at] + byte * dice.choice((1, 1, 1, end - at)) + data[end:]
        return kind, _hex(data), dice.choice(_WANTED), dice.below(2), dice.choice((None, False, True))

    def _value(self, dice, n):
        if dice.below(8) == 0:
            return b"\xff" * n
        return bytes(dice.choice(DECIMAL) for _ in range(n))

    def _unit(self, dice, quantity):
        if dice.below(12) == 0:
            return bytes((dice.choice((0x00, 0xFF, 0x2C, dice.below(256))),))
        return bytes((dice.choice(_BYTES[quantity]),))

    def _time(self, dice):
        pairs = (0x00, 0x59, 0x60), (0x00, 0x59), (0x23, 0x24, 0x12), (0x29, 0x31, 0x30, 0x01), (0x02, 0x12, 0x04, 0x13)
        years = (0x24, 0x00, 0x23, 0x90), (0x20, 0x20, 0x19, 0x21)
        return bytes(dice.choice(each) for each in pairs + years)

    def check(self, tried):
        kind, digits, (unit, decimals), exact, before = tried
        data = bytes_of(digits)
        wanted = _reference(kind, data, before)
        try:
            fields, clock, status = cjt188data.read(kind, data, before)
        except ValueError:
            if wanted:
                raise Wrong("refused")
            return False
        told = [(field.name, field.value, field.decimals, field.unit, field.size) for field in fields]
        if wanted is None or (told, clock, status) != wanted:
            raise Wrong("gives %r %r %r" % (told, clock, status))
        for field in fields:
            _check_scaled(field, unit, decimals, exact)
        return True


def _check_scaled(field, unit, decimals, exact):
    """Wrong unless a field's value in another unit is as it must be."""
    if not field.unit:
        if field.scaled(unit, decimals, exact) != (None, 1):
            raise Wrong("%s gives a value" % field.name)
        return
    ours, theirs = _MEASURES[unit], _MEASURES[field.unit]
    numerator = field.size * theirs[1] * ours[2] * 10**decimals
    denominator = 10**field.decimals * theirs[2] * ours[1]
    allowed = ours[0] == theirs[0] and not (exact and numerator % denominator)
    try:
        value, step = field.scaled(unit, decimals, exact)
    except ValueError:
        if allowed:
            raise Wrong("%s in %s is refused" % (field.name, unit))
        return
    if not allowed:
        raise Wrong("%s in %s gives %r" % (field.name, unit, value))
    if not (step == 1 and numerator <= denominator or (step - 1) * denominator < numerator <= step * denominator):
        raise Wrong("%s in %s has step %d" % (field.name, unit, step))
    if value is None:
        if field.value is not None and is_nearest(0, field.value * numerator, denominator << 62):
            raise Wrong("%s in %s gives no value" % (field.name, unit))
    elif field.value is None or value >> 63 or not is_nearest(value, field.value * numerator, denominator):
        raise Wrong("%s in %s gives %d" % (field.name, unit, value))
