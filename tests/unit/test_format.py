"""The console's format: says what stands in a region, and gives it up only where it is confirmed, on site, and not in use."""

import asyncio

from memory import raised

from firmware.console.commands import run_command
from firmware.errors import CommandError, StoreError
from firmware.store.ring import Ring
from tests.sim.flash import NorFlash

_T0 = 1795276800


class _App:
    """What runs in the safe console, and the board it runs on."""

    log = None
    config = None

    def __init__(self, ring, days=None):
        self.board = self
        self.ring, self.days = ring, days

    def ring_device(self):
        return self.ring

    def days_device(self):
        return self.days

    def type(self, line, on_site=True, safe=True):
        shown = []

        async def say(text):
            shown.append(text)

        asyncio.run(run_command(self, line, say, safe, on_site))
        return shown


class _Quiet:
    n_waits = 0

    async def wait(self, for_ms, most_ms):
        self.n_waits += 1


class _Log:
    def __init__(self, archive):
        self.archive = archive


def _foreign():
    return NorFlash(4, bytes(i * 7 & 0xFF for i in range(4 * 4096)))


def test_what_stands_there_is_said_and_left():
    flash = _foreign()
    before = bytes(flash.bytes)
    shown = _App(flash).type("format ring")
    assert (
        shown[0].startswith("block 0 holds what is no ring") and shown[1] == "to give that up for ever: format ring confirmed"
    )
    assert flash.bytes == before
    ring = Ring(NorFlash(4), lambda: _T0)
    ring.mount()
    ring.append(4, b'"event":"x"')
    shown = _App(ring.blocks.device).type("format ring")
    assert shown[0] == "a ring, log %s, records 1..1" % ring.log
    assert _App(NorFlash(4)).type("format ring")[0] == "nothing stands there; a ring is begun by itself"


def test_it_is_given_up_where_that_is_confirmed():
    flash = _foreign()
    raised(StoreError, Ring(flash, lambda: _T0).mount)
    shown = _App(flash).type("format ring confirmed")
    ring = Ring(flash, lambda: _T0)
    assert ring.mount() is True
    assert ring.log in shown[0] and "`restart`" in shown[0]
    ring.append(4, b'"event":"x"')
    assert Ring(flash, lambda: _T0).mount() is False
    # A region whose first block is worn too.
    flash = _foreign()
    flash.bad.add(0)
    _App(flash).type("format ring confirmed")
    assert Ring(flash, lambda: _T0).mount() is True


def test_only_who_stands_there_may_and_nothing_that_is_in_use():
    for line, app, on_site in (
        ("format ring confirmed", _App(_foreign()), False),
        ("format", _App(_foreign()), True),
        ("format flash", _App(_foreign()), True),
        ("format ring now", _App(_foreign()), True),
        ("format days", _App(_foreign()), True),
    ):
        raised(CommandError, app.type, line, on_site)
    app = _App(_foreign(), _foreign())
    app.log, app.quiet = _Log(None), _Quiet()
    raised(CommandError, app.type, "format ring confirmed")
    assert "days holds a new log" in app.type("format days confirmed")[0] and app.quiet.n_waits == 1
    app.log = _Log(1)
    assert "in use" in raised(CommandError, app.type, "format days confirmed").args[0]
