"""Words that a person types, and what they are: lines, settings. Loaded when typed."""

from firmware.errors import CommandError
from firmware.texts import is_digits, parse_settings

# What stands between the data bits and the stop bits: 8N1.
_PARITIES = ("N", "E", "O")


def line_of(app, name):
    """The line of that name. CommandError if there is none."""
    for line in app.lines:
        if line.name == name:
            return line
    raise CommandError("no line %s; lines are: %s" % (name, ", ".join(line.name for line in app.lines) or "none"))


def settings_at(words, i):
    """The settings that words[i] and the next one are, or None. CommandError if they are meant as such and are not."""
    if len(words) < i + 2 or not is_digits(words[i]) or len(words[i + 1]) != 3 or words[i + 1][1] not in _PARITIES:
        return None
    try:
        return parse_settings(" ".join(words[i : i + 2]))
    except ValueError:
        raise CommandError("no settings: %s %s; they are written 9600 8N1" % (words[i], words[i + 1]))
