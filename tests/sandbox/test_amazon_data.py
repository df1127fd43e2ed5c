"""The data of Amazon's sandbox: what its books say is what a client reads, in every version, whatever moves on."""

import json
import time
from collections import Counter
from decimal import Decimal
from typing import Any, cast

import pytest

from tests.support.amazon_pages import (
    DAY_S,
    EVENTS,
    INVENTORY,
    ORDERS,
    ORDERS_2026,
    TRANSACTIONS,
    Reader,
    ago,
)
from tests.support.sandbox import AmazonSandbox

CLAIMS = {
    *("AdjustmentEventList", "RefundEventList", "GuaranteeClaimEventList", "ChargebackEventList"),
    *("SAFETReimbursementEventList", "ServiceFeeEventList", "ChargeRefundEventList", "RetrochargeEventList"),
    "FBALiquidationEventList",
}


def paid(event: Any) -> Decimal:
    """All money that is named in an event, and of an adjustment, which names it twice, its total."""
    if isinstance(event, list):
        return sum((paid(one) for one in cast(list[Any], event)), Decimal(0))
    if not isinstance(event, dict):
        return Decimal(0)
    known = cast(dict[str, Any], event)
    if "AdjustmentAmount" in known:
        return paid(known["AdjustmentAmount"])
    own = Decimal(known.get("CurrencyAmount", 0))
    return own + sum((paid(value) for value in known.values()), Decimal(0))


async def exact_rows(reader: Reader) -> list[Any]:
    """The events, with all digits of their amounts."""
    body = (await reader.ask(EVENTS)).body
    return EVENTS.rows(json.loads(body, parse_float=Decimal, parse_int=Decimal))


async def test_every_seller_has_what_the_contract_counts(amazon: AmazonSandbox) -> None:
    parts = ("claims", "inventory", "orders")
    assert [len(await amazon.books(part, seller)) for seller in ("AONE", "ATWO") for part in parts] == [
        37,
        150,
        250,
    ] * 2


async def test_the_events_are_those_of_the_books_and_sales_are_none_of_them(reader: Reader) -> None:
    events = await exact_rows(reader)
    told = Counter(
        (row["list"], row.get("AmazonOrderId"), row.get("PostedDate"), paid(row))
        for row in events
        if row["list"] != "ShipmentEventList"
    )
    books = await reader.sandbox.books("claims")
    assert told == Counter(
        (row["list"], row["order_id_v0"], row["posted_at_v0"], Decimal(row["amount"])) for row in books
    )
    assert {row["list"] for row in books} == CLAIMS
    assert sum(row["list"] == "ShipmentEventList" for row in events) == 40
    assert all(Decimal(row["amount"]) == sum(Decimal(part) for _, part in row["parts"]) for row in books)


async def test_the_transactions_are_the_same_events_with_an_id(reader: Reader) -> None:
    body = (await reader.ask(TRANSACTIONS)).body
    rows = TRANSACTIONS.rows(json.loads(body, parse_float=Decimal))
    told = {
        row["transactionId"]: (row["postedDate"], Decimal(row["totalAmount"]["currencyAmount"]))
        for row in rows
        if row["transactionType"] != "Shipment"
    }
    books = await reader.sandbox.books("claims")
    assert told == {row["transaction_id"]: (row["posted_at"], Decimal(row["amount"])) for row in books}
    assert {row["transaction_status"] for row in books} == {"RELEASED", "DEFERRED"}


async def test_two_events_are_alike_in_everything(reader: Reader) -> None:
    rows = Counter(str(row) for row in await reader.rows(EVENTS))
    assert rows.most_common(3)[0][1] == 2
    books = await reader.sandbox.books("claims")
    assert len({row["transaction_id"] for row in books}) == 37


async def test_amounts_have_all_the_forms_that_money_has(reader: Reader) -> None:
    books = await reader.sandbox.books("claims")
    assert {"USD", "EUR", "JPY"} <= {row["currency"] for row in books}
    assert any("." not in row["amount"] for row in books if row["currency"] == "JPY")
    assert any(row["amount"].startswith("-") for row in books)
    assert b"1E-7" in (await reader.ask(EVENTS)).body


async def test_the_inventory_is_that_of_the_books(reader: Reader) -> None:
    def flat(row: Any) -> dict[str, Any]:
        own = row["inventoryDetails"]
        inbound = sum(own[f"inbound{which}Quantity"] for which in ("Working", "Shipped", "Receiving"))
        reserved = own["reservedQuantity"]["totalReservedQuantity"]
        names = (row["sellerSku"], row["asin"], row["fnSku"], row["productName"], row["condition"])
        counts = (own["fulfillableQuantity"], reserved, inbound, row["totalQuantity"])
        return dict(zip(FIELDS, (*names, *counts), strict=True))

    books = await reader.sandbox.books("inventory")
    assert [flat(row) for row in await reader.rows(INVENTORY)] == [
        {name: row[name] for name in FIELDS} for row in books
    ]
    assert any(row["fnsku"] == "" for row in books)
    assert any(not row["sku"].isascii() for row in books)


FIELDS = ("sku", "asin", "fnsku", "name", "condition", "available", "reserved", "inbound", "total")


async def test_the_orders_are_those_of_the_books_in_both_versions(reader: Reader) -> None:
    books = await reader.sandbox.books("orders")
    v0 = await reader.rows(ORDERS)
    assert [(row["AmazonOrderId"], row["PurchaseDate"], row["LastUpdateDate"], row["OrderStatus"]) for row in v0] == [
        (row["order_id"], row["purchased_at"], row["updated_at"], row["status"]) for row in books
    ]
    assert [row.get("OrderTotal", {}).get("Amount") for row in v0] == [row["total"] for row in books]
    assert [(row["NumberOfItemsShipped"], row["NumberOfItemsUnshipped"]) for row in v0] == [
        (row["shipped"], row["unshipped"]) for row in books
    ]
    told = await reader.rows(ORDERS_2026)
    assert [(row["orderId"], row["createdTime"], row["fulfillment"]["fulfillmentStatus"]) for row in told] == [
        (row["order_id"], row["purchased_at"], row["status_2026"]) for row in books
    ]
    totals = [row.get("proceeds", {}).get("grandTotal", {}).get("amount") for row in told]
    assert totals == [row["total"] for row in books]


async def test_items_are_those_of_the_books_and_without_prices_while_an_order_is_pending(reader: Reader) -> None:
    amazon = reader.sandbox
    newest = (await amazon.books("orders"))[-6:]
    assert {row["status"] for row in newest} == {"Pending", "Unshipped", "PartiallyShipped"}
    for order in newest:
        books = await amazon.books("items", order=order["order_id"])
        path = f"/orders/v0/orders/{order['order_id']}"
        items = (await amazon.get(f"{path}/orderItems", reader.token)).json()["payload"]["OrderItems"]
        assert [(item["OrderItemId"], item["SellerSKU"], item["QuantityOrdered"]) for item in items] == [
            (row["item_id"], row["sku"], row["ordered"]) for row in books
        ]
        prices = [item.get("ItemPrice", {}).get("Amount") for item in items]
        assert prices == [row["price"] for row in books]
        assert (prices == [None] * len(items)) == (order["status"] == "Pending")
        alone = (await amazon.get(path, reader.token)).json()["payload"]
        assert (alone["OrderStatus"], "OrderTotal" in alone) == (order["status"], order["status"] != "Pending")


async def test_the_data_reach_over_sixty_days_until_a_moment_ago(reader: Reader) -> None:
    for part, name in (("claims", "posted_at"), ("orders", "purchased_at"), ("inventory", "updated_at")):
        moments = sorted(row[name] for row in await reader.sandbox.books(part))
        assert ago(61 * DAY_S) < moments[0] < ago(58 * DAY_S)
        assert ago(900) < moments[-1] < ago(120)


async def test_the_same_is_there_after_a_reset(reader: Reader) -> None:
    before = await reader.sandbox.books("inventory")
    await reader.sandbox.reset()
    after = await reader.sandbox.books("inventory")
    # Times are counted from the reset.
    assert [{**row, "updated_at": ""} for row in after] == [{**row, "updated_at": ""} for row in before]


async def test_orders_that_change_are_told_as_updated_now(reader: Reader) -> None:
    amazon = reader.sandbox
    before = {row["order_id"]: row for row in await amazon.books("orders")}
    since = ago(140)
    moved = await amazon.advance(orders_changed=6, orders_new=2)
    found = {row["AmazonOrderId"]: row for row in await reader.rows(ORDERS, LastUpdatedAfter=since)}
    assert found.keys() == {*moved["orders_changed"], *moved["orders_new"]}
    changes = Counter(
        (before[order_id]["status"], found[order_id]["OrderStatus"]) for order_id in moved["orders_changed"]
    )
    assert changes == {("Pending", "Unshipped"): 2, ("Unshipped", "Shipped"): 2, ("PartiallyShipped", "Shipped"): 2}
    assert all("OrderTotal" in found[order_id] for order_id in moved["orders_changed"])
    assert len(await reader.rows(ORDERS)) == 252


async def test_an_order_completes_step_by_step(reader: Reader) -> None:
    amazon = reader.sandbox
    seen: list[set[str]] = []
    for _ in range(3):
        seen.append({row["status"] for row in (await amazon.books("orders"))[-6:]})
        await amazon.advance(orders_changed=6)
    assert seen == [{"Pending", "Unshipped", "PartiallyShipped"}, {"Unshipped", "Shipped"}, {"Shipped"}]


async def test_events_come_late(reader: Reader) -> None:
    window = {"PostedAfter": ago(2.5 * DAY_S), "PostedBefore": ago(1.5 * DAY_S)}
    before = await reader.rows(EVENTS, **window)
    await reader.sandbox.advance(events_late=3, events_new=2)
    assert len(await reader.rows(EVENTS, **window)) == len(before) + 3
    assert len(await reader.rows(EVENTS, PostedAfter=ago(140))) == 2
    assert len(await reader.sandbox.books("claims")) == 42


async def test_skus_vanish_change_and_come(reader: Reader) -> None:
    amazon = reader.sandbox
    before = {row["sku"]: row for row in await amazon.books("inventory")}
    moved = await amazon.advance(skus_gone=3, skus_changed=2, skus_new=4)
    after = {row["sellerSku"]: row["totalQuantity"] for row in await reader.rows(INVENTORY)}
    assert before.keys() - after.keys() == set(moved["skus_gone"])
    assert after.keys() - before.keys() == set(moved["skus_new"])
    others = {sku for sku, total in after.items() if sku in before and before[sku]["total"] != total}
    assert others
    assert others <= set(moved["skus_changed"])
    since = await reader.rows(INVENTORY, startDateTime=ago(140))
    assert {row["sellerSku"] for row in since} == {*moved["skus_changed"], *moved["skus_new"]}


async def test_what_does_not_move_on_stays_as_it_was(reader: Reader) -> None:
    amazon = reader.sandbox
    before = [await amazon.books(part) for part in ("claims", "orders", "inventory", "items")]
    await amazon.advance(orders_new=3, events_new=3, events_late=3, skus_new=3)
    after = [await amazon.books(part) for part in ("claims", "orders", "inventory", "items")]
    assert [new[: len(old)] for old, new in zip(before, after, strict=True)] == before


async def test_only_one_seller_moves_on_and_not_for_ever(reader: Reader) -> None:
    amazon = reader.sandbox
    other = await amazon.books("orders", "AOTHER")
    await amazon.advance(orders_new=1)
    assert await amazon.books("orders", "AOTHER") == other
    for _ in range(9):
        await amazon.advance(events_new=10_000)
    reply = await amazon.ask("POST", "/sandbox/advance", b'{"events_new": 10000}')
    assert reply.status == 400
    assert "reset the sandbox" in reply.json()["errors"][0]["message"]


async def test_values_lists_and_members_can_be_unknown(reader: Reader) -> None:
    await reader.sandbox.control(is_unknown=True)
    orders = await reader.rows(ORDERS)
    assert {"AwaitingDrone", "Shipped"} <= {row["OrderStatus"] for row in orders}
    assert any("DroneInfo" in row for row in orders)
    assert "FutureEventList" in {row["list"] for row in await reader.rows(EVENTS)}
    assert "AWAITING_DRONE" in {row["fulfillment"]["fulfillmentStatus"] for row in await reader.rows(ORDERS_2026)}


async def test_texts_can_be_worse_than_anybody_expects(reader: Reader) -> None:
    await reader.sandbox.control(is_ugly=True)
    names = [row["productName"] for row in await reader.rows(INVENTORY)]
    assert any("\x00" in name and len(name) > 2000 for name in names)
    assert names == [row["name"] for row in await reader.sandbox.books("inventory")]
    assert "E+09" in (await reader.page(ORDERS))["payload"]["LastUpdatedBefore"]


async def test_an_account_can_be_empty(reader: Reader) -> None:
    await reader.sandbox.control(events=0, sales=0, skus=0, orders=0)
    for kind in (EVENTS, TRANSACTIONS, INVENTORY, ORDERS, ORDERS_2026):
        assert await reader.rows(kind) == []


async def test_large_accounts_are_answered_at_once(reader: Reader) -> None:
    amazon = reader.sandbox
    started = time.monotonic()
    await amazon.control(orders=200_000, skus=50_000, events=100_000)
    middle = ago(30 * DAY_S)
    for kind, name in ((ORDERS, "LastUpdatedAfter"), (EVENTS, "PostedAfter")):
        page = await reader.page(kind, **{name: middle})
        assert len(kind.rows(page)) == 100
        assert len(kind.rows(await reader.page(kind, kind.token(page) or "", **{name: middle}))) == 100
    assert len(INVENTORY.rows(await reader.page(INVENTORY))) == 50
    # Some milliseconds for each; the rest is for a machine with much else to do.
    assert time.monotonic() - started < 5
    page = (await amazon.ask("GET", "/sandbox/books?part=orders&offset=199990")).json()
    assert (page["total"], len(page["rows"])) == (200_000, 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"orders": 1_000_001}, "<= 1000000"),
        ({"order": 5}, "unknown field `order`"),
        ({"seller": "a seller"}, "$.seller"),
        ({"rates": {"getNothing": {"per_s": 1, "burst": 1}}}, "$.rates"),
        ({"denied": ["getNothing"]}, "$.denied"),
        ({"rate_scale": 0}, "> 0"),
    ],
)
async def test_a_control_document_that_makes_no_sense_changes_nothing(
    amazon: AmazonSandbox, change: dict[str, Any], said: str
) -> None:
    before = await amazon.control()
    reply = await amazon.ask("PUT", "/sandbox/control", json.dumps({"latency_ms": 5, **change}).encode())
    assert reply.status == 400
    assert said in reply.json()["errors"][0]["message"]
    assert await amazon.control() == before
