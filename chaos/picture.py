"""The picture of the matrix: accepts over time in every trial, with the fault drawn in."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.pictures import OURS, STYLE
from chaos.trial import TICK_S, Trial

COLUMNS = 4
PANEL_INCHES = (2.6, 1.15)
FAULT, BROKEN = "#fca5a5", "#b91c1c"
# Seconds before and after the fault that a panel shows.
BEFORE_S, AFTER_S = 2.0, 10.0
# Steps of the timeline that one point of the line is the mean of.
SMOOTH = 3


def draw(trials: Sequence[Trial], path: Path) -> None:
    """One panel for each fault, one line for each seed; zero is the moment of the fault."""
    of_fault: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.accepts:
            of_fault.setdefault(trial.fault, []).append(trial)
    rows = max(1, math.ceil(len(of_fault) / COLUMNS))
    size = (PANEL_INCHES[0] * COLUMNS, PANEL_INCHES[1] * rows + 0.4)
    style: Any = STYLE | {"font.size": 6, "axes.titlesize": 6.5}
    with mpl.rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for axes, (fault, found) in zip(panels.flat, of_fault.items(), strict=False):
            _panel(axes, fault, found)
        for axes in panels.flat[len(of_fault) :]:
            axes.set_axis_off()
        panels[0, 0].set_xlim(-BEFORE_S, AFTER_S)
        figure.supylabel("accepts per second", fontsize=7)
        figure.supxlabel("seconds since the fault", fontsize=7)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def _panel(axes: Axes, fault: str, trials: Sequence[Trial]) -> None:
    for trial in trials:
        per_s = [count / TICK_S for count in trial.accepts]
        smooth = [sum(per_s[max(0, i - SMOOTH + 1) : i + 1]) / min(i + 1, SMOOTH) for i in range(len(per_s))]
        times = [i * TICK_S - trial.struck_s for i in range(len(per_s))]
        axes.plot(times, smooth, color=BROKEN if trial.problems else OURS, linewidth=0.7, alpha=0.8)
        axes.axvspan(0, max(0.05, trial.ended_s - trial.struck_s), color=FAULT, alpha=0.35 / len(trials), linewidth=0)
    axes.axvline(0, color=FAULT, linewidth=0.8)
    axes.set_title(fault, loc="left")
    axes.set_yscale("symlog", linthresh=100)
    axes.set_ylim(0, 2_000)
    axes.set_yticks([0, 100, 1_000], ["0", "100", "1,000"])
