"""Meters that are asked all at once, by a number of A alone, and are told apart where they answer into one another.

DL/T 645 and CJ/T 188 take A for any digit; the last digits are tried first. Loaded only while a person scans.
"""

from micropython import const

from firmware.meters import scan as scanning
from firmware.texts import settings_text

# A meter may take 500 ms (DL/T 645-2007, 5.2.6), and another may answer behind it.
WAIT_MS = const(600)
_QUIET_MS = const(400)
_SPLIT_QUIET_MS = const(200)
_LEAST_WAIT_MS = const(200)
_REQUEST_BYTES = const(20)
_REPLY_BYTES = const(63)
# Fewer bytes than these that are no frame were noise, not several meters at once.
GARBLED_BYTES = const(3)
# Meters whose answers fall into one another are told apart by digits: groups of one beginning that are looked into.
_MOST_GROUPS = const(8)
# More garbled answers than meters on a line can give: noise.
_MOST_GARBLED = const(16)
# A number that no meter has: what answers to it is noise.
_NOBODY = "98765432109876"


def wild_ms(settings, n_wake):
    """What an ask takes at most that any meter may answer."""
    return scanning.ask_ms(settings, n_wake + _REQUEST_BYTES + _REPLY_BYTES, WAIT_MS + _QUIET_MS)


async def ask_all(n_digits, is_garbled):
    """Ask all meters at once, once more if they answer into one another; True if they did twice.

    is_garbled(number, wait_ms, quiet_ms): a coroutine that asks for a number with A for any, keeps what it finds, and
    gives whether more was heard than frames."""
    for _ in range(2):
        if not await is_garbled("A" * n_digits, WAIT_MS, _QUIET_MS):
            return False
    return True


async def wild(scan, settings, n_digits, is_garbled):
    """The same; False too where somebody answers though nobody is asked."""
    if not await ask_all(n_digits, is_garbled):
        return False
    delay_ms = scan.delay_ms
    if await is_garbled(_NOBODY[:n_digits], WAIT_MS, _QUIET_MS):
        await scan.say("noise at %s: what is heard is no meter" % settings_text(settings))
        return False
    scan.delay_ms = delay_ms
    return True


async def split(scan, settings, n_digits, is_garbled):
    """Tell meters apart whose answers fall into one another, by the last digits of their numbers first."""
    wait_ms = WAIT_MS if scan.delay_ms is None else min(WAIT_MS, max(_LEAST_WAIT_MS, 2 * scan.delay_ms + 100))
    heard_ms = _REPLY_BYTES * scanning.char_us(settings) // 1000 + _SPLIT_QUIET_MS
    # Where a meter answers it takes longer: of a hundred, a quarter may.
    group_ms = 100 * scanning.ask_ms(settings, len(scan.wake) + _REQUEST_BYTES, wait_ms) + 25 * heard_ms
    todo = [""]
    n_before = len(scan.finds)
    for _ in range(_MOST_GROUPS):
        if not todo:
            break
        tail = todo.pop(0)
        scan.allow(scanning.said_ms(group_ms))
        which = "those whose numbers end in %s" % tail if tail else "them"
        await scan.say("several meters answer at once: telling %s apart takes up to %s" % (which, scanning.span_text(group_ms)))
        todo += await _split_group(scan, n_digits, tail, wait_ms, is_garbled)
    if todo:
        await scan.say("more meters than can be told apart; their numbers end in %s" % ", ".join(todo))
    elif len(scan.finds) == n_before:
        await scan.say("they do not answer to parts of a number: connect them one by one")


async def _split_group(scan, n_digits, tail, wait_ms, is_garbled):
    """Ask for all numbers that go on with two digits before tail; those tails that several meters answer to."""
    several = []
    doing = scan.doing
    for i in range(100):
        digits = "%02d" % i + tail
        number = "A" * (n_digits - len(digits)) + digits
        scan.doing = "%s, numbers that end in %s" % (doing, digits)
        for _ in range(2):
            if not await is_garbled(number, wait_ms, _SPLIT_QUIET_MS):
                break
        else:
            several.append(digits)
            if len(digits) == n_digits:
                await scan.say("two meters have the number %s: connect them one by one" % digits)
        if len(several) > _MOST_GARBLED:
            await scan.say("more noise than answers: meters cannot be told apart here")
            break
    scan.doing = doing
    return [] if len(tail) + 2 == n_digits or len(several) > _MOST_GARBLED else several
