"""A whole gateway on this machine for measuring: line, flash, TLS through the fault proxy, a real broker, a receiver."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from metergate.broker import Broker
from metergate.certificates import make_certificates
from metergate.onpc import ROOT
from metergate.pcgateway import Gateway, SimulatedLine, twin
from metergate.processes import wait_for
from metergate.proxy import Proxy
from metergate.receive import Receiver

PROFILES = ("sdm630", "sdm120", "dtsu666")
# As the boards' partition table has it: 1.25 MiB.
RING_BLOCKS = 320


class Unmeasured(Exception):
    """A figure that this machine cannot give, and why."""


def need(path, how):
    if not Path(path).exists():
        raise Unmeasured(f"no {Path(path).name}: {how}")
    return path


def run_on(program, script, *arguments, heap=None, seconds=300, cwd=None, before=()):
    """What a script of tests/bench/board prints as its last line, JSON. before: words in front of the program's."""
    options = ["-X", f"heapsize={heap}"] if heap else []
    words = [*before, program, *options, ROOT / "tests" / "bench" / "board" / script, ROOT, *arguments]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=seconds, check=False, cwd=cwd)
    if done.returncode:
        raise RuntimeError(f"{script}: {done.stderr[-2000:]}{done.stdout[-1000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def run_text(program, text):
    """What a line of MicroPython prints."""
    done = subprocess.run([str(program), "-c", text], capture_output=True, text=True, timeout=20, check=True)
    return done.stdout


def meter_plan(n, turnaround_us=2000):
    """The simulated line's meters: exact ones, three profiles in turn."""
    return [
        {
            "unit": i + 1,
            "profile": PROFILES[i % 3],
            "power_kw": 3.5 * (i + 1),
            "energy_kwh": 1000 * (i + 1),
            "served_by": "exact",
            "turnaround_us": turnaround_us,
        }
        for i in range(n)
    ]


def config(n_meters, every_s, port, settings="9600 8N1", points=(), gateway="gw-bench"):
    meters = [
        {
            "name": f"meter{i + 1}",
            "line": "A",
            "protocol": "modbus",
            "unit": i + 1,
            "profile": PROFILES[i % 3],
            "settings": settings,
            "every_s": every_s,
            "points": list(points),
        }
        for i in range(n_meters)
    ]
    uplink = {"name": "centre", "host": "localhost", "port": port, "ca": "ca.der"}
    return {
        "gateway": {"id": gateway, "zone": "CST-8"},
        "network": {"kind": "wifi", "ssid": "plant"},
        "lines": [{"name": "A", "uart": 1, "tx": 17, "rx": 16, "de": 4}],
        "meters": meters,
        "uplinks": [uplink],
    }


class Bed:
    """Bed(n_meters, every_s, settings, points): broker, proxy, receiver and line. Use with `with`.

    points: of each meter; none: its profile's own."""

    def __init__(self, n_meters, every_s, settings="9600 8N1", points=()):
        self.folder = Path(tempfile.mkdtemp(prefix="metergate-bench-"))
        self.n_meters = n_meters
        self.every_s = every_s
        self.settings = settings
        self.points = points
        self._parts = []
        self._n_gateways = 0

    def __enter__(self):
        self.certs = make_certificates(self.folder / "certs")
        self.broker = self.keep(Broker(self.folder / "broker", self.certs)).start()
        self.proxy = self.new_proxy()
        listening = []
        self.receiver = self.keep(Receiver(self.broker.port, self.certs / "ca.pem", listening.append))
        wait_for(lambda: True in listening, 10, "receiver")
        self.line = self.new_line("line")
        return self

    def __exit__(self, *_):
        for part in reversed(self._parts):
            if hasattr(part, "stop"):
                part.stop()
            else:
                part.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, part):
        """part, ended with the bed."""
        self._parts.append(part)
        return part

    def new_proxy(self):
        """One more way to the broker, healthy."""
        return self.keep(Proxy(self.broker.port))

    def new_line(self, name, **more):
        """One more line with the same meters; more: keys of its line file."""
        plan = {"settings": self.settings, "meters": meter_plan(self.n_meters), **more}
        return self.keep(SimulatedLine(self.folder / name, plan)).start()

    def gateway(self, port=None, dns="", host="localhost", simulation=None, name="gw-bench", line=None, **more):
        """A started Gateway in a new folder; simulation: more keys for sim.json, as sections of it."""
        self._n_gateways += 1
        settings = config(self.n_meters, self.every_s, port or self.proxy.port, self.settings, self.points, name)
        settings["uplinks"][0]["host"] = host
        made = Gateway(
            self.folder / f"board{self._n_gateways}",
            settings,
            {"1": (line or self.line).terminal},
            ca=self.certs / "ca.der",
            ring_blocks=more.pop("ring_blocks", RING_BLOCKS),
            dns=dns,
            program=more.pop("program", twin()),
            **more,
        )
        if simulation:
            file = made.folder / "sim.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), **simulation}))
        return self.keep(made).start()

    def n_delivered(self):
        with self.receiver.lock:
            return len(self.receiver.seen)

    def n_readings(self):
        """Readings delivered: no misses, days and events."""
        with self.receiver.lock:
            return sum(1 for element in self.receiver.seen.values() if "p" in element)
