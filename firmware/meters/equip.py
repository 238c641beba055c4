"""Makes meters of the configuration: profile and points, the fewest requests for them, the decoder of their line.

Only the start needs it, and a person who reads other points; then it is forgotten. A protocol's modules are imported
where a meter speaks it, and not before: what nobody uses takes no heap.
"""

from firmware.errors import ConfigError
from firmware.kept import kept
from firmware.meters import profiles
from firmware.meters.meter import Block, Meter
from firmware.texts import parse_settings

PROTOCOLS = ("modbus", "dlt645", "dlt645-1997", "cjt188")
# Digits of a meter's number.
N_DIGITS = {"dlt645": 12, "dlt645-1997": 12, "cjt188": 14}


def asking_of(protocol):
    """A new Asking for this protocol's meters on one line; only the modules it needs are loaded."""
    # The two editions of DL/T 645 are asked by one.
    name = "firmware.meters.ask_" + protocol.partition("-")[0]
    return __import__(name, None, None, ("Asking",)).Asking()


def forbid_anonymous(sections, shared):
    """Where two meters of DL/T 645-1997 share a line, a reply without a number may be either's: it is none.

    shared: {(line, first six characters of the protocol): Asking}."""
    old = [section.line for section in sections if section.protocol == "dlt645-1997"]
    for line in old:
        if old.count(line) > 1:
            shared[line, "dlt645"].reply.takes_anonymous = False


def profile_for(section, own, key):
    """The Profile that a meter's section names. ConfigError if there is none, or if it is another protocol's.

    own: {name: Profile} of profiles.json."""
    if section.profile in own:
        profile = own[section.profile]
    elif section.profile in profiles.names():
        profile = profiles.profile_of(section.profile)
    else:
        known = ", ".join(sorted(list(own) + profiles.names()))
        raise ConfigError(key + ".profile", "must be one of: " + known)
    if profile.protocol != section.protocol:
        raise ConfigError(key + ".protocol", "must be %s, which profile %s is for" % (profile.protocol, section.profile))
    return profile


def meter_of(section, line, asking, own=None, key="meter"):
    """A Meter of one section of the configuration. asking: of asking_of, shared by the meters of one line and protocol.

    ConfigError if profile or points do not exist; key names the section."""
    profile = profile_for(section, own or {}, key)
    readable = profile.readable()
    for name in section.points:
        if name not in readable:
            raise ConfigError(key + ".points", "must be points of %s: %s" % (section.profile, ", ".join(readable)))
    rows = tuple(profile.rows_of(section.points or profile.default))
    settings = section.settings or parse_settings(profile.settings)
    # What counts is asked for before what swings.
    blocks = blocks_of(section, profile, rows)
    points = kept(tuple(kept((name, unit, decimals, klass)) for name, _, _, unit, decimals, klass in rows))
    meter = Meter(section, line, asking, profile, kept(settings), kept(rows), points, blocks, _serial(profile))
    allowed = section.reads_per_day_max or profile.reads_per_day
    if allowed:
        meter.reads_per_day = allowed
    return meter


def _serial(profile):
    """(function, row) of the meter's own number, or None if the profile does not know where it stands."""
    for row in profile.points:
        if row[0] == profiles.SERIAL_NUMBER:
            return kept((profile.about_function, row))
    return None


def blocks_of(section, profile, rows):
    """The fewest Blocks that cover these rows of a profile."""
    if profile.protocol == "modbus":
        return _modbus_blocks(section, profile, rows)
    name = "firmware.meters.equip_" + profile.protocol.partition("-")[0]
    return __import__(name, None, None, ("blocks_of",)).blocks_of(section, profile, rows, kept)


# -- Modbus -----------------------------------------------------------------------------------------------------------


def plan_blocks(points, gap=0, most=125, forbidden=()):
    """[(first register, count, [index of point, ..]), ..] that cover points with the fewest requests.

    points: rows of a profile. gap: how many registers nobody asked for may lie between two points of a block; most:
    registers of a block; forbidden: registers that no block may hold, unless a point itself does."""
    from firmware.protocols import numbers

    blocks = []
    for index in sorted(range(len(points)), key=lambda i: points[i][1]):
        first = points[index][1]
        end = first + numbers.form_of(points[index][2])[0]
        if blocks:
            begin, count, members = blocks[-1]
            between = range(begin + count, first)
            if len(between) <= gap and end - begin <= most and not any(register in between for register in forbidden):
                blocks[-1] = (begin, max(count, end - begin), members + [index])
                continue
        blocks.append((first, end - first, [index]))
    return blocks


def _modbus_blocks(section, profile, rows):
    """Blocks by function: those of points, and those of what says something of the meter."""
    from firmware.protocols import modbus, numbers

    blocks = []
    for function, indices in _by_function(section, profile, rows):
        chosen = [rows[i] for i in indices]
        for first, count, members in plan_blocks(chosen, profile.gap, profile.most, profile.forbidden):
            request = bytearray(modbus.REQUEST_BYTES)
            modbus.put_read(request, section.unit, function, first, count)
            places = []
            for i in members:
                _, register, form, _, decimals, _ = chosen[i]
                places.append((indices[i], 2 * (register - first), numbers.form_of(form), decimals))
            blocks.append(Block(bytes(request), kept(tuple(places))))
    return blocks


def _by_function(section, profile, rows):
    """[(function, indices of rows), ..]"""
    usual = profile.function if section.function == "profile" else int(section.function)
    found = {}
    for i, row in enumerate(rows):
        function = profile.about_function if row[5] == profiles.ABOUT else usual
        found.setdefault(function, []).append(i)
    return sorted(found.items())
