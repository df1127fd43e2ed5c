"""Both versions of every API of Amazon's, read from its sandbox over HTTP, as they are."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.sandbox import AmazonSandbox
from tests.workers.clients.amazon_reader import NEW, V0, Reader
from tests.workers.clients.conftest import OpenAmazon
from workers.clients.amazon import Account

STAMP = "%Y-%m-%dT%H:%M:%SZ"
TYPES = {
    "refund",
    "service_fee",
    "safet_reimbursement",
    "guarantee_claim",
    "chargeback",
    "charge_refund",
    "retrocharge",
    "liquidation_reimbursement",
}
"""The types of claims that read alike in both versions."""


def money(told: Any) -> Decimal | None:
    return None if told is None else Decimal(told)


def status_of(order: dict[str, Any], versions: dict[str, str]) -> str:
    """The status of an order of the books in the words of v0; one of its states is none of the later version."""
    if versions is V0:
        return order["status"]
    return order["status_2026"].title().replace("_", "").replace("Cancelled", "Canceled")


SHAPES: list[dict[str, Any]] = [
    {},
    {"last_page": "empty"},
    {"last_page": "null", "empty_pages": 2},
    {"is_unknown": True, "rate_header": "junk"},
    {"rate_header": "missing", "denial_text_in": "message"},
]


@pytest.mark.slow
@pytest.mark.parametrize("versions", [V0, NEW], ids=["v0", "new"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
async def test_everything_that_amazon_tells_is_read_once_and_as_it_is(
    amazon_sandbox: AmazonSandbox,
    opened_amazon: OpenAmazon,
    account: Account,
    versions: dict[str, str],
    shape: dict[str, Any],
) -> None:
    await amazon_sandbox.control(**shape)
    reader = Reader(await opened_amazon(**versions), account)
    claims, pages = await reader.everything("claims")
    books = await amazon_sandbox.books("claims")
    since = reader.window.after.strftime(STAMP)
    assert pages > 2
    # Of some kinds v0 tells neither order nor date.
    suffix = "_v0" if versions is V0 else ""
    told = sorted(
        (one[f"order_id{suffix}"] or "", one[f"posted_at{suffix}"] or "", money(one["amount"]), one["currency"])
        for one in books
        if one["posted_at"] >= since
    )
    assert told == sorted(
        (claim.order_id or "", claim.posted_at.strftime(STAMP) if claim.posted_at else "", claim.amount, claim.currency)
        for claim in claims
    )
    assert {claim.type for claim in claims} >= TYPES

    orders, pages = await reader.everything("orders")
    is_known = "is_unknown" not in shape
    told = {
        (one["order_id"], money(one["total"]), status_of(one, versions) if is_known else None)
        for one in await amazon_sandbox.books("orders")
        if one["updated_at"] >= since
    }
    assert pages > 2
    assert told == {(order.order_id, order.total, order.status if is_known else None) for order in orders}
    assert {order.channel for order in orders} >= {"FBA", "FBM"}
    assert all((order.items is None) == (versions is V0) for order in orders)


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
async def test_the_inventory_is_read_as_it_is(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account, shape: dict[str, Any]
) -> None:
    # A rate that nobody tells is waited for.
    await amazon_sandbox.control(**shape | {"rate_header": "present"})
    rows, pages = await Reader(await opened_amazon(), account).everything("inventory")
    assert pages > 2
    told = {
        one["sku"]: (one["asin"], one["fnsku"] or None, one["available"], one["reserved"], one["inbound"], one["total"])
        for one in await amazon_sandbox.books("inventory")
    }
    read = {row.sku: (row.asin, row.fnsku, row.available, row.reserved, row.inbound, row.total) for row in rows}
    assert read == told
    assert len(read) == len(rows)


@pytest.mark.parametrize("versions", [V0, NEW], ids=["v0", "new"])
async def test_the_items_of_an_order_are_alike_in_both_versions(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account, versions: dict[str, str]
) -> None:
    reader = Reader(await opened_amazon(**versions), account)
    orders = [one for one in await amazon_sandbox.books("orders") if one["total"] is not None]
    for order in orders[:3]:
        rows, _ = await reader.everything("items", order["order_id"])
        books = await amazon_sandbox.books("items", order=order["order_id"])
        assert rows == [
            {
                "orderItemId": one["item_id"],
                "asin": one["asin"],
                "sku": one["sku"],
                "title": one["title"],
                "quantityOrdered": one["ordered"],
                "quantityShipped": one["shipped"],
                "price": money(one["price"]),
                "currency": one["currency"],
            }
            for one in books
        ]


@pytest.mark.slow
async def test_texts_that_nobody_expects_and_pages_of_ten_megabytes_are_read(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account
) -> None:
    await amazon_sandbox.control(is_ugly=True, padding=10_000_000)
    reader = Reader(await opened_amazon(), account)
    for part in ("claims", "inventory", "orders"):
        page = await reader.page(part)
        assert page.rows
        assert "\0" not in repr(page).replace("\\x00", "\0")
