"""The gateway's console on this terminal: simulated meters, no data centre, a new flash each time."""

import signal
import subprocess

from metergate.demo import board_config, line_plan
from metergate.onpc import ROOT
from metergate.pcgateway import Gateway, SimulatedLine
from metergate.processes import take_folder


def main():
    """Run until the gateway ends; its exit status."""
    folder = ROOT / "build" / "try"
    held = take_folder(folder)
    line = SimulatedLine(folder, line_plan())
    try:
        line.start()
        gateway = Gateway(folder / "board", board_config("UTC0", None), {"1": line.terminal})
        print("meters: main, boiler, press, office; `help` lists the commands, Ctrl-C ends", flush=True)
        # Ctrl-C is the gateway's: it writes down what is in memory.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = subprocess.Popen(gateway.command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        return child.wait()
    finally:
        line.stop()
        held.close()
