"""The report as rows of text: once for the terminal, once for Markdown."""

from bench.figures import Report, cpu_medians, front_ratio, median, rates, ratio

Rows = list[tuple[str, ...]]
ROLES = ("gateway", "valkey", "worker", "postgres", "rest")


def limit_rows(report: Report) -> Rows:
    """The closed model: a header, then one row per system and number of connections."""
    rows: Rows = [
        ("system", "connections", "orders/s", "lowest..highest", "p50 ms", "p99 ms", "drain s", "to baseline")
    ]
    for system, connections in _systems(report):
        runs = [run for run in report.closed if (run.system, run.connections) == (system, connections)]
        speeds = rates(report, system, connections)
        times = ratio(report, connections) if system == "ours" else 0.0
        rows.append(
            (
                system,
                str(connections),
                f"{median(speeds):,.0f}",
                f"{min(speeds):,.0f}..{max(speeds):,.0f}",
                f"{median([run.latency.p50_ms for run in runs]):.1f}",
                f"{median([run.latency.p99_ms for run in runs]):.1f}",
                f"{median([run.drain_s for run in runs]):.1f}" if system == "ours" else "",
                f"{times:.2f} times" if times else "",
            )
        )
    return rows


def cpu_rows(report: Report) -> Rows:
    """CPU microseconds per accepted order by process, and the generator's per request.

    The last column: what gateway and Valkey together cost the baseline, in multiples of ours.
    """
    rows: Rows = [("system", "connections", *ROLES, "sum", "generator", "baseline, front")]
    for system, connections in _systems(report):
        used = cpu_medians(report, system, connections)
        runs = [run for run in report.closed if (run.system, run.connections) == (system, connections)]
        times = front_ratio(report, connections) if system == "ours" else 0.0
        rows.append(
            (
                system,
                str(connections),
                *(f"{used[role]:.1f}" if role in used else "" for role in ROLES),
                f"{sum(used.values()):.1f}",
                f"{median([run.generator_us for run in runs]):.1f}"
                f" ({median([run.generator_share for run in runs]):.0%} of its core)",
                f"{times:.2f} times" if times else "",
            )
        )
    return rows


def latency_rows(report: Report) -> Rows:
    """The open model beside the machine's own noise."""
    rows: Rows = [("milliseconds", "p50", "p99", "p99.9", "max")]
    if report.open:
        for name, times in (
            ("order, from its due moment", report.open.latency),
            ("of that, the generator sent late", report.open.sent_late),
            ("idle control", report.open.idle),
        ):
            figures = (times.p50_ms, times.p99_ms, times.p999_ms, times.max_ms)
            rows.append((name, *(f"{figure:.2f}" for figure in figures)))
    return rows


def proof_rows(report: Report) -> Rows:
    """The books of every run."""
    rows: Rows = [("sale", "stock", "requests", "accepted", "in Postgres", "oversold", "lost", "duplicated")]
    rows.extend(
        (
            proof.product,
            f"{proof.stock:,}",
            f"{proof.requests:,}",
            f"{proof.accepted:,}",
            f"{proof.stored:,}" if proof.stored >= 0 else "-",
            str(proof.oversold),
            str(proof.lost),
            str(proof.duplicated),
        )
        for proof in report.proofs
    )
    return rows


def verdict(report: Report) -> str:
    """The outcome in one sentence."""
    if report.faults:
        return f"THE PROOF FAILED: {len(report.faults)} faults."
    orders = sum(proof.stored for proof in report.proofs if proof.stored > 0)
    return f"The proof holds: {orders:,} orders in Postgres, oversold 0, lost 0, duplicated 0, books balanced."


def _systems(report: Report) -> list[tuple[str, int]]:
    return list(dict.fromkeys((run.system, run.connections) for run in report.closed))
