"""A TCP proxy with the faults of networks, to be set while it runs: what a gateway meets, in front of a real broker.

`up` is from the gateway, `down` to it. Bytes are never changed, lost or put in another order: TCP does not let that
through; what it lets through is time, silence and the end of connections.
"""

import asyncio
import select
import socket
import threading
from collections import deque

from metergate.connection import Connection, stream_socket
from metergate.pipe import STALLS, Way

_BACKLOG = 100
_CALL_S = 10
_MOST_CONNECTIONS = 10000
_MOST_FILLERS = 8
_ANSWERED_S = 0.1


class Proxy:
    """Proxy(target port): healthy, listens on `port` of the loopback in a thread of its own, until close().

    A call that sets a fault returns when it is in force; faults add up; reset() takes all of them away. The same seed
    gives the n-th connection the same life and its pieces the same jitter. connections: the newest 10000, oldest first.
    n_connections, n_up, n_down: connections taken and bytes passed in all. Linux."""

    def __init__(self, target_port, seed=1, port=0, address="127.0.0.1"):
        self.target_port = target_port
        self.seed = seed
        self.connections = deque(maxlen=_MOST_CONNECTIONS)
        self.n_connections = self.n_up = self.n_down = 0
        self._heal()
        self._door = "open"
        # Bound, and never listening: holds the port while connections are refused.
        self._holder = stream_socket()
        self._holder.bind((address, port))
        self._address = self._holder.getsockname()
        self.port = self._address[1]
        self._listener = None
        self._fillers = []
        self._filler_ports = set()
        self._tasks = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._ready.wait(_CALL_S)

    # -- faults -------------------------------------------------------------------------------------------------

    def reset(self):
        """Healthy again: what was held goes on, connections that were kept waiting are taken."""
        self._do(self._set_door, "open", self._heal)

    def delay(self, delay_ms, jitter_ms=0, direction="both"):
        """Every piece comes delay_ms later, and a random 0..jitter_ms more; the order stays."""
        self._do(self._set_ways, direction, delay_ms=delay_ms, jitter_ms=jitter_ms)

    def rate(self, bytes_per_s, direction="both"):
        """So much passes in a second, per connection and direction; the sender feels it. None: no limit."""
        self._do(self._set_ways, direction, bytes_per_s=bytes_per_s)

    def hold(self, direction="both", after_bytes=0, for_s=None):
        """Connections stay open, but nothing passes once after_bytes of each have: for ever, or for_s seconds."""
        self._do(self._set_ways, direction, hold_after_bytes=after_bytes)
        if for_s is not None:
            self._do(self._release_later, direction, for_s)

    def stall_tls(self, place):
        """Handshakes stand still at a place of STALLS; sessions beyond it go on."""
        self._do(self._set_ways, STALLS[place][0], stall=place)

    def black_hole(self, accepting=True):
        """Nothing passes on any connection. A new one is accepted and hears nothing, or gets no answer to its SYN."""
        self._do(self._set_door, "dark" if accepting else "unanswered")

    def refuse(self):
        """The port is closed, as by a broker that is not running; connections are reset."""
        self._do(self._set_door, "refused")

    def set_open(self, is_open):
        """Shut: connections are ended, new ones too as soon as they are accepted. Open: again as reset() left it."""
        self._do(self._set_door, "open" if is_open else "shut")

    def drop_connections(self, low_ms, high_ms):
        """Each connection ends by FIN low_ms..high_ms after it was accepted, those that are open after now."""
        self._do(self._set_life, (low_ms, high_ms))

    def reset_after(self, n_bytes, count="both"):
        """Each connection is reset (RST to both sides) when exactly n_bytes have passed; count: up, down or both."""
        self._do(self._set_reset, (n_bytes, count))

    def cut(self):
        """Reset every connection that is open now."""
        self._do(self._end_all, "cut")

    def close(self):
        """Reset what is open, and end; calls after it do nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closed.set)
            self._thread.join(_CALL_S)

    # -- what connections ask -----------------------------------------------------------------------------------

    @property
    def is_dark(self):
        return self._door in ("dark", "unanswered")

    async def changed(self):
        """Wait until some fault is set or taken away."""
        await self._change.wait()

    def count(self, direction, n_bytes):
        if direction == "up":
            self.n_up += n_bytes
        else:
            self.n_down += n_bytes

    # -- in the proxy's thread ----------------------------------------------------------------------------------

    def _do(self, function, *args, **more):
        """Run a function in the proxy's thread and wait for it."""

        async def run():
            function(*args, **more)
            self._tell_change()

        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(run(), self._loop).result(_CALL_S)

    def _tell_change(self):
        self._change.set()
        self._change = asyncio.Event()

    async def _run(self):
        self._loop = asyncio.get_running_loop()
        self._change = asyncio.Event()
        self._closed = asyncio.Event()
        self._set_door("open")
        self._ready.set()
        await self._closed.wait()
        self._set_door("refused")
        await asyncio.gather(*self._tasks)
        self._holder.close()

    def _heal(self):
        self.ways = {"up": Way(), "down": Way()}
        self.life_ms = self.reset_at = None

    def _set_ways(self, direction, **more):
        for name in ("up", "down") if direction == "both" else (direction,):
            for field, value in more.items():
                setattr(self.ways[name], field, value)

    def _release_later(self, direction, for_s):
        # A proxy that has been reset meanwhile has other ways, and may be holding for another reason.
        held = [way for name, way in self.ways.items() if direction in (name, "both")]

        def release():
            for way in held:
                way.hold_after_bytes = None
            self._tell_change()

        self._loop.call_later(for_s, release)

    def _set_life(self, life_ms):
        self.life_ms = life_ms
        for connection in self._open_ones():
            connection.limit_life()

    def _set_reset(self, reset_at):
        self.reset_at = reset_at
        for connection in self._open_ones():
            connection.check()

    def _end_all(self, end):
        for connection in self._open_ones():
            connection.finish(end)

    def _open_ones(self):
        return [connection for connection in self.connections if not connection.is_over]

    def _set_door(self, door, heal=lambda: None):
        heal()
        self._stop_accepting()
        self._door = door
        if door in ("refused", "shut"):
            self._end_all(door)
        if door == "refused":
            self._listener.close()
            self._listener = None
            self._filler_ports.clear()
            return
        self._listener = self._listener or self._made_listener()
        if door == "unanswered":
            self._fill()
        else:
            self._listener.listen(_BACKLOG)
            self._loop.add_reader(self._listener, self._accept)

    # -- the port -----------------------------------------------------------------------------------------------

    def _made_listener(self):
        listener = stream_socket()
        listener.bind(self._address)
        return listener

    def _stop_accepting(self):
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        if self._listener:
            self._loop.remove_reader(self._listener)

    def _accept(self):
        """Called when a connection waits. (A sock_accept that is cancelled may lose one that it has accepted.)"""
        sock, peer = self._listener.accept()
        if peer[1] in self._filler_ports:
            self._filler_ports.discard(peer[1])
            sock.close()
            return
        sock.setblocking(False)
        self.n_connections += 1
        connection = Connection(self, self.n_connections, sock)
        self.connections.append(connection)
        task = self._loop.create_task(connection.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._door == "shut":
            connection.finish("shut")

    def _fill(self):
        """Fill the listening socket's queue with connections of our own: Linux then drops every further SYN."""
        self._listener.listen(0)
        for _ in range(_MOST_FILLERS):
            filler = socket.socket()
            self._fillers.append(filler)
            filler.setblocking(False)
            filler.connect_ex(self._address)
            # On the loopback an answer comes at once.
            if not select.select([], [filler], [], _ANSWERED_S)[1]:
                return
            self._filler_ports.add(filler.getsockname()[1])
        raise OSError("this system answers beyond a full backlog")
