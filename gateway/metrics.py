"""What a gateway process counts, and GET /metrics: its own figures, and those of the lanes that Redis holds for all.

The sale lane counts into plain numbers and a list of buckets; Prometheus's objects are made when somebody asks.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, cast

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics import exposition

import lua
from gateway.bus_metrics import BusTally, tally_families

BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_TYPE = f"{OPENMETRICS}; version=1.0.0; charset=utf-8"
SALES_EXPORTED_MAX = 1_000
ROLES = ("GUEST", "USER", "ADMIN")
"""Who asks, in the metrics: never a single person, for each would be a series of its own. The logs have those."""
_DECISIONS = ("accepted", "diverted", "sold_out", "replayed", "cancelled", "persisted", "failed")


class _Route:
    """The counts of one route: requests by status, requests by bucket of BUCKETS_S, and seconds in all."""

    __slots__ = ("buckets", "seconds", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.seconds = 0.0


class Meter:
    """Counts of one process, by route."""

    def __init__(self) -> None:
        self._routes: defaultdict[str, _Route] = defaultdict(_Route)
        self._asked: dict[str, int] = dict.fromkeys(ROLES, 0)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        of_route = self._routes[route]
        of_route.statuses[status] = of_route.statuses.get(status, 0) + 1
        of_route.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        of_route.seconds += seconds

    def count_asked(self, role: str) -> None:
        """Count one command that somebody of a role has made; without one, a guest."""
        self._asked[role or "GUEST"] += 1

    def tally(self, process: str, watchers: int, bus: BusTally, memory_bytes: int = 0) -> "Tally":
        """All counts as they are now; `process` tells gateway processes on one port apart."""
        routes = self._routes.items()
        requests = [(route, status, count) for route, of in routes for status, count in of.statuses.items()]
        seconds = {route: of.buckets for route, of in routes}
        sums = {route: of.seconds for route, of in routes}
        used = (time.process_time(), memory_bytes)
        return Tally(process, time.time(), requests, seconds, sums, watchers, bus, dict(self._asked), *used)


class Tally(msgspec.Struct):
    """The counts of one process at one moment (seconds since 1970)."""

    process: str
    at: float
    requests: list[tuple[str, int, int]]
    # Requests by route and bucket of BUCKETS_S, each counted in its own bucket only.
    seconds: dict[str, list[int]]
    sums: dict[str, float]
    watchers: int
    bus: BusTally = BusTally()
    asked: dict[str, int] = {}
    # Seconds of processor time since its start, and the bytes that it holds now; 0 where the system does not say.
    cpu_s: float = 0.0
    memory_bytes: int = 0


def process_families(tallies: list[Tally]) -> Iterable[Any]:
    """The counts of processes as metric families."""
    requests = CounterMetricFamily(
        "fluxgate_http_requests", "Answered requests.", labels=["route", "status", "process"]
    )
    seconds = HistogramMetricFamily(
        "fluxgate_http_request_duration_seconds", "Time to answer.", labels=["route", "process"]
    )
    watching = GaugeMetricFamily("fluxgate_event_watchers", "Streams of events, syncs and races.", labels=["process"])
    for tally in tallies:
        for route, status, count in tally.requests:
            requests.add_metric([route, str(status), tally.process], count)
        for route, counts in tally.seconds.items():
            seconds.add_metric([route, tally.process], _cumulated(counts), tally.sums[route])
        watching.add_metric([tally.process], tally.watchers)
    of_bus = tally_families({tally.process: tally.bus for tally in tallies})
    return [requests, seconds, watching, *of_bus, *_resources(tallies)]


def _resources(tallies: list[Tally]) -> list[Any]:
    """What is asked of a process, and what it uses."""
    asked = CounterMetricFamily(
        "fluxgate_commands_asked", "Commands made by requests, by who asked.", labels=["role", "process"]
    )
    cpu = CounterMetricFamily("fluxgate_process_cpu_seconds", "Processor time of a gateway.", labels=["process"])
    memory = GaugeMetricFamily("fluxgate_process_memory_bytes", "Memory that a gateway holds.", labels=["process"])
    for tally in tallies:
        for role, count in tally.asked.items():
            asked.add_metric([role, tally.process], count)
        cpu.add_metric([tally.process], tally.cpu_s)
        if tally.memory_bytes:
            memory.add_metric([tally.process], tally.memory_bytes)
    return [asked, cpu, memory]


def memory_families(memory: lua.Memory) -> list[Any]:
    """The memory of Redis, in which the sale lives."""
    limit = "Memory that Redis may use; 0 where it has no limit."
    return [
        _gauge("fluxgate_redis_memory_bytes", "Memory that Redis uses.", memory.used),
        _gauge("fluxgate_redis_memory_limit_bytes", limit, memory.limit),
    ]


def _cumulated(counts: list[int]) -> list[tuple[str, float]]:
    bounds = (*map(str, BUCKETS_S), "+Inf")
    return list(zip(bounds, map(float, accumulate(counts)), strict=True))


def render(families: Iterable[Any], *, openmetrics: bool = False) -> bytes:
    """Metric families in the text format of Prometheus, or in OpenMetrics, which has exemplars too."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(list(families)))
    return cast(Any, exposition).generate_latest(registry) if openmetrics else generate_latest(registry)


def lane_families(figures: lua.Figures, oldest_s: float, proofs: list[bytes | None]) -> Iterable[Any]:
    """The figures of all lanes and their latest reconciliations as metric families; the same from every process."""
    for name in _DECISIONS:
        yield _counter(f"fluxgate_orders_{name}", f"Orders {name.replace('_', ' ')}.", getattr(figures, name))
    yield _gauge("fluxgate_outbox_backlog", "Commands waiting for a worker.", figures.backlog)
    yield _gauge("fluxgate_outbox_oldest_seconds", "Age of the oldest of them.", oldest_s)
    yield _gauge("fluxgate_dead_letters", "Commands that no worker could handle.", figures.dead)
    left = GaugeMetricFamily("fluxgate_stock_left", "Units left.", labels=["product"])
    for product, units, _ in figures.sales[:SALES_EXPORTED_MAX]:
        left.add_metric([product], units)
    yield left
    books: list[dict[str, Any]] = []
    for proof in proofs:
        if proof is None:
            return
        books += msgspec.json.decode(proof)
    unbalanced = sum(1 for book in books if book["fault"])
    yield _gauge("fluxgate_reconcile_unbalanced_sales", "Sales whose books do not balance.", unbalanced)
    for name in ("lost", "duplicated", "oversold"):
        units = sum(book[name] for book in books)
        yield _gauge(f"fluxgate_reconcile_{name}_units", f"Units {name}, by the latest reconciliation.", units)
    for name in ("initial", "left", "held", "sold", "returned"):
        family = GaugeMetricFamily(f"fluxgate_reconcile_{name}", f"Units: {name}, of open sales.", labels=["product"])
        for book in books[:SALES_EXPORTED_MAX]:
            if book["open"] and book[name] is not None:
                family.add_metric([book["product_id"]], book[name])
        yield family


class _Given:
    """A collector of families that are there already."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        return self._families


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
