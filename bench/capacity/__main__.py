"""`python -m bench.capacity`: what a rate needs, where it breaks first. Takes under a minute; needs one `make bench`.

python -m bench.capacity                                 the rates of the page
python -m bench.capacity --rate 50000 --set fsync_us=80  your own
python -m bench.capacity --publish                       also writes docs/capacity.md and its pictures
"""

import argparse
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.capacity.costs import measure_costs
from bench.capacity.inputs import Assumed, check, read_cpu, replace
from bench.capacity.page import write_page
from bench.capacity.pictures import draw_pictures
from bench.capacity.study import RATES, Study, study
from bench.capacity.table import (
    Rows,
    arithmetic_lines,
    ceiling_rows,
    ending_rows,
    input_rows,
    need_rows,
    ride_rows,
    token_rows,
)
from bench.replies import BadReplyError
from bench.sale import SaleRefusedError
from fluxgate.refusal import Refusal

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "bench" / "out" / "report.json"
DOCS = ROOT / "docs"
# Wide enough for the tables where no terminal says how wide it is, as in CI.
COLUMNS = 160
# Every order of a third of a second is simulated one by one; more than this would take minutes.
RATE_MAX = 2_000_000.0


def main() -> int:
    """Measure, work out, simulate, show; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description="What a rate of orders needs.")
    parser.add_argument("--rate", type=float, action="append", help="accepted orders per second; may be repeated")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a figure of your own")
    parser.add_argument("--publish", action="store_true", help="also write docs/capacity.md and its pictures")
    asked = parser.parse_args()
    # Asked to end, end as after ctrl-C: stop what was started, remove its data.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console() if sys.stdout.isatty() else Console(width=COLUMNS)
    try:
        cpu, measured_at = read_cpu(REPORT)
        given = _given(asked.set)
        check(given)
        rates = tuple(sorted(asked.rate or RATES))
        if not all(1 <= rate <= RATE_MAX for rate in rates):
            raise Refusal(f"--rate takes orders per second from 1 to {RATE_MAX:,.0f}.")
        with console.status("measuring what an order costs") as status:
            inputs = replace((cpu, measure_costs(), Assumed()), given)
            found = study(inputs, measured_at, rates, status.update)
    except (SaleRefusedError, BadReplyError, Refusal, OSError) as error:
        console.print(str(error), markup=False, style="red")
        return 2
    except KeyboardInterrupt:
        console.print("Stopped; nothing was left running.")
        return 130
    show(found, console)
    if asked.publish:
        write_page(found, draw_pictures(found, DOCS / "pictures"), DOCS / "capacity.md")
        console.print("Published to docs/capacity.md.")
    return 0


def show(found: Study, console: Console) -> None:
    """Show the study on the terminal."""
    console.print("\n".join(arithmetic_lines(found)), markup=False, highlight=False)
    for title, rows in (
        ("The figures", input_rows(found)),
        ("What each rate needs", need_rows(found)),
        ("Where it ends, the lowest first", [row[:-2] for row in ceiling_rows(found)]),
        ("The token bucket: granted against one bucket, p50 and p99 of the wait", token_rows(found)),
        ("Batches and latency", ride_rows(found)),
        ("Units of a split product that are stranded", ending_rows(found)),
    ):
        console.print(_shown(title, rows))


def _shown(title: str, rows: Rows) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in rows[0]:
        table.add_column(name)
    for row in rows[1:]:
        table.add_row(*map(escape, row))
    return table


def _given(texts: list[str]) -> dict[str, float]:
    given: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            given[name] = float(value)
        except ValueError:
            raise Refusal(f"--set takes NAME=VALUE with a number, not {text!r}.") from None
    return given


if __name__ == "__main__":
    sys.exit(main())
