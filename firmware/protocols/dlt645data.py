"""What stands behind a data identifier of DL/T 645: decimal numbers, and texts that say something of the meter. Pure.

A form is `bcdN` a number of N bytes, `bcdN:D` of D digits at most, `bcdNs` with a sign in the top bit, `bcdN+M` with M
bytes behind it that are not part of it, `bcdN..` the first of several such; `digitsN` 2N digits, `textN` N characters,
`hexN` N bytes, the last first; `dateN` and `timeN` as _TIMES has them.
"""

from firmware.protocols import bcd

# Which pair of digits stands in which byte, the first sent first: year, month, day, week day, hour, minute, second.
_TIMES = {
    "date4": "wDMY",
    "time3": "smh",
    "time5": "mhDMY",
    "time6": "smhDMY",
}
_KINDS = ("bcd", "digits", "text", "hex", "date", "time")
_MOST_BYTES = 200


def form_of(text):
    """(kind, bytes of the value, signed, bytes behind it or None for any, most digits or 0) of a form's text.

    ValueError if it is none."""
    for kind in _KINDS:
        if text.startswith(kind):
            break
    else:
        raise ValueError(text)
    rest = text[len(kind) :]
    signed = False
    behind = n_digits = 0
    if kind == "bcd":
        if rest[-2:] == "..":
            rest, behind = rest[:-2], None
        elif "+" in rest:
            rest, _, behind = rest.partition("+")
            behind = _count(behind)
        if ":" in rest:
            rest, _, n_digits = rest.partition(":")
            n_digits = _count(n_digits)
        if rest[-1:] == "s":
            rest, signed = rest[:-1], True
    n = _count(rest)
    if kind in ("date", "time") and text not in _TIMES or kind == "bcd" and n > 8:
        raise ValueError(text)
    return kind, n, signed, behind, n_digits


def _count(digits):
    if not digits or len(digits) > 3 or any(c not in "0123456789" for c in digits):
        raise ValueError(digits)
    if not 1 <= int(digits) <= _MOST_BYTES:
        raise ValueError(digits)
    return int(digits)


def fits(form, n):
    """True if a reply of n bytes may hold this form alone."""
    _, n_value, _, behind, _ = form
    return n == n_value + behind if behind is not None else n >= n_value and n % n_value == 0


def number_of(data, at, form):
    """The scaled integer at an offset of the data. ValueError if its bytes are no digits, or too many of them."""
    number = bcd.number_of(data, at, form[1], form[2])
    if form[4] and abs(number) >= 10 ** form[4]:
        raise ValueError("more than %d digits" % form[4])
    return number


def text_of(data, at, form):
    """What stands there as text: '000000000161', '2015-05-11 22:01', 'A1.0'. ValueError if its bytes are no digits."""
    kind, n, _, _, _ = form
    if kind == "bcd":
        return str(number_of(data, at, form))
    if kind == "digits":
        return bcd.digits_of(data, at, n)
    if kind == "hex":
        return "".join("%02X" % data[i] for i in range(at + n - 1, at - 1, -1))
    if kind == "text":
        chars = [chr(data[i]) for i in range(at + n - 1, at - 1, -1) if 32 <= data[i] < 127]
        return "".join(chars).strip()
    return _time_text(data, at, _TIMES["%s%d" % (kind, n)])


def time_bytes(second_of_day):
    """ss mm hh as they are sent, of the seconds since midnight."""
    return _digit_bytes((second_of_day % 60, second_of_day // 60 % 60, second_of_day // 3600))


def date_bytes(year, month, day):
    """DD MM YY as they are sent."""
    return _digit_bytes((day, month, year % 100))


def _digit_bytes(numbers):
    return bytes([number // 10 << 4 | number % 10 for number in numbers])


def _time_text(data, at, order):
    found = {}
    for i, name in enumerate(order):
        found[name] = bcd.digits_of(data, at + i, 1)
    date = "-".join(("20" if name == "Y" else "") + found[name] for name in "YMD" if name in found)
    time = ":".join(found[name] for name in "hms" if name in found)
    return (date + " " + time).strip()
