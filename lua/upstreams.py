"""The counts of the requests that workers make to other parties, for whoever reads the metrics."""

from bisect import bisect_left
from typing import Any, cast

import msgspec

from lua.keys import UPSTREAM_CALLS, UPSTREAM_TIMES
from lua.scripts import Client

UPSTREAMS = ("amazon", "amazon_lwa", "g2a", "goated")
"""Whom the workers ask, by the names that their clients count under: the times of all of them are there from the
beginning."""
UPSTREAM_BOUNDS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)
"""A sandbox answers within milliseconds; Goated has been seen to take a minute."""
_NAMES = (*map(str, UPSTREAM_BOUNDS_S), "+Inf")
# One that is left alone was not asked, and tells nothing of how long an answer takes.
_NOT_ASKED = "paused"


class UpstreamCalls(msgspec.Struct, frozen=True):
    """How many requests of one kind came out in one way, and how long they took together."""

    upstream: str
    call: str
    outcome: str
    times: int
    seconds: float


class UpstreamTimes(msgspec.Struct, frozen=True):
    """How long one upstream took: requests by bound of UPSTREAM_BOUNDS_S, each counted in its own bucket only and the
    last of them without a bound; and the seconds of all together."""

    upstream: str
    buckets: list[int]
    seconds: float


async def count_upstream_call(client: Client, upstream: str, call: str, outcome: str, seconds: float) -> None:
    """Add one request to the counts. `outcome` is a status or a word of ours, so that the counts stay few."""
    microseconds = int(seconds * 1e6)
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        pipe.hincrby(UPSTREAM_CALLS, f"{upstream}/{call}/{outcome}", 1)
        pipe.hincrby(UPSTREAM_CALLS, f"{upstream}/{call}/{outcome}/us", microseconds)
        if outcome != _NOT_ASKED:
            pipe.hincrby(UPSTREAM_TIMES, f"{upstream}/{_NAMES[bisect_left(UPSTREAM_BOUNDS_S, seconds)]}", 1)
            pipe.hincrby(UPSTREAM_TIMES, f"{upstream}/us", microseconds)
        await pipe.execute()


async def read_upstream_calls(client: Client) -> list[UpstreamCalls]:
    """The counts of all upstreams."""
    found: dict[bytes, bytes] = await cast(Any, client).hgetall(UPSTREAM_CALLS)
    counted: list[UpstreamCalls] = []
    for field, count in sorted(found.items()):
        if field.endswith(b"/us"):
            continue
        upstream, call, outcome = field.decode().split("/")
        seconds = int(found.get(field + b"/us", b"0")) / 1e6
        counted.append(UpstreamCalls(upstream, call, outcome, int(count), seconds))
    return counted


async def read_upstream_times(client: Client) -> list[UpstreamTimes]:
    """The times of UPSTREAMS, of those too that nobody has asked yet."""
    found: dict[bytes, bytes] = await cast(Any, client).hgetall(UPSTREAM_TIMES)

    def number(upstream: str, what: str) -> int:
        return int(found.get(f"{upstream}/{what}".encode(), b"0"))

    return [
        UpstreamTimes(upstream, [number(upstream, name) for name in _NAMES], number(upstream, "us") / 1e6)
        for upstream in UPSTREAMS
    ]
