"""Runs boot.py and main.py, unchanged, on a PC's MicroPython: micropython tests/sim/gateway.py BOARD_FOLDER [ROOT]

The folder is the board's file system: config.json, secrets.json, CA files; sim.json says what the simulated ports are.
ROOT is where the firmware comes from, when that is not the project; a twin then takes the ports that are frozen in it.
"""

import os
import sys
import time

# An ESP32's UART takes so many bytes at once.
_FIFO_BYTES = 128


def _root():
    """The project's folder, absolute, from the way this file was called."""
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    here = os.getcwd()
    os.chdir(folder + "/../..")
    root = os.getcwd()
    os.chdir(here)
    return root


class _Console:
    """Stands for sys in the shell: standard output as a board's, which waits until all is in the UART that sends it.

    What it sends at a baud rate the PC has at once."""

    def __init__(self, baud):
        self.stdin = sys.stdin
        self.stdout = self
        self._char_us = 10000000 // baud
        self._sent_us = time.ticks_us()

    def write(self, text):
        now_us = time.ticks_us()
        if time.ticks_diff(self._sent_us, now_us) < 0:
            self._sent_us = now_us
        self._sent_us = time.ticks_add(self._sent_us, len(text) * self._char_us)
        rest_us = time.ticks_diff(self._sent_us, now_us) - _FIFO_BYTES * self._char_us
        if rest_us > 0:
            time.sleep_us(rest_us)
        sys.stdout.write(text)


def _forget():
    """What a reset clears: the firmware's modules."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("boot", "main", "firmware"):
            del sys.modules[name]


def main(folder, root=None):
    project = _root()
    ports = [".frozen/simulated"] if root else []
    ours = root or project
    # The project comes last too: the ports import from it.
    sys.path[:] = [""] + ports + [project + "/tests/sim/ports", ".frozen", ours, ours + "/lib", project]
    os.chdir(folder)
    import asyncio

    import machine

    if "tls" in machine.settings():
        from simtls import SimulatedTls

        sys.modules["tls"] = SimulatedTls(**machine.settings()["tls"])
    while True:
        try:
            if machine.settings().get("as_board"):
                __import__("firmware.board").board.on_pc = False
            if "console_baud" in machine.settings():
                __import__("firmware.console.shell").console.shell.sys = _Console(machine.settings()["console_baud"])
            __import__("boot")
            __import__("main")
            return
        except SystemExit as end:
            if end.args[:1] != ("reset",):
                raise
        _forget()
        asyncio.new_event_loop()
        machine._cause = machine.HARD_RESET


main(*sys.argv[1:])
