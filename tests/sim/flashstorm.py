"""Programs and erases a file's flash for ever, in a random order: micropython tests/sim/flashstorm.py FILE BLOCKS SEED JOURNAL

Each operation stands in the journal before it is begun: "b program BLOCK OFFSET BYTES FIRST" or "b erase BLOCK", and
"d" when it is done. The bytes programmed count up from FIRST, within 0 to 254: FF is what is not programmed.
"""

import sys

sys.path.append(sys.argv[0].rsplit("/", 3)[0])

from tests.sim.flash import BLOCK
from tests.sim.flashfile import FileFlash
from tests.sim.seeded import Seeded


def bytes_from(first, n):
    return bytes((first + i) % 255 for i in range(n))


def _end_of(flash, block):
    """The offset behind the last byte of a block that is not FF."""
    held = bytearray(BLOCK)
    flash.readblocks(block, held)
    end = BLOCK
    while end and held[end - 1] == 0xFF:
        end -= 1
    return end


def main(path, n_blocks, seed, journal):
    random = Seeded(seed)
    flash = FileFlash(path, n_blocks, seed)
    ends = [_end_of(flash, block) for block in range(n_blocks)]
    with open(journal, "ab", 0) as file:
        while True:
            block = random.below(n_blocks)
            n = min(1 + random.below(1500), BLOCK - ends[block])
            if n == 0 or random.below(8) == 0:
                file.write(b"b erase %d\n" % block)
                flash.ioctl(6, block)
                ends[block] = 0
            else:
                first = random.below(255)
                file.write(b"b program %d %d %d %d\n" % (block, ends[block], n, first))
                flash.writeblocks(block, bytes_from(first, n), ends[block])
                ends[block] += n
            file.write(b"d\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
