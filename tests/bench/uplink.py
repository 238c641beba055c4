"""uplink.*: bytes on the wire for a reading, beside umqtt.simple through the same proxy to the same broker."""

import time

from metergate.pcgateway import twin
from metergate.processes import wait_for
from tests.bench.bed import Bed, need, run_on

_METERS = 8
_EVERY_S = 2
# Deliveries rest between the slots: so long without one means that a slot is over.
_REST_S = 0.5
_SETTLE_SLOTS = 3


def measure(say, slots=12):
    """The figure over so many slots of a session that stands."""
    need(twin(), "make twin")
    with Bed(_METERS, _EVERY_S, points=("energy_import", "power")) as bed:
        say(f"uplink: {slots} slots of {_METERS} meters")
        n_readings, n_bytes, n_messages = _ours(bed, slots)
        say("uplink: umqtt.simple")
        peer = _umqtt(bed, _METERS * slots)
    return {
        "uplink.bytes_per_reading": {
            "value": n_bytes / n_readings,
            "unit": "B",
            "peers": {"umqtt.simple": peer},
            "note": "readings in a message: %.3g" % (n_readings / n_messages),
            "readings_per_message": n_readings / n_messages,
        }
    }


def _ours(bed, slots):
    """(readings, bytes, messages) from one pause between slots to another."""
    gateway = bed.gateway()
    try:
        wait_for(lambda: bed.n_readings() >= _SETTLE_SLOTS * _METERS, 30, "readings")
        begun = _at_rest(bed)
        wait_for(lambda: bed.n_readings() - begun[0] >= slots * _METERS, 10 + 2 * slots * _EVERY_S, "slots")
        ended = _at_rest(bed)
    finally:
        gateway.stop()
    if len(bed.proxy.connections) != 1:
        raise RuntimeError("the session did not stand all the time")
    return tuple(last - first for first, last in zip(begun, ended))


def _at_rest(bed):
    """(readings, bytes, messages) so far, once nothing more comes for a while."""
    found = None
    while True:
        last, found = found, (bed.n_readings(), bed.proxy.n_up + bed.proxy.n_down, bed.receiver.n_messages)
        if found == last:
            return found
        time.sleep(_REST_S)


def _umqtt(bed, n):
    """Bytes per reading once connected: what n readings more take."""
    totals = []
    for count in (_METERS, _METERS + n):
        before = bed.proxy.n_up + bed.proxy.n_down
        run_on(twin(), "umqtt.py", bed.proxy.port, bed.certs / "ca.der", count, seconds=60)
        wait_for(lambda: all(connection.is_over for connection in list(bed.proxy.connections)), 10, "end of the connection")
        totals.append(bed.proxy.n_up + bed.proxy.n_down - before)
    return (totals[1] - totals[0]) / n
