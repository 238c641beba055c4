"""Lives of a ring, cut everywhere: what was promised is held against what a start finds. Portable."""

from firmware.protocols import record
from firmware.store.ring import Ring
from tests.sim.flash import BEGUN, HALF, NEARLY, Cut, NorFlash

T0 = 1795276800
BLOCK = 4096
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 3, record.GAUGE))
_PATTERN = "".join([chr(65 + i * 7 % 26) for i in range(97)]) * 12
CONSUMERS = ("nation", "province")
# Mark, header and heading of a block here.
_HEADING_BYTES = 230
# What is held no longer is forgotten then: a small heap has no place for a life's records.
_MOST_EXPECTED = 500


def names_of(n, version=0):
    """The meters of a configuration."""
    found = []
    for i in range(n):
        points = _POINTS if i != 1 else _POINTS[:1]
        found.append(record.MeterNames("meter%d" % i, 900, points, 0, 0, "%04d" % version if i == 2 else ""))
    return found


def heading_of(meters):
    notes = [(record.ABOUT, record.put_about("a1b2c3d4", "CST-8", "1", "0"))]
    return notes + [(record.NAMES, record.put_names(i, meter)) for i, meter in enumerate(meters)]


def told(kind, found):
    """A record as a value that can be compared."""
    if kind == record.READING:
        return kind, found.meter, found.slot_s, found.at_s, found.quality, tuple(found.values)
    if kind == record.MISS:
        return kind, found.meter, found.slot_s, found.end_s, found.n_slots, found.cause
    return kind, found.members


class Life:
    """Life(flash): a ring and what it was given. steps(n) does what a gateway does; expected {seq: told(record)}.

    at_step() is called after each thing done; log: the log's number, so that two lives can be the same."""

    def __init__(self, flash, now_s=T0, expected=None, n_meters=3):
        self.flash = flash
        self.now_s = now_s
        self.expected = expected if expected is not None else {}
        self.meters = names_of(n_meters)
        self.i = 0
        self.at_step = lambda: None
        self.mount()

    def mount(self):
        self.ring = Ring(self.flash, lambda: self.now_s)
        self.ring.heading = lambda: heading_of(self.meters)
        if self.ring.mount():
            self.ring.number = 0x5EED
        self.durable = dict(self.ring.cursors.positions)

    def steps(self, n):
        for _ in range(n):
            self.step()

    def step(self):
        """The next thing of a life in which everything comes often."""
        i = self.i
        self.i += 1
        self.now_s += 60
        if len(self.expected) > _MOST_EXPECTED:
            for seq in [seq for seq in self.expected if seq < self.ring.first_seq]:
                del self.expected[seq]
        if i == 0:
            self.ring.keep_consumers(CONSUMERS)
            self.durable = dict(self.ring.cursors.positions)
        elif i % 29 == 17 and len(self.meters) > 2:
            self.meters = names_of(len(self.meters), i)
            self.ring.note(record.NAMES, record.put_names(2, self.meters[2]))
        elif i % 11 == 7:
            self.miss(i % len(self.meters), 1 + i % 5)
        elif i % 3:
            self.event(_length_of(i))
        else:
            self.read(i // 3 % len(self.meters), i)
        self.at_step()
        if i % 7 == 3:
            self.acknowledge("province", 3)
        if i % 13 == 5:
            self.acknowledge("nation", 5)
        if i % 10 == 6:
            self.save(True)
            self.at_step()
        if i % 8 == 5:
            self.prepare()
            self.at_step()

    def read(self, index, i):
        names = self.meters[index]
        slot_s = T0 + i * 60
        values = [_energy_of(i, index), 1000 + i * 7919 % 400][: len(names.points)]
        if i % 17 == 5:
            values[-1] = None
        after_s, quality = 2 + index + (i % 5 == 0), 32 if values[-1] is None else 0
        # As if it stood there: it may, when the power goes meanwhile.
        seq = self.ring.next_seq
        self.expected[seq] = record.READING, names.name, slot_s, slot_s + after_s, quality, tuple(values)
        assert self.ring.reading(index, slot_s - record.EPOCH_S, after_s, quality, values) == seq

    def miss(self, index, n):
        first_s = T0 + self.i * 60
        last_s = first_s + 900 * (n - 1)
        seq = self.ring.next_seq
        self.expected[seq] = record.MISS, self.meters[index].name, first_s, last_s, n, "no reply"
        assert self.ring.append(record.MISS, record.put_miss(index, first_s, last_s, n, "no reply"), (first_s, last_s)) == seq

    def event(self, n):
        seq = self.ring.next_seq
        text = "%d %s" % (seq, _PATTERN[seq % 90 : seq % 90 + n])
        if seq % 2:
            text = '"t":%d,%s' % (self.now_s, text)
        self.expected[seq] = record.EVENT, text
        assert self.ring.append(record.EVENT, text.encode(), record.bounds_of(record.Event(record.EVENT, text))) == seq

    def prepare(self):
        try:
            self.ring.prepare()
        except OSError:
            # The block is retired, and its turn has passed.
            return

    def acknowledge(self, consumer, behind):
        position = self.ring.cursor(consumer)
        self.ring.acknowledge(consumer, max(position, self.ring.next_seq - 1 - behind))

    def save(self, force=False):
        if self.ring.save_cursors(force):
            self.durable = dict(self.ring.cursors.positions)

    def promise(self):
        ring = self.ring
        return Promise(ring.log, ring.first_seq, ring.next_seq - 1, self.durable, ring.cursors.positions)


def _length_of(i):
    return 700 if i % 16 == 4 else i * 2654435761 % 4294967296 % 180


def _energy_of(i, index):
    """Grows; now and then it is as large as can be, and back."""
    return (1 << 62) + i if i % 41 == 30 else 123456700 + i * (3 + index) + i * i % 5


class Promise:
    """What a ring has said: all from first to last are held; cursors durable and acknowledged; which log."""

    def __init__(self, log, first, last, durable, acknowledged):
        self.log = log
        self.first = first
        self.last = last
        self.durable = dict(durable)
        self.acknowledged = dict(acknowledged)

    def behind(self, first):
        """What holds of it if what stands before that seq was given up."""
        return Promise(self.log, max(first, self.first), self.last, self.durable, self.acknowledged)

    def cut(self, before):
        """What holds if a cut came between the state before and this one: a block that is given up is given up first."""
        return Promise(self.log, self.first, before.last, before.durable, self.acknowledged)


def check(life, promise, cause):
    """Whatever is read is what was stored, all that was promised is there, the seqs go on without a hole, and no cursor is
    ahead of what was acknowledged or behind what was durable."""
    ring = life.ring
    assert ring.log == promise.log, cause
    assert ring.next_seq - 1 in (promise.last, promise.last + 1), (cause, ring.next_seq, promise.last)
    seqs = []
    reader = ring.reader(0)
    for kind, seq, found in reader:
        if seq:
            assert told(kind, found) == life.expected[seq], (cause, seq, told(kind, found), life.expected[seq])
            seqs.append(seq)
    held = [seq for seq in seqs if seq >= promise.first]
    assert held == list(range(promise.first, ring.next_seq)), (cause, promise.first, ring.next_seq, seqs)
    assert all(a < b for a, b in zip(seqs, seqs[1:])), (cause, seqs)
    for name in promise.durable:
        position = ring.cursors.positions.get(name, 0)
        # A cursor that was never written down begins with the oldest record.
        assert position >= promise.durable[name], (cause, name, position, promise.durable)
        assert position <= promise.acknowledged.get(name, 0), (cause, name, position, promise.acknowledged)


class Journal:
    """The states of a flash through a life, between any two of its operations: Journal(life, run) where run() does it."""

    def __init__(self, life, run):
        flash = life.flash
        self.n_blocks = flash.n_blocks
        self._image = bytes(flash.bytes)
        self.operations = flash.journal = []
        self._states = [(0, life.promise())]
        life.at_step = lambda: self._states.append((len(self.operations), life.promise()))
        run()
        life.at_step = lambda: None
        flash.journal = None
        self._states.append((len(self.operations), life.promise()))

    def visit(self, visit_write, visit_erase):
        """visit_write(flash, place, data, promise) and visit_erase(flash, block, promise) before each operation.

        flash: a NorFlash in that state, not to be changed; promise: what holds if the operation is cut."""
        flash = NorFlash(self.n_blocks, self._image)
        at = 0
        for n_done, (place, data) in enumerate(self.operations):
            while self._states[at + 1][0] <= n_done:
                at += 1
            promise = self._states[at + 1][1].cut(self._states[at][1])
            if data is None:
                visit_erase(flash, place, promise)
                flash.ioctl(6, place)
            else:
                visit_write(flash, place, data, promise)
                flash.writeblocks(place // BLOCK, data, place % BLOCK)


def cut_write(flash, place, data, n, seed=0):
    """A copy of a flash whose power went while data was programmed, in the byte n of it."""
    copy = NorFlash(flash.n_blocks, flash.bytes, seed=place + n + seed)
    copy.cut_after = n
    _cut(copy.writeblocks, place // BLOCK, data, place % BLOCK)
    copy.power_on()
    return copy


def cut_erase(flash, block, state, seed):
    """A copy of a flash whose power went while a block was erased; it reads differently each time."""
    copy = NorFlash(flash.n_blocks, flash.bytes, seed=seed)
    copy.cut_in_erase, copy.cut_at = 0, state
    _cut(copy.ioctl, 6, block)
    copy.power_on()
    return copy


def _cut(function, *args):
    try:
        function(*args)
    except Cut:
        return
    raise AssertionError("no cut")


class Proof:
    """Cuts each operation of a life, and each of the recovery that follows. n_checked: how many cuts were checked.

    Proof(life, every, deep, opening): every: one of so many bytes of a record is cut, all of what opens a block; deep: of so
    many cuts one is followed by cuts of everything that the recovery writes; opening: of cuts in an erase, and in the mark,
    header or heading of a block, one of so many."""

    def __init__(self, life, every, deep, opening=0):
        self.life = life
        self.every = every
        self.deep = deep
        self.opening = opening
        self.n_cuts = self.n_checked = self.n_erases = self.n_recoveries = 0
        self._part = 0, 1

    def run(self, journal, part=0, n_parts=1):
        """Visit the part of a journal's cuts that is this one's of n_parts."""
        self._part = part, n_parts
        journal.visit(self._write, self._erase)

    def _write(self, flash, place, data, promise):
        # Marks, headers and headings are short, and nothing of them is left out.
        for n in range(len(data)):
            if n > 8 and n < len(data) - 3 and len(data) > 60 and (place + n) % self.every:
                continue
            is_opening = place % BLOCK < _HEADING_BYTES
            self._visit(cut_write(flash, place, data, n), promise, (place, n), is_opening)

    def _erase(self, flash, block, promise):
        for state in (BEGUN, HALF, NEARLY):
            for seed in range(3):
                self.n_erases += 1
                self._visit(cut_erase(flash, block, state, seed), promise, (block, state, seed), True)

    def _visit(self, flash, promise, cause, is_opening):
        self.n_cuts += 1
        if self.n_cuts % self._part[1] != self._part[0]:
            return
        self.n_checked += 1
        life = self._found(flash, promise, cause)
        deep = self.opening if self.opening and is_opening else self.deep
        if self.n_cuts // self._part[1] % deep == 0:
            self._recover(life, promise.first, cause)

    def _found(self, flash, promise, cause):
        """A life that goes on with this flash, if all is there."""
        life = Life(flash, self.life.now_s, dict(self.life.expected), len(self.life.meters))
        life.meters = self.life.meters
        check(life, promise, cause)
        # The record in flight is there, or its seq is given to the next one.
        life.i = 1000 + cause[-1] % 50
        return life

    def _recover(self, life, first, cause):
        """What a start writes is cut in its turn, everywhere. first: the seq from which on all is held after the cut before."""
        self.n_recoveries += 1
        journal = Journal(life, lambda: self._go_on(life))
        again = Proof(life, 1, 1)
        journal.visit(
            lambda flash, place, data, promise: again.inner_write(flash, place, data, promise.behind(first), cause),
            lambda flash, block, promise: again.inner_erase(flash, block, promise.behind(first), cause),
        )
        self.n_checked += again.n_checked

    @staticmethod
    def _go_on(life):
        life.read(0, life.i + 2)
        life.at_step()
        life.ring.prepare()
        life.at_step()
        life.acknowledge("province", 0)
        life.save(True)
        life.at_step()
        life.event(40)

    def inner_write(self, flash, place, data, promise, cause):
        for n in range(len(data)):
            self.n_checked += 1
            self._found(cut_write(flash, place, data, n), promise, (cause, place, n))

    def inner_erase(self, flash, block, promise, cause):
        for state in (BEGUN, HALF, NEARLY):
            self.n_checked += 1
            self._found(cut_erase(flash, block, state, 1), promise, (cause, block, state))


def lap(n_blocks, n_steps=0):
    """(life, journal): a full ring, and what it does until each of its blocks has been opened once more."""
    life = Life(NorFlash(n_blocks))
    while life.ring.first_seq == 1:
        life.step()
    generation = life.ring.generation

    def run():
        if n_steps:
            life.steps(n_steps)
        while not n_steps and life.ring.generation < generation + n_blocks:
            life.step()

    return life, Journal(life, run)
