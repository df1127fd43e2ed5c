"""What the bench measures, as plain data: what it writes to JSON, and what table and pictures are made from."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from bench.jobs import Record
from bench.proof import Proof

MS = 1000.0
# The points of a latency curve, in percent: even steps of "one request in ...".
CURVE = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0)
# The roles that share the measured core.
FRONT = ("gateway", "valkey")
SUCCESS = b'"success"'


class Latency(msgspec.Struct, frozen=True):
    """A distribution of times, in milliseconds; `curve` pairs percent with milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    curve: tuple[tuple[float, float], ...]


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the closed model."""

    # ours, baseline, or bare (Granian with a constant answer).
    system: str
    connections: int
    round: int
    seconds: float
    # Accepted orders per second of the measured window.
    orders_per_s: float
    latency: Latency
    # Answers by status, over the whole load; "0" is an unknown outcome.
    statuses: dict[str, int]
    # CPU microseconds per accepted order, by process.
    cpu_us: dict[str, float]
    # CPU microseconds of the generator per request, and how much of its core it used.
    generator_us: float
    generator_share: float
    # Seconds after the last answer until all accepted orders were in Postgres.
    drain_s: float = 0.0
    # None where there are no books to prove.
    proof: Proof | None = None


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the open model, with the machine's own noise beside it."""

    offered_per_s: float
    seconds: float
    connections: int
    arrivals: str
    # From the moment when an order was due to the end of its answer.
    latency: Latency
    # How late the generator sent, of the same run; part of the latency above.
    sent_late: Latency
    # How late the generator was for the same moments with nothing to send.
    idle: Latency
    statuses: dict[str, int]
    proof: Proof


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """A crowd with double-clicks, retries and cut connections on a small stock."""

    connections: int
    seconds: float
    statuses: dict[str, int]
    proof: Proof


class Report(msgspec.Struct, kw_only=True):
    """Everything that one run of the bench found."""

    began: str
    machine: dict[str, str]
    placement: str
    crowd: Crowd | None = None
    closed: list[Closed] = msgspec.field(default_factory=list[Closed])
    open: Open | None = None
    reconciled: list[str] = msgspec.field(default_factory=list[str])

    @property
    def proofs(self) -> list[Proof]:
        """The proof of every run that has one."""
        runs = [self.crowd, *self.closed, self.open]
        return [run.proof for run in runs if run is not None and run.proof is not None]

    @property
    def faults(self) -> list[str]:
        """Everything that the proofs found wrong, in sentences; empty when all is well."""
        return [f"{proof.product}: {fault}" for proof in self.proofs for fault in proof.faults] + self.reconciled


def latency(seconds: Iterable[float]) -> Latency:
    """The distribution of some times."""
    ordered = sorted(seconds)
    return Latency(
        count=len(ordered),
        p50_ms=percentile(ordered, 50.0) * MS,
        p99_ms=percentile(ordered, 99.0) * MS,
        p999_ms=percentile(ordered, 99.9) * MS,
        max_ms=percentile(ordered, 100.0) * MS,
        curve=tuple((percent, percentile(ordered, percent) * MS) for percent in CURVE),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all values do not exceed; 0 of none. Never an interpolation."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(round(len(ordered) * percent / 100, 9)) - 1)]


def count_statuses(record: Record) -> dict[str, int]:
    """How many answers of each status a load got."""
    counts: dict[str, int] = {}
    for row in record.rows:
        counts[str(row.status)] = counts.get(str(row.status), 0) + 1
    return dict(sorted(counts.items()))


def is_accepted(status: int, body: bytes) -> bool:
    """Whether an answer accepts an order."""
    return status == 200 and SUCCESS in body


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle; 0 of none."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if not ordered:
        return 0.0
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def rates(report: Report, system: str, connections: int) -> list[float]:
    """Accepted orders per second of every round, in order."""
    return [run.orders_per_s for run in report.closed if run.system == system and run.connections == connections]


def ratio(report: Report, connections: int, over: str = "baseline") -> float:
    """How many times as many orders per second as another system: median over median; 0 when it was not measured."""
    other = median(rates(report, over, connections))
    return median(rates(report, "ours", connections)) / other if other else 0.0


def cpu_medians(report: Report, system: str, connections: int) -> dict[str, float]:
    """CPU microseconds per accepted order by process, median over rounds."""
    runs = [run for run in report.closed if run.system == system and run.connections == connections]
    roles = dict.fromkeys(role for run in runs for role in run.cpu_us)
    return {role: median([run.cpu_us.get(role, 0.0) for run in runs]) for role in roles}


def front_ratio(report: Report, connections: int, over: str = "baseline") -> float:
    """How many times as much CPU of gateway and Valkey an order costs another system; 0 when it was not measured.

    The inverse of the throughput that a core allows, and less shaken by other programs than orders per second.
    """
    ours, other = (
        sum(used for role, used in cpu_medians(report, system, connections).items() if role in FRONT)
        for system in ("ours", over)
    )
    return other / ours if ours else 0.0
