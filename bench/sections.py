"""The tables of a report with their titles, and what has to be said about each: for the terminal and for the page."""

from collections.abc import Mapping
from typing import NamedTuple

from bench.figures import median_cost
from bench.proof_table import proof_rows
from bench.report import Report
from bench.table import (
    Rows,
    cpu_rows,
    curve_rows,
    drain_rows,
    is_bottleneck,
    is_late,
    latency_rows,
    limit_rows,
    overload_rows,
    scale_rows,
    target_rows,
)
from bench.verdict import ACCEPT_CONNECTIONS, FIRST_COMMIT, needed_cores

# What accepts would come to if deciding cost hardly anything.
DREAM_OF_BARE = 0.70
EXPLAINED: Mapping[str, str] = {
    "targets": "Ratios are taken within a round, in which everybody has a turn at the same load, and are the median "
    "over the rounds. The first version that was measured is that of commit " + FIRST_COMMIT + ".",
    "limit": "*bare* is Granian (RSGI) with a constant answer to the same request and nothing behind it; *one call per "
    "request* is the straightforward gateway on the same server and the same Valkey, through redis-py, with a plain "
    "worker (`bench/baseline.py`, `bench/baseline_worker.py`); *earlier* is the revision named above. Every accept of "
    "all but *bare* is answered after `fsync`. The same generator drives all of them.",
    "cpu": "*front* is gateway and Valkey together, which share one core. The last column has the commands that Redis "
    "carried out per answer, those of scripts and of idle processes included.",
    "latency": "Orders leave at moments fixed beforehand, and latency counts from that moment, so a stall cannot hide. "
    "The idle control is the lateness of the same generator at the same moments with nothing to send.",
    "overload": "*after sending* leaves out how long an order waited for a free connection.",
    "curve": "Beyond the limit the orders wait for a connection, and the wait counts.",
    "drain": "A burst as fast as it goes; then the seconds from the last accept until all of it is in Postgres.",
    "flat": "Each is a system of its own, with one gateway process and one lane.",
    "wide": "Each is a system of its own that sells several products.",
    "books": "What clients were told, against the rows of Postgres and against the stock; after every run the books "
    "are balanced too, and at the end `fluxgate reconcile` is asked.",
}


class Section(NamedTuple):
    """One table. The first `words` columns hold words, the others figures."""

    name: str
    title: str
    rows: Rows
    words: int
    says: str


def sections(report: Report) -> list[Section]:
    """All tables that have something in them, in the order in which they are shown."""
    half, scale = report.half, report.scale
    at = f": {half[0].offered_per_s:,.0f} orders/s, {half[0].arrivals} arrivals" if half else ""
    found = [
        ("targets", "The six targets", target_rows(report), 2, ""),
        ("limit", "The limit: answers per second (medians over rounds)", limit_rows(report), 1, _generator(report)),
        (
            "cpu",
            "CPU microseconds per answer, by process (medians over rounds)",
            cpu_rows(report),
            1,
            _in_the_way(report),
        ),
        ("latency", f"Latency at half the limit{at} (medians over rounds)", latency_rows(report), 1, _priority(report)),
        ("curve", "Throughput and latency against offered load", curve_rows(report), 1, _late(report)),
        ("overload", "Twice the limit, with a token bucket set to the limit", overload_rows(report), 1, _cores(report)),
        ("drain", "The backlog of a burst", drain_rows(report), 1, ""),
        ("flat", "CPU per order among many products and records", scale_rows(report, scale.flat), 1, _memory(report)),
        ("wide", "More gateway processes, more lanes", scale_rows(report, scale.wide), 1, scale.placement),
        ("books", "The books after every run", proof_rows(report), 1, ""),
    ]
    return [
        Section(name, title, rows, words, " ".join(filter(None, (EXPLAINED[name], says))))
        for name, title, rows, words, says in found
        if len(rows) > 1
    ]


def _generator(report: Report) -> str:
    busy = sorted({run.subject for run in report.limit if is_bottleneck(run)})
    return (
        f"The generator's own core was full in runs of {', '.join(busy)}: the limit there is its own." if busy else ""
    )


def _priority(report: Report) -> str:
    """The generator shares its core with worker and Postgres on a small machine, and goes before them."""
    return f"In the open model the generator runs at {report.half[0].priority}." if report.half else ""


def _late(report: Report) -> str:
    late = [f"{run.share:.0%}" for run in report.curve if is_late(run)]
    if not late:
        return "The generator kept up with every rate."
    return f"At {', '.join(late)} the generator itself was late or had no core left: it is part of those figures."


def _cores(report: Report) -> str:
    cores = needed_cores(report)
    if not cores:
        return ""
    return (
        "By what an accept and a refusal cost gateway and Valkey, the target asks for "
        f"{cores:.2f} cores, and they share one."
    )


def _in_the_way(report: Report) -> str:
    """Where the CPU of an accept goes, and what the dream would leave for it."""
    at = ACCEPT_CONNECTIONS
    bare, gateway = (median_cost(report.limit, subject, at, ("gateway",)) for subject in ("bare", "ours"))
    valkey = median_cost(report.limit, "ours", at, ("valkey",))
    if not bare or not gateway:
        return ""
    return (
        f"Of the {gateway + valkey:.0f} us that an accept costs the front at {at} connections, {bare:.0f} are what "
        f"bare Granian takes to read a request and to answer it, {valkey:.0f} are Valkey's to decide, to write to "
        f"disk, to hand on and to settle, and {gateway - bare:.0f} are Python's: key, JSON, batch and reply. "
        f"{DREAM_OF_BARE:.2f} of bare Granian would leave {bare / DREAM_OF_BARE - bare:.0f} us to Valkey and Python "
        "together."
    )


def _memory(report: Report) -> str:
    scale = report.scale
    if not scale.records:
        return ""
    return f"{scale.records:,} live idempotency records take {scale.record_bytes:.0f} bytes of Redis each."
