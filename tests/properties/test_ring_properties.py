"""ring: whatever is appended, acknowledged, cut, rots, fails and is configured anew is held against a list in memory."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from firmware.protocols import record
from firmware.store import search
from tests.sim.flash import Cut, NorFlash
from tests.sim.ringrig import BLOCK, T0, Life, told

_BLOCKS = 9
# So many may fail: a ring of four is left.
_MOST_BAD = 3


class Ring(RuleBasedStateMachine):
    """durable: cursors as they were last written down; floor: every seq from there on that was acknowledged as stored is held,
    but those in spoilt blocks."""

    def __init__(self):
        super().__init__()
        self.life = Life(NorFlash(_BLOCKS))
        self.life.ring.keep_consumers(("nation", "province"))
        self.life.save(True)
        self.last = 0
        self.durable = dict(self.life.ring.cursors.positions)
        self.floor = 1
        self.spoilt = set()
        self.reader = self.life.ring.reader(0)
        self.read_seq = 0

    def _do(self, function, *args):
        """Do it; when the power goes meanwhile, start anew and look."""
        try:
            function(*args)
        except Cut:
            self._start()
        self.last = self.life.ring.next_seq - 1

    def _start(self):
        life = self.life
        # What was given up may still be read, in part.
        self.floor = max(self.floor, life.ring.first_seq)
        before = dict(life.ring.cursors.positions)
        life.flash.power_on()
        life.mount()
        assert life.ring.next_seq - 1 in (self.last, self.last + 1)
        for name, seq in self.durable.items():
            assert seq <= life.ring.cursors.positions[name] <= before[name]
        self.last = life.ring.next_seq - 1
        self.durable = dict(life.ring.cursors.positions)
        self.reader = life.ring.reader(self.read_seq + 1)
        self._look(0)

    def _look(self, seq, at_s=None):
        """Read all from there on: exact, in order, and nothing is missing but where a block was spoilt."""
        ring = self.life.ring
        reader = ring.reader(seq) if at_s is None else ring.reader_at(at_s)
        found = {}
        for kind, number, item in reader:
            if number:
                assert not found or number > max(found)
                assert told(kind, item) == self.life.expected[number], number
                found[number] = reader.generation
        if at_s is None:
            missing = [n for n in range(max(seq, ring.first_seq, self.floor), ring.next_seq) if n not in found]
            assert all(n in self.spoilt for n in missing), missing
            assert not missing or reader.n_damaged
        else:
            for number, row in self.life.expected.items():
                is_held = max(ring.first_seq, self.floor) <= number < ring.next_seq and number not in self.spoilt
                last_s = record.event_s(row[1]) if row[0] == record.EVENT else row[3]
                if is_held and last_s is not None and last_s >= at_s:
                    assert number in found, number

    # -- what a gateway does --------------------------------------------------------------------------------

    @rule(n=st.integers(1, 120), first=st.integers(0, 1000))
    def reads(self, n, first):
        for i in range(n):
            self._do(self.life.read, (first + i) % len(self.life.meters), first + i)

    @rule(n=st.integers(0, 1100))
    def tells(self, n):
        self._do(self.life.event, n)

    @rule(n=st.integers(1, 9))
    def misses(self, n):
        self.life.i += 1
        self._do(self.life.miss, n % len(self.life.meters), n)

    @rule(n=st.integers(3, 40))
    def fills(self, n):
        for _ in range(n):
            self._do(self.life.event, 700)

    @rule(consumer=st.sampled_from(("nation", "province")), behind=st.integers(0, 30))
    def acknowledges(self, consumer, behind):
        self.life.acknowledge(consumer, behind)

    @rule(force=st.booleans())
    def saves(self, force):
        def save():
            self.life.save(force)
            self.durable = dict(self.life.durable)

        self._do(save)

    @rule()
    def prepares(self):
        self._do(self.life.prepare)

    @rule()
    def starts(self):
        self._start()

    @rule(n_meters=st.integers(1, 4))
    def is_configured_anew(self, n_meters):
        """Other meters, at a start: their names are noted behind what is there."""
        self._start()
        self.life.meters = Life(NorFlash(4), n_meters=n_meters).meters

        def note():
            for i, meter in enumerate(self.life.meters):
                self.life.ring.note(record.NAMES, record.put_names(i, meter))

        self._do(note)
        # Cut meanwhile: a start notes them again.
        self._do(note)

    @rule(by_s=st.sampled_from((3600, -3600, 31536000, -31536000, -T0 // 2)))
    def clock_steps(self, by_s):
        self.life.now_s = max(0, self.life.now_s + by_s)

    # -- what goes wrong ------------------------------------------------------------------------------------

    @rule(n_bytes=st.integers(0, 6000))
    def power_will_go(self, n_bytes):
        self.life.flash.cut_after = n_bytes

    @rule(n_erases=st.integers(0, 2))
    def power_will_go_in_an_erase(self, n_erases):
        self.life.flash.cut_in_erase = n_erases

    @precondition(lambda self: len(self.life.flash.bad | self.life.flash.worn) < _MOST_BAD)
    @rule(block=st.integers(0, _BLOCKS - 1), is_silent=st.booleans())
    def a_block_dies(self, block, is_silent):
        (self.life.flash.worn if is_silent else self.life.flash.bad).add(block)

    @rule(after=st.integers(0, 30))
    def a_write_will_fail(self, after):
        # More than a few would retire all blocks.
        if self.life.ring.blocks.n_failed < 2:
            self.life.flash.fail_after = after

    @rule(back=st.integers(1, _BLOCKS), offset=st.integers(70, BLOCK - 1), mask=st.integers(1, 255))
    def a_byte_rots(self, back, offset, mask):
        ring = self.life.ring
        if ring.block < 0:
            return
        block = (ring.block - back) % _BLOCKS
        if block == ring.block or not search.generation_of(ring, block):
            return
        held = [seq for seq in range(ring.first_seq, ring.next_seq) if search.block_of_seq(ring, seq) == block]
        self.spoilt.update(held)
        # Rot is no programming: the flash's own books stay as they are.
        self.life.flash.bytes[block * BLOCK + offset] ^= mask
        self._look(0)

    # -- what is looked at ----------------------------------------------------------------------------------

    @rule(seq=st.integers(0, 3000))
    def is_read_from_a_seq(self, seq):
        self._look(min(seq, self.life.ring.next_seq))

    @rule(after_s=st.integers(-5000, 200000))
    def is_read_from_a_time(self, after_s):
        self._look(0, T0 + after_s)

    @rule(n=st.integers(1, 300))
    def a_reader_goes_on(self, n):
        for _ in range(n):
            found = self.reader.next()
            if found is None:
                break
            # After a start it begins with the block.
            if found[1] > self.read_seq:
                assert told(found[0], found[2]) == self.life.expected[found[1]]
                self.read_seq = found[1]

    @invariant()
    def nothing_waits_for_ever(self):
        assert len(self.life.ring.spares) <= 2
        assert self.life.ring.next_seq == self.last + 1


TestRing = Ring.TestCase
TestRing.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
