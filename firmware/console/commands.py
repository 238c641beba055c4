"""One table of commands: name -> (function, arguments, help, runs in safe mode).

A function gets the gateway (or the safe one), its words and `say`, a coroutine that shows one line. What a person
can mend is a CommandError, ConfigError or MeterError; the shell finds the words.
"""

import os

from micropython import const

from firmware.errors import CommandError
from firmware.protocols import record

# A clock set to another year is a slip of the finger.
_FIRST_YEAR = const(2025)
_LAST_YEAR = const(2099)

_CONFIG = "config.json"
_SECRETS = "secrets.json"
_PROFILES = "profiles.json"


async def _help(_, words, say):
    for name in sorted(COMMANDS):
        _, arguments, text, _ = COMMANDS[name]
        await say("%-46s %s" % ((name + " " + arguments).strip(), text))
    await say("while a command runs, Enter or Ctrl-C ends it; on a PC Enter alone")
    await say("else Ctrl-C stops the gateway; on a board it gives MicroPython's own prompt, where Ctrl-D starts it again")


# Words for what there is, and what is done at a line, are loaded when they are typed: 25 KB of heap.


async def _status(app, words, say):
    from firmware.console import views

    for line in _safe_lines(app) if app.log is None else views.status_lines(app):
        await say(line)


def _safe_lines(app):
    yield "safe mode: measuring does not run. " + app.why
    yield "mend it, then `restart`; `config load FILE` puts a checked configuration in force"


async def _meters(app, words, say):
    from firmware.console import views

    for line in views.meter_lines(app):
        await say(line)


async def _lines(app, words, say):
    from firmware.console import views

    for line in views.line_lines(app):
        await say(line)


async def _read(app, words, say):
    from firmware.console.onsite import read

    await read(app, words, say)


async def _check(app, words, say):
    from firmware.console.onsite import check

    await check(app, words, say)


async def _raw(app, words, say):
    from firmware.console.raw import raw

    await raw(app, words, say)


async def _scan(app, words, say):
    from firmware.console.scan import scan

    await scan(app, words, say)


async def _config(app, words, say):
    # Imported here: 20 KB of heap that the other commands can do without.
    from firmware import config, plan

    if words == ["show"]:
        await say(config.text_of(app.config) if app.config else "no valid configuration in force")
        await say("# secrets are not shown; configuration hash %s" % app.config.hash if app.config else "")
    elif len(words) == 2 and words[0] in ("check", "load"):
        found = plan.load(words[1], _SECRETS, _PROFILES)
        if words[0] == "load":
            await _load(app, words[1], found.hash)
        await say("%s is valid, hash %s%s" % (words[1], found.hash, "; `restart` takes it up" if words[0] == "load" else ""))
    else:
        raise CommandError("write: config show, config check FILE, or config load FILE")


async def _load(app, name, new_hash):
    """Put a checked file in the place of the configuration: temporary file, then rename."""
    with open(name) as source:
        text = source.read()
    with open(_CONFIG + ".new", "w") as target:
        target.write(text)
    os.rename(_CONFIG + ".new", _CONFIG)
    if app.log:
        members = '"t":%d,"event":"change","by":"console","key":"config","old":"%s","new":"%s"'
        app.log.event(members % (app.now_s(), app.config.hash, new_hash), record.CHANGE)


async def _export(app, words, say):
    from firmware.console.export import export

    await export(app, words, say)


async def _format(app, words, say):
    from firmware.console.format import format_region

    await format_region(app, words, say)


async def _clock(app, words, say):
    if len(words) == 2:
        from firmware.console.words import instant_of

        at_s = instant_of(app.config.gateway.zone, *words)
        if not _FIRST_YEAR <= int(words[0][:4]) <= _LAST_YEAR:
            raise CommandError("not now: %s; the year is %d to %d" % (words[0], _FIRST_YEAR, _LAST_YEAR))
        app.time.set_by_hand(at_s)
    elif words:
        raise CommandError("write: clock DATE TIME in local time, such as clock 2026-11-22 14:05:00")
    await say("%s, source %s" % (app.config.gateway.zone.local_text(app.now_s()), app.time.source))


async def _restart(app, words, say):
    await say("restarting")
    app.restart()


COMMANDS = {
    "help": (_help, "", "this list", True),
    "clock": (_clock, "[DATE TIME]", "the local time and its source; set it where there is no time server", False),
    "status": (_status, "", "the gateway at a glance: time, log, network, uplinks, lines", True),
    "lines": (_lines, "", "every line with its counts", False),
    "meters": (_meters, "", "every meter with its newest reading and its counts", False),
    "check": (_check, "METER", "whether a meter's values fit each other: transformers, ratio, voltages", False),
    "raw": (
        _raw,
        "LINE [SETTINGS] HEX [fix] [confirmed]",
        "send bytes and see what comes back",
        False,
    ),
    "read": (
        _read,
        "METER [POINT .. | all]",
        "read a meter now, and see what goes over its line",
        False,
    ),
    "scan": (_scan, "LINE [PROTOCOL ..] [SETTINGS ..] [1..247]", "find the meters on a line, for the configuration", False),
    "config": (_config, "show | check FILE | load FILE", "show it; check a file; check a file and put it in force", True),
    "export": (
        _export,
        "[FROM [TO]] [from seq N] [csv | json]",
        "stored records, local dates; `export binary`: the flash itself",
        True,
    ),
    "format": (_format, "ring | days [confirmed]", "give up what stands in a region of the flash, where it is no ring", True),
    "restart": (_restart, "", "write down what is in memory and start anew", True),
}


async def run_command(app, line, say, safe, on_site=False):
    """Run one typed line. CommandError if there is no such command, or not in safe mode.

    on_site: it was typed at the gateway itself; only then may it be confirmed to do what changes a meter."""
    words = line.split()
    if not words:
        return
    if "confirmed" in words and not on_site:
        raise CommandError("only who stands at the gateway's serial port may confirm")
    if words[0] not in COMMANDS:
        raise CommandError("no command %s; `help` lists them" % words[0])
    function, _, _, in_safe = COMMANDS[words[0]]
    if safe and not in_safe:
        raise CommandError("%s needs the gateway running; `status` says why it is not" % words[0])
    await function(app, words[1:], say)
