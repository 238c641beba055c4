"""A real MQTT broker with TLS on the loopback: mosquitto, or amqtt where there is none."""

import getpass
import os
import socket
from pathlib import Path

from metergate.onpc import ROOT
from metergate.processes import Process, free_port, wait_for

# `user`: started by root, mosquitto would otherwise give up the right to read its key.
_MOSQUITTO = """user {user}
listener {port} 127.0.0.1
allow_anonymous {anonymous}
cafile {certs}/ca.pem
certfile {certs}/server.pem
keyfile {certs}/server.key
max_inflight_messages 0
max_queued_messages 0
log_type error
log_type warning
"""

_AMQTT = """listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{port}
    ssl: true
    cafile: {certs}/ca.pem
    certfile: {certs}/server.pem
    keyfile: {certs}/server.key
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: {anonymous}
"""


class Broker(Process):
    """Broker(folder, certs): keeps its port over kill() and start(). certs: a folder of make_certificates.
    anonymous False: everybody is refused, since it knows no user."""

    def __init__(self, folder, certs, anonymous=True):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.kind = os.environ.get("METERGATE_BROKER") or (ROOT / "build" / "broker").read_text().strip()
        file = folder / ("mosquitto.conf" if self.kind == "mosquitto" else "amqtt.yaml")
        file.write_text(
            (_MOSQUITTO if self.kind == "mosquitto" else _AMQTT).format(
                port=self.port, certs=certs, user=getpass.getuser(), anonymous=str(anonymous).lower()
            )
        )
        venv = ROOT / "build" / "venv" / "bin"
        program = ROOT / "build" / "bin" / "mosquitto" if self.kind == "mosquitto" else venv / "amqtt"
        super().__init__([program, "-c", file], folder / "broker.log")

    def start(self):
        super().start()
        wait_for(self._answers, 20, f"broker {self.kind} (its output: {self.log})")
        return self

    def _answers(self):
        if not self.is_running:
            raise RuntimeError(f"broker {self.kind} ended: {Path(self.log).read_text()[-300:]}")
        with socket.socket() as sock:
            sock.settimeout(1)
            return sock.connect_ex(("127.0.0.1", self.port)) == 0
