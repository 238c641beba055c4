"""`metergate export`: from images whole and damaged, and from a running gateway over a line that spoils, stops and breaks."""

import csv
import io
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import threading
import time
import tty

import pytest
from conftest import THREE, config
from images import BLOCK, T0, Image, block_of, heading

from firmware.protocols import record
from firmware.store.archive import Archive
from metergate import cli, fetch, unit
from metergate.image import read_image
from metergate.pcgateway import Gateway
from metergate.processes import wait_for
from tests.sim.flash import NorFlash


@pytest.fixture
def run(monkeypatch, capsys):
    """run(word, ..) -> (exit status of `metergate export`, what it shows, what it says)."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["metergate", "export", *map(str, words)])
        status = cli.main()
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def file(tmp_path):
    """file(data) -> the path of a file with it."""

    def file(data):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.bin"
        path.write_bytes(data)
        return path

    return file


def _seqs(shown):
    return [json.loads(line)["seq"] for line in shown.splitlines()]


# -- from an image -------------------------------------------------------------------------------------------------------


def test_an_image_is_all_its_records(run, file):
    status, shown, said = run("--image", file(Image(16, 300).bytes), "--format", "json")
    assert status == 0 and _seqs(shown) == list(range(1, 301))
    assert said.splitlines()[-1] == "metergate: end: 300 records, seq 1..300, 0 places could not be read"
    status, shown, _ = run("--image", file(Image(16, 300).bytes))
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert status == 0 and {int(row["seq"]) for row in rows} == set(range(1, 301))
    assert {json.loads(row["other"])["seq"] for row in rows if row["other"]} | {
        int(row["seq"]) for row in rows if row["point"]
    } == set(range(1, 301))


def test_from_and_to_are_local_times_of_the_unit(run, file, tmp_path):
    image, out = file(Image(16, 300).bytes), tmp_path / "out.json"
    # Seq i is about 15 min times i behind midnight of the 22nd; seqs 8, 58, .. are the day itself.
    assert run("--image", image, "--format", "json", "--from", "2026-11-23", "--to", "2026-11-23", "--out", out)[0] == 0
    assert _seqs(out.read_text()) == list(range(96, 108)) + list(range(109, 158)) + list(range(159, 192))
    shown = run("--image", image, "--format", "json", "--from", "2026-11-24T00:00:00", "--to", "2026-11-24 01:00:00")[1]
    assert _seqs(shown) == [192, 193, 194, 195, 196]
    assert _seqs(run("--image", image, "--format", "json", "--to", "2026-11-22")[1])[-1] == 258
    for words in (("--from", "yesterday"), ("--from", "2026-11-23", "--to", "2026-11-22"), ("--to", "2026-11-22 3 o'clock")):
        status, _, said = run("--image", image, *words)
        assert status == 2 and words[-2] in said and said.count("\n") <= 2


def test_what_is_damaged_is_named_and_the_rest_is_given(run, file):
    data = Image(16, 300).bytes
    data[2 * BLOCK + 2000] ^= 1
    status, shown, said = run("--image", file(data), "--format", "json")
    missing = sorted(set(range(1, 301)) - set(_seqs(shown)))
    assert status == 3 and 1 <= len(missing) <= 2
    assert f"metergate: seq {missing[0]}" in said and " cannot be read: block 2, generation 3\n" in said


def test_a_block_that_is_lost_costs_its_records_only(run, file):
    whole = Image(16, 300).bytes
    lost = None
    for what in (b"\xff" * BLOCK, bytes(BLOCK), bytes(14) + block_of(whole, 2)[14:]):
        data = bytearray(whole)
        data[2 * BLOCK : 3 * BLOCK] = what
        status, shown, said = run("--image", file(data), "--format", "json")
        missing = sorted(set(range(1, 301)) - set(_seqs(shown)))
        assert status == 3 and missing == list(range(missing[0], missing[-1] + 1)) and 15 < len(missing) < 30
        assert lost in (None, missing)
        lost = missing
        assert f"seq {missing[0]}..{missing[-1]} cannot be read: block 1, generation 2, or behind it" in said


def test_a_ring_that_has_gone_round_begins_with_the_oldest_record_held(run, file):
    image = Image(6, 500)
    status, shown, _ = run("--image", file(image.bytes), "--format", "json")
    assert status == 0 and _seqs(shown) == list(range(image.ring.first_seq, 501)) and image.ring.first_seq > 300


def _flash(ring, days):
    """A whole flash of 4 MiB with Metergate's table of partitions."""
    flash = bytearray(b"\xff" * (1 << 22))
    rows = (("nvs", 0x9000, 0x6000), ("ring", 0x200000, len(ring)), ("days", 0x340000, len(days)))
    for i, (label, offset, n_bytes) in enumerate(rows):
        row = struct.pack("<2sBBII16sI", b"\xaa\x50", 1, 0x81, offset, n_bytes, label.encode(), 0)
        flash[0x8000 + 32 * i : 0x8020 + 32 * i] = row
    flash[0x200000 : 0x200000 + len(ring)] = ring
    flash[0x340000 : 0x340000 + len(days)] = days
    return flash


def test_a_dump_of_the_whole_flash_is_one_too(run, file, tmp_path):
    ring = Image(16, 300)
    flash = file(_flash(ring.bytes, Image(8, 20, seed=2).bytes))
    assert _seqs(run("--image", flash, "--format", "json")[1]) == list(range(1, 301))
    assert _seqs(run("--image", flash, "--format", "json", "--offset", "0x200000")[1]) == list(range(1, 301))
    assert _seqs(run("--image", flash, "--format", "json", "--offset", "0x340000")[1]) == list(range(1, 21))
    out = tmp_path / "ring.bin"
    assert run("--image", flash, "--format", "binary", "--out", out)[0] == 0 and out.read_bytes() == ring.bytes


def test_what_holds_no_log_is_said_in_one_line(run, file, tmp_path):
    cases = (
        (("--image", tmp_path / "none"), 2, "is there such a file"),
        (("--image", file(b"")), 2, "holds no block"),
        (("--image", file(b"\xff" * 8 * BLOCK)), 1, "it is blank"),
        (("--image", file(bytes(8 * BLOCK))), 1, "no log in this file"),
        (("--image", file(b"\xff" * BLOCK)), 1, "at least"),
        (("--port", "/dev/null"), 2, "--out"),
        (("--port", tmp_path / "no", "--out", tmp_path / "out"), 1, "cannot be opened"),
        (("--image", file(b""), "--resume"), 2, "--resume"),
        (("--image", file(b""), "--format", "binary", "--from", "2026-01-01"), 2, "--format"),
    )
    for words, wanted, text in cases:
        status, shown, said = run(*words)
        assert (status, shown, said.count("\n")) == (wanted, "", 1) and text in said, (words, said)


def test_a_file_that_is_there_stays_until_the_new_one_is_whole(run, file, tmp_path):
    out, image = tmp_path / "out.csv", file(Image(16, 200).bytes)
    out.write_text("kept")
    for words in (("--image", image, "--from", "yesterday"), ("--image", file(bytes(8 * BLOCK)))):
        assert run(*words, "--out", out)[0] and out.read_text() == "kept"
    assert run("--image", image, "--out", out)[0] == 0 and out.read_text().startswith("seq,slot,")
    assert not list(tmp_path.glob("*.new"))


def test_what_cannot_be_opened_or_is_no_date_is_said_in_one_line(run, file, tmp_path):
    image = file(Image(16, 200).bytes)
    cases = (
        (("--out", tmp_path / "none" / "out.csv"), "No such file"),
        (("--from", "2026-11-21T10"), "14:05:00"),
        (("--to", "2026-11-21 2026-11-22"), "one date"),
        (("--from", "2026-11-22", "--to", "2026-11-21"), "before"),
    )
    for words, text in cases:
        status, shown, said = run("--image", image, *words)
        assert (status, shown, said.count("\n")) == (2, "", 1) and text in said, said
    # A bad date is not found out only when the flash has come.
    assert run("--port", "/dev/null", "--out", tmp_path / "out", "--from", "x")[0] == 2
    for offset in ("-4096", "zz"):
        with pytest.raises(SystemExit):
            run("--image", image, f"--offset={offset}")


def test_who_reads_may_stop_reading(file):
    command = [sys.executable, "-m", "metergate", "export", "--image", str(file(Image(64, 3000).bytes))]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout.readline().startswith(b"seq,slot,")
    child.stdout.close()
    assert b"Traceback" not in child.stderr.read()
    child.wait()
    child.stderr.close()


def test_an_archive_is_known_as_one(run, file):
    archive = Archive(NorFlash(8), lambda: T0)
    archive.ring.heading = heading
    archive.mount("00000000")
    for seq in (5, 700):
        archive.keep_change(seq, record.Event(record.CHANGE, '"t":%d,"event":"change","key":"x"' % T0))
    days = file(archive.ring.blocks.device.bytes)
    for words in ((), ("--days",)):
        status, shown, said = run("--image", days, "--format", "json", *words)
        assert status == 0 and _seqs(shown) == [5, 700] and "log 00000000, daily summaries" in said
        # And a log as a log.
        assert run("--image", file(Image(8, 40).bytes), "--format", "json", *words)[0] == 0
    flash = file(_flash(Image(16, 300).bytes, days.read_bytes()))
    assert _seqs(run("--image", flash, "--days", "--format", "json")[1]) == [5, 700]
    flash.write_bytes(flash.read_bytes().replace(b"days", b"more"))
    status, _, said = run("--image", flash, "--days")
    assert status == 2 and "has no partition days, but more, nvs, ring" in said


def test_a_damaged_note_leaves_the_unit_its_time_zone(run, file):
    image = Image(16, 300)
    data = image.bytes
    wanted = run("--image", file(data), "--format", "json", "--from", "2026-11-23", "--to", "2026-11-23")[1]
    data[image.ring.block * BLOCK + 80] ^= 1
    assert run("--image", file(data), "--format", "json", "--from", "2026-11-23", "--to", "2026-11-23")[1] == wanted


def test_a_newest_block_without_its_mark_is_told(run, file):
    image = Image(16, 300)
    data = image.bytes
    data[image.ring.block * BLOCK] ^= 1
    status, _, said = run("--image", file(data), "--format", "json")
    assert status == 3 and f"block {image.ring.block}, behind the newest, has no mark" in said


def test_a_flash_that_ends_within_its_region_is_told(run, file, tmp_path):
    flash = _flash(Image(16, 300).bytes, b"")[: 0x200000 + 14 * BLOCK]
    for form in "json", "binary":
        status, _, said = run("--image", file(flash), "--format", form, "--out", tmp_path / "out")
        assert status == 3 and "the file ends within the region" in said


def test_a_block_that_reads_differently_each_time_is_named(tmp_path):
    class _Unit:
        n_blocks = 16
        n = 0

        def blocks(self, words):
            *_, first = words.split()
            first, n = (0, 16) if first == "heads" else (int(words.split()[0]), int(first))
            for number in range(first, first + n):
                data = bytearray(block_of(image.bytes, number))
                if number == 3:
                    self.n += 1
                    data[2000] ^= self.n & 0xFF
                yield number, bytes(data)[: 70 if words == "heads" else BLOCK]

    image = Image(16, 300)
    assert fetch.fetch(_Unit(), tmp_path / "ring.bin", "", False, lambda *_: None) == (16, 16, [3])


def test_an_image_that_ends_within_a_block_is_told(run, file):
    data = Image(16, 200).bytes
    status, shown, said = run("--image", file(data[: 10 * BLOCK + 5]), "--format", "json")
    assert status == 3 and _seqs(shown)[-1] == 200 and "5 bytes of a block" in said


# -- from a running gateway ----------------------------------------------------------------------------------------------


class Cable:
    """A gateway's console on a pseudo terminal, and a cable to another one, port; spoil(bytes) -> bytes on the way to the PC.

    n_bytes: that have gone to the PC."""

    def __init__(self, gateway):
        self.spoil = None
        self.n_bytes = 0
        self.typed = b""
        unit_end, self._unit = pty.openpty()
        pc_end, self._pc = pty.openpty()
        tty.setraw(self._unit)
        tty.setraw(self._pc)
        self.port = os.ttyname(self._pc)
        gateway.child = subprocess.Popen(gateway.command, stdin=self._unit, stdout=self._unit, stderr=subprocess.STDOUT)
        self._ends = unit_end, pc_end
        for end in self._ends:
            os.set_blocking(end, False)
        self._over = False
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self):
        unit_end, pc_end = self._ends
        while not self._over:
            for end in select.select(self._ends, (), (), 0.1)[0]:
                data = os.read(end, 1024)
                if end == pc_end:
                    self.typed += data
                    self._write(unit_end, data)
                    continue
                data = self.spoil(data) if self.spoil else data
                self.n_bytes += len(data)
                self._write(pc_end, data)

    def _write(self, end, data):
        # Where nobody reads it waits, but not for ever: the thread has to end.
        while data and not self._over:
            try:
                data = data[os.write(end, data) :]
            except BlockingIOError:
                select.select((), (end,), (), 0.1)

    def close(self):
        self._over = True
        self._thread.join()
        for end in (*self._ends, self._unit, self._pc):
            os.close(end)


@pytest.fixture
def cable(tmp_path, own, line):
    """cable(n records) -> (a Gateway with so many in its log, which goes on measuring, and the Cable to it)."""

    def start(n=600, as_board=True, days=(), **more):
        gateway = Gateway(tmp_path / "board", config(THREE), {"1": line}, ring_blocks=64)
        image = Image(64, n)
        image.save(gateway.ring)
        if days:
            archive = Archive(NorFlash(8), lambda: T0)
            archive.ring.heading = heading
            archive.mount(image.ring.log)
            for seq in days:
                archive.keep_change(seq, record.Event(record.CHANGE, '"t":%d,"event":"change","key":"x"' % T0))
            (gateway.folder / "days.bin").write_bytes(archive.ring.blocks.device.bytes)
        settings = json.loads((gateway.folder / "sim.json").read_text())
        (gateway.folder / "sim.json").write_text(json.dumps({**settings, "as_board": as_board, **more}))
        made = own(Cable(gateway))
        own(gateway)
        wait_for(lambda: len(_stored(gateway)) > n + 6, 15, "readings")
        return gateway, made

    return start


def _stored(gateway):
    return read_image(gateway.ring)[1]


def _same_but_newest(path, gateway):
    """The blocks of an image that differ from the gateway's flash: the newest, and one that was erased since."""
    image, ring = path.read_bytes(), gateway.ring.read_bytes()
    assert len(image) == len(ring)
    return [i for i in range(len(ring) // BLOCK) if block_of(image, i) != block_of(ring, i)]


@pytest.mark.parametrize("as_board", [True, False])
def test_a_running_gateway_gives_its_log_and_measures_on(run, cable, tmp_path, as_board):
    gateway, made = cable(as_board=as_board)
    out = tmp_path / "out.json"
    status, shown, said = run("--port", made.port, "--format", "json", "--out", out)
    assert status == 0 and shown == "", said
    seqs = _seqs(out.read_text())
    assert seqs == list(range(1, seqs[-1] + 1)) and seqs[-1] > 606
    assert re.search(r"out.json.image: 64 blocks of 4096 bytes, 64 of them fetched now", said)
    assert len(_same_but_newest(tmp_path / "out.json.image", gateway)) <= 2
    wait_for(lambda: len(_stored(gateway)) > seqs[-1] + 6, 10, "readings behind it")
    records = _stored(gateway)
    assert [seq for seq, _ in records] == list(range(1, records[-1][0] + 1))
    # Neither Ctrl-C, which stops a gateway, nor the raw REPL's Ctrl-A.
    assert not set(made.typed) & {1, 2, 3, 4}


def test_at_115200_baud_the_line_is_full_and_no_slot_is_missed(run, cable, tmp_path):
    gateway, made = cable(400, console_baud=115200)
    begun, n_before = time.monotonic(), made.n_bytes
    n_first = _stored(gateway)[-1][0]
    assert run("--port", made.port, "--format", "binary", "--out", tmp_path / "ring.bin")[0] == 0
    seconds, n = time.monotonic() - begun, made.n_bytes - n_before
    # What the prompts before and behind it take, and a tenth of the rest.
    assert n > 80000 and seconds < n / 11520 * 1.1 + 3, (n, seconds)
    found = [record for seq, record in _stored(gateway) if seq > n_first]
    assert len(found) > 2 * seconds and {record.kind for record in found} == {1}
    assert all(record.at_s - record.slot_s <= 1 for record in found)


def test_lines_that_come_broken_are_asked_for_again(run, cable, tmp_path):
    gateway, made = cable()
    state = []

    def spoil(data):
        state.append(len(data))
        # One byte in 20 KB is another one, one is lost, one comes twice.
        if sum(state) > 20000:
            state.clear()
            at = len(data) // 2
            changed = (bytes((data[at] ^ 4,)), b"", data[at : at + 1] * 2, b"\n", b"\xff")[spoil.n % 5]
            spoil.n += 1
            return data[:at] + changed + data[at + 1 :]
        return data

    spoil.n = 0
    made.spoil = spoil
    out = tmp_path / "ring.bin"
    status, _, said = run("--port", made.port, "--format", "binary", "--out", out)
    assert status == 0 and spoil.n > 5, said
    assert len(_same_but_newest(out, gateway)) <= 2


def test_a_line_that_never_comes_whole_is_given_up_and_said(run, cable, tmp_path):
    _, made = cable(100)
    held = []

    def spoil(data):
        # A line's first bytes may come in two parts.
        data = (b"".join(held) + data).replace(b"\n2 ", b"\n2x")
        held[:] = [data[data.rindex(b"\n") :]] if data.endswith((b"\n", b"\n2")) else []
        return data[: len(data) - len(b"".join(held))]

    made.spoil = spoil
    status, _, said = run("--port", made.port, "--format", "binary", "--out", tmp_path / "ring.bin")
    assert status == 1 and said.count("\n") == 1 and "--resume" in said


def test_an_interrupted_export_is_resumed(run, cable, tmp_path):
    gateway, made = cable()
    out = tmp_path / "ring.bin"
    words = ["--port", made.port, "--format", "binary", "--out", out]
    command = [sys.executable, "-m", "metergate", "export", *map(str, words)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # Killed when it has 10 blocks and more, in the middle of a line; the unit goes on sending into the air.
    before = made.n_bytes
    wait_for(lambda: made.n_bytes > before + 80000 or child.poll() is not None, 20, "some of it")
    child.kill()
    child.communicate()
    whole = 64 - len(_same_but_newest(out, gateway))
    status, _, said = run(*words, "--resume")
    n = int(re.search(r"(\d+) of them fetched now", said)[1])
    assert status == 0 and n < 64, said
    assert whole >= 10 and len(_same_but_newest(out, gateway)) <= 2
    # Once more: the newest, those erased ahead and those never used.
    n_typed = made.n_bytes
    status, _, said = run(*words, "--resume")
    assert status == 0 and made.n_bytes - n_typed < 70000
    assert len(_same_but_newest(out, gateway)) <= 2


def test_ctrl_c_ends_it_and_the_gateway_goes_on(cable, tmp_path):
    gateway, made = cable()
    words = ["--port", made.port, "--format", "binary", "--out", tmp_path / "ring.bin"]
    command = [sys.executable, "-m", "metergate", "export", *map(str, words)]
    # A slow line: there is something to end.
    made.spoil = lambda data: (time.sleep(0.01), data)[1]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    before = made.n_bytes
    wait_for(lambda: made.n_bytes > before + 60000, 20, "some of it")
    child.send_signal(2)
    said = child.communicate(timeout=10)[1]
    assert child.returncode == 130 and "--resume goes on from here" in said
    n = len(_stored(gateway))
    wait_for(lambda: len(_stored(gateway)) > n + 6, 10, "readings behind it")


def test_an_image_of_another_region_is_not_gone_on_with(run, cable, tmp_path):
    _, made = cable(20)
    out = tmp_path / "other.bin"
    out.write_bytes(Image(8, 20).bytes)
    status, _, said = run("--port", made.port, "--format", "binary", "--out", out, "--resume")
    assert status == 2 and "is no image of this region" in said
    # Another unit's log of the same size; and what stands there, without --resume.
    image = Image(64, 900, seed=5)
    held = bytes(image.save(out).read_bytes())
    for words, text in (("--resume",), f"holds another log, {image.ring.log}"), ((), "is there already: --resume"):
        status, _, said = run("--port", made.port, "--format", "binary", "--out", out, *words)
        assert status == 2 and text in said and said.count("\n") == 1 and out.read_bytes() == held


def test_the_days_are_exported_with_the_seqs_of_the_log(run, cable, tmp_path):
    _, made = cable(40, days=(9, 23))
    out = tmp_path / "days.json"
    status, _, said = run("--port", made.port, "--days", "--format", "json", "--out", out)
    assert status == 0 and "8 blocks" in said and _seqs(out.read_text())[:2] == [9, 23]


def test_a_gateway_that_dies_meanwhile_is_told_and_gone_on_with(run, cable, tmp_path, monkeypatch):
    monkeypatch.setattr(unit, "_SILENT_S", 2)
    gateway, made = cable()
    out = tmp_path / "ring.bin"
    before = made.n_bytes

    def spoil(data):
        if made.n_bytes > before + 60000:
            gateway.kill()
        return data

    made.spoil = spoil
    status, _, said = run("--port", made.port, "--format", "binary", "--out", out)
    assert status == 1 and "went silent" in said and said.count("\n") == 1
    assert 64 - len(_same_but_newest(out, gateway)) > 5


def test_who_is_no_gateway_is_told_from_one(run, tmp_path, monkeypatch, own):
    class _Port:
        """A pseudo terminal that answers each Enter with the same."""

        def __init__(self, text):
            self.text = text
            self._end, self._slave = pty.openpty()
            tty.setraw(self._slave)
            self.port = os.ttyname(self._slave)
            self._over = False
            self._thread = threading.Thread(target=self._answer, daemon=True)
            self._thread.start()

        def _answer(self):
            while not self._over:
                if select.select((self._end,), (), (), 0.1)[0] and b"\r" in os.read(self._end, 1024):
                    os.write(self._end, self.text)

        def close(self):
            self._over = True
            self._thread.join()
            os.close(self._end)
            os.close(self._slave)

    monkeypatch.setattr(unit, "_PROMPT_S", 2)
    cases = (
        (b"", "no gateway answers"),
        (b"\r\n>>> ", "MicroPython's own prompt"),
        (b"login: ", "no gateway answers"),
        (b"\r\nno command export; `help` lists them\r\n> ", "no command export"),
    )
    for text, wanted in cases:
        port = own(_Port(text))
        status, _, said = run("--port", port.port, "--out", tmp_path / "out")
        assert status == 1 and said.count("\n") == 1 and wanted in said
