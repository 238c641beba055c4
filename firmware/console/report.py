"""The gateway's state as JSON: health, points and status."""

import binascii
import gc
import hashlib

from firmware import VERSION
from firmware.bus import ledger
from firmware.protocols import payload
from firmware.protocols.payload import decimal_text, flag, obj, text


def profile_hash(rows):
    """8 hex digits of a profile's rows: tells two editions of a table apart."""
    return str(binascii.hexlify(hashlib.sha256(repr(rows).encode()).digest()[:4]), "ascii")


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
        # The state of now, since readings are taken while it is sent.
        state = self._state()
        return payload.Streamed(lambda: self._points(state))

    def _points(self, state):
        app = self._app
        config = app.config
        yield '{%s,"zone":%s,"cfg":"%s","meters":[' % (
            payload.head(config.gateway.id, app.ring.log),
            text(config.gateway.zone.text),
            config.hash,
        )
        comma = ""
        for meter, (its_steps, serial) in zip(app.meters, state):
            yield comma + _meter_head(meter, serial)
            yield '"points":['
            comma = ""
            for row, step in zip(meter.rows, its_steps):
                yield comma + _point(meter.section.protocol, row, step)
                comma = ","
            yield "]}"
        yield "]}"

    def health(self):
        """The gateway's health: some 700 bytes, 100 for each data centre, and 150 for each line and meter."""
        app = self._app
        gc.collect()
        free, used = (gc.mem_free(), gc.mem_alloc()) if hasattr(gc, "mem_free") else (0, 0)
        # The state of now, in pieces: readings are taken while it is sent.
        parts = [
            '{"v":%d,"gw":%s,"t":%d,"uptime_s":%d,'
            % (payload.VERSION, text(app.config.gateway.id), app.now_s(), app.supervisor.uptime_s),
            '"memory":%s,"ring":%s,' % (obj(("free", str(free)), ("used", str(used))), self._ring(app.ring)),
            '"time":%s,' % obj(("source", text(app.time.source)), ("age_s", str(self._time_age_s()))),
            '"network":%s,"uplinks":[' % obj(("up", flag(app.link.is_up)), ("losses", str(app.link.n_losses))),
        ]
        comma = ""
        for centre in app.centres:
            parts.append(comma + _centre(centre))
            comma = ","
        lines = [(line, ledger.kept(line.counts)) for line in app.lines]
        meters = [(meter.name, ledger.kept(meter.counts), _known(meter)) for meter in app.meters]
        end = '],"crashes":%s,"last_crash":%s}' % (_counts_text(app.supervisor.crashes), text(app.supervisor.last_crash))
        return payload.Streamed(lambda: _health(parts, lines, meters, end))

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


def _health(parts, lines, meters, end):
    """Health's texts, one after another."""
    for part in parts:
        yield part
    comma = '],"lines":['
    for line, counts in lines:
        yield comma + obj(("name", text(line.name)), *_ledger(counts))
        comma = ","
    comma = '],"meters":['
    for name, counts, known in meters:
        yield comma + obj(("m", text(name)), *(_ledger(counts) + known))
        comma = ","
    yield end


def _ledger(counts):
    """The members of a ledger: what is not 0, reply times, and the newest good reply."""
    found = [("counts", "{%s}" % ",".join(["%s:%d" % (text(name), n) for name, n in ledger.counted(counts)]))]
    times = ledger.reply_ms(counts)
    if times:
        found.append(("reply_ms", "[%d,%d,%d]" % times))
        found.append(("last_good", str(counts[ledger.LAST_GOOD_S])))
    return found


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


def _meter_head(meter, serial):
    """A meter's members before its points, and the brace before them."""
    section = meter.section
    members = obj(
        ("m", text(meter.name)),
        ("line", text(section.line)),
        ("protocol", text(section.protocol)),
        ("number", text(section.number)) if section.number else ("unit", str(section.unit)),
        ("serial_number", text(serial or None)),
        ("profile", text(section.profile)),
        ("profile_hash", text(profile_hash(meter.rows))),
        ("model", text(meter.model)),
        ("every_s", str(section.every_s)),
    )
    return members[:-1] + ","


def register_text(protocol, register):
    """How a row's register is said: a Modbus register, a data identifier; CJ/T 188 has a field's name there."""
    if protocol == "cjt188":
        return register
    return ("%08X" if protocol == "dlt645" else "%04X") % register


def _point(protocol, row, step):
    name, register, form, unit, decimals, klass = row
    return obj(
        ("name", text(name)),
        ("unit", text(unit)),
        ("decimals", str(decimals)),
        ("resolution", text(decimal_text(step, decimals))),
        ("register", text(register_text(protocol, register))),
        ("form", text(form)),
        ("class", text(klass)),
    )


def _centre(centre):
    return obj(
        ("name", text(centre.name)),
        ("connected", flag(centre.connected)),
        ("backlog", str(centre.outbox.backlog)),
        ("lost", str(centre.outbox.n_lost)),
        ("sessions", str(centre.n_sessions)),
        ("failures", _counts_text(centre.failures)),
    )


def _counts_text(counts):
    return "{%s}" % ",".join("%s:%d" % (text(name), counts[name]) for name in sorted(counts))
