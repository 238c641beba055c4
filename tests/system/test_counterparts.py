"""Our meters' protocols against programs that are not ours: pymodbus, umodbus's slave, the package dlt645, over a line."""

import asyncio
import contextlib
import json
import os
import random
import struct
import time
from fractions import Fraction

import pytest
from dlt645 import DLT645Protocol, MeterClientService, MeterServerService
from pymodbus.constants import ExcCodes
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse, ReadInputRegistersResponse
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from firmware.bus import ledger
from firmware.bus.line import Line
from firmware.errors import BadData, BadFrame, MeterRefused, NoReply
from firmware.forms import parse_settings
from firmware.meters import equip, profiles
from firmware.meters.profiles import ABOUT, profile_of
from firmware.protocols import dlt645, modbus
from metergate.onpc import ROOT
from metergate.pcgateway import SimulatedLine, micropython
from metergate.processes import Process, wait_for
from metergate.ptywire import PtyWire, Station, now_us
from tests.sim import slave645
from tests.sim.load import Load
from tests.sim.slave import Form, Registers, function_of
from tests.sim.wire import Wire

_FAST = parse_settings("115200 8N1")
_NAMES = [name for name in profiles.names() if profile_of(name).protocol == "modbus"]


class _Section:
    """A meter's section of the configuration."""

    def __init__(self, profile, settings, points=(), unit=0, number="", timeout_ms=1000, retries=0):
        self.name, self.profile, self.protocol = "meter", profile, profile_of(profile).protocol
        self.unit, self.number, self.settings, self.points = unit, number, settings, points
        self.line, self.function, self.every_s = "A", "profile", 900
        self.timeout_ms, self.timeout_least_ms, self.retries = timeout_ms, 100, retries
        self.reads_per_day_max = 0


class _Uart:
    """A pseudo terminal as the firmware's line takes its port."""

    def __init__(self, terminal):
        self._port = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._in = b""
        self._char_s = self._sent_s = 0.0

    def init(self, baudrate, bits, parity, stop):
        self._char_s = (1 + bits + (parity is not None) + stop) / baudrate

    def any(self):
        with contextlib.suppress(BlockingIOError):
            self._in += os.read(self._port, 512)
        return len(self._in)

    def readinto(self, buf, n):
        n = min(n, self.any())
        buf[:n], self._in = self._in[:n], self._in[n:]
        return n

    def write(self, data):
        self._sent_s = time.monotonic() + os.write(self._port, data) * self._char_s

    def txdone(self):
        return time.monotonic() >= self._sent_s

    def close(self):
        os.close(self._port)


class _Bench:
    """A wire with one station, behind whose terminal somebody else answers, and the firmware's Line at the other end."""

    def __init__(self, settings, meters=()):
        wire = Wire(observe_drive=False)
        wire.set(settings)
        self.station = Station(settings)
        wire.attach(self.station)
        for meter in meters:
            wire.attach(meter)
        self.front = PtyWire(wire, stations=[self.station])
        self.settings = settings

    def __enter__(self):
        self.front.start()
        self.uart = _Uart(self.front.terminal)
        self.line = Line("A", self.uart)
        return self

    def __exit__(self, *_):
        self.uart.close()
        self.front.close()

    def meter(self, profile, **more):
        """The firmware's Meter with all points of a profile."""
        section = _Section(profile, self.settings, tuple(profile_of(profile).readable()), **more)
        return equip.meter_of(section, self.line, equip.asking_of(section.protocol))


async def _about(meter, name):
    """What a meter says of itself, as the console's `read` asks for it."""
    profile = profile_of(meter.section.profile)
    return await meter.read_text(equip.blocks_of(meter.section, profile, profile.rows_of((name,)))[0])


# -- Modbus: what stands in the registers -----------------------------------------------------------------------------


def _bits_at_the_edges(form):
    """Bits of a form that are easily taken wrong."""
    if form.kind == "f":
        return [0, 1 << 31, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFFFFFFF, 1, 0x7F7FFFFF, 0x3F800000, 0xC2A08000, 0x4B800000]
    top = 1 << form.n_bits - 1
    return [0, 1, top - 1, top, top + 1, 2 * top - 1, 2 * top - 2, 0xFFFF, 0x7FFF, 0x8000] + form.none


def _expected(text, bits, decimals):
    """What the firmware must make of a form's bits, by exact fractions."""
    form = Form(text)
    if bits in form.none[: len(text.split("!")) - 1]:
        return None
    if form.kind == "f":
        number = struct.unpack(">f", bits.to_bytes(4, "big"))[0]
        if number != number or abs(number) == float("inf"):
            return None
        number = Fraction(number)
    else:
        number = Fraction(bits - (1 << form.n_bits) if form.kind == "i" and bits >> form.n_bits - 1 else bits)
    # Python's round of a Fraction goes to even at ties.
    value = round(number * form.multiplier * 10**decimals / form.divisor)
    return value if abs(value) < 1 << 63 else None


class _Served:
    """A profile's registers as a test fills them, served by pymodbus: what it was not given is noise, or refused."""

    def __init__(self, unit, name):
        self.unit, self.profile = unit, profile_of(name)
        self.registers = Registers(self.profile, Load(0))
        self.dice = random.Random(unit)
        self.words = {}
        self.asked = []

    def fill(self, take):
        """Put bits into all points; take(form) gives them. {name: bits}"""
        bits = {}
        for function, value in self.registers.by_function.items():
            for address in self.registers.addresses:
                if value(address, 0) is not None:
                    self.words[function, address] = self.dice.randrange(1 << 16)
        for row in self.profile.points:
            form = Form(row[2])
            bits[row[0]] = take(form)
            for i, word in enumerate(form.words_of(bits[row[0]])):
                self.words[function_of(self.profile, row), row[1] + i] = word
        return bits

    def device(self):
        async def action(function, start, address, count, found, _values):
            self.asked.append((function, address, count))
            if function not in self.registers.by_function:
                return ExcCodes.ILLEGAL_FUNCTION
            words = [self.words.get((function, i)) for i in range(address, address + count)]
            if None in words or count > self.profile.most:
                return ExcCodes.ILLEGAL_ADDRESS
            found[address - start : address - start + count] = words
            return None

        addresses = sorted(self.registers.addresses)
        blocks = [SimData(i, count=1, values=0, datatype=DataType.REGISTERS) for i in addresses]
        return SimDevice(self.unit, blocks, action=action)


@contextlib.asynccontextmanager
async def _pymodbus(bench, served):
    units = {each.unit for each in served}
    server = ModbusSerialServer(
        [each.device() for each in served],
        port=bench.station.terminal,
        baudrate=bench.settings[0],
        trace_packet=lambda sending, packet: packet if not sending or packet[0] in units else b"",
    )
    task = asyncio.create_task(server.serve_forever())
    while not server.transport:
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        await server.shutdown()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _compare(meter, served, take):
    """Fill, read everything, compare. How many values were compared, and how many of them were none."""
    bits = served.fill(take)
    expected = [_expected(row[2], bits[row[0]], row[4]) for row in meter.rows]
    found, complete = await meter.read()
    for row, value, wanted in zip(meter.rows, found, expected):
        assert value == wanted, (meter.section.profile, row, hex(bits[row[0]]))
    assert complete == (None not in expected)
    for row in served.profile.points:
        if row[5] == ABOUT:
            wanted = _expected(row[2], bits[row[0]], row[4])
            if wanted is None:
                with pytest.raises(BadData):
                    await _about(meter, row[0])
            else:
                assert await _about(meter, row[0]) == str(wanted)
    return len(found), found.count(None)


def test_every_profile_reads_what_pymodbus_has_in_its_registers():
    """All forms, either word order, every no-value code, the edges of each form, and whatever else."""

    async def run(bench):
        served = [_Served(unit, name) for unit, name in enumerate(_NAMES, 1)]
        n = n_none = 0
        async with _pymodbus(bench, served):
            for each, name in zip(served, _NAMES):
                meter = bench.meter(name, unit=each.unit)
                dice = random.Random(name)
                takes = [
                    lambda form: (form.none or [0])[0],
                    lambda form: (form.none or [1])[-1],
                    lambda form, dice=dice: dice.choice(_bits_at_the_edges(form)),
                    lambda form, dice=dice: dice.choice(_bits_at_the_edges(form)),
                    lambda form, dice=dice: dice.getrandbits(form.n_bits),
                    # Small ones of either sign, as meters have them mostly.
                    lambda form, dice=dice: (
                        dice.randrange(-999, 999) % (1 << form.n_bits)
                        if form.kind != "f"
                        else struct.unpack(">I", struct.pack(">f", dice.uniform(-999, 999)))[0]
                    ),
                ]
                for take in takes:
                    found = await _compare(meter, each, take)
                    n, n_none = n + found[0], n_none + found[1]
                # As few requests as the registers allow, and none that was refused.
                assert {name for name, _ in ledger.counted(meter.counts)} == {"requests", "replies"}
        return n, n_none

    with _Bench(_FAST) as bench:
        n, n_none = asyncio.run(run(bench))
    print(f"{n} values, {n_none} of them none")
    assert n > 900 and 100 < n_none < n // 2
    rows = [Form(row[2]) for name in _NAMES for row in profile_of(name).points]
    forms = {(form.kind, form.n_bits, form.low_first) for form in rows}
    assert {form[:2] for form in forms} >= {("u", 16), ("i", 16), ("u", 32), ("i", 32), ("u", 64), ("i", 64), ("f", 32)}
    assert {True, False} == {form[2] for form in forms}


def test_what_pymodbus_refuses_is_a_refusal():
    async def run(bench):
        served = [_Served(1, "sdm630"), _Served(2, "dtsu666")]
        for each in served:
            each.fill(lambda form: 0)
        async with _pymodbus(bench, served):
            meter = bench.meter("sdm630", unit=1)
            # Another model: the last registers are not there, which costs only these.
            for address in (0x156, 0x157):
                del served[0].words[4, address]
            values, complete = await meter.read()
            assert not complete and [row[0] for row, value in zip(meter.rows, values) if value is None] == ["energy_total"]
            assert meter.counts[ledger.REFUSED] == 1
            # Nothing is there.
            served[0].words.clear()
            with pytest.raises(MeterRefused) as error:
                await meter.read()
            assert error.value.code == 2
            # Another function.
            section = _Section("dtsu666", bench.settings, ("power",), unit=2)
            section.function = "4"
            meter = equip.meter_of(section, bench.line, equip.asking_of("modbus"))
            with pytest.raises(MeterRefused) as error:
                await meter.read()
            assert error.value.code == 1 and served[1].asked[-1] == (4, 0x2012, 2)
            with pytest.raises(NoReply):
                await bench.meter("sdm630", unit=9, timeout_ms=100).read()

    with _Bench(_FAST) as bench:
        asyncio.run(run(bench))


def test_a_meter_that_refuses_what_lies_between_is_read_without_it():
    async def run(bench):
        each = _Served(1, "sdm120")
        bits = each.fill(lambda form: 0x42F6E979)
        named = {row[1] + i for row in each.profile.points for i in range(2)}
        each.words = {place: word for place, word in each.words.items() if place[1] in named}
        async with _pymodbus(bench, [each]):
            meter = bench.meter("sdm120", unit=1)
            n_blocks = len(meter.blocks)
            for _ in range(2):
                found, complete = await meter.read()
                assert complete and found == [_expected(row[2], bits[row[0]], row[4]) for row in meter.rows]
            # Refused once each, and from then on asked for as it can be had.
            assert 1 <= meter.counts[ledger.REFUSED] <= n_blocks < len(meter.blocks)
            refused = meter.counts[ledger.REFUSED]
            await meter.read()
            assert meter.counts[ledger.REFUSED] == refused

    with _Bench(_FAST) as bench:
        asyncio.run(run(bench))


def test_pymodbus_reads_our_requests_and_we_its_replies():
    """Every request that any profile makes; replies of its encoder, whole, in pieces, and its exceptions."""
    requests, replies = FramerRTU(DecodePDU(True)), FramerRTU(DecodePDU(False))
    dice = random.Random(3)
    n = 0
    for unit, name in enumerate(_NAMES, 1):
        profile = profile_of(name)
        for block in equip.blocks_of(_Section(name, _FAST, unit=unit), profile, profile.points):
            used, pdu = requests.handleFrame(block.request, 0, 0)
            assert used == len(block.request) and pdu.dev_id == unit
            words = [dice.randrange(1 << 16) for _ in range(pdu.count)]
            kind = {3: ReadHoldingRegistersResponse, 4: ReadInputRegistersResponse}[pdu.function_code]
            frame = replies.buildFrame(kind(dev_id=unit, registers=words))
            reply = modbus.Reply()
            reply.expect(block.request)
            found = None
            for i in range(len(frame)):
                found = reply.add(frame[i : i + 1], 1)
                assert (found is None) == (i < len(frame) - 1)
            assert bytes(found) == struct.pack(f">{pdu.count}H", *words)
            n += 1
            for code in (*range(1, 12), 0, 0x7F, 0xFF):
                frame = replies.buildFrame(ExceptionResponse(pdu.function_code, code, unit))
                reply.expect(block.request)
                with pytest.raises(MeterRefused) as error:
                    reply.add(frame, len(frame))
                assert error.value.code == code
    assert n > 40
    for unit, function, first, count in ((1, 3, 0, 1), (247, 4, 0xFFFF, 1), (16, 3, 0xFF83, 125), (104, 4, 0x6868, 0x16)):
        request = bytearray(modbus.REQUEST_BYTES)
        assert modbus.put_read(request, unit, function, first, count) == 8
        _, pdu = requests.handleFrame(bytes(request), 0, 0)
        assert (pdu.dev_id, pdu.function_code, pdu.address, pdu.count) == (unit, function, first, count)


# -- umodbus's slave, on MicroPython ----------------------------------------------------------------------------------

_UMODBUS = ("sdm630", "iem3155", "b23")


def test_umodbus_slave_is_read_as_it_is(own, tmp_path):
    """Its registers are known by their first: a request that begins at one is answered, unknown ones behind it as 0."""
    settings = parse_settings("9600 8N1")
    served = [_Served(1, name) for name in _UMODBUS]
    dice = random.Random(5)
    all_bits = [each.fill(lambda form: dice.getrandbits(form.n_bits)) for each in served]
    plan = {"unit": 1, "baud": 9600, "registers": {"IREGS": {}, "HREGS": {}}}
    for each in served:
        for (function, address), word in each.words.items():
            plan["registers"]["IREGS" if function == 4 else "HREGS"][str(address)] = word
    (tmp_path / "registers.json").write_text(json.dumps(plan))
    with _Bench(settings) as bench:
        (tmp_path / "sim.json").write_text(json.dumps({"uarts": {"1": bench.station.terminal}}))
        words = [micropython(), ROOT / "tests" / "system" / "umodbus_slave.py", ROOT]
        slave = own(Process(words, tmp_path / "slave.log", cwd=tmp_path)).start()
        wait_for(lambda: "listening" in slave.log.read_text(), 10, "umodbus's slave")

        async def run():
            for name, bits in zip(_UMODBUS, all_bits):
                # Its pauses end a frame: where this machine makes one, the request is lost.
                meter = bench.meter(name, unit=1, retries=4)
                found, _ = await meter.read()
                assert found == [_expected(row[2], bits[row[0]], row[4]) for row in meter.rows], name
                assert await meter.read_serial() == str(bits["serial_number"])
            with pytest.raises(MeterRefused) as error:
                await bench.meter("dtsu666", unit=1, retries=4).read()
            assert error.value.code == 2
            with pytest.raises(NoReply):
                await bench.meter("sdm630", unit=2, timeout_ms=100).read()

        asyncio.run(run())


# -- DL/T 645: the package dlt645 -------------------------------------------------------------------------------------

# dlt645 3.2.0, what it does otherwise than the standard, or leaves out:
# - it takes a meter's number as text in the order of the wire, lowest digits first: reversed here;
# - it has no blocks (FF), no freezes (05) and no further frames; the first are refused with 02, the second with 01;
# - a number is a float, with its sign in the top bit also where the standard has none;
# - its server answers requests to other numbers, by D1 01 with that number: two of them cannot share a line;
# - its client takes the time of a maximum demand in the reverse order, as YY MM DD hh mm of the wire's mm hh DD MM YY;
# - its client takes what is no digit for one: FF FF, no value, is -715151.5 V;
# - its client does not see of which number a reply to read-address is, and takes that number for the meter's.
_FAST_8E1 = parse_settings("115200 8E1")
_NUMBER = "202511220161"
# What it holds: data identifier: (text for it, what our point is).
_HELD = {
    "energy_import": ("123456.78", 12345678),
    "energy_import_t1": ("0.01", 1),
    "energy_import_t2": ("799999.99", 79999999),
    "energy_combined": ("-1234.56", -123456),
    "energy_reactive_1": ("-0.01", -1),
    "voltage_l1": ("230.2", 2302),
    "voltage_l2": ("0.1", 1),
    "current_l1": ("-12.345", -12345),
    "power": ("-3.1416", -31416),
    "power_l1": ("79.9999", 799999),
    "power_factor": ("-0.999", -999),
    "phase_angle_l2": ("359.9", 3599),
    "frequency": ("50.01", 5001),
}
_SAID = {
    "serial_number": (_NUMBER[::-1], _NUMBER[::-1]),
    "communication_number": (_NUMBER, _NUMBER),
    "clock_date": ("25112206", "2025-11-22"),
    "clock_time": ("235958", "23:59:58"),
    "demand_period": ("15", "15"),
    "status_1": ("0006", "0006"),
}


def _as_sent(number):
    """A number's digits in the order of the wire."""
    return "".join(number[i : i + 2] for i in range(10, -2, -2))


@pytest.fixture
def dlt645_server():
    """dlt645's RTU server behind a station, and the bench with our Line."""
    with _Bench(_FAST_8E1) as bench:
        service = MeterServerService.new_rtu_server(bench.station.terminal, 8, 1, 115200, "N", 1.0)
        service.set_address(_as_sent(_NUMBER))
        assert service.server.start()
        try:
            yield service, bench
        finally:
            service.server.stop()


def test_we_read_dlt645s_server(dlt645_server):
    service, bench = dlt645_server
    di = {row[0]: row[1] for row in profile_of("dlt645_3p").points}
    for name, (text, _) in _HELD.items():
        assert service.set_02(di[name], float(text)), name
    for name, (text, _) in _SAID.items():
        assert service.set_04(di[name], text), name

    async def run():
        meter = bench.meter("dlt645_3p", number=_NUMBER)
        n_blocks = len(meter.blocks)
        values, complete = await meter.read()
        assert complete
        for row, value in zip(meter.rows, values):
            assert value == _HELD.get(row[0], (0, 0))[1], row[0]
        # Each block was refused once, and is not asked for again.
        assert meter.counts[ledger.REFUSED] == 7 and len(meter.blocks) > 3 * n_blocks // 2
        assert await meter.read() == (values, True) and meter.counts[ledger.REFUSED] == 7
        assert await meter.read_serial() == _NUMBER[::-1]
        for name, (_, text) in _SAID.items():
            assert await _about(meter, name) == text, name
        with pytest.raises(MeterRefused) as error:
            await _about(meter, "freeze_time")
        assert error.value.code == 1
        # By the wildcard, and by another meter's number.
        anybody = bench.meter("dlt645_3p", number="A" * 12)
        assert (await anybody.read())[0] == values
        with pytest.raises(MeterRefused):
            await bench.meter("dlt645_1p", number="000000000002").read()
        request = bytearray(dlt645.REQUEST_BYTES)
        n = dlt645.put_read_address(request)
        reply = dlt645.Reply()
        found = await bench.line.exchange(bench.settings, request, n, reply, 500)
        assert reply.number_text() == _NUMBER and bytes(found) == bytes.fromhex(_as_sent(_NUMBER))

    asyncio.run(run())


def test_dlt645s_client_reads_our_simulated_meter():
    meter = slave645.meter(_NUMBER, "dlt645_3p", 60000, 123456780, _FAST_8E1, now_us())
    meter.items.serial_number, meter.items.missing = "000000000161", ("voltage_l3",)
    told = []
    meter.told = lambda *what: told.append(what)
    with _Bench(_FAST_8E1, [meter]) as bench:
        # The wire has the parity; a pseudo terminal has none, and to be asked for it twice is an error.
        client = MeterClientService.new_rtu_client(bench.front.terminal, 115200, 8, 1, "N", 2.0)
        assert client.connect()
        try:
            assert client.read_address().value == _as_sent(_NUMBER)
            client.set_address(_as_sent(_NUMBER))
            n = 0
            for name, di, form, _, decimals, _ in profile_of("dlt645_3p").points:
                if form[:3] != "bcd" or di >> 24 > 2 or name in ("demand_max", "voltage_l3"):
                    continue
                found = client.read_00(di)
                assert found is not None, name
                _, number, register, data = told[-1]
                assert (number, register) == (_NUMBER, di)
                # Two digits a byte, the lowest first; the sign on top.
                sign = -1 if form[-1] == "s" and data[-1] & 0x80 else 1
                digits = bytes([data[-1] & 0x7F] if form[-1] == "s" else [data[-1]]) + data[-2::-1]
                assert Fraction(str(found.value)) == sign * Fraction(int(digits.hex()), 10**decimals), name
                n += 1
            assert n > 30
            demand = client.read_01(0x01010000).value
            assert demand.value == 72.0 and demand.time.strftime("%y%m%d%H%M") == "1510221125"
            assert client.read_04(0x04000402).value == "000000000161"
            assert client.read_04(0x04000102).value[:4] == "1015"
            # Where the meter has no value, it sees one; where it is refused, it sees that.
            assert client.read_02(0x02010300).value == -715151.5
            assert client.read_02(0x02010400) is None
        finally:
            client.disconnect()


def test_dlt645s_codec_and_ours():
    """Its frames are ours, byte for byte; ours it takes whole, and what we refuse it refuses."""
    dice = random.Random(7)
    for _ in range(500):
        number = "".join(dice.choice("0123456789") for _ in range(12))
        di = dice.getrandbits(32)
        request = bytearray(dlt645.REQUEST_BYTES)
        n = dlt645.put_read(request, number, di)
        sent = bytes.fromhex(_as_sent(number))
        assert request[:n] == DLT645Protocol.build_frame(sent, 0x11, di.to_bytes(4, "little"))
        n_frame = dice.randrange(1, 256)
        following = bytearray(dlt645.REQUEST_BYTES)
        n = dlt645.put_following(following, request, n_frame)
        assert following[:n] == DLT645Protocol.build_frame(sent, 0x12, di.to_bytes(4, "little") + bytes([n_frame]))
        data = dice.randbytes(dice.randrange(0, 200))
        more = dice.choice((0, 0x20))
        frame = DLT645Protocol.build_frame(sent, 0x91 | more, di.to_bytes(4, "little") + data, dice.randrange(5))
        reply = dlt645.Reply()
        reply.expect(request)
        noise = dice.randbytes(dice.randrange(4)).replace(b"\x68", b"")
        found = reply.add(noise + frame, len(noise) + len(frame))
        assert bytes(found) == data and reply.more == bool(more) and reply.number_text() == number
        at = dice.randrange(len(frame))
        spoiled = bytearray(frame)
        spoiled[at] ^= 1 << dice.randrange(8)
        _, theirs = DLT645Protocol.deserialize_with_remaining(bytes(spoiled))
        reply.expect(request)
        ours = reply.add(spoiled, len(spoiled))
        # A turned bit in the preamble leaves the frame good.
        assert (ours is None) == (theirs is None) == (at >= len(frame) - 12 - 4 - len(data)), at
        if ours is None and reply.heard:
            with pytest.raises(BadFrame):
                reply.give_up()


# -- a line file with all of them -------------------------------------------------------------------------------------

_OTHER = "000000000001"


def test_a_line_file_holds_meters_of_all_protocols(own, tmp_path):
    """`metergate simulate` as it is called: pymodbus's meter and ours on one terminal, counts and replies in files."""
    load = {"power_kw": 12.0, "energy_kwh": 500.25}
    meters = [
        {"unit": 3, "profile": "ddsu666", **load},
        {"unit": 4, "profile": "sdm120", "served_by": "exact", "settings": "9600 8N1", **load},
        {"protocol": "dlt645", "number": _NUMBER, "profile": "dlt645_1p", "variant": {"n_tariffs": 2}, **load},
        {
            "protocol": "dlt645-1997",
            "number": "000000000001",
            "profile": "dlt645_1997_1p",
            "faults": {"silent": 1000000},
            **load,
        },
        {"protocol": "cjt188", "number": "42590008210438", "profile": "heat", "variant": {"units": {"energy": "MJ"}}, **load},
    ]
    told, report = tmp_path / "told", tmp_path / "report.json"
    plan = {"settings": "115200 8E1", "meters": meters, "told": str(told), "report": str(report)}
    line = own(SimulatedLine(tmp_path, plan)).start()
    uart = _Uart(line.terminal)

    async def read(profile, **where):
        section = _Section(profile, _FAST_8E1, tuple(profile_of(profile).readable()), **where)
        meter = equip.meter_of(section, Line("A", uart), equip.asking_of(section.protocol))
        values, _ = await meter.read()
        return dict(zip([row[0] for row in meter.rows], values))

    async def run():
        found = await read("ddsu666", unit=3)
        assert 50025 <= found["energy_import"] < 50030 and found["voltage_l1"] == 2302
        found = await read("dlt645_1p", number=_NUMBER)
        assert 50025 <= found["energy_import"] < 50030 and found["energy_import_t3"] is None
        found = await read("heat", number="42590008210438")
        # 500.25 kWh are 1800.9 MJ.
        assert found["heat_gj"] % 10 == 0 and 1800900 <= found["heat_gj"] < 1801100
        for profile, where in (("sdm120", {"unit": 4}), ("dlt645_1997_1p", {"number": _OTHER})):
            with pytest.raises(NoReply):
                await read(profile, timeout_ms=150, **where)

    try:
        asyncio.run(run())
    finally:
        uart.close()
    wait_for(lambda: report.exists() and json.loads(report.read_text())["meters"][_NUMBER]["replies"] > 8, 5, "the report")
    counts = json.loads(report.read_text())["meters"]
    # Settings of its own are not known to a line without driver-enable: it has understood nothing.
    assert sorted(counts) == [_OTHER, _NUMBER, "4", "42590008210438"] and counts["4"]["requests"] == 0
    assert counts[_OTHER]["silent"] == counts[_OTHER]["requests"] > 0
    rows = [row.split() for row in told.read_text().splitlines()]
    assert {row[1] for row in rows} == {_NUMBER, "42590008210438"} and all(int(row[0]) > 0 for row in rows)
    assert {row[2] for row in rows if row[1] == "42590008210438"} == {"36895"}
    assert str(0x0001FF00) in [row[2] for row in rows]
