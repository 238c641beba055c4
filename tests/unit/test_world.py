"""Virtual time: events in order, waits in ticks, power that goes, ticks that wrap, a clock that drifts."""

from memory import raised

from tests.sim import net, world
from tests.sim.flash import Cut
from tests.sim.virtual import select, socket, time


class Thing:
    """Something to be polled: ready once told so."""

    def __init__(self):
        self.mask = 0

    def ioctl(self, request, mask):
        return self.mask & mask

    def stir(self):
        self.mask = 1
        world.current.stirred = True


def _made(tick_us=0):
    made = world.make(1, 1795000000, None, tick_us)
    made.power_on()
    return made


def test_events_happen_in_order_and_those_of_one_time_as_they_were_queued():
    made = _made()
    seen = []
    for name, at_us in (("c", 300), ("a", 100), ("b1", 200), ("b2", 200)):
        made.call_at(at_us, seen.append, name)
    made.run_until(250)
    assert seen == ["a", "b1", "b2"] and made.now_us == 250
    made.run_until(250)
    made.run_until(1000)
    assert seen == ["a", "b1", "b2", "c"] and made.now_us == 1000


def test_an_event_happens_at_its_own_time_while_the_processor_is_busy():
    made = _made()
    seen = []
    made.call_at(70, lambda: seen.append(made.now_us))
    made.call_at(80, lambda: made.call_in(5, lambda: seen.append(made.now_us)))
    made.spend(100)
    assert seen == [70, 85] and made.now_us == 100


def test_an_event_in_the_past_happens_now():
    made = _made()
    made.run_until(500)
    seen = []
    made.call_at(100, lambda: seen.append(made.now_us))
    made.spend(1)
    assert seen == [500]


def test_a_wait_ends_at_the_next_tick():
    for tick_us, limit_us, stirred_us, expected_us in (
        (10000, 12000, None, 20000),
        (0, 12000, None, 12000),
        (10000, 90000, 31000, 40000),
    ):
        made = _made(tick_us)
        thing = Thing()
        if stirred_us:
            made.call_at(stirred_us, thing.stir)
        made.wait(limit_us, lambda thing=thing: thing.mask)
        assert made.now_us == expected_us


def test_poll_gives_what_is_ready_and_time_passes_meanwhile():
    made = _made(10000)
    poll = select.poll()
    one, other = Thing(), Thing()
    poll.register(one, select.POLLIN)
    poll.register(other, select.POLLIN)
    assert poll.ipoll(0) == () and made.now_us == world.TURN_US
    assert poll.poll(25) == [] and made.now_us == 30000
    made.call_at(33000, other.stir)
    assert poll.poll(-1) == [(other, 1)] and made.now_us == 40000
    poll.modify(other, select.POLLOUT)
    assert poll.poll(0) == []
    poll.unregister(other)
    assert raised(OSError, poll.modify, other, select.POLLIN)


def test_a_loop_that_spins_on_the_ticks_ends():
    _made()
    begun_ms = time.ticks_ms()
    n = 0
    while time.ticks_diff(time.ticks_ms(), begun_ms) < 12:
        n += 1
    assert 500 < n < 700


def test_ticks_wrap_as_on_32_bits():
    made = _made()
    made.run_until((1 << 30) * 1000 - 1000000)
    before_ms = time.ticks_ms()
    made.spend(2000000)
    after_ms = time.ticks_ms()
    assert after_ms < before_ms < 1 << 30
    assert time.ticks_diff(after_ms, before_ms) == 2000
    assert time.ticks_add(before_ms, 2000) == after_ms


def test_the_wall_clock_begins_in_2000_drifts_and_is_set():
    made = _made()
    wall = time.Wall()
    wall.ppm = 100
    assert wall.unix_s() == 946684800
    made.run_until(10000 * 1000000)
    assert wall.unix_s() == 946684800 + 10001
    wall.set(5000000)
    assert wall.unix_s() == 946684805
    wall.stop()
    assert wall.unix_s() == 946684800


def test_gmtime_counts_from_2000():
    _made()
    assert time.gmtime(0)[:6] == (2000, 1, 1, 0, 0, 0)


def test_a_board_that_went_off_stays_off_whatever_it_calls():
    made = _made()
    seen = []
    made.on_off.append(lambda: seen.append(made.now_us))
    made.call_at(50, lambda: made.go_off(Cut()))
    made.call_at(60, seen.append, "later")
    assert raised(Cut, made.spend, 100) and made.now_us == 50
    for function in (lambda: made.spend(1), lambda: made.run_until(1000), time.ticks_ms, select.poll().ipoll):
        assert raised(Cut, function)
    assert seen == [50]
    made.rest()
    made.go_off(Cut())
    made.run_until(200)
    assert seen == [50, "later"]
    made.power_on()
    assert time.ticks_us() == 220


def test_the_end_ends_a_board_that_is_off_too():
    made = _made()
    raised(world.Reset, made.go_off, world.Reset("reset"))
    made.rest()
    assert raised(world.End, made.go_off, world.End())


class Echo:
    """A TCP service that sends back what it hears."""

    def __init__(self):
        self.heard_at_us = []
        self.n_closed = 0

    def connected(self, conn):
        conn.accept()

    def heard(self, conn, data):
        self.heard_at_us.append(world.current.now_us)
        conn.send(data)

    def closed(self, conn):
        self.n_closed += 1


def _connected(service, latency_us=20000):
    made = _made()
    socket.net = net.Net(made, latency_us)
    socket.net.services["10.0.0.9", 7] = service
    socket.net.join()
    stream = socket.socket()
    raised(OSError, stream.connect, ("10.0.0.9", 7))
    return made, stream


def test_a_connection_takes_round_trips_and_keeps_the_order():
    service = Echo()
    made, stream = _connected(service)
    assert stream.ioctl(3, 5) == 0
    made.spend(50000)
    assert stream.ioctl(3, 5) == 4
    stream.conn.write(b"one")
    stream.conn.write(b"two")
    made.spend(39000)
    assert stream.ioctl(3, 1) == 0
    made.spend(2000)
    assert stream.ioctl(3, 1) == 1 and stream.conn.rx == b"onetwo"
    stream.close()
    made.spend(30000)
    assert service.n_closed == 1


def test_what_is_sent_while_the_cell_is_down_arrives_when_it_is_up_again():
    service = Echo()
    made, stream = _connected(service)
    made.spend(50000)
    socket.net.switch(False)
    stream.conn.write(b"one")
    made.spend(5000000)
    assert service.heard_at_us == []
    socket.net.switch(True)
    made.spend(1000)
    socket.net.join()
    assert len(service.heard_at_us) == 1


def test_a_slow_connection_takes_the_time_of_its_bytes():
    service = Echo()
    made, stream = _connected(service)
    made.spend(50000)
    stream.conn.rate_bytes_s = 100
    begun_us = made.now_us
    stream.conn.write(bytes(171))
    assert stream.conn.room() == 5744 - 200
    made.spend(5000000)
    assert service.heard_at_us == [begun_us + 2020000] and stream.conn.room() == 5744


def test_what_was_held_for_a_board_that_is_gone_is_gone():
    service = Echo()
    made, stream = _connected(service)
    made.spend(50000)
    socket.net.switch(False)
    stream.conn.write(b"one")
    made.spend(5000000)
    raised(Cut, made.go_off, Cut())
    made.power_on()
    socket.net.switch(True)
    socket.net.join()
    made.spend(5000000)
    assert service.heard_at_us == []


def test_without_the_cell_there_is_no_route():
    _made()
    socket.net = net.Net(world.current)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.connect(("10.0.0.2", 53))
    assert raised(OSError, datagrams.send, b"x").args[0] == net.EHOSTUNREACH
    assert raised(OSError, socket.socket().connect, ("10.0.0.9", 7)).args[0] == net.EHOSTUNREACH
