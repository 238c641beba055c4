"""The blocks of a ring's image: what each of them is. Pure."""

import hashlib
from dataclasses import dataclass, field

from firmware.clock import utc_text
from firmware.errors import StoreError
from firmware.store.block import HEADER_BYTES, MARK_BYTES, Header, header_of, is_erased, mark_of, put_mark

# What a block is. A cut one was about to be opened when the power went; a spare one is erased ahead.
BLANK, UNMARKED, OTHER, SPARE, CUT, OPENED, HEADLESS = (
    "blank", "without mark", "of another log", "erased ahead", "cut", "opened", "headless"
)  # fmt: skip


@dataclass
class Block:
    """A block of the image. first_seq, next_seq: of its records; gaps: [(first, last) seq that cannot be read]; n_spots: places
    that could not be read; min_s, max_s: of what its records are about, None: none has a time; end: where its records end."""

    number: int
    bytes: bytes
    state: str
    generation: int = 0
    log: int = 0
    header: Header | None = None
    # True: its mark was damaged, and is the one that its header's check was made with.
    is_remarked: bool = False
    first_seq: int = 0
    next_seq: int = 0
    counts: dict = field(default_factory=dict)
    gaps: list = field(default_factory=list)
    n_spots: int = 0
    min_s: int | None = None
    max_s: int | None = None
    end: int = HEADER_BYTES
    # True: the block behind it names its hash; False: another hash; None: nothing that can be read names one.
    is_proven: bool | None = None

    def __post_init__(self):
        # As it was written: with its mark.
        self.sha = hashlib.sha256(self.bytes).digest()

    def __str__(self):
        return f"block {self.number}, generation {self.generation}, {self.about()}"

    def about(self):
        seqs = seqs_text(self.first_seq, self.next_seq) if self.first_seq else "seqs not known"
        return seqs + times_text(self.min_s, self.max_s)

    def state_text(self):
        """What a sentence says of it: "block 5 is ..."."""
        if self.state in (OPENED, HEADLESS, SPARE, CUT):
            return f"generation {self.generation}"
        return self.state

    def unread_text(self):
        """What of its records cannot be read; empty: all can."""
        if self.gaps:
            return ", ".join(seqs_text(first, last + 1) for first, last in self.gaps) + " cannot be read"
        return f"{self.n_spots} places cannot be read, no record is missing" if self.n_spots else ""


def seqs_text(first, end):
    """'seq 5..9' of first and the one behind the last."""
    if first >= end:
        return "no records"
    return f"seq {first}" if end == first + 1 else f"seq {first}..{end - 1}"


def times_text(min_s, max_s):
    return "" if min_s is None else f", {utc_text(min_s)} to {utc_text(max_s)}"


def blocks_of(image):
    """(the log's number, a Block for each block of a FileImage). StoreError if none has a mark."""
    contents = [image.block(number) for number in range(image.n_blocks)]
    marks = [mark for mark in map(mark_of, contents) if mark]
    if not marks:
        raise StoreError("no block has a mark of a log of format 2")
    last, log = max(marks)
    blocks = [_block(number, data, log) for number, data in enumerate(contents)]
    # One whose mark was damaged had a generation of the last two rounds that no other has.
    known = {block.generation for block in blocks if block.log == log}
    lost = [generation for generation in range(max(1, last - 2 * len(blocks)), last + len(blocks)) if generation not in known]
    return log, [_remarked(block, log, lost) or block for block in blocks]


def _block(number, data, log):
    mark, header = mark_of(data), header_of(data)
    if mark is None:
        return Block(number, data, BLANK if is_erased(data) else UNMARKED)
    if mark[1] != log:
        return Block(number, data, OTHER, *mark)
    if header is not None:
        return Block(number, data, OPENED, *mark, header)
    if is_erased(data[MARK_BYTES:]):
        return Block(number, data, SPARE, *mark)
    return Block(number, data, CUT if is_erased(data[HEADER_BYTES:]) else HEADLESS, *mark)


def _remarked(block, log, generations):
    """The block with its mark put right, if its header's check holds with one of these generations; else None."""
    for generation in generations if block.state == UNMARKED else ():
        data = bytes(put_mark(generation, log)) + block.bytes[MARK_BYTES:]
        header = header_of(data)
        if header is not None:
            return Block(block.number, data, OPENED, generation, log, header, True)
    return None
