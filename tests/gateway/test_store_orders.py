"""Store orders through HTTP: a real gateway, the real worker, and every answer that a client has to know."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.support.buyers import balance_of, stock_of
from tests.support.http import post
from tests.support.refusals import code
from tests.support.shop import Shop
from tests.support.shoppers import Shopper
from tests.support.store import new_id

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
ITEM = {"gameId": "halo", "quantity": 1}


async def test_an_order_is_answered_with_what_was_paid_and_can_be_read(shop: Shop) -> None:
    shopper, game = await shop.shopper(), await shop.game(price=Decimal("12.50"))
    answer = await shopper.order({game: 2})
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    assert "idempotent-replayed" not in answer.headers
    assert b'"total":25.00' in answer.body
    order = answer.json()["data"]
    assert order["items"] == [{"gameId": game, "quantity": 2, "price": 12.5}]
    assert (order["status"], order["subtotal"], order["discount"], order["total"]) == ("PROCESSING", 25, 0, 25)
    read = await shopper.send("GET", f"/api/orders/{order['id']}")
    assert (read.status, read.json()["data"]) == (200, order)
    listed = (await shopper.send("GET", "/api/orders?page=1&limit=5")).json()
    assert listed == {"results": [order], "pagination": {"page": 1, "limit": 5, "total": 1, "pages": 1}}


async def test_a_repeated_key_is_answered_with_the_same_order_and_says_so(shop: Shop) -> None:
    shopper, game = await shop.shopper(), await shop.game()
    key = new_id("key")
    body = {"items": [{"gameId": game, "quantity": 1}]}
    first = await shopper.order({game: 1}, key)
    ways = (
        shopper.order({game: 1}, key),
        shopper.order({game: 1}, f'"{key}"'),
        shopper.send("POST", "/api/orders", body, X_Idempotency_Key=key),
        shopper.send("POST", "/api/orders", {**body, "idempotencyKey": key}),
        shopper.order({game: 1}, key, idempotencyKey=key),
    )
    for again in await asyncio.gather(*ways):
        assert again.status == 200
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json() == first.json()
    assert await balance_of(shop.desk, shopper.user_id) == Decimal("80.01")
    assert code(await shopper.order({game: 2}, key), 422) == "IDEMPOTENCY_KEY_REUSED"


async def test_fifty_repetitions_at_once_make_one_order(shop: Shop) -> None:
    shopper, game = await shop.shopper("1000.00"), await shop.game()
    answers = await asyncio.gather(*(shopper.order({game: 1}, "the-same") for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [200] * 49 + [201]
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert await stock_of(shop.desk, game) == (999, 1)


async def test_a_cancelled_order_gives_back_what_it_took_and_says_the_same_again(shop: Shop) -> None:
    shopper, game = await shop.shopper(), await shop.game()
    order = (await shopper.order({game: 1})).json()["data"]
    for _ in range(2):
        answer = await shopper.send("POST", f"/api/orders/{order['id']}/cancel")
        assert (answer.status, answer.json()["data"]["status"]) == (200, "CANCELLED")
    assert await balance_of(shop.desk, shopper.user_id) == Decimal("100.00")
    assert await stock_of(shop.desk, game) == (1000, 0)


async def test_an_order_whose_keys_are_being_bought_cannot_be_cancelled(shop: Shop) -> None:
    shopper, game = await shop.shopper(), await shop.game()
    order = (await shopper.order({game: 1})).json()["data"]
    await shop.desk.pool.execute("UPDATE store_orders SET purchase_began_at = now() WHERE id = $1", order["id"])
    assert code(await shopper.send("POST", f"/api/orders/{order['id']}/cancel"), 409) == "ORDER_NOT_CANCELLABLE"


async def test_what_cannot_be_bought_is_refused_with_its_reason(shop: Shop) -> None:
    shopper, dear, gone = await shop.shopper(), await shop.game(price=Decimal(101)), await shop.game(stock=0)
    assert code(await shopper.order({dear: 1}), 400) == "INSUFFICIENT_BALANCE"
    assert code(await shopper.order({gone: 1}), 404) == "OUT_OF_STOCK"
    assert code(await shopper.order({new_id(): 1}), 404) == "GAME_NOT_FOUND"
    assert code(await shopper.order({dear: 1}, promoCode="none-such"), 400) == "PROMO_CODE_UNKNOWN"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"items": []},
        {"items": [ITEM, ITEM]},
        {"items": [{"gameId": "a", "quantity": 0}]},
        {"items": [{"gameId": "a", "quantity": 100}]},
        {"items": [{"gameId": "a", "quantity": 1.5}]},
        {"items": [{"gameId": "a b", "quantity": 1}]},
        {"items": [{"gameId": f"game-{i}", "quantity": 1} for i in range(51)]},
        {"items": [ITEM], "promoCode": "no code!"},
        {"items": [ITEM], "total": 0},
        {"items": [ITEM], "idempotencyKey": "another"},
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(shop: Shop, body: Any) -> None:
    shopper = await shop.shopper()
    assert code(await shopper.send("POST", "/api/orders", body, Idempotency_Key="a-key"), 400) == "BAD_REQUEST"


async def test_an_order_needs_a_key(shop: Shop) -> None:
    shopper = await shop.shopper()
    assert code(await shopper.send("POST", "/api/orders", {"items": [ITEM]}), 400) == "MISSING_IDEMPOTENCY_KEY"
    blank = await shopper.send("POST", "/api/orders", {"items": [ITEM]}, Idempotency_Key="")
    assert code(blank, 400) == "MISSING_IDEMPOTENCY_KEY"
    assert code(await shopper.order({"halo": 1}, "not visible"), 400) == "BAD_REQUEST"


@pytest.mark.parametrize("path", ["", "/01a1fe17-0628-7007-b3c8-6890d92236bd"])
async def test_a_guest_has_no_orders(shop: Shop, path: str) -> None:
    guest = Shopper(shop.settings.port, "", "no token")
    assert code(await guest.send("GET", f"/api/orders{path}"), 401) == "INVALID_TOKEN"
    port = shop.settings.port
    unsigned = await post(port, "/api/orders", {"items": [ITEM]}, Idempotency_Key="a-key")
    assert code(unsigned, 401) == "UNAUTHORIZED"


async def test_an_order_of_somebody_else_looks_like_none_though_it_is_cached(shop: Shop) -> None:
    owner, stranger, game = await shop.shopper(), await shop.shopper(), await shop.game()
    order = (await owner.order({game: 1})).json()["data"]["id"]
    assert (await owner.send("GET", f"/api/orders/{order}")).status == 200
    for absent in (order, "01a1fe17-0628-7007-b3c8-6890d92236bd", "no-id"):
        assert code(await stranger.send("GET", f"/api/orders/{absent}"), 404) == "ORDER_NOT_FOUND"
        assert code(await stranger.send("POST", f"/api/orders/{absent}/cancel"), 404) == "ORDER_NOT_FOUND"


async def test_owner_and_stranger_who_ask_at_once_are_each_told_their_own(shop: Shop) -> None:
    owner, stranger, game = await shop.shopper(), await shop.shopper(), await shop.game()
    for _ in range(5):
        order = (await owner.order({game: 1})).json()["data"]["id"]
        asking = (stranger, owner) * 4
        answers = await asyncio.gather(*(who.send("GET", f"/api/orders/{order}") for who in asking))
        assert [answer.status for answer in answers] == [404, 200] * 4


async def test_what_somebody_does_is_seen_at_once_in_what_was_cached(shop: Shop) -> None:
    shopper, game = await shop.shopper(), await shop.game()
    assert (await shopper.send("GET", "/api/orders")).json()["results"] == []
    order = (await shopper.order({game: 1})).json()["data"]["id"]
    places = ("/api/orders", f"/api/orders/{order}")
    before = [(await shopper.send("GET", place)).body for place in places]
    assert all(b'"PROCESSING"' in body for body in before)
    await shopper.send("POST", f"/api/orders/{order}/cancel")
    after = [(await shopper.send("GET", place)).body for place in places]
    assert all(b'"CANCELLED"' in body for body in after)


@pytest.mark.parametrize("query", ["page=0", "limit=0", "limit=101", "page=1001", "page=x", "page", "page=1&limit=2.5"])
async def test_a_page_that_there_cannot_be_is_refused(shop: Shop, query: str) -> None:
    assert code(await (await shop.shopper()).send("GET", f"/api/orders?{query}"), 400) == "BAD_REQUEST"


async def test_a_fault_of_ours_is_a_500_and_nothing_is_kept_of_it(shop: Shop) -> None:
    shopper, game = await shop.shopper(), await shop.game()
    # The last step of this very order fails, after its money was taken.
    await shop.desk.pool.execute(
        "CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a bug'; END $$; "
        "CREATE TRIGGER break_it BEFORE UPDATE ON store_orders FOR EACH ROW "
        "WHEN (NEW.idempotency_key = 'breaks') EXECUTE FUNCTION break_it()"
    )
    try:
        assert code(await shopper.order({game: 1}, "breaks"), 500) == "INTERNAL"
    finally:
        await shop.desk.pool.execute("DROP TRIGGER break_it ON store_orders; DROP FUNCTION break_it")
    assert await balance_of(shop.desk, shopper.user_id) == Decimal("100.00")
    assert await stock_of(shop.desk, game) == (1000, 0)
    assert (await shopper.order({game: 1}, "breaks")).status == 201


async def test_an_administrator_writes_a_promo_code_that_takes_its_share(shop: Shop) -> None:
    admin, shopper, game = await shop.shopper(role="ADMIN"), await shop.shopper(), await shop.game()
    name = new_id("code")[:32]
    written = await admin.send("PUT", f"/api/promo-codes/{name}", {"percent": 10, "usesMax": 1})
    assert written.status == 200
    promo = written.json()["data"]
    assert (promo["code"], promo["percent"], promo["amount"], promo["usesMax"], promo["used"]) == (name, 10, None, 1, 0)
    order = (await shopper.order({game: 1}, promoCode=name)).json()["data"]
    assert (order["subtotal"], order["discount"], order["total"]) == (19.99, 2.0, 17.99)
    assert code(await shopper.order({game: 1}, promoCode=name), 400) == "PROMO_CODE_EXHAUSTED"
    assert code(await shopper.send("PUT", f"/api/promo-codes/{name}", {"percent": 99}), 403) == "FORBIDDEN"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("ten", {}),
        ("ten", {"percent": 10, "amount": 1}),
        ("ten", {"percent": 0}),
        ("ten", {"percent": 100.01}),
        ("ten", {"percent": 0.001}),
        ("ten", {"amount": -1}),
        ("ten", {"amount": 1, "validFrom": "2030-01-01T00:00:00Z", "validUntil": "2029-01-01T00:00:00Z"}),
        ("ten", {"amount": 1, "validUntil": "2001-01-01T00:00:00Z"}),
        ("ten", {"amount": 1, "validUntil": "2029-01-01T00:00:00"}),
        ("ten", {"amount": 1, "usesMax": -1}),
        ("no%20code", {"amount": 1}),
        ("x" * 33, {"amount": 1}),
    ],
)
async def test_a_promo_code_that_makes_no_sense_is_refused(shop: Shop, name: str, body: dict[str, Any]) -> None:
    admin = await shop.shopper(role="ADMIN")
    assert code(await admin.send("PUT", f"/api/promo-codes/{name}", body), 400) == "BAD_REQUEST"
