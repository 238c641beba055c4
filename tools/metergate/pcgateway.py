"""The unchanged firmware on this machine's MicroPython: a folder as the board's file system, a process as the board."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from metergate.onpc import ROOT
from metergate.processes import Process, wait_for


def micropython():
    """The MicroPython that `make` has set up."""
    return ROOT / "build" / "bin" / "micropython"


def twin(frozen=False):
    """The 32-bit MicroPython of `make twin`, frozen: with our modules in it. It may not be there."""
    return ROOT / "build" / "bin" / ("twin-frozen" if frozen else "twin")


def board_root(folder):
    """Put boot.py, main.py and the packages, compiled, into folder as `metergate deploy` puts them on a board.

    Returns folder. BoardError if one does not compile."""
    from metergate import deploy

    folder = Path(folder)
    for name, source in deploy.firmware_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / name)
    return folder


# Of the region of daily summaries: enough for weeks.
_DAYS_BLOCKS = 8


class SimulatedLine(Process):
    """SimulatedLine(folder, plan): `metergate simulate` with a line file; `terminal` is the gateway's end once started."""

    def __init__(self, folder, plan):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "line.json"
        file.write_text(json.dumps(plan))
        self.terminal = None
        super().__init__([sys.executable, "-m", "metergate", "simulate", file], folder / "line.log", cwd=ROOT)

    def start(self):
        Path(self.log).unlink(missing_ok=True)
        super().start()
        self.terminal = wait_for(self._first_line, 20, f"simulated line (its output: {self.log})")
        return self

    def _first_line(self):
        lines = Path(self.log).read_text().split("\n")
        return lines[0] if len(lines) > 1 else None


class Gateway(Process):
    """Gateway(folder, config, uarts): config as in config.json, uarts {number: pseudo terminal}.

    The console is on the process's standard input and its log file; ring is the flash file. program is another
    MicroPython, heap its Python heap in bytes; root a folder as board_root makes it, instead of the project's sources."""

    def __init__(
        self,
        folder,
        config,
        uarts,
        ca=None,
        ring_blocks=64,
        secrets=None,
        dns="",
        program=None,
        heap=None,
        root=None,
    ):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ring = self.folder / "ring.bin"
        days = {"file": "days.bin", "blocks": _DAYS_BLOCKS}
        simulation = {"uarts": uarts, "ring": {"file": "ring.bin", "blocks": ring_blocks}, "days": days, "dns": dns}
        (self.folder / "sim.json").write_text(json.dumps(simulation))
        self.configure(config, secrets)
        if ca:
            shutil.copy(ca, self.folder / "ca.der")
        runner = ROOT / "tests" / "sim" / "gateway.py"
        options = ["-X", f"heapsize={heap}"] if heap else []
        words = [program or micropython(), *options, runner, self.folder, *([Path(root).absolute()] if root else [])]
        super().__init__(words, self.folder / "console.log", stdin=subprocess.PIPE)

    def configure(self, config, secrets=None):
        (self.folder / "config.json").write_text(json.dumps(config))
        if secrets:
            (self.folder / "secrets.json").write_text(json.dumps(secrets))

    def type(self, line):
        """Type a line at the console."""
        os.write(self.child.stdin.fileno(), line.encode() + b"\n")

    def console(self):
        """Everything the console has shown."""
        return Path(self.log).read_text(errors="replace")
