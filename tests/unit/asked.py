"""A line that answers from a list, and meters of a section of the configuration on it."""

import asyncio

from memory import Section

from firmware.bus import ledger
from firmware.errors import MeterRefused, NoReply
from firmware.meters import equip

_PLACES = {NoReply: ledger.NO_REPLY, MeterRefused: ledger.REFUSED}


class Line:
    """Answers requests from a list of (request, reply): each request once, in this order. A reply may be an error.

    A request may be None: any. settings: of each exchange. timeouts_ms: how long each reply was to be waited for.
    settled_ms: how long each settle was to take. delay_ms: how long replies take. is_noisy: as of the real one."""

    delay_ms = 0
    is_noisy = False
    stray_ms = None

    def __init__(self, pairs):
        self.pairs = list(pairs)
        self.settings = []
        self.timeouts_ms = []
        self.settled_ms = []
        self.counts = ledger.new()
        self.turn = asyncio.Lock()

    async def settle(self, for_ms):
        self.settled_ms.append(for_ms)

    async def exchange(self, settings, request, n, reply, timeout_ms, counts, expect_ms):
        assert self.pairs, "asked once more: %r" % bytes(request[:n])
        wanted, answer = self.pairs.pop(0)
        assert wanted is None or bytes(request[:n]) == wanted, "%r is not %r" % (bytes(request[:n]), wanted)
        self.settings.append(settings)
        self.timeouts_ms.append(timeout_ms)
        # What is counted for both by the real one.
        counts[ledger.REQUESTS] += 1
        if isinstance(answer, Exception):
            counts[_PLACES.get(type(answer), ledger.BAD_FRAME)] += 1
            raise answer
        reply.expect(request)
        found = reply.add(answer, len(answer))
        assert found is not None, "the frame is no answer to %r" % bytes(request[:n])
        return found


def section(profile="sdm630", points=("energy_import",), unit=1, number="", protocol="modbus", **keys):
    """A meter's section as the configuration gives it."""
    found = {
        "name": "main",
        "line": "A",
        "protocol": protocol,
        "unit": 0 if number else unit,
        "number": number,
        "profile": profile,
        "settings": "",
        "every_s": 900,
        "points": points,
        "function": "profile",
        "reads_per_day_max": 0,
        "timeout_ms": 500,
        "timeout_least_ms": 100,
        "set_clock": "never",
        "retries": 0,
    }
    found.update(keys)
    return Section(**found)


def meter(pairs, own=None, asking=None, **keys):
    """A Meter on a Line of these pairs; keys: of section."""
    found = section(**keys)
    return equip.meter_of(found, Line(pairs), asking or equip.asking_of(found.protocol), own)
