"""The books of all runs as rows of text, and the verdict on them."""

from bench.proof import Proof
from bench.report import Report
from bench.table import NAMES, Rows


def proof_rows(report: Report) -> Rows:
    """The books, added up by what the runs were about."""
    counts = ("requests", "accepted", "stored", "unknown", "oversold", "lost", "duplicated")
    rows: Rows = [("runs", "count", *counts[:2], "in Postgres", *counts[3:], "faults")]
    for name, proofs in proofs_by_kind(report).items():
        sums = {count: sum(getattr(proof, count) for proof in proofs) for count in counts}
        told = [f"{sums[count]:,}" for count in counts]
        if all(proof.stored < 0 for proof in proofs):
            told[counts.index("stored")] = "-"
        rows.append((name, str(len(proofs)), *told, str(sum(len(proof.faults) for proof in proofs))))
    return rows


def proofs_by_kind(report: Report) -> dict[str, list[Proof]]:
    """The proofs of all runs, by what the runs were about."""
    kinds: dict[str, list[Proof]] = {"a crowd": [report.crowd.proof] if report.crowd else []}
    kinds["selling out, before refusals"] = [run.proof for run in report.exhausted if run.proof]
    for run in report.limit:
        kinds.setdefault(NAMES[run.subject], []).extend([run.proof] if run.proof else [])
    kinds["open model"] = [run.proof for run in [*report.half, *report.curve]]
    kinds["open model, beyond the bucket"] = [run.proof for run in report.overload]
    kinds["bursts"] = [drain.proof for drain in report.drains]
    kinds["scale"] = [run.proof for run in report.scale.runs if run.proof]
    return {name: proofs for name, proofs in kinds.items() if proofs}


def verdict(report: Report) -> str:
    """The outcome in one sentence."""
    if report.faults:
        return f"THE PROOF FAILED: {len(report.faults)} faults."
    orders = sum(proof.stored for proof in report.proofs if proof.stored > 0)
    return f"The proof holds: {orders:,} orders in Postgres, oversold 0, lost 0, duplicated 0, books balanced."
