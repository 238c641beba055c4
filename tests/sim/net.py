"""The virtual network: one Wi-Fi cell, UDP services, and TCP connections that take time. Portable.

Segments arrive in order, after the latency and the time that the connection's rate gives them; while the cell is
down nothing arrives, and what was under way arrives when it is up again, as repeated segments do.
"""

# lwIP's TCP_SND_BUF on an ESP32, as ESP-IDF has it.
_SEND_BYTES = 5744
# TLS 1.2 with AES-GCM: header, nonce, tag.
RECORD_BYTES = 29

EHOSTUNREACH = 118
ECONNREFUSED = 111
ECONNRESET = 104

NEW, CONNECTING, OPEN, DEAD = 0, 1, 2, 3


class Net:
    """Net(world, latency_us): services {(address, port): service}, is_up: whether the cell is there.

    A UDP service has datagram(data, reply), a TCP service has connected(conn), which answers with conn.accept(),
    conn.refuse() or not at all, and from then on flight(conn), heard(conn, data) and closed(conn)."""

    def __init__(self, world, latency_us=20000):
        self.world = world
        self.latency_us = latency_us
        self.services = {}
        self.is_up = True
        # True while the board is associated.
        self.joined = False
        self.name_server = ""
        # Counts the board's starts: connections of an earlier one are gone.
        self.start = 0
        self.udp_lost = 0
        # Connections that hold back what is under way. The others are not known here, so that one the firmware drops
        # without closing it is collected.
        self._holding = []
        world.on_off.append(self.forget)

    @property
    def reaches(self):
        return self.is_up and self.joined

    def forget(self):
        """The board is off: its connections are gone without a word."""
        self.joined = False
        self.start += 1
        self._holding = []

    def switch(self, up):
        """The access point goes, or comes back."""
        self.is_up = up
        if not up:
            self.joined = False

    def join(self):
        """The board is associated: what was held back arrives."""
        self.joined = True
        holding, self._holding = self._holding, []
        for conn in holding:
            conn.release()

    def hold(self, conn):
        """conn holds something back."""
        if conn not in self._holding:
            self._holding.append(conn)

    def datagram(self, address, port, data, answer):
        """Send a datagram; answer(bytes) is called for each that comes back."""
        service = self.services.get((address, port))
        if service and self.reaches:
            self.world.call_in(self.latency_us, service.datagram, data, lambda back: self._back(answer, back))

    def _back(self, answer, data):
        self.world.call_in(self.latency_us, self._arrive, answer, data)

    def _arrive(self, answer, data):
        if self.reaches:
            answer(data)
        else:
            self.udp_lost += 1


class Conn:
    """One TCP connection, both ends. The board's socket is told nothing: it looks. Bytes for it are in rx."""

    def __init__(self, net, service):
        self.net = net
        self.state = NEW
        self.rx = b""
        self.rx_end = False
        # close_notify came before the end: what tells an end from a cut connection.
        self.rx_notified = False
        self.error = 0
        # How many answers of a TLS handshake have come.
        self.flights = 0
        self.n_sent = 0
        self.rate_bytes_s = 0
        self.extra_us = 0
        self._service = service
        self._start = net.start
        self._is_closed = False
        self._unsent = 0
        self._held = []
        self._up_us = self._down_us = 0

    # -- the board's end ------------------------------------------------------------------------------------

    def connect(self):
        self.state = CONNECTING
        if self._service:
            self._up(0, self._service.connected, self)

    def room(self):
        """How many bytes may be written now."""
        return _SEND_BYTES - self._unsent

    def write(self, data):
        """Send all of data; not more than room()."""
        n = len(data) + RECORD_BYTES
        self._unsent += n
        self.n_sent += n
        self._up(n, self._heard, bytes(data), n)

    def handshake(self):
        """A message of the TLS handshake; flights counts the answers."""
        self.n_sent += 300
        self._up(300, self._service.flight, self)

    def close(self):
        """The board closes its end. What is under way still arrives."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._service and self.state != DEAD:
            self._up(0, self._closed)
        self.state = DEAD

    def _heard(self, data, n):
        self._unsent -= n
        if self.error == 0:
            self._service.heard(self, data)

    def _closed(self):
        self._service.closed(self)

    def _up(self, n_bytes, function, *args):
        self._up_us = self._later(self._up_us, n_bytes)
        self.net.world.call_at(self._up_us, self._pass, function, args)

    # -- the service's end ----------------------------------------------------------------------------------

    def accept(self):
        self._down(0, self._accepted)

    def refuse(self):
        self._down(0, self._fail, ECONNREFUSED)

    def answer_flight(self):
        self._down(1500, self._flight)

    def send(self, data):
        self._down(len(data) + RECORD_BYTES, self._arrive, data)

    def end(self, notify=True):
        """The service closes its end, after what it has sent."""
        self._down(0, self._end, notify)

    def reset(self):
        self._down(0, self._fail, ECONNRESET)

    def _down(self, n_bytes, function, *args):
        self._down_us = self._later(self._down_us, n_bytes)
        self.net.world.call_at(self._down_us, self._pass, function, args)

    def _accepted(self):
        self.state = OPEN

    def _flight(self):
        self.flights += 1

    def _arrive(self, data):
        self.rx += data

    def _end(self, notify):
        self.rx_end = True
        self.rx_notified = notify

    def _fail(self, number):
        self.error = number

    # -- the way between ------------------------------------------------------------------------------------

    def _later(self, after_us, n_bytes):
        """When n_bytes behind those that arrive at after_us arrive."""
        net = self.net
        arrive_us = max(after_us, net.world.now_us + net.latency_us + self.extra_us)
        if self.rate_bytes_s:
            arrive_us += n_bytes * 1000000 // self.rate_bytes_s
        return arrive_us

    def _pass(self, function, args):
        if self._held or not self.net.reaches:
            # A board that is gone repeats nothing, nor is anything repeated for it.
            if not self._is_closed and self._start == self.net.start:
                self._held.append((function, args))
                self.net.hold(self)
            return
        self.net.world.stirred = True
        function(*args)

    def release(self):
        held, self._held = self._held, []
        self.net.world.stirred = True
        for function, args in held:
            function(*args)
