"""The board's clock: set from NTP servers, and what it is worth."""

import asyncio
import os

from micropython import const

from firmware.clock import is_known
from firmware.errors import LinkDown
from firmware.uplink import sntp

# A synchronised clock is compared so often; one that is not, more often.
_EVERY_S = const(3600)
_RETRY_S = const(30)
_WEEK_S = const(604800)
# Smaller differences are left alone: an answer's second is rounded.
_STEP_S = const(2)


class TimeKeeper:
    """TimeKeeper(servers, names, link, now_s, set_clock, kept, stepped).

    servers: config.network.ntp. set_clock(at_s) sets the board's clock; kept: True if something else keeps it right.
    stepped(from_s, to_s, source) is called after a step. source: kept, ntp, hand, board (a clock that only goes on) or none."""

    def __init__(self, servers, names, link, now_s, set_clock, kept, stepped):
        self.n_failures = 0
        self.last_failure = ""
        self.set_s = 0
        self.by_hand = False
        self._servers = servers
        self._names = names
        self._link = link
        self._now_s = now_s
        self._set_clock = set_clock
        self._kept = kept
        self._stepped = stepped

    @property
    def source(self):
        if self.set_s:
            return "ntp"
        if self._kept:
            return "kept"
        if self.by_hand:
            return "hand"
        return "board" if is_known(self._now_s()) else "none"

    @property
    def is_synchronised(self):
        """False once no server has answered for a week: a board's clock may be off by a minute by then."""
        return self._kept or self.set_s > 0 and self._now_s() - self.set_s < _WEEK_S

    async def run_time(self):
        """Ask the servers in turn, for ever."""
        while True:
            done = self._link.is_up and await self._ask_all()
            await asyncio.sleep(_EVERY_S if done else _RETRY_S if self._link.is_up else 1)

    async def _ask_all(self):
        for server in self._servers:
            try:
                at_s = await sntp.ask(self._names, server, os.urandom(8))
            except LinkDown as error:
                self.n_failures += 1
                self.last_failure = "%s: %s" % (server, error.cause)
                self._names.forget(server.partition(":")[0])
                continue
            self._take(at_s, "ntp")
            self.set_s = at_s
            return True
        return False

    def _take(self, at_s, source):
        before_s = self._now_s()
        if abs(at_s - before_s) >= _STEP_S:
            self._set_clock(at_s)
            self._stepped(before_s, at_s, source)

    def set_by_hand(self, at_s):
        """A person says what time it is; the readings still say that the clock is not synchronised."""
        self._take(at_s, "hand")
        self.by_hand = True
