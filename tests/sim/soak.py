"""Months of the unchanged firmware in virtual time: micropython tests/sim/soak.py RUN_FOLDER MODULES_FOLDER [BOARD_ROOT]

RUN_FOLDER holds run.json (what there is), plan.txt (what happens) and board/ (the board's file system); the run
writes trace.txt, heap.txt and ring.bin there. MODULES_FOLDER holds MicroPython's own asyncio/;
BOARD_ROOT the firmware that runs, if it is not this project's.
tools/metergate/soak.py makes the first and checks the second.
"""

import json
import os
import sys


def _root():
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    here = os.getcwd()
    os.chdir(folder + "/../..")
    root = os.getcwd()
    os.chdir(here)
    return root


class _Nothing:
    """Stands for the C module _asyncio, which reads the real clock: without TaskQueue, asyncio takes its own in Python."""


def _enter(folder, modules, board_root=None):
    """Set the path and the modules so that the firmware finds the virtual ports."""
    root = _root()
    board_root = board_root or root
    sys.path[:] = ["", root + "/tests/sim/virtual", modules, board_root, root, board_root + "/lib"]
    os.chdir(folder)
    sys.modules["_asyncio"] = _Nothing()
    for name in ("time", "os", "select", "socket", "tls", "gc"):
        # Some ports look at their own modules before the path.
        sys.modules[name] = getattr(__import__("tests.sim.virtual." + name).sim.virtual, name)


_enter(*sys.argv[1:])

from tests.sim.bed import Bed  # noqa: E402


def main():
    with open("run.json") as file:
        settings = json.load(file)
    bed = Bed(settings)
    os.chdir("board")
    bed.run()
    print("done")


main()
