"""What the bench of the store stores: 8 meters of a plant, read every 15 minutes as a gateway reads them, and its log."""

from firmware.clock import Zone
from firmware.protocols import record
from firmware.store.archive import Archive
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.dayload import DayLoad
from tests.sim.flash import NorFlash
from tests.sim.seeded import Seeded

SLOT_S = 900
START_S = 1795276800  # 2026-11-21 16:00:00 UTC, a midnight in CST-8
POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 3, record.GAUGE))
CENTRES = ("centre", "owner")
# The region of daily summaries, as the boards' partition table has it: 256 KiB.
DAYS_BLOCKS = 64
_ZONE = "CST-8"
_ZONE_S = 28800
# Shape, mean power in W, Wh that it had counted before.
_LOADS = (
    ("house", 600, 4120330),
    ("house", 3000, 18450120),
    ("shop", 8000, 95310000),
    ("shop", 20000, 61200450),
    ("factory", 35000, 873400000),
    ("factory", 60000, 1523000700),
    ("pump", 7500, 30211980),
    ("heating", 12000, 44700300),
)
METERS = len(_LOADS)
# A reply is there so long after the one before: each meter's own time, and more or less by up to this.
_TURN_MS = (1150, 1250, 1350, 1450, 1550, 1650, 1750, 1850)
_JITTER_MS = 150
# What a poll does before its first reading.
_BEFORE_MS = 1000


class Plant:
    """The meters; slot(number) -> (slot_s, [(meter, at_s, values), ..]), the slots to be asked for in order."""

    def __init__(self, seed=1):
        clock_s = START_S + _ZONE_S
        self._loads = [DayLoad(w, wh, 0, shape, clock_s, seed + i) for i, (shape, w, wh) in enumerate(_LOADS)]
        self._random = Seeded(seed)

    def slot(self, number):
        ms, found = _BEFORE_MS, []
        for meter, load in enumerate(self._loads):
            ms += _TURN_MS[meter] + self._random.between(-_JITTER_MS, _JITTER_MS)
            at_us = number * SLOT_S * 1000000 + ms * 1000
            slot_s = START_S + number * SLOT_S
            found.append((meter, slot_s + ms // 1000, [_scaled(load, point, at_us) for point in POINTS]))
        return slot_s, found


def _scaled(load, point, at_us):
    numerator, denominator = load.quantity(point[0], at_us, False)
    return numerator * 10 ** point[2] // denominator


class Keeper:
    """Keeper(flash, days_flash): a gateway's log on them, with its archive, for two data centres that acknowledge each slot.

    start() mounts; then keep(slot). days_flash: None for no archive. now_s: a list of one, the clock."""

    def __init__(self, flash, days_flash, at_s=START_S):
        self.now_s = [at_s]
        self.ring = Ring(flash, self._clock)
        archive = Archive(days_flash, self._clock) if days_flash else None
        names = [record.MeterNames("meter%d" % i, SLOT_S, POINTS) for i in range(METERS)]
        self.log = Log(self.ring, Zone(_ZONE), "00000000", names, archive)

    def _clock(self):
        return self.now_s[0]

    def start(self):
        self.log.open()
        self.ring.keep_consumers(CENTRES)
        return self

    def keep(self, slot):
        """Store a slot's readings; the gateway's task of the store runs each second, which matters before and behind them."""
        slot_s, readings = slot
        self.now_s[0] = slot_s - 1
        self._tend()
        for meter, at_s, values in readings:
            self.now_s[0] = at_s
            seq = self.log.reading(meter, slot_s, at_s, 0, values)
        for name in CENTRES:
            self.ring.acknowledge(name, seq)
        self.now_s[0] += 1
        self._tend()
        return seq

    def _tend(self):
        for ring in self.log.rings():
            while ring.needs_erase:
                ring.prepare()
        self.ring.save_cursors()


def new_keeper(n_blocks):
    """(Keeper that has started, its flash, its archive's flash), all blank before."""
    flash, days_flash = NorFlash(n_blocks), NorFlash(DAYS_BLOCKS)
    return Keeper(flash, days_flash).start(), flash, days_flash
