"""The gateway's state in words, one text line after another, for whoever types at the console."""

from firmware import VERSION
from firmware.bus import ledger
from firmware.protocols.payload import decimal_text
from firmware.store import forecast


def status_lines(app):
    """The gateway at a glance, one text line after another."""
    ring = app.ring
    gateway = app.config.gateway
    yield "gateway   %s  %s" % (gateway.id, gateway.name)
    yield "version   %s, start %d (%s), up %s" % (VERSION, app.n_starts, app.start_cause, _span(app.supervisor.uptime_s))
    yield "time      %s, source %s" % (gateway.zone.local_text(app.now_s()), app.time.source)
    if app.time.last_failure:
        yield "          last failure %s (%d in all)" % (app.time.last_failure, app.time.n_failures)
    history = _span(forecast.history_s(ring))
    yield "log       %s, records %d..%d, %d of %d blocks, reaching back %s" % (
        ring.log,
        ring.first_seq,
        ring.next_seq - 1,
        ring.used_blocks,
        ring.n_blocks,
        history,
    )
    holds_s = forecast.holds_s(ring)
    yield "          %s" % ("holds %s at this pace" % _span(holds_s) if holds_s else "how long it will hold is not known yet")
    yield from _flash_lines(app)
    yield "network   %s %s" % ("up" if app.link.is_up else "down", app.link.address)
    for centre in app.centres:
        state = "connected" if centre.connected else "not connected"
        yield "uplink    %s: %s, backlog %d, lost %d" % (centre.name, state, centre.outbox.backlog, centre.outbox.n_lost)
        left_s = forecast.left_s(ring, ring.cursor(centre.name))
        if left_s is not None:
            span = _span(left_s) if left_s else "less than " + _span(forecast.block_s(ring))
            yield "          may stay away for %s before records are lost" % span
        for cause in sorted(centre.failures):
            last = ", the last" if cause == centre.last_failure else ""
            yield "          failed %d times: %s%s" % (centre.failures[cause], cause, last)
    for line in app.lines:
        yield "line      %s: %s" % (line.name, counts_text(line.counts) or "nothing asked yet")
    for name in sorted(app.supervisor.crashes):
        yield "crashed   %s: %d times" % (name, app.supervisor.crashes[name])
    if app.supervisor.last_crash:
        yield "          %s" % app.supervisor.last_crash


def _flash_lines(app):
    """What is not as it should be with the flash."""
    for name, ring in zip(("ring", "days"), app.log.rings()):
        if ring.blocks.n_failed or ring.blocks.retired:
            counts = name, ring.blocks.n_failed, len(ring.blocks.retired)
            yield "          %s: failed %d times, %d blocks not used any more" % counts
        if ring.damaged:
            yield "          %s: in %d blocks something could not be read" % (name, len(ring.damaged))
    if app.log.n_unstored:
        yield "          %d records could not be stored" % app.log.n_unstored
    if app.log.archive_fault:
        yield "          no days of their own: %s" % app.log.archive_fault
    if app.log.n_unkept:
        yield "          %d summaries or changes not kept beside the log" % app.log.n_unkept


def line_lines(app):
    """Each line with its ledger."""
    for line in app.lines:
        n = len([meter for meter in app.meters if meter.line is line])
        yield "%-12s %d meters; %s" % (line.name, n, counts_text(line.counts) or "nothing asked yet")
        known = reply_text(app, line.counts)
        if line.pause_ms:
            known.append("pauses %d ms when it turns to another meter" % line.pause_ms)
        if line.n_echoes:
            known.append("its transceiver echoes")
        if line.turn.locked():
            known.append("in use just now")
        if known:
            yield "             " + "; ".join(known)


def meter_lines(app):
    """Each meter with its ledger and its newest reading."""
    for index, meter in enumerate(app.meters):
        section = meter.section
        place = "%s/%s %s %s every %d s" % (
            section.line,
            section.number or section.unit,
            section.profile,
            meter.settings_text,
            section.every_s,
        )
        yield "%-12s %s; %s" % (meter.name, place, counts_text(meter.counts) or "not asked yet")
        known = reply_text(app, meter.counts) + _known(app, index, meter)
        if known:
            yield "             " + "; ".join(known)
        found = app.log.latest.get(meter.name)
        if found:
            yield "             %s  %s" % (
                app.config.gateway.zone.local_text(found.slot_s),
                values_text(found.points, found.values),
            )
        else:
            yield "             no reading yet"


def counts_text(counts):
    """'requests 12, replies 10, no reply 2': what a ledger has counted."""
    return ", ".join(["%s %d" % (name.replace("_", " "), n) for name, n in ledger.counted(counts)])


def reply_text(app, counts):
    """['replies begin after 21 to 34 ms, 25 in the mean', 'last good ..'] of a ledger; [] before the first."""
    times = ledger.reply_ms(counts)
    if not times:
        return []
    least_ms, mean_ms, most_ms = times
    last_s = counts[ledger.LAST_GOOD_S]
    return [
        "replies begin after %d to %d ms, %d in the mean" % (least_ms, most_ms, mean_ms),
        "last good " + app.config.gateway.zone.local_text(last_s),
    ]


def _known(app, index, meter):
    """What else is known of a meter, texts."""
    found = []
    if meter.timeout_ms != meter.section.timeout_ms:
        found.append("waited for %d ms at first" % meter.timeout_ms)
    if meter.codes:
        found.append("refused with " + ", ".join(["%02X %d times" % (code, meter.codes[code]) for code in sorted(meter.codes)]))
    if meter.clock:
        found.append(_clock_text(meter.clock))
    if meter.findings:
        found.append("does not fit: " + ", ".join(meter.findings))
    if meter.allowance:
        found.append("asked %d times of %d today" % (meter.counts[ledger.ASKED], meter.allowance))
    for poll in app.polls:
        if poll.line is meter.line and poll.silence.is_silent(index):
            found.append("silent: asked again in %s" % _span(poll.silence.rest_s(index, app.now_s())))
    return found


def _clock_text(clock):
    """'clock 3 s ahead' of Meter.clock."""
    drift_s, _, fault = clock
    if drift_s is None:
        return "no clock"
    text = "clock %d s %s" % (abs(drift_s), "behind" if drift_s < 0 else "ahead") if drift_s else "clock right"
    return text + (", it stands still" if fault == "stopped" else "")


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
