"""ring: whatever is appended, acknowledged, cut and mounted again, in any order, against a list."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.protocols import record
from firmware.store.ring import MOST_TOGETHER_BYTES, Ring
from tests.sim.flash import Cut, NorFlash

# Beside a heading of usual size.
_PAYLOAD_BYTES = MOST_TOGETHER_BYTES - 1400

_T0 = 1763799300

# A record of a size; the sizes that fill a block to its last bytes come with luck only, so sizes vary little and much.
sizes = st.integers(0, 60) | st.integers(0, _PAYLOAD_BYTES) | st.sampled_from((1000, _PAYLOAD_BYTES))
steps = st.one_of(
    st.tuples(st.just("append"), sizes),
    st.tuples(st.just("append many"), st.integers(1, 60)),
    st.tuples(st.just("note"), st.integers(0, 300)),
    st.tuples(st.just("acknowledge"), st.integers(0, 200)),
    st.tuples(st.just("save"), st.booleans()),
    st.tuples(st.just("prepare"), st.none()),
    st.tuples(st.just("time"), st.integers(-100, 100)),
    st.tuples(st.just("mount"), st.none()),
    # The power goes after so many bytes that are programmed from now on.
    st.tuples(st.just("cut"), st.integers(0, 60) | st.integers(0, 9000)),
)


def payload_of(seq, n):
    return bytes((seq * 31 + i * 7) & 0xFF for i in range(n))


class Model:
    """What must be true: sizes by seq, and between which bounds the cursor lies after a cut."""

    def __init__(self, n_blocks):
        self.flash = NorFlash(n_blocks)
        self.flash.journal = []
        self.now_s = _T0
        self.sizes = {}
        self.cursor = 0
        self.durable = 0
        self.mount()

    def mount(self):
        self.ring = Ring(self.flash, lambda: self.now_s)
        self.ring.heading = lambda: [(record.NAMES, b"0 main 900 0 0 power:kW:4:gauge")]
        self.ring.mount()

    def run(self, step, argument):
        getattr(self, step.replace(" ", "_"))(argument)

    def append(self, n):
        seq = self.ring.next_seq
        # Known before it is written: if the power goes, it may be there or not.
        self.sizes[seq] = n
        assert self.ring.append(record.EVENT, payload_of(seq, n)) == seq

    def append_many(self, n):
        for _ in range(n):
            self.append(90)

    def note(self, n):
        self.ring.note(record.NAMES, bytes(n))

    def acknowledge(self, n):
        seq = min(self.cursor + n, self.ring.next_seq - 1)
        self.cursor = seq
        self.ring.acknowledge("province", seq)
        # At most 64 records are sent twice after a cut.
        self.durable = max(self.durable, seq - 63)

    def save(self, force):
        if self.ring.save_cursors(force):
            self.durable = self.cursor

    def prepare(self, _):
        self.ring.prepare()

    def time(self, seconds):
        self.now_s += seconds

    def mount_again(self):
        self.mount()
        assert self.durable <= self.ring.cursors.get("province", 0) <= self.cursor
        self.cursor = self.durable = self.ring.cursors.get("province", 0)
        self.check()

    def cut(self, n):
        self.flash.cut_after = n

    def check(self):
        """Every record that is held is the one that was appended, in order and without a hole, up to the last."""
        last = self.ring.next_seq - 1
        found = [(seq, bytes(data)) for _, seq, data in self.ring.reader(0) if seq]
        assert [seq for seq, _ in found] == list(range(self.ring.first_seq, last + 1))
        for seq, data in found:
            assert data == payload_of(seq, self.sizes[seq]), seq
        for seq in (self.ring.first_seq, last // 2, last):
            if self.ring.first_seq <= seq <= last:
                assert seq in [s for _, s, _ in self.ring.reader(seq)]


def in_turn(erased, n_blocks):
    """True if blocks were erased one after the other; one may be erased again after a mount."""
    return all(after in (before, (before + 1) % n_blocks) for before, after in zip(erased, erased[1:]))


@given(st.integers(4, 6), st.lists(steps, max_size=60))
def test_a_ring_keeps_what_it_took(n_blocks, plan):
    model = Model(n_blocks)
    for step, argument in plan:
        before = model.ring.next_seq
        if step == "mount":
            model.mount_again()
            assert model.ring.next_seq == before
            continue
        try:
            model.run(step, argument)
        except Cut:
            model.flash.power_on()
            stored = model.ring.next_seq - 1
            model.mount_again()
            # The record that was being written may be whole; none that was stored before is gone, save by age.
            assert model.ring.next_seq - 1 in (stored, stored + 1)
    model.flash.power_on()
    model.check()
    model.mount_again()
    assert in_turn([block for block, data in model.flash.journal if data is None], n_blocks)
    # It goes on working.
    for _ in range(3):
        model.append(700)
    model.mount_again()


@given(st.lists(st.integers(0, 700), min_size=1, max_size=80), st.lists(st.integers(1, 20), min_size=1, max_size=20))
def test_readers_that_stop_and_go_miss_nothing_that_is_held(all_sizes, stops):
    model = Model(4)
    reader = model.ring.reader(0)
    seqs = []
    for i, n in enumerate(all_sizes):
        model.append(n)
        if i % stops[i % len(stops)] == 0:
            for _ in range(stops[(i + 1) % len(stops)]):
                held = model.ring.first_seq
                found = reader.next()
                if found is None:
                    assert not seqs or seqs[-1] == model.ring.next_seq - 1
                    break
                if found[1]:
                    # A record that was overwritten before it was read is the only one that may be missing.
                    wanted = seqs[-1] + 1 if seqs else 1
                    assert found[1] == max(wanted, held)
                    assert bytes(found[2]) == payload_of(found[1], model.sizes[found[1]])
                    seqs.append(found[1])


@given(st.lists(st.integers(0, 200), min_size=60, max_size=120), st.data())
def test_changed_bytes_cost_records_but_never_give_wrong_ones(all_sizes, data):
    model = Model(5)
    for n in all_sizes:
        model.append(n)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(model.flash.bytes) - 1))
        model.flash.bytes[at] = data.draw(st.integers(0, 255))
    model.mount()
    last = 0
    for _, seq, found in model.ring.reader(0):
        if seq:
            assert seq > last
            assert bytes(found) == payload_of(seq, model.sizes[seq])
            last = seq
    model.ring.append(record.EVENT, b"goes on")
