"""The demo as its users start it: it ends by itself, tells the truth, and leaves no process behind."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metergate.onpc import ROOT
from metergate.processes import take_folder, wait_for

_COMMAND = [sys.executable, "-m", "metergate", "demo", "--seconds", "20"]


def _left_behind():
    """Command lines of processes that work in the demo's folder."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            continue
        if str(ROOT / "build" / "demo") in command:
            found.append(command)
    return found


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_demo_ends_by_itself_with_nothing_lost(broker, monkeypatch):
    if broker == "amqtt" or (ROOT / "build" / "broker").read_text().strip() != "mosquitto":
        monkeypatch.setenv("METERGATE_BROKER", "amqtt")
    done = subprocess.run(_COMMAND, capture_output=True, text=True, timeout=90, cwd=ROOT, check=False)
    result = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(result) == ["stored", "delivered", "lost", "duplicates", "daily"]
    assert result["stored"] == result["delivered"] > 10
    assert result["lost"] == 0 and result["daily"] >= 1
    assert "broker killed" in done.stdout and "gateway killed" in done.stdout
    assert not _left_behind()


def test_a_second_demo_says_that_one_runs_already():
    held = take_folder(ROOT / "build" / "demo")
    try:
        done = subprocess.run(_COMMAND, capture_output=True, text=True, timeout=20, cwd=ROOT, check=False)
    finally:
        held.close()
    assert done.returncode == 1 and done.stderr == "metergate: demo runs already in this project; wait for it, or end it\n"


def test_ctrl_c_ends_the_demo_and_all_its_processes():
    master, slave = pty.openpty()
    child = subprocess.Popen(_COMMAND, stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, start_new_session=True)
    os.close(slave)
    shown = b""
    os.set_blocking(master, False)

    def table():
        nonlocal shown
        try:
            shown += os.read(master, 65536)
        except OSError:
            return False
        return re.search(rb"gateway started", shown)

    try:
        wait_for(table, 30, "the live table")
        time.sleep(1)
        assert _left_behind()
        child.send_signal(signal.SIGINT)
        wait_for(lambda: table() or child.poll() is not None, 15, "the end")
        assert child.wait(15) == 130
    finally:
        child.kill()
        os.close(master)
    wait_for(lambda: not _left_behind(), 5, "no process left")
