"""ring: what was appended is read back, whatever block it is in, after a remount, and on a flash that fails."""

from memory import raised, unallocated

from firmware.errors import StoreError
from firmware.protocols import record
from firmware.store import forecast, search
from firmware.store.reader import Reader
from firmware.store.ring import MOST_TOGETHER_BYTES, Ring
from tests.sim.flash import NorFlash
from tests.sim.ringrig import BLOCK, T0, Life, check, names_of, told

_HEADER_BYTES = 70
_MARK_BYTES = 14


def _bare(flash):
    """A ring without a heading."""
    ring = Ring(flash, lambda: T0)
    ring.mount()
    return ring


def _fill(ring, n_records, n=200):
    for _ in range(n_records):
        ring.append(record.EVENT, _text(ring.next_seq, n))


def _text(seq, n=200):
    return ("%d " % seq + "x" * n)[:n].encode()


def _seqs(ring, seq=0):
    return [seq for _, seq, _ in ring.reader(seq) if seq]


def _full(n_blocks=6):
    """A life whose ring has given blocks up, and has every kind of record."""
    life = Life(NorFlash(n_blocks))
    while life.ring.first_seq == 1:
        life.step()
    life.steps(20)
    return life


def _again(life):
    """Another start on the same flash."""
    return Life(life.flash, life.now_s, life.expected, len(life.meters))


# -- formatting -------------------------------------------------------------------------------------------------


def test_a_blank_device_is_formatted_once():
    flash = NorFlash(4)
    ring = Ring(flash, lambda: T0)
    assert ring.mount() is True
    assert len(ring.log) == 8 and all(c in "0123456789abcdef" for c in ring.log)
    assert (ring.next_seq, ring.first_seq, ring.used_blocks) == (1, 1, 0)
    assert _seqs(ring) == [] and flash.programmed_bytes[0] == 0
    _fill(ring, 1)
    again = Ring(flash, lambda: T0)
    assert again.mount() is False
    assert again.log == ring.log and again.next_seq == 2
    assert len({_bare(NorFlash(4)).log for _ in range(8)}) > 6


def test_what_is_no_ring_is_said_and_not_touched():
    image = bytes(i * 7 & 0xFF for i in range(4 * BLOCK))
    other = bytearray(b"\xff" * (4 * BLOCK))
    other[BLOCK : BLOCK + 4] = b"MGr1"
    text, older = bytearray(b"\xff" * (4 * BLOCK)), bytearray(b"\xff" * (4 * BLOCK))
    text[:5], older[:14] = b"hello", b"MGr1" + bytes(10)
    nothing = "block 0 holds what is no ring"
    for held, words in (
        (image, nothing),
        (text, nothing),
        (other, "the ring is of format 1"),
        (older, "the ring is of format 1"),
    ):
        flash = NorFlash(4, held)
        error = raised(StoreError, Ring(flash, lambda: T0).mount)
        assert error.args[0].startswith(words) and "`format`" in error.args[1]
        assert flash.bytes == held and not sum(flash.erases)
        ring = Ring(flash, lambda: T0)
        assert ring.mount(True) is True
        _fill(ring, 60)
        assert _bare(flash).next_seq == 61


def test_a_ring_that_is_given_up_begins_anew_with_nothing_of_the_old_one():
    life = _full()
    old = life.ring.log
    ring = Ring(life.flash, lambda: T0)
    assert ring.mount(True) is True
    assert _seqs(ring) == [] and ring.log != old
    _fill(ring, 3)
    again = _bare(life.flash)
    assert (again.log, _seqs(again), again.cursors.positions) == (ring.log, [1, 2, 3], {})


def test_a_device_too_small_is_refused():
    raised(StoreError, Ring, NorFlash(3), lambda: T0)
    small = NorFlash(8)
    small.ioctl = lambda operation, _: {4: 8, 5: 2048}[operation]
    raised(StoreError, Ring, small, lambda: T0)


def test_blocks_of_another_log_are_not_read():
    old, life = _full(), _full()
    block = (life.ring.block - 2) % 6
    old.ring.number ^= 1
    life.flash.bytes[block * BLOCK : block * BLOCK + BLOCK] = bytes(BLOCK)
    foreign = _full()
    foreign.flash.bytes[0] ^= 0
    again = _again(life)
    assert block not in [again.ring.oldest, again.ring.block]
    assert all(seq in life.expected for seq in _seqs(again.ring))


# -- appending and reading --------------------------------------------------------------------------------------


def test_every_kind_comes_back_in_order_with_seqs_from_1():
    life = Life(NorFlash(64))
    life.steps(300)
    for each in (life, _again(life)):
        found = [(seq, told(kind, item)) for kind, seq, item in each.ring.reader(0) if seq]
        assert found == sorted(life.expected.items())
        assert {row[1][0] for row in found} == {record.READING, record.MISS, record.EVENT}


def test_records_of_all_sizes_come_back():
    ring = _bare(NorFlash(4))
    sizes = (0, 1, 10, 60, 61, 62, 63, 127, 128, 255, 256, 257, 1000, MOST_TOGETHER_BYTES)
    for n in sizes:
        ring.append(record.EVENT, b"y" * n)
    assert [len(found.members) for kind, _, found in ring.reader(0) if kind == record.EVENT] == list(sizes)


def test_a_record_too_large_is_refused_and_takes_no_seq():
    ring = _bare(NorFlash(4))
    raised(StoreError, ring.append, record.EVENT, bytes(MOST_TOGETHER_BYTES + 1))
    ring.heading = lambda: (
        [(record.NAMES, record.put_names(0, record.MeterNames("m" * 600, 900, (("e", "kWh", 2, record.REGISTER),))))] * 3
    )
    raised(StoreError, ring.append, record.EVENT, bytes(MOST_TOGETHER_BYTES))
    ring.heading = list
    assert ring.append(record.EVENT, b"fits") == 1


def test_a_block_is_filled_to_its_last_byte():
    flash = NorFlash(4)
    ring = _bare(flash)
    ring.append(record.EVENT, b"z" * 2000)
    n = BLOCK - ring.offset - 3 - 2
    ring.append(record.EVENT, b"z" * n)
    assert ring.offset == BLOCK and ring.block == 0
    ring.append(record.EVENT, b"next")
    assert ring.block == 1 and _seqs(_bare(flash)) == [1, 2, 3]


def test_blocks_are_erased_in_turn_and_each_as_often():
    life = Life(NorFlash(6))
    erased, ioctl = [], life.flash.ioctl

    def noting(operation, argument):
        if operation == 6:
            erased.append(argument)
        return ioctl(operation, argument)

    life.flash.ioctl = noting
    while life.ring.generation < 40:
        life.step()
    assert len(erased) > 30
    assert all((a + 1) % 6 == b for a, b in zip(erased, erased[1:]))
    assert max(life.flash.erases) - min(life.flash.erases) <= 1


def test_an_erase_ahead_spares_the_next_append_the_wait():
    ring = _bare(NorFlash(6))
    assert ring.needs_erase and ring.prepare() and ring.prepare() and not ring.needs_erase and not ring.prepare()
    _fill(ring, 30)
    assert ring.n_waited == 0 and ring.needs_erase
    _fill(ring, 60)
    # Starved: it waits for each.
    assert ring.n_waited > 0


def test_an_erase_ahead_gives_up_the_oldest_records_only():
    life = _full()
    while life.ring.spares:
        life.event(700)
    first = life.ring.first_seq
    life.ring.prepare()
    assert life.ring.first_seq > first
    assert _seqs(life.ring) == list(range(life.ring.first_seq, life.ring.next_seq))
    assert _again(life).ring.first_seq == life.ring.first_seq


def test_a_start_finds_what_the_one_before_knew():
    life = Life(NorFlash(6))
    for _ in range(60):
        life.steps(7)
        life.save(True)
        one, two = life.ring, _again(life).ring
        for name in ("block", "generation", "offset", "next_seq", "first_seq", "oldest", "gone", "spares", "last_generation"):
            assert getattr(one, name) == getattr(two, name), name
        assert (one.first_time, one.last_time) == (two.first_time, two.last_time)
        assert one.cursors.positions == two.cursors.positions


def test_a_start_writes_nothing():
    life = _full()
    before = bytes(life.flash.bytes)
    _again(life)
    assert life.flash.bytes == before


def test_a_reading_takes_no_heap_while_it_is_stored():
    ring = Ring(_Still(4), lambda: T0)
    ring.heading = lambda: [(record.NAMES, record.put_names(i, _named(i))) for i in range(3)]
    ring.mount()
    ring.keep_consumers(["province"])
    values = [[123456700 + 7 * i, None if i == 5 else 1000 - i] for i in range(30)]
    for i in range(3):
        ring.reading(i, 60000000, 2, 0, values[i])
    for i in range(3, 30):
        assert unallocated(lambda: ring.reading(i % 3, 60000000 + 900 * (i // 3), 2 + i % 4, i & 32, values[i])) == i + 1  # noqa: B023
    assert len(_seqs(ring)) == 30


def _named(i):
    return record.MeterNames("m%d" % i, 900, (("e", "kWh", 2, record.REGISTER), ("p", "kW", 3, record.GAUGE)))


class _Still:
    """A flash in a piece of memory that takes no other for what it does."""

    def __init__(self, n_blocks):
        self._bytes = bytearray(b"\xff" * (n_blocks * BLOCK))

    def readblocks(self, block, buf, offset=0):
        at = block * BLOCK + offset
        for i in range(len(buf)):
            buf[i] = self._bytes[at + i]

    def writeblocks(self, block, buf, offset):
        at = block * BLOCK + offset
        for i in range(len(buf)):
            self._bytes[at + i] = buf[i]

    def ioctl(self, operation, argument):
        if operation == 6:
            for i in range(argument * BLOCK, argument * BLOCK + BLOCK):
                self._bytes[i] = 0xFF
        return {4: len(self._bytes) // BLOCK, 5: BLOCK}.get(operation, 0)


# -- readers ----------------------------------------------------------------------------------------------------


def test_a_reader_that_has_caught_up_goes_on_after_an_append():
    life = Life(NorFlash(6))
    reader = life.ring.reader(0)
    got = []
    for _ in range(500):
        life.step()
        while True:
            found = reader.next()
            if found is None:
                break
            if found[1]:
                assert told(found[0], found[2]) == life.expected[found[1]]
                got.append(found[1])
    assert got == list(range(1, life.ring.next_seq)) and reader.n_damaged == 0


def test_a_reader_whose_block_is_overwritten_goes_on_with_the_oldest():
    life = Life(NorFlash(6))
    life.steps(30)
    for n_read in (0, 1, 17):
        reader = life.ring.reader(0)
        for _ in range(n_read):
            reader.next()
        first = life.ring.next_seq
        while life.ring.first_seq <= first:
            life.step()
        seqs = [seq for _, seq, _ in reader if seq]
        assert seqs == list(range(life.ring.first_seq, life.ring.next_seq))
        assert reader.n_damaged == 0


def test_a_reader_begins_in_the_block_that_holds_its_seq():
    life = _full()
    for seq in range(life.ring.first_seq, life.ring.next_seq):
        reader = life.ring.reader(seq)
        while True:
            found = reader.next()
            if found[1]:
                break
        assert found[1] <= seq
        last = found[1]
        while found[1] != seq:
            found = reader.next()
            last = found[1] or last
        assert reader.block == search.block_of_seq(life.ring, seq) and last == seq
    assert life.ring.reader(0).block == life.ring.oldest
    assert life.ring.reader(1 << 40).block == life.ring.block


def test_a_reader_by_time_misses_nothing_whatever_clocks_said():
    life = Life(NorFlash(8), now_s=0)
    # Not set, set, ahead by a year, back.
    for now_s in (1000, T0, T0 + 31536000, T0 + 40000, T0 - 90000):
        life.now_s = now_s
        life.steps(45)
    times = {}
    for _, seq, found in life.ring.reader(0):
        bounds = record.bounds_of(found) if seq else None
        if bounds:
            times[seq] = bounds[1]
    for at_s in range(T0 - 100000, T0 + 60000, 7000):
        seen = [seq for _, seq, _ in life.ring.reader_at(at_s) if seq]
        assert all(seq in seen for seq in times if times[seq] >= at_s), at_s
    assert life.ring.reader_at(T0 + (1 << 29)).block == life.ring.block


# -- consumers --------------------------------------------------------------------------------------------------


def test_a_consumer_that_is_new_begins_with_the_oldest_record_held():
    life = _full()
    life.ring.keep_consumers(["city"])
    assert life.ring.cursors.positions == {"city": life.ring.first_seq - 1}
    assert _again(life).ring.cursors.positions == {"city": life.ring.first_seq - 1}


def test_a_cursor_is_durable_after_64_records_or_an_hour():
    life = Life(NorFlash(6))
    life.ring.keep_consumers(["a", "b"])
    for _ in range(63):
        life.event(10)
    life.ring.acknowledge("a", 63)
    assert not life.ring.save_cursors()
    life.event(10)
    life.ring.acknowledge("a", 64)
    assert life.ring.save_cursors() and not life.ring.save_cursors()
    assert _again(life).ring.cursors.positions == {"a": 64, "b": 0}
    life.ring.acknowledge("b", 3)
    life.now_s += 3500
    assert not life.ring.save_cursors()
    life.now_s += 100
    assert life.ring.save_cursors()
    # A clock that was set back does not put it off.
    life.ring.acknowledge("b", 4)
    life.now_s -= 86400
    assert life.ring.save_cursors()
    assert _again(life).ring.cursors.positions == {"a": 64, "b": 4}


def test_cursors_take_no_erase_and_six_bytes():
    life = Life(NorFlash(6))
    life.ring.keep_consumers(["a", "b"])
    life.event(10)
    offset = life.ring.offset
    life.ring.acknowledge("a", 1)
    life.save(True)
    assert life.ring.offset - offset == 6


# -- damage -----------------------------------------------------------------------------------------------------


def test_a_damaged_byte_costs_little_and_nothing_is_read_as_something_else():
    life = _full()
    block = search.following(life.ring, life.ring.oldest)
    whole = _seqs(life.ring)
    within = [seq for seq in whole if life.ring.reader(seq).block == block]
    most = 0
    for offset in range(_HEADER_BYTES, BLOCK, 23):
        flash = NorFlash(6, life.flash.bytes)
        if flash.bytes[block * BLOCK + offset] == 0xFF:
            continue
        flash.bytes[block * BLOCK + offset] ^= 1 << offset % 8
        ring = Life(flash, life.now_s, life.expected).ring
        reader = ring.reader(0)
        found = {seq: told(kind, item) for kind, seq, item in reader if seq and item is not None}
        missing = [seq for seq in whole if seq not in found]
        assert all(found[seq] == life.expected[seq] for seq in found)
        assert all(seq in within for seq in missing)
        assert reader.n_damaged or not missing
        most = max(most, len(missing))
    # A name in the heading costs its meter's records of that block.
    assert most <= len(within) // 2


def test_a_damaged_reading_costs_its_meter_up_to_its_next_key_and_no_other():
    life = Life(NorFlash(4))
    life.ring.keep_consumers(["a"])
    places = []
    for i in range(400):
        places.append(life.ring.offset)
        life.read(i % 3, i)
    for i in range(30, 390, 7):
        flash = NorFlash(4, life.flash.bytes)
        flash.bytes[places[i] + 1] ^= 4
        found = [seq for _, seq, _ in Life(flash, life.now_s, life.expected).ring.reader(0) if seq]
        missing = [seq for seq in range(1, 401) if seq not in found]
        # Records are numbered from 1, and read in turn.
        keys = [seq for seq in range(i + 2, 401) if (seq - 1) % 3 == i % 3 and seq % 61 == 0] or [401]
        wanted = [seq for seq in range(i + 1, keys[0]) if (seq - 1) % 3 == i % 3]
        assert missing == wanted, (i, missing, wanted)


def test_a_damaged_byte_seldom_costs_others_than_its_meters_records():
    life = Life(NorFlash(4), n_meters=8)
    life.ring.keep_consumers(["a"])
    places = []
    while life.ring.block <= 0:
        seq, offset = life.ring.next_seq, life.ring.offset
        if seq % 40 == 20:
            life.event(50)
        else:
            life.read(seq % 8, seq)
        if life.ring.block == 0 and offset >= _HEADER_BYTES:
            places.append((seq, offset))
    last = places[-1][0]
    n_others = n = 0
    for i in range(7, len(places), 3):
        seq, offset = places[i]
        for at, mask in ((0, 0xFF), (1, 0x80), (2, 1 + i % 255)):
            life.flash.bytes[offset + at] ^= mask
            found = {}
            for kind, number, item in Reader(life.ring, 0):
                if number:
                    found[number] = told(kind, item)
            life.flash.bytes[offset + at] ^= mask
            assert all(found[number] == life.expected[number] for number in found)
            meter = life.expected[seq][1]
            n_others += len([m for m, _ in places if m not in found and m != seq and life.expected[m][1] != meter])
            n += 1
            assert not [m for m, _ in places if m < seq and m not in found] and max(found) > last
    assert n > 250 and n_others < n // 2, (n, n_others)


def test_damage_over_many_records_is_passed_over():
    life = Life(NorFlash(4))
    life.ring.keep_consumers(["a"])
    while life.ring.offset < 3900:
        life.read(life.i % 3, life.i)
        life.i += 1
    for first, n in ((600, 40), (1500, 150), (2500, 1)):
        flash = NorFlash(4, life.flash.bytes)
        for i in range(n):
            flash.bytes[first + i] ^= 0x5A
        found = [seq for kind, seq, item in Life(flash, life.now_s, life.expected).ring.reader(0) if seq]
        assert found[0] == 1 and found[-1] >= life.ring.next_seq - 61 and len(found) > life.ring.next_seq // 2


def test_a_damaged_header_or_mark_costs_its_block_at_most():
    life = _full()
    block = search.following(life.ring, life.ring.oldest)
    whole = _seqs(life.ring)
    within = [seq for seq in whole if life.ring.reader(seq).block == block]
    for offset in range(_HEADER_BYTES):
        flash = NorFlash(6, life.flash.bytes)
        flash.bytes[block * BLOCK + offset] ^= 16
        ring = Life(flash, life.now_s, life.expected).ring
        reader = ring.reader(0)
        found = [seq for _, seq, _ in reader if seq]
        missing = [seq for seq in whole if seq not in found]
        # Behind its mark a block is read on from the one before.
        assert missing == (within if offset < _MARK_BYTES else []), offset
        assert reader.n_damaged


# -- a device that fails ----------------------------------------------------------------------------------------


def test_a_write_that_fails_costs_no_record_and_retires_its_block():
    for after in range(12):
        life = _full()
        life.flash.fail_after = after
        life.steps(12)
        while life.flash.fail_after is not None:
            life.step()
        promise = life.promise()
        assert life.ring.blocks.n_failed == 1 and len(life.ring.blocks.retired) <= 1
        life.save(True)
        promise = life.promise()
        again = _again(life)
        check(again, promise, after)
        assert again.ring.blocks.retired == life.ring.blocks.retired


class _Unread:
    """A flash that cannot be read so many times."""

    def __init__(self, flash, n_fails):
        self.n_fails = n_fails
        self.writeblocks, self.ioctl = flash.writeblocks, flash.ioctl
        self._read = flash.readblocks

    def readblocks(self, block, buf, offset=0):
        if self.n_fails:
            self.n_fails -= 1
            raise OSError(5)
        self._read(block, buf, offset)


def test_a_record_that_cannot_be_read_back_is_not_given_twice():
    for n_fails, n_retired in ((1, 0), (3, 1)):
        life = _full()
        life.ring.blocks.device = _Unread(life.flash, n_fails)
        life.event(20)
        life.steps(5)
        assert len(life.ring.blocks.retired) == life.ring.blocks.n_failed == n_retired
        life.save(True)
        check(_again(life), life.promise(), n_fails)


def test_a_write_that_is_said_to_have_failed_but_did_not_counts():
    life = _full()
    write = life.flash.writeblocks

    def grumbling(block, buf, offset=None):
        write(block, buf, offset)
        raise OSError(5)

    life.flash.writeblocks = grumbling
    life.event(20)
    life.flash.writeblocks = write
    life.steps(5)
    check(_again(life), life.promise(), None)
    assert life.ring.blocks.retired == []


def test_blocks_that_refuse_or_do_not_keep_are_retired_and_the_unit_goes_on():
    for kind in ("bad", "worn", "stuck"):
        life = Life(NorFlash(9))
        life.steps(20)
        if kind == "stuck":
            life.flash.stuck.update({(3, 1000): (8, 0), (5, 5): (1, 1)})
        else:
            getattr(life.flash, kind).update((3, 5))
        while life.ring.generation < 60:
            life.step()
        assert sorted(life.ring.blocks.retired) in ([3, 5], [3]), (kind, life.ring.blocks.retired)
        assert life.ring.blocks.n_failed
        life.save(True)
        check(_again(life), life.promise(), kind)
        erases = [n for block, n in enumerate(life.flash.erases) if block not in life.ring.blocks.retired]
        assert max(erases) - min(erases) <= 1


def test_when_all_blocks_have_failed_appends_say_so_and_what_is_held_stays():
    life = _full()
    life.flash.bad.update(range(6))
    first, last = life.ring.first_seq, life.ring.next_seq - 1
    for _ in range(5):
        raised(OSError, life.ring.append, record.EVENT, b"x" * 300)
    life.flash.bad.clear()
    assert _seqs(_again(life).ring)[-1] == last and first <= last


def test_a_heading_that_cannot_be_made_gives_no_block_up():
    life = _full()

    def no_memory():
        raise MemoryError

    heading, first = life.ring.heading, life.ring.first_seq
    life.ring.heading = no_memory
    life.ring.offset = BLOCK
    for _ in range(9):
        raised(MemoryError, life.ring.append, record.EVENT, bytes(711))
    assert life.ring.first_seq == first
    life.ring.heading = heading
    life.steps(3)
    check(_again(life), life.promise(), None)


# -- how long ---------------------------------------------------------------------------------------------------


def test_it_is_known_how_far_the_ring_reaches_back_and_how_long_it_will_hold():
    life = Life(NorFlash(12))
    assert forecast.history_s(life.ring) == forecast.holds_s(life.ring) == 0
    # Records as they come: each is of the minute it is stored in.
    while life.ring.generation < 40:
        life.now_s = T0 + life.i * 60
        life.step()
    life.now_s = T0 + life.i * 60
    history_s, holds_s = forecast.history_s(life.ring), forecast.holds_s(life.ring)
    assert history_s > 0 and holds_s * 6 // 10 < history_s <= holds_s * 12 // 10, (history_s, holds_s)
    # Who has everything may stay away for about as long; who is at the oldest has nothing left.
    assert forecast.left_s(life.ring, life.ring.next_seq - 1) > holds_s * 7 // 10
    assert forecast.left_s(life.ring, life.ring.first_seq) <= forecast.block_s(life.ring)


class _Readings:
    """A ring that gets the readings of three meters at each slot."""

    def __init__(self):
        self.flash = NorFlash(16)
        self.config = "a"
        self.now_s = T0
        self.every_s = 900
        self.start()

    def start(self):
        self.ring = Ring(self.flash, lambda: self.now_s)
        self.ring.heading = self.heading
        self.ring.mount()
        if self.ring.block >= 0:
            for kind, payload in self.heading():
                self.ring.note(kind, payload)

    def heading(self):
        meters = [record.MeterNames(meter.name, self.every_s, meter.points) for meter in names_of(3)]
        about = record.put_about(self.config, "CST-8", "1", "0")
        return [(record.ABOUT, about)] + [(record.NAMES, record.put_names(i, meters[i])) for i in range(3)]

    def run(self, n_slots):
        """Seconds for which a block has lasted, about."""
        generation, begun_s = self.ring.generation, self.now_s
        for i in range(n_slots):
            self.now_s += self.every_s
            for index in range(3):
                values = (1000 + 31 * i, 500 + i * 7919 % 400)[: 1 if index == 1 else 2]
                self.ring.reading(index, self.now_s - record.EPOCH_S, 2, 0, values)
            self.ring.prepare()
        return (self.now_s - begun_s) // max(1, self.ring.generation - generation)


def test_neither_an_outage_nor_a_clock_nor_a_configuration_before_changes_the_pace():
    readings = _Readings()
    assert forecast.block_s(readings.ring) == 0
    readings.run(2)
    assert forecast.block_s(readings.ring) == 0
    readings.run(80)
    by_fill_s, true_s = forecast.block_s(readings.ring), readings.run(4000)
    assert true_s * 8 // 10 < by_fill_s < true_s * 12 // 10
    assert true_s * 9 // 10 < forecast.block_s(readings.ring) < true_s * 11 // 10
    for by_s in (180 * 86400, -3 * 86400, 40 * 86400):
        readings.now_s += by_s
        readings.run(400)
        assert true_s * 9 // 10 < forecast.block_s(readings.ring) < true_s * 11 // 10, by_s
    readings.config, readings.every_s = "b", 60
    readings.start()
    # It is not known at first, and then that of the new configuration.
    found = []
    for _ in range(12):
        found.append(forecast.block_s(readings.ring))
        readings.run(60)
    assert found[0] == 0 and forecast.left_s(readings.ring, 1) is not None
    assert all(found_s == 0 or true_s // 18 < found_s < true_s // 12 for found_s in found), (true_s, found)
