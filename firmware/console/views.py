"""The gateway's state in words, one text line after another, for whoever types at the console."""

from firmware import VERSION
from firmware.clock import utc_text
from firmware.errors import RecordError
from firmware.protocols import record
from firmware.protocols.payload import decimal_text


def status_lines(app):
    """The gateway at a glance, one text line after another."""
    ring = app.ring
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


def meter_lines(app):
    """One line per meter with its newest reading."""
    for meter in app.meters:
        section = meter.section
        place = "%s/%s %s %s every %d s" % (
            section.line,
            section.number or section.unit,
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


def export_lines(app, first_s, last_s):
    """Readings of slots first_s..last_s as CSV, one value a line: it suits meters with different points."""
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
        text = "no value" if value is None else decimal_text(value, decimals)
        # 1 is the unit of a bare number.
        shown.append("%s %s" % (name, text if value is None or unit == "1" else text + " " + unit))
    return ", ".join(shown)


def _span(seconds):
    """'3 d 4 h', '5 min', '7 s': the two largest units."""
    parts = []
    for name, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        n, seconds = divmod(seconds, length)
        if n:
            parts.append("%d %s" % (n, name))
    return " ".join(parts[:2]) or "0 s"
