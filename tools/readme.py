"""Writes the tables of README.md and SPEC.md that the code knows better: python tools/readme.py [--check]

A table stands between `<!-- NAME: generated -->` and `<!-- end -->`. --check writes nothing; the exit status is 1 if a
table differs from the code.
"""

import json
import re
import sys

from metergate.onpc import ROOT

# What a point name means in every profile: SPEC.md's wording. A name without one is refused.
MEANINGS = {
    "voltage_l1": "voltage of phase 1 to neutral",
    "voltage_l2": "voltage of phase 2 to neutral",
    "voltage_l3": "voltage of phase 3 to neutral",
    "current_l1": "current of phase 1",
    "current_l2": "current of phase 2",
    "current_l3": "current of phase 3",
    "power": "active power of all phases",
    "power_l1": "active power of phase 1",
    "power_l2": "active power of phase 2",
    "power_l3": "active power of phase 3",
    "reactive_power": "reactive power of all phases",
    "apparent_power": "apparent power of all phases",
    "power_factor": "power factor of all phases",
    "frequency": "frequency",
    "energy_import": "active energy taken, as the meter displays it",
    "energy_export": "active energy given back, as the meter displays it",
    "energy_total": "active energy taken and given back, as the meter displays it",
}


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
    """One row for each point name, with the profiles that have it. ValueError if a name has two units, or no meaning."""
    from firmware.meters.profiles import PROFILES

    found = {}
    for profile in PROFILES:
        for name, _, _, unit, decimals, klass in PROFILES[profile][5]:
            kept = found.setdefault(name, (unit, klass, []))
            if kept[:2] != (unit, klass):
                raise ValueError(f"point {name} has two units or two classes")
            kept[2].append(f"`{profile}` {decimals}")
    apart = set(found) ^ set(MEANINGS)
    if apart:
        raise ValueError(f"profiles and MEANINGS in tools/readme.py differ in {', '.join(sorted(apart))}")
    rows = [(f"`{name}`", found[name][0], found[name][1], text, ", ".join(found[name][2])) for name, text in MEANINGS.items()]
    return _table(("point", "unit", "class", "meaning", "profile and decimals"), rows)


def _table(heads, rows):
    """Lines of a Markdown table."""
    return [_row(heads), _row(["---"] * len(heads)), *(_row(row) for row in rows)]


def _row(cells):
    return "| %s |" % " | ".join(cell.replace("|", "\\|") for cell in cells)


TABLES = (  # file, name in its marker, function that gives its lines
    ("README.md", "configuration keys", configuration_keys),
    ("README.md", "console commands", console_commands),
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
