"""The pictures of a report, one function each."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.figures import ALL, connections_of, cost, cpu_medians, median, rates, runs_of, subjects
from bench.report import Report, Run
from bench.table import NAMES

SIZE_INCHES = (7.0, 3.6)
OURS, BASELINE, BARE, NOISE = "#0f766e", "#b45309", "#94a3b8", "#94a3b8"
COLOURS = {
    "bare": BARE,
    "ours": OURS,
    "sold_out": "#2dd4bf",
    "empty_bucket": "#99f6e4",
    "baseline": BASELINE,
    "base": "#64748b",
}
ROLE_COLOURS = {"gateway": OURS, "valkey": "#b91c1c", "worker": "#4338ca", "postgres": "#0369a1", "rest": "#94a3b8"}
DOTS: dict[str, Any] = {"color": "#0f172a", "markersize": 2.5, "linestyle": "", "marker": "o"}
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e2e8f0",
    "svg.fonttype": "none",
    # The same figures give the same file.
    "svg.hashsalt": "flux-gate",
}
Drawer = Callable[[Report, Figure], None]


def draw_pictures(report: Report, folder: Path) -> list[Path]:
    """Draw `bench-*.svg` into a folder, as far as there is something to draw; returns what was drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    drawers: dict[str, tuple[object, Drawer]] = {
        "throughput": (report.limit, _throughput),
        "cpu": (report.limit, _cpu),
        "load": (report.curve, _load),
        "latency": (report.half, _latency),
        "drain": (report.drains, _drain),
        "scale": (report.scale.runs, _scale),
    }
    drawn: list[Path] = []
    with mpl.rc_context(STYLE):
        for name, (found, drawer) in drawers.items():
            if not found:
                continue
            figure = Figure(figsize=SIZE_INCHES, layout="constrained")
            drawer(report, figure)
            path = folder / f"bench-{name}.svg"
            figure.savefig(path, metadata={"Date": None})
            drawn.append(path)
    return drawn


def _throughput(report: Report, figure: Figure) -> None:
    """Bars: the median of each subject at each number of connections; dots: every round."""
    axes, runs = figure.add_subplot(), report.limit
    groups = connections_of(runs)
    names = [name for name in NAMES if any(run.subject == name for run in runs)]
    width = 0.86 / max(1, len(names))
    for place, subject in enumerate(names):
        for group, connections in enumerate(groups):
            speeds = rates(runs, subject, connections)
            x = group + (place - (len(names) - 1) / 2) * width
            label = NAMES[subject] if group == 0 else None
            axes.bar(x, median(speeds), width * 0.92, color=COLOURS[subject], label=label)
            axes.plot([x] * len(speeds), speeds, **DOTS)
            _write(axes, f"{median(speeds):,.0f}", x, max(speeds, default=0.0))
    axes.set_xticks(range(len(groups)), [f"{connections} connections" for connections in groups])
    axes.set_ylabel("answers/s")
    axes.set_title("Answers per second at the limit: medians, and every round", loc="left")
    axes.margins(y=0.12)
    _legend_below(axes, 3)


def _cpu(report: Report, figure: Figure) -> None:
    """Stacked bars: CPU per answer by process."""
    bars = [pair for pair in subjects(report.limit) if pair[0] != "bare"]
    axes = figure.add_subplot()
    _stack(axes, report.limit, bars, [f"{NAMES[subject]}, {connections}" for subject, connections in bars])
    axes.set_xlabel("CPU microseconds per answer")
    axes.set_title("What one answer costs, by process", loc="left")
    _legend_below(axes, len(ALL))


def _load(report: Report, figure: Figure) -> None:
    """Two panels over offered load: what is accepted, and how long it takes."""
    upper, lower = figure.subplots(2, 1, sharex=True)
    offered = [run.offered_per_s for run in report.curve]
    upper.plot(offered, offered, ":", color=NOISE, label="offered")
    upper.plot(offered, [run.accepted_per_s for run in report.curve], "o-", color=OURS, label="accepted", markersize=3)
    upper.set_ylabel("orders/s")
    upper.set_title("Throughput and latency against offered load, open model", loc="left")
    upper.set_ylim(0, 1.25 * max(run.accepted_per_s for run in report.curve))
    upper.legend(frameon=False, fontsize=8)
    for name, label, colour in (("p50_ms", "p50", "#5eead4"), ("p99_ms", "p99", OURS), ("p999_ms", "p99.9", "#134e4a")):
        times = [getattr(run.accepts, name) for run in report.curve]
        lower.plot(offered, times, "o-", label=label, color=colour, markersize=3)
    lower.plot(offered, [run.late.p99_ms for run in report.curve], "x:", color=NOISE, label="generator late, p99")
    _logarithmic(lower)
    lower.set_ylabel("ms, from the due moment")
    lower.set_xlabel("orders offered per second")
    lower.legend(frameon=False, fontsize=8, ncols=2)


def _latency(report: Report, figure: Figure) -> None:
    """Latency over the share of requests that took no longer, spread so that the tail can be seen; a line per round."""
    axes = figure.add_subplot()
    groups = (("orders", [run.accepts for run in report.half], OURS), ("idle control", report.idle, NOISE))
    for name, rounds, colour in groups:
        for number, times in enumerate(rounds):
            points = [(_nines(percent), at_ms) for percent, at_ms in times.curve if 0 < percent < 100 and at_ms > 0]
            label = name if number == 0 else None
            axes.plot([x for x, _ in points], [y for _, y in points], "o-", color=colour, label=label, markersize=2)
    marks = (50, 90, 99, 99.9, 99.99)
    axes.set_xticks([_nines(percent) for percent in marks], [f"{percent:g} %" for percent in marks])
    _logarithmic(axes)
    axes.set_ylabel("ms, from the due moment")
    axes.set_title(f"Latency at {report.half[0].offered_per_s:,.0f} orders/s, open model, every round", loc="left")
    axes.legend(frameon=False)


def _drain(report: Report, figure: Figure) -> None:
    """Orders accepted and orders in Postgres over the time of a burst; a pair of lines per burst."""
    axes = figure.add_subplot()
    for drain in report.drains:
        seconds = [moment for moment, _, _ in drain.timeline]
        for name, place, colour in (("accepted", 1, OURS), ("in Postgres", 2, BASELINE)):
            label = name if drain.round == 0 else None
            axes.plot(seconds, [point[place] for point in drain.timeline], color=colour, label=label)
    axes.set_xlabel("seconds since the first accept")
    axes.set_ylabel("orders")
    axes.set_title(f"A burst of {report.drains[0].orders:,} orders on its way to Postgres", loc="left")
    axes.legend(frameon=False)


def _scale(report: Report, figure: Figure) -> None:
    """Left: cost per order, which should stay; right: throughput, which should rise. Dots: every round."""
    left, right = figure.subplots(1, 2)
    scale = report.scale
    connections = scale.runs[0].connections
    _stack(left, scale.runs, [(name, connections) for name in scale.flat], scale.flat)
    for place, name in enumerate(scale.flat):
        costs = [cost(run) for run in runs_of(scale.runs, name, connections)]
        left.plot(costs, [place + 0.38] * len(costs), **DOTS)
    left.set_xlabel("CPU microseconds per order")
    for place, name in enumerate(scale.wide):
        speeds = rates(scale.runs, name, connections)
        right.barh(place, median(speeds), 0.6, color=OURS)
        right.plot(speeds, [place] * len(speeds), **DOTS)
    names = [name.replace(", ", ",\n") for name in scale.wide]
    right.set_yticks(range(len(names)), names, fontsize=7)
    right.invert_yaxis()
    right.set_xlabel("orders/s")
    figure.suptitle("What more products, records, processes and lanes do", x=0.02, ha="left", fontsize=10)


def _stack(axes: Axes, runs: Sequence[Run], bars: Sequence[tuple[str, int]], names: Sequence[str]) -> None:
    left = [0.0] * len(bars)
    for role in ALL:
        used = [cpu_medians(runs, *pair).get(role, 0.0) for pair in bars]
        axes.barh(range(len(bars)), used, 0.6, left=left, color=ROLE_COLOURS[role], label=role)
        left = [before + more for before, more in zip(left, used, strict=True)]
    for place, total in enumerate(left):
        axes.text(total, place, f" {total:.0f}", va="center", fontsize=8)
    axes.set_yticks(range(len(bars)), names, fontsize=7)
    axes.invert_yaxis()


def _write(axes: Axes, text: str, x: float, y: float) -> None:
    axes.annotate(text, (x, y), (0, 5), textcoords="offset points", ha="center", fontsize=6)


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _legend_below(axes: Axes, columns: int) -> None:
    axes.legend(frameon=False, ncols=columns, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15))


def _nines(percent: float) -> float:
    """1 in how many requests takes longer, as a power of ten: 90 % is 1, 99 % is 2."""
    return -math.log10(1 - percent / 100)
