"""The ring as a PC reads it: from a file that holds the flash's bytes, without changing them."""

from firmware.errors import StoreError
from firmware.store.ring import Ring

_BLOCK = 4096


class FileImage:
    """A block device over a copy of a flash file, taken when it is made; writing is refused."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self._bytes = file.read()

    def readblocks(self, block, buf, offset=0):
        at = block * _BLOCK + offset
        buf[:] = self._bytes[at : at + len(buf)]

    def writeblocks(self, block, buf, offset=None):
        raise StoreError("there is no ring in this file")

    def ioctl(self, operation, _):
        if operation == 6:
            raise StoreError("there is no ring in this file")
        return {4: len(self._bytes) // _BLOCK, 5: _BLOCK}[operation]


def read_image(path):
    """(log, [(seq, record), ..]) of a ring's file, oldest first; ("", []) if it holds no ring, or none yet.

    Records that cannot be decoded stand as None, so that they are seen."""
    try:
        ring = Ring(FileImage(path), lambda: 0)
        ring.mount()
    except StoreError:
        return "", []
    return ring.log, [(seq, found) for _, seq, found in ring.reader(0) if seq]
