"""Which instrument stands where: a meter's own number, read at the start, daily and after silence."""

from micropython import const

from firmware.errors import MeterError

# How often it is tried in a row where the meter does not tell, though it measures.
_TRIES = const(3)


class Identity:
    """Identity(log, tell, zone): log keeps the numbers; tell stores an event from its JSON members.

    heard and missed say what the poll has met; due gives the meter to be asked, check asks it by so many requests."""

    n_requests = 1

    def __init__(self, log, tell, zone):
        self._log = log
        self._tell = tell
        self._zone = zone
        # Index: the local day of its newest check. Without one it is to be asked as soon as it is heard.
        self._days = {}
        # Indices to be asked, the first first, and how often each was tried.
        self._waiting = {}

    def heard(self, index, meter, slot_s):
        """A meter has given a reading: if its number was not checked on this day, it is to be asked."""
        day = self._zone.day_of(slot_s)
        if meter.identifies and self._days.get(index) != day and index not in self._waiting:
            self._days[index] = day
            self._waiting[index] = 0

    def missed(self, index):
        """A meter was silent: another one may stand there when it is heard again."""
        self._days.pop(index, None)
        self._waiting.pop(index, None)

    @property
    def due(self):
        """The index of a meter that is to be asked, or None."""
        for index in self._waiting:
            return index
        return None

    async def check(self, index, meter):
        """Ask a meter for its number; what is new is in the log, with an event."""
        self._waiting[index] += 1
        try:
            found = await meter.read_serial()
        except MeterError as error:
            if self._waiting.get(index, _TRIES) >= _TRIES or error.cause in ("refused", "bad data"):
                # The day after it is asked again.
                self._waiting.pop(index, None)
            return
        self._waiting.pop(index, None)
        self._log.identify(index, found, self._tell)
