"""Pages of Amazon's: what becomes of each entry, in every version, also where an entry is not as it should be."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from tests.support.amazon_documents import examples, spoilt
from workers.clients import (
    amazon_finances_2024,
    amazon_finances_v0,
    amazon_inventory,
    amazon_orders_2026,
    amazon_orders_v0,
)
from workers.clients.amazon import Order, Page

POSTED = "2026-10-31T12:00:00Z"


def test_an_inventory_without_details_has_one_quantity() -> None:
    entries: list[Any] = [
        {"sellerSku": "a", "totalQuantity": 5},
        {"sellerSku": "b", "inventoryDetails": {"inboundShippedQuantity": 2, "reservedQuantity": {}}},
        {"sellerSku": "c", "asin": "", "condition": "NewItem", "inventoryDetails": {"fulfillableQuantity": 0}},
        {"sellerSku": ""},
        {"asin": "B0"},
        None,
    ]
    page = amazon_inventory.read({"payload": {"inventorySummaries": entries}, "pagination": {"nextToken": "n"}})
    numbers = [(row.sku, row.available, row.reserved, row.inbound, row.total) for row in page.rows]
    assert numbers == [("a", None, None, None, 5), ("b", None, None, 2, None), ("c", 0, None, None, None)]
    assert [row.asin for row in page.rows] == [None] * 3
    assert (page.bad, page.next_token) == (["an entry has no sellerSku"] * 3, "n")


def test_orders_v0_are_read_as_far_as_they_are_told() -> None:
    entries: list[Any] = [
        {"AmazonOrderId": "1", "OrderStatus": "Pending", "PurchaseDate": "1970-01-19T03:58:30Z", "IossNumber": ""},
        {"AmazonOrderId": "2", "OrderTotal": {"CurrencyCode": "JPY", "Amount": "1500"}, "FulfillmentChannel": "AFN"},
        {
            "AmazonOrderId": "3",
            "OrderStatus": "NewlyInvented",
            "FulfillmentChannel": "DRONE",
            "NumberOfItemsShipped": 2,
        },
        {"AmazonOrderId": "4", "OrderTotal": {"CurrencyCode": "USD", "Amount": "cheap"}},
        {"AmazonOrderId": "x" * 65},
        {"OrderStatus": "Shipped"},
    ]
    page = amazon_orders_v0.read({"payload": {"Orders": entries, "LastUpdatedBefore": "1.569521782042E9"}})
    told = [(one.order_id, one.status, one.channel, one.total, one.currency, one.items) for one in page.rows]
    assert told == [
        ("1", "Pending", None, None, None, None),
        ("2", None, "FBA", Decimal(1500), "JPY", None),
        ("3", "NewlyInvented", "DRONE", None, None, None),
    ]
    assert page.bad == [
        "an amount is no number",
        "an order has an id of more than 64 characters",
        "an entry has no AmazonOrderId",
    ]


def test_items_that_cannot_be_read_are_told_and_their_order_is_there() -> None:
    order = {
        "orderId": "1",
        "fulfillment": {"fulfillmentStatus": "PARTIALLY_SHIPPED", "fulfilledBy": "MERCHANT"},
        "orderItems": [
            {
                "orderItemId": "i",
                "quantityOrdered": 3,
                "product": {"price": {"unitPrice": {"amount": "1.10", "currencyCode": "USD"}}},
                "fulfillment": {"quantityFulfilled": 1, "quantityUnfulfilled": 2},
            },
            {"quantityOrdered": 1},
        ],
    }
    page = amazon_orders_2026.read({"orders": [order, {"orderId": "2"}, {"orderItems": []}]})
    first, second = page.rows
    assert (first.status, first.channel, first.items_shipped, first.items_unshipped) == (
        "PartiallyShipped",
        "FBM",
        1,
        2,
    )
    assert [(item["price"], item["quantityShipped"]) for item in first.items or ()] == [(Decimal("3.30"), 1)]
    assert second.items is None
    assert page.bad == ["an entry has no orderId", "of order 1: an entry has no orderItemId"]


@pytest.mark.parametrize(
    ("name", "path", "read"),
    [
        ("ordersV0.json", "/orders/v0/orders", amazon_orders_v0.read),
        ("ordersV0.json", "/orders/v0/orders/{orderId}/orderItems", amazon_orders_v0.read_items),
        ("orders_2026-01-01.json", "/orders/2026-01-01/orders", amazon_orders_2026.read),
        ("orders_2026-01-01.json", "/orders/2026-01-01/orders/{orderId}", amazon_orders_2026.read_items),
    ],
)
def test_amazons_own_examples_are_read_without_a_fault(name: str, path: str, read: Any) -> None:
    found = examples(name, path)
    assert found
    for example in found:
        page = read(example)
        assert page.bad == []
        assert page.rows


GOOD_ORDER = {
    "AmazonOrderId": "1",
    "PurchaseDate": POSTED,
    "OrderTotal": {"CurrencyCode": "USD", "Amount": "5.00"},
    "NumberOfItemsShipped": 2,
}


@pytest.mark.slow
@given(spoilt(GOOD_ORDER))
def test_whatever_an_order_is_it_is_read_or_told_and_its_neighbour_is_there(entry: Any) -> None:
    page = amazon_orders_v0.read({"payload": {"Orders": [entry, GOOD_ORDER]}})
    assert len(page.rows) + len(page.bad) == 2
    last: Order = page.rows[-1]
    assert (last.order_id, last.total) == ("1", Decimal("5.00"))
    for row in page.rows:
        assert row.total is None or abs(row.total) < 10**15


@given(spoilt({"payload": {"Orders": [GOOD_ORDER], "NextToken": "n", "inventorySummaries": [], "FinancialEvents": {}}}))
def test_an_answer_that_is_none_is_never_a_page(document: Any) -> None:
    for read in (amazon_orders_v0.read, amazon_inventory.read, amazon_finances_v0.read, amazon_finances_2024.read):
        try:
            page: Page[Any] = read(document)
        except ValueError:
            continue
        assert isinstance(document["payload"], dict)
        assert isinstance(page.next_token, str)
