"""The metrics of what the workers ask of other parties, such as G2A: requests and their time, by call and outcome."""

from collections.abc import Iterable
from typing import Any

from prometheus_client.core import CounterMetricFamily

import lua


def upstream_families(counted: Iterable[lua.UpstreamCalls]) -> list[Any]:
    """The requests of all workers; the same from every process. An outcome is a status, or why there is none."""
    labels = ("upstream", "call", "outcome")
    calls = CounterMetricFamily("fluxgate_upstream_calls", "Requests to other parties, by outcome.", labels=labels)
    seconds = CounterMetricFamily("fluxgate_upstream_call_seconds", "Time that they took.", labels=labels)
    for own in counted:
        of = [own.upstream, own.call, own.outcome]
        calls.add_metric(of, own.times)
        seconds.add_metric(of, own.seconds)
    return [calls, seconds]
