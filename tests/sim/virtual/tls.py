"""Virtual `tls`: goes through the motions of a handshake, with its round trips, the time it computes, and its faults.

Nothing is encrypted; records count with their overhead. Errors are those of MicroPython 1.24 over mbedTLS."""

from tests.sim import world as _world
from tests.sim.net import RECORD_BYTES

POLL, IN, OUT, NVAL = 3, 1, 4, 32

PROTOCOL_TLS_CLIENT = 0
CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = 0, 1, 2

# MBEDTLS_ERR_SSL_CONN_EOF: the connection ended without close_notify.
_CONN_EOF = -0x7280

# Key exchange and chain on an ESP32 at 160 MHz: the loop stands still for so long.
_HELLO_US = 30000
STALL_US = 400000

# What data centre's certificates are not good for, by host name: sentence that mbedTLS says. Set by the scenario.
refused = {}


class SSLContext:
    def __init__(self, protocol):
        self.verify_mode = CERT_NONE
        self._ca = None

    def load_verify_locations(self, ca):
        if bytes(ca[:1]) not in (b"\x30", b"-"):
            raise ValueError("invalid cert")
        self._ca = ca

    def wrap_socket(self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        if self.verify_mode == CERT_REQUIRED and server_hostname is None:
            raise ValueError("CERT_REQUIRED requires server_hostname")
        if do_handshake_on_connect:
            raise RuntimeError("a handshake that blocks stops the loop")
        if self.verify_mode != CERT_REQUIRED or self._ca is None:
            raise RuntimeError("a session that checks no certificate")
        return _Socket(sock, server_hostname)


class _Socket:
    """step: how many flights of the handshake are sent; 3 when it is done."""

    def __init__(self, sock, host):
        self._sock = sock
        self._host = host
        self._step = 0
        # What the library needs before it can go on: IN while it waits for a flight.
        self._need = 0
        self._failed = None

    def setblocking(self, on):
        self._sock.setblocking(on)

    def ioctl(self, request, mask):
        if request != POLL:
            return -1
        conn = self._sock.conn
        if conn is None or self._failed:
            return NVAL
        if self._need:
            arrived = conn.flights >= self._step or conn.rx_end or conn.error
            return mask & (IN | OUT) if arrived else 0
        return self._sock.ioctl(request, mask)

    def _fail(self, error):
        self._failed = error
        raise error

    def _shake(self):
        """True when the handshake is done; goes on with it as far as the flights that came allow."""
        try:
            conn = self._sock.check()
        except OSError as error:
            self._fail(error)
        if self._step == 3:
            return True
        if conn.flights < self._step:
            if conn.rx_end:
                self._fail(OSError(_CONN_EOF, "MBEDTLS_ERR_SSL_CONN_EOF"))
            self._need = IN
            return False
        world = _world.current
        world.spend(STALL_US if self._step == 1 else _HELLO_US)
        if self._step == 1 and self._host in refused:
            self._fail(ValueError(refused[self._host]))
        if self._step < 2:
            conn.handshake()
        self._step += 1
        self._need = IN if self._step < 3 else 0
        return self._step == 3

    def write(self, data):
        """How many bytes were taken; None if none may be now."""
        if self._failed:
            raise self._failed
        if not self._shake():
            return None
        conn = self._sock.conn
        n = min(len(data), conn.room() - RECORD_BYTES)
        if n <= 0:
            return None
        conn.write(data[:n])
        return n

    def read(self, n=-1):
        """Bytes; None if there are none yet; b"" at an end that was announced."""
        if self._failed:
            raise self._failed
        if not self._shake():
            return None
        conn = self._sock.conn
        if conn.rx:
            data = conn.rx if n < 0 else conn.rx[:n]
            conn.rx = conn.rx[len(data) :]
            return data
        if conn.rx_end:
            if conn.rx_notified:
                return b""
            self._fail(OSError(_CONN_EOF, "MBEDTLS_ERR_SSL_CONN_EOF"))
        return None

    def close(self):
        self._sock.close()
