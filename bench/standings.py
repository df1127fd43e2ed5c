"""`python -m bench.standings`: what it costs to keep and to show a leaderboard of 100,000 people.

A system of its own with Goated's sandbox fetches the leaderboard as often as something else can have become of it, and
then answers pages of it, from the first to the last, from the cache and past it. It exits with 1 when the sums that are
kept are not those of the sandbox.

python -m bench.standings --people 100000
"""

import argparse
import asyncio
import http.client
import sys
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from bench.books import queries
from bench.catalogue_sync import Memory
from bench.loopback import LOOPBACK
from bench.placement import place, usable_cpus
from bench.processes import command_line, cpu_s, direct_children
from bench.system import System, flux_gate
from fluxgate.embedded import resolve
from sql import open_connection

# The key of the operator, who has the leaderboard fetched; it guards nothing but this bench's own system.
ADMIN_KEY = "the operator of this bench"
OWN: dict[str, Any] = {
    "admin_key": ADMIN_KEY,
    "ask_timeout_s": 20.0,
    "goated_sandbox_users": 0,
    "goated_rate_per_minute": 6000,
}
PERIODS = ("today", "this_week", "this_month", "all_time")
READS, DEEP_READS = 200, 40
"""Requests of each kind, one after the other; those past the cache are slow."""
LIMIT = 100
# The system fetches once by itself when it begins; that is waited for.
BEGINS_WITHIN_S = 30.0
SYNC_WITHIN_S = 90.0
LOOK_EVERY_S = 0.1
Document = dict[str, Any]


class Cost(NamedTuple):
    """What a sync took: seconds in all, CPU seconds by process, and the most memory of the worker, in MB."""

    name: str
    result: Document
    cpu_s: dict[str, float]
    memory_mb: float


def main() -> int:
    """Run it; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.standings")
    parser.add_argument("--people", type=int, default=100_000)
    people = parser.parse_args().people
    console = Console(width=120)
    with flux_gate(place(usable_cpus()), **OWN) as system:
        processes = _processes(system)
        _await_first(system)
        costs = [_sync(system, processes, name, prepare) for name, prepare in _cases(system, people)]
        reads = [_read(system, *case) for case in _pages(people)]
        wrong = _wrong(system)
    _print(console, costs, reads)
    if wrong:
        console.print(f"The sums of {', '.join(wrong)} are not those of the sandbox.", style="red")
    return 1 if wrong else 0


def _cases(system: System, people: int) -> Iterable[tuple[str, Callable[[], object]]]:
    """Syncs by name, each with what has to become of the leaderboard before it."""

    def control(**change: Any) -> Document:
        return _sandbox(system, "PUT", "/sandbox/control", change)

    def grow(factor: float) -> Document:
        return control(factors=dict.fromkeys(PERIODS, factor))

    return (
        ("the first", lambda: control(users=people, active_percent=100, tick_s=0)),
        ("the same, by its ETag", lambda: None),
        ("the same, by its bytes", lambda: control(etag="missing")),
        ("five minutes later", lambda: _sandbox(system, "POST", "/sandbox/advance", {"seconds": 300})),
        ("other figures of everybody", lambda: grow(1.001)),
        ("other figures of everybody, again", lambda: grow(1.002)),
        ("the end of a race", lambda: _end_month(system, control)),
    )


def _end_month(system: System, control: Callable[..., Document]) -> None:
    """The race of the month before has just ended, and what is told of the month is a thousandth."""
    asyncio.run(_fetch(system, "end_goated_race"))
    control(factors=dict.fromkeys(PERIODS, 1.002) | {"this_month": 0.001})


def _sync(system: System, processes: dict[str, int], name: str, prepare: Callable[[], object]) -> Cost:
    prepare()
    # The sandbox makes the list when it is asked for; that is not what is measured.
    _leaderboard(system)
    before = {who: cpu_s(pid) for who, pid in processes.items()}
    memory = Memory([processes["worker"]])
    result = _done(system, _ask(system, "POST", "/api/admin/goated/sync", {})["data"])
    memory.stop()
    return Cost(name, result, {who: cpu_s(pid) - before[who] for who, pid in processes.items()}, memory.most_mb)


def _done(system: System, data: Document) -> Document:
    """What came of a sync, also where that takes longer than a request may."""
    deadline = time.monotonic() + SYNC_WITHIN_S
    url = data.get("url", "")
    while "outcome" not in data:
        if time.monotonic() > deadline:
            sys.exit(f"A sync has not ended within {SYNC_WITHIN_S:.0f} s.")
        time.sleep(LOOK_EVERY_S)
        data = _ask(system, "GET", url)["data"]
    return data


def _pages(people: int) -> Iterable[tuple[str, list[str], int]]:
    """Pages by name, and how often each of their paths is asked for before it is timed."""
    last = min(10_000, people // LIMIT)
    race, board = "/api/wager-races/current", "/api/affiliate/leaderboard"
    deep = [f"?limit={LIMIT}&page={page}" for page in range(last, max(0, last - DEEP_READS), -1)]
    yield "the race, from the cache", [race] * READS, 1
    yield "the leaderboard, from the cache", [board] * READS, 1
    yield "its last pages, past the cache", [f"{board}{query}&period=all_time" for query in deep], 0
    yield "its last pages, from the cache", [f"{board}{query}&period=all_time" for query in deep[:1]] * READS, 1
    yield "the last of the race, past the cache", [f"{race}{query}" for query in deep], 0


def _read(system: System, name: str, paths: list[str], before: int) -> tuple[str, list[float]]:
    """Ask for each path in turn; gives the milliseconds of each answer, in order."""
    took: list[float] = []
    connection = http.client.HTTPConnection(LOOPBACK, system.port, timeout=30)
    for path in [*paths[:1] * before, *paths]:
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read()
        took.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            sys.exit(f"GET {path} was answered with {answer.status}: {said.decode(errors='replace')[:500]}")
    connection.close()
    return name, sorted(took[before:])


def _wrong(system: System) -> list[str]:
    """The periods of which the sum that is kept is not the sandbox's."""
    (kept,) = asyncio.run(_fetch(system, "goated_sums"))
    true = _sandbox(system, "GET", "/sandbox/books?top=0&limit=0")
    return [
        period
        for period in PERIODS
        if Decimal(true["sums"][period]) != kept[period] or kept["people"] != true["people"]
    ]


def _processes(system: System) -> dict[str, int]:
    """Who is at work, by what he is."""
    words = {"worker": " goated ", "gateway": "fluxgate gateway", "Postgres": "/postgres "}
    lines = {pid: command_line(pid) + " " for pid in direct_children(system.supervisor)}
    worker = {pid: line for pid, line in lines.items() if "fluxgate worker" in line}
    return {
        name: next(pid for pid, line in (worker if name == "worker" else lines).items() if word in line)
        for name, word in words.items()
    }


def _await_first(system: System) -> None:
    deadline = time.monotonic() + BEGINS_WITHIN_S
    while not asyncio.run(_fetch(system, "goated_fetched")):
        if time.monotonic() > deadline:
            sys.exit("The system has not fetched the leaderboard when it began.")
        time.sleep(LOOK_EVERY_S)


async def _fetch(system: System, query: str) -> list[Any]:
    connection = await open_connection(resolve(system.settings).postgres_at, name="bench")
    try:
        return await connection.fetch(queries()[query])
    finally:
        await connection.close()


def _leaderboard(system: System) -> None:
    code, token, _ = system.settings.goated_credentials
    path = f"/user/affiliate/referral-leaderboard/{code}"
    _asked(system.settings.goated_sandbox_port, "GET", path, None, {"Authorization": f"Bearer {token}"})


def _sandbox(system: System, method: str, path: str, body: Any = None) -> Document:
    return msgspec.json.decode(_asked(system.settings.goated_sandbox_port, method, path, body, {}))


def _ask(system: System, method: str, path: str, body: Any = None) -> Document:
    return msgspec.json.decode(_asked(system.port, method, path, body, {"X-Admin-Key": ADMIN_KEY}))


def _asked(port: int, method: str, path: str, body: Any, headers: dict[str, str]) -> bytes:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
    try:
        text = None if body is None else msgspec.json.encode(body)
        connection.request(method, path, text, {"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status not in (200, 202):
            sys.exit(f"{method} {path} was answered with {answer.status}: {said.decode(errors='replace')[:500]}")
        return said
    finally:
        connection.close()


def _print(console: Console, costs: list[Cost], reads: list[tuple[str, list[float]]]) -> None:
    table = Table(title="Syncs", title_justify="left")
    table.add_column("sync")
    for name in ("outcome", "rows changed", "MB told", "s", "CPU s worker", "CPU s Postgres", "worker MB"):
        table.add_column(name, justify="right")
    for cost in costs:
        result = cost.result
        figures = (f"{result['changedRows']:,}", f"{result['bytes'] / 1e6:.1f}", f"{result['seconds']:.2f}")
        used = (f"{cost.cpu_s['worker']:.2f}", f"{cost.cpu_s['Postgres']:.2f}", f"{cost.memory_mb:.0f}")
        table.add_row(cost.name, result["outcome"], *figures, *used)
    console.print(table)
    table = Table(title=f"Pages of {LIMIT}, the first ones of 10 or 30", title_justify="left")
    table.add_column("page")
    for name in ("p50 ms", "p99 ms"):
        table.add_column(name, justify="right")
    for name, took in reads:
        table.add_row(name, f"{took[len(took) // 2]:.2f}", f"{took[len(took) * 99 // 100]:.2f}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
