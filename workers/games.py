"""The catalogue: finds games, and writes down what is told about them.

Consumes  search_games, read_game, read_home and put_game, as commands of the worker `orders`
Calls     nothing
Writes    games
Emits     a reply to each
Fails     a game that is not for sale is refused with 404, a writer who is no admin with 403
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from contract.bus import BusCommand
from contract.games import SEARCH_DEPTH_MAX, GameBody, GameId, HomeList, Search, Sort
from sql import Connection, load_queries
from workers.once import once
from workers.service import Desk, Ending, Handler, Refuse, Replied, replied

ONLY_IN_FULL = ("description", "categories", "genres", "platforms")
"""What lists of games leave out; what is written has no labels either, for they are those of an upstream."""
HOME_LIST_MAX = 20
"""Games of one list of the home page; a screen shows no more."""
_SEARCHES: dict[Sort, str] = {
    "popular": "search_by_popularity",
    "price": "search_by_price",
    "-price": "search_by_dearest",
    "title": "search_by_title",
    "released": "search_by_release",
}


class OneGame(msgspec.Struct, frozen=True):
    """Which game is meant."""

    game_id: GameId


class OneList(msgspec.Struct, frozen=True):
    """Which list of the home page is meant."""

    list: HomeList


class PutGame(msgspec.Struct, frozen=True):
    """A game, and what is told about it."""

    game_id: GameId
    game: GameBody


_searches = msgspec.json.Decoder(Search)
_one_game = msgspec.json.Decoder(OneGame)
_one_list = msgspec.json.Decoder(OneList)
_put_game = msgspec.json.Decoder(PutGame)


async def search_games(desk: Desk, command: BusCommand) -> Ending:
    """A page of the catalogue, and how many games there are in all."""
    search = _searches.decode(command.body)
    queries = load_queries("games")
    # Only letters and digits reach the tsquery; a word finds what begins with it.
    words = " & ".join(f"'{word}':*" for word in search.words) or None
    wanted = (words, search.genre or None, search.platform or None, search.in_stock)
    before = (search.page - 1) * search.limit
    async with (
        desk.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute(queries["plan_for_these_values"])
        rows = await connection.fetch(queries[_SEARCHES[search.sort]], *wanted, search.limit, before)
        total = await connection.fetchval(queries["count_matches"], *wanted, SEARCH_DEPTH_MAX)
    pages = -(-total // search.limit)
    pagination = {"page": search.page, "limit": search.limit, "total": total, "pages": pages}
    return replied({"results": [show_game(row) for row in rows], "pagination": pagination})


async def read_game(desk: Desk, command: BusCommand) -> Ending:
    """One game that is for sale."""
    game_id = _one_game.decode(command.body).game_id
    row = await desk.pool.fetchrow(load_queries("games")["find_game"], game_id)
    if row is None:
        raise Refuse(404, "GAME_NOT_FOUND", "There is no game of this id for sale.")
    return replied(show_game(row))


async def read_home(desk: Desk, command: BusCommand) -> Ending:
    """A list of the home page."""
    name = _one_list.decode(command.body).list
    rows = await desk.pool.fetch(load_queries("games")[name], HOME_LIST_MAX)
    return replied({"list": name, "games": [show_game(row) for row in rows]})


async def put_game(desk: Desk, command: BusCommand) -> Ending:
    """Write a game, new or anew."""
    if command.role != "ADMIN":
        raise Refuse(403, "FORBIDDEN", "Only an administrator may change the catalogue.")
    told = _put_game.decode(command.body)
    game = told.game
    texts = (told.game_id, game.title, game.description, game.genre, game.platform, game.image)
    figures = (game.price, game.old_price, game.stock, game.active, game.released_on)

    async def work(connection: Connection) -> Replied:
        row = await connection.fetchrow(load_queries("games")["put_game"], *texts, *figures)
        stale = (f"game:{told.game_id}", "home:*", "catalog:*")
        return replied({**show_game(row), "active": row["active"]}, stale=stale)

    return await once(desk, command, work)


def show_game(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of games as clients see it. Lists have less of it."""
    shown = {
        "id": row["id"],
        "title": row["title"],
        "genre": row["genre"],
        "platform": row["platform"],
        "image": row["image"],
        "price": row["price"],
        "oldPrice": row["old_price"],
        "stock": row["stock"],
        "inStock": row["stock"] > 0,
        "releasedOn": row["released_on"],
    }
    return shown | {name: row[name] for name in ONLY_IN_FULL if name in row}


HANDLERS: dict[str, Handler] = {
    "search_games": search_games,
    "read_game": read_game,
    "read_home": read_home,
    "put_game": put_game,
}
