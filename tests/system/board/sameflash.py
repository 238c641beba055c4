"""A life of a ring into a file, or what stands in one: micropython sameflash.py ROOT write FILE, or read FILE -> a line."""

# The path is set before what is found by it.

import binascii
import hashlib
import sys

if sys.implementation.name == "micropython":
    sys.path[:] = ["", ".frozen", sys.argv[1], sys.argv[1] + "/lib"]

from tests.sim.flash import NorFlash
from tests.sim.ringrig import Life, told

_BLOCKS = 6


def write(name):
    """The same life each time: some laps of a ring, with every kind of record."""
    life = Life(NorFlash(_BLOCKS))
    while life.ring.generation < 3 * _BLOCKS:
        life.step()
    with open(name, "wb") as file:
        file.write(life.flash.bytes)
    return binascii.hexlify(hashlib.sha256(life.flash.bytes).digest()).decode()


def read(name):
    """A hash of every record that stands there, and of the cursors."""
    with open(name, "rb") as file:
        life = Life(NorFlash(_BLOCKS, file.read()))
    sha = hashlib.sha256()
    n = 0
    for kind, seq, found in life.ring.reader(0):
        if seq:
            sha.update(repr((seq, told(kind, found))).encode())
            n += 1
    sha.update(repr(sorted(life.ring.cursors.positions.items())).encode())
    return "%d %s" % (n, binascii.hexlify(sha.digest()).decode())


if __name__ == "__main__":
    print({"write": write, "read": read}[sys.argv[2]](sys.argv[3]))
