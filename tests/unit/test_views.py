"""views: what is shown of lines and meters: zeros left out, a healthy one in two lines."""

from memory import Section

from firmware.bus import ledger
from firmware.clock import Zone
from firmware.console import views


class _Line:
    def __init__(self, **counts):
        self.name = "A"
        self.counts = _ledger(**counts)
        self.pause_ms = 0
        self.n_echoes = 0
        self.turn = Section(locked=lambda: False)


def _ledger(delays=(), **counts):
    found = ledger.new()
    for delay_ms in delays:
        ledger.replied(found, delay_ms, 1795348800)
    names = ledger.NAMES.split()
    for name in counts:
        found[names.index(name)] = counts[name]
    return found


def _meter(line, counts, **keys):
    section = Section(line="A", number="", unit=1, profile="sdm630", every_s=900, timeout_ms=500)
    found = {"name": "main", "line": line, "section": section, "settings_text": "9600 8N1", "counts": counts}
    found.update({"timeout_ms": 500, "codes": (), "allowance": 0, "clock": None, "findings": ()})
    found.update(keys)
    return Section(**found)


def _app(line, *meters, **keys):
    found = {"lines": [line], "meters": meters, "polls": [], "log": Section(latest={}), "now_s": lambda: 1795348800}
    found["config"] = Section(gateway=Section(zone=Zone("CST-8")))
    found.update(keys)
    return Section(**found)


def test_zero_counts_are_left_out():
    line = _Line(delays=(21, 25, 34), requests=4, no_reply=1)
    assert list(views.line_lines(_app(line))) == [
        "A            0 meters; requests 4, replies 3, no reply 1",
        "             replies begin after 21 to 34 ms, 26 in the mean; last good 2026-11-22 20:00:00+08:00",
    ]
    assert list(views.line_lines(_app(_Line()))) == ["A            0 meters; nothing asked yet"]


def test_what_is_special_of_a_line_is_said():
    line = _Line(requests=1)
    line.pause_ms, line.n_echoes = 40, 3
    line.turn = Section(locked=lambda: True)
    assert list(views.line_lines(_app(line)))[1].strip() == (
        "pauses 40 ms when it turns to another meter; its transceiver echoes; in use just now"
    )


def test_a_healthy_meter_takes_two_lines_and_its_values():
    line = _Line()
    shown = list(views.meter_lines(_app(line, _meter(line, _ledger(delays=(20,), requests=1, readings=1)))))
    assert shown == [
        "main         A/1 sdm630 9600 8N1 every 900 s; requests 1, replies 1, readings 1",
        "             replies begin after 20 to 20 ms, 20 in the mean; last good 2026-11-22 20:00:00+08:00",
        "             no reading yet",
    ]


def test_what_is_special_of_a_meter_is_said():
    line = _Line()
    silence = Section(is_silent=lambda index: index == 0, rest_s=lambda index, now_s: 900)
    known = {
        "timeout_ms": 120,
        "codes": {2: 3, 1: 1},
        "allowance": 24,
        "findings": ("reversed_l2",),
        "clock": (-12, 0, "stopped"),
    }
    counts = _ledger(requests=1)
    counts[ledger.ASKED] = 7
    app = _app(line, _meter(line, counts, **known), polls=[Section(line=line, silence=silence)])
    assert list(views.meter_lines(app))[1].strip() == (
        "waited for 120 ms at first; refused with 01 1 times, 02 3 times; clock 12 s behind, it stands still; "
        "does not fit: reversed_l2; asked 7 times of 24 today; silent: asked again in 15 min"
    )


def test_clocks_are_said_in_words():
    line = _Line()
    for clock, words in (((0, 0, ""), "clock right"), ((9, 0, ""), "clock 9 s ahead"), ((None, 0, "none"), "no clock")):
        app = _app(line, _meter(line, _ledger(requests=1), clock=clock))
        assert list(views.meter_lines(app))[1].strip() == words
