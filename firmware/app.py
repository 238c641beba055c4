"""The start: configuration, lines and meters first, then the gateway in the room that their making has left."""

import asyncio
import gc
import sys

from micropython import const

from firmware import starts
from firmware.console.shell import Shell, words_of
from firmware.errors import ConfigError, MetergateError
from firmware.unload import START_ONLY, unload

_STOPPED_MS = const(600000)
# Collected so often, what lives long stays together: else it lies scattered over the whole heap, and a TLS context
# finds no place although two thirds are free.
_COLLECT_BYTES = const(2048)
# A heap of megabytes has places enough, and takes long to collect.
_SMALL_BYTES = const(786432)


class SafeApp:
    """What the console finds when the gateway does not run: the reason, and the way out."""

    log = None

    def __init__(self, board, why, config=None):
        self.board = board
        self.config = config
        self.why = why

    def restart(self):
        self.board.restart()


def run():
    """The gateway, from configuration to its end. On a PC a fault ends it with status 2, on a board in a safe console."""
    from firmware import board

    if gc.mem_free() < _SMALL_BYTES:
        gc.threshold(_COLLECT_BYTES)
    config = None
    try:
        config = _load()
        if starts.safe:
            return _safe(board, "it failed %d times in a row" % starts.MOST_FAILED, config)
        lines, meters = _equipment(board, config)
        unload(*START_ONLY)
        # Imported only now, for the heap's sake.
        from firmware.gateway import Gateway

        gateway = Gateway(board, config, lines, meters, starts.read()[0])
    except MetergateError as error:
        why = words_of(error)
        if board.on_pc:
            print("metergate: " + why)
            sys.exit(2)
        return _safe(board, why, config)
    try:
        asyncio.run(gateway.run_all())
    except KeyboardInterrupt:
        gateway.log.close()
        # Time to work on the board; left alone it measures again.
        board.watchdog(_STOPPED_MS)
        print("stopped; what was measured is stored")
    except Exception as error:
        sys.print_exception(error)
        board.restart()


def _load():
    from firmware import plan

    return plan.load("config.json", "secrets.json", "profiles.json")


def _equipment(board, config):
    """([Line, ..], [Meter, ..]) of the configuration. The meters of a line that speak the same share a decoder."""
    from firmware.bus.line import Line
    from firmware.meters import equip

    lines = [Line(s.name, *board.line_ports(s), s.pause_ms, s.wake_bytes) for s in config.lines]
    by_name = {line.name: line for line in lines}
    shared = {}
    meters = []
    for section in config.meters:
        # The two editions of DL/T 645 have one decoder.
        key = section.line, section.protocol[:6]
        if key not in shared:
            shared[key] = equip.asking_of(section.protocol)
        meters.append(equip.meter_of(section, by_name[section.line], shared[key], config.profiles))
        _check_settings(meters[-1], "meters[%d]" % (len(meters) - 1))
    equip.forbid_anonymous(config.meters, shared)
    config.profiles = {}
    return lines, meters


def _check_settings(meter, key):
    """ConfigError where the meter's port cannot do its settings."""
    try:
        meter.line.set(meter.settings)
    except (ValueError, OSError) as error:
        raise ConfigError(key + ".settings", "must be what UART and line can do; it says: %s" % error)


def _safe(board, why, config):
    print("metergate: safe mode: " + why)
    asyncio.run(Shell(SafeApp(board, why, config), echo=not board.on_pc, safe=True).run_shell())
