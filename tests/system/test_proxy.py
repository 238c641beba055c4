"""The fault proxy before anything is tested with it: each fault does what it says, measured from both ends."""

import contextlib
import hashlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from metergate.faults import FAULTS
from metergate.onpc import ROOT
from metergate.pipe import STALLS, Places
from metergate.processes import free_port, wait_for
from metergate.proxy import Proxy

_SOON_S = 5


class Server:
    """A TCP server on the loopback, with TLS if there is a context: serve(sock) in a thread for each connection.

    A connection's OSError stands in errors."""

    def __init__(self, serve, context=None):
        self.errors = []
        self._serve = serve
        self._context = context
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._sock.accept()
                threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock):
        sock.settimeout(20)
        try:
            with self._context.wrap_socket(sock, server_side=True) if self._context else sock as wrapped:
                self._serve(wrapped)
        except OSError as error:
            self.errors.append(error)

    def close(self):
        # Closed alone, it would go on accepting in the other thread.
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def _echo(sock):
    while data := sock.recv(65536):
        sock.sendall(data)


@pytest.fixture
def echo(own):
    return own(Server(_echo))


@pytest.fixture
def proxy(own, echo):
    """A healthy proxy before an echo."""
    return own(Proxy(echo.port))


@pytest.fixture
def dial(own):
    """dial(proxy) -> a connected socket."""

    def connect(to, seconds=_SOON_S):
        return own(socket.create_connection(("127.0.0.1", to.port), timeout=seconds))

    return connect


def _received(sock, n):
    """n bytes; EOFError if the stream ends before."""
    data = b""
    while len(data) < n:
        piece = sock.recv(min(65536, n - len(data)))
        if not piece:
            raise EOFError
        data += piece
    return data


def _trip_s(sock, n=1):
    """Seconds until n bytes have come back."""
    begun = time.monotonic()
    sock.sendall(bytes(n))
    _received(sock, n)
    return time.monotonic() - begun


def _silent(sock, seconds):
    """True if nothing comes, not even the end."""
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(_SOON_S)
    return False


# -- healthy ------------------------------------------------------------------------------------------------


def test_a_healthy_proxy_passes_everything_unchanged_and_counts_it(own, dial):
    body = hashlib.shake_256(b"any").digest(2_000_000)

    def digest(sock):
        heard = b""
        while data := sock.recv(65536):
            heard += data
        sock.sendall(hashlib.sha256(heard).digest() + heard[:5000])

    proxy = own(Proxy(own(Server(digest)).port))
    sock = dial(proxy)
    sock.sendall(body)
    # The end of one direction passes alone: the answer comes after it.
    sock.shutdown(socket.SHUT_WR)
    assert _received(sock, 5032) == hashlib.sha256(body).digest() + body[:5000]
    assert sock.recv(1) == b""
    wait_for(lambda: proxy.connections[0].is_over, 2, "the end")
    found = proxy.connections[0]
    assert (found.n_up, found.n_down, found.end) == (2_000_000, 5032, "gateway closed")
    assert (proxy.n_connections, proxy.n_up, proxy.n_down) == (1, 2_000_000, 5032)
    assert 0 <= found.left_s < _SOON_S


def test_a_hundred_connections_at_a_time(proxy, dial):
    socks = [dial(proxy) for _ in range(100)]
    for sock in socks:
        sock.sendall(b"ping")
    assert all(_received(sock, 4) == b"ping" for sock in socks)
    assert proxy.n_connections == 100


def test_a_side_that_resets_resets_the_other(own, dial):
    def reset(sock):
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    proxy = own(Proxy(own(Server(reset)).port))
    sock = dial(proxy)
    with pytest.raises(ConnectionResetError):
        _trip_s(sock)
    assert proxy.connections[0].end == "target reset"


def test_a_target_that_is_down_resets(own, dial):
    proxy = own(Proxy(free_port()))
    with pytest.raises(ConnectionResetError):
        _trip_s(dial(proxy))
    assert proxy.connections[0].end == "target refused"


def test_close_ends_connections_and_the_thread_and_may_come_twice(proxy, dial):
    sock = dial(proxy)
    _trip_s(sock)
    n_threads = threading.active_count()
    proxy.close()
    proxy.close()
    proxy.set_open(True)
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    assert threading.active_count() < n_threads
    with pytest.raises(ConnectionRefusedError):
        dial(proxy)


# -- time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction, expected_s", [("up", 0.15), ("down", 0.15), ("both", 0.3)])
def test_delay(proxy, dial, direction, expected_s):
    sock = dial(proxy)
    proxy.delay(150, direction=direction)
    trips = sorted(_trip_s(sock) for _ in range(4))
    assert expected_s - 0.002 <= trips[0] <= trips[1] < expected_s + 0.02
    proxy.reset()
    assert min(_trip_s(sock) for _ in range(3)) < 0.02


def test_jitter_keeps_the_order_and_is_the_same_for_a_seed(own, echo, dial):
    def trips(seed):
        proxy = own(Proxy(echo.port, seed))
        proxy.delay(20, jitter_ms=200, direction="up")
        sock = dial(proxy)
        return [_trip_s(sock) for _ in range(6)]

    first, again, other = trips(7), trips(7), trips(8)
    # One of them may come late on a busy machine.
    assert sum(abs(a - b) < 0.02 for a, b in zip(first, again)) >= 5
    assert sum(abs(a - b) < 0.02 for a, b in zip(first, other)) < 5
    assert min(first) >= 0.018 and sorted(first)[-2] < 0.24 and max(first) - min(first) > 0.05

    proxy = own(Proxy(echo.port))
    proxy.delay(0, jitter_ms=100)
    sock = dial(proxy)
    sent = b"".join(b"%06d" % i for i in range(200))
    for at in range(0, len(sent), 60):
        sock.sendall(sent[at : at + 60])
        time.sleep(0.005)
    assert _received(sock, len(sent)) == sent


@pytest.mark.parametrize("rate, n", [(200, 200), (2000, 2500), (20000, 20000), (1000000, 1500000)])
def test_rate(own, dial, rate, n):
    heard = []

    def measure(sock):
        _received(sock, n)
        heard.append(time.monotonic())
        sock.sendall(bytes(n))

    proxy = own(Proxy(own(Server(measure)).port))
    proxy.rate(rate)
    sock = dial(proxy)
    begun = time.monotonic()
    sock.sendall(bytes(n))
    _received(sock, n)
    up_s, down_s = heard[0] - begun, time.monotonic() - heard[0]
    assert n / rate * 0.9 < up_s < n / rate * 1.1
    assert n / rate * 0.9 < down_s < n / rate * 1.1


def test_a_limited_rate_is_felt_by_the_sender(proxy, dial):
    proxy.rate(100000, "up")
    sock = dial(proxy)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    begun = time.monotonic()
    sock.sendall(bytes(150000))
    # No more than the kernels' small buffers are ahead.
    assert 0.7 < time.monotonic() - begun < 1.6


def test_rate_and_delay_together(proxy, dial):
    proxy.rate(20000, "up")
    proxy.delay(300, direction="up")
    sock = dial(proxy)
    # The bytes follow each other through the delay: it is paid once.
    assert 0.75 < _trip_s(sock, 10000) < 0.88


# -- silence ----------------------------------------------------------------------------------------------------


def test_hold_passes_nothing_and_then_everything(proxy, dial):
    sock = dial(proxy)
    _trip_s(sock)
    proxy.hold()
    sock.sendall(b"held")
    sock.shutdown(socket.SHUT_WR)
    assert _silent(sock, 0.5)
    assert proxy.n_up == 1
    proxy.reset()
    assert _received(sock, 4) == b"held" and sock.recv(1) == b""


def test_hold_for_a_while(proxy, dial):
    sock = dial(proxy)
    proxy.hold("down", for_s=0.5)
    assert 0.4 < _trip_s(sock) < 0.6
    assert _trip_s(sock) < 0.1


def test_a_hold_that_was_reset_does_not_end_the_next_one(proxy, dial):
    sock = dial(proxy)
    proxy.hold(for_s=0.2)
    proxy.reset()
    proxy.hold()
    sock.sendall(b"x")
    assert _silent(sock, 0.5)


@pytest.mark.parametrize("n", [0, 1, 1000, 70000])
def test_hold_after_exactly_n_bytes(proxy, dial, n):
    proxy.hold("down", after_bytes=n)
    sock = dial(proxy)
    sock.sendall(bytes(100000))
    _received(sock, n)
    assert _silent(sock, 0.2)
    assert proxy.n_down == n
    proxy.reset()
    _received(sock, 100000 - n)


def test_black_hole_that_accepts(proxy, echo, dial):
    old = dial(proxy)
    _trip_s(old)
    proxy.black_hole()
    old.sendall(b"old")
    begun = time.monotonic()
    new = dial(proxy)
    assert time.monotonic() - begun < 0.5
    new.sendall(b"new")
    assert _silent(old, 0.3) and _silent(new, 0.3)
    assert proxy.n_up == 1
    # As a network that comes back: TCP has kept it all.
    proxy.reset()
    assert _received(old, 3) == b"old" and _received(new, 3) == b"new"


def test_black_hole_that_does_not_accept(proxy, dial):
    old = dial(proxy)
    _trip_s(old)
    proxy.black_hole(accepting=False)
    old.sendall(b"old")
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        dial(proxy, 2)
    assert time.monotonic() - begun >= 2
    assert _silent(old, 0.1)
    # A SYN is repeated after 1 s and after 3 s: a connect that waits gets through when the network is back.
    threading.Timer(0.5, proxy.reset).start()
    begun = time.monotonic()
    _trip_s(dial(proxy))
    assert 0.5 < time.monotonic() - begun < 3.5
    assert _received(old, 3) == b"old"
    assert proxy.n_connections == 2, "the proxy's own connections are not counted"


def test_one_fault_after_another_on_one_port(proxy, dial):
    for _ in range(2):
        proxy.black_hole(accepting=False)
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            dial(proxy)
        proxy.black_hole(accepting=False)
        with pytest.raises(TimeoutError):
            dial(proxy, 0.3)
        proxy.black_hole()
        sock = dial(proxy)
        proxy.reset()
        _trip_s(sock)


# -- ends ---------------------------------------------------------------------------------------------------------


def test_drop_ends_connections_by_fin_at_times_of_the_seed(own, echo, dial):
    def lives(seed):
        proxy = own(Proxy(echo.port, seed))
        proxy.drop_connections(100, 600)
        begun, socks = time.monotonic(), [dial(proxy) for _ in range(4)]
        found = []
        for sock in socks:
            # Under way when it ends: still a FIN and no RST.
            sock.sendall(b"x")
        for sock in socks:
            assert _received(sock, 1) == b"x" and sock.recv(1) == b""
            found.append(time.monotonic() - begun)
            sock.close()
        wait_for(lambda: all(c.end for c in proxy.connections), 2, "the end")
        assert {c.end for c in proxy.connections} == {"dropped"}
        return [connection._life for connection in proxy.connections], found

    first, again, other = lives(3), lives(3), lives(4)
    assert first[0] == again[0] and not set(first[0]) & set(other[0])
    assert 0.1 <= first[1][0] < 0.65
    assert all(abs(a - b) < 0.1 for a, b in zip(first[1], again[1]))


@pytest.mark.parametrize("n, count, passed", [(0, "both", 0), (1, "up", 1), (999, "down", 999), (1500, "both", 1500)])
def test_reset_after_exactly_n_bytes_on_both_sides(proxy, echo, dial, n, count, passed):
    proxy.reset_after(n, count)
    with pytest.raises(ConnectionResetError):
        # After 0 bytes a connect may fail already.
        sock = dial(proxy)
        while True:
            _trip_s(sock, 100)
    found = proxy.connections[0]
    wait_for(lambda: found.is_over, 2, "the end")
    assert {"up": found.n_up, "down": found.n_down, "both": found.n_up + found.n_down}[count] == passed
    assert found.end == "reset"
    if passed:
        wait_for(lambda: echo.errors, 2, "the target's end")
        assert isinstance(echo.errors[0], ConnectionResetError)


def test_what_passed_before_a_reset_has_arrived(proxy, dial):
    proxy.reset_after(700, "down")
    sock = dial(proxy)
    sock.sendall(bytes(1000))
    assert len(_received(sock, 700)) == 700
    with pytest.raises(ConnectionResetError):
        sock.recv(1)


def test_refused_and_the_port_is_kept(proxy, dial):
    sock = dial(proxy)
    _trip_s(sock)
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    with pytest.raises(ConnectionRefusedError):
        dial(proxy)
    with socket.socket() as other, pytest.raises(OSError):
        other.bind(("127.0.0.1", proxy.port))
    proxy.reset()
    _trip_s(dial(proxy))


def test_shut_and_open(proxy, dial):
    sock = dial(proxy)
    _trip_s(sock)
    proxy.set_open(False)
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    with pytest.raises(ConnectionResetError):
        # It may be over before connect returns.
        dial(proxy).recv(1)
    wait_for(lambda: len(proxy.connections) == 2, 2, "the second one")
    assert [connection.end for connection in proxy.connections] == ["shut", "shut"]
    proxy.set_open(True)
    _trip_s(dial(proxy))


def test_faults_add_up(proxy, dial):
    proxy.delay(100)
    proxy.reset_after(3000)
    proxy.rate(10000, "down")
    sock = dial(proxy)
    assert 0.28 < _trip_s(sock, 1000) < 0.4
    with pytest.raises(ConnectionResetError):
        _trip_s(sock, 1000)
    assert proxy.connections[0].n_up + proxy.connections[0].n_down == 3000


# -- TLS ------------------------------------------------------------------------------------------------------------


_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# Where it stands: (the client has read, the server has read, who has written a Finished that did not arrive).
_STANDS = {
    "client hello": {"": ([], [])},
    "server hello": {"": ([], ["CLIENT_HELLO"])},
    "certificate": {"": (["SERVER_HELLO"], ["CLIENT_HELLO"])},
    "client finished": {"1.2": (None, ["CLIENT_HELLO", "CLIENT_KEY_EXCHANGE"]), "1.3": (None, ["CLIENT_HELLO"])},
    "server finished": {
        "1.2": (
            ["SERVER_HELLO", "CERTIFICATE", "SERVER_KEY_EXCHANGE", "SERVER_DONE", "NEWSESSION_TICKET"],
            ["CLIENT_HELLO", "CLIENT_KEY_EXCHANGE", "FINISHED"],
        ),
        "1.3": (["SERVER_HELLO"], ["CLIENT_HELLO"]),
    },
}


def _told(context, version):
    """Limit a context to a version; {"read": [..], "write": [..]} of the handshake messages it will see."""
    context.minimum_version = context.maximum_version = _VERSIONS[version]
    seen = {"read": [], "write": []}

    def note(_, direction, _version, kind, message, _data):
        if kind.name == "HANDSHAKE":
            seen[direction].append(message.name)

    # Private, and made for such looks: the messages as OpenSSL itself sees them, not as the proxy counts records.
    context._msg_callback = note
    return seen


@pytest.fixture
def tls(own, certs):
    """tls(version) -> (proxy, client's context, what the client sees, what the server sees)."""

    def make(version):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certs / "server.pem", certs / "server.key")
        client = ssl.create_default_context(cafile=certs / "ca.pem")
        seen = _told(client, version), _told(server, version)
        return own(Proxy(own(Server(_echo, server)).port)), client, *seen

    return make


@pytest.mark.parametrize("version", _VERSIONS)
@pytest.mark.parametrize("place", STALLS)
def test_a_handshake_stalls_at_its_place_and_goes_on(tls, dial, place, version):
    proxy, context, at_client, at_server = tls(version)
    proxy.stall_tls(place)
    sock = context.wrap_socket(dial(proxy), server_hostname="localhost", do_handshake_on_connect=False)
    sock.settimeout(0.4)
    stands = _STANDS[place].get(version) or _STANDS[place][""]
    if (place, version) == ("client finished", "1.3"):
        # The client of TLS 1.3 has all it needs: it waits for the first answer.
        sock.do_handshake()
        sock.sendall(b"x")
        with pytest.raises(TimeoutError):
            sock.recv(1)
    else:
        with pytest.raises(TimeoutError):
            sock.do_handshake()
    if stands[0] is not None:
        assert at_client["read"] == stands[0]
    assert at_server["read"] == stands[1]
    assert place != "client finished" or "FINISHED" in at_client["write"]
    assert place != "server finished" or "FINISHED" in at_server["write"]
    proxy.reset()
    sock.settimeout(_SOON_S)
    sock.do_handshake()
    _trip_s(sock)


def test_a_session_that_stands_is_not_stalled_and_other_streams_are_not_tls(tls, proxy, dial):
    secure, context, _, _ = tls("1.2")
    sock = context.wrap_socket(dial(secure), server_hostname="localhost")
    plain = dial(proxy)
    for place in STALLS:
        secure.stall_tls(place)
        _trip_s(sock, 3000)
    for place in ("certificate", "client finished", "server finished"):
        proxy.stall_tls(place)
        _trip_s(plain, 3000)


@pytest.mark.parametrize("step", [1, 2, 7, 4096])
def test_places_are_found_in_pieces_of_any_size(step):
    hello = b"\x16\3\3\0\x08" + b"\2\0\0\4abcd"
    rest = b"\x16\3\3\0\x05" + b"\x0b\0\0\1c" + b"\x15\3\3\0\2\0\0" + b"\x14\3\3\0\1\1" + b"\x16\3\3\0\3xyz"
    found = {}
    for direction in ("up", "down"):
        places = Places(direction)
        for at in range(0, len(hello + rest), step):
            places.see((hello + rest)[at : at + step])
        found.update(places.offset)
    assert found == {
        "client hello": 0,
        "server hello": 0,
        "certificate": 13,
        "server finished": 13 + 10 + 7,
        "client finished": 13 + 10 + 7 + 6,
    }


# -- by name --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAULTS)
def test_every_named_fault_can_be_set_and_taken_away(proxy, dial, name):
    sock = dial(proxy)
    _trip_s(sock)
    FAULTS[name][0](proxy)
    proxy.reset()
    assert _trip_s(dial(proxy)) < 1


def test_the_command_tells_what_becomes_of_connections(own, echo):
    port = free_port()
    command = [sys.executable, "-m", "metergate", "proxy", "--listen", str(port), "--target", str(echo.port)]
    child = subprocess.Popen([*command, "--fault", "reset"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert child.stdout.readline() == f"127.0.0.1:{port} -> port {echo.port}: {FAULTS['reset'][1]}; Ctrl-C ends\n"
        with socket.create_connection(("127.0.0.1", port), timeout=_SOON_S) as sock, pytest.raises(ConnectionResetError):
            while True:
                _trip_s(sock, 500)
        assert child.stdout.readline() == "connection 1: reset, 2000 bytes up, 2000 down\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(5) == 130
    finally:
        child.kill()
        child.stdout.close()


def test_the_command_lists_its_faults():
    command = [sys.executable, "-m", "metergate", "proxy", "--fault"]
    listed = subprocess.run([*command, "list"], capture_output=True, text=True, timeout=20, cwd=ROOT, check=False)
    assert listed.returncode == 0 and all(what in listed.stdout for _, what in FAULTS.values())
    wrong = subprocess.run([*command, "flood"], capture_output=True, text=True, timeout=20, cwd=ROOT, check=False)
    assert wrong.returncode == 2 and wrong.stderr == listed.stdout
