"""The catalogue: what a search finds and in which order, what a game says, and who may change it."""

import datetime
import secrets
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.bus import encode
from contract.games import GameBody, is_price, search_words
from contract.settings import Settings
from tests.support.desk import handled, open_desk
from tests.support.store import add_game, new_id
from workers.games import HANDLERS, HOME_LIST_MAX
from workers.service import Desk, Service

CATALOGUE = Service("orders", HANDLERS)
MANY_GAMES = (
    "INSERT INTO games (id, title, price, genre, platform) "
    "SELECT $1 || n, md5(n::text), n % 90, 'Genre ' || n % 40, 'Platform ' || n % 40 FROM generate_series(1, 3000) AS n"
)


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    async with open_desk(settings, CATALOGUE) as opened:
        yield opened


async def search(desk: Desk, **wanted: Any) -> dict[str, Any]:
    """What a search answers; `q` is what somebody types."""
    words = search_words(wanted.pop("q", ""))
    reply = await handled(desk, CATALOGUE, "search_games", {"words": words, **wanted})
    assert reply.status == 200, reply
    return msgspec.json.decode(reply.data)


async def found(desk: Desk, **wanted: Any) -> list[str]:
    """The ids that a search finds, in its order."""
    return [game["id"] for game in (await search(desk, **wanted))["results"]]


def genre_of_its_own() -> str:
    return f"genre {secrets.token_hex(6)}"


async def put(desk: Desk, game_id: str, role: str = "ADMIN", **game: Any) -> Any:
    body = {"game_id": game_id, "game": {"title": "Halo", "price": Decimal("19.99"), **game}}
    return await handled(desk, CATALOGUE, "put_game", body, user_id="boss", role=role)


async def test_a_game_says_what_it_costs_and_what_is_left(desk: Desk) -> None:
    game = await add_game(desk, price=Decimal("9.9"), old_price=Decimal("12"), stock=3, genre="RPG")
    reply = await handled(desk, CATALOGUE, "read_game", {"game_id": game})
    assert b'"price":9.90,"oldPrice":12.00,"stock":3,"inStock":true' in bytes(reply.data)
    shown = msgspec.json.decode(reply.data)
    assert (shown["id"], shown["genre"], shown["description"], shown["releasedOn"]) == (game, "RPG", "", None)


@pytest.mark.parametrize("vanished", [True, False], ids=["inactive", "unknown"])
async def test_a_game_that_is_not_for_sale_is_not_found(desk: Desk, vanished: bool) -> None:
    game = await add_game(desk, active=False) if vanished else new_id()
    reply = await handled(desk, CATALOGUE, "read_game", {"game_id": game})
    assert reply.problem is not None
    assert (reply.status, reply.problem.code) == (404, "GAME_NOT_FOUND")


@pytest.mark.parametrize(
    ("typed", "finds"),
    [
        ("half-life", True),
        ("HALF", True),
        ("lif hal", True),
        ("3.5", True),
        ("ünder", True),
        ("half quake", False),
        ("alf", False),
        ("%alf", False),
        ("h_lf", False),
        ("100%", False),
        ("half_life", True),
        ("' | half", True),
        ("!half", True),
        ("half <-> life & (", True),
    ],
)
async def test_a_search_finds_what_begins_with_every_word_and_no_sign_means_anything(
    desk: Desk, typed: str, finds: bool
) -> None:
    genre = genre_of_its_own()
    game = await add_game(desk, title="Half-Life 3.5: Ünder_Ground (half-life.com)", genre=genre)
    assert await found(desk, q=typed, genre=genre) == ([game] if finds else [])


@given(st.text(max_size=100))
def test_words_are_letters_and_digits_whatever_is_typed(typed: str) -> None:
    assert all(word.isalnum() for word in search_words(typed))


async def test_whatever_words_are_typed_postgres_takes_them(desk: Desk) -> None:
    typed = "ß İstanbul ½ ² Ⅷ 漢字 ಠ 1e5 0x1f ١٢٣ a1"
    for word in search_words(typed):
        await search(desk, words=[word])
    game = await add_game(desk, title=typed, genre=genre_of_its_own())
    for word in search_words(typed):
        assert game in await found(desk, words=[word], limit=100), word


async def test_genre_and_platform_are_told_apart_from_others_but_not_by_case(desk: Desk) -> None:
    genre = genre_of_its_own()
    on_pc = await add_game(desk, genre=genre, platform="PC")
    await add_game(desk, genre=genre, platform="Switch")
    assert await found(desk, genre=genre.upper(), platform="pc") == [on_pc]


@pytest.mark.parametrize(("wanted", "count"), [(None, 2), (True, 1), (False, 1)])
async def test_a_search_can_leave_out_what_is_sold_out(desk: Desk, wanted: bool | None, count: int) -> None:
    genre = genre_of_its_own()
    await add_game(desk, genre=genre, stock=0)
    await add_game(desk, genre=genre, stock=1)
    await add_game(desk, genre=genre, stock=1, active=False)
    assert len(await found(desk, genre=genre, in_stock=wanted)) == count


@pytest.mark.parametrize(
    ("sort", "order"),
    [("price", "bca"), ("-price", "acb"), ("title", "cab"), ("released", "bac"), ("popular", "cba")],
)
async def test_a_search_is_sorted_as_it_is_asked_to_be(desk: Desk, sort: str, order: str) -> None:
    genre = genre_of_its_own()
    years = {"a": 2001, "b": 2020, "c": None}
    prices, titles, sold = {"a": 30, "b": 10, "c": 20}, {"a": "beta", "b": "Gamma", "c": "Alpha"}, "abc"
    names = {}
    for letter in "abc":
        released = years[letter] and datetime.date(years[letter], 1, 1)
        more = {"price": Decimal(prices[letter]), "title": titles[letter], "released_on": released}
        names[await add_game(desk, genre=genre, sold=sold.index(letter), **more)] = letter
    assert "".join(names[game] for game in await found(desk, genre=genre, sort=sort)) == order


@pytest.mark.parametrize("sort", ["price", "-price", "title", "released", "popular"])
async def test_pages_hold_every_game_once_even_where_all_are_alike(desk: Desk, sort: str) -> None:
    genre = genre_of_its_own()
    games = {await add_game(desk, genre=genre, title="Alike") for _ in range(7)}
    pages = [await search(desk, genre=genre, sort=sort, page=page, limit=3) for page in (1, 2, 3, 4)]
    assert [len(page["results"]) for page in pages] == [3, 3, 1, 0]
    assert {game["id"] for page in pages for game in page["results"]} == games
    assert pages[0]["pagination"] == {"page": 1, "limit": 3, "total": 7, "pages": 3}


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": 101},
        {"page": 0},
        {"page": 101, "limit": 100},
        {"sort": "random"},
        {"words": ["a&b"]},
        {"words": ["a"] * 9},
        {"genre": "a\x00"},
    ],
    ids=str,
)
async def test_a_search_beyond_its_bounds_is_refused(desk: Desk, body: dict[str, Any]) -> None:
    assert (await handled(desk, CATALOGUE, "search_games", body)).status == 400


async def test_home_lists_hold_what_their_names_say(desk: Desk) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    most = await desk.pool.fetchval("SELECT coalesce(max(sold), 0) + 1 FROM games")
    best = await add_game(desk, sold=most)
    fresh = await add_game(desk, released_on=today - datetime.timedelta(days=1))
    coming = await add_game(desk, released_on=today + datetime.timedelta(days=9))
    deal = await add_game(desk, price=Decimal("0"), old_price=Decimal("50"))
    dearer = await add_game(desk, price=Decimal("60"), old_price=Decimal("50"))
    lists: dict[str, list[str]] = {}
    for name in ("bestsellers", "new", "deals"):
        reply = await handled(desk, CATALOGUE, "read_home", {"list": name})
        lists[name] = [game["id"] for game in msgspec.json.decode(reply.data)["games"]]
        assert len(lists[name]) <= HOME_LIST_MAX
    assert lists["bestsellers"][0] == best
    assert fresh in lists["new"]
    assert coming not in lists["new"]
    assert deal in lists["deals"]
    assert dearer not in lists["deals"]


async def test_an_admin_writes_a_game_and_writes_it_anew(desk: Desk) -> None:
    game = new_id()
    reply = await put(desk, game, stock=5, oldPrice=30, genre="RPG", releasedOn="2024-02-29")
    assert reply.status == 200
    await desk.pool.execute("UPDATE games SET sold = 7, g2a_product_id = $1 WHERE id = $1", game)
    await put(desk, game, title="Halo 2", price="24.5")
    row = await desk.pool.fetchrow("SELECT * FROM games WHERE id = $1", game)
    assert (row["title"], row["price"], row["old_price"], row["stock"]) == ("Halo 2", Decimal("24.50"), None, 0)
    assert (row["sold"], row["g2a_product_id"], row["released_on"]) == (7, game, None)


async def test_what_is_written_makes_the_caches_of_the_catalogue_stale(desk: Desk) -> None:
    game = new_id()
    reply = await put(desk, game)
    stale = await desk.pool.fetchval("SELECT stale FROM handled_commands WHERE command_id = $1", reply.id)
    assert stale == [f"game:{game}", "home:*", "catalog:*"]


@pytest.mark.parametrize("role", ["USER", ""])
async def test_nobody_else_writes_games(desk: Desk, role: str) -> None:
    game = new_id()
    assert (await put(desk, game, role=role)).status == 403
    assert await desk.pool.fetchval("SELECT count(*) FROM games WHERE id = $1", game) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"price": -1},
        {"price": "0.001"},
        {"price": "NaN"},
        {"price": "1e999999"},
        {"price": "10000000000"},
        {"oldPrice": -1},
        {"title": ""},
        {"title": "a\x00"},
        {"description": "x" * 10_001},
        {"image": "javascript:alert(1)"},
        {"stock": -1},
        {"stock": 1.5},
        {"releasedOn": "yesterday"},
        {"sold": 1_000_000},
    ],
    ids=str,
)
def test_a_game_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    sound = {"title": "Halo", "price": Decimal("19.99")}
    msgspec.json.decode(encode(sound), type=GameBody)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(encode(sound | change), type=GameBody)


@given(st.decimals(min_value=0, max_value="9999999999.99", places=2))
def test_a_price_with_two_decimals_is_one(amount: Decimal) -> None:
    assert is_price(amount)
    assert msgspec.json.decode(encode({"title": "a", "price": amount}), type=GameBody).price == amount


@pytest.mark.parametrize(
    ("search", "order", "index"),
    [
        ("'''halo'':*', NULL, NULL, NULL", "", "games_by_words"),
        ("NULL, 'RPG', NULL, NULL", "", "games_by_genre"),
        ("NULL, NULL, 'PC', NULL", "", "games_by_platform"),
        ("NULL, NULL, NULL, NULL", "price, id", "games_by_price"),
        ("NULL, NULL, NULL, true", "price DESC, id DESC", "games_by_price"),
        ("NULL, NULL, NULL, NULL", "lower(title), id", "games_by_title"),
        ("NULL, NULL, NULL, NULL", "released_on DESC NULLS LAST, id", "games_by_release"),
        ("NULL, NULL, NULL, NULL", "sold DESC, id", "games_by_sold"),
    ],
)
async def test_every_search_has_an_index(desk: Desk, search: str, order: str, index: str) -> None:
    asked = f"SELECT id FROM matching_games({search}) " + (f"ORDER BY {order} LIMIT 30" if order else "")
    async with desk.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(MANY_GAMES, new_id())
        # Even of so many Postgres would rather read all, or sort them.
        await connection.execute("ANALYZE games; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN " + asked))
        await transaction.rollback()
    assert index in plan, plan
