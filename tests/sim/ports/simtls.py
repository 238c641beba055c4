"""What TLS is on a board and not on a PC, by choice of sim.json; tests/sim/gateway.py puts it in the place of `tls`.

"tls": {"stall_ms": 400}    so long the loop stands in the step that takes the server's first flight: an ESP32 computes
                            that long with the keys
"""

import io
import time

import tls
import uselect

_IOCTL_POLL = 3


class _Context:
    """A context whose handshakes stall; as asyncio and the firmware use it."""

    def __init__(self, context, stall_ms):
        self._context = context
        self._stall_ms = stall_ms

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode

    def load_verify_locations(self, ca):
        self._context.load_verify_locations(ca)

    def wrap_socket(self, sock, **options):
        return _Secure(self._context.wrap_socket(sock, **options), sock, self._stall_ms)


def _ready(stream, mask):
    """What of mask a stream is ready for."""
    poll = uselect.poll()
    poll.register(stream, mask)
    for found in poll.ipoll(0):
        return found[1]
    return 0


class _Secure(io.IOBase):
    """A TLS socket whose handshake stalls once; as asyncio and the firmware use it."""

    def __init__(self, secure, plain, stall_ms):
        self._secure = secure
        self._plain = plain
        self._stall_ms = stall_ms
        self.read = secure.read
        self.close = secure.close
        self.setblocking = secure.setblocking

    def write(self, data):
        if self._stall_ms and _ready(self._plain, uselect.POLLIN):
            time.sleep_ms(self._stall_ms)
            self._stall_ms = 0
        return self._secure.write(data)

    def ioctl(self, request, argument):
        return _ready(self._secure, argument) if request == _IOCTL_POLL else 0


class SimulatedTls:
    """Has the names that the firmware takes from `tls`."""

    PROTOCOL_TLS_CLIENT = tls.PROTOCOL_TLS_CLIENT
    CERT_REQUIRED = tls.CERT_REQUIRED

    def __init__(self, stall_ms):
        self._stall_ms = stall_ms

    def SSLContext(self, protocol):
        return _Context(tls.SSLContext(protocol), self._stall_ms)
