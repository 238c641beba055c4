"""Type-checks firmware/board.py against the stubs of MicroPython on ESP32: the one file no PC can run for real."""

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main():
    stubs = Path(sysconfig.get_paths()["purelib"])
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--cache-dir",
        ROOT / "build" / "mypy",
        "--custom-typeshed-dir",
        stubs,
        "--no-site-packages",
        "--check-untyped-defs",
        "--follow-imports=silent",
        "--no-error-summary",
        "--platform=esp32",
        ROOT / "firmware" / "board.py",
    ]
    done = subprocess.run([str(part) for part in command], env={"MYPYPATH": f"{stubs}:{ROOT}"}, check=False)
    if done.returncode == 0:
        print("board.py agrees with the stubs of MicroPython on ESP32")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
