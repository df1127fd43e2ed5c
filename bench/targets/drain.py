"""Target 5: a burst as fast as it goes, and the seconds until all of it is in Postgres."""

import asyncio
import bisect
import time
from typing import Any

import msgspec

from bench.answers import is_right
from bench.books import DRAIN_MAX_S, LOOK_EVERY_S, open_books, units_sold
from bench.jobs import Record
from bench.measure import Bench, Sale, closed_job, cpu_us, new_sale, prove, settle
from bench.plan import Plan
from bench.report import Drain
from bench.system import System

# A burst that takes longer than this is cut off, and measured as it is.
BURST_MAX_S = 60.0
# Points of the timeline that are kept.
POINTS = 100


def steps(plan: Plan) -> int:
    """How many steps it tells of."""
    return plan.bursts


def measure(bench: Bench, ours: System) -> None:
    """Every burst."""
    for number in range(bench.plan.bursts):
        bench.step(f"a burst of {bench.plan.burst_orders:,} orders, {number + 1} of {bench.plan.bursts}")
        bench.report.drains.append(_burst(bench, ours, number))


def _burst(bench: Bench, ours: System, number: int) -> Drain:
    sale = new_sale(bench, ours, "burst")
    before = ours.cpu()
    record, looks = asyncio.run(_sell(bench, ours, sale))
    taken = _accepts(record)
    settled = asyncio.run(settle(ours, sale, len(taken)))
    first, last = (taken[0], taken[-1]) if taken else (0.0, 0.0)
    # The watch sees the end sooner than who comes after it, unless it ended before the last order was in.
    arrived = next((moment for moment, stored in looks if stored >= len(taken)), settled.moment)
    at_end = [stored for moment, stored in looks if moment <= last]
    return Drain(
        round=number,
        orders=len(taken),
        burst_s=last - first,
        drain_s=max(0.0, arrived - last),
        backlog=len(taken) - (at_end[-1] if at_end else 0),
        cpu_us=cpu_us(before, settled.cpu_s, len(taken)),
        timeline=timeline(taken, looks),
        proof=prove(sale, record, settled),
    )


async def _sell(bench: Bench, ours: System, sale: Sale) -> tuple[Record, list[tuple[float, int]]]:
    """The burst, and what Postgres had at every look until it had all of it, or the load was over."""
    plan = bench.plan
    job = msgspec.structs.replace(
        closed_job(bench, ours, sale, max(plan.connections), BURST_MAX_S), count_max=plan.burst_orders
    )
    async with open_books(ours.settings) as connection:
        selling = asyncio.create_task(asyncio.to_thread(bench.generator.run, job))
        looks = await _watch(connection, sale, plan.burst_orders, selling)
        return await selling, looks


async def _watch(connection: Any, sale: Sale, orders: int, selling: asyncio.Task[Record]) -> list[tuple[float, int]]:
    looks: list[tuple[float, int]] = []
    until = time.perf_counter() + BURST_MAX_S + DRAIN_MAX_S
    stored = 0
    while stored < orders and time.perf_counter() < until:
        stored = await units_sold(connection, sale.names)
        looks.append((time.perf_counter(), stored))
        await asyncio.sleep(LOOK_EVERY_S)
        if selling.done():
            # Fewer than were meant to be, where the time was up or not all of them were accepted.
            orders = len(_accepts(selling.result()))
    return looks


def _accepts(record: Record) -> list[float]:
    return sorted(row.done for row in record.rows if is_right(row.status, row.body, "accepted"))


def timeline(taken: list[float], looks: list[tuple[float, int]]) -> list[tuple[float, int, int]]:
    """Seconds since the first accept, orders accepted and orders in Postgres by then: some points of it.

    `taken` are the moments of the accepts, rising; `looks` pair moments with what Postgres had.
    """
    if not taken:
        return []
    every = max(1, len(looks) // POINTS)
    return [
        (moment - taken[0], bisect.bisect_right(taken, moment), stored)
        for moment, stored in looks[::every]
        if moment >= taken[0]
    ]
