"""What the schema cannot see: that the names in a configuration fit together and to the profiles.

Used by the firmware at its start, and on a PC before a configuration is copied to a board.
"""

from micropython import const

from firmware import strictjson
from firmware.config import parse
from firmware.errors import ConfigError
from firmware.meters import equip
from firmware.protocols.dayrecord import put_day
from firmware.protocols.record import MOST_SERIAL, Reading, put_names
from firmware.store.days import MeterDay
from firmware.store.ring import MOST_TOGETHER_BYTES

# A NAMES note's frame, and what its last slot and next day may take more than at first.
_GROWS_BYTES = const(4 + 6)
# A daily summary is reckoned with numbers of so many digits, as many causes of misses as there are, and a day far ahead.
_MOST_VALUE = const(10**12)
_MOST_CAUSES = const(10)
_FRAME_BYTES = const(5)
_FAR_DAY = const(40000)


def load(config_file, secrets_file, profiles_file):
    """Config of three JSON files; secrets and profiles may be missing. ConfigError names the key, or the file.

    profiles of the Config: {name: Profile} of profiles_file."""
    config = parse(_json(config_file, None), _json(secrets_file, {}))
    config.profiles = own_profiles(profiles_file)
    return check(config)


def own_profiles(profiles_file):
    """{name: Profile} of a JSON file, which may be missing. ConfigError names profile, row and field."""
    raw = _json(profiles_file, {})
    if raw == {}:
        return {}
    # Imported only where somebody has any.
    from firmware.meters import own

    return own.profiles_of(raw)


def _json(name, default):
    try:
        with open(name) as file:
            text = file.read()
    except OSError:
        if default is None:
            raise ConfigError(name, "cannot be read; is there such a file?")
        return default
    except UnicodeError:
        raise ConfigError(name, "is not UTF-8 text")
    try:
        return strictjson.loads(text)
    except ValueError as error:
        raise ConfigError(name, "is not JSON: " + error.args[0])


def check(config):
    """Return the config if its parts fit together, else ConfigError."""
    lines = {}
    ports = set()
    for i, line in enumerate(config.lines):
        lines[line.name] = line
        if line.bus == "mbus" and line.de >= 0:
            raise ConfigError("lines[%d].de" % i, "must not be there: an M-Bus converter has no driver-enable")
        for key in ("uart", "tx", "rx", "de"):
            port = ("uart" if key == "uart" else "pin", getattr(line, key))
            if port in ports:
                raise ConfigError("lines[%d].%s" % (i, key), "must be a %s used once; %d is taken" % port)
            if port[1] >= 0:
                ports.add(port)
    n_bytes = n_day = 0
    places = set()
    listening = {}
    seen = []
    for i, section in enumerate(config.meters):
        key = "meters[%d]" % i
        if section.line not in lines:
            raise ConfigError(key + ".line", "must be the name of a line: " + (", ".join(sorted(lines)) or "there is none"))
        _check_address(key, section)
        _check_line(key, section, lines[section.line])
        meter = equip.meter_of(section, None, None, config.profiles, key)
        _check_place(key, section, meter.settings, places)
        _check_allowance(key, section, config.profiles)
        _check_password(key, section)
        if section.protocol[:6] == "dlt645":
            listening.setdefault((section.line, meter.settings), []).append((key, section))
        # As a block's heading has them: the points of a meter that was named before are not said again.
        same = seen.index(meter.points) if meter.points in seen else None
        seen.append(meter.points)
        names = meter.names()
        n_bytes += len(put_names(i, names, same)) + _GROWS_BYTES + (2 + MOST_SERIAL if meter.identifies else 0)
        n_day = max(n_day, _day_bytes(config.gateway.zone, names))
    if n_bytes + n_day > MOST_TOGETHER_BYTES:
        raise ConfigError(
            "meters",
            "must be fewer, or with fewer points: their names, %d bytes, and the largest daily summary, %d, must be within %d"
            % (n_bytes, n_day, MOST_TOGETHER_BYTES),
        )
    _check_clocks(listening)
    if config.uplinks and config.network.kind == "none":
        raise ConfigError("network.kind", "must be wifi, since uplinks are configured")
    if config.network.kind == "wifi" and not config.network.ssid:
        raise ConfigError("network.ssid", "must be the network's name, since network.kind is wifi")
    return config


def _day_bytes(zone, names):
    """What the daily summary of a meter takes at most."""
    day = MeterDay(zone, names, _FAR_DAY)
    for slot_s, value in ((day.start_s + 1, -_MOST_VALUE), (day.start_s + 2, _MOST_VALUE)):
        day.add(Reading(names.name, names.points, slot_s, slot_s, 0, [value] * len(names.points)))
    for i in range(_MOST_CAUSES):
        day.missed["battery allowance %d" % i] = names.every_s
    return len(put_day(0, day.summary(), names.every_s)) + _FRAME_BYTES


def _check_address(key, section):
    """Every meter has an address of its own protocol, and none of another."""
    if section.protocol == "modbus":
        if section.number:
            raise ConfigError(key + ".number", "must not be there: a Modbus meter has a unit")
        if not section.unit:
            raise ConfigError(key + ".unit", "is missing; must be 1..247")
        return
    n = equip.N_DIGITS[section.protocol]
    if section.function != "profile":
        raise ConfigError(key + ".function", "must not be there: only a Modbus meter has one")
    if section.unit:
        raise ConfigError(key + ".unit", "must not be there: only a Modbus meter has one")
    if len(section.number) != n:
        raise ConfigError(key + ".number", "must be the %d digits of its number, or %d A" % (n, n))


def _check_line(key, section, line):
    """What a line does with each request suits its meters' protocol."""
    if section.protocol == "modbus" and line.wake_bytes:
        raise ConfigError(key + ".protocol", "must not be modbus: line %s has wake_bytes, which spoil its frames" % line.name)
    # Where it is said: a timeout_ms below the other's default is none of its business.
    is_said = section.timeout_least_ms != type(section).timeout_least_ms
    if is_said and section.timeout_least_ms > section.timeout_ms:
        raise ConfigError(key + ".timeout_least_ms", "must be at most timeout_ms, %d" % section.timeout_ms)


def _check_place(key, section, settings, places):
    """No two meters of a line would answer one request."""
    name, address = ("unit", section.unit) if section.protocol == "modbus" else ("number", section.number)
    # The frames of the two editions of DL/T 645 are the same.
    common = section.line, section.protocol[:6], settings
    if any(place[:3] == common and _meet(place[3], address) for place in places):
        raise ConfigError("%s.%s" % (key, name), "must be a %s used once on a line; %s is taken" % (name, address))
    places.add(common + (address,))


def _meet(one, other):
    """True if two meters of these addresses would answer one request."""
    return one == other or "A" in str(one) + str(other)


def _check_allowance(key, section, own):
    """A meter on a battery is not read more often than that lasts for."""
    allowed = section.reads_per_day_max or equip.profile_for(section, own, key).reads_per_day
    if allowed and 86400 // section.every_s > allowed:
        raise ConfigError(
            key + ".every_s", "must be %d or more: it may be read %d times a day" % (-(-86400 // allowed), allowed)
        )


def _check_password(key, section):
    """A clock is written with a password, to a meter of 2007 whose number is known."""
    # As it stands in secrets.json.
    secret = "secrets.meters.%s.password" % section.name
    if section.set_clock == "never":
        if section.password:
            raise ConfigError(secret, "must not be there: only set_clock write needs it")
        return
    if section.protocol not in ("dlt645", "dlt645-1997"):
        raise ConfigError(key + ".set_clock", "must be never: only DL/T 645 meters' clocks are set")
    if section.set_clock != "write":
        return
    if section.protocol != "dlt645" or "A" in section.number:
        raise ConfigError(key + ".set_clock", "must not be write: only a DL/T 645-2007 meter with its number is written to")
    if len(section.password) != 8 or any(c not in "0123456789ABCDEFabcdef" for c in section.password):
        missing = "" if section.password else "is missing; "
        raise ConfigError(secret, missing + "must be 8 hex digits: two of its level, six of the password")


def _check_clocks(listening):
    """A broadcast sets every DL/T 645 meter that listens with the same settings: none of them may be set to never.

    listening: {(line, settings): [(key, section), ..]} of these meters."""
    for group in listening.values():
        loud = [section.name for _, section in group if section.set_clock == "broadcast"]
        for key, section in group:
            if loud and section.set_clock == "never":
                raise ConfigError(
                    key + ".set_clock", "must not be never: the broadcast for meter %s sets this one's clock too" % loud[0]
                )
