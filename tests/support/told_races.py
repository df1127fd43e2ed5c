"""A leaderboard, its race and races of before as tests want them, put straight into their tables."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sql import Pool
from workers.goated_prizes import prizes_of, read_shares
from workers.goated_races import Month, month_of, read_zone

SHARES = read_shares("0.5 0.3 0.1 0.05 0.05")
POOL = Decimal(500)
_TABLES = "goated_members, goated_wagers, goated_syncs, goated_races, goated_standings, goated_verifications"
_FORGET = (
    "UPDATE goated_board SET version = 0, fetched_at = NULL, changed_at = NULL, etag = '', digest = NULL, people = 0, "
    "today = 0, this_week = 0, this_month = 0, all_time = 0"
)
_SUM_UP = (
    "UPDATE goated_board SET version = version + 1, fetched_at = $1, changed_at = $1, people = f.people, "
    "today = f.today, this_week = f.this_week, this_month = f.this_month, all_time = f.all_time FROM ("
    "SELECT count(*) AS people, coalesce(sum(today), 0) AS today, coalesce(sum(this_week), 0) AS this_week, "
    "coalesce(sum(this_month), 0) AS this_month, coalesce(sum(all_time), 0) AS all_time FROM goated_wagers) AS f"
)
_OPEN = (
    "INSERT INTO goated_races (id, starts_at, ends_at, prize_pool, shares, status) "
    "VALUES ($1, $2, $3, $4, $5, 'live') ON CONFLICT (id) DO NOTHING"
)
_COMPLETE = (
    "INSERT INTO goated_races (id, starts_at, ends_at, prize_pool, shares, status, total_wagered, participant_count, "
    "snapshot_at, completed_at, completed_by) VALUES ($1, $2, $3, $4, $5, 'completed', $6, $7, $3, $3, 'reset')"
)
_PUT_MEMBER = "INSERT INTO goated_members (uid, name) VALUES ($1, $2) ON CONFLICT (uid) DO UPDATE SET name = $2"
_PUT_WAGER = (
    "INSERT INTO goated_wagers (uid, today, this_week, this_month, all_time) VALUES ($1, $2, $3, $4, $5) "
    "ON CONFLICT (uid) DO UPDATE SET today = $2, this_week = $3, this_month = $4, all_time = $5"
)
_PUT_STANDING = (
    "INSERT INTO goated_standings (race_id, position, uid, name, wagered, prize) VALUES ($1, $2, $3, $4, $5, $6)"
)


class Person(NamedTuple):
    """Somebody on the leaderboard; amounts as they are written."""

    uid: str
    name: str
    this_month: str = "0"
    all_time: str = "0"
    this_week: str = "0"
    today: str = "0"


def this_month() -> Month:
    """The month that it is."""
    return month_of(datetime.datetime.now(datetime.UTC), read_zone("UTC"))


async def forget_all(pool: Pool) -> None:
    """Nothing was ever fetched."""
    await pool.execute(f"TRUNCATE {_TABLES} CASCADE")
    await pool.execute(_FORGET)


async def fetched(pool: Pool, people: Sequence[Person], *, ago_s: float = 0, month: Month | None = None) -> None:
    """Goated has told of these, so long ago; a race is open."""
    await pool.executemany(_PUT_MEMBER, [(one.uid, one.name) for one in people])
    rows = [(one.uid, *map(Decimal, (one.today, one.this_week, one.this_month, one.all_time))) for one in people]
    await pool.executemany(_PUT_WAGER, rows)
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago_s)
    await pool.execute(_SUM_UP, at)
    await pool.execute(_OPEN, *(month or this_month()), POOL, SHARES)


async def ended(pool: Pool, month: Month, people: Sequence[Person]) -> None:
    """A race is over, and this is what came of it; the people stand in their order."""
    total = sum((Decimal(one.this_month) for one in people), Decimal(0))
    await pool.execute(_COMPLETE, *month, POOL, SHARES, total, len(people))
    prizes = prizes_of(POOL, SHARES)
    rows: list[tuple[Any, ...]] = []
    for position, one in enumerate(people, 1):
        wagered = Decimal(one.this_month)
        prize = prizes[position - 1] if position <= len(prizes) and wagered > 0 else Decimal(0)
        rows.append((month.id, position, one.uid, one.name, wagered, prize))
    await pool.executemany(_PUT_STANDING, rows)
