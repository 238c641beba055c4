"""`metergate audit`: what was altered, taken out, put in or moved in an image is named; what no fault is is none."""

import random

import pytest
from images import BLOCK, T0, Image, block_of, forged, heading, put_block, sha

from firmware.protocols import record
from firmware.store.archive import Archive
from firmware.store.block import header_of, mark_of
from metergate import cli
from tests.sim.flash import Cut, NorFlash

_WHOLE = Image(16, 300)


@pytest.fixture
def audit(tmp_path, monkeypatch, capsys):
    """audit(data) -> (exit status, lines)."""

    def audit(data, *more):
        path = tmp_path / "image.bin"
        path.write_bytes(data)
        monkeypatch.setattr("sys.argv", ["metergate", "audit", str(path), *more])
        status = cli.main()
        said = capsys.readouterr()
        return status, said.out.splitlines() + said.err.splitlines()

    return audit


def _faults(lines):
    """[(kind, block or None, text), ..] of an audit, oldest first."""
    if lines[0].startswith("every block"):
        return []
    first = lines[0].removeprefix("first fault: ")
    if lines[1] == "no other fault":
        shown = [first]
    else:
        shown = [line.strip() for line in lines[2 : 2 + int(lines[1].split()[0])]]
    found = []
    for text in shown:
        kind = next(kind for kind in ("altered", "missing", "inserted", "out of place", "unreadable") if text.startswith(kind))
        words = text.removeprefix(kind).lstrip(": ").split()
        found.append((kind, int(words[1].rstrip(",")) if words[0] == "block" else None, text))
    assert found[0][0] == first.split(":")[0]
    return found


def _named(lines):
    return [(kind, block) for kind, block, _ in _faults(lines)]


def _value(lines, name):
    return next(line for line in lines if line.startswith(name.ljust(10)))[10:]


# -- no fault ------------------------------------------------------------------------------------------------------------


def test_a_log_as_it_was_written_has_no_fault(audit):
    status, lines = audit(_WHOLE.bytes)
    newest = _WHOLE.ring.block
    assert status == 0 and _faults(lines) == []
    assert _value(lines, "log") == _WHOLE.ring.log
    assert _value(lines, "blocks") == f"16: {newest + 1} in the chain, 2 erased ahead"
    assert _value(lines, "chain").startswith(
        f"generation 1 to {newest + 1}, {newest} of {newest + 1} blocks named by a hash, from"
    )
    assert _value(lines, "records") == "300, readings 144, misses 6, days 6, events 144"
    assert _value(lines, "seqs") == "1..300"
    assert _value(lines, "times") == "2026-11-21T16:15:00Z to 2026-11-24T19:00:02Z"
    assert _value(lines, "head").startswith(sha(block_of(_WHOLE.bytes, newest)).hex())


def test_a_ring_that_has_gone_round_has_none(audit):
    for n_blocks, n in ((6, 500), (4, 400), (16, 1000)):
        image = Image(n_blocks, n)
        status, lines = audit(image.bytes)
        assert status == 0 and _value(lines, "seqs") == f"{image.ring.first_seq}..{n}", lines
        assert "overwritten" in _value(lines, "chain")


def test_a_log_of_one_block_and_what_is_no_log(audit):
    status, lines = audit(Image(8, 3).bytes)
    assert status == 0 and _value(lines, "seqs") == "1..3"
    for data in (b"\xff" * 8 * BLOCK, bytes(8 * BLOCK), b"MGr1" * 8192, Image(8, 0).bytes):
        status, lines = audit(data)
        assert status == 1 and len(lines) == 1 and "no log in this file" in lines[0]
    assert audit(b"")[0] == 2


def test_retired_blocks_are_none(audit):
    image = Image(12, 120)
    image.flash.bad = {image.ring.block + 3, image.ring.block + 5}
    for _ in range(600):
        try:
            image.add(1)
        except OSError:
            # prepare() says so, once for each.
            pass
    status, lines = audit(image.bytes)
    assert status == 0 and "retired: " in _value(lines, "blocks"), lines
    # Round again: the bad ones still stand there with what they held.
    for _ in range(300):
        image.add(1)
    status, lines = audit(image.bytes)
    assert status == 0, lines


def test_a_record_that_a_power_cut_tore_is_none(audit):
    data = _WHOLE.bytes
    at = _WHOLE.ring.block * BLOCK + _WHOLE.ring.offset
    data[at : at + 20] = bytes((4, 100, *b'"t":1795276800,"ev'))
    status, lines = audit(data)
    assert status == 0 and any("power cut while one was written" in line for line in lines)


def test_power_cuts_are_none(audit):
    for seed in range(1, 9):
        draw = random.Random(seed)
        image = Image(8, 100, seed=seed)
        for _ in range(6):
            if seed % 2:
                image.flash.cut_in_erase = draw.randrange(4)
            image.flash.cut_after = draw.randrange(6000)
            try:
                image.add(80)
            except Cut:
                pass
            image.flash.power_on()
            status, lines = audit(image.bytes)
            assert status == 0, (seed, lines)
            image.start()


def test_blocks_of_a_log_before_are_none(audit):
    image = Image(16, 200)
    image.start(True)
    image.add(60)
    status, lines = audit(image.bytes)
    assert status == 0 and "of another log" in _value(lines, "blocks") and _value(lines, "seqs") == "1..60", lines


# -- faults --------------------------------------------------------------------------------------------------------------


def test_an_altered_byte_names_its_block_whichever_it_is(audit):
    draw = random.Random(7)
    closed = _WHOLE.ring.block
    for i in range(60):
        block = draw.randrange(closed)
        # Mark, header, heading, and all the rest.
        offset = (draw.randrange(14), draw.randrange(14, 70), draw.randrange(70, BLOCK))[i % 3]
        data = _WHOLE.bytes
        data[block * BLOCK + offset] ^= 1 << draw.randrange(8)
        status, lines = audit(data)
        assert status == 3 and _named(lines) == [("altered", block)], (block, offset, lines)
        text = lines[0]
        assert f"block {block}, generation {block + 1}, seq " in text and "2026-11-2" in text, text


def test_an_altered_record_is_named_with_its_seq(audit):
    data = _WHOLE.bytes
    data[2 * BLOCK + 2000] ^= 1
    lines = audit(data)[1]
    assert "seq 59 cannot be read" in lines[0] and _value(lines, "records").startswith("299,")


def test_a_block_that_was_rewritten_with_all_sums_right_is_altered(audit):
    data = _WHOLE.bytes
    put_block(data, 4, forged(block_of(data, 4), opened_s=1795000000))
    status, lines = audit(data)
    assert status == 3 and _named(lines) == [("altered", 4)] and "all its records hold their checks" in lines[0]


def test_several_faults_are_all_listed_oldest_first(audit):
    data = _WHOLE.bytes
    for block in (9, 2, 6):
        data[block * BLOCK + 3000] ^= 1
    status, lines = audit(data)
    assert status == 3 and _named(lines) == [("altered", 2), ("altered", 6), ("altered", 9)]


def test_an_altered_record_of_the_newest_block_fails_its_own_check(audit):
    data = _WHOLE.bytes
    data[_WHOLE.ring.block * BLOCK + _WHOLE.ring.offset // 2] ^= 1
    status, lines = audit(data)
    assert status == 3 and _named(lines) == [("unreadable", _WHOLE.ring.block)]


def test_what_was_taken_from_the_newest_blocks_end_cannot_be_told_and_that_is_said(audit):
    data = _WHOLE.bytes
    at = _WHOLE.ring.block * BLOCK
    reader = _WHOLE.ring.reader(300)
    last = 0
    while not last:
        last = reader.next()[1]
    data[at + reader.offset : at + BLOCK] = b"\xff" * (BLOCK - reader.offset)
    status, lines = audit(data)
    assert (
        status == 0 and _value(lines, "seqs") == f"1..{last}" and last < 300 and any("cannot be told" in line for line in lines)
    )


def test_a_missing_block_is_named_with_its_seqs_and_times(audit):
    first = header_of(block_of(_WHOLE.bytes, 5)).first_seq
    behind = header_of(block_of(_WHOLE.bytes, 6)).first_seq
    for what in (b"\xff" * BLOCK, bytes(BLOCK), block_of(Image(16, 300, seed=3).bytes, 5)):
        data = _WHOLE.bytes
        put_block(data, 5, what)
        status, lines = audit(data)
        assert status == 3 and _named(lines) == [("missing", None)], lines
        assert f"generation 6, seq {first}..{behind - 1}, 2026-11-2" in lines[0] and "block 5 is " in lines[0]
        assert any("covers: block 4 (generation 5)" in line for line in lines)


def test_missing_blocks_side_by_side_are_one_fault(audit):
    data = _WHOLE.bytes
    for block in (5, 6, 7):
        put_block(data, block, b"\xff" * BLOCK)
    first, behind = (header_of(block_of(_WHOLE.bytes, block)).first_seq for block in (5, 8))
    status, lines = audit(data)
    assert status == 3 and _named(lines) == [("missing", None)] and f"seq {first}..{behind - 1}" in lines[0]


def test_a_block_that_was_cut_out_and_the_rest_moved_up_is_missing(audit):
    data = _WHOLE.bytes
    del data[5 * BLOCK : 6 * BLOCK]
    status, lines = audit(data + b"\xff" * BLOCK)
    assert status == 3 and _named(lines) == [("missing", None)] and "there is no block between" in lines[0]


def test_a_block_that_was_put_in_is_named(audit):
    # A block in a place that was never used; one pushed between two; and a second one of the same generation.
    roomy = Image(24, 300)
    for generation in (4, 40):
        data = roomy.bytes
        block = forged(block_of(data, 3), generation=generation)
        put_block(data, 20, block)
        status, lines = audit(data)
        if generation == 4:
            assert status == 3 and _named(lines) == [("inserted", 20)], lines
        else:
            # It claims to be the newest, and names a block that does not fit.
            assert status == 3 and _faults(lines), lines
    data = roomy.bytes
    data[5 * BLOCK : 5 * BLOCK] = block_of(data, 3)
    status, lines = audit(data[: 24 * BLOCK])
    assert status == 3 and _named(lines) == [("inserted", 5)], lines


def test_blocks_that_were_swapped_are_both_named(audit):
    data = _WHOLE.bytes
    a, b = block_of(data, 3), block_of(data, 6)
    put_block(data, 3, b)
    put_block(data, 6, a)
    status, lines = audit(data)
    assert status == 3 and _named(lines) == [("out of place", 6), ("out of place", 3)]
    assert "belongs into block 3" in lines[0]
    # Also where the newest is one of them.
    data = _WHOLE.bytes
    newest = _WHOLE.ring.block
    a, b = block_of(data, 3), block_of(data, newest)
    put_block(data, 3, b)
    put_block(data, newest, a)
    status, lines = audit(data)
    assert status == 3 and sorted(_named(lines)) == sorted([("out of place", newest), ("out of place", 3)])


def test_faults_in_a_ring_that_has_gone_round_are_found_as_well(audit):
    image = Image(16, 1000)
    blocks = sorted((mark_of(block_of(image.bytes, i))[0], i) for i in range(16))
    order = [number for _, number in blocks[:-2]]
    oldest, middle = order[0], order[6]
    for block in (oldest, middle):
        data = image.bytes
        data[block * BLOCK + 2000] ^= 1
        status, lines = audit(data)
        assert status == 3 and _named(lines) == [("altered", block)]
    data = image.bytes
    put_block(data, middle, b"\xff" * BLOCK)
    status, lines = audit(data)
    assert status == 3 and _named(lines) == [("missing", None)]


def test_damage_from_before_a_block_was_closed_is_told_from_a_change(audit):
    image = Image(16, 100)
    image.flash.bytes[image.ring.block * BLOCK + 500] ^= 1
    damaged = image.ring.block
    image.add(100)
    status, lines = audit(image.bytes)
    assert status == 3 and _named(lines) == [("unreadable", damaged)] and "nothing was changed since" in lines[0]


def test_a_header_that_is_damaged_costs_the_proof_of_the_block_before(audit):
    data = _WHOLE.bytes
    data[5 * BLOCK + 40] ^= 1
    lines = audit(data)[1]
    assert _named(lines) == [("altered", 5)] and "its header cannot be read" in lines[0]
    assert any("covers: block 4 (generation 5)" in line for line in lines)
    # Its records are read all the same.
    assert _value(lines, "records").startswith("300,")


def test_what_is_erased_ahead_stands_behind_the_newest_and_nothing_else_does(audit):
    newest = _WHOLE.ring.block
    data = _WHOLE.bytes
    # The newest taken away: as if it could not be erased, which cost a generation too. That is said.
    for what in (b"\xff" * BLOCK, bytes(BLOCK)):
        put_block(data, newest, what)
        status, lines = audit(data)
        assert status == 0 and f"of block {newest} it cannot be told, see below" in lines[0]
        assert any(f"block {newest}, between the newest and what is erased ahead, is " in line for line in lines)
    # A spare moved to where nothing was ever written.
    roomy = Image(24, 300)
    data = roomy.bytes
    spare = roomy.ring.spares[-1][0]
    put_block(data, 22, block_of(data, spare))
    put_block(data, spare, b"\xff" * BLOCK)
    status, lines = audit(data)
    assert status == 3 and _named(lines) == [("out of place", 22)], lines


def test_headers_that_name_each_other_end_somewhere(audit):
    data = _WHOLE.bytes
    put_block(data, 4, forged(block_of(data, 4), before=9))
    put_block(data, 0, forged(block_of(data, 0), before=12))
    status, lines = audit(data)
    assert status == 3 and {block for _, block in _named(lines)} == {0, 4}


def test_the_oldest_block_of_a_ring_that_has_not_gone_round_cannot_be_overwritten(audit):
    data = Image(24, 300).bytes
    put_block(data, 0, b"\xff" * BLOCK)
    status, lines = audit(data)
    assert status == 3 and _named(lines)[0][0] == "missing" and "generation 1, seqs before" in lines[0]


def test_the_days_have_a_chain_too(audit):
    flash = NorFlash(8)
    archive = Archive(flash, lambda: T0)
    archive.ring.heading = heading
    archive.mount("00000000")
    for i in range(100):
        archive.keep_change(7 * i + 1, record.Event(record.CHANGE, '"t":%d,"event":"change","key":"%s"' % (T0 + i, "x" * 150)))
        archive.ring.prepare()
    status, lines = audit(flash.bytes, "--days")
    assert status == 0 and _value(lines, "records") == "100, changes 100", lines
    data = bytearray(flash.bytes)
    data[BLOCK + 1000] ^= 1
    status, lines = audit(data, "--days")
    assert status == 3 and _named(lines) == [("altered", 1)]
