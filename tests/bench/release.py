"""driver.release: how late the driver of a line is switched off after the last byte, whatever else the board does."""

from tests.bench.virtual import run_virtual

_TRANSMISSIONS = 10000


def run(n, seed, how):
    """({baud rate: lateness in 1000ths of a character}, counts) of n transmissions."""
    found = run_virtual("release.py", n, seed, how)
    return found["late"], found["counts"]


def measure(say, n=_TRANSMISSIONS, seed=1):
    """The figure over so many transmissions; an early release, which cuts a request off, is a fault of its own."""
    say(f"release: {n} transmissions on two lines")
    late, counts = run(n, seed, "spun")
    if counts["early"] or counts["lost_tail"] or counts["lost_undriven"]:
        raise RuntimeError("the driver went off early: %s" % counts)
    if counts["transmissions"] < n - 1:
        raise RuntimeError("%d transmissions of %d" % (counts["transmissions"], n))
    most = {int(baud): each["most"] / 1000 for baud, each in late.items()}
    peer, _ = run(n // 4, seed, "asleep")
    peers = {"asleep for as long as it should take": max(each["most"] / 1000 for each in peer.values())}
    texts = ["%d baud: %.3f" % (baud, most[baud]) for baud in sorted(most)]
    texts.append("never early; %(erases)d erases, %(stalls)d TLS stalls, %(blocked)d turns of other tasks" % counts)
    return {"driver.release": {"value": max(most.values()), "unit": "char", "peers": peers, "note": "; ".join(texts), "n": n}}
