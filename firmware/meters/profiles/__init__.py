"""Meters as tables: what stands in which register, with the source of each. A module for each maker or standard.

Only the modules of the profiles in use are loaded, at the start, and forgotten again. A profile is a dict; its keys, and
what a missing one means, are in _USUAL. A row of `points` is a point:

    (name, register, form, unit, decimals, class)

register: Modbus: first register, protocol address from 0; DL/T 645: data identifier; CJ/T 188: a field of the reply.
form: how the number stands there (Modbus: protocols/numbers.py; DL/T 645: protocols/dlt645data.py; CJ/T 188: "").
class: register, gauge, or about: what says something of the meter itself; it is no part of a reading.
"""

# Each module and its profiles. One text, since every name in a table of names stays in a board's heap for good.
_MODULES = """\
eastron sdm630 sdm72 sdm72d_m sdm120 sdm230
chint dtsu666 dtsu666_401e ddsu666
acrel adl400 adw300
schneider iem3155
peacefair pzem004t pzem016
abb b23 b24
orno we514 we515
dlt645 dlt645_1p dlt645_3p
dlt645old dlt645_1997_1p dlt645_1997_3p
cjt188 water water_litre gas heat cooling"""

ABOUT = "about"
# The point whose value is the meter's own number.
SERIAL_NUMBER = "serial_number"

_USUAL = {
    # The instrument, as people call it, and where its facts are from.
    "model": "",
    "source": "",
    "protocol": "modbus",
    # Baud rate, data bits, parity, stop bits as most leave the factory.
    "settings": "9600 8N1",
    # Points that are read unless the configuration names others.
    "default": (),
    "points": (),
    # Modbus: function of the points; of those of class about.
    "function": 4,
    "about_function": 3,
    # Modbus: most registers of a request; most that nobody asked for between two points of one; registers that must not
    # be read at all.
    "most": 125,
    "gap": 0,
    "forbidden": (),
    # DL/T 645: ((block, (item, item, ..)), ..): data identifiers that one request gives together, in that order.
    "blocks": (),
    # A meter on a battery is read so often a day at most; 0: as often as one likes.
    "reads_per_day": 0,
}


class Profile:
    """A profile by its name; the keys of its table are attributes."""

    def __init__(self, name, table):
        self.name = name
        for key in _USUAL:
            setattr(self, key, table.get(key, _USUAL[key]))

    @property
    def on_battery(self):
        return self.reads_per_day > 0

    def rows_of(self, names):
        """The rows of these points, in that order. KeyError(name) for one that there is not."""
        rows = {row[0]: row for row in self.points}
        return [rows[name] for name in names]

    def readable(self):
        """Names of the points that a reading may have."""
        return [row[0] for row in self.points if row[5] != ABOUT]


def names():
    """Names of all profiles that come with the firmware, sorted."""
    return sorted(name for line in _MODULES.split("\n") for name in line.split()[1:])


def profile_of(name):
    """The Profile of that name. KeyError if none comes with the firmware."""
    for line in _MODULES.split("\n"):
        words = line.split()
        if name in words[1:]:
            package = __import__("firmware.meters.profiles." + words[0], None, None, ("PROFILES",))
            return Profile(name, package.PROFILES[name])
    raise KeyError(name)
