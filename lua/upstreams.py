"""The counts of the requests that workers make to other parties, for whoever reads the metrics."""

from typing import Any, cast

import msgspec

from lua.keys import UPSTREAM_CALLS
from lua.scripts import Client


class UpstreamCalls(msgspec.Struct, frozen=True):
    """How many requests of one kind came out in one way, and how long they took together."""

    upstream: str
    call: str
    outcome: str
    times: int
    seconds: float


async def count_upstream_call(client: Client, upstream: str, call: str, outcome: str, seconds: float) -> None:
    """Add one request to the counts. `outcome` is a status or a word of ours, so that the counts stay few."""
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        pipe.hincrby(UPSTREAM_CALLS, f"{upstream}/{call}/{outcome}", 1)
        pipe.hincrby(UPSTREAM_CALLS, f"{upstream}/{call}/{outcome}/us", int(seconds * 1e6))
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
