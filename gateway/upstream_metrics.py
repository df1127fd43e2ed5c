"""The metrics of what the workers ask of other parties, such as G2A: requests and their time, and syncs."""

from collections.abc import Collection, Iterable
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

import lua

_BOUNDS = (*map(str, lua.UPSTREAM_BOUNDS_S), "+Inf")


def upstream_families(counted: Iterable[lua.UpstreamCalls], times: Iterable[lua.UpstreamTimes]) -> list[Any]:
    """The requests of all workers; the same from every process. An outcome is a status, or why there is none."""
    labels = ("upstream", "call", "outcome")
    calls = CounterMetricFamily("fluxgate_upstream_calls", "Requests to other parties, by outcome.", labels=labels)
    seconds = CounterMetricFamily("fluxgate_upstream_call_seconds", "Time that they took.", labels=labels)
    for own in counted:
        of = [own.upstream, own.call, own.outcome]
        calls.add_metric(of, own.times)
        seconds.add_metric(of, own.seconds)
    took = HistogramMetricFamily(
        "fluxgate_upstream_request_duration_seconds", "Time of requests to other parties.", labels=["upstream"]
    )
    for one in times:
        buckets = list(zip(_BOUNDS, map(float, accumulate(one.buckets)), strict=True))
        took.add_metric([one.upstream], buckets, one.seconds)
    return [calls, seconds, took]


def sync_families(syncs: Iterable[lua.Syncs], idle: Collection[str]) -> list[Any]:
    """The syncs of all workers; the same from every process. Of whom these settings do not name (`idle`) and nobody has
    had good data, there is no time of the last: nothing is late there."""
    counts = CounterMetricFamily("fluxgate_syncs", "Syncs that have ended.", labels=["upstream", "outcome"])
    good = GaugeMetricFamily(
        "fluxgate_sync_last_good_timestamp_seconds",
        "When the last sync ended that did not fail, since 1970; 0 where none is known.",
        labels=["upstream"],
    )
    for own in syncs:
        for outcome, count in own.outcomes.items():
            counts.add_metric([own.upstream, outcome], count)
        if own.good_at_s or own.upstream not in idle:
            good.add_metric([own.upstream], own.good_at_s)
    return [counts, good]
