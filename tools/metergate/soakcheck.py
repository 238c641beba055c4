"""Checks what a soak run has left behind: trace, flash image and heap, against what was promised. By its own arithmetic:

local time is the C library's, values are computed from the meters' own words, days from what was delivered."""

import os
import time
from bisect import bisect_left
from collections import Counter
from pathlib import Path

from metergate.soakdays import day_of, slots_of_days, when
from metergate.soakfaults import Faults
from metergate.soakplan import DAY_S, ZONE
from metergate.soakrest import check_events, check_heap, check_image, check_retained, check_wires
from metergate.soaktrace import US, WRONG_S, Breaches, Trace

# Misses that stand for whatever passed, over midnights too.
_MAY_CROSS = ("not running", "line busy", "clock set")


class Check:
    """Check(folder): everything that is promised; breaches, and figures for the report."""

    def __init__(self, folder, scenario):
        os.environ["TZ"] = ZONE
        time.tzset()
        self.folder = Path(folder)
        self.scenario = scenario
        self.breaches = Breaches()
        self.trace = Trace(self.folder, scenario.start_s, self.breaches)
        self.faults = Faults(self.trace, scenario)
        self.figures = {}
        self.names = [meter["name"] for meter in scenario.config()["meters"]]

    def run(self):
        records = self._delivery()
        accounts = self._slots(records)
        self._values(records)
        self._quality(records)
        self._days(records, accounts)
        check_events(self, records)
        check_retained(self)
        check_image(self, records)
        check_wires(self)
        check_heap(self)
        return self

    # -- delivery -------------------------------------------------------------------------------------------

    def _delivery(self):
        """Every data centre has every record, once kept the same, in order; {seq: element} of them all."""
        add = self.breaches.add
        if len(self.trace.logs) != 1:
            add("logs", f"{sorted(self.trace.logs)}")
        whole = {}
        for centre in self.trace.centres.values():
            whole.update(centre.records)
        for centre in self.trace.centres.values():
            told = set()
            for element in whole.values():
                if element.get("event") == "data_lost" and element["uplink"] == centre.name:
                    told |= set(range(element["first"], element["first"] + element["n"]))
            missing = set(range(1, max(whole) + 1)) - set(centre.records)
            for seq in sorted(missing - told)[:20]:
                add("not delivered", f"{centre.name}: {seq}")
            # What was told as lost may have come: the gateway knows only of what was acknowledged.
            if told and centre.name not in self.scenario.loses:
                add("data_lost", f"{centre.name}: {len(told)} records")
            for seq, element in centre.records.items():
                if whole[seq] != element:
                    add("centres differ", f"{seq}: {element}")
            self.figures[f"lost {centre.name}"] = len(missing)
        self.figures["records"] = len(whole)
        self.figures["messages"] = self.trace.n_messages
        self.figures["repeats"] = sum(centre.n_repeats for centre in self.trace.centres.values())
        return whole

    # -- slots ----------------------------------------------------------------------------------------------

    def _slots(self, records):
        """Every slot of every meter from the first day's midnight on has one reading or one miss.

        Returns {meter: {slot: reading element, or cause}}."""
        accounts = {name: {} for name in self.names}
        causes = Counter()
        for seq, element in sorted(records.items()):
            if "s" not in element or "m" not in element:
                continue
            account = accounts[element["m"]]
            if "p" in element:
                slots, what = [element["s"]], element
            else:
                slots = [s for _, day, _ in slots_of_days(element["s"], element["s_end"]) for s in day]
                slots = [s for s in slots if element["s"] <= s <= element["s_end"]]
                what = element["miss"]
                causes[what] += len(slots)
                if what not in _MAY_CROSS and len(slots_of_days(element["s"], element["s_end"])) > 1:
                    self.breaches.add("miss", f"{seq}: {element} goes over midnight")
                if len(slots) != element["n"] or slots[0] != element["s"] or slots[-1] != element["s_end"]:
                    self.breaches.add("miss", f"{seq}: {element} covers {len(slots)} slots")
            for slot in slots:
                if slot in account:
                    self.breaches.add("slot twice", f"{element['m']} {slot}: {seq} {what} and {account[slot]}")
                account[slot] = what
        end_s = self.scenario.start_s + self.scenario.end_s
        n_due = 0
        for name, account in accounts.items():
            if not account:
                self.breaches.add("slots", f"{name}: none")
                continue
            days = slots_of_days(min(account), end_s - 60)
            due = [s for _, day, _ in days for s in day if s < end_s - 60]
            n_due += len(due)
            for slot in due:
                if slot not in account:
                    self.breaches.add("slot missing", f"{name} {slot} ({when(slot)})")
            for slot in set(account) - set(due):
                if slot < end_s - 60:
                    self.breaches.add("no slot", f"{name} {slot}")
            self._check_causes(name, account)
        self.figures["slots"] = n_due
        self.figures["readings"] = n_due - sum(causes.values())
        for cause in sorted(causes):
            self.figures[f"missed {cause}"] = causes[cause]
        return accounts

    def _check_causes(self, name, account):
        """A miss needs a reason in the plan: a fault of this meter, or noise. What others do costs only themselves."""
        line = self.faults.line_of[name]
        for slot, what in account.items():
            if not isinstance(what, str):
                continue
            true_s = slot - self.scenario.start_s
            if what == "not running":
                if not self.faults.is_stopped(line, true_s):
                    self.breaches.add("not running", f"{name} {slot} ({when(slot)}, {true_s} s): the board ran")
            elif not any(self.faults.is_disturbed(name, true_s + off_s) for off_s in (-WRONG_S, 0, WRONG_S)):
                self.breaches.add("miss without reason", f"{name} {slot} ({when(slot)}, {true_s} s): {what}")

    # -- values ---------------------------------------------------------------------------------------------

    def _values(self, records):
        """What is delivered is what the meter said, to the last digit."""
        n = 0
        for seq, element in records.items():
            if "p" not in element:
                continue
            meter = self.trace.points[element["m"]]
            if [point["name"] for point in meter["points"]] != list(element["p"]):
                self.breaches.add("points", f"{seq}: {element}")
                continue
            hung_s = self.faults.hung_s(element["t"] - self.scenario.start_s)
            for point in meter["points"]:
                value = element["p"][point["name"]]
                if value is None:
                    if not element["q"] & 32:
                        self.breaches.add("quality", f"{seq}: {element}")
                    continue
                said = self.trace.said.values(element["m"], point, element["t"], hung_s)
                n += 1
                if not any(value == number and value.as_tuple().exponent == -point["decimals"] for number in said):
                    self.breaches.add("value", f"{seq} {element['m']} {point['name']} {value}, said {[str(s) for s in said]}")
        self.figures["values"] = n

    def _quality(self, records):
        """The quality bits: late, some missing, first after a start, and whether a time server has been heard."""
        fresh = set(self.names)
        for seq, element in sorted(records.items()):
            if element.get("event") == "start":
                fresh = set(self.names)
            if "p" not in element:
                continue
            expected = (
                2 * (element["t"] - element["s"] > 60) + 32 * (None in element["p"].values()) + 64 * (element["m"] in fresh)
            )
            fresh.discard(element["m"])
            if element["q"] & ~1 != expected or not self._fits_clock(element):
                self.breaches.add("quality", f"{seq}: {element}, expected {expected}")

    def _fits_clock(self, element):
        """True if bit 0 of a reading fits to the answers of the time server, as far as their way can be known."""
        true_us = (element["t"] - self.scenario.start_s) * US
        sure_us, slack_us = 7 * DAY_S * US, WRONG_S * 2 * US
        # Near a start it cannot be known from here whether the reading came before it or behind it.
        starts = [at_us for at_us, _ in self.trace.starts if at_us <= true_us + slack_us]
        near = [at_us for at_us in starts if at_us >= true_us - slack_us] + [
            at_us for at_us in starts if at_us < true_us - slack_us
        ][-1:]
        return any(self._fits_answers(element["q"] & 1, at_us, true_us, sure_us, slack_us) for at_us in near or [0])

    def _fits_answers(self, unsure, start_us, true_us, sure_us, slack_us):
        all_of_them = self.trace.answers
        answers = all_of_them[bisect_left(all_of_them, start_us) : bisect_left(all_of_them, true_us + slack_us)]
        if not answers:
            return bool(unsure)
        if unsure:
            # Heard only just now, or not lately.
            return answers[0] > true_us - slack_us or true_us - answers[-1] > sure_us - slack_us
        return true_us - answers[-1] < sure_us + slack_us

    # -- days -----------------------------------------------------------------------------------------------

    def _days(self, records, accounts):
        """Each summary is what its readings and misses give; each day that is over has one."""
        found = {}
        for seq, element in sorted(records.items()):
            if "day" in element:
                key = element["m"], element["day"]
                if key in found:
                    self.breaches.add("day twice", f"{seq}: {key}")
                found[key] = element
        end_s = self.scenario.start_s + self.scenario.end_s
        for name, account in accounts.items():
            for date, slots, day_end_s in slots_of_days(min(account), end_s) if account else ():
                if day_end_s + 600 > end_s:
                    continue
                element = found.pop((name, date), None)
                if element is None:
                    self.breaches.add("day missing", f"{name} {date}")
                    continue
                expected = day_of(self.trace.points[name], account, slots, day_end_s)
                got = {key: element[key] for key in expected}
                if got != expected:
                    differ = [f"{key}: {got[key]} for {expected[key]}" for key in expected if got[key] != expected[key]]
                    self.breaches.add("day differs", f"{name} {date}: {'; '.join(differ)[:300]}")
                self.figures["summaries"] = self.figures.get("summaries", 0) + 1
        for key in found:
            self.breaches.add("day unexpected", f"{key}")
