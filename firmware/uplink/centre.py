"""One data centre: connects, sends, and when anything fails counts the cause, waits, and connects again."""

import asyncio
import gc
import os
import time

from micropython import const

from firmware.errors import LinkDown
from firmware.protocols import payload
from firmware.uplink.codec import Codec
from firmware.uplink.outbox import Outbox
from firmware.uplink.session import Session

_FIRST_WAIT_MS = const(1000)
_LONGEST_WAIT_MS = const(300000)
_PUBACK_MS = const(20000)
# And for each byte of the message: a way of 100 bytes a second is slow and not dead.
_BYTE_MS = const(10)
# A session that has lasted so long, with something acknowledged, ends the back-off: two gateways with one id, or a
# broker that throws us out after the first message, must not make us come back every second for ever.
_GOOD_MS = const(60000)
_HEALTH_MS = const(300000)
# What changes in the points is gathered for so long: at a start each meter tells its serial number.
_POINTS_MS = const(10000)
# While an answer is due the deadlines are looked at so often. A session with nothing to say sleeps longer: a record or a
# packet wakes it.
_NAP_S = const(1)
_IDLE_NAP_S = const(10)
# Causes counted one by one; further ones share a row.
_MOST_CAUSES = const(24)


def wait_of(n_failures, random_byte):
    """Milliseconds before attempt n_failures + 1: doubling from 1 s to 5 min, of which a random half is taken off."""
    wait_ms = min(_FIRST_WAIT_MS << min(n_failures - 1, 16), _LONGEST_WAIT_MS)
    return wait_ms // 2 + wait_ms // 2 * random_byte // 255


class Centre:
    """Centre(section, gateway, link, names, log, texts, tell, quiet): section is one of config.uplinks.

    texts: an object with status(online) -> text, points() -> payload.Streamed, health(message) -> that or message, and
    points_version, which differs when points() has changed. tell(members) stores an event. connected,
    failures {cause: n}, last_failure are for the reports. quiet: as Session has it."""

    def __init__(self, section, gateway, link, names, log, texts, tell, quiet):
        self.name = section.name
        self.connected = False
        self.n_sessions = 0
        self.failures = {}
        self.last_failure = ""
        self.progress = 0
        self._section = section
        self._link = link
        self._names = names
        self._texts = texts
        self._tell = tell
        self._quiet = quiet
        self._n_failed = 0
        self._wake = asyncio.Event()
        self._root = "%s/%s/" % (section.prefix, gateway)
        self.outbox = Outbox(log, gateway, section.name, section.message_bytes, self._tell_lost)
        self._gateway = gateway
        self._message = payload.Message(section.message_bytes)

    def wake(self):
        """Something was stored, or something happened to the session."""
        self._wake.set()

    def _tell_lost(self, first_seq, n):
        self._tell('"event":"data_lost","uplink":%s,"first":%d,"n":%d' % (payload.text(self.name), first_seq, n))

    async def run_centre(self):
        """Keep a session up for ever."""
        while True:
            self.progress += 1
            if not self._link.is_up:
                await asyncio.sleep_ms(500)
                continue
            session = None
            try:
                self._wake.clear()
                session = Session(self._codec(), self.outbox.acknowledged, self.wake, self._quiet)
                await self._serve(session)
            except LinkDown as error:
                self._count(error)
            finally:
                self.connected = False
                if session:
                    await session.close()
            await self._back_off()

    def _codec(self):
        section = self._section
        will = ((self._root + "status").encode(), self._texts.status(False).encode())
        return Codec(self._gateway, section.user, section.password, section.keepalive_s, will)

    def _count(self, error):
        cause = "%s: %s" % (error.stage, error.cause)
        self.last_failure = cause
        if cause not in self.failures and len(self.failures) >= _MOST_CAUSES:
            cause = "other"
        self.failures[cause] = self.failures.get(cause, 0) + 1
        self._n_failed += 1
        self._names.forget(self._section.host)

    async def _back_off(self):
        # Sockets and TLS contexts of the failed attempt are given back only when they are collected.
        gc.collect()
        wait_ms = wait_of(max(1, self._n_failed), os.urandom(1)[0])
        begun_ms = time.ticks_ms()
        while time.ticks_diff(time.ticks_ms(), begun_ms) < wait_ms:
            self.progress += 1
            await asyncio.sleep_ms(min(1000, wait_ms))

    def _ca(self):
        try:
            with open(self._section.ca, "rb") as file:
                return file.read()
        except OSError:
            raise LinkDown("tls", "no CA file %s" % self._section.ca)

    async def _serve(self, session):
        """One session until it fails: LinkDown always, since nobody ends it otherwise."""
        section = self._section
        ca = self._ca()
        address = await self._names.resolve(section.host)
        await session.open(address, section.port, section.host, ca)
        # Not held as long as the session lasts.
        ca = None
        self.outbox.restart()
        self.connected = True
        self.n_sessions += 1
        await session.send(self._packet(session, "status", self._message.start(self._texts.status(True)), 0, True))
        points_version = points_ms = health_ms = None
        acknowledged = self.outbox.n_acknowledged
        opened_ms = spoken_ms = time.ticks_ms()
        while True:
            self.progress += 1
            self._check(session)
            now_ms = time.ticks_ms()
            if self._n_failed and self.outbox.n_acknowledged > acknowledged and time.ticks_diff(now_ms, opened_ms) > _GOOD_MS:
                self._n_failed = 0
            due = points_ms is None or time.ticks_diff(now_ms, points_ms) > _POINTS_MS
            if due and points_version != self._texts.points_version:
                points_version, points_ms = self._texts.points_version, now_ms
                await session.send(self._packet(session, "points", self._texts.points(), 0, True))
            elif health_ms is None or time.ticks_diff(now_ms, health_ms) > _HEALTH_MS:
                health_ms = now_ms
                await session.send(self._packet(session, "health", self._texts.health(self._message), 0, True))
            elif await self._send_next(session):
                pass
            elif time.ticks_diff(now_ms, spoken_ms) > section.keepalive_s * 500:
                await session.ping()
            else:
                await self._sleep(self._nap_s(session))
                continue
            spoken_ms = time.ticks_ms()

    def _check(self, session):
        if session.failed:
            raise session.failed
        if self.outbox.waiting_ms() > _PUBACK_MS + self.outbox.oldest_bytes * _BYTE_MS:
            raise LinkDown("puback", "no answer")
        if session.n_unanswered_pings > 1:
            raise LinkDown("ping", "no answer")
        if not self._link.is_up:
            raise LinkDown("network", "down")

    async def _send_next(self, session):
        """Send the next message of the ring if there is one and the window has room."""
        packet = self._next_packet(session) if self.outbox.has_room() else None
        if packet is None:
            return False
        await session.send(packet)
        return True

    def _next_packet(self, session):
        found = self.outbox.put_next(self._message)
        return self._packet(session, found[0], self._message, found[1]) if found else None

    def _packet(self, session, topic, message, last_seq, retain=False):
        packet_id = session.next_packet_id()
        self.outbox.sent(packet_id, last_seq, len(message))
        return session.packet(packet_id, (self._root + topic).encode(), message, retain)

    def _nap_s(self, session):
        if self.outbox.waiting_ms() or session.n_unanswered_pings:
            return _NAP_S
        # Half a keep-alive of silence asks for a ping, in time.
        return max(_NAP_S, min(_IDLE_NAP_S, self._section.keepalive_s // 4))

    async def _sleep(self, for_s):
        try:
            await asyncio.wait_for(self._wake.wait(), for_s)
        except asyncio.TimeoutError:
            # Only a look at the deadlines is due.
            return
        self._wake.clear()
