"""What Amazon's sandbox refuses, and what it answers with nothing: the rules that stand in prose only."""

from typing import Any

import pytest

from tests.support.amazon_pages import (
    DAY_S,
    EVENTS,
    INVENTORY,
    KINDS,
    MARKETPLACE,
    ORDERS,
    ORDERS_2026,
    TRANSACTIONS,
    Kind,
    Reader,
    ago,
)
from tests.support.sandbox import AmazonSandbox


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (EVENTS, {"MaxResultsPerPage": 0}),
        (EVENTS, {"MaxResultsPerPage": 101}),
        (EVENTS, {"PostedAfter": "yesterday"}),
        (EVENTS, {"PostedAfter": "2026-01-01T00:00:00"}),
        (EVENTS, {"PostedAfter": None, "PostedBefore": 300.0}),
        # A number with a point is so many seconds ago.
        (EVENTS, {"PostedBefore": 110.0}),
        (EVENTS, {"PostedAfter": 400.0, "PostedBefore": 500.0}),
        (EVENTS, {"NextToken": "made-up"}),
        (TRANSACTIONS, {"postedAfter": None}),
        (TRANSACTIONS, {"postedBefore": 60.0}),
        (TRANSACTIONS, {"transactionStatus": "PAID"}),
        (TRANSACTIONS, {"relatedIdentifierName": "ORDER_ID"}),
        (INVENTORY, {"granularityType": None}),
        (INVENTORY, {"granularityType": "Warehouse"}),
        (INVENTORY, {"granularityId": None}),
        (INVENTORY, {"marketplaceIds": None}),
        (INVENTORY, {"marketplaceIds": f"{MARKETPLACE},A2EUQ1WTGCTBG2"}),
        (INVENTORY, {"marketplaceIds": [MARKETPLACE, "A2EUQ1WTGCTBG2"]}),
        (INVENTORY, {"details": "True"}),
        (INVENTORY, {"sellerSkus": ",".join(f"s{number}" for number in range(51))}),
        (ORDERS, {"MarketplaceIds": None}),
        (ORDERS, {"MarketplaceIds": [f"M{number}" for number in range(51)]}),
        (ORDERS, {"LastUpdatedAfter": None}),
        (ORDERS, {"CreatedAfter": float(DAY_S)}),
        (ORDERS, {"CreatedBefore": float(DAY_S)}),
        (ORDERS, {"LastUpdatedBefore": -float(DAY_S)}),
        (ORDERS, {"MaxResultsPerPage": "many"}),
        (ORDERS_2026, {"lastUpdatedAfter": None}),
        (ORDERS_2026, {"createdAfter": float(DAY_S)}),
        (ORDERS_2026, {"lastUpdatedBefore": 30.0}),
        (ORDERS_2026, {"includedData": "EVERYTHING"}),
        (ORDERS_2026, {"paginationToken": "made-up"}),
    ],
)
async def test_a_request_that_breaks_a_rule_is_refused(reader: Reader, kind: Kind, change: dict[str, Any]) -> None:
    given = {name: ago(value) if isinstance(value, float) else value for name, value in change.items()}
    reply = await reader.ask(kind, **given)
    assert reply.status == 400
    (error,) = reply.json()["errors"]
    assert error["code"] == "InvalidInput"
    assert error["message"].endswith(".")


@pytest.mark.parametrize(
    ("kind", "days"),
    [(EVENTS, {"PostedAfter": 181, "PostedBefore": 0.5}), (TRANSACTIONS, {"postedAfter": 181, "postedBefore": 0.5})],
)
async def test_more_than_180_days_of_money_are_answered_with_nothing(
    reader: Reader, kind: Kind, days: dict[str, float]
) -> None:
    assert await reader.rows(kind, **{name: ago(count * DAY_S) for name, count in days.items()}) == []
    fewer = {name: ago(min(count, 180) * DAY_S) for name, count in days.items()}
    assert await reader.rows(kind, **fewer) != []


async def test_two_minutes_ago_is_late_enough(reader: Reader) -> None:
    assert (await reader.ask(EVENTS, PostedBefore=ago(121))).status == 200
    assert (await reader.ask(ORDERS, LastUpdatedBefore=ago(121))).status == 200
    assert (await reader.ask(ORDERS_2026, lastUpdatedBefore=ago(121))).status == 200


async def test_a_window_has_its_beginning_and_not_its_end(reader: Reader) -> None:
    moments = sorted({row["LastUpdateDate"] for row in await reader.rows(ORDERS)})
    first, second, third = moments[100:103]
    found = await reader.rows(ORDERS, LastUpdatedAfter=first, LastUpdatedBefore=third)
    assert {row["LastUpdateDate"] for row in found} == {first, second}
    found = await reader.rows(EVENTS, PostedAfter=first, PostedBefore=third)
    assert all(first <= row.get("PostedDate", first) < third for row in found)


async def test_orders_are_found_by_when_they_were_made_too(reader: Reader) -> None:
    made = sorted(row["PurchaseDate"] for row in await reader.rows(ORDERS))
    v0 = await reader.rows(ORDERS, LastUpdatedAfter=None, CreatedAfter=made[200])
    assert [row["PurchaseDate"] for row in v0] == made[200:]
    told = await reader.rows(ORDERS_2026, lastUpdatedAfter=None, createdAfter=made[200])
    assert [row["createdTime"] for row in told] == made[200:]


async def test_another_marketplace_has_nothing(reader: Reader) -> None:
    other = "A2EUQ1WTGCTBG2"
    assert await reader.rows(ORDERS, MarketplaceIds=other) == []
    assert await reader.rows(ORDERS_2026, marketplaceIds=other) == []
    assert await reader.rows(INVENTORY, marketplaceIds=other) == []
    assert len(await reader.rows(ORDERS, MarketplaceIds=[other, MARKETPLACE])) == 250


async def test_quantities_are_told_to_those_who_ask_for_details(reader: Reader) -> None:
    rows = await reader.rows(INVENTORY, details=None)
    assert len(rows) == 150
    assert not any("inventoryDetails" in row for row in rows)
    assert all("inventoryDetails" in row for row in await reader.rows(INVENTORY))


async def test_filters_leave_out_what_does_not_pass(reader: Reader) -> None:
    rows = await reader.rows(ORDERS, OrderStatuses="Pending,Unshipped", FulfillmentChannels=["AFN", "MFN"])
    assert {row["OrderStatus"] for row in rows} == {"Pending", "Unshipped"}
    told = await reader.rows(ORDERS_2026, fulfillmentStatuses=["PENDING", "UNSHIPPED"], fulfilledBy="AMAZON,MERCHANT")
    assert {row["fulfillment"]["fulfillmentStatus"] for row in told} == {"PENDING", "UNSHIPPED"}
    order_id = rows[0]["AmazonOrderId"]
    assert [row["AmazonOrderId"] for row in await reader.rows(ORDERS, AmazonOrderIds=order_id)] == [order_id]
    assert [row["sellerSku"] for row in await reader.rows(INVENTORY, sellerSkus="SKU-000003")] == ["SKU-000003"]
    deferred = await reader.rows(TRANSACTIONS, transactionStatus="DEFERRED")
    assert {row["transactionStatus"] for row in deferred} == {"DEFERRED"}


async def test_what_was_not_asked_for_is_not_included(reader: Reader) -> None:
    rows = await reader.rows(ORDERS_2026, includedData=None)
    assert len(rows) == 250
    assert not any({"proceeds", "fulfillment"} & row.keys() for row in rows)
    assert not any({"proceeds", "fulfillment"} & item.keys() for row in rows for item in row["orderItems"])


async def test_an_order_that_does_not_exist_is_not_found(reader: Reader) -> None:
    for path in ("/orders/v0/orders/{}", "/orders/v0/orders/{}/orderItems", "/orders/2026-01-01/orders/{}"):
        for order_id in ("111-1111111-1111111", "nonsense"):
            reply = await reader.sandbox.get(path.format(order_id), reader.token)
            assert (reply.status, reply.json()["errors"][0]["code"]) == (404, "NotFound")


@pytest.mark.parametrize("name", KINDS)
async def test_a_token_is_good_for_the_same_request_only(reader: Reader, name: str) -> None:
    await reader.sandbox.control(page_max=10)
    kind = KINDS[name]
    token = kind.token(await reader.page(kind)) or ""
    changed = {name: ago(80 * DAY_S) for name in kind.query if name.endswith("After")} or {"details": "false"}
    reply = await reader.ask(kind, **changed, **{kind.token_name: token})
    assert (reply.status, reply.json()["errors"][0]["code"]) == (400, "InvalidInput")
    assert (await reader.ask(kind, **{kind.token_name: token})).status == 200
    stranger = Reader(reader.sandbox, await reader.sandbox.access_token("ASTRANGER"))
    assert (await stranger.ask(kind, **{kind.token_name: token})).status == 400


async def test_what_is_not_there_is_said_so(amazon: AmazonSandbox) -> None:
    for method, path, status in (("GET", "/orders/v1/orders", 404), ("POST", "/orders/v0/orders", 405)):
        reply = await amazon.ask(method, path)
        assert reply.status == status
        assert reply.json()["errors"][0]["message"] == "There is nothing at this address."
    assert (await amazon.ask("GET", "/livez")).json() == {"status": "ok"}
