"""What was measured, as a table on the terminal, build/bench.json and BENCH.md."""

import json
import platform

from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.figures import FIGURES

_COLUMNS = 100
# From here on three digits stand before the point.
_ALL_DIGITS = 999.5
_HEALTHY = "lateness.p99_ms.healthy"
_LATER_MS = 20

_HEAD = """# Bench

Written by `make bench`. Peers are measured in the same run on the same bed, and are followed by how many times our
figure theirs is. Figures are ratios and counts where they can be, since machines differ; those in ms are of one run
on %s.

"""


def number(value):
    """Three significant digits, or all digits of a count and before the point."""
    if isinstance(value, int) or abs(value) >= _ALL_DIGITS:
        return "%d" % round(value)
    return ("%#.3g" % value).rstrip(".")


def limit_of(figure, results):
    """(">=" or "<=", number) or None. With a fault, lateness may exceed the healthy figure by 20 ms.

    A result that has a `limit` says its own, the most that it may be."""
    healthy = results.get(_HEALTHY)
    own = results.get(figure.name, {}).get("limit")
    if own is not None:
        return "<=", own
    if figure.name.startswith("lateness.") and figure.name != _HEALTHY and healthy:
        return "<=", round(healthy["value"] + _LATER_MS, 1)
    return figure.limit


def limit_text(figure, results):
    """'<= 0.01', or '' without a limit."""
    limit = limit_of(figure, results)
    return "%s %.6g" % limit if limit else ""


def holds(figure, results):
    """True if the figure keeps its limit, or has none."""
    limit = limit_of(figure, results)
    if limit is None:
        return True
    value = results[figure.name]["value"]
    return value >= limit[1] if limit[0] == ">=" else value <= limit[1]


def ratio_text(peer, ours):
    """How many times our figure a peer's is; '' if ours is 0."""
    return "x " + number(peer / ours) if ours else ""


def show(results, earlier=()):
    """Print the table and the names of limits that are broken; earlier: names of figures that were not measured now."""
    console = Console(width=max(_COLUMNS, Console().width) if Console().is_terminal else _COLUMNS, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, title="Bench: each figure, and below it its peers'", title_justify="left")
    for column in ("figure", "value", "unit", "limit", "", "to ours"):
        table.add_column(column, justify="right" if column in ("value", "to ours") else "left", overflow="fold")
    broken = []
    for figure in FIGURES:
        if figure.name not in results:
            continue
        found = results[figure.name]
        limit = limit_text(figure, results)
        kept = holds(figure, results)
        if not kept:
            broken.append(figure.name)
        mark = "" if not limit else "holds" if kept else "[bold red]BROKEN[/]"
        name = figure.name + (" *" if figure.name in earlier else "")
        table.add_row(name, number(found["value"]), figure.unit, limit, mark, "")
        if found.get("note"):
            table.add_row("    " + found["note"], "", "", "", "", "")
        for peer, value in found["peers"].items():
            table.add_row("    " + peer, number(value), "", "", "", ratio_text(value, found["value"]))
        for peer, why in found.get("failed", {}).items():
            table.add_row("    %s: not measured, %s" % (peer, why), "", "", "", "", "")
    console.print(table)
    if any(name in earlier for name in results):
        console.print("* from an earlier run")
    if broken:
        console.print("limits BROKEN: " + ", ".join(broken))
    return broken


def rounded(results):
    """The results with six significant digits: the rest is noise."""

    def cut(value):
        if isinstance(value, float):
            return float("%.6g" % value)
        return {key: cut(each) for key, each in value.items()} if isinstance(value, dict) else value

    return cut(results)


def write(results, folder, earlier=()):
    """build/bench.json, whatever was measured; BENCH.md once there is something for every row of it. True if there is."""
    (folder / "build" / "bench.json").write_text(json.dumps(rounded(results), indent=1) + "\n")
    if any(figure.name not in results for figure in FIGURES):
        return False
    (folder / "BENCH.md").write_text(page(results, earlier))
    return True


def _peers_text(found):
    texts = [found["note"]] if found.get("note") else []
    texts += ["%s %s (%s)" % (peer, number(value), ratio_text(value, found["value"])) for peer, value in found["peers"].items()]
    return "; ".join(texts + ["%s: not measured, %s" % pair for pair in found.get("failed", {}).items()])


def page(results, earlier=()):
    """BENCH.md."""
    lines = [_HEAD % ("%s, %s" % (platform.machine(), platform.system())) + "| figure | value | unit | limit | note, peers |"]
    lines.append("|---|---|---|---|---|")
    for figure in FIGURES:
        found = results[figure.name]
        limit = limit_text(figure, results)
        if limit and not holds(figure, results):
            limit += " **BROKEN**"
        name = "`%s`%s" % (figure.name, " (earlier run)" if figure.name in earlier else "")
        row = (name, number(found["value"]), figure.unit, limit, _peers_text(found))
        lines.append("| %s | %s | %s | %s | %s |" % row)
    lines += ["", "## What each means, and how it is measured", ""]
    for figure in FIGURES:
        limit = limit_text(figure, results) or "none"
        if figure.name.startswith("lateness.") and limit_of(figure, results) != figure.limit:
            limit += ", %d ms above the healthy figure" % _LATER_MS
        peers = figure.peers or "none"
        lines.append("- `%s`: %s. Limit: %s. Peers: %s. Measured: %s." % (figure.name, figure.means, limit, peers, figure.how))
    return "\n".join(lines) + "\n"
