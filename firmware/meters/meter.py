"""A meter: a profile, its address and its line, read as one reading.

The chosen points are merged into the fewest requests, and these are made, once, at start.
"""

import time

from firmware.errors import BadFrame, ConfigError, MeterRefused, NoReply
from firmware.protocols import modbus, record
from firmware.texts import parse_settings, settings_text


def plan_blocks(points, gap):
    """[(first register, count, [index of point, ..]), ..] that cover points with the fewest requests.

    points: rows of a profile. gap: how many registers nobody asked for may lie between two points of a block.
    At most 125 registers a block."""
    blocks = []
    for index in sorted(range(len(points)), key=lambda i: points[i][1]):
        first = points[index][1]
        end = first + modbus.form_of(points[index][2])[0]
        if blocks:
            begin, count, members = blocks[-1]
            if first <= begin + count + gap and end - begin <= modbus.MOST_REGISTERS:
                blocks[-1] = (begin, max(count, end - begin), members + [index])
                continue
        blocks.append((first, end - first, [index]))
    return blocks


class Meter:
    """Meter(config section, line, reply). points: (name, unit, decimals, class) in the order of the values it reads.

    reply: a decoder that the meters of one line share: it is started by the line for each request, and what it holds is
    used before anything else is awaited.
    ConfigError if profile or points do not exist; key names the section by `key`."""

    def __init__(self, section, line, reply=None, key="meter"):
        # Imported here: once the meters are made, nobody needs the tables any more.
        from firmware.meters.profiles import PROFILES

        if section.profile not in PROFILES:
            raise ConfigError(key + ".profile", "must be one of: " + ", ".join(sorted(PROFILES)))
        self.model, self.function, settings, gap, default, table = PROFILES[section.profile]
        rows = {row[0]: row for row in table}
        for name in section.points:
            if name not in rows:
                raise ConfigError(
                    key + ".points", "must be points of %s: %s" % (section.profile, ", ".join(row[0] for row in table))
                )
        self.section = section
        self.name = section.name
        self.line = line
        self.settings = section.settings or parse_settings(settings)
        self.rows = tuple(rows[name] for name in section.points or default)
        self.points = tuple((name, unit, decimals, klass) for name, _, _, unit, decimals, klass in self.rows)
        self.steps = [1] * len(self.rows)
        self.blocks = [
            (self._request(section.unit, first, count), first, members) for first, count, members in plan_blocks(self.rows, gap)
        ]
        self.counts = {"readings": 0, "no_reply": 0, "bad_frame": 0, "refused": 0, "retries": 0}
        self.reply_ms = 0
        # When the last request was made whose reply may come when another is waited for, or None.
        self._late_ms = None
        self._reply = reply or modbus.Reply()

    def _request(self, unit, first, count):
        request = bytearray(modbus.REQUEST_BYTES)
        modbus.put_read(request, unit, self.function, first, count)
        return bytes(request)

    @property
    def settings_text(self):
        return settings_text(self.settings)

    async def read(self):
        """(values, complete): scaled integers or None in the order of points; complete is False if some are missing.

        A block that is refused costs only its own points; a meter that falls silent is not asked for the rest.
        NoReply, BadFrame or MeterRefused if none came."""
        async with self.line.turn:
            return await self._read_blocks()

    async def _read_blocks(self):
        values = [None] * len(self.rows)
        refused = None
        n_read = 0
        for request, first, members in self.blocks:
            try:
                data = await self._read_block(request)
            except MeterRefused as error:
                self.counts["refused"] += 1
                refused = error
                continue
            except (NoReply, BadFrame):
                if not n_read:
                    raise
                break
            n_read += 1
            for index in members:
                values[index] = self._value(index, data, (self.rows[index][1] - first) * 2)
        if not n_read:
            raise refused
        self.counts["readings"] += 1
        return values, None not in values

    async def _read_block(self, request):
        section = self.section
        await self._settle()
        for left in range(section.retries, -1, -1):
            begun_ms = time.ticks_ms()
            if left < section.retries:
                # What answers now may be the late reply to an earlier try: that to this one is then still to come.
                self._late_ms = begun_ms
            try:
                data = await self.line.exchange(self.settings, request, len(request), self._reply, section.timeout_ms)
                self.reply_ms = time.ticks_diff(time.ticks_ms(), begun_ms)
                return data
            except (NoReply, BadFrame) as error:
                self.counts["no_reply" if isinstance(error, NoReply) else "bad_frame"] += 1
                self._late_ms = begun_ms
                if not left:
                    raise
                self.counts["retries"] += 1

    async def _settle(self):
        """After a request was given up, let its reply pass before another is asked.

        A Modbus reply does not say which registers it holds: a late one would be taken for those of the next block."""
        if self._late_ms is None:
            return
        longest_ms = (self.section.retries + 2) * self.section.timeout_ms
        rest_ms = longest_ms - time.ticks_diff(time.ticks_ms(), self._late_ms)
        self._late_ms = None
        # After days ticks_diff may have wrapped: more than the longest rest means long ago.
        if 0 < rest_ms <= longest_ms:
            await self.line.settle(rest_ms)

    def _value(self, index, data, offset):
        _, _, form, _, decimals, _ = self.rows[index]
        divide = modbus.form_of(form)[1]
        bits = modbus.bits_of(data, offset)
        self.steps[index] = modbus.step_of_f32(bits, decimals, divide)
        return modbus.scaled_of_f32(bits, decimals, divide)

    def names(self):
        """record.MeterNames of this meter, as the log keeps it."""
        return record.MeterNames(self.name, self.section.every_s, self.points)
