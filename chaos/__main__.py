"""`python -m chaos`: break every part of the system while a sale runs. Ends with 1 when a promise was broken.

python -m chaos                        the whole matrix with three seeds: half an hour
python -m chaos --only Valkey          the faults with this word in their names
python -m chaos --seeds 7              with another seed; the same seed draws the same
python -m chaos --mutations            take each safeguard out of the product, and be found out
python -m chaos --soak 5               sale after sale for five minutes, and a look at what has grown
... --publish                          also write the figures into docs/reliability.md, and the picture
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chaos.catalogue import chosen
from chaos.fault import Unavailable
from chaos.matrix import Group, run_matrix
from chaos.mutations import MUTATIONS, reveal
from chaos.page import as_markdown, markdown, publish, soak_markdown
from chaos.picture import draw
from chaos.report import failed, print_report, print_soak, write_json
from chaos.soak import soak
from chaos.trial import Trial

ROOT = Path(__file__).parent.parent
OUT = ROOT / "chaos" / "out"
DOCS = ROOT / "docs"
SEEDS = (1, 2, 3)
# Wide enough for the table where no terminal says how wide it is, as in CI.
COLUMNS = 210
MUTATION_HEAD = ("the product with", "ordeal", "found out by")


def main() -> int:
    """Run what is asked for; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Break the system while a sale runs.")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, metavar="SEED", help="default: 1 2 3")
    parser.add_argument("--only", default="", metavar="WORDS", help="only faults whose names have these words")
    parser.add_argument("--list", action="store_true", help="name the faults, and do nothing")
    parser.add_argument("--mutations", action="store_true", help="instead: take the safeguards out, one by one")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="instead: sell for so long, and look what grows")
    parser.add_argument("--publish", action="store_true", help="also write docs/reliability.md and its picture")
    asked = parser.parse_args()
    groups = chosen(asked.only)
    console = Console() if sys.stdout.isatty() else Console(width=COLUMNS)
    if asked.list:
        for group in groups:
            console.print(f"[bold]{group.name}[/bold]", *(fault.name for fault in group.faults), sep="\n  ")
        return 0
    # Asked to end, end as after ctrl-C: stop what was started, remove its data.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if asked.mutations:
            return _mutations(console, asked.publish)
        if asked.soak:
            return _soak(asked.soak, console, asked.publish)
        return _matrix(groups, list(asked.seeds), console, asked.publish)
    except KeyboardInterrupt:
        console.print("Stopped; nothing was left running.")
        return 130


def _matrix(groups: list[Group], seeds: list[int], console: Console, to_docs: bool) -> int:
    trials = asyncio.run(_run(groups, seeds, console))
    print_report(trials, console)
    write_json(trials, OUT / "report.json")
    draw(trials, OUT / "accepts.svg")
    if to_docs:
        publish("matrix", markdown(trials), DOCS / "reliability.md")
        draw(trials, DOCS / "pictures" / "chaos-accepts.svg")
    console.print(f"Written to {OUT.relative_to(ROOT)}." + (" Published to docs." if to_docs else ""))
    return 1 if failed(trials) else 0


def _mutations(console: Console, to_docs: bool) -> int:
    rows: list[tuple[str, str, str]] = []
    for mutation in MUTATIONS:
        with tempfile.TemporaryDirectory(prefix="fluxgate-chaos-", ignore_cleanup_errors=True) as directory:
            try:
                found = asyncio.run(reveal(mutation, Path(directory))).names
            except Unavailable as reason:
                console.print(f"{mutation.name}: not tried, {reason}", style="yellow")
                continue
        is_found = set(mutation.found_by) <= found
        rows.append((mutation.name, mutation.ordeal_name, ", ".join(sorted(found)) if is_found else "not found out"))
        console.print(f"{mutation.name}: {rows[-1][-1]}", style="" if is_found else "bold red")
    if to_docs:
        publish("mutations", as_markdown(MUTATION_HEAD, rows, others="---"), DOCS / "reliability.md")
    return 1 if any(row[-1] == "not found out" for row in rows) else 0


def _soak(minutes: float, console: Console, to_docs: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="fluxgate-chaos-", ignore_cleanup_errors=True) as directory:
        soaked = asyncio.run(soak(Path(directory), minutes * 60, lambda line: console.print(line, highlight=False)))
    print_soak(soaked, console)
    if to_docs:
        publish("soak", soak_markdown(soaked), DOCS / "reliability.md")
    return 1 if soaked.grown or soaked.problems else 0


async def _run(groups: list[Group], seeds: list[int], console: Console) -> list[Trial]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    trials: list[Trial] = []
    with (
        tempfile.TemporaryDirectory(prefix="fluxgate-chaos-", ignore_cleanup_errors=True) as directory,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        total = len(seeds) * sum(len(group.faults) for group in groups)
        task = progress.add_task("faults", total=total)
        async for trial in run_matrix(groups, seeds, Path(directory), OUT / "logs"):
            trials.append(trial)
            progress.advance(task)
            progress.console.print(f"{len(trials)}/{total} seed {trial.seed}, {trial.fault}: {_in_short(trial)}")
    return trials


def _in_short(trial: Trial) -> str:
    if trial.untried:
        return f"not tried, {trial.untried}"
    if broken := trial.problems + trial.late:
        return f"[red]{len(broken)} promises broken[/red]"
    return f"kept, outage {trial.outage_s:.1f} s, back after {trial.recovery_s:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
