"""The data centre's side: an independent MQTT client that keeps what gateways send and counts what comes twice."""

import json
import ssl
import threading
from decimal import Decimal

import paho.mqtt.client as mqtt

_RETRY_S = 0.1


class Receiver:
    """Receiver(port, ca, listening): subscribes to <prefix>/# on the loopback by TLS, for ever, until close().

    listening(bool) is told when the subscription stands and when it is gone. Under `lock`: seen {(gw, log, seq): element},
    n_duplicates, latest {meter: reading}, days [..], retained {topic: message}, n_messages."""

    def __init__(self, port, ca, listening=lambda on: None, prefix="metergate"):
        self.lock = threading.Lock()
        self.seen = {}
        self.n_duplicates = 0
        self.n_messages = 0
        self.latest = {}
        self.days = []
        self.events = []
        self.retained = {}
        self._port = port
        self._prefix = prefix
        self._listening = listening
        self._closed = threading.Event()
        client = self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        client.tls_set(ca_certs=str(ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.on_connect = lambda client, *_: client.subscribe(f"{prefix}/#", qos=1)
        client.on_subscribe = lambda *_: listening(True)
        client.on_disconnect = lambda *_: listening(False)
        client.on_message = self._take
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._closed.set()
        self._client.disconnect()
        self._thread.join(5)

    def _run(self):
        while not self._closed.is_set():
            try:
                self._client.connect("127.0.0.1", self._port, keepalive=10)
                while not self._closed.is_set() and self._client.loop(0.2) == mqtt.MQTT_ERR_SUCCESS:
                    pass
            except (OSError, ssl.SSLError):
                # The broker is down; it is asked again until it is back.
                self._listening(False)
            self._closed.wait(_RETRY_S)

    def _take(self, _client, _userdata, message):
        kind = message.topic.rsplit("/", 1)[1]
        body = json.loads(message.payload, parse_float=Decimal)
        with self.lock:
            self.n_messages += 1
            if kind == "readings":
                for element in body["r"]:
                    self._count(body, element)
            elif kind in ("daily", "event"):
                self._count(body, body)
            else:
                self.retained[message.topic[len(self._prefix) + 1 :]] = body

    def _count(self, body, element):
        key = (body["gw"], body["log"], element["seq"])
        if key in self.seen:
            self.n_duplicates += 1
            return
        self.seen[key] = element
        if "p" in element:
            latest = self.latest.get(element["m"])
            if latest is None or latest["s"] <= element["s"]:
                self.latest[element["m"]] = element
        elif "day" in element:
            self.days.append(element)
        elif "event" in element:
            self.events.append(element)
