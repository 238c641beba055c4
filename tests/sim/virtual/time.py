"""Virtual `time` of an ESP32: ticks that wrap at 2**30, an epoch of 2000, and a wall clock that drifts and can be set.

After power the clock stands at the epoch's beginning; a reset does not touch it."""

from tests.sim import world as _world

try:
    import utime as _real
except ImportError:
    import time as _real

_MASK = (1 << 30) - 1
_HALF = 1 << 29
# Unix seconds of 2000-01-01.
_EPOCH_S = 946684800
_REAL_EPOCH_S = 0 if _real.gmtime(0)[0] == 1970 else _EPOCH_S
_TICKS_US = _world.TICKS_US


def ticks_us():
    now = _world.current
    now.spend(_TICKS_US)
    return now.now_us & _MASK


def ticks_ms():
    now = _world.current
    # As now.spend: without a call, since the loop asks at every turn.
    now_us = now.now_us + _TICKS_US
    if now_us < now.due_us:
        now.now_us = now_us
    else:
        now.run_until(now_us)
        now_us = now.now_us
    return now_us // 1000 & _MASK


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    return (ticks + delta) & _MASK


def ticks_diff(end, start):
    return ((end - start + _HALF) & _MASK) - _HALF


if getattr(_real, "ticks_add", lambda *_: 0)(0, -1) == _MASK:
    # The same, where words have 32 bits.
    ticks_add, ticks_diff = _real.ticks_add, _real.ticks_diff


class Wall:
    """The board's clock: what it showed at an instant of the world, and how fast it runs (parts per million)."""

    def __init__(self):
        self.ppm = 0
        self.stop()

    def stop(self):
        """The power went: it begins anew at the epoch's beginning."""
        self.set(0)

    def set(self, us):
        self._set_at_us = _world.current.now_us if _world.current else 0
        self._us = us

    def now_us(self):
        """Microseconds since the port's epoch."""
        passed_us = _world.current.now_us - self._set_at_us
        return self._us + passed_us + passed_us * self.ppm // 1000000

    def unix_s(self):
        return self.now_us() // 1000000 + _EPOCH_S


wall = Wall()


def time_ns():
    _world.current.spend(_TICKS_US)
    return wall.now_us() * 1000


def time():
    return time_ns() // 1000000000


def gmtime(at_s=None):
    return _real.gmtime((time() if at_s is None else at_s) + _EPOCH_S - _REAL_EPOCH_S)


localtime = gmtime


def mktime(civil):
    return _real.mktime(civil) - _EPOCH_S + _REAL_EPOCH_S


def sleep_us(for_us):
    _world.current.spend(for_us)


def sleep_ms(for_ms):
    _world.current.spend(for_ms * 1000)


def sleep(for_s):
    _world.current.spend(int(for_s * 1000000))
