"""lateness.*: how late the slots of a line begin, with a healthy network and with each of its faults."""

import math
import time

from metergate.faults import FAULTS
from metergate.pcgateway import twin
from metergate.processes import wait_for
from metergate.resolver import Udp
from tests.bench.bed import RING_BLOCKS, Bed, need
from tests.bench.figures import LATE_FAULTS, RESOLVER, late_name
from tests.sim.chars import span_us

_SETTINGS = (9600, 8, None, 1)
_TURNAROUND_US = 2000
_REQUEST_BYTES = 8
_METERS = 2
_FIRST_UNIT = 1
# So many gateways at a time: their figures are those of one alone.
_AT_ONCE = 3
_START_S = 30
# After the fault is set; and after the last slot, for requests that are late.
_SETTLE_S = 2
# What an ESP32 has and a PC has not.
_BOARD = {"tick_ms": 10, "tls": {"stall_ms": 400}, "ring": {"file": "ring.bin", "blocks": RING_BLOCKS, "real_time": True}}


def rank(values, percent):
    """The percentile by nearest rank."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(percent / 100 * len(ordered))) - 1]


class _Subject:
    """A gateway with its own line and proxy, whose requests are written down; fault: a name of LATE_FAULTS, or healthy."""

    def __init__(self, bed, fault):
        self.fault = fault
        name = "gw-" + fault.replace(" ", "-")
        self._told = bed.folder / (name + ".told")
        self._told.touch()
        line = bed.new_line("line-" + name, told=str(self._told))
        self.proxy = bed.new_proxy()
        more = {}
        if fault == RESOLVER:
            more = {"host": "broker.test", "dns": bed.keep(Udp(lambda request: None)).address}
        self.gateway = bed.gateway(self.proxy.port, simulation=_BOARD, name=name, line=line, **more)

    def wait_ready(self):
        """Wait until it measures, and has a session if it can have one."""
        try:
            wait_for(self._is_ready, _START_S, "requests and a session")
        except TimeoutError as error:
            raise RuntimeError(f"gateway for {self.fault}: {error}; its console: {self.gateway.console()[-300:]}")

    def _is_ready(self):
        return self._requests_us() and (self.fault == RESOLVER or self.proxy.n_up > 4000)

    def set_fault(self):
        if self.fault in FAULTS:
            FAULTS[self.fault][0](self.proxy)

    def _requests_us(self):
        """When the first byte of each request to the first unit began, by the monotonic clock."""
        found = []
        before_us = _TURNAROUND_US + span_us(_SETTINGS, _REQUEST_BYTES)
        for line in self._told.read_text().split("\n")[:-1]:
            at_us, unit, _, _ = line.split()
            if int(unit) == _FIRST_UNIT:
                found.append(int(at_us) - before_us)
        return found

    def late_ms(self, from_s, to_s):
        """For each second from_s..to_s - 1 of the clock, how long after it a request began."""
        offset_us = time.time_ns() // 1000 - time.monotonic_ns() // 1000
        begun_us = [at_us + offset_us for at_us in self._requests_us()]
        found = []
        for second in range(from_s, to_s):
            after = [at_us - second * 1000000 for at_us in begun_us if at_us >= second * 1000000]
            # A slot that was never begun is late until the end.
            found.append((min(after) if after else (to_s - second) * 1000000) / 1000)
        return found


def measure(say, slots=100, faults=LATE_FAULTS):
    """The figures over so many slots each."""
    need(twin(), "make twin")
    results = {}
    waiting = ["healthy", *faults]
    with Bed(_METERS, 1) as bed:
        while waiting:
            now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            say("lateness: %d slots each with: %s" % (slots, ", ".join(now)))
            results.update(_measure_some(bed, now, slots))
    return results


def _measure_some(bed, faults, slots):
    subjects = [_Subject(bed, fault) for fault in faults]
    try:
        for subject in subjects:
            subject.wait_ready()
        for subject in subjects:
            subject.set_fault()
        from_s = math.ceil(time.time()) + _SETTLE_S
        time.sleep(from_s + slots + _SETTLE_S - time.time())
        results = {}
        for subject in subjects:
            if not subject.gateway.is_running:
                raise RuntimeError("the gateway ended: " + subject.gateway.console()[-500:])
            late = subject.late_ms(from_s, from_s + slots)
            results[late_name(subject.fault)] = {
                "value": rank(late, 99),
                "unit": "ms",
                "peers": {},
                "note": "p50 %.0f, max %.0f; connections: %d" % (rank(late, 50), max(late), subject.proxy.n_connections),
                "p50_ms": rank(late, 50),
                "max_ms": max(late),
                "n": slots,
                "connections": subject.proxy.n_connections,
            }
        return results
    finally:
        for subject in subjects:
            subject.gateway.stop()
