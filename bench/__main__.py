"""`python -m bench`: a bounded run that measures, and proves.

It ends with 1 when the proof fails or something does not come up, never because of time.

python -m bench              all six targets, below eight minutes
python -m bench --quick      the ratios in under 45 seconds, for CI
python -m bench --base REV   beside that revision; without it beside HEAD, or the commit before where nothing is changed
python -m bench --publish    also writes docs/performance.md and its pictures
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from rich.console import Console

from bench.base import find_base
from bench.children import StartError
from bench.generator import GeneratorError
from bench.machine import machine_facts
from bench.output import print_report, write_json, write_report
from bench.placement import place, usable_cpus
from bench.plan import FULL, QUICK
from bench.report import Report
from bench.run import run_bench
from bench.sale import SaleRefusedError
from fluxgate.refusal import Refusal

ROOT = Path(__file__).parent.parent
OUT = ROOT / "bench" / "out"
DOCS = ROOT / "docs"
# Wide enough for the tables where no terminal says how wide it is, as in CI.
COLUMNS = 132


def main() -> int:
    """Run the bench; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Flux-Gate and prove its books.")
    parser.add_argument("--quick", action="store_true", help="a short run for CI: it fails only on the proof")
    parser.add_argument(
        "--base", default="", metavar="REV", help="the revision to compare with (default: the last one)"
    )
    parser.add_argument("--publish", action="store_true", help="also write docs/performance.md and its pictures")
    asked = parser.parse_args()
    # Asked to end, end as after ctrl-C: stop what was started, remove its data.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console() if sys.stdout.isatty() else Console(width=COLUMNS)
    cpus = usable_cpus()
    placement, facts = place(cpus), machine_facts(len(cpus))
    if placement.generator:
        # What we start inherits this, until it is pinned elsewhere: nothing of ours may disturb the gateway's core.
        os.sched_setaffinity(0, placement.back)
    try:
        base = find_base(asked.base)
        report = run_bench(QUICK if asked.quick else FULL, placement, facts, console, base=base)
    except (StartError, GeneratorError, SaleRefusedError, Refusal) as error:
        console.print(str(error), markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing was left running.")
        return 130
    write(report, publish=asked.publish)
    print_report(report, console)
    console.print(f"Written to {os.path.relpath(OUT)}." + (" Published to docs." if asked.publish else ""))
    return 1 if report.faults or report.failures else 0


def write(report: Report, *, publish: bool) -> None:
    """Write the report where reports go."""
    write_json(report, OUT / "report.json")
    write_report(report, OUT / "report.md", OUT)
    if publish:
        write_report(report, DOCS / "performance.md", DOCS / "pictures")


if __name__ == "__main__":
    sys.exit(main())
