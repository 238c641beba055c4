"""The running gateway's console behind a serial port, as a program talks to it: measuring goes on meanwhile."""

import binascii
import re
import time

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from metergate.image import BLOCK

_BAUD = 115200
# So long nothing comes while something is due: a unit that erases, connects and sends takes a second.
_SILENT_S = 10
# So long nothing comes behind a prompt that is the last.
_QUIET_S = 0.6
_PROMPT_S = 15
_PROMPT_LOST_S = 3
# Takes back what is typed on the line: as many characters as the console takes.
_CLEAR = b"\x7f" * 200
_HEAD = re.compile(r"# (?:ring|days), (\d+) blocks of (\d+) bytes$")
_PYTHON = "the gateway does not run on {}: MicroPython's own prompt is there; Ctrl-D in `make repl` starts it"
_NOBODY = "no gateway answers on {}: is it this port, and does it run? No other program may use it"


class UnitError(RuntimeError):
    """args: (what_to_do,): one line for the person at the cable."""


class Unit:
    """Unit(port): its console, from prompt to prompt. UnitError from each method where nobody answers as a gateway does.

    Opening the port neither stops nor restarts it. n_blocks: of the region that was asked for last."""

    def __init__(self, port):
        self.n_blocks = 0
        self._port = port
        self._text = ""
        try:
            # Its ways with DTR and RTS keep boards from being reset; its raw REPL, which stops the gateway, is not entered.
            self._serial = SerialTransport(port, _BAUD).serial
        except TransportError:
            raise UnitError(f"{port} cannot be opened: is the name right, and no other program using it?") from None
        self._run(self._begin)

    def close(self):
        self._serial.close()

    def stop(self):
        """End what the console is doing, without waiting for it."""
        self._run(lambda: self._serial.write(b"\r"))

    def blocks(self, words=""):
        """(number, bytes, or None for one that is wholly erased) of each line of `export binary ..` that came whole.

        The console is at its prompt again when it ends; it may end early."""
        yield from self._run_each(self._blocks("export binary " + words))

    # -- one level down ---------------------------------------------------------------------------------------------------

    def _run(self, function):
        try:
            return function()
        except OSError:
            raise UnitError(f"the connection to {self._port} broke off: check the cable, then again with --resume") from None

    def _run_each(self, found):
        while True:
            try:
                yield self._run(lambda: next(found))
            except StopIteration:
                return

    def _take(self, seconds):
        """What comes within so many seconds, as soon as something does; "" if nothing does."""
        self._serial.timeout = seconds
        data = self._serial.read(self._serial.in_waiting or 1)
        # What is no ASCII is noise, and stays visible as such.
        text = data.decode("latin-1")
        self._text += text
        return text

    def _begin(self):
        """End what runs, if anything does, and come to an empty line behind a prompt."""
        until = time.monotonic() + _PROMPT_S
        n_chars = 0
        while time.monotonic() < until:
            self._serial.write(_CLEAR + b"\r")
            while time.monotonic() < until and (text := self._take(_QUIET_S)):
                n_chars += len(text)
                # A command that was left running: it may go on for minutes, unless the key is pressed once more.
                if n_chars > 2000:
                    n_chars = 0
                    self._serial.write(b"\r")
                self._text = self._text[-200:]
            if self._text.endswith(">>> "):
                raise UnitError(_PYTHON.format(self._port))
            if self._text.endswith("> "):
                self._text = ""
                return
        raise UnitError(_NOBODY.format(self._port))

    def _line(self, is_over):
        """The next line without its end; None if a prompt stands there and nothing behind it. is_over: a prompt comes next."""
        quiet_s = 0
        while "\n" not in self._text:
            if self._text == "> " and (is_over or quiet_s >= _QUIET_S):
                return None
            # The prompt itself may have come broken.
            if is_over and quiet_s >= _PROMPT_LOST_S:
                return None
            if quiet_s >= _SILENT_S:
                raise UnitError(f"the unit went silent: check the cable at {self._port}, then again with --resume")
            quiet_s = 0 if self._take(_QUIET_S) else quiet_s + _QUIET_S
        line, _, self._text = self._text.partition("\n")
        return line.rstrip("\r")

    def _blocks(self, command):
        self._serial.write(command.encode() + b"\r")
        is_begun, is_over, said = False, False, ""
        while (line := self._line(is_over)) is not None:
            head, found = _HEAD.match(line), block_of(line)
            is_over = line.startswith("# end")
            is_begun = is_begun or is_over or head or found
            if head:
                self.n_blocks = int(head[1])
                if int(head[2]) != BLOCK:
                    raise UnitError(f"the unit's blocks have {head[2]} bytes, not {BLOCK}")
            elif found:
                yield found
            elif command.strip() not in line:
                said = line.removeprefix("> ") or said
        self._text = ""
        if not is_begun:
            raise UnitError(f"the unit does not export: it says `{said}`" if said else _NOBODY.format(self._port))


def block_of(line):
    """(number, bytes or None) of a line of `export binary`; None if it is broken, or something else."""
    words = line.split(" ")
    if not words[0].isdecimal() or not words[0].isascii():
        return None
    if words[1:] == ["-"]:
        return int(words[0]), None
    if len(words) != 3 or not re.fullmatch("[0-9a-f]{8}", words[2]):
        return None
    try:
        data = binascii.a2b_base64(words[1], strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    return (int(words[0]), data) if binascii.crc32(data) == int(words[2], 16) else None
