"""Local days by the C library's time zones, and what their summaries must say: an arithmetic of the check's own."""

import time
from collections import Counter
from decimal import ROUND_HALF_EVEN, Decimal

from metergate.soakplan import EVERY_S, ZONE


def local_midnight(day):
    """Unix seconds of the first instant of a local day (year, month, day of month; days may overflow)."""
    return int(time.mktime((*day, 0, 0, 0, 0, 0, -1)))


def slots_of_days(first_s, last_s):
    """[(date text, [slot, ..], end), ..] of the local days that touch first_s..last_s."""
    found = []
    local = time.localtime(first_s)
    n = 0
    while True:
        begin_s = local_midnight((local.tm_year, local.tm_mon, local.tm_mday + n))
        end_s = local_midnight((local.tm_year, local.tm_mon, local.tm_mday + n + 1))
        if begin_s > last_s:
            return found
        found.append((time.strftime("%Y-%m-%d", time.localtime(begin_s)), list(range(begin_s, end_s, EVERY_S)), end_s))
        n += 1


def day_of(meter, account, slots, end_s):
    """The summary of one day, from the account of its slots."""
    within = [account[s] for s in slots if s in account]
    readings = [what for what in within if not isinstance(what, str)]
    missed = Counter(what for what in within if isinstance(what, str))
    quality = 0
    for reading in readings:
        quality |= reading["q"]
    day = {
        "due": len(slots),
        "got": len(readings),
        "late": sum(1 for reading in readings if reading["q"] & 2),
        "missed": dict(missed),
        "q": quality,
        "rev": 0,
        "final": True,
        "zone": ZONE,
    }
    closing = account.get(end_s)
    for point in meter["points"]:
        name = point["name"]
        values = [(r["s"], r["p"][name]) for r in readings if r["p"][name] is not None]
        if point["class"] == "register":
            if closing is not None and not isinstance(closing, str) and closing["p"][name] is not None:
                values.append((end_s, closing["p"][name]))
            day[name] = _register(values, slots[0], end_s)
        else:
            day[name] = _gauge(values, point["decimals"])
    return day


def _register(values, start_s, end_s):
    if len(values) < 2:
        return {"used": None, "src": None, "parts": []}
    (first_s, first), (last_s, last) = values[0], values[-1]
    used = last - first if last >= first else None
    part = {
        "start": first,
        "start_t": first_s,
        "end": last,
        "end_t": last_s,
        "used": used,
        "why": "" if used is not None else "register went back",
    }
    return {"used": used, "src": "slot" if (first_s, last_s) == (start_s, end_s) else "near", "parts": [part]}


def _gauge(values, decimals):
    if not values:
        return {"min": None, "max": None, "max_t": None, "mean": None}
    numbers = [value for _, value in values]
    most = max(numbers)
    mean = (sum(numbers) / len(numbers)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    return {"min": min(numbers), "max": most, "max_t": next(s for s, value in values if value == most), "mean": mean}


def when(at_s):
    """A slot in words, local time."""
    return time.strftime("%m-%d %H:%M", time.localtime(at_s))
