"""`metergate profiles`: the meters that are known, and what each can tell, as tables or as JSON."""

import json

from firmware.console.described import register_text
from firmware.errors import ConfigError
from firmware.meters import points
from firmware.protocols import numbers
from firmware.protocols.payload import decimal_text
from metergate.decode import all_profiles
from metergate.decoded import print_lines

_MEANINGS = {row[0]: row[-1] for row in points.POINTS + points.ABOUT}
# What makes a step of the meter's number larger than the smallest that the map allows.
_GROWS = {"f32": "with the value", "cjt188": "with the meter's unit"}


def main(names, as_json, file):
    """Print all profiles, or those of these names with every point. ConfigError if there is none of a name."""
    found = all_profiles(file)
    for name in names:
        if name not in found:
            raise ConfigError("profile " + name, "is not known; there are: " + ", ".join(sorted(found)))
    chosen = [found[name] for name in names] or [found[name] for name in sorted(found)]
    if as_json:
        text = json.dumps([_as_dict(profile) for profile in chosen], indent=1)
    elif names:
        text = "\n\n".join(_whole(profile) for profile in chosen)
    else:
        text = _short(chosen)
    print_lines(text.split("\n"))
    return 0


def resolution_of(profile, row):
    """(the smallest step of a point as decimal text, what makes it larger); None for what is no number, and for no growth."""
    _, _, form, unit, decimals, _ = row
    if not unit:
        return None, None
    if profile.protocol == "modbus":
        # Of the number 0: with f32 a step is then smaller than any.
        parsed = numbers.form_of(form)
        step = numbers.step_of(bytes(2 * parsed[0]), 0, parsed, decimals)
        return decimal_text(step, decimals), _GROWS.get(form[:3])
    if profile.protocol == "cjt188":
        return decimal_text(1, decimals), _GROWS["cjt188"]
    return (decimal_text(1, decimals) if form.startswith("bcd") else None), None


def _as_dict(profile):
    found = {"profile": profile.name, "model": profile.model, "protocol": profile.protocol, "settings": profile.settings}
    found |= {"on_battery": profile.on_battery, "reads_per_day": profile.reads_per_day or None}
    if profile.protocol == "modbus":
        found |= {"function": profile.function, "about_function": profile.about_function}
    return found | {
        "default": list(profile.default),
        "points": [_point(profile, row) for row in profile.points],
        "source": profile.source,
    }


def _point(profile, row):
    name, register, form, unit, decimals, klass = row
    resolution, grows = resolution_of(profile, row)
    return {
        "name": name,
        "register": register_text(profile.protocol, register),
        "form": form,
        "unit": unit,
        "decimals": decimals,
        "resolution": resolution,
        "resolution_grows": grows,
        "class": klass,
        "default": name in profile.default,
        "meaning": _MEANINGS.get(name, ""),
    }


# -- text -------------------------------------------------------------------------------------------------------------


def _short(chosen):
    """Each profile's line, and under it its points with unit and resolution, and its source."""
    lines = _table([("profile", "model", "protocol", "settings", "reads a day"), *(_head(profile) for profile in chosen)])
    shown = lines[:1]
    for line, profile in zip(lines[1:], chosen, strict=True):
        shown += [line, "    source: " + profile.source]
        shown += _wrapped([_point_text(profile, row) for row in profile.points], "    points: ")
    shown += ["", "* read unless the configuration names others. Resolution: the smallest step the meter's number allows;"]
    shown += ["  f32 and .. : it grows with the value, or with the meter's own unit. `metergate profiles NAME` has it all."]
    return "\n".join(shown)


def _head(profile):
    return profile.name, profile.model, profile.protocol, profile.settings, _reads(profile)


def _reads(profile):
    return f"{profile.reads_per_day} (battery)" if profile.on_battery else "any"


def _point_text(profile, row):
    mark = "*" if row[0] in profile.default else ""
    return " ".join(part for part in (row[0] + mark, _resolution(profile, row), _unit(row)) if part)


def _unit(row):
    return "" if row[3] == "1" else row[3]


def _resolution(profile, row):
    step, grows = resolution_of(profile, row)
    return (step or "") + (".." if grows else "")


_WIDTH = 120


def _wrapped(words, begin):
    """Lines of words with commas between, not longer than a wide terminal."""
    lines = [begin]
    for i, word in enumerate(words):
        word += "," if i + 1 < len(words) else ""
        if len(lines[-1]) + len(word) > _WIDTH:
            lines.append(" " * len(begin))
        lines[-1] += word + " "
    return [line.rstrip() for line in lines]


def _whole(profile):
    """A profile with a line for each point."""
    modbus = profile.protocol == "modbus"
    facts = [
        ("model", profile.model),
        ("protocol", profile.protocol),
        ("settings", profile.settings),
        ("reads a day", _reads(profile)),
        ("functions", f"{profile.function:02X}, about: {profile.about_function:02X}" if modbus else ""),
        ("source", profile.source),
    ]
    head = ("point", "register", "form", "unit", "decimals", "resolution", "class", "meaning")
    rows = [
        (
            ("* " if row[0] in profile.default else "  ") + row[0],
            register_text(profile.protocol, row[1]),
            row[2],
            row[3],
            str(row[4]),
            _resolution(profile, row).replace("..", " grows " + (resolution_of(profile, row)[1] or "")),
            row[5],
            _MEANINGS.get(row[0], ""),
        )
        for row in profile.points
    ]
    lines = [profile.name, *(f"  {name:<12}{text}" for name, text in facts if text), ""]
    return "\n".join(
        lines + _table([("  " + head[0], *head[1:]), *rows]) + ["", "* read unless the configuration names others"]
    )


def _table(rows):
    """Lines with the columns one under the other, two spaces between."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
