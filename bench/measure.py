"""One measurement each: closed model, open model, crowd; each ends with its proof."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import uvloop

from bench.books import await_stored, open_books, own_backend, stored_orders
from bench.figures import Closed, Crowd, Open, count_statuses, is_accepted, latency
from bench.flush import await_drained
from bench.generator import generate
from bench.history import mix_orders, run_history
from bench.jobs import UNKNOWN, Job, Record
from bench.placement import Placement
from bench.plan import Plan
from bench.proof import Proof, judge
from bench.sale import open_sale
from bench.system import System

MICROSECONDS = 1_000_000


@dataclass
class Bench:
    """What every measurement of one bench shares: its plan, where processes run, and a number for the next run."""

    plan: Plan
    placement: Placement
    run: int = 0

    def next_run(self) -> int:
        """A number that no load of this bench has had; room for the parts of a load among its keys."""
        self.run += 100
        return self.run

    @property
    def cpu(self) -> int:
        """The CPU of the generator; -1: any."""
        return self.placement.generator[0] if self.placement.generator else -1


@dataclass(frozen=True)
class Settled:
    """What was found when the backlog of a load had reached Postgres."""

    drain_s: float
    cpu_s: dict[str, float]
    stored: dict[str, str] | None


def measure_closed(bench: Bench, system: System, connections: int, round_number: int, seconds: float) -> Closed:
    """The limit of a system: accepted orders per second with so many connections that never wait."""
    job = _job(bench, system, f"limit-{system.name}-{connections}-{round_number}", connections, seconds, "closed")
    open_sale(system.port, job.product, bench.plan.orders_max)
    before = system.cpu()
    record = generate(job)
    accepted = _accepted(record)
    settled = asyncio.run(_settle(system, job.product, accepted))
    window = [row for row in record.rows if record.begin <= row.done < record.end and is_accepted(row.status, row.body)]
    return Closed(
        system=system.name,
        connections=connections,
        round=round_number,
        seconds=seconds,
        orders_per_s=len(window) / seconds,
        latency=latency(row.done - row.sent for row in window),
        statuses=count_statuses(record),
        cpu_us={
            role: (used - before.get(role, 0.0)) * MICROSECONDS / max(1, accepted)
            for role, used in settled.cpu_s.items()
        },
        generator_us=record.cpu_s * MICROSECONDS / max(1, len(record.rows)),
        generator_share=record.cpu_s / (job.warm_s + seconds),
        drain_s=settled.drain_s,
        proof=None if system.name == "bare" else _prove(job, record, bench.plan.orders_max, settled.stored),
    )


def measure_open(bench: Bench, system: System, offered_per_s: float) -> Open:
    """The latency of a system at a rate that does not wait for it, and the machine's own noise at that rate."""
    plan = bench.plan
    job = _job(bench, system, "open", plan.open_connections, plan.open_s, "open", offered_per_s)
    idle = generate(msgspec.structs.replace(job, kind="idle", seconds=plan.idle_s))
    open_sale(system.port, job.product, plan.orders_max)
    record = generate(job)
    settled = asyncio.run(_settle(system, job.product, _accepted(record)))
    window = [row for row in record.rows if record.begin <= row.due < record.end]
    return Open(
        offered_per_s=offered_per_s,
        seconds=plan.open_s,
        connections=plan.open_connections,
        arrivals=job.arrivals,
        latency=latency(row.done - row.due for row in window if row.status != UNKNOWN),
        sent_late=latency(row.sent - row.due for row in window),
        idle=latency(row.done - row.due for row in idle.rows if row.due >= idle.begin),
        statuses=count_statuses(record),
        proof=_prove(job, record, plan.orders_max, settled.stored),
    )


def measure_crowd(bench: Bench, system: System) -> Crowd:
    """A crowd that double-clicks, retries and loses its connections, on a stock that is much too small for it."""
    plan = bench.plan
    product = f"crowd-{bench.next_run()}"
    orders = mix_orders(product, plan.crowd_requests, run=bench.next_run())
    open_sale(system.port, product, plan.crowd_stock)
    started = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcomes = runner.run(run_history(system.url, orders, plan.crowd_connections, cut=plan.crowd_cut))
        seconds = time.perf_counter() - started
        settled = runner.run(_settle(system, product, plan.crowd_stock))
    answers = [(outcome.order.key, outcome.status, outcome.body) for outcome in outcomes]
    statuses: dict[str, int] = {}
    for _, status, _ in answers:
        statuses[str(status)] = statuses.get(str(status), 0) + 1
    return Crowd(
        connections=plan.crowd_connections,
        seconds=seconds,
        statuses=dict(sorted(statuses.items())),
        proof=judge(product, plan.crowd_stock, answers, settled.stored, sells_out=True),
    )


def _job(
    bench: Bench, system: System, product: str, connections: int, seconds: float, kind: str, rate_per_s: float = 0.0
) -> Job:
    run = bench.next_run()
    return msgspec.convert(
        {
            "kind": kind,
            "url": system.url,
            "product": f"{product}-{run}",
            "run": run,
            "connections": connections,
            "warm_s": bench.plan.warm_s,
            "seconds": seconds,
            "count_max": bench.plan.orders_max,
            "rate_per_s": rate_per_s,
            "cpu": bench.cpu,
        },
        Job,
    )


async def _settle(system: System, product: str, units: int) -> Settled:
    """Wait until the orders are in Postgres, where there is one; then look at the CPU that was used, and the rows."""
    if system.name == "bare":
        return Settled(0.0, system.cpu(), None)
    if system.name == "baseline":
        return Settled(await asyncio.to_thread(await_drained, system), system.cpu(), None)
    async with open_books(system.settings) as connection:
        drain_s = await await_stored(connection, product, units)
        used = system.cpu(without={await own_backend(connection)})
        return Settled(drain_s, used, await stored_orders(connection, product))


def _accepted(record: Record) -> int:
    return sum(is_accepted(row.status, row.body) for row in record.rows)


def _prove(job: Job, record: Record, stock: int, stored: dict[str, str] | None) -> Proof:
    answers: Iterable[tuple[object, int, bytes]] = ((row.number, row.status, row.body) for row in record.rows)
    return judge(job.product, stock, answers, stored)
