"""The 8 mixed meters in real time: micropython cyclereal.py ROOT EVERY_S SLOTS, in a folder with sim.json.

Prints one line of JSON: how many readings were stored.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import json
import sys

ROOT, EVERY_S, SLOTS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.path[:] = ["", ROOT + "/tests/sim/ports", ".frozen", ROOT, ROOT + "/lib"]

import asyncio

from firmware import board, clock, config, plan
from firmware.app import _equipment as equipment
from firmware.meters.poll import Poll
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.bench.board.mixed import LINE, METERS
from tests.sim.flash import NorFlash

raw = {"gateway": {"id": "gw-bench", "zone": "CST-8"}, "lines": [LINE]}
parsed = plan.check(config.parse(dict(raw, meters=[dict(row, every_s=EVERY_S) for row in METERS])))
lines, meters = equipment(board, parsed)
log = Log(Ring(NorFlash(16), clock.now_s), parsed.gateway.zone, parsed.hash, [meter.names() for meter in meters])
log.open()
readings = []
log.reading = lambda *found, reading=log.reading: (readings.append(found), reading(*found))
poll = Poll(lines[0], list(enumerate(meters)), log, parsed.gateway.zone, clock.now_s, ())


async def run():
    now_s = clock.now_s()
    poll.start(log.resume(now_s))
    asyncio.create_task(poll.run_poll())
    # Up to a moment at which a slot is long over.
    end_ms = (now_s // EVERY_S + 1 + SLOTS) * EVERY_S * 1000 - 100
    await asyncio.sleep_ms(end_ms - clock.now_ms())


asyncio.run(run())
print(json.dumps(len(readings)))
