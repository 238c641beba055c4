"""`metergate audit`: whether a log is as it was written: its chain of hashes, and the check of every record."""

import hashlib
from collections import Counter

from firmware.errors import StoreError
from firmware.protocols import record
from metergate.chain import Chain
from metergate.chainblock import BLANK, CUT, HEADLESS, OPENED, OTHER, SPARE, UNMARKED, seqs_text, times_text
from metergate.export import UNREADABLE
from metergate.image import WHERE, image_of, is_archive

_KINDS = {record.READING: "readings", record.MISS: "misses", record.DAY: "days", record.EVENT: "events"}
_KINDS[record.CHANGE] = "changes"
_STATES = {SPARE: "erased ahead", BLANK: "blank", CUT: "cut when it was opened", OTHER: "of another log"}
_STATES[UNMARKED] = "without a mark"


def main(path, offset=None, is_days=False):
    """Print what was found; the exit status: 0 if everything holds, 3 if not. ConfigError, RuntimeError."""
    image = image_of(path, offset, is_days)
    try:
        chain = Chain(image, is_archive(image))
    except StoreError as error:
        # What the firmware's message says of `format` is not for a PC.
        raise RuntimeError(f"no log in this file: {error.args[0]}; {WHERE}") from None
    for line in _lines(chain, image):
        print(line)
    return UNREADABLE if chain.faults or image.fault else 0


def _lines(chain, image):
    if image.fault:
        yield image.fault
    if chain.faults:
        first = chain.faults[0]
        yield f"first fault: {first.kind}: {first.text}"
        yield f"{len(chain.faults)} faults, oldest first" if len(chain.faults) > 1 else "no other fault"
        if len(chain.faults) > 1:
            for fault in chain.faults:
                yield f"  {fault.kind:<13} {fault.text}"
    elif chain.doubtful:
        numbers = ", ".join(map(str, sorted(chain.doubtful)))
        yield f"no fault is found, but of block {numbers} it cannot be told, see below; all else is as it was written"
    else:
        yield "every block and every record is as it was written, as far as can be known"
    yield "cannot be known"
    for text in (*chain.doubtful.values(), *chain.unknown):
        yield f"  {text}"
    yield from _summary(chain)


def _summary(chain):
    links = chain.links
    counts = Counter()
    for block in links:
        counts.update(block.counts)
    states = Counter(block.state for block in chain.blocks)
    n_out = states[OPENED] + states[HEADLESS] - len(links)
    others = [f"{states[state]} {text}" for state, text in _STATES.items() if states[state]]
    others += [f"{n_out} not in the chain"] if n_out else []
    others += [f"retired: {', '.join(map(str, sorted(chain.retired)))}"] if chain.retired else []
    times = [block for block in links if block.min_s is not None]
    n_proven = sum(1 for block in links if block.is_proven)
    yield f"log       {chain.log}"
    yield f"blocks    {len(chain.blocks)}: {', '.join([f'{len(links)} in the chain', *others])}"
    begin = "from the log's first block on" if chain.is_whole else "those before it are overwritten, by their turn"
    proven = f"{n_proven} of {len(links)} blocks named by a hash"
    yield f"chain     generation {links[0].generation} to {links[-1].generation}, {proven}, {begin}"
    yield f"records   {sum(counts.values())}" + "".join(f", {_KINDS[kind]} {counts[kind]}" for kind in _KINDS if counts[kind])
    yield f"seqs      {seqs_text(links[0].first_seq, links[-1].next_seq).removeprefix('seq ')}"
    if times:
        span = times_text(min(block.min_s for block in times), max(block.max_s for block in times))
        yield f"times     {span.removeprefix(', ')}"
    head = hashlib.sha256(links[-1].bytes).hexdigest()
    yield f"head      {head}, block {links[-1].number}, generation {links[-1].generation}"
