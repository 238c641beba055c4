"""The bed's meters: a Slave with a load, whose replies are lines of the trace, with faults by name."""

from tests.sim.slave import Load, Slave, profile_registers

# What each fault is to a Slave: {name: how often in a million}.
_FAULTS = {
    "silent": {"silent": 1000000},
    "flaky": {"silent": 300000},
    "late": {"late": (250000, 700000)},
    "very_late": {"late": (400000, 1300000)},
    "bad": {"bad_checksum": 1000000},
    "exception": {"exception": (1000000, 2)},
    "busy": {"exception": (1000000, 6)},
    "noisy": {"noise_before": 300000, "noise_after": 300000, "bad_checksum": 50000, "truncated": 50000},
    "double": {"duplicate": 500000},
    "wrong_unit": {"wrong_unit": 300000},
}


class BedMeter:
    """BedMeter(world, wall, section, seed): section as in run.json. slave goes on a Wire.

    Each reply is a line `told NAME TRUE_US BOARD_S REGISTER HEX`: what was said, when, and what the board's clock showed."""

    def __init__(self, world, wall, section, seed):
        self.line = section["line"]
        self._name = section["name"]
        self._world = world
        self._wall = wall
        load = Load(section["power_w"], section["energy_wh"])
        self.slave = Slave(
            section["unit"],
            section["settings"],
            profile_registers(section["profile"], load),
            section["turnaround_us"],
            told=self._told,
            seed=seed,
        )

    def _told(self, at_us, unit, first, data):
        text = "".join("%02x" % byte for byte in data)
        self._world.say("told %s %d %d %04x %s" % (self._name, at_us, self._wall.unix_s(), first, text))

    def set(self, fault):
        """From now on it fails like this; "": it does not."""
        self.slave.faults = _FAULTS[fault] if fault else {}
