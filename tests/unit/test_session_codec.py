"""codec: MQTT 3.1.1 packets byte by byte, and replies that are none."""

import binascii
import socket
import struct
import sys

from memory import raised

# The names by which umqtt imports what CPython calls otherwise.
for _name, _module in (("usocket", socket), ("ustruct", struct), ("ubinascii", binascii)):
    sys.modules.setdefault(_name, _module)

from umqtt import simple  # noqa: E402

from firmware.errors import LinkDown  # noqa: E402
from firmware.protocols.payload import Streamed  # noqa: E402
from firmware.uplink.codec import Codec  # noqa: E402

_CAUSES = ("protocol version", "client id", "server unavailable", "user or password", "not authorised")


def _codec(user="", password="", keepalive_s=60, will=(b"t/status", b"off")):
    return Codec("gw-0001", user, password, keepalive_s, will)


def _string(data):
    return bytes((len(data) >> 8, len(data) & 0xFF)) + data


def _length(n):
    """MQTT 3.1.1, 2.2.3."""
    out = bytearray()
    while True:
        n, byte = n >> 7, n & 127
        out.append(byte | (128 if n else 0))
        if not n:
            return bytes(out)


def test_connect_has_a_clean_session_and_a_retained_will_at_qos_1():
    packet = _codec().connect()
    # 10 + 9 + 10 + 5 bytes; flags: clean session 02, will 04, its QoS 08, retained 20.
    assert bytes(packet) == b"\x10\x22\x00\x04MQTT\x04\x2e\x00\x3c\x00\x07gw-0001\x00\x08t/status\x00\x03off"


def test_connect_with_user_and_password():
    packet = _codec("gw", "hush", 3600).connect()
    assert bytes(packet) == (
        b"\x10\x2c\x00\x04MQTT\x04\xee\x0e\x10\x00\x07gw-0001\x00\x08t/status\x00\x03off\x00\x02gw\x00\x04hush"
    )


def test_connect_with_a_user_and_no_password():
    packet = bytes(_codec("gw").connect())
    assert packet[9] == 0xEE and packet[-6:] == b"\x00\x02gw\x00\x00"


def test_connect_is_as_long_as_its_fields():
    for n in (0, 50, 100, 127, 128, 300):
        will = b"w" * n
        body = b"\x00\x04MQTT\x04\xee\x00\x3c" + _string(b"gw-0001") + _string(b"t/status") + _string(will)
        body += _string("\u00fc".encode()) + _string("p\u00e4ss".encode())
        packet = _codec("\u00fc", "p\u00e4ss", will=(b"t/status", will)).connect()
        assert bytes(packet) == b"\x10" + _length(len(body)) + body, n


def test_connect_can_be_made_again():
    codec = _codec("gw", "hush")
    assert bytes(codec.connect()) == bytes(codec.connect())


def test_publish_has_its_topic_id_and_message():
    for packet_id in (1, 2, 255, 256, 65534, 65535):
        packet = _codec().publish(b"a/b", b"{}", packet_id)
        # QoS 1, not retained, no duplicate.
        assert bytes(packet) == b"\x32\x09\x00\x03a/b" + bytes((packet_id >> 8, packet_id & 0xFF)) + b"{}"
    assert bytes(_codec().publish(b"a/b", b"{}", 1, retain=True))[:1] == b"\x33"


def test_publish_of_any_length():
    codec = _codec()
    for n in (0, 100, 118, 119, 120, 8192, 16376, 16377, 16378, 20000):
        message = bytes(n)
        packet = bytes(codec.publish(b"topic", message, 7))
        body = _string(b"topic") + b"\x00\x07" + message
        assert packet == b"\x32" + _length(len(body)) + body, n


def test_publishes_follow_each_other_without_an_answer_between():
    codec = _codec()
    packets = [bytes(codec.publish(b"t", b"m", packet_id)) for packet_id in (65535, 1, 2)]
    assert [packet[5:7] for packet in packets] == [b"\xff\xff", b"\x00\x01", b"\x00\x02"]


def test_a_ping_is_not_in_the_way_of_what_comes_next():
    codec = _codec()
    assert bytes(codec.ping()) == b"\xc0\x00"
    assert bytes(codec.publish(b"t", b"m", 1)) == b"\x32\x06\x00\x01t\x00\x01m"


def test_a_connack_that_accepts_is_silent():
    assert _codec().check_connack(b"\x20\x02\x00\x00") is None
    # A session that is said to be present is none of ours: we ask for a clean one.
    assert _codec().check_connack(b"\x20\x02\x01\x00") is None


def test_a_connack_that_refuses_says_why():
    for code in range(1, 6):
        error = raised(LinkDown, _codec().check_connack, bytes((0x20, 2, 0, code)))
        assert (error.stage, error.cause) == ("connect", _CAUSES[code - 1])
    for code in (6, 128, 255):
        assert raised(LinkDown, _codec().check_connack, bytes((0x20, 2, 0, code))).cause == "code %d" % code


def test_what_is_no_connack_is_refused():
    for packet in (
        b"\x20\x02\x00",
        b"\x20\x03\x00\x00",
        b"\x20\x02\x00\x00\x00",
        b"\x40\x02\x00\x00",
        b"\xd0\x00",
        b"\x30\x02\x00\x00",
    ):
        error = raised(LinkDown, _codec().check_connack, packet)
        assert (error.stage, error.cause) == ("connect", "no CONNACK"), packet


def test_a_puback_gives_its_packet_id():
    codec = _codec()
    for packet_id in (1, 255, 256, 0x1234, 65535):
        assert codec.packet_id_of(bytes((0x40, 2, packet_id >> 8, packet_id & 0xFF))) == packet_id


def test_a_pingresp_gives_none():
    assert _codec().packet_id_of(b"\xd0\x00") is None


def test_other_packets_are_refused():
    for packet in (
        b"\x20\x02\x00\x00",
        b"\x30\x05\x00\x01tmm",
        b"\x32\x02\x00\x01",
        b"\x40\x00",
        b"\x40\x01\x00",
        b"\x40\x03\x00\x01\x02",
        b"\x41\x02\x00\x01",
        b"\x50\x02\x00\x01",
        b"\x90\x02\x00\x01",
        b"\xd0\x01\x00",
        b"\xe0\x00",
        b"\x00\x00",
    ):
        error = raised(LinkDown, _codec().packet_id_of, packet)
        assert error.stage == "receive", packet
        assert error.cause == "packet %02X" % packet[0]


def test_a_newer_umqtt_that_sets_a_time_out_and_closes_makes_the_same_packets():
    expected = bytes(_codec().connect())
    original = simple.MQTTClient.connect

    def connect(self, clean_session=True, timeout=None):
        # What stock ESP32 builds have frozen in does this first.
        probe = simple.socket.socket()
        probe.settimeout(timeout)
        probe.close()
        return original(self, clean_session)

    simple.MQTTClient.connect = connect
    try:
        assert bytes(_codec().connect()) == expected
        _codec().check_connack(b"\x20\x02\0\0")
    finally:
        simple.MQTTClient.connect = original


def test_a_streamed_message_follows_its_packet_in_pieces():
    message = Streamed(lambda: iter(("{", '"a":1', "}")))
    packet = bytes(_codec().publish(b"a/b", message, 1))
    assert packet + b"".join(message.pieces()) == bytes(_codec().publish(b"a/b", b'{"a":1}', 1))
    # It is made anew each time.
    assert b"".join(message.pieces()) == b'{"a":1}'
