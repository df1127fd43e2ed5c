"""The pictures of the study: batches and latency over the load, and how a sale falls onto lanes."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.capacity.study import Study
from bench.pictures import STYLE

PAIR_INCHES, ONE_INCHES = (7.0, 3.0), (7.0, 2.8)
COLOURS = ("#0f766e", "#b45309", "#4338ca", "#b91c1c")


def draw_pictures(study: Study, folder: Path) -> dict[str, Path]:
    """Draw `capacity-*.svg` into a folder; gives their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {name: folder / f"capacity-{name}.svg" for name in ("batches", "lanes")}
    style: Any = STYLE
    with mpl.rc_context(style):
        pair = Figure(figsize=PAIR_INCHES, layout="constrained")
        left, right = pair.subplots(1, 2)
        _batches(study, left, right)
        pair.savefig(drawn["batches"], metadata={"Date": None})
        one = Figure(figsize=ONE_INCHES, layout="constrained")
        _lanes(study, one.add_subplot())
        one.savefig(drawn["lanes"], metadata={"Date": None})
    return drawn


def _batches(study: Study, left: Axes, right: Axes) -> None:
    for scale, colour in zip(study.scales, COLOURS, strict=False):
        loads = [trip.load for trip in scale.rides]
        label = f"made for {scale.rate:,.0f}/s"
        left.plot(loads, [trip.found.batch for trip in scale.rides], "o-", color=colour, markersize=3, label=label)
        right.plot(loads, [trip.found.p99_ms for trip in scale.rides], "o-", color=colour, markersize=3)
        cells = [trip for name, trip in scale.others if name.endswith("cells")]
        left.plot([trip.load for trip in cells], [trip.found.batch for trip in cells], "*", color=colour, markersize=9)
        right.plot(
            [trip.load for trip in cells], [trip.found.p99_ms for trip in cells], "*", color=colour, markersize=9
        )
    left.set_title("Orders in a batch", loc="left")
    right.set_title("p99, ms; stars: processes in cells", loc="left")
    for axes in (left, right):
        axes.set_xlabel("offered, as a share of what it is made for")
    left.set_ylim(bottom=0)
    right.set_yscale("log")
    right.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    left.legend(frameon=False, fontsize=8)


def _lanes(study: Study, axes: Axes) -> None:
    scale = study.scales[-1]
    for tokens, colour in zip(scale.tokens[1:] or scale.tokens, COLOURS, strict=False):
        shares = sorted((share * len(tokens.shares) for share in tokens.shares), reverse=True)
        axes.step(range(1, len(shares) + 1), shares, where="mid", color=colour, label=tokens.spread)
    axes.axhline(1.0, color="#94a3b8", linewidth=0.8)
    axes.set_xlabel("lanes, the fullest first")
    axes.set_ylabel("demand over the lane's refill")
    axes.set_title(f"A sale of {scale.rate:,.0f} orders/s on its lanes, one token for each", loc="left")
    axes.legend(frameon=False)
