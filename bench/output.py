"""Writes a report: tables on the terminal, JSON and Markdown with pictures in a folder."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.figures import Report
from bench.pictures import draw_pictures
from bench.table import Rows, cpu_rows, latency_rows, limit_rows, proof_rows, verdict

LIMIT, CPU, LATENCY, BOOKS = (
    "The limit: accepted orders per second, durable, all checks on (medians)",
    "CPU microseconds per accepted order, by process (medians)",
    "Latency in the open model",
    "The books after every run",
)


def print_report(report: Report, console: Console) -> None:
    """Show the report on the terminal."""
    for title, rows in _sections(report):
        table = Table(title=title, title_justify="left", title_style="bold")
        for place, name in enumerate(rows[0]):
            table.add_column(name, justify="left" if place == 0 else "right")
        for row in rows[1:]:
            table.add_row(*map(escape, row))
        console.print(table)
    console.print(report.placement)
    console.print(", ".join(f"{name} {value}" for name, value in report.machine.items()), style="dim")
    for fault in report.faults:
        console.print(f"  {escape(fault)}", style="red")
    console.print(verdict(report), style="bold red" if report.faults else "bold green")


def write_report(report: Report, text: Path, pictures: Path) -> None:
    """Write the Markdown file `text` and the pictures that it shows."""
    drawn = draw_pictures(report, pictures)
    text.parent.mkdir(parents=True, exist_ok=True)
    places = {path.stem.removeprefix("bench-"): path.relative_to(text.parent) for path in drawn}
    text.write_text(_markdown(report, {name: str(place) for name, place in places.items()}), encoding="utf-8")


def write_json(report: Report, path: Path) -> None:
    """Write everything that was measured, for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))


def _sections(report: Report) -> list[tuple[str, Rows]]:
    latency = LATENCY
    if report.open:
        found = report.open
        latency += f": {found.arrivals} arrivals, {found.offered_per_s:,.0f} orders/s for {found.seconds:.0f} s"
    return [
        (LIMIT, limit_rows(report)),
        (CPU, cpu_rows(report)),
        (latency, latency_rows(report)),
        (BOOKS, proof_rows(report)),
    ]


def _markdown(report: Report, pictures: dict[str, str]) -> str:
    limit, cpu, latency, books = _sections(report)
    facts = "\n".join(f"- {name}: {value}" for name, value in report.machine.items())
    parts = [
        "# Performance",
        f"Measured by `make bench` on {report.began}. Every figure is a ratio away from your machine: "
        "compare within the table, and run it yourself.",
        _section(limit),
        _picture(pictures, "throughput", "Orders per second of each system"),
        "*baseline* is the straightforward gateway on the same server and the same Valkey, with one Lua call per "
        "request through redis-py and a plain worker behind it (`bench/baseline.py`, `bench/baseline_worker.py`); "
        "*bare* is Granian with a constant answer and nothing behind "
        "it. All of them are driven by the same generator, in turns. Every accept of Flux-Gate and of the baseline is "
        "answered after `fsync`. *drain* is the time after the last answer until every order was in Postgres.",
        _section(cpu),
        "*baseline, front* is what gateway and Valkey cost the baseline per order, in multiples of ours: other "
        "programs on the machine shake it less than the rates.",
        _picture(pictures, "cpu", "CPU per accepted order by process"),
        _section(latency),
        _picture(pictures, "latency", "Latency by percentile"),
        "Orders leave at moments fixed beforehand, and latency counts from that moment, so a stall cannot hide. The "
        "idle control is the lateness of the same generator at the same moments with nothing to send.",
        _section(books),
        verdict(report) + _crowd(report),
        "".join(f"- {fault}\n" for fault in report.faults),
        "## Where it ran",
        report.placement,
        facts,
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _crowd(report: Report) -> str:
    if report.crowd is None:
        return ""
    crowd = report.crowd
    answers = ", ".join(f"{count:,} x {status if status != '0' else 'cut'}" for status, count in crowd.statuses.items())
    return (
        f" The first run is a crowd on {crowd.connections} connections with double-clicks, late retries and cut "
        f"connections; it was answered {answers}."
    )


def _section(section: tuple[str, Rows]) -> str:
    title, rows = section
    lines = [f"## {title}", "", "| " + " | ".join(rows[0]) + " |", "|---" + "|--:" * (len(rows[0]) - 1) + "|"]
    lines.extend("| " + " | ".join(row) + " |" for row in rows[1:])
    return "\n".join(lines)


def _picture(pictures: dict[str, str], name: str, says: str) -> str:
    return f"![{says}]({pictures[name]})" if name in pictures else ""
