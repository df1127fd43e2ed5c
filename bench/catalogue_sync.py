"""`python -m bench.catalogue_sync`: what a sync of the whole catalogue costs, and what a sale beside it feels of it.

A system of its own with a sandboxed G2A sells at a steady rate, before a full sync, while it runs, and after it. Every
load ends with the proof; it exits with 1 when that fails. `--per-minute` is how many requests G2A takes in a minute.

python -m bench.catalogue_sync --products 100000 --orders-per-s 500 --per-minute 600
"""

import argparse
import http.client
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.generator import running_generator
from bench.loopback import LOOPBACK
from bench.machine import machine_facts
from bench.measure import Bench, measure_open, new_sale, open_job
from bench.placement import place, usable_cpus
from bench.plan import FULL
from bench.processes import process_tree
from bench.report import Open, Report
from bench.system import System, flux_gate

# The key of the operator, who starts the sync; it guards nothing but this bench's own system.
ADMIN_KEY = "the operator of this bench"
# Seconds of each load; a few thousand orders, so that a p99 stands on dozens of them.
LOAD_S = 6.0
LOADS_BEFORE = 3
# Wide enough for the table where no terminal says how wide it is.
COLUMNS = 132
# Nobody waits longer for a sync than this.
SYNC_WITHIN_S = 1_200.0
BEGINS_WITHIN_S = 20.0
LOOK_EVERY_S = 0.25
Document = dict[str, Any]


def main() -> int:
    """Run it; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.catalogue_sync")
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--orders-per-s", type=float, default=500.0)
    parser.add_argument("--per-minute", type=int, default=600)
    asked = parser.parse_args()
    console, placement = Console(width=COLUMNS), place(usable_cpus())
    facts = machine_facts(len(usable_cpus()))
    own = {
        "g2a_sandbox_products": asked.products,
        "g2a_rate_per_minute": asked.per_minute,
        "admin_key": ADMIN_KEY,
        # A page for each request is fetched in a good second on a busy machine.
        "ask_timeout_s": 20.0,
    }
    with running_generator() as generator, flux_gate(placement, **own) as system:
        report = Report(began="", machine=facts, placement=placement.describe())
        bench = Bench(FULL, placement, generator, report, lambda what: console.print(f"  {what}", style="dim"))
        loads = [("before", _load(bench, system, asked.orders_per_s)) for _ in range(LOADS_BEFORE)]
        memory = Memory(system.roles["worker"])
        began = time.monotonic()
        _start_sync(system)
        while time.monotonic() - began < SYNC_WITHIN_S and (status := _status(system))["syncInProgress"]:
            bench.step(f"a sync is at {status.get('progress')}")
            loads.append(("while it runs", _load(bench, system, asked.orders_per_s)))
        took_s = memory.stop() - began
        status = _status(system)
        loads += [("after", _load(bench, system, asked.orders_per_s)) for _ in range(LOADS_BEFORE)]
    _print(console, loads, asked.products, took_s, memory.most_mb, status)
    return 1 if any(run.proof.faults for _, run in loads) or status["totalProducts"] < asked.products else 0


class Memory:
    """Watches processes from a thread of its own: the most memory that they hold together, in MB."""

    def __init__(self, pids: list[int]) -> None:
        self.most_mb = 0.0
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """End it; gives the time."""
        self._over.set()
        self._thread.join()
        return time.monotonic()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self.most_mb = max(self.most_mb, sum(_rss_mb(pid) for root in self._pids for pid in process_tree(root)))


def _rss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def _load(bench: Bench, system: System, rate_per_s: float) -> Open:
    sale = new_sale(bench, system, "sync")
    return measure_open(bench, system, sale, open_job(bench, system, sale, rate_per_s, LOAD_S), share=0, round_number=0)


def _start_sync(system: System) -> None:
    said = _ask(system, "POST", "/api/admin/g2a/sync", {"fullSync": True}, {"Prefer": "respond-async"})
    assert said["status"] == "success", said
    # One that the schedule has begun may be at work, which would not be the one that is measured.
    deadline = time.monotonic() + BEGINS_WITHIN_S
    while (_status(system)["progress"] or {}).get("kind") != "full":
        if time.monotonic() > deadline:
            sys.exit("The sync has not begun; perhaps that of the schedule was at work. Begin again.")
        time.sleep(LOOK_EVERY_S)


def _status(system: System) -> Document:
    return _ask(system, "GET", "/api/admin/g2a/status")


def _ask(system: System, method: str, path: str, body: Any = None, more: dict[str, str] | None = None) -> Document:
    connection = http.client.HTTPConnection(LOOPBACK, system.port, timeout=30)
    headers = {"X-Admin-Key": ADMIN_KEY, "Content-Type": "application/json"} | (more or {})
    try:
        connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
        return msgspec.json.decode(connection.getresponse().read())
    finally:
        connection.close()


def _print(
    console: Console, loads: list[tuple[str, Open]], products: int, took_s: float, most_mb: float, status: Document
) -> None:
    table = Table(title="A sale beside a sync", title_justify="left")
    for name in (
        "load",
        "orders/s",
        "accepted",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "worst ms",
        "oversold",
        "lost",
        "twice",
    ):
        table.add_column(name, justify="left" if name == "load" else "right")
    for name, run in loads:
        proof, times = run.proof, run.accepts
        figures = (times.p50_ms, times.p99_ms, times.p999_ms, times.max_ms)
        told = (proof.oversold, proof.lost, proof.duplicated)
        rate = f"{run.offered_per_s:,.0f}"
        table.add_row(name, rate, f"{proof.accepted:,}", *(f"{figure:.1f}" for figure in figures), *map(str, told))
    console.print(table)
    console.print(
        f"{products:,} products in {took_s:.1f} s ({products / took_s:,.0f}/s), of which the store has "
        f"{status['totalProducts']:,}. The workers held {most_mb:.0f} MB at most. "
        f"Faults of the proof: {sum(len(run.proof.faults) for _, run in loads)}."
    )


if __name__ == "__main__":
    sys.exit(main())
