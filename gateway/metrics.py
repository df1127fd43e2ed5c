"""What a gateway process counts, and GET /metrics: its own figures, and those of the lane that Redis holds for all.

The sale lane counts into plain numbers and a list of buckets; Prometheus's objects are made when somebody asks.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

import lua

BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SALES_EXPORTED_MAX = 1_000
_DECISIONS = ("accepted", "diverted", "sold_out", "replayed", "cancelled", "persisted", "failed")


class Meter:
    """Counts of one process: requests by route and status, seconds by route."""

    def __init__(self) -> None:
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._seconds: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_S) + 1))
        self._sums: defaultdict[str, float] = defaultdict(float)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests[route, status] += 1
        self._seconds[route][bisect_left(BUCKETS_S, seconds)] += 1
        self._sums[route] += seconds

    def families(self, process: str, watchers: int) -> Iterable[Any]:
        """The counts as metric families; `process` tells gateway processes on one port apart."""
        requests = CounterMetricFamily(
            "fluxgate_http_requests", "Answered requests.", labels=["route", "status", "process"]
        )
        for (route, status), count in self._requests.items():
            requests.add_metric([route, str(status), process], count)
        yield requests
        seconds = HistogramMetricFamily(
            "fluxgate_http_request_duration_seconds", "Time to answer.", labels=["route", "process"]
        )
        for route, counts in self._seconds.items():
            total = 0
            buckets: list[tuple[str, float]] = []
            for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), counts, strict=True):
                total += count
                buckets.append((bound, total))
            seconds.add_metric([route, process], buckets, self._sums[route])
        yield seconds
        watching = GaugeMetricFamily("fluxgate_event_watchers", "Watchers of events.", labels=["process"])
        watching.add_metric([process], watchers)
        yield watching


def render(families: Iterable[Any]) -> bytes:
    """Metric families in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(list(families)))
    return generate_latest(registry)


def lane_families(figures: lua.Figures, proof: bytes | None) -> Iterable[Any]:
    """The lane's figures and the latest reconciliation as metric families; the same from every process."""
    for name in _DECISIONS:
        yield _counter(f"fluxgate_orders_{name}", f"Orders {name.replace('_', ' ')}.", getattr(figures, name))
    yield _gauge("fluxgate_outbox_backlog", "Commands waiting for a worker.", figures.backlog)
    yield _gauge("fluxgate_dead_letters", "Commands that no worker could handle.", figures.dead)
    left = GaugeMetricFamily("fluxgate_stock_left", "Units left.", labels=["product"])
    for product, units, _ in figures.sales[:SALES_EXPORTED_MAX]:
        left.add_metric([product], units)
    yield left
    if proof is None:
        return
    books: list[dict[str, Any]] = msgspec.json.decode(proof)
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
