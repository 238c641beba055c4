"""One RS-485 line: half duplex, one exchange at a time, every wait with a deadline.

The port has the methods of machine.UART; drive(on) switches the transceiver's driver-enable pin. Both are
arguments, so that tests pass simulated ones.
"""

import asyncio
import time

from micropython import const

from firmware.bus import ledger
from firmware.bus.pause import Pause
from firmware.clock import now_s
from firmware.errors import BadFrame, MeterRefused, NoReply

# MODBUS over serial line V1.02, 2.5.1.1: 3.5 characters of silence, 1.75 ms from 19200 baud up.
_FAST_BAUD = const(19200)
_FAST_SILENCE_US = const(1750)
# A board's loop ticks every 10 ms: what is expected sooner is spun for, not slept for.
_SPIN_MS = const(12)
# The end of a transmission is spun for, and a request that takes no longer as a whole: whatever stalls the loop must not hold
# the driver on, or the reply's first bytes are lost. A tick of 10 ms and other tasks' turns of 5 ms each come before it; 8
# characters at 2400 baud are 34 ms.
_RELEASE_MS = const(40)
# From here on the port alone is asked, so often without a look at the clock: a character at 115200 baud takes 87 us.
_NEAR_US = const(200)
_LOOKS = const(32)
# The transmit register is asked this long beyond the computed end before the port counts as stuck.
_TX_EXTRA_US = const(50000)
_READ_BYTES = const(64)
# The nap while a reply that is slow to begin may come; and what is allowed beyond computed times.
_NAP_MS = const(5)
# Between two bytes of a reply: converters and slow meters pause.
_GAP_MS = const(25)
# A line on which bytes keep coming for so long is not waited for: two of the longest frames.
_BABBLE_CHARS = const(512)
# After noise was heard, the line counts as noisy for so many exchanges.
_NOISY = const(64)
# What ask() keeps of what it hears.
_MOST_ASKED_BYTES = const(600)
_WAKE = const(0xFE)
# Of those a request has so many of its own (protocols/frame68.py).
_PREAMBLE_BYTES = const(4)
# A request with its preamble.
_MOST_REQUEST_BYTES = const(40)
# Why a frame was none, as the decoders say it, and where it is counted.
_FAULTS = {"checksum": ledger.BAD_CHECKSUM, "other": ledger.WRONG_METER, "late": ledger.LATE_REPLIES}


class Line:
    """Line(name, uart, drive, pause_ms, wake_bytes): uart as machine.UART, drive a function of one bool, or None where the
    transceiver switches by itself. wake_bytes: bytes FE before each request, which wake up the receivers of an M-Bus.

    counts: a ledger. delay_ms: from the newest request's last byte to its reply's first, within a tick. n_echoes: requests
    that the receiver heard too. watch: None, or a list that gets (ticks_us, "sent" or "heard", bytes) of all that goes over
    the line while it is set; whoever sets it holds the turn."""

    # Lines whose driver is on: whoever spins for the end of its own transmission looks after the others' too.
    _sending = []

    watch = None
    # When the newest request was made whose reply may come though nobody waits for it: of ask(), or of whoever was stopped
    # in the middle of an exchange. None once a meter has taken that into account.
    stray_ms = None
    delay_ms = 0
    n_echoes = 0
    _noisy = 0
    _settings = None
    _char_us = _silence_us = _end_us = 0
    # Bytes of the request that were heard back; -1: what comes is no echo.
    _n_echo = -1
    # Whether the exchange before was given up, so that its reply may come yet.
    _given_up = False

    def __init__(self, name, uart, drive=None, pause_ms=0, wake_bytes=0):
        self.name = name
        self.counts = ledger.new()
        # Held while a request is out or the line is listened to: no moment to block the loop for long, see meters/quiet.py.
        self.lock = asyncio.Lock()
        # Held by whoever reads a meter, over all its requests: a person's read must not mix with the poll's, or a late
        # reply to one would be taken for the other's.
        self.turn = asyncio.Lock()
        self.pause = Pause(pause_ms)
        self._uart = uart
        self._drive = drive
        self._heard_us = time.ticks_us()
        self._in = bytearray(_READ_BYTES)
        self._woken = bytearray([_WAKE] * wake_bytes + [0] * _MOST_REQUEST_BYTES) if wake_bytes else None
        self._n_wake = wake_bytes

    @property
    def is_noisy(self):
        """True if noise was heard within the last exchanges: an 8-bit sum alone is not to be trusted then."""
        return self._noisy > 0

    @property
    def is_sending(self):
        """True while a request is on its way out: the driver may be on."""
        return self in Line._sending

    def set(self, settings):
        """Set the port to (baud, bits, parity, stop). ValueError or OSError if it cannot do that."""
        if settings == self._settings:
            return
        baud, bits, parity, stop = settings
        # A port that refuses may have taken a part of it.
        self._settings = None
        self._uart.init(baudrate=baud, bits=bits, parity=parity, stop=stop)
        self._settings = settings
        self._char_us = (1 + bits + (parity is not None) + stop) * 1000000 // baud
        self._silence_us = _FAST_SILENCE_US if baud > _FAST_BAUD else self._char_us * 7 // 2

    @property
    def pause_ms(self):
        """The pause before another meter where it had to be raised, else 0."""
        return self.pause.ms if self.pause.is_raised else 0

    # -- what the line is used for -----------------------------------------------------------------------------

    async def exchange(self, settings, request, n, reply, timeout_ms, counts=None, expect_ms=0):
        """Send request[:n] and return what reply.add gives for the bytes that come back.

        settings: (baud, bits, parity, stop). reply: a decoder with expect(request), add(data, n), wanted(), heard,
        longest and give_up(). timeout_ms counts from the request's last byte until the reply begins; a reply that has begun
        gets the time its bytes take on the wire. counts: the meter's own ledger. expect_ms: when the meter's reply usually
        begins: looked for more closely then. NoReply, BadFrame or MeterRefused."""
        async with self.lock:
            # Here and not before: the decoder may be another meter's, which the line was held for till now.
            reply.expect(request)
            noise = reply.noise_bytes
            counts = self.counts if counts is None else counts
            self._count(counts, ledger.REQUESTS)
            try:
                await self._begin(settings, self.pause.turn(counts))
                request, n = self._with_wake(request, n)
                await self._send(request, n)
                found = await self._receive(reply, request, n, timeout_ms, expect_ms)
                self._ended(counts, reply.noise_bytes - noise, None)
                return found
            except (NoReply, BadFrame, MeterRefused) as error:
                self._ended(counts, reply.noise_bytes - noise, error)
                raise
            except BaseException:
                # Stopped in the middle: the reply may still come.
                self._given_up = True
                self.stray_ms = time.ticks_ms()
                raise
            finally:
                self._heard_us = time.ticks_us()

    async def ask(self, settings, request, for_ms, quiet_ms=20):
        """Send request; all bytes that come back until it is silent for quiet_ms and 5 characters, without the echo.
        What a person sends by hand is no figure of the line: it is not counted.

        b"" if nothing has come for_ms after the request's last byte. At most 600 bytes, in bounded time."""
        async with self.lock:
            self._given_up = True
            try:
                await self._begin(settings, 0)
                await self._send(request, len(request))
                return await self._gather(request, for_ms, max(quiet_ms, self._char_us // 200 + 1))
            except BadFrame as error:
                return error.args[0]
            finally:
                self._heard_us = time.ticks_us()
                self.stray_ms = time.ticks_ms()

    async def tell(self, settings, request):
        """Send what nobody answers. BadFrame if the line does not fall silent."""
        async with self.lock:
            await self._begin(settings, 0)
            await self._send(*self._with_wake(request, len(request)))
            self._heard_us = time.ticks_us()

    async def settle(self, for_ms):
        """Listen for so long and drop what comes: replies to requests that were given up."""
        async with self.lock:
            begun_ms = time.ticks_ms()
            while time.ticks_diff(time.ticks_ms(), begun_ms) < for_ms:
                self._drop()
                await asyncio.sleep_ms(_NAP_MS)

    # -- counting ----------------------------------------------------------------------------------------------

    def _count(self, counts, place, n=1):
        """Count for the meter and for the line."""
        if n:
            self.counts[place] += n
            if counts is not self.counts:
                counts[place] += n

    def _ended(self, counts, n_noise, error):
        """Count how an exchange ended: with a reply, or with an error."""
        is_answered = error is None or isinstance(error, MeterRefused)
        self._noisy = _NOISY if n_noise else max(0, self._noisy - 1)
        self._count(counts, ledger.NOISE_BYTES, n_noise)
        if isinstance(error, BadFrame):
            self._count(counts, self._fault_of(counts, error))
        elif isinstance(error, NoReply):
            self._count(counts, ledger.NO_REPLY)
        elif error:
            self._count(counts, ledger.REFUSED)
        else:
            at_s = now_s()
            ledger.replied(self.counts, self.delay_ms, at_s)
            if counts is not self.counts:
                ledger.replied(counts, self.delay_ms, at_s)
        self.pause.ended(is_answered)
        # Where nothing was sent nothing comes late.
        self._given_up = not is_answered and error.args[1:] != ("babble",)

    def _fault_of(self, counts, error):
        """Where a bad frame is counted. A good one of another meter, after one was given up, is that one's, late."""
        fault = error.args[1]
        if fault == "late" or fault == "other" and self._given_up:
            self._count(counts, ledger.LATE_REPLIES)
            return ledger.NO_REPLY
        return _FAULTS.get(fault, ledger.BAD_FRAME)

    # -- silence -----------------------------------------------------------------------------------------------

    async def _begin(self, settings, pause_ms):
        self.set(settings)
        await self._wait_silence(max(self._silence_us, pause_ms * 1000))

    async def _wait_silence(self, silence_us):
        """Wait until so much time has passed since the last byte.

        What comes meanwhile is dropped, a late reply for one: it must not be taken for this request's. BadFrame if the
        line does not fall silent."""
        begun_ms = time.ticks_ms()
        while True:
            n = self._drop()
            rest_us = silence_us - time.ticks_diff(time.ticks_us(), self._heard_us)
            # After more than 9 minutes ticks_diff may have wrapped: a rest longer than the silence means long ago.
            if not n and not 0 < rest_us <= silence_us:
                return
            if time.ticks_diff(time.ticks_ms(), begun_ms) > _BABBLE_CHARS * self._char_us // 1000 + silence_us // 1000:
                self._noisy = _NOISY
                raise BadFrame(bytes(memoryview(self._in)[:n]), "babble")
            # Spun for with the other tasks' turns between: a board's shortest sleep is longer than the silence.
            await asyncio.sleep_ms(max(0, rest_us // 1000 - _SPIN_MS))

    def _drop(self):
        """Take what has come and is waited for by nobody; how many bytes that are."""
        n = self._read()
        if n:
            if self._given_up:
                # Counted once, however many pieces it comes in.
                self._given_up = False
                self.counts[ledger.LATE_REPLIES] += 1
            self.counts[ledger.NOISE_BYTES] += n
            self._heard_us = time.ticks_us()
        return n

    def _read(self):
        """Take what has come into the buffer and return how many bytes that are, without waiting."""
        n = min(self._uart.any(), _READ_BYTES)
        n = self._uart.readinto(self._in, n) if n else 0
        if n and self.watch is not None:
            self.watch.append((time.ticks_us(), "heard", bytes(memoryview(self._in)[:n])))
        return n

    # -- sending -----------------------------------------------------------------------------------------------

    def _with_wake(self, request, n):
        """The request behind the bytes that wake up its meter, and its length."""
        if not self._woken:
            return request, n
        self._woken[self._n_wake : self._n_wake + n] = request[:n]
        return self._woken, self._n_wake + n

    async def _send(self, request, n):
        """Send and wait for the end of the last byte. The driver goes off within one character of it."""
        wire_ms = n * self._char_us // 1000 + 1
        self._n_echo = 0
        if self._drive:
            self._drive(True)
        Line._sending.append(self)
        try:
            begun_us = time.ticks_us()
            self._uart.write(memoryview(request)[:n])
            self._end_us = time.ticks_add(begun_us, n * self._char_us)
            if self.watch is not None:
                self.watch.append((begun_us, "sent", bytes(memoryview(request)[:n])))
            if not self._drive:
                # Nothing is to be switched in time; but a sleep ends at a tick, when a quick meter's reply is long over.
                await asyncio.sleep_ms(max(0, wire_ms - _SPIN_MS))
            elif wire_ms > _RELEASE_MS:
                await asyncio.sleep_ms(wire_ms - _RELEASE_MS)
            while self in Line._sending or Line._sending and Line._sending[0]._rest_us() < _RELEASE_MS * 1000:
                Line._release_first()
        finally:
            if self in Line._sending:
                self._let_go()

    def _rest_us(self):
        """How long its transmission goes on."""
        return time.ticks_diff(self._end_us, time.ticks_us())

    @staticmethod
    def _release_first():
        """Look after the line whose driver must go off first: by the middle of the character after its last one."""
        line = Line._sending[0]
        for other in Line._sending:
            if time.ticks_diff(other._end_us, line._end_us) < (line._char_us - other._char_us) // 2:
                line = other
        rest_us = line._rest_us()
        if rest_us > _NEAR_US:
            return
        txdone = line._uart.txdone
        for _ in range(_LOOKS):
            if txdone():
                line._let_go()
                return
        # A port that never says so must not hold the driver on.
        if rest_us < -_TX_EXTRA_US:
            line._let_go()

    def _let_go(self):
        if self._drive:
            self._drive(False)
        Line._sending.remove(self)

    # -- receiving ---------------------------------------------------------------------------------------------

    async def _receive(self, reply, request, n_request, timeout_ms, expect_ms):
        begun_ms = time.ticks_ms()
        allowed_ms = timeout_ms
        # However the bytes come: twice the time allowed, and twice what the whole reply takes on the wire.
        most_ms = 2 * timeout_ms + 2 * ((reply.longest + n_request) * self._char_us // 1000) + _GAP_MS
        n_heard = 0
        while True:
            n = self._read()
            waited_ms = time.ticks_diff(time.ticks_ms(), begun_ms)
            if n:
                n_heard += n
                n_echoes = self.n_echoes
                found = self._take(reply, request, n_request, n)
                # What came while it was being sent says nothing of how long the meter took.
                n_heard -= n_request * (self.n_echoes - n_echoes)
                if found is not None:
                    self.delay_ms = max(0, waited_ms - n_heard * self._char_us // 1000)
                    return found
                # What has begun may end: the rest of the frame, and as much again for gaps between its bytes.
                allowed_ms = max(timeout_ms, waited_ms + 2 * self._wire_ms(reply) + _GAP_MS)
                allowed_ms = min(allowed_ms, most_ms)
            if waited_ms > allowed_ms:
                self._give_up(reply, request)
                raise NoReply(allowed_ms)
            # A full buffer says nothing of what still waits in the port.
            await asyncio.sleep_ms(0 if n == _READ_BYTES else self._nap_ms(reply, waited_ms, expect_ms))

    def _take(self, reply, request, n_request, n):
        """Give n bytes to the decoder; first what repeats the request is taken away: some transceivers hear themselves.

        What begins like the request and goes on differently was no echo: a meter's preamble and number, for instance."""
        i = 0
        while i < n and 0 <= self._n_echo < n_request:
            if self._in[i] == request[self._n_echo]:
                i += 1
            elif not self._n_wake or self._n_echo >= self._n_wake + _PREAMBLE_BYTES or request[self._n_echo] != _WAKE:
                break
            # Else the converter has not heard all of the bytes that wake it up.
            self._n_echo += 1
        if self._n_echo == n_request:
            self._n_echo = -1
            self.n_echoes += 1
        elif i < n and self._n_echo >= 0:
            found = self._end_echo(reply, request)
            if found is not None:
                return found
        if not i:
            return reply.add(self._in, n)
        return reply.add(memoryview(self._in)[i:], n - i) if i < n else None

    def _end_echo(self, reply, request):
        n, self._n_echo = self._n_echo, -1
        first = min(n, self._n_wake)
        return reply.add(memoryview(request)[first:], n - first) if n > first else None

    def _give_up(self, reply, request):
        """The deadline has passed: BadFrame if anything was heard but the echo."""
        if self._n_echo > 0:
            self._end_echo(reply, request)
        if reply.heard:
            reply.give_up()

    async def _gather(self, request, for_ms, quiet_ms):
        """What ask() hears."""
        heard = bytearray()
        n_request = len(request)
        begun_ms = heard_ms = time.ticks_ms()
        most_ms = for_ms + (_MOST_ASKED_BYTES + n_request) * self._char_us // 1000
        while True:
            n = self._read()
            now_ms = time.ticks_ms()
            if n:
                heard_ms = now_ms
                heard.extend(memoryview(self._in)[:n])
            # The request's own echo is no answer.
            is_answered = heard != request[: len(heard)]
            is_over = time.ticks_diff(now_ms, heard_ms if is_answered else begun_ms) > (quiet_ms if is_answered else for_ms)
            if is_over or time.ticks_diff(now_ms, begun_ms) > most_ms or len(heard) >= _MOST_ASKED_BYTES:
                break
            await asyncio.sleep_ms(0 if n == _READ_BYTES else _NAP_MS)
        found = bytes(heard[:_MOST_ASKED_BYTES])
        return found[n_request:] if found[:n_request] == bytes(request) else found

    def _nap_ms(self, reply, waited_ms, expect_ms):
        """How long to sleep until the next look: the reply is to be taken at its last byte. 0: others have their turn.

        A meter that answers at once, or when it usually does, and the end of a reply that has begun, are spun for."""
        if reply.heard:
            # The byte that is coming may have come for the most part: below 900 baud that is more than the spin.
            return max(0, self._wire_ms(reply) - max(_SPIN_MS, self._char_us // 1000 + 1))
        if waited_ms < _SPIN_MS or -_SPIN_MS <= waited_ms - expect_ms <= _SPIN_MS:
            return 0
        return _NAP_MS

    def _wire_ms(self, reply):
        return reply.wanted() * self._char_us // 1000
