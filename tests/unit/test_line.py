"""line: half duplex over a simulated UART, in virtual time: silence, driver-enable, deadlines, late and garbled replies."""

import asyncio

from memory import raised
from ticking import STEP_US, Clock

from firmware.bus import ledger
from firmware.bus import line as line_module
from firmware.bus.line import Line
from firmware.errors import BadFrame, MeterRefused, NoReply
from firmware.protocols import modbus
from firmware.protocols.crc import crc16

_9600 = (9600, 8, None, 1)
_2400 = (2400, 8, 0, 1)
_115200 = (115200, 8, None, 1)
_TIMEOUT_MS = 500


class _Uart:
    """A port whose far end is answers: a list of [(microseconds after the request's last byte, bytes), ..], one for each
    request. A byte is there once its time on the wire is over."""

    def __init__(self, clock, answers=()):
        self.clock = clock
        self.answers = list(answers)
        self.settings = []
        self.written = []  # (when, bytes)
        self.read_us = 0  # what taking bytes costs
        self.stuck = False
        self.babbles = False
        self.fails = False
        self.char_us = 1042
        self.end_us = 0
        self.heard_us = 0  # when the last byte that was taken had come
        self._coming = []  # (when it is there, byte)
        self._n_asked = 0

    def init(self, baudrate, bits, parity, stop):
        self.settings.append((baudrate, bits, parity, stop))
        self.char_us = (1 + bits + (parity is not None) + stop) * 1000000 // baudrate

    def hear(self, at_us, data):
        """Bytes that begin to come at at_us."""
        for i, byte in enumerate(data):
            self._coming.append((at_us + (i + 1) * self.char_us, byte))

    def any(self):
        self._n_asked += 1
        assert self._n_asked < 100000, "never ends"
        if self.babbles:
            return 64
        return len([1 for at, _ in self._coming if at <= self.clock.us])

    def readinto(self, buf, n):
        self.clock.us += self.read_us
        if self.babbles:
            buf[:n] = b"\x55" * n
            return n
        n = min(n, self.any())
        self._coming.sort()
        for i in range(n):
            self.heard_us, buf[i] = self._coming.pop(0)
        return n

    def write(self, data):
        if self.fails:
            raise OSError(5)
        self.written.append((self.clock.us, bytes(data)))
        self.end_us = self.clock.us + len(data) * self.char_us
        for after_us, answer in self.answers.pop(0) if self.answers else ():
            self.hear(self.end_us + after_us, answer)
        return len(data)

    def txdone(self):
        self.clock.us += STEP_US
        return not self.stuck and self.clock.us >= self.end_us


class _Bus:
    """A Line on a simulated port; drives: [(when, on), ..]."""

    def __init__(self, answers=(), tick_us=1000, start_us=0, settings=_9600, drive=True, clock=None, **more):
        self.clock = clock or Clock(tick_us, start_us)
        self.uart = _Uart(self.clock, answers)
        self.drives = []
        self.settings = settings
        self.reply = modbus.Reply()
        real = line_module.time
        line_module.time = self.clock
        try:
            self.line = Line("A", self.uart, self._drive if drive else None, **more)
        finally:
            line_module.time = real

    def _drive(self, on):
        self.drives.append((self.clock.us, on))

    async def _exchange(self, unit, timeout_ms, settings, count, **more):
        request = bytearray(16)
        n = modbus.put_read(request, unit, modbus.INPUT, 0, count)
        reply = modbus.Reply() if unit > 100 else self.reply
        return bytes(await self.line.exchange(settings, request, n, reply, timeout_ms, **more))

    def ask(self, *units, **options):
        """What the exchanges with these units give, all begun at once; of one unit: the thing itself."""
        timeout_ms, settings = options.get("timeout_ms", _TIMEOUT_MS), options.get("settings", self.settings)
        count = options.get("count", 2)
        more = {name: options[name] for name in options if name in ("counts", "expect_ms")}

        async def ask_all():
            return await asyncio.gather(*[self._exchange(unit, timeout_ms, settings, count, **more) for unit in units])

        found = self.run(ask_all())
        return found[0] if len(units) == 1 else found

    def run(self, coroutine):
        """What the coroutine gives, in virtual time."""
        real = line_module.time, line_module.asyncio
        line_module.time = line_module.asyncio = self.clock
        try:
            return asyncio.run(coroutine)
        finally:
            line_module.time, line_module.asyncio = real


def _framed(*body):
    crc = crc16(body, 0, len(body))
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


def _frame(unit=1, last=4):
    return _framed(unit, 4, 4, 1, 2, 3, last)


_DATA = b"\x01\x02\x03\x04"


def _counts(bus):
    """[requests, replies, no reply, bad frames of all kinds, refused, noise bytes]"""
    found = dict(ledger.counted(bus.line.counts))
    bad = sum([found.get(name, 0) for name in ("bad_checksum", "wrong_meter", "bad_frame")])
    names = ("requests", "replies", "no_reply", "", "refused", "noise_bytes")
    return [found.get(name, 0) if name else bad for name in names]


def test_a_reply_is_returned_and_counted():
    for tick_us in (1000, 10000):
        bus = _Bus([[(20000, _frame())]], tick_us)
        assert bus.ask(1) == _DATA
        assert bus.uart.written[0][1] == _framed(1, 4, 0, 0, 0, 2)
        assert _counts(bus) == [1, 1, 0, 0, 0, 0]


def test_a_reply_is_noticed_soon_after_its_last_byte():
    bus = _Bus([[(20000, _frame())]])
    bus.ask(1)
    assert bus.clock.us - (bus.uart.end_us + 20000 + 9 * 1042) < 7000


def test_the_reply_of_a_quick_meter_is_taken_at_its_last_byte_at_any_tick():
    reply = _framed(1, 4, 40, *range(40))
    for settings in (_2400, _9600, _115200):
        for tick_us in (1000, 10000):
            bus = _Bus([[(2000, reply)]], tick_us, settings=settings)
            bus.ask(1, count=20)
            late_us = bus.clock.us - (bus.uart.end_us + 2000 + 45 * bus.uart.char_us)
            assert 0 <= late_us < 300, (settings, tick_us, late_us)


def test_the_next_request_begins_when_the_silence_is_over_at_any_tick():
    for tick_us in (1000, 10000):
        bus = _Bus([[(5000, _frame())]] * 2, tick_us)
        bus.ask(1)
        heard_us = bus.uart.heard_us
        bus.ask(1)
        assert bus.uart.written[-1][0] - heard_us < 3645 + 500, tick_us


def test_only_the_requests_own_bytes_are_written():
    bus = _Bus([[(1000, _frame())]])
    bus.ask(1)
    assert len(bus.uart.written[0][1]) == 8


def test_the_port_is_set_when_the_settings_change_and_not_before():
    bus = _Bus([[(5000, _frame())]] * 4)
    bus.ask(1)
    bus.ask(1)
    assert bus.uart.settings == [_9600]
    bus.ask(1, settings=_2400)
    bus.ask(1)
    assert bus.uart.settings == [_9600, _2400, _9600]


def test_requests_keep_three_and_a_half_characters_of_silence():
    for settings, silence_us in (
        (_9600, 3645),
        (_2400, 16040),
        ((19200, 8, None, 1), 1820),
        ((38400, 8, None, 1), 1750),
        (_115200, 1750),
    ):
        for tick_us in (1000, 10000):
            bus = _Bus([[(5000, _frame())]] * 3, tick_us, settings=settings)
            bus.ask(1)
            for _ in range(2):
                heard_us = bus.uart.heard_us
                assert heard_us
                bus.ask(1)
                assert bus.uart.written[-1][0] - heard_us >= silence_us, settings


def test_silence_that_has_passed_already_is_not_waited_for_again():
    for idle_us in (10000, 400 * 1000000, 600 * 1000000, 1000 * 1000000, (1 << 30) + 5000000):
        bus = _Bus([[(5000, _frame())]] * 2)
        bus.ask(1)
        bus.clock.us += idle_us
        before_us = bus.clock.us
        bus.ask(1)
        assert bus.uart.written[-1][0] - before_us < 6000, idle_us


def test_the_driver_is_on_from_before_the_first_byte_to_after_the_last():
    for settings in (_9600, _2400, _115200, (300, 8, None, 1)):
        for tick_us in (1000, 10000):
            bus = _Bus([[(50000, _frame())]], tick_us, settings=settings)
            bus.ask(1, timeout_ms=5000)
            (on_us, on), (off_us, off) = bus.drives
            assert (on, off) == (True, False)
            assert on_us <= bus.uart.written[0][0]
            # A meter may answer after 3.5 characters: the driver is off long before, whatever the loop's ticks are.
            assert 0 <= off_us - bus.uart.end_us < 500, (settings, tick_us)


def test_a_line_without_driver_enable_works_as_well():
    bus = _Bus([[(5000, _frame())]], drive=False)
    assert bus.ask(1) == _DATA and bus.drives == []


def test_the_driver_is_off_after_a_write_that_fails():
    bus = _Bus()
    bus.uart.fails = True
    raised(OSError, bus.ask, 1)
    assert [on for _, on in bus.drives] == [True, False]
    # The line can be used again.
    bus.uart.fails = False
    bus.uart.answers = [[(5000, _frame())]]
    assert bus.ask(1) == _DATA


def test_a_port_that_never_ends_sending_is_given_up():
    bus = _Bus([[(5000, _frame())]])
    bus.uart.stuck = True
    assert bus.ask(1) == _DATA
    assert [on for _, on in bus.drives] == [True, False]
    assert bus.drives[1][0] - bus.drives[0][0] < 100000


def test_silence_is_no_reply_after_the_time_allowed_and_not_much_later():
    for timeout_ms in (20, 500, 5000):
        for tick_us in (1000, 10000):
            bus = _Bus(tick_us=tick_us)
            error = raised(NoReply, _ask, bus, timeout_ms)
            assert error.args == (timeout_ms,)
            waited_us = bus.clock.us - bus.uart.end_us
            assert timeout_ms * 1000 <= waited_us <= timeout_ms * 1000 + 25000
            assert _counts(bus) == [1, 0, 1, 0, 0, 0]
            assert bus.drives[-1][1] is False


def _ask(bus, timeout_ms):
    return bus.ask(1, timeout_ms=timeout_ms)


def test_a_reply_that_begins_in_time_may_end_later():
    for settings in (_9600, _2400):
        bus = _Bus([[(480000, _frame())]], settings=settings)
        assert bus.ask(1) == _DATA


def test_the_longest_reply_has_the_time_it_takes_at_any_baud_rate():
    data = bytes(range(250))
    frame = _framed(1, 4, 250, *data)
    for baud in (300, 600, 1200, 2400, 9600, 115200):
        for begins_us in (10000, 450000):
            bus = _Bus([[(begins_us, frame)]], settings=(baud, 8, 0, 1))
            assert bus.ask(1, count=125) == data, (baud, begins_us)


def test_a_request_waits_for_the_end_of_a_long_late_reply_at_a_slow_baud_rate():
    bus = _Bus([[(520000, _framed(1, 4, 250, *bytes(250)))], [(20000, _frame())]], settings=_2400)
    raised(NoReply, bus.ask, 1)
    bus.clock.us = bus.uart.end_us + 540000
    assert bus.ask(1) == _DATA
    assert bus.uart.written[1][0] - bus.uart.written[0][0] > 520000 + 255 * 4583


def test_the_time_allowed_counts_from_the_requests_last_byte():
    # 8 characters at 300 baud take 267 ms.
    bus = _Bus([[(80000, _frame())]], settings=(300, 8, None, 1))
    assert bus.ask(1, timeout_ms=120) == _DATA


def test_gaps_within_a_reply_are_waited_for():
    frame = _frame()
    bus = _Bus([[(5000, frame[:3]), (20000, frame[3:7]), (36000, frame[7:])]])
    assert bus.ask(1) == _DATA
    # Also at the end of the time allowed.
    bus = _Bus([[(490000, frame[:6]), (505000, frame[6:])]])
    assert bus.ask(1) == _DATA


def test_noise_and_an_echo_before_a_reply_cost_nothing_and_an_echo_is_no_noise():
    echo = _framed(1, 4, 0, 0, 0, 2)
    bus = _Bus([[(0, echo), (20000, b"\xff\x00" + _frame())]])
    assert bus.ask(1) == _DATA
    assert _counts(bus) == [1, 1, 0, 0, 0, 2]
    assert bus.line.n_echoes == 1 and bus.line.is_noisy


def test_an_echo_alone_is_silence():
    echo = _framed(1, 4, 0, 0, 0, 2)
    # While it is sent, in two pieces, and as late as a converter may give it back.
    for answer in ([(-8336, echo)], [(-8336, echo[:5]), (-2000, echo[5:])], [(30000, echo)]):
        bus = _Bus([answer])
        raised(NoReply, bus.ask, 1)
        assert _counts(bus) == [1, 0, 1, 0, 0, 0]
        assert bus.line.n_echoes == 1 and not bus.line.is_noisy


def test_what_begins_like_the_request_and_is_no_echo_goes_to_the_decoder():
    # A reply begins with unit and function, as its request does.
    bus = _Bus([[(10000, _frame()[:1]), (20000, _frame()[1:])]])
    assert bus.ask(1) == _DATA
    assert bus.line.n_echoes == 0
    # A part of the request and no more: noise.
    part = _framed(1, 4, 0, 0, 0, 2)[:6]
    bus = _Bus([[(10000, part)]])
    assert raised(BadFrame, bus.ask, 1).args[0] == part
    # A garbled echo, then the reply.
    echo = bytearray(_framed(1, 4, 0, 0, 0, 2))
    echo[5] ^= 1
    bus = _Bus([[(-8336, bytes(echo)), (20000, _frame())]])
    assert bus.ask(1) == _DATA
    assert _counts(bus) == [1, 1, 0, 0, 0, 8]


def test_bytes_that_wake_up_meters_stand_before_each_request():
    request = _framed(1, 4, 0, 0, 0, 2)
    bus = _Bus([[(20000, _frame())], [(-30000, b"\xfe" * 20 + request), (20000, _frame())]], wake_bytes=20)
    assert bus.ask(1) == _DATA and bus.ask(1) == _DATA
    assert [data for _, data in bus.uart.written] == [b"\xfe" * 20 + request] * 2
    assert bus.line.n_echoes == 1 and _counts(bus)[5] == 0
    # The driver is on for all of it.
    assert bus.drives[1][0] - bus.drives[0][0] >= 28 * 1042


def test_a_pause_is_made_when_the_meter_changes_and_only_then():
    bus = _Bus([[(5000, _frame(unit))] for unit in (1, 1, 2, 1)], pause_ms=150)
    ledgers = {1: ledger.new(), 2: ledger.new()}
    for unit in (1, 1, 2, 1):
        assert bus.ask(unit, counts=ledgers[unit]) == _DATA
    begun = [at for at, _ in bus.uart.written]
    gaps = [begun[i + 1] - begun[i] for i in range(3)]
    # The exchange itself takes 8.3 + 5 + 9.4 ms.
    assert gaps[0] < 40000 and 172000 < gaps[1] < 190000 and 172000 < gaps[2] < 190000
    assert ledgers[1][ledger.REPLIES] == 3 and ledgers[2][ledger.REPLIES] == 1


def test_a_line_says_how_long_a_meter_took():
    for tick_us in (1000, 10000):
        bus = _Bus([[(120000, _frame())], [(2000, _frame())]], tick_us)
        bus.ask(1)
        assert 110 <= bus.line.delay_ms <= 130
        bus.ask(1)
        assert bus.line.delay_ms <= 12
        least, mean, most = ledger.reply_ms(bus.line.counts)
        assert least <= 12 and 110 <= most <= 130 and least < mean < most


def test_a_reply_that_comes_when_it_usually_does_is_noticed_at_once():
    # 2 ms after its last byte at the latest, though the loop looks only every 10 ms and the reply takes 0.8 ms.
    for delay_us in (43000, 47500, 51000):
        bus = _Bus([[(delay_us, _frame())]], 10000, settings=_115200)
        assert bus.ask(1, expect_ms=delay_us // 1000) == _DATA
        assert bus.clock.us - bus.uart.heard_us < 2000


def test_who_watches_sees_what_went_over_the_line():
    bus = _Bus([[(20000, _frame())], [(20000, _frame())]])
    bus.line.watch = []
    bus.ask(1)
    watch, bus.line.watch = bus.line.watch, None
    assert [(what, bytes(data)) for _, what, data in watch if what == "sent"] == [("sent", _framed(1, 4, 0, 0, 0, 2))]
    assert b"".join([data for _, what, data in watch if what == "heard"]) == _frame()
    assert watch[0][0] < watch[-1][0]
    bus.ask(1)
    assert len(watch) == len([1 for _ in watch])


def _asked(bus, request, for_ms=300, quiet_ms=20):
    return bus.run(bus.line.ask(bus.settings, request, for_ms, quiet_ms))


def test_ask_gives_all_that_comes_back_until_the_line_is_silent():
    request = b"\x01\x11\xc0\x2c"
    # Two answers with a pause of some milliseconds between.
    bus = _Bus([[(20000, b"\x01\x11\x02"), (34000, b"\x68\x16"), (200000, b"late")]])
    assert _asked(bus, request) == b"\x01\x11\x02\x68\x16"
    assert bus.clock.us < 100000
    # What comes after is not the next request's.
    bus.clock.us += 300000
    bus.uart.answers = [[(20000, _frame())]]
    assert bus.ask(1) == _DATA


def test_ask_hears_nothing_and_no_echo():
    request = b"\x01\x11\xc0\x2c"
    bus = _Bus()
    assert _asked(bus, request) == b""
    assert 300000 <= bus.clock.us < 350000
    bus = _Bus([[(-4000, request), (150000, b"\x01\x11\x00")]])
    assert _asked(bus, request) == b"\x01\x11\x00"
    bus = _Bus([[(-4000, request)]])
    assert _asked(bus, request) == b""


def test_ask_has_an_end_on_a_line_that_never_falls_silent():
    bus = _Bus()
    bus.uart.babbles = True
    assert len(_asked(bus, b"\x01\x11\xc0\x2c")) <= 600
    assert bus.clock.us < 2000000
    bus = _Bus([[(1000, b"\x55" * 900)]])
    assert len(_asked(bus, b"\x01\x11\xc0\x2c")) == 600


def test_tell_sends_and_waits_for_nothing():
    bus = _Bus()
    bus.run(bus.line.tell(bus.settings, b"\x68\x99"))
    assert [data for _, data in bus.uart.written] == [b"\x68\x99"]
    assert bus.clock.us < 20000 and not bus.drives[-1][1]


async def _tell_both(one, two, begin_us):
    """20 bytes on the one line, and 38 on the other, begun so much later."""

    async def later():
        while one.clock.us < begin_us:
            await one.clock.sleep_ms(0)
            one.clock.us += 100
        await two.line.tell(two.settings, bytes(38))

    await asyncio.gather(one.line.tell(one.settings, bytes(20)), later())


def test_a_line_that_spins_releases_the_other_ones_driver_too():
    # A at 2400 baud sleeps through most of its request; B, at 9600, begins so that it spins when A's last byte leaves.
    for begin_us in range(20000, 90000, 1000):
        one = _Bus(settings=_2400, tick_us=10000)
        two = _Bus(clock=one.clock)
        one.run(_tell_both(one, two, begin_us))
        for bus, char_us in ((one, 4583), (two, 1042)):
            (_, _), (off_us, is_on) = bus.drives
            assert not is_on and 0 <= off_us - bus.uart.end_us < char_us


def test_bad_frames_are_counted_by_what_they_are():
    broken = _frame()[:-1] + b"\x00"
    for answer, place in ((broken, "bad_checksum"), (_frame(2), "wrong_meter"), (b"\x55\xaa", "bad_frame")):
        bus = _Bus([[(5000, answer)]])
        own = ledger.new()
        raised(BadFrame, lambda bus=bus, own=own: bus.ask(1, counts=own))
        for counts in (own, bus.line.counts):
            found = dict(ledger.counted(counts))
            assert found == {"requests": 1, place: 1, "noise_bytes": len(answer)}


def test_a_late_reply_is_counted_as_one_and_its_request_as_unanswered():
    # Meter 2's reply comes while meter 1 is asked, who says nothing.
    bus = _Bus([[(512000, _frame(2))], []])
    raised(NoReply, bus.ask, 2)
    raised(BadFrame, bus.ask, 1)
    found = dict(ledger.counted(bus.line.counts))
    assert found == {"requests": 2, "no_reply": 2, "late_replies": 1, "noise_bytes": 9}
    # In the silence before the next request.
    bus = _Bus([[(520000, _frame(1, 9))], [(20000, _frame())]])
    raised(NoReply, bus.ask, 1)
    bus.clock.us += 50000
    bus.ask(1)
    assert dict(ledger.counted(bus.line.counts))["late_replies"] == 1


def test_bytes_that_are_no_reply_are_a_bad_frame_and_handed_on():
    bus = _Bus([[(5000, b"\x01\x04\x04\x01\x02\x03\x04\x00\x00")]])
    error = raised(BadFrame, bus.ask, 1)
    assert error.args == (b"\x01\x04\x04\x01\x02\x03\x04\x00\x00", "checksum")
    assert _counts(bus) == [1, 0, 0, 1, 0, 9]
    assert bus.clock.us < 1000000


def test_a_refusal_is_handed_on_at_once():
    bus = _Bus([[(5000, _framed(1, 0x84, 2))]])
    assert raised(MeterRefused, bus.ask, 1).code == 2
    assert _counts(bus) == [1, 0, 0, 0, 1, 0]
    assert bus.clock.us < 50000


def test_a_late_reply_is_not_taken_for_the_next_one():
    # The meter answers its first request 520 ms after it, its second one in time.
    bus = _Bus([[(520000, _frame(1, 9))], [(20000, _frame(1, 4))]])
    raised(NoReply, bus.ask, 1)
    bus.clock.us += 50000
    assert bus.ask(1) == _DATA
    assert _counts(bus) == [2, 1, 1, 0, 0, 9]


def test_a_request_waits_until_a_late_reply_has_ended():
    # It begins just after the time allowed; the next request must not be sent into it.
    for begins_us in (515000, 520000, 530000):
        bus = _Bus([[(begins_us, _frame(1, 9))], [(20000, _frame(1, 4))]])
        raised(NoReply, bus.ask, 1)
        bus.clock.us = bus.uart.end_us + begins_us + 3000
        assert bus.ask(1) == _DATA
        last_us = bus.uart.written[0][0] + 8 * 1041 + begins_us + 9 * 1041
        assert bus.uart.written[1][0] >= last_us + 3645, begins_us


def test_what_comes_while_the_line_settles_is_dropped():
    bus = _Bus([[(20000, _frame())]])
    bus.uart.hear(300000, _frame(1, 9))
    bus.run(bus.line.settle(500))
    assert 500000 <= bus.clock.us < 520000
    assert _counts(bus) == [0, 0, 0, 0, 0, 9]
    assert bus.ask(1) == _DATA
    # Also where bytes never end.
    bus.uart.babbles = True
    bus.run(bus.line.settle(500))


def test_a_line_that_never_falls_silent_does_not_hold_up_the_gateway():
    for read_us in (0, 2000):
        bus = _Bus()
        bus.uart.read_us = read_us
        bus.uart.babbles = True
        assert raised(BadFrame, bus.ask, 1).args[1] == "babble"
        assert bus.clock.us < 4000000
        assert _counts(bus)[:5] == [1, 0, 0, 1, 0]


def test_the_loop_gets_its_turn_while_bytes_keep_coming():
    bus = _Bus()
    bus.uart.read_us = 2000
    turns = [0]
    real = bus.clock.sleep_ms

    async def sleep_ms(ms):
        turns[0] += 1
        await real(ms)

    bus.clock.sleep_ms = sleep_ms
    bus.uart.babbles = True
    raised(BadFrame, bus.ask, 1)
    assert turns[0] > 50


def test_noise_that_drips_does_not_put_the_deadline_off_for_ever():
    bus = _Bus([[(i * 4000, b"\x55") for i in range(1000)]])
    raised(BadFrame, bus.ask, 1)
    assert bus.clock.us < (2 * _TIMEOUT_MS + 700) * 1000


def test_one_exchange_at_a_time():
    answers = [[(20000, _frame(unit))] for unit in (101, 102, 103)]
    bus = _Bus(answers)
    assert bus.ask(101, 102, 103) == [_DATA] * 3
    assert [data[0] for _, data in bus.uart.written] == [101, 102, 103]
    assert [on for _, on in bus.drives] == [True, False] * 3


def test_meters_that_share_a_decoder_do_not_take_it_from_each_other():
    # Both requests are made at once; the second waits for the line while the first one's reply comes.
    bus = _Bus([[(5000, _frame(1))], [(5000, _frame(2, 9))]])
    assert bus.ask(1, 2) == [_DATA, b"\x01\x02\x03\x09"]
    assert _counts(bus) == [2, 2, 0, 0, 0, 0]


def test_whoever_holds_the_lock_holds_off_requests():
    bus = _Bus([[(5000, _frame())]])
    written = []

    async def run():
        await bus.line.lock.acquire()
        task = asyncio.create_task(bus._exchange(1, _TIMEOUT_MS, _9600, 2))
        for _ in range(5):
            await asyncio.sleep(0)
        written.append(len(bus.uart.written))
        bus.line.lock.release()
        return await task

    assert bus.run(run()) == _DATA
    assert written == [0]


def test_an_exchange_over_the_turn_of_the_ticks():
    for before_us in (1000, 12000, 60000, 400000):
        bus = _Bus([[(20000, _frame())]] * 2, start_us=(1 << 30) - before_us)
        assert bus.ask(1) == _DATA
        assert bus.ask(1) == _DATA
        bus = _Bus(start_us=(1 << 30) - before_us)
        raised(NoReply, bus.ask, 1)
        assert bus.clock.us - bus.uart.end_us < 530000


def test_a_port_that_refuses_half_way_is_set_anew_the_next_time():
    bus = _Bus([[(5000, _frame())], [(5000, _frame())]])
    bus.ask(1)
    real = bus.uart.init

    def init(**settings):
        bus.uart.char_us = 1
        raise ValueError("bits")

    bus.uart.init = init
    raised(ValueError, bus.line.set, _2400)
    bus.uart.init = real
    assert bus.ask(1) == _DATA and bus.uart.settings == [_9600, _9600]


def test_a_line_that_is_never_silent_has_no_late_replies():
    bus = _Bus()
    bus.uart.babbles = True
    for _ in range(3):
        raised(BadFrame, bus.ask, 1)
    found = dict(ledger.counted(bus.line.counts))
    assert found.pop("noise_bytes") > 100 and found == {"requests": 3, "bad_frame": 3}
