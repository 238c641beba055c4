"""Reading a meter by hand, with what went over its line, and what such commands have in common. Loaded when typed."""

import time

from micropython import const

from firmware.bus.watch import Watch
from firmware.clock import now_ms
from firmware.errors import BadData, CommandError, MeterError, MeterRefused
from firmware.protocols.payload import decimal_text
from firmware.texts import settings_text

_PROFILES = "profiles.json"
# Of what went over the wire so much is shown.
_MOST_SHOWN = const(16)
_MOST_SHOWN_BYTES = const(64)


# -- what went over the wire --------------------------------------------------------------------------------------------


def time_text(app, at_us):
    """'14:05:01.120', the local time of time.ticks_us."""
    at_ms = now_ms() - time.ticks_diff(time.ticks_us(), at_us) // 1000
    return "%s.%03d" % (app.config.gateway.zone.local_text(at_ms // 1000)[11:19], at_ms % 1000)


def hex_text(data):
    shown = " ".join("%02X" % byte for byte in data[:_MOST_SHOWN_BYTES])
    return shown + (" .. (%d bytes)" % len(data) if len(data) > _MOST_SHOWN_BYTES else "")


def wire_lines(app, watch, settings, hide=None):
    """What a Watch has kept, a text line for each request and each answer. hide(request) -> its text, if given."""
    baud, bits, parity, stop = settings
    char_us = (1 + bits + (parity is not None) + stop) * 1000000 // baud
    end_us = None
    sent = b""
    shown_sent = ""
    for at_us, what, n_first, data in watch.parts[:_MOST_SHOWN]:
        if what == "sent":
            sent = data
            wire_us = len(data) * char_us
            end_us = time.ticks_add(at_us, wire_us)
            shown_sent = (hide or hex_text)(data)
            shown = shown_sent, len(data), -(-wire_us // 1000), settings_text(settings)
            yield "sent   %s  %s   (%d bytes, %d ms at %s)" % ((time_text(app, at_us),) + shown)
            continue
        after = time_text(app, at_us)
        if sent and data[: len(sent)] == sent:
            # Not shown again: what must not be seen may be in it.
            after, data = "echo, then", data[len(sent) :]
        elif end_us is not None:
            # Its bytes were there before they were looked for.
            after = "+%d ms" % max(0, (time.ticks_diff(at_us, end_us) - n_first * char_us) // 1000)
            if "**" in shown_sent and len(data) >= len(sent):
                yield "heard  %-12s  (%d bytes, not shown: what was sent may be in them)" % (after, len(data))
                continue
        yield "heard  %-12s  %s" % (after, hex_text(data))
    n_more = len(watch.parts) + watch.n_more - _MOST_SHOWN
    if n_more > 0:
        yield "..     %d more" % n_more


# -- read -----------------------------------------------------------------------------------------------------------------


async def read(app, words, say):
    if not words:
        raise CommandError("write: read METER, read METER POINT .., or read METER all; `meters` lists the meters")
    meter = _meter_of(app, words[0])
    line = meter.line
    shown = []
    async with line.turn:
        line.watch = watch = Watch()
        try:
            await (_read_points(meter, words[1:], shown) if words[1:] else _read_all(meter, shown))
            shown.append(
                "the newest reply began after %d ms; not stored: stored readings are taken at their slots" % line.delay_ms
            )
        except MeterError as error:
            shown.append(refusal(meter, error))
        finally:
            line.watch = None
    for text in wire_lines(app, watch, meter.settings):
        await say(text)
    for text in shown:
        await say(text)


def _meter_of(app, name):
    for meter in app.meters:
        if meter.name == name:
            return meter
    raise CommandError("no meter %s; `meters` lists them" % name)


async def check(app, words, say):
    """Whether a meter's values fit each other."""
    if len(words) != 1:
        raise CommandError("write: check METER; `meters` lists the meters")
    meter = _meter_of(app, words[0])
    # Imported here: it takes as much heap as all commands.
    from firmware.meters import examine

    try:
        async with meter.line.turn:
            await examine.examine(app, meter, say)
    except MeterError as error:
        await say(refusal(meter, error))


async def _read_all(meter, shown):
    """The points of its readings."""
    from firmware.console import views

    values, _ = await meter.read()
    for point, value in zip(meter.points, values):
        shown.append(views.values_text((point,), (value,)))


async def _read_points(meter, names, shown):
    """Points of the meter's profile by name, and what it says of itself; `all` is all of them."""
    # Imported here: the tables are needed by nobody else while the gateway runs.
    from firmware import plan
    from firmware.console import views
    from firmware.meters import equip, profiles

    profile = equip.profile_for(meter.section, plan.own_profiles(_PROFILES), "meter")
    known = [row[0] for row in profile.points]
    names = known if names == ["all"] else names
    for name in names:
        if name not in known:
            raise CommandError("no point %s; %s has all, %s" % (name, profile.name, ", ".join(known)))
    rows = [row for row in profile.rows_of(names) if row[5] != profiles.ABOUT]
    if rows:
        values = await meter.read_others(rows, equip.blocks_of(meter.section, profile, rows))
        for row, value in zip(rows, values):
            shown.append(views.values_text(((row[0], row[3], row[4], row[5]),), (value,)))
    for row in profile.rows_of(names):
        if row[5] == profiles.ABOUT:
            shown.append(await _about(meter, row, equip.blocks_of(meter.section, profile, (row,))[0]))


async def _about(meter, row, block):
    """What a meter says of itself; one that does not have it says so, and the others are read on."""
    name, _, _, unit, decimals, _ = row
    try:
        text = await meter.read_text(block)
        return ("%s %s %s" % (name, decimal_text(int(text), decimals) if decimals else text, unit)).rstrip()
    except (BadData, MeterRefused) as error:
        return "%s: %s" % (name, error.cause)


def refusal(meter, error):
    """What an exchange failed of, and what to look at, in one line."""
    place = "meter %s (%s, %s, line %s)" % (meter.name, meter.place, meter.settings_text, meter.section.line)
    if error.cause == "refused":
        return "%s refused: code %02X. Does its profile fit this model?" % (place, error.code)
    if error.cause == "bad data":
        return "%s answers what is no value: %s. Does its profile fit this model?" % (place, error.args[0])
    if error.args[1:] == ("babble",):
        return "%s: not asked, the line is never silent. Do A and B touch, does a meter flood it? Take meters off" % place
    if error.cause == "bad frame":
        return "%s: heard no good frame, but %s. Wrong settings, two meters with one address, noise?" % (
            place,
            hex_text(error.args[0][:40]),
        )
    return "%s: heard nothing. Powered? A and B swapped? Right %s and settings?" % (place, meter.place.partition(" ")[0])
