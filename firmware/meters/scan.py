"""What is on a line: meters of every protocol are asked for by reading, never by writing. Loaded only while a person scans.

scan_modbus, scan_dlt645 and scan_cjt188 know how it is done for one protocol; here is what they have in common: asking,
the time that may be taken, what was found. Whoever scans holds the line's turn.
"""

import time

from micropython import const

from firmware.errors import BadFrame, MeterRefused, NoReply
from firmware.protocols.frame68 import PREAMBLE
from firmware.texts import settings_text

# What each meter that is found may take beyond the time that was said: its profile is looked for.
FOUND_MS = const(20000)
_PROGRESS_MS = const(10000)
# How long the exact request to a meter that was found is waited for: slower than any that was seen.
_REPLY_MS = const(700)
# Of an ask, beyond its bytes and its waiting: the silence before it, ticks of 10 ms, other tasks' turns.
_EXTRA_MS = const(25)
# So often in a row the line is not silent before nobody waits for it any longer.
_MOST_BABBLE = const(2)
# Settings at which the line is not silent before nothing more is expected of it.
_MOST_LEFT_OUT = const(4)


class Over(Exception):
    """The time that was said has passed."""


class Babble(Exception):
    """The line cannot be used as it is. args: (why,), or none: it does not fall silent."""


def char_us(settings):
    """What a character takes on the wire, in microseconds."""
    baud, bits, parity, stop = settings
    return (1 + bits + (parity is not None) + stop) * 1000000 // baud


def ask_ms(settings, n, for_ms):
    """What an ask of n bytes takes at most where nobody answers."""
    return (n + 4) * char_us(settings) // 1000 + for_ms + _EXTRA_MS


def said_ms(ms):
    """The time that is said in place of ms: whole tens of seconds, from 90 s on whole minutes, rounded up."""
    unit_ms = 10000 if ms <= 90000 else 60000
    return -(-ms // unit_ms) * unit_ms


def span_text(ms):
    """'40 s', '6 min' of said_ms."""
    ms = said_ms(ms)
    return "%d s" % (ms // 1000) if ms <= 90000 else "%d min" % (ms // 60000)


def passed_text(ms):
    """'40 s', '6 min 5 s'."""
    minutes, seconds = divmod(ms // 1000, 60)
    return "%d min %d s" % (minutes, seconds) if minutes else "%d s" % seconds


class Scan:
    """Scan(line, say, wake): say is a coroutine that shows one line; wake: bytes that a request of 68H needs before it.

    finds: [Find, ..]; doing: what is looked for just now.

    allow(ms) adds to the time that may be taken; after it everything here raises Over."""

    def __init__(self, line, say, wake=b""):
        self.say = say
        self.wake = wake
        self.finds = []
        self.doing = ""
        # How long the answer to the newest ask took to begin, None if there was none.
        self.delay_ms = None
        self.line = line
        self._allowed_ms = 0
        self._begun_ms = self._said_ms = time.ticks_ms()
        self._n_babble = 0
        self._left_out = []

    def allow(self, ms):
        self._allowed_ms += ms

    @property
    def passed_ms(self):
        return time.ticks_diff(time.ticks_ms(), self._begun_ms)

    @property
    def has_time(self):
        return self.passed_ms < self._allowed_ms

    async def ask(self, settings, request, for_ms, quiet_ms=20):
        """All bytes that were heard since the ask before, without the request's echo. Babble: the line is not silent."""
        await self._look()
        try:
            self.line.set(settings)
        except (ValueError, OSError):
            raise Babble("this port cannot do that")
        if request[0] == PREAMBLE:
            request = self.wake + request
        watch = self.line.watch
        heard = await self.line.ask(settings, request, for_ms, quiet_ms)
        sent_us = None
        before = b""
        self.delay_ms = None
        for at_us, what, n_first, part in watch.parts:
            if what == "sent":
                sent_us = at_us
            elif sent_us is None:
                before = bytes(part)
            elif heard:
                wire_us = (len(request) + n_first) * char_us(settings)
                self.delay_ms = max(0, (time.ticks_diff(at_us, sent_us) - wire_us) // 1000)
        watch.clear()
        if sent_us is not None:
            self._n_babble = 0
            return before + heard
        self._n_babble += 1
        if self._n_babble >= _MOST_BABBLE:
            self._n_babble = 0
            raise Babble()
        return before

    async def listen(self, for_ms):
        """All bytes that are heard within for_ms."""
        await self._look()
        await self.line.settle(for_ms)
        heard = b"".join([bytes(part[3]) for part in self.line.watch.parts])
        self.line.watch.clear()
        return heard

    async def exchange(self, settings, request, n, reply):
        """What a meter that was found answers: its data as bytes, None if nothing, False if it refuses."""
        for _ in range(2):
            await self._look()
            try:
                return bytes(await self.line.exchange(settings, request, n, reply, _REPLY_MS))
            except MeterRefused:
                return False
            except (NoReply, BadFrame):
                pass
            finally:
                self.line.watch.clear()
        return None

    async def _look(self):
        """Over if the time has passed; now and then says how far it is."""
        if not self.has_time:
            raise Over()
        if time.ticks_diff(time.ticks_ms(), self._said_ms) >= _PROGRESS_MS:
            self._said_ms = time.ticks_ms()
            await self.say("%s: %s; %d found" % (passed_text(self.passed_ms), self.doing, len(self.finds)))

    async def look(self, what, all_settings, look):
        """look(settings) at each of them at which the line is silent; what: said of what is being done."""
        for settings in all_settings:
            self.doing = "%s at %s" % (what, settings_text(settings))
            try:
                if not self.is_left_out(settings):
                    await look(settings)
            except Babble as error:
                await self.leave_out(settings, *error.args)

    def is_left_out(self, settings):
        """True if the line was found not to fall silent at these settings."""
        return settings in self._left_out

    async def leave_out(self, settings, why="the line is not silent"):
        """The line cannot be used at these settings. Babble, once that is so at many and nobody was found."""
        self._left_out.append(settings)
        await self.say("at %s %s; left out" % (settings_text(settings), why))
        if len(self._left_out) >= _MOST_LEFT_OUT and not self.finds:
            raise Babble()

    def known(self, settings, unit=0, number=""):
        """The Find of a meter, or None."""
        for find in self.finds:
            if find.settings == settings and find.unit == unit and find.number == number:
                return find
        return None

    def found(self, find):
        """Keep a Find, before it is looked at more closely: what is stopped meanwhile is not lost."""
        self.finds.append(find)
        self.allow(FOUND_MS)

    async def tell(self, find):
        """Show a Find when all is known of it."""
        self._said_ms = time.ticks_ms()
        place = "%s at %s" % (find.place, settings_text(find.settings))
        await self.say("found: %s %s: %s" % (find.protocol, place, self._profile_text(find)))

    @staticmethod
    def _profile_text(find):
        if not find.profile:
            return "no profile fits" + (", " + find.note if find.note else "")
        return "%s, %s" % (find.profile, find.note)
