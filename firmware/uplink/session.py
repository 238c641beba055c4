"""One MQTT 3.1.1 session over TLS: umqtt.simple makes and reads the packets, asyncio moves the bytes.

umqtt blocks, never wraps its packet ids and leaves PUBACKs to one publish at a time; used as a codec over a buffer
none of that matters. Every wait has a deadline; each failure is a LinkDown(stage, cause).
"""

import asyncio

import tls
from micropython import const
from umqtt import simple

from firmware.errors import LinkDown

_CONNECT_S = const(15)
_TLS_S = const(30)
_REPLY_S = const(20)
# Packets the data centre may send us: CONNACK, PUBACK, PINGRESP. A larger one is not for us.
_MOST_PACKET_BYTES = const(256)

# MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, where the port has no sentences.
_X509_VERIFY_FAILED = const(-0x2700)

_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_PINGRESP = const(0xD0)

# MQTT 3.1.1, table 3.1.
_CONNACK_CAUSES = ("", "protocol version", "client id", "server unavailable", "user or password", "not authorised")


class _Buffer:
    """What umqtt takes for a socket: bytes written are kept, bytes to read are given beforehand."""

    def __init__(self):
        self.out = bytearray()
        self._in = b""

    def give(self, data):
        self.out = bytearray()
        self._in = data

    def write(self, data, n=None):
        self.out.extend(data if n is None else data[:n])

    def read(self, n):
        data, self._in = self._in[:n], self._in[n:]
        return data

    def setblocking(self, _):
        pass

    def connect(self, _):
        pass

    # umqtt.connect() asks the module `socket` for these two.
    def socket(self):
        return self

    def getaddrinfo(self, *_):
        return (((None,)),)


class Codec:
    """MQTT packets by umqtt.simple. client_id, user, password: text; will: (topic, message), retained, QoS 1."""

    def __init__(self, client_id, user, password, keepalive_s, will):
        self._buffer = _Buffer()
        credentials = (user.encode(), password.encode()) if user else (None, None)
        self._client = simple.MQTTClient(client_id.encode(), None, 1, credentials[0], credentials[1], keepalive_s)
        self._client.set_last_will(will[0], will[1], retain=True, qos=1)
        self._client.sock = self._buffer

    def connect(self):
        """The CONNECT packet, always a clean session."""
        self._connect(b"\x20\x02\0\0")
        return self._buffer.out

    def check_connack(self, packet):
        """LinkDown("connect", cause) unless the packet accepts the connection."""
        if len(packet) != 4 or packet[0] != _CONNACK or packet[1] != 2:
            raise LinkDown("connect", "no CONNACK")
        try:
            self._connect(packet)
        except simple.MQTTException as error:
            code = error.args[0]
            raise LinkDown("connect", _CONNACK_CAUSES[code] if code < len(_CONNACK_CAUSES) else "code %d" % code)

    def _connect(self, reply):
        self._buffer.give(reply)
        # connect() makes its own socket by the module's name `socket`.
        real, simple.socket = simple.socket, self._buffer
        try:
            self._client.connect()
        finally:
            simple.socket = real

    def publish(self, topic, message, packet_id, retain=False):
        """A PUBLISH packet at QoS 1; packet_id 1..65535."""
        self._client.pid = packet_id - 1
        self._buffer.give(bytes((_PUBACK, 2, packet_id >> 8, packet_id & 0xFF)))
        self._client.publish(topic, message, retain=retain, qos=1)
        return self._buffer.out

    def ping(self):
        self._buffer.give(b"")
        self._client.ping()
        return self._buffer.out

    def disconnect(self):
        """DISCONNECT: the data centre drops the last will. umqtt closes its socket with it, so it is written here."""
        return b"\xe0\0"

    def packet_id_of(self, packet):
        """The id a PUBACK is for; None for a PINGRESP. LinkDown("receive", ..) for anything else: we subscribe to nothing."""
        if packet[0] == _PINGRESP and len(packet) == 2:
            return None
        if packet[0] != _PUBACK or len(packet) != 4:
            raise LinkDown("receive", "packet %02X" % packet[0])
        self._buffer.give(packet)
        self._client.wait_msg()
        self._buffer.read(1)
        got = self._buffer.read(2)
        return got[0] << 8 | got[1]


def context_of(ca):
    """SSLContext that trusts this CA only and checks the server's certificate and name. ca: bytes, DER or PEM.

    LinkDown("tls", ..) if it is no certificate: without a CA there is no uplink."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    try:
        # mbedTLS tells PEM from DER by the 0 byte at the end.
        context.load_verify_locations(ca + b"\0" if ca.startswith(b"-----") else ca)
    except (OSError, ValueError):
        raise LinkDown("tls", "the CA file is no certificate")
    return context


def tls_cause(error):
    """What a step of TCP or TLS failed of, in a few words."""
    number = error.args[0] if error.args else 0
    if isinstance(error, ValueError):
        # MicroPython raises mbedTLS's sentences on a certificate it refuses as a ValueError.
        return "certificate: " + " ".join(str(number).split())
    return "certificate" if number == _X509_VERIFY_FAILED else "os error %s" % number


async def within(seconds, coroutine, stage):
    """Await with a deadline; LinkDown(stage, ..) for a time-out, an end of stream and every OSError."""
    try:
        return await asyncio.wait_for(coroutine, seconds)
    except asyncio.TimeoutError:
        raise LinkDown(stage, "no answer in %d s" % seconds)
    except EOFError:
        raise LinkDown(stage, "closed")
    except (OSError, ValueError) as error:
        raise LinkDown(stage, tls_cause(error))


class Session:
    """One connection to one data centre, from TCP to its end. Made anew for each attempt.

    acknowledged(packet_id) is called for each PUBACK, woken() for whatever ends a
    wait. failed is the LinkDown that ended it, or None."""

    def __init__(self, codec, acknowledged, woken):
        self.codec = codec
        self.failed = None
        self.n_unanswered_pings = 0
        self._acknowledged = acknowledged
        self._woken = woken
        self._stream = None
        self._receiver = None
        self._packet_id = 0

    async def open(self, address, port, host, ca):
        """Connect, check the certificate against ca and host, and log in. LinkDown at any step."""
        context = context_of(ca)
        reader, _ = await within(_CONNECT_S, asyncio.open_connection(address, port, ssl=context, server_hostname=host), "tcp")
        self._stream = reader
        # The handshake runs with the first write.
        await self._write(self.codec.connect(), "tls", _TLS_S)
        self.codec.check_connack(await within(_REPLY_S, self._packet(), "connect"))
        self._receiver = asyncio.create_task(self._receive())

    def next_packet_id(self):
        """1..65535, wrapping. Taken before publish, since the PUBACK may come before publish returns."""
        self._packet_id = self._packet_id % 65535 + 1
        return self._packet_id

    async def publish(self, packet_id, topic, message, retain=False):
        """Send a QoS 1 publish."""
        if self.failed:
            raise self.failed
        await self._write(self.codec.publish(topic, message, packet_id, retain), "publish", _REPLY_S)

    async def ping(self):
        self.n_unanswered_pings += 1
        await self._write(self.codec.ping(), "ping", _REPLY_S)

    async def close(self, polite=False):
        """End the session; polite: with DISCONNECT, which drops the last will."""
        if self._receiver:
            self._receiver.cancel()
        if self._stream:
            try:
                if polite:
                    await self._write(self.codec.disconnect(), "publish", 2)
            except LinkDown:
                pass
            try:
                self._stream.close()
                await self._stream.wait_closed()
            except OSError:
                # A connection that is gone already is closed all the same.
                pass
            self._stream = None

    async def _write(self, packet, stage, seconds):
        await within(seconds, self._put(packet), stage)

    async def _put(self, packet):
        # One write, so that a packet is one TLS record. MicroPython's write may send, and fail, at once.
        self._stream.write(packet)
        await self._stream.drain()

    async def _packet(self):
        """One whole packet; LinkDown("receive", ..) if its length is not one we expect."""
        packet = bytearray(await self._stream.readexactly(2))
        shift, n = 7, packet[1] & 127
        while packet[-1] & 128:
            if len(packet) == 5:
                raise LinkDown("receive", "malformed length")
            packet.extend(await self._stream.readexactly(1))
            n |= (packet[-1] & 127) << shift
            shift += 7
        if n > _MOST_PACKET_BYTES:
            raise LinkDown("receive", "packet of %d bytes" % n)
        if n:
            packet.extend(await self._stream.readexactly(n))
        return bytes(packet)

    async def _receive(self):
        """Hand on acknowledgements until the connection ends; what ends it stands in failed."""
        try:
            while True:
                packet_id = self.codec.packet_id_of(await self._packet())
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
