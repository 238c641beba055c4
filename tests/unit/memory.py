"""What unit tests share: a block device in memory with NOR rules, and values to raise."""


class Flash:
    """A NOR flash in memory: erased bytes are FF and a byte is programmed once. cut_after: bytes until the power goes."""

    BLOCK = 4096

    def __init__(self, n_blocks):
        self.n_blocks = n_blocks
        self.bytes = bytearray(b"\xff" * (n_blocks * self.BLOCK))
        self.cut_after = None
        self.n_erases = 0

    def readblocks(self, block, buf, offset=0):
        at = block * self.BLOCK + offset
        buf[:] = self.bytes[at : at + len(buf)]

    def writeblocks(self, block, buf, offset):
        at = block * self.BLOCK + offset
        assert offset + len(buf) <= self.BLOCK, "beyond the block"
        for i in range(len(buf)):
            if self.cut_after is not None:
                if not self.cut_after:
                    raise Cut()
                self.cut_after -= 1
            assert self.bytes[at + i] == 0xFF, "programmed twice"
            self.bytes[at + i] = buf[i]

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.n_blocks
        if operation == 5:
            return self.BLOCK
        if operation == 6:
            at = argument * self.BLOCK
            self.bytes[at : at + self.BLOCK] = b"\xff" * self.BLOCK
            self.n_erases += 1
        return 0


class Cut(Exception):
    """The power went."""


def raised(kind, function, *args):
    """The exception of this kind that function(*args) raises; AssertionError if it raises none."""
    try:
        function(*args)
    except kind as error:
        return error
    raise AssertionError("no " + kind.__name__)
