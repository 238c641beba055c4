"""A daily summary as the JSON members that are published. README, "Messages". Pure."""

from firmware.protocols import payload
from firmware.protocols.payload import decimal_text, flag
from firmware.protocols.record import REGISTER


def day_members(day, date):
    """The members of a dayrecord.Day; date: its local date, YYYY-MM-DD."""
    missed = ",".join(["%s:%d" % (payload.text(cause), day.missed[cause]) for cause in sorted(day.missed)])
    parts = [
        '"day":"%s","zone":%s,"m":%s' % (date, payload.text(day.zone), payload.text(day.meter)),
        '"rev":%d,"final":%s,"due":%d' % (day.rev, flag(day.final), day.due),
        '"got":%d,"late":%d,"missed":{%s},"q":%d,"cfg":"%s"' % (day.got, day.late, missed, day.quality, day.config),
    ]
    for (name, _, decimals, klass), found in zip(day.points, day.found):
        text = _register(day, found, decimals) if klass == REGISTER else _gauge(found, decimals)
        parts.append('"%s":%s' % (name, text))
    return ",".join(parts)


def _register(day, found, decimals):
    """Consumption between first and last; used is null where it would be invented or negative."""
    if found is None:
        return '{"used":null,"src":null,"parts":[]}'
    first_s, first, last_s, last = found
    used, why = last - first, ""
    if used < 0:
        used, why = None, "register went back"
    part = '{"start":%s,"start_t":%d,"end":%s,"end_t":%d,"used":%s,"why":"%s"}' % (
        decimal_text(first, decimals),
        first_s,
        decimal_text(last, decimals),
        last_s,
        decimal_text(used, decimals),
        why,
    )
    src = "slot" if first_s == day.start_s and last_s == day.end_s else "near"
    return '{"used":%s,"src":"%s","parts":[%s]}' % (decimal_text(used, decimals), src, part)


def _gauge(found, decimals):
    if found is None:
        return '{"min":null,"max":null,"max_t":null,"mean":null}'
    low, high, high_s, mean = found
    return '{"min":%s,"max":%s,"max_t":%d,"mean":%s}' % (
        decimal_text(low, decimals),
        decimal_text(high, decimals),
        high_s,
        decimal_text(mean, decimals),
    )
