"""The parts of a whole gateway on this machine, each ended by its own id after the test that started it."""

import copy
from pathlib import Path

import pytest

from metergate.broker import Broker
from metergate.certificates import make_certificates
from metergate.pcgateway import Gateway, SimulatedLine
from metergate.processes import wait_for
from metergate.proxy import Proxy
from metergate.receive import Receiver

METERS = (
    {"unit": 1, "profile": "sdm630", "power_kw": 36000.0, "energy_kwh": 1234.0},
    {"unit": 2, "profile": "sdm120", "power_kw": 7200.0, "energy_kwh": 8801.25},
    {"unit": 3, "profile": "dtsu666", "power_kw": 3600.0, "energy_kwh": 40210.5},
)


def meter(name, unit, profile, every_s=1, **more):
    """One of config.meters on line A."""
    section = {"name": name, "line": "A", "protocol": "modbus", "unit": unit, "profile": profile, "every_s": every_s}
    return {**section, "settings": "9600 8N1", **more}


def config(meters, uplinks=(), zone="CST-8"):
    """A whole configuration with one line."""
    return {
        "gateway": {"id": "gw-test", "zone": zone},
        "network": {"kind": "wifi", "ssid": "plant"},
        "lines": [{"name": "A", "uart": 1, "tx": 17, "rx": 16, "de": 4}],
        "meters": copy.deepcopy(list(meters)),
        "uplinks": list(uplinks),
    }


def uplink(port, name="centre", **more):
    return {"name": name, "host": "localhost", "port": port, "ca": "ca.der", **more}


THREE = (meter("main", 1, "sdm630"), meter("boiler", 2, "sdm120"), meter("press", 3, "dtsu666"))


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    """A folder with a throw-away CA and a certificate for localhost."""
    return make_certificates(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def own():
    """own(part) -> part, ended after the test: stop() of a Process, close() of the rest."""
    parts = []

    def add(part):
        parts.append(part)
        return part

    yield add
    for part in reversed(parts):
        if hasattr(part, "stop"):
            part.stop()
        else:
            part.close()


@pytest.fixture
def broker(tmp_path, certs, own):
    return own(Broker(tmp_path / "broker", certs)).start()


@pytest.fixture
def receiver(broker, certs, own):
    """A receiver that already listens."""
    found = []
    receiver = own(Receiver(broker.port, certs / "ca.pem", found.append))
    wait_for(lambda: True in found, 10, "receiver")
    return receiver


@pytest.fixture
def proxy(broker, own):
    """A healthy network before the broker; its faults are set while it runs."""
    return own(Proxy(broker.port))


@pytest.fixture
def line(tmp_path, own):
    """The pseudo terminal of a line with METERS."""
    return own(SimulatedLine(tmp_path, {"settings": "9600 8N1", "meters": METERS})).start().terminal


@pytest.fixture
def gateway(tmp_path, certs, own, line):
    """gateway(config, ..) -> a started Gateway on the line."""

    def start(settings, **more):
        made = own(Gateway(tmp_path / "board", settings, {"1": line}, ca=more.pop("ca", certs / "ca.der"), **more))
        return made.start()

    return start


def answer(gateway, command, seconds=5):
    """What the console shows after a command, up to the next prompt."""
    before = len(Path(gateway.log).read_text(errors="replace"))
    gateway.type(command)

    def shown():
        text = gateway.console()[before:]
        return text if text.endswith("> ") else None

    return wait_for(shown, seconds, f"answer to {command}")
