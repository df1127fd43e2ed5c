"""What the matrix came to: as a table for people, and as JSON for programs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chaos.soak import Soaked
from chaos.trial import Trial

COUNTS = (
    "requests",
    "accepted",
    "cancelled",
    "rows",
    "indeterminate",
    "recovered",
    "lost",
    "duplicated",
    "oversold",
    "unexpected",
)
TIMES = {"longest outage": "outage_s", "accepts back": "recovery_s", "rows back": "rows_recovery_s"}
HEAD = ("fault", "trials", *COUNTS, *TIMES, "books")


class Line(msgspec.Struct, frozen=True):
    """One fault over all its seeds: counts are sums, times the longest, in seconds."""

    fault: str
    trials: int
    counts: dict[str, int]
    times: dict[str, float]
    # The shortest silence that counted as an outage.
    silence_s: float
    problems: tuple[str, ...]
    untried: str


def lines_of(trials: Iterable[Trial]) -> list[Line]:
    """One line for each fault, in the order of their first trials."""
    of_fault: dict[str, list[Trial]] = {}
    for trial in trials:
        of_fault.setdefault(trial.fault, []).append(trial)
    return [_line(fault, found) for fault, found in of_fault.items()]


def table_of(trials: Sequence[Trial], title: str) -> Table:
    """The table for the terminal."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, name in enumerate(HEAD):
        table.add_column(name, justify="left" if place == 0 else "right")
    for line in lines_of(trials):
        table.add_row(*map(escape, cells(line)), style="red" if line.problems else "dim" if line.untried else "")
    return table


def print_report(trials: Sequence[Trial], console: Console) -> None:
    """The table, what is wrong, and the sum of it."""
    console.print(table_of(trials, "A sale under faults"))
    for trial in trials:
        for problem in (*trial.problems, *trial.late):
            console.print(f"  {trial.fault}, seed {trial.seed}: {escape(problem)}", style="red", highlight=False)
        if trial.untried:
            console.print(f"  {trial.fault}, seed {trial.seed}, was not tried: {escape(trial.untried)}", style="yellow")
    console.print(summary(trials), style="bold red" if failed(trials) else "bold green", highlight=False)


def print_soak(soaked: Soaked, console: Console) -> None:
    """What was there at the begin and at the end of a soak."""
    table = Table(title="What a soak leaves", title_justify="left", title_style="bold")
    for place, name in enumerate(("what", "begin", "end", "limit")):
        table.add_column(name, justify="left" if place == 0 else "right")
    for measure in soaked.measures:
        numbers = (f"{number:.0f}" for number in measure[1:])
        table.add_row(measure.name, *numbers, style="" if measure.sound else "red")
    console.print(table)
    for problem in soaked.problems:
        console.print(f"  {escape(problem)}", style="red", highlight=False)
    style = "bold red" if soaked.grown or soaked.problems else "bold green"
    console.print(soak_summary(soaked), style=style, highlight=False)


def soak_summary(soaked: Soaked) -> str:
    """One sentence about a soak."""
    return (
        f"{soaked.orders:,} orders in {soaked.sales} sales and {soaked.seconds / 60:.1f} minutes, with "
        f"{soaked.restarts} processes killed; {len(soaked.grown)} things grew, {len(soaked.problems)} problems."
    )


def summary(trials: Sequence[Trial]) -> str:
    """One sentence about all of it."""
    done = [trial.verdict for trial in trials if trial.verdict]
    sums = {name: sum(getattr(verdict, name) for verdict in done) for name in COUNTS}
    kept = sum(not trial.problems and not trial.late and not trial.untried for trial in trials)
    wrong = ", ".join(f"{name} {sums[name]:,}" for name in ("lost", "duplicated", "oversold", "unexpected"))
    return f"{kept} of {len(trials)} trials kept the promise: {sums['accepted']:,} orders accepted; {wrong}."


def failed(trials: Iterable[Trial]) -> bool:
    """Whether a promise was broken."""
    return any(trial.problems or trial.late for trial in trials)


def write_json(trials: Sequence[Trial], path: Path) -> None:
    """Everything, for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode({"trials": trials}), indent=1))


def cells(line: Line) -> tuple[str, ...]:
    """A line of the table."""
    if line.untried:
        return (line.fault, *[""] * (len(HEAD) - 2), "not tried")
    counts = [f"{line.counts[name]:,}" for name in COUNTS]
    times = [f"{line.times[name]:.1f} s" if line.times[name] else f"< {line.silence_s:g} s" for name in TIMES]
    return (line.fault, str(line.trials), *counts, *times, "wrong" if line.problems else "balanced")


def _line(fault: str, trials: list[Trial]) -> Line:
    verdicts: list[Any] = [trial.verdict for trial in trials if trial.verdict]
    return Line(
        fault,
        len(trials),
        {name: sum(getattr(verdict, name) for verdict in verdicts) for name in COUNTS},
        {name: max(getattr(trial, field) for trial in trials) for name, field in TIMES.items()},
        trials[0].silence_s,
        tuple(problem for trial in trials for problem in (*trial.problems, *trial.late)),
        next((trial.untried for trial in trials if trial.untried), ""),
    )
