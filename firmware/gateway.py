"""The running gateway: its parts, built from the configuration, and its tasks."""

import asyncio

from micropython import const

from firmware import VERSION, clock, starts
from firmware.console.report import Report
from firmware.console.shell import Shell
from firmware.errors import MetergateError
from firmware.meters.daily import Daily
from firmware.meters.identity import Identity
from firmware.meters.poll import Poll
from firmware.meters.quiet import Quiet
from firmware.protocols import payload, record
from firmware.store.archive import Archive
from firmware.store.log import Log
from firmware.store.ring import Ring
from firmware.supervisor import Supervisor
from firmware.unload import unload
from firmware.upkeep import Upkeep
from firmware.uplink.centre import Centre
from firmware.uplink.link import Link
from firmware.uplink.names import Names
from firmware.uplink.timekeeper import TimeKeeper

_WATCHDOG_MS = const(120000)


class Gateway:
    """Gateway(board, config, lines, meters, n_starts): board is the module of ports; lines and meters in configured order.

    Gives its parts to the console and the reports."""

    def __init__(self, board, config, lines, meters, n_starts):
        self.board = board
        self.config = config
        self.n_starts = n_starts
        self.start_cause = board.start_cause()
        self.now_s = clock.now_s
        self.supervisor = Supervisor(self._crashed)
        zone = config.gateway.zone
        self.lines = lines
        self.meters = meters
        self.ring = Ring(board.ring_device(), self.now_s)
        archive, fault = self._archive()
        self.log = Log(self.ring, zone, config.hash, [meter.names() for meter in self.meters], archive)
        self.log.archive_fault = fault
        self.report = Report(self)
        self.polls = []
        self.quiet = Quiet(lines, self.polls, clock.now_ms)
        self._build_uplinks()
        self._build_polls(zone)

    def _archive(self):
        """(Archive or None, why there is none although there is a region for it)."""
        try:
            days = self.board.days_device()
            return (Archive(days, self.now_s) if days else None), None
        except (OSError, MetergateError) as error:
            return None, error

    def _build_uplinks(self):
        config, board = self.config, self.board
        self.link = Link(board.wlan(), config.network)
        self.names = Names(self._name_servers)
        self.time = TimeKeeper(
            config.network.ntp, self.names, self.link, self.now_s, self._set_clock, board.clock_kept(), self._stepped
        )
        # The ring says where each data centre's cursor stands, so it is mounted before the outboxes are made.
        formatted = self.log.open(self._tell_change)
        self.upkeep = Upkeep(self.log, self.quiet, self.tell, self._tell_overwritten)
        self.upkeep.erase_first()
        if formatted:
            self.tell('"event":"log_formatted"')
        unload("firmware.store.mount", "firmware.store.takeup")
        self.log.keep_consumers([section.name for section in config.uplinks])
        self.centres = [
            Centre(section, config.gateway.id, self.link, self.names, self.log, self.report, self.tell, self.quiet.wait)
            for section in config.uplinks
        ]
        self.log.appended = self._wake_centres

    def _build_polls(self, zone):
        for line in self.lines:
            meters = [(i, meter) for i, meter in enumerate(self.meters) if meter.line is line]
            if meters:
                errands = Identity(self.log, self.tell, zone), Daily(self, meters)
                poll = Poll(line, meters, self.log, zone, self.now_s, errands)
                poll.quality = self._clock_quality
                self.polls.append(poll)

    @staticmethod
    def own_profiles():
        """{name: Profile} of profiles.json. ConfigError if it is none any more."""
        from firmware import plan

        return plan.own_profiles("profiles.json")

    # -- what the parts ask of each other -------------------------------------------------------------------

    def _name_servers(self):
        return self.config.network.dns or [server for server in (self.link.name_server,) if server]

    def _set_clock(self, at_s):
        self.board.set_clock(at_s, clock.civil_of_day)

    def _stepped(self, from_s, to_s, source):
        self.log.clock_set(from_s, to_s, source)
        self.tell('"event":"time_step","from":%d,"to":%d' % (from_s, to_s))
        for poll in self.polls:
            poll.clock_stepped()

    def _clock_quality(self):
        return 0 if self.time.is_synchronised else record.Q_UNSYNCHRONISED

    def _tell_overwritten(self):
        for centre in self.centres:
            centre.outbox.tell_overwritten()

    def _wake_centres(self):
        for centre in self.centres:
            centre.wake()

    def _crashed(self, name, n, text):
        self.tell('"event":"task_crashed","task":%s,"n":%d,"why":%s' % (payload.text(name), n, payload.text(text)))

    def tell(self, members, kind=record.EVENT):
        """Store an event, or a change, with its time, null while the clock is not known."""
        now_s = self.now_s()
        self.log.event('"t":%s,%s' % (now_s if clock.is_known(now_s) else "null", members), kind)

    def _tell_change(self, key, old, new):
        members = '"event":"change","by":"start","key":"%s","old":%s,"new":%s' % (key, payload.text(old), payload.text(new))
        self.tell(members, record.CHANGE)

    def restart(self):
        """A wanted restart: what is in memory is written down, and it counts as no failure."""
        self.log.close()
        starts.stays_up()
        self.board.restart()

    # -- tasks ----------------------------------------------------------------------------------------------

    async def run_all(self):
        """Start every task under supervision and watch over them, for ever."""
        self.tell(
            '"event":"start","boot":%d,"cause":%s,"version":"%s","cfg":"%s"'
            % (self.n_starts, payload.text(self.start_cause), VERSION, self.config.hash)
        )
        start = self.supervisor.start
        if self.config.network.kind != "none":
            start("link", self.link.run_link)
            if self.config.network.ntp:
                start("time", self.time.run_time)
        start("store", self.upkeep.run_upkeep)
        start("shell", Shell(self, echo=not self.board.on_pc).run_shell)
        for centre in self.centres:
            start("uplink " + centre.name, centre.run_centre)
        start("measure", self._run_measure)
        self._watch("store", self.upkeep)
        for centre in self.centres:
            self._watch("uplink " + centre.name, centre)
        await self.supervisor.run_watchdog(self.board.watchdog(_WATCHDOG_MS), starts.stays_up)

    def _watch(self, name, part):
        self.supervisor.watch(name, lambda: part.progress)

    async def _run_measure(self):
        """Wait until the time is known, account for the slots that passed, then poll every line by its own task."""
        while not clock.is_known(self.now_s()):
            await asyncio.sleep(1)
        due = self.log.resume(self.now_s())
        for poll in self.polls:
            poll.start(due)
            self._watch("poll " + poll.name, poll)
            self.supervisor.start("poll " + poll.name, poll.run_poll)
