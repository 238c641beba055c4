"""`export binary`: the flash's blocks as they are, in base64. SPEC.md, "Export"."""

import binascii

from micropython import const

from firmware.errors import CommandError
from firmware.store.block import HEADER_BYTES, MARK_BYTES
from firmware.store.blocks import Blocks
from firmware.texts import is_digits

_USAGE = "write: export binary [days] [heads], or export binary [days] [BLOCK [COUNT]]"
# Read, coded and shown at once: whole groups of three bytes, of which base64 makes 128 characters.
_PART_BYTES = const(96)


async def export_blocks(app, words, say):
    is_days = words[:1] == ["days"]
    words = words[1:] if is_days else words
    ring, blocks = _region(app, is_days)
    n_bytes, first, count = blocks.bytes, 0, blocks.n
    if words == ["heads"]:
        n_bytes = HEADER_BYTES
    elif len(words) > 2 or not all(is_digits(word) for word in words):
        raise CommandError(_USAGE)
    elif words:
        first = int(words[0])
        count = int(words[1]) if len(words) > 1 else blocks.n - first
    if first >= blocks.n or first + count > blocks.n:
        raise CommandError("there are %d blocks, 0 to %d" % (blocks.n, blocks.n - 1))
    await say("# %s, %d blocks of %d bytes" % ("days" if is_days else "ring", blocks.n, blocks.bytes))
    buf = memoryview(bytearray(_PART_BYTES))
    for block in range(first, first + count):
        await _block(ring, blocks, block, n_bytes, buf, say)
    await say("# end")


def _region(app, is_days):
    """(ring, its Blocks); in safe mode there is no ring: None."""
    if app.log is None:
        device = app.board.days_device() if is_days else app.board.ring_device()
        if device:
            return None, Blocks(device)
    elif not is_days:
        return app.ring, app.ring.blocks
    elif app.log.archive:
        return app.log.archive.ring, app.log.archive.ring.blocks
    raise CommandError("there is no region `days` in use")


async def _block(ring, blocks, block, n_bytes, buf, say):
    """One line: its number, its first n_bytes in base64, their CRC-32."""
    if blocks.is_erased(block, 0):
        await say("%d -" % block)
        return
    mark = bytearray(MARK_BYTES)
    blocks.read(block, mark)
    end = _written_end(ring, blocks, block)
    crc = 0
    before = "%d " % block
    for offset in range(0, n_bytes, _PART_BYTES):
        part = buf[: min(_PART_BYTES, n_bytes - offset)]
        blocks.read(block, part, offset)
        at = max(0, end - offset)
        if at < len(part):
            part[at:] = b"\xff" * (len(part) - at)
        crc = binascii.crc32(part, crc)
        await say(before + str(binascii.b2a_base64(part)[:-1], "ascii"), "")
        before = ""
    again = bytearray(MARK_BYTES)
    blocks.read(block, again)
    # It was erased meanwhile: no CRC, so that it is asked again.
    await say(" %08x" % crc if again == mark else " changed")


def _written_end(ring, blocks, block):
    """Up to where a block is written: what is appended while it is shown is left out, or half of it might be shown."""
    if ring is None:
        return blocks.bytes
    if block == ring.block:
        return ring.offset
    if block in [spare for spare, _ in ring.spares]:
        return MARK_BYTES
    return blocks.bytes
