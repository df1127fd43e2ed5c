"""The report as rows of text: once for the terminal, once for Markdown. The first row of each table is its head."""

from collections.abc import Callable, Sequence

from bench.figures import (
    ALL,
    FRONT,
    connections_of,
    cost_ratio,
    cpu_medians,
    median,
    median_cost,
    rate_ratio,
    rates,
    runs_of,
    subjects,
)
from bench.latency import Latency
from bench.report import Open, Report, Run
from bench.verdict import findings, per_core

Rows = list[tuple[str, ...]]
# A generator later than this shows in a p99 of 10 ms; one that is busier has nothing left to be on time with.
LATE_MS, BUSY_SHARE = 2.0, 0.95
NAMES = {
    "bare": "bare Granian",
    "ours": "Flux-Gate",
    "sold_out": "Flux-Gate, sold out",
    "empty_bucket": "Flux-Gate, bucket empty",
    "baseline": "one call per request",
    "base": "earlier Flux-Gate",
}


def target_rows(report: Report) -> Rows:
    """The verdict."""
    rows: Rows = [("target", "aim", "measured", "met")]
    for finding in findings(report):
        met = {True: "yes", False: "no", None: "not measured"}[finding.met]
        rows.append((finding.target, finding.aim, finding.measured, met))
    return rows


def limit_rows(report: Report) -> Rows:
    """Answers per second of every subject, and its ratios within a round."""
    runs = report.limit
    others = ("bare", "baseline", "base")
    head = ("answers", "connections", "per second", "lowest..highest", "p50 ms", "p99 ms")
    rows: Rows = [(*head, "of bare", "to one call", "to earlier")]
    for subject, connections in subjects(runs):
        found = runs_of(runs, subject, connections)
        rows.append(
            (
                NAMES[subject],
                str(connections),
                *_spread(rates(runs, subject, connections)),
                f"{median([run.latency.p50_ms for run in found]):.1f}",
                f"{median([run.latency.p99_ms for run in found]):.1f}",
                *(_times(rate_ratio(runs, subject, other, connections), subject, other) for other in others),
            )
        )
    return rows


def cpu_rows(report: Report) -> Rows:
    """CPU microseconds per right answer by process; what the front costs others, in multiples of ours."""
    runs = report.limit
    head = ("CPU us per answer", "connections", *ALL, "sum", "front", "front to ours")
    rows: Rows = [(*head, "generator", "Redis commands")]
    for subject, connections in subjects(runs):
        found = runs_of(runs, subject, connections)
        used = cpu_medians(runs, subject, connections)
        commands = median([run.redis_commands for run in found])
        share = median([run.generator_share for run in found])
        rows.append(
            (
                NAMES[subject],
                str(connections),
                *_by_role(used),
                f"{median_cost(runs, subject, connections):.1f}",
                f"{median_cost(runs, subject, connections, FRONT):.1f}",
                _times(cost_ratio(runs, subject, "ours", connections, FRONT), subject, "ours"),
                f"{median([run.generator_us for run in found]):.1f} ({share:.0%})",
                f"{commands:.4f}" if commands else "",
            )
        )
    return rows


def latency_rows(report: Report) -> Rows:
    """Half the limit beside the machine's own noise: medians over rounds."""
    rows: Rows = [("milliseconds", "p50", "p99", "p99.9", "max")]
    half = report.half
    lines: list[tuple[str, list[Latency]]] = [
        ("order, from its due moment", [run.accepts for run in half]),
        ("order, from when it was sent", [run.accepts_sent for run in half]),
        ("the generator came late by", [run.late for run in half]),
        ("idle control", report.idle),
    ]
    for name, times in lines:
        if times:
            figures: tuple[Callable[[Latency], float], ...] = (
                lambda time: time.p50_ms,
                lambda time: time.p99_ms,
                lambda time: time.p999_ms,
                lambda time: time.max_ms,
            )
            rows.append((name, *(f"{median([figure(time) for time in times]):.2f}" for figure in figures)))
    return rows


def overload_rows(report: Report) -> Rows:
    """Twice the limit with a bucket set to the limit, round by round."""
    rows: Rows = [
        ("round", "offered/s", "bucket/s", "accepted/s", "of the bucket", "refused/s",
         "accepts p99 ms", "refusals p99 ms", "after sending", "generator late p99")
    ]  # fmt: skip
    rows.extend(
        (
            str(run.round + 1),
            f"{run.offered_per_s:,.0f}",
            f"{run.bucket_per_s:,.0f}",
            f"{run.accepted_per_s:,.0f}",
            f"{run.accepted_per_s / run.bucket_per_s:.0%}",
            f"{run.refused_per_s:,.0f}",
            f"{run.accepts.p99_ms:,.1f}",
            f"{run.refusals.p99_ms:,.1f}",
            f"{run.refusals_sent.p99_ms:,.1f}",
            _late(run),
        )
        for run in report.overload
    )
    return rows


def curve_rows(report: Report) -> Rows:
    """Throughput and latency against offered load, with nothing refused."""
    rows: Rows = [
        ("of the limit", "offered/s", "accepted/s", "p50 ms", "p99 ms", "p99.9 ms", "generator late p99", "its core")
    ]
    rows.extend(
        (
            f"{run.share:.0%}",
            f"{run.offered_per_s:,.0f}",
            f"{run.accepted_per_s:,.0f}",
            *(f"{figure:,.1f}" for figure in (run.accepts.p50_ms, run.accepts.p99_ms, run.accepts.p999_ms)),
            _late(run),
            f"{run.generator_share:.0%}",
        )
        for run in report.curve
    )
    return rows


def drain_rows(report: Report) -> Rows:
    """Every burst."""
    rows: Rows = [
        ("burst", "orders", "accepted/s", "backlog at its end", "in Postgres after s",
         "gateway us", "worker us", "Postgres us", "persisted to admitted, per core")
    ]  # fmt: skip
    rows.extend(
        (
            str(drain.round + 1),
            f"{drain.orders:,}",
            f"{drain.orders / drain.burst_s:,.0f}" if drain.burst_s else "",
            f"{drain.backlog:,}",
            f"{drain.drain_s:.2f}",
            *(f"{drain.cpu_us.get(role, 0.0):.1f}" for role in ("gateway", "worker", "postgres")),
            f"{per_core(drain.cpu_us):.2f} times",
        )
        for drain in report.drains
    )
    return rows


def scale_rows(report: Report, names: Sequence[str]) -> Rows:
    """One group of the subjects of scale, beside its first."""
    runs = report.scale.runs
    rows: Rows = [("with", "orders/s", "lowest..highest", "rate to first", *ALL, "sum", "CPU to first")]
    for connections in connections_of(runs):
        for name in (name for name in names if runs_of(runs, name, connections)):
            used = cpu_medians(runs, name, connections)
            rows.append(
                (
                    name,
                    *_spread(rates(runs, name, connections)),
                    _times(rate_ratio(runs, name, names[0], connections), name, names[0]),
                    *_by_role(used),
                    f"{median_cost(runs, name, connections):.1f}",
                    _times(cost_ratio(runs, name, names[0], connections), name, names[0]),
                )
            )
    return rows


def _spread(speeds: Sequence[float]) -> tuple[str, str]:
    if not speeds:
        return "", ""
    return f"{median(speeds):,.0f}", f"{min(speeds):,.0f}..{max(speeds):,.0f}"


def _times(ratio: float, subject: str, over: str) -> str:
    return f"{ratio:.2f}" if ratio and subject != over else ""


def _by_role(used: dict[str, float]) -> tuple[str, ...]:
    return tuple(f"{used[role]:.1f}" if role in used else "" for role in ALL)


def _late(run: Open) -> str:
    return f"{run.late.p99_ms:.1f} ms" + (" LATE" if is_late(run) else "")


def is_late(run: Open) -> bool:
    """Whether the generator itself could not keep up, so that the figures say as much of it as of the gateway."""
    return run.late.p99_ms > LATE_MS or run.generator_share > BUSY_SHARE


def is_bottleneck(run: Run) -> bool:
    """The same of a run of the closed model."""
    return run.generator_share > BUSY_SHARE
