"""A simulated meter of a line file: its load, its wiring, its clock, and what is to happen to it."""

from firmware.meters.profiles import profile_of
from metergate.linefile import STEADY
from tests.sim.dayload import DayLoad
from tests.sim.load import Load
from tests.sim.meterclock import Clock
from tests.sim.meters import slave_of
from tests.sim.slave import Form
from tests.sim.wiring import Wiring

# What the meters' clocks show at the start where nobody says.
CLOCK_S = 1763806530
# A m3 is 23.26 kWh to a simulated meter.
_WH_OF_M3 = 23260
# Registers of DL/T 645 and CJ/T 188 have six digits before the point; so have those that people read of others.
_END_WH = 10**9
_SECOND_US = 1000000


def load_of(section, begin_us, clock_s, seed):
    """The Load of a checked section."""
    power_w = round(section["power_kw"] * 1000)
    energy_wh = round(section["energy_kwh"] * 1000)
    if "flow_m3_h" in section:
        power_w = round(section["flow_m3_h"] * _WH_OF_M3)
    if "volume_m3" in section:
        energy_wh = round(section["volume_m3"] * _WH_OF_M3)
    if section["load"] == STEADY:
        load = Load(power_w, energy_wh, begin_us)
    else:
        clock_s = CLOCK_S if clock_s is None else clock_s
        solar_w = round(section["solar_kw"] * 1000)
        load = DayLoad(power_w, energy_wh, begin_us, section["load"], clock_s, _seed(section, seed), solar_w)
    _wire(load, section["states"])
    if "rollover" in section["states"]:
        _roll_over(load, section)
    return load


def _seed(section, seed):
    """Two houses of one line are not alike."""
    return seed * 1000003 + int(section["address"]) % 1000000007


def _wire(load, states):
    if states.keys() & {"reversed_ct", "swapped_ct", "wrong_ratio"}:
        turned = states.get("reversed_ct", {}).get("phase", ())
        swapped = states.get("swapped_ct", {}).get("phases", ())
        load.wiring = Wiring(turned, swapped, states.get("wrong_ratio", {}).get("ratio", (1, 1)))


def _roll_over(load, section):
    profile = profile_of(section["profile"])
    before_wh = 1000
    load.end_wh = _END_WH
    if profile.protocol == "cjt188" and not any(row[0].startswith(("heat", "cooling")) for row in profile.points):
        load.end_wh, before_wh = 10**6 * _WH_OF_M3, _WH_OF_M3
    for name, _, text, *_ in profile.points:
        if profile.protocol == "modbus" and name in ("energy_import", "energy_total"):
            form = Form(text)
            if form.kind in "ui" and form.n_bits <= 32:
                load.end_wh = (1 << form.n_bits - (form.kind == "i")) * form.multiplier * 1000 // form.divisor
            break
    load.energy_wh = load.end_wh - round(section["states"]["rollover"]["before"] * before_wh)


def exact_meter(section, begin_us, clock_s=None, told=None, seed=1, wire=None):
    """The Slave, Meter645 or Meter188 of a checked section. wire: where it floods, if it is to."""
    load = load_of(section, begin_us, clock_s, seed)
    variant = dict(section["variant"])
    if section["protocol"] != "modbus" and clock_s is not None:
        variant.setdefault("clock_s", clock_s)
    more = {"turnaround_us": section["turnaround_us"], "told": told, "faults": section["strikes"], "seed": seed}
    meter = slave_of(section, 0, 0, begin_us, load=load, **more, **variant)
    meter.load = load
    states = section["states"]
    if "clock_offset" in states or "clock_drift" in states or "stopped_clock" in states:
        _set_clock(meter, begin_us, states)
    _plan(meter, begin_us, states)
    if "flood" in states and wire:
        from_us, until_us = span_us(begin_us, states["flood"])
        wire.talk(meter, from_us, until_us)
    return meter


def span_us(begin_us, state):
    """(from, until or None) of after_s and for_s."""
    from_us = begin_us + round(state["after_s"] * _SECOND_US)
    return from_us, None if state["for_s"] is None else from_us + round(state["for_s"] * _SECOND_US)


def _set_clock(meter, begin_us, states):
    if meter.clock is None:
        meter.clock = Clock(CLOCK_S, begin_us)
    clock = meter.clock
    clock.set(clock.now_s(begin_us) + states.get("clock_offset", {}).get("s", 0), begin_us)
    clock.ppm = states.get("clock_drift", {}).get("ppm", 0)


def _plan(meter, begin_us, states):
    """What happens to it later, in order."""
    changes = []
    for name, state in states.items():
        at_us = begin_us + round(state.get("after_s", 0) * _SECOND_US)
        if name == "stopped_clock":
            changes.append((at_us, lambda _, at_us=at_us: meter.clock.stand(at_us)))
        elif name == "dead":
            from_us, until_us = span_us(begin_us, state)
            changes.append((from_us, lambda _: setattr(meter, "dead", True)))
            if until_us is not None:
                changes.append((until_us, lambda _: setattr(meter, "dead", False)))
        elif name == "replaced":
            changes.append((at_us, lambda _, at_us=at_us, state=state: _replace(meter, at_us, state)))
    meter.changes = sorted(changes, key=lambda change: change[0])


def _replace(meter, at_us, state):
    meter.load.restart(at_us, round(state["energy_kwh"] * 1000))
    number = state["serial_number"]
    if hasattr(meter, "registers"):
        meter.registers.serial_number = int(number)
    elif hasattr(meter, "items"):
        meter.items.serial_number = ("0" * 12 + number)[-12:]


def text_of(section, settings):
    """One line for a person: who it is, its settings, its load, what is wrong with it."""
    load = f"{section['load']} {section['power_kw']:g} kW from {section['energy_kwh']:g} kWh"
    if "flow_m3_h" in section or "volume_m3" in section:
        load = f"{section['load']} {section.get('flow_m3_h', 0):g} m3/h from {section.get('volume_m3', 0):g} m3"
    if section["solar_kw"]:
        load += f", sun {section['solar_kw']:g} kW"
    served = "exact" if section["exact"] else "pymodbus"
    who = f"{section['protocol']} {section['address']}"
    faults = [*section["strikes"], *section["states"]]
    text = f"{who:28} {section['profile']:16} {settings:9} {served:9} {load}"
    return text + ("; faults: " + ", ".join(faults) if faults else "")
