"""A distribution of times, and how it is made."""

import math
from collections.abc import Iterable, Sequence

import msgspec

MS = 1000.0
# The points of the curve, in percent: even steps of "one request in ...".
CURVE = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0)


class Latency(msgspec.Struct, frozen=True):
    """A distribution of times, in milliseconds; `curve` pairs percent with milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    curve: tuple[tuple[float, float], ...]


def latency(seconds: Iterable[float]) -> Latency:
    """The distribution of some times."""
    ordered = sorted(seconds)
    return Latency(
        count=len(ordered),
        p50_ms=percentile(ordered, 50.0) * MS,
        p99_ms=percentile(ordered, 99.0) * MS,
        p999_ms=percentile(ordered, 99.9) * MS,
        max_ms=percentile(ordered, 100.0) * MS,
        curve=tuple((percent, percentile(ordered, percent) * MS) for percent in CURVE),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all values do not exceed; 0 of none. Never an interpolation."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(round(len(ordered) * percent / 100, 9)) - 1)]
