"""The network under the data centres: brought up, watched, and taken fully down before it is brought up again."""

import asyncio

from micropython import const

_UP_TRIES = const(40)
_TRY_MS = const(500)
_DOWN_MS = const(1000)
_WATCH_MS = const(1000)


class Link:
    """Link(wlan, section): wlan as network.WLAN; section is config.network. is_up, n_ups, n_losses, address."""

    def __init__(self, wlan, section):
        self._wlan = wlan
        self._section = section
        self.is_up = False
        self.n_ups = 0
        self.n_losses = 0
        self.n_failures = 0
        self.address = ""

    @property
    def name_server(self):
        """The name server that the network handed out, or ''."""
        return self._wlan.ifconfig()[3] if self.is_up else ""

    async def run_link(self):
        """Keep the network up for ever."""
        while True:
            # Fully down first, also where the last attempt ended in an exception.
            self.is_up = False
            self._wlan.active(False)
            await asyncio.sleep_ms(_DOWN_MS if self.n_ups or self.n_failures else 0)
            self._wlan.active(True)
            self._wlan.connect(self._section.ssid, self._section.password)
            if await self._wait_up():
                self.is_up = True
                self.n_ups += 1
                self.address = self._wlan.ifconfig()[0]
                while self._wlan.isconnected():
                    await asyncio.sleep_ms(_WATCH_MS)
                self.is_up = False
                self.n_losses += 1
            else:
                self.n_failures += 1
            self._wlan.disconnect()

    async def _wait_up(self):
        for _ in range(_UP_TRIES):
            if self._wlan.isconnected():
                return True
            await asyncio.sleep_ms(_TRY_MS)
        return False
