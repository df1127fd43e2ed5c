"""How old the leaderboard is that is kept, told in one way wherever it is shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from contract.goated import STALE_AFTER


class Freshness(NamedTuple):
    """When Goated last answered as it should; None where it never did. `stale` where that is too long ago."""

    last_updated: datetime | None
    stale: bool


def freshness(fetched_at: datetime | None, now: datetime) -> Freshness:
    """How old a leaderboard is that was fetched then."""
    return Freshness(fetched_at, fetched_at is None or now - fetched_at > STALE_AFTER)


def freshness_of(board: Mapping[str, Any]) -> Freshness:
    """How old the leaderboard of a row is that has `fetched_at` and `now`, such as that of `read_board`."""
    return freshness(board["fetched_at"], board["now"])
