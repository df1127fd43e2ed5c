"""The figures that everything is worked out from: measured by `make bench`, measured here, or assumed.

Every field is a name that the formulas in `arithmetic.py` and `ceilings.py` use; its unit comes last in it.
"""

import math
from pathlib import Path
from statistics import median
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from fluxgate.refusal import Refusal

OURS = "ours"
# The subjects of the bench that tell what a refusal costs; bare Granian is the least that it can.
REFUSALS = ("empty_bucket", "sold_out", "bare")
BENCH, HERE, ASSUMED = "make bench", "measured here", "assumed"


def _said(source: str, unit: str, what: str) -> Meta:
    return Meta(title=unit, description=what, extra={"source": source})


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """CPU per accepted order, of the run of the bench with the most connections."""

    gateway_us: Annotated[float, _said(BENCH, "us", "CPU of the gateway per accepted order")]
    valkey_us: Annotated[float, _said(BENCH, "us", "CPU of Valkey per order: admission, outbox, settling")]
    worker_us: Annotated[float, _said(BENCH, "us", "CPU of the order worker per order")]
    postgres_us: Annotated[float, _said(BENCH, "us", "CPU of Postgres per order")]
    refusal_us: Annotated[
        float, _said(BENCH, "us", "CPU of the gateway per refusal; of bare Granian where none was measured")
    ]


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What one order costs in bytes, memory and fsyncs, and what a batch costs Valkey."""

    request_bytes: Annotated[float, _said(HERE, "bytes", "a POST /order as the bench sends it")]
    answer_bytes: Annotated[float, _said(HERE, "bytes", "the answer that accepts it")]
    refusal_bytes: Annotated[float, _said(HERE, "bytes", "the answer that refuses it (sold out)")]
    admit_bytes: Annotated[float, _said(HERE, "bytes", "gateway to Valkey, per order in full batches")]
    verdict_bytes: Annotated[float, _said(HERE, "bytes", "Valkey to gateway, per order in full batches")]
    take_bytes: Annotated[float, _said(HERE, "bytes", "Valkey to worker, per order")]
    settle_bytes: Annotated[float, _said(HERE, "bytes", "worker to Valkey, per order")]
    insert_bytes: Annotated[float, _said(HERE, "bytes", "worker to Postgres, per order")]
    returned_bytes: Annotated[float, _said(HERE, "bytes", "Postgres to worker, per order")]
    admit_aof_bytes: Annotated[float, _said(HERE, "bytes", "append-only file of Valkey, per admission")]
    settle_aof_bytes: Annotated[float, _said(HERE, "bytes", "append-only file of Valkey, per settling")]
    wal_bytes: Annotated[float, _said(HERE, "bytes", "write-ahead log of Postgres per order, without page images")]
    row_bytes: Annotated[float, _said(HERE, "bytes", "table and indexes of Postgres, per order")]
    backlog_bytes: Annotated[float, _said(HERE, "bytes", "memory of Valkey per order that waits for the worker")]
    record_bytes: Annotated[float, _said(HERE, "bytes", "memory of Valkey per live idempotency record")]
    batch_us: Annotated[float, _said(HERE, "us", "CPU of Valkey per batch, whatever is in it, without the sync")]
    batched_us: Annotated[float, _said(HERE, "us", "CPU of Valkey per order in a batch")]
    settle_us: Annotated[float, _said(HERE, "us", "CPU of Valkey per order for outbox and settling")]
    fsync_us: Annotated[float, _said(HERE, "us", "one fdatasync of a small write on this disk")]


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """What nobody measured here: properties of the sale and of the machines that it would run on."""

    busy_max: Annotated[float, _said(ASSUMED, "share", "how busy a core or a wire may be; the rest is for bursts")] = (
        0.6
    )
    asks_per_order: Annotated[float, _said(ASSUMED, "", "requests per accepted order; the others are refused")] = 10.0
    header_bytes: Annotated[
        float, _said(ASSUMED, "bytes", "headers that a browser sends beyond ours: cookies, agent")
    ] = 600.0
    packet_bytes: Annotated[float, _said(ASSUMED, "bytes", "headers of TCP, IP and Ethernet per packet")] = 66.0
    peak_s: Annotated[float, _said(ASSUMED, "s", "how long the rate lasts")] = 60.0
    record_s: Annotated[
        float, _said(ASSUMED, "s", "FLUXGATE_IDEMPOTENCY_TTL_S: how long a settled order's record lives")
    ] = 60.0
    ask_every_s: Annotated[float, _said(ASSUMED, "s", "how often a page that is looked at asks GET /admission")] = 1.0
    backlog_max: Annotated[float, _said(ASSUMED, "orders", "FLUXGATE_BACKLOG_MAX, as it comes")] = 200_000.0
    machine_cores: Annotated[float, _said(ASSUMED, "cores", "cores of one machine")] = 32.0
    network_mb_s: Annotated[float, _said(ASSUMED, "MB/s", "one network card of 10 Gbit/s")] = 1250.0
    disk_mb_s: Annotated[float, _said(ASSUMED, "MB/s", "what a log can be written with and synced, one disk")] = 500.0
    turn_max_us: Annotated[
        float, _said(ASSUMED, "us", "how long a lane may take to serve one batch of every gateway process")
    ] = 20_000.0
    lanes_max: Annotated[float, _said(ASSUMED, "lanes", "the most that FLUXGATE_LANES takes")] = 64.0
    hop_us: Annotated[float, _said(ASSUMED, "us", "one way between two machines of one hall")] = 100.0
    fast_fsync_us: Annotated[float, _said(ASSUMED, "us", "fdatasync on a disk with a protected cache")] = 100.0
    page_bytes: Annotated[
        float, _said(ASSUMED, "bytes", "a page image: what the first change of a page after a checkpoint logs")
    ] = 8192.0
    partition_mb_s: Annotated[float, _said(ASSUMED, "MB/s", "one Kafka partition, with acks=all")] = 10.0
    replicas: Annotated[float, _said(ASSUMED, "", "copies that Kafka keeps")] = 3.0


Inputs = tuple[Cpu, Costs, Assumed]
NAMES: dict[str, Meta] = {
    name: hint.__metadata__[0]
    for part in (Cpu, Costs, Assumed)
    for name, hint in get_type_hints(part, include_extras=True).items()
}


class _Run(msgspec.Struct):
    """What is used of one run of the bench at its limit; the report holds more."""

    connections: int
    cpu_us: dict[str, float]
    # What was measured. Reports of before the targets were set call it the system.
    subject: str = ""
    system: str = ""


class _Report(msgspec.Struct):
    began: str
    limit: list[_Run] = msgspec.field(default_factory=list[_Run])
    closed: list[_Run] = msgspec.field(default_factory=list[_Run])


def read_cpu(path: Path) -> tuple[Cpu, str]:
    """The CPU per order of the bench's report, and what it was measured at. Raises Refusal where there is none."""
    try:
        report = msgspec.json.decode(path.read_bytes(), type=_Report)
    except (OSError, msgspec.MsgspecError):
        raise Refusal(f"There is no report of the bench in {path.name}: run `make bench` first.") from None
    runs = report.limit + report.closed
    most = max((run.connections for run in runs if OURS in (run.subject, run.system)), default=0)
    used = _medians(runs, OURS, most)
    if any(used.get(role, 0.0) <= 0 for role in ("gateway", "valkey", "worker", "postgres")):
        raise Refusal(f"{path.name} holds no CPU per order of Flux-Gate: run `make bench` first.")
    refusals = [_medians(runs, subject, most).get("gateway", 0.0) for subject in REFUSALS]
    cpu = Cpu(
        gateway_us=used["gateway"],
        valkey_us=used["valkey"],
        worker_us=used["worker"],
        postgres_us=used["postgres"],
        # Where no refusal was measured, one counts as much as an order.
        refusal_us=next((found for found in refusals if found > 0), used["gateway"]),
    )
    return cpu, f"{most} connections, {report.began}"


def values(inputs: Inputs) -> dict[str, float]:
    """All figures by their names."""
    return {name: value for part in inputs for name, value in msgspec.structs.asdict(part).items()}


def check(given: dict[str, float]) -> None:
    """Raise Refusal for a name that is none, or a number that is not above 0."""
    for name, value in given.items():
        if name not in NAMES or not 0 < value < math.inf:
            raise Refusal(f"{name}={value:g} is no figure above 0 of these: {', '.join(NAMES)}.")


def replace(inputs: Inputs, given: dict[str, float]) -> Inputs:
    """The inputs with some figures of the reader's own. Raises Refusal where `check` does."""
    check(given)
    cpu, costs, assumed = (_replaced(part, given) for part in inputs)
    return cpu, costs, assumed


def _replaced(part: Any, given: dict[str, float]) -> Any:
    known = {name: value for name, value in given.items() if name in part.__struct_fields__}
    return msgspec.structs.replace(part, **known)


def _medians(runs: list[_Run], subject: str, connections: int) -> dict[str, float]:
    found = [run for run in runs if subject in (run.subject, run.system) and run.connections == connections]
    roles = dict.fromkeys(role for run in found for role in run.cpu_us)
    return {role: median([run.cpu_us[role] for run in found if role in run.cpu_us]) for role in roles}
