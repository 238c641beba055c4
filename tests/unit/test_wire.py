"""The simulated wire itself: pace, collisions, the driver, echo, noise, settings that differ, overflow."""

from tests.sim.chars import ANY, span_us
from tests.sim.wire import Wire

_9600 = (9600, 8, None, 1)
_2400E = (2400, 8, 0, 1)
_REQUEST = b"\x01\x04\x00\x00\x00\x02\x71\xcb"


class _Far:
    """A slave that answers every request it hears whole with the same bytes, and keeps what it is offered."""

    def __init__(self, answer=b"", after_us=2000, settings=_9600, request=_REQUEST):
        self.settings = settings
        self.answer = answer
        self.after_us = after_us
        self.request = request
        self.heard = []  # (bytes, first_us, end_us)

    def hear(self, data, first_us, end_us):
        self.heard.append((data, first_us, end_us))
        return (end_us + self.after_us, self.answer) if data == self.request and self.answer else None


def _wire(*slaves, **options):
    wire = Wire(**options)
    wire.set(_9600)
    for slave in slaves:
        wire.attach(slave)
    return wire


def _request(wire, at_us, off_us=None, data=_REQUEST):
    """The gateway's request with the driver on; released at off_us, else at the last byte's end. When that was."""
    wire.drive(True, at_us)
    wire.write(data, at_us)
    off_us = off_us or wire.sent_us()
    wire.drive(False, off_us)
    return off_us


def _bytes(wire, from_us, to_us):
    """[(when it is there, byte), ..] by next_us alone."""
    found = []
    now_us = from_us
    while True:
        now_us = wire.next_us(now_us)
        if now_us is None or now_us > to_us:
            return found
        found += [(now_us, byte) for byte in wire.read(now_us)]


def _nothing_lost(wire):
    return not any(wire.counts.values())


def test_every_byte_comes_at_its_microsecond_whatever_parity_and_stop_bits():
    answer = bytes(range(45))
    for settings, bits in (
        (_9600, 10),
        ((9600, 8, 0, 1), 11),
        ((9600, 8, 1, 2), 12),
        ((2400, 7, 0, 1), 10),
        ((19200, 8, None, 2), 11),
        ((115200, 8, None, 1), 10),
        ((300, 8, None, 1), 10),
    ):
        for start_us in (0, 123456789012345):
            wire = _wire(_Far(answer, 2000, settings))
            wire.set(settings)
            off_us = _request(wire, start_us)
            baud = settings[0]
            assert off_us == start_us + 8 * bits * 1000000 // baud == wire.sent_us()
            begin_us = off_us + 2000
            found = _bytes(wire, start_us, start_us + 10000000)
            assert found == [(begin_us + (i + 1) * bits * 1000000 // baud, byte) for i, byte in enumerate(answer)]
            assert _nothing_lost(wire)


def test_a_byte_is_not_there_a_microsecond_before_its_end():
    wire = _wire(_Far(b"\x07\x08"))
    first_us = _request(wire, 0) + 2000 + span_us(_9600, 1)
    assert wire.any(first_us - 1) == 0 and wire.read(first_us - 1) == b""
    assert wire.any(first_us) == 1 and wire.read(first_us) == b"\x07"
    assert wire.next_us(first_us) == _request_end() + 2000 + span_us(_9600, 2)


def _request_end():
    return span_us(_9600, 8)


def test_what_is_written_while_sending_follows_without_a_pause_and_is_heard_as_one():
    far = _Far(b"\x55")
    wire = _wire(far)
    wire.drive(True, 100)
    wire.write(_REQUEST[:3], 100)
    wire.write(_REQUEST[3:], 200)
    assert wire.sent_us() == 100 + span_us(_9600, 3) + span_us(_9600, 5)
    wire.drive(False, wire.sent_us())
    assert wire.read(100000) == b"\x55"
    assert [data for data, _, _ in far.heard] == [_REQUEST[:3], _REQUEST]
    assert far.heard[-1][1:] == (100, wire.sent_us())


def test_a_silence_of_three_and_a_half_characters_begins_a_new_frame():
    for gap_us, heard in ((3645, _REQUEST), (3646, _REQUEST[4:])):
        far = _Far()
        wire = _wire(far, observe_drive=False)
        wire.write(_REQUEST[:4], 0)
        wire.write(_REQUEST[4:], wire.sent_us() + gap_us)
        wire.run(100000)
        assert far.heard[-1][0] == heard, gap_us


def test_slaves_hear_each_other_but_not_themselves():
    one, other = _Far(b"\x11\x22"), _Far()
    wire = _wire(one, other)
    _request(wire, 0)
    assert wire.read(100000) == b"\x11\x22"
    assert [data for data, _, _ in one.heard] == [_REQUEST]
    # 2 ms are no silence at 9600 baud: for the other one the reply is the request's tail.
    assert [data for data, _, _ in other.heard] == [_REQUEST, _REQUEST + b"\x11\x22"]


def test_two_that_answer_at_once_garble_each_other():
    def run(seed):
        wire = _wire(_Far(b"\x11" * 20), _Far(b"\x22" * 20, 5000), seed=seed)
        _request(wire, 0)
        return wire.read(1000000), wire.counts

    data, counts = run(1)
    assert counts["collisions"] == 1
    # Before and after the overlap each is heard alone: 5000 - 2000 us are 2 whole characters.
    assert data[:2] == b"\x11\x11" and data[-2:] == b"\x22\x22"
    assert len(data) < 40 and b"\x11" * 4 not in data and b"\x22" * 4 not in data
    assert run(1) == (data, counts)
    assert run(2)[0] != data


def test_what_comes_out_does_not_depend_on_how_often_one_looks():
    noise = {"idle": 3000, "inside": 20000, "before": 300000, "after": 300000}
    found = []
    for step_us in (77, 5000, 400000):
        wire = _wire(_Far(b"\x11" * 20), _Far(b"\x22" * 20, 5000), _Far(b"\x33" * 9, 0, (19200, 8, 0, 1)), seed=5, noise=noise)
        wire.run(0)
        data = b""
        off_us = None
        for at_us in range(10000, 2000000, 200000):
            now_us = at_us - 10000
            while now_us < at_us:
                data += wire.read(now_us)
                now_us += step_us
            off_us = _request(wire, at_us, at_us + span_us(_9600, 8) + 4000)
        data += wire.read(off_us + 300000)
        found.append((data, wire.counts))
    assert found[0] == found[1] == found[2]
    assert found[0][1]["noise_bytes"] > 20 and found[0][1]["collisions"] > 5


def test_a_request_into_a_reply_is_a_collision():
    wire = _wire(_Far(b"\x11" * 20), observe_drive=False)
    wire.write(_REQUEST, 0)
    at_us = wire.sent_us() + 2000 + span_us(_9600, 5)
    wire.write(_REQUEST, at_us)
    # Auto-direction: while the gateway sends its receiver is off.
    assert wire.read(1000000) == b"\x11" * 12
    assert wire.counts["collisions"] == 1 and wire.counts["lost_while_driving"] == 8


def test_an_early_release_cuts_the_request_off():
    for early_us, n in ((1, 1), (span_us(_9600, 1), 1), (span_us(_9600, 1) + 2, 2), (span_us(_9600, 8) - 1, 8)):
        far = _Far(b"\x11")
        wire = _wire(far)
        _request(wire, 1000, 1000 + span_us(_9600, 8) - early_us)
        assert wire.read(1000000) == b""
        assert wire.counts["lost_tail"] == n, (early_us, n)
        assert [data for data, _, _ in far.heard] == ([_REQUEST[:-n]] if n < 8 else [])


def test_bytes_sent_without_the_driver_reach_nobody():
    far = _Far(b"\x11")
    wire = _wire(far)
    wire.write(_REQUEST, 0)
    assert wire.read(1000000) == b"" and far.heard == []
    assert wire.counts["lost_undriven"] == 8
    # On too late: from the first whole byte on.
    wire.write(_REQUEST, 2000000)
    wire.drive(True, 2000000 + span_us(_9600, 2) + 1)
    wire.drive(False, wire.sent_us())
    wire.run(3000000)
    assert wire.counts["lost_undriven"] == 11 and wire.counts["lost_tail"] == 0
    assert far.heard[-1][0] == _REQUEST[3:]


def test_a_late_release_loses_the_replys_first_bytes():
    answer = bytes(range(20))
    for late_us, n in (
        (0, 0),
        (2000, 0),
        (2001, 1),
        (2000 + span_us(_9600, 1), 1),
        (2000 + span_us(_9600, 3) + 1, 4),
        (40000, 20),
    ):
        wire = _wire(_Far(answer))
        _request(wire, 0, span_us(_9600, 8) + late_us)
        assert wire.read(1000000) == answer[n:], late_us
        assert wire.counts["lost_while_driving"] == n
        assert wire.counts["lost_tail"] == 0


def test_a_release_that_is_told_late_counts_from_when_it_was():
    answer = bytes(range(20))
    for late_us in (0, 1500, 4500):
        wire = _wire(_Far(answer), hold_us=50000)
        wire.drive(True, 0)
        wire.write(_REQUEST, 0)
        end_us = wire.sent_us()
        found = b""
        for now_us in range(0, end_us + 9000, 100):
            found += wire.read(now_us)
        assert found == b"" and _nothing_lost(wire)
        wire.drive(False, end_us + late_us)
        n = 3 if late_us == 4500 else 0
        assert wire.read(1000000) == answer[n:]
        assert wire.counts["lost_while_driving"] == n
    # An early one too: the slave has not heard what was cut off.
    far = _Far(answer)
    wire = _wire(far, hold_us=50000)
    wire.drive(True, 0)
    wire.write(_REQUEST, 0)
    wire.run(20000)
    wire.drive(False, 5000)
    assert wire.read(1000000) == b"" and wire.counts["lost_tail"] == 4


def test_a_driver_that_is_never_released_does_not_hold_the_wire_up():
    for hold_us in (0, 50000):
        wire = _wire(_Far(b"\x11" * 20), hold_us=hold_us)
        wire.drive(True, 0)
        wire.write(_REQUEST, 0)
        found = _bytes(wire, 0, 10000000)
        assert found == [] and wire.counts["lost_while_driving"] == 20
        assert wire.next_us(10000000) is None


def test_with_echo_the_gateway_hears_itself():
    wire = _wire(_Far(b"\x11\x12"), echo=True)
    wire.drive(True, 0)
    wire.write(_REQUEST, 0)
    expected = [(span_us(_9600, i + 1), byte) for i, byte in enumerate(_REQUEST)]
    assert _bytes(wire, 0, wire.sent_us()) == expected
    wire.drive(False, wire.sent_us())
    begin_us = span_us(_9600, 8) + 2000
    assert _bytes(wire, wire.sent_us(), 100000) == [(begin_us + span_us(_9600, 1), 0x11), (begin_us + span_us(_9600, 2), 0x12)]
    # Only what was on the pair.
    wire.write(_REQUEST, 200000)
    assert wire.read(1000000) == b"" and wire.counts["lost_undriven"] == 8


def test_other_baud_rates_or_bits_give_no_byte_right():
    answer = bytes(range(40))
    for settings in ((2400, 8, None, 1), (9600, 7, None, 1), (19200, 8, None, 1)):
        far = _Far(answer, 2000, settings)
        wire = _wire(far)
        _request(wire, 0)
        assert wire.read(1000000) == b"" and wire.counts["garbled"] == 8
        for data, _, _ in far.heard:
            assert data != _REQUEST and len(data) < 8
        wire.send(far, answer, 2000000)
        found = wire.read(4000000)
        assert 5 < len(found) < 35 and found not in answer
        assert wire.counts["garbled"] == 48


def test_parity_and_stop_bits_that_differ():
    def heard(sent, listening, data):
        far = _Far(settings=sent)
        wire = _wire(far)
        wire.set(listening)
        wire.send(far, data, 0)
        return wire.read(1000000)

    data = bytes(range(16))
    ones = bytes(byte for byte in data if bin(byte).count("1") % 2)
    others = bytes(byte for byte in data if byte not in ones)
    none, even, odd = (9600, 8, None, 1), (9600, 8, 0, 1), (9600, 8, 1, 1)
    assert heard((9600, 8, None, 2), none, data) == heard(none, (9600, 8, None, 2), data) == data
    assert heard(even, none, data) == ones and heard(odd, none, data) == others
    assert heard(even, odd, data) == heard(odd, even, data) == b""
    found = heard(none, even, data)
    assert len(found) < 14 and all(byte != data[i] for i, byte in enumerate(found[:1]))


def test_settings_change_from_then_on():
    far = _Far(b"\x11" * 4, settings=_2400E)
    wire = _wire(far)
    wire.set(_2400E, 0)
    off_us = _request(wire, 0)
    assert off_us == 8 * 11 * 1000000 // 2400
    half_us = off_us + 2000 + span_us(_2400E, 2)
    wire.set(_9600, half_us)
    data = wire.read(1000000)
    assert data[:2] == b"\x11\x11" and b"\x11" not in data[2:]


def test_the_receiver_keeps_what_it_has_room_for():
    answer = bytes(range(200))
    for rx_bytes, kept in ((256, 200), (128, 128)):
        wire = _wire(_Far(answer), rx_bytes=rx_bytes)
        _request(wire, 0)
        for now_us in range(0, 400000, 3000):
            wire.run(now_us)
        assert wire.any(1000000) == kept and wire.counts["overflow"] == 200 - kept
        assert wire.read(1000000, 100) == answer[:100]
        assert wire.read(1000000) == answer[100:kept]


def test_noise_is_the_same_for_a_seed_and_of_the_given_strength():
    def run(seed, noise, n=50):
        far = _Far(bytes(20))
        wire = _wire(far, seed=seed, noise=noise)
        found = []
        for i in range(n):
            off_us = _request(wire, i * 100000)
            found.append(wire.read(off_us + 60000))
        return found, wire.counts["noise_bytes"], far

    clean = [bytes(20)] * 50
    assert run(1, None)[:2] == (clean, 0)
    for noise in ({"before": 500000}, {"after": 500000}, {"inside": 20000}, {"idle": 20000}):
        found, n, _ = run(1, noise)
        assert run(1, noise)[:2] == (found, n)
        assert run(2, noise)[0] != found
        assert 10 < n < 200 and found != clean, noise
    found, n, _ = run(1, {"before": 1000000})
    assert all(21 <= len(data) <= 24 and data[-20:] == bytes(20) for data in found)
    found, n, _ = run(1, {"after": 1000000})
    assert all(21 <= len(data) <= 24 and data[:20] == bytes(20) for data in found)
    found, n, far = run(1, {"inside": 20000})
    assert 5 < sum(data != bytes(20) for data in found) + sum(data != _REQUEST for data, _, _ in far.heard) < 40


def test_stray_bytes_come_on_an_idle_line_at_the_given_rate():
    wire = _wire(noise={"idle": 10000})
    n = 0
    now_us = wire.next_us(0)
    # 100 000 characters at 9600 baud.
    while now_us < span_us(_9600, 100000):
        n += len(wire.read(now_us))
        now_us = wire.next_us(now_us)
    assert 850 < n < 1150
    assert wire.counts["noise_bytes"] - 1 <= n <= wire.counts["noise_bytes"]


def test_nothing_is_kept_of_what_is_over():
    wire = _wire(_Far(b"\x11" * 20), observe_drive=True)
    for i in range(300):
        off_us = _request(wire, i * 60000)
        assert wire.read(off_us + 30000) == b"\x11" * 20
        assert len(wire._sent) < 12 and len(wire._drives) < 12
    assert wire.next_us(300 * 60000) is None


def test_a_slave_that_floods_garbles_the_others_and_ends():
    flooder, far = _Far(), _Far(b"answer")
    wire = _wire(flooder, far, observe_drive=False, rx_bytes=2000)
    wire.talk(flooder, 1000000, 2000000)
    assert wire.next_us(0) == 1000000
    wire.write(_REQUEST, 0)
    assert wire.read(900000) == b"answer"
    wire.write(_REQUEST, 1200000)
    heard = wire.read(1900000)
    # As much as the pair carries, but for the gateway's own bytes.
    assert len(heard) > 900 * 960 // 1000 - 40 and b"answer" not in heard
    assert far.heard[-1][0][-8:] != _REQUEST and wire.counts["collisions"] > 0
    wire.read(2500000)
    wire.write(_REQUEST, 3000000)
    assert wire.read(3900000) == b"answer" and wire.next_us(3900000) is None
    # The same whatever one asks.
    again = _wire(_Far(), observe_drive=False, rx_bytes=2000)
    again.talk(again._listeners[0].slave, 1000000, 2000000)
    once = again.read(2500000)
    steps = _wire(_Far(), observe_drive=False)
    steps.talk(steps._listeners[0].slave, 1000000, 2000000)
    assert b"".join([steps.read(1000000 + 7001 * i) for i in range(200)]) == once != b""


def test_a_shorted_pair_is_noise_alone():
    far = _Far(b"answer")
    wire = _wire(far, observe_drive=False)
    wire.talk(None, 0)
    for n in range(1, 4):
        wire.write(_REQUEST, n * 100000)
    heard = wire.read(400000)
    assert len(heard) > 200 and b"answer" not in heard and all(_REQUEST not in data for data, _, _ in far.heard)
    # While its driver is on, the gateway hears nothing, and its bytes are not understood.
    driven = _wire(_Far(b"answer"))
    driven.talk(None, 0)
    driven.read(95000)
    _request(driven, 100000)
    driven.read(300000)
    assert driven.counts["lost_while_driving"] > 3


def test_a_port_is_given_a_reply_when_it_begins():
    far = _Far(b"answer")
    wire = _wire(far, observe_drive=False, by_start=True)
    # Heard whole at 10000: it began before.
    wire.write(_REQUEST, 10000 - span_us(_9600, 8))
    begins_us = 10000 + 2000
    assert wire.next_us(10000) in (10001, begins_us)
    assert wire.read(begins_us - 1) == b"" and wire.read(begins_us) == b"answer"
    assert wire.next_us(begins_us) is None or wire.next_us(begins_us) > begins_us
    assert wire.read(100000) == b"" and _nothing_lost(wire)


def test_a_master_without_parity_is_heard_in_the_meters_own():
    far = _Far(b"answer", settings=_2400E)
    wire = Wire(observe_drive=False)
    wire.attach(far)
    for settings, expected in (((2400, 8, ANY, 1), b"answer"), ((2400, 8, None, 1), b""), ((9600, 8, ANY, 1), b"")):
        wire.set(settings)
        at_us = wire.sent_us() + 1000000
        wire.write(_REQUEST, at_us)
        found = wire.read(at_us + 900000)
        assert (found == expected) if expected else b"answer" not in found
