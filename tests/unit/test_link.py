"""The link: fully down before it comes up again, also when the port's methods raise."""

import asyncio

from firmware.uplink.link import Link


class _Section:
    ssid = "plant"
    password = "secret"


class _Wlan:
    """Writes down what it is told; connected as `up` says; raises once in connect if fails."""

    def __init__(self, up=True, fails=False):
        self.told = []
        self.up = up
        self.fails = fails

    def active(self, on):
        self.told.append("on" if on else "off")

    def connect(self, ssid, password):
        self.told.append("connect %s %s" % (ssid, password))
        if self.fails:
            self.fails = False
            raise OSError("Wifi Internal State Error")

    def disconnect(self):
        self.told.append("disconnect")

    def isconnected(self):
        return self.up

    def ifconfig(self):
        return "192.0.2.7", "", "", "192.0.2.1"


async def _run(link, seconds):
    try:
        await asyncio.wait_for(link.run_link(), seconds)
    except asyncio.TimeoutError:
        pass


def test_it_comes_up_and_knows_its_name_server():
    wlan = _Wlan()
    link = Link(wlan, _Section)
    assert link.name_server == ""
    asyncio.run(_run(link, 1))
    assert wlan.told == ["off", "on", "connect plant secret"]
    assert (link.is_up, link.n_ups, link.address, link.name_server) == (True, 1, "192.0.2.7", "192.0.2.1")


def test_it_is_taken_down_before_it_comes_up_again():
    wlan = _Wlan()
    link = Link(wlan, _Section)

    async def main():
        task = asyncio.create_task(_run(link, 5))
        await asyncio.sleep_ms(100)
        wlan.up = False
        await asyncio.sleep_ms(1200)
        assert not link.is_up and link.n_losses == 1
        wlan.up = True
        await asyncio.sleep_ms(1200)
        assert link.is_up
        task.cancel()

    asyncio.run(main())
    assert wlan.told == ["off", "on", "connect plant secret", "disconnect", "off", "on", "connect plant secret"]


def test_after_an_exception_it_begins_with_down():
    wlan = _Wlan(fails=True)
    link = Link(wlan, _Section)

    async def main():
        try:
            await link.run_link()
        except OSError:
            pass
        await _run(link, 1)

    asyncio.run(main())
    assert wlan.told == ["off", "on", "connect plant secret", "off", "on", "connect plant secret"]
    assert link.is_up
