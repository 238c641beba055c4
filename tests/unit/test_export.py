"""export: every record as a line, what is missing said where it would stand; and the flash's blocks as they are."""

import asyncio
import binascii
import json

from memory import raised

from firmware.clock import Zone, day_of_civil
from firmware.console.export import export, range_of
from firmware.console.exportrecords import COMMENT, HEADER, RECORD, Export
from firmware.errors import CommandError
from firmware.protocols import record
from firmware.protocols.dayrecord import Day, put_day
from firmware.store.archive import Archive
from firmware.store.block import HEADER_BYTES
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import NorFlash

_BLOCK = 4096
# 2026-11-21 16:00:00 UTC: midnight in China.
_T0 = 1795276800
_ZONE = Zone("CST-8")
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))
_MAIN = record.MeterNames("main", 900, _POINTS)


class _Config:
    class gateway:
        zone = _ZONE


class _Log:
    archive = None


class _App:
    """A gateway with records in its ring; say() keeps what is shown."""

    config = _Config

    def __init__(self, n_blocks=8, seed=1):
        self.flash = NorFlash(n_blocks, seed=seed)
        self.ring = Ring(self.flash, lambda: _T0)
        self.ring.heading = self._heading
        self.ring.mount()
        self.log = _Log()
        self.shown = ""
        self.longest = 0
        # Called with each piece that is shown.
        self.meanwhile = None

    @staticmethod
    def _heading():
        about = record.put_about("a1b2c3d4", "CST-8", "0.1.0", "00000000")
        return [(record.ABOUT, about), (record.NAMES, record.put_names(0, _MAIN))]

    def read(self, n):
        """Store n readings more."""
        for _ in range(n):
            i = self.ring.next_seq
            self.ring.reading(0, _T0 + 900 * i - record.EPOCH_S, 2, 0, (123450 + i * i, None if i % 7 == 0 else 12340 - i))
            self.ring.prepare()

    def fill(self, n):
        """Store n events more, some 19 a block."""
        for _ in range(n):
            self.ring.append(record.EVENT, b'"t":%d,"event":"%s"' % (_T0 + self.ring.next_seq, b"x" * 180))
            self.ring.prepare()

    def fill_once(self, is_it):
        """Store 40 events more when something is shown for the first time of which is_it() says so."""

        def meanwhile(text):
            if is_it(text):
                self.meanwhile = None
                self.fill(40)

        self.meanwhile = meanwhile

    async def say(self, text, end="\n"):
        self.longest = max(self.longest, len(text))
        self.shown += text + end
        if self.meanwhile:
            self.meanwhile(text)

    def lines(self, *words):
        """The lines of such a command."""
        self.shown = ""
        asyncio.run(export(self, list(words), self.say))
        assert self.shown == "" or self.shown.endswith("\n")
        return self.shown.split("\n")[:-1]

    def found(self, *words):
        """The records among the lines of export .. json."""
        return [json.loads(line) for line in self.lines(*(words + ("json",))) if not line.startswith("#")]

    def seqs(self, *words):
        return [found["seq"] for found in self.found(*words)]


def _all_kinds():
    """Seqs 1 to 6: a reading, a miss, a day, an event, a change, a reading."""
    app = _App()
    app.ring.append(record.EVENT, b'"t":%d,"event":"start","cause":"power"' % _T0)
    app.ring.append(record.MISS, record.put_miss(0, _T0 + 900, _T0 + 2700, 3, "no reply"), (_T0 + 900, _T0 + 2700))
    day = Day("main", _POINTS, day_of_civil(2026, 11, 22), _T0, _T0 + 86400)
    day.due, day.got, day.missed = 96, 93, {"no reply": 3}
    day.found = [(_T0, 100, _T0 + 86400, 4667), (1, 3, _T0 + 900, 2)]
    app.ring.append(record.DAY, put_day(0, day, 900))
    app.ring.append(record.CHANGE, b'"t":null,"event":"change","key":"con\\"fig"')
    app.read(1)
    return app


# -- records -------------------------------------------------------------------------------------------------------------


def test_json_has_every_kind_as_it_is_sent():
    app = _all_kinds()
    event, miss, day, change, reading = app.found()
    assert event == {"seq": 1, "t": _T0, "event": "start", "cause": "power"}
    assert miss == {"seq": 2, "m": "main", "miss": "no reply", "s": _T0 + 900, "s_end": _T0 + 2700, "n": 3}
    assert (day["seq"], day["day"], day["zone"], day["m"], day["cfg"]) == (3, "2026-11-22", "CST-8", "main", "a1b2c3d4")
    assert day["missed"] == {"no reply": 3} and day["energy_import"]["used"] == 45.67
    assert change == {"seq": 4, "t": None, "event": "change", "key": 'con"fig'}
    assert reading["seq"] == 5 and reading["p"] == {"energy_import": 1234.75, "power": 1.2335}
    lines = app.lines("json")
    assert lines[0] == "# log %s, seq 1..5" % app.ring.log
    assert lines[-1] == "# end: 5 records, seq 1..5, 0 places could not be read"
    assert '"p":{"energy_import":1234.75,"power":1.2335}' in lines[-2]


def test_csv_has_a_line_for_each_value_and_what_is_no_reading_as_its_json():
    lines = _all_kinds().lines()
    assert lines[0] == HEADER and lines[1].startswith("# log ") and lines[-1].startswith("# end: 5 records")
    event, miss, day, change, energy, power = lines[2:-1]
    assert event == '1,,2026-11-21T16:00:00Z,,,,,,"{""seq"":1,""t"":%d,""event"":""start"",""cause"":""power""}"' % _T0
    assert miss.startswith('2,2026-11-21T16:15:00Z,2026-11-21T16:45:00Z,main,,,,,"{""seq"":2,""m"":""main"",""miss"":')
    assert day.startswith('3,2026-11-21T16:00:00Z,2026-11-22T15:59:59Z,main,,,,,"{""seq"":3,""day"":')
    assert change.startswith('4,,,,,,,,"{""seq"":4,')
    assert energy == "5,2026-11-21T17:15:00Z,2026-11-21T17:15:02Z,main,energy_import,1234.75,kWh,0,"
    assert power == "5,2026-11-21T17:15:00Z,2026-11-21T17:15:02Z,main,power,1.2335,kW,0,"


def test_no_value_is_an_empty_field():
    app = _App()
    app.read(7)
    assert app.lines()[-2].endswith("Z,main,power,,kW,0,")
    assert app.found()[-1]["p"]["power"] is None


def test_an_empty_ring_has_an_end_line():
    assert _App().lines("json")[1:] == ["# end: 0 records, 0 places could not be read"]


def test_from_and_to_are_local_dates_or_dates_and_times():
    app = _App(16)
    app.read(300)
    # Seq i is the slot 15 min times i behind midnight of the 22nd.
    assert app.seqs("2026-11-23") == list(range(96, 301))
    assert app.seqs("2026-11-23", "2026-11-23") == list(range(96, 192))
    assert app.seqs("2026-11-22", "01:00:00", "2026-11-22", "02:00:00") == [4, 5, 6, 7, 8]
    assert app.seqs("2026-11-25", "00:00:00")[0] == 288
    assert app.seqs("2026-11-22", "2026-11-22", "23:00:00")[-1] == 92


def test_misses_and_days_count_where_they_touch_the_span_and_what_has_no_time_always():
    app = _all_kinds()
    assert app.seqs("2026-11-22", "00:20:00", "2026-11-22", "00:25:00") == [2, 3, 4]
    assert app.seqs("2026-11-22", "00:00:00", "2026-11-22", "00:00:00") == [1, 3, 4]
    assert app.seqs("2026-11-23") == [4]


def test_what_is_no_date_or_word_is_refused():
    app = _App()
    for words in ("2026-13-01", "2026-11-21 25:00:00", "x", "from seq", "from seq x", "from 3", "binary x", "binary 1 2 3"):
        raised(CommandError, app.lines, *words.split())
    assert "before FROM" in raised(CommandError, range_of, _ZONE, ["2026-11-22", "2026-11-21"]).args[0]
    raised(CommandError, range_of, _ZONE, ["2026-11-21"] * 3)


def test_it_goes_on_from_a_seq():
    app = _App(16)
    app.read(300)
    assert app.seqs("from", "seq", "121") == list(range(121, 301))
    assert app.seqs("2026-11-22", "2026-11-23", "from", "seq", "181") == list(range(181, 192))
    assert app.seqs("from", "seq", "301") == app.seqs("from", "seq", "9999") == []


def test_progress_is_told_and_what_is_appended_meanwhile_left_out():
    app = _App(16)
    app.read(1200)
    app.meanwhile = lambda text: app.read(1) if text.startswith("#") else None
    lines = app.lines("json")
    assert [line for line in lines if "%" in line] == ["# 41 %, seq 500", "# 83 %, seq 1000"]
    assert lines[-1] == "# end: 1200 records, seq 1..1200, 0 places could not be read"


def test_what_is_overwritten_is_said_and_is_no_damage():
    app = _App(5)
    app.fill(150)
    first = app.ring.first_seq
    assert first > 61
    lines = app.lines("from", "seq", "61", "json")
    assert lines[1] == "# seq 61..%d overwritten" % (first - 1)
    assert json.loads(lines[2])["seq"] == first and lines[-1].endswith(", 0 places could not be read")
    assert app.seqs()[0] == first


def test_what_is_overwritten_while_it_goes_out_is_said():
    app = _App(5)
    app.fill(150)
    next_seq = app.ring.next_seq
    app.fill_once(lambda text: text[0] == "{")
    lines = app.lines("json")
    gone = [line for line in lines if "overwritten" in line]
    assert len(gone) == 1 and lines[-1].endswith(", 0 places could not be read")
    seqs = [json.loads(line)["seq"] for line in lines if line[0] == "{"]
    a, b = gone[0].split(" ")[2].split("..")
    assert seqs + list(range(int(a), int(b) + 1)) != sorted(seqs) and seqs[-1] == next_seq - 1
    assert sorted(seqs + list(range(int(a), int(b) + 1))) == list(range(seqs[0], next_seq))


def _damaged(block, offset, n=200):
    """An app with n events and one byte changed; it knows of it only by reading."""
    app = _App(16)
    app.fill(n)
    app.flash.bytes[block * _BLOCK + offset] ^= 0x55
    return app


def test_records_that_cannot_be_read_are_named_with_their_block():
    app = _damaged(1, 2000)
    lines = app.lines("json")
    said = [line for line in lines if "cannot" in line]
    assert said and all(line.endswith(" cannot be read: block 1, generation 2") for line in said)
    seqs = [json.loads(line)["seq"] for line in lines if line[0] == "{"]
    missing = set(range(1, 201)) - set(seqs)
    assert missing and len(missing) < 3
    named = set()
    for line in said:
        a, _, b = line.split(" ")[2].partition("..")
        named |= set(range(int(a), int(b or a) + 1))
    assert named == missing
    assert lines[-1] == "# end: %d records, seq 1..200, %d places could not be read" % (len(seqs), len(said))


def test_a_block_that_is_gone_is_said():
    app = _App(16)
    app.fill(200)
    app.flash.bytes[_BLOCK : _BLOCK + 14] = bytes(14)
    said = [line for line in app.lines("json") if "cannot" in line]
    assert len(said) == 1 and said[0].endswith(" cannot be read: block 0, generation 1, or behind it")


def test_the_newest_records_that_cannot_be_read_are_said():
    app = _App(16)
    app.read(100)
    app.flash.bytes[app.ring.offset - 3] ^= 1
    lines = app.lines("json")
    assert lines[-2] == "# seq 100 cannot be read: block 0, generation 1"
    assert lines[-1] == "# end: 99 records, seq 1..99, 1 places could not be read"


def test_an_archive_has_the_seqs_of_the_log():
    flash = NorFlash(4)
    archive = Archive(flash, lambda: _T0)
    archive.ring.heading = _App._heading
    archive.mount("00000000")
    archive.keep_change(17, record.Event(record.CHANGE, '"t":%d,"event":"change"' % _T0))
    archive.keep_change(40, record.Event(record.CHANGE, '"t":%d,"event":"change"' % (_T0 + 5)))
    made = Export(archive.ring, "json")
    lines = list(made.lines())
    assert lines[0] == (COMMENT, "log 00000000, daily summaries and changes")
    assert [json.loads(line)["seq"] for kind, line in lines if kind == RECORD] == [17, 40] and made.n_places == 0
    assert lines[-1][1].startswith("end: 2 records, seq 17..40, ")


def test_events_alone_are_found_by_their_time_in_the_log_and_in_the_archive():
    log = Log(Ring(NorFlash(4), lambda: _T0), _ZONE, "00000000", [_MAIN], Archive(NorFlash(4), lambda: _T0))
    log.open()
    for i in range(200):
        log.event('"t":%d,"event":"change","key":"%s"' % (_T0 + 60 * i, "x" * 40), record.CHANGE)
    for ring in log.rings():
        assert ring.generation > 2
        lines = list(Export(ring, "json", _T0 + 3000, _T0 + 6000).lines())
        assert [json.loads(line)["seq"] for kind, line in lines if kind == RECORD] == list(range(51, 102))
    # A start finds the times of what the newest block holds.
    for ring in log.rings():
        again = Ring(ring.blocks.device, lambda: _T0, ring.is_archive)
        again.mount()
        assert (again.first_time, again.last_time) == (ring.first_time, ring.last_time) and again.last_time > again.first_time


# -- blocks --------------------------------------------------------------------------------------------------------------


def _block_of(line, n_bytes=_BLOCK):
    """(number, bytes) of a line; it is checked as a PC does."""
    number, text, crc = line.split(" ")
    data = binascii.a2b_base64(text)
    assert len(data) == n_bytes and crc == "%08x" % binascii.crc32(data)
    return int(number), data


def test_binary_gives_the_bytes_of_every_block():
    app = _App(8)
    app.read(800)
    lines = app.lines("binary")
    assert lines[0] == "# ring, 8 blocks of 4096 bytes" and lines[-1] == "# end" and len(lines) == 10
    blank = 0
    for block, line in enumerate(lines[1:-1]):
        there = bytes(app.flash.bytes[block * _BLOCK : (block + 1) * _BLOCK])
        if there == b"\xff" * _BLOCK:
            assert line == "%d -" % block
            blank += 1
        else:
            assert _block_of(line) == (block, there)
            assert len(line) < 4096 * 4 // 3 + 20
    assert 0 < blank < 6
    # So much at once: what a board waits for, while nothing else has its turn.
    assert app.longest <= 132


def test_binary_gives_some_blocks_and_their_heads():
    app = _App(8)
    app.read(800)
    assert [line.split(" ")[0] for line in app.lines("binary", "1", "2")[1:-1]] == ["1", "2"]
    assert len(app.lines("binary", "3")) == 2 + 5
    heads = app.lines("binary", "heads")
    assert len(heads) == 10
    assert _block_of(heads[1], HEADER_BYTES) == (0, bytes(app.flash.bytes[:HEADER_BYTES]))
    raised(CommandError, app.lines, "binary", "8", "1")
    raised(CommandError, app.lines, "binary", "0", "9")


def test_what_is_appended_while_a_block_goes_out_is_left_out_whole():
    app = _App(8)
    app.read(30)
    ends = []

    def meanwhile(text):
        if len(text) > 100:
            ends.append(app.ring.offset)
        app.read(1)

    app.meanwhile = meanwhile
    block, data = _block_of(app.lines("binary", "0", "1")[1])
    end = ends[0]
    assert data == bytes(app.flash.bytes[:end]) + b"\xff" * (_BLOCK - end)
    assert app.ring.offset > end > 100


def test_a_block_that_is_erased_while_it_goes_out_has_no_crc():
    app = _App(5)
    app.fill(150)
    block = app.ring.oldest
    app.fill_once(lambda text: len(text) == 128)
    assert app.lines("binary", str(block), "1")[1].endswith(" changed")


def test_binary_of_days_wants_such_a_region():
    app = _App()
    assert "no region" in raised(CommandError, app.lines, "binary", "days").args[0]
    flash = NorFlash(4)
    app.log.archive = Archive(flash, lambda: _T0)
    app.log.archive.mount("00000000")
    assert app.lines("binary", "days")[0] == "# days, 4 blocks of 4096 bytes"


class _Board:
    def __init__(self, flash):
        self.flash = flash

    def ring_device(self):
        return self.flash

    def days_device(self):
        return None


def test_in_safe_mode_the_blocks_can_be_had_and_nothing_else():
    app = _App(8)
    app.read(100)
    whole = app.lines("binary")
    app.log, app.config, app.board = None, None, _Board(app.flash)
    assert app.lines("binary") == whole
    assert "safe mode" in raised(CommandError, app.lines).args[0]
    assert "no region" in raised(CommandError, app.lines, "binary", "days").args[0]
