"""The simulated UART as umodbus wants it: imported where tests/sim/ports is on the path. MicroPython only."""

import machine


class Uart(machine.UART):
    """What umodbus calls beyond the firmware's own port: read without a count, and a flush that blocks."""

    def __init__(self, number, bits=8, parity=None, stop=1, **more):
        super().__init__(number, **more)

    def read(self):
        n = self.any()
        found = bytearray(n)
        self.readinto(found, n)
        return found if n else None

    def flush(self):
        while not self.txdone():
            pass
