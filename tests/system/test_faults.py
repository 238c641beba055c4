"""The unchanged firmware behind every fault of the network: measuring goes on, nothing is lost, nothing stays behind."""

import asyncio
import contextlib
import os
import re
import subprocess
import time

import pytest
from conftest import METERS, THREE, answer, config, uplink
from test_proxy import Server

from firmware.errors import LinkDown
from firmware.uplink.names import Names
from metergate.broker import Broker
from metergate.certificates import make_certificates
from metergate.faults import FAULTS
from metergate.image import read_image
from metergate.onpc import ROOT
from metergate.pcgateway import Gateway, SimulatedLine, micropython
from metergate.pipe import STALLS
from metergate.processes import wait_for
from metergate.proxy import Proxy
from metergate.receive import Receiver
from metergate.resolver import WRONG_REPLIES, Udp, dns_refusal, dns_reply

_READING, _MISS = 1, 2
_TICKS_S = os.sysconf("SC_CLK_TCK")
# A cause is words for a person; a number is for seconds alone.
_WORDS = re.compile(
    r"(tcp|tls|connect|publish|puback|receive): (closed|connection (reset|refused)|no answer( in \d+ s)?)|"
    r"name: (no answer|no such name)"
)


class Site:
    """A gateway with its meters and its own network: `proxy` in front of the broker."""

    def __init__(self, folder, name, broker, certs, own):
        self.name = name
        self.proxy = own(Proxy(broker.port))
        line = own(SimulatedLine(folder / name, {"settings": "9600 8N1", "meters": METERS})).start()
        settings = config(THREE, [uplink(self.proxy.port)])
        settings["gateway"]["id"] = name
        self.gateway = own(Gateway(folder / name / "board", settings, {"1": line.terminal}, certs / "ca.der")).start()

    def records(self):
        return read_image(self.gateway.ring)[1] if self.gateway.ring.exists() else []

    def causes(self):
        """{cause: n} of the failures that `status` shows."""
        found = re.findall(r"failed (\d+) times: (.*?)(?:, the last)?\n", answer(self.gateway, "status"))
        return {cause: int(n) for n, cause in found}

    def is_connected(self):
        return "centre: connected" in answer(self.gateway, "status")

    def cpu_s(self):
        """Processor time that the gateway has taken."""
        fields = open(f"/proc/{self.gateway.child.pid}/stat").read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_S

    def n_sockets(self):
        folder = f"/proc/{self.gateway.child.pid}/fd"
        return sum(os.readlink(f"{folder}/{name}").startswith("socket:") for name in os.listdir(folder))

    def check_slots(self, first_s, last_s):
        """Every meter has a reading for each second from first_s to last_s, and the log has no hole."""
        records = self.records()
        assert [seq for seq, _ in records] == list(range(1, len(records) + 1))
        for meter in ("main", "boiler", "press"):
            slots = {r.slot_s for _, r in records if r.kind == _READING and r.meter == meter}
            missing = [slot - first_s for slot in range(first_s, last_s + 1) if slot not in slots]
            assert not missing, f"{self.name}: {meter} misses seconds {missing} of the fault"


class Run:
    """Several sites at once, each behind its own fault; cut short as soon as every site has seen what it should.

    least_s, most_s: how long the faults last. expected: {site: a cause that must be counted}."""

    def __init__(self, folder, faults, least_s, most_s, expected):
        self.expected = expected
        with contextlib.ExitStack() as parts:

            def own(part):
                parts.callback(part.stop if hasattr(part, "stop") else part.close)
                return part

            certs = make_certificates(folder / "certs")
            broker = own(Broker(folder / "broker", certs)).start()
            found = []
            self.receiver = own(Receiver(broker.port, certs / "ca.pem", found.append))
            wait_for(lambda: True in found, 10, "receiver")
            self.sites = {name: Site(folder, name.replace(" ", "-"), broker, certs, own) for name in faults}
            for site in self.sites.values():
                wait_for(lambda site=site: site.is_connected() and len(site.records()) > 12, 30, f"{site.name} measures")
            self._ride(faults, least_s, most_s)

    def _ride(self, faults, least_s, most_s):
        begun_s, cpu_s = time.monotonic(), {name: site.cpu_s() for name, site in self.sites.items()}
        self.first_s = int(time.time()) + 1
        for name, site in self.sites.items():
            faults[name](site.proxy)
        time.sleep(least_s)
        with contextlib.suppress(TimeoutError):
            wait_for(self._all_failed, most_s - least_s, "what is expected; each test says it again")
        self.last_s = int(time.time()) - 2
        took_s = time.monotonic() - begun_s
        self.causes = {name: site.causes() for name, site in self.sites.items()}
        self.load = {name: (site.cpu_s() - cpu_s[name]) / took_s for name, site in self.sites.items()}
        self.left_s = {name: [c.left_s for c in site.proxy.connections if c.left_s] for name, site in self.sites.items()}
        for site in self.sites.values():
            site.proxy.reset()
        healed_s = time.monotonic()
        self.late_s = {}
        while len(self.late_s) < len(self.sites) and time.monotonic() < healed_s + 15:
            for name, site in self.sites.items():
                if name not in self.late_s and self._stored(site) <= self._delivered(site):
                    self.late_s[name] = time.monotonic() - healed_s
            time.sleep(0.1)
        self.n_sockets = {name: site.n_sockets() for name, site in self.sites.items()}
        self.never = {name: len(self._stored(site) - self._delivered(site)) for name, site in self.sites.items()}

    def _all_failed(self):
        return all(
            any(re.fullmatch(cause, seen) for seen in self.sites[name].causes()) for name, cause in self.expected.items()
        )

    @staticmethod
    def _stored(site):
        return {seq for seq, _ in site.records()}

    def _delivered(self, site):
        with self.receiver.lock:
            return {seq for gateway, _, seq in self.receiver.seen if gateway == site.name}

    def check(self, name):
        """All that must be true of every site."""
        causes = self.causes[name]
        print(name, causes, f"load {self.load[name]:.3f}", f"delivered {self.late_s.get(name)} s after", self.left_s[name])
        self.sites[name].check_slots(self.first_s, self.last_s)
        assert name in self.late_s, "not everything stored was delivered when the fault was gone"
        assert not [cause for cause in causes if not _WORDS.fullmatch(cause)]
        if name in self.expected:
            assert any(re.fullmatch(self.expected[name], cause) for cause in causes), causes
        # A connect that is given up is left to the garbage collector, which closes sockets on a board but not on a PC.
        assert self.n_sockets[name] <= 1 or name == "unanswered", "sockets of failed sessions are left open"
        assert self.load[name] < 0.5, "it spins while it waits"


_LOST = r"(receive|publish|connect|tls): "
_SHORT = {name: FAULTS[name][0] for name in ("delay", "slow", "drop", "pause", "hold up", "reset", "refused", "shut")}
_SHORT_CAUSES = {
    "drop": _LOST + "closed",
    "reset": _LOST + "connection reset",
    "refused": r"(tcp|tls): connection refused",
    "shut": r"(tcp|tls): (connection reset|closed)",
}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("short"), _SHORT, 6, 12, _SHORT_CAUSES)


@pytest.mark.parametrize("name", _SHORT)
def test_measuring_goes_on_and_everything_arrives(short, name):
    short.check(name)
    if name in ("delay", "slow", "pause", "hold up"):
        assert not short.causes[name], "a slow network is no reason to begin anew"


def _unanswered(proxy):
    # Not after a session has been found dead: that one has a deadline of its own.
    proxy.cut()
    proxy.black_hole(accepting=False)


def _very_slow(proxy):
    proxy.rate(150, "up")
    proxy.cut()


# The deadlines of firmware/uplink/session.py and centre.py: 15 s for TCP, 30 s for TLS, 20 s for each answer.
_LONG = {
    **{f"stall {place}": FAULTS[f"stall {place}"][0] for place in STALLS},
    "hold": FAULTS["hold"][0],
    "hold down": FAULTS["hold down"][0],
    "black hole": FAULTS["black hole"][0],
    "unanswered": _unanswered,
    "150 bytes a second up": _very_slow,
}
_LONG_CAUSES = {
    **{f"stall {place}": "tls: no answer in 30 s" for place in STALLS},
    # A client of TLS 1.3 has done its part then, and waits for the CONNACK.
    "stall client finished": "tls: no answer in 30 s|connect: no answer in 20 s",
    "hold": "puback: no answer",
    "hold down": "puback: no answer",
    "black hole": "puback: no answer",
    "unanswered": "tcp: no answer in 15 s",
}


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("long"), _LONG, 20, 40, _LONG_CAUSES)


@pytest.mark.parametrize("name", _LONG)
def test_every_wait_ends_by_the_firmwares_own_deadline(long, name):
    long.check(name)
    if name.startswith("stall"):
        deadline_s = int(re.search(r"no answer in (\d+) s", str(long.causes[name])).group(1))
        assert deadline_s - 1 < long.left_s[name][-1] < deadline_s + 2
    if name == "150 bytes a second up":
        # A message takes longer than an answer may: the session must not be taken for dead, and begun anew for ever.
        assert set(long.causes[name]) <= {"receive: connection reset"}


# -- one session after another, by firmware/uplink/session.py alone ---------------------------------------------------


class Sessions:
    """Sessions of the firmware on MicroPython, by tests/system/sessions.py; went: (what became of it, ms, files, heap)."""

    def __init__(self, port, ca):
        script = ROOT / "tests" / "system" / "sessions.py"
        self.child = subprocess.Popen(
            [micropython(), script, str(port), str(ca)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def go(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        said, *figures = self.child.stdout.readline().rstrip("\n").split("\t")
        return said, *(int(figure) for figure in figures)

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


def _check_all(sessions, went, n_files, heap_bytes):
    """No session took long or raised what it does not know; after all of them one works as the first did."""
    assert not [row for row in went if row[0] != "done" and not _WORDS.fullmatch(row[0])]
    assert max(row[1] for row in went) < 3000
    last = sessions.go()
    assert last[0] == "done"
    assert last[2] == n_files, "files are left open"
    assert last[3] < heap_bytes + 8192, "memory is left behind"


def test_a_session_cut_after_any_byte_ends_with_a_cause_and_leaves_nothing(proxy, certs, own):
    sessions = own(Sessions(proxy.port, certs / "ca.der"))
    n_files, heap_bytes = [sessions.go() for _ in range(2)][-1][2:]
    whole = wait_for(lambda: proxy.connections[-1].end and proxy.connections[-1], 2, "the end of a healthy session")
    went = []
    for n in range(0, whole.n_up + whole.n_down, 23):
        proxy.reset_after(n)
        went.append(sessions.go())
    assert {row[0].split(":")[0] for row in went} >= {"tls", "connect", "receive"}
    proxy.reset()
    _check_all(sessions, went, n_files, heap_bytes)


def test_a_session_ended_at_any_time_ends_with_a_cause_and_leaves_nothing(proxy, certs, own):
    sessions = own(Sessions(proxy.port, certs / "ca.der"))
    n_files, heap_bytes = [sessions.go() for _ in range(2)][-1][2:]
    went = []
    for ms in range(0, 130, 2):
        proxy.drop_connections(ms, ms)
        went.append(sessions.go())
    assert "tls: closed" in {row[0] for row in went}
    proxy.reset()
    _check_all(sessions, went, n_files, heap_bytes)


def test_a_port_that_does_not_speak_tls_is_said(own, certs):
    server = own(Server(lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n") or sock.recv(1000)))
    assert own(Sessions(server.port, certs / "ca.der")).go()[0] == "tls: not TLS"


# -- names --------------------------------------------------------------------------------------------------------------


def test_wrong_answers_of_a_name_server_are_not_used(own):
    async def ask_all():
        return await asyncio.gather(*(resolve(reply) for reply in WRONG_REPLIES.values()))

    async def resolve(reply):
        begun_s, server = time.monotonic(), own(Udp(reply))
        try:
            return await Names(lambda: [server.address]).resolve("broker.test")
        except LinkDown as error:
            assert time.monotonic() - begun_s < 5
            return error.cause

    assert dict(zip(WRONG_REPLIES, asyncio.run(ask_all()))) == dict.fromkeys(WRONG_REPLIES, "no answer")


def test_a_right_answer_behind_wrong_ones_is_used(own):
    wrong = [name for name in WRONG_REPLIES if name not in ("silence", "many")]
    server = own(Udp(lambda request: [*(WRONG_REPLIES[name](request) for name in wrong), dns_reply(request)]))
    assert asyncio.run(Names(lambda: [server.address]).resolve("broker.test")) == "127.0.0.1"


def test_the_second_name_server_is_asked_when_the_first_fails(own):
    servers = [own(Udp(reply)) for reply in (dns_refusal, lambda request: None, dns_reply)]
    assert asyncio.run(Names(lambda: [server.address for server in servers]).resolve("broker.test")) == "127.0.0.1"


def test_a_name_server_that_is_silent_then_late_then_wrong_costs_only_time(gateway, tmp_path, own):
    certs = make_certificates(tmp_path / "named", "broker.test")
    broker = own(Broker(tmp_path / "broker", certs)).start()
    found = []
    receiver = own(Receiver(broker.port, certs / "ca.pem", found.append))
    dns = own(Udp(WRONG_REPLIES["silence"]))
    unit = gateway(config(THREE, [uplink(broker.port, host="broker.test")]), ca=certs / "ca.der", dns=dns.address)
    wait_for(lambda: "name: no answer" in answer(unit, "status"), 10, "silence")
    dns.after_s, dns.reply = 2.5, dns_reply
    wait_for(lambda: "failed 2 times: name: no answer" in answer(unit, "status"), 10, "an answer that came too late")
    dns.after_s, dns.reply = 0, lambda request: dns_reply(request, address="127.0.0.9")
    wait_for(lambda: "connection refused" in answer(unit, "status"), 10, "an address where nobody is")
    dns.reply = dns_reply
    wait_for(lambda: len(receiver.latest) == 3, 15, "readings")
    stored = {seq for seq, _ in read_image(unit.ring)[1]}
    wait_for(lambda: stored <= {seq for _, _, seq in receiver.seen}, 10, "everything stored is delivered")
    slots = [r.slot_s for _, r in read_image(unit.ring)[1] if r.kind == _READING and r.meter == "main"][2:]
    assert slots == list(range(slots[0], slots[0] + len(slots)))
