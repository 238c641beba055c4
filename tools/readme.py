"""Writes the tables of README.md and SPEC.md that the code knows better: python tools/readme.py [--check]

A table stands between `<!-- NAME: generated -->` and `<!-- end -->`. --check writes nothing; the exit status is 1 if a
table differs from the code.
"""

import json
import re
import sys

from metergate.onpc import ROOT


def configuration_keys():
    """One row for each key of the schema, then the bounds of the lists."""
    from firmware.config import LISTS, REQUIRED, SCHEMA, SECRET, says

    rows = []
    for key, kind, allowed, default, text in SCHEMA:
        shown = "required" if default is REQUIRED else f"`{json.dumps(default)}`"
        place = " (in `secrets.json`)" if kind is SECRET else ""
        rows.append((f"`{key}`", says(kind, allowed), shown, text + place))
    bounds = ", ".join(f"`{name}` {least}..{most}" for name, least, most in LISTS)
    return [*_table(("key", "allowed", "default", "meaning"), rows), "", f"Sections in a list: {bounds}."]


def console_commands():
    """One row for each command of the console."""
    from firmware.console.commands import COMMANDS

    rows = []
    for name, (_, arguments, text, in_safe_mode) in sorted(COMMANDS.items()):
        rows.append((f"`{(name + ' ' + arguments).strip()}`", text, "yes" if in_safe_mode else ""))
    return _table(("command", "what it does", "in safe mode"), rows)


def points():
    """One row for each point name, with the profiles that have it. ValueError if a profile has one that is not canonical."""
    from firmware.meters import profiles
    from firmware.meters.points import ABOUT, POINTS

    found = {row[0]: (row[1], row[2], row[3], {}) for row in POINTS}
    found |= {name: (unit, profiles.ABOUT, meaning, {}) for name, unit, meaning in ABOUT}
    for profile in profiles.names():
        for name, _, _, unit, decimals, klass in profiles.profile_of(profile).points:
            if found[name][:2] != (unit, klass):
                raise ValueError(f"{profile}: {name} has another unit or class than elsewhere")
            found[name][3].setdefault(decimals, []).append(f"`{profile}`")
    unused = [name for name in found if not found[name][3]]
    if unused:
        raise ValueError(f"no profile has {', '.join(unused)}")
    rows = []
    for name, (unit, klass, meaning, where) in found.items():
        by_decimals = "; ".join(f"{decimals}: {', '.join(where[decimals])}" for decimals in sorted(where))
        rows.append((f"`{name}`", unit, klass, meaning, by_decimals))
    return _table(("point", "unit", "class", "meaning", "decimals: profiles"), rows)


def profiles():
    """One row for each profile."""
    from firmware.meters import profiles as tables

    rows = []
    for name in tables.names():
        found = tables.profile_of(name)
        per_day = str(found.reads_per_day or "")
        n = len(found.readable())
        points = f"{', '.join(f'`{point}`' for point in found.default)}; {n} in all"
        rows.append((f"`{name}`", found.model, f"`{found.protocol}`", found.settings, points, per_day))
    return _table(("profile", "instrument", "protocol", "usual settings", "points", "reads a day"), rows)


def _table(heads, rows):
    """Lines of a Markdown table."""
    return [_row(heads), _row(["---"] * len(heads)), *(_row(row) for row in rows)]


def _row(cells):
    return "| %s |" % " | ".join(cell.replace("|", "\\|") for cell in cells)


TABLES = (  # file, name in its marker, function that gives its lines
    ("README.md", "configuration keys", configuration_keys),
    ("README.md", "console commands", console_commands),
    ("README.md", "profiles", profiles),
    ("SPEC.md", "points", points),
)


def with_table(text, name, lines):
    """The text with the lines in the place that the markers give. ValueError if it has no such place."""
    marked = re.compile(f"(<!-- {name}: generated -->\n).*?(<!-- end -->)", re.DOTALL)
    if len(marked.findall(text)) != 1:
        raise ValueError(f"one place `<!-- {name}: generated -->` .. `<!-- end -->` is needed")
    return marked.sub(lambda found: found[1] + "\n" + "\n".join(lines) + "\n\n" + found[2], text)


def main(arguments):
    differing = []
    for file, name, lines in TABLES:
        path = ROOT / file
        text = path.read_text(encoding="utf-8")
        try:
            new = with_table(text, name, lines())
        except ValueError as error:
            print(f"{file}: {error}")
            return 1
        if new != text:
            differing.append(f"{file}: {name}")
            if arguments != ["--check"]:
                path.write_text(new, encoding="utf-8")
    if arguments != ["--check"]:
        print("\n".join(f"{what}: written" for what in differing) or "tables are as the code says")
        return 0
    print("\n".join(f"{what}: differs from the code; python tools/readme.py writes it" for what in differing) or "tables agree")
    return 1 if differing else 0


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("python tools/readme.py [--check]")
    sys.exit(main(sys.argv[1:]))
