"""A TCP gate before a broker: open, it passes bytes on; shut, it ends connections and takes no new ones.

The demo's data centre counts what reaches its receiver: the gate lets gateways in only while that one listens.
"""

import asyncio
import threading

from metergate.processes import free_port


class Gate:
    """Gate(target port): listens on `port` of the loopback, in a thread of its own, until close()."""

    def __init__(self, target_port):
        self.port = free_port()
        self._target_port = target_port
        self._open = False
        self._writers = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(5)

    def set_open(self, is_open):
        self._loop.call_soon_threadsafe(self._set, is_open)

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _set(self, is_open):
        self._open = is_open
        if not is_open:
            for writer in list(self._writers):
                writer.transport.abort()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        try:
            if self._open:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
                self._writers.add(far_writer)
                await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
                self._writers.discard(far_writer)
        except OSError:
            # The broker is down: the gateway sees a connection that ends.
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    @staticmethod
    async def _copy(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            # One side is gone; the other is told by the end of its stream.
            pass
        finally:
            writer.close()
