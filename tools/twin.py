#!/usr/bin/env python3
"""Build the twin: MicroPython with a board's traits, as programs of this machine. `make twin` calls it by setup.py.

32-bit words, 32-bit floats, a heap of any size, TLS, littlefs. build/bin/twin has frozen in what every board has,
build/bin/twin-frozen our modules too. Both lie in a cache folder that outlives build/ and serves all checkouts.
By itself: tools/twin.py --missing names the system packages to install, --where asyncio|source|cache a folder."""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import setup_debian
from setup_errors import SetupError, Unavailable

SUITE = "trixie"  # the Debian release that has the wanted version's source
VERSION = "1.25."
PACKAGES = ("dpkg-dev", "gcc-multilib", "libmbedtls-dev:i386")  # dpkg-dev brings make and patch, gcc-multilib gcc
BENCH_PACKAGES = ("libc6-dbg:i386", "valgrind")  # `make bench` counts the twin's instructions
RECIPE = 1  # raise it when something else is built of the same inputs
KEPT = 3  # programs of a name, for checkouts and branches that take turns
OBJECTS_KEPT = 2

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / "build/bin"
VARIANT = ROOT / "tools/twin"
MANIFESTS = {"twin": VARIANT / "manifest.py", "twin-frozen": VARIANT / "manifest-frozen.py"}
PROGRAMS = tuple(BIN / name for name in MANIFESTS)
_FROZEN = ("boards/manifest.py", "firmware/**/*.py", "lib/umqtt/*.py", "lib/umodbus/*.py")
# The simulated ports are C on a board: frozen, they take no heap here either. A path with .frozen/simulated leads there.
_PORTS = ("tests/sim/ports/*.py",)
_OF_PORTS = tuple(f"tests/sim/{name}.py" for name in ("seeded", "flash", "flashfile", "plainflash"))  # what they import
_VARIANT = ("tools/twin/*.h", "tools/twin/*.mk")


def inputs():
    """What the twins depend on."""
    return cache(), _toolchain(), [_key(*_parts(name)) for name in MANIFESTS]


def make(run):
    """Build what the cache has not and link both programs into build/bin; run is setup.py's. SetupError, Unavailable."""
    try:
        if why := _lack():
            raise Unavailable(why)
        if any(char.isspace() for char in str(cache())):
            raise SetupError(f"{cache()}: make cannot work in a folder with a space in its name, set METERGATE_CACHE")
        cache().mkdir(parents=True, exist_ok=True)
        with _held(cache() / "lock"):
            _make(run)
    except SetupError:
        for program in PROGRAMS:  # they are of other inputs
            program.unlink(missing_ok=True)
        raise


def _make(run):
    _drop(cache().glob("draft*"))  # of builds that were killed
    source = _source() or _fetch_source(run)
    for name in MANIFESTS:
        program = _program(name, source)
        if not program.exists():
            built = _build(run, source, name)
            if _program(name, source) != program:
                raise SetupError("a file changed while it was frozen into the twin: once more, please")
            built.rename(program)
        os.utime(program)
        _link(BIN / name, program)
        _prune(f"{name}-{'?' * len(_key())}", KEPT)
    _prune("objects-*", OBJECTS_KEPT)


def _program(name, source):
    return cache() / f"{name}-{_key(source.name, _toolchain(), *_parts(name))}"


def _link(path, target):
    """Make the symbolic link path, in one step."""
    BIN.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(path)


# ---- the machine


def missing(packages=PACKAGES):
    """Return those of packages that are not installed."""
    there = _installed(packages)
    return [package for package in packages if package not in there]


def _lack():
    """Say why this machine cannot build the twin, and what to do about it; "" when it can."""
    if platform.machine() != "x86_64":
        return "no twin, a 32-bit MicroPython: it is built on amd64 only"
    if not shutil.which("dpkg-query"):
        return "no twin, a 32-bit MicroPython: it is built from Debian's packages, on Debian only"
    if wanted := missing():
        names = " ".join(wanted)
        return f"the twin, a 32-bit MicroPython, needs packages that are not installed, {names}: {_remedy(wanted)}"
    return setup_debian.lack()


def _remedy(packages):
    """Return the commands that install packages."""
    words = ["apt-get update", f"apt-get install {' '.join(packages)}"]
    if any(package.endswith(":i386") for package in packages) and "i386" not in _said("dpkg", "--print-foreign-architectures"):
        words.insert(0, "dpkg --add-architecture i386")
    sudo = "sudo " if os.geteuid() else ""
    return " && ".join(sudo + command for command in words)


def _installed(packages):
    """Return {package: version} of those of packages that are installed."""
    form = "${binary:Package} ${Package} ${db:Status-Status} ${Version}\n"
    found = {}
    for line in _said("dpkg-query", "-W", "-f", form, *packages).splitlines():
        full, plain, status, *version = line.split()
        if status == "installed":
            found.update({full: version, plain if full.endswith(":amd64") else full: version})
    return found


def _toolchain():
    """What the machine's packages have to do with the programs."""
    return RECIPE, _said("gcc", "--version").split("\n")[0], _installed(PACKAGES)


def _said(*words):
    """Return what a command wrote; "" when it is not there."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=20, check=False).stdout
    except OSError:
        return ""


# ---- the cache


def cache():
    """Return the cache folder."""
    wanted = os.environ.get("METERGATE_CACHE")
    if wanted:
        return Path(wanted).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "metergate"


@contextlib.contextmanager
def _held(path):
    """Let no other build of the twin run meanwhile, in whatever checkout."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("metergate: waiting for another build of the twin to end", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Its commands hold it too: should this process be killed, the next build waits for them to end.
        os.set_inheritable(lock.fileno(), True)
        yield


def _key(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _parts(name):
    """Return what of this checkout goes into a program: the variant, what is frozen."""
    frozen = _FROZEN if name == "twin-frozen" else ()
    return _contents((*_VARIANT, "tools/twin/manifest*.py", *_PORTS, *_OF_PORTS, *frozen))


def _found(patterns):
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


def _contents(patterns):
    return [(path.relative_to(ROOT).as_posix(), path.read_bytes()) for path in _found(patterns)]


def _drop(paths):
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _prune(pattern, kept):
    """Delete all that pattern finds in the cache but the newest."""
    _drop(sorted(cache().glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)[kept:])


# ---- building


def _source():
    """Return the folder of MicroPython's source; None when the cache has none."""
    return next(iter(sorted(cache().glob(f"micropython-{VERSION}*"), reverse=True)), None)


def _fetch_source(run):
    """Fetch and unpack Debian's source of MicroPython. Unavailable when no mirror gives it."""
    draft = cache() / "draft"
    draft.mkdir()
    control = setup_debian.fetch_source(run, "micropython", SUITE, draft)
    version = control and control.stem.removeprefix("micropython_")
    if not version or not version.startswith(VERSION):
        why = f"Debian {SUITE} has {version}" if version else "no Debian mirror is in reach"
        raise Unavailable(f"no source of MicroPython {VERSION}x for the twin: {why}")
    if not run("unpacking MicroPython's source", ["dpkg-source", "--extract", control, draft / "source"]):
        raise SetupError(f"{control.name} could not be unpacked")
    source = (draft / "source").rename(cache() / f"micropython-{version}")
    shutil.rmtree(draft)
    return source


def _build(run, source, name):
    """Build one of the programs from source; return the file, a draft."""
    objects = cache() / f"objects-{_key(source.name, _toolchain(), _contents(_VARIANT))}"
    whole = objects / "whole"
    if not whole.exists():  # a killed compiler leaves half an object
        shutil.rmtree(objects, ignore_errors=True)
        # The variant too: objects name the headers they depend on, and a checkout may go away.
        _copy(_found(_VARIANT), objects / "twin")
    whole.unlink(missing_ok=True)
    # What is frozen is told apart by time, and a checkout may go back in time.
    for old in ("unix/frozen_mpy", "frozen"):
        shutil.rmtree(objects / old, ignore_errors=True)
    (objects / "unix/frozen_content.c").unlink(missing_ok=True)
    _copy(_found(_PORTS), objects / "frozen/simulated")
    _copy(_found(_OF_PORTS), objects / "frozen/simulated/tests/sim")
    cross = objects / "mpy-cross"
    # Nothing of ours but PATH: make takes any variable for one of its own.
    make = ["env", "-i", f"PATH={os.environ['PATH']}", "LC_ALL=C.UTF-8", f"MICROPY_MPYCROSS={cross}/mpy-cross"]
    make += ["make", f"-j{os.cpu_count()}", f"PYTHON={sys.executable}", "-C"]
    unix = [f"VARIANT_DIR={objects}/twin", f"FROZEN_MANIFEST={MANIFESTS[name]}", f"BUILD={objects}/unix"]
    unix += [f"MICROPY_MANIFEST_OBJECTS={objects}"]
    done = (cross / "mpy-cross").exists() or run("building mpy-cross", [*make, source / "mpy-cross", f"BUILD={cross}"])
    done = done and run(f"building {name}", [*make, source / "ports/unix", *unix])
    whole.touch()
    if not done:
        raise SetupError("the twin could not be built")
    os.utime(objects)
    draft = cache() / "draft-program"
    return Path(shutil.copy(objects / "unix/twin", draft))


def _copy(paths, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copy(path, folder)


def main(words):
    """Answer --missing [bench], --where asyncio|source|cache; return the exit status."""
    if words[:1] == ["--missing"]:
        print(*missing(PACKAGES + (BENCH_PACKAGES if words[1:] == ["bench"] else ())), sep="\n", end="")
        return 0
    if words[:1] == ["--where"] and words[1:] in (["asyncio"], ["source"], ["cache"]):
        source = _source()
        found = {"asyncio": source and source / "extmod/asyncio", "source": source, "cache": cache()}[words[1]]
        print(found or "metergate: not there: make twin", file=sys.stdout if found else sys.stderr)
        return 0 if found else 1
    print("usage: tools/twin.py --missing [bench] | --where asyncio|source|cache", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
