"""A midnight of 32 meters on one line at 2400 baud: micropython midnight.py ROOT MODULES HOW, in virtual time.

HOW: registers first, as the firmware has it, or whole: each meter's points together. Prints one line of JSON: when the last
register of the slot at midnight was read, and when its last reading was stored.
"""

# The path is set before what is found by it.
# The virtual ports come before what uses them.
# ruff: noqa: E402, I001

import json
import sys

ROOT, MODULES, HOW = sys.argv[1:4]
sys.path[:] = ["", ROOT + "/tests/sim/virtual", MODULES, ROOT, ROOT + "/lib"]

from tests.bench.board.lines import Rig
from tests.bench.board.mixed import LINE, of_midnight
from firmware.meters.meter import Meter

if HOW == "whole":
    Meter._holds_register = lambda meter, block: True
SLOT_S = 900
MIDNIGHT_S = 1795276800  # 2026-11-21 16:00:00 UTC, a midnight in CST-8

rig = Rig([LINE], of_midnight(SLOT_S), start_s=MIDNIGHT_S - 2 * SLOT_S - 10)
rig.poll()
# Two slots before, so that what is learned of the meters is known.
rig.run_until(MIDNIGHT_S - 1)
registers_us = []
for _, meter in rig.polls[0]._meters:
    read_part = meter.read_part

    async def watched(values, registers, is_probe, read_part=read_part):
        found = await read_part(values, registers, is_probe)
        if registers:
            registers_us.append(rig.world.now_us)
        return found

    meter.read_part = watched
watch = rig.watches["A"]
watch.is_on = True
rig.readings.clear()
rig.run_until(MIDNIGHT_S + SLOT_S - 1)
begun_us = rig.at_us(MIDNIGHT_S)
found = {
    "registers_us": max(registers_us) - begun_us,
    "stored_us": max([each[4] for each in rig.readings]) - begun_us,
    "needed_us": sum([each.needed_us for each in watch.exchanges]),
    "meters": len(registers_us),
    "readings": len(rig.readings),
    "values": sum([len(each[3]) - each[3].count(None) for each in rig.readings]),
    "requests": len(watch.exchanges),
    "late_s": max([each[2] for each in rig.readings]) - MIDNIGHT_S,
}
print(json.dumps(found))
