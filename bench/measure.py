"""One measurement each: closed model, open model, crowd; each ends with its proof."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec
import uvloop

from bench.answers import Wanted, count_statuses, is_right
from bench.books import await_stored, open_books, own_backend, stored_orders, unbalanced
from bench.generator import Generator
from bench.history import mix_orders, run_history
from bench.jobs import Job, Record
from bench.latency import Latency, latency
from bench.placement import Placement
from bench.plan import Plan
from bench.proof import Proof, judge
from bench.report import Crowd, Open, Report, Run
from bench.requests import product_names
from bench.sale import open_sale, open_sales
from bench.system import System
from bench.valkey import await_drained, count_commands

MICROSECONDS = 1_000_000


@dataclass
class Bench:
    """What every measurement of one bench shares."""

    plan: Plan
    placement: Placement
    generator: Generator
    report: Report
    # Tells people what is being done.
    step: Callable[[str], None]
    run: int = 0

    def next_run(self) -> int:
        """A number that no load of this bench has had: it keeps keys and sales apart."""
        self.run += 1
        return self.run


@dataclass
class Sale:
    """The products that a load is about, and what earlier loads on them made."""

    name: str
    products: int
    # Units of each product.
    stock: int
    known: set[str] = field(default_factory=set[str])

    @property
    def names(self) -> list[str]:
        """What its products are called."""
        return product_names(self.name, self.products)


@dataclass(frozen=True)
class Settled:
    """What was found when the backlog of a load had reached Postgres. Books are None where there are none."""

    moment: float
    cpu_s: dict[str, float]
    stored: dict[str, str] | None = None
    unbalanced: tuple[str, ...] = ()


def new_sale(bench: Bench, system: System, name: str, *, stock: int = 0, products: int = 1) -> Sale:
    """Open a sale that nobody has bought from. Without a stock it has more units than a load may buy."""
    sale = Sale(f"{name}-{bench.next_run()}", products, stock or bench.plan.orders_max)
    if products == 1:
        open_sale(system.port, sale.name, sale.stock, system.settings.admin_key)
    else:
        asyncio.run(open_sales(system.url, sale.names, sale.stock))
    return sale


def measure_closed(
    bench: Bench,
    system: System,
    sale: Sale,
    job: Job,
    *,
    subject: str,
    round_number: int,
    wanted: Wanted = "accepted",
) -> Run:
    """The limit of a system: right answers per second with connections that never wait."""
    counts = system.kind == "flux_gate"
    commands = count_commands(system) if counts else 0
    before = system.cpu()
    record = bench.generator.run(job)
    commands = count_commands(system) - commands if counts else 0
    accepted = sum(is_right(row.status, row.body, "accepted") for row in record.rows)
    settled = asyncio.run(settle(system, sale, accepted))
    right = [row for row in record.rows if is_right(row.status, row.body, wanted)]
    window = [row for row in record.rows if record.begin <= row.done < record.end]
    in_window = [row for row in window if is_right(row.status, row.body, wanted)]
    return Run(
        subject=subject,
        connections=job.connections,
        round=round_number,
        seconds=job.seconds,
        per_s=len(in_window) / job.seconds,
        latency=latency(row.done - row.sent for row in in_window),
        wrong=len(window) - len(in_window),
        statuses=count_statuses(record.rows),
        cpu_us=cpu_us(before, settled.cpu_s, len(right)),
        generator_us=record.cpu_s * MICROSECONDS / max(1, len(record.rows)),
        generator_share=generator_share(job, record),
        redis_commands=commands / max(1, len(right)),
        drain_s=settled.moment - max((row.done for row in record.rows), default=settled.moment),
        proof=None if system.kind == "bare" else prove(sale, record, settled),
    )


def measure_open(
    bench: Bench, system: System, sale: Sale, job: Job, *, share: float, round_number: int, bucket_per_s: float = 0.0
) -> Open:
    """What a system does at a rate that does not wait for it."""
    record = bench.generator.run(job)
    settled = asyncio.run(settle(system, sale, sum(is_right(row.status, row.body, "accepted") for row in record.rows)))
    due = [row for row in record.rows if record.begin <= row.due < record.end]
    done = [row for row in record.rows if record.begin <= row.done < record.end]

    def from_due(wanted: Wanted) -> Latency:
        return latency(row.done - row.due for row in due if is_right(row.status, row.body, wanted))

    def from_sent(wanted: Wanted) -> Latency:
        return latency(row.done - row.sent for row in due if is_right(row.status, row.body, wanted))

    return Open(
        offered_per_s=job.rate_per_s,
        arrivals=job.arrivals,
        share=share,
        round=round_number,
        seconds=job.seconds,
        connections=job.connections,
        bucket_per_s=bucket_per_s,
        accepted_per_s=sum(is_right(row.status, row.body, "accepted") for row in done) / job.seconds,
        refused_per_s=sum(is_right(row.status, row.body, "diverted") for row in done) / job.seconds,
        accepts=from_due("accepted"),
        refusals=from_due("diverted"),
        accepts_sent=from_sent("accepted"),
        refusals_sent=from_sent("diverted"),
        late=latency(record.late),
        generator_share=generator_share(job, record),
        priority=record.priority,
        statuses=count_statuses(record.rows),
        proof=prove(sale, record, settled),
    )


def measure_idle(bench: Bench, job: Job) -> Latency:
    """How late the generator is at the moments of a job of the open model, with nothing to send."""
    record = bench.generator.run(msgspec.structs.replace(job, kind="idle"))
    return latency(row.done - row.due for row in record.rows if row.due >= record.begin)


def measure_crowd(bench: Bench, system: System) -> Crowd:
    """A crowd that double-clicks, retries and loses its connections, on a stock that is much too small for it."""
    plan = bench.plan
    sale = new_sale(bench, system, "crowd", stock=plan.crowd_stock)
    orders = mix_orders(sale.name, plan.crowd_requests, run=bench.next_run())
    started = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcomes = runner.run(run_history(system.url, orders, plan.crowd_connections, cut=plan.crowd_cut))
        seconds = time.perf_counter() - started
        settled = runner.run(settle(system, sale, plan.crowd_stock))
    answers = [(outcome.order.key, outcome.status, outcome.body) for outcome in outcomes]
    proof = judge(sale.name, plan.crowd_stock, answers, settled.stored, sells_out=True)
    return Crowd(
        connections=plan.crowd_connections,
        seconds=seconds,
        statuses=count_statuses(outcomes),
        proof=msgspec.structs.replace(proof, faults=proof.faults + settled.unbalanced),
    )


def closed_job(bench: Bench, system: System, sale: Sale, connections: int, seconds: float) -> Job:
    """A load of the closed model."""
    return Job(
        kind="closed",
        url=system.url,
        product=sale.name,
        products=sale.products,
        run=bench.next_run(),
        connections=connections,
        warm_s=bench.plan.warm_s,
        seconds=seconds,
        count_max=bench.plan.orders_max,
        cpus=bench.placement.generator or bench.placement.usable,
    )


def open_job(bench: Bench, system: System, sale: Sale, rate_per_s: float, seconds: float) -> Job:
    """A load of the open model."""
    job = closed_job(bench, system, sale, bench.plan.open_connections, seconds)
    return msgspec.structs.replace(job, kind="open", rate_per_s=rate_per_s, seed=job.run, urgent=True)


async def settle(system: System, sale: Sale, accepted: int) -> Settled:
    """Wait until the orders are in Postgres, where there is one; then look at the CPU that was used, and the books."""
    if system.kind == "bare":
        return Settled(time.perf_counter(), system.cpu())
    if system.kind == "baseline":
        return Settled(await asyncio.to_thread(await_drained, system), system.cpu())
    async with open_books(system.settings) as connection:
        moment = await await_stored(connection, sale.names, len(sale.known) + accepted)
        used = system.cpu(without={await own_backend(connection)})
        stored = await stored_orders(connection, sale.names)
    faults = await unbalanced(system.settings) if system.is_ours else ()
    return Settled(moment, used, stored, faults)


def prove(sale: Sale, record: Record, settled: Settled) -> Proof:
    """Judge one load by its answers and by the books; what it made is known from then on."""
    answers: Iterable[tuple[object, int, bytes]] = ((row.number, row.status, row.body) for row in record.rows)
    stored = settled.stored
    fresh = None if stored is None else {made: state for made, state in stored.items() if made not in sale.known}
    proof = judge(sale.name, sale.stock * sale.products - len(sale.known), answers, fresh)
    sale.known.update(fresh or ())
    return msgspec.structs.replace(proof, faults=proof.faults + settled.unbalanced)


def generator_share(job: Job, record: Record) -> float:
    """How much of its core the generator used, from the first request to the last answer: that may come late."""
    last = max((row.done for row in record.rows), default=record.end)
    return record.cpu_s / (job.warm_s + max(last, record.end) - record.begin)


def cpu_us(before: dict[str, float], after: dict[str, float], answers: int) -> dict[str, float]:
    """CPU microseconds per answer, by process."""
    return {role: (used - before.get(role, 0.0)) * MICROSECONDS / max(1, answers) for role, used in after.items()}
