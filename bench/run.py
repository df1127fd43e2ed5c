"""The whole bench from start to end, with progress: crowd, ceiling, limit against baseline, latency, reconciliation."""

import datetime
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.books import reconcile
from bench.figures import Closed, Report, median, rates
from bench.flush import forget_baseline
from bench.measure import Bench, measure_closed, measure_crowd, measure_open
from bench.placement import Placement
from bench.plan import Plan
from bench.system import System, bare, baseline, flux_gate

# Redrawing costs CPU on the generator's core.
REDRAWS_PER_S = 1


def run_bench(plan: Plan, placement: Placement, facts: dict[str, str], console: Console) -> Report:
    """Run everything. Raises StartError, SaleRefusedError or GeneratorError when a part does not come up."""
    began = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    report = Report(began=began, machine=facts, placement=placement.describe())
    bench = Bench(plan, placement)
    with _progress(console, _steps(plan)) as step:
        step("starting Valkey, Postgres, gateway, worker and reaper")
        with flux_gate(placement) as ours:
            step(f"a crowd of {plan.crowd_requests:,} requests on {plan.crowd_stock} units")
            report.crowd = measure_crowd(bench, ours)
            _reconcile(report, ours, "after the crowd")
            if plan.bare_s:
                with bare(ours, placement) as constant:
                    for connections in plan.connections:
                        step(f"bare Granian at {connections} connections")
                        report.closed.append(measure_closed(bench, constant, connections, 0, plan.bare_s))
            with baseline(ours, placement) as other:
                for connections in plan.connections:
                    for round_number in range(plan.rounds):
                        _round(bench, report, (ours, other), connections, round_number, step)
            limit = best_limit(plan, report)
            step(f"open model at {plan.open_share:.0%} of {limit:,.0f} orders/s")
            report.open = measure_open(bench, ours, max(1.0, limit * plan.open_share))
            _reconcile(report, ours, "after the open model")
    return report


def best_limit(plan: Plan, report: Report) -> float:
    """The highest median of accepted orders per second, over the numbers of connections."""
    return max(median(rates(report, "ours", connections)) for connections in plan.connections)


def _round(
    bench: Bench, report: Report, systems: tuple[System, System], connections: int, round_number: int, step: "_Step"
) -> None:
    """One run of each system; who begins changes from round to round, so that no one always has the warmer machine."""
    for system in systems if round_number % 2 == 0 else reversed(systems):
        step(f"{system.name} at {connections} connections, round {round_number + 1} of {bench.plan.rounds}")
        run: Closed = measure_closed(bench, system, connections, round_number, bench.plan.closed_s)
        report.closed.append(run)
        if system.name == "ours":
            _reconcile(report, system, f"after {connections} connections, round {round_number + 1}")
        else:
            forget_baseline(system)


def _reconcile(report: Report, system: System, when: str) -> None:
    said = reconcile(system.settings)
    if said.problem:
        report.reconciled.append(f"{when}: {said.problem}")
    elif not said.balanced:
        sums = f"oversold {said.oversold}, lost {said.lost}, duplicated {said.duplicated}"
        report.reconciled.append(f"{when}: the books do not balance: {sums}")


def _steps(plan: Plan) -> int:
    bare_runs = len(plan.connections) if plan.bare_s else 0
    return 3 + bare_runs + 2 * len(plan.connections) * plan.rounds


class _Step:
    """Tells the progress bar what is being done."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=steps)
        self._begun = False

    def __call__(self, what: str) -> None:
        if self._begun:
            self._progress.advance(self._task)
        self._begun = True
        self._progress.update(self._task, description=what)


@contextmanager
def _progress(console: Console, steps: int) -> Generator[_Step]:
    columns = (SpinnerColumn(), BarColumn(bar_width=24), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, refresh_per_second=REDRAWS_PER_S) as progress:
        yield _Step(progress, steps)
