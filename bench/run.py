"""The whole bench from start to end, with progress: the crowd, then one target after the other."""

import datetime
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.books import reconcile
from bench.children import StartError
from bench.generator import running_generator
from bench.measure import Bench, measure_crowd
from bench.placement import Placement
from bench.plan import Plan
from bench.report import Report
from bench.sale import SaleRefusedError
from bench.system import System, flux_gate
from bench.targets import drain, latency, limit, scale

# Redrawing costs CPU on the generator's core.
REDRAWS_PER_S = 1


def run_bench(plan: Plan, placement: Placement, facts: dict[str, str], console: Console, *, base: str = "") -> Report:
    """Run everything. Raises StartError, SaleRefusedError or GeneratorError when there is nothing to measure with."""
    began = time.monotonic()
    moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    report = Report(began=moment, machine=facts, placement=placement.describe())
    with _progress(console, _steps(plan)) as step, running_generator() as generator:
        bench = Bench(plan, placement, generator, report, step)
        step("starting Valkey, Postgres, gateway, worker and reaper")
        with flux_gate(placement) as ours:
            step(f"a crowd of {plan.crowd_requests:,} requests on {plan.crowd_stock} units")
            report.crowd = measure_crowd(bench, ours)
            _part(report, "targets 1 to 3", lambda: limit.measure(bench, ours, base))
            _part(report, "target 4", lambda: latency.measure(bench, ours))
            _part(report, "target 5", lambda: drain.measure(bench, ours))
            step("asking fluxgate reconcile")
            _reconcile(report, ours)
        _part(report, "target 6", lambda: scale.measure(bench))
    report.took_s = time.monotonic() - began
    return report


def _part(report: Report, name: str, measure: Callable[[], None]) -> None:
    """Measure a part. What does not come up in it is told, and does not take the other parts with it."""
    try:
        measure()
    except (StartError, SaleRefusedError) as error:
        report.failures.append(f"{name} could not be measured to the end: {error}")


def _steps(plan: Plan) -> int:
    return 3 + sum(target.steps(plan) for target in (limit, latency, drain, scale))


def _reconcile(report: Report, system: System) -> None:
    said = reconcile(system.settings)
    if said.problem:
        report.reconciled.append(said.problem)
    elif not said.balanced:
        sums = f"oversold {said.oversold}, lost {said.lost}, duplicated {said.duplicated}"
        report.reconciled.append(f"fluxgate reconcile: the books do not balance: {sums}")


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
