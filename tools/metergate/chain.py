"""The chain of a ring's blocks, each of which names the SHA-256 of the one before: what of it holds. Pure."""

import hashlib
from dataclasses import dataclass, field
from types import SimpleNamespace

from firmware.clock import utc_text
from firmware.errors import StoreError
from firmware.protocols import record
from firmware.store.block import HEADER_BYTES, MARK_BYTES, Header, header_of, is_erased, mark_of, put_mark
from firmware.store.blocks import Blocks
from firmware.store.reader import Reader

# What a block is. A cut one was about to be opened when the power went; a spare one is erased ahead.
BLANK, UNMARKED, OTHER, SPARE, CUT, OPENED, HEADLESS = (
    "never used", "without mark", "of another log", "erased ahead", "cut", "opened", "headless"
)  # fmt: skip
ALTERED, MISSING, INSERTED, MOVED, UNREADABLE = "altered", "missing", "inserted", "out of place", "unreadable"


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
    sha: bytes = b""
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

    def __str__(self):
        return f"block {self.number}, generation {self.generation}, {self.about()}"

    def about(self):
        seqs = seqs_text(self.first_seq, self.next_seq) if self.first_seq else "seqs not known"
        return seqs + times_text(self.min_s, self.max_s)


@dataclass
class Fault:
    """One thing that is not as it should be. order: where in the log, a generation."""

    kind: str
    order: float
    text: str


def seqs_text(first, end):
    """'seq 5..9' of first and the one behind the last."""
    if first >= end:
        return "no records"
    return f"seq {first}" if end == first + 1 else f"seq {first}..{end - 1}"


def times_text(min_s, max_s):
    return "" if min_s is None else f", {utc_text(min_s)} to {utc_text(max_s)}"


class Chain:
    """Chain(image, is_days): a FileImage, walked. StoreError if there is no ring in it.

    log: 8 hex digits; blocks: all of the image; links: those of the chain, oldest first; faults, oldest first; unknown: what
    cannot be told from the image, sentences; is_whole: the chain goes back to the log's first block."""

    def __init__(self, image, is_days=False):
        self._image = image
        self._blocks = Blocks(image)
        self._is_days = is_days
        self.faults, self.unknown, self.is_whole = [], [], False
        self.number = self._log_number()
        self.log = f"{self.number:08x}"
        self.blocks = [self._block(number) for number in range(image.n_blocks)]
        self._members = [block for block in self.blocks if block.state in (OPENED, HEADLESS)]
        if not self._members:
            raise StoreError("the log has no block yet")
        newest = max(self._members, key=lambda block: block.generation)
        self.retired = self._read(newest, 0).decoder.retired
        self._left_over = {*self.retired, *(block.number for block in self._members if self._is_left_over(block))}
        self.links = self._linked(newest)
        self._read_all()
        self._last_place = self._find_moved()
        self._find_strangers()
        self._say_unknown()
        self.faults.sort(key=lambda fault: fault.order)

    # -- blocks -----------------------------------------------------------------------------------------------------------

    def _log_number(self):
        marks = [mark_of(self._image.block(number)) for number in range(self._image.n_blocks)]
        found = max((mark for mark in marks if mark), default=None)
        if found is None:
            raise StoreError("no block has a mark of a log of format 2")
        return found[1]

    def _block(self, number):
        data = self._image.block(number)
        mark, header = mark_of(data), header_of(data)
        generation, log = mark or (0, 0)
        if is_erased(data):
            state = BLANK
        elif mark is None:
            state = UNMARKED
        elif log != self.number:
            state = OTHER
        elif header is not None:
            state = OPENED
        elif is_erased(data[MARK_BYTES:]):
            state = SPARE
        else:
            state = CUT if is_erased(data[HEADER_BYTES:]) else HEADLESS
        sha = hashlib.sha256(data).digest()
        return Block(number, data, state, generation, log, header if state == OPENED else None, sha)

    def _is_left_over(self, block):
        """True of a block of a round before: it could not be erased any more, which may not be noted yet."""
        n = len(self.blocks)
        for i in range(1, n):
            behind = self.blocks[(block.number + i) % n]
            if behind.generation and behind.number not in self.retired:
                return behind.log == self.number and behind.generation - block.generation >= n // 2
        return False

    # -- the chain --------------------------------------------------------------------------------------------------------

    def _linked(self, newest):
        """The blocks of the chain, oldest first, going back from the newest."""
        links, block = [], newest
        while block is not None:
            links.append(block)
            block = self._before(block)
        self.is_whole = self.is_whole or links[-1].generation == 1
        return links[::-1]

    def _before(self, block):
        """The block that was opened before this one; None: it is the oldest there is."""
        if block.header is None:
            return self._nearest(block.generation)
        generation, sha = block.header.before, block.header.sha
        if generation == 0:
            self.is_whole = True
            return None
        if generation >= block.generation:
            why = f"its header names generation {generation} as the one before it"
            self.faults.append(Fault(ALTERED, block.generation, f"block {block.number}, generation {block.generation}: {why}"))
            return self._nearest(block.generation)
        named = [each for each in self._members if each.generation == generation]
        found = next((each for each in named if each.sha == sha), named[0] if named else None)
        if found is None:
            found = self._remarked(generation, sha)
        if found is not None:
            found.is_proven = found.sha == sha
            return found
        nearest = self._nearest(generation)
        if nearest is not None or self._cannot_be_overwritten(generation, block):
            self._say_missing(nearest, block)
        return nearest

    def _nearest(self, generation):
        """The newest block that is older than this generation; None if there is none."""
        older = [each for each in self._members if each.generation < generation and each.number not in self._left_over]
        return max(older, key=lambda each: each.generation, default=None)

    def _cannot_be_overwritten(self, generation, block):
        """True if fewer blocks were erased since this generation than the round has."""
        n_since = max(each.generation for each in self.blocks if each.log == self.number) - generation
        n_round = len(self.blocks) - len(self._left_over) - sum(1 for each in self.blocks if each.state == CUT)
        # Its turn may just have come, and the power been cut in the erase.
        place = self.blocks[(block.number - 1) % len(self.blocks)]
        return n_since < n_round - 1 or n_since == n_round - 1 and place.state not in (BLANK, UNMARKED, CUT)

    def _remarked(self, generation, sha):
        """A block that is the one looked for but for its mark; None if there is none."""
        for block in self.blocks:
            if block.state == UNMARKED:
                data = bytes(put_mark(generation, self.number)) + block.bytes[MARK_BYTES:]
                if hashlib.sha256(data).digest() == sha:
                    block.generation, block.log, block.header, block.state = generation, self.number, header_of(data), OPENED
                    return block
        return None

    def _say_missing(self, nearest, block):
        generation, header = block.header.before, block.header
        between = (block.number - nearest.number) % len(self.blocks) if nearest else 2
        places = [(block.number - i) % len(self.blocks) for i in range(between - 1, 0, -1)]
        there = ", ".join(f"block {place} is {self._state_text(self.blocks[place])}" for place in places)
        times = times_text(header.min_s, header.max_s) if header.min_s <= header.max_s else ""
        # Which seqs it had is known when the block before it is read.
        self.faults.append(
            Fault(
                MISSING,
                generation,
                f"generation {generation}, {{seqs}}{times}: block {block.number}, generation {block.generation}, names it; "
                + (f"between the blocks around it: {there}" if there else "there is no block between those around it"),
            )
        )

    @staticmethod
    def _state_text(block):
        if block.state in (OPENED, HEADLESS, SPARE, CUT):
            return f"generation {block.generation}"
        return block.state

    # -- records ----------------------------------------------------------------------------------------------------------

    def _read(self, block, expected):
        """Go through the records of a block; expected: the seq that comes first, if its header does not say."""
        ring = SimpleNamespace(is_archive=self._is_days, blocks=self._blocks, number=self.number, damaged=set())
        ring.gone = block.generation - 1
        ring.block = ring.oldest = block.number
        ring.generation, ring.offset = block.generation, self._blocks.bytes
        block.counts, block.gaps, block.min_s, block.max_s = {}, [], None, None
        if block.state == HEADLESS and not expected:
            return SimpleNamespace(decoder=SimpleNamespace(retired=[]))
        reader = Reader(_Restored(ring, block), block.number)
        if block.state == HEADLESS:
            reader.seq, reader.offset, reader.n_damaged = expected, HEADER_BYTES, 0
        block.first_seq = seq = reader.seq
        for kind, found_seq, found in reader:
            if not found_seq:
                continue
            if found_seq > seq:
                block.gaps.append((seq, found_seq - 1))
            if found is None:
                block.gaps.append((found_seq, found_seq))
            else:
                block.counts[kind] = block.counts.get(kind, 0) + 1
                self._take_times(block, found)
            seq = found_seq + 1
        block.next_seq, block.end, block.n_spots = seq, reader.offset, reader.n_damaged
        return reader

    @staticmethod
    def _take_times(block, found):
        bounds = record.bounds_of(found)
        if bounds:
            first_s, last_s = bounds
            block.min_s = first_s if block.min_s is None else min(block.min_s, first_s)
            block.max_s = last_s if block.max_s is None else max(block.max_s, last_s)

    def _read_all(self):
        """Read every block of the chain, and say what does not hold in it."""
        # The first block of all begins with seq 1.
        expected = 1 if self.links[0].generation == 1 else 0
        for i, block in enumerate(self.links):
            self._read(block, expected)
            behind = self.links[i + 1] if i + 1 < len(self.links) else None
            header = behind.header if behind and behind.header and behind.header.before == block.generation else None
            if header:
                self._take_header(block, header)
            self._judge(block, header)
            expected = block.next_seq
        for fault in self.faults:
            if fault.kind == MISSING:
                fault.text = fault.text.replace("{seqs}", self._missing_seqs(fault.order))

    def _take_header(self, block, header):
        """What the header behind a block says of it: its records' end and times."""
        if header.min_s <= header.max_s:
            block.min_s, block.max_s = header.min_s, header.max_s
        if block.first_seq and block.next_seq < header.first_seq:
            block.gaps.append((block.next_seq, header.first_seq - 1))
            block.next_seq = header.first_seq

    def _missing_seqs(self, generation):
        before = [block.next_seq for block in self.links if block.generation < generation]
        behind = [block.first_seq for block in self.links if block.generation > generation]
        return seqs_text(before[-1], behind[0]) if before else f"seqs before {behind[0]}"

    def _judge(self, block, header):
        unread = self._unread_text(block)
        if mark_of(block.bytes) is None:
            self._fault(ALTERED, block, "its mark cannot be read; with that put right its SHA-256 is the one it should be")
        elif block is self.links[0] and block.is_proven is False and self._is_next():
            self.unknown.append(
                f"{block}: its SHA-256 is wrong, but it is next in turn: an erase may have been ended by a power cut"
            )
        elif block.is_proven is False or block.state == HEADLESS:
            whys = []
            if block.is_proven is False:
                whys.append("its SHA-256 is not the one that the block behind it names")
            if block.state == HEADLESS:
                whys.append("its header cannot be read")
            whys.append(unread or ("all its records hold their checks" if block.counts else "no record in it can be read"))
            self._fault(ALTERED, block, "; ".join(whys))
        elif unread:
            held = "; the block is as it was when it was closed: nothing was changed since" if block.is_proven else ""
            self._fault(UNREADABLE, block, unread + held)
        if header and block.next_seq > header.first_seq:
            self._fault(
                INSERTED, block, f"{seqs_text(header.first_seq, block.next_seq)} of it come again in the block behind it"
            )

    def _is_next(self):
        """True if the oldest block is about to be erased: fewer than two are erased ahead, and it is behind them."""
        spares = [block for block in self.blocks if block.state == SPARE and block.generation > self.links[-1].generation]
        last = max([self.links[-1], *spares], key=lambda block: block.generation)
        n, number = len(self.blocks), (last.number + 1) % len(self.blocks)
        while number in self._left_over:
            number = (number + 1) % n
        return len(spares) < 2 and number == self.links[0].number

    @staticmethod
    def _unread_text(block):
        if block.gaps:
            return ", ".join(seqs_text(first, last + 1) for first, last in block.gaps) + " cannot be read"
        return f"{block.n_spots} places cannot be read, no record is missing" if block.n_spots else ""

    def _fault(self, kind, block, why):
        self.faults.append(Fault(kind, block.generation, f"{block}: {why}"))

    # -- what does not belong there ---------------------------------------------------------------------------------------

    def _find_strangers(self):
        """Blocks that no other names: a round behind the newest only those that are erased ahead are not in the chain."""
        newest, n = self.links[-1], len(self.blocks)
        spares = [block for block in self.blocks if block.state == SPARE and block.generation > newest.generation]
        # One that could not be erased may not be noted as retired yet.
        near = [block for block in self.blocks if 0 < self._behind(block) <= len(spares) + 1]
        for block in self._members:
            if any(block is link for link in self.links) or block.number in self._left_over:
                continue
            if block in near and block.generation < self.links[0].generation and not self.is_whole:
                continue
            self._read(block, 0)
            self._fault(INSERTED, block, "no block of the chain names it")
        seen = {}
        for block in spares:
            text = f"block {block.number}, generation {block.generation}, erased ahead: "
            twin = seen.setdefault(block.generation, block)
            if twin is not block:
                self.faults.append(Fault(INSERTED, block.generation, text + f"so is block {twin.number} of this generation"))
            elif block not in near:
                self.faults.append(Fault(MOVED, block.generation, text + "but not of those that follow the newest"))
        last = max((self._behind(block) for block in spares if block in near), default=0)
        for block in near:
            if block.state == BLANK and self._behind(block) < last and block.number not in self._left_over:
                text = f"block {block.number}, behind the newest and before one that is erased ahead, is blank: one was there"
                self.faults.append(Fault(MISSING, newest.generation + 1 / n, text))

    def _behind(self, block):
        """How many blocks behind the newest one's place this one stands, left over ones not counted."""
        n, first = len(self.blocks), self._last_place
        distance = (block.number - first) % n
        return distance - sum(1 for number in self._left_over if 0 < (number - first) % n < distance)

    def _find_moved(self):
        """Blocks are used in their order, round and round: which ones stand where others should? Where the newest should."""
        n = len(self.blocks)
        numbers = [block.number for block in self.links]
        best = None
        # From where on, going round, the fewest stand wrong: behind the newest, if it is where it should be.
        for first in dict.fromkeys([(numbers[-1] + 1) % n, *numbers]):
            wrong = [i for i, number in enumerate(sorted(numbers, key=lambda x: (x - first) % n)) if number != numbers[i]]
            if best is None or len(wrong) < len(best[1]):
                best = first, wrong
            if not wrong:
                return numbers[-1]
        places = sorted(numbers, key=lambda number: (number - best[0]) % n)
        for i in best[1]:
            self._fault(MOVED, self.links[i], f"by its generation it belongs into block {places[i]}")
        return places[-1]

    def _say_unknown(self):
        newest = self.links[-1]
        self.unknown.append(
            f"the newest block, {newest.number}, is named by no hash yet: its records have held their own checks, but whether "
            "records were taken from its end, or whole blocks behind it, cannot be told"
        )
        unmarked = [block.number for block in self.blocks if block.state == UNMARKED and block.number not in self.retired]
        if unmarked:
            self.unknown.append(
                f"block {', '.join(map(str, unmarked))} has no mark: its erase was ended by a power cut, or it was changed"
            )
        loose = [block for block in self.links[:-1] if block.is_proven is None]
        if loose:
            shown = ", ".join(f"{block.number} (generation {block.generation})" for block in loose)
            self.unknown.append(f"no hash that can be read covers: block {shown}")
        if not self.is_whole:
            oldest = self.links[0]
            self.unknown.append(f"what stood before seq {oldest.first_seq} is overwritten")
        if not is_erased(newest.bytes[newest.end :]):
            self.unknown.append(
                "the newest block ends in bytes that are no record: a power cut while one was written, or damage"
            )
        self.unknown.append(
            "who can write the flash can write a chain of its own: compare log and head with those noted before"
        )


class _Restored:
    """The stand-in for a ring of one block, whose mark reads as it should where it was damaged."""

    def __init__(self, ring, block):
        self.__dict__.update(vars(ring))
        self.blocks = SimpleNamespace(read=self._read, bytes=ring.blocks.bytes, is_erased=ring.blocks.is_erased, retired=())
        self._bytes = bytes(put_mark(block.generation, block.log)) + block.bytes[MARK_BYTES:]

    def _read(self, _, buf, offset=0):
        buf[:] = self._bytes[offset : offset + len(buf)]
