"""Virtual `sys`: an ESP32's platform, and a console that types what the scenario says. The rest is the port's own."""

import sys as _real

from tests.sim import world as _world

_POLL = 3
_IN = 1


class Console:
    """Standard input and output of the board: type(text) puts bytes in, what comes out goes to said(text)."""

    def __init__(self):
        self.buffer = self
        self.said = None
        self._in = b""

    def type(self, text):
        self._in += text.encode()
        _world.current.stirred = True

    def ioctl(self, request, mask):
        return mask & _IN if request == _POLL and self._in else 0

    def read(self, n):
        data, self._in = self._in[:n], self._in[n:]
        return data or None

    def write(self, text):
        if self.said:
            self.said(text)
        return len(text)

    def forget(self):
        self._in = b""


class Sys:
    """Stands in sys.modules as `sys`."""

    platform = "esp32"

    def __init__(self):
        self.stdin = self.stdout = Console()

    def __getattr__(self, name):
        return getattr(_real, name)
