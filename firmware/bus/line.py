"""One RS-485 line: half duplex, one exchange at a time, every wait with a deadline.

The port has the methods of machine.UART; drive(on) switches the transceiver's driver-enable pin. Both are
arguments, so that tests pass simulated ones.
"""

import asyncio
import time

from micropython import const

from firmware.errors import BadFrame, MeterRefused, NoReply

# MODBUS over serial line V1.02, 2.5.1.1: 3.5 characters of silence, 1.75 ms from 19200 baud up.
_FAST_BAUD = const(19200)
_FAST_SILENCE_US = const(1750)
# A board's loop ticks every 10 ms: what is expected sooner is spun for, not slept for.
_SPIN_MS = const(12)
# A request that takes no longer is spun for as a whole: whatever stalls the loop must not hold the driver on, or the
# reply's first bytes are lost. 8 characters at 2400 baud are 34 ms.
_HOLD_MS = const(40)
# The transmit register is asked this long beyond the computed end before the port counts as stuck.
_TX_EXTRA_MS = const(50)
_READ_BYTES = const(64)
# The nap while a reply that is slow to begin may come; and what is allowed beyond computed times.
_NAP_MS = const(5)
# A line on which bytes keep coming for so long is not waited for: two of the longest frames.
_BABBLE_CHARS = const(512)


class Line:
    """Line(name, uart, drive): uart as machine.UART, drive a function of one bool, or None without such a pin.

    Counters are in `counts`: requests, replies, no_reply, bad_frame, refused, noise_bytes."""

    def __init__(self, name, uart, drive=None):
        self.name = name
        self.counts = {"requests": 0, "replies": 0, "no_reply": 0, "bad_frame": 0, "refused": 0, "noise_bytes": 0}
        # Held while a request is out; whoever must block the loop for long takes it too.
        self.lock = asyncio.Lock()
        # Held by whoever reads a meter, over all its requests: a person's read must not mix with the poll's, or a late
        # reply to one would be taken for the other's.
        self.turn = asyncio.Lock()
        self._uart = uart
        self._drive = drive
        self._settings = None
        self._char_us = 0
        self._silence_us = 0
        self._heard_us = time.ticks_us()
        self._in = bytearray(_READ_BYTES)

    def _set(self, settings):
        if settings == self._settings:
            return
        baud, bits, parity, stop = settings
        self._uart.init(baudrate=baud, bits=bits, parity=parity, stop=stop)
        self._settings = settings
        self._char_us = (1 + bits + (parity is not None) + stop) * 1000000 // baud
        self._silence_us = _FAST_SILENCE_US if baud > _FAST_BAUD else self._char_us * 7 // 2

    async def exchange(self, settings, request, n, reply, timeout_ms):
        """Send request[:n] and return what reply.add gives for the bytes that come back.

        settings: (baud, bits, parity, stop). reply: a decoder with expect(request), add(data, n), wanted(), heard,
        longest and give_up(). timeout_ms counts from the request's last byte until the reply begins; a reply that has begun
        gets the time its bytes take on the wire. NoReply, BadFrame or MeterRefused."""
        async with self.lock:
            self._set(settings)
            self.counts["requests"] += 1
            # Here and not before: the decoder may be another meter's, which the line was held for till now.
            reply.expect(request)
            noise = reply.noise_bytes
            try:
                await self._wait_silence()
                await self._send(request, n)
                found = await self._receive(reply, timeout_ms)
                self.counts["replies"] += 1
                return found
            except NoReply:
                self.counts["no_reply"] += 1
                raise
            except BadFrame:
                self.counts["bad_frame"] += 1
                raise
            except MeterRefused:
                self.counts["refused"] += 1
                raise
            finally:
                self.counts["noise_bytes"] += reply.noise_bytes - noise
                self._heard_us = time.ticks_us()

    async def settle(self, for_ms):
        """Listen for so long and drop what comes: replies to requests that were given up."""
        async with self.lock:
            begun_ms = time.ticks_ms()
            while time.ticks_diff(time.ticks_ms(), begun_ms) < for_ms:
                n = self._read()
                if n:
                    self.counts["noise_bytes"] += n
                    self._heard_us = time.ticks_us()
                await asyncio.sleep_ms(_NAP_MS)

    async def _wait_silence(self):
        """Wait until 3.5 characters have passed since the last byte.

        What comes meanwhile is dropped, a late reply for one: it must not be taken for this request's. BadFrame if the
        line does not fall silent."""
        begun_ms = time.ticks_ms()
        while True:
            n = self._read()
            if n:
                self.counts["noise_bytes"] += n
                self._heard_us = time.ticks_us()
            rest_us = self._silence_us - time.ticks_diff(time.ticks_us(), self._heard_us)
            # After more than 9 minutes ticks_diff may have wrapped: a rest longer than the silence means long ago.
            if not n and not 0 < rest_us <= self._silence_us:
                return
            if time.ticks_diff(time.ticks_ms(), begun_ms) > _BABBLE_CHARS * self._char_us // 1000:
                raise BadFrame(bytes(memoryview(self._in)[:n]))
            # Spun for with the other tasks' turns between: a board's shortest sleep is longer than the silence.
            await asyncio.sleep_ms(max(0, rest_us // 1000 - _SPIN_MS))

    def _read(self):
        """Take what has come into the buffer and return how many bytes that are, without waiting."""
        n = min(self._uart.any(), _READ_BYTES)
        return self._uart.readinto(self._in, n) if n else 0

    async def _send(self, request, n):
        wire_ms = n * self._char_us // 1000 + 1
        begun_ms = time.ticks_ms()
        if self._drive:
            self._drive(True)
        try:
            self._uart.write(memoryview(request)[:n])
            if wire_ms > _HOLD_MS:
                await asyncio.sleep_ms(wire_ms - _SPIN_MS)
            while not self._uart.txdone():
                if time.ticks_diff(time.ticks_ms(), begun_ms) > wire_ms + _TX_EXTRA_MS:
                    break
        finally:
            if self._drive:
                self._drive(False)

    async def _receive(self, reply, timeout_ms):
        begun_ms = time.ticks_ms()
        allowed_ms = timeout_ms
        # However the bytes come: twice the time allowed, and twice what the whole reply takes on the wire.
        most_ms = 2 * timeout_ms + 2 * (reply.longest * self._char_us // 1000) + _NAP_MS
        while True:
            n = self._read()
            waited_ms = time.ticks_diff(time.ticks_ms(), begun_ms)
            if n:
                found = reply.add(self._in, n)
                if found is not None:
                    return found
                # What has begun may end: the rest of the frame, and as much again for gaps between its bytes.
                allowed_ms = max(timeout_ms, waited_ms + 2 * self._wire_ms(reply) + _NAP_MS)
                allowed_ms = min(allowed_ms, most_ms)
            if waited_ms > allowed_ms:
                if reply.heard:
                    reply.give_up()
                raise NoReply(allowed_ms)
            # A full buffer says nothing of what still waits in the port.
            await asyncio.sleep_ms(0 if n == _READ_BYTES else self._nap_ms(reply, waited_ms))

    def _nap_ms(self, reply, waited_ms):
        """How long to sleep until the next look: the reply is to be taken at its last byte. 0: others have their turn.

        A meter that answers at once, and the end of a reply that has begun, are spun for."""
        if reply.heard:
            # The byte that is coming may have come for the most part: below 900 baud that is more than the spin.
            return max(0, self._wire_ms(reply) - max(_SPIN_MS, self._char_us // 1000 + 1))
        return 0 if waited_ms < _SPIN_MS else _NAP_MS

    def _wire_ms(self, reply):
        return reply.wanted() * self._char_us // 1000
