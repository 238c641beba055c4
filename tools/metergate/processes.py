"""Child processes that never outlive us: own session, killed with their parent, ended by their id."""

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def _die_with_parent():
    # A demo that is itself killed leaves nothing behind (Linux).
    if hasattr(_LIBC, "prctl"):
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A child whose output goes to a log file. start(), kill() as often as needed; stop() asks first."""

    def __init__(self, command, log, cwd=None, stdin=subprocess.DEVNULL, env=None):
        self.command = [str(part) for part in command]
        self.log = log
        self.child = None
        self._cwd = cwd
        self._stdin = stdin
        self._env = env

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.command,
                stdin=self._stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env={**os.environ, **(self._env or {})},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return self

    @property
    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number):
        if self.is_running:
            self.child.send_signal(number)

    def kill(self):
        """kill -9, as a cut of power is."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self, seconds=3):
        """Ask it to end, and kill it if it does not."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self.wait(seconds) is None:
            self.kill()

    def wait(self, seconds=5):
        """Its exit status, or None if it still runs after seconds."""
        if self.child is None:
            return None
        try:
            status = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        for stream in (self.child.stdin, self.child.stdout):
            if stream:
                stream.close()
        return status


def take_folder(folder):
    """Empty a folder and hold it for this process; RuntimeError if another one holds it. Returns what must be kept."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    handle = open(folder.with_suffix(".lock"), "w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise RuntimeError(f"{folder.name} runs already in this project; wait for it, or end it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return handle


def free_port():
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(check, seconds, what):
    """Wait until check() gives something true and return it; TimeoutError naming what after seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"{what}: not within {seconds} s")
