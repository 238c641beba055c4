"""The command scan: what is wanted, in words; what was found, as the configuration has it. Loaded when typed."""

from firmware.bus.watch import Watch
from firmware.console.words import line_of, settings_at
from firmware.errors import CommandError
from firmware.meters import finds
from firmware.meters import scan as scanning
from firmware.texts import is_digits, settings_text
from firmware.unload import unload

_PARTS = ("dlt645", "cjt188", "modbus")
_USAGE = "write: scan LINE [modbus | dlt645 | dlt645-1997 | cjt188 ..] [9600 8N1 ..] [1..247]"


def wanted_of(words):
    """scan.Wanted of the words behind the line's name. CommandError."""
    protocols = []
    settings = []
    units = 1, 247
    i = 0
    while i < len(words):
        found = settings_at(words, i)
        if found:
            settings.append(found)
            i += 1
        elif words[i] in finds.PROTOCOLS:
            protocols.append(words[i])
        elif ".." in words[i]:
            units = _units(words[i])
            protocols.append("modbus")
        else:
            raise CommandError("what is %s? %s" % (words[i], _USAGE))
        i += 1
    chosen = [name for name in finds.PROTOCOLS if name in protocols]
    return finds.Wanted(chosen or finds.PROTOCOLS, settings or None, units[0], units[1])


def _units(word):
    first, _, last = word.partition("..")
    if is_digits(first) and is_digits(last) and 1 <= int(first) <= int(last) <= 247:
        return int(first), int(last)
    raise CommandError("no units: %s; they are written 1..247" % word)


def _parts(wanted):
    """Names of the modules that look for what is wanted: the quick ones first."""
    return [name for name in _PARTS if [each for each in wanted.protocols if each[:6] == name]]


def _part(name):
    """The module: each is loaded when it is its turn, since together they take a board's heap."""
    unload(*["firmware.meters.scan_" + each for each in _PARTS])
    return __import__("firmware.meters.scan_" + name, None, None, ("Scanner",))


def _plan_of(name, wanted):
    part = _part(name)
    return part.SPEAKS, wanted.settings_of(part.SETTINGS), part.most_ms(wanted)


async def scan(app, words, say):
    if not words:
        raise CommandError(_USAGE)
    line = line_of(app, words[0])
    wanted = wanted_of(words[1:])
    wanted.n_wake = _wake_bytes(app, line)
    names = _parts(wanted)
    # What each speaks, the settings it tries, how long it takes.
    plans = [_plan_of(name, wanted) for name in names]
    most_ms = sum([plan[2] for plan in plans])
    await say(
        "looking for %s on line %s: up to %s, and up to %d s more for each meter that is found"
        % (", ".join(wanted.protocols), line.name, scanning.span_text(most_ms), scanning.FOUND_MS // 1000)
    )
    await say("only this line's meters are not measured meanwhile; Enter or Ctrl-C stops it")
    async with line.turn:
        found = scanning.Scan(line, say, b"\xfe" * wanted.n_wake)
        found.allow(scanning.said_ms(most_ms))
        # The questions of a scan, nearly all in vain, say nothing of the line's health.
        counts = list(line.counts)
        line.watch = Watch()
        is_whole = False
        try:
            for name in names:
                await _part(name).Scanner(found, wanted).run()
            is_whole = True
        except scanning.Over:
            await say("the time is over: the line is noisy or slow")
        except scanning.Babble:
            await say("the line is never silent: A and B touch, a meter floods it, or noise; take meters off one by one")
        finally:
            line.watch = None
            for i, count in enumerate(counts):
                line.counts[i] = count
            for text in result_lines(app, line, found, wanted, plans if is_whole else ()):
                await say(text)


def _wake_bytes(app, line):
    """Bytes FE that wake up the receivers on a line, as configured."""
    for section in app.config.lines:
        if section.name == line.name:
            return section.wake_bytes
    return 0


def result_lines(app, line, scan, wanted, plans):
    """What was found, as a list for the configuration; what is in it already; what is in it and was not found.

    plans: what was looked for, () if that came to no end."""
    rest = "" if plans else ", not all was looked for"
    yield "%d found in %s%s" % (len(scan.finds), scanning.passed_text(scan.passed_ms), rest)
    sections = [meter.section for meter in app.meters if meter.section.line == line.name]
    settings_by_name = {meter.name: meter.settings for meter in app.meters}
    names = list(settings_by_name)
    missing = list(sections)
    fresh = []
    for find in scan.finds:
        known = [section for section in sections if find.matches(section)]
        for section in known:
            if section in missing:
                missing.remove(section)
            yield _known_text(find, section, settings_by_name[section.name])
        if not known:
            fresh.append(find)
    if fresh:
        yield 'not in the configuration yet; for its list "meters":'
    for i, find in enumerate(fresh):
        name = _name_of(find, line.name, names)
        names.append(name)
        yield "  " + find.config_text(name, line.name) + ("," if i < len(fresh) - 1 else "")
    for section in missing:
        if _was_looked_for(section, settings_by_name[section.name], wanted, plans):
            place = "number " + section.number if section.number else "unit %d" % section.unit
            yield "in the configuration, but not found: %s (%s %s)" % (section.name, section.protocol, place)


def _known_text(find, section, settings):
    text = "%s %s at %s is in the configuration: %s" % (find.protocol, find.place, settings_text(find.settings), section.name)
    if settings != find.settings:
        text += ", but with %s" % settings_text(settings)
    if find.profile and section.profile != find.profile and section.profile not in find.alike:
        text += ", but as %s" % section.profile
    return text


def _was_looked_for(section, settings, wanted, plans):
    if section.protocol not in wanted.protocols:
        return False
    if section.protocol == "modbus" and not wanted.first <= section.unit <= wanted.last:
        return False
    return any(section.protocol in speaks and settings in tried for speaks, tried, _ in plans)


def _name_of(find, line, names):
    """A name that no meter has yet: the line's, and the unit or the number's last six digits."""
    base = "%s-%s" % (line, find.number[-6:] if find.number else find.unit)
    name = base
    n = 1
    while name in names:
        n += 1
        name = "%s-%d" % (base, n)
    return name
