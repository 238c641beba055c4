"""Host name -> address, without blocking: one small UDP resolver, since getaddrinfo stops the whole loop.

A records of RFC 1035 only. Answers are kept until a session fails.
"""

import asyncio
import os
import socket

from micropython import const

from firmware.errors import LinkDown
from firmware.texts import is_address

_PORT = const(53)
_WAIT_MS = const(2000)
_NAP_MS = const(20)
_MOST_BYTES = const(512)
_TYPE_A = const(1)


def put_query(query_id, host):
    """The bytes of a question for the host's address. ValueError if it is no host name."""
    out = bytearray((query_id >> 8, query_id & 0xFF, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    for label in host.rstrip(".").split("."):
        # Names beyond ASCII go over the wire in another form (RFC 5891), which nobody has asked for yet.
        if not 1 <= len(label) <= 63 or any(ord(c) > 127 for c in label):
            raise ValueError(host)
        out.append(len(label))
        out.extend(label.encode())
    out.extend(b"\0\0\x01\0\x01")
    return out


def address_of(answer, query):
    """The first address in an answer to query, '' if it holds none, None if it is no answer to this query."""
    if len(answer) < len(query) or answer[:2] != query[:2] or not answer[2] & 0x80:
        return None
    # The question comes back as it was asked: a forged answer has to guess the 16 bits and the port.
    if answer[12 : len(query)] != query[12:]:
        return None
    at = len(query)
    try:
        for _ in range(answer[6] << 8 | answer[7]):
            at = _after_name(answer, at)
            kind, size = answer[at] << 8 | answer[at + 1], answer[at + 8] << 8 | answer[at + 9]
            at += 10
            if kind == _TYPE_A and size == 4:
                return "%d.%d.%d.%d" % tuple(answer[at : at + 4])
            at += size
    except (IndexError, TypeError):
        return None
    return ""


def _after_name(answer, at):
    """The offset behind a name: labels, or a pointer."""
    while answer[at]:
        if answer[at] & 0xC0 == 0xC0:
            return at + 2
        at += 1 + answer[at]
    return at + 1


class Names:
    """Names(servers): servers() gives the name servers' addresses now in force, port 53 unless `host:port`."""

    def __init__(self, servers):
        self._servers = servers
        self._known = {}

    def forget(self, host):
        """Ask again next time: what is known did not work."""
        self._known.pop(host, None)

    async def resolve(self, host):
        """The host's IPv4 address as text. LinkDown("name", cause) if no server answers."""
        if is_address(host):
            return host
        if host == "localhost":
            # RFC 6761, 6.3: never asked of a server.
            return "127.0.0.1"
        if host not in self._known:
            cause = "no name server"
            for server in self._servers():
                cause = await self._ask(server, host)
                if host in self._known:
                    break
            else:
                raise LinkDown("name", cause)
        return self._known[host]

    async def _ask(self, server, host):
        """Ask one server; its answer goes to _known. Returns the cause if there is none."""
        address, _, port = server.partition(":")
        try:
            query = put_query(int.from_bytes(os.urandom(2), "big"), host)
            answer = await exchange_udp(address, int(port or _PORT), query, lambda data: address_of(data, query) is not None)
        except OSError as error:
            return "os error %d" % error.args[0]
        except ValueError:
            return "not a host name"
        if answer is None:
            return "no answer"
        found = address_of(answer, query)
        if not found:
            return "no such name"
        self._known[host] = found
        return ""


async def exchange_udp(address, port, request, fits):
    """Send a datagram and return the first answer that fits(answer), or None after 2 s. OSError from the socket."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        # A numeric address: getaddrinfo has nothing to ask and does not block.
        sock.connect(socket.getaddrinfo(address, port)[0][-1])
        sock.send(request)
        for _ in range(_WAIT_MS // _NAP_MS):
            await asyncio.sleep_ms(_NAP_MS)
            try:
                answer = sock.recv(_MOST_BYTES)
            except OSError:
                # EAGAIN: nothing yet; a refused port shows here too, and another server may be asked after the wait.
                continue
            if answer and fits(answer):
                return answer
        return None
    finally:
        sock.close()
