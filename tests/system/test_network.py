"""Names and time come over the network, without stopping the measuring when they do not come."""

import calendar
import struct
import time

import pytest
from conftest import THREE, answer, config, uplink

from metergate.broker import Broker
from metergate.certificates import make_certificates
from metergate.image import read_image
from metergate.processes import wait_for
from metergate.receive import Receiver
from metergate.resolver import Udp, dns_reply


def ntp_reply(request, ahead_s=0):
    """A server's answer (RFC 4330): stratum 2, our transmit time sent back as originate time."""
    second = int(time.time()) + 2208988800 + ahead_s
    stamp = struct.pack("!II", second & 0xFFFFFFFF, 0)
    return b"\x24\2\6\xe9" + bytes(12) + stamp + request[40:48] + stamp + stamp


@pytest.fixture
def named(tmp_path, own):
    """(broker, receiver, ca) of a data centre called broker.test."""
    certs = make_certificates(tmp_path / "named", "broker.test")
    broker = own(Broker(tmp_path / "broker", certs)).start()
    listening = []
    receiver = own(Receiver(broker.port, certs / "ca.pem", listening.append))
    wait_for(lambda: True in listening, 10, "receiver")
    return broker, receiver, certs / "ca.der"


def test_a_data_centre_is_found_by_its_name(gateway, named, own):
    broker, receiver, ca = named
    dns = own(Udp(dns_reply))
    gateway(config(THREE, [uplink(broker.port, host="broker.test")]), ca=ca, dns=dns.address)
    wait_for(lambda: len(receiver.latest) == 3, 15, "readings of three meters")
    assert dns.n_requests == 1


def test_a_name_server_that_never_answers_does_not_stop_the_measuring(gateway, named, own):
    broker, _, ca = named
    dns = own(Udp(lambda request: None))
    unit = gateway(config(THREE, [uplink(broker.port, host="broker.test")]), ca=ca, dns=dns.address)
    wait_for(lambda: "name: no answer" in answer(unit, "status"), 15, "failure in status")
    wait_for(lambda: dns.n_requests > 1, 15, "second question")
    readings = [r for _, r in read_image(unit.ring)[1] if r.kind == 1 and r.meter == "main"]
    assert max(b.slot_s - a.slot_s for a, b in zip(readings[1:], readings[2:])) == 1


def test_a_name_that_does_not_exist_is_said(gateway, named, own):
    broker, _, ca = named
    dns = own(Udp(dns_reply))
    unit = gateway(config(THREE, [uplink(broker.port, host="elsewhere.test")]), ca=ca, dns=dns.address)
    wait_for(lambda: "name: no such name" in answer(unit, "status"), 15, "failure in status")


def test_the_time_comes_from_the_first_server_that_answers(gateway, own, line):
    dead, good = own(Udp(lambda request: None)), own(Udp(ntp_reply))
    settings = config(THREE)
    settings["network"]["ntp"] = [dead.address, good.address]
    unit = gateway(settings)
    wait_for(lambda: "source ntp" in answer(unit, "status"), 15, "time source in status")
    assert dead.n_requests and good.n_requests


def test_a_step_of_the_clock_is_an_event(gateway, own, line):
    # A PC's clock is not set by the simulated port, so the same step is seen again at the next question only.
    server = own(Udp(lambda request: ntp_reply(request, ahead_s=100)))
    settings = config(THREE)
    settings["network"]["ntp"] = [server.address]
    unit = gateway(settings)

    def steps():
        return (
            [r for _, r in read_image(unit.ring)[1] if r.kind == 4 and "time_step" in r.members] if unit.ring.exists() else []
        )

    wait_for(steps, 15, "event")


def test_a_person_can_set_the_clock(gateway, line):
    unit = gateway(config(THREE))
    wait_for(lambda: "source kept" in answer(unit, "clock"), 10, "clock")
    assert "not a date: today" in answer(unit, "clock today 12:00:00")
    assert "not a time: 25:00:00" in answer(unit, "clock 2026-11-22 25:00:00")
    answer(unit, "clock 2031-01-02 03:04:05")
    # A PC's clock is not ours to set; that it was wanted stands in the log.
    steps = [r.members for _, r in read_image(unit.ring)[1] if r.kind == 4 and "time_step" in r.members]
    assert steps and '"to":%d' % (calendar.timegm((2031, 1, 2, 3, 4, 5)) - 8 * 3600) in steps[0]
