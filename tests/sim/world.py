"""Virtual time: one clock, one queue of events, and what calls and waits cost on a board.

`current` is the world that the virtual ports (tests/sim/virtual) live in. Time moves only by spend, run_until and
the loop's poll, so months pass in minutes and the same seed gives the same run. Portable.
"""

import heapq

from tests.sim.seeded import Seeded

current = None

FOREVER_US = 1 << 62

# What things take on an ESP32 at 160 MHz, roughly: a call of ticks_ms, of a port, and one turn of asyncio's loop. They
# make a loop that spins end, as it does on a board.
TICKS_US = 20
PORT_US = 40
TURN_US = 400
# FreeRTOS at 100 Hz: a wait ends at the next tick.
TICK_US = 10000


class Reset(BaseException):
    """The board restarts with its clock still going. args: (cause,) as board.start_cause names it."""


class End(BaseException):
    """The run is over."""


class Trace:
    """Trace(path): what happened, a line each, written at once so that nothing is held: `microseconds text`."""

    def __init__(self, path):
        self._file = open(path, "w")

    def line(self, text):
        self._file.write(text)
        self._file.write("\n")

    def close(self):
        self._file.close()


class World:
    """World(seed, start_s, trace): begins at now_us 0, which is start_s in Unix seconds.

    call_at(at_us, function, *args) queues an event; events of the same time happen in the order they were queued.
    due_us: when the next one is due. go_off() ends a start, in an event too: from then on every port raises the same."""

    def __init__(self, seed=1, start_s=1795000000, trace=None, tick_us=TICK_US):
        self.now_us = 0
        self.start_s = start_s
        self.random = Seeded(seed)
        self.trace = trace
        self.tick_us = tick_us
        # What has ended the start, until power_on; and whether a start is under way at all.
        self.off = None
        self.is_on = False
        # Called when the board stops, to end what it leaves behind: open sockets, the running watchdog.
        self.on_off = []
        # Set by whatever may have made something ready that a poll waits for.
        self.stirred = False
        self._events = []
        self._n = 0
        self.due_us = FOREVER_US

    def call_at(self, at_us, function, *args):
        """Queue an event; one in the past happens at the next chance."""
        self._n += 1
        heapq.heappush(self._events, (at_us, self._n, function, args))
        if not self.off:
            self.due_us = self._events[0][0]

    def call_in(self, for_us, function, *args):
        self.call_at(self.now_us + for_us, function, *args)

    def true_s(self):
        """Unix seconds as the rest of the world has them, rounded down."""
        return self.start_s + self.now_us // 1000000

    def say(self, text):
        """A line of the trace."""
        if self.trace:
            self.trace.line("%d %s" % (self.now_us, text))

    # -- time passes ----------------------------------------------------------------------------------------

    def spend(self, for_us):
        """The processor is busy for so long; what is due meanwhile happens."""
        now_us = self.now_us + for_us
        if now_us < self.due_us:
            self.now_us = now_us
        else:
            self.run_until(now_us)

    def run_until(self, at_us):
        """Let everything happen that is due up to at_us, at its own time. Does nothing if at_us has passed."""
        if self.off:
            raise self.off
        while self.due_us <= at_us:
            # Nothing of this may be behind the call, which may not come back.
            due_us, _, function, args = heapq.heappop(self._events)
            self.due_us = self._events[0][0] if self._events else FOREVER_US
            if due_us > self.now_us:
                self.now_us = due_us
            function(*args)
        if at_us > self.now_us:
            self.now_us = at_us

    def wait(self, limit_us, ready):
        """Let time pass until ready() gives something true, or until limit_us; what it gave last.

        As a board's loop waits: it looks at its ticks."""
        tick_us = self.tick_us
        if tick_us:
            limit_us += -limit_us % tick_us
        while self.due_us <= limit_us:
            self.run_until(self.due_us)
            if self.stirred:
                if ready():
                    if tick_us:
                        self.run_until(self.now_us + -self.now_us % tick_us)
                    return ready()
                self.stirred = False
        if limit_us == FOREVER_US:
            raise RuntimeError("the loop waits for nothing")
        self.run_until(limit_us)
        return ready() if self.stirred else ()

    # -- power ----------------------------------------------------------------------------------------------

    def go_off(self, why):
        """The board stops here and now: raises why, a Cut, a Reset or an End, and every port does until power_on.

        A board that is off stays off, without a word."""
        if not self.is_on and not isinstance(why, End):
            return
        self.off = why
        self.is_on = False
        # Every spend takes the long way, which raises.
        self.due_us = -1
        for function in self.on_off:
            function()
        raise why

    def power_on(self):
        """A new start begins."""
        self.rest()
        self.is_on = True

    def rest(self):
        """The board is off, and time may pass."""
        self.off = None
        self.due_us = self._events[0][0] if self._events else FOREVER_US


def make(*args, **keys):
    """A new World, which is the current one from now on."""
    global current
    current = World(*args, **keys)
    return current
