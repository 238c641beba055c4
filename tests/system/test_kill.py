"""The plug is pulled at random moments: what was stored stays, and the seqs go on without a hole."""

import random
import time

from conftest import THREE, config, uplink
from test_whole import delivered

from metergate.image import read_image
from metergate.processes import wait_for

_KILLS = 50


def _same(a, b):
    return vars(a) == vars(b)


def test_fifty_kills_lose_no_stored_record(gateway, broker, receiver):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    moments = random.Random(seed)
    unit = gateway(config(THREE, [uplink(broker.port)]), ring_blocks=16)
    known = {}
    for _ in range(_KILLS):
        time.sleep(moments.uniform(0.05, 1.8))
        unit.kill()
        if unit.ring.exists():
            known = _checked(known, read_image(unit.ring)[1])
        unit.start()
    assert len(known) > 2 * _KILLS
    wait_for(lambda: delivered(receiver) >= set(known), 30, "everything stored is delivered")


def _checked(known, records):
    """{seq: record} of the flash now; every record known before must stand in it unchanged, without a hole."""
    now = dict(records)
    assert list(now) == list(range(1, len(now) + 1))
    assert None not in now.values()
    for seq, record in known.items():
        assert _same(now[seq], record), seq
    return now
