"""Slots of 8 mixed meters on one line: micropython cycle.py ROOT MODULES EVERY_S FROM_SLOT SLOTS DEAD LEFT_OUT, virtual time.

DEAD, LEFT_OUT: names, with commas between, of meters that never answer, and of such as are not there; - for none. Prints one
line of JSON: what each slot took, and what a round of the same requests takes with the usual masters.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import json
import sys

ROOT, MODULES = sys.argv[1], sys.argv[2]
EVERY_S, FROM_SLOT, SLOTS = [int(word) for word in sys.argv[3:6]]
DEAD, LEFT_OUT = [word.split(",") if word != "-" else [] for word in sys.argv[6:8]]
sys.path[:] = ["", ROOT + "/tests/sim/virtual", MODULES, ROOT, ROOT + "/lib"]

from tests.bench.board.lines import Rig, asyncio, time
from tests.bench.board.mixed import LINE, METERS
from tests.bench.board.watched import cost_of

TIMEOUT_MS = 1000
START_S = 1795276800  # 2026-11-21 16:00:00 UTC, a midnight in CST-8


def told(rig, exchanges, slot_s, busy_us):
    """What a slot took, in us."""
    needed_us, spent_us = cost_of(exchanges)
    return {
        "needed_us": needed_us,
        "spent_us": spent_us,
        "cycle_us": max([each[4] for each in rig.readings]) - rig.at_us(slot_s),
        "busy_us": busy_us,
        "requests": len(exchanges),
        "readings": len(rig.readings),
    }


class Plain:
    """A master without a poll's ways, on our line in our place: it asks for the same, one request after the other.

    A reply is over at its last byte (length), after silence_ms without another byte, or wait_ms after the request; pause_ms
    passes after each. A meter that is dead is waited for as long as ours waits at most, and asked n_tries times."""

    def __init__(self, line, length=False, silence_ms=0, wait_ms=0, pause_ms=0, n_tries=1):
        self.line = line
        self.length = length
        self.silence_ms = silence_ms
        self.wait_ms = wait_ms
        self.pause_ms = pause_ms
        self.n_tries = n_tries

    async def round(self, items):
        """How long it takes to ask for all items: (settings, request, bytes of the reply, 0: dead)."""
        begun_us = rig.world.now_us
        for settings, request, n_reply in items:
            for _ in range(1 if n_reply else self.n_tries):
                await self.ask(settings, request, n_reply)
        return rig.world.now_us - begun_us

    async def ask(self, settings, request, n_reply):
        uart, drive = self.line._uart, self.line._drive
        self.line.set(settings)
        drive(True)
        uart.write(request)
        while not uart.txdone():
            pass
        drive(False)
        buf = bytearray(256)
        begun_ms = heard_ms = time.ticks_ms()
        n = 0
        while True:
            found = uart.readinto(buf, uart.any())
            now_ms = time.ticks_ms()
            if found:
                n, heard_ms = n + found, now_ms
            if self.wait_ms:
                over = time.ticks_diff(now_ms, begun_ms) >= self.wait_ms
            elif not n_reply:
                over = time.ticks_diff(now_ms, begun_ms) >= TIMEOUT_MS
            elif self.length:
                over = n >= n_reply
            else:
                over = n and time.ticks_diff(now_ms, heard_ms) >= self.silence_ms
            if over:
                break
            await asyncio.sleep_ms(1)
        if n != n_reply:
            raise ValueError(bytes(buf[:n]))
        await asyncio.sleep_ms(self.pause_ms)


async def plain_rounds(items):
    """What a round takes with each of the usual masters, and with dead meters beside, in us."""
    line = rig.lines[0]
    dead = [
        (rig.meters[i].settings, rig.meters[i].blocks[0].request, 0) for i in range(len(METERS)) if METERS[i]["name"] in DEAD
    ]
    async with line.turn:
        found = {
            "pause 50": await Plain(line, length=True, pause_ms=50).round(items),
            "pause 100": await Plain(line, length=True, pause_ms=100).round(items),
            "silence 50": await Plain(line, silence_ms=50).round(items),
            "wait 500": await Plain(line, wait_ms=500).round(items),
        }
        if DEAD:
            patient = Plain(line, length=True, pause_ms=5, n_tries=3)
            found["alive"] = await patient.round(items)
            found["dead 3"] = await patient.round(items + dead)
            found["dead 1"] = await Plain(line, length=True, pause_ms=5).round(items + dead)
    return found


rig = Rig([LINE], [dict(row, every_s=EVERY_S) for row in METERS if row["name"] not in LEFT_OUT], start_s=START_S - 10)
for name in DEAD:
    rig.slaves[name].dead = True
rig.poll()
rig.run_until(START_S + FROM_SLOT * EVERY_S - 1)
watch = rig.watches["A"]
watch.is_on = True
slots = []
items = []
for number in range(FROM_SLOT, FROM_SLOT + SLOTS):
    watch.exchanges.clear()
    rig.readings.clear()
    busy_us = rig.busy_us
    rig.run_until(START_S + (number + 1) * EVERY_S - 1)
    slots.append(told(rig, watch.exchanges, START_S + number * EVERY_S, rig.busy_us - busy_us))
    items = items or [(each.settings, each.request, len(each.reply)) for each in watch.exchanges if each.reply]
print(json.dumps({"slots": slots, "plain_us": asyncio.run(plain_rounds(items)), "items": len(items)}))
