"""The gateway's state as JSON: health, points and status."""

import binascii
import gc
import hashlib

from firmware import VERSION
from firmware.protocols import payload
from firmware.protocols.payload import decimal_text, flag, obj, text


def _counts(counts):
    return obj(*((name, str(counts[name])) for name in sorted(counts)))


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

    def put_health(self, message):
        """Put the gateway's health into a payload.Message; the message."""
        app, ring = self._app, self._app.ring
        gc.collect()
        free, used = (gc.mem_free(), gc.mem_alloc()) if hasattr(gc, "mem_free") else (0, 0)
        message.start(
            '{"v":%d,"gw":%s,"t":%d,"uptime_s":%d,'
            % (payload.VERSION, text(app.config.gateway.id), app.now_s(), app.supervisor.uptime_s)
        )
        message.put('"memory":%s,"ring":%s,' % (obj(("free", str(free)), ("used", str(used))), self._ring(ring)))
        message.put('"time":%s,' % obj(("source", text(app.time.source)), ("age_s", str(self._time_age_s()))))
        message.put('"network":%s,"uplinks":[' % obj(("up", flag(app.link.is_up)), ("losses", str(app.link.n_losses))))
        for centre in app.centres:
            message.add(_centre(centre))
        message.end('],"lines":[')
        for line in app.lines:
            message.add(obj(("name", text(line.name)), ("counts", _counts(line.counts))))
        message.end('],"meters":[')
        for meter in app.meters:
            message.add(obj(("m", text(meter.name)), ("reply_ms", str(meter.reply_ms)), ("counts", _counts(meter.counts))))
        message.put('],"crashes":%s,' % _counts(app.supervisor.crashes))
        message.put('"last_crash":%s}' % text(app.supervisor.last_crash))
        return message

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
