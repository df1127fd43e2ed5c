"""What the bench measures, as plain data: what it writes to JSON, and what tables and pictures are made from."""

from typing import Literal

import msgspec

from bench.latency import Latency
from bench.proof import Proof

# Who takes part in the comparison of target 1 to 3. Flux-Gate sells (ours), refuses because a sale is sold out, or
# because the token bucket is empty; beside it stand Granian with a constant answer (bare), the same server with one
# call per request through redis-py (baseline), and an earlier Flux-Gate (base).
Subject = Literal["bare", "ours", "sold_out", "empty_bucket", "baseline", "base"]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the closed model. "Right" are the answers that it is about: accepts, or refusals of one kind."""

    # A `Subject`, or what was varied for the target of scale, such as "100 products".
    subject: str
    connections: int
    round: int
    seconds: float
    # Right answers per second of the measured window, and how long they took from when they were sent.
    per_s: float
    latency: Latency
    # Answers that were not right, within the window.
    wrong: int
    # Answers by status, over the whole load; "0" is an unknown outcome.
    statuses: dict[str, int]
    # CPU microseconds per right answer, by process, until everything was in Postgres.
    cpu_us: dict[str, float]
    # CPU microseconds of the generator per request, and how much of its core it used.
    generator_us: float
    generator_share: float
    # Commands that Redis carried out, those of scripts and of idle processes included, per right answer.
    redis_commands: float = 0.0
    # Seconds after the last answer until all accepted orders were in Postgres.
    drain_s: float = 0.0
    # None where there are no books to prove.
    proof: Proof | None = None


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the open model."""

    # What was offered, also as a share of the measured limit, and how the orders came.
    offered_per_s: float
    arrivals: str
    share: float
    round: int
    seconds: float
    connections: int
    # Tokens per second of the bucket; 0: no limit.
    bucket_per_s: float
    # Answers per second within the window.
    accepted_per_s: float
    refused_per_s: float
    # From the moment when an order was due to the end of its answer.
    accepts: Latency
    refusals: Latency
    # The same from when it was really sent: what the gateway alone has to answer for.
    accepts_sent: Latency
    refusals_sent: Latency
    # How late the generator itself came to an order; part of the first two. That no connection was free is not in it.
    late: Latency
    generator_share: float
    priority: str
    statuses: dict[str, int]
    proof: Proof


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """One burst, and how its backlog reached Postgres."""

    round: int
    orders: int
    # Seconds from the first accept to the last, and from there until all of them were in Postgres.
    burst_s: float
    drain_s: float
    # Orders that were accepted and not in Postgres when the burst ended.
    backlog: int
    # CPU microseconds per order, by process.
    cpu_us: dict[str, float]
    # Seconds since the first accept, orders accepted, orders in Postgres.
    timeline: list[tuple[float, int, int]]
    proof: Proof


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """A crowd with double-clicks, retries and cut connections on a small stock."""

    connections: int
    seconds: float
    statuses: dict[str, int]
    proof: Proof


class Scale(msgspec.Struct, kw_only=True):
    """What was varied, and what each of it cost; the first of each group is what the others are held against."""

    placement: str = ""
    # Subjects whose cost per order must stay flat, and those whose throughput may rise.
    flat: list[str] = msgspec.field(default_factory=list[str])
    wide: list[str] = msgspec.field(default_factory=list[str])
    runs: list[Run] = msgspec.field(default_factory=list[Run])
    # Live idempotency records, and bytes of Redis per record.
    records: int = 0
    record_bytes: float = 0.0


class Report(msgspec.Struct, kw_only=True):
    """Everything that one run of the bench found."""

    began: str
    machine: dict[str, str]
    placement: str
    took_s: float = 0.0
    # The revision that `base` is, as it was asked for and found; empty: none.
    base: str = ""
    # Parts that could not be measured because something of ours did not come up.
    failures: list[str] = msgspec.field(default_factory=list[str])
    # What was left out, and why.
    notes: list[str] = msgspec.field(default_factory=list[str])
    crowd: Crowd | None = None
    limit: list[Run] = msgspec.field(default_factory=list[Run])
    # Before each run that is about refusals: the last units, or the last token.
    exhausted: list[Run] = msgspec.field(default_factory=list[Run])
    idle: list[Latency] = msgspec.field(default_factory=list[Latency])
    half: list[Open] = msgspec.field(default_factory=list[Open])
    curve: list[Open] = msgspec.field(default_factory=list[Open])
    overload: list[Open] = msgspec.field(default_factory=list[Open])
    drains: list[Drain] = msgspec.field(default_factory=list[Drain])
    scale: Scale = msgspec.field(default_factory=Scale)
    # What `fluxgate reconcile` found wrong at the end of a system.
    reconciled: list[str] = msgspec.field(default_factory=list[str])

    @property
    def proofs(self) -> list[Proof]:
        """The proof of every run that has one."""
        return [run.proof for run in self._runs() if run.proof is not None]

    @property
    def faults(self) -> list[str]:
        """Everything that the proofs found wrong, in sentences; empty when all is well.

        What an earlier Flux-Gate did wrong is told with the books, and is no fault of this one.
        """
        ours = [run for run in self._runs() if not (isinstance(run, Run) and run.subject == "base")]
        proofs = [run.proof for run in ours if run.proof is not None]
        return [f"{proof.product}: {fault}" for proof in proofs for fault in proof.faults] + self.reconciled

    def _runs(self) -> list[Run | Open | Drain | Crowd]:
        crowd = [self.crowd] if self.crowd else []
        return [
            *crowd,
            *self.exhausted,
            *self.limit,
            *self.drains,
            *self.half,
            *self.curve,
            *self.overload,
            *self.scale.runs,
        ]
