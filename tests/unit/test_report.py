"""report: health as one JSON object whose length is known before it is sent, whatever happens meanwhile."""

import hashlib
import json

from firmware.bus import ledger
from firmware.console.described import profile_hash
from firmware.console.report import Report
from firmware.meters import profiles
from firmware.protocols import payload, record
from firmware.store.ring import Ring
from tests.sim.flash import NorFlash


class _Thing:
    def __init__(self, **keys):
        for name in keys:
            setattr(self, name, keys[name])


def _meter(name, **keys):
    found = _Thing(name=name, counts=ledger.new(), timeout_ms=100, clock=None, findings=(), codes=())
    for key in keys:
        setattr(found, key, keys[key])
    return found


def _app(n_lines=1, meters=(), n_centres=1):
    ring = Ring(NorFlash(4), lambda: 1795354192)
    ring.mount()
    ring.keep_consumers(["c%d" % i for i in range(n_centres)])
    for _ in range(3):
        ring.append(record.EVENT, b'"event":"x"')
    return _Thing(
        quiet=_Thing(n_pauses=0),
        config=_Thing(gateway=_Thing(id="gw-0001")),
        now_s=lambda: 1795354192,
        supervisor=_Thing(uptime_s=5, crashes={"poll A": 2}, last_crash='poll A: "x"'),
        ring=ring,
        log=_Thing(archive=None, archive_fault=None, n_unstored=0),
        time=_Thing(source="ntp", set_s=1795354000),
        link=_Thing(is_up=True, n_losses=0),
        centres=[
            _Thing(
                name="c%d" % i,
                connected=True,
                outbox=_Thing(backlog=3, n_lost=0),
                n_sessions=1,
                failures={"tls: x": 1},
            )
            for i in range(n_centres)
        ],
        lines=[_Thing(name="L%d" % i, counts=ledger.new(), pause_ms=0, n_echoes=0) for i in range(n_lines)],
        meters=list(meters),
    )


def _sent(app):
    """Health as it goes out, from a buffer that is too small for it and from one that is not: it is the same."""
    streamed = Report(app).health(payload.Message(300))
    data = b"".join(list(streamed.pieces()))
    assert len(data) == len(streamed) > 300
    message = payload.Message(4096)
    found = Report(app).health(message)
    assert found is message and len(message) == len(message.joined())
    one, two = json.loads(data.decode()), json.loads(message.joined().decode())
    one.pop("memory"), two.pop("memory")
    assert one == two
    return one


def test_health_is_an_object_however_many_lines_meters_and_centres_there_are():
    for n_lines in (0, 1, 2):
        for n_meters in (0, 1, 3):
            for n_centres in (0, 1, 3):
                app = _app(n_lines, [_meter("m%d" % i) for i in range(n_meters)], n_centres)
                found = _sent(app)
                assert [len(found[name]) for name in ("lines", "meters", "uplinks")] == [n_lines, n_meters, n_centres]
                assert found["crashes"] == {"poll A": 2} and found["last_crash"] == 'poll A: "x"'
                assert found["time"]["age_s"] == 192 and found["ring"]["next"] == 4


def test_what_is_not_0_is_said_of_a_ledger():
    meter = _meter("main", clock=(-37, 29922569, "off"), findings=("reversed_l2",), codes={2: 3, 0xC1: 1})
    app = _app(1, [meter, _meter("yard", clock=(None, 29922569, "none"))])
    for counts in (meter.counts, app.lines[0].counts):
        counts[ledger.REQUESTS] = 3
        ledger.replied(counts, 20, 1795354100)
        ledger.replied(counts, 40, 1795354190)
    found = _sent(app)
    known = {"counts": {"requests": 3, "replies": 2}, "reply_ms": [20, 30, 40], "last_good": 1795354190}
    assert found["lines"] == [dict(known, name="L0")]
    main, yard = found["meters"]
    assert main == dict(
        known,
        m="main",
        timeout_ms=100,
        clock={"drift_s": -37, "t": 1795354140, "state": "off"},
        implausible=["reversed_l2"],
        refused={"02": 3, "C1": 1},
    )
    assert yard == {
        "m": "yard",
        "counts": {},
        "timeout_ms": 100,
        "clock": {"drift_s": None, "t": 1795354140, "state": "none"},
    }


def test_what_has_turned_out_about_a_line_is_said():
    app = _app(2)
    app.lines[1].pause_ms, app.lines[1].n_echoes = 40, 7
    assert _sent(app)["lines"] == [{"name": "L0", "counts": {}}, {"name": "L1", "counts": {}, "pause_ms": 40, "echoes": 7}]


def test_a_profiles_hash_is_that_of_its_rows():
    rows = profiles.profile_of("sdm630").points
    for n in (1, 2, 18):
        digest = hashlib.sha256(repr(tuple(rows[:n])).encode()).digest()
        assert profile_hash(tuple(rows[:n])) == "".join(["%02x" % byte for byte in digest[:4]])


def test_what_happens_while_it_is_sent_does_not_change_it():
    meters = [_meter("m%d" % i) for i in range(3)]
    app = _app(2, meters)
    message = Report(app).health(payload.Message(500))
    before = b"".join(message.pieces())
    pieces = []
    for piece in message.pieces():
        for meter in meters:
            meter.counts[ledger.REQUESTS] += 1000
            meter.codes = {2: len(pieces)}
            meter.findings = ("swapped_l1_l2",)
            meter.clock = (1, 1, "")
        app.lines[1].counts[ledger.NOISE_BYTES] += 12345
        app.supervisor.crashes["x"] = 1
        pieces.append(piece)
    assert b"".join(pieces) == before and len(message) == len(before)
