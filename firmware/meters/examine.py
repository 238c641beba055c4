"""Reads what a meter's values can be judged by, and judges them: for a person, and daily. Loaded only for that."""

import asyncio

from micropython import const

from firmware.meters import equip, moved, plausible
from firmware.protocols import record
from firmware.protocols.payload import text

# What is judged, as far as a meter's profile has it.
_NAMES = (
    "power power_l1 power_l2 power_l3 voltage_l1 voltage_l2 voltage_l3 current_l1 current_l2 current_l3 "
    "power_factor power_factor_l1 power_factor_l2 power_factor_l3 reactive_power reactive_power_l1 reactive_power_l2 "
    "reactive_power_l3 apparent_power energy_import energy_export"
)
# Values are read twice: what does not fit because a load was switched between two requests fits the other time.
_BETWEEN_MS = const(3000)
# The newest slots that energy and power are compared in, and how far they reach back at most.
_SLOTS = const(192)
_MOST_SPAN_S = const(172800)
_MOST_RECORDS = const(8000)
# After so many records the other tasks have their turn.
_AT_ONCE = const(10)


async def examine(gateway, meter, say):
    """Read a meter and say what does not fit: [(code, sentence), ..], each of which was said.

    The caller holds the turn of the meter's line. say: a coroutine that shows one line. The errors of Meter.read."""
    found, seen, energy = await _examined(gateway, meter, True)
    for _, sentence in found:
        await say(sentence)
    phases = plausible.phases_of(seen)
    for phase in phases:
        if not phase.is_sure:
            await say("phase %d: too little current to be judged, or no voltage or current that can be read" % phase.n)
    if energy is None:
        await say("energy against power: not judged, the meter is not read for both energy_import and power")
    elif not energy.is_enough:
        await say("energy against power: too little is stored yet to judge it")
    if not found:
        await say("nothing wrong was seen in what could be judged")
    return found


async def judge_daily(gateway, meter, is_dark):
    """Judge a meter; what is new, or over, is an event. meter.findings: the codes of what does not fit.

    is_dark: no sun feeds in, so that signs of power and the newest hours' energy are judged too."""
    found, seen, energy = await _examined(gateway, meter, is_dark)
    name = text(meter.name)
    codes = [code for code, _ in found]
    for code, sentence in found:
        if code not in meter.findings:
            gateway.tell('"event":"implausible","m":%s,"code":"%s","why":%s' % (name, code, text(sentence)))
    for code in meter.findings:
        if code in codes:
            continue
        if energy is not None and energy.is_enough if code == "energy" else plausible.is_judged(code, seen, is_dark):
            gateway.tell('"event":"plausible","m":%s,"code":"%s"' % (name, code))
        else:
            # Too little load to say that it is over.
            codes.append(code)
    if codes or meter.findings:
        meter.findings = tuple(codes)


async def _examined(gateway, meter, is_whole):
    """(findings, the newest Seen, Energy or None); is_whole: with signs and energy."""
    profile = equip.profile_for(meter.section, gateway.own_profiles(), "meter")
    readable = profile.readable()
    rows = profile.rows_of([name for name in _NAMES.split() if name in readable])
    if not rows:
        return [], plausible.Seen((), (), ()), None
    blocks = equip.blocks_of(meter.section, profile, rows)
    points = [(name, unit, decimals, klass) for name, _, _, unit, decimals, klass in rows]
    steps = [_step(profile.protocol, row) for row in rows]
    values = await meter.read_others(rows, blocks)
    found = plausible.judge(plausible.Seen(points, values, steps), is_whole)
    await asyncio.sleep_ms(_BETWEEN_MS)
    values = await meter.read_others(rows, blocks)
    seen = plausible.Seen(points, values, steps)
    codes = [code for code, _ in found]
    found = [pair for pair in plausible.judge(seen, is_whole) if pair[0] in codes]
    energy = await _energy(gateway, meter) if is_whole else None
    if energy and energy.finding():
        found.append(energy.finding())
    return found, seen, energy


def _step(protocol, row):
    """One step of the meter's number in units of the point's last digit."""
    if protocol != "modbus":
        return 1
    from firmware.protocols import numbers

    _, flags, multiplier, divisor, _ = numbers.form_of(row[2])
    return 1 if row[2][0] == "f" else max(1, -(-multiplier * 10 ** row[4] // divisor))


async def _energy(gateway, meter):
    """moved.Energy of what is stored of a meter's newest slots; None if it is not read for energy and power."""
    places = {point[0]: i for i, point in enumerate(meter.points)}
    if "energy_import" not in places or "power" not in places:
        return None
    i, k = places["energy_import"], places["power"]
    energy_decimals, power_decimals = meter.points[i][2], meter.points[k][2]
    scaled = plausible.scaled
    energy = moved.Energy(scaled(meter.steps[i], energy_decimals), scaled(meter.steps[k], power_decimals))
    from_s = gateway.now_s() - min(_SLOTS * meter.section.every_s, _MOST_SPAN_S)
    for n, (kind, _, found) in enumerate(gateway.log.ring.reader_at(from_s)):
        if n % _AT_ONCE == 0:
            await asyncio.sleep_ms(0)
        if n >= _MOST_RECORDS:
            break
        if kind != record.READING or found.meter != meter.name or found.points != meter.points:
            continue
        if found.slot_s >= from_s:
            energy.add(found.at_s, scaled(found.values[i], energy_decimals), scaled(found.values[k], power_decimals))
    return energy
