"""Fetch a Debian package with what it depends on and unpack it into a folder; nothing is installed, no root needed.

apt-get works on lists, archives and a status of its own; mirrors, proxies and passwords are those of the machine."""

import platform
import shutil
import subprocess
from pathlib import Path

_KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")

# Overruled is what the owner meant for the machine's own packages: hooks, pins, a release that our list does not have.
_CONFIG = """#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Default-Release "";
APT::Get::AllowUnauthenticated "false";
APT::Install-Recommends "false";
APT::Sandbox::User "root";  // for root apt else downloads as _apt, which may not be let into our folder
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Debug::NoLocking "true";
Dir::Cache "{work}";
Dir::Cache::archives "{work}/archives";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "{work}/lists";
Dir::State::status "{status}";
"""


def release():
    """Return the codename of the Debian release this machine runs, such as "trixie"; "" when that is not known."""
    try:
        facts = platform.freedesktop_os_release()
    except OSError:
        return ""
    return facts.get("DEBIAN_CODENAME") or facts.get("VERSION_CODENAME", "")


def lack():
    """Say what apt needs and this machine has not; "" when all is there."""
    tools = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    if tools:
        return f"no {tools[0]} here"
    return "" if any(Path(path).exists() for path in _KEYRINGS) else "apt install debian-archive-keyring"


def unpack(run, package, suite, work, target, status=None):
    """Unpack package of suite, and the packages it depends on, into target; return False when it cannot be had.

    run(what, words) runs a command and returns whether it succeeded. work is an empty folder, for the downloads; target
    appears whole or not at all. status is the dpkg status file of what need not be fetched; default: nothing."""
    (work / "tree").mkdir()
    apt = _apt(run, "deb", suite, work, status)
    if not run(f"fetching {package} from Debian {suite}", [*apt, "--download-only", "install", package]):
        return False
    each = 'for archive; do dpkg-deb -x "$archive" "$0" || exit; done'
    if not run(f"unpacking {package}", ["sh", "-c", each, work / "tree", *sorted(work.glob("archives/*.deb"))]):
        return False
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    (work / "tree").rename(target)
    return True


def fetch_source(run, package, suite, work):
    """Fetch the source of package of suite into work, an empty folder; return its .dsc, None when it cannot be had."""
    apt = _apt(run, "deb-src", suite, work)
    # The archives come to where it runs.
    fetch = ["sh", "-c", 'cd "$0" && exec "$@"', work, *apt, "--download-only", "source", package]
    if not run(f"fetching the source of {package} from Debian {suite}", fetch):
        return None
    return next(work.glob(f"{package}_*.dsc"), None)


def _apt(run, kind, suite, work, status=None):
    """Return the words of an apt-get that works in the folder work alone and has read suite's list, deb or deb-src."""
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / "apt.conf").write_text(_CONFIG.format(work=work, status=status or work / "status"))
    (work / "sources.list").write_text("".join(_sources(kind, suite)))
    apt = ["apt-get", "-c", work / "apt.conf", "-y"]
    # Of several mirrors some may lack the suite, and update then fails; what is fetched tells whether one had it.
    run(f"reading Debian {suite}'s list of packages", [*apt, "update"])
    return apt


def _sources(kind, suite):
    """Yield a line of sources.list for each mirror the machine uses, but those of security updates and CDs."""
    keyring = next(path for path in _KEYRINGS if Path(path).exists())
    machine = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=False).stdout
    options = {"deb": f"arch={machine.strip()} target=Packages", "deb-src": "target=Sources"}[kind]
    # Without --no-release-info apt names only what an earlier update has fetched, which may be nothing.
    asked = ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)"]
    mirrors = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split("\n")
    for mirror in dict.fromkeys(mirror.rstrip("/") for mirror in mirrors):
        if mirror and "security" not in mirror and not mirror.startswith("cdrom:"):
            yield f"{kind} [signed-by={keyring} {options}] {mirror} {suite} main\n"
