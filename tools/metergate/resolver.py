"""UDP servers on the loopback, and name servers that answer well, late, wrongly or never."""

import socket
import threading

_NO_SUCH_NAME = 3
_SERVER_FAILURE = 2


class Udp:
    """Udp(reply): reply(request) -> bytes, a list of them, or None; on `address` (host:port), until close().

    after_s: an answer comes so much later; further requests wait meanwhile."""

    def __init__(self, reply, after_s=0):
        self.n_requests = 0
        self.reply = reply
        self.after_s = after_s
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.settimeout(0.2)
        self.address = "127.0.0.1:%d" % self._sock.getsockname()[1]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._closed.is_set():
            try:
                request, peer = self._sock.recvfrom(512)
            except (TimeoutError, ConnectionError):
                # ConnectionError: an answer found nobody, who has given up waiting.
                continue
            self.n_requests += 1
            replies = self.reply(request)
            if self.after_s:
                self._closed.wait(self.after_s)
            for reply in [replies] if isinstance(replies, bytes) else replies or []:
                self._sock.sendto(reply, peer)

    def close(self):
        self._closed.set()
        self._thread.join(2)
        self._sock.close()


def dns_reply(request, name="broker.test", address="127.0.0.1"):
    """An answer that knows one name alone: a CNAME first, then its address."""
    asked = b"".join(bytes([len(label)]) + label for label in name.encode().split(b".")) + b"\0"
    if asked not in request:
        return dns_refusal(request, _NO_SUCH_NAME)
    cname = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\7\4real\xc0\x0c"
    found = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address)
    return request[:2] + b"\x81\x80\0\1\0\2\0\0\0\0" + request[12:] + cname + found


def dns_refusal(request, code=_SERVER_FAILURE):
    return request[:2] + bytes([0x81, 0x80 | code]) + b"\0\1\0\0\0\0\0\0" + request[12:]


def _other_id(request):
    return bytes([request[0] ^ 1]) + request[1:]


def _other_name(request):
    return request[:12] + request[12:].replace(b"broker", b"brokes")


# Answers that must not be used: name -> function(request).
WRONG_REPLIES = {
    "silence": lambda request: None,
    "empty": lambda request: b"",
    "the question back": lambda request: request,
    "another id": lambda request: dns_reply(_other_id(request), address="127.0.0.9"),
    "another question": lambda request: dns_reply(request, address="127.0.0.9")[:12] + _other_name(request)[12:] + b"\xc0\x0c",
    "cut short": lambda request: dns_reply(request)[:-3],
    "a pointer to itself": lambda request: request[:2] + b"\x81\x80\0\1\xff\xff\0\0\0\0" + request[12:] + b"\xc0\x1d" * 100,
    "noise": lambda request: bytes((i * 89 + len(request)) & 255 for i in range(512)),
    "many": lambda request: [dns_reply(_other_id(request))] * 200,
}
