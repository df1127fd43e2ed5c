"""The pictures of a report: orders per second, the latency curve, CPU per order by process."""

import math
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.figures import Report, cpu_medians, median, rates, ratio
from bench.table import ROLES

SIZE_INCHES = (7.0, 3.6)
OURS, BASELINE, BARE, NOISE = "#0f766e", "#b45309", "#94a3b8", "#94a3b8"
COLOURS = {"ours": OURS, "baseline": BASELINE, "bare": BARE}
NAMES = {"ours": "Flux-Gate", "baseline": "one call per request", "bare": "bare Granian, constant answer"}
ROLE_COLOURS = {"gateway": OURS, "valkey": "#b91c1c", "worker": "#4338ca", "postgres": "#0369a1", "rest": "#94a3b8"}
STYLE = {
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


def draw_pictures(report: Report, folder: Path) -> list[Path]:
    """Draw `bench-*.svg` into a folder; returns what was drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    drawers: dict[str, Callable[[Report, Axes], None]] = {"throughput": _throughput, "cpu": _cpu}
    if report.open:
        drawers["latency"] = _latency
    drawn: list[Path] = []
    with mpl.rc_context(STYLE):
        for name, drawer in drawers.items():
            figure = Figure(figsize=SIZE_INCHES, layout="constrained")
            drawer(report, figure.add_subplot())
            path = folder / f"bench-{name}.svg"
            figure.savefig(path, metadata={"Date": None})
            drawn.append(path)
    return drawn


def _throughput(report: Report, axes: Axes) -> None:
    """Bars: the median of each system at each number of connections; dots: every round."""
    groups = list(dict.fromkeys(run.connections for run in report.closed))
    systems = [name for name in NAMES if any(run.system == name for run in report.closed)]
    width = 0.8 / max(1, len(systems))
    for place, system in enumerate(systems):
        for group, connections in enumerate(groups):
            speeds = rates(report, system, connections)
            x = group + (place - (len(systems) - 1) / 2) * width
            label = NAMES[system] if group == 0 else None
            axes.bar(x, median(speeds), width * 0.92, color=COLOURS[system], label=label)
            axes.plot([x] * len(speeds), speeds, "o", color="#0f172a", markersize=2.5)
            times = ratio(report, connections)
            text = f"{median(speeds):,.0f}" + (f"\n{times:.1f} times" if system == "ours" and times else "")
            axes.annotate(text, (x, max(speeds)), (0, 5), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xticks(range(len(groups)), [f"{connections} connections" for connections in groups])
    axes.set_ylabel("orders/s")
    axes.set_title("Accepted orders per second at the limit: medians, and every round", loc="left")
    axes.margins(y=0.18)
    _legend_below(axes, len(systems))


def _latency(report: Report, axes: Axes) -> None:
    """Latency over the share of requests that took no longer, spread so that the tail can be seen."""
    if report.open is None:
        return
    for name, times, colour in (("orders", report.open.latency, OURS), ("idle control", report.open.idle, NOISE)):
        points = [(_nines(percent), at_ms) for percent, at_ms in times.curve if 0 < percent < 100]
        axes.plot(*zip(*points, strict=True), "o-", color=colour, label=name, markersize=3)
    marks = [percent for percent, _ in report.open.latency.curve if percent in (50, 90, 99, 99.9, 99.99)]
    axes.set_xticks([_nines(percent) for percent in marks], [f"{percent:g} %" for percent in marks])
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylabel("ms, from the due moment")
    axes.set_title(f"Latency at {report.open.offered_per_s:,.0f} orders/s, open model", loc="left")
    axes.legend(frameon=False)


def _cpu(report: Report, axes: Axes) -> None:
    """Stacked bars: CPU per accepted order by process."""
    bars = [pair for pair in dict.fromkeys((run.system, run.connections) for run in report.closed) if pair[0] != "bare"]
    left = [0.0] * len(bars)
    for role in ROLES:
        used = [cpu_medians(report, *pair).get(role, 0.0) for pair in bars]
        axes.barh(range(len(bars)), used, 0.6, left=left, color=ROLE_COLOURS[role], label=role)
        left = [before + more for before, more in zip(left, used, strict=True)]
    for place, total in enumerate(left):
        axes.text(total, place, f" {total:.0f}", va="center", fontsize=8)
    axes.set_yticks(range(len(bars)), [f"{NAMES[system]}, {connections}" for system, connections in bars])
    axes.invert_yaxis()
    axes.set_xlabel("CPU microseconds per accepted order")
    axes.set_title("What one order costs, by process", loc="left")
    _legend_below(axes, len(ROLES))


def _legend_below(axes: Axes, columns: int) -> None:
    axes.legend(frameon=False, ncols=columns, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18))


def _nines(percent: float) -> float:
    """1 in how many requests takes longer, as a power of ten: 90 % is 1, 99 % is 2."""
    return -math.log10(1 - percent / 100)
