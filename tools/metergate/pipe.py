"""One direction of a proxied connection: delay, rate, and the places where it holds back what passes."""

import asyncio
import dataclasses
import socket
from collections import deque

# A network holds so much on the way; then the sender has to wait.
_MOST_QUEUED_BYTES = 262144
_MOST_PIECE_BYTES = 65536
# A limited rate is taken from the sender in pieces of so long a time; a wake-up that came late is made good up to that.
_PIECE_S = 0.02

# Record types of TLS.
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _DATA = 20, 21, 22, 23
_SERVER_HELLO = 2

# Where a TLS handshake can be stalled: name -> (the direction that is held, what that means).
STALLS = {
    "client hello": ("up", "the server hears nothing"),
    "server hello": ("down", "the server has the ClientHello; the client hears nothing"),
    "certificate": ("down", "the client has the ServerHello and nothing behind it"),
    "client finished": ("up", "the server waits for the client's Finished"),
    "server finished": ("down", "the client waits for the server's Finished (TLS 1.3: for all behind the ServerHello)"),
}


@dataclasses.dataclass
class Way:
    """What the network does to one direction; by default nothing."""

    delay_ms: int = 0
    # 0..jitter_ms more for each piece; the order stays.
    jitter_ms: int = 0
    bytes_per_s: int | None = None
    # So many bytes of each connection pass, then nothing does: no byte and no end of the stream.
    hold_after_bytes: int | None = None
    # A name of STALLS in this direction; a connection that is beyond that place is not held.
    stall: str | None = None


class Places:
    """Learns from the records' headers where the places of STALLS are in one direction of a TLS connection.

    offset: {place: offset in bytes}. A stream that is not TLS has the first place only. RFC 5246, 6.2; RFC 8446, 5.1."""

    def __init__(self, direction):
        self.offset = {"client hello": 0} if direction == "up" else {"server hello": 0}
        self._is_up = direction == "up"
        # The stream from the beginning of the last record on, None once there is nothing more to learn.
        self._rest = bytearray()
        self._at = 0
        self._last_kind = None

    def see(self, data):
        """Take the next bytes of the stream."""
        if self._rest is None:
            return
        self._rest += data
        while self._rest:
            kind = self._rest[0]
            if self._is_finished(kind) or not _CHANGE_CIPHER_SPEC <= kind <= _DATA:
                self._rest = None
                return
            if len(self._rest) < 9:
                return
            end = 5 + int.from_bytes(self._rest[3:5], "big")
            if kind == _HANDSHAKE and self._rest[5] == _SERVER_HELLO and not self._is_up and self._at == 0:
                self.offset["certificate"] = 9 + int.from_bytes(self._rest[6:9], "big")
            if len(self._rest) < end:
                return
            self._at += end
            self._last_kind = kind
            del self._rest[:end]

    def _is_finished(self, kind):
        """Note the last place: the client's Finished is its first record that is encrypted, that of the server
        comes behind its change to encryption."""
        if kind == _DATA or (self._last_kind if self._is_up else kind) == _CHANGE_CIPHER_SPEC:
            self.offset["client finished" if self._is_up else "server finished"] = self._at
            return True
        return False


class Pipe:
    """Pipe(direction, proxy, connection, source, sink, random): `up` or `down`, between sockets that do not block.

    n_bytes: passed so far. take() and pass_on() are run side by side; a socket that fails ends them with its OSError."""

    def __init__(self, direction, proxy, connection, source, sink, random):
        self.n_bytes = 0
        self._direction = direction
        self._proxy = proxy
        self._connection = connection
        self._source = source
        self._sink = sink
        self._random = random
        self._places = Places(direction)
        # (when it is due by the loop's time, bytes), b"" for the end of the stream.
        self._queue = deque()
        self._n_queued = 0
        self._moved = asyncio.Event()
        self._free_s = self._due_s = 0.0

    async def take(self):
        """Take bytes from the source as fast as the way's rate, and queue them with the time they are due."""
        loop = asyncio.get_running_loop()
        data = None
        while data != b"":
            while self._n_queued >= _MOST_QUEUED_BYTES:
                await self._wait_moved()
            rate = self._proxy.ways[self._direction].bytes_per_s
            size = min(max(1, int(rate * _PIECE_S)), _MOST_PIECE_BYTES) if rate else _MOST_PIECE_BYTES
            data = await loop.sock_recv(self._source, size)
            if not data:
                self._connection.left(self._direction)
            self._places.see(data)
            self._queue.append((self._due_of(len(data), loop.time()), data))
            self._n_queued += len(data)
            self._moved.set()
            await _until(self._free_s)

    def _due_of(self, n_bytes, now_s):
        """When a piece that was taken now comes out at the far end."""
        way = self._proxy.ways[self._direction]
        self._free_s = max(now_s - _PIECE_S, self._free_s) + n_bytes / way.bytes_per_s if way.bytes_per_s else now_s
        delay_ms = way.delay_ms + self._random.between(0, way.jitter_ms)
        self._due_s = max(self._due_s, self._free_s + delay_ms / 1000)
        return self._due_s

    async def _wait_moved(self):
        self._moved.clear()
        await self._moved.wait()

    async def pass_on(self):
        """Pass on what is due, up to the place where it is held; ends when the end of the stream has passed."""
        is_open = True
        while is_open:
            while not self._queue:
                await self._wait_moved()
            due_s, data = self._queue[0]
            await _until(due_s)
            is_open = await self._pass(data)
            self._queue.popleft()
            self._n_queued -= len(data)
            self._moved.set()

    async def _pass(self, data):
        """Pass on one piece; False if nothing comes behind it."""
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest or not data:
            room = self._room()
            if not room:
                await self._proxy.changed()
            elif not data:
                self._sink.shutdown(socket.SHUT_WR)
                return False
            else:
                piece = rest[: self._connection.room(room)]
                # Counted before it is sent, so that both directions together never pass more than they may.
                self.n_bytes += len(piece)
                await loop.sock_sendall(self._sink, piece)
                rest = rest[len(piece) :]
                if self._connection.passed(self._direction, len(piece)):
                    return False
        return True

    def _room(self):
        """How many bytes may pass now, before the next place where they are held."""
        way, room = self._proxy.ways[self._direction], _MOST_QUEUED_BYTES
        if self._proxy.is_dark:
            return 0
        if way.hold_after_bytes is not None:
            room = max(0, way.hold_after_bytes - self.n_bytes)
        place = self._places.offset.get(way.stall, -1)
        return min(room, place - self.n_bytes) if place >= self.n_bytes else room


async def _until(at_s):
    """Sleep until the loop's time at_s; returns at once if it is past."""
    left_s = at_s - asyncio.get_running_loop().time()
    if left_s > 0:
        await asyncio.sleep(left_s)
