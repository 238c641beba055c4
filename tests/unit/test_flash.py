"""The simulated NOR flash itself: what a chip does, cut, worn and aged, and nothing that a chip does not."""

import os
from binascii import hexlify

from memory import raised

from tests.sim.flash import BEGUN, ERASE_US, HALF, NEARLY, Cut, Misuse, NorFlash, program_us, read_us
from tests.sim.flashfile import FileFlash

_BLOCK = NorFlash.BLOCK


def _read(flash, block=0, offset=0, n=_BLOCK):
    found = bytearray(n)
    flash.readblocks(block, found, offset)
    return bytes(found)


def _pattern(n, seed=0):
    return bytes((i * 37 + seed * 11) & 0xFF for i in range(n))


def _full(seed=1):
    """A flash of 2 blocks, all bytes 0: each bit may turn."""
    flash = NorFlash(2, seed=seed)
    for block in range(2):
        flash.writeblocks(block, bytes(_BLOCK), 0)
    return flash


def _ones(data):
    return sum(bin(byte).count("1") for byte in data)


# -- rules ------------------------------------------------------------------------------------------------------


def test_a_new_flash_is_erased_and_tells_its_size():
    flash = NorFlash(3)
    assert flash.ioctl(4, 0) == 3 and flash.ioctl(5, 0) == 4096
    for block in range(3):
        assert _read(flash, block) == b"\xff" * _BLOCK


def test_what_is_programmed_is_read_in_any_parts():
    flash = NorFlash(2)
    flash.writeblocks(1, b"metergate", 4096 - 9)
    flash.writeblocks(1, memoryview(bytearray(b"abc")), 0)
    assert _read(flash, 1, 4096 - 6, 6) == b"ergate"
    assert _read(flash, 1, 0, 4) == b"abc\xff"
    assert _read(flash, 0) == b"\xff" * _BLOCK
    held = memoryview(bytearray(4))
    flash.readblocks(1, held[1:3], 1)
    assert bytes(held) == b"\0bc\0"


def test_an_erase_sets_ff_in_its_block_only_and_lets_it_be_programmed_again():
    flash = _full()
    flash.ioctl(6, 1)
    assert _read(flash, 0) == bytes(_BLOCK) and _read(flash, 1) == b"\xff" * _BLOCK
    flash.writeblocks(1, b"again", 5)
    assert _read(flash, 1, 5, 5) == b"again"


def test_a_byte_is_programmed_once_though_it_was_ff():
    flash = NorFlash(2)
    flash.writeblocks(0, b"a\xffb", 10)
    for offset, data in ((10, b"a"), (11, b"\xff"), (11, b"x"), (9, b"xx"), (12, b"\0"), (0, bytes(_BLOCK))):
        error = raised(Misuse, flash.writeblocks, 0, data, offset)
        assert "programmed twice" in str(error)
    assert _read(flash, 0, 9, 5) == b"\xffa\xffb\xff"
    flash.writeblocks(0, b"yy", 8)
    flash.writeblocks(1, b"yy", 11)
    flash.ioctl(6, 0)
    flash.writeblocks(0, b"x", 11)


def test_what_an_image_holds_counts_as_programmed():
    flash = NorFlash(1, b"ab" + b"\xff" * (_BLOCK - 2))
    raised(Misuse, flash.writeblocks, 0, b"x", 1)
    flash.writeblocks(0, b"x", 2)


def test_no_error_of_the_flash_can_be_taken_for_one_of_the_firmware():
    assert not issubclass(Misuse, Exception) and not issubclass(Cut, Exception)


def test_a_write_without_offset_erases_before():
    flash = _full()
    flash.writeblocks(0, b"ab")
    assert _read(flash) == b"ab" + b"\xff" * (_BLOCK - 2)
    both = _pattern(2 * _BLOCK)
    flash.writeblocks(0, both)
    assert _read(flash, 0, 0, 2 * _BLOCK) == both
    assert list(flash.erases) == [2, 1]


def test_what_is_out_of_range_is_an_error():
    flash = NorFlash(2)
    for block, offset, n in ((2, 0, 1), (-1, 0, 1), (0, 4090, 7), (0, -1, 1), (1, 0, 2 * _BLOCK), (0, 1, _BLOCK)):
        raised(Misuse, flash.readblocks, block, bytearray(n), offset)
        raised(Misuse, flash.writeblocks, block, bytes(n), offset)
    raised(Misuse, flash.ioctl, 6, 2)
    raised(Misuse, flash.ioctl, 6, -1)
    flash.writeblocks(0, b"", 4096)


# -- counters and times -----------------------------------------------------------------------------------------


def test_bytes_erases_and_reads_are_counted():
    flash = NorFlash(3)
    flash.writeblocks(1, bytes(300), 0)
    flash.writeblocks(1, b"\xff", 300)
    flash.ioctl(6, 2)
    flash.ioctl(6, 2)
    _read(flash)
    assert list(flash.programmed_bytes) == [0, 301, 0] and list(flash.erases) == [0, 0, 2] and flash.n_reads == 1
    _read(flash, 1, 7, 9)
    raised(Misuse, flash.readblocks, 1, bytearray(9), _BLOCK)
    assert flash.n_reads == 2 and flash.read_bytes == _BLOCK + 9
    flash.cut_after = 10
    raised(Cut, flash.writeblocks, 0, bytes(100), 0)
    assert list(flash.programmed_bytes) == [11, 301, 0]
    raised(Cut, flash.readblocks, 0, bytearray(9))
    assert flash.read_bytes == _BLOCK + 9


def test_each_operation_takes_its_time():
    spent_us = []
    flash = NorFlash(2, spend=spent_us.append)
    flash.writeblocks(0, bytes(_BLOCK), 0)
    flash.writeblocks(1, b"x", 0)
    flash.ioctl(6, 0)
    _read(flash)
    assert spent_us == [16 * 700, 30, ERASE_US, read_us(_BLOCK)]
    assert ERASE_US == 60000 and read_us(_BLOCK) < 1000
    # A page's end within the bytes makes two of it.
    assert program_us(200, 56) < program_us(200, 57) - 2 and program_us(0, 256) == 700 and program_us(0, 0) == 0


def test_the_journal_holds_what_was_done():
    flash = NorFlash(3)
    flash.journal = []
    flash.writeblocks(2, b"ab", 7)
    flash.ioctl(6, 1)
    flash.cut_in_erase = 0
    raised(Cut, flash.ioctl, 6, 1)
    assert flash.journal == [(2 * 4096 + 7, b"ab"), (1, None)]


# -- cuts of a program ------------------------------------------------------------------------------------------


def test_after_a_cut_nothing_works_until_the_power_is_back():
    flash = NorFlash(2)
    flash.cut_after = 1
    raised(Cut, flash.writeblocks, 0, b"abc", 0)
    held = flash.bytes[:]
    for _ in range(2):
        raised(Cut, flash.writeblocks, 1, b"abc", 0)
        raised(Cut, flash.readblocks, 1, bytearray(1), 0)
        raised(Cut, flash.ioctl, 6, 1)
        raised(Cut, flash.ioctl, 4, 0)
    assert flash.bytes == held
    flash.power_on()
    flash.writeblocks(1, b"abc", 0)
    flash.power_off()
    raised(Cut, _read, flash)
    flash.power_on()
    assert _read(flash, 1, 0, 3) == b"abc"


def test_a_cut_at_each_byte_leaves_those_before_and_none_behind():
    data = _pattern(40)
    for n in range(40):
        flash = NorFlash(1, seed=n)
        flash.cut_after = n
        raised(Cut, flash.writeblocks, 0, data, 100)
        flash.power_on()
        assert _read(flash, 0, 0, 100 + n) == b"\xff" * 100 + data[:n]
        torn = _read(flash, 0, 100 + n, 1)[0]
        # Only bits that were to be cleared are.
        assert torn & data[n] == data[n]
        assert _read(flash, 0, 101 + n, 100) == b"\xff" * 100
        # The byte in flight counts as programmed, also if it got none of its bits.
        if _read(flash, 0, 100, n + 1) != b"\xff" * (n + 1):
            raised(Misuse, flash.writeblocks, 0, b"\0", 100 + n)
        flash.writeblocks(0, b"\0", 101 + n)


def test_a_write_that_was_cut_and_cannot_be_seen_has_not_happened_unless_strict():
    for strict in (False, True):
        unseen = 0
        for seed in range(40):
            flash = NorFlash(1, seed=seed)
            flash.strict = strict
            flash.cut_after = 1
            raised(Cut, flash.writeblocks, 0, b"\xff\x3f\0", 0)
            flash.power_on()
            if _read(flash, 0, 0, 2) != b"\xff\xff":
                raised(Misuse, flash.writeblocks, 0, b"\0", 0)
                continue
            unseen += 1
            if strict:
                raised(Misuse, flash.writeblocks, 0, b"\0", 0)
                raised(Misuse, flash.writeblocks, 0, b"\0", 1)
            else:
                flash.writeblocks(0, b"\0\0", 0)
        assert 2 < unseen < 20
    # What was programmed before it stays programmed.
    flash = NorFlash(1)
    flash.writeblocks(0, b"a", 0)
    flash.cut_after = 0
    raised(Misuse, flash.writeblocks, 0, b"b", 0)


def test_bytes_before_a_cut_are_counted_over_several_writes():
    flash = NorFlash(1)
    flash.cut_after = 10
    flash.writeblocks(0, b"abcd", 0)
    flash.writeblocks(0, b"efghij", 4)
    raised(Cut, flash.writeblocks, 0, b"k", 10)
    flash.power_on()
    assert _read(flash, 0, 0, 10) == b"abcdefghij"


def test_the_byte_in_flight_gets_any_of_its_bits():
    found = {}
    for seed in range(600):
        flash = NorFlash(1, seed=seed)
        flash.cut_after = 0
        raised(Cut, flash.writeblocks, 0, b"\xf5", 0)
        flash.power_on()
        torn = _read(flash, 0, 0, 1)[0]
        found[torn] = found.get(torn, 0) + 1
    # Two bits were to be cleared: each of the four outcomes as often as the others.
    assert sorted(found) == [0xF5, 0xF7, 0xFD, 0xFF]
    assert all(100 < n < 200 for n in found.values()), found


# -- cuts of an erase -------------------------------------------------------------------------------------------


def test_the_erase_that_is_cut_can_be_chosen():
    flash = _full()
    flash.cut_in_erase = 1
    flash.ioctl(6, 0)
    raised(Cut, flash.ioctl, 6, 1)
    flash.power_on()
    assert _read(flash, 0) == b"\xff" * _BLOCK and _read(flash, 1) != b"\xff" * _BLOCK
    assert list(flash.erases) == [1, 1]


def test_a_half_erased_block_holds_each_bit_as_it_was_or_erased_and_reads_differently_twice():
    for state, low, high in ((BEGUN, 1, 64), (HALF, 14000, 26000), (NEARLY, 4096 * 8 - 64, 4096 * 8 - 1)):
        for seed in range(3):
            flash = _full(seed)
            flash.cut_in_erase, flash.cut_at = 0, state
            raised(Cut, flash.ioctl, 6, 0)
            flash.power_on()
            reads = [_read(flash) for _ in range(4)]
            assert len(set(reads)) > 1
            assert low <= _ones(reads[0]) <= high, (state, _ones(reads[0]))
            assert _read(flash, 1) == bytes(_BLOCK)


def test_bits_that_were_1_stay_1_in_a_half_erased_block():
    held = _pattern(_BLOCK)
    for state in (BEGUN, HALF, NEARLY):
        flash = NorFlash(1, held)
        flash.cut_in_erase, flash.cut_at = 0, state
        raised(Cut, flash.ioctl, 6, 0)
        flash.power_on()
        for _ in range(3):
            assert all(now & was == was for now, was in zip(_read(flash), held))


def test_how_far_a_cut_erase_came_is_drawn_unless_it_is_given():
    ones = []
    for seed in range(12):
        flash = _full(seed)
        flash.cut_in_erase = 0
        raised(Cut, flash.ioctl, 6, 0)
        ones.append(_ones(flash.bytes[:_BLOCK]))
    assert any(n < 100 for n in ones) and any(n > 32000 for n in ones) and any(100 < n < 32000 for n in ones)


def test_an_erase_of_a_half_erased_block_is_whole():
    flash = _full()
    flash.cut_in_erase = 0
    raised(Cut, flash.ioctl, 6, 0)
    flash.power_on()
    flash.ioctl(6, 0)
    for _ in range(3):
        assert _read(flash) == b"\xff" * _BLOCK
    flash.writeblocks(0, bytes(_BLOCK), 0)
    for _ in range(3):
        assert _read(flash) == bytes(_BLOCK)


def test_a_half_erased_block_can_be_cut_in_its_erase_again():
    flash = _full()
    for state in (BEGUN, BEGUN, HALF, HALF, NEARLY):
        before = _ones(flash.bytes[:_BLOCK])
        flash.cut_in_erase, flash.cut_at = 0, state
        raised(Cut, flash.ioctl, 6, 0)
        flash.power_on()
        assert _ones(flash.bytes[:_BLOCK]) >= before


def test_what_was_programmed_in_a_half_erased_block_must_not_be_programmed_and_the_rest_may():
    for state in (BEGUN, HALF, NEARLY):
        flash = NorFlash(1)
        flash.writeblocks(0, b"\0\xff" * 100, 0)
        flash.cut_in_erase, flash.cut_at = 0, state
        raised(Cut, flash.ioctl, 6, 0)
        flash.power_on()
        for offset in range(200):
            raised(Misuse, flash.writeblocks, 0, b"\0", offset)
        flash.writeblocks(0, b"abc", 200)
        for _ in range(3):
            assert _read(flash, 0, 200, 4) == b"abc\xff"


def test_a_weak_bit_reads_as_one_or_the_other_until_the_erase():
    flash = NorFlash(1)
    flash.writeblocks(0, b"\xf0", 7)
    flash.weaken(0, 7, 0x81)
    assert {_read(flash, 0, 6, 2) for _ in range(40)} == {b"\xff\xf0", b"\xff\xf1"}
    flash.ioctl(6, 0)
    assert {_read(flash, 0, 7, 1) for _ in range(40)} == {b"\xff"}


# -- blocks that fail -------------------------------------------------------------------------------------------


def test_a_bad_block_refuses_to_be_programmed_and_erased_and_is_read():
    flash = _full()
    flash.bad = {1}
    assert raised(OSError, flash.ioctl, 6, 1).args[0] == 5
    assert raised(OSError, flash.writeblocks, 1, b"x", 0).args[0] == 5
    assert raised(OSError, flash.writeblocks, 1, bytes(_BLOCK)).args[0] == 5
    assert _read(flash, 1) == bytes(_BLOCK)
    flash.ioctl(6, 0)


def test_a_write_fails_half_done():
    flash = NorFlash(1)
    flash.fail_after = 1
    flash.writeblocks(0, b"abcd", 0)
    raised(OSError, flash.writeblocks, 0, b"efgh", 4)
    assert _read(flash, 0, 0, 8) == b"abcdef\xff\xff"
    flash.writeblocks(0, b"ij", 6)
    raised(Misuse, flash.writeblocks, 0, b"x", 5)


def test_a_worn_block_leaves_a_bit_without_a_word():
    flash = NorFlash(1)
    flash.worn = {0}
    flash.writeblocks(0, bytes(4), 0)
    assert _read(flash, 0, 0, 4) == b"\0\0\x10\0"


def test_a_stuck_bit_cannot_be_cleared_or_not_be_erased():
    flash = NorFlash(2)
    flash.stuck = {(0, 3): (0x81, 0x80)}
    flash.ioctl(6, 0)
    assert _read(flash, 0, 2, 3) == b"\xff\xfe\xff"
    # A byte that cannot be erased is not therefore programmed.
    flash.writeblocks(0, b"\x55" * 5, 0)
    assert _read(flash, 0, 0, 5) == b"\x55\x55\x55\xd4\x55"
    raised(Misuse, flash.writeblocks, 0, b"\0", 3)
    flash.writeblocks(1, b"\x55" * 5, 0)
    assert _read(flash, 1, 0, 5) == b"\x55" * 5


def test_rot_turns_bits_both_ways_and_no_more_than_asked():
    flash = NorFlash(2, b"\x0f" * (2 * _BLOCK))
    flash.rot(40)
    flash.rot(25, 1)
    turned = [byte ^ 0x0F for byte in flash.bytes]
    assert 55 < _ones(turned) <= 65
    assert _ones(turned[_BLOCK:]) > 30
    assert any(byte & 0x0F for byte in turned) and any(byte & 0xF0 for byte in turned)
    assert _read(flash) == _read(flash)


def test_a_byte_that_has_rotted_is_programmed_no_sooner_and_no_later_for_that():
    flash = NorFlash(1)
    flash.writeblocks(0, b"\xfe" * 2048, 0)
    flash.rot(3000)
    for offset in range(2048):
        raised(Misuse, flash.writeblocks, 0, b"\0", offset)
    flash.writeblocks(0, bytes(2048), 2048)
    assert _read(flash, 0, 2048, 2048) == bytes(2048)


# -- seeds ------------------------------------------------------------------------------------------------------


def _troubled(seed):
    """What a flash of this seed holds, and reads as, after one of each fault."""
    flash = NorFlash(2, _pattern(2 * _BLOCK), seed=seed)
    flash.cut_in_erase = 0
    raised(Cut, flash.ioctl, 6, 1)
    flash.power_on()
    flash.ioctl(6, 0)
    flash.cut_after = 5
    raised(Cut, flash.writeblocks, 0, bytes(10), 0)
    flash.power_on()
    flash.rot(10)
    return _read(flash) + _read(flash, 1) + _read(flash, 1)


def test_a_seed_gives_the_same_faults_again_and_another_seed_others():
    assert _troubled(7) == _troubled(7)
    assert len({_troubled(seed) for seed in range(5)}) == 5


# -- in a file --------------------------------------------------------------------------------------------------


def _file(n_blocks=2, seed=1):
    """(path, a new FileFlash there), under a name that no other run has."""
    path = "%s/flash-%s.bin" % (os.getenv("TMPDIR") or "/tmp", hexlify(os.urandom(6)).decode())
    return path, FileFlash(path, n_blocks, seed)


def _held(path):
    with open(path, "rb") as file:
        return file.read()


def _away(path, flash):
    flash.close()
    os.remove(path)


def test_a_file_is_a_flash_and_keeps_its_bytes():
    path, flash = _file()
    try:
        assert _held(path) == b"\xff" * (2 * _BLOCK)
        flash.writeblocks(1, _pattern(1000), 50)
        raised(Misuse, flash.writeblocks, 1, b"\0", 1049)
        flash.close()
        flash = FileFlash(path, 2)
        assert _read(flash, 1, 49, 1002) == b"\xff" + _pattern(1000) + b"\xff"
        raised(Misuse, flash.writeblocks, 1, b"\0", 50)
        # Which FF was programmed is known only as long as the process lives.
        flash.writeblocks(1, b"\0", 50 + _pattern(1000).index(b"\xff"))
        flash.ioctl(6, 1)
        assert _held(path) == b"\xff" * (2 * _BLOCK)
    finally:
        _away(path, flash)


def test_a_file_of_another_size_is_refused():
    path, flash = _file(2)
    try:
        raised(ValueError, FileFlash, path, 3)
    finally:
        _away(path, flash)


def test_a_file_half_made_is_made_again():
    path, flash = _file(2)
    try:
        flash.close()
        os.rename(path, path + ".new")
        with open(path + ".new", "wb") as file:
            file.write(b"half")
        flash = FileFlash(path, 2)
        assert _held(path) == b"\xff" * (2 * _BLOCK)
        raised(OSError, os.stat, path + ".new")
    finally:
        _away(path, flash)


class _Kills:
    """A file that is copied at each write: what a kill between two of them would leave."""

    def __init__(self, file):
        self._file = file
        self.states = []

    def seek(self, at):
        self._file.seek(at)

    def readinto(self, buf):
        return self._file.readinto(buf)

    def close(self):
        self._file.close()

    def write(self, data):
        self._file.write(data)
        found = bytearray(_BLOCK)
        self._file.seek(0)
        self._file.readinto(found)
        self.states.append(bytes(found))


def test_a_program_in_a_file_goes_byte_by_byte_and_leaves_one_torn_at_most():
    path, flash = _file(1)
    try:
        flash._file = kills = _Kills(flash._file)
        data = _pattern(600)
        flash.writeblocks(0, data, 10)
        assert len(kills.states) >= 600 // 64 and kills.states[-1][10:610] == data
        torn = 0
        for state in kills.states[:-1]:
            n = 0
            while state[10 + n] == data[n]:
                n += 1
            assert state[:10] == b"\xff" * 10 and state[11 + n :] == b"\xff" * (_BLOCK - 11 - n)
            assert state[10 + n] & data[n] == data[n]
            torn += state[10 + n] != 0xFF
        assert torn
    finally:
        _away(path, flash)


def test_an_erase_in_a_file_goes_piece_by_piece():
    path, flash = _file(1)
    try:
        data = _pattern(_BLOCK)
        flash.writeblocks(0, data, 0)
        flash._file = kills = _Kills(flash._file)
        flash.ioctl(6, 0)
        assert len(kills.states) >= 16 and kills.states[-1] == b"\xff" * _BLOCK
        for i, state in enumerate(kills.states):
            assert all(now & was == was for now, was in zip(state, data))
            assert state[(i + 2) * 256 :] == data[(i + 2) * 256 :] and state[: (i + 1) * 256] == b"\xff" * (i + 1) * 256
        middle = kills.states[7]
        assert middle[8 * 256 : 9 * 256] not in (data[8 * 256 : 9 * 256], b"\xff" * 256)
    finally:
        _away(path, flash)


def test_cuts_and_faults_are_the_same_in_a_file():
    path, flash = _file(2)
    try:
        flash.writeblocks(0, bytes(_BLOCK), 0)
        flash.cut_in_erase, flash.cut_at = 0, HALF
        raised(Cut, flash.ioctl, 6, 0)
        flash.power_on()
        assert len({_read(flash) for _ in range(3)}) > 1
        flash.cut_after = 3
        raised(Cut, flash.writeblocks, 1, b"abcdef", 0)
        flash.power_on()
        assert _read(flash, 1, 0, 3) == b"abc" and _read(flash, 1, 4, 100) == b"\xff" * 100
    finally:
        _away(path, flash)
