"""The ring as a PC reads it: from a file that holds the flash's bytes, without changing them."""

import struct
from pathlib import Path

from firmware.errors import ConfigError, StoreError
from firmware.store import search
from firmware.store.reader import Reader
from firmware.store.ring import Ring

BLOCK = 4096
# What may be wrong where no log is found.
WHERE = "is it the log's region, or a file of a whole flash? --offset says where the region begins"

# ESP-IDF: the table of partitions of a whole flash, and one of its rows: magic, type, subtype, offset, bytes, label, flags.
_TABLE = slice(0x8000, 0x8C00)
_ROW = struct.Struct("<2sBBII16sI")
_ROW_MAGIC = b"\xaa\x50"


class FileImage:
    """A block device over a copy of a flash file, taken when it is made; writing is refused.

    n_bytes: how long the region is; None: as far as the file goes. fault: why it is not whole, or empty."""

    def __init__(self, path, offset=0, n_bytes=None):
        with open(path, "rb") as file:
            file.seek(offset)
            self._bytes = file.read() if n_bytes is None else file.read(n_bytes)
        self.fault = ""
        if n_bytes is not None and len(self._bytes) < n_bytes:
            self.fault = f"the file ends within the region: it has {len(self._bytes)} of its {n_bytes} bytes"
        elif len(self._bytes) % BLOCK:
            self.fault = f"the file ends with {len(self._bytes) % BLOCK} bytes of a block: it is not whole"

    def block(self, number):
        """A block's bytes."""
        return self._bytes[number * BLOCK : (number + 1) * BLOCK]

    @property
    def n_blocks(self):
        return len(self._bytes) // BLOCK

    def readblocks(self, block, buf, offset=0):
        at = block * BLOCK + offset
        buf[:] = self._bytes[at : at + len(buf)]

    def writeblocks(self, block, buf, offset=None):
        raise StoreError("an image is only read")

    def ioctl(self, operation, _):
        if operation == 6:
            raise StoreError("an image is only read")
        return {4: self.n_blocks, 5: BLOCK}[operation]


def partitions(path):
    """{label: (offset, bytes)} of the file of a whole ESP32 flash; empty if there is no table in it."""
    with open(path, "rb") as file:
        table = file.read(_TABLE.stop)[_TABLE]
    found = {}
    for at in range(0, len(table) - _ROW.size + 1, _ROW.size):
        magic, _, _, offset, n_bytes, label, _ = _ROW.unpack_from(table, at)
        if magic != _ROW_MAGIC:
            break
        found[label.rstrip(b"\0").decode("latin-1")] = offset, n_bytes
    return found


def image_of(path, offset=None, is_days=False):
    """The FileImage of a file: of a region alone, or of a whole flash.

    is_days: of a whole flash the region of daily summaries and changes. offset: where the region begins there; None: where its
    table of partitions says, or the file is the region alone. ConfigError if it cannot be read."""
    if not Path(path).is_file():
        raise ConfigError(path, "cannot be read; is there such a file?")
    rows = partitions(path)
    label = "days" if is_days else "ring"
    if offset is not None:
        n_bytes = dict(rows.values()).get(offset)
    elif not rows:
        offset, n_bytes = 0, None
    elif label in rows:
        offset, n_bytes = rows[label]
    else:
        raise ConfigError(path, f"has no partition {label}, but {', '.join(sorted(rows))}; --offset says where it is")
    image = FileImage(path, offset, n_bytes)
    if image.n_blocks == 0:
        raise ConfigError(path, f"holds no block of {BLOCK} bytes" + (f" behind byte {offset:#x}" if offset else ""))
    return image


def open_ring(image):
    """The Ring in a FileImage, mounted, an archive as one; None if the image is blank. StoreError if there is none.

    Its decoder knows the newest About that can be read, if any can."""
    ring = _mounted(image, False)
    about = _about(ring) if ring else None
    if about is None:
        return ring
    if about.log != ring.log:
        # Another log's records, kept.
        ring = _mounted(image, True)
    ring.decoder.about = about
    return ring


def is_archive(image):
    """True if a FileImage holds the summaries and changes of another log."""
    try:
        ring = open_ring(image)
    except StoreError:
        return False
    return ring is not None and ring.is_archive


def _mounted(image, is_archive):
    ring = Ring(image, lambda: 0, is_archive)
    return None if ring.mount() else ring


def _about(ring):
    """The newest About that can be read; None if there is none."""
    block, about = ring.block, ring.decoder.about
    while about is None and block != ring.oldest:
        block = (block - 1) % ring.n_blocks
        if search.generation_of(ring, block):
            reader = Reader(ring, block)
            while reader.block == block and reader.next():
                about = reader.decoder.about or about
    return about


def read_image(path):
    """(log, [(seq, record), ..]) of a ring's file, oldest first; ("", []) if it holds no ring, or none yet.

    Records that cannot be decoded stand as None, so that they are seen."""
    try:
        ring = open_ring(FileImage(path))
    except StoreError:
        ring = None
    if ring is None:
        return "", []
    return ring.log, [(seq, found) for _, seq, found in ring.reader(0) if seq]
