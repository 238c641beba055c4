"""Which profile a Modbus meter is likely of: its registers are read where each profile has voltage, frequency, energy.

What stands there must be possible: a mains voltage, a frequency near 50 or 60 Hz. Loaded only while a person scans.
"""

from micropython import const

from firmware.meters import scan as scanning
from firmware.protocols import modbus, numbers
from firmware.protocols.payload import decimal_text
from firmware.unload import unload

# A meter that answers slowly, or not at all where it has no register, is not asked for ever.
_MOST_MS = scanning.FOUND_MS - const(4000)

# What speaks for a profile. Point: (least and most of what is possible, in the point's unit, points for it).
_POSSIBLE = {
    "voltage_l1": (80, 520, 4),
    "frequency": (45, 65, 4),
    "voltage_l2": (80, 520, 2),
    "power_factor": (-1, 1, 1),
    "power": (-100000, 100000, 1),
    "demand_max": (0, 100000, 1),
}
_ENERGIES = ("energy_import", "energy_total")
_MOST_ENERGY = const(100000000)
# In this order: the first must be there, if the profile has it.
_ORDER = ("voltage_l1", "frequency", "energy_import", "energy_total", "voltage_l2", "power", "demand_max", "power_factor")
# For voltage, frequency and an energy that counts.
_SURE = const(10)
_LEAST = const(3)


async def guess(scan, find):
    """Set find's profile, function and note by what the meter answers."""
    asking = _Asking(scan, find)
    best = []
    best_score = _LEAST - 1
    for name in _names():
        profile = _profile(name)
        if profile.protocol != "modbus" or asking.is_slow:
            continue
        score, function, said = await _score(asking, profile)
        if score > best_score:
            best, best_score = [], score
        if score == best_score:
            best.append((name, function, said, profile.points))
    if not best:
        find.note = "answers slowly: not all were tried" if asking.is_slow else ""
        return
    find.profile, find.function, said, points = best[0]
    find.alike = [name for name, _, _, its in best[1:] if its == points]
    others = [name for name, _, _, its in best[1:] if its != points]
    sure = "not sure" if others or best_score < _LEAST + 2 else "sure" if best_score >= _SURE else "likely"
    find.note = "%s: %s" % (sure, ", ".join(said))
    if find.alike:
        find.note += "; %s has the same registers" % " ".join(find.alike)
    if others:
        find.note += "; or %s: compare with the display" % " ".join(others)


def _names():
    """Names of all profiles, one after another; their tables are forgotten between: together they are 25 KB."""
    from firmware.meters import profiles

    for name in profiles.names():
        yield name
        unload("firmware.meters.profiles")


def _profile(name):
    from firmware.meters import profiles

    return profiles.profile_of(name)


class _Asking:
    """What one meter answers; each request is made once."""

    def __init__(self, scan, find):
        self._scan = scan
        self._find = find
        self._begun_ms = scan.passed_ms
        self._known = {}
        self._reply = modbus.Reply()
        self._request = bytearray(8)

    @property
    def is_slow(self):
        return self._scan.passed_ms - self._begun_ms > _MOST_MS

    async def read(self, function, register, count):
        """The bytes of the registers; None or False if there are none."""
        key = function, register, count
        if key not in self._known:
            if self.is_slow:
                return None
            self._request[0] = self._find.unit
            self._request[1] = function
            modbus.put_range(self._request, register, count)
            found = await self._scan.exchange(self._find.settings, self._request, 8, self._reply)
            if found is None:
                # What it was silent to may be answered yet, and does not say what it is.
                await self._scan.listen(200)
            self._known[key] = found
        return self._known[key]


async def _score(asking, profile):
    """(points for a profile, "" or the function that it is read by instead, what was read); -1: it is not that."""
    rows = {row[0]: row for row in profile.points}
    names = [name for name in _ORDER if name in rows]
    function, changed = profile.function, ""
    if not await _data(asking, function, rows[names[0]]):
        function = modbus.INPUT if function == modbus.HOLDING else modbus.HOLDING
        changed = str(function)
        if not await _data(asking, function, rows[names[0]]):
            return -1, "", ()
    total = 0
    said = []
    for name in names:
        data = await _data(asking, function, rows[name])
        points = _points(name, rows[name], data)
        if points < 0 and name == "voltage_l2":
            # Three phases on a meter of one; or one of three of which one is connected.
            total -= 1
        elif points < 0:
            return -1, "", ()
        elif points > 0 and name not in ("power_factor", "demand_max"):
            said.append(_text(rows[name], data))
        total += max(0, points)
    return total, changed, said[:4]


async def _data(asking, function, row):
    return await asking.read(function, row[1], numbers.form_of(row[2])[0])


def _value(row, data):
    """The scaled value that a row's registers hold, or None."""
    return numbers.read(data, 0, numbers.form_of(row[2]), row[4])[0]


def _points(name, row, data):
    """What a value says for its profile: 0 nothing, -1 that it is another."""
    value = _value(row, data) if data else None
    one = 10 ** row[4]
    if name in _ENERGIES:
        if value is None or not 0 <= value < _MOST_ENERGY * one:
            return -1
        return 2 if value else 0
    least, most, points = _POSSIBLE[name]
    if value == 0 and name != "voltage_l2":
        # A voltage of 0 is possible: a meter that is supplied from elsewhere. It says nothing.
        return 1 if name == "power" else 0
    return points if value is not None and least * one <= value <= most * one else -1


def _text(row, data):
    return "%s %s %s" % (row[0], decimal_text(_value(row, data), row[4]), row[3])
