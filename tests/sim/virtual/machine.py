"""Virtual `machine` of an ESP32: UARTs on simulated lines, the driver-enable pins, the clock, a watchdog that bites.

`wires` and `pins` are set by whoever builds the world: {UART number: Wire}, {pin number: Wire}."""

import time

from tests.sim import world as _world

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5

wires = {}
pins = {}

_CAUSES = {"power": PWRON_RESET, "reset": HARD_RESET, "watchdog": WDT_RESET, "soft": SOFT_RESET}
_cause = PWRON_RESET

# Unix days of 2000-01-01, the epoch's.
_EPOCH_DAY = 10957


def started(cause):
    """The next start will be told this cause."""
    global _cause
    _cause = _CAUSES[cause]
    if cause == "power":
        time.wall.stop()


def reset_cause():
    return _cause


def reset():
    """Does not return."""
    _world.current.go_off(_world.Reset("reset"))


class Pin:
    IN, OUT = 1, 3

    def __init__(self, number, mode=-1, value=0):
        self._wire = pins.get(number)
        self(value)

    def __call__(self, value):
        now = _world.current
        now.spend(_world.PORT_US)
        if self._wire:
            self._wire.drive(bool(value), now.now_us)


class UART:
    def __init__(self, number, baudrate=9600, tx=None, rx=None, rxbuf=256, txbuf=256):
        self._wire = wires[number]
        self._wire.rx_bytes = rxbuf
        self._in = b""
        self.init(baudrate)

    def init(self, baudrate=9600, bits=8, parity=None, stop=1):
        self._wire.set((baudrate, bits, parity, stop), _world.current.now_us)

    def any(self):
        now = _world.current
        now.spend(_world.PORT_US)
        self._in += self._wire.read(now.now_us)
        return len(self._in)

    def readinto(self, buf, n):
        n = min(n, self.any(), len(buf))
        buf[:n] = self._in[:n]
        self._in = self._in[n:]
        return n

    def write(self, data):
        now = _world.current
        now.spend(_world.PORT_US)
        self._wire.write(bytes(data), now.now_us)
        return len(data)

    def txdone(self):
        now = _world.current
        now.spend(_world.PORT_US)
        return self._wire.sent_us() <= now.now_us


class WDT:
    """Restarts the board when it was not fed in time. There is one; a later call changes its time, as on ESP32."""

    timeout_us = 0
    # 0: it does not run.
    limit_us = 0
    _is_queued = False

    def __init__(self, timeout):
        WDT.timeout_us = timeout * 1000
        self.feed()

    def feed(self):
        now = _world.current
        now.spend(_world.PORT_US)
        WDT.limit_us = now.now_us + WDT.timeout_us
        if not WDT._is_queued:
            WDT._is_queued = True
            now.call_at(WDT.limit_us, WDT._look)

    @staticmethod
    def forget():
        """The board is off."""
        WDT.limit_us = 0

    @staticmethod
    def _look():
        now = _world.current
        WDT._is_queued = False
        if not WDT.limit_us:
            return
        if WDT.limit_us <= now.now_us:
            now.go_off(_world.Reset("watchdog"))
        WDT._is_queued = True
        now.call_at(WDT.limit_us, WDT._look)


class RTC:
    def datetime(self, value):
        """Set the wall clock: (year, month, day, weekday, hours, minutes, seconds, microseconds)."""
        year, month, day, _, hours, minutes, seconds, _ = value
        now = _world.current
        before_us = time.wall.now_us()
        day_number = _days(year, month, day)
        time.wall.set(((day_number * 24 + hours) * 60 + minutes) * 60000000 + seconds * 1000000)
        now.say("clock %d %d" % (before_us // 1000000, time.wall.now_us() // 1000000))


def _days(year, month, day):
    """Days from 2000-01-01 to a Gregorian date: by the rule of the ESP-IDF's own, counted from March."""
    if month < 3:
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469 - _EPOCH_DAY
