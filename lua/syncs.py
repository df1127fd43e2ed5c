"""The counts of syncs with other parties, and when the last good one ended, for whoever reads the metrics."""

from typing import Any, cast

import msgspec

from lua.keys import SYNCS
from lua.sales import now_ms
from lua.scripts import Client

SYNC_OUTCOMES = {
    "amazon": ("completed", "failed"),
    "g2a": ("completed", "failed"),
    "goated": ("changed", "unchanged", "not_modified", "failed"),
}
"""What a sync with each of them may come to: all of it is told of from the beginning, and nothing else ever."""
_GOOD_AT = "good_at_ms"


class Syncs(msgspec.Struct, frozen=True):
    """How many syncs with one of them came to what; when the latest of them that did not fail ended, in seconds since
    1970 by the clock of Redis (0: none that is known)."""

    upstream: str
    outcomes: dict[str, int]
    good_at_s: float


async def note_sync(client: Client, upstream: str, outcome: str) -> None:
    """Count a sync that has ended. Raises ValueError for an upstream or an outcome that is not in SYNC_OUTCOMES."""
    if outcome not in SYNC_OUTCOMES.get(upstream, ()):
        raise ValueError(f"No sync with {upstream!r} comes to {outcome!r}.")
    now = await now_ms(client)
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        pipe.hincrby(SYNCS, f"{upstream}/{outcome}", 1)
        if outcome != "failed":
            pipe.hset(SYNCS, f"{upstream}/{_GOOD_AT}", now)
        await pipe.execute()


async def read_syncs(client: Client) -> list[Syncs]:
    """The counts of all of them, of those too that nobody has synced with yet."""
    found: dict[bytes, bytes] = await cast(Any, client).hgetall(SYNCS)

    def number(upstream: str, what: str) -> int:
        return int(found.get(f"{upstream}/{what}".encode(), b"0"))

    return [
        Syncs(upstream, {outcome: number(upstream, outcome) for outcome in outcomes}, number(upstream, _GOOD_AT) / 1000)
        for upstream, outcomes in SYNC_OUTCOMES.items()
    ]
