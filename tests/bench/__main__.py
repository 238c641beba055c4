"""make bench: python -m tests.bench [SECTION ..] measures all sections, or those named, and writes what was found."""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import time

from metergate.onpc import ROOT
from tests.bench import report
from tests.bench.bed import Unmeasured

# name -> how its figures' names begin.
SECTIONS = {
    "line": ("line.",),
    "cycle": ("cycle.", "dead.", "midnight."),
    "noise": ("noise.",),
    "release": ("driver.",),
    "transactions": ("transactions.",),
    "ring": ("ring.",),
    "uplink": ("uplink.",),
    "lateness": ("lateness.",),
    "heap": ("heap.",),
    "instructions": ("decode.", "append.", "read."),
}
_URGENT = -19


def _earlier():
    """What build/bench.json holds."""
    try:
        return json.loads((ROOT / "build" / "bench.json").read_text())
    except (OSError, ValueError):
        return {}


def _measure(section, say):
    """(results, why not)."""
    try:
        return importlib.import_module("tests.bench." + section).measure(say), ""
    except (Unmeasured, RuntimeError, OSError, subprocess.SubprocessError) as error:
        # One section without figures does not take the others' away. TimeoutError is an OSError.
        return {}, f"{type(error).__name__}: {error}"


def _be_urgent():
    """Run before others on a busy machine, with all children: for times. Without the right to it, as everybody."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _URGENT)


def main(names):
    """Measure, show and write; the exit status: 1 if something could not be measured."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        print(f"bench: no section {', '.join(unknown)}; there are: {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    _be_urgent()
    begun = time.monotonic()
    say = lambda text: print("%4d s  %s" % (time.monotonic() - begun, text), flush=True)  # noqa: E731
    chosen = names or list(SECTIONS)
    measured, failed = {}, {}
    for section in chosen:
        found, why = _measure(section, say)
        measured.update(found)
        if why:
            failed[section] = why
    now = tuple(prefix for section in chosen for prefix in SECTIONS[section])
    kept = {name: found for name, found in _earlier().items() if not name.startswith(now)}
    results = {**kept, **measured}
    report.show(results, kept)
    report.write(results, ROOT, kept)
    for section, why in failed.items():
        print(f"not measured: {section}: {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
