"""ring: what was appended is read back, whatever block it is in, after a remount, and on a flash that fails."""

from memory import raised

from firmware.errors import StoreError
from firmware.protocols import record
from firmware.store.ring import MOST_TOGETHER_BYTES, Ring
from tests.sim.flash import Cut, NorFlash

# A heading as large as this leaves so much for a record.
_HEADING_BYTES = 1400
_PAYLOAD_BYTES = MOST_TOGETHER_BYTES - _HEADING_BYTES

_T0 = 1763799300
# Header of a block, and of a record: SPEC.md, "Flash".
_HEADER_BYTES = 24
_FRAME_BYTES = 11
_HEADING = ((record.NAMES, b"0 main 900 0 0 power:kW:4:gauge"), (record.NAMES, b"1 roof 900 0 0 power:kW:4:gauge"))


class _Clock:
    def __init__(self):
        self.s = _T0

    def __call__(self):
        return self.s


def _ring(flash, clock=None, heading=()):
    ring = Ring(flash, clock or _Clock())
    ring.heading = lambda: list(heading)
    ring.mount()
    return ring


def _payload(seq, n=200):
    """n bytes that tell which record they are of."""
    return bytes((seq * 31 + i * 7 + (seq >> 8)) & 0xFF for i in range(n))


def _fill(ring, n_records, n=200):
    for _ in range(n_records):
        ring.append(record.EVENT, _payload(ring.next_seq, n))


def _records(ring, seq=0):
    """[(kind, seq, payload), ..] of the records with a seq."""
    return [(kind, seq, bytes(data)) for kind, seq, data in ring.reader(seq) if seq]


def _check(ring, first, last, n=200):
    """All records from first to last are there, in order, as they were appended, and none else."""
    found = _records(ring)
    assert [seq for _, seq, _ in found] == list(range(first, last + 1))
    for kind, seq, data in found:
        assert kind == record.EVENT and data == _payload(seq, n), seq


def _erased(flash):
    """The blocks erased since flash.journal was made a list, in order."""
    return [block for block, data in flash.journal if data is None]


def _per_block(n):
    """How many records of n bytes a block without heading holds."""
    return (NorFlash.BLOCK - _HEADER_BYTES) // (_FRAME_BYTES + n)


# -- formatting -------------------------------------------------------------------------------------------------


def test_a_blank_device_is_formatted_once():
    flash = NorFlash(4)
    ring = Ring(flash, _Clock())
    assert ring.mount() is True
    assert len(ring.log) == 8 and all(c in "0123456789abcdef" for c in ring.log)
    assert (ring.next_seq, ring.first_seq, ring.used_blocks) == (1, 1, 1)
    again = Ring(flash, _Clock())
    assert again.mount() is False
    assert again.log == ring.log and again.next_seq == 1
    assert _records(again) == []


def test_each_formatting_draws_a_log_of_its_own():
    assert len({_ring(NorFlash(4)).log for _ in range(8)}) > 6


def test_a_device_full_of_something_else_is_formatted():
    flash = NorFlash(4, bytes(i * 7 & 0xFF for i in range(4 * 4096)))
    ring = Ring(flash, _Clock())
    assert ring.mount() is True
    _fill(ring, 60)
    assert _ring(flash).next_seq == 61


def test_a_device_too_small_is_refused():
    raised(StoreError, Ring, NorFlash(3), _Clock())
    small = NorFlash(8)
    small.ioctl = lambda operation, _: {4: 8, 5: 2048}[operation]
    raised(StoreError, Ring, small, _Clock())


def test_blocks_of_another_log_are_not_read():
    old, flash = NorFlash(4), NorFlash(4)
    _fill(_ring(old), 2 * _per_block(200))
    ring = _ring(flash)
    _fill(ring, 5)
    flash.bytes[2 * 4096 : 3 * 4096] = old.bytes[1 * 4096 : 2 * 4096]
    # Generation 2 of the old log beside generations up to 3 of the new one.
    _fill(ring, 2 * _per_block(200))
    flash.bytes[3 * 4096 :] = old.bytes[1 * 4096 : 2 * 4096]
    again = _ring(flash)
    assert again.log == ring.log
    _check(again, 1, ring.next_seq - 1)


# -- appending and reading --------------------------------------------------------------------------------------


def test_records_come_back_in_order_with_seqs_from_1():
    ring = _ring(NorFlash(4))
    for i, n in enumerate((0, 1, 10, 255, 256, _PAYLOAD_BYTES)):
        assert ring.append(record.READING + i % 4, _payload(i + 1, n)) == i + 1
    found = _records(ring)
    assert [(kind, seq) for kind, seq, _ in found] == [(1, 1), (2, 2), (3, 3), (4, 4), (1, 5), (2, 6)]
    assert [data for _, _, data in found] == [_payload(i + 1, n) for i, n in enumerate((0, 1, 10, 255, 256, _PAYLOAD_BYTES))]


def test_a_record_too_large_is_refused_and_takes_no_seq():
    ring = _ring(NorFlash(4))
    raised(StoreError, ring.append, record.EVENT, bytes(MOST_TOGETHER_BYTES + 1))
    assert ring.append(record.EVENT, _payload(1)) == 1
    _check(ring, 1, 1)
    # One that would fit, were it not for the heading.
    heading = [(record.NAMES, bytes(_HEADING_BYTES))]
    ring = _ring(NorFlash(4), heading=heading)
    raised(StoreError, ring.append, record.EVENT, bytes(_PAYLOAD_BYTES + 200))
    assert ring.append(record.EVENT, _payload(1, _PAYLOAD_BYTES)) == 1
    assert [seq for _, seq, _ in _records(ring)] == [1]


def test_records_go_on_from_block_to_block():
    flash = NorFlash(4)
    ring = _ring(flash)
    n = 2 * _per_block(200) + 3
    _fill(ring, n)
    _check(ring, 1, n)
    assert ring.used_blocks == 3
    _check(_ring(flash), 1, n)


def test_a_block_is_filled_to_its_last_byte():
    flash = NorFlash(4)
    ring = _ring(flash)
    rest = NorFlash.BLOCK - _HEADER_BYTES - 2 * _FRAME_BYTES
    ring.append(record.EVENT, _payload(1, rest // 2))
    ring.append(record.EVENT, _payload(2, rest - rest // 2))
    assert ring.used_blocks == 1
    # Full to the last byte is not torn, and not the place for another one.
    again = _ring(flash)
    assert again.torn == 0 and again.next_seq == 3
    again.append(record.EVENT, _payload(3, 0))
    assert again.used_blocks == 2
    assert [seq for _, seq, _ in _records(_ring(flash))] == [1, 2, 3]


def test_notes_stand_in_their_place_without_a_seq():
    ring = _ring(NorFlash(4))
    ring.append(record.EVENT, b"a")
    ring.note(record.NAMES, b"n")
    ring.append(record.EVENT, b"b")
    assert [(kind, seq, bytes(data)) for kind, seq, data in ring.reader(0)] == [
        (record.EVENT, 1, b"a"),
        (record.NAMES, 0, b"n"),
        (record.EVENT, 2, b"b"),
    ]


def test_a_heading_stands_first_in_every_block():
    flash = NorFlash(4)
    ring = _ring(flash, heading=_HEADING)
    _fill(ring, 70)
    for block in range(4):
        assert flash.bytes[block * 4096 + _HEADER_BYTES + _FRAME_BYTES :][:6] == b"0 main"
    notes = 0
    for kind, seq, data in ring.reader(0):
        if seq:
            notes = 0
        else:
            assert (kind, bytes(data)) == _HEADING[notes]
            notes += 1
    # The reader of any seq meets the names before it.
    for seq in range(ring.first_seq, ring.next_seq):
        first = next(ring.reader(seq))
        assert first[0] == record.NAMES


def test_the_largest_heading_cursors_and_record_fit_into_a_block():
    # As plan.py counts: each name with its frame; then the longest names of four data centres.
    heading = [(record.NAMES, bytes(_HEADING_BYTES - _FRAME_BYTES))]
    flash = NorFlash(4)
    ring = _ring(flash, heading=heading)
    for i in range(4):
        ring.acknowledge("province_______%d" % i, 4294967000)
    for i in range(3):
        ring.append(record.EVENT, _payload(i + 1, _PAYLOAD_BYTES))
    assert [seq for _, seq, _ in _records(_ring(flash, heading=heading))] == [1, 2, 3]


def test_the_oldest_block_is_overwritten_when_all_are_full():
    flash = NorFlash(4)
    ring = _ring(flash)
    per_block = _per_block(200)
    n = 10 * per_block + 1
    _fill(ring, n)
    assert ring.used_blocks == 4
    assert ring.first_seq == 7 * per_block + 1
    _check(ring, 7 * per_block + 1, n)
    _check(_ring(flash), 7 * per_block + 1, n)


def test_blocks_are_erased_in_turn_and_no_other():
    flash = NorFlash(5)
    flash.journal = []
    ring = _ring(flash)
    _fill(ring, 23 * _per_block(200))
    assert _erased(flash) == [i % 5 for i in range(23)]
    assert ring.erases == 23


def test_an_erase_ahead_spares_the_next_append_the_wait():
    flash = NorFlash(4)
    flash.journal = []
    ring = _ring(flash)
    waited = ring.erases_waited
    assert ring.needs_erase and ring.prepare() is True
    assert not ring.needs_erase and ring.prepare() is False
    assert _erased(flash) == [0, 1]
    _fill(ring, _per_block(200) + 1)
    assert _erased(flash) == [0, 1] and ring.erases_waited == waited
    assert ring.needs_erase
    _fill(ring, _per_block(200))
    assert _erased(flash) == [0, 1, 2] and ring.erases_waited == waited + 1


def test_an_erase_ahead_gives_up_the_oldest_records_only():
    flash = NorFlash(4)
    ring = _ring(flash)
    per_block = _per_block(200)
    _fill(ring, 4 * per_block)
    ring.prepare()
    _check(ring, per_block + 1, 4 * per_block)
    _check(_ring(flash), per_block + 1, 4 * per_block)


# -- readers ----------------------------------------------------------------------------------------------------


def test_a_reader_that_has_caught_up_goes_on_after_an_append():
    ring = _ring(NorFlash(4))
    reader = ring.reader(0)
    assert reader.next() is None
    for seq in range(1, 3 * _per_block(200)):
        ring.append(record.EVENT, _payload(seq))
        assert reader.next()[1] == seq
        assert reader.next() is None


def test_a_reader_whose_block_is_overwritten_goes_on_with_the_oldest():
    per_block = _per_block(200)
    ring = _ring(NorFlash(4))
    _fill(ring, 2)
    fresh, begun = ring.reader(0), ring.reader(0)
    assert begun.next()[1] == 1
    _fill(ring, 6 * per_block - 2)
    for reader in (fresh, begun):
        assert [seq for _, seq, _ in reader] == list(range(2 * per_block + 1, 6 * per_block + 1))


def test_a_reader_whose_block_is_erased_ahead_goes_on_with_the_oldest():
    per_block = _per_block(200)
    ring = _ring(NorFlash(4))
    _fill(ring, per_block)
    reader = ring.reader(0)
    assert [reader.next()[1] for _ in range(5)] == [1, 2, 3, 4, 5]
    _fill(ring, 3 * per_block)
    ring.prepare()
    assert reader.next()[1] == per_block + 1
    _fill(ring, 4 * per_block)
    assert reader.next()[1] == ring.first_seq == 4 * per_block + 1


def test_a_reader_begins_in_the_block_that_holds_its_seq():
    ring = _ring(NorFlash(4))
    per_block = _per_block(200)
    _fill(ring, 6 * per_block)
    for seq, first in (
        (0, 2 * per_block + 1),
        (1, 2 * per_block + 1),
        (3 * per_block, 2 * per_block + 1),
        (3 * per_block + 1, 3 * per_block + 1),
        (6 * per_block, 5 * per_block + 1),
        (6 * per_block + 99, 5 * per_block + 1),
    ):
        assert next(ring.reader(seq))[1] == first, seq


def test_a_reader_by_time_begins_in_the_last_block_opened_before_it():
    flash, clock = NorFlash(4), _Clock()
    ring = _ring(flash, clock)
    per_block = _per_block(200)
    for _ in range(6 * per_block):
        ring.append(record.EVENT, _payload(ring.next_seq))
        clock.s += 10
    # Blocks were opened at seqs 2, 3, 4, 5 * per_block + 1, each seq 10 s after the one before.
    for again in (ring, _ring(flash, clock)):
        for at_s, first in (
            (0, 2 * per_block + 1),
            (_T0 + 30 * per_block - 1, 2 * per_block + 1),
            # Records of the second in which a block was opened may stand before it.
            (_T0 + 30 * per_block, 2 * per_block + 1),
            (_T0 + 30 * per_block + 1, 3 * per_block + 1),
            (_T0 + 30 * per_block + 5, 3 * per_block + 1),
            (_T0 + 999999, 5 * per_block + 1),
        ):
            assert next(again.reader_at(at_s))[1] == first, at_s


def test_a_reader_by_time_misses_nothing_though_a_block_was_opened_with_the_clock_not_set():
    # A board's clock shows 2000 after a cut until an NTP server has answered.
    flash, clock = NorFlash(6), _Clock()
    ring = _ring(flash, clock)
    _fill(ring, _per_block(200))
    clock.s = _T0 + 3600
    _fill(ring, 5)
    wanted = ring.next_seq - 1
    clock.s = 946684800
    ring = _ring(flash, clock)
    _fill(ring, _per_block(200))
    clock.s = _T0 + 7200
    _fill(ring, _per_block(200))
    assert next(ring.reader_at(_T0 + 3600))[1] <= wanted
    assert next(_ring(flash, clock).reader_at(_T0 + 3600))[1] <= wanted


def test_a_reader_by_time_misses_nothing_though_clocks_were_wrong():
    # What the clock shows when each block is opened, and the last block that all records from 03:00 on are behind.
    unset_s, year_s = 946684800, 365 * 86400
    per_block = _per_block(200)
    for shown, last in (
        # Not set at first, nor after a cut.
        ((unset_s, unset_s, _T0 + 5 * 3600, unset_s, _T0 + 6 * 3600), 0),
        # Behind for a while: 03:00 may have passed before.
        ((_T0, _T0 + 2 * 3600, _T0 - 86400, _T0 + 5 * 3600, _T0 + 6 * 3600), 1),
        # Ahead for a while.
        ((_T0, _T0 + 2 * 3600, _T0 + year_s, _T0 + 4 * 3600, _T0 + 5 * 3600), 1),
        ((_T0 + year_s, _T0 + 1, _T0 + 2, _T0 + 3 * 3600, _T0 + 4 * 3600), 3),
    ):
        flash, clock = NorFlash(8), _Clock()
        clock.s = shown[0]
        ring = _ring(flash, clock)
        for at_s in shown[1:]:
            _fill(ring, per_block)
            clock.s = at_s
        _fill(ring, 1)
        assert tuple(ring.opened_s(block) for block in range(5)) == shown
        for again in (ring, _ring(flash, clock)):
            assert next(again.reader_at(_T0 + 3 * 3600))[1] <= last * per_block + 1, shown


# -- cursors ----------------------------------------------------------------------------------------------------


def test_a_consumer_that_is_new_begins_with_the_oldest_record_held():
    flash = NorFlash(4)
    ring = _ring(flash)
    ring.keep_consumers(["province"])
    assert ring.cursor("province") == 0
    _fill(ring, 9 * _per_block(200))
    first_seq = ring.first_seq
    ring.keep_consumers(["province", "nation"])
    assert ring.cursors == {"province": 0, "nation": first_seq - 1}
    # Where it began is known after a cut too: what is overwritten from now on is lost to it.
    _fill(ring, _per_block(200))
    ring = _ring(flash)
    ring.keep_consumers(["province", "nation"])
    assert ring.cursors == {"province": 0, "nation": first_seq - 1}


def test_a_cursor_that_is_written_down_survives():
    flash = NorFlash(4)
    ring = _ring(flash)
    _fill(ring, 9)
    ring.acknowledge("province", 5)
    ring.acknowledge("nation", 7)
    assert ring.save_cursors(force=True) is True
    assert ring.save_cursors(force=True) is False
    ring.acknowledge("nation", 8)
    assert _ring(flash).cursors == {"province": 5, "nation": 7}


def test_a_cursor_is_written_down_after_64_records():
    flash = NorFlash(8)
    ring = _ring(flash)
    _fill(ring, 70)
    ring.acknowledge("province", 63)
    assert _ring(flash).cursors == {}
    ring.acknowledge("province", 64)
    assert _ring(flash).cursors == {"province": 64}
    ring.acknowledge("province", 70)
    assert _ring(flash).cursors == {"province": 64}


def test_a_cursor_is_written_down_after_its_time_and_not_before():
    flash, clock = NorFlash(4), _Clock()
    ring = _ring(flash, clock)
    _fill(ring, 3)
    ring.acknowledge("province", 1)
    clock.s += 9
    assert ring.save_cursors() is False
    ring.acknowledge("province", 2)
    clock.s += 1
    assert ring.save_cursors() is True
    assert _ring(flash).cursors == {"province": 2}
    ring.acknowledge("province", 3)
    assert ring.save_cursors() is False
    # A clock that is set back must not put it off.
    clock.s -= 1000000
    assert ring.save_cursors() is True
    assert _ring(flash).cursors == {"province": 3}


def test_every_block_begins_with_the_cursors_of_its_time():
    flash = NorFlash(4)
    ring = _ring(flash)
    _fill(ring, 3)
    ring.acknowledge("province", 3)
    ring.save_cursors(force=True)
    _fill(ring, 9 * _per_block(200))
    assert _ring(flash).cursors == {"province": 3}
    ring.acknowledge("province", ring.next_seq - 1)
    _fill(ring, _per_block(200))
    assert _ring(flash).cursors == {"province": ring.cursor("province")}


def test_cursors_of_consumers_that_are_gone_are_forgotten():
    flash = NorFlash(4)
    ring = _ring(flash)
    for name in ("province", "nation"):
        ring.acknowledge(name, 4)
    ring.save_cursors(force=True)
    ring.keep_consumers(["nation"])
    assert ring.cursors == {"nation": 4}


# -- faults of the flash ----------------------------------------------------------------------------------------


def test_a_remount_goes_on_where_it_was():
    flash = NorFlash(4)
    heading = _HEADING
    ring = _ring(flash, heading=heading)
    for _ in range(5 * _per_block(200)):
        _fill(ring, 1)
        old, ring = ring, _ring(flash, heading=heading)
        assert ring.log == old.log and ring.torn == 0
        assert (ring.next_seq, ring.first_seq, ring.used_blocks) == (old.next_seq, old.first_seq, old.used_blocks)
        assert list(ring.starts) == list(old.starts)
    _check(ring, ring.first_seq, 5 * _per_block(200))


def test_a_damaged_byte_costs_its_record_only_or_in_a_header_its_block():
    per_block = _per_block(200)
    for block in range(4):
        for place in (0, 5, 23, 24, 25, 26, 27, 30, 34, 40, 24 + 5 * 211 + 2, 24 + 5 * 211 + 100, 24 + 18 * 211 + 210):
            if block == 3 and place < _HEADER_BYTES:
                # The newest block's header: its records are not told from those of the life before.
                continue
            flash = NorFlash(5)
            # The last block is not full.
            n = 4 * per_block - (7 if place < 24 + 11 * 211 else 0)
            _fill(_ring(flash), n)
            flash.bytes[block * 4096 + place] ^= 0x40
            ring = _ring(flash)
            first = block * per_block + 1
            lost = range(first, first + per_block)
            if place >= _HEADER_BYTES:
                lost = range(first + (place - _HEADER_BYTES) // 211, first + (place - _HEADER_BYTES) // 211 + 1)
            assert [seq for _, seq, _ in _records(ring)] == [seq for seq in range(1, n + 1) if seq not in lost], (block, place)
            for _, seq, data in _records(ring):
                assert data == _payload(seq)
            if n not in lost:
                # No seq is given twice.
                assert ring.next_seq == n + 1
            _fill(ring, 30)
            assert [seq for _, seq, _ in _records(_ring(flash))][-30:] == list(range(ring.next_seq - 30, ring.next_seq))


def test_an_acknowledged_seq_is_not_given_again_though_its_record_is_damaged():
    flash = NorFlash(5)
    ring = _ring(flash)
    _fill(ring, 10)
    ring.acknowledge("province", 10)
    ring.save_cursors(force=True)
    flash.bytes[24 + 9 * 211 + 100] ^= 1
    ring = _ring(flash)
    assert [seq for _, seq, _ in _records(ring)] == list(range(1, 10))
    assert ring.append(record.EVENT, _payload(11)) == 11


def test_records_of_a_blocks_life_before_are_not_read():
    # An erase that was cut leaves old bytes behind what was written since.
    per_block = _per_block(200)
    flash = NorFlash(4)
    ring = _ring(flash)
    _fill(ring, 4 * per_block)
    old = bytes(flash.bytes[:4096])
    _fill(ring, 5)
    used = _HEADER_BYTES + 5 * 211
    flash.bytes[used:4096] = old[used:]
    ring = _ring(flash)
    _check(ring, per_block + 1, 4 * per_block + 5)
    assert ring.torn == 1
    _fill(ring, 5)
    _check(_ring(flash), 2 * per_block + 1, 4 * per_block + 10)


def test_a_record_in_another_place_than_its_own_is_not_read():
    flash = NorFlash(4)
    _fill(_ring(flash), 5)
    first = bytes(flash.bytes[24 : 24 + 211])
    for place in (24 + 5 * 211, 24 + 5 * 211 + 50):
        again = NorFlash(4, flash.bytes)
        again.bytes[place : place + 211] = first
        ring = _ring(again)
        _check(ring, 1, 5)
        assert ring.next_seq == 6


def test_damage_in_the_last_full_block_does_not_give_a_seq_twice():
    flash = NorFlash(5)
    per_block = _per_block(200)
    ring = _ring(flash)
    _fill(ring, 2 * per_block)
    # A cut leaves the new block with its header alone.
    flash.cut_after = _HEADER_BYTES
    raised(Cut, ring.append, record.EVENT, b"x" * 200)
    flash.power_on()
    flash.bytes[4096 + 24 + 3 * 211 + 50] ^= 1
    assert _ring(flash).next_seq == 2 * per_block + 1


def test_a_write_that_fails_costs_its_record_only():
    for n_before in (0, 5, _per_block(200) - 1):
        flash = NorFlash(5)
        ring = _ring(flash)
        _fill(ring, n_before)
        flash.fail_after = 0
        raised(OSError, ring.append, record.EVENT, b"lost" * 50)
        _fill(ring, 30)
        for again in (ring, _ring(flash)):
            found = _records(again)
            assert [data for _, _, data in found] == [_payload(seq) for _, seq, _ in found]
            assert [seq for _, seq, _ in found] == list(range(1, n_before + 31)), n_before


def test_a_write_that_fails_in_a_heading_costs_no_record_that_was_stored():
    # The header, the first name, the second, the record itself.
    for fail_after in range(4):
        flash = NorFlash(5)
        ring = _ring(flash, heading=_HEADING)
        while ring._offset + 211 <= 4096:
            _fill(ring, 1)
        last = ring.next_seq - 1
        flash.fail_after = fail_after
        raised(OSError, ring.append, record.EVENT, b"lost" * 50)
        _fill(ring, 30)
        for again in (ring, _ring(flash, heading=_HEADING)):
            assert [seq for _, seq, _ in _records(again)] == list(range(1, last + 31)), fail_after
            kind, _, data = next(again.reader(again.next_seq - 1))
            assert (kind, bytes(data)) == _HEADING[0]


def test_a_write_that_is_said_to_have_failed_but_did_not_gives_no_seq_twice():
    flash = NorFlash(5)
    ring = _ring(flash)
    _fill(ring, 5)
    original = flash.writeblocks

    def writeblocks(block, buf, offset):
        original(block, buf, offset)
        raise OSError(5)

    flash.writeblocks = writeblocks
    try:
        ring.append(record.EVENT, _payload(6))
    except OSError:
        # Then it must not be read later either.
        pass
    flash.writeblocks = original
    _fill(ring, 10)
    for again in (ring, _ring(flash)):
        _check(again, 1, ring.next_seq - 1)


def test_torn_bytes_at_a_blocks_end_cost_few_reads():
    flash = NorFlash(4)
    _fill(_ring(flash), 3)
    flash.cut_after = 100
    raised(Cut, _ring(flash).append, record.EVENT, bytes(200))
    flash.power_on()
    flash.n_reads = 0
    ring = _ring(flash)
    assert ring.torn == 1 and ring.next_seq == 4
    # Each of them may be looked at, the 3300 erased ones behind them not.
    assert flash.n_reads < 300
    _fill(ring, 1)
    flash.n_reads = 0
    assert len(_records(ring)) == 4
    assert flash.n_reads < 250


def _fill_in_spite(ring, n_records):
    """Appends as a gateway does: what fails is tried again, a few times."""
    for _ in range(n_records):
        for _ in range(5):
            try:
                ring.append(record.EVENT, _payload(ring.next_seq))
                break
            except OSError:
                continue
        else:
            raise AssertionError("the ring takes no more records")


def test_a_block_that_cannot_be_written_is_passed_over():
    flash = NorFlash(6)
    ring = _ring(flash)
    flash.bad = {2}
    per_block = _per_block(200)
    _fill_in_spite(ring, 3 * per_block)
    _check(ring, 1, 3 * per_block)
    _check(_ring(flash), 1, 3 * per_block)
    # Round and round.
    _fill_in_spite(ring, 20 * per_block)
    for again in (ring, _ring(flash)):
        assert again.next_seq == 23 * per_block + 1
        _check(again, again.first_seq, 23 * per_block)
        assert again.first_seq <= 20 * per_block
    assert flash.erases[2] == 0


def test_a_block_that_was_used_and_then_refuses_is_passed_over():
    for n_after in (0, 1, 5, 40, 100, 200):
        flash = NorFlash(6)
        ring = _ring(flash)
        per_block = _per_block(200)
        # Block 2 holds records and is the next but one to be erased.
        _fill(ring, 7 * per_block)
        flash.bad = {2}
        _fill_in_spite(ring, per_block + n_after)
        last = 8 * per_block + n_after
        for again in (ring, _ring(flash)):
            assert again.next_seq == last + 1, n_after
            seqs = [seq for _, seq, _ in _records(again)]
            # Its old records may still be read, or not; what is newer is whole and in order.
            assert seqs == sorted(set(seqs)), n_after
            newest = [seq for seq in seqs if seq > last - 3 * per_block]
            assert newest == list(range(last - 3 * per_block + 1, last + 1)), n_after
        ring = _ring(flash)
        _fill_in_spite(ring, 3 * per_block)
        assert [seq for _, seq, _ in _records(_ring(flash))][-3 * per_block :] == list(range(last + 1, ring.next_seq))


def test_a_small_record_after_the_next_block_refused_is_stored():
    flash = NorFlash(6)
    ring = _ring(flash)
    per_block = _per_block(200)
    _fill(ring, per_block)
    flash.bad = {1}
    # What is left of the first block is too small for the one and holds the other.
    raised(OSError, ring.append, record.EVENT, bytes(200))
    assert ring.append(record.EVENT, _payload(per_block + 1, 20)) == per_block + 1
    _fill_in_spite(ring, 3)
    for again in (ring, _ring(flash)):
        assert [seq for _, seq, _ in _records(again)] == list(range(1, per_block + 5))


def test_a_small_record_after_a_header_was_not_kept_is_stored():
    flash = NorFlash(6)
    ring = _ring(flash)
    per_block = _per_block(200)
    _fill(ring, per_block)
    flash.fail_after = 0
    raised(OSError, ring.append, record.EVENT, bytes(200))
    assert ring.append(record.EVENT, _payload(per_block + 1, 20)) == per_block + 1
    _fill(ring, 3)
    for again in (ring, _ring(flash)):
        assert [seq for _, seq, _ in _records(again)] == list(range(1, per_block + 5))


def test_a_block_that_does_not_keep_what_is_written_costs_no_record():
    # Flash without an error message: what append has stored is there, or append says so.
    flash = NorFlash(6)
    ring = _ring(flash)
    flash.worn = {2}
    per_block = _per_block(200)
    _fill_in_spite(ring, 4 * per_block)
    _check(ring, 1, 4 * per_block)
    _check(_ring(flash), 1, 4 * per_block)
