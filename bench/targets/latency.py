"""Target 4: the open model. How long an order takes at half the limit, and what becomes of twice the limit.

The rounds alternate an idle control, half the limit, and twice the limit on a system whose token bucket is set to the
limit. Then the curve: throughput and latency from a tenth of the limit to twice of it, with nothing refused.
"""

import contextlib

from bench.figures import best_limit
from bench.measure import Bench, measure_idle, measure_open, new_sale, open_job
from bench.plan import Plan
from bench.report import Open
from bench.system import System, flux_gate

# The bucket holds what it gains in this time: the default, a second, would let a burst through that is no steady rate.
BUCKET_S = 0.1


def steps(plan: Plan) -> int:
    """How many steps it tells of."""
    return (plan.overload_share > 0) + plan.latency_rounds * (1 + (plan.overload_share > 0)) + len(plan.curve)


def measure(bench: Bench, ours: System) -> None:
    """All rounds, then the curve."""
    plan, report = bench.plan, bench.report
    limit = best_limit(report.limit)
    if not limit:
        report.notes.append("Without a measured limit there is nothing to take half of: target 4 was left out.")
        return
    with contextlib.ExitStack() as stack:
        bounded = None
        if plan.overload_share:
            bench.step(f"starting a system whose bucket gains {limit:,.0f} tokens/s")
            burst = max(1, int(limit * BUCKET_S))
            bounded = stack.enter_context(flux_gate(bench.placement, rate_per_s=limit, burst=burst))
        for round_number in range(plan.latency_rounds):
            _half(bench, ours, limit, round_number)
            if bounded:
                bench.step(f"{plan.overload_share:.0%} of the limit with a bucket, round {round_number + 1}")
                run = _open(bench, bounded, limit, plan.overload_share, plan.open_s, round_number, bucket=limit)
                report.overload.append(run)
    for share in plan.curve:
        bench.step(f"{share:.0%} of {limit:,.0f} orders/s")
        report.curve.append(_open(bench, ours, limit, share, plan.curve_s, 0))


def _half(bench: Bench, ours: System, limit: float, round_number: int) -> None:
    plan, report = bench.plan, bench.report
    bench.step(f"{plan.open_share:.0%} of {limit:,.0f} orders/s, round {round_number + 1} of {plan.latency_rounds}")
    sale = new_sale(bench, ours, "idle")
    report.idle.append(measure_idle(bench, open_job(bench, ours, sale, limit * plan.open_share, plan.idle_s)))
    report.half.append(_open(bench, ours, limit, plan.open_share, plan.open_s, round_number))


def _open(
    bench: Bench, system: System, limit: float, share: float, seconds: float, round_number: int, *, bucket: float = 0.0
) -> Open:
    sale = new_sale(bench, system, f"open-{share * 100:.0f}")
    job = open_job(bench, system, sale, limit * share, seconds)
    return measure_open(bench, system, sale, job, share=share, round_number=round_number, bucket_per_s=bucket)
