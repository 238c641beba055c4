"""First code after power: counts the start and sets a long watchdog. Imports as little as possible."""

from firmware import board, starts

# Long enough to work on the board with mpremote; short enough that a board left stopped measures again.
_WATCHDOG_MS = 600000

starts.safe = starts.count(board.start_cause())[1]
board.watchdog(_WATCHDOG_MS)
