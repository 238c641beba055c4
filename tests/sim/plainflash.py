"""A block device in a file without a flash's rules: nothing of it lies in the Python heap but a buffer of 64 bytes."""

# As tests.sim.flash has it, which is larger than the heap that this is for.
BLOCK = 4096


class PlainFlash:
    """PlainFlash(path, n_blocks): a new file of erased bytes."""

    def __init__(self, path, n_blocks):
        self._n_blocks = n_blocks
        self._erased = b"\xff" * 64
        self._file = open(path, "w+b", 0)
        for block in range(n_blocks):
            self.ioctl(6, block)

    def readblocks(self, block, buf, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.readinto(buf)

    def writeblocks(self, block, buf, offset):
        self._file.seek(block * BLOCK + offset)
        self._file.write(buf)

    def ioctl(self, operation, argument):
        if operation == 6:
            self._file.seek(argument * BLOCK)
            for _ in range(BLOCK // len(self._erased)):
                self._file.write(self._erased)
        return {4: self._n_blocks, 5: BLOCK}.get(operation, 0)
