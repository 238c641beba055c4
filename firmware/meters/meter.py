"""A meter: its requests, made at the start, and its line, read as one reading."""

import time
from collections import namedtuple

from micropython import const

from firmware.errors import BadData, BadFrame, MeterRefused, NoReply
from firmware.protocols import record
from firmware.texts import is_digits, settings_text

# Frames that may follow a first one, and what they hold together: DL/T 645 data blocks of the points we know take one.
_MOST_FOLLOWING = const(8)
_MOST_DATA_BYTES = const(1024)


# One request, bytes, and the points its reply holds: tuples that begin with the index of the point, the rest is for Asking.
Block = namedtuple("Block", ("request", "members"))


class Meter:
    """Meter(section, line, asking, profile, settings, rows, blocks, serial), as meters/equip.py makes it.

    points: (name, unit, decimals, class) in the order of the values it reads; steps: one step of the meter's own number
    in units of each point's last digit. serial: (function, row) of the meter's own number, or None."""

    # Of the class until they change: an attribute of each of sixteen meters takes heap.
    reply_ms = 0
    # What the meter's newest reply said is its number, where replies say that.
    number = ""
    # Which of two forms of the request it is asked by, and whether it has answered that one.
    _takes_other = False
    _is_known = False
    # When the last request was made whose reply may come when another is waited for, or None; whether that may be a
    # refusal, which no protocol puts a name on.
    _late_ms = None
    _may_refuse_late = False

    def __init__(self, section, line, asking, profile, settings, rows, blocks, serial=None):
        self.section = section
        self.line = line
        self.model = profile.model
        self.settings = settings
        self.rows = rows
        self.points = tuple((name, unit, decimals, klass) for name, _, _, unit, decimals, klass in rows)
        self.steps = [1] * len(rows)
        self.blocks = blocks
        self.serial = serial
        self.counts = {"readings": 0, "no_reply": 0, "bad_frame": 0, "bad_data": 0, "refused": 0, "retries": 0}
        self._asking = asking

    @property
    def name(self):
        return self.section.name

    @property
    def says_number(self):
        """True if every reply says the meter's number (CJ/T 188): it is heard, not asked for."""
        return self.section.protocol == "cjt188"

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

    async def read(self):
        """(values, complete): scaled integers or None in the order of points; complete is False if some are missing.

        A block that is refused or holds no values costs only its own points; a meter that falls silent is not asked for
        the rest. NoReply, BadFrame, BadData or MeterRefused if none came."""
        async with self.line.turn:
            values = [None] * len(self.rows)
            await self._read_blocks(self.blocks, values, self.steps)
        self.counts["readings"] += 1
        return values, None not in values

    async def read_others(self, rows, blocks):
        """The values of other points of its profile, as read() gives them; blocks as meters/equip.py makes them."""
        async with self.line.turn:
            values = [None] * len(rows)
            await self._read_blocks(blocks, values, [1] * len(rows))
        return values

    async def read_serial(self):
        """The meter's own number. NoReply, BadFrame, BadData or MeterRefused if it does not tell; see identifies."""
        if self.says_number:
            if not is_digits(self.number):
                raise BadData("number %s: not BCD" % self.number, b"")
            return self.number
        return await self.read_text(self._asking.about(self.blocks[0], *self.serial))

    async def read_text(self, block):
        """What a block with one member says of the meter, a text."""
        async with self.line.turn:
            return self._asking.text_of(block, await self._read_block(block))

    async def _read_blocks(self, blocks, values, steps):
        """Put what the blocks hold into values and steps. A block that is refused as a whole gives place to its parts."""
        answer = None
        n_read = 0
        i = 0
        while i < len(blocks):
            try:
                self._asking.put_values(blocks[i], await self._read_block(blocks[i]), values, steps)
                n_read += 1
                if self.says_number:
                    self.number = self._asking.reply.number_text()
            except (MeterRefused, BadData) as error:
                self.counts["refused" if isinstance(error, MeterRefused) else "bad_data"] += 1
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
        if not n_read:
            raise answer

    async def _read_block(self, block):
        """The reply's data, with those of the frames that follow; valid until something else is awaited."""
        await self._settle()
        data = await self._exchange(block)
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

    async def _exchange(self, block):
        """The first reply to a block. Where there are two forms of its request, the one that was answered is kept to."""
        other = self._asking.other(block)
        if other is None:
            return await self._retried(block.request)
        # Which form it takes is not known at first: then each is asked once at least.
        n = self.section.retries + 1 if self._is_known else max(2, self.section.retries + 1)
        refused = False
        for left in range(n - 1, -1, -1):
            try:
                data = await self._ask((other if self._takes_other else block).request)
                self._is_known = True
                # A late reply to the request before is as good.
                if self._asking.reply.is_swapped:
                    self._takes_other = not self._takes_other
                return data
            except (NoReply, BadFrame, MeterRefused) as error:
                if not left or isinstance(error, MeterRefused) and (refused or self._is_known):
                    # Another meter may have taken this one's place.
                    self._is_known = False
                    self._may_refuse_late = not isinstance(error, MeterRefused)
                    raise
                # What was refused is not asked for again.
                if not self._is_known and not refused:
                    self._takes_other = not self._takes_other
                refused = refused or isinstance(error, MeterRefused)
                self.counts["retries"] += 1

    async def _retried(self, request):
        for left in range(self.section.retries, -1, -1):
            try:
                return await self._ask(request, left < self.section.retries)
            except MeterRefused:
                self._may_refuse_late = left < self.section.retries
                raise
            except (NoReply, BadFrame):
                if not left:
                    # What was given up may be refused yet.
                    self._may_refuse_late = True
                    raise
                self.counts["retries"] += 1

    async def _ask(self, request, again=False):
        begun_ms = time.ticks_ms()
        asking = self._asking
        if again:
            # What answers now may be the late reply to an earlier try: that to this one is then still to come.
            self._late_ms = begun_ms
        try:
            data = await self.line.exchange(self.settings, request, len(request), asking.reply, self.section.timeout_ms)
            self.reply_ms = time.ticks_diff(time.ticks_ms(), begun_ms)
            return data
        except (NoReply, BadFrame) as error:
            self.counts["no_reply" if isinstance(error, NoReply) else "bad_frame"] += 1
            self._late_ms = begun_ms
            raise

    async def _settle(self):
        """After a request was given up, let its reply pass before another is asked.

        A Modbus reply does not say which registers it holds, and no refusal what it refuses: a late one would be taken for
        that to the next block."""
        if self._late_ms is None or self._asking.is_named and not self._may_refuse_late:
            return
        self._may_refuse_late = False
        longest_ms = (self.section.retries + 2) * self.section.timeout_ms
        rest_ms = longest_ms - time.ticks_diff(time.ticks_ms(), self._late_ms)
        self._late_ms = None
        # After days ticks_diff may have wrapped: more than the longest rest means long ago.
        if 0 < rest_ms <= longest_ms:
            await self.line.settle(rest_ms)

    def names(self):
        """record.MeterNames of this meter, as the log keeps it."""
        return record.MeterNames(self.name, self.section.every_s, self.points, serial="" if self.identifies else None)
