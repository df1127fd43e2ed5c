"""The catalogue through HTTP: what is found, how old it may be, and every answer that a client has to know."""

import secrets
from decimal import Decimal
from urllib.parse import quote

import pytest

from tests.support.http import get
from tests.support.refusals import code
from tests.support.shop import Shop
from tests.support.store import new_id

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
GAME = {"title": "Half-Life", "price": 9.99, "stock": 3}


async def test_a_game_can_be_read_by_anybody_and_kept_for_seconds(shop: Shop) -> None:
    game = await shop.game(title="Half-Life", price=Decimal("9.90"), stock=3)
    answer = await get(shop.settings.port, f"/api/games/{game}")
    assert answer.status == 200
    data = answer.json()["data"]
    assert (data["id"], data["title"], data["price"], data["stock"], data["inStock"]) == (
        game,
        "Half-Life",
        9.9,
        3,
        True,
    )
    assert b'"price":9.90,' in answer.body
    assert answer.headers["cache-control"] == "public, max-age=10, stale-while-revalidate=300"


async def test_a_search_is_a_list_with_pages(shop: Shop) -> None:
    genre = f"genre {secrets.token_hex(6)}"
    games = [await shop.game(title=f"Half-Life {n}", genre=genre, price=Decimal(n)) for n in range(1, 4)]
    path = f"/api/games?q=life%20half&genre={quote(genre)}&sort=-price&limit=2&page=1&inStock=true&utm_source=mail"
    answer = await get(shop.settings.port, path)
    assert answer.status == 200
    assert answer.json()["pagination"] == {"page": 1, "limit": 2, "total": 3, "pages": 2}
    assert [game["id"] for game in answer.json()["results"]] == [games[2], games[1]]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("page=0", "page is a whole number from 1 to 10000."),
        ("page=x", "page is a whole number from 1 to 10000."),
        ("limit=101", "limit is a whole number from 1 to 100."),
        ("limit=99999999999999999999999", "limit is a whole number from 1 to 100."),
        ("page=101&limit=100", "A search is paged to 10000 games at most; narrow it."),
        ("sort=random", "sort is one of popular, price, -price, title, released."),
        ("inStock=perhaps", "inStock is true or false."),
        ("genre=" + "a" * 65, "genre has at most 64 characters and no control characters."),
        ("platform=%00", "platform has at most 64 characters and no control characters."),
        ("q=%25", "q has at most 100 characters and 8 words, and a letter or a digit."),
        ("q=" + "a" * 101, "q has at most 100 characters and 8 words, and a letter or a digit."),
        ("q=a+b+c+d+e+f+g+h+i", "q has at most 100 characters and 8 words, and a letter or a digit."),
        ("page=1&page=2", "Send the parameter page once."),
    ],
)
async def test_a_search_that_does_not_fit_is_refused_with_a_sentence(shop: Shop, query: str, sentence: str) -> None:
    answer = await get(shop.settings.port, f"/api/games?{query}")
    assert code(answer, 400) == "BAD_REQUEST"
    assert answer.json()["error"]["message"] == sentence


@pytest.mark.parametrize("query", ["q=%FF%FE", "q=%27%3B--x", "genre=%25", "q=&page=&sort=", "&&&=&a"])
async def test_whatever_else_is_searched_for_is_answered(shop: Shop, query: str) -> None:
    answer = await get(shop.settings.port, f"/api/games?{query}")
    assert answer.status in (200, 400), answer.body


async def test_parameters_without_end_are_refused(shop: Shop) -> None:
    answer = await get(shop.settings.port, "/api/games?" + "&".join(f"a{n}=1" for n in range(50)))
    assert code(answer, 400) == "BAD_REQUEST"


@pytest.mark.parametrize("game", ["no-such-game", "not%20an%20id", "a" * 65])
async def test_an_unknown_game_is_not_found_and_nobody_keeps_that(shop: Shop, game: str) -> None:
    answer = await get(shop.settings.port, f"/api/games/{game}")
    assert code(answer, 404) == "GAME_NOT_FOUND"
    assert answer.headers["cache-control"] == "no-store"


async def test_home_lists_are_three(shop: Shop) -> None:
    for name in ("bestsellers", "new", "deals"):
        answer = await get(shop.settings.port, f"/api/home/{name}")
        assert answer.json()["data"]["list"] == name
    assert code(await get(shop.settings.port, "/api/home/worst"), 404) == "LIST_NOT_FOUND"


async def test_what_an_admin_writes_is_read_at_once_although_it_was_cached(shop: Shop) -> None:
    admin, game, port = await shop.shopper(role="ADMIN"), new_id(), shop.settings.port
    genre = f"genre-{secrets.token_hex(6)}"
    assert code(await get(port, f"/api/games/{game}"), 404) == "GAME_NOT_FOUND"
    assert (await get(port, f"/api/games?genre={genre}")).json()["results"] == []
    for price in (9.99, 4.5):
        answer = await admin.send("PUT", f"/api/games/{game}", GAME | {"price": price, "genre": genre, "oldPrice": 12})
        assert (answer.status, answer.json()["data"]["price"]) == (200, price)
        read = await get(port, f"/api/games/{game}")
        assert (read.json()["data"]["price"], read.json()["data"]["oldPrice"]) == (price, 12)
        assert "age" not in read.headers
        found = (await get(port, f"/api/games?genre={genre}")).json()["results"]
        assert [(found_game["id"], found_game["price"]) for found_game in found] == [(game, price)]


async def test_only_an_admin_writes_games(shop: Shop) -> None:
    game = new_id()
    assert code(await shop.guest().send("PUT", f"/api/games/{game}", GAME), 401) == "UNAUTHORIZED"
    assert code(await (await shop.shopper()).send("PUT", f"/api/games/{game}", GAME), 403) == "FORBIDDEN"
    assert code(await get(shop.settings.port, f"/api/games/{game}"), 404) == "GAME_NOT_FOUND"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"price": 9.999}, "A price is a number from 0 to 9999999999.99 with at most two decimals."),
        ({"price": -1}, "A price is a number from 0 to 9999999999.99 with at most two decimals."),
        ({"image": "javascript:1"}, "An image is a URL of http or https, or a path that begins with a slash."),
        ({"stock": -1}, "Expected `int` >= 0, in the field stock."),
        ({"sold": 1}, "Object contains unknown field `sold`."),
    ],
    ids=str,
)
async def test_a_game_that_cannot_be_is_refused_with_a_sentence(shop: Shop, change: dict, sentence: str) -> None:
    admin = await shop.shopper(role="ADMIN")
    answer = await admin.send("PUT", f"/api/games/{new_id()}", GAME | change)
    assert code(answer, 400) == "BAD_REQUEST"
    assert answer.json()["error"]["message"].startswith(sentence)
    assert code(await admin.send("PUT", "/api/games/no%20id", GAME), 400) == "BAD_REQUEST"
