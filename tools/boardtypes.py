"""Type-checks firmware/board.py against the stubs of MicroPython on ESP32: the one file no PC can run for real."""

import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "boardtypes"
STUBS = ("micropython-esp32-stubs", "micropython-stdlib-stubs")

# The stubs are written to stand in a folder of their own, as mypy's standard library and beside it. Among a PC's
# packages mypy takes those for MicroPython's. Faults of the stubs themselves (the folder is followed silently) are
# not ours; what a fault makes of a name is Any, so the canary below looks whether anything is checked at all.
SETTINGS = """[mypy]
mypy_path = {stubs}:{root}
custom_typeshed_dir = {stubs}
cache_dir = {build}/cache
no_site_packages = True
platform = esp32
check_untyped_defs = True
follow_imports = silent
follow_imports_for_stubs = True
warn_unused_ignores = True
error_summary = False
"""

# Faults that the stubs must show: mypy complains of an ignore that has nothing to ignore.
CANARY = """import machine
import network
from esp32 import Partition

machine.UART(1, bogus=1)  # type: ignore[call-overload]
machine.UART(1, tx=1.5)  # type: ignore[call-overload]
machine.UART(1).bogus()  # type: ignore[attr-defined]
machine.Pin(4, machine.Pin.BOGUS)  # type: ignore[attr-defined]
machine.WDT(seconds=1)  # type: ignore[call-arg]
machine.bogus()  # type: ignore[attr-defined]
network.WLAN(network.BOGUS)  # type: ignore[attr-defined]
Partition.find(Partition.TYPE_DATA, label=1)  # type: ignore[arg-type]
Partition.bogus()  # type: ignore[attr-defined]
"""


def put_stubs(folder):
    """Copy the stub packages, without what pip keeps about them, into a folder that is made anew when they changed."""
    packages = [distribution(name) for name in STUBS]
    versions = "".join(f"{package.name} {package.version}\n" for package in packages)
    stamp = folder / "versions"
    if stamp.exists() and stamp.read_text() == versions:
        return
    shutil.rmtree(folder, ignore_errors=True)
    for package in packages:
        for path in package.files:
            if path.suffix == ".pyi" or path.name == "VERSIONS":
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path.locate(), target)
    stamp.write_text(versions)


def main():
    stubs = BUILD / "stubs"
    put_stubs(stubs)
    settings, canary = BUILD / "mypy.ini", BUILD / "canary.py"
    settings.write_text(SETTINGS.format(stubs=stubs, root=ROOT, build=BUILD))
    canary.write_text(CANARY)
    command = [sys.executable, "-m", "mypy", "--config-file", settings, ROOT / "firmware" / "board.py", canary]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode == 0:
        print("board.py agrees with the stubs of MicroPython on ESP32")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
