"""The kinds of values a configuration holds: what is allowed, what the firmware makes of it, and how it is said."""

from firmware.clock import Zone
from firmware.errors import ConfigError
from firmware.texts import is_address, is_digits, parse_settings

# Secrets are read from secrets.json alone, and are never printed, exported or published.
SECRET = "secret"

_NAME_CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


def checked(key, kind, allowed, value):
    """The value in the form the firmware uses; ConfigError(key, ..) unless it is as kind and allowed say."""
    try:
        return _CHECKS[kind](value, allowed)
    except ValueError:
        raise ConfigError(key, "must be " + says(kind, allowed))


def _number(value, allowed):
    # bool is an int to Python.
    if type(value) is not int or not allowed[0] <= value <= allowed[1]:
        raise ValueError
    return value


def _every(value, allowed):
    if 86400 % _number(value, allowed):
        raise ValueError
    return value


def _text(value, most):
    if not isinstance(value, str) or len(value) > most or any(ord(c) < 32 for c in value):
        raise ValueError
    return value


def _choice(value, allowed):
    if value not in allowed:
        raise ValueError
    return value


def _name(value, most):
    if not _text(value, most) or any(c not in _NAME_CHARS for c in value):
        raise ValueError
    return value


def _names(value, most):
    if not isinstance(value, list) or len(value) > most:
        raise ValueError
    names = tuple(_name(v, 32) for v in value)
    if len(set(names)) != len(names):
        raise ValueError
    return names


def _host(value, most):
    if not _text(value, most) or any(c in value for c in " /:@"):
        raise ValueError
    return value


def _hosts(value, most):
    if not isinstance(value, list) or len(value) > most:
        raise ValueError
    for place in value:
        host, _, port = _text(place, 253).partition(":")
        _host(host, 253)
        if ":" in place and not (is_digits(port) and len(port) <= 5 and 1 <= int(port) <= 65535):
            raise ValueError
    return tuple(value)


def _addresses(value, most):
    # A name would be looked up by getaddrinfo, which stops the whole loop.
    if not all(is_address(place.partition(":")[0]) for place in _hosts(value, most)):
        raise ValueError
    return tuple(value)


def _file(value, most):
    if not _text(value, most) or value[0] == "/" or ".." in value:
        raise ValueError
    return value


def _meter_number(value, _):
    # Every digit stands for itself, or A, which a meter takes for any.
    if value == "":
        return value
    # All nines is everybody, and nobody answers.
    if (
        not isinstance(value, str)
        or len(value) not in (12, 14)
        or value == "9" * 12
        or not (is_digits(value) or value == "A" * len(value))
    ):
        raise ValueError
    return value


def _topic(value, most):
    # Bytes, since a packet's header has room for no more.
    if not _text(value, most) or len(value.encode()) > most:
        raise ValueError
    if any(c in value for c in "+#") or value[0] in "/$" or value[-1] == "/":
        raise ValueError
    return value


def _zone(value, most):
    try:
        return Zone(_text(value, most))
    except ConfigError:
        raise ValueError


_CHECKS = {
    "int": _number,
    "every": _every,
    "text": _text,
    SECRET: _text,
    "choice": _choice,
    "name": _name,
    "names": _names,
    "host": _host,
    "hosts": _hosts,
    "addresses": _addresses,
    "file": _file,
    "topic": _topic,
    "zone": _zone,
    "settings": parse_settings,
    "number": _meter_number,
}


def says(kind, allowed):
    """What a person is told is allowed: used in errors, and in README's table."""
    if kind == "int":
        return "a whole number %d..%d" % allowed
    if kind == "every":
        return "a whole number %d..%d that divides 86400" % allowed
    if kind == "choice":
        return "one of: " + ", ".join(allowed)
    if kind == "zone":
        return "a POSIX TZ string such as CST-8 or CET-1CEST,M3.5.0,M10.5.0/3"
    if kind == "settings":
        return "baud rate 300..115200, data bits, parity, stop bits, such as 9600 8N1"
    if kind == "number":
        return "12 digits (DL/T 645) or 14 (CJ/T 188), or as many A"
    forms = {
        "name": "1..%d of A-Z a-z 0-9 _ -",
        "names": "a list of at most %d names, none twice",
        "text": "text of at most %d characters",
        SECRET: "text of at most %d characters",
        "host": "a host name or address of at most %d characters, without port",
        "addresses": "a list of at most %d addresses (10.0.0.1), :port behind it if it is not the usual one",
        "hosts": "a list of at most %d hosts, each a name or address, :port behind it if it is not the usual one",
        "file": "a file name of at most %d characters in the gateway's own folder",
        "topic": "1..%d bytes of UTF-8 without + # and without / at either end",
    }
    return forms[kind] % allowed
