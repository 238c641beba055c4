"""The blocks of a ring's image that belong together, by their generations, the hashes they name, and their turns. Pure.

What an honest image looks like: the blocks of the chain, then those erased ahead, stand in rising places, round and round. A
place between two of them was passed over: it is retired, or an erase was tried there, which cost a generation. Behind the last
of them the next turn begins: with two erased ahead nothing has happened there yet, with fewer an erase may have been cut."""

from dataclasses import dataclass

from firmware.errors import StoreError
from metergate.blockrecords import retired_of
from metergate.chainblock import HEADLESS, OPENED, SPARE, times_text
from metergate.turns import between, turns_of

ALTERED, MISSING, INSERTED, MOVED, UNREADABLE = "altered", "missing", "inserted", "out of place", "unreadable"

# With so many erased ahead no erase is under way.
_SPARES = 2
# How many blocks may fail, one behind the other, before the first is noted: an erase that was cut is then of the next.
_MOST_FAILED = 2


@dataclass
class Fault:
    """One thing that is not as it should be. order: where in the log, a generation."""

    kind: str
    order: float
    text: str


class Links:
    """Links(blocks, is_days): of these Blocks, all of an image. StoreError if none was opened.

    links: those of the chain, oldest first; spares: those erased ahead; retired: the numbers of those that the chain says are;
    members: all with records; faults; is_whole: the chain goes back to the log's first block."""

    def __init__(self, blocks, is_days):
        self.blocks = blocks
        self._is_days = is_days
        self.faults, self.retired, self.is_whole = [], set(), False
        self.members = [block for block in blocks if block.state in (OPENED, HEADLESS)]
        if not self.members:
            raise StoreError("the log has no block yet")
        newest = self._newest()
        self.spares = self._ahead(newest)
        self.links = [newest]
        self._link_all()

    def _newest(self):
        """The block of the highest generation; of two the one that stands nearer behind the one it names."""
        last = max(block.generation for block in self.members)
        found = [block for block in self.members if block.generation == last]
        before = found[0].header.before if found[0].header else 0
        numbers = [block.number for block in self.members if block.generation == before] or [0]
        return self._nearest_behind(numbers[0], found)

    def _ahead(self, newest):
        """The blocks erased ahead, by their generations; of two of one generation the one nearer behind the one before."""
        found = [block for block in self.blocks if block.state == SPARE and block.generation > newest.generation]
        spares, last = [], newest
        for generation in sorted({block.generation for block in found}):
            same = [block for block in found if block.generation == generation]
            last = self._nearest_behind(last.number, same)
            spares.append(last)
            for block in same:
                if block is not last:
                    why = f"erased ahead: so is block {last.number} of this generation"
                    self.faults.append(Fault(INSERTED, generation, f"block {block.number}, generation {generation}, {why}"))
        return spares

    def _nearest_behind(self, number, blocks):
        """The one of these blocks that comes first behind this place, going round."""
        return min(blocks, key=lambda block: (block.number - number - 1) % len(self.blocks))

    def _link_all(self):
        """Find the blocks of the chain, going back from the newest."""
        block = self.links[0]
        while block is not None:
            if block.state == OPENED:
                self.retired.update(retired_of(block, self._is_days))
            block = self._before(block)
            if block is not None:
                self.links.insert(0, block)

    def _before(self, block):
        """The block that was opened before this one, the oldest so far; None: there is none any more."""
        header = block.header
        if header is None:
            self.is_whole = block.generation == 1
            # Half erased: what was before it had its turn already.
            return None if block in self.next_in_turn() else self._nearest(block, block.generation)
        if header.before == 0:
            self.is_whole = True
            return None
        if header.before >= block.generation:
            why = f"its header names generation {header.before} as the one before it"
            self.faults.append(Fault(ALTERED, block.generation, f"block {block.number}, generation {block.generation}: {why}"))
            return self._nearest(block, block.generation)
        named = [each for each in self.members if each.generation == header.before]
        if named:
            found = min(named, key=lambda each: (each.sha != header.sha, (block.number - each.number) % len(self.blocks)))
            found.is_proven = found.sha == header.sha
            return found
        if self._is_overwritten(block, header.before):
            return None
        nearest = self._nearest(block, header.before)
        self._say_missing(nearest, block)
        return nearest

    def _nearest(self, block, generation):
        """The newest block that is older than this generation; None if there is none but of a round before."""
        n, last = len(self.blocks), (self.links + self.spares)[-1]
        behind = between(last.number, block.number, n)
        older = [
            each
            for each in self.members
            if each.generation < generation
            and each.number in behind
            and block.generation - each.generation < (block.number - each.number) % n + n // 2
        ]
        return max(older, key=lambda each: each.generation, default=None)

    def _is_overwritten(self, block, generation):
        """True if the turn may have come again to the block of this generation, which this one, the oldest so far, names."""
        # Some of those passed over stand between the two; each cost a generation.
        n_passed = block.generation - generation - 1
        # What stands out of place is a fault by itself, it is not to make another; where two were swapped one may be seen.
        n_moved = sum(1 for each, place in zip(self.links + self.spares, self.turns()) if each.number != place)
        return len(self.lost()) <= n_passed + 2 * n_moved + self._n_turning

    def lost(self):
        """The places behind the last that was erased and before the oldest of the chain, without the retired ones."""
        places = self.turns()
        return [number for number in between(places[-1], places[0], len(self.blocks)) if number not in self.retired]

    def turns(self):
        """Where each of the chain, and of those erased ahead, should stand."""
        return turns_of([block.number for block in self.links + self.spares], len(self.blocks))

    @property
    def _n_turning(self):
        """Of how many blocks an erase may have been tried since the last that was done."""
        return 0 if len(self.spares) >= _SPARES else _MOST_FAILED + 1

    def next_in_turn(self):
        """The blocks of which one may have been half erased when the power went."""
        places = self.turns()
        # The newest is never erased.
        blocks = [self.blocks[number] for number in between(places[-1], places[len(self.links) - 1], len(self.blocks))]
        return [block for block in blocks if block.number not in self.retired][: self._n_turning]

    def _say_missing(self, nearest, block):
        generation, header = block.header.before, block.header
        first = nearest.number if nearest else (block.number - 2) % len(self.blocks)
        places = [self.blocks[number] for number in between(first, block.number, len(self.blocks))]
        there = ", ".join(f"block {place.number} is {place.state_text()}" for place in places)
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
