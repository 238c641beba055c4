"""What unit tests share: a block device in memory with NOR rules, values to raise, golden files."""

import json


class Flash:
    """A NOR flash in memory: erased bytes are FF and a byte is programmed once.

    cut_after: bytes until the power goes. fail_after: writes until one fails half done. bad: blocks that refuse to be
    written and erased; worn: blocks whose bytes do not all take what is written, without a word. erased: the blocks
    erased so far, in order; n_reads: how often it was read."""

    BLOCK = 4096

    def __init__(self, n_blocks, image=None):
        self.n_blocks = n_blocks
        self.bytes = bytearray(b"\xff" * (n_blocks * self.BLOCK)) if image is None else bytearray(image)
        self.cut_after = None
        self.fail_after = None
        self.bad = set()
        self.worn = set()
        self.erased = []
        self.n_reads = 0

    @property
    def n_erases(self):
        return len(self.erased)

    def readblocks(self, block, buf, offset=0):
        assert offset + len(buf) <= self.BLOCK, "read beyond the block"
        self.n_reads += 1
        at = block * self.BLOCK + offset
        buf[:] = self.bytes[at : at + len(buf)]

    def writeblocks(self, block, buf, offset):
        assert offset + len(buf) <= self.BLOCK, "beyond the block"
        if block in self.bad:
            raise OSError(5)
        n = len(buf) // 2 if self.fail_after == 0 else len(buf)
        if self.cut_after is not None:
            n = min(n, self.cut_after)
            self.cut_after -= n
        at = block * self.BLOCK + offset
        assert self.bytes[at : at + n] == b"\xff" * n, "programmed twice"
        self.bytes[at : at + n] = buf[:n]
        if block in self.worn:
            self.bytes[at + n // 2] |= 0x10
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                self.fail_after = None
                raise OSError(5)
        if n < len(buf):
            raise Cut()

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.n_blocks
        if operation == 5:
            return self.BLOCK
        if operation == 6:
            if argument in self.bad:
                raise OSError(5)
            at = argument * self.BLOCK
            self.bytes[at : at + self.BLOCK] = b"\xff" * self.BLOCK
            self.erased.append(argument)
        return 0


class Cut(Exception):
    """The power went."""


class Section:
    """A section of the configuration, made by hand: its keys are attributes."""

    def __init__(self, **keys):
        for key in keys:
            setattr(self, key, keys[key])


def raised(kind, function, *args):
    """The exception of this kind that function(*args) raises; AssertionError if it raises none."""
    try:
        function(*args)
    except kind as error:
        return error
    raise AssertionError("no " + kind.__name__)


def golden(name):
    """What tests/golden/NAME.json holds."""
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    # Opened as bytes: MicroPython knows no encoding= and CPython would take the machine's own.
    with open("%s/../golden/%s.json" % (folder, name), "rb") as file:
        return json.loads(file.read().decode())


# Real zones' rules, with every way of changing the clock: at midnight, over midnight, by 30 minutes and by 2 hours,
# in the south, backward in summer, at hours beyond the day, with odd offsets.
ZONES = (
    "UTC0",
    "CST-8",
    "IST-5:30",
    "<+0545>-5:45",
    "<-0930>9:30",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "GMT0BST,M3.5.0/1,M10.5.0",
    "IST-1GMT0,M10.5.0,M3.5.0/1",
    "CST5CDT,M3.2.0/0,M11.1.0/1",
    "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
    "<-01>1<+00>,M3.5.0/0,M10.5.0/1",
    "<-04>4<-03>,M10.1.0/0,M3.4.0/0",
    "EET-2EEST,M3.5.0/0,M10.5.0/0",
    "EET-2EEST,M4.5.5/0,M10.5.4/24",
    "EET-2EEST,M3.4.4/50,M10.4.4/50",
    "IST-2IDT,M3.4.4/26,M10.5.0",
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
    "<-06>6<-05>,M9.1.6/22,M4.1.6/22",
    "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3",
    "AEST-10AEDT,M10.1.0,M4.1.0/3",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
    "NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01",
    "<-03>3<-02>,J60/2,J305",
    "<+12>-12<+13>,J44/2,J309/3",
)
