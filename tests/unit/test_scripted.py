"""The scripted servers: what they answer when all is well, and each of their faults. Bytes by hand, without umqtt."""

from memory import raised

from tests.sim import net, scripted, world
from tests.sim.virtual import socket, tls

_CONNECT = b"\x10\x1c\0\x04MQTT\x04\x2e\0\x3c\0\x02gw\0\x03a/b\0\x07offline"
_CONNACK = b"\x20\x02\0\0"
_MS = 1000


class Lines:
    """A trace in memory."""

    def __init__(self):
        self.lines = []

    def line(self, text):
        self.lines.append(text.split(" ", 1)[1])


def _made(fault="", param=0):
    """(world, broker, trace) with a cell and one broker at 10.0.1.1."""
    trace = Lines()
    made = world.make(1, 1795000000, trace, 0)
    made.power_on()
    socket.net = net.Net(made)
    broker = scripted.Broker(made, "centre", 1)
    broker.set(fault, param)
    socket.net.services["10.0.1.1", 8883] = broker
    socket.net.join()
    tls.refused = {}
    return made, broker, trace


def _connected():
    """A TLS socket that has begun to connect."""
    sock = socket.socket()
    raised(OSError, sock.connect, ("10.0.1.1", 8883))
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    context.load_verify_locations(b"\x30\0")
    return context.wrap_socket(sock, server_hostname="mqtt.example.org", do_handshake_on_connect=False)


def _write(made, sock, data, for_ms=2000):
    """Write once it is taken; the handshake goes on with each try."""
    for _ in range(for_ms // 10):
        if sock.ioctl(3, 4) and sock.write(data):
            return
        made.spend(10 * _MS)
    raise AssertionError("not taken")


def _read(made, sock, for_ms=500):
    """What comes within that time."""
    made.spend(for_ms * _MS)
    return sock.read(1000) if sock.ioctl(3, 1) else None


def _publish(topic, message, packet_id, qos=1, retain=0):
    body = bytes((0, len(topic))) + topic + (bytes((packet_id >> 8, packet_id & 255)) if qos else b"") + message
    return bytes((0x30 | qos << 1 | retain, len(body))) + body


def _open(fault="", param=0):
    """A session that is open, with the fault from then on."""
    made, broker, trace = _made()
    sock = _connected()
    _write(made, sock, _CONNECT)
    assert _read(made, sock) == _CONNACK
    broker.set(fault, param)
    return made, sock, trace.lines


def test_a_session_from_handshake_to_disconnect():
    made, broker, trace = _made()
    sock = _connected()
    assert sock.ioctl(3, 4) == 0 and sock.read(4) is None
    _write(made, sock, _CONNECT)
    # TCP, two flights of TLS, and the time they compute.
    assert 3 * 2 * 20 * _MS + tls.STALL_US < made.now_us < 700 * _MS
    assert _read(made, sock) == _CONNACK
    _write(made, sock, _publish(b"a/readings", b'{"v":1}', 0x1234) + b"\xc0\0")
    assert sorted(_read(made, sock)) == sorted(b"\x40\x02\x12\x34\xd0\0")
    _write(made, sock, b"\xe0\0")
    assert _read(made, sock) == b""
    assert trace.lines == ["session centre open", 'm centre a/readings - {"v":1}', "session centre ended: disconnect"]


def test_retained_messages_and_the_will_are_told():
    made, sock, lines = _open()
    _write(made, sock, _publish(b"a/status", b"on", 1, retain=1))
    made.spend(100 * _MS)
    sock.close()
    made.spend(100 * _MS)
    assert lines[1:] == ["m centre a/status r on", "session centre ended: closed by the gateway", "w centre a/b r offline"]


def test_a_packet_in_pieces_and_two_in_one():
    made, sock, lines = _open()
    packets = _publish(b"a", b"1", 1) + _publish(b"a", b"2", 2)
    for i in range(0, len(packets), 3):
        _write(made, sock, packets[i : i + 3])
    made.spend(100 * _MS)
    assert lines[1:] == ["m centre a - 1", "m centre a - 2"]


def test_silence_of_one_and_a_half_keep_alives_ends_the_session():
    made, sock, lines = _open()
    made.spend(89000 * _MS)
    assert len(lines) == 1
    made.spend(2000 * _MS)
    assert lines[1] == "session centre ended: silent"
    # No close_notify: mbedTLS calls it an error.
    assert raised(OSError, sock.read, 1).args[0] == -0x7280
    assert sock.ioctl(3, 1) == 32


def test_a_client_that_comes_again_takes_over():
    made, sock, lines = _open()
    again = _connected()
    _write(made, again, _CONNECT)
    assert _read(made, again) == _CONNACK and sock.read(1) == b""
    assert "session centre ended: taken over" in lines


def test_what_is_no_mqtt_is_told_and_ended():
    for bad in (
        b"\x10\x04\0\x04MQ",
        b"\x32\x04\0\x01ax",
        _CONNECT + _publish(b"a", b"x", 0),
        _CONNECT + _publish(b"a/+", b"x", 7),
        _CONNECT + _publish(b"a", b"x", 1, qos=0),
        _CONNECT + _CONNECT,
        _CONNECT + b"\x82\x03\0\x01\0",
        b"\x10\xff\xff\xff\xff\x01",
    ):
        made, _, trace = _made()
        sock = _connected()
        _write(made, sock, bad)
        made.spend(500 * _MS)
        assert any(line.startswith("broken centre") for line in trace.lines), bad


def test_faults_before_a_session():
    for fault, param, expected in (
        ("black_hole", 0, None),
        ("mute", 0, None),
        ("no_connack", 0, None),
        ("close", 0, b""),
        ("connack", 5, b"\x20\x02\0\x05"),
    ):
        made, _, trace = _made(fault, param)
        sock = _connected()
        raised(AssertionError, _write, made, sock, _CONNECT) if fault in ("black_hole", "mute") else _write(
            made, sock, _CONNECT
        )
        got = _read(made, sock, 100)
        assert got == expected, fault
        assert trace.lines == []


def test_a_port_that_nobody_listens_on():
    made, _, _ = _made("refuse_tcp")
    sock = _connected()
    made.spend(100 * _MS)
    assert sock.ioctl(3, 4)
    assert raised(OSError, sock.write, _CONNECT).args[0] == net.ECONNREFUSED


def test_a_certificate_that_does_not_fit():
    made, _, trace = _made()
    tls.refused["mqtt.example.org"] = "no good"
    sock = _connected()
    assert raised(ValueError, _write, made, sock, _CONNECT).args[0] == "no good"
    assert raised(ValueError, sock.write, _CONNECT) and sock.ioctl(3, 4) == 32
    assert trace.lines == []


def test_faults_of_acknowledgements():
    for fault, param, expected in (
        ("no_puback", 0, None),
        ("twice", 0, b"\x40\x02\0\x07\x40\x02\0\x07"),
        ("unknown_id", 0, b"\x40\x02\0\x08"),
    ):
        made, sock, lines = _open(fault, param)
        _write(made, sock, _publish(b"a", b"x", 7))
        assert _read(made, sock) == expected
        assert lines[1] == "m centre a - x"


def test_late_acknowledgements():
    made, sock, _ = _open("late_puback", 5)
    _write(made, sock, _publish(b"a", b"x", 7))
    assert _read(made, sock, 4900) is None
    assert _read(made, sock, 200) == b"\x40\x02\0\x07"


def test_acknowledgements_out_of_order():
    made, sock, _ = _open("shuffle")
    _write(made, sock, _publish(b"a", b"x", 7) + _publish(b"a", b"y", 8))
    assert _read(made, sock, 1700) == b"\x40\x02\0\x08\x40\x02\0\x07"


def test_half_packets_stay_in_order():
    made, sock, _ = _open("half")
    _write(made, sock, _publish(b"a", b"x", 7) + _publish(b"a", b"y", 8))
    first = _read(made, sock)
    rest = _read(made, sock, 3000)
    assert 0 < len(first) < 4
    assert first + rest in (b"\x40\x02\0\x07\x40\x02\0\x08", b"\x40\x02\0\x08\x40\x02\0\x07")


def test_pings_that_are_not_answered():
    made, sock, _ = _open("no_pingresp")
    _write(made, sock, b"\xc0\0")
    assert _read(made, sock) is None


def test_a_reset_after_some_bytes():
    made, sock, lines = _open("reset_after", 50)
    _write(made, sock, _publish(b"a", b"x" * 60, 7))
    made.spend(100 * _MS)
    assert raised(OSError, sock.read, 1).args[0] == net.ECONNRESET
    assert "session centre ended: reset" in lines


def test_messages_that_nobody_asked_for():
    made, broker, _ = _made("unasked", 200)
    sock = _connected()
    _write(made, sock, _CONNECT)
    got = _read(made, sock)
    at = got.find(b"\x31")
    assert len(got) == 4 + 3 + 2 + 15 + 200 and got[at + 1 : at + 5] == b"\xd9\x01\0\x0f"


def test_dns():
    made = world.make(1, 1795000000, None, 0)
    server = scripted.NameServer(made, {"mqtt.example.org": "10.0.1.1"})
    query = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\4mqtt\7example\3org\0\0\1\0\1"
    answers = []
    server.datagram(query, answers.append)
    assert answers[0][:8] == b"\x12\x34\x81\x80\0\1\0\1" and answers[0][-4:] == b"\x0a\0\1\1"
    for fault, begin in (("no_such_name", b"\x12\x34\x81\x83"), ("garbage", b"\x12\x34\x81\x80")):
        server.fault = fault
        server.datagram(query, answers.append)
        assert answers[-1][:4] == begin and answers[-1][-4:] != b"\x0a\0\1\1"
    server.fault = "silent"
    server.datagram(query, answers.append)
    assert len(answers) == 3


def test_ntp():
    made = world.make(1, 1795000000, None, 0)
    made.power_on()
    made.run_until(7250000)
    server = scripted.TimeServer(made)
    answers = []
    for fault, param in (("", 0), ("wrong", -3), ("unsynchronised", 0), ("kiss", 0), ("silent", 0)):
        server.fault, server.param = fault, param
        server.datagram(b"\x23" + bytes(39) + b"nonce123", answers.append)
    assert len(answers) == 4 and all(len(a) == 48 and a[24:32] == b"nonce123" for a in answers)
    seconds = [int.from_bytes(a[40:44], "big") - 2208988800 for a in answers]
    assert seconds == [1795000007, 1795000004, 1795000007, 1795000007]
    assert answers[0][44:46] == b"\x40\0" and [a[0] for a in answers[:3]] == [0x24, 0x24, 0xE4] and answers[3][1] == 0
