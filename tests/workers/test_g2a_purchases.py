"""Purchases at G2A, one step at a time, against the sandbox: bought once, and the buyer has his keys or his money."""

import asyncio
from decimal import Decimal

from tests.support.buyers import stock_of
from tests.support.desk import handled
from tests.support.key_shop import PRICE, KeyShop
from workers import g2a_steps
from workers.g2a import G2A
from workers.service import More
from workers.store_orders import STORE


async def test_every_unit_is_bought_and_its_key_is_read_by_its_buyer_only(shop: KeyShop) -> None:
    order_id = await shop.order(3)
    done = await shop.buy(order_id)
    assert f"order:{order_id}" in done.stale
    assert (await shop.row(order_id))["status"] == "COMPLETED"
    keys = await shop.keys(order_id)
    assert sorted(keys) == sorted(key for order in await shop.sandbox.orders() for key in order["keys"])
    assert (len(set(keys)), await shop.bought()) == (3, 3)
    assert await shop.balance() == Decimal(1000) - 3 * PRICE
    sealed = await shop.desk.pool.fetch("SELECT sealed FROM g2a_keys")
    assert not [row for row in sealed for key in keys if key.encode() in row["sealed"]]


async def test_a_purchase_told_again_after_its_end_changes_nothing_and_makes_the_same_caches_stale(
    contract_shop: KeyShop,
) -> None:
    shop = contract_shop
    order_id = await shop.order()
    assert (await shop.buy(order_id)).stale == (await shop.buy(order_id)).stale
    assert await shop.bought() == 1


async def test_an_order_that_is_being_bought_for_cannot_be_cancelled(contract_shop: KeyShop) -> None:
    shop = contract_shop
    await shop.sandbox.control(completion="never")
    order_id = await shop.order()
    assert isinstance(await shop.step(order_id), More)
    reply = await handled(shop.desk, STORE, "cancel_order", {"order_id": str(order_id)}, user_id=shop.buyer)
    assert (reply.status, reply.problem and reply.problem.code) == (409, "ORDER_NOT_CANCELLABLE")


async def test_an_order_that_is_cancelled_before_is_not_bought_for(contract_shop: KeyShop) -> None:
    shop = contract_shop
    order_id = await shop.order()
    await handled(shop.desk, STORE, "cancel_order", {"order_id": str(order_id)}, user_id=shop.buyer)
    await shop.buy(order_id)
    assert (await shop.bought(), await shop.purchases(order_id)) == (0, [])
    assert (await shop.row(order_id))["status"] == "CANCELLED"


async def test_an_order_of_no_product_waits_for_somebody_and_can_be_cancelled(contract_shop: KeyShop) -> None:
    shop = contract_shop
    await shop.desk.pool.execute("UPDATE games SET g2a_product_id = NULL WHERE id = $1", shop.game)
    order_id = await shop.order()
    await shop.buy(order_id)
    assert (await shop.row(order_id))["status"] == "PROCESSING"
    reply = await handled(shop.desk, STORE, "cancel_order", {"order_id": str(order_id)}, user_id=shop.buyer)
    assert reply.status == 200
    assert await shop.balance() == Decimal(1000)


async def test_two_workers_at_once_buy_once(shop: KeyShop) -> None:
    await shop.sandbox.control(latency_ms=100)
    order_id = await shop.order(2)
    await asyncio.gather(*(shop.step(order_id) for _ in range(6)))
    await shop.sandbox.control(latency_ms=0)
    await shop.buy(order_id)
    assert (await shop.bought(), len(await shop.keys(order_id))) == (2, 2)


async def test_what_g2a_does_not_have_is_paid_back_and_sold_to_nobody_else(shop: KeyShop) -> None:
    order_id = await shop.order(2)
    await shop.sandbox.control(products=[{"id": shop.product, "quantity": 0}])
    ended = await shop.buy(order_id)
    row = await shop.row(order_id)
    # The export API does not tell what is sold out from what there is not.
    code = {"contract": "G2A_OUT_OF_STOCK", "g2a": "G2A_PRODUCT_NOT_FOUND"}[shop.desk.settings.g2a_dialect]
    assert (row["status"], row["reason"].partition(":")[0]) == ("REFUNDED", code)
    assert (await shop.balance(), await stock_of(shop.desk, shop.game)) == (Decimal(1000), (0, 0))
    assert {f"game:{shop.game}", "home:*", "catalog:*"} <= set(ended.stale)


async def test_what_costs_more_than_its_buyer_has_paid_is_not_bought(shop: KeyShop) -> None:
    order_id = await shop.order()
    await shop.sandbox.control(products=[{"id": shop.product, "price_cents": 1_021}])
    await shop.buy(order_id)
    assert ((await shop.row(order_id))["status"], await shop.bought()) == ("REFUNDED", 0)


async def test_an_order_that_fails_at_g2a_is_paid_back(contract_shop: KeyShop) -> None:
    shop = contract_shop
    await shop.sandbox.control(completion="quiet", delay_s=0.05, fail_orders=1)
    order_id = await shop.order()
    await shop.buy(order_id)
    row = await shop.row(order_id)
    assert (row["status"], row["reason"].partition(":")[0]) == ("REFUNDED", "G2A_API_ERROR")
    assert await shop.balance() == Decimal(1000)


async def test_pending_is_looked_at_with_growing_pauses_until_the_keys_are_there(shop: KeyShop) -> None:
    await shop.sandbox.control(completion="quiet", delay_s=0.3)
    order_id = await shop.order()
    assert await shop.step(order_id) == More(1.0)
    assert await shop.states(order_id) == ["pending"]
    await shop.buy(order_id)
    assert len(await shop.keys(order_id)) == 1
    assert [g2a_steps.pause_s(waited) for waited in (0, 8, 400, 10_000)] == [1.0, 2.0, 100.0, 300.0]


async def test_fewer_keys_than_units_are_bought_for_again(contract_shop: KeyShop) -> None:
    shop = contract_shop
    await shop.sandbox.control(deliver_keys=2)
    order_id = await shop.order(5)
    await shop.buy(order_id)
    assert [(row["quantity"], row["round"]) for row in await shop.purchases(order_id)] == [(5, 1), (3, 2), (1, 3)]
    assert len(set(await shop.keys(order_id))) == 5
    assert (await shop.row(order_id))["status"] == "COMPLETED"


async def test_what_is_short_in_the_end_is_paid_back_by_its_share(contract_shop: KeyShop) -> None:
    shop = contract_shop
    code = {"code": "TEN", "promo": {"percent": 10}}
    put = await handled(shop.desk, STORE, "put_promo_code", code, user_id=shop.buyer, role="ADMIN")
    assert put.status == 200, put
    await shop.sandbox.control(deliver_keys=1)
    order_id = await shop.order(5, promo_code="TEN")
    assert await shop.balance() == Decimal("954.10")
    await shop.buy(order_id)
    row = await shop.row(order_id)
    assert row["status"] == "COMPLETED"
    # Two of five units, of 45.90 that were paid.
    assert row["reason"].startswith("2 units could not be had, and 18.36 was given back. G2A_API_ERROR: ")
    assert (await shop.balance(), await stock_of(shop.desk, shop.game)) == (Decimal("972.46"), (497, 3))
    assert len(await shop.keys(order_id)) == 3


async def test_a_game_without_a_product_beside_one_with_is_paid_back(contract_shop: KeyShop) -> None:
    shop = contract_shop
    by_hand = await shop.desk.pool.fetchval(
        "INSERT INTO games (id, title, price, stock) VALUES ($1, 'By hand', 5, 1) RETURNING id",
        f"hand-{shop.game[:40]}",
    )
    order_id = await shop.order(1, items=[{"gameId": by_hand, "quantity": 1}])
    await shop.buy(order_id)
    row = await shop.row(order_id)
    assert row["reason"].startswith("1 unit could not be had, and 5.00 was given back. G2A_PRODUCT_NOT_FOUND: ")
    assert await shop.balance() == Decimal(1000) - PRICE


async def test_nobody_buys_more_units_than_anybody_downloads(contract_shop: KeyShop) -> None:
    shop = contract_shop
    await shop.desk.pool.execute("UPDATE games SET price = 0.01, stock = 9999 WHERE id = $1", shop.game)
    order_id = await shop.order(1)
    await shop.desk.pool.execute("UPDATE store_order_items SET quantity = 1001 WHERE order_id = $1", order_id)
    await shop.desk.pool.execute("UPDATE games SET sold = 1001 WHERE id = $1", shop.game)
    await shop.buy(order_id)
    assert ((await shop.row(order_id))["status"], await shop.bought()) == ("REFUNDED", 0)


def test_every_handler_is_known_by_its_kind() -> None:
    assert {"purchase", "collect", "read_keys"} <= set(G2A.handlers)
