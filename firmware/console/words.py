"""Words that a person types, and what they are: lines, settings, dates and times. Loaded when typed."""

from firmware.clock import civil_of_day, day_of_civil
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


def day_of(word):
    """The day number of 2026-11-21. CommandError if that is no date."""
    parts = word.split("-")
    if len(parts) == 3 and all(is_digits(part) and len(part) <= 4 for part in parts):
        civil = tuple(int(part) for part in parts)
        if 1 <= civil[1] <= 12 and civil_of_day(day_of_civil(*civil)) == civil:
            return day_of_civil(*civil)
    raise CommandError("not a date: %s; dates are written 2026-11-21" % word)


def instant_of(zone, date, time_of_day):
    """Unix seconds of a local date and time. CommandError if that is none."""
    midnight_s = zone.midnight_s(day_of(date))
    parts = time_of_day.split(":")
    if len(parts) != 3 or not all(is_digits(p) and len(p) == 2 and int(p) < 60 for p in parts) or int(parts[0]) > 23:
        raise CommandError("not a time: %s; times are written 14:05:00" % time_of_day)
    at_s = midnight_s + int(parts[0]) * 3600 + int(parts[1]) * 60 + int(parts[2])
    # Behind a change of summer time the clock shows more or less than what has passed since midnight.
    return at_s - zone.offset_s(at_s) + zone.offset_s(midnight_s)
