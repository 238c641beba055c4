"""Looks for electricity meters of DL/T 645, of both editions, on a line.

All are asked at once, with a number of A alone: for their number (2007, 13H), and for their energy. Where answers fall
into one another, the last digits of the number are tried one after another.
"""

from firmware.meters import apart, finds
from firmware.protocols import bcd, dlt645, hearing

SPEAKS = ("dlt645", "dlt645-1997")
# 2400 8E1 is the standard's, 1200 8E1 that of 1997; the others can be set, and some makers do.
SETTINGS = "2400 8E1,1200 8E1,9600 8E1,4800 8E1,9600 8N1,19200 8E1"
_ANY = "A" * 12

_ENERGY, _ENERGY_1997 = 0x00010000, 0x9010
_VOLTAGE_2, _VOLTAGE_2_1997 = 0x02010200, 0xB612
_NUMBER_1997 = 0xC032


def most_ms(wanted):
    """How long it takes at most; telling meters apart, which says so, not counted."""
    n = 2 * ("dlt645" in wanted.protocols) + ("dlt645-1997" in wanted.protocols)
    return n * sum([apart.wild_ms(each, wanted.n_wake) for each in wanted.settings_of(SETTINGS)])


class Scanner:
    """Scanner(scan, wanted): run() fills scan.finds."""

    def __init__(self, scan, wanted):
        self._scan = scan
        self._wanted = wanted
        self._reply = dlt645.Reply()
        self._request = bytearray(dlt645.REQUEST_BYTES)

    async def run(self):
        await self._scan.look("dlt645", self._wanted.settings_of(SETTINGS), self._look)

    async def _look(self, settings):
        async def address(number, wait_ms, quiet_ms):
            return await self._ask(settings, dlt645.put_read_address(self._request), wait_ms, quiet_ms)

        async def energy(number, wait_ms, quiet_ms):
            return await self._ask(settings, dlt645.put_read(self._request, number, _ENERGY), wait_ms, quiet_ms)

        async def energy_1997(number, wait_ms, quiet_ms):
            return await self._ask(settings, dlt645.put_read_1997(self._request, number, _ENERGY_1997), wait_ms, quiet_ms)

        scan, protocols = self._scan, self._wanted.protocols
        if "dlt645" in protocols:
            await apart.ask_all(12, address)
            if await apart.wild(scan, settings, 12, energy):
                await apart.split(scan, settings, 12, energy)
        if "dlt645-1997" in protocols and await apart.wild(scan, settings, 12, energy_1997):
            if "dlt645" in protocols and len([find for find in scan.finds if find.settings == settings]) > 1:
                # Meters of 2007 may refuse what is of 1997, all at once.
                await scan.say("a meter of 1997 among these would be found by: scan %s dlt645-1997" % scan.line.name)
            else:
                await apart.split(scan, settings, 12, energy_1997)

    async def _ask(self, settings, n, wait_ms, quiet_ms):
        """True if more was heard than frames. Meters that were not known yet are kept."""
        heard = await self._scan.ask(settings, bytes(memoryview(self._request)[:n]), wait_ms, quiet_ms)
        frames = hearing.frames(heard, hearing.DLT645)
        new = []
        for first, end, _ in frames:
            frame = heard[first:end]
            if not hearing.is_reply(frame, hearing.DLT645):
                continue
            number = self._number_of(frame)
            if not number:
                continue
            if not self._scan.known(settings, 0, number) and not (number == _ANY and self._has_anonymous(settings)):
                find = finds.Find("dlt645", settings)
                find.is_anonymous = number == _ANY
                find.number = number
                self._scan.found(find)
                new.append(find)
        for find in new:
            await self._describe(find)
            await self._scan.tell(find)
        return hearing.rest_of(heard, frames) >= apart.GARBLED_BYTES

    def _has_anonymous(self, settings):
        return any(find.is_anonymous and find.settings == settings for find in self._scan.finds)

    @staticmethod
    def _number_of(frame):
        """The number a reply is from; A alone where a meter does not say it; "" if it is none."""
        if frame[8] == dlt645.READ_ADDRESS | 0x80 and frame[9] == 6:
            data = hearing.data_of(frame, hearing.DLT645)
            try:
                return bcd.digits_of(data, 0, 6)
            except ValueError:
                return ""
        if hearing.is_anonymous(frame):
            return _ANY
        return hearing.whose(frame, hearing.DLT645) if hearing.has_number(frame, hearing.DLT645) else ""

    # -- which meter it is ---------------------------------------------------------------------------------------

    async def _describe(self, find):
        """Edition, phases and energy of a meter, asked by its number."""
        energy = await self._read(find, _ENERGY)
        if energy:
            await self._finish(find, energy, "dlt645_", _VOLTAGE_2, 1)
            return
        energy = await self._read(find, _ENERGY_1997)
        if energy:
            find.protocol = "dlt645-1997"
            if find.number == _ANY:
                await self._ask_number(find)
            await self._finish(find, energy, "dlt645_1997_", _VOLTAGE_2_1997, 0)
            return
        find.note = "it answers, but tells no energy"

    async def _ask_number(self, find):
        """Its number, if it answers to that; else it stays the only such meter of its line."""
        data = await self._read(find, _NUMBER_1997)
        try:
            number = bcd.digits_of(data, 0, 6) if data and len(data) == 6 else _ANY
        except ValueError:
            return
        find.number = number
        if not await self._read(find, _ENERGY_1997):
            find.number = _ANY

    async def _finish(self, find, energy, profile, di, decimals):
        """Profile and note, by the energy and whether there is a second phase."""
        voltage = await self._read(find, di)
        volts = _number(voltage, 2)
        has_phases = bool(voltage) and volts is not None
        find.profile = profile + ("3p" if has_phases else "1p")
        kwh = _number(energy, 4)
        shown = "no energy" if kwh is None else "energy_import %d.%02d kWh" % (kwh // 100, kwh % 100)
        if has_phases and volts:
            find.note = "sure: %s, voltage_l2 %d V" % (shown, volts // 10**decimals)
        elif has_phases:
            find.note = "likely: %s, voltage_l2 0 V" % shown
        else:
            find.note = "%s: %s, no second phase" % ("sure" if voltage is False else "likely", shown)

    async def _read(self, find, di):
        """The data behind a data identifier; None or False if there are none."""
        put = dlt645.put_read if di > 0xFFFF else dlt645.put_read_1997
        return await self._scan.exchange(find.settings, self._request, put(self._request, find.number, di), self._reply)


def _number(data, n):
    """The number in the first n bytes, or None."""
    if not data or len(data) < n or bcd.is_filled(data, 0, n):
        return None
    try:
        return bcd.number_of(data, 0, n)
    except ValueError:
        return None
