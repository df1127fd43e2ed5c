"""Races and the leaderboard as everybody may read them.

Consumes  read_race, read_schedule, read_affiliate_stats, read_leaderboard and read_news, as commands of the worker
          `goated`
Calls     nothing
Writes    nothing
Emits     a reply to each
Fails     with 503 while Goated has never answered, for nothing is known then; with 404 for the race before, where none
          has ended

All that one reply tells is of one moment. A race that is over is told as it was stored, and as nothing else.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from contract.bus import BusCommand
from contract.goated import DEPTH_MAX, BoardPage, Period, RacePage
from sql import Connection, load_queries
from workers import goated_news
from workers.goated_board import freshness_of
from workers.goated_prizes import prizes_of, unpaid_of
from workers.goated_races import TRANSITION, Month, Race, month_after, next_month, status_at, told
from workers.service import Desk, Ending, Handler, Refuse, replied

QUERIES = load_queries("goated_reads")
UPCOMING = 3
"""Races ahead that the schedule tells of."""
PERIODS: Mapping[Period, str] = {
    "today": "today",
    "weekly": "this_week",
    "monthly": "this_month",
    "all_time": "all_time",
}
"""The periods as they are asked for, and as Goated has them."""
Row = Mapping[str, Any]

_race_pages = msgspec.json.Decoder(RacePage)
_board_pages = msgspec.json.Decoder(BoardPage)


async def read_race(desk: Desk, command: BusCommand) -> Ending:
    """A page of the standings of the race that is open, or of the one before."""
    page = _race_pages.decode(command.body)
    async with _moment(desk) as connection:
        board = await _board(connection)
        return replied(await (_current if page.which == "current" else _previous)(connection, board, page))


async def read_schedule(desk: Desk, command: BusCommand) -> Ending:
    """The race that is open, and the next ones."""
    terms = desk.tools.terms
    async with _moment(desk) as connection:
        board = await _board(connection)
        row = await _open_race(connection)
    race = Race(row["id"], row["starts_at"], row["ends_at"], row["status"])
    own = (row["prize_pool"], row["shares"])
    races = [_scheduled(race, status_at(race, board["now"]), *own)]
    month = next_month(race.id, board["now"], terms.zone)
    for _ in range(UPCOMING):
        races.append(_scheduled(month, "upcoming", terms.pool, terms.shares))
        month = month_after(month.id, terms.zone)
    return replied({"races": races})


async def read_affiliate_stats(desk: Desk, command: BusCommand) -> Ending:
    """What all members have wagered together, and how many of them."""
    async with _moment(desk) as connection:
        board = await _board(connection)
        active = await connection.fetchrow(QUERIES["count_active"])
    last_updated, stale = freshness_of(board)
    return replied(
        {
            "totals": {period: board[column] for period, column in PERIODS.items()},
            "members": board["people"],
            "activeMembers": dict(active),
            "lastUpdated": last_updated and told(last_updated),
            "stale": stale,
        }
    )


async def read_leaderboard(desk: Desk, command: BusCommand) -> Ending:
    """A page of the leaderboard by one of its periods."""
    page = _board_pages.decode(command.body)
    async with _moment(desk) as connection:
        board = await _board(connection)
        rows = await connection.fetch(QUERIES[f"list_{page.period}"], page.limit, (page.page - 1) * page.limit)
    pages = _pages(board["people"], page.limit)
    pagination = {"page": page.page, "limit": page.limit, "total": board["people"], "pages": pages}
    return replied({"results": [_member(row) for row in rows], "pagination": pagination})


async def read_news(desk: Desk, command: BusCommand) -> Ending:
    """Where the race stands that is open, as it is published."""
    news = await goated_news.read_news(desk.pool)
    if news["raceId"] is None:
        raise _not_ready()
    return replied(news)


@contextlib.asynccontextmanager
async def _moment(desk: Desk) -> AsyncGenerator[Connection]:
    """What is read inside the block is of one moment."""
    async with (
        desk.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


async def _board(connection: Connection) -> Row:
    """What is known of the leaderboard. Raises Refuse with 503 where that is nothing."""
    board = await connection.fetchrow(QUERIES["read_board"])
    if board["fetched_at"] is None:
        raise _not_ready()
    return board


async def _open_race(connection: Connection) -> Row:
    race = await connection.fetchrow(QUERIES["find_open_race"])
    if race is None:
        raise _not_ready()
    return race


def _not_ready() -> Refuse:
    message = "Nothing has been fetched from Goated yet. Come back later."
    return Refuse(503, "DATA_NOT_READY", message, retryable=True, action="retry_later")


async def _current(connection: Connection, board: Row, page: RacePage) -> dict[str, Any]:
    row = await _open_race(connection)
    rows = await connection.fetch(QUERIES["list_monthly"], page.limit, (page.page - 1) * page.limit)
    prizes = prizes_of(row["prize_pool"], row["shares"])
    winners = await connection.fetchval(QUERIES["count_winners"], len(prizes))
    last_updated, stale = freshness_of(board)
    race = Race(row["id"], row["starts_at"], row["ends_at"], row["status"])
    figures = {"totalWagered": board["this_month"], "participantCount": board["people"]}
    participants = [_participant({**standing, "wagered": standing["this_month"]}, prizes) for standing in rows]
    metadata = {
        "unpaid": unpaid_of(prizes, winners),
        "lastUpdated": last_updated and told(last_updated),
        "stale": stale,
    }
    return _race(row, status_at(race, board["now"]), participants, figures, page, metadata)


async def _previous(connection: Connection, _board: Row, page: RacePage) -> dict[str, Any]:
    row = await connection.fetchrow(QUERIES["find_last_race"])
    if row is None:
        raise Refuse(404, "RACE_NOT_FOUND", "No race has ended yet.")
    standings = await connection.fetch(QUERIES["list_standings"], row["id"], page.limit, (page.page - 1) * page.limit)
    figures = {"totalWagered": row["total_wagered"], "participantCount": row["participant_count"]}
    participants = [
        {name: standing[name] for name in ("uid", "name", "wagered", "position", "prize")} for standing in standings
    ]
    # It is as it ended, so nothing in it grows old.
    metadata = {
        "unpaid": row["prize_pool"] - row["paid"],
        "lastUpdated": told(row["snapshot_at"]),
        "stale": False,
    }
    return _race(row, "completed", participants, figures, page, metadata)


def _race(
    row: Row,
    status: str,
    participants: list[dict[str, Any]],
    figures: dict[str, Any],
    page: RacePage,
    metadata: dict[str, Any],
) -> dict[str, Any]:
    """The document of a race, in the order of its contract."""
    return {
        "id": row["id"],
        "status": status,
        "startDate": told(row["starts_at"]),
        "endDate": told(row["ends_at"]),
        "prizePool": row["prize_pool"],
        "participants": participants,
        **figures,
        "metadata": {
            "transitionEnds": told(row["ends_at"] + TRANSITION),
            "nextRaceStarts": told(row["ends_at"]),
            "prizeDistribution": row["shares"],
            **metadata,
            "page": page.page,
            "pages": _pages(figures["participantCount"], page.limit),
        },
    }


def _participant(row: Row, prizes: Sequence[Decimal]) -> dict[str, Any]:
    position = row["position"]
    is_paid = position <= len(prizes) and row["wagered"] > 0
    return {
        "uid": row["uid"],
        "name": row["name"],
        "wagered": row["wagered"],
        "position": position,
        "prize": prizes[position - 1] if is_paid else 0,
    }


def _member(row: Row) -> dict[str, Any]:
    wagered = {column: row[column] for column in PERIODS.values()}
    return {"uid": row["uid"], "name": row["name"], "position": row["position"], "wagered": wagered}


def _scheduled(month: Month | Race, status: str, pool: Decimal, shares: Sequence[Decimal]) -> dict[str, Any]:
    return {
        "id": month.id,
        "status": status,
        "startDate": told(month.starts_at),
        "endDate": told(month.ends_at),
        "prizePool": pool,
        "prizeDistribution": shares,
    }


def _pages(total: int, limit: int) -> int:
    """How many pages there are that can be asked for."""
    return min(DEPTH_MAX, -(-total // limit))


HANDLERS: dict[str, Handler] = {
    "read_race": read_race,
    "read_schedule": read_schedule,
    "read_affiliate_stats": read_affiliate_stats,
    "read_leaderboard": read_leaderboard,
    "read_news": read_news,
}
