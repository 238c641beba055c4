#!/usr/bin/env python3
"""Fetch what the tests and tools need into build/ and lib/: python3 tools/setup.py venv deps micropython broker twin

A name is done once, and again when what it depends on has changed; done, it costs nothing. Nothing is installed on the
machine and no root is needed. MICROPYTHON may name a MicroPython to use, METERGATE_BROKER be mosquitto or amqtt.
With --optional before the names, what this machine cannot have is left out aloud; with CI set that is a failure.
Standard library only: this runs before anything else is there."""

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from fnmatch import fnmatch
from pathlib import Path

import setup_debian
import twin
from setup_errors import SetupError, Unavailable

SDISTS = (  # what the firmware takes from others: project, version, SHA-256 of the source archive, files for lib/
    ("micropython-umqtt.simple", "1.3.4", "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f",
     "umqtt/simple.py"),
    ("micropython-modbus", "2.3.7", "b9351a66af0ff29dd585900e53827a989dedcb02ec63b1041358165089652271",
     "umodbus/*.py"),
)  # fmt: skip
RECIPE = 1  # raise it when a step makes something else of the same inputs
PYTHON_MIN = (3, 11)  # what requirements.txt was resolved for
MICROPYTHON_MIN = (1, 24)
MICROPYTHON_SUITE = "trixie"  # the first Debian release with one that new

ROOT = Path(__file__).resolve().parent.parent
BUILD, LIB = ROOT / "build", ROOT / "lib"
BIN, VENV, WORK = BUILD / "bin", BUILD / "venv", BUILD / "setup-work"
PYTHON = VENV / "bin/python"
PIP = (PYTHON, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar=off")
REQUIREMENTS, PYPROJECT = ROOT / "requirements.txt", ROOT / "pyproject.toml"


# ---- the Python packages


def packages_inputs():
    # The folder too: the scripts of a venv name it, so a moved venv is made again.
    return sys.version, VENV, REQUIREMENTS.read_bytes()


def make_packages(run):
    """Make build/venv with the packages of requirements.txt, pip among them. SetupError."""
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        raise SetupError("no Python venv module: apt install python3-venv")
    shutil.rmtree(VENV, ignore_errors=True)
    if not run("making build/venv", [sys.executable, "-m", "venv", VENV]):
        raise SetupError("no Python environment could be made in build/venv")
    if not run("installing the Python packages", [*PIP, "--require-hashes", "-r", REQUIREMENTS]):
        raise SetupError("requirements.txt: pip's package index is out of reach or gave another archive than is pinned")


def venv_inputs():
    return (*packages_inputs(), PYPROJECT.read_bytes())  # in brackets, so that a Python too old reaches main


def make_venv(run):
    """Install this project into build/venv, as links to its sources. SetupError."""
    if not run("installing metergate", [*PIP, "--no-index", "--no-deps", "--no-build-isolation", "-e", ROOT]):
        raise SetupError("metergate could not be installed into build/venv, is pyproject.toml right?")


# ---- what the firmware takes from others


def deps_inputs():
    return SDISTS


def make_deps(run):
    """Put the files that SDISTS names into lib/, from archives of exactly those hashes. SetupError."""
    for name, version, digest, _ in SDISTS:
        if not run(f"fetching {name}", [PYTHON, __file__, "--fetch", name, version, WORK / name]):
            raise SetupError(f"no {name} {version}: pip's package index is out of reach or has it not")
        if hashlib.sha256((WORK / name).read_bytes()).hexdigest() != digest:
            raise SetupError(f"refused {name} {version}: its archive has not the SHA-256 that tools/setup.py names")
    for name, version, _, wanted in SDISTS:
        _take(WORK / name, f"{name}-{version}/{wanted}")


def _take(archive, wanted):
    """Put the files of archive that match wanted into their package in lib/, in place of what is there."""
    package = Path(wanted).parent.name
    (WORK / package).mkdir()
    with tarfile.open(archive) as files:
        for member in files:
            if member.isfile() and fnmatch(member.name, wanted):
                (WORK / package / Path(member.name).name).write_bytes(files.extractfile(member).read())
    LIB.mkdir(exist_ok=True)
    shutil.rmtree(LIB / package, ignore_errors=True)
    shutil.move(WORK / package, LIB / package)


def fetch(name, version, path):
    """Write the source archive of a project to path. Runs in build/venv; exits with a message when there is none.

    `pip download` wants to build what it fetches, and an archive without setup.py does not build. pip's finder only
    finds, where the user's pip configuration says."""
    from pip._internal.commands import create_command

    command = create_command("download")
    options, _ = command.parse_args(["--no-binary", ":all:", name])
    with command.main_context():
        session = command._build_session(options)
        for found in command._build_package_finder(options, session).find_all_candidates(name):
            if str(found.version) == version:
                reply = session.get(found.link.url_without_fragment)
                reply.raise_for_status()
                Path(path).write_bytes(reply.content)
                return
    sys.exit(f"no source archive of {name} {version}")


# ---- MicroPython


def micropython_inputs():
    found = [path for path in (_wanted_micropython(), _which("micropython")) if path]
    return found, [Path(path).exists() and Path(path).stat().st_mtime_ns for path in found], platform.machine()


def make_micropython(run):
    """Make build/bin/micropython: $MICROPYTHON, else the one on PATH, else Debian's. SetupError."""
    wanted, found, own = _wanted_micropython(), _which("micropython"), setup_debian.release()
    if wanted and _flaw(wanted):
        raise SetupError(f"MICROPYTHON={wanted} cannot be used: {_flaw(wanted)}")
    if wanted or (found and not _flaw(found)):
        return _launch("micropython", f'exec {shlex.quote(wanted or found)} "$@"')
    flaw = setup_debian.lack()
    # Debian 12 and older need not be asked, theirs is 1.19.
    suites = (MICROPYTHON_SUITE if own in ("", "bullseye", "bookworm") else own, MICROPYTHON_SUITE)
    for suite in () if flaw else dict.fromkeys(suites):
        tree = BUILD / "debian/micropython"
        if setup_debian.unpack(run, "micropython", suite, _empty(WORK / suite), tree):
            _launch_by_own_loader(tree)
            flaw = _flaw(BIN / "micropython")
            if not flaw:
                return None
    least = ".".join(map(str, MICROPYTHON_MIN))
    why = flaw or "no Debian mirror gave one"
    raise SetupError(f"no MicroPython {least} or newer ({why}): apt install it on Debian 13, or set MICROPYTHON")


def _wanted_micropython():
    """Return the path that $MICROPYTHON means; None when unset or our launcher, which the Makefile may export."""
    wanted = os.environ.get("MICROPYTHON")
    path = wanted and Path(shutil.which(wanted) or wanted).absolute()
    return str(path) if path and path != BIN / "micropython" else None


def _which(name):
    """Return the path of a program that is not our own launcher, which may be on PATH; None when there is none."""
    folders = [*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin"]
    return shutil.which(name, path=os.pathsep.join(folder for folder in folders if Path(folder).resolve() != BIN))


def _flaw(program):
    """Say why program is no MicroPython for us, in a few words; "" when it is one."""
    probe = "import sys; print(sys.implementation.name, *sys.implementation.version)\nimport asyncio, tls, vfs"
    status, said, complaint = _ask(program, "-c", probe)
    name, *version = said.split() or [""]
    if name != "micropython":
        return complaint if status == _NOT_STARTED else "it is no MicroPython"
    if tuple(map(int, version[:2])) < MICROPYTHON_MIN:
        return f"it is {'.'.join(version[:2])}, older than {'.'.join(map(str, MICROPYTHON_MIN))}"
    return complaint.strip().split("\n")[-1] if status else ""


_NOT_STARTED = 127  # the shell's status for it


def _ask(*words):
    """Run a program for its answer; return its exit status and what it wrote to stdout and stderr."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return _NOT_STARTED, "", getattr(error, "strerror", None) or "it does not answer"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def _launch_by_own_loader(tree):
    """Launch the MicroPython of an unpacked tree by the tree's own loader: its C library may be newer than ours."""
    # A link may lead out of the tree, to the machine's loader.
    loader = next(path for path in sorted(tree.rglob("ld*.so.?")) if not path.is_symlink())
    # argv0 makes sys.executable the launcher: the bare program would not start.
    options = f'--argv0 "$build/bin/micropython" --library-path "{_libraries(tree)}"'
    program = '"$build/debian/micropython/usr/bin/micropython" "$@"'
    _launch("micropython", f'exec "$build/{loader.relative_to(BUILD)}" {options} \\\n    {program}')


def _libraries(tree):
    """Return the folders of an unpacked tree that have shared libraries, in the form of LD_LIBRARY_PATH."""
    return ":".join(sorted({f"$build/{path.parent.relative_to(BUILD)}" for path in tree.rglob("lib*.so.*")}))


def _launch(name, words):
    """Write the launcher build/bin/name; words may use $build, and must exec so that its pid is the program's."""
    BIN.mkdir(parents=True, exist_ok=True)
    draft = WORK / "launcher"
    draft.write_text(f'#!/bin/sh\nbuild=$(readlink -f "$0")\nbuild=${{build%/bin/*}}\n{words}\n')
    draft.chmod(0o755)
    draft.replace(BIN / name)


# ---- the MQTT broker


def broker_inputs():
    return os.environ.get("METERGATE_BROKER"), _which("mosquitto"), setup_debian.release(), platform.machine()


def make_broker(run):
    """Write mosquitto or amqtt into build/broker, and make build/bin/mosquitto when it is that. SetupError."""
    wanted = os.environ.get("METERGATE_BROKER", "")
    if wanted not in ("", "mosquitto", "amqtt"):
        raise SetupError(f"METERGATE_BROKER={wanted} is neither mosquitto nor amqtt")
    (BIN / "mosquitto").unlink(missing_ok=True)
    chosen = "mosquitto" if wanted != "amqtt" and _make_mosquitto(run) else "amqtt"
    if chosen == "amqtt":
        (BIN / "mosquitto").unlink(missing_ok=True)
        if wanted == "mosquitto":
            raise SetupError("no mosquitto: apt install mosquitto")
        ensure("packages")
        if not run("trying amqtt", [PYTHON, "-c", "import amqtt.broker"]):
            raise SetupError("no MQTT broker: apt install mosquitto")
        if not wanted:
            print("metergate: no mosquitto to be had, amqtt takes its place", file=sys.stderr)
    (WORK / "broker").write_text(chosen + "\n")
    (WORK / "broker").replace(BUILD / "broker")


def _make_mosquitto(run):
    """Make build/bin/mosquitto from the machine's or else Debian's, and return whether it works."""
    found, suite, tree = _which("mosquitto"), setup_debian.release(), BUILD / "debian/mosquitto"
    if found:
        _launch("mosquitto", f'exec {shlex.quote(found)} "$@"')
    elif not suite or setup_debian.lack():
        return False
    elif setup_debian.unpack(run, "mosquitto", suite, _empty(WORK / "debian"), tree, "/var/lib/dpkg/status"):
        libraries = f'"{_libraries(tree)}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"'
        program = '"$build/debian/mosquitto/usr/sbin/mosquitto" "$@"'
        _launch("mosquitto", f"export LD_LIBRARY_PATH={libraries}\nexec {program}")
    # Asked for help it exits with an error; what it says tells that it runs.
    return "mosquitto version" in _ask(BIN / "mosquitto", "-h")[1]


# ---- doing each once

STEPS = {  # name: what it depends on, how it is made, what is there afterwards, what must be done before
    "packages": (packages_inputs, make_packages, (PYTHON,), ()),
    "venv": (venv_inputs, make_venv, (VENV / "bin/metergate",), ("packages",)),
    "deps": (deps_inputs, make_deps, (LIB / "umqtt/simple.py", LIB / "umodbus/__init__.py"), ("packages",)),
    "micropython": (micropython_inputs, make_micropython, (BIN / "micropython",), ()),
    "broker": (broker_inputs, make_broker, (BUILD / "broker",), ()),
    "twin": (twin.inputs, twin.make, twin.PROGRAMS, ("deps",)),
}


def is_done(name):
    """Return whether a step, and each that it needs, was done for the inputs of now."""
    inputs, _, made, before = STEPS[name]
    stamp = BUILD / "stamp" / name
    current = stamp.exists() and stamp.read_text() == _digest(inputs())
    return current and all(path.exists() for path in made) and all(map(is_done, before))


def _digest(inputs):
    return hashlib.sha256(repr((RECIPE, inputs)).encode()).hexdigest()


def ensure(name):
    """Do a step, and first those that it needs, unless it is done. SetupError."""
    inputs, make, _, before = STEPS[name]
    for earlier in before:
        ensure(earlier)
    if is_done(name):
        return
    stamp, log = BUILD / "stamp" / name, BUILD / "log" / f"{name}.log"
    for path in (stamp, log):
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
    _empty(WORK)
    digest = _digest(inputs())  # of now: what changes while it is made is made anew the next time
    try:
        make(functools.partial(_run, log))
    except SetupError as error:
        raise type(error)(f"{error} (see {log.relative_to(ROOT)})" if log.exists() else str(error)) from error
    (WORK / "stamp").write_text(digest)
    (WORK / "stamp").replace(stamp)


def _empty(folder):
    """Return folder, made empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _run(log, what, words):
    """Run a command, its output added to log, and return whether it succeeded; stderr shows what and for how long."""
    began_s, on_terminal = time.monotonic(), sys.stderr.isatty()
    if not on_terminal:
        print(f"metergate: {what}", file=sys.stderr)
    with log.open("a") as out:
        print("$", shlex.join(map(str, words)), file=out, flush=True)
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, close_fds=False
        )
    try:
        while process.poll() is None:
            if on_terminal:
                ran_s = int(time.monotonic() - began_s)
                print(end=f"\r\033[Kmetergate: {what}, {ran_s} s", file=sys.stderr, flush=True)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        print(end="\r\033[K" if on_terminal else "", file=sys.stderr, flush=True)
    return process.returncode == 0


def main(names):
    """Do the steps named; return the exit status."""
    if names[:1] == ["--fetch"]:
        return fetch(*names[1:])
    may_lack = names[:1] == ["--optional"]
    names = names[may_lack:]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        if sys.version_info < PYTHON_MIN:
            raise SetupError(f"Python {sys.version.split()[0]} is too old: 3.11 or newer is needed")
        if not set(names) <= set(STEPS):
            raise SetupError(f"the names are {', '.join(STEPS)}")
        if not all(map(is_done, names)):
            _do(names)
    except Unavailable as error:
        print(f"metergate: {error}", file=sys.stderr)
        if not may_lack or os.environ.get("CI", "") not in ("", "0", "false"):
            return 1
        print(f"metergate: GOING ON WITHOUT: {' '.join(names)}; what needs it is left out", file=sys.stderr)
    except (SetupError, OSError) as error:
        print(f"metergate: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("metergate: set-up interrupted, the next one takes it up again", file=sys.stderr)
        return 130
    return 0


def _do(names):
    """Do the steps that are not done, while no other set-up of this tree runs."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "setup-lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("metergate: waiting for another set-up to end", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        # The commands hold it too: should this process be killed, the next set-up waits for them to end.
        os.set_inheritable(lock.fileno(), True)
        try:
            for name in names:
                ensure(name)
        finally:
            shutil.rmtree(WORK, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
