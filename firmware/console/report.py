"""The gateway's state in words for the console, and as JSON for health, points and status."""

import binascii
import gc
import hashlib

from firmware import VERSION
from firmware.clock import utc_text
from firmware.errors import RecordError
from firmware.protocols import payload, record
from firmware.protocols.payload import decimal_text, flag, obj, text


def _counts(counts):
    return obj(*((name, str(counts[name])) for name in sorted(counts)))


def _list(rows):
    return "[%s]" % ",".join(rows)


def profile_hash(rows):
    """8 hex digits of a profile's rows: tells two editions of a table apart."""
    return str(binascii.hexlify(hashlib.sha256(repr(rows).encode()).digest()[:4]), "ascii")


class Report:
    """Report(app): reads the app's figures, never changes them."""

    def __init__(self, app):
        self._app = app

    # -- messages -------------------------------------------------------------------------------------------

    @property
    def points_version(self):
        """Changes when points() does: the resolution of a float register grows with its value."""
        return tuple(tuple(meter.steps) for meter in self._app.meters)

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
        app = self._app
        return "{%s,%s}" % (
            payload.head(app.config.gateway.id, app.ring.log),
            '"zone":%s,"cfg":"%s","meters":%s'
            % (text(app.config.gateway.zone.text), app.config.hash, _list([self._meter_points(m) for m in app.meters])),
        )

    def _meter_points(self, meter):
        rows = []
        for (name, register, form, unit, decimals, klass), step in zip(meter.rows, meter.steps):
            rows.append(
                obj(
                    ("name", text(name)),
                    ("unit", text(unit)),
                    ("decimals", str(decimals)),
                    ("resolution", text(decimal_text(step, decimals))),
                    ("register", text("%04X" % register)),
                    ("form", text(form)),
                    ("class", text(klass)),
                )
            )
        section = meter.section
        return obj(
            ("m", text(meter.name)),
            ("line", text(section.line)),
            ("protocol", text(section.protocol)),
            ("unit", str(section.unit)),
            ("profile", text(section.profile)),
            ("profile_hash", text(profile_hash(meter.rows))),
            ("model", text(meter.model)),
            ("every_s", str(section.every_s)),
            ("points", _list(rows)),
        )

    def health(self):
        app, ring = self._app, self._app.ring
        gc.collect()
        free, used = (gc.mem_free(), gc.mem_alloc()) if hasattr(gc, "mem_free") else (0, 0)
        uplinks = _list(
            obj(
                ("name", text(c.name)),
                ("connected", flag(c.connected)),
                ("backlog", str(c.outbox.backlog)),
                ("lost", str(c.outbox.n_lost)),
                ("sessions", str(c.n_sessions)),
                ("failures", _counts_text(c.failures)),
            )
            for c in app.centres
        )
        lines = _list(obj(("name", text(line.name)), ("counts", _counts(line.counts))) for line in app.lines)
        meters = _list(
            obj(("m", text(m.name)), ("reply_ms", str(m.reply_ms)), ("counts", _counts(m.counts))) for m in app.meters
        )
        return obj(
            ("v", str(payload.VERSION)),
            ("gw", text(app.config.gateway.id)),
            ("t", str(app.now_s())),
            ("uptime_s", str(app.supervisor.uptime_s)),
            ("memory", obj(("free", str(free)), ("used", str(used)))),
            ("ring", self._ring(ring)),
            ("time", obj(("source", text(app.time.source)), ("age_s", str(self._time_age_s())))),
            ("network", obj(("up", flag(app.link.is_up)), ("losses", str(app.link.n_losses)))),
            ("uplinks", uplinks),
            ("lines", lines),
            ("meters", meters),
            ("crashes", _counts(app.supervisor.crashes)),
            ("last_crash", text(app.supervisor.last_crash)),
        )

    def _time_age_s(self):
        return self._app.now_s() - self._app.time.set_s if self._app.time.set_s else "null"

    @staticmethod
    def _ring(ring):
        return obj(
            ("log", text(ring.log)),
            ("first", str(ring.first_seq)),
            ("next", str(ring.next_seq)),
            ("blocks", str(ring.n_blocks)),
            ("used_blocks", str(ring.used_blocks)),
            ("history_s", str(ring.history_s())),
            ("erases", str(ring.erases)),
            ("torn", str(ring.torn)),
        )

    # -- words ----------------------------------------------------------------------------------------------

    def status_lines(self):
        """The gateway at a glance, one text line after another."""
        app, ring = self._app, self._app.ring
        gateway = app.config.gateway
        yield "gateway   %s  %s" % (gateway.id, gateway.name)
        yield "version   %s, start %d (%s), up %s" % (VERSION, app.n_starts, app.start_cause, _span(app.supervisor.uptime_s))
        yield "time      %s, source %s" % (gateway.zone.local_text(app.now_s()), app.time.source)
        if app.time.last_failure:
            yield "          last failure %s (%d in all)" % (app.time.last_failure, app.time.n_failures)
        history = _span(ring.history_s())
        yield "log       %s, records %d..%d, %d of %d blocks, reaching back %s" % (
            ring.log,
            ring.first_seq,
            ring.next_seq - 1,
            ring.used_blocks,
            ring.n_blocks,
            history,
        )
        yield "network   %s %s" % ("up" if app.link.is_up else "down", app.link.address)
        for centre in app.centres:
            state = "connected" if centre.connected else "not connected"
            yield "uplink    %s: %s, backlog %d, lost %d" % (centre.name, state, centre.outbox.backlog, centre.outbox.n_lost)
            for cause in sorted(centre.failures):
                last = ", the last" if cause == centre.last_failure else ""
                yield "          failed %d times: %s%s" % (centre.failures[cause], cause, last)
        for line in app.lines:
            yield "line      %s: %s" % (line.name, ", ".join("%s %d" % (n, line.counts[n]) for n in sorted(line.counts)))
        for name in sorted(app.supervisor.crashes):
            yield "crashed   %s: %d times" % (name, app.supervisor.crashes[name])
        if app.supervisor.last_crash:
            yield "          %s" % app.supervisor.last_crash

    def meter_lines(self):
        """One line per meter with its newest reading."""
        app = self._app
        for meter in app.meters:
            section = meter.section
            place = "%s/%d %s %s every %d s" % (
                section.line,
                section.unit,
                section.profile,
                meter.settings_text,
                section.every_s,
            )
            yield "%-12s %s; %s" % (meter.name, place, ", ".join("%s %d" % (n, meter.counts[n]) for n in sorted(meter.counts)))
            found = app.log.latest.get(meter.name)
            if found:
                yield "             %s  %s" % (
                    app.config.gateway.zone.local_text(found.slot_s),
                    values_text(found.points, found.values),
                )
            else:
                yield "             no reading yet"

    def export_lines(self, first_s, last_s):
        """Readings of slots first_s..last_s as CSV, one value a line: it suits meters with different points."""
        app = self._app
        yield "seq,slot,at,meter,point,value,unit,quality"
        decoder = record.Decoder()
        for kind, seq, data in app.ring.reader_at(first_s):
            try:
                found = decoder.decode(kind, data)
            except RecordError as error:
                yield "# record %d cannot be read: %s" % (seq, error.args[0])
                continue
            if found is None or found.kind != record.READING or not first_s <= found.slot_s <= last_s:
                # Nothing to show, but whoever shows lets the other tasks have their turn.
                yield None
                continue
            head = "%d,%s,%s,%s" % (seq, utc_text(found.slot_s), utc_text(found.at_s), found.meter)
            for (name, unit, decimals, _), value in zip(found.points, found.values):
                shown = "" if value is None else decimal_text(value, decimals)
                yield "%s,%s,%s,%s,%d" % (head, name, shown, unit, found.quality)


def values_text(points, values):
    """'energy_import 12345.67 kWh, power 1.2340 kW'."""
    shown = []
    for (name, unit, decimals, _), value in zip(points, values):
        shown.append("%s %s" % (name, "no value" if value is None else "%s %s" % (decimal_text(value, decimals), unit)))
    return ", ".join(shown)


def _counts_text(counts):
    return "{%s}" % ",".join("%s:%d" % (text(name), counts[name]) for name in sorted(counts))


def _span(seconds):
    """'3 d 4 h', '5 min', '7 s': the two largest units."""
    parts = []
    for name, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        n, seconds = divmod(seconds, length)
        if n:
            parts.append("%d %s" % (n, name))
    return " ".join(parts[:2]) or "0 s"
