"""Numbers, texts and messages as JSON: from templates, since a dict loses its order on a board.

Numbers are plain decimals, exactly as stored; None is null. The keys are in README, "Messages".
"""

from firmware import strictjson

VERSION = 1


def decimal_text(value, decimals):
    """'12345.67' of (1234567, 2); 'null' of None. decimals 0..9."""
    if value is None:
        return "null"
    if decimals == 0:
        return str(value)
    sign, value = ("-", -value) if value < 0 else ("", value)
    digits = str(value)
    if len(digits) <= decimals:
        digits = "0" * (decimals + 1 - len(digits)) + digits
    return "%s%s.%s" % (sign, digits[:-decimals], digits[-decimals:])


def text(value):
    """A JSON string, or null for None; the same bytes on every port."""
    return "null" if value is None else strictjson.text_of(value)


def flag(value):
    return "true" if value else "false"


def obj(*pairs):
    """'{"a":1,"b":2}' of ("a", "1"), ("b", "2"): names as they are, values already JSON."""
    return "{%s}" % ",".join('"%s":%s' % pair for pair in pairs)


def head(gateway, log):
    """The first members of every message that carries records."""
    return '"v":%d,"gw":%s,"log":"%s"' % (VERSION, text(gateway), log)


def reading(seq, record):
    """One element of a readings message."""
    pairs = []
    for (name, _, decimals, _), value in zip(record.points, record.values):
        pairs.append((name, decimal_text(value, decimals)))
    return '{"seq":%d,"s":%d,"t":%d,"m":%s,"q":%d,"p":%s}' % (
        seq,
        record.slot_s,
        record.at_s,
        text(record.meter),
        record.quality,
        obj(*pairs),
    )


def miss(seq, record):
    """One element of a readings message: slots that brought no reading, and why."""
    return '{"seq":%d,"m":%s,"miss":%s,"s":%d,"s_end":%d,"n":%d}' % (
        seq,
        text(record.meter),
        text(record.cause),
        record.slot_s,
        record.end_s,
        record.n_slots,
    )


def readings(gateway, log, elements):
    """A whole readings message of elements made by reading() and miss()."""
    return '{%s,"r":[%s]}' % (head(gateway, log), ",".join(elements))


def single(gateway, log, seq, members):
    """A day or an event: the record's stored members behind the message's head."""
    return '{%s,"seq":%d,%s}' % (head(gateway, log), seq, members)
