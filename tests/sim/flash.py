"""A simulated NOR flash in memory, in MicroPython's extended block protocol: its rules, its faults, its times."""

from array import array

from tests.sim.seeded import Seeded

BLOCK = 4096
_PAGE = 256
_EIO = 5

# Winbond W25Q32JV data sheet, 9.6, typical: first byte of a page 30 us, each further one 2.5 us, a page 700 us.
_PROGRAM_US = 28
_PROGRAM_8_BYTES_US = 21
# The same: a sector's erase takes 45 ms, at most 400 ms; in between, as a chip with some years' use has it.
ERASE_US = 60000
# Two data lines at 40 MHz, and the driver's call.
_READ_US = 10
_READ_BYTES_PER_US = 10

# How far an erase had come when the power went: a few bits have begun to turn; half of them; all but a few.
BEGUN, HALF, NEARLY = 0, 1, 2
_FEW_BITS = 64


# Both are no Exception, so that nothing in the firmware can catch them: not the supervisor either, which restarts a
# task after any Exception and would hide them.
class Cut(BaseException):
    """The power went. Raised by every operation until power_on()."""


class Misuse(BaseException):
    """What no program may do to a flash: program a byte twice, or reach beyond a block."""


def program_us(offset, n):
    """How long n bytes take to program from this offset of a page on: each page is an operation of its own."""
    total_us = 0
    while n > 0:
        part = min(n, _PAGE - offset % _PAGE)
        total_us += _PROGRAM_US + part * _PROGRAM_8_BYTES_US // 8
        offset += part
        n -= part
    return total_us


def read_us(n):
    return _READ_US + n // _READ_BYTES_PER_US


class Nor:
    """The rules, whatever holds the bytes: _load(at, n) -> bytearray, and _store(at, data, erasing).

    spend: called with the duration of each operation in us, when it is done. Faults, to be set at any time:
    cut_after: bytes still programmed before the power goes in the next one, which gets some of its bits; a write of
    which no bit was cleared has not happened, unless strict: then it counts as programmed, though nobody can see it.
    cut_in_erase: erases still done before the power goes in the next one; cut_at: how far that one comes (BEGUN,
    HALF, NEARLY; None: drawn). fail_after: writes until one fails half done. bad: blocks that refuse to be programmed
    and erased. worn: blocks of whose bytes each write leaves a bit as it was, without a word. stuck: {(block, offset):
    (mask, value)}, bits that stay as in value. Counters: n_reads, read_bytes, erases and programmed_bytes by block. journal:
    None, or a list that gets (place, bytes) of each write and (block, None) of each erase that was whole."""

    BLOCK = BLOCK

    def __init__(self, n_blocks, seed=1, spend=None):
        self.n_blocks = n_blocks
        self.spend = spend
        self.cut_after = self.cut_in_erase = self.cut_at = self.fail_after = None
        self.strict = False
        self.bad, self.worn, self.stuck = set(), set(), {}
        self.n_reads = self.read_bytes = 0
        self.erases = array("I", (0 for _ in range(n_blocks)))
        self.programmed_bytes = array("I", (0 for _ in range(n_blocks)))
        self.journal = None
        self._random = Seeded(seed)
        self._off = False
        # By block, offsets where it is not so that what is programmed is what is not FF: FF was programmed, or a bit
        # of an erased byte fell.
        self._odd = {}
        # By block, a mask for each byte: bits that have half turned to 1 and read as one or the other. Stored as 0.
        self._weak = {}

    # -- the block protocol ---------------------------------------------------------------------------------

    def readblocks(self, block, buf, offset=0):
        self._check(block, offset, len(buf))
        self.n_reads += 1
        self.read_bytes += len(buf)
        found = self._load(block * BLOCK + offset, len(buf))
        for first in range(0, len(buf), BLOCK) if self._weak else ():
            weak = self._weak.get(block + first // BLOCK)
            for i in range(first, min(first + BLOCK, len(buf))) if weak else ():
                mask = weak[offset + i - first]
                if mask:
                    found[i] |= mask & self._random.bits(8)
        buf[:] = found
        if self.spend:
            self.spend(read_us(len(buf)))

    def writeblocks(self, block, buf, offset=None):
        """Program buf; without an offset the blocks are erased before, as an ESP32's Partition does."""
        self._check(block, offset or 0, len(buf))
        if offset is None:
            for i in range((len(buf) + BLOCK - 1) // BLOCK):
                self._erase(block + i)
        for first in range(0, len(buf), BLOCK):
            self._write(block + first // BLOCK, offset or 0, bytes(buf[first : first + BLOCK]))

    def ioctl(self, operation, argument):
        """4: the number of blocks; 5: bytes of a block; 6: erase the block."""
        self._check(0, 0, 0)
        if operation == 4:
            return self.n_blocks
        if operation == 5:
            return BLOCK
        if operation == 6:
            self._check(argument, 0, BLOCK)
            self._erase(argument)
        return 0

    def _check(self, block, offset, n):
        if self._off:
            raise Cut()
        # Whole blocks may be read and written several at once; else all lies within one.
        end = self.n_blocks * BLOCK if offset == 0 and n % BLOCK == 0 else block * BLOCK + BLOCK
        if not 0 <= block < self.n_blocks or offset < 0 or block * BLOCK + offset + n > end:
            raise Misuse("block %d, offset %d, %d bytes: out of range" % (block, offset, n))

    # -- power ----------------------------------------------------------------------------------------------

    def power_off(self):
        """The power goes between two operations."""
        self._off = True

    def power_on(self):
        """The power is back and stays."""
        self._off = False
        self.cut_after = self.cut_in_erase = None

    # -- programming ----------------------------------------------------------------------------------------

    def _write(self, block, offset, data):
        if block in self.bad:
            raise OSError(_EIO)
        n = len(data) // 2 if self.fail_after == 0 else len(data)
        cut = self.cut_after is not None and self.cut_after < n
        if cut:
            n = self.cut_after
            # The byte in flight: some of the bits that were to be cleared are.
            done = data[:n] + bytes((data[n] | self._random.bits(8),))
            self._program(block, offset, done, self.strict or done != b"\xff" * len(done))
            self._off = True
            raise Cut()
        if self.cut_after is not None:
            self.cut_after -= n
        self._program(block, offset, data[:n])
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                self.fail_after = None
                raise OSError(_EIO)
        if self.journal is not None:
            self.journal.append((block * BLOCK + offset, data))

    def _program(self, block, offset, data, counts=True):
        """Clear the bits that are 0 in data; Misuse if one of its bytes was programmed since its block's erase."""
        at = block * BLOCK + offset
        old = self._load(at, len(data))
        odd = self._odd.get(block, ())
        new = bytearray(data)
        if odd or old != b"\xff" * len(old):
            for i, byte in enumerate(old):
                if (byte != 0xFF) != (offset + i in odd):
                    raise Misuse("block %d, offset %d: programmed twice" % (block, offset + i))
                new[i] &= byte
        if block in self.worn and data:
            new[len(data) // 2] |= 0x10
        self._stick(block, offset, new)
        self._store(at, new, False)
        if counts:
            self._note_programmed(block, offset, new)
        self.programmed_bytes[block] += len(data)
        if self.spend:
            self.spend(program_us(offset, len(data)))

    def _note_programmed(self, block, offset, new):
        odd = self._odd.get(block)
        if odd:
            odd.difference_update(range(offset, offset + len(new)))
        # MicroPython's bytearray is searched for bytes, not for a number.
        if b"\xff" in new:
            odd = self._odd.setdefault(block, set())
            odd.update(offset + i for i, byte in enumerate(new) if byte == 0xFF)
        weak = self._weak.get(block)
        for i, byte in enumerate(new) if weak else ():
            # A programmed 0 is a firm 0.
            weak[offset + i] &= byte

    def _stick(self, block, offset, data):
        for (stuck_block, at), (mask, value) in self.stuck.items():
            if stuck_block == block and offset <= at < offset + len(data):
                data[at - offset] = data[at - offset] & ~mask & 0xFF | value & mask

    # -- erasing --------------------------------------------------------------------------------------------

    def _erase(self, block):
        if block in self.bad:
            raise OSError(_EIO)
        self.erases[block] += 1
        cut = self.cut_in_erase == 0
        if cut:
            self._half_erase(block)
            if self.spend:
                self.spend(self._random.below(ERASE_US))
            self._off = True
            raise Cut()
        if self.cut_in_erase is not None:
            self.cut_in_erase -= 1
        new = bytearray(b"\xff" * BLOCK)
        self._stick(block, 0, new)
        self._store(block * BLOCK, new, True)
        self._weak.pop(block, None)
        self._odd.pop(block, None)
        if self.stuck and new != b"\xff" * BLOCK:
            self._odd[block] = {i for i, byte in enumerate(new) if byte != 0xFF}
        if self.journal is not None:
            self.journal.append((block, None))
        if self.spend:
            self.spend(ERASE_US)

    def _half_erase(self, block):
        """Each bit that was 0 still is, or has become 1, or has half become 1. What was programmed counts as that."""
        random, at = self._random, block * BLOCK
        old = self._load(at, BLOCK)
        odd = self._odd.get(block, ())
        programmed = {i for i, byte in enumerate(old) if (byte != 0xFF) != (i in odd)}
        weak = self._weak.pop(block, None) or bytearray(BLOCK)
        state = self.cut_at if self.cut_at is not None else random.below(3)
        if state == HALF:
            new = bytearray(BLOCK)
            for i in range(BLOCK):
                pattern = random.bits(16)
                new[i] = old[i] | (pattern & 0xFF)
                weak[i] = ~new[i] & (pattern >> 8)
        else:
            new = old if state == BEGUN else bytearray(b"\xff" * BLOCK)
            if state == NEARLY:
                weak = bytearray(BLOCK)
            for _ in range(_FEW_BITS):
                i, bit, firm = random.below(BLOCK), 1 << random.below(8), random.bits(1)
                if old[i] & bit:
                    continue
                if state == BEGUN and firm:
                    new[i] |= bit
                else:
                    new[i] &= ~bit & 0xFF
                    weak[i] |= 0 if firm else bit
        self._stick(block, 0, new)
        self._store(at, new, True)
        self._weak[block] = weak
        # What is held has changed by itself; the same bytes count as programmed.
        self._odd[block] = {i for i, byte in enumerate(new) if (byte != 0xFF) != (i in programmed)}

    # -- at rest --------------------------------------------------------------------------------------------

    def rot(self, n_bits, block=None):
        """Turn n bits over, in random places of the block or of the whole flash; nothing is said of it."""
        for _ in range(n_bits):
            where = self._random.below(self.n_blocks) if block is None else block
            i = self._random.below(BLOCK)
            held = self._load(where * BLOCK + i, 1)
            odd = self._odd.setdefault(where, set())
            programmed = (held[0] != 0xFF) != (i in odd)
            held[0] ^= 1 << self._random.below(8)
            self._store(where * BLOCK + i, held, False)
            odd.discard(i)
            if (held[0] != 0xFF) != programmed:
                odd.add(i)

    def weaken(self, block, offset, mask):
        """Make those of these bits that are 0 read as 0 or as 1, until the block's next erase."""
        weak = self._weak.setdefault(block, bytearray(BLOCK))
        weak[offset] |= ~self._load(block * BLOCK + offset, 1)[0] & mask & 0xFF


class NorFlash(Nor):
    """NorFlash(n_blocks, image, seed, spend): held in memory as .bytes; image: what it holds at first, else FF.

    In an image, and where .bytes was written to, what is not FF counts as programmed."""

    def __init__(self, n_blocks, image=None, seed=1, spend=None):
        super().__init__(n_blocks, seed, spend)
        self.bytes = bytearray(b"\xff" * (n_blocks * BLOCK)) if image is None else bytearray(image)

    def _load(self, at, n):
        return self.bytes[at : at + n]

    def _store(self, at, data, _):
        self.bytes[at : at + len(data)] = data
