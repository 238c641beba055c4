"""The chain of a ring's blocks, each of which names the SHA-256 of the one before: what of it holds. Pure."""

from firmware.store.block import is_erased
from firmware.store.blocks import Blocks
from metergate.blockrecords import read_block
from metergate.chainblock import HEADLESS, SPARE, blocks_of, seqs_text
from metergate.links import ALTERED, INSERTED, MISSING, MOVED, UNREADABLE, Fault, Links
from metergate.turns import between


class Chain(Links):
    """Chain(image, is_days): a FileImage, walked. StoreError if there is no ring in it.

    log: 8 hex digits; faults, oldest first; doubtful: {number: sentence} of what may be an honest life's doing, or somebody's;
    unknown: what else cannot be told from the image, sentences."""

    def __init__(self, image, is_days=False):
        # The firmware's own bounds.
        Blocks(image)
        number, blocks = blocks_of(image)
        super().__init__(blocks, is_days)
        self.log = f"{number:08x}"
        self.doubtful, self.unknown = {}, []
        self._next = self.next_in_turn()
        self._read_all()
        self._find_strangers()
        self._find_moved()
        # Places between blocks tell nothing where blocks are missing, moved or put in.
        if not any(fault.kind in (MISSING, MOVED, INSERTED) for fault in self.faults):
            self._find_passed()
            self._doubt_lost()
        self._say_unknown()
        self.faults.sort(key=lambda fault: fault.order)

    # -- records ----------------------------------------------------------------------------------------------------------

    def _read_all(self):
        """Read every block of the chain, and say what does not hold in it."""
        # The first block of all begins with seq 1.
        expected = 1 if self.links[0].generation == 1 else 0
        for i, block in enumerate(self.links):
            read_block(block, expected, self._is_days)
            behind = self.links[i + 1] if i + 1 < len(self.links) else None
            header = behind.header if behind and behind.header and behind.header.before == block.generation else None
            if header:
                self._take_header(block, header)
            self._judge(block)
            if header and block.next_seq > header.first_seq:
                again = seqs_text(header.first_seq, block.next_seq)
                self._fault(INSERTED, block, f"{again} of it come again in the block behind it")
            expected = block.next_seq
        for fault in self.faults:
            if fault.kind == MISSING:
                fault.text = fault.text.replace("{seqs}", self._missing_seqs(fault.order))

    @staticmethod
    def _take_header(block, header):
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

    def _judge(self, block):
        """Say of a block of the chain, whose records were read, what is wrong with it."""
        unread, whys = block.unread_text(), []
        if block.is_remarked:
            right = "SHA-256 is the one it should be" if block.is_proven else "header's check holds"
            whys.append(f"its mark cannot be read; with that put right its {right}")
        if block.is_proven is False:
            whys.append("its SHA-256 is not the one that the block behind it names")
        if block.state == HEADLESS:
            whys.append("its header cannot be read")
        # An erase spoils what has a check, or what stands behind the last record.
        is_spoilt = block.is_remarked or block.state == HEADLESS or unread or not is_erased(block.bytes[block.end :])
        if not whys and unread:
            held = "; the block is as it was when it was closed: nothing was changed since" if block.is_proven else ""
            self._fault(UNREADABLE, block, unread + held)
        elif whys and is_spoilt and block in self._next:
            why = "it is next in turn: an erase may have been ended by a power cut, or it was altered"
            self.doubtful[block.number] = f"{block}: {'; '.join(whys)}; {why}"
        elif whys:
            if not block.is_proven:
                whys.append(unread or ("all its records hold their checks" if block.counts else "no record in it can be read"))
            self._fault(ALTERED, block, "; ".join(whys))

    def _fault(self, kind, block, why):
        self.faults.append(Fault(kind, block.generation, f"{block}: {why}"))

    # -- what does not belong there ---------------------------------------------------------------------------------------

    def _find_strangers(self):
        """Blocks that no other names. One that could not be erased any more is older than the whole chain."""
        linked = {block.number for block in self.links}
        for block in self.members:
            if block.number not in linked and (self.is_whole or block.generation >= self.links[0].generation):
                read_block(block, 0, self._is_days)
                self._fault(INSERTED, block, "no block of the chain names it")

    def _find_moved(self):
        """Blocks that stand out of their turn."""
        for block, place in zip(self.links + self.spares, self.turns()):
            if block.number != place:
                self._fault(MOVED, block, f"by its generation it belongs into block {place}")

    def _find_passed(self):
        """Places between two blocks that no erase was tried in."""
        row = [(block.number, block.generation, block) for block in self.links + self.spares]
        if self.is_whole:
            row.insert(0, (len(self.blocks) - 1, 0, None))
        for (last, before, _), (number, generation, block) in zip(row, row[1:]):
            passed = [place for place in between(last, number, len(self.blocks)) if place not in self.retired]
            if last != number and passed and len(passed) >= generation - before:
                self._say_passed(block, before, passed)

    def _say_passed(self, block, generation, passed):
        where = f"generation {generation} and generation {block.generation}" if generation else "the log's beginning and it"
        there = ", ".join(f"block {number} is {self.blocks[number].state_text()}" for number in passed)
        why = f"between {where} more blocks stand than erases were tried: {there}"
        if block.state == SPARE:
            kind, text = MOVED, f"block {block.number}, generation {block.generation}, erased ahead: {why}"
        else:
            kind, text = INSERTED, f"block {passed[0]}, before block {block.number}: {why}"
        self.faults.append(Fault(kind, block.generation, text))

    # -- what cannot be told ----------------------------------------------------------------------------------------------

    def _doubt_lost(self):
        """Places that hold nothing of the chain where something of it may have been."""
        row = [self.links[-1], *self.spares]
        for i, block in enumerate(row[1:]):
            for number in between(row[i].number, block.number, len(self.blocks)):
                self._doubt(number, "between the newest and what is erased ahead")
        if not self.is_whole:
            for number in self.lost():
                self._doubt(number, "next in turn")

    def _doubt(self, number, where):
        block = self.blocks[number]
        if number not in self.retired:
            why = "it could not be erased, or a power cut ended that, or somebody changed it"
            self.doubtful[number] = f"block {number}, {where}, is {block.state_text()}: {why}"

    def _say_unknown(self):
        newest = self.links[-1]
        self.unknown.append(
            f"the newest block, {newest.number}, is named by no hash yet: its records have held their own checks, but whether "
            "records were taken from its end, or whole blocks behind it, or it was written anew, cannot be told"
        )
        loose = [block for block in self.links[:-1] if block.is_proven is None]
        if loose:
            shown = ", ".join(f"{block.number} (generation {block.generation})" for block in loose)
            self.unknown.append(f"no hash that can be read covers: block {shown}")
        left = sorted(self.retired - {block.number for block in self.links})
        if left:
            self.unknown.append(f"retired, and covered by no hash any more: what stands in block {', '.join(map(str, left))}")
        if self._next and not self.is_whole:
            shown = ", ".join(str(block.number) for block in self._next)
            self.unknown.append(
                "fewer than two blocks are erased ahead: an erase may have been cut in the next, or in one behind it if that "
                f"failed; whether block {shown} held more, or something else, cannot be told"
            )
        if not self.is_whole:
            self.unknown.append(
                f"what stood before seq {self.links[0].first_seq} is not there any more: its turn to be overwritten has come"
            )
        if not is_erased(newest.bytes[newest.end :]):
            self.unknown.append(
                "the newest block ends in bytes that are no record: a power cut while one was written, or damage"
            )
        self.unknown.append(
            "who can write the flash can write a chain of its own: compare log and head with those noted before"
        )
