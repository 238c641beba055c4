"""Run by MicroPython: micropython sessions.py PORT CA. One session of the firmware for each line on standard input.

Each is answered by one line: what became of it, milliseconds, open files, and bytes of heap in use once it is collected.
"""

import asyncio
import gc
import os
import sys
import time

ROOT = __file__.rsplit("/", 3)[0]
sys.path[:] = ["", ROOT + "/tests/sim/ports", ".frozen", ROOT, ROOT + "/lib"]

from firmware.errors import LinkDown  # noqa: E402
from firmware.protocols.payload import Message  # noqa: E402
from firmware.uplink.codec import Codec  # noqa: E402
from firmware.uplink.session import Session  # noqa: E402

_N_MESSAGES = 3
_TOPIC = b"metergate/gw-test/readings"
_ACKNOWLEDGED_MS = 3000


async def _at_once(for_ms, most_ms):
    """There is no line to wait for."""
    return 0


async def one(port, ca):
    """Open a session, have three messages acknowledged, close it."""
    acknowledged = []
    woken = asyncio.Event()
    session = Session(Codec("gw-test", None, None, 60, (b"will", b"gone")), acknowledged.append, woken.set, _at_once)
    try:
        await session.open("127.0.0.1", port, "localhost", ca)
        for _ in range(_N_MESSAGES):
            message = Message(100).start("x" * 100)
            await session.send(session.packet(session.next_packet_id(), _TOPIC, message))
        while len(acknowledged) < _N_MESSAGES and not session.failed:
            woken.clear()
            await asyncio.wait_for_ms(woken.wait(), _ACKNOWLEDGED_MS)
        if session.failed:
            raise session.failed
        return "done"
    except LinkDown as error:
        return "%s: %s" % (error.stage, error.cause)
    except asyncio.TimeoutError:  # noqa: UP041 (another class on MicroPython)
        return "no acknowledgement"
    finally:
        await session.close()


def main(port, ca_file):
    with open(ca_file, "rb") as file:
        ca = file.read()
    while sys.stdin.readline():
        begun_ms = time.ticks_ms()
        try:
            said = asyncio.run(one(port, ca))
        except Exception as error:
            # What the session does not know by name is what the test looks for.
            said = "raised " + repr(error)
        took_ms = time.ticks_diff(time.ticks_ms(), begun_ms)
        n_files = len(list(os.ilistdir("/proc/self/fd")))
        gc.collect()
        print("%s\t%d\t%d\t%d" % (said, took_ms, n_files, gc.mem_alloc()))


main(int(sys.argv[1]), sys.argv[2])
