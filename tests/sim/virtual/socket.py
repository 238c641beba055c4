"""Virtual `socket`: UDP and TCP over tests/sim/net.py, never blocking. `net` is set by whoever builds the world."""

import errno

from tests.sim import net as _net
from tests.sim import world as _world

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2

POLL = 3
IN, OUT, ERR, HUP, NVAL = 1, 4, 8, 16, 32

net = None


def getaddrinfo(host, port, *_):
    """[(.., (address, port))] of an address. A name would stop the whole loop, so it is refused."""
    if not host.replace(".", "").isdigit():
        raise RuntimeError("getaddrinfo(%s) would stop the loop" % host)
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]


def socket(family=AF_INET, kind=SOCK_STREAM, _=0):
    return Datagrams() if kind == SOCK_DGRAM else Stream()


class Datagrams:
    """A connected UDP socket."""

    def __init__(self):
        self._there = None
        self._in = []

    def setblocking(self, _):
        pass

    def connect(self, there):
        self._there = there

    def send(self, data):
        _world.current.spend(_world.PORT_US)
        if not net.joined:
            raise OSError(_net.EHOSTUNREACH)
        net.datagram(self._there[0], self._there[1], bytes(data), self._in.append)
        return len(data)

    def recv(self, n):
        _world.current.spend(_world.PORT_US)
        if not self._in:
            raise OSError(errno.EAGAIN)
        return self._in.pop(0)[:n]

    def close(self):
        self._in = []


class Stream:
    """A TCP socket that does not block; its error shows at the next read or write, as lwIP's does."""

    def __init__(self):
        self.conn = None

    def setblocking(self, _):
        pass

    def connect(self, there):
        _world.current.spend(_world.PORT_US)
        if not net.joined:
            raise OSError(_net.EHOSTUNREACH)
        self.conn = _net.Conn(net, net.services.get(there))
        self.conn.connect()
        raise OSError(errno.EINPROGRESS)

    def ioctl(self, request, mask):
        if request != POLL:
            return -1
        conn = self.conn
        if conn is None:
            return NVAL
        if conn.error:
            return mask & (IN | OUT) | HUP
        ready = 0
        if mask & IN and (conn.rx or conn.rx_end):
            ready = IN
        # With room for a little only, lwIP does not call it writable.
        if mask & OUT and conn.state == _net.OPEN and conn.room() > 1024:
            ready |= OUT
        return ready

    def check(self):
        """The connection; OSError if it has failed or is closed."""
        _world.current.spend(_world.PORT_US)
        if self.conn is None:
            raise OSError(errno.EBADF)
        if self.conn.error:
            raise OSError(self.conn.error)
        return self.conn

    def close(self):
        if self.conn:
            self.conn.close()
            self.conn = None
