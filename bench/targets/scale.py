"""Target 6: what an order costs among many products and many live records, and what more processes and lanes bring.

Every subject is a system of its own, so that none carries what another has left behind; the first of each group is
what the others are held against, and all have their turns in every round.
"""

from dataclasses import dataclass

import msgspec

from bench.measure import Bench, Sale, closed_job, measure_closed, new_sale
from bench.placement import place
from bench.plan import Plan
from bench.sale import SaleRefusedError
from bench.system import System, flux_gates
from bench.valkey import FILL_TTL_S, fill_records
from contract.order_ids import parse_order_id

# Gateway processes that are given a CPU each, where there are so many CPUs.
FRONT_CPUS = 2


@dataclass(frozen=True)
class Subject:
    """What one system is to show."""

    name: str
    products: int = 1
    records: int = 0
    gateways: int = 1
    lanes: int = 1


def flat_subjects(plan: Plan) -> list[Subject]:
    """Those whose cost per order must not rise."""
    subjects = [Subject(f"{products:,} product{'s' * (products > 1)}", products) for products in plan.products]
    return subjects + ([Subject(f"{plan.records:,} records", records=plan.records)] if plan.records else [])


def wide_subjects(plan: Plan) -> list[Subject]:
    """Those whose throughput may rise: more gateway processes, then more lanes."""
    products = plan.lane_products
    processes = [Subject(_wide(gateways, 1), products, gateways=gateways) for gateways in plan.gateways]
    return processes + [Subject(_wide(1, lanes), products, lanes=lanes) for lanes in plan.lanes if lanes > 1]


def _wide(gateways: int, lanes: int) -> str:
    return f"{gateways} gateway process{'es' * (gateways > 1)}, {lanes} lane{'s' * (lanes > 1)}"


def steps(plan: Plan) -> int:
    """How many steps it tells of."""
    return (
        2 + (len(flat_subjects(plan)) + len(wide_subjects(plan))) * (1 + plan.scale_rounds) if plan.scale_rounds else 0
    )


def measure(bench: Bench) -> None:
    """Both groups."""
    plan, report = bench.plan, bench.report
    if not plan.scale_rounds:
        report.notes.append("How it scales was left out.")
        return
    flat, wide = flat_subjects(plan), wide_subjects(plan)
    report.scale.flat = [subject.name for subject in flat]
    report.scale.wide = [subject.name for subject in wide]
    _group(bench, flat)
    pinned = bench.placement
    # What more processes bring shows only where they may run: beside each other, not on one core.
    bench.placement = place(pinned.usable, FRONT_CPUS)
    report.scale.placement = bench.placement.describe()
    _group(bench, wide)
    bench.placement = pinned


def _group(bench: Bench, subjects: list[Subject]) -> None:
    plan = bench.plan
    bench.step(f"starting a system for each of {', '.join(subject.name for subject in subjects)}")
    with flux_gates(bench.placement, [_settings(subject) for subject in subjects]) as systems:
        ready: list[tuple[Subject, System, Sale]] = []
        for subject, system in zip(subjects, systems, strict=True):
            bench.step(f"preparing {subject.name}")
            try:
                sale = new_sale(bench, system, "scale", products=subject.products)
            except SaleRefusedError as error:
                bench.report.notes.append(f"{subject.name} was left out. {error}")
                continue
            ready.append((subject, system, sale))
            if subject.records:
                _fill(bench, system, sale, subject.records)
        for round_number in range(plan.scale_rounds):
            for subject, system, sale in ready if round_number % 2 == 0 else reversed(ready):
                bench.step(f"{subject.name}, round {round_number + 1} of {plan.scale_rounds}")
                job = closed_job(bench, system, sale, plan.scale_connections, plan.scale_s)
                run = measure_closed(bench, system, sale, job, subject=subject.name, round_number=round_number)
                bench.report.scale.runs.append(run)


def _settings(subject: Subject) -> dict[str, int]:
    # All records stay, so that what they cost is there in every round.
    return {"gateway_workers": subject.gateways, "lanes": subject.lanes, "idempotency_ttl_s": FILL_TTL_S}


def _fill(bench: Bench, system: System, sale: Sale, records: int) -> None:
    """Buy one unit, and write as many records like that one."""
    job = msgspec.structs.replace(closed_job(bench, system, sale, 1, 1.0), warm_s=0.0, count_max=1)
    measure_closed(bench, system, sale, job, subject="one order", round_number=0)
    order_id = next(iter(sale.known))
    found = parse_order_id(order_id)
    assert found
    bench.report.scale.records = records
    bench.report.scale.record_bytes = fill_records(system, records, order_id, found[1])
