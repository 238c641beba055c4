"""Simulated `network`: a Wi-Fi station that is connected soon after it is told to, with the PC's loopback behind it."""

import time

from machine import settings

STA_IF = 0
_CONNECT_MS = 100


class WLAN:
    def __init__(self, _):
        self._since_ms = None

    def active(self, on):
        if not on:
            self._since_ms = None

    def connect(self, ssid, password):
        self._since_ms = time.ticks_ms()

    def disconnect(self):
        self._since_ms = None

    def isconnected(self):
        return self._since_ms is not None and time.ticks_diff(time.ticks_ms(), self._since_ms) > _CONNECT_MS

    def ifconfig(self):
        return "127.0.0.1", "255.0.0.0", "127.0.0.1", settings().get("dns", "")
