"""A torn record is read as another with a probability of 2**-16, if a chip programs the bytes of a page in any order."""

import random

from firmware.protocols import record
from firmware.store.block import check_of, seed_of
from firmware.store.reader import Reader
from tests.sim.flash import Cut, NorFlash
from tests.sim.ringrig import Life

_N = 300_000


def _torn(dice, data):
    """Each byte whole, in part or not at all."""
    return bytes(byte if (how := dice.randrange(3)) == 0 else 0xFF if how == 1 else byte | dice.randrange(256) for byte in data)


def test_frames_torn_in_any_order_are_misread_as_often_as_16_bits_say():
    dice = random.Random(7)
    seed = seed_of(5, 0x5EED)
    misread = 0
    for i in range(_N):
        n = dice.randrange(3, 12)
        frame = bytearray(dice.randbytes(n) + b"\0\0")
        place = seed, 100 + i % 3000, i & 0xFFFF, dice.randrange(65536) if i % 2 else 0
        check = check_of(*place, frame, n)
        frame[n:] = bytes((check & 0xFF, check >> 8))
        torn = _torn(dice, frame)
        if torn == bytes(frame):
            continue
        again = check_of(*place, torn, n)
        misread += torn[n] == again & 0xFF and torn[n + 1] == again >> 8
    # 4.6 are expected.
    assert misread <= 12, misread


def test_a_ring_on_such_a_chip_reads_what_was_stored_or_nothing():
    life = Life(NorFlash(4), n_meters=2)
    life.ring.keep_consumers(("province",))
    for i in range(20):
        life.read(i % 2, i)
    ring, image = life.ring, bytes(life.flash.bytes)
    wrong = 0
    for seed in range(3000):
        flash = NorFlash(4, image, seed=seed)
        flash.any_order = True
        other = Life(flash, life.now_s, dict(life.expected), 2)
        flash.cut_after = seed % 6
        try:
            other.read(seed % 2, 20 + seed % 40)
        except Cut:
            pass
        flash.power_on()
        found = Life(flash, life.now_s, life.expected, 2)
        whole = [item for kind, seq, item in Reader(found.ring, found.ring.block) if kind == record.READING]
        assert len(whole) in (20, 21)
        if len(whole) == 21:
            # It stands there as it was meant, or it is one of those in 65 536.
            told = record.READING, whole[20].meter, whole[20].slot_s, whole[20].at_s, whole[20].quality, tuple(whole[20].values)
            wrong += told != other.expected[ring.next_seq]
    assert wrong <= 2
