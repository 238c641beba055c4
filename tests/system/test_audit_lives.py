"""`metergate audit` over many lives: no fault in an honest one, whatever was cut or failed; whatever is changed then is one.

What cannot be told is listed here by name, and has to be among what the audit says it cannot know."""

import random
import re

import pytest
from images import BLOCK, T0, Image, block_of, forged, heading, put_block

from firmware.store.block import HEADER_BYTES, MARK_BYTES
from firmware.store.ring import Ring
from metergate.chain import Chain
from metergate.chainblock import OPENED
from metergate.image import FileImage
from tests.sim.flash import Cut

_LIVES = 70
_STARTS = 8
# Of the longest record in these images.
LAST_BYTES = 360


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.bin"


def audited(path, data):
    path.write_bytes(data)
    return Chain(FileImage(path))


def life(seed):
    """The images that a ring leaves, one for each start; the seed says which cuts, and blocks that refuse or do not keep."""
    draw = random.Random(seed)
    n_blocks = draw.choice((4, 5, 6, 8, 12, 16))
    image = Image(n_blocks, draw.randrange(1, 60 * n_blocks), seed=seed)
    flash = image.flash
    flash.any_order, has_cuts = draw.random() < 0.3, draw.random() < 0.8
    fails = draw.choice((None, flash.bad, flash.worn))
    for _ in range(_STARTS):
        failing = (flash.bad | flash.worn) - set(image.ring.blocks.retired)
        # Of more than two that fail before it is noted the audit makes no secret: it knows them from no change.
        if fails is not None and draw.random() < 0.4 and len(failing) < 2 and len(flash.bad | flash.worn) < n_blocks - 4:
            fails.add(draw.randrange(n_blocks))
        if has_cuts:
            flash.cut_in_erase = draw.choice((None, 0, 1, 2))
            flash.cut_after = draw.randrange(9000)
        live(image, draw.randrange(5, 100))
        flash.power_on()
        yield image
        image.ring = Ring(flash, lambda: T0)
        image.ring.heading = heading
        image.ring.mount()


def live(image, n):
    """Store n records; less if the power goes."""
    for _ in range(n):
        try:
            image.add(1)
        except OSError:
            # A block failed: the firmware goes on with the next.
            pass
        except Cut:
            return


# -- what is changed: each takes (draw, data, chain, block), changes data, and returns blocks: one of them has to be named --


def flip(draw, data, _, block):
    """One bit of what the ring wrote, but not of the newest record: that is as if a power cut had torn it."""
    data[block.number * BLOCK + draw.randrange(max(HEADER_BYTES, block.end - LAST_BYTES))] ^= 1 << draw.randrange(8)
    return [block]


def flip_mark(draw, data, _, block):
    data[block.number * BLOCK + draw.randrange(MARK_BYTES)] ^= 1 << draw.randrange(8)
    return [block]


def flip_header(draw, data, _, block):
    data[block.number * BLOCK + draw.randrange(MARK_BYTES, HEADER_BYTES)] ^= 1 << draw.randrange(8)
    return [block]


def rewrite_header(_, data, __, block):
    """All checks right."""
    put_block(data, block.number, forged(block_of(data, block.number), opened_s=1795000000))
    return [block]


def blank(_, data, __, block):
    put_block(data, block.number, b"\xff" * BLOCK)
    return [block]


def zero(_, data, __, block):
    put_block(data, block.number, bytes(BLOCK))
    return [block]


def copy_over(draw, data, chain, block):
    """Another one's bytes instead of its own."""
    other = draw.choice([each for each in chain.links + chain.spares if each is not block])
    put_block(data, block.number, block_of(data, other.number))
    return [block, other]


def swap(draw, data, chain, block):
    other = draw.choice([each for each in chain.links + chain.spares if each is not block])
    a, b = block_of(data, block.number), block_of(data, other.number)
    put_block(data, block.number, b)
    put_block(data, other.number, a)
    row = chain.links + chain.spares
    # Of a few in a round, any two may have been swapped.
    return [block, other] if len(row) > 5 else row


def cut_out(_, data, chain, block):
    """Taken out, the rest moved up, and a blank one at the end."""
    at = block.number * BLOCK
    del data[at : at + BLOCK]
    data += b"\xff" * BLOCK
    return [block, chain.blocks[-1]]


def push_in(draw, data, chain, block):
    """A copy of one before it, the rest moved on."""
    at = block.number * BLOCK
    data[at:at] = block_of(data, draw.choice(chain.links).number)
    return chain.links


CHANGES = (flip, flip_mark, flip_header, rewrite_header, blank, zero, copy_over, swap, cut_out, push_in)


def is_named(chain, blocks, all_faults):
    """True if the first fault, or one of all, names one of these: by its number, or by its generation if it is missing."""
    text = " ".join(fault.text for fault in chain.faults[: None if all_faults else 1])
    numbers = {int(number) for number in re.findall(r"block (\d+)", text)}
    generations = {int(number) for number in re.findall(r"generation (\d+)", text)}
    return any(block.number in numbers or block.generation in generations for block in blocks)


def cannot_be_told(change, chain, block):
    """Why such a change of an honest image may leave one that is honest as well; None: it does not."""
    if change is swap and len(chain.links + chain.spares) == 2:
        return "of two in a round each stands behind the other"
    if block is chain.links[-1]:
        if change in (blank, zero, cut_out):
            return "the newest block taken away: as if it could not be erased, or was never used"
        if change is rewrite_header:
            return "the newest block written anew with all checks right: no block names its hash yet"
        return None
    if block.number in turning(chain):
        return "next in turn: as if an erase had been cut"
    behind = chain.links[chain.links.index(block) + 1]
    # What is cut out makes place for that one.
    lost = rest_of_turn(chain, block if change is cut_out else behind)
    if len(lost) <= behind.generation - block.generation - 1 + len(turning(chain)):
        return "the oldest, before a block that an erase failed for: as if that had failed here, and this one had been before"
    if change is cut_out and block is chain.links[0] and chain.retired:
        return "the oldest, all behind it moved up into its place: the one put in at the end as if it had failed"
    return None


def rest_of_turn(chain, block):
    """The places behind the last that was erased and before this block, without the retired ones."""
    n, last = len(chain.blocks), (chain.links + chain.spares)[-1].number
    numbers = [(last + i) % n for i in range(1, (block.number - last) % n or n)]
    return [number for number in numbers if number not in chain.retired]


def turning(chain):
    """The three blocks of which one may be being erased, while fewer than two are erased ahead: the others may have failed."""
    return [] if len(chain.spares) > 1 else rest_of_turn(chain, chain.links[-1])[:3]


def test_no_honest_life_has_a_fault(path):
    n_doubtful = 0
    for seed in range(_LIVES):
        for start, image in enumerate(life(seed)):
            chain = audited(path, image.bytes)
            assert not chain.faults, (seed, start, chain.faults[0])
            n_doubtful += bool(chain.doubtful)
    # Most images leave no doubt either.
    assert n_doubtful < _LIVES * _STARTS * 0.4


def test_every_change_of_an_honest_life_is_a_fault_that_names_it(path):
    for seed in range(_LIVES):
        draw = random.Random(seed)
        image = draw.choice([bytes(image.bytes) for image in life(seed)])
        chain = audited(path, image)
        if len(chain.links) < 2:
            continue
        for change in CHANGES:
            check_change(path, draw, image, chain, change, seed)


def check_change(path, draw, image, chain, change, seed):
    block = draw.choice([each for each in chain.links if each.state == OPENED and not each.is_remarked])
    data = bytearray(image)
    named = change(draw, data, chain, block)
    if data == image:
        return
    changed = audited(path, data)
    why = seed, change.__name__, block.number, changed.faults, changed.doubtful, changed.unknown
    if block is chain.links[-1] and any("no record" in text for text in changed.unknown):
        # As if a cut had torn what was written last.
        return
    if cannot_be_told(change, chain, block):
        # Of the newest block, and of retired ones, it is always said.
        said = changed.doubtful or any(text.startswith("retired") for text in changed.unknown)
        assert changed.faults or said or chain.links[-1] in (block, *named), why
    else:
        # Where retired blocks, or the newest, are not where they were, the first fault may be what follows from that.
        all_faults = chain.doubtful or change is swap or change is cut_out and chain.retired
        assert changed.faults and is_named(changed, named, all_faults), why
