"""Keeps tasks alive, counts what kills them, and feeds the watchdog only while every watched part moves."""

import asyncio
import io
import sys
import time

from micropython import const

# How long a watched part may go without moving before the watchdog is no longer fed.
_STUCK_S = const(180)
_FEED_S = const(5)
_FIRST_RESTART_MS = const(1000)
_LONGEST_RESTART_MS = const(60000)
# A task that lived so long has earned a quick restart again.
_GOOD_S = const(600)
_TELL_S = const(3600)
_CRASH_CHARS = const(400)


class Supervisor:
    """Supervisor(report): report(task's name, how many crashes, text) after a crash, at most once an hour; must not raise.

    crashes: {task's name: n}; last_crash: text; uptime_s: seconds by a clock that nobody sets."""

    def __init__(self, report):
        self.crashes = {}
        self.last_crash = ""
        self.uptime_s = 0
        self._report = report
        self._watched = []
        self._told_s = {}

    def start(self, name, run):
        """Run the coroutine function run() as a task, again and again if it dies; a run() that returns has ended."""
        asyncio.create_task(self._supervise(name, run))

    def watch(self, name, count):
        """count() must change within 3 minutes, or the board is restarted. name: the task's, as given to start."""
        self._watched.append([name, count, None, 0])

    async def _supervise(self, name, run):
        wait_ms = _FIRST_RESTART_MS
        while True:
            begun_s = self.uptime_s
            try:
                await run()
                return
            except Exception as error:
                self._note(name, error)
            if self.uptime_s - begun_s > _GOOD_S:
                wait_ms = _FIRST_RESTART_MS
            await asyncio.sleep_ms(wait_ms)
            wait_ms = min(2 * wait_ms, _LONGEST_RESTART_MS)

    def _note(self, name, error):
        self.crashes[name] = self.crashes.get(name, 0) + 1
        try:
            self._tell(name, error)
        except MemoryError:
            # Often what the crash is about too. The task is started again all the same, and the count says it.
            self.last_crash = name

    def _tell(self, name, error):
        text = io.StringIO()
        sys.print_exception(error, text)
        lines = [line.strip() for line in text.getvalue().split("\n") if line.strip()]
        self.last_crash = "%s: %s" % (name, " | ".join(lines[-3:]))[:_CRASH_CHARS]
        # A task that dies again and again must not fill the log with it: once an hour says it, the counts say the rest.
        if name not in self._told_s or self.uptime_s - self._told_s[name] >= _TELL_S:
            self._told_s[name] = self.uptime_s
            self._report(name, self.crashes[name], self.last_crash)

    async def run_watchdog(self, watchdog, stays_up):
        """Feed the watchdog for ever, while everything moves. stays_up() is called once, after 10 minutes."""
        last_ms = time.ticks_ms()
        while True:
            await asyncio.sleep(_FEED_S)
            seconds = time.ticks_diff(time.ticks_ms(), last_ms) // 1000
            last_ms = time.ticks_add(last_ms, seconds * 1000)
            if self.uptime_s <= _GOOD_S < self.uptime_s + seconds:
                self._call(stays_up)
            self.uptime_s += seconds
            if self.all_move():
                watchdog.feed()

    def _call(self, function):
        try:
            function()
        except OSError as error:
            # A file that cannot be written must not end the feeding of the watchdog.
            self._note("files", error)

    def all_move(self):
        """True if every watched part has moved within its time. Its own crash counts: it is dealt with already."""
        stuck = 0
        for entry in self._watched:
            now = (entry[1](), self.crashes.get(entry[0], 0))
            if now != entry[2]:
                entry[2], entry[3] = now, self.uptime_s
            stuck += self.uptime_s - entry[3] >= _STUCK_S
        return not stuck
