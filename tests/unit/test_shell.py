"""shell: keys into lines, one command at a time, and its end by a key; Ctrl-C is a key only while a command runs."""

import asyncio

from memory import raised

from firmware.console import shell as shell_module
from firmware.console.shell import Shell

_ROUND_MS = 10


class _Keys:
    """Standard input: what is typed at which ms, one key at a time; its end when all are typed and end_ms has come."""

    def __init__(self, world, typed, end_ms):
        self.world = world
        self.typed = [(at_ms, char) for at_ms, text in typed for char in text]
        self.end_ms = end_ms

    async def read(self, n):
        while True:
            if self.typed and self.typed[0][0] <= self.world.ms:
                return self.typed.pop(0)[1].encode()
            if not self.typed and self.world.ms >= self.end_ms:
                return b""
            await asyncio.sleep(0)


class _World:
    """Stands for asyncio, sys and micropython in shell.py: its own time, a round of all tasks is 10 ms."""

    CancelledError = asyncio.CancelledError

    def __init__(self, typed, end_ms):
        self.ms = 0
        self.stdin = self.stdout = self.buffer = self
        self.keys = _Keys(self, typed, end_ms)
        self.shown = ""
        self.ctrl_c = []
        self.create_task = asyncio.create_task

    def StreamReader(self, buffer):
        return self.keys

    def write(self, text):
        self.shown += text

    def kbd_intr(self, char):
        self.ctrl_c.append((self.ms, char))

    async def sleep_ms(self, ms):
        until_ms = self.ms + ms
        while True:
            await asyncio.sleep(0)
            if self.ms >= until_ms:
                return

    async def run(self, shell):
        task = asyncio.create_task(shell.run_shell())
        while not task.done():
            self.ms += _ROUND_MS
            assert self.ms < 100000, "never ends"
            await asyncio.sleep(0)
        await task


class _Shell(Shell):
    """Its commands: `say TEXT`, `wait MS`, `break`. ended: [(line, "done" or "cancelled"), ..]"""

    def __init__(self, world, echo):
        super().__init__(None, echo)
        self.world = world
        self.ended = []

    async def _command(self, line):
        words = line.split()
        try:
            if words[0] == "say":
                await self._say(words[1])
            elif words[0] == "wait":
                await self.world.sleep_ms(int(words[1]))
            else:
                raise ValueError("a fault of the program")
            self.ended.append((line, "done"))
        except asyncio.CancelledError:
            self.ended.append((line, "cancelled"))
            raise


def _run(typed, echo=True, end_ms=0):
    """(what was shown, the shell, the world) after these keys: [(at_ms, text), ..]."""
    world = _World(typed, end_ms or max([at_ms for at_ms, _ in typed]) + 3000)
    real = shell_module.asyncio, shell_module.sys, shell_module.micropython
    shell_module.asyncio = shell_module.sys = shell_module.micropython = world
    try:
        shell = _Shell(world, echo)
        asyncio.run(world.run(shell))
    finally:
        shell_module.asyncio, shell_module.sys, shell_module.micropython = real
    return world.shown, shell, world


def test_a_line_is_run_and_the_prompt_comes_again():
    assert _run([(0, "say hello\n")], echo=False)[0] == "> hello\n> "
    assert _run([(0, "say hello\r")])[0] == "> say hello\r\nhello\n> "


def test_backspace_takes_back_and_noise_is_no_key():
    shown, shell, _ = _run([(0, "say ab\x7f\x08xy\x00\x03\x1b\n")])
    assert shell.ended == [("say xy", "done")]
    assert "\x08 \x08" in shown


def test_a_line_of_no_end_is_cut():
    _, shell, _ = _run([(0, "say " + "x" * 1000 + "\n")])
    assert len(shell.ended[0][0]) == 200


def test_lines_typed_one_behind_another_are_all_run():
    _, shell, _ = _run([(0, "say a\nsay b\nwait 50\nsay c\n")])
    assert [line for line, how in shell.ended if how == "done"] == ["say a", "say b", "wait 50", "say c"]


def test_both_ends_of_a_line_are_one():
    shown, shell, _ = _run([(0, "say a\r\nwait 2000\r\n")], echo=False)
    assert shell.ended == [("say a", "done"), ("wait 2000", "done")]
    assert shown == "> a\n> > "


def test_ctrl_c_or_enter_ends_a_command_and_the_prompt_comes_again():
    for end, key in (("\r", "\x03"), ("\r", "\r"), ("\n", "\n"), ("\r\n", "\r\n")):
        shown, shell, world = _run([(0, "wait 60000" + end), (1000, key), (3000, "say b" + end)])
        assert shell.ended == [("wait 60000", "cancelled"), ("say b", "done")], key
        assert "stopped\n> " in shown and world.ms < 10000


def test_other_keys_are_dropped_while_a_command_runs():
    _, shell, _ = _run([(0, "wait 2000\r"), (1000, "say x \x7f"), (3000, "say b\r")])
    assert shell.ended == [("wait 2000", "done"), ("say b", "done")]


def test_ctrl_c_is_the_systems_only_while_no_command_runs():
    _, _, world = _run([(0, "say a\r"), (1000, "wait 60000\r"), (3000, "\x03")])
    assert [char for _, char in world.ctrl_c] == [-1, 3, -1, 3]
    # Given back late enough that a second press, out of habit, is nobody's.
    assert 1000 <= world.ctrl_c[2][0] < 1100 and 3400 < world.ctrl_c[3][0] < 4000


def test_an_empty_line_runs_nothing():
    shown, shell, world = _run([(0, "\r \r")])
    assert shell.ended == [] and world.ctrl_c == [] and shown.count("> ") == 3


def test_a_second_ctrl_c_does_nothing_more():
    _, shell, _ = _run([(0, "wait 60000\r"), (1000, "\x03"), (1100, "\x03\x03"), (3000, "say b\r")])
    assert shell.ended == [("wait 60000", "cancelled"), ("say b", "done")]


def test_on_a_pc_ctrl_c_stays_the_terminals():
    _, shell, world = _run([(0, "wait 60000\n"), (1000, "\n")], echo=False)
    assert world.ctrl_c == [] and shell.ended == [("wait 60000", "cancelled")]


def test_a_fault_of_a_command_ends_the_shell_for_the_supervisor_and_gives_ctrl_c_back():
    world = []

    def run():
        real = _World.kbd_intr
        _World.kbd_intr = lambda self, char: world.append(char)
        try:
            _run([(0, "break\r")])
        finally:
            _World.kbd_intr = real

    assert raised(ValueError, run).args[0] == "a fault of the program"
    assert world == [-1, 3]


def test_a_command_goes_on_when_the_input_has_ended():
    _, shell, _ = _run([(0, "wait 2000\n")], echo=False, end_ms=1)
    assert shell.ended == [("wait 2000", "done")]


def test_a_long_line_is_written_in_pieces_between_which_others_have_their_turn():
    pieces = []

    class _Long(_World):
        def write(self, text):
            pieces.append((self.ms, len(text)))

    world = _Long([], 0)
    real = shell_module.asyncio, shell_module.sys
    shell_module.asyncio = shell_module.sys = world
    try:
        asyncio.run(Shell(None, False)._say("x" * 600))
        asyncio.run(Shell(None, False)._say("", ""))
    finally:
        shell_module.asyncio, shell_module.sys = real
    assert [n for _, n in pieces] == [128, 128, 128, 128, 89, 0]
