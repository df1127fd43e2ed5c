"""Targets 1 to 3: how many orders and refusals per second, beside everything that they are compared with.

In each round every subject has its turn at the same load, pinned alike; who begins changes from round to round, so
that none has always the warmer machine. Ratios are taken within a round.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import msgspec

from bench.answers import Wanted
from bench.base import checked_out, describe_base
from bench.children import ROOT, StartError
from bench.measure import Bench, Sale, closed_job, measure_closed, new_sale
from bench.plan import Plan
from bench.report import Subject
from bench.sale import SaleRefusedError
from bench.system import System, bare, baseline, flux_gate
from bench.valkey import forget_baseline

# A bucket that has given its one token away is empty for as long as a bench can take.
NEXT_TO_NOTHING_PER_S = 0.001
# How long one buyer may take to buy what there is of a sale that is to be sold out.
EXHAUST_MAX_S = 10.0
WANTED: Mapping[str, Wanted] = {"sold_out": "sold_out", "empty_bucket": "diverted"}


def steps(plan: Plan) -> int:
    """How many steps it tells of."""
    return 1 + plan.rounds * len(plan.connections) * len(plan.subjects)


def measure(bench: Bench, ours: System, base: str) -> None:
    """All rounds. `base` is the commit to be compared with; empty: none."""
    plan = bench.plan
    with contextlib.ExitStack() as stack:
        bench.step("starting what Flux-Gate is compared with")
        systems = _start(bench, stack, ours, base)
        for connections in plan.connections:
            for round_number in range(plan.rounds):
                for subject in turns(tuple(systems), round_number):
                    bench.step(f"{subject} at {connections} connections, round {round_number + 1} of {plan.rounds}")
                    if subject == "base":
                        _run_base(bench, systems, connections, round_number)
                    else:
                        _run(bench, systems[subject], subject, connections, round_number)


def turns(subjects: tuple[Subject, ...], round_number: int) -> tuple[Subject, ...]:
    """The order of a round: each begins once in as many rounds as there are, and every second goes backwards."""
    first = round_number % len(subjects)
    order = subjects[first:] + subjects[:first]
    return order[:1] + order[:0:-1] if round_number % 2 else order


def _start(bench: Bench, stack: contextlib.ExitStack, ours: System, base: str) -> dict[Subject, System]:
    plan, placement = bench.plan, bench.placement
    systems: dict[Subject, System] = {}
    for subject in plan.subjects:
        match subject:
            case "ours" | "sold_out":
                systems[subject] = ours
            case "bare":
                systems[subject] = stack.enter_context(bare(ours, placement))
            case "baseline":
                systems[subject] = stack.enter_context(baseline(ours, placement))
            case "empty_bucket":
                systems[subject] = stack.enter_context(flux_gate(placement, rate_per_s=NEXT_TO_NOTHING_PER_S))
            case "base":
                started = start_base(bench, stack, base)
                if started:
                    systems[subject] = started
    return systems


def start_base(bench: Bench, stack: contextlib.ExitStack, commit: str, repository: Path = ROOT) -> System | None:
    """Start the earlier Flux-Gate. One that there is not, or that does not start, is told in the report: None."""
    report = bench.report
    if not commit:
        report.notes.append("There is no earlier revision to compare with: git knows none here.")
        return None
    name = describe_base(commit, repository)
    try:
        root = stack.enter_context(checked_out(commit, repository))
        system = stack.enter_context(flux_gate(bench.placement, root=root))
    except StartError as error:
        report.notes.append(f"The earlier revision ({name}) does not start, so it was left out. {error}")
        return None
    report.base = name
    return system


def _run(bench: Bench, system: System, subject: Subject, connections: int, round_number: int) -> None:
    plan = bench.plan
    sale = new_sale(
        bench, system, f"{subject}-{connections}", stock=plan.sold_out_stock if subject == "sold_out" else 0
    )
    if subject in WANTED:
        _exhaust(bench, system, sale, plan.sold_out_stock if subject == "sold_out" else 1)
    job = closed_job(bench, system, sale, connections, plan.closed_s)
    wanted = WANTED.get(subject, "accepted")
    bench.report.limit.append(
        measure_closed(bench, system, sale, job, subject=subject, round_number=round_number, wanted=wanted)
    )
    if subject == "baseline":
        forget_baseline(system)


def _run_base(bench: Bench, systems: dict[Subject, System], connections: int, round_number: int) -> None:
    """A run of the earlier Flux-Gate. One that fails takes no further part: its faults are not ours to wait for."""
    failed = ""
    try:
        _run(bench, systems["base"], "base", connections, round_number)
    except (SaleRefusedError, asyncpg.PostgresError) as error:
        failed = str(error)
    else:
        proof = bench.report.limit[-1].proof
        failed = "; ".join(proof.faults) if proof else ""
    if failed:
        bench.report.notes.append(f"The earlier revision ({bench.report.base}) took no further part: {failed}")
        del systems["base"]


def _exhaust(bench: Bench, system: System, sale: Sale, orders: int) -> None:
    """Take what there is to be had, so that every answer after it is a refusal."""
    job = msgspec.structs.replace(closed_job(bench, system, sale, 1, EXHAUST_MAX_S), warm_s=0.0, count_max=orders)
    bench.report.exhausted.append(measure_closed(bench, system, sale, job, subject="exhausted", round_number=0))
