"""CPython finds the firmware, its third-party modules and the names that only MicroPython has."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "unit"))

import metergate.onpc

metergate.onpc.install()
