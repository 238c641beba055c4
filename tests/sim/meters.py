"""The bed's meters: a simulated meter with a load, whose replies are lines of the trace, with faults by name."""

# What each fault is to a meter: {name: how often in a million}.
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
    "wrong_unit": {"wrong_meter": 300000},
    "not_bcd": {"not_bcd": 1000000},
}


def slave_of(section, power_w, energy_wh, from_us=0, **more):
    """The simulated meter of a section {"protocol", "unit" or "number", "profile", "settings", ..}, with a load.

    protocol: modbus if it is not said; more: what meters of that protocol take."""
    protocol = section.get("protocol", "modbus")
    settings = section.get("settings")
    # Imported where a meter speaks it: the bed shares its memory with the gateway.
    if protocol == "modbus":
        from tests.sim import slave as meters

        return meters.meter(section["unit"], section["profile"], power_w, energy_wh, settings, from_us, **more)
    if protocol == "cjt188":
        from tests.sim import slave188 as meters
    elif protocol in ("dlt645", "dlt645-1997"):
        from tests.sim import slave645 as meters
    else:
        raise ValueError(protocol)
    return meters.meter(section["number"], section["profile"], power_w, energy_wh, settings, from_us, **more)


class BedMeter:
    """BedMeter(world, wall, section, seed): section as in run.json. slave goes on a Wire.

    Each reply is a line `told NAME TRUE_US BOARD_S REGISTER HEX`: what was said, when, and what the board's clock showed."""

    def __init__(self, world, wall, section, seed):
        self.line = section["line"]
        self._name = section["name"]
        self._world = world
        self._wall = wall
        more = {"turnaround_us": section["turnaround_us"], "told": self._told, "seed": seed}
        self.slave = slave_of(section, section["power_w"], section["energy_wh"], **more)

    def _told(self, at_us, address, register, data):
        text = "".join("%02x" % byte for byte in data)
        self._world.say("told %s %d %d %04x %s" % (self._name, at_us, self._wall.unix_s(), register, text))

    def set(self, fault):
        """From now on it fails like this; "": it does not."""
        self.slave.faults = _FAULTS[fault] if fault else {}
