"""A simulated wire in real time: behind a pseudo terminal, every byte handed over when it has ended; or a serial port.

A thread of its own waits for the wire's next moment, the last bit of it spinning. Without a fifo the bytes that the
gateway writes begin when they arrive here, and the transceiver switches by itself. With one the gateway tells when
its driver-enable pin changed and when it began to send (tests/sim/ports/machine.py), so that being told late by a
switch of processes changes nothing: the wire gets the true times, and holds back what an unknown release decides.
"""

import ctypes
import errno
import os
import select
import sys
import tempfile
import threading
import time
from pathlib import Path

from metergate.portwire import Port, Terminal, open_pty

# The rest of a wait that is spun for: what a sleeping thread's start may be late by, mostly.
_SPIN_US = 40
_PR_SET_TIMERSLACK = 29
# How late a release may be told. A loaded machine lets a process wait for some tens of milliseconds.
HOLD_US = 100000
# How long bytes that were told may take through the terminal.
_TERMINAL_S = 0.5
# A loop that computes must let the wire's thread in within less than a character.
_SWITCH_S = 0.0002
# The board's ticks_us wraps here where words have 32 bits.
_TICKS = 1 << 30


def now_us():
    """The clock that MicroPython's time.ticks_us shows on a PC."""
    return time.monotonic_ns() // 1000


class Station:
    """What answers by itself behind a terminal of its own, as one of the wire's slaves: `terminal` is its end.

    takes(bytes since the last silence): whether it is handed them; by default everything, as soon as it was heard."""

    def __init__(self, settings, takes=None):
        self.settings = settings
        self._takes = takes
        self.master, self._slave = open_pty()
        self.terminal = os.ttyname(self._slave)
        self._heard = (None, 0)

    def hear(self, data, first_us, _end_us):
        """Hand over what is new; its answer comes by the terminal."""
        known = self._heard[1] if self._heard[0] == first_us else 0
        if self._takes and not self._takes(data):
            return
        os.write(self.master, data[known:])
        self._heard = (first_us, len(data))

    def close(self):
        os.close(self.master)
        os.close(self._slave)


class PtyWire:
    """PtyWire(wire, drive): drive True makes a fifo for what the gateway tells, and the wire must observe_drive.

    port: a serial port's name in place of a pseudo terminal; the wire must be by_start, and its settings are the port's.
    settings_at(baud): the settings that a master has which sets the terminal to a baud rate, None: has set none; without it
    they stay the wire's. terminal, fifo: paths for the gateway's sim.json. n_dropped: bytes nobody took from the terminal."""

    def __init__(self, wire, drive=False, stations=(), port=None, settings_at=None):
        self.wire = wire
        self.n_dropped = 0
        self.error = None
        self._stations = list(stations)
        self._settings_at = settings_at
        self._end = Port(port, wire.settings) if port else Terminal(wire.settings[0])
        self._master = self._end.handle
        self.terminal = self._end.name
        self.fifo = None
        self._told = None
        if drive:
            self._folder = tempfile.TemporaryDirectory(prefix="metergate-")
            self.fifo = str(Path(self._folder.name) / "drive")
            os.mkfifo(self.fifo)
            # Open for both: an end that nobody holds would make the gateway wait, and us read for nothing.
            self._told = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        self._text = b""
        self._from_gateway = b""
        self._wake, self._waker = os.pipe()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    def start(self):
        sys.setswitchinterval(min(_SWITCH_S, sys.getswitchinterval()))
        self._thread.start()
        return self

    def close(self):
        """End the thread; raises what ended it before. A second call does nothing."""
        if self._ended:
            return
        self._ended = True
        os.write(self._waker, b"\0")
        if self._thread.ident:
            self._thread.join()
        self._end.close()
        for handle in (self._wake, self._waker):
            os.close(handle)
        if self._told is not None:
            os.close(self._told)
            self._folder.cleanup()
        for station in self._stations:
            station.close()
        if self.error:
            raise self.error

    # -- the thread --------------------------------------------------------------------------------------------

    def _run(self):
        try:
            _be_punctual()
            inputs = {station.master: station for station in self._stations}
            inputs[self._wake] = None
            inputs[self._master if self._told is None else self._told] = self
            while not self._ended:
                at_us = now_us()
                self._give(self.wire.read(at_us))
                for handle in self._wait(list(inputs), self.wire.next_us(at_us)):
                    if inputs[handle] is self:
                        self._hear_gateway()
                    elif inputs[handle]:
                        self.wire.send(inputs[handle], os.read(handle, 4096), now_us())
        except OSError as error:
            self.error = RuntimeError(f"{self.terminal}: {error.strerror}")
        except Exception as error:  # told by close(): a thread has nobody else to tell
            self.error = error

    def _give(self, data):
        if data:
            self._end.gave(now_us())
            try:
                os.write(self._master, data)
            except BlockingIOError:
                self.n_dropped += len(data)

    @staticmethod
    def _wait(handles, at_us):
        """The handles that can be read; none once it is at_us."""
        rest_us = None if at_us is None else at_us - now_us() - _SPIN_US
        if rest_us is None or rest_us > 0:
            ready = select.select(handles, (), (), None if rest_us is None else rest_us / 1000000)[0]
            if ready or at_us is None:
                return ready
        while now_us() < at_us:
            pass
        return select.select(handles, (), (), 0)[0]

    def _hear_gateway(self):
        if self._told is None:
            self._hear_terminal()
            return
        self._text += os.read(self._told, 4096)
        *lines, self._text = self._text.split(b"\n")
        for line in lines:
            what, at, *more = line.split()
            self._apply(what, _whole(int(at)), more)

    def _hear_terminal(self):
        data = os.read(self._master, 4096)
        if not data:
            raise OSError(errno.EIO, "it is gone")
        if self._settings_at:
            self.wire.set(self._settings_at(self._end.baud()))
        self.wire.write(data, self._end.begun_us(data, self.wire, now_us()))

    def _apply(self, what, at_us, more):
        if what == b"w":
            self.wire.write(self._written(int(more[0])), at_us)
        elif what == b"s":
            baud, bits, parity, stop = more
            self.wire.set((int(baud), int(bits), None if parity == b"-" else int(parity), int(stop)), at_us)
        else:
            self.wire.drive(what == b"1", at_us)

    def _written(self, n):
        """The next n bytes the gateway wrote, or fewer if they do not come."""
        while len(self._from_gateway) < n and select.select((self._master,), (), (), _TERMINAL_S)[0]:
            self._from_gateway += os.read(self._master, 4096)
        found, self._from_gateway = self._from_gateway[:n], self._from_gateway[n:]
        return found


def _be_punctual():
    """Let this thread's sleeps end when they should, also beside other work, as far as the machine allows."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1000)
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except OSError:
            # Only for those who may: the rest share the machine as everybody does.
            pass


def _whole(ticks_us):
    """The time that the gateway's ticks_us meant, which may have wrapped."""
    now = now_us()
    return now - (now - ticks_us + _TICKS // 2) % _TICKS + _TICKS // 2
