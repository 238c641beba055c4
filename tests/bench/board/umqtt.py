"""umqtt.simple as it is mostly used: micropython umqtt.py ROOT PORT CA N: N readings over TLS, a publish at QoS 1 each."""

# The path is set before what is found by it.
# ruff: noqa: E402

import json
import sys

ROOT, PORT, CA, N = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
# Not this script's folder: its name is the library's.
sys.path[:] = ["", ".frozen", ROOT, ROOT + "/lib"]

import tls

from firmware.protocols import payload, record

_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
_START_S = 1795276800


class _Ussl:
    """The module `ussl` that umqtt.simple 1.3.4 imports, on `tls`."""

    @staticmethod
    def wrap_socket(sock, ca, server_hostname):
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED
        context.load_verify_locations(ca)
        return context.wrap_socket(sock, server_hostname=server_hostname)


sys.modules["ussl"] = _Ussl

from umqtt.simple import MQTTClient


def message(i):
    """What the gateway sends of a reading, without an envelope: the topic says whose it is."""
    slot, meter = divmod(i, 8)
    slot_s = _START_S + slot * 900
    values = (123456700 + slot * 25, 1000000 + slot * 7919 % 400000)
    return payload.reading(i + 1, record.Reading("meter%d" % (meter + 1), _POINTS, slot_s, slot_s + 1, 0, values))


with open(CA, "rb") as file:
    parameters = {"ca": file.read(), "server_hostname": "localhost"}
client = MQTTClient("peer", "127.0.0.1", PORT, keepalive=60, ssl=True, ssl_params=parameters)
client.connect()
for i in range(N):
    client.publish(b"bench/peer/meter%d" % (i % 8 + 1), message(i), qos=1)
client.disconnect()
print(json.dumps(N))
