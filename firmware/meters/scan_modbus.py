"""Looks for Modbus meters on a line: every unit, at the settings that meters are delivered with, is asked for registers.

Any frame with a right checksum is a find, a refusal as well, and also one that comes late, to an earlier request.
"""

from micropython import const

from firmware.meters import finds
from firmware.meters import scan as scanning
from firmware.protocols import hearing, modbus

SPEAKS = ("modbus",)
# As the profiles' instruments leave the factory, then what else is met; those that differ in stop bits hear one another.
SETTINGS = "9600 8N1,9600 8E1,19200 8E1,2400 8N1,19200 8N1,4800 8N1,115200 8N1,38400 8N1"
# Most meters answer within 60 ms. What comes later is heard at one of the next requests, unless they fall together: so
# units that may have sent what was heard and was no frame, and all at the most likely settings, are asked once more.
_QUICK_MS = const(80)
# Slowest seen: 600 ms under load.
_PATIENT_MS = const(650)
# At all settings these units are asked first: what is new on the shelf is found soon.
_FIRST_UNITS = const(16)
# At settings at which so often something was heard that was no frame, this is noise.
_MOST_NOISE = const(20)


def most_ms(wanted):
    """How long it takes at most."""
    settings = wanted.settings_of(SETTINGS)
    n = wanted.last - wanted.first + 1
    total = sum([n * _quick_ms(each) + 2 * _PATIENT_MS for each in settings])
    return total + n * max([scanning.ask_ms(each, 8, _PATIENT_MS) for each in settings])


def _quick_ms(settings):
    return scanning.ask_ms(settings, 8, _QUICK_MS)


class Scanner:
    """Scanner(scan, wanted): run() fills scan.finds."""

    def __init__(self, scan, wanted):
        self._scan = scan
        self._wanted = wanted
        self._request = bytearray(8)
        # Patient requests that may be made yet.
        self._n_patient = wanted.last - wanted.first + 1
        # Settings at which something was heard.
        self._heard_at = []

    async def run(self):
        wanted = self._wanted
        settings = wanted.settings_of(SETTINGS)
        middle = min(wanted.first + _FIRST_UNITS, wanted.last + 1)
        for each in settings:
            await self._pass(each, range(wanted.first, middle), _QUICK_MS, modbus.HOLDING)
        likely = self._likely(settings)
        for each in likely:
            await self._pass(each, range(middle, wanted.last + 1), _QUICK_MS, modbus.HOLDING)
        for each in self._likely(settings)[:1]:
            await self._pass(each, range(wanted.first, wanted.last + 1), _PATIENT_MS, modbus.INPUT)

    def _likely(self, settings):
        """Those first at which something was found, then those at which something was heard."""
        found = [find.settings for find in self._scan.finds if find.protocol == "modbus"]
        first = [each for each in settings if each in found]
        then = [each for each in settings if each in self._heard_at and each not in first]
        return first + then + [each for each in settings if each not in first and each not in then]

    async def _pass(self, settings, units, for_ms, function):
        """Ask units at settings, those that are known not."""
        scan = self._scan
        if scan.is_left_out(settings) or not units:
            return
        patient = "" if for_ms == _QUICK_MS else ", patiently"
        recent = []
        n_noise = 0
        try:
            for unit in units:
                scan.doing = "modbus at %s, unit %d of %d..%d%s" % (
                    scanning.settings_text(settings),
                    unit,
                    units[0],
                    units[-1],
                    patient,
                )
                if scan.known(settings, unit):
                    continue
                if patient:
                    if not self._n_patient:
                        return
                    self._n_patient -= 1
                heard = await self._ask(settings, unit, for_ms, function)
                recent = (recent + [unit])[-1 - _PATIENT_MS // _QUICK_MS :]
                if heard and not await self._take(settings, heard) and n_noise < _MOST_NOISE:
                    n_noise += 1
                    await self._again(settings, recent)
                    recent = []
            if not patient:
                await self._take(settings, await scan.listen(_PATIENT_MS))
        except scanning.Babble as error:
            await scan.leave_out(settings, *error.args)

    async def _again(self, settings, units):
        """Ask those once more, patiently, one of which may have been heard."""
        for unit in units:
            if self._n_patient and not self._scan.known(settings, unit):
                self._n_patient -= 1
                await self._take(settings, await self._ask(settings, unit, _PATIENT_MS, modbus.INPUT))

    async def _ask(self, settings, unit, for_ms, function):
        self._request[0] = unit
        self._request[1] = function
        modbus.put_range(self._request, 0, 2)
        return await self._scan.ask(settings, self._request, for_ms)

    async def _take(self, settings, heard):
        """Keep the meters whose frames are in heard; how many frames there are."""
        frames = hearing.frames(heard, hearing.MODBUS)
        if heard and settings not in self._heard_at:
            self._heard_at.append(settings)
        for first, _, _ in frames:
            unit = heard[first]
            if self._scan.known(settings, unit):
                continue
            find = finds.Find("modbus", settings)
            find.unit = unit
            self._scan.found(find)
            await self._guess(find)
            await self._scan.tell(find)
        return len(frames)

    async def _guess(self, find):
        try:
            # Imported here: the tables take heap, and often nobody is found.
            from firmware.meters.guess import guess

            await guess(self._scan, find)
        except MemoryError:
            find.note = "no memory left to look for it"
