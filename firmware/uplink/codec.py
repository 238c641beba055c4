"""MQTT 3.1.1 packets <-> bytes, by umqtt.simple over a buffer.

umqtt blocks, never wraps its packet ids, and waits for each PUBACK before the next publish; used as a codec none of
that matters. The only module that knows umqtt.
"""

from micropython import const
from umqtt import simple

from firmware.errors import LinkDown

_CONNACK = const(0x20)
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
        # A message that is no bytes goes behind the packet's header without passing through here.
        if isinstance(data, (bytes, bytearray)):
            self.out.extend(data if n is None else data[:n])

    def read(self, n):
        data, self._in = self._in[:n], self._in[n:]
        return data

    def setblocking(self, _):
        pass

    def connect(self, _):
        pass

    # Called by umqtt.simple from 1.4 on: the copy that stock ESP32 builds have frozen in.
    def settimeout(self, _):
        pass

    def close(self):
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
        """A PUBLISH packet at QoS 1; packet_id 1..65535. message: bytes, or what has a length: of that the header alone."""
        self._client.pid = packet_id - 1
        puback = bytes((_PUBACK, 2, packet_id >> 8, packet_id & 0xFF))
        self._buffer.give(puback)
        self._client.publish(topic, message, retain=retain, qos=1)
        return self._buffer.out

    def ping(self):
        self._buffer.give(b"")
        self._client.ping()
        return self._buffer.out

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
