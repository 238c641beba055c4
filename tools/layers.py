"""Checks that the firmware's imports run one way, and that hardware and third-party modules are imported in one place.

Exit status 1 with one line per breach. The order is DESIGN.md's.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Lowest first: a room may import itself and the rooms before it.
ROOMS = ("errors", "clock", "config", "protocols", "bus", "meters", "store", "uplink", "plan", "console", "app")
# Modules beside the rooms, and the room they count as.
BESIDE = {
    "board": "errors",
    "starts": "errors",
    "strictjson": "errors",
    "texts": "errors",
    "unload": "errors",
    "gateway": "app",
    "supervisor": "errors",
    "forms": "config",
    "posixtz": "clock",
    "": "errors",
}
# Names that only these files may import.
ONLY = {
    "machine": ("firmware/board.py",),
    "network": ("firmware/board.py",),
    "esp32": ("firmware/board.py",),
    "rp2": ("firmware/board.py",),
    "umqtt": ("firmware/uplink/codec.py",),
    "umodbus": ("firmware/protocols/modbus.py",),
    "tls": ("firmware/uplink/session.py",),
    "firmware.board": ("firmware/app.py", "boot.py"),
}
# Who may import whom across the order: store and meters meet in protocols.record, uplink knows no bus.
APART = {("store", "meters"), ("store", "bus"), ("uplink", "bus"), ("uplink", "meters"), ("protocols", "clock")}


def room_of(module):
    """'store' of 'firmware.store.ring'; None of what is not the firmware's."""
    parts = module.split(".")
    if parts[0] != "firmware":
        return None
    name = parts[1] if len(parts) > 1 else ""
    return BESIDE.get(name, name)


def imports_of(path):
    """(line, dotted module) of every import; `from a import b` gives a.b where that is a module of ours."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                dotted = f"{node.module}.{name.name}"
                is_module = (ROOT / dotted.replace(".", "/")).with_suffix(".py").exists()
                is_package = (ROOT / dotted.replace(".", "/")).is_dir()
                yield node.lineno, dotted if is_module or is_package else node.module


def breaches(path):
    """One line of text for each import in the file that breaks a rule."""
    name = path.relative_to(ROOT).as_posix()
    here = room_of(name[:-3].replace("/", "."))
    for line, module in imports_of(path):
        for only, files in ONLY.items():
            if (module == only or module.startswith(only + ".")) and name not in files:
                yield f"{name}:{line}: {only} is imported by {', '.join(files)} alone"
        there = room_of(module)
        if here in ROOMS and there in ROOMS:
            if ROOMS.index(there) > ROOMS.index(here):
                yield f"{name}:{line}: {here} must not import {there}"
            if (here, there) in APART:
                yield f"{name}:{line}: {here} and {there} are apart"


def main():
    found = []
    for path in [*sorted((ROOT / "firmware").rglob("*.py")), ROOT / "boot.py", ROOT / "main.py"]:
        found += breaches(path)
    print("\n".join(found) or "imports run downward")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
