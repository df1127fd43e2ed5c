"""The contract's API as the sandbox plays it: pages, products, orders, and who is let in."""

import asyncio
import time
from typing import Any

import pytest

from tests.support.sandbox import Sandbox, contract_headers

KEY = r"[A-Z2-9]{5}(-[A-Z2-9]{5}){2}"


async def product_with(sandbox: Sandbox, quantity: int = 10, price_cents: int = 1250) -> str:
    """A product that can be bought."""
    product_id = (await sandbox.contract("GET", "/products?perPage=1")).json()["data"][0]["id"]
    await sandbox.control(products=[{"id": product_id, "quantity": quantity, "price_cents": price_cents}])
    return product_id


async def buy(sandbox: Sandbox, product_id: str, quantity: int = 1, **more: Any) -> Any:
    reply = await sandbox.contract("POST", "/orders", {"productId": product_id, "quantity": quantity, **more})
    assert reply.status == 200, reply.body
    return reply.json()


async def test_pages_hold_every_product_once(sandbox: Sandbox) -> None:
    await sandbox.control(size=250)
    pages = [(await sandbox.contract("GET", f"/products?page={page}&perPage=100")).json() for page in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [100, 100, 50, 0]
    assert pages[2]["meta"] == {"currentPage": 3, "lastPage": 3, "perPage": 100, "total": 250}
    assert len({product["id"] for page in pages for product in page["data"]}) == 250


async def test_a_page_has_fifty_products_unless_asked_and_never_more_than_a_hundred(sandbox: Sandbox) -> None:
    assert (await sandbox.contract("GET", "/products")).json()["meta"]["perPage"] == 50
    assert (await sandbox.contract("GET", "/products?perPage=1000")).json()["meta"]["perPage"] == 100
    assert (await sandbox.contract("GET", "/products?page=0")).status == 400
    assert (await sandbox.contract("GET", "/products?page=one")).status == 400


async def test_a_product_is_the_same_alone_and_on_its_page(sandbox: Sandbox) -> None:
    for product in (await sandbox.contract("GET", "/products?perPage=10")).json()["data"]:
        assert (await sandbox.contract("GET", f"/products/{product['id']}")).json() == product


async def test_an_id_of_no_product_is_not_found(sandbox: Sandbox) -> None:
    for product_id in ("10000000001999", "99999999999999", "1", "x", "10000000001000000", "%31"):
        reply = await sandbox.contract("GET", f"/products/{product_id}")
        assert (reply.status, reply.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_whoever_cannot_prove_who_he_is_is_refused(sandbox: Sandbox) -> None:
    right = contract_headers()
    wrong = [
        {},
        {**right, "X-API-KEY": "other"},
        {**right, "X-API-HASH": "other"},
        {**right, "X-G2A-Hash": "0" * 64},
        {**right, "X-G2A-Timestamp": str(int(right["X-G2A-Timestamp"]) + 1)},
        contract_headers(time.time() - 400),
        contract_headers(time.time() + 400),
    ]
    for headers in wrong:
        reply = await sandbox.ask("GET", "/contract/products", **headers)
        assert (reply.status, reply.json()["error"]["code"]) == (401, "UNAUTHORIZED"), headers
    for shift in (-200, 200):
        assert (await sandbox.ask("GET", "/contract/products", **contract_headers(time.time() + shift))).status == 200


async def test_an_order_completes_and_its_keys_are_told_as_often_as_asked(sandbox: Sandbox) -> None:
    await sandbox.control(completion="quiet", delay_s=0.05)
    product_id = await product_with(sandbox)
    placed = await buy(sandbox, product_id, 2, reference="ours")
    assert (placed["status"], placed["keys"], placed["totalPrice"], placed["currency"]) == ("pending", [], 25, "EUR")
    async with asyncio.timeout(5):
        while (order := (await sandbox.contract("GET", f"/orders/{placed['orderId']}")).json())["status"] == "pending":
            await asyncio.sleep(0.01)
    assert order["status"] == "completed"
    assert len({key["key"] for key in order["keys"]}) == 2
    assert {(key["productId"], key["orderId"]) for key in order["keys"]} == {(product_id, placed["orderId"])}
    assert (await sandbox.contract("GET", "/orders?reference=ours")).json() == {"data": [order]}


async def test_the_same_reference_twice_buys_twice_and_the_journal_shows_it(sandbox: Sandbox) -> None:
    await sandbox.control(completion="inline")
    product_id = await product_with(sandbox)
    orders = [await buy(sandbox, product_id, reference="ours") for _ in range(2)]
    assert len({order["orderId"] for order in orders}) == 2
    assert len({order["keys"][0]["key"] for order in orders}) == 2
    assert len((await sandbox.contract("GET", "/orders?reference=ours")).json()["data"]) == 2
    assert [order["reference"] for order in await sandbox.orders()] == ["ours", "ours"]
    asked = [entry for entry in (await sandbox.journal())["requests"] if entry["method"] == "POST"]
    assert [(entry["reference"], entry["status"]) for entry in asked] == [("ours", 200)] * 2


async def test_what_was_bought_is_missing_from_the_stock_and_from_the_wallet(sandbox: Sandbox) -> None:
    product_id = await product_with(sandbox, quantity=3, price_cents=1999)
    before = (await sandbox.control())["wallet_cents"]
    await buy(sandbox, product_id, 2)
    assert (await sandbox.contract("GET", f"/products/{product_id}")).json()["qty"] == 1
    assert (await sandbox.control())["wallet_cents"] == before - 2 * 1999
    refused = await sandbox.contract("POST", "/orders", {"productId": product_id, "quantity": 2})
    assert (refused.status, refused.json()["error"]["code"]) == (402, "OUT_OF_STOCK")


async def test_a_wallet_that_is_too_small_buys_nothing_and_keeps_its_money(sandbox: Sandbox) -> None:
    product_id = await product_with(sandbox, quantity=3, price_cents=1999)
    await sandbox.control(wallet_cents=1998)
    refused = await sandbox.contract("POST", "/orders", {"productId": product_id, "quantity": 1})
    assert (refused.status, refused.json()["error"]["code"]) == (402, "INSUFFICIENT_FUNDS")
    assert (await sandbox.contract("GET", f"/products/{product_id}")).json()["qty"] == 3
    assert (await sandbox.control())["wallet_cents"] == 1998
    assert await sandbox.orders() == []


async def test_an_order_that_fails_gives_back_what_it_took(sandbox: Sandbox) -> None:
    product_id = await product_with(sandbox, quantity=3)
    await sandbox.control(completion="inline", fail_orders=1)
    before = (await sandbox.control())["wallet_cents"]
    assert (await buy(sandbox, product_id))["status"] == "failed"
    assert (await sandbox.control())["wallet_cents"] == before
    assert (await sandbox.contract("GET", f"/products/{product_id}")).json()["qty"] == 3
    assert (await buy(sandbox, product_id))["status"] == "completed"


async def test_fewer_keys_come_than_were_ordered_when_that_is_asked_for(sandbox: Sandbox) -> None:
    product_id = await product_with(sandbox)
    await sandbox.control(completion="inline", deliver_keys=1)
    order = await buy(sandbox, product_id, 3)
    assert (order["status"], len(order["keys"])) == ("completed", 1)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        {"productId": 10000000001000},
        {"productId": "10000000001000", "quantity": 0},
        {"productId": "10000000001000", "quantity": 101},
        {"productId": "10000000001000", "quantity": "1"},
        {"productId": "nothing"},
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(sandbox: Sandbox, body: Any) -> None:
    assert (await sandbox.contract("POST", "/orders", body)).status == 400
    assert await sandbox.orders() == []
