"""Months of the unchanged firmware in minutes: makes a plan from the seed, runs it in virtual time, checks what was left.

The last line is JSON; the exit status is 0 only if every promise was kept."""

import filecmp
import json
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from metergate.onpc import ROOT
from metergate.processes import take_folder
from metergate.soakcheck import Check
from metergate.soakplan import Scenario

_RUNNER = ROOT / "tests" / "sim" / "soak.py"
# The bed and the firmware's source live in one heap; what the firmware takes of it is in heap.txt.
_HEAP = "1m"
# A run that takes longer than this for a simulated day hangs.
_MOST_S_A_DAY = 120

# What the report calls the figures, in this order; the others follow as they are.
_ROWS = (
    ("starts", "starts"),
    ("cuts", "of them after a cut of the power"),
    ("watchdog", "after the watchdog"),
    ("slots", "slots due"),
    ("readings", "slots with a reading"),
    ("records", "records stored"),
    ("messages", "messages received"),
    ("repeats", "records received more than once"),
    ("summaries", "daily summaries recomputed"),
    ("values", "values compared with the meters' words"),
)


def modules():
    """MicroPython's own asyncio in Python: the twin's source has it. RuntimeError if it is not there."""
    tool = ROOT / "tools" / "twin.py"
    done = subprocess.run([sys.executable, tool, "--where", "asyncio"], capture_output=True, text=True, timeout=60, check=False)
    folder = Path(done.stdout.strip() or ".")
    if not (folder / "task.py").exists():
        raise RuntimeError("MicroPython's source is missing, which virtual time needs: `make twin` fetches it")
    return folder


def program():
    """The MicroPython that runs it: 32 bits if it is there. RuntimeError if none is."""
    for name in ("twin", "micropython"):
        path = ROOT / "build" / "bin" / name
        if path.exists():
            return path
    raise RuntimeError("there is no MicroPython in build/bin: `make setup` brings one")


def run(scenario, folder, firmware=None, micropython=None):
    """Run a scenario in a folder of its own; RuntimeError if the run itself breaks. Seconds it took."""
    folder = Path(folder)
    scenario.write(folder, modules())
    command = [micropython or program(), "-X", f"heapsize={_HEAP}", _RUNNER, folder, folder / "modules"]
    begun = time.monotonic()
    with open(folder / "run.log", "w") as log:
        done = subprocess.run(
            [*map(str, command), *([str(firmware)] if firmware else [])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=120 + _MOST_S_A_DAY * scenario.days,
            check=False,
        )
    if done.returncode or not (folder / "run.log").read_text().endswith("done\n"):
        raise RuntimeError(f"the run broke, status {done.returncode}: {(folder / 'run.log').read_text()[-2000:]}")
    return time.monotonic() - begun


def result(check, seconds):
    """The run as one dict: days, what it took, breaches, figures."""
    scenario = check.scenario
    breaches = dict(check.breaches.counts)
    return {"days": scenario.days, "seed": scenario.seed, "seconds": round(seconds), "breaches": breaches, **check.figures}


def show(check, console):
    """The figures as a table, and the first breaches."""
    table = Table(title=f"{check.scenario.days:g} simulated days, seed {check.scenario.seed}", title_justify="left")
    table.add_column("what")
    table.add_column("how many", justify="right")
    figures = dict(check.figures)
    for key, text in _ROWS:
        if key in figures:
            table.add_row(text, str(figures.pop(key)))
    for key, value in figures.items():
        shown = ", ".join(f"{name} {n}" for name, n in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(key.replace("_", " "), shown)
    console.print(table)
    for text in check.breaches.first:
        console.print(text, style="red", markup=False, highlight=False)


def main(days=60, seed=1, firmware=None, twice=False):
    """Run, check, report; the exit status. The run's files stay in build/soak/run until the next one.

    firmware: a folder with another firmware. twice: run it again, and compare every byte of trace and flash."""
    folder = ROOT / "build" / "soak"
    held = take_folder(folder)
    try:
        scenario = Scenario(days, seed)
        seconds = run(scenario, folder / "run", firmware)
        check = Check(folder / "run", scenario).run()
        if twice:
            run(scenario, folder / "again", firmware)
            for name in ("trace.txt", "ring.bin", "days.bin"):
                if not filecmp.cmp(folder / "run" / name, folder / "again" / name, shallow=False):
                    check.breaches.add("not the same", f"{name} of two runs")
    finally:
        held.close()
    show(check, Console(width=None if sys.stdout.isatty() else 100))
    print(json.dumps(result(check, seconds), separators=(",", ":")))
    return 1 if check.breaches.counts else 0
