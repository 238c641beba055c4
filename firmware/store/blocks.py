"""The blocks of a device, as the ring uses them: what is written is read back, and a block that fails is retired."""

from micropython import const

from firmware.errors import StoreError
from firmware.store.block import is_erased

_LEAST_BLOCKS = const(4)
_LEAST_BYTES = const(4096)
# Read back without taking heap: what a reading of two or three points fits into.
_PART_BYTES = const(40)
_EIO = const(5)
# How often it is tried to read back what was programmed.
_READS = const(3)

# Block-device protocol, ioctl operations.
_BLOCK_COUNT = const(4)
_BLOCK_SIZE = const(5)
_BLOCK_ERASE = const(6)


def cuts(n_bytes):
    """Views of one buffer, of 0 to n_bytes: a slice for each record would take memory."""
    view = memoryview(bytearray(n_bytes))
    return [view[:n] for n in range(n_bytes + 1)]


class Blocks:
    """Blocks(device): device as MicroPython's extended block protocol. StoreError if it is too small for a ring.

    n, bytes: how many blocks, of how many bytes; retired: those that are not used any more, a list; n_failed: how often
    something was not written or erased; erases, programmed_bytes: since the start."""

    # What was read back: looked at at once, so one for all devices.
    _back = None

    def __init__(self, device):
        self.device = device
        self.n = device.ioctl(_BLOCK_COUNT, 0)
        self.bytes = device.ioctl(_BLOCK_SIZE, 0)
        if self.n < _LEAST_BLOCKS or self.bytes < _LEAST_BYTES:
            raise StoreError("the ring needs at least %d blocks of %d bytes" % (_LEAST_BLOCKS, _LEAST_BYTES))
        self.retired = []
        self.n_failed = self.erases = self.programmed_bytes = 0
        if Blocks._back is None:
            Blocks._back = cuts(_PART_BYTES)

    def read(self, block, buf, offset=0):
        self.device.readblocks(block, buf, offset)

    def after(self, block):
        """The block whose turn is after this one."""
        for _ in range(self.n):
            block = (block + 1) % self.n
            if block not in self.retired:
                break
        return block

    def retire(self, block):
        """Not to be used any more."""
        if block not in self.retired:
            self.retired.append(block)

    def program(self, block, data, offset):
        """Program data and read it back. OSError if it does not stand there: a worn block may say nothing of it.

        Allocates nothing for up to 40 bytes."""
        failed = None
        try:
            self.device.writeblocks(block, data, offset)
        except OSError as error:
            # It counts as written if it stands there all the same: its seq must not be given twice.
            failed = error
        n = len(data)
        back = self._back[n] if n <= _PART_BYTES else bytearray(n)
        for _ in range(_READS):
            try:
                self.device.readblocks(block, back, offset)
                break
            except OSError as error:
                failed = failed or error
        else:
            self.n_failed += 1
            raise failed
        if back != data:
            self.n_failed += 1
            raise failed or OSError(_EIO)
        self.programmed_bytes += n

    def erase(self, block):
        """Erase a block and look at each byte of it. OSError if it is not erased. Blocks for the erase (60 ms)."""
        try:
            self.device.ioctl(_BLOCK_ERASE, block)
            self.erases += 1
            if not self.is_erased(block, 0):
                raise OSError(_EIO)
        except OSError:
            self.n_failed += 1
            raise

    def is_erased(self, block, offset):
        """True if nothing is programmed from this offset of the block on."""
        while offset < self.bytes:
            part = self._back[min(_PART_BYTES, self.bytes - offset)]
            self.device.readblocks(block, part, offset)
            if not is_erased(part):
                return False
            offset += len(part)
        return True
