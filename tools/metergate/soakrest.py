"""What else has to be so after a soak run: events, retained messages, the flash image, the lines, the heap.

Each function gets the Check, adds to its breaches and figures."""

from collections import Counter

from metergate.image import read_image
from metergate.soakplan import DAY_S
from metergate.soaktrace import US

_HEAP_BYTES = 512
# Counters of a line that stay at 0 unless somebody talks out of turn.
_CLEAN = ("collisions", "lost_tail", "lost_undriven", "lost_while_driving", "garbled")


def check_events(check, records):
    """Starts and their causes as the world knows them; no crash; no watchdog but where a port was made to hang."""
    add = check.breaches.add
    events = [(seq, element) for seq, element in sorted(records.items()) if "event" in element]
    check.figures["events"] = dict(Counter(element["event"] for _, element in events))
    for seq, element in events:
        if element["event"] == "task_crashed":
            add("task_crashed", f"{seq}: {element['task']} {element['why']}")
    starts = [element for _, element in events if element["event"] == "start"]
    boots = [element["boot"] for element in starts]
    if boots != sorted(set(boots)):
        add("start", f"boots {boots[:40]}")
    # A start that lived long enough to write it down is on record, with its cause.
    ends = [off_us for off_us, *_ in check.trace.offs] + [check.scenario.end_s * US]
    lasting = [
        cause for (start_us, cause), end_us in zip(check.trace.starts, ends, strict=False) if end_us - start_us > 30 * US
    ]
    told = Counter(element["cause"] for element in starts)
    for cause, n in Counter(lasting).items():
        if told[cause] < n:
            add("start", f"{n} lasting starts after {cause}, {told[cause]} on record")
    if len(starts) > len(check.trace.starts):
        add("start", f"{len(starts)} on record, {len(check.trace.starts)} there were")
    hangs = [at_us for at_us, words in check.trace.acts if words[0] == "hang"]
    wanted = [at_us for at_us, words in check.trace.acts if words[:2] == ["type", "restart"]]
    for off_us, cause, *_ in check.trace.offs:
        if cause == "watchdog" and not any(0 <= off_us - at_us <= 900 * US for at_us in hangs):
            add("watchdog", f"at {off_us / US:.0f} s")
        if cause == "reset" and not any(0 <= off_us - at_us <= 60 * US for at_us in wanted):
            add("reset", f"at {off_us / US:.0f} s")
    check.figures["starts"] = len(check.trace.starts)
    check.figures["cuts"] = sum(1 for _, cause, *_ in check.trace.offs if cause == "power")
    check.figures["watchdog"] = sum(1 for _, cause, *_ in check.trace.offs if cause == "watchdog")


def check_retained(check):
    """At the end, after the quiet, every data centre sees a gateway that is well."""
    add = check.breaches.add
    end_us = check.scenario.end_s * US
    for centre in check.trace.centres.values():
        for what in ("status", "points", "health"):
            if what not in centre.retained:
                add("retained", f"{centre.name}: no {what}")
                return
        status, (health_us, health) = centre.retained["status"][1], centre.retained["health"]
        if not status["online"]:
            add("retained", f"{centre.name}: {status}")
        if end_us - health_us > 700 * US:
            add("retained", f"{centre.name}: health of {health_us / US:.0f} s")
        for uplink in health["uplinks"]:
            if not uplink["connected"] or uplink["backlog"] > 16:
                add("retained", f"{centre.name}: {uplink}")
        if health["crashes"]:
            add("crashes", f"{health['crashes']} {health['last_crash']}")
        points = centre.retained["points"][1]["meters"]
        if [meter["m"] for meter in points] != check.names:
            add("retained", f"{centre.name}: points of {[meter['m'] for meter in points]}")


def check_image(check, records):
    """What is on flash has been delivered, and reads the same there."""
    log, found = read_image(check.folder / "ring.bin")
    if check.trace.logs and log not in check.trace.logs:
        check.breaches.add("image", f"log {log}")
    for seq, record in found:
        element = records.get(seq)
        if record is None or element is None:
            check.breaches.add("image", f"{seq} on flash: {record}, delivered: {element}")
            continue
        if record.kind == 1 and not _same_reading(record, element):
            check.breaches.add("image", f"{seq}: {vars(record)} and {element}")
        if record.kind == 2 and (record.slot_s, record.end_s, record.n_slots, record.cause) != (
            element["s"],
            element["s_end"],
            element["n"],
            element["miss"],
        ):
            check.breaches.add("image", f"{seq}: {vars(record)} and {element}")
    if found and found[-1][0] != max(records):
        check.breaches.add("image", f"ends with {found[-1][0]}, delivered up to {max(records)}")
    check.figures["on flash"] = len(found)


def check_wires(check):
    """While no meter of a line is disturbed nothing collides and no byte is lost."""
    last = {}
    for at_us, line, counts in check.trace.lines:
        before_us, before = last.get(line, (0, dict.fromkeys(counts, 0)))
        if not check.faults.touches(line, before_us // US, at_us // US) and not check.faults.stops(before_us, at_us):
            for name in _CLEAN:
                if counts[name] != before[name]:
                    check.breaches.add(
                        "line", f"{line} {before_us // US}..{at_us // US} s: {name} {before[name]} -> {counts[name]}"
                    )
        last[line] = at_us, counts


def check_heap(check):
    """Within the last start the heap does not grow from the last lull to the quiet at the end.

    Before that each new cause of failure is one row more in the counts, up to 24 for each data centre."""
    rows = {}
    for line in (check.folder / "heap.txt").read_text().splitlines():
        if line[0] == "#":
            rows = {}
        else:
            day, _, used = map(int, line.split())
            rows[day] = used
    scenario = check.scenario
    found = []
    for from_s, to_s in [*scenario.lulls, (scenario.quiet_s, scenario.end_s)]:
        whole = [used for day, used in rows.items() if from_s <= day * DAY_S and (day + 1) * DAY_S <= to_s]
        found += [max(whole)] if whole else []
    check.figures["heap"] = found
    if scenario.lulls and len(found) < 2:
        check.breaches.add("heap", f"{len(found)} spans without faults to compare")
    if len(found) > 1 and found[-1] > found[-2] + _HEAP_BYTES:
        check.breaches.add("heap", f"{found[-2]} bytes in use in the last lull, {found[-1]} at the end")


def _same_reading(record, element):
    values = list(element["p"].values())
    return (
        (record.meter, record.slot_s, record.at_s, record.quality) == (element["m"], element["s"], element["t"], element["q"])
        and len(values) == len(record.values)
        and all(
            (number is None and value is None) or (value is not None and value.scaleb(point[2]) == number)
            for number, value, point in zip(record.values, values, record.points, strict=True)
        )
    )
