"""Simulated `machine` of an ESP32: UARTs on pseudo terminals, pins, clock, watchdog. Set up by sim.json.

"uarts": {"1": pseudo terminal}, or {"1": {"terminal": .., "drive": {"pin": 4, "fifo": ..}}}: then the simulated line
is told over the fifo when the pin changes and when the UART begins to send, one line of text each, times as
time.ticks_us gives them:
    1 US | 0 US            the driver-enable pin
    s US BAUD BITS P STOP  settings; P is - 0 1
    w US N                 the next N bytes of the terminal begin then
"most_baud": a faster one is refused, as by a port that cannot do it.
"""

import json
import sys
import time

import uselect as select

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5

# What the next start will be told; sim/gateway.py sets it.
_cause = PWRON_RESET


def settings():
    """The simulation's own file in the board's folder."""
    with open("sim.json") as file:
        return json.load(file)


def reset_cause():
    return _cause


def reset():
    """Ends the firmware; sim/gateway.py starts it anew."""
    raise SystemExit("reset")


_fifos = {}


def _fifo(path):
    """The open fifo of a line that listens; one for all that tell it something, so that all comes in order."""
    if path not in _fifos:
        _fifos[path] = open(path, "wb", 0)
    return _fifos[path]


class Pin:
    OUT = 3

    def __init__(self, number, mode=-1, value=0):
        self.number = number
        self._fifo = None
        for uart in settings().get("uarts", {}).values():
            if isinstance(uart, dict) and uart.get("drive", {}).get("pin") == number:
                self._fifo = _fifo(uart["drive"]["fifo"])
        self(value)

    def __call__(self, value=None):
        if value is None:
            return self._value
        self._value = value
        if self._fifo:
            self._fifo.write(b"%d %d\n" % (1 if value else 0, time.ticks_us()))


class WDT:
    """Counts feeds; it does not bite, since a test wants to see what hangs."""

    timeout_ms = None
    n_feeds = 0

    def __init__(self, timeout):
        WDT.timeout_ms = timeout

    def feed(self):
        WDT.n_feeds += 1


class RTC:
    """A PC's clock is not ours to set: what the firmware wanted is kept for the tests."""

    wanted = None

    def datetime(self, value):
        RTC.wanted = value


class UART:
    """A UART whose wire is the pseudo terminal that sim.json names for its number. n_lost: beyond rxbuf."""

    def __init__(self, number, baudrate=9600, rxbuf=256, **_):
        found = settings()["uarts"][str(number)]
        if not isinstance(found, dict):
            found = {"terminal": found}
        self._port = open(found["terminal"], "r+b", 0)
        self._fifo = _fifo(found["drive"]["fifo"]) if "drive" in found else None
        self._poll = select.poll()
        self._poll.register(self._port, select.POLLIN)
        self._in = b""
        self._rx_bytes = rxbuf
        self.n_lost = 0
        self._sent_us = time.ticks_us()
        self._most_baud = settings().get("most_baud", 1000000)
        self.init(baudrate)

    def init(self, baudrate=9600, bits=8, parity=None, stop=1):
        if baudrate > self._most_baud:
            raise ValueError("baudrate")
        self._baud = baudrate
        self._char_bits = 1 + bits + (parity is not None) + stop
        if self._fifo:
            told = (time.ticks_us(), baudrate, bits, "-" if parity is None else parity, stop)
            self._fifo.write(b"s %d %d %d %s %d\n" % told)

    def any(self):
        # One byte at a time: read(n) of a file waits for all n.
        while any(event & select.POLLIN for _, event in self._poll.poll(0)):
            byte = self._port.read(1)
            if len(self._in) < self._rx_bytes:
                self._in += byte
            else:
                self.n_lost += 1
        return len(self._in)

    def readinto(self, buf, n):
        n = min(n, len(self._in), len(buf))
        buf[:n] = self._in[:n]
        self._in = self._in[n:]
        return n

    def write(self, data):
        begin_us = time.ticks_us()
        if self._fifo:
            self._fifo.write(b"w %d %d\n" % (begin_us, len(data)))
        self._port.write(data)
        if time.ticks_diff(self._sent_us, begin_us) > 0:
            begin_us = self._sent_us
        self._sent_us = time.ticks_add(begin_us, len(data) * self._char_bits * 1000000 // self._baud)
        return len(data)

    def txdone(self):
        return time.ticks_diff(self._sent_us, time.ticks_us()) <= 0


if sys.implementation.name != "micropython":
    raise ImportError("simulated ports are for MicroPython")
