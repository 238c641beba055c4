"""ring: the power is cut at every byte and inside every erase, also while it recovers: what was stored is there."""

import sys

from memory import raised

from firmware.protocols import record
from firmware.store.reader import Reader
from firmware.store.ring import MOST_TOGETHER_BYTES, Ring
from tests.sim.flash import BEGUN, HALF, NEARLY, Cut, NorFlash
from tests.sim.seeded import Seeded

# Beside a heading of usual size.
_PAYLOAD_BYTES = MOST_TOGETHER_BYTES - 1400

_T0 = 1763799300
_HEADER_BYTES = 24
_HEADING = [(record.NAMES, b"0 main 900 0 0 power:kW:4:gauge"), (record.NAMES, b"1 roof 900 0 0 power:kW:4:gauge")]
_UNUSED = 0xFFFFFFFF
# Every byte on CPython; on MicroPython those of headers and frames, and a sample of the payloads.
_EVERY = 1 if sys.implementation.name != "micropython" else 31
_SEEDS = 40 if sys.implementation.name != "micropython" else 12


# No two of 256 slices that begin at different places are the same.
_PATTERN = bytes(i * 7 & 0xFF for i in range(256)) * 4


def _payload(seq):
    """What the record with this seq holds: 0 to 149 bytes, now and then 700, that tell which it is."""
    n = 700 if seq % 16 == 0 else seq * 2654435761 % 2**32 % 150
    return _PATTERN[seq & 0xFF : (seq & 0xFF) + n]


def _ring(flash):
    ring = Ring(flash, lambda: _T0)
    ring.heading = lambda: list(_HEADING)
    ring.mount()
    return ring


def _append(ring, n_records=1):
    for _ in range(n_records):
        ring.append(record.EVENT, _payload(ring.next_seq))


def _full(n_blocks):
    """A ring all of whose blocks are used, the newest about half."""
    flash = NorFlash(n_blocks)
    ring = _ring(flash)
    while ring.used_blocks < n_blocks or ring._offset < 2000:
        _append(ring)
    ring.acknowledge("province", 9)
    ring.save_cursors(force=True)
    return flash, ring


class _Promise:
    """What a ring has said: all from first to last are held, the cursor is known, the log is this one."""

    def __init__(self, log, first, last, cursor):
        self.log, self.first, self.last, self.cursor = log, first, last, cursor

    def copy(self):
        return _Promise(self.log, self.first, self.last, self.cursor)


def _promise(ring, cursor=0):
    return _Promise(ring.log, ring.first_seq, ring.next_seq - 1, cursor)


def _check(ring, promise, cause):
    """Whatever is read is what was stored, all that was promised is there, and the seqs go on without a hole.

    The record that was being written when the power went may be whole, and then it counts; never another. Of a block
    that is half erased records may still be read, or not."""
    assert ring.log == promise.log, cause
    assert ring.next_seq - 1 in (promise.last, promise.last + 1), (cause, ring.next_seq, promise.last)
    seqs = []
    for kind, seq, data in ring.reader(0):
        if seq:
            assert kind == record.EVENT and data == _payload(seq), (cause, seq)
            seqs.append(seq)
    first = min(promise.first, ring.next_seq)
    held = [seq for seq in seqs if seq >= first]
    assert held == list(range(first, ring.next_seq)), (cause, first, ring.next_seq, seqs)
    assert all(a < b for a, b in zip(seqs, seqs[1:])), (cause, seqs)
    # A ring that was cut so often while it opened blocks that it holds no record any more need not know cursors.
    cursor = ring.cursors.get("province", 0)
    if not held:
        promise.cursor = min(promise.cursor, cursor)
    assert promise.cursor <= cursor < ring.next_seq, cause


def _check_blocks(ring, first, cause):
    """Each block with records from first on can be read by itself: its heading comes before them, whole."""
    for block in range(ring.n_blocks):
        if ring.starts[block] == _UNUSED or ring.starts[block] < first:
            continue
        reader, notes, seq = Reader(ring, block), [], 0
        for kind, seq, data in reader:
            if reader._block != block or seq:
                break
            notes.append((kind, bytes(data)))
        if reader._block == block and seq:
            assert notes[:2] == _HEADING, (cause, block, notes)


# -- each cut ---------------------------------------------------------------------------------------------------


def _life(flash, ring, n_blocks):
    """Appends, acknowledges, saves and prepares until so many blocks were opened. [(operations done, promise), ..]."""
    durable = ring.cursor("province")
    states = [(len(flash.journal), _promise(ring, durable))]
    generation, i = ring._generation, 0
    while ring._generation < generation + n_blocks or i % 20:
        _append(ring)
        if i % 5 == 3:
            ring.acknowledge("province", ring.next_seq - 3)
        if i % 10 == 6 and ring.save_cursors(force=True):
            durable = ring.cursor("province")
        if i % 20 == 11:
            ring.prepare()
        states.append((len(flash.journal), _promise(ring, durable)))
        i += 1
    return states


def _recover(flash, promise, cause, random):
    """After a cut: mount, check, go on, be cut in that, mount and go on again."""
    flash.power_on()
    ring = _ring(flash)
    _check(ring, promise, cause)
    promise.last = ring.next_seq - 1
    flash.cut_after = random.below(150)
    try:
        _append(ring, 2)
    except Cut:
        pass
    flash.power_on()
    promise.last = ring.next_seq - 1
    promise.first = max(promise.first, ring.first_seq)
    ring = _ring(flash)
    _check(ring, promise, cause)
    _append(ring, 2)
    again = _ring(flash)
    assert again.next_seq == ring.next_seq, cause
    _check_blocks(again, max(promise.first, ring.first_seq), cause)


def _check_newest(flash, promise, cause):
    """_check of the newest records only, and of what is known of the others."""
    flash.power_on()
    ring = _ring(flash)
    assert ring.log == promise.log and ring.first_seq <= promise.first, cause
    assert ring.next_seq - 1 in (promise.last, promise.last + 1), cause
    first = ring.next_seq - 1
    found = [(seq, data) for _, seq, data in ring.reader(first) if seq >= first]
    assert found == [(first, _payload(first))], cause
    assert promise.cursor <= ring.cursor("province") < ring.next_seq, cause
    _append(ring)
    if cause[1] % 8 == 0:
        assert _ring(flash).next_seq == ring.next_seq, cause


def _cut_everywhere(every, check_byte, check_erase):
    """check_byte(image, place, data, n, promise) and check_erase(image, block, promise) for each cut in a lap of 4 blocks."""
    flash, ring = _full(4)
    image = NorFlash(4, flash.bytes)
    flash.journal = []
    states = _life(flash, ring, 4)
    assert len([1 for _, data in flash.journal if data is None]) >= 4
    at = 0
    for n_done, (place, data) in enumerate(flash.journal):
        while states[at + 1][0] <= n_done:
            at += 1
        before, after = states[at][1], states[at + 1][1]
        # A block that is given up is given up before it is erased.
        promise = _Promise(ring.log, after.first, before.last, before.cursor)
        if data is None:
            check_erase(image, place, promise)
            image.ioctl(6, place)
            continue
        for n in range(len(data)):
            if n < 14 or len(data) < 50 or n % every == 0:
                check_byte(image, place, data, n, promise.copy())
        image.writeblocks(place // 4096, data, place % 4096)
    assert image.bytes == flash.bytes


def test_a_cut_at_any_byte_of_a_lap_costs_at_most_the_record_being_written():
    random = Seeded(1)

    def check(image, place, data, n, promise):
        flash = NorFlash(4, image.bytes, seed=place + n)
        flash.cut_after = n
        raised(Cut, flash.writeblocks, place // 4096, data, place % 4096)
        if n < 14 or n == len(data) - 1 or n % 64 == 0:
            _recover(flash, promise, (place, n), random)
        else:
            _check_newest(flash, promise, (place, n))

    _cut_everywhere(_EVERY, check, lambda *_: None)


def test_a_cut_between_any_two_operations_of_a_lap_costs_nothing():
    random = Seeded(2)

    def check_byte(image, place, _, n, promise):
        if n == 0:
            _recover(NorFlash(4, image.bytes, seed=place), promise.copy(), (place, "before"), random)

    _cut_everywhere(10000, check_byte, lambda image, block, promise: check_byte(image, block, None, 0, promise))


def test_a_cut_inside_any_erase_of_a_lap_costs_nothing_but_what_was_given_up():
    random = Seeded(3)

    def check(image, block, promise):
        for state in (BEGUN, HALF, NEARLY):
            for seed in range(5):
                flash = NorFlash(4, image.bytes, seed=seed)
                flash.cut_in_erase, flash.cut_at = 0, state
                raised(Cut, flash.ioctl, 6, block)
                # It reads differently each time.
                for _ in range(3):
                    flash.power_on()
                    _check(_ring(flash), promise.copy(), (block, state, seed))
                _recover(flash, promise.copy(), (block, state, seed), random)

    _cut_everywhere(10000, lambda *_: None, check)


def test_a_header_that_reads_well_at_one_start_and_not_at_the_next_costs_nothing_but_what_was_given_up():
    random = Seeded(4)
    flash, ring = _full(4)
    image = bytes(flash.bytes)
    old = ring._next
    ring.prepare()
    promise = _promise(ring, 9)
    for offset in range(_HEADER_BYTES):
        # The state before that erase, had it been cut when a bit of the header had half turned, and others behind it.
        flash = NorFlash(4, image, seed=offset)
        held = image[old * 4096 + offset]
        flash.weaken(old, offset, (held + 1) & ~held)
        flash.weaken(old, 200 + offset, 0xFF)
        mounted = set()
        for _ in range(20):
            ring = _ring(flash)
            _check(ring, promise, offset)
            mounted.add(ring.starts[old] != _UNUSED)
        assert len(mounted) == (2 if held != 0xFF else 1)
        _recover(flash, promise.copy(), offset, random)


# -- a life of cuts ---------------------------------------------------------------------------------------------


def _live(ring, random, promise):
    """Does what a gateway does until the power goes, and keeps the promise up to date at each step."""
    while True:
        action = random.below(20)
        if action == 0:
            ring.prepare()
        elif action == 1:
            ring.acknowledge("province", max(ring.cursors.get("province", 0), ring.next_seq - 1 - random.below(9)))
        elif action == 2:
            if ring.save_cursors(force=True):
                promise.cursor = ring.cursor("province")
        else:
            _append(ring)
        promise.last = ring.next_seq - 1


def _plan_cut(flash, random):
    which = random.below(8)
    if which < 2:
        flash.cut_in_erase = which
    else:
        # Often at once: in what a start writes.
        flash.cut_after = random.below(60 if which < 5 else 5000)


def _many_cuts(seed, n_cuts, n_blocks):
    random = Seeded(seed)
    flash = NorFlash(n_blocks, seed=seed)
    ring = _ring(flash)
    _append(ring)
    promise = _promise(ring)
    for i in range(n_cuts):
        _plan_cut(flash, random)
        raised(Cut, _live, ring, random, promise)
        promise.first = max(promise.first, ring.first_seq)
        flash.power_on()
        for _ in range(1 + random.below(2)):
            ring = _ring(flash)
            _check(ring, promise, (seed, i))
        promise.last = ring.next_seq - 1
        _check_blocks(ring, promise.first, (seed, i))
    return flash


def test_lives_of_nothing_but_cuts_lose_nothing():
    for seed in range(_SEEDS):
        flash = _many_cuts(seed, 25, 4 + seed % 3)
        assert sum(flash.erases) > 10


# -- single ones ------------------------------------------------------------------------------------------------


def _at_a_blocks_end(n_blocks):
    flash, ring = _full(n_blocks)
    while 4096 - ring._offset >= 711:
        _append(ring)
    return flash, ring


def test_a_block_whose_heading_was_cut_takes_no_records():
    # After the header, after the first name, after the second: nothing torn is seen, and yet it is not whole.
    for n_operations in (1, 2, 3):
        flash, ring = _at_a_blocks_end(4)
        promise = _promise(ring, 9)
        ring.prepare()
        image = NorFlash(4, flash.bytes)
        flash.journal = []
        raised_at = ring.next_seq
        ring.append(record.EVENT, bytes(711))
        for place, data in flash.journal[:n_operations]:
            image.writeblocks(place // 4096, data, place % 4096)
        again = _ring(image)
        promise.first = again.first_seq
        _check(again, promise, n_operations)
        assert again.next_seq == raised_at
        # Until nothing but records since the cut is held.
        while again.first_seq <= raised_at:
            _append(again)
            _check_blocks(again, 0, n_operations)
        _check_blocks(_ring(image), 0, n_operations)


def test_a_heading_that_could_not_be_made_gives_no_block_up():
    flash, ring = _at_a_blocks_end(4)
    first = ring.first_seq

    def no_memory():
        raise MemoryError

    ring.heading = no_memory
    for _ in range(9):
        raised(MemoryError, ring.append, record.EVENT, bytes(711))
    assert ring.first_seq == first
    ring.heading = lambda: list(_HEADING)
    _append(ring, 3)
    for again in (ring, _ring(flash)):
        _check_blocks(again, 0, None)


def test_a_seq_is_not_given_again_though_its_record_is_damaged_and_the_next_block_has_none_yet():
    flash, ring = _at_a_blocks_end(5)
    place = ring._block * 4096 + ring._offset
    _append(ring)
    last = ring.next_seq - 1
    while 4096 - ring._offset >= 11 + 711:
        _append(ring)
        place = None
    flash.cut_after = _HEADER_BYTES
    raised(Cut, ring.append, record.EVENT, bytes(_PAYLOAD_BYTES))
    flash.power_on()
    assert place is not None
    flash.bytes[place + 8] ^= 1
    assert _ring(flash).next_seq == last + 1


def test_a_cut_while_a_block_is_opened_after_such_a_cut_loses_no_cursor():
    flash = NorFlash(5)
    ring = _ring(flash)
    _append(ring, 60)
    ring.acknowledge("province", 50)
    ring.save_cursors(force=True)
    for n_cuts in range(1, 4):
        last = ring.next_seq - 1
        ring._offset = 4096
        # In the first name after the header.
        flash.cut_after = _HEADER_BYTES + 20
        raised(Cut, ring.append, record.EVENT, b"x" * 200)
        flash.power_on()
        ring = _ring(flash)
        assert ring.next_seq == last + 1
        assert ring.cursors == {"province": 50}, n_cuts
        assert ring.torn == 1
        _append(ring)


def test_a_cut_while_formatting_is_formatted_again():
    for seed in range(5):
        for n in range(_HEADER_BYTES + 60):
            flash = NorFlash(4, bytes(i * 7 & 0xFF for i in range(4 * 4096)), seed=seed)
            flash.cut_after = n
            raised(Cut, _ring, flash)
            flash.power_on()
            ring = _ring(flash)
            _append(ring, 30)
            _check(_ring(flash), _promise(ring), n)
            _check_blocks(ring, 0, n)


def test_a_cut_in_the_erase_while_formatting_is_formatted_again():
    for seed in range(12):
        flash = NorFlash(4, bytes(i * 7 & 0xFF for i in range(4 * 4096)), seed=seed)
        flash.cut_in_erase = 0
        raised(Cut, _ring, flash)
        flash.power_on()
        ring = _ring(flash)
        _append(ring, 30)
        _check(_ring(flash), _promise(ring), seed)
