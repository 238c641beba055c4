"""Runs boot.py and main.py, unchanged, on a PC's MicroPython: micropython tests/sim/gateway.py BOARD_FOLDER

The folder is the board's file system: config.json, secrets.json, CA files; sim.json says what the simulated ports are.
"""

import os
import sys


def _root():
    """The project's folder, absolute, from the way this file was called."""
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    here = os.getcwd()
    os.chdir(folder + "/../..")
    root = os.getcwd()
    os.chdir(here)
    return root


def _forget():
    """What a reset clears: the firmware's modules."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("boot", "main", "firmware"):
            del sys.modules[name]


def main(folder):
    root = _root()
    sys.path[:] = ["", root + "/tests/sim/ports", ".frozen", root, root + "/lib"]
    os.chdir(folder)
    import asyncio

    import machine

    while True:
        try:
            if machine.settings().get("as_board"):
                __import__("firmware.board").board.on_pc = False
            __import__("boot")
            __import__("main")
            return
        except SystemExit as end:
            if end.args[:1] != ("reset",):
                raise
        _forget()
        asyncio.new_event_loop()
        machine._cause = machine.HARD_RESET


main(sys.argv[1])
