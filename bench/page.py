"""The report as a page of Markdown: the verdict, then what it rests on."""

from collections.abc import Mapping

from bench.proof_table import verdict
from bench.report import Report
from bench.sections import Section, sections

# Which pictures follow which table, and what they show.
PICTURES = {
    "limit": ("throughput", "Answers per second of each system, every round as a dot"),
    "cpu": ("cpu", "CPU per answer by process"),
    "latency": ("latency", "Latency by percentile, every round as a line"),
    "curve": ("load", "Throughput and latency against offered load"),
    "drain": ("drain", "A burst on its way to Postgres"),
    "wide": ("scale", "Cost and throughput at scale, every round as a dot"),
}


def page(report: Report, pictures: Mapping[str, str]) -> str:
    """The whole page. `pictures` are those that were drawn, by name, as paths from the page."""
    earlier = f" The earlier revision is {report.base}." if report.base else ""
    parts = [
        "# Performance",
        f"Measured by `make bench` on {report.began}, in {report.took_s:.0f} s.{earlier} Every figure is a ratio away "
        "from your machine: compare within the tables, and run it yourself.",
    ]
    for section in sections(report):
        parts += [_table(section), section.says, _picture(section.name, pictures)]
    facts = "\n".join(f"- {name}: {value}" for name, value in report.machine.items())
    parts += [verdict(report) + _crowd(report), *(f"- {fault}" for fault in report.failures + report.faults)]
    parts += ["## Where it ran", report.placement, *report.notes, facts]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _table(section: Section) -> str:
    rows, words = section.rows, section.words
    line = "|" + "---|" * words + "--:|" * (len(rows[0]) - words)
    lines = [f"## {section.title}", "", _row(rows[0]), line, *map(_row, rows[1:])]
    return "\n".join(lines)


def _row(row: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _crowd(report: Report) -> str:
    if report.crowd is None:
        return ""
    crowd = report.crowd
    answers = ", ".join(f"{count:,} x {status if status != '0' else 'cut'}" for status, count in crowd.statuses.items())
    return (
        f" The first run is a crowd on {crowd.connections} connections with double-clicks, late retries and cut "
        f"connections; it was answered {answers}."
    )


def _picture(section: str, pictures: Mapping[str, str]) -> str:
    name, says = PICTURES.get(section, ("", ""))
    return f"![{says}]({pictures[name]})" if name in pictures else ""
