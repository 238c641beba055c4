"""The line editor on the serial port: echo, backspace, one command at a time. Measuring goes on meanwhile.

While a command runs, Ctrl-C is a key like others and ends only the command; else it is MicroPython's, for mpremote.
"""

import asyncio
import sys

import micropython
from micropython import const

from firmware.errors import CommandError, ConfigError, MetergateError
from firmware.unload import START_ONLY, unload

_PROMPT = "> "
_MOST_CHARS = const(200)
# Written without a turn for the other tasks: 11 ms at 115200 baud, which the driver of a line stands. It is what an ESP32's
# UART takes at once, and sends while the others have their turn.
_MOST_AT_ONCE = const(128)
_BACKSPACE = "\x08\x7f"
_CTRL_C = const(3)
# Of quick commands nobody wants an end: what is typed so soon is the next one's.
_QUICK_MS = const(300)
# Who has ended a command has often pressed Ctrl-C twice.
_AGAIN_MS = const(500)
# What only commands need, `config check` included.
_ONLY_TYPED = (
    "firmware.console.commands",
    "firmware.console.views",
    "firmware.console.onsite",
    "firmware.console.words",
    "firmware.console.export",
    "firmware.console.exportrecords",
    "firmware.console.exportblocks",
    "firmware.console.format",
    "firmware.console.raw",
    "firmware.console.scan",
    "firmware.meters.scan",
    "firmware.meters.finds",
    "firmware.meters.apart",
    "firmware.meters.scan_modbus",
    "firmware.meters.scan_dlt645",
    "firmware.meters.scan_cjt188",
    "firmware.meters.guess",
    "firmware.meters.examine",
    "firmware.meters.plausible",
    "firmware.meters.moved",
    "firmware.protocols.hearing",
    "firmware.protocols.typed",
    "firmware.bus.watch",
)


def words_of(error):
    """One line a person can act on."""
    if isinstance(error, ConfigError):
        return "%s %s" % (error.key, error.allowed)
    if isinstance(error, CommandError):
        return error.args[0]
    return "%s: %s" % (type(error).__name__, " ".join(str(arg) for arg in error.args))


class Shell:
    """Shell(app, echo, safe): echo is False where a terminal driver echoes and edits itself, as on a PC."""

    def __init__(self, app, echo, safe=False):
        self._app = app
        self._echo = echo
        self._safe = safe
        self._line = ""
        # The key before: a terminal may send both ends of a line.
        self._last = ""
        self._is_stopped = False
        # On a PC it is the terminal's driver that makes Ctrl-C a signal.
        self._kbd_intr = getattr(micropython, "kbd_intr", None) if echo else None

    async def run_shell(self):
        """Read standard input for ever; after its end (a PC without a terminal) there is nothing to do."""
        stream = asyncio.StreamReader(sys.stdin.buffer)
        sys.stdout.write(_PROMPT)
        while True:
            char = await self._key(stream)
            if not char:
                return
            line = self._take(char)
            if line is not None:
                await self._run(line, stream)
                sys.stdout.write(_PROMPT)

    async def _key(self, stream):
        """The next key as text, "" at the end of the input. The second end of a line, and what is no ASCII, is none."""
        while True:
            char = await stream.read(1)
            if not char:
                return ""
            # Bytes beyond ASCII are noise on a serial line.
            if char[0] < 128:
                last, self._last = self._last, chr(char[0])
                if not (self._last == "\n" and last == "\r"):
                    return self._last

    def _take(self, char):
        """Put a key into the line; the line if that was its end, else None."""
        if char in "\r\n":
            self._write("\r\n")
            line, self._line = self._line, ""
            return line
        if char in _BACKSPACE:
            if self._line:
                self._line = self._line[:-1]
                self._write("\x08 \x08")
        elif char >= " " and len(self._line) < _MOST_CHARS:
            self._line += char
            self._write(char)

    def _write(self, text):
        if self._echo:
            sys.stdout.write(text)

    # -- a command -----------------------------------------------------------------------------------------------

    async def _run(self, line, stream):
        """Run a command as a task of its own, which keys may end."""
        if not line.strip():
            return
        self._is_stopped = False
        task = asyncio.create_task(self._command(line))
        keys = asyncio.create_task(self._stop_by_key(stream, task))
        if self._kbd_intr:
            self._kbd_intr(-1)
        try:
            await task
        except asyncio.CancelledError:
            if not self._is_stopped:
                raise
            await self._say("stopped")
            await asyncio.sleep_ms(_AGAIN_MS)
        finally:
            keys.cancel()
            if self._kbd_intr:
                self._kbd_intr(_CTRL_C)
            unload(*_ONLY_TYPED)
            unload(*START_ONLY)

    async def _stop_by_key(self, stream, task):
        """End the task at Ctrl-C or Enter; other keys are dropped."""
        await asyncio.sleep_ms(_QUICK_MS)
        while True:
            char = await self._key(stream)
            if not char:
                return
            if char in "\x03\r\n":
                self._is_stopped = True
                task.cancel()
                return

    async def _command(self, line):
        try:
            # The commands take 10 KB of a board's heap: they are there only while somebody types them.
            from firmware.console.commands import run_command

            await run_command(self._app, line, self._say, self._safe, True)
        except MetergateError as error:
            await self._say(words_of(error))
        except MemoryError:
            await self._say("not enough memory for that now; measuring goes on")

    async def _say(self, line, end="\n"):
        # A board waits until it is written: a long answer must not keep the lines and the uplinks waiting.
        while len(line) > _MOST_AT_ONCE:
            sys.stdout.write(line[:_MOST_AT_ONCE])
            line = line[_MOST_AT_ONCE:]
            await asyncio.sleep_ms(0)
        sys.stdout.write(line + end)
        await asyncio.sleep_ms(0)
