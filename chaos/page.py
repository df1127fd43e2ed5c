"""The figures of the suite as parts of a page: each stands between two marks, and is written anew by a run."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from chaos.report import HEAD, cells, lines_of, soak_summary, summary
from chaos.soak import Soaked
from chaos.trial import Trial


def publish(part: str, text: str, page: Path) -> None:
    """Put a text between the marks of a part. Raises ValueError when the page has no such part."""
    begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page.name} has no part {part!r}.")
    page.write_text(f"{before}{begin}{text}\n{end}{after}", encoding="utf-8")


def as_markdown(head: Sequence[str], rows: Iterable[Sequence[str]], others: str = "---:") -> str:
    """A table whose first column is text; `others` is how the others are aligned."""
    lines = [head, ["---", *[others] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def markdown(trials: Sequence[Trial]) -> str:
    """The table of the matrix, with the sum below it."""
    seeds = ", ".join(str(seed) for seed in sorted({trial.seed for trial in trials}))
    return f"{as_markdown(HEAD, map(cells, lines_of(trials)))}\n{summary(trials)} Seeds {seeds}.\n"


def soak_markdown(soaked: Soaked) -> str:
    """What a soak left, with the sum below it."""
    rows = [(measure.name, *(f"{number:.0f}" for number in measure[1:])) for measure in soaked.measures]
    return f"{as_markdown(('what', 'begin', 'end', 'limit'), rows)}\n{soak_summary(soaked)}\n"
