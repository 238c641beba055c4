"""A board's raw REPL on standard input and output, for the real mpremote: micropython tests/sim/rawrepl.py FOLDER [CUT]

The folder is the board's file system. A soft reset forgets the modules and runs boot.py, as a board does while the raw
REPL is on; main.py is never run. A program that contains CUT is the end: the cable is pulled. What the clock is set to
and each reset go to standard error. Raw REPL and raw paste as MicroPython's reference manual describes them.
"""

import io
import os
import sys

_ROOT = __file__.rsplit("/", 3)[0]
_WINDOW = 128
_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
_A, _B, _C, _D, _E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


def read():
    """One byte; the end of the line ends the board."""
    byte = sys.stdin.buffer.read(1)
    if not byte:
        sys.exit()
    return byte


def write(data):
    sys.stdout.buffer.write(data)


class Reset(Exception):
    """args: (cause, whether the raw REPL stays on)"""


def boot(cause):
    """What a board does after a reset, up to its REPL."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("firmware", "umqtt", "umodbus", "machine"):
            del sys.modules[name]
    import machine

    machine._cause = getattr(machine, cause)
    try:
        with open("boot.py") as file:
            exec(file.read(), {"__name__": "__main__"})
    except OSError:
        pass
    except Exception as error:
        sys.print_exception(error)
    print(cause, file=sys.stderr)


def paste():
    """The program that comes in raw-paste mode: the sender waits for a go after every window."""
    write(b"R\x01" + bytes((_WINDOW, 0)) + _A)
    program = bytearray()
    while True:
        byte = read()
        if byte == _D:
            write(_D)
            return program
        program.extend(byte)
        if len(program) % _WINDOW == 0:
            write(_A)


def run(program, names, cut):
    """Run a program; its output, and what it raised, each ended by Ctrl-D. Reset if it restarts the board."""
    text = program.decode()
    if cut and cut in text:
        sys.exit()
    raised = io.StringIO()
    try:
        exec(text, names)
    except SystemExit:
        raise Reset("HARD_RESET", False)
    except Exception as error:
        sys.print_exception(error, raised)
    finally:
        report_clock()
    write(_D + raised.getvalue().encode() + _D + b">")


def report_clock():
    machine = sys.modules.get("machine")
    if machine and machine.RTC.wanted:
        print("clock", machine.RTC.wanted, file=sys.stderr)
        machine.RTC.wanted = None


def repl(is_raw, cut):
    """Serve until a reset, which is raised."""
    names = {}
    typed = bytearray()
    if is_raw:
        write(_BANNER)
    while True:
        byte = read()
        if byte == _A:
            is_raw = True
            write(_BANNER)
        elif byte == _B:
            is_raw = False
        elif is_raw and byte == _D:
            if not typed:
                write(b"OK\r\nMPY: soft reboot\r\n")
                raise Reset("SOFT_RESET", True)
            write(b"OK")
            run(typed, names, cut)
        elif is_raw and byte == _E and not typed:
            if (read(), read()) == (b"A", _A):
                run(paste(), names, cut)
        elif is_raw and byte != _C:
            typed.extend(byte)
            continue
        typed = bytearray()


def main(folder, cut=""):
    os.chdir(folder)
    # What the ports are made of; the board itself must not find the project.
    sys.path[:] = [_ROOT]
    __import__("tests.sim.flashfile")
    sys.path[:] = ["", _ROOT + "/tests/sim/ports", ".frozen", "lib"]
    cause, is_raw = "PWRON_RESET", False
    while True:
        boot(cause)
        try:
            repl(is_raw, cut)
        except Reset as reset:
            cause, is_raw = reset.args


main(*sys.argv[1:])
