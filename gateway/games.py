"""The catalogue: GET /api/games, GET and PUT /api/games/{id}, GET /api/home/{list}."""

from hashlib import blake2b
from typing import Annotated, get_args
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from contract.bus import encode
from contract.games import (
    PAGE_SIZE,
    PAGE_SIZE_MAX,
    SEARCH_DEPTH_MAX,
    SEARCH_LENGTH_MAX,
    SEARCH_WORDS_MAX,
    GameBody,
    HomeList,
    Label,
    Search,
    Sort,
    is_game_id,
    search_words,
)
from gateway.asking import answered, read_document
from gateway.cached_reads import for_everybody, read_cached
from gateway.envelope import refuse
from gateway.gate import Call
from gateway.identity import admin
from gateway.replying import NO_STORE, Reply

WORKER = "orders"
GAME_EXAMPLE = '{"title":"Half-Life","price":9.99,"stock":100}'
GAME = for_everybody(10, 300)
HOME = for_everybody(30, 300)
CATALOG = for_everybody(10, 30)
"""Stock changes with every order, which makes these stale; the seconds count for whoever cannot hear of that. Searches
are as many as clients can think of, so each is kept briefly."""
FIELDS_MAX = 16
"""Parameters of a search that are looked at; there are seven."""
_SENTENCES = {
    "q": f"q has at most {SEARCH_LENGTH_MAX} characters and {SEARCH_WORDS_MAX} words, and a letter or a digit",
    "genre": "genre has at most 64 characters and no control characters",
    "platform": "platform has at most 64 characters and no control characters",
    "sort": f"sort is one of {', '.join(get_args(Sort))}",
    "inStock": "inStock is true or false",
    "page": f"page is a whole number from 1 to {SEARCH_DEPTH_MAX}",
    "limit": f"limit is a whole number from 1 to {PAGE_SIZE_MAX}",
}
_bodies = msgspec.json.Decoder(GameBody)


class _Form(msgspec.Struct, frozen=True, rename="camel"):
    """The parameters of a search as they stand in a URL."""

    q: Annotated[str, Meta(max_length=SEARCH_LENGTH_MAX)] = ""
    genre: Label = ""
    platform: Label = ""
    in_stock: bool | None = None
    sort: Sort = "popular"
    page: Annotated[int, Meta(ge=1, le=SEARCH_DEPTH_MAX)] = 1
    limit: Annotated[int, Meta(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE


async def search_games(call: Call) -> Reply:
    """GET /api/games: a page of the games that a search finds."""
    search = _read_search(call)
    name = f"catalog:{blake2b(encode(search), digest_size=16).hexdigest()}"
    return await read_cached(call, name, WORKER, "search_games", search, CATALOG)


async def read_game(call: Call) -> Reply:
    """GET /api/games/{id}: one game that is for sale."""
    game_id = call.params["game_id"]
    if not is_game_id(game_id):
        refuse(call.request_id, 404, "GAME_NOT_FOUND", "There is no game of this id for sale.")
    return await read_cached(call, f"game:{game_id}", WORKER, "read_game", {"game_id": game_id}, GAME)


async def read_home(call: Call) -> Reply:
    """GET /api/home/{list}: a list of the home page."""
    name = call.params["list"]
    if name not in get_args(HomeList):
        lists = ", ".join(get_args(HomeList))
        refuse(call.request_id, 404, "LIST_NOT_FOUND", f"The lists of the home page are {lists}.")
    return await read_cached(call, f"home:{name}", WORKER, "read_home", {"list": name}, HOME)


async def put_game(call: Call) -> Reply:
    """PUT /api/games/{id}: an administrator writes a game, new or anew."""
    who, game_id = admin(call), call.params["game_id"]
    if not is_game_id(game_id):
        message = "A game id has 1 to 64 letters, digits, dots, hyphens and underscores."
        refuse(call.request_id, 400, "BAD_REQUEST", message)
    game = await read_document(call, _bodies, GAME_EXAMPLE)
    return await answered(call, WORKER, "put_game", {"game_id": game_id, "game": game}, who, NO_STORE)


def _read_search(call: Call) -> Search:
    """What the URL asks for. Raises Refused with 400 and a sentence about the parameter at fault."""
    try:
        pairs = parse_qsl(call.scope.query_string, max_num_fields=FIELDS_MAX)
        twice = sorted({name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1} & _SENTENCES.keys())
        if twice:
            raise ValueError(f"Send the parameter {twice[0]} once")
        form = msgspec.convert(dict(pairs), _Form, strict=False)
        words = search_words(form.q)
        if len(words) > SEARCH_WORDS_MAX or (form.q.strip() and not words):
            raise ValueError(_SENTENCES["q"])
        return Search(
            words=words,
            genre=form.genre,
            platform=form.platform,
            in_stock=form.in_stock,
            sort=form.sort,
            page=form.page,
            limit=form.limit,
        )
    except ValueError as error:
        # Of what does not convert, the field stands behind the reason.
        field = str(error).partition(" - at `$.")[2].rstrip("`")
        refuse(call.request_id, 400, "BAD_REQUEST", f"{_SENTENCES.get(field, str(error))}.")
