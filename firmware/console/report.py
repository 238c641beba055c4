"""The gateway's state as JSON: health, points and status."""

import gc

from firmware import VERSION
from firmware.bus import ledger
from firmware.protocols import payload
from firmware.protocols.payload import flag, obj, text
from firmware.store import forecast
from firmware.unload import unload


class Report:
    """Report(app): reads the app's figures, never changes them."""

    def __init__(self, app):
        self._app = app

    @property
    def points_version(self):
        """A number that changes when points() does: the resolution of a float register grows, and a meter may be replaced."""
        return hash(self._state())

    def _state(self):
        """What in points() may change: steps and serial number of each meter."""
        return tuple((tuple(meter.steps), names.serial) for meter, names in zip(self._app.meters, self._app.log.meters))

    def status(self, online):
        app = self._app
        return obj(
            ("v", str(payload.VERSION)),
            ("gw", text(app.config.gateway.id)),
            ("online", flag(online)),
            ("version", text(VERSION)),
            ("boot", str(app.n_starts)),
            ("t", str(app.now_s())),
        )

    def points(self):
        """What each point is: some 150 bytes for each, and 200 for each meter."""
        # Loaded for this alone: it is sent once a session or so.
        from firmware.console.described import described

        unload("firmware.console.described")
        # The state of now, since readings are taken while it is sent.
        state = self._state()
        return payload.Streamed(lambda: described(self._app, state))

    def health(self, message):
        """The gateway's health, some 700 bytes, 100 for each data centre, and 150 for each line and meter: in message, a
        payload.Message, if it has room for it; else a payload.Streamed."""
        app = self._app
        gc.collect()
        message.start("")
        for piece in _health(self._heads(), app.lines, app.meters, self._end()):
            if not message.has_room(piece):
                break
            message.put(piece)
        else:
            return message
        # The state of now, since readings are taken while it is sent; its texts are made one by one.
        state = self._heads(), [_Kept(line) for line in app.lines], [_Kept(meter) for meter in app.meters], self._end()
        return payload.Streamed(lambda: _health(*state))

    def _end(self):
        crashes = self._app.supervisor
        return '],"crashes":%s,"last_crash":%s}' % (_counts_text(crashes.crashes), text(crashes.last_crash))

    def _heads(self):
        """What stands before the lists of lines and meters, in pieces for which there is a place."""
        app = self._app
        free, used = (gc.mem_free(), gc.mem_alloc()) if hasattr(gc, "mem_free") else (0, 0)
        heads = [
            '{"v":%d,"gw":%s,"t":%d' % (payload.VERSION, text(app.config.gateway.id), app.now_s()),
            ',"uptime_s":%d,"memory":{"free":%d,"used":%d},"ring":' % (app.supervisor.uptime_s, free, used),
            self._ring(app.ring, app.quiet.n_pauses, app.log.n_unstored),
            ',"days":' + self._days(app.log),
            ',"time":{"source":%s,"age_s":%s}' % (text(app.time.source), self._time_age_s()),
            ',"network":{"up":%s,"losses":%d},"uplinks":[' % (flag(app.link.is_up), app.link.n_losses),
        ]
        comma = ""
        for centre in app.centres:
            heads.append(comma + _centre(centre, app.ring))
            comma = ","
        return heads

    def _time_age_s(self):
        return self._app.now_s() - self._app.time.set_s if self._app.time.set_s else "null"

    @staticmethod
    def _ring(ring, n_pauses, n_unstored):
        return obj(
            ("log", text(ring.log)),
            ("first", str(ring.first_seq)),
            ("next", str(ring.next_seq)),
            ("blocks", str(ring.n_blocks)),
            ("used_blocks", str(ring.used_blocks)),
            ("history_s", str(forecast.history_s(ring))),
            ("holds_s", str(forecast.holds_s(ring))),
            ("erases", str(ring.blocks.erases)),
            ("waited", str(ring.n_waited)),
            ("pauses", str(n_pauses)),
            ("torn", str(ring.n_torn)),
            ("failed", str(ring.blocks.n_failed)),
            ("retired", str(len(ring.blocks.retired))),
            ("damaged", str(len(ring.damaged))),
            ("unstored", str(n_unstored)),
        )

    @staticmethod
    def _days(log):
        """Of the region of daily summaries and changes; null if there is none."""
        if log.archive is None:
            return obj(("fault", text(str(log.archive_fault)))) if log.archive_fault else "null"
        blocks = log.archive.ring.blocks
        return obj(
            ("failed", str(blocks.n_failed)),
            ("retired", str(len(blocks.retired))),
            ("damaged", str(len(log.archive.ring.damaged))),
            ("unkept", str(log.n_unkept)),
        )


class _Kept:
    """What health says of a line or meter, as it is now."""

    timeout_ms = clock = None
    findings = codes = ()

    def __init__(self, part):
        self.name = part.name
        self.counts = ledger.kept(part.counts)
        if hasattr(part, "pause_ms"):
            self.pause_ms, self.n_echoes = part.pause_ms, part.n_echoes
        else:
            self.timeout_ms, self.clock, self.findings = part.timeout_ms, part.clock, part.findings
            self.codes = dict(part.codes) if part.codes else ()


def _health(heads, lines, meters, end):
    """Health's texts, one after another."""
    for head in heads:
        yield head
    comma = '],"lines":['
    for line in lines:
        yield comma + obj(("name", text(line.name)), *(_ledger(line.counts) + _habits(line)))
        comma = ","
    # No line, no meter: the list of lines is opened all the same.
    comma = '],"meters":[' if lines else '],"lines":[],"meters":['
    for meter in meters:
        yield comma + obj(("m", text(meter.name)), *(_ledger(meter.counts) + _known(meter)))
        comma = ","
    yield end if meters else comma + end


def _ledger(counts):
    """The members of a ledger: what is not 0, reply times, and the newest good reply."""
    found = [("counts", "{%s}" % ",".join(["%s:%d" % (text(name), n) for name, n in ledger.counted(counts)]))]
    times = ledger.reply_ms(counts)
    if times:
        found.append(("reply_ms", "[%d,%d,%d]" % times))
        found.append(("last_good", str(counts[ledger.LAST_GOOD_S])))
    return found


def _habits(line):
    """What has turned out about a line, as members."""
    found = [("pause_ms", str(line.pause_ms))] if line.pause_ms else []
    return found + [("echoes", str(line.n_echoes))] if line.n_echoes else found


def _known(meter):
    """What else is known of a meter, as members."""
    found = [("timeout_ms", str(meter.timeout_ms))]
    if meter.clock:
        drift_s, minute, state = meter.clock
        shown = ("drift_s", "null" if drift_s is None else str(drift_s)), ("t", str(60 * minute)), ("state", text(state))
        found.append(("clock", obj(*shown)))
    if meter.findings:
        found.append(("implausible", "[%s]" % ",".join([text(code) for code in meter.findings])))
    if meter.codes:
        found.append(("refused", "{%s}" % ",".join(['"%02X":%d' % (code, meter.codes[code]) for code in sorted(meter.codes)])))
    return found


def _centre(centre, ring):
    left_s = forecast.left_s(ring, ring.cursor(centre.name))
    return obj(
        ("name", text(centre.name)),
        ("connected", flag(centre.connected)),
        ("backlog", str(centre.outbox.backlog)),
        ("lost", str(centre.outbox.n_lost)),
        ("left_s", "null" if left_s is None else str(left_s)),
        ("sessions", str(centre.n_sessions)),
        ("failures", _counts_text(centre.failures)),
    )


def _counts_text(counts):
    return "{%s}" % ",".join("%s:%d" % (text(name), counts[name]) for name in sorted(counts))
