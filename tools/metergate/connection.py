"""One connection through the fault proxy, from its first moment to its last."""

import asyncio
import socket
import struct

from metergate.pipe import Pipe
from tests.sim.seeded import Seeded

# As small as a board's: what lies in a kernel's buffer has not passed, and must not make a slow way look fast.
_BUFFER_BYTES = 16384
_SEGMENT_BYTES = 1460
# How long the other side has to end too, after we have ended a connection by FIN.
_FIN_S = 2
# Where a direction's bytes come from and go to.
_SIDES = {"up": ("gateway", "target"), "down": ("target", "gateway")}


def stream_socket():
    """A socket of the proxy: does not block, small buffers, small segments."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Connection:
    """One connection through the proxy, or one that was taken and got no further.

    n_up, n_down: bytes passed. end: who or what ended it, "" while nobody has. left_s: when the gateway ended it, in
    seconds from its beginning, None if it did not."""

    def __init__(self, proxy, number, sock):
        self.end = ""
        self.left_s = None
        self.number = number
        self._proxy = proxy
        self._random = Seeded(proxy.seed * 1000003 + number)
        self._near, self._far = sock, None
        self._loop = asyncio.get_running_loop()
        self._begun_s = self._loop.time()
        self._over = self._loop.create_future()
        self._tasks = []
        self._pipes = {}
        # The seed's first number is the connection's life, whether it is asked for or not.
        self._life = self._random.bits(32)

    @property
    def is_over(self):
        return self._over.done()

    @property
    def n_up(self):
        return self._pipes["up"].n_bytes if self._pipes else 0

    @property
    def n_down(self):
        return self._pipes["down"].n_bytes if self._pipes else 0

    async def run(self):
        """From its first moment to its last."""
        if not self.check():
            self._start(self._carry, "target")
            self.limit_life()
        with_reset = await self._over
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._close(with_reset)

    def finish(self, end, with_reset=True):
        """End it, by RST or by FIN; end: the words for it, unless one of its sides has ended it already."""
        self.end = self.end or end
        if not self._over.done():
            self._over.set_result(with_reset)

    def left(self, direction):
        """The side that a direction comes from has ended its stream."""
        self.end = self.end or _SIDES[direction][0] + " closed"
        if direction == "up" and self.left_s is None:
            self.left_s = self._loop.time() - self._begun_s

    def limit_life(self):
        """Let it end by FIN at its random time, if there is one for connections now."""
        if self._proxy.life_ms:
            low, high = self._proxy.life_ms
            life_ms = low + (self._life * (high - low + 1) >> 32)
            self._loop.call_later(life_ms / 1000, lambda: self._proxy.life_ms and self.finish("dropped", False))

    def room(self, n_bytes):
        """How many of n_bytes may still pass before the connection is reset."""
        left = self._left_bytes()
        return n_bytes if left is None else max(0, min(n_bytes, left))

    def passed(self, direction, n_bytes):
        """Count bytes that have passed; True if nothing more will."""
        self._proxy.count(direction, n_bytes)
        return self.check()

    def check(self):
        """Reset it if it has passed what it may; True if it is over."""
        left = self._left_bytes()
        if left is not None and left <= 0:
            self.finish("reset")
        return self.is_over

    def _left_bytes(self):
        if not self._proxy.reset_at:
            return None
        most, count = self._proxy.reset_at
        return most - {"up": self.n_up, "down": self.n_down, "both": self.n_up + self.n_down}[count]

    async def _carry(self):
        """Connect to the target and pass bytes both ways until both have ended."""
        while self._proxy.is_dark:
            await self._proxy.changed()
        far = self._far = stream_socket()
        try:
            await self._loop.sock_connect(far, ("127.0.0.1", self._proxy.target_port))
        except OSError:
            return self.finish("target refused")
        self._pipes = {
            "up": Pipe("up", self._proxy, self, self._near, far, Seeded(self._random.bits(32))),
            "down": Pipe("down", self._proxy, self, far, self._near, Seeded(self._random.bits(32))),
        }
        passing = []
        for direction, pipe in self._pipes.items():
            source, sink = _SIDES[direction]
            self._start(pipe.take, source)
            passing.append(self._start(pipe.pass_on, sink))
        await asyncio.gather(*passing)
        self.finish("", with_reset=False)

    def _start(self, function, side):
        task = asyncio.create_task(self._watch(function, side))
        self._tasks.append(task)
        return task

    async def _watch(self, function, side):
        """Run a coroutine function; its OSError means that the side has reset the connection."""
        try:
            await function()
        except OSError:
            if side == "gateway" and self.left_s is None:
                self.left_s = self._loop.time() - self._begun_s
            self.finish(side + " reset")

    async def _close(self, with_reset):
        socks = [sock for sock in (self._near, self._far) if sock]
        if not with_reset:
            try:
                # Closed with bytes unread, a socket sends RST: they are read and thrown away until the other side ends.
                await asyncio.wait_for(asyncio.gather(*(self._drain(sock) for sock in socks)), _FIN_S)
            except (OSError, TimeoutError):
                pass
        for sock in socks:
            if with_reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    async def _drain(self, sock):
        sock.shutdown(socket.SHUT_WR)
        while await self._loop.sock_recv(sock, 65536):
            pass
