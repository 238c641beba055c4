"""Looks for water, heat and gas meters of CJ/T 188 on a line: all are asked at once, by either order of the identifier.

Where answers fall into one another, the last digits of the number are tried, which not every maker's meters know.
"""

from firmware.meters import apart, finds
from firmware.protocols import cjt188, cjt188data, hearing
from firmware.protocols.payload import decimal_text

SPEAKS = ("cjt188",)
# Mostly 2400 8E1; the others are what some makers deliver.
SETTINGS = "2400 8E1,9600 8E1,4800 8E1,1200 8E1,9600 8N1,2400 8N1"


def most_ms(wanted):
    """How long it takes at most; telling meters apart, which says so, not counted."""
    return 4 * sum([apart.wild_ms(each, wanted.n_wake) for each in wanted.settings_of(SETTINGS)])


class Scanner:
    """Scanner(scan, wanted): run() fills scan.finds."""

    def __init__(self, scan, wanted):
        self._scan = scan
        self._wanted = wanted
        self._reply = cjt188.Reply()
        self._request = bytearray(cjt188.REQUEST_BYTES)

    async def run(self):
        await self._scan.look("cjt188", self._wanted.settings_of(SETTINGS), self._look)

    async def _look(self, settings):
        for high_first in (False, True):

            async def address(number, wait_ms, quiet_ms, high_first=high_first):
                cjt188.put_read_address(self._request, high_first)
                return await self._ask(settings, wait_ms, quiet_ms)

            async def values(number, wait_ms, quiet_ms, high_first=high_first):
                cjt188.put_read(self._request, number, cjt188.NOW, high_first)
                return await self._ask(settings, wait_ms, quiet_ms)

            await apart.ask_all(14, address)
            if await apart.wild(self._scan, settings, 14, values):
                await apart.split(self._scan, settings, 14, values)

    async def _ask(self, settings, wait_ms, quiet_ms):
        """True if more was heard than frames. Meters that were not known yet are kept."""
        heard = await self._scan.ask(settings, bytes(self._request), wait_ms, quiet_ms)
        frames = hearing.frames(heard, hearing.CJT188)
        new = []
        for first, end, _ in frames:
            frame = heard[first:end]
            if not hearing.is_reply(frame, hearing.CJT188) or not hearing.has_number(frame, hearing.CJT188):
                continue
            number = hearing.whose(frame, hearing.CJT188)
            if not self._scan.known(settings, 0, number):
                find = finds.Find("cjt188", settings)
                find.number = number
                self._scan.found(find)
                new.append((find, frame[1]))
        for find, kind in new:
            await self._describe(find, kind)
            await self._scan.tell(find)
        return hearing.rest_of(heard, frames) >= apart.GARBLED_BYTES

    # -- which meter it is ---------------------------------------------------------------------------------------

    async def _describe(self, find, kind):
        """Its profile, by its kind and by what it counts in."""
        find.profile = _profile_of(kind)
        data = None
        for high_first in (False, True):
            cjt188.put_read(self._request, find.number, cjt188.NOW, high_first)
            data = data or await self._scan.exchange(find.settings, self._request, cjt188.REQUEST_BYTES, self._reply)
        if not data:
            find.note = "likely: kind %02X, but it tells no values" % kind
            return
        kind = self._reply.kind
        find.profile = _profile_of(kind)
        try:
            fields, _, _ = cjt188data.read(kind, data)
        except ValueError as error:
            find.note = "not sure: kind %02X; %s" % (kind, error.args[0])
            return
        if find.profile == "water" and _counts_litres(fields[0]):
            find.profile = "water_litre"
        field = fields[0] if len(fields) < 3 or fields[0].name == "cooling" else fields[1]
        find.note = "sure: kind %02X, %s %s" % (kind, field.name, _field_text(field))


def _profile_of(kind):
    if kind in (0x21, 0x22, 0x25):
        return "cooling"
    if 0x20 <= kind <= 0x29:
        return "heat"
    if 0x30 <= kind <= 0x39:
        return "gas"
    return "water" if 0x10 <= kind <= 0x19 else ""


def _counts_litres(field):
    """True if it counts more finely than a profile of hundredths of a m3 can say."""
    try:
        field.scaled("m3", 2, True)
    except ValueError:
        return True
    return False


def _field_text(field):
    if field.value is None:
        return "no value"
    size = "" if field.size == 1 else "x %d " % field.size
    return "%s %s%s" % (decimal_text(field.value, field.decimals), size, field.unit)
