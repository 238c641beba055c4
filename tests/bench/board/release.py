"""How late the driver is released: micropython release.py ROOT MODULES TRANSMISSIONS SEED HOW, in virtual time.

HOW: spun, as the firmware has it, or asleep: until the last byte should have left, and then as the loop comes to it. Two lines
send at once, at other settings each time, while flash is erased, TLS computes and other tasks take the loop, all as the gateway
has it. Prints one line of JSON.
"""

# The path is set before what is found by it.
# The virtual ports come before what uses them.
# ruff: noqa: E402, I001

import json
import sys

ROOT, MODULES = sys.argv[1], sys.argv[2]
N, SEED, HOW = int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
sys.path[:] = ["", ROOT + "/tests/sim/virtual", MODULES, ROOT, ROOT + "/lib"]

from tests.bench.board.lines import ERASE_MS, ERASE_WAIT_MS, Rig, asyncio, clock
from tests.bench.board.mixed import LINE
from firmware.bus.line import Line
from firmware.meters.quiet import Quiet
from tests.sim.chars import span_us
from tests.sim.flash import ERASE_US
from tests.sim.seeded import Seeded

SETTINGS = ((2400, 8, 0, 1), (9600, 8, None, 1), (19200, 8, 0, 1), (115200, 8, None, 1))
SHORTEST, LONGEST = 8, 30
# As firmware/uplink/session.py has them.
STEP_MS, PATIENCE_MS = 500, 10000
# What a step of a TLS handshake takes, and how many a handshake has.
STALL_US = 400000
STEPS = 5
MOST_BLOCKED_US = 5000
TASKS = 2


class Released:
    """What a line's driver did: lateness of each release, by baud rate, in 1000ths of a character."""

    def __init__(self, wire):
        self.late = {settings[0]: [] for settings in SETTINGS}
        self.early = 0
        drive = wire.drive

        def watched(on, now_us):
            if not on and wire._drives and wire._drives[-1][1] is None:
                late_us = now_us - wire.sent_us()
                self.early += late_us < 0
                self.late[wire.settings[0]].append(late_us * 1000 // span_us(wire.settings, 1))
            drive(on, now_us)

        wire.drive = watched


async def send(line, mine, dice, n):
    """n transmissions of line number mine, at another baud rate each, and than that of the other line."""
    k = 0
    for i in range(n):
        k += 2 if SETTINGS[(k + 1) % len(SETTINGS)] == newest[1 - mine] else 1
        newest[mine] = settings = SETTINGS[k % len(SETTINGS)]
        # Nobody answers: the line listens for as long as a reply would take.
        await line.ask(settings, dice.bytes(dice.between(SHORTEST, LONGEST)), dice.between(5, 60))
        counts["transmissions"] += 1
        # Every other five hundred without a pause: a handshake does not find a quiet moment in ten seconds then.
        await asyncio.sleep_ms(dice.below(60) if i // 500 % 2 else 0)


async def erase(rig, quiet, dice):
    while True:
        await asyncio.sleep_ms(dice.between(200, 2000))
        await quiet.wait(ERASE_MS, ERASE_WAIT_MS)
        await rig.erase(lambda: rig.world.spend(ERASE_US))
        counts["erases"] += 1


async def shake(rig, quiet, dice):
    """Handshakes as uplink/session.py has them."""
    while True:
        await asyncio.sleep_ms(dice.between(100, 3000))
        patience_ms = PATIENCE_MS
        for _ in range(STEPS):
            patience_ms -= await quiet.wait(STEP_MS, patience_ms)
            counts["impatient"] += patience_ms <= 0
            rig.world.spend(STALL_US)
            counts["stalls"] += 1
            await asyncio.sleep_ms(20)


async def block(rig, dice):
    """A task of the usual kind, which computes for up to 5 ms at a time."""
    while True:
        await asyncio.sleep_ms(dice.below(30))
        rig.world.spend(dice.below(MOST_BLOCKED_US + 1))
        counts["blocked"] += 1


async def send_asleep(line, request, n):
    """What a line without spinning does in place of ours."""
    line._drive(True)
    line._uart.write(memoryview(request)[:n])
    await asyncio.sleep_ms(n * line._char_us // 1000)
    while not line._uart.txdone():
        await asyncio.sleep_ms(0)
    line._drive(False)


async def run():
    quiet = Quiet(rig.lines, [], clock.now_ms)
    tasks = [asyncio.create_task(erase(rig, quiet, Seeded(SEED + 1))), asyncio.create_task(shake(rig, quiet, Seeded(SEED + 2)))]
    tasks += [asyncio.create_task(block(rig, Seeded(SEED + 10 + i))) for i in range(TASKS)]
    await asyncio.gather(*[send(rig.lines[i], i, Seeded(SEED + 20 + i), N // 2) for i in range(2)])


rig = Rig([LINE, {"name": "B", "uart": 2, "tx": 19, "rx": 18, "de": 5}], [], seed=SEED)
# Of each line, the settings it was given last.
newest = [None, None]
counts = {"transmissions": 0, "erases": 0, "stalls": 0, "impatient": 0, "blocked": 0}
if HOW == "asleep":
    Line._send = send_asleep
released = [Released(wire) for wire in rig.wires.values()]
asyncio.run(run())
late = {baud: sorted(released[0].late[baud] + released[1].late[baud]) for baud, _, _, _ in SETTINGS}
counts["lost_tail"] = sum([wire.counts["lost_tail"] for wire in rig.wires.values()])
counts["lost_undriven"] = sum([wire.counts["lost_undriven"] for wire in rig.wires.values()])
counts["early"] = sum([each.early for each in released])
found = {
    baud: {"most": each[-1], "p99": each[len(each) * 99 // 100], "mean": sum(each) // len(each)} for baud, each in late.items()
}
found_late = {baud: sum([each >= 1000 for each in late[baud]]) for baud in late}
print(json.dumps({"late": found, "n_late": found_late, "counts": counts}))
