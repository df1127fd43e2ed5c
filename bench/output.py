"""Writes a report: tables on the terminal, JSON and Markdown with pictures in a folder."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.page import page
from bench.pictures import draw_pictures
from bench.proof_table import verdict
from bench.report import Report
from bench.sections import sections


def print_report(report: Report, console: Console) -> None:
    """Show the report on the terminal."""
    for section in sections(report):
        table = Table(title=section.title, title_justify="left", title_style="bold")
        for place, name in enumerate(section.rows[0]):
            table.add_column(name, justify="left" if place < section.words else "right")
        for row in section.rows[1:]:
            table.add_row(*map(escape, row))
        console.print(table)
    for line in [report.placement, *report.notes]:
        console.print(line, markup=False)
    console.print(", ".join(f"{name} {value}" for name, value in report.machine.items()), style="dim")
    for fault in report.failures + report.faults:
        console.print(f"  {escape(fault)}", style="red")
    console.print(verdict(report), style="bold red" if report.faults else "bold green")


def write_report(report: Report, text: Path, pictures: Path) -> None:
    """Write the Markdown file `text` and the pictures that it shows."""
    drawn = draw_pictures(report, pictures)
    text.parent.mkdir(parents=True, exist_ok=True)
    places = {path.stem.removeprefix("bench-"): str(path.relative_to(text.parent)) for path in drawn}
    text.write_text(page(report, places), encoding="utf-8")


def write_json(report: Report, path: Path) -> None:
    """Write everything that was measured, for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
