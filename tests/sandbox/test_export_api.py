"""The export API as the sandbox plays it: one unit per order, reserved, paid, its key given out once."""

import hashlib
from typing import Any

from contract.upstream_settings import SANDBOX_CREDENTIALS
from tests.support.http import Response
from tests.support.sandbox import Sandbox


async def product_with(sandbox: Sandbox, quantity: int = 10, price_cents: int = 1250) -> str:
    """A product that can be bought."""
    product_id = (await sandbox.export("GET", "/products")).json()["docs"][0]["id"]
    await sandbox.control(products=[{"id": product_id, "quantity": quantity, "price_cents": price_cents}])
    return product_id


async def reserve(sandbox: Sandbox, product_id: str, **more: Any) -> str:
    reply = await sandbox.export("POST", "/order", {"product_id": product_id, **more})
    assert reply.status == 200, reply.body
    return reply.json()["order_id"]


def error(reply: Response) -> tuple[int, str]:
    document = reply.json()
    assert set(document) == {"status", "message", "code"}
    assert document["status"] == "ERROR"
    return reply.status, document["code"]


async def test_the_header_is_that_of_the_official_client(sandbox: Sandbox) -> None:
    assert error(await sandbox.ask("GET", "/v1/products")) == (403, "AUTH01")
    assert error(await sandbox.ask("GET", "/v1/products", Authorization="hash, 00")) == (401, "AUTH02")
    known_hash, key, email = SANDBOX_CREDENTIALS
    in_another_order = hashlib.sha256(f"{known_hash}{key}{email}".encode()).hexdigest()
    refused = await sandbox.ask("GET", "/v1/products", Authorization=f"{known_hash}, {in_another_order}")
    assert error(refused) == (401, "AUTH02")
    assert (await sandbox.export("GET", "/products")).status == 200


async def test_pages_have_twenty_products_and_end_at_500(sandbox: Sandbox) -> None:
    await sandbox.control(size=20_000)
    page = (await sandbox.export("GET", "/products?page=500&includeOutOfStock=true")).json()
    assert (page["total"], page["page"], len(page["docs"])) == (20_000, 500, 20)
    assert error(await sandbox.export("GET", "/products?page=501&includeOutOfStock=true"))[0] == 400
    assert error(await sandbox.export("GET", "/products?page=0"))[0] == 400


async def test_products_without_stock_are_shown_on_demand_only(sandbox: Sandbox) -> None:
    product_id = await product_with(sandbox, quantity=0)
    shown = await every(sandbox, "")
    assert product_id not in shown
    assert product_id in await every(sandbox, "includeOutOfStock=true")
    assert 0 not in {product["qty"] for product in shown.values()}


async def every(sandbox: Sandbox, query: str) -> dict[str, Any]:
    """All products that pass a filter."""
    found: dict[str, Any] = {}
    for page in range(1, 501):
        reply = (await sandbox.export("GET", f"/products?page={page}&{query}")).json()
        found |= {product["id"]: product for product in reply["docs"]}
        if len(found) == reply["total"]:
            break
    return found


async def test_products_are_filtered_by_price_and_by_time(sandbox: Sandbox) -> None:
    everything = await every(sandbox, "includeOutOfStock=true")
    cheap = await every(sandbox, "includeOutOfStock=true&minPriceFrom=10.00&minPriceTo=20.00")
    assert cheap == {key: product for key, product in everything.items() if 10 <= product["minPrice"] <= 20}
    assert await every(sandbox, "includeOutOfStock=true&updatedAtFrom=2026-01-01 00:00:00".replace(" ", "%20")) == {}
    await sandbox.control(day=1)
    moved = await every(sandbox, "includeOutOfStock=true&updatedAtFrom=2026-01-01%2000:00:00")
    assert len(moved) == 25
    assert error(await sandbox.export("GET", "/products?updatedAtFrom=yesterday"))[0] == 400


async def test_one_product_is_found_by_its_id(sandbox: Sandbox) -> None:
    product_id = await product_with(sandbox)
    (found,) = (await sandbox.export("GET", f"/products?id={product_id}")).json()["docs"]
    assert found["id"] == product_id
    assert (await sandbox.export("GET", "/products?id=1")).json() == {"total": 0, "page": 1, "docs": []}


async def test_an_order_is_reserved_then_paid_and_its_key_is_given_out_once(sandbox: Sandbox) -> None:
    await sandbox.control(completion="inline")
    product_id = await product_with(sandbox)
    before = (await sandbox.control())["wallet_cents"]
    order = await reserve(sandbox, product_id, max_price=12.5)
    assert (await sandbox.export("GET", f"/order/details/{order}")).json()["status"] == "new"
    assert error(await sandbox.export("GET", f"/order/key/{order}")) == (402, "ORD05")
    assert (await sandbox.control())["wallet_cents"] == before

    paid = [(await sandbox.export("PUT", f"/order/pay/{order}")).json() for _ in range(2)]
    assert paid[0] == paid[1]
    assert paid[0]["status"] is True
    assert (await sandbox.control())["wallet_cents"] == before - 1250
    assert (await sandbox.export("GET", f"/order/details/{order}")).json() == {
        "status": "complete",
        "price": 12.5,
        "currency": "EUR",
    }
    key = (await sandbox.export("GET", f"/order/key/{order}")).json()["key"]
    assert [key] == (await sandbox.orders())[0]["keys"]
    assert error(await sandbox.export("GET", f"/order/key/{order}")) == (400, "ORD004")


async def test_a_key_is_not_ready_before_the_order_is(sandbox: Sandbox) -> None:
    await sandbox.control(completion="never")
    order = await reserve(sandbox, await product_with(sandbox))
    await sandbox.export("PUT", f"/order/pay/{order}")
    assert (await sandbox.export("GET", f"/order/details/{order}")).json()["status"] == "pending"
    assert error(await sandbox.export("GET", f"/order/key/{order}")) == (403, "ORD03")


async def test_what_cannot_be_bought_is_refused_with_its_code(sandbox: Sandbox) -> None:
    product_id = await product_with(sandbox, quantity=1)
    assert error(await sandbox.export("POST", "/order", {"product_id": "1"})) == (404, "ORD02")
    assert error(await sandbox.export("POST", "/order", {"product_id": product_id, "max_price": 12.49}))[0] == 404
    assert error(await sandbox.export("POST", "/order", {"product": product_id})) == (400, "BR01")
    assert error(await sandbox.export("PUT", "/order/pay/80000000000000")) == (404, "ORD02")
    await sandbox.control(wallet_cents=0)
    order = await reserve(sandbox, product_id)
    assert error(await sandbox.export("PUT", f"/order/pay/{order}")) == (403, "ORD112")
    # The only unit is kept for that order.
    assert error(await sandbox.export("POST", "/order", {"product_id": product_id})) == (404, "ORD02")


async def test_no_webhook_is_sent_for_it(sandbox: Sandbox) -> None:
    await sandbox.control(delay_s=0)
    product_id = await product_with(sandbox)
    order = await reserve(sandbox, product_id)
    await sandbox.export("PUT", f"/order/pay/{order}")
    while (await sandbox.export("GET", f"/order/details/{order}")).json()["status"] == "pending":
        pass
    assert await sandbox.deliveries() == []
