"""Simulated `machine` of an ESP32: UARTs on pseudo terminals, pins, clock, watchdog. Set up by sim.json."""

import json
import select
import sys
import time

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


class Pin:
    OUT = 3

    def __init__(self, number, mode=-1, value=0):
        self.number = number
        self._value = value

    def __call__(self, value=None):
        if value is None:
            return self._value
        self._value = value


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
    """A UART whose wire is the pseudo terminal that sim.json names for its number."""

    def __init__(self, number, baudrate=9600, **_):
        self._port = open(settings()["uarts"][str(number)], "r+b", 0)
        self._poll = select.poll()
        self._poll.register(self._port, select.POLLIN)
        self._in = b""
        self._sent_us = time.ticks_us()
        self.init(baudrate)

    def init(self, baudrate=9600, bits=8, parity=None, stop=1):
        self._char_us = (1 + bits + (parity is not None) + stop) * 1000000 // baudrate

    def any(self):
        # One byte at a time: read(n) of a file waits for all n.
        while any(event & select.POLLIN for _, event in self._poll.poll(0)):
            self._in += self._port.read(1)
        return len(self._in)

    def readinto(self, buf, n):
        n = min(n, len(self._in), len(buf))
        buf[:n] = self._in[:n]
        self._in = self._in[n:]
        return n

    def write(self, data):
        now_us = time.ticks_us()
        self._port.write(data)
        self._sent_us = time.ticks_add(now_us, len(data) * self._char_us)
        return len(data)

    def txdone(self):
        return time.ticks_diff(self._sent_us, time.ticks_us()) <= 0


if sys.implementation.name != "micropython":
    raise ImportError("simulated ports are for MicroPython")
