"""The network's faults by name, for the tests, the bench, and for people who want to see how their gateway behaves."""

import sys
import time

from metergate.pipe import STALLS
from metergate.proxy import Proxy


def _stall(place):
    def set_fault(proxy):
        proxy.stall_tls(place)
        # A session that stands would not notice.
        proxy.cut()

    return set_fault


def _reset_after_4000(proxy):
    proxy.cut()
    proxy.reset_after(4000)


# name -> (function(proxy) that sets it on a healthy proxy, so that also a gateway with a session meets it at once; what it is).
FAULTS = {
    "none": (lambda proxy: None, "a healthy network"),
    "delay": (lambda proxy: proxy.delay(600, 400), "600 to 1000 ms each way, as over a satellite"),
    "slow": (lambda proxy: proxy.rate(2000), "2000 bytes a second each way"),
    "drop": (lambda proxy: proxy.drop_connections(1000, 5000), "connections end by FIN after 1 to 5 s"),
    "pause": (lambda proxy: proxy.hold(for_s=5), "connections stay open, nothing passes for 5 s, then it goes on"),
    "hold": (lambda proxy: proxy.hold(), "connections stay open, nothing passes any more"),
    "hold up": (lambda proxy: proxy.hold("up"), "nothing from the gateway passes any more"),
    "hold down": (lambda proxy: proxy.hold("down"), "nothing to the gateway passes any more: no acknowledgement comes"),
    "reset": (_reset_after_4000, "each connection is reset after 4000 bytes"),
    "refused": (lambda proxy: proxy.refuse(), "the port is closed"),
    "shut": (lambda proxy: proxy.set_open(False), "connections are accepted and ended at once"),
    "black hole": (lambda proxy: proxy.black_hole(), "connections are accepted and hear nothing"),
    "unanswered": (lambda proxy: proxy.black_hole(accepting=False), "no answer to a SYN"),
    **{f"stall {place}": (_stall(place), f"TLS: {what}") for place, (_, what) in STALLS.items()},
}


def _tell(connection):
    print(f"connection {connection.number}: {connection.end}, {connection.n_up} bytes up, {connection.n_down} down", flush=True)


def main(arguments):
    """Run the proxy with one fault until Ctrl-C, telling each connection that ends; the exit status."""
    if arguments.fault not in FAULTS:
        shown = sys.stdout if arguments.fault == "list" else sys.stderr
        print("\n".join(f"{name:24} {help}" for name, (_, help) in FAULTS.items()), file=shown)
        return 0 if arguments.fault == "list" else 2
    try:
        proxy = Proxy(arguments.target, arguments.seed, arguments.listen, arguments.address)
    except OSError as error:
        print(f"metergate: proxy: port {arguments.listen}: {error.strerror}", file=sys.stderr)
        return 1
    set_fault, what = FAULTS[arguments.fault]
    set_fault(proxy)
    print(f"{arguments.address}:{proxy.port} -> port {arguments.target}: {what}; Ctrl-C ends", flush=True)
    told = set()
    try:
        while True:
            for connection in list(proxy.connections):
                if connection.is_over and connection.number not in told:
                    told.add(connection.number)
                    _tell(connection)
            time.sleep(0.2)
    finally:
        proxy.close()
