"""Deploying with the real mpremote to a MicroPython behind a pseudo terminal; and what boards/ says of flash."""

import ast
import calendar
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import time
import tty

import pytest

from metergate import cli, deploy
from metergate.onpc import ROOT
from metergate.pcgateway import micropython
from metergate.processes import wait_for

DEVKIT = ROOT / "boards" / "esp32-devkit-max485"
SECRET = "correct-horse-battery"


class PtyBoard:
    """A board with an empty file system, folder, and MicroPython's raw REPL on the pseudo terminal port."""

    def __init__(self, folder, cut=""):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.log = folder.parent / "board.log"
        master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        command = [micropython(), ROOT / "tests" / "sim" / "rawrepl.py", folder, cut]
        with open(self.log, "w") as log:
            self.child = subprocess.Popen(command, stdin=master, stdout=master, stderr=log)
        os.close(master)

    def close(self):
        self.child.kill()
        self.child.wait()
        os.close(self._slave)

    def files(self):
        """{name: bytes} of everything on the board."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}

    def said(self):
        """The resets it has been through, and what its clock was set to, one on a line."""
        return self.log.read_text()

    def wait_resets(self, n):
        wait_for(lambda: self.said().count("HARD_RESET") == n, 5, f"{n} restarts of the board")


@pytest.fixture
def board(tmp_path, own):
    return own(PtyBoard(tmp_path / "board"))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of what is deployed, for a test to change."""
    copy = tmp_path / "project"
    for name in deploy.PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in deploy.SOURCES:
        shutil.copy(ROOT / name, copy)
    monkeypatch.setattr(deploy, "ROOT", copy)
    monkeypatch.setattr(deploy, "BUILD", copy / "build")
    return copy


@pytest.fixture
def settings(tmp_path):
    """A folder with a configuration, its secrets and its CA file."""
    folder = tmp_path / "settings"
    shutil.copytree(DEVKIT / "example", folder)
    (folder / "province.der").write_bytes(b"not looked into")
    (folder / "secrets.json").write_text(json.dumps({"network": {"password": SECRET}}))
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """run(port, folder) -> (exit status of `metergate deploy`, the one line it says)."""

    def run(port, folder=None, *more):
        words = ["metergate", "deploy", str(port)] + (["--config-folder", str(folder)] if folder else []) + list(more)
        monkeypatch.setattr("sys.argv", words)
        status = cli.main()
        said = capsys.readouterr()
        text = said.out + said.err
        assert text.count("\n") == 1 and SECRET not in text
        return status, text

    return run


def test_only_what_differs_is_copied(board, project, settings, run):
    status, said = run(board.port, settings)
    assert status == 0 and re.search(r"copied \d+ files", said) and "umqtt.simple is lib's" in said
    files = board.files()
    assert files["boot.py"] == (ROOT / "boot.py").read_bytes()
    assert files["config.json"] == (settings / "config.json").read_bytes()
    modules = {path.relative_to(ROOT).with_suffix(".mpy").as_posix() for path in (ROOT / "firmware").rglob("*.py")}
    assert modules < set(files) and not [name for name in files if name.endswith(deploy.NEW)]

    status, said = run(board.port, settings)
    assert status == 0 and "nothing to copy;" in said

    (project / "firmware" / "errors.py").write_text((ROOT / "firmware" / "errors.py").read_text() + "\nMORE = 1\n")
    status, said = run(board.port, settings)
    assert status == 0 and "copied firmware/errors.mpy;" in said
    # Each deploy restarts the board, and none of these restarts counts as a failed start but the last.
    board.wait_resets(3)
    assert board.files()["starts.txt"].split()[1] == b"1"


def test_a_board_with_the_firmware_in_its_image_gets_no_files_of_it(board, settings, run):
    assert run(board.port)[0] == 0
    assert any(name.startswith("firmware/") for name in board.files())
    # They would be taken for what is in the image.
    status, said = run(board.port, settings, "--frozen")
    assert status == 0
    names = set(board.files())
    assert {"boot.py", "main.py", "config.json"} < names and not [name for name in names if name.startswith("firmware/")]


def test_what_is_on_the_board_starts(board, run):
    assert run(board.port)[0] == 0
    ports = ROOT / "tests" / "sim" / "ports"
    code = (
        f"import sys; sys.path[:] = ['', {str(ports)!r}, '.frozen', 'lib']; import firmware.app; print(firmware.app.__file__)"
    )
    done = subprocess.run([micropython(), "-c", code], cwd=board.folder, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("firmware/app.mpy\n", "")


def test_stale_twins_and_modules_go(board, project, run):
    assert run(board.port)[0] == 0
    for name in ("firmware/errors.py", "firmware/old/__init__.mpy", "lib/umqtt/simple.py", "lib/umqtt/other.py", "notes.py"):
        (board.folder / name).parent.mkdir(exist_ok=True)
        (board.folder / name).write_text("raise SystemError")
    (board.folder / "firmware" / "clock").mkdir()
    status, said = run(board.port)
    assert status == 0 and "nothing to copy, removed" in said
    assert {"firmware/errors.py", "firmware/old/__init__.mpy", "lib/umqtt/simple.py"}.isdisjoint(board.files())
    assert {"lib/umqtt/other.py", "notes.py"} < set(board.files())
    assert not (board.folder / "firmware" / "clock").exists() and not (board.folder / "firmware" / "old").exists()


def test_clock_is_set_to_utc(board, run, monkeypatch):
    monkeypatch.setenv("TZ", "CST-8")
    before_s = int(time.time())
    assert run(board.port)[0] == 0
    year, month, day, _, hour, minute, second, _ = ast.literal_eval(re.search(r"clock (.*)", board.said())[1])
    assert before_s <= calendar.timegm((year, month, day, hour, minute, second)) <= time.time()


@pytest.mark.parametrize("fault", ["unknown key", "no such file", "no CA"])
def test_bad_configuration_touches_nothing(board, settings, run, fault):
    key = {"unknown key": "gateway.zoom", "no such file": "config.json", "no CA": "uplinks[0].ca"}[fault]
    if fault == "unknown key":
        config = json.loads((settings / "config.json").read_text())
        config["gateway"]["zoom"] = 1
        (settings / "config.json").write_text(json.dumps(config))
    elif fault == "no such file":
        (settings / "config.json").unlink()
    else:
        (settings / "province.der").unlink()
    status, said = run(board.port, settings)
    assert status == 2 and key in said
    assert board.files() == {} and set(board.said().split()) <= {"PWRON_RESET"}


def test_port_that_cannot_be_opened_is_one_line(run, tmp_path, monkeypatch):
    status, said = run(tmp_path / "ttyUSB9")
    assert status == 1 and "is not there" in said
    status, said = run(tmp_path)
    assert status == 1 and "cannot be opened" in said
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    status, said = run(tmp_path)
    assert status == 1 and "dialout" in said


def test_old_micropython_is_refused():
    deploy.Board("V 1 24 6")
    with pytest.raises(deploy.BoardError, match="put 1.24 or newer on it"):
        deploy.Board("V 1 23 6")


def test_old_configuration_outlives_a_pulled_cable(tmp_path, own, settings, run):
    """The link ends while config.json is on its way: firmware and configuration stay; the next deploy mends all."""
    folder = tmp_path / "board"
    first = own(PtyBoard(folder))
    assert run(first.port, settings)[0] == 0
    first.wait_resets(1)
    (folder / "firmware" / "errors.mpy").write_bytes(b"older")
    config = json.loads((settings / "config.json").read_text())
    config["gateway"]["name"] = "Elsewhere"
    (settings / "config.json").write_text(json.dumps(config))
    before = first.files()

    second = own(PtyBoard(folder, cut="Elsewhere"))
    status, said = run(second.port, settings)
    assert status == 1 and "broke off" in said
    after = second.files()
    assert "firmware/errors.mpy.new" in after
    assert all(after[name] == data for name, data in before.items() if name != "starts.txt")

    third = own(PtyBoard(folder))
    status, said = run(third.port, settings)
    assert status == 0 and "copied firmware/errors.mpy, config.json;" in said
    assert not [name for name in third.files() if name.endswith(deploy.NEW)]


def test_failure_on_the_board_says_what_it_leaves(board, run):
    (board.folder / "main.py").mkdir()
    status, said = run(board.port)
    assert status == 1 and "EISDIR; the board may hold a part of the new firmware: deploy again" in said
    board.wait_resets(1)
    assert not [name for name in board.files() if name.endswith(deploy.NEW)]


@pytest.fixture(scope="module", autouse=True)
def deaf(tmp_path_factory):
    """A deploy to a port where nobody answers, begun with the first test: mpremote waits for 10 s."""
    ours, theirs = pty.openpty()
    # By its own name mpremote knows a pseudo terminal, and then waits for ever.
    port = tmp_path_factory.mktemp("deaf") / "tty"
    port.symlink_to(os.ttyname(theirs))
    command = [sys.executable, "-m", "metergate", "deploy", str(port)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    yield child
    child.kill()
    child.wait()
    os.close(ours)
    os.close(theirs)


# -- boards/ ------------------------------------------------------------------------------------------------------


def partitions():
    """{name: (offset, bytes)} of partitions.csv, in its order."""
    rows = (DEVKIT / "partitions.csv").read_text().splitlines()
    cells = [[cell.strip() for cell in row.split(",")] for row in rows if not row.startswith("#")]
    return {name: (int(offset, 16), int(size, 16)) for name, _, _, offset, size, _ in cells}


def test_partitions_fit():
    end = 0x9000
    for name, (offset, size) in partitions().items():
        assert offset == end and size > 0, f"{name} overlaps, or leaves a hole"
        assert offset % 0x1000 == size % 0x1000 == 0
        end = offset + size
    assert end == 4 << 20
    # ESP-IDF: applications begin at multiples of 64 KiB.
    assert partitions()["factory"][0] % 0x10000 == 0


def test_partitions_are_those_of_the_readme():
    ours = (DEVKIT / "README.md").read_text().split("Metergate's, in [partitions.csv]")[1]
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (0x\w+) \| (0x\w+) \|", ours, re.M)
    assert {name: (int(offset, 16), int(size, 16)) for name, offset, size in rows} == partitions()


def test_nobody_answers_is_one_line(deaf):
    said = deaf.communicate(timeout=25)[0]
    assert deaf.returncode == 1
    assert "no MicroPython answers on" in said and said.count("\n") == 1
