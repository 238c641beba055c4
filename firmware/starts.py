"""How often the gateway has started, and how often in a row it failed to stay up: one small file.

A cut of power is no failure, nor is a soft reset, which a person makes; a watchdog, a crash or a reset soon after the
start is.
"""

import os

_FILE = "starts.txt"
MOST_FAILED = 5

# Set by boot.py: True if this start is to be a safe one.
safe = False


def read():
    """(number of starts, failed starts in a row); (0, 0) if there is no file or no sense in it."""
    try:
        with open(_FILE) as file:
            words = file.read().split()
        return int(words[0]), int(words[1])
    except (OSError, ValueError, IndexError):
        return 0, 0


def write(n_starts, n_failed):
    """Temporary file, then rename: a cut leaves the old or the new one."""
    with open(_FILE + ".new", "w") as file:
        file.write("%d %d\n" % (n_starts, n_failed))
    os.rename(_FILE + ".new", _FILE)


def count(cause):
    """Count a start by its cause (board.start_cause) and return (number of starts, True if it should be a safe one).

    A safe start leaves one try open, so that a board nobody attends to measures again."""
    n_starts, n_failed = read()
    n_failed = 0 if cause in ("power", "soft") else n_failed + 1
    safe = n_failed >= MOST_FAILED
    write(n_starts + 1, MOST_FAILED - 2 if safe else n_failed)
    return n_starts + 1, safe


def stays_up():
    """The gateway has been up long enough: the failures before it are over."""
    n_starts, n_failed = read()
    if n_failed:
        write(n_starts, 0)
