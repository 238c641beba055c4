"""The command format: gives up what stands in a region of the flash and begins a ring there. Loaded when typed."""

from firmware.clock import now_s
from firmware.errors import CommandError, StoreError
from firmware.store.ring import Ring
from firmware.upkeep import ERASE_MS, ERASE_WAIT_MS

_USAGE = "write: format ring, or format days, to see what stands there; format ring confirmed to give it up"


_NOTHING = "nothing stands there; a ring is begun by itself"


async def format_region(app, words, say):
    if words[:1] not in (["ring"], ["days"]) or words[1:] not in ([], ["confirmed"]):
        raise CommandError(_USAGE)
    name = words[0]
    if app.log and (name == "ring" or app.log.archive):
        raise CommandError("%s is in use, and what is in it is not given up; `export` shows it" % name)
    device = app.board.ring_device() if name == "ring" else app.board.days_device()
    if device is None:
        raise CommandError("the partition table has no partition %s" % name)
    ring = Ring(device, now_s)
    if words[1:]:
        if app.log:
            # An erase stands still for all.
            await app.quiet.wait(ERASE_MS, ERASE_WAIT_MS)
        ring.mount(True)
        _begin(ring)
        await say("%s holds a new log, %s, and nothing else any more; `restart` takes it up" % (name, ring.log))
        return
    held = _held(ring)
    await say(held)
    if held == _NOTHING:
        return
    await say("to give that up for ever: format %s confirmed" % name)


def _held(ring):
    try:
        if ring.mount():
            return _NOTHING
    except StoreError as error:
        return error.args[0]
    return "a ring, log %s, records %d..%d" % (ring.log, ring.first_seq, ring.next_seq - 1)


def _begin(ring):
    """Erase a block: its mark says what begins there."""
    for _ in range(ring.blocks.n - 1):
        try:
            ring.prepare()
            return
        except OSError:
            # Retired; the next one may do.
            continue
    ring.prepare()
