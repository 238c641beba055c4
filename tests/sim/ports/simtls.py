"""What TLS is on a board and not on a PC, by choice of sim.json; tests/sim/gateway.py puts it in the place of `tls`.

"tls": {"stall_ms": 400}    so long the loop stands at each handshake, when it begins: an ESP32 computes that long with the
                            keys, in the steps that follow
"""

import time

import tls


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
        time.sleep_ms(self._stall_ms)
        return self._context.wrap_socket(sock, **options)


class SimulatedTls:
    """Has the names that the firmware takes from `tls`."""

    PROTOCOL_TLS_CLIENT = tls.PROTOCOL_TLS_CLIENT
    CERT_REQUIRED = tls.CERT_REQUIRED

    def __init__(self, stall_ms):
        self._stall_ms = stall_ms

    def SSLContext(self, protocol):
        return _Context(tls.SSLContext(protocol), self._stall_ms)
