"""One MQTT 3.1.1 session over TLS: asyncio moves the packets that the codec makes.

Every wait has a deadline; each failure is a LinkDown(stage, cause).
"""

import asyncio
import gc

import tls
from micropython import const

from firmware.errors import LinkDown

_CONNECT_S = const(15)
_TLS_S = const(30)
_REPLY_S = const(20)
# A slower way than this is taken for dead.
_LEAST_BYTES_PER_S = const(100)
# The longest step of a handshake on an ESP32 and some more: the loop stands so long. Steps are put off while lines are
# in use, for so long in all; between two looks at what has come there is a nap.
_STEP_MS = const(500)
_PATIENCE_MS = const(10000)
_NAP_MS = const(20)
# Packets the data centre may send us: CONNACK, PUBACK, PINGRESP. A larger one is not for us.
_MOST_PACKET_BYTES = const(256)
# Some brokers hand out retained messages that nobody asked for: dropped in pieces, up to this size.
_MOST_UNASKED_BYTES = const(65536)
_PIECE_BYTES = const(256)

# MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, where the port has no sentences.
_X509_VERIFY_FAILED = const(-0x2700)


def context_of(ca):
    """SSLContext that trusts this CA only and checks the server's certificate and name. ca: bytes, DER or PEM.

    LinkDown("tls", ..) if it is no certificate: without a CA there is no uplink."""
    # The largest piece of memory there is: it needs its place in one.
    gc.collect()
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    try:
        # mbedTLS tells PEM from DER by the 0 byte at the end.
        context.load_verify_locations(ca + b"\0" if ca.startswith(b"-----") else ca)
    except (OSError, ValueError):
        raise LinkDown("tls", "the CA file is no certificate")
    return context


# errno as lwIP and Linux number it, then mbedTLS's SSL_CONN_EOF, SSL_INVALID_RECORD and SSL_FATAL_ALERT_MESSAGE.
_OS_ERRORS = {
    32: "closed",
    104: "connection reset",
    110: "timed out",
    111: "connection refused",
    113: "no route to host",
    0x7280: "closed",
    0x7200: "not TLS",
    0x7780: "refused by the server",
}


def tls_cause(error):
    """What a step of TCP or TLS failed of, in a few words."""
    number = error.args[0] if error.args else 0
    if isinstance(error, ValueError):
        # MicroPython raises mbedTLS's sentences on a certificate it refuses as a ValueError.
        return "certificate: " + " ".join(str(number).split())
    if number == _X509_VERIFY_FAILED:
        return "certificate"
    # mbedTLS's errors are negative, and once the handshake is over an errno that comes through it is negative too.
    return _OS_ERRORS.get(abs(number) if isinstance(number, int) else number, "os error %s" % number)


async def within(seconds, coroutine, stage, cause=None):
    """Await with a deadline; LinkDown(stage, ..) for a time-out, an end of stream and every OSError.

    cause: what a time-out is called where seconds differ from one to the next: causes are counted one by one."""
    try:
        return await asyncio.wait_for(coroutine, seconds)
    except asyncio.TimeoutError:
        raise LinkDown(stage, cause or "no answer in %d s" % seconds)
    except EOFError:
        raise LinkDown(stage, "closed")
    except (OSError, ValueError) as error:
        raise LinkDown(stage, tls_cause(error))


def _streamed(header, message):
    yield header
    for piece in message.pieces():
        yield piece


class Session:
    """One connection to one data centre, from TCP to its end. Made anew for each attempt.

    acknowledged(packet_id) is called for each PUBACK, woken() for whatever ends a
    wait. `await quiet(for_ms, most_ms)` -> ms waited: until the loop may stand still for for_ms, most_ms at most.
    failed is the LinkDown that ended it, or None."""

    def __init__(self, codec, acknowledged, woken, quiet):
        self.codec = codec
        self.failed = None
        self.n_unanswered_pings = 0
        self.n_unasked = 0
        self._acknowledged = acknowledged
        self._woken = woken
        self._quiet = quiet
        self._patience_ms = _PATIENCE_MS
        self._socket = None
        self._stream = None
        self._receiver = None
        self._packet_id = 0

    async def open(self, address, port, host, ca):
        """Connect, check the certificate against ca and host, and log in. LinkDown at any step."""
        context = context_of(ca)
        plain, _ = await within(_CONNECT_S, asyncio.open_connection(address, port), "tcp")
        # Kept to be closed: a TLS socket whose handshake fails lets go of the one under it and leaves it open.
        self._socket = plain.s
        await self._wait_quiet()
        try:
            # TLS takes its memory only now, not while an address does not answer.
            secure = context.wrap_socket(plain.s, server_hostname=host, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            raise LinkDown("tls", tls_cause(error))
        self._stream = asyncio.StreamReader(secure)
        await within(_TLS_S, self._shake(self.codec.connect()), "tls")
        self.codec.check_connack(await within(_REPLY_S, self._packet(), "connect") or b"")
        self._receiver = asyncio.create_task(self._receive())

    async def _wait_quiet(self):
        self._patience_ms -= await self._quiet(_STEP_MS, self._patience_ms)

    async def _shake(self, packet):
        """Send the first packet. The handshake runs with it, in steps that compute: each when the lines are quiet."""
        secure = self._stream.s
        while True:
            await self._wait_quiet()
            n = secure.write(packet)
            if n:
                break
            await asyncio.sleep_ms(_NAP_MS)
        if n < len(packet):
            await self._put(packet[n:])

    def next_packet_id(self):
        """1..65535, wrapping. Taken before publish, since the PUBACK may come before publish returns."""
        self._packet_id = self._packet_id % 65535 + 1
        return self._packet_id

    def packet(self, packet_id, topic, message, retain=False):
        """A QoS 1 publish for send(). message: payload.Message, of which the packet is a view, or payload.Streamed."""
        header = self.codec.publish(topic, message, packet_id, retain)
        pieces = _streamed(header, message) if hasattr(message, "pieces") else (message.behind(header),)
        return len(header) + len(message), pieces

    async def send(self, packet):
        """Send what packet() has made. One deadline for all of it: whatever is slower holds the watchdog up."""
        n_bytes, pieces = packet
        await within(_REPLY_S + n_bytes // _LEAST_BYTES_PER_S, self._put_all(pieces), "publish", "no answer")

    async def _put_all(self, pieces):
        for piece in pieces:
            if self.failed:
                raise self.failed
            await self._put(piece)

    async def ping(self):
        self.n_unanswered_pings += 1
        await self._write(self.codec.ping(), "ping", _REPLY_S)

    async def close(self):
        """End the session without a word: the data centre publishes the last will."""
        if self._receiver:
            self._receiver.cancel()
        for part in (self._stream and self._stream.s, self._socket):
            try:
                if part:
                    part.close()
            except OSError:
                # A connection that is gone already is closed all the same.
                pass
        self._stream = self._socket = None

    async def _write(self, packet, stage, seconds):
        await within(seconds, self._put(packet), stage)

    async def _put(self, packet):
        # One write, so that a packet is one TLS record. MicroPython's write may send, and fail, at once.
        self._stream.write(packet)
        await self._stream.drain()

    async def _packet(self):
        """One whole packet, None for one that was dropped; LinkDown("receive", ..) if its length is not one we expect."""
        packet = bytearray(await self._stream.readexactly(2))
        shift, n = 7, packet[1] & 127
        while packet[-1] & 128:
            if len(packet) == 5:
                raise LinkDown("receive", "malformed length")
            packet.extend(await self._stream.readexactly(1))
            n |= (packet[-1] & 127) << shift
            shift += 7
        if packet[0] & 0xF6 == 0x30 and n <= _MOST_UNASKED_BYTES:
            await self._drop(n)
            return None
        if n > _MOST_PACKET_BYTES:
            raise LinkDown("receive", "packet of %d bytes" % n)
        if n:
            packet.extend(await self._stream.readexactly(n))
        return bytes(packet)

    async def _drop(self, n):
        """Pass over n bytes: a message at QoS 0 that we have not subscribed to."""
        self.n_unasked += 1
        while n:
            n -= len(await self._stream.readexactly(min(n, _PIECE_BYTES)))

    async def _receive(self):
        """Hand on acknowledgements until the connection ends; what ends it stands in failed."""
        try:
            while True:
                packet = await self._packet()
                if packet is None:
                    continue
                packet_id = self.codec.packet_id_of(packet)
                if packet_id is None:
                    self.n_unanswered_pings = 0
                else:
                    self._acknowledged(packet_id)
                self._woken()
        except LinkDown as error:
            self.failed = error
        except EOFError:
            self.failed = LinkDown("receive", "closed")
        except (OSError, ValueError) as error:
            self.failed = LinkDown("receive", tls_cause(error))
        self._woken()
