"""Virtual `network`: a Wi-Fi station that takes its time to associate with the world's one cell."""

import socket

from tests.sim import world as _world

STA_IF = 0
# Scan, association and DHCP.
_JOIN_US = 3000000


class WLAN:
    # Counts the tries to associate; only the newest counts. There is one radio.
    n_tries = 0

    # How long the next look at the connection does not come back, as drivers sometimes do.
    hang_us = 0

    def __init__(self, _):
        pass

    @staticmethod
    def forget():
        """The board is off."""
        WLAN.hang_us = 0
        WLAN.n_tries += 1

    def active(self, on):
        self._leave()

    def connect(self, ssid, password):
        self._leave()
        world = _world.current
        world.spend(_world.PORT_US)
        world.call_in(_JOIN_US + world.random.below(1500000), self._join, WLAN.n_tries)

    def _join(self, number):
        # A cell that is gone is not found; the firmware tries again.
        if number == WLAN.n_tries and socket.net.is_up:
            socket.net.join()

    def disconnect(self):
        self._leave()

    @staticmethod
    def _leave():
        WLAN.n_tries += 1
        socket.net.joined = False

    def isconnected(self):
        _world.current.spend(_world.PORT_US + WLAN.hang_us)
        WLAN.hang_us = 0
        return socket.net.joined

    def ifconfig(self):
        return ("10.0.0.7", "255.255.255.0", "10.0.0.1", socket.net.name_server)
