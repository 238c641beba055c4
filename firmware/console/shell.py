"""The line editor on the serial port: echo, backspace, one command at a time. Measuring goes on meanwhile."""

import asyncio
import sys

from micropython import const

from firmware.errors import CommandError, ConfigError, MetergateError
from firmware.unload import START_ONLY, unload

_PROMPT = "> "
_MOST_CHARS = const(200)
_BACKSPACE = "\x08\x7f"
# What only commands need, `config check` included.
_ONLY_TYPED = ("firmware.console.commands", "firmware.console.views") + START_ONLY


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

    async def run_shell(self):
        """Read standard input for ever; after its end (a PC without a terminal) there is nothing to do."""
        stream = asyncio.StreamReader(sys.stdin.buffer)
        sys.stdout.write(_PROMPT)
        while True:
            char = await stream.read(1)
            if not char:
                return
            # Bytes beyond ASCII are noise on a serial line.
            if char[0] < 128:
                await self._take(chr(char[0]))

    async def _take(self, char):
        if char in "\r\n":
            if self._echo:
                sys.stdout.write("\r\n")
            line, self._line = self._line, ""
            await self._run(line)
            sys.stdout.write(_PROMPT)
        elif char in _BACKSPACE:
            if self._line:
                self._line = self._line[:-1]
                if self._echo:
                    sys.stdout.write("\x08 \x08")
        elif char >= " " and len(self._line) < _MOST_CHARS:
            self._line += char
            if self._echo:
                sys.stdout.write(char)

    async def _run(self, line):
        if not line.strip():
            return
        try:
            # The commands take 10 KB of a board's heap: they are there only while somebody types them.
            from firmware.console.commands import run_command

            await run_command(self._app, line, self._say, self._safe)
        except MetergateError as error:
            await self._say(words_of(error))
        except MemoryError:
            await self._say("not enough memory for that now; measuring goes on")
        unload(*_ONLY_TYPED)

    async def _say(self, line):
        sys.stdout.write(line + "\n")
        # A long answer must not keep the lines and the uplinks waiting.
        await asyncio.sleep_ms(0)
