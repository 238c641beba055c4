"""Examine: what of a meter is read to judge it, what a person is told, and what is an event."""

import asyncio

from asked import section
from memory import Section, raised

from firmware.clock import Zone
from firmware.errors import NoReply
from firmware.meters import daily as daily_module
from firmware.meters import equip, examine
from firmware.meters.daily import Daily
from firmware.protocols import record
from firmware.store.log import Log
from firmware.store.ring import Ring
from tests.sim.flash import NorFlash

_MIDNIGHT_S = 1795276800  # 2026-11-22 00:00:00 at UTC+8
_POINTS = (("energy_import", "kWh", 2, record.REGISTER), ("power", "kW", 4, record.GAUGE))


class _Quiet:
    async def wait(self, for_ms, most_ms):
        return 0


class _Meter:
    """A meter of a profile; reads: dicts of {point: value in its unit}, one for each reading, the last one for ever."""

    clock = (0, 0, "")
    findings = ()

    reads_per_day = 0

    def __init__(self, reads, profile="sdm630", protocol="modbus", points=_POINTS, **keys):
        number = "" if protocol == "modbus" else "000000000161"
        keys["points"] = tuple(point[0] for point in points)
        self.section = section(profile=profile, protocol=protocol, number=number, set_clock="never", **keys)
        self.name = self.section.name
        self.points = points
        self.steps = [1] * len(points)
        self.reads = list(reads)
        self.asked = []

    async def read_others(self, rows, blocks):
        self.asked.append([row[0] for row in rows])
        assert blocks
        found = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        if isinstance(found, Exception):
            raise found
        return [None if found.get(row[0]) is None else int(found[row[0]] * 10 ** row[4]) for row in rows]

    def names(self):
        return record.MeterNames(self.name, 900, self.points)


class _Gateway:
    def __init__(self, meters, at_s=_MIDNIGHT_S + 3600):
        self.at_s = at_s
        self.time = Section(is_synchronised=True)
        self.quiet = _Quiet()
        self.told = []
        self.ring = Ring(NorFlash(16), self.now_s)
        self.log = Log(self.ring, Zone("CST-8"), "00000000", [meter.names() for meter in meters])
        self.log.open()
        self.slept_ms = []

    def now_s(self):
        return self.at_s

    def tell(self, members):
        self.told.append(members)

    def own_profiles(self):
        return {}

    def store(self, n, watts, factor=1, index=0, every_s=900):
        """n readings up to now, of a load of so many W, whose energy is factor times what power says."""
        for i in range(n):
            at_s = self.at_s - (n - 1 - i) * every_s
            self.log.reading(index, at_s, at_s + 1, 0, [int(watts * factor * i * every_s) // 36000, watts * 10])

    # -- as asyncio
    async def sleep_ms(self, ms):
        self.slept_ms.append(ms)


def _site(signs=(1, 1, 1), amperes=5, **more):
    found = {"energy_import": 1000, "energy_export": 0, "power": 1.092 * sum(signs), "power_factor": 0.95}
    for n, sign in enumerate(signs):
        end = "_l%d" % (n + 1)
        found["voltage" + end], found["current" + end] = 230, amperes
        found["power" + end], found["power_factor" + end] = 1.092 * sign * amperes / 5, 0.95 * sign
    found.update(more)
    return found


def _with_sleep(gateway, coroutine):
    """What the coroutine gives; nobody sleeps. The modules stay: else the next check would load another examine."""
    real, examine.asyncio = examine.asyncio, gateway
    unload, daily_module.unload = daily_module.unload, lambda *names: None
    try:
        return asyncio.run(coroutine)
    finally:
        examine.asyncio, daily_module.unload = real, unload


def _shown(gateway, meter):
    lines = []

    async def say(line):
        lines.append(line)

    found = _with_sleep(gateway, examine.examine(gateway, meter, say))
    return found, lines


def _daily(gateway, meter, is_dark=True):
    gateway.told.clear()
    _with_sleep(gateway, examine.judge_daily(gateway, meter, is_dark))
    return [told.split(',"why"')[0].replace('"', "").replace("event:", "") for told in gateway.told]


def test_a_person_is_told_what_was_judged():
    meter = _Meter([_site()])
    gateway = _Gateway([meter])
    found, lines = _shown(gateway, meter)
    assert found == []
    assert lines == [
        "energy against power: too little is stored yet to judge it",
        "nothing wrong was seen in what could be judged",
    ]
    # Twice, some seconds apart; all that the profile has of what can be judged, once each.
    assert len(meter.asked) == 2 and 3000 in gateway.slept_ms
    assert len(set(meter.asked[0])) == len(meter.asked[0]) == 15
    for name in ("power", "voltage_l3", "current_l1", "power_l2", "energy_export"):
        assert name in meter.asked[0]
    gateway.store(97, 1092 * 3)
    assert _shown(gateway, meter)[1] == ["nothing wrong was seen in what could be judged"]


def test_a_person_is_told_what_could_not_be_judged():
    meter = _Meter([_site(current_l2=0.001, power_l2=0, power=2.184)])
    _, lines = _shown(_Gateway([meter]), meter)
    assert lines[0] == "phase 2: too little current to be judged, or no voltage or current that can be read"
    meter = _Meter([_site()], points=_POINTS[:1])
    _, lines = _shown(_Gateway([meter]), meter)
    assert lines[0].startswith("energy against power: not judged")


def test_a_person_is_told_what_does_not_fit():
    meter = _Meter([_site((1, -1, 1))])
    found, lines = _shown(_Gateway([meter]), meter)
    assert [code for code, _ in found] == ["reversed_l2"]
    assert lines[0] == found[0][1] and lines[0].startswith("phase 2: power is negative (-1.092 kW)")
    assert "nothing wrong" not in lines[-1]


def test_what_fits_the_other_time_is_not_told():
    for reads in ([_site(power_l1=9), _site()], [_site(), _site(power_l1=9)], [_site(power_l1=9), _site(power_l2=9)]):
        for read in reads:
            read["power"] = None
        meter = _Meter(reads)
        assert _shown(_Gateway([meter]), meter)[0] == []
    meter = _Meter([_site(power_l1=9, power=None)])
    assert [code for code, _ in _shown(_Gateway([meter]), meter)[0]] == ["power_l1"]


def test_meters_of_dlt645_and_of_one_phase_are_read_by_their_profiles():
    meter = _Meter([_site((1, -1, 1))], "dlt645_3p", "dlt645")
    assert [code for code, _ in _shown(_Gateway([meter]), meter)[0]] == ["reversed_l2"]
    one = {"voltage_l1": 230, "current_l1": 5, "power": 10, "power_factor": 0.9}
    for profile in ("sdm120", "ddsu666", "pzem004t"):
        meter = _Meter([one], profile)
        assert [code for code, _ in _shown(_Gateway([meter]), meter)[0]] == ["power_l1"], profile
    meter = _Meter([{}], "water", "cjt188", (("volume", "m3", 2, record.REGISTER),))
    found, lines = _shown(_Gateway([meter]), meter)
    assert found == [] and not meter.asked


def test_energy_that_moves_otherwise_is_told():
    meter = _Meter([_site()])
    gateway = _Gateway([meter])
    gateway.store(97, 4000, factor=8)
    found, lines = _shown(gateway, meter)
    assert [code for code, _ in found] == ["energy"]
    assert "the factor is 1/8" in lines[0]


def test_energy_is_that_of_this_meter_with_these_points():
    meter, other = _Meter([_site()]), _Meter([_site()], name="other")
    gateway = _Gateway([other, meter])
    gateway.store(97, 4000, factor=8, index=0)
    gateway.store(97, 4000, index=1)
    assert _shown(gateway, meter)[0] == []
    assert [code for code, _ in _shown(gateway, other)[0]] == ["energy"]
    # What was read under another configuration is left out.
    meter.points = (_POINTS[1], _POINTS[0])
    meter.steps = [1, 1]
    assert _shown(gateway, meter)[1][0] == "energy against power: too little is stored yet to judge it"


def test_old_readings_are_left_out_and_others_have_their_turn():
    meter = _Meter([_site()])
    gateway = _Gateway([meter])
    gateway.store(97, 4000, factor=8)
    gateway.at_s += 3 * 86400
    assert _shown(gateway, meter)[0] == []
    assert gateway.slept_ms.count(0) >= 97 // 10


def test_one_step_of_a_number_is_that_of_its_form():
    for row, step in (
        (("a", 0, "u16", "A", 2, ""), 100),
        (("a", 0, "u16/100", "A", 2, ""), 1),
        (("a", 0, "u32/1000", "kW", 2, ""), 1),
        (("a", 0, "u16/10", "A", 3, ""), 100),
        (("a", 0, "i32*5/100", "A", 2, ""), 5),
        (("a", 0, "f32", "A", 3, ""), 1),
    ):
        assert examine._step("modbus", row) == step, row
    assert examine._step("dlt645", ("a", 0x02020100, "bcd3s", "A", 3, "")) == 1


# -- daily ----------------------------------------------------------------------------------------------------------------


def test_what_is_new_is_an_event_and_what_is_over_is_one():
    meter = _Meter([_site((1, -1, 1))])
    gateway = _Gateway([meter])
    assert _daily(gateway, meter) == ["implausible,m:main,code:reversed_l2"]
    assert meter.findings == ("reversed_l2",)
    assert _daily(gateway, meter) == []
    meter.reads = [_site((1, -1, -1))]
    assert _daily(gateway, meter) == ["implausible,m:main,code:reversed_l3"]
    meter.reads = [_site((1, -1, 1))]
    assert _daily(gateway, meter) == ["plausible,m:main,code:reversed_l3"]
    # Too little load to say that it is over; daylight; then it is.
    meter.reads = [_site(amperes=0.01)]
    assert _daily(gateway, meter) == [] and meter.findings == ("reversed_l2",)
    meter.reads = [_site()]
    assert _daily(gateway, meter, is_dark=False) == [] and meter.findings == ("reversed_l2",)
    assert _daily(gateway, meter) == ["plausible,m:main,code:reversed_l2"]
    assert meter.findings == ()


def test_the_event_says_why():
    meter = _Meter([_site((1, -1, 1))])
    gateway = _Gateway([meter])
    _with_sleep(gateway, examine.judge_daily(gateway, meter, True))
    assert gateway.told == [
        '"event":"implausible","m":"main","code":"reversed_l2","why":"phase 2: power is negative (-1.092 kW), the others\' is '
        'not: is its current transformer turned around (S1, S2)? Right if this phase feeds in"'
    ]


def test_by_day_neither_signs_nor_energy_are_judged():
    meter = _Meter([_site((1, -1, 1))])
    gateway = _Gateway([meter])
    gateway.store(97, 4000, factor=8)
    assert _daily(gateway, meter, is_dark=False) == []
    assert _daily(gateway, meter) == ["implausible,m:main,code:reversed_l2", "implausible,m:main,code:energy"]
    meter.reads = [_site((1, -1, 1), power_l1=9, power=None)]
    assert _daily(gateway, meter, is_dark=False) == ["implausible,m:main,code:power_l1"]
    assert set(meter.findings) == {"reversed_l2", "energy", "power_l1"}


def test_energy_is_over_once_enough_is_stored():
    meter = _Meter([_site()])
    meter.findings = ("energy",)
    gateway = _Gateway([meter])
    assert _daily(gateway, meter) == [] and meter.findings == ("energy",)
    gateway.store(97, 4000)
    assert _daily(gateway, meter) == ["plausible,m:main,code:energy"]


def test_a_silent_meter_is_an_error_and_changes_nothing():
    meter = _Meter([NoReply(500)])
    meter.findings = ("total",)
    gateway = _Gateway([meter])
    raised(NoReply, _daily, gateway, meter)
    assert meter.findings == ("total",) and gateway.told == []


def test_it_is_judged_in_the_dark_and_once_more_by_day():
    meter = _Meter([_site((1, -1, 1))])
    gateway = _Gateway([meter])
    daily = Daily(gateway, [(0, meter)])

    def due_at(second):
        gateway.at_s = _MIDNIGHT_S + second
        daily.heard(0, meter, gateway.at_s)
        due = daily.due
        if due is not None:
            _with_sleep(gateway, daily.check(0, meter))
            assert daily.due is None
        return due == 0

    told = [(due_at(hour * 3600 + 1000), len(gateway.told)) for hour in range(24)]
    assert [hour for hour, (was, _) in enumerate(told) if was] == [0, 10]
    assert told[0] == (True, 1) and told[23] == (False, 1)
    assert meter.findings == ("reversed_l2",)


def test_what_is_first_heard_in_the_morning_is_judged_by_day_and_without_signs():
    meter = _Meter([_site((1, -1, 1), power_l1=9, power=None)])
    gateway = _Gateway([meter], _MIDNIGHT_S + 5 * 3600)
    daily = Daily(gateway, [(0, meter)])
    daily.heard(0, meter, gateway.at_s)
    assert daily.due is None
    gateway.at_s += 5 * 3600
    assert daily.due == 0
    _with_sleep(gateway, daily.check(0, meter))
    assert meter.findings == ("power_l1",) and daily.due is None


def test_values_are_judged_while_our_clock_may_be_wrong_and_clocks_are_not():
    meter = _Meter([_site((1, -1, 1))], "dlt645_3p", "dlt645")
    gateway = _Gateway([meter])
    gateway.time.is_synchronised = False
    daily = Daily(gateway, [(0, meter)])
    daily.heard(0, meter, gateway.at_s)
    assert daily.due == 0
    _with_sleep(gateway, daily.check(0, meter))
    assert meter.findings == ("reversed_l2",) and meter.clock == (0, 0, "") and daily.due is None
    # Once it is right, the clock's turn has come.
    gateway.time.is_synchronised = True
    assert daily.due == 0 and not daily.timed


def test_a_meter_of_one_protocol_is_judged_and_of_another_not():
    meter = _Meter([{}], "water", "cjt188", (("volume", "m3", 2, record.REGISTER),))
    meter.clock_text = None
    gateway = _Gateway([meter])
    daily = Daily(gateway, [(0, meter)])
    daily.heard(0, meter, gateway.at_s)
    daily.timed = 1
    assert daily.due is None
    gateway.at_s += 11 * 3600
    daily.heard(0, meter, gateway.at_s)
    if daily.due is not None:
        _with_sleep(gateway, daily.check(0, meter))
    assert meter.asked == []


def test_own_profiles_are_asked_for():
    meter = _Meter([_site()])
    meter.section.profile = "mine"
    gateway = _Gateway([meter])
    profile = equip.profile_for(section(profile="sdm630"), {}, "meter")
    gateway.own_profiles = lambda: {"mine": profile}
    assert _shown(gateway, meter)[0] == [] and meter.asked
