"""The simulated line as others see it: mbpoll, minimalmodbus, pymodbus's client and the package dlt645 read its meters."""

import contextlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import threading
import time
import tty

import minimalmodbus
import pytest
from dlt645 import MeterClientService
from pymodbus.client import ModbusSerialClient

from metergate.onpc import ROOT
from metergate.pcgateway import SimulatedLine
from metergate.processes import wait_for
from metergate.simulate import Line
from tests.sim.bytes68 import digit_bytes, ended, frame_behind
from tests.sim.chars import ANY, span_us
from tests.sim.slave import framed

_NUMBER, _OTHER, _WATER = "202511220161", "202511220262", "01501700000907"
_MIXED = {
    "settings": "9600 8N1",
    "served_by": "exact",
    "turnaround_us": 20000,
    "meters": [
        {"unit": 1, "profile": "sdm630", "load": "factory", "power_kw": 60, "energy_kwh": 81234.5},
        {"unit": 2, "profile": "sdm120", "settings": "2400 8N1", "load": "house", "power_kw": 0.6, "solar_kw": 5},
        # As the profile has it: read without parity through a terminal that has none, beside meters of 9600 8N1.
        {"unit": 3, "profile": "b23", "settings": "9600 8E1", "power_kw": 12, "energy_kwh": 500},
        {"unit": 4, "profile": "dtsu666", "served_by": "pymodbus", "power_kw": 12, "energy_kwh": 700},
        {
            "protocol": "dlt645",
            "number": _NUMBER,
            "profile": "dlt645_3p",
            "settings": "2400 8E1",
            "power_kw": 20,
            "load": "shop",
        },
        {"protocol": "dlt645", "number": _OTHER, "profile": "dlt645_1p", "settings": "2400 8E1", "energy_kwh": 4711},
        {
            "protocol": "cjt188",
            "number": _WATER,
            "profile": "water",
            "settings": "2400 8E1",
            "volume_m3": 812.5,
            "load": "water",
        },
    ],
}


@pytest.fixture
def mixed(tmp_path, own):
    """(terminal, told) of the line as the command serves it; told() -> {(address, register): bytes last said}."""
    file = tmp_path / "told"
    line = own(SimulatedLine(tmp_path, {**_MIXED, "told": str(file)})).start()

    def told():
        rows = [row.split() for row in file.read_text().splitlines()]
        return {(address, int(register)): bytes.fromhex(data) for _, address, register, data in rows}

    return line.terminal, told


def _mbpoll(terminal, unit, baud, kind, first, count):
    """What mbpoll shows: {register: number}."""
    words = ["mbpoll", "-m", "rtu", "-a", unit, "-b", baud, "-P", "none", "-t", kind, "-B", "-0", "-r", first, "-c", count]
    words += ["-1", "-q", "-o", "2", terminal]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=20, check=False)
    found = re.findall(r"^\[(\d+)\]:\s+(\S+)", done.stdout, re.MULTILINE)
    return {int(register): float(value) for register, value in found}, done.stdout + done.stderr


def test_mbpoll_reads_meters_of_several_settings(mixed, needs_mbpoll):
    terminal, told = mixed
    found, shown = _mbpoll(terminal, 1, 9600, "3:float", 0, 9)
    said = struct.unpack(">9f", told()["1", 0])
    assert [found[2 * i] for i in range(9)] == pytest.approx(said, rel=1e-5), shown
    # V x I x PF is P, on each phase; a factory's power factor is 0.85.
    for phase in range(3):
        volts, amps, watts = (found[2 * phase + 6 * i] for i in range(3))
        assert volts * amps * 0.85 == pytest.approx(watts, rel=1e-4)
    found, shown = _mbpoll(terminal, 2, 2400, "3:float", 72, 2)
    assert (found[72], found[74]) == pytest.approx(struct.unpack(">2f", told()["2", 72]), rel=1e-5, abs=1e-6), shown
    found, shown = _mbpoll(terminal, 3, 9600, "4:int", 0x5B00, 2)
    assert found[0x5B00] == found[0x5B02] == 2302, shown
    # pymodbus's server beside them.
    found, shown = _mbpoll(terminal, 4, 9600, "4:float", 0x2006, 3)
    assert set(found.values()) == {2302.0}, shown
    # At another baud rate, and one that is not there: silence.
    for unit, baud in ((1, 2400), (2, 9600), (9, 9600)):
        found, shown = _mbpoll(terminal, unit, baud, "3:float", 72, 1)
        assert not found and "timed out" in shown, shown


def test_minimalmodbus_and_pymodbus_read_them(mixed):
    terminal, told = mixed
    instrument = minimalmodbus.Instrument(terminal, 1)
    instrument.serial.baudrate, instrument.serial.timeout = 9600, 1
    energy = instrument.read_float(0x48, 4)
    assert energy == struct.unpack(">f", told()["1", 0x48])[0] and 81234.5 <= energy < 81300
    with pytest.raises(minimalmodbus.IllegalRequestError):
        instrument.read_register(0x3000, 0, 4)
    instrument.serial.close()
    client = ModbusSerialClient(terminal, baudrate=2400, timeout=2)
    assert client.connect()
    with contextlib.closing(client):
        found = client.read_input_registers(0x0C, count=2, device_id=2)
        assert struct.pack(">2H", *found.registers) == told()["2", 0x0C]
        assert client.read_holding_registers(0, count=2, device_id=2).isError()


def test_dlt645s_client_reads_them(mixed):
    terminal, told = mixed
    client = MeterClientService.new_rtu_client(terminal, 2400, 8, 1, "N", 2.0)
    assert client.connect()
    try:
        for number, di, profile_three in ((_NUMBER, 0x00010000, True), (_OTHER, 0x00010000, False)):
            client.set_address(digit_bytes(number).hex())
            found = client.read_00(di)
            said = int(told()[number, di][::-1].hex())
            assert round(found.value * 100) == said and (said == 471100) == (not profile_three)
        # Date and time are this machine's, if nothing else is said.
        client.set_address(digit_bytes(_NUMBER).hex())
        shown = client.read_04(0x04000102).value
        midnight_s = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1))
        shown_s = int(shown[:2]) * 3600 + int(shown[2:4]) * 60 + int(shown[4:])
        assert abs(midnight_s + shown_s - time.time()) < 5 or shown_s < 5
    finally:
        client.disconnect()


# -- a serial port ----------------------------------------------------------------------------------------------------


class _Cable:
    """Two terminals that are one cable: what is written to one's name is read from the other's."""

    def __init__(self):
        self._masters, self._slaves = zip(*(pty.openpty() for _ in range(2)), strict=True)
        for slave in self._slaves:
            tty.setraw(slave)
        self.ends = [os.ttyname(slave) for slave in self._slaves]
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        first, second = self._masters
        while True:
            for handle in select.select((first, second, self._wake), (), ())[0]:
                if handle == self._wake:
                    return
                os.write(second if handle == first else first, os.read(handle, 4096))

    def close(self):
        os.write(self._waker, b"\0")
        self._thread.join()
        for handle in (*self._masters, *self._slaves, self._wake, self._waker):
            os.close(handle)


_TWO = [
    {"unit": 1, "profile": "sdm630", "power_kw": 12, "energy_kwh": 1234.5},
    {"unit": 2, "profile": "dtsu666", "served_by": "pymodbus"},
    {"unit": 3, "profile": "sdm72", "turnaround_us": 2000},
    {"protocol": "dlt645", "number": _NUMBER, "profile": "dlt645_3p", "settings": "9600 8N1", "energy_kwh": 4711},
]


def test_a_serial_port_in_place_of_the_terminal(tmp_path, own):
    cable = own(_Cable())
    plan = {"settings": "9600 8N1", "served_by": "exact", "turnaround_us": 30000, "meters": _TWO, "port": cable.ends[0]}
    line = own(SimulatedLine(tmp_path, plan)).start()
    assert line.terminal == cable.ends[0]
    instrument = minimalmodbus.Instrument(cable.ends[1], 1)
    instrument.serial.baudrate, instrument.serial.timeout = 9600, 1
    assert 1234.5 <= instrument.read_float(0x48, 4) < 1240
    # The port has its own wire: nothing but the turnaround passes between, however long the reply.
    took = []
    for _ in range(5):
        time.sleep(0.1)
        begun = time.monotonic()
        instrument.read_registers(0, 18, 4)
        took.append(time.monotonic() - begun)
    assert 0.030 < min(took) < 0.030 + span_us((9600, 8, None, 1), 6) / 1e6
    # A master that is faster than any wire is understood too.
    instrument.address = 3
    for _ in range(5):
        assert instrument.read_float(0, 4) == pytest.approx(230.2)
    instrument.address = 2
    assert instrument.read_float(0x2006, 3) == 2302.0
    instrument.serial.close()
    client = MeterClientService.new_rtu_client(cable.ends[1], 9600, 8, 1, "N", 2.0)
    assert client.connect()
    client.set_address(digit_bytes(_NUMBER).hex())
    assert client.read_00(0x00010000).value >= 4711
    client.disconnect()


def test_a_request_that_comes_in_lumps_is_one(tmp_path, own):
    """As adapters on USB hand it over; a pause in it that is none of theirs ends it."""
    cable = own(_Cable())
    line = own(Line({"settings": "9600 8N1", "served_by": "exact", "meters": _TWO[:1], "port": cable.ends[0]})).start()
    request = framed(b"\x01\x04\x00\x48\x00\x02")
    port = os.open(cable.ends[1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        for pause_s, expected in ((0.012, 9), (0.1, 0)):
            os.write(port, request[:3])
            time.sleep(pause_s)
            os.write(port, request[3:])
            time.sleep(0.3)
            with contextlib.suppress(BlockingIOError):
                assert len(os.read(port, 100)) == expected
        assert line.meters[1].counts["requests"] == 1
    finally:
        os.close(port)


def test_a_port_that_goes_away_ends_it_with_words(tmp_path):
    master, slave = pty.openpty()
    tty.setraw(slave)
    (tmp_path / "line.json").write_text('{"settings": "9600 8N1", "meters": [{"unit": 1, "profile": "sdm630"}]}')
    command = [sys.executable, "-m", "metergate", "simulate", tmp_path / "line.json", "--port", os.ttyname(slave)]
    line = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert line.stdout.readline().strip() == os.ttyname(slave)
        os.close(slave)
        os.close(master)
        _, errors = line.communicate(timeout=10)
        assert line.returncode == 1 and errors.startswith("metergate: /dev/") and "Traceback" not in errors, errors
    finally:
        line.kill()
        line.communicate()


def test_it_ends_with_ctrl_c(tmp_path, own):
    line = own(SimulatedLine(tmp_path, _MIXED)).start()
    wait_for(lambda: "Ctrl-C" in (tmp_path / "line.log").read_text(), 5, "its words")
    line.child.send_signal(signal.SIGINT)
    assert line.child.wait(5) == 0
    text = (tmp_path / "line.log").read_text()
    assert "Traceback" not in text and "b23" in text and "9600 8E1" in text and "pymodbus" in text


# -- without real time ------------------------------------------------------------------------------------------------


class _Virtual:
    """A line in no time but what it is told: ask(request, at_s) -> what comes within a second."""

    def __init__(self, own, *meters, **more):
        plan = {"settings": "2400 8E1", "served_by": "exact", "meters": [*meters], **more}
        self.line = own(Line(plan, begin_us=0))

    def ask(self, request, at_s):
        wire = self.line.wire
        at_us = round(at_s * 1000000)
        wire.read(at_us)
        wire.write(request, at_us)
        return wire.read(at_us + 1000000)


def _dlt(number, function, data=b""):
    body = bytes((byte + 0x33) & 0xFF for byte in data)
    return ended(b"\x68" + digit_bytes(number) + b"\x68" + bytes((function, len(body))) + body)


def _di(di):
    return di.to_bytes(4, "little")


def _plain(reply):
    """Control and data of the one frame in a reply."""
    frame = frame_behind(reply.lstrip(b"\xfe"), 9)
    assert frame, reply.hex()
    return frame[8], bytes((byte - 0x33) & 0xFF for byte in frame[10:-2])


def _digits(number, di):
    return lambda line, at_s: int(_plain(line.ask(_dlt(number, 0x11, _di(di)), at_s))[1][:3:-1].hex())


_ONE = {"protocol": "dlt645", "number": _NUMBER, "profile": "dlt645_3p", "power_kw": 36, "energy_kwh": 100}


def test_the_same_seed_and_requests_give_the_same_bytes(own):
    faults = {"silent": 100000, "late": [200000, 300000], "garbage": 200000, "noise_before": 200000, "bad_checksum": 100000}
    faults.update({"duplicate": 100000, "truncated": 100000, "wrong_meter": 100000, "noise_inside": 100000})
    meters = [{**_ONE, "faults": faults, "load": "house"}, {"unit": 5, "profile": "sdm120", "faults": faults, "load": "pump"}]

    def heard(seed):
        noise = {"idle": 3000, "inside": 2000, "before": 30000, "after": 30000}
        line = _Virtual(own, *meters, seed=seed, noise=noise, clock="2025-11-22T10:15:30")
        requests = [_dlt(_NUMBER, 0x11, _di(0x0001FF00)), framed(b"\x05\x04\x00\x00\x00\x08")]
        return [line.ask(requests[i % 2], 2 * i) for i in range(120)]

    found = heard(3)
    assert found == heard(3) != heard(4)
    assert b"" in found and len(set(found)) > 80


def test_two_houses_of_one_line_are_not_alike(own):
    def powers(seed):
        meters = [{**_ONE, "number": number, "load": "house", "power_kw": 3} for number in (_NUMBER, _OTHER)]
        line = _Virtual(own, *meters, seed=seed, clock="2025-11-22T10:15:30")
        return [_digits(number, 0x02030000)(line, 10 + 60 * i) for i in range(2) for number in (_NUMBER, _OTHER)]

    found = powers(1)
    assert found == powers(1) and found[::2] != found[1::2] and found != powers(2)


def test_states_of_a_meter(own):
    energy = _digits(_NUMBER, 0x00010000)
    # 36 kW are a hundredth of a kWh a second.
    line = _Virtual(own, {**_ONE, "faults": {"rollover": 1}})
    assert energy(line, 10) > 99999900 and energy(line, 120) < 100
    line = _Virtual(own, {**_ONE, "faults": {"replaced": {"after_s": 60, "energy_kwh": 7, "serial_number": "815"}}})
    serial_number = _digits(_NUMBER, 0x04000402)
    assert energy(line, 10) >= 10000 and serial_number(line, 50) == int(_NUMBER)
    assert 700 <= energy(line, 62) < 710 and serial_number(line, 70) == 815
    line = _Virtual(own, {**_ONE, "faults": {"dead": {"after_s": 20, "for_s": 20}}})
    request = _dlt(_NUMBER, 0x11, _di(0x00010000))
    assert line.ask(request, 10) and not line.ask(request, 25) and line.ask(request, 45)
    power = [_digits(_NUMBER, di) for di in (0x02030100, 0x02030200, 0x02030300)]
    line = _Virtual(own, {**_ONE, "faults": {"reversed_ct": 2}})
    found = [each(line, 20 * i) for i, each in enumerate(power)]
    # The sign is the highest bit.
    assert [value >= 800000 for value in found] == [False, True, False]


def test_clocks_of_a_meter(own):
    clock = _digits(_NUMBER, 0x04000102)

    def shown(at_s, **faults):
        return clock(_Virtual(own, {**_ONE, "faults": faults}, clock="2025-11-22T10:15:30"), at_s)

    assert shown(60) == 101630 and shown(60, stopped_clock=30) == 101600 and shown(60, stopped_clock=True) == 101530
    assert shown(60, clock_offset=-400) == 100950 and shown(3600, clock_drift=10000) == 111606
    assert shown(60, clock_offset=40, clock_drift=100000, stopped_clock={"after_s": 20}) == 101632


def test_a_flood_and_a_shorted_line_end(own):
    request = _dlt(_NUMBER, 0x11, _di(0x00010000))
    two = [_ONE, {**_ONE, "number": _OTHER, "faults": {"flood": {"after_s": 10, "for_s": 10}}}]
    for line in (_Virtual(own, *two), _Virtual(own, two[0], shorted={"after_s": 10, "for_s": 10})):
        assert frame_behind(line.ask(request, 5).lstrip(b"\xfe"), 9)
        flooded = line.ask(request, 15)
        assert len(flooded) > 150 and frame_behind(flooded, 9) is None
        assert frame_behind(line.ask(request, 25).lstrip(b"\xfe"), 9)


def test_a_meters_clock_is_set_on_the_line(own):
    meter = {**_ONE, "variant": {"password": "02123456"}}
    line = _Virtual(own, meter, {**_ONE, "number": _OTHER}, clock="2025-11-22T10:15:30")
    clocks = [_digits(_NUMBER, 0x04000102), _digits(_OTHER, 0x04000102)]
    # 10:15:10 to all, three seconds after the start.
    assert line.ask(_dlt("9" * 12, 0x08, bytes.fromhex("101510221125")), 3) == b""
    assert [clock(line, 10 + 5 * i) for i, clock in enumerate(clocks)] == [101516, 101521]
    write = lambda password: _di(0x04000102) + bytes.fromhex(password) + bytes(4) + bytes.fromhex("000012")  # noqa: E731
    assert _plain(line.ask(_dlt(_NUMBER, 0x14, write("02563412")), 20)) == (0x94, b"")
    assert _plain(line.ask(_dlt(_NUMBER, 0x14, write("02000000")), 30)) == (0xD4, b"\x04")
    assert clocks[0](line, 40) == 120019
    # Of two that answer a wildcard nothing is understood.
    assert frame_behind(line.ask(_dlt("A" * 12, 0x13), 50), 9) is None and line.line.wire.counts["collisions"] > 0


def test_what_a_terminal_without_parity_is_taken_for(own):
    line = own(Line(_MIXED))
    assert line.settings_at() == line.settings_at(9600) == (9600, 8, ANY, 1)
    assert line.settings_at(2400) == (2400, 8, ANY, 1) and line.settings_at(1200) == (1200, 8, None, 1)
    alone = {"settings": "2400 8E1", "served_by": "exact", "meters": [{**_ONE, "settings": "9600 8E1"}]}
    line = own(Line(alone))
    assert line.settings_at() == (2400, 8, 0, 1) and line.settings_at(9600) == (9600, 8, 0, 1)
