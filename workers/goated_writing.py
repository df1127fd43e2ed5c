"""Writes a leaderboard that was fetched, in one transaction: the race that it ends or begins, and then its figures.

The row of goated_board is locked first, and orders everything: of two who write, the second sees what the first has
done. What was had before the other had asked is dropped then.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from sql import Connection, load_queries
from workers.clients.goated import Leaderboard
from workers.goated_prizes import prizes_of
from workers.goated_races import NOTHING, Change, Plan, Race, plan

QUERIES = load_queries("goated_sync")
SUSPICIOUS = "SUSPICIOUS_DATA"
_COLUMNS = ("uid", "name", "today_told", "this_week_told", "this_month_told", "all_time_told")


class Terms(NamedTuple):
    """What races are held by: the zone of the months, the shares of the pool, and the pool."""

    zone: ZoneInfo
    shares: Sequence[Decimal]
    pool: Decimal


class Fetched(NamedTuple):
    """A good answer of Goated: a leaderboard, or None where it says that it is still the one of before. `took` is how
    long ago it was asked for; `accept` whether an operator vouches for it, whatever it says."""

    leaderboard: Leaderboard | None
    took: timedelta
    accept: bool = False


class Written(NamedTuple):
    """What was written. `fell` and `lost` count people whose figure of the month, and of all time, became less."""

    outcome: Literal["changed", "unchanged", "not_modified"]
    people: int
    changed_rows: int
    is_changed: bool
    ended_race: str | None
    began_at: datetime
    fell: int = 0
    lost: int = 0


class Suspicious(Exception):
    """A leaderboard that cannot be true, with the reason. Nothing of it is kept."""


async def write(connection: Connection, terms: Terms, fetched: Fetched, clock: datetime | None = None) -> Written:
    """Write what was fetched; the time is Postgres's unless a test gives another. Raises Suspicious."""
    board = await connection.fetchrow(QUERIES["lock_board"])
    now: datetime = clock or board["now"]
    began_at = now - fetched.took
    told = fetched.leaderboard
    if told is None or told.digest == board["digest"] or _is_older(board, began_at):
        outcome = "not_modified" if told is None else "unchanged"
        ended, is_changed = await _move_race(connection, terms, await _plan(connection, terms, now), now)
        await connection.execute(QUERIES["touch_board"], max(now, board["fetched_at"] or now), is_changed)
        return Written(outcome, board["people"], 0, is_changed, ended, began_at)
    await _copy(connection, told)
    change = Change(**await connection.fetchrow(QUERIES["compare"]))
    decided = await _plan(connection, terms, now, change, accept=fetched.accept)
    if decided.refused:
        raise Suspicious(decided.refused)
    ended, has_race_changed = await _move_race(connection, terms, decided, now)
    rows = await _merge(connection, now)
    is_changed = rows > 0 or has_race_changed
    await connection.execute(QUERIES["put_board"], now, is_changed, told.etag, told.digest)
    outcome = "changed" if rows else "unchanged"
    return Written(outcome, change.people, rows, is_changed, ended, began_at, change.fell, change.lost)


def _is_older(board: Mapping[str, Any], began_at: datetime) -> bool:
    """Whether another one was kept since this one was asked for: nobody knows then which of the two is newer."""
    return board["fetched_at"] is not None and board["fetched_at"] > began_at


async def _copy(connection: Connection, told: Leaderboard) -> None:
    await connection.execute(QUERIES["create_incoming"])
    records = ((uid, name, *map(str, figures)) for uid, name, *figures in told.members)
    await connection.copy_records_to_table("goated_incoming", records=records, columns=_COLUMNS)
    await connection.execute(QUERIES["count_incoming"])


async def _plan(
    connection: Connection, terms: Terms, now: datetime, change: Change | None = None, *, accept: bool = False
) -> Plan:
    row = await connection.fetchrow(QUERIES["find_race"])
    race = row and Race(row["id"], row["starts_at"], row["ends_at"], row["status"])
    last_id = await connection.fetchval(QUERIES["last_completed"]) or ""
    held = await connection.fetchval(QUERIES["count_held"], SUSPICIOUS) if change else 0
    return plan(race, last_id, change, now, terms.zone, held=held, accept=accept)


async def _move_race(connection: Connection, terms: Terms, decided: Plan, now: datetime) -> tuple[str | None, bool]:
    """Do with the race what was decided, from the figures that are kept; gives which has ended, and whether anything
    was done."""
    if decided == NOTHING:
        return None, False
    race = await connection.fetchrow(QUERIES["find_race"])
    ended = None
    if decided.completed_by:
        ended = race["id"]
        prizes = prizes_of(race["prize_pool"], race["shares"])
        await connection.execute(QUERIES["put_standings"], ended, prizes)
        await connection.execute(QUERIES["complete_race"], ended, now, decided.completed_by)
    if decided.is_over:
        await connection.execute(QUERIES["end_race"], race["id"])
    if decided.opens:
        await connection.execute(QUERIES["open_race"], *decided.opens, terms.pool, terms.shares)
    return ended, True


async def _merge(connection: Connection, now: datetime) -> int:
    """Bring what is kept to what was fetched, and touch no row that is so already; gives how many it were."""
    steps = (("change_members",), ("add_members", now), ("mark_gone", now))
    steps += (("drop_wagers",), ("change_wagers", now), ("add_wagers", now))
    rows = 0
    for name, *values in steps:
        rows += int((await connection.execute(QUERIES[name], *values)).rpartition(" ")[2])
    return rows
