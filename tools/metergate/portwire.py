"""The master's end of a simulated wire: a pseudo terminal, or a real serial port."""

import os
import pty
import termios
import tty

import serial

from firmware.errors import ConfigError
from tests.sim.chars import silence_us, span_us

_SPEEDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()}
_PARITY = {None: serial.PARITY_NONE, 0: serial.PARITY_EVEN, 1: serial.PARITY_ODD}
# An adapter on USB hands over what came in lumps, mostly of 16 ms: what follows within this time follows without a pause.
_LUMP_US = 20000


def open_pty():
    """(master, slave) of a new pseudo terminal, without blocking."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    # The slave stays open here: a gateway that is killed must not hang up the line.
    return master, slave


class Terminal:
    """A pseudo terminal, set to a baud rate until somebody sets another. Its name is the master's end."""

    def __init__(self, baud=9600):
        self.handle, self._slave = open_pty()
        self.name = os.ttyname(self._slave)
        speeds = [speed for speed, each in _SPEEDS.items() if each == baud]
        if speeds:
            attributes = termios.tcgetattr(self._slave)
            attributes[4] = attributes[5] = speeds[0]
            termios.tcsetattr(self._slave, termios.TCSANOW, attributes)
        self._first = termios.tcgetattr(self._slave)[5]

    def baud(self):
        """What the master has set; None: nothing, or what no UART has."""
        speed = termios.tcgetattr(self._slave)[5]
        return None if speed == self._first else _SPEEDS.get(speed)

    def begun_us(self, _data, _wire, now_us):
        """When the first of these bytes began on the simulated wire: it has no other."""
        return now_us

    def gave(self, now_us):
        pass

    def close(self):
        os.close(self.handle)
        os.close(self._slave)


class Port:
    """A serial port with its own wire, on which bytes have taken their time when they are heard.

    ConfigError if it cannot be opened, or not with these settings."""

    def __init__(self, name, settings):
        self.name = name
        self.settings = settings
        self._gave_us = 0
        baud, bits, parity, stop = settings
        try:
            self._port = serial.Serial(name, baud, bits, _PARITY[parity], stop, timeout=0, exclusive=True)
        except (serial.SerialException, OSError, ValueError, termios.error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ConfigError("port", f"{name} cannot be used with these settings: {why.rpartition('] ')[2]}") from None
        self.handle = self._port.fileno()

    def baud(self):
        return None

    def begun_us(self, data, wire, now_us):
        """When the first of these bytes began."""
        begun_us = now_us - span_us(self.settings, len(data))
        sent_us = wire.sent_us()
        if self._gave_us < sent_us and begun_us - sent_us < _LUMP_US:
            return sent_us
        # Whom a master interrupts the port's own wire decides, not ours.
        return max(begun_us, wire.answered_us() + silence_us(self.settings) + 1)

    def gave(self, now_us):
        """A meter's bytes were handed to it."""
        self._gave_us = now_us

    def close(self):
        self._port.close()
