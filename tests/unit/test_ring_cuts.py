"""ring: the power goes at each byte of a lap, in each erase, and again in the recovery that follows."""

import sys

from firmware.protocols import record
from tests.sim.flash import NEARLY, Cut, NorFlash
from tests.sim.ringrig import BLOCK, T0, Life, Proof, check, cut_erase, cut_write, lap

# CPython goes through thousands of cuts, MicroPython through some hundreds; `make proof` through all of them.
_IS_PC = sys.implementation.name != "micropython"


def test_a_cut_at_any_byte_or_erase_of_a_lap_and_of_its_recovery_costs_at_most_the_record_being_written():
    life, journal = lap(4, 0 if _IS_PC else 60)
    assert len([1 for _, data in journal.operations if data is None]) >= (3 if _IS_PC else 1)
    proof = Proof(life, 61 if _IS_PC else 997, 600 if _IS_PC else 400)
    proof.run(journal)
    assert proof.n_checked > (5000 if _IS_PC else 100), proof.n_checked
    assert proof.n_erases and proof.n_recoveries


def test_a_cut_while_formatting_is_formatted_on():
    for seed in range(4):
        for n in range(0, 400, 1 if _IS_PC else 13):
            flash = NorFlash(4, seed=seed)
            flash.cut_after = n
            expected = {}
            try:
                Life(flash, expected=expected).steps(2)
                continue
            except Cut:
                flash.power_on()
            life = Life(flash, expected=expected)
            life.steps(20)
            assert life.ring.next_seq > 10
            check(Life(flash, life.now_s, life.expected), life.promise(), n)


def test_a_region_that_was_never_erased_wholly_is_not_taken_for_a_spare():
    # Nearly erased: all is FF but for a few bits that read as they like.
    life = Life(NorFlash(4))
    while life.ring.first_seq == 1:
        life.step()
    while life.ring.spares:
        life.event(700)
    block = life.ring.blocks.after(life.ring.block)
    promise = life.promise()
    for seed in range(20):
        copy = cut_erase(life.flash, block, NEARLY, seed)
        again = Life(copy, life.now_s, dict(life.expected))
        assert block not in [spare for spare, _ in again.ring.spares]
        promise.first = max(promise.first, again.ring.first_seq)
        again.steps(40)
        found = Life(copy, again.now_s, again.expected)
        assert found.ring.next_seq == again.ring.next_seq


def test_each_state_of_a_torn_byte_of_a_frame_is_that_frame_or_nothing():
    """Bytes are programmed in order, so a torn frame is whole bytes, one torn byte of any bits, and erased ones."""
    life = Life(NorFlash(4), n_meters=2)
    ring = life.ring
    ring.keep_consumers(("province",))
    for i in range(6):
        life.read(i % 2, i)
    life.durable = dict(ring.cursors.positions)
    life.acknowledge("province", 3)
    before = bytes(life.flash.bytes)
    writes = (
        lambda: life.read(0, 6),
        lambda: life.read(1, 7),
        lambda: life.miss(1, 2),
        lambda: life.event(9),
        lambda: life.save(True),
        lambda: ring.note(record.NAMES, record.put_names(1, life.meters[1])),
        lambda: ring.note(record.TIME, record.put_time(T0, T0 + 9, "ntp")),
    )
    for i, write in enumerate(writes):
        offset, last, positions = ring.offset, ring.next_seq - 1, dict(life.durable)
        place = ring.block * BLOCK + offset
        write()
        data = bytes(life.flash.bytes[place : ring.block * BLOCK + ring.offset])
        for n in range(len(data)):
            # Each superset of its bits.
            for byte in range(data[n] + (0 if _IS_PC else 200), 256):
                if byte & data[n] != data[n] or byte == data[n]:
                    continue
                flash = NorFlash(4, before)
                flash.bytes[place : place + n] = data[:n]
                flash.bytes[place + n] = byte
                found = Life(flash, life.now_s, life.expected, 2).ring
                assert found.next_seq == last + 1 and found.cursors.positions == positions, (i, n, byte)
                # Nothing of it is taken, and nothing is written over it.
                assert found.offset == (offset if n == 0 and byte == 0xFF else BLOCK), (i, n, byte)
        before = bytes(life.flash.bytes)


def test_a_cut_after_the_last_byte_of_a_record_keeps_it():
    life = Life(NorFlash(4))
    life.steps(9)
    flash = NorFlash(4, life.flash.bytes)
    life.flash.journal = []
    promise = life.promise()
    life.event(30)
    ((place, data),) = life.flash.journal
    for n in (0, len(data) - 1):
        again = Life(cut_write(flash, place, data, n), life.now_s, life.expected)
        check(again, promise, n)
    flash.writeblocks(place // 4096, data, place % 4096)
    assert Life(flash, life.now_s, life.expected).ring.next_seq == life.ring.next_seq
