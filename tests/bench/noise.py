"""noise.*: slots and readings of mixed meters on a line on which noise breaks every fifth transaction."""

from concurrent.futures import ThreadPoolExecutor

from tests.bench.virtual import run_virtual

# Bytes in a million with a bit turned, so that 20 % of the transactions fail; and replies with stray bytes before or behind.
_INSIDE, _STRAYS = 4300, 50000
_SEEDS = (1, 2, 3)
_SLOTS = 1000
# Two figures are for so many slots, whatever the run's length.
_PER = 10000
_AT_ONCE = 2
_WEAK = ("dlt645", "cjt188")


def run(slots, seed, again=1):
    """One run: {protocol: counts}."""
    return run_virtual("noise.py", slots, seed, _INSIDE, _STRAYS, again, seconds=600)["protocols"]


def total(runs, key, protocols):
    return sum(found[protocol].get(key, 0) for found in runs for protocol in protocols)


def expected_wrong(runs):
    """(readings that a single reply would spoil, those that are spoilt although replies are read again) by the arithmetic.

    h: the share of replies that are broken and whose sum fits all the same. A reading is two replies alike, or the middle of
    three: it takes two broken ones of three."""
    would, sent = total(runs, "would_count", _WEAK), total(runs, "as_sent", _WEAK)
    share = would / (would + sent)
    n = total(runs, "readings", _WEAK)
    return n * share, n * 3 * share * share


def measure(say, slots=_SLOTS, seeds=_SEEDS):
    """The figures over so many slots of 10 meters for each seed, and once without reading again."""
    say(f"noise: {10 * slots} slots with each of {len(seeds)} seeds, and once without reading again")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = [pool.submit(run, slots, seed) for seed in seeds]
        without = pool.submit(run, slots, seeds[0], 0)
        runs = [each.result() for each in waiting]
        trusting = without.result()
    return results(runs, trusting)


def results(runs, trusting):
    every = tuple(runs[0])
    good = [total([found], "good", every) / total([found], "slots", every) for found in runs]
    failed = total(runs, "failed", every) / total(runs, "requests", every)
    by_protocol = ", ".join(
        "%s %.1f %%" % (name, 100 * total(runs, "failed", [name]) / total(runs, "requests", [name])) for name in every
    )
    slots = total(runs, "slots", every)
    single, again = expected_wrong(runs)
    wrong = total(runs, "wrong", _WEAK)
    note = "%d replies were broken though their sum fitted, %d of them as if asked for; expected wrong: %.3g of %d readings" % (
        total(runs, "sum_fits", _WEAK),
        total(runs, "would_count", _WEAK),
        again,
        total(runs, "readings", _WEAK),
    )
    per = _PER / slots
    trusted = {"without reading again": total([trusting], "wrong", _WEAK) * _PER / total([trusting], "slots", every)}
    trusted["without reading again, by the arithmetic"] = single * per
    return {
        "noise.recovery": {
            "value": min(good),
            "unit": "1",
            "peers": {},
            "note": "%.1f %% of %d transactions failed (%s)" % (100 * failed, total(runs, "requests", every), by_protocol),
            "failed_share": failed,
            "n": slots,
        },
        "noise.wrong.modbus": {"value": total(runs, "wrong", ["modbus"]) * per, "unit": "1", "peers": {}},
        "noise.wrong.weak": {
            "value": wrong * per,
            "unit": "1",
            "peers": trusted,
            "note": note,
            "limit": again * per,
            "replies_per_reading": total(runs, "as_sent", _WEAK) / total(runs, "readings", _WEAK),
        },
    }
