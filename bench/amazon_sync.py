"""`python -m bench.amazon_sync`: what the sync of a large account at Amazon costs, where Amazon's rates are no limit.

A system of its own with Amazon's sandbox syncs an account twice: everything, and then what is new. Each sync ends with
the proof that every row is as the sandbox has it; it exits with 1 when that fails. Amazon itself would take 33 hours to
give 200,000 orders; here it gives `--pages-per-s` of everything.

python -m bench.amazon_sync --orders 200000 --skus 50000 --events 100000
"""

import argparse
import asyncio
import http.client
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import asyncpg
import msgspec
from rich.console import Console
from rich.table import Table

from bench.amazon_books import differences
from bench.books import queries
from bench.catalogue_sync import Memory
from bench.loopback import LOOPBACK
from bench.placement import place, usable_cpus
from bench.processes import command_line, cpu_s, direct_children
from bench.system import System, flux_gate
from fluxgate.embedded import resolve

OWN = {
    # Whoever has no account uses this one; it opens nothing but this bench's own sandbox.
    "amazon_refresh_token": "the account of this bench",
    "ask_timeout_s": 20.0,
}
USER = {"email": "seller@shop.example", "password": "correct horse battery"}
START = "/api/v1/integrations/amazon/sync"
# Shorter than an access token lives.
SYNC_WITHIN_S = 840.0
LOOK_EVERY_S = 0.25
# Whose memory is told: that of Postgres would count what its processes share once for each.
MEASURED = ("worker", "sandbox")
OPERATIONS = ("listFinancialEvents", "getInventorySummaries", "getOrders", "getOrderItems")
SYNCS = ("everything", "what is new")
PARTS = {2: ("claims", "claimsDetected"), 3: ("inventory", "inventoryCount"), 4: ("orders", "ordersProcessed")}
ITEMS = 5
MB = 1_000_000
Document = dict[str, Any]


class Cost(NamedTuple):
    """What a sync took: seconds of each part, CPU seconds by process, and the most memory of each, in MB."""

    parts_s: Mapping[int, float]
    took_s: float
    cpu_s: Mapping[str, float]
    memory_mb: Mapping[str, float]
    looks_ms: Sequence[float]
    ended: Document


def main() -> int:
    """Run it; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.amazon_sync")
    parser.add_argument("--orders", type=int, default=200_000)
    parser.add_argument("--skus", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--pages-per-s", type=float, default=2_000.0)
    asked = parser.parse_args()
    console = Console(width=120)
    faults = 0
    with flux_gate(place(usable_cpus()), **OWN) as system:
        size = {"orders": asked.orders, "skus": asked.skus, "events": asked.events, "sales": 0}
        rate = {"per_s": asked.pages_per_s, "burst": 30}
        control = size | {"rates": dict.fromkeys(OPERATIONS, rate)}
        _ask(system.settings.amazon_sandbox_port, "PUT", "/sandbox/control", control)
        registered = _ask(system.port, "POST", "/api/auth/register", USER)["data"]
        for name in SYNCS:
            cost = _sync(system, registered["token"])
            _print(console, name, cost)
            began = time.monotonic()
            wrong, sizes = asyncio.run(_prove(system, registered["user"]["id"]))
            _print_proof(console, wrong, sizes, time.monotonic() - began)
            faults += len(wrong) + (cost.ended["status"] != "completed")
    return 1 if faults else 0


def _sync(system: System, token: str) -> Cost:
    """Do one, and look at it until it ends."""
    processes = _processes(system)
    before = {name: cpu_s(pid) for name, pid in processes.items()}
    memory = {name: Memory([processes[name]]) for name in MEASURED}
    began = time.monotonic()
    sync_id = _ask(system.port, "POST", START, {}, token)["syncId"]
    reached: dict[int, float] = {}
    looks_ms: list[float] = []
    while True:
        looked = time.monotonic()
        document = _ask(system.port, "GET", f"/api/sync/status/{sync_id}", None, token)
        now = time.monotonic()
        looks_ms.append((now - looked) * 1000)
        reached.setdefault(document["step"], now)
        if document["status"] != "running":
            break
        if now - began > SYNC_WITHIN_S:
            sys.exit(f"The sync has not ended within {SYNC_WITHIN_S:.0f} s: {document['message']}")
        time.sleep(LOOK_EVERY_S)
    for one in memory.values():
        one.stop()
    ends = [*sorted(reached.items()), (ITEMS + 1, now)]
    return Cost(
        {step: later - at for (step, at), (_, later) in pairwise(ends)},
        now - began,
        {name: cpu_s(pid) - before[name] for name, pid in processes.items()},
        {name: one.most_mb for name, one in memory.items()},
        sorted(looks_ms),
        document,
    )


def _processes(system: System) -> dict[str, int]:
    """Who is at work, by what he is."""
    words = {"worker": "fluxgate worker", "sandbox": "sandbox amazon", "reaper": "fluxgate reaper"}
    words |= {"Postgres": "/postgres ", "Valkey": "valkey-server"}
    children = {pid: command_line(pid) + " " for pid in direct_children(system.supervisor)}
    found = {
        name: [pid for pid, line in children.items() if word in line and (name != "worker" or " amazon" in line)]
        for name, word in words.items()
    }
    return {name: pids[0] for name, pids in found.items()}


async def _prove(system: System, user_id: str) -> tuple[dict[str, str], dict[str, int]]:
    """What is otherwise than in the books, and how large the tables are, in bytes."""
    async with asyncpg.create_pool(resolve(system.settings).postgres_at, min_size=1, max_size=1) as pool:
        wrong = await differences(pool, user_id, system.settings.amazon_sandbox_port)
        return wrong, {row["table_name"]: row["bytes"] for row in await pool.fetch(queries()["amazon_sizes"])}


def _ask(port: int, method: str, path: str, body: Any = None, token: str = "") -> Document:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path} was answered with {answer.status}: {said.decode(errors='replace')[:500]}")
        return msgspec.json.decode(said)
    finally:
        connection.close()


def _print(console: Console, name: str, cost: Cost) -> None:
    table = Table(title=f"A sync of {name}: {cost.ended['status']} after {cost.took_s:.1f} s", title_justify="left")
    for heading in ("part", "rows", "s", "rows/s"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for step, took_s in cost.parts_s.items():
        part, counted = PARTS.get(step, ("items of 30 orders" if step == ITEMS else "connecting", ""))
        rows = cost.ended[counted] if counted else 0
        rate = f"{rows / took_s:,.0f}" if rows and took_s else ""
        table.add_row(part, f"{rows:,}" if counted else "", f"{took_s:.1f}", rate)
    console.print(table)
    for told, values, unit in (("CPU time", cost.cpu_s, "s"), ("Memory at most", cost.memory_mb, "MB")):
        console.print(f"{told}: " + ", ".join(f"{name} {value:.1f} {unit}" for name, value in values.items()))
    median, worst = cost.looks_ms[len(cost.looks_ms) // 2], cost.looks_ms[-1]
    console.print(f"Its status was told in {median:.1f} ms (median), {worst:.1f} ms (worst of {len(cost.looks_ms)}).")
    if cost.ended["error"]:
        console.print(f"Error: {cost.ended['error']}")


def _print_proof(console: Console, wrong: Mapping[str, str], sizes: Mapping[str, int], took_s: float) -> None:
    console.print("Tables: " + ", ".join(f"{name} {size / MB:.0f} MB" for name, size in sorted(sizes.items())))
    said = "; ".join(f"{what}: {which}" for what, which in wrong.items()) or "every row is as the sandbox has it"
    console.print(f"Proof (in {took_s:.1f} s): {said}.\n")


if __name__ == "__main__":
    sys.exit(main())
