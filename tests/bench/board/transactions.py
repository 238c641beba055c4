"""Readings of an SDM630 with all its points: micropython transactions.py ROOT GAP MOST N, in a folder with sim.json.

GAP, MOST: what a request may hold, or - as the profile has it. Prints the points of a reading, once N were taken.
"""

# The path is set before what is found by it.
# ruff: noqa: E402

import json
import sys

ROOT, GAP, MOST, N = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
sys.path[:] = ["", ROOT + "/tests/sim/ports", ".frozen", ROOT, ROOT + "/lib"]

import asyncio

import machine

from firmware.bus.line import Line
from firmware.config import parse
from firmware.meters import equip, profiles

NAME = "sdm630"


def section_of(points):
    meter = {"name": "main", "line": "A", "protocol": "modbus", "unit": 1, "profile": NAME, "settings": "115200 8N1"}
    meter["points"] = points
    lines = [{"name": "A", "uart": 1, "tx": 17, "rx": 16}]
    return parse({"gateway": {"id": "gw-bench", "zone": "UTC0"}, "lines": lines, "meters": [meter]}).meters[0]


async def run(meter):
    for _ in range(N):
        values, complete = await meter.read()
        if not complete:
            raise ValueError(values)


profile = profiles.profile_of(NAME)
if GAP != "-":
    profile.gap, profile.most = int(GAP), int(MOST)
points = profile.readable()
line = Line("A", machine.UART(1, rxbuf=512))
asyncio.run(run(equip.meter_of(section_of(points), line, equip.asking_of("modbus"), {NAME: profile})))
print(json.dumps(len(points)))
