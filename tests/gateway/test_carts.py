"""Carts, wishlists and their migration through HTTP: guests, users, and every answer that a client has to know."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.support.browsers import OTHER_PAGE, Browser
from tests.support.http import Response
from tests.support.people import PASSWORD, fresh_email
from tests.support.refusals import code
from tests.support.shop import Shop
from tests.support.shoppers import Shopper
from tests.support.store import cart_of, fill_cart, new_id, new_session

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
EMPTY_CART = {"items": [], "units": 0, "total": 0.0}
EMPTY_WISHLIST = {"items": [], "count": 0}


def data(answer: Response) -> Any:
    assert answer.status == 200, answer.body
    return answer.json()["data"]


def lines(answer: Response) -> dict[str, int]:
    """The quantities of a cart."""
    return {item["gameId"]: item["quantity"] for item in data(answer)["items"]}


async def test_a_guest_gets_a_session_with_his_first_write_and_not_before(shop: Shop) -> None:
    guest, game = shop.guest(), await shop.game(price=Decimal("9.90"), stock=5)
    for path, empty in (("/api/cart", EMPTY_CART), ("/api/wishlist", EMPTY_WISHLIST)):
        assert data(await guest.get(path)) == empty
        assert data(await guest.send("DELETE", f"{path}/{game}")) == empty
    assert data(await guest.send("DELETE", "/api/cart")) == EMPTY_CART
    assert code(await guest.post("/api/cart", {"gameId": new_id()}), 404) == "GAME_NOT_FOUND"
    assert guest.jar == {}
    answer = await guest.post("/api/cart", {"gameId": game, "quantity": 2})
    cart = data(answer)
    assert (cart["units"], cart["total"], cart["items"][0]["subtotal"]) == (2, 19.8, 19.8)
    cookie = guest.jar["guest_session"]
    assert cookie.attributes == {"httponly", "secure", "samesite=lax"}
    assert len(cookie.value) == 32
    assert data(await guest.get("/api/cart")) == cart
    assert guest.jar["guest_session"] == cookie


async def test_a_session_comes_by_header_too(shop: Shop) -> None:
    game, session = await shop.game(), new_session()
    guest = shop.guest()
    await guest.post("/api/cart", {"gameId": game}, X_Session_Id=session)
    assert guest.jar == {}
    assert lines(await guest.get("/api/cart", X_Session_Id=session)) == {game: 1}
    assert lines(await guest.get("/api/cart", X_Session_Id=new_session())) == {}
    assert code(await guest.get("/api/cart", X_Session_Id="1"), 400) == "INVALID_SESSION"


async def test_every_write_is_read_at_once_although_the_cart_was_cached(shop: Shop) -> None:
    shopper, game, other = await shop.shopper(), await shop.game(), await shop.game()
    steps = [
        ("POST", "", {"gameId": game}, {game: 1}),
        ("POST", "", {"gameId": game, "quantity": 2}, {game: 3}),
        ("PATCH", f"/{game}", {"quantity": 7}, {game: 7}),
        ("POST", "", {"gameId": other}, {game: 7, other: 1}),
        ("DELETE", f"/{game}", None, {other: 1}),
        ("DELETE", f"/{game}", None, {other: 1}),
        ("DELETE", "", None, {}),
    ]
    for method, path, body, expected in steps:
        assert lines(await shopper.send(method, f"/api/cart{path}", body)) == expected
        answer = await shopper.send("GET", "/api/cart")
        assert lines(answer) == expected
        assert answer.headers["cache-control"] == "no-store"


async def test_a_wishlist_holds_each_game_once(shop: Shop) -> None:
    shopper, game = await shop.shopper(), await shop.game(stock=0)
    for _ in range(2):
        assert [wish["gameId"] for wish in data(await shopper.send("POST", "/api/wishlist", {"gameId": game}))["items"]]
    wishes = data(await shopper.send("GET", "/api/wishlist"))
    assert [(wish["gameId"], wish["inStock"]) for wish in wishes["items"]] == [(game, False)]
    for _ in range(2):
        assert data(await shopper.send("DELETE", f"/api/wishlist/{game}")) == EMPTY_WISHLIST
    assert data(await shopper.send("GET", "/api/wishlist")) == EMPTY_WISHLIST


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "problem"),
    [
        ("POST", "/api/cart", {"gameId": "{game}", "quantity": 6}, 409, "OUT_OF_STOCK"),
        ("POST", "/api/cart", {"gameId": "no-such-game"}, 404, "GAME_NOT_FOUND"),
        ("POST", "/api/cart", {"gameId": "no id"}, 400, "BAD_REQUEST"),
        ("POST", "/api/cart", {"gameId": "a\x00"}, 400, "BAD_REQUEST"),
        ("POST", "/api/cart", {"gameId": "{game}", "quantity": 0}, 400, "BAD_REQUEST"),
        ("POST", "/api/cart", {"gameId": "{game}", "quantity": 100}, 400, "BAD_REQUEST"),
        ("POST", "/api/cart", {"gameId": "{game}", "price": 0}, 400, "BAD_REQUEST"),
        ("PATCH", "/api/cart/{game}", {"quantity": 1}, 404, "NOT_IN_CART"),
        ("PATCH", "/api/cart/{game}", {"quantity": 0}, 400, "BAD_REQUEST"),
        ("PATCH", "/api/cart/no%20id", {"quantity": 1}, 400, "BAD_REQUEST"),
        ("DELETE", "/api/cart/no%20id", None, 400, "BAD_REQUEST"),
        ("POST", "/api/wishlist", {"gameId": "no-such-game"}, 404, "GAME_NOT_FOUND"),
        ("POST", "/api/wishlist", {}, 400, "BAD_REQUEST"),
        ("POST", "/api/cart/migrate", None, 404, "SESSION_EMPTY"),
        ("POST", "/api/wishlist/migrate", None, 404, "SESSION_EMPTY"),
    ],
    ids=str,
)
async def test_what_cannot_be_is_refused(
    shop: Shop, method: str, path: str, body: dict[str, Any] | None, status: int, problem: str
) -> None:
    shopper, game = await shop.shopper(), await shop.game(stock=5)
    body = body and {name: game if value == "{game}" else value for name, value in body.items()}
    assert code(await shopper.send(method, path.replace("{game}", game), body), status) == problem


async def test_more_than_ninety_nine_of_a_game_are_refused(shop: Shop) -> None:
    shopper, game = await shop.shopper(), await shop.game()
    await shopper.send("POST", "/api/cart", {"gameId": game, "quantity": 99})
    assert code(await shopper.send("POST", "/api/cart", {"gameId": game}), 409) == "QUANTITY_TOO_LARGE"


async def test_another_site_cannot_fill_the_cart_of_a_browser(shop: Shop) -> None:
    guest, game = shop.guest(), await shop.game()
    await guest.post("/api/cart", {"gameId": game})
    assert code(await guest.post("/api/cart", {"gameId": game}, **OTHER_PAGE), 403) == "CROSS_SITE"
    assert lines(await guest.get("/api/cart")) == {game: 1}


@pytest.mark.parametrize("family", ["cart", "wishlist"])
async def test_a_guest_has_nobody_to_move_his_things_to(shop: Shop, family: str) -> None:
    assert code(await shop.guest().post(f"/api/{family}/migrate"), 401) == "UNAUTHORIZED"


async def test_cart_and_wishlist_of_a_guest_move_to_the_user_who_brings_his_session(shop: Shop) -> None:
    shopper, session, guest = await shop.shopper(), new_session(), shop.guest()
    game, gone = await shop.game(title="Halo", stock=5), await shop.game()
    for path in ("/api/cart", "/api/wishlist"):
        for each in (game, gone):
            assert (await guest.post(path, {"gameId": each}, X_Session_Id=session)).status == 200
        await shopper.send("GET", path)
        await guest.get(path, X_Session_Id=session)
    await shop.desk.pool.execute("UPDATE games SET active = false WHERE id = $1", gone)
    moved = data(await shopper.send("POST", "/api/cart/migrate", X_Session_Id=session))["cart"]
    assert moved["moved"] == [{"gameId": game, "title": "Halo", "added": 1, "quantity": 1}]
    assert [(item["gameId"], item["reason"]) for item in moved["unavailable"]] == [(gone, "GAME_NOT_FOUND")]
    wishes = data(await shopper.send("POST", "/api/wishlist/migrate", X_Session_Id=session))["wishlist"]
    assert (wishes["moved"], [item["gameId"] for item in wishes["unavailable"]]) == ([game], [gone])
    assert lines(await shopper.send("GET", "/api/cart")) == {game: 1}
    assert lines(await guest.get("/api/cart", X_Session_Id=session)) == {}
    assert [wish["gameId"] for wish in data(await shopper.send("GET", "/api/wishlist"))["items"]] == [game]
    assert code(await shopper.send("POST", "/api/cart/migrate", X_Session_Id=session), 404) == "SESSION_EMPTY"


async def test_where_nothing_can_be_had_the_guest_keeps_it_and_the_user_hears_why(shop: Shop) -> None:
    shopper, session, game = await shop.shopper(), new_session(), await shop.game(stock=0)
    await fill_cart(shop.desk, "session", session, {game: 1})
    answer = await shopper.send("POST", "/api/cart/migrate", X_Session_Id=session)
    assert code(answer, 400) == "GAME_UNAVAILABLE"
    assert answer.json()["error"]["message"] == f"Nothing of the guest's cart can be had: {game} (OUT_OF_STOCK)."
    assert await cart_of(shop.desk, "session", session) == {game: 1}


async def test_a_migration_that_fails_is_answered_with_500_and_rolled_back(shop: Shop) -> None:
    shopper, session, game = await shop.shopper(), new_session(), await shop.game()
    await fill_cart(shop.desk, "session", session, {game: 1})
    constraint = new_id("trap").replace("-", "_")
    trap = f"ALTER TABLE carts ADD CONSTRAINT {constraint} CHECK (owner_kind <> 'user' OR game_id <> '{game}')"
    await shop.desk.pool.execute(trap)
    try:
        answer = await shopper.send("POST", "/api/cart/migrate", X_Session_Id=session)
    finally:
        await shop.desk.pool.execute(f"ALTER TABLE carts DROP CONSTRAINT {constraint}")
    assert code(answer, 500) == "INTERNAL"
    assert await cart_of(shop.desk, "session", session) == {game: 1}


async def test_a_login_moves_what_the_guest_had_and_ends_his_session(shop: Shop) -> None:
    form = {"email": fresh_email(), "password": PASSWORD}
    assert (await shop.guest().post("/api/auth/register", form)).status == 201
    guest, game = shop.guest(), await shop.game(title="Halo")
    await guest.post("/api/cart", {"gameId": game, "quantity": 2})
    await guest.post("/api/wishlist", {"gameId": game})
    answer = await guest.post("/api/auth/login", form)
    assert data(answer)["migration"] == {
        "cart": {
            "moved": [{"gameId": game, "title": "Halo", "added": 2, "quantity": 2}],
            "merged": [],
            "capped": [],
            "unavailable": [],
        },
        "wishlist": {"moved": [game], "skipped": [], "unavailable": []},
    }
    assert "guest_session" not in guest.jar
    assert lines(await guest.get("/api/cart")) == {game: 2}


async def test_two_users_who_bring_one_session_at_once_get_its_cart_once(shop: Shop) -> None:
    shoppers, session = [await shop.shopper() for _ in range(6)], new_session()
    games = {await shop.game(): 2 for _ in range(3)}
    await fill_cart(shop.desk, "session", session, games)

    async def move(shopper: Shopper) -> int:
        return (await shopper.send("POST", "/api/cart/migrate", X_Session_Id=session)).status

    assert sorted(await asyncio.gather(*map(move, shoppers))) == [200] + [404] * 5
    carts = [lines(await shopper.send("GET", "/api/cart")) for shopper in shoppers]
    assert sorted(carts, key=len) == [{}] * 5 + [games]


async def test_who_does_not_wait_finds_his_cart_under_the_session_that_he_was_given(shop: Shop) -> None:
    guest: Browser = shop.guest()
    game = await shop.game()
    answer = await guest.post("/api/cart", {"gameId": game}, Prefer="respond-async")
    assert answer.status == 202
    place = answer.headers["location"]
    async with asyncio.timeout(20):
        while (late := await guest.get(place)).status == 202:
            # A reply that nobody waits for has no event; it is asked for again.
            await asyncio.sleep(0.02)
    assert lines(late) == lines(await guest.get("/api/cart")) == {game: 1}
