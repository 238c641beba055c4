"""`export`: the log's records as CSV or JSON lines, or the flash's blocks as they are. Loaded when typed.

A PC makes the same lines from an image. Formats: SPEC.md, "Export".
"""

from firmware.console.exportrecords import LATEST_S, RECORD, TURN, Export
from firmware.console.words import day_of, instant_of
from firmware.errors import CommandError
from firmware.texts import is_digits

_USAGE = "write: export [FROM [TO]] [from seq N] [csv | json], dates such as 2026-11-21 or 2026-11-21 14:05:00"


async def export(app, words, say):
    if words and words[0] == "binary":
        from firmware.console.exportblocks import export_blocks

        await export_blocks(app, words[1:], say)
        return
    if app.log is None:
        raise CommandError("safe mode: nothing but `export binary`; a PC reads the records from that")
    words = list(words)
    form = words.pop() if words and words[-1] in ("csv", "json") else "csv"
    behind = _behind(words)
    first_s, last_s = range_of(app.config.gateway.zone, words)
    for kind, line in Export(app.ring, form, first_s, last_s, behind).lines():
        if kind == TURN:
            await say("", "")
        else:
            await say(line if kind == RECORD else "# " + line)


def _behind(words):
    """The seq before the N of `from seq N`, which is taken out of the words; 0 if it is not there."""
    if "from" not in words:
        return 0
    i = words.index("from")
    if len(words) < i + 3 or words[i + 1] != "seq" or not is_digits(words[i + 2]):
        raise CommandError(_USAGE)
    n = int(words[i + 2])
    del words[i : i + 3]
    return max(0, n - 1)


def range_of(zone, words):
    """(first, last) Unix seconds of FROM and TO, local dates or dates and times, a list of words; any may be missing."""
    first_s, last_s, rest = 0, LATEST_S, words
    if rest:
        first_s, _, rest = span_of(zone, rest)
    if rest:
        _, last_s, rest = span_of(zone, rest)
    if rest:
        raise CommandError(_USAGE)
    if first_s > last_s:
        raise CommandError("TO is before FROM")
    return first_s, last_s


def span_of(zone, words):
    """(first, last) Unix seconds of the local day or second that words begin with, and the words behind it."""
    if len(words) > 1 and ":" in words[1]:
        at_s = instant_of(zone, words[0], words[1])
        return at_s, at_s, words[2:]
    day = day_of(words[0])
    return zone.midnight_s(day), zone.midnight_s(day + 1) - 1, words[1:]
