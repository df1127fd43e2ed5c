"""`python -m bench.watchers`: what it costs that many watch a race, and what a sale beside them feels of it.

A system of its own with one gateway process and a sandboxed Goated sells at a steady rate: with nobody watching, with
all watching, half by WebSocket and half by server-sent events, while news come, and when they have left. Every load
ends with the proof; it exits with 1 when that fails, or when somebody has not heard the news.

python -m bench.watchers --watchers 1000 --orders-per-s 300
"""

import argparse
import contextlib
import http.client
import math
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import redis
from rich.console import Console
from rich.table import Table

import lua
from bench.generator import running_generator
from bench.latency import Latency, latency
from bench.loopback import LOOPBACK
from bench.machine import machine_facts
from bench.measure import Bench, measure_open, new_sale, open_job
from bench.placement import place, usable_cpus
from bench.plan import FULL
from bench.processes import cpu_s, process_tree
from bench.race_crowd import Crowd
from bench.report import Open, Report
from bench.system import System, flux_gate
from fluxgate.embedded import resolve

LOAD_S = 4.0
LOADS = 2
"""Of each kind; some thousand orders together, so that a p99 stands on dozens of them."""
NEWS = 16
NEWS_EVERY_S = 0.8
"""More often than any race changes, and seldom enough that each has come to all before the next; and no more than one
stream of events tells before it ends and is begun again."""
BEGINS_WITHIN_S = 30.0
COLUMNS = 132
NOBODY = "http://127.0.0.1:1"
Document = dict[str, Any]


def main() -> int:
    """Run it; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.watchers")
    parser.add_argument("--watchers", type=int, default=1_000)
    parser.add_argument("--orders-per-s", type=float, default=300.0)
    asked = parser.parse_args()
    console, placement = Console(width=COLUMNS), place(usable_cpus())
    facts = machine_facts(len(usable_cpus()))
    with running_generator() as generator, flux_gate(placement, g2a_url=NOBODY, amazon_url=NOBODY) as system:
        report = Report(began="", machine=facts, placement=placement.describe())
        bench = Bench(FULL, placement, generator, report, lambda what: console.print(f"  {what}", style="dim"))
        _await_race(system)
        loads = [("nobody watches", _load(bench, system, asked.orders_per_s)) for _ in range(LOADS)]
        alone = _watched(system, asked.watchers)
        beside = _watched(
            system,
            asked.watchers,
            lambda: loads.extend(("all watch", _load(bench, system, asked.orders_per_s)) for _ in range(LOADS)),
            lambda: loads.extend(("and news come", _load(bench, system, asked.orders_per_s)) for _ in range(LOADS)),
        )
        loads += [("they have left", _load(bench, system, asked.orders_per_s)) for _ in range(LOADS)]
    _print(console, loads)
    console.print(f"{asked.watchers:,} watchers: {alone.each_kb:.1f} KB of the gateway each.")
    console.print(f"A notice to all costs the gateway {alone.cpu_ms:.1f} ms of processor time.")
    for what, found in (("alone", alone), ("beside the sale", beside)):
        last = found.last
        told = f"p50 {last.p50_ms:.1f} ms, p99 {last.p99_ms:.1f} ms, worst {last.max_ms:.1f} ms"
        console.print(f"Until the last has heard a notice, {what} ({last.count} notices): {told}.")
        console.print(f"Notices that somebody has not heard: {found.missed}; connections lost: {found.lost}.")
    is_heard = not any((alone.missed, alone.lost, beside.missed, beside.lost))
    return 0 if is_heard and not any(run.proof.faults for _, run in loads) else 1


class Watched(NamedTuple):
    """What was found of one crowd: memory and processor time of the gateway, how long it took until the last had heard
    of each notice, how many notices fewer have heard than watched, and how many connections were lost."""

    each_kb: float
    cpu_ms: float
    last: Latency
    missed: int
    lost: int


def _watched(system: System, watchers: int, *works: Callable[[], None]) -> Watched:
    """Let a crowd watch NEWS notices come. Of two works, the first is done before they come, the other meanwhile."""
    gateway, before_mb = system.roles["gateway"][0], _gateway_mb(system)
    crowd = Crowd(system.port)
    crowd.come(watchers)
    each_kb = (_gateway_mb(system) - before_mb) * 1024 / watchers
    for work in works[:1]:
        work()
    news = News(system, crowd)
    spent = cpu_s(gateway)
    thread = threading.Thread(target=news.tell_all, daemon=True)
    thread.start()
    for work in works[1:]:
        work()
    thread.join()
    spent = cpu_s(gateway) - spent
    with contextlib.suppress(TimeoutError):
        crowd.wait(lambda: len(crowd.times[news.version]) >= watchers)
    found = Watched(each_kb, 1000 * spent / NEWS, news.last(), news.missed(watchers), crowd.lost)
    crowd.leave()
    return found


class News:
    """Tells of races as a worker does."""

    def __init__(self, system: System, crowd: Crowd) -> None:
        self._crowd = crowd
        self._at: dict[int, float] = {}
        self._redis = redis.Redis.from_url(resolve(system.settings).redis_at)
        self._document = _race(system)
        self.version = max(crowd.times)

    def tell_all(self) -> None:
        """Tell of NEWS changes."""
        for _ in range(NEWS):
            time.sleep(NEWS_EVERY_S)
            self.tell()

    def tell(self) -> None:
        """Tell of a change."""
        self.version += 1
        self._at[self.version] = time.perf_counter()
        self._redis.publish(lua.RACES_CHANNEL, msgspec.json.encode({**self._document, "version": self.version}))

    def last(self) -> Latency:
        """How long it took until the last had heard of each."""
        return latency(max(self._crowd.times[version], default=math.inf) - at for version, at in self._at.items())

    def missed(self, watchers: int) -> int:
        """Notices that fewer have heard than watch."""
        return sum(len(self._crowd.times[version]) < watchers for version in self._at)


def _load(bench: Bench, system: System, rate_per_s: float) -> Open:
    sale = new_sale(bench, system, "watched")
    return measure_open(bench, system, sale, open_job(bench, system, sale, rate_per_s, LOAD_S), share=0, round_number=0)


def _gateway_mb(system: System) -> float:
    return sum(_rss_mb(pid) for root in system.roles["gateway"] for pid in process_tree(root))


def _rss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def _race(system: System) -> Document:
    """What a worker would publish of the race that is open."""
    race = _ask(system, "/api/wager-races/current")["data"]
    own = {name: race[name] for name in ("status", "totalWagered", "participantCount")}
    top = race["participants"]
    return {"version": 0, "raceId": race["id"], **own, "lastUpdated": race["metadata"]["lastUpdated"], "top": top}


def _await_race(system: System) -> None:
    deadline = time.monotonic() + BEGINS_WITHIN_S
    while _ask(system, "/api/wager-races/current")["status"] != "success":
        if time.monotonic() > deadline:
            sys.exit("There is no race; the sync that begins with the system has not come to an end.")
        time.sleep(0.25)


def _ask(system: System, path: str) -> Document:
    connection = http.client.HTTPConnection(LOOPBACK, system.port, timeout=30)
    try:
        connection.request("GET", path)
        return msgspec.json.decode(connection.getresponse().read())
    finally:
        connection.close()


def _print(console: Console, loads: list[tuple[str, Open]]) -> None:
    table = Table(title="A sale beside watchers", title_justify="left")
    names = ("load", "orders/s", "accepted", "p50 ms", "p99 ms", "p99.9 ms", "worst ms", "oversold", "lost", "twice")
    for name in names:
        table.add_column(name, justify="left" if name == "load" else "right")
    for name, run in loads:
        proof, times = run.proof, run.accepts
        figures = (times.p50_ms, times.p99_ms, times.p999_ms, times.max_ms)
        told = (proof.oversold, proof.lost, proof.duplicated)
        row = (f"{run.offered_per_s:,.0f}", f"{proof.accepted:,}", *(f"{one:.1f}" for one in figures), *map(str, told))
        table.add_row(name, *row)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
