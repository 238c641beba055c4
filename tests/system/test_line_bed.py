"""The unchanged firmware on the simulated line, in real time: driver-enable observed, exact meters, and pymodbus beside."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time

import pytest
from conftest import METERS, meter
from conftest import config as configured

from firmware.meters.profiles import profile_of
from firmware.protocols import numbers
from metergate.image import read_image
from metergate.onpc import ROOT
from metergate.pcgateway import Gateway
from metergate.processes import wait_for
from metergate.simulate import Line
from tests.sim.chars import silence_us, span_us
from tests.sim.slave import framed

_9600 = (9600, 8, None, 1)
# Two requests for each, of two registers.
_FAR = ["energy_import", "energy_total"]
_THREE = (meter("main", 1, "sdm630", points=_FAR), meter("boiler", 2, "sdm120", points=_FAR), meter("press", 3, "dtsu666"))


def _plan(**more):
    return {"settings": "9600 8N1", "served_by": "exact", "drive": True, "meters": METERS, **more}


class _Bed:
    """A line in this process and a gateway on it. told, written, releases: what the line saw of them, in order."""

    def __init__(self, own, folder, plan, meters=_THREE, simulation=(), pin=4):
        self.told = []  # (at_us, unit, register, bytes)
        self.written = []  # (at_us, bytes)
        self.releases = []  # how long after the last byte's end
        self.line = own(Line(plan, lambda *what: self.told.append(what)))
        self._watch(self.line.wire)
        settings = configured(meters)
        settings["lines"][0]["de"] = pin
        self.gateway = own(Gateway(folder / "board", settings, {"1": self.line.uart(4)}))
        file = folder / "board" / "sim.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **dict(simulation)}))
        self.line.start()
        self.gateway.start()
        try:
            # Beside others' work a process is held up for longer than a meter takes to answer.
            os.sched_setscheduler(self.gateway.child.pid, os.SCHED_RR, os.sched_param(1))
        except OSError:
            pass

    def _watch(self, wire):
        write, drive = wire.write, wire.drive

        def watched_write(data, now_us):
            self.written.append((now_us, data))
            write(data, now_us)

        def watched_drive(on, now_us):
            if not on and self.written:
                self.releases.append(now_us - wire.sent_us())
            drive(on, now_us)

        wire.write, wire.drive = watched_write, watched_drive

    @property
    def counts(self):
        return {name: n for name, n in self.line.wire.counts.items() if n}


def _same_as_told(bed):
    """How many of the stored values are what a meter said; fails if one is not."""
    said = {}
    for at_us, unit, first, data in bed.told:
        for offset in range(0, len(data) - 2, 2):
            said.setdefault((unit, first + offset // 2), []).append((at_us, data[offset : offset + 4]))
    n = 0
    units = {"main": 1, "boiler": 2, "press": 3}
    for _, reading in read_image(bed.gateway.ring)[1]:
        if reading.kind != 1:
            continue
        profile = profile_of(next(m["profile"] for m in _THREE if m["name"] == reading.meter))
        for (name, _, decimals, _), value in zip(reading.points, reading.values):
            ((_, register, form, *_),) = profile.rows_of((name,))
            values = [
                numbers.scaled_of(data, 0, numbers.form_of(form), decimals) for _, data in said[units[reading.meter], register]
            ]
            assert value in values, (reading.meter, name, value)
            n += 1
    return n


@pytest.mark.parametrize("tick_ms", [0, 10])
def test_nothing_is_lost_and_an_exchange_takes_what_the_wire_takes(own, tmp_path, tick_ms):
    # So long that a machine that is busy with others does not hold a release up for longer; its time is measured below.
    turnaround_us = 20000
    bed = _Bed(own, tmp_path, _plan(turnaround_us=turnaround_us), simulation={"tick_ms": tick_ms}.items())
    wait_for(lambda: len(bed.told) >= 24, 20, "three meters read four times")
    bed.gateway.kill()
    bed.line.close()
    if max(bed.releases) < turnaround_us:
        assert bed.counts == {}
    assert {unit for _, unit, _, _ in bed.told} == {1, 2, 3}
    assert _same_as_told(bed) >= 18
    for slave in bed.line.meters.values():
        assert slave.counts["requests"] == slave.counts["replies"] >= 6 and slave.counts["exceptions"] == 0
    assert min(bed.releases) >= 0 and statistics.median(bed.releases) < 200
    # A meter's two blocks follow each other: request, turnaround, reply of two registers, silence.
    theory_us = span_us(_9600, 8) + turnaround_us + span_us(_9600, 9) + silence_us(_9600)
    pairs = zip(bed.written, bed.written[1:])
    took_us = [later - at for (at, data), (later, more) in pairs if data[0] == more[0] and later - at < 100000]
    assert len(took_us) >= 9 and min(took_us) >= theory_us
    print(f"tick {tick_ms} ms: exchange {statistics.median(took_us):.0f} us, of which the wire {theory_us} us")
    assert statistics.median(took_us) < theory_us + 1000


def test_a_gateway_without_its_driver_pin_reaches_nobody(own, tmp_path):
    bed = _Bed(own, tmp_path, _plan(), pin=-1)
    wait_for(lambda: len(bed.written) >= 2, 15, "two requests")
    bed.gateway.kill()
    bed.line.close()
    assert bed.told == [] and bed.counts["lost_undriven"] >= 8


def test_noise_and_faults_cost_readings_but_never_change_one(own, tmp_path):
    meters = [
        {**METERS[0], "faults": {"bad_checksum": 300000, "duplicate": 200000}},
        {**METERS[1], "faults": {"truncated": 200000, "wrong_meter": 200000}},
        METERS[2],
    ]
    noise = {"idle": 2000, "before": 200000, "inside": 3000, "after": 200000}
    sections = [{**section, "timeout_ms": 150, "retries": 1} for section in _THREE]
    plan = _plan(meters=meters, noise=noise, turnaround_us=10000)
    bed = _Bed(own, tmp_path, plan, sections, {"tick_ms": 10, "stalls": {"every_ms": 1500, "for_ms": 400}}.items())
    wait_for(lambda: len(bed.told) >= 30, 30, "thirty replies")
    bed.gateway.kill()
    bed.line.close()
    assert bed.counts["noise_bytes"] > 0
    assert sum(slave.counts.get("bad_checksum", 0) for slave in bed.line.meters.values()) > 0
    assert _same_as_told(bed) > 0


def test_pymodbus_and_exact_meters_share_a_wire(own, tmp_path):
    """The command as it is called: terminal and fifo printed, counts and replies in files."""
    plan = _plan(
        meters=[METERS[0], {**METERS[1], "served_by": "pymodbus"}, METERS[2]],
        turnaround_us=20000,
        report=str(tmp_path / "report.json"),
        told=str(tmp_path / "told"),
    )
    (tmp_path / "line.json").write_text(json.dumps(plan))
    command = [sys.executable, "-m", "metergate", "simulate", tmp_path / "line.json"]
    log = open(tmp_path / "line.log", "w")
    line = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    try:
        terminal, fifo = line.stdout.readline().strip(), line.stdout.readline().strip()
        uart = {"terminal": terminal, "drive": {"pin": 4, "fifo": fifo}}
        gateway = own(Gateway(tmp_path / "board", configured(_THREE), {"1": uart})).start()
        kinds = lambda: {r.meter for _, r in read_image(gateway.ring)[1] if r.kind == 1 and None not in r.values}  # noqa: E731
        wait_for(lambda: gateway.ring.exists() and len(kinds()) == 3, 20, "a reading of each meter")
        gateway.kill()
        line.send_signal(signal.SIGTERM)
        assert line.wait(5) == 0
    finally:
        line.kill()
        line.wait(5)
        line.stdout.close()
        log.close()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["meters"]["1"]["replies"] >= 2 and report["meters"]["3"]["replies"] >= 2
    assert report["wire"]["lost_undriven"] == report["wire"]["lost_tail"] == 0
    units = {row.split()[1] for row in (tmp_path / "told").read_text().splitlines()}
    assert units == {"1", "3"}


def test_bytes_reach_the_terminal_when_they_have_ended(own):
    """Measured at the terminal, the request's way to the wire included."""
    line = own(Line(_plan(drive=False))).start()
    request = framed(b"\x01\x04\x00\x00\x00\x12")
    port = os.open(line.front.terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    late_us = []
    try:
        for _ in range(10):
            begun_us = time.monotonic_ns() // 1000
            os.write(port, request)
            n = 0
            while n < 41:
                assert time.monotonic_ns() // 1000 - begun_us < 2000000
                try:
                    n += len(os.read(port, 64))
                except BlockingIOError:
                    continue
                last_us = begun_us + span_us(_9600, 8) + 2000 + span_us(_9600, n)
                late_us.append(time.monotonic_ns() // 1000 - last_us)
    finally:
        os.close(port)
    late_us.sort()
    print(f"late by {late_us[0]} us at least, {statistics.median(late_us)} us in the middle, {late_us[-1]} us at most")
    assert late_us[0] >= 0
    # 0.1 ms on a machine with nothing else to do.
    assert statistics.median(late_us) < 2000
