"""Scripted servers for virtual time: an MQTT broker that reads the bytes itself, DNS and NTP, with faults by choice."""

from tests.sim.seeded import Seeded

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _PINGREQ, _PINGRESP, _DISCONNECT = 1, 2, 3, 4, 12, 13, 14

# From a packet to its answer, drawn between these.
_ANSWER_US = (4000, 60000)
_TLS_US = 20000
# A shuffling broker answers what came within so long, the newest first.
_SHUFFLE_US = 1500000
# A broker that sends half packets sends the rest so much later.
_HALF_US = 3000000
_MOST_PACKET_BYTES = 70000

# What a broker can be told to do wrong, with the meaning of param.
FAULTS = (
    "refuse_tcp",
    "black_hole",  # SYNs are not answered
    "mute",  # TCP is accepted, TLS never answered
    "certificate",  # set in the virtual tls, by host
    "connack",  # refused with code param
    "no_connack",
    "close",  # closes after CONNECT
    "no_puback",
    "forget",  # each param-th message is neither kept nor acknowledged
    "late_puback",  # param seconds
    "shuffle",
    "twice",
    "unknown_id",
    "reset_after",  # param bytes
    "half",
    "no_pingresp",
    "slow",  # param bytes a second
    "unasked",  # a retained message of param bytes nobody asked for
)


class Broker:
    """Broker(world, name, seed): a TCP service of net.Net with TLS. Each message is a line of the world's trace:

    `m NAME TOPIC r|- PAYLOAD`; wills say `w`, what the broker forgets at once `f`. What breaks MQTT 3.1.1 is a line
    `broken NAME WHY`."""

    def __init__(self, world, name, seed):
        self.world = world
        self.name = name
        self.random = Seeded(seed)
        self.fault = ""
        self.param = 0
        self.n_messages = 0
        self.message_us = 0
        # The session of each client id: there is one.
        self.sessions = {}

    def set(self, fault, param=0):
        """From now on do this wrong; "": nothing."""
        self.fault = fault
        self.param = param

    def is_quiet(self, for_us):
        """True if a session is open and no message has come for so long."""
        return bool(self.sessions) and self.world.now_us - self.message_us >= for_us

    # -- as a TCP service -----------------------------------------------------------------------------------

    def connected(self, conn):
        if self.fault == "black_hole":
            return
        if self.fault == "refuse_tcp":
            conn.refuse()
            return
        if self.fault == "slow":
            conn.rate_bytes_s = self.param
        conn.session = Session(self, conn)
        conn.accept()

    def flight(self, conn):
        if self.fault != "mute":
            self.world.call_in(_TLS_US, conn.answer_flight)

    def heard(self, conn, data):
        conn.session.heard(data)

    def closed(self, conn):
        if hasattr(conn, "session"):
            conn.session.lost("closed by the gateway")


class Session:
    """One connection as the broker sees it."""

    def __init__(self, broker, conn):
        self.broker = broker
        self.conn = conn
        self.client_id = None
        self.will = None
        self.is_open = True
        self._in = b""
        self._n_heard = 0
        self._limit_us = 0
        self._shuffled = []
        # What stands behind half a packet and is sent later.
        self._rest = b""

    def heard(self, data):
        if not self.is_open:
            return
        broker = self.broker
        self._n_heard += len(data)
        if broker.fault == "reset_after" and self._n_heard > broker.param:
            self.conn.reset()
            self.lost("reset")
            return
        self._in += data
        while self.is_open:
            size = self._size()
            if not size or len(self._in) < size[0] + size[1]:
                break
            packet, self._in = self._in[: size[0] + size[1]], self._in[size[0] + size[1] :]
            self._touch()
            self._packet(packet, size[0])

    def _size(self):
        """(bytes of the fixed header, remaining length), or None if they have not all come."""
        n = shift = 0
        for i in range(1, 5):
            if len(self._in) <= i:
                return None
            n |= (self._in[i] & 127) << shift
            if not self._in[i] & 128:
                if n > _MOST_PACKET_BYTES:
                    self.broken("a packet of %d bytes" % n)
                    return None
                return i + 1, n
            shift += 7
        self.broken("malformed length")
        return None

    def broken(self, why):
        self.broker.world.say("broken %s %s" % (self.broker.name, why))
        self.end(why)

    def end(self, why):
        """The broker ends the connection."""
        if self.is_open:
            self.conn.end()
            self.lost(why)

    def lost(self, why):
        """The connection is over; the will is published if there was no DISCONNECT."""
        if not self.is_open:
            return
        self.is_open = False
        broker = self.broker
        if broker.sessions.get(self.client_id) is self:
            del broker.sessions[self.client_id]
        if self.client_id is not None:
            broker.world.say("session %s ended: %s" % (broker.name, why))
        if self.will:
            broker.world.say("w %s %s %s %s" % ((broker.name,) + self.will))
        self.conn = None

    # -- packets --------------------------------------------------------------------------------------------

    def _packet(self, packet, at):
        kind = packet[0] >> 4
        if kind == _CONNECT and self.client_id is None:
            self._connect(packet, at)
        elif self.client_id is None:
            self.broken("packet %02X before CONNECT" % packet[0])
        elif kind == _PUBLISH:
            self._publish(packet, at)
        elif kind == _PINGREQ and len(packet) == 2 and packet[0] == 0xC0:
            if self.broker.fault != "no_pingresp":
                self._answer(bytes((_PINGRESP << 4, 0)))
        elif kind == _DISCONNECT:
            self.will = None
            self.end("disconnect")
        else:
            self.broken("packet %02X" % packet[0])

    def _connect(self, packet, at):
        broker = self.broker
        fields = _Fields(packet, at)
        head = fields.take(8)
        if packet[0] != 0x10 or head[:7] != b"\0\x04MQTT\x04":
            return self.broken("no MQTT 3.1.1")
        flags = head[7]
        self._keepalive_s = fields.number()
        client_id = fields.text()
        if flags & 4:
            topic, message = fields.text(), fields.text()
            self.will = (topic, "r" if flags & 0x20 else "-", message)
        for bit in (0x80, 0x40):
            if flags & bit:
                fields.text()
        if not fields.is_end or flags & 1 or not flags & 2:
            return self.broken("CONNECT")
        code = broker.param if broker.fault == "connack" else 0
        if broker.fault in ("no_connack", "close") or code:
            self.will = None
        if broker.fault == "no_connack":
            return None
        if broker.fault == "close":
            return self.end("told to")
        self._answer(bytes((_CONNACK << 4, 2, 0, code)))
        if code:
            broker.world.call_in(_ANSWER_US[1] * 2, self.end, "refused")
            return None
        self.client_id = client_id
        old = broker.sessions.get(client_id)
        if old:
            old.conn.end()
            old.lost("taken over")
        broker.sessions[client_id] = self
        broker.world.say("session %s open" % broker.name)
        self._touch()
        self._watch()
        if broker.fault == "unasked":
            self._send(_put_publish("metergate/noise", broker.param))
        return None

    def _publish(self, packet, at):
        broker = self.broker
        fields = _Fields(packet, at)
        topic = fields.text()
        qos = packet[0] >> 1 & 3
        packet_id = fields.number() if qos else 0
        if qos != 1 or not packet_id or not topic or "+" in topic or "#" in topic:
            return self.broken("PUBLISH at QoS %d, id %d, to %s" % (qos, packet_id, topic))
        broker.n_messages += 1
        broker.message_us = broker.world.now_us
        forgets = broker.fault == "forget" and broker.n_messages % broker.param == 0
        payload = str(fields.rest(), "utf-8")
        line = (broker.name, topic, "r" if packet[0] & 1 else "-", payload)
        broker.world.say(("f" if forgets else "m") + " %s %s %s %s" % line)
        return None if forgets else self._acknowledge(packet_id)

    def _acknowledge(self, packet_id):
        broker = self.broker
        fault = broker.fault
        if fault == "no_puback":
            return
        if fault == "unknown_id":
            packet_id = packet_id % 65535 + 1
        answer = bytes((_PUBACK << 4, 2, packet_id >> 8, packet_id & 0xFF))
        if fault == "shuffle":
            if not self._shuffled:
                broker.world.call_in(_SHUFFLE_US, self._unshuffle)
            self._shuffled.append(answer)
            return
        if fault == "late_puback":
            broker.world.call_in(broker.param * 1000000, self._send, answer)
            return
        self._answer(answer)
        if fault == "twice":
            self._answer(answer)

    def _unshuffle(self):
        answers, self._shuffled = self._shuffled, []
        for answer in reversed(answers):
            self._send(answer)

    # -- answers --------------------------------------------------------------------------------------------

    def _answer(self, packet):
        low, high = _ANSWER_US
        self.broker.world.call_in(low + self.broker.random.below(high - low), self._send, packet)

    def _send(self, packet):
        if not self.is_open:
            return
        if self._rest:
            self._rest += packet
        elif self.broker.fault == "half":
            half = 1 + self.broker.random.below(len(packet) - 1)
            self.conn.send(packet[:half])
            self._rest = packet[half:]
            self.broker.world.call_in(_HALF_US, self._send_rest)
        else:
            self.conn.send(packet)

    def _send_rest(self):
        data, self._rest = self._rest, b""
        if self.is_open:
            self.conn.send(data)

    # -- keep-alive -----------------------------------------------------------------------------------------

    def _touch(self):
        if self.client_id is not None:
            self._limit_us = self.broker.world.now_us + self._keepalive_s * 1500000

    def _watch(self):
        """MQTT 3.1.1, 3.1.2.10: silence for one and a half keep-alive times ends the connection."""
        if not self.is_open or not self._keepalive_s:
            return
        world = self.broker.world
        if world.now_us >= self._limit_us:
            self.conn.end(False)
            self.lost("silent")
        else:
            world.call_at(self._limit_us, self._watch)


class _Fields:
    """Reads a packet from left to right; what is missing at its end is empty."""

    def __init__(self, packet, at):
        self._packet = packet
        self._at = at

    @property
    def is_end(self):
        return self._at == len(self._packet)

    def take(self, n):
        found = self._packet[self._at : self._at + n]
        self._at += n
        return found

    def number(self):
        found = self.take(2)
        return found[0] << 8 | found[1] if len(found) == 2 else 0

    def text(self):
        return str(self.take(self.number()), "utf-8")

    def rest(self):
        return self.take(len(self._packet))


def _put_publish(topic, n_bytes):
    """A retained PUBLISH at QoS 0 with a message of n_bytes."""
    body = bytes((len(topic) >> 8, len(topic) & 0xFF)) + topic.encode() + b"x" * n_bytes
    head = bytearray((0x31,))
    n = len(body)
    while n > 127:
        head.append(n & 127 | 128)
        n >>= 7
    head.append(n)
    return bytes(head) + body


class NameServer:
    """NameServer(world, hosts): answers A questions. fault: "silent", "no_such_name", "garbage" or ""."""

    def __init__(self, world, hosts):
        self.world = world
        self.hosts = hosts
        self.fault = ""

    def datagram(self, data, reply):
        if self.fault == "silent":
            return
        labels = []
        at = 12
        while data[at]:
            labels.append(str(data[at + 1 : at + 1 + data[at]], "ascii"))
            at += 1 + data[at]
        address = self.hosts.get(".".join(labels))
        if self.fault == "garbage":
            reply(data[:2] + b"\x81\x80" + data[4:20])
        elif self.fault == "no_such_name" or not address:
            reply(data[:2] + b"\x81\x83" + data[4:])
        else:
            answer = b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04" + bytes(int(part) for part in address.split("."))
            reply(data[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0" + data[12:] + answer)


class TimeServer:
    """TimeServer(world): SNTP. fault: "silent", "wrong" by param seconds, "unsynchronised", "kiss" or "".

    An answer that may be believed is a line `ntp answers` of the trace."""

    _TO_1900_S = 2208988800

    def __init__(self, world):
        self.world = world
        self.fault = ""
        self.param = 0

    def datagram(self, data, reply):
        if self.fault == "silent":
            return
        if self.fault in ("", "wrong"):
            self.world.say("ntp answers")
        answer = bytearray(48)
        answer[0] = 0xE4 if self.fault == "unsynchronised" else 0x24
        answer[1] = 0 if self.fault == "kiss" else 2
        answer[24:32] = data[40:48]
        now_us = self.world.now_us
        second = self.world.start_s + now_us // 1000000 + self._TO_1900_S + (self.param if self.fault == "wrong" else 0)
        # 32 bits of fraction; the lower 16 stay 0.
        fraction = now_us % 1000000 * 65536 // 1000000
        answer[40:44] = (second & 0xFFFFFFFF).to_bytes(4, "big")
        answer[44:46] = fraction.to_bytes(2, "big")
        reply(bytes(answer))
