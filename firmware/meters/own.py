"""Profiles of one's own: the file profiles.json beside the configuration, checked whole before anything is used.

{"NAME": {"model": .., "source": .., "protocol": .., "default": [..], "points": [{"name": .., "register": ..,
"form": .., "unit": .., "decimals": .., "class": ..}, ..], ..}}; the other keys are those of profiles/__init__.py.
"""

from firmware.errors import ConfigError
from firmware.forms import checked, says
from firmware.meters import profiles
from firmware.meters.equip import PROTOCOLS
from firmware.meters.points import ABOUT, POINTS
from firmware.protocols.record import GAUGE, REGISTER

_MOST_PROFILES = 16
_MOST_POINTS = 64
_CLASSES = (REGISTER, GAUGE, profiles.ABOUT)
_POINT_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789_"

# key, kind, allowed, needed, protocols that have it
_KEYS = (
    ("model", "text", 64, True, PROTOCOLS),
    ("source", "text", 120, True, PROTOCOLS),
    ("protocol", "choice", PROTOCOLS, True, PROTOCOLS),
    ("settings", "settings", None, False, PROTOCOLS),
    ("default", "names", 32, True, PROTOCOLS),
    ("reads_per_day", "int", (0, 86400), False, PROTOCOLS),
    ("function", "int", (3, 4), False, PROTOCOLS[:1]),
    ("about_function", "int", (3, 4), False, PROTOCOLS[:1]),
    ("most", "int", (4, 125), False, PROTOCOLS[:1]),
    ("gap", "int", (0, 125), False, PROTOCOLS[:1]),
)
_ROW_KEYS = ("name", "register", "form", "unit", "decimals", "class")


def profiles_of(raw):
    """{name: Profile} of the dict of profiles.json. ConfigError names profile, row and field at the first fault."""
    if not isinstance(raw, dict) or len(raw) > _MOST_PROFILES:
        raise ConfigError("profiles", "must be an object of at most %d profiles: {..}" % _MOST_PROFILES)
    found = {}
    for name in raw:
        key = "profiles." + name
        checked(key, "name", 32, name)
        found[name] = profiles.Profile(name, _table(key, raw[name]))
    return found


def _table(key, raw):
    """One profile's table as the firmware has them."""
    if not isinstance(raw, dict):
        raise ConfigError(key, "must be an object: {..}")
    protocol = checked(key + ".protocol", "choice", PROTOCOLS, raw.get("protocol"))
    keys = [row for row in _KEYS if protocol in row[4]]
    lists = ["points"] + (["forbidden"] if protocol == "modbus" else []) + (["blocks"] if protocol[:6] == "dlt645" else [])
    known = [row[0] for row in keys] + lists
    for name in raw:
        if name not in known:
            raise ConfigError("%s.%s" % (key, name), "is no key; known here: " + ", ".join(sorted(known)))
    # Every DL/T 645 and CJ/T 188 meter leaves the factory with even parity.
    table = {} if protocol == "modbus" else {"settings": "2400 8E1"}
    for name, kind, allowed, needed, _ in keys:
        if name in raw:
            value = checked("%s.%s" % (key, name), kind, allowed, raw[name])
            if kind == "settings" and not value:
                # A meter's section may leave them to its profile; a profile has nobody to leave them to.
                raise ConfigError("%s.%s" % (key, name), "must be " + says(kind, allowed))
            # The settings as text, as in the tables; checked says whether they can be read.
            table[name] = raw[name] if kind == "settings" else value
            if needed and not value:
                raise ConfigError("%s.%s" % (key, name), "must not be empty")
        elif needed:
            raise ConfigError("%s.%s" % (key, name), "is missing; must be " + says(kind, allowed))
    table["points"] = _points(key + ".points", protocol, raw.get("points"), table)
    if "forbidden" in raw:
        table["forbidden"] = tuple(_registers(key + ".forbidden", protocol, raw["forbidden"]))
    if "blocks" in raw:
        table["blocks"] = _blocks(key + ".blocks", protocol, raw["blocks"], table["points"])
    readable = [row[0] for row in table["points"] if row[5] != profiles.ABOUT]
    if not table["default"] or any(name not in readable for name in table["default"]):
        raise ConfigError(key + ".default", "must be one or more of its points: " + ", ".join(readable))
    return table


def _points(key, protocol, rows, table):
    if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_POINTS:
        raise ConfigError(key, "must be a list of 1 to %d objects" % _MOST_POINTS)
    points = []
    for i, row in enumerate(rows):
        points.append(_row("%s[%d]" % (key, i), protocol, row))
        _check_apart("%s[%d]" % (key, i), protocol, points, table)
    return tuple(points)


def _row(key, protocol, raw):
    """(name, register, form, unit, decimals, class) of one row."""
    if not isinstance(raw, dict):
        raise ConfigError(key, "must be an object with " + ", ".join(_ROW_KEYS))
    for name in raw:
        if name not in _ROW_KEYS:
            raise ConfigError("%s.%s" % (key, name), "is no key; known here: " + ", ".join(_ROW_KEYS))
    needed = [name for name in _ROW_KEYS if not (name == "form" and protocol == "cjt188")]
    for name in needed:
        if name not in raw:
            raise ConfigError("%s.%s" % (key, name), "is missing")
    name = checked(key + ".name", "text", 32, raw["name"])
    if not name or any(c not in _POINT_CHARS for c in name):
        raise ConfigError(key + ".name", "must be 1..32 of a-z 0-9 _")
    klass = checked(key + ".class", "choice", _CLASSES, raw["class"])
    unit = checked(key + ".unit", "text", 8, raw["unit"])
    if any(c in unit for c in " :") or not unit and klass != profiles.ABOUT:
        raise ConfigError(key + ".unit", "must be 1..8 characters without space and colon; 1 if there is none")
    _check_canonical(key, name, unit, klass)
    decimals = checked(key + ".decimals", "int", (0, 9), raw["decimals"])
    register = _register(key + ".register", protocol, raw["register"], klass)
    form = _form(key + ".form", protocol, raw.get("form", ""), register, klass)
    if protocol == "cjt188" and klass != profiles.ABOUT:
        from firmware.protocols import cjt188data

        if not cjt188data.measures(register, unit):
            raise ConfigError(key + ".unit", "must be a unit that %s can be said in" % register)
    if decimals and protocol[:6] == "dlt645" and form[:3] != "bcd":
        raise ConfigError(key + ".decimals", "must be 0: form %s gives a text" % form)
    return name, register, form, unit, decimals, klass


def _check_canonical(key, name, unit, klass):
    """One name means one quantity in one unit everywhere."""
    for row in POINTS:
        if row[0] == name and row[1:3] != (unit, klass):
            field, wanted = (".unit", row[1]) if row[1] != unit else (".class", row[2])
            raise ConfigError(key + field, "must be %s: that is what %s is everywhere" % (wanted, name))
    for row in ABOUT:
        if row[0] == name and klass != profiles.ABOUT:
            raise ConfigError(key + ".class", "must be about: that is what %s is everywhere" % name)


def _register(key, protocol, value, klass=GAUGE):
    if protocol == "cjt188":
        from firmware.protocols import cjt188data

        return checked(key, "choice", cjt188data.ABOUT if klass == profiles.ABOUT else cjt188data.NAMES, value)
    n = 8 if protocol == "dlt645" else 4
    if not isinstance(value, str) or len(value) != n or any(c not in "0123456789ABCDEF" for c in value):
        raise ConfigError(key, "must be %d hex digits, such as %s" % (n, "00010000" if n == 8 else "9010"))
    return int(value, 16)


def _registers(key, protocol, values):
    if not isinstance(values, list) or len(values) > _MOST_POINTS:
        raise ConfigError(key, "must be a list of at most %d registers" % _MOST_POINTS)
    return [_register("%s[%d]" % (key, i), protocol, value) for i, value in enumerate(values)]


def _form(key, protocol, text, register, klass):
    """The form's text, if it is one of the protocol's."""
    if protocol == "cjt188":
        if text != "":
            raise ConfigError(key, "must be empty: the meter says its own unit")
        return text
    try:
        if not isinstance(text, str):
            raise ValueError
        if protocol == "modbus":
            from firmware.protocols import numbers

            fits = register + numbers.form_of(text)[0] <= 0x10000
        else:
            from firmware.protocols import dlt645data

            fits = dlt645data.form_of(text)[0] == "bcd" or klass == profiles.ABOUT
    except ValueError:
        raise ConfigError(key, 'must be a form, as SPEC.md, "Forms", has them')
    if not fits:
        raise ConfigError(key, "must end at register FFFF" if protocol == "modbus" else "must be bcd for a register or gauge")
    return text


def _check_apart(key, protocol, points, table):
    """No name twice, no register in two points."""
    name, register, form, _, _, klass = points[-1]
    for other in points[:-1]:
        if other[0] == name:
            raise ConfigError(key + ".name", "must be a name used once; %s stands twice" % name)
        if protocol == "modbus":
            from firmware.protocols import numbers

            functions = table.get("function", 4), table.get("about_function", 3)
            same = functions[klass == profiles.ABOUT] == functions[other[5] == profiles.ABOUT]
            ends = register + numbers.form_of(form)[0], other[1] + numbers.form_of(other[2])[0]
            overlap = same and register < ends[1] and other[1] < ends[0]
        else:
            overlap = register == other[1]
        if overlap:
            raise ConfigError(key + ".register", "must be apart from that of %s" % other[0])


def _blocks(key, protocol, values, points):
    """((block, (item, ..)), ..); each item is a point's register."""
    if not isinstance(values, list):
        raise ConfigError(key, "must be a list of objects with register, items")
    known = [row[1] for row in points]
    blocks = []
    for i, raw in enumerate(values):
        place = "%s[%d]" % (key, i)
        if not isinstance(raw, dict) or sorted(raw) != ["items", "register"]:
            raise ConfigError(place, "must be an object with register, items")
        items = tuple(_registers(place + ".items", protocol, raw["items"]))
        if len(items) < 2:
            raise ConfigError(place + ".items", "must be two registers or more")
        for k, item in enumerate(items):
            if item not in known:
                raise ConfigError("%s.items[%d]" % (place, k), "must be the register of a point")
            if item in items[:k]:
                raise ConfigError("%s.items[%d]" % (place, k), "must be a register that stands once in the block")
        block = _register(place + ".register", protocol, raw["register"])
        if block in known or any(other[0] == block for other in blocks):
            raise ConfigError(place + ".register", "must be neither a point's nor another block's")
        blocks.append((block, items))
    return tuple(blocks)
