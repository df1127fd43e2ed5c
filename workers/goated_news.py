"""Where the race that is open stands, as it is published after each change: what a watcher shows without asking."""

from typing import Any

from sql import Pool, load_queries
from workers.goated_prizes import prizes_of
from workers.goated_races import Race, status_at, told

TOP = 10
"""Participants of whom it tells."""
_QUERIES = load_queries("goated_sync")


async def read_news(pool: Pool) -> dict[str, Any]:
    """The document: the newest state, so that one that is lost is made up for by the next."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        board = await connection.fetchrow(_QUERIES["read_board"])
        row = await connection.fetchrow(_QUERIES["find_race"])
        top = await connection.fetch(_QUERIES["read_top"], TOP)
    race = row and Race(row["id"], row["starts_at"], row["ends_at"], row["status"])
    prizes = prizes_of(row["prize_pool"], row["shares"]) if row else ()
    return {
        "version": board["version"],
        "raceId": race and race.id,
        "status": race and status_at(race, board["now"]),
        "totalWagered": board["this_month"],
        "participantCount": board["people"],
        "lastUpdated": board["fetched_at"] and told(board["fetched_at"]),
        "top": [
            {**row, "position": place, "prize": prizes[place - 1] if place <= len(prizes) and row["wagered"] > 0 else 0}
            for place, row in enumerate(top, 1)
        ],
    }
