"""A meter: its requests, made at the start, and its line, read as one reading."""

import time
from collections import namedtuple

from micropython import const

from firmware.bus import ledger
from firmware.errors import BadData, BadFrame, MeterRefused, NoReply
from firmware.protocols import record
from firmware.texts import is_digits, settings_text

# Frames that may follow a first one, and what they hold together: DL/T 645 data blocks of the points we know take one.
_MOST_FOLLOWING = const(8)
_MOST_DATA_BYTES = const(1024)
# What the time-out allows beyond twice the slowest of the newest replies: ticks of the loop, and a character or two.
_MARGIN_MS = const(20)
# The slowest reply is forgotten by one part in so many with each that is faster.
_FORGET = const(16)
# A time-out is doubled so often at most: from 20 ms to more than any may be.
_MOST_DOUBLED = const(8)
# Different codes of refusals that are counted.
_MOST_CODES = const(16)


# One request, bytes, and the points its reply holds: tuples that begin with the index of the point, the rest is for Asking.
Block = namedtuple("Block", ("request", "members"))


class Meter:
    """Meter(section, line, asking, profile, settings, rows, points, blocks, serial), as meters/equip.py makes it.

    points: (name, unit, decimals, class) in the order of the values it reads; steps: one step of the meter's own number
    in units of each point's last digit. serial: (function, row) of the meter's own number, or None. counts: its ledger.

    Whoever reads a meter holds the turn of its line meanwhile (`async with meter.line.turn`)."""

    # Of the class until they change: an attribute of each of so many meters takes heap.
    # What the meter's newest reply said is its number, where replies say that.
    number = ""
    # Its clock as it was read last: (seconds it is off by or None, Unix minute of the reading, "" or "off", "stopped",
    # "none"); see meters/clocks.py. Codes of what of its values does not fit; see meters/plausible.py.
    clock = None
    findings = ()
    # {code: how often} of its refusals.
    codes = ()
    # Of a meter on a battery: how many requests may be repeats, see poll.
    spare = 9999
    # How often it may be read a day, 0: as often as one likes.
    reads_per_day = 0
    # Which of two forms of the request it is asked by, and whether it has answered that one.
    _takes_other = False
    _is_known = False
    # How often in a row it did not answer in time: each doubles the time-out of the next request, of the next slot and of
    # a probe too, until one is answered at its first try. Only what answers that is known to have taken so long.
    _n_silent = 0
    # When the last request was made whose reply may come when another is waited for, or None, and which; whether that may
    # be a refusal, which no protocol puts a name on.
    _late_ms = None
    _late_request = None
    _may_refuse_late = False

    def __init__(self, section, line, asking, profile, settings, rows, points, blocks, serial=None):
        self.section = section
        self.line = line
        self.model = profile.model
        self.settings = settings
        self.rows = rows
        self.points = points
        self.steps = [1] * len(rows)
        self.blocks = blocks
        self.serial = serial
        self.counts = ledger.new()
        self._asking = asking

    @property
    def name(self):
        return self.section.name

    @property
    def says_number(self):
        """True if every reply says the meter's number (CJ/T 188): it is heard, not asked for."""
        return self.section.protocol == "cjt188"

    @property
    def clock_text(self):
        """The clock that the newest reply on the line said, where replies say one; None if that is none."""
        return self._asking.clock

    @property
    def identifies(self):
        """True if the meter can tell its own number."""
        return self.says_number or self.serial is not None

    @property
    def settings_text(self):
        return settings_text(self.settings)

    @property
    def place(self):
        """Where it is on its line: 'unit 1', 'number 000000000161'."""
        section = self.section
        return "number " + section.number if section.number else "unit %d" % section.unit

    @property
    def allowance(self):
        """Most requests a day, 0: as many as one likes. Repeats take a quarter more of its battery at most."""
        n = self.reads_per_day * len(self.blocks)
        return n and n + max(self.section.retries, n // 4)

    @property
    def timeout_ms(self):
        """How long its reply is waited for at first: what the newest ones took, twice; before the first, the most."""
        section, slow_ms = self.section, self.counts[ledger.SLOW_MS]
        if not slow_ms:
            return section.timeout_ms
        return min(section.timeout_ms, max(section.timeout_least_ms, 2 * slow_ms + _MARGIN_MS))

    def holds(self, registers):
        """True if some of its blocks hold registers; or gauges alone, if registers is False."""
        return any(self._holds_register(block) == registers for block in self.blocks)

    # -- reading -----------------------------------------------------------------------------------------------

    async def read(self):
        """(values, complete): scaled integers or None in the order of points; complete is False if some are missing.

        A block that is refused or holds no values costs only its own points; a meter that falls silent is not asked for
        the rest. NoReply, BadFrame, BadData or MeterRefused if none came."""
        values = [None] * len(self.rows)
        await self._read_blocks(self.blocks, values, self.steps)
        return values, None not in values

    async def read_part(self, values, registers, is_probe=False):
        """Put the values of the blocks that hold registers, or of the others, into values; how many of them there are.

        The errors of read, if there are such blocks and none of them brought anything. is_probe: the first request is not
        repeated."""
        return await self._read_blocks(self.blocks, values, self.steps, registers, is_probe)

    async def read_others(self, rows, blocks):
        """The values of other points of its profile, as read() gives them; blocks as meters/equip.py makes them."""
        values = [None] * len(rows)
        await self._read_blocks(blocks, values, [1] * len(rows))
        return values

    async def read_serial(self):
        """The meter's own number. NoReply, BadFrame, BadData or MeterRefused if it does not tell; see identifies."""
        if self.says_number:
            if not is_digits(self.number):
                raise BadData("number %s: not BCD" % self.number, b"")
            return self.number
        return await self.read_about(self.serial[1], self.serial[0])

    async def read_about(self, row, function=0):
        """What a row of a profile says of the meter, a text. function: Modbus alone has one."""
        return await self.read_text(self._asking.about(self.blocks[0], function, row))

    async def order(self, request):
        """Send what changes the meter, once: it is never repeated. NoReply, BadFrame or MeterRefused."""
        await self._settle(request)
        await self._ask(request)

    async def read_text(self, block):
        """What a block with one member says of the meter, a text."""
        return self._asking.text_of(block, await self._read_block(block))

    async def _read_blocks(self, blocks, values, steps, registers=None, is_probe=False):
        """Put what the blocks hold into values and steps. A block that is refused as a whole gives place to its parts."""
        answer = None
        n_read = n_blocks = 0
        i = 0
        while i < len(blocks):
            if registers is not None and registers != self._holds_register(blocks[i]):
                i += 1
                continue
            n_blocks += 1
            try:
                await self._read_values(blocks[i], values, steps, is_probe and not n_read)
                n_read += 1
            except (MeterRefused, BadData) as error:
                self._count_answer(error)
                answer = answer or error
                parts = self._asking.split(blocks[i], error)
                if parts:
                    blocks[i : i + 1] = parts
                    continue
            except (NoReply, BadFrame):
                if not n_read:
                    raise
                break
            i += 1
        if n_blocks and not n_read:
            raise answer
        return n_read

    def _holds_register(self, block):
        """True if a block is read first: what counts stands at its slot, what swings may come after."""
        return any(self.points[member[0]][3] == record.REGISTER for member in block.members)

    def _count_answer(self, error):
        """Count an answer that brought no values, refusals by their code."""
        if isinstance(error, BadData):
            self.counts[ledger.BAD_DATA] += 1
            return
        if not self.codes:
            self.codes = {}
        if error.code in self.codes or len(self.codes) < _MOST_CODES:
            self.codes[error.code] = self.codes.get(error.code, 0) + 1

    async def _read_values(self, block, values, steps, is_probe):
        """Put a block's values in their places. Where noise was heard, what has only an 8-bit sum is read again.

        One of 256 garbled frames passes such a sum: two replies alike count, or of three the middle values."""
        self._asking.put_values(block, await self._read_block(block, is_probe), values, steps)
        if self.says_number:
            self.number = self._asking.reply.number_text()
        if not self._asking.is_weak or not self.line.is_noisy:
            return
        places = [member[0] for member in block.members]
        found = [[values[i] for i in places]]
        try:
            while (len(found) < 2 or len(found) < 3 and found[0] != found[1]) and self._has_spare():
                self._asking.put_values(block, await self._read_block(block), values, steps)
                found.append([values[i] for i in places])
        except (NoReply, BadFrame, BadData, MeterRefused):
            for i in places:
                values[i] = None
            raise
        for k, i in enumerate(places):
            each = [one[k] for one in found]
            values[i] = _middle(each) if len(each) > 2 else each[0] if each[0] == each[-1] else None

    def _has_spare(self):
        """True unless a meter on a battery would miss a later slot for one more request: what it has left is for its slots."""
        if self.reads_per_day:
            self.spare -= 1
        return not self.reads_per_day or self.spare >= 0

    async def _read_block(self, block, is_probe=False):
        """The reply's data, with those of the frames that follow; valid until something else is awaited."""
        await self._settle(block.request)
        data = await self._exchange(block, is_probe)
        request = self._asking.following(block, 1)
        if request is None:
            return data
        whole = bytearray(data)
        n = 1
        ask = self._retried if self._asking.is_numbered(request) else self._ask
        while request:
            if n > _MOST_FOLLOWING or len(whole) > _MOST_DATA_BYTES:
                raise BadData("more than %d frames" % n, bytes(whole))
            whole.extend(await ask(request))
            n += 1
            request = self._asking.following(block, n)
        return memoryview(whole)

    async def _exchange(self, block, is_probe):
        """The first reply to a block. Where there are two forms of its request, the one that was answered is kept to."""
        other = self._asking.other(block)
        if other is None:
            return await self._retried(block.request, is_probe)
        # Which form it takes is not known at first: then each is asked once at least, by probes in turn.
        n = 1 if is_probe else self.section.retries + 1 if self._is_known else max(2, self.section.retries + 1)
        refused = False
        for left in range(n - 1, -1, -1):
            try:
                data = await self._ask((other if self._takes_other else block).request, n - 1 - left)
                self._is_known = True
                # A late reply to the request before is as good.
                if self._asking.reply.is_swapped:
                    self._takes_other = not self._takes_other
                return data
            except (NoReply, BadFrame, MeterRefused) as error:
                is_answer = isinstance(error, MeterRefused)
                if is_probe or not self._is_known and not refused:
                    # What was refused is not asked for again.
                    self._takes_other = not self._takes_other
                if not left or is_answer and (refused or self._is_known) or not self._may_repeat():
                    # Another meter may have taken this one's place.
                    self._is_known = False
                    self._may_refuse_late = not is_answer
                    raise
                refused = refused or is_answer

    async def _retried(self, request, is_probe=False):
        retries = 0 if is_probe else self.section.retries
        for n in range(retries + 1):
            try:
                return await self._ask(request, n)
            except MeterRefused:
                self._may_refuse_late = n > 0
                raise
            except (NoReply, BadFrame):
                if n == retries or not self._may_repeat():
                    # What was given up may be refused yet.
                    self._may_refuse_late = True
                    raise

    def _may_repeat(self):
        """True if a request may be made once more; it is counted."""
        if not self._has_spare():
            return False
        self.counts[ledger.RETRIES] += 1
        self.line.counts[ledger.RETRIES] += 1
        return True

    async def _ask(self, request, n_before=0):
        """The reply to a request that was given up n_before times."""
        begun_ms = time.ticks_ms()
        if n_before and self._late_ms is not None:
            # What answers now may be the late reply to an earlier try: that to this one is then still to come.
            self._late_ms = begun_ms
        self.counts[ledger.ASKED] += 1
        timeout_ms = min(self.section.timeout_ms, self.timeout_ms << self._n_silent)
        asking, line = self._asking, self.line
        try:
            data = await line.exchange(
                self.settings, request, len(request), asking.reply, timeout_ms, self.counts, self.counts[ledger.USUAL_MS]
            )
        except (NoReply, BadFrame) as error:
            if error.args[1:] == ("babble",):
                # It was not asked.
                self.counts[ledger.ASKED] -= 1
                raise
            self._n_silent = min(self._n_silent + 1, _MOST_DOUBLED)
            # A reply that was heard as a whole, though garbled, does not come again. Noise, or what others said, was none.
            heard = error.args[0] if isinstance(error, BadFrame) and error.args[1] == "checksum" else b""
            if len(heard) < asking.reply.longest:
                # Several may be on their way.
                self._late_request = request if self._late_request in (None, request) else b""
                self._late_ms = begun_ms
            raise
        if not n_before:
            # Of one that was asked for twice nobody knows which request it answers.
            self._n_silent = 0
            self._learn(line.delay_ms)
        return data

    def _learn(self, delay_ms):
        """Remember how long the reply took: a slow one at once, and for long."""
        counts = self.counts
        counts[ledger.USUAL_MS] = delay_ms
        slow_ms, before_ms = max(1, delay_ms), counts[ledger.SLOW_MS]
        if slow_ms < before_ms:
            slow_ms = before_ms - (before_ms - slow_ms + _FORGET - 1) // _FORGET
        counts[ledger.SLOW_MS] = slow_ms

    async def _settle(self, request):
        """After a request was given up, let its reply pass before another is asked that it could be taken for.

        A Modbus reply does not say which registers it holds, and no refusal what it refuses. Nobody can say how late a
        reply may be: twice the longest time-out is waited."""
        if self.line.stray_ms is not None:
            # A person's command was stopped, or asked any meter for anything.
            self._late_ms, self._late_request, self._may_refuse_late = self.line.stray_ms, b"", True
            self.line.stray_ms = None
        if self._late_ms is None:
            return
        longest_ms = 2 * self.section.timeout_ms
        rest_ms = longest_ms - time.ticks_diff(time.ticks_ms(), self._late_ms)
        # After days ticks_diff may have wrapped: more than the longest rest means long ago.
        if 0 < rest_ms <= longest_ms:
            if not self._may_refuse_late and not self._asking.may_mix(self._late_request, request):
                return
            await self.line.settle(rest_ms)
        self._late_ms = self._late_request = None
        self._may_refuse_late = False

    def names(self):
        """record.MeterNames of this meter, as the log keeps it."""
        return record.MeterNames(self.name, self.section.every_s, self.points, serial="" if self.identifies else None)


def _middle(values):
    """The middle one of three, or None if one is missing."""
    return None if None in values else sorted(values)[1]
