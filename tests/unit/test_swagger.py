"""The reader of Swagger 2.0: what breaks one of Amazon's documents is found, what keeps it is left in peace."""

import copy
import json
from typing import Any

import pytest

from tests.support.swagger import Models, amazon_models, path_values

ORDERS = "/orders/v0/orders"
ITEMS = "/orders/v0/orders/902-3159896-1390916/orderItems"
ORDERS_2026 = "/orders/2026-01-01/orders"
INVENTORY = "/fba/inventory/v1/summaries"
EVENTS = "/finances/v0/financialEvents"
TRANSACTIONS = "/finances/2024-06-19/transactions"

ORDER = {
    "AmazonOrderId": "902-3159896-1390916",
    "LastUpdateDate": "2026-11-01T00:00:00Z",
    "OrderStatus": "Shipped",
    "PurchaseDate": "2026-11-01T00:00:00Z",
    "OrderTotal": {"CurrencyCode": "USD", "Amount": "19.98"},
}
PAGES: dict[str, Any] = {
    ORDERS: {"payload": {"Orders": [ORDER], "NextToken": "t"}},
    INVENTORY: {
        "payload": {
            "granularity": {"granularityType": "Marketplace", "granularityId": "ATVPDKIKX0DER"},
            "inventorySummaries": [{"sellerSku": "a", "totalQuantity": 3, "lastUpdatedTime": "2026-11-01T00:00:00Z"}],
        },
        "pagination": {"nextToken": "t"},
    },
    EVENTS: {
        "payload": {
            "FinancialEvents": {
                "AdjustmentEventList": [
                    {"AdjustmentType": "a", "AdjustmentAmount": {"CurrencyCode": "USD", "CurrencyAmount": 1.5}}
                ]
            }
        }
    },
    TRANSACTIONS: {
        "payload": {
            "transactions": [{"contexts": [{"contextType": "ProductContext", "asin": "B00", "quantityShipped": 1}]}]
        }
    },
    ITEMS: {
        "payload": {
            "AmazonOrderId": "902-3159896-1390916",
            "OrderItems": [{"ASIN": "B00", "OrderItemId": "1", "QuantityOrdered": 2}],
        }
    },
}
GOOD_REQUESTS = [
    (ORDERS, "MarketplaceIds=ATVPDKIKX0DER&LastUpdatedAfter=2026-11-01T00%3A00%3A00Z&MaxResultsPerPage=100"),
    (ITEMS, ""),
    (INVENTORY, "details=true&granularityType=Marketplace&granularityId=A&marketplaceIds=A"),
    (EVENTS, "MaxResultsPerPage=100&PostedAfter=2026-11-01T00:00:00.5Z"),
    (TRANSACTIONS, "postedAfter=2026-11-01T00:00:00%2B01:00"),
    (ORDERS_2026, "lastUpdatedAfter=2026-11-01T00:00:00Z&includedData=BUYER,PROCEEDS"),
]
BAD_REQUESTS = [
    (ORDERS, "CreatedAfter=2026-11-01T00:00:00Z", "MarketplaceIds is required"),
    (ORDERS, "MarketplaceIds=", "MarketplaceIds is empty"),
    (ORDERS, "MarketplaceIds=A&MarketplaceIds=B", "stands there twice"),
    (ORDERS, "MarketplaceIds=A&MaxResultsPerPage=many", "no integer"),
    (ORDERS, "MarketplaceIds=A&marketplaceIds=A", "marketplaceIds is no parameter"),
    (ORDERS, f"MarketplaceIds={','.join('A' * 51)}", "too long"),
    (INVENTORY, "granularityType=Marketplace&granularityId=A&marketplaceIds=A,B", "too long"),
    (INVENTORY, "granularityType=Shop&granularityId=A&marketplaceIds=A", "not one of"),
    (INVENTORY, "granularityType=Marketplace&granularityId=A&marketplaceIds=A&details=True", "no boolean"),
    (EVENTS, "MaxResultsPerPage=500", "greater than the maximum"),
    (EVENTS, "MaxResultsPerPage=0", "less than the minimum"),
    (EVENTS, "PostedAfter=2026-11-01", "not a 'date-time'"),
    (EVENTS, "PostedAfter=2026-13-01T00:00:00Z", "not a 'date-time'"),
    (EVENTS, "MarketplaceIds=A", "no parameter"),
    (ORDERS_2026, "includedData=BUYER,SHOES", "not one of"),
    (ORDERS_2026, "NextToken=a", "no parameter"),
]


@pytest.fixture(scope="module")
def models() -> Models:
    """Amazon's own documents."""
    return amazon_models()


def faults(models: Models, path: str, page: Any, status: int = 200) -> list[str]:
    """What is wrong with a page."""
    return models.find("GET", path).faults_of_answer(status, {}, json.dumps(page).encode())


@pytest.mark.parametrize(("path", "query"), GOOD_REQUESTS)
def test_a_request_as_it_is_described_has_no_fault(models: Models, path: str, query: str) -> None:
    assert models.find("GET", path).faults_of_request(path, query) == []


@pytest.mark.parametrize(("path", "query", "fault"), BAD_REQUESTS)
def test_a_request_that_is_described_otherwise_is_found(models: Models, path: str, query: str, fault: str) -> None:
    found = models.find("GET", path).faults_of_request(path, query)
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_as_it_is_described_has_no_fault(models: Models, path: str) -> None:
    assert faults(models, path, PAGES[path]) == []


@pytest.mark.parametrize(
    ("path", "place", "value", "fault"),
    [
        (ORDERS, "payload.Orders.0.OrderTotal.Amount", 19.98, "not of type 'string'"),
        (ORDERS, "payload.Orders.0.OrderStatus", "Lost", "not one of"),
        (ORDERS, "payload.Orders.0.Amount", "19.98", "Additional properties"),
        (ORDERS, "payload.NextToken", None, "not of type 'string'"),
        (ORDERS, "payload.Orders", {}, "not of type 'array'"),
        (INVENTORY, "payload.inventorySummaries.0.totalQuantity", "3", "not of type 'integer'"),
        (INVENTORY, "payload.inventorySummaries.0.totalQuantity", 3.5, "not of type 'integer'"),
        (INVENTORY, "payload.inventorySummaries.0.lastUpdatedTime", "yesterday", "not a 'date-time'"),
        (INVENTORY, "pagination.nextToken", None, "not of type 'string'"),
        (INVENTORY, "nextToken", "t", "Additional properties"),
        (
            EVENTS,
            "payload.FinancialEvents.AdjustmentEventList.0.AdjustmentAmount.CurrencyAmount",
            "1.5",
            "not of type 'number'",
        ),
        (EVENTS, "payload.FinancialEvents.AdjustmentEvents", [], "Additional properties"),
        (TRANSACTIONS, "payload.transactions.0.contexts.0.quantityShipped", "1", "not of type 'integer'"),
        (TRANSACTIONS, "payload.transactions.0.contexts.0.colour", "red", "Additional properties"),
        (ITEMS, "payload.OrderItems.0.IsGift", True, "not of type 'string'"),
        (ITEMS, "payload.OrderItems.0.QuantityOrdered", "2", "not of type 'integer'"),
    ],
)
def test_a_value_that_is_described_otherwise_is_found(
    models: Models, path: str, place: str, value: Any, fault: str
) -> None:
    page = copy.deepcopy(PAGES[path])
    parent, name = _at(page, place)
    parent[name] = value
    found = faults(models, path, page)
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (ORDERS, "payload.Orders.0.LastUpdateDate"),
        (ORDERS, "payload.Orders.0.OrderStatus"),
        (ORDERS, "payload.Orders.0.PurchaseDate"),
        (ORDERS, "payload.Orders.0.AmazonOrderId"),
        (ORDERS, "payload.Orders"),
        (INVENTORY, "payload.granularity"),
        (INVENTORY, "payload.inventorySummaries"),
        (ITEMS, "payload.AmazonOrderId"),
        (ITEMS, "payload.OrderItems.0.ASIN"),
        (TRANSACTIONS, "payload.transactions.0.contexts.0.contextType"),
    ],
)
def test_a_field_that_is_missing_is_found(models: Models, path: str, place: str) -> None:
    page = copy.deepcopy(PAGES[path])
    parent, name = _at(page, place)
    del parent[name]
    found = faults(models, path, page)
    assert len(found) == 1
    assert f"{name!r} is a required property" in found[0]


def test_an_error_is_held_against_what_its_status_has(models: Models) -> None:
    told = {"errors": [{"code": "QuotaExceeded", "message": "Later.", "details": ""}]}
    for path in (*PAGES, ORDERS_2026):
        assert faults(models, path, told, 429) == []
        assert faults(models, path, {"errors": [{"message": "Later."}]}, 429)
        assert faults(models, path, told, 418) == [f"{models.find('GET', path).id} has no answer 418"]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"payload": NaN}'])
def test_what_is_no_json_is_found(models: Models, body: bytes) -> None:
    (found,) = models.find("GET", EVENTS).faults_of_answer(200, {}, body)
    assert "no JSON" in found


def test_a_header_that_a_status_does_not_have_is_found(models: Models) -> None:
    told = {"X-Amzn-RateLimit-Limit": "0.5", "x-amzn-RequestId": "1", "content-length": "2"}
    operation = models.find("GET", EVENTS)
    assert operation.faults_of_answer(200, told, b"{}") == []
    assert operation.faults_of_answer(429, told, b"{}") == ["x-amzn-ratelimit-limit is no header of 429"]


def test_what_no_document_has_is_not_found(models: Models) -> None:
    for method, path in (("GET", "/orders/v1/orders"), ("POST", ORDERS), ("GET", ORDERS + "/")):
        with pytest.raises(KeyError):
            models.find(method, path)


def test_names_in_a_path_are_read_from_it() -> None:
    assert path_values("/a/{b}/c", "/a/x%2Fy/c") == {"b": "x/y"}
    assert path_values("/a/{b}/c", "/a/x/y/c") is None


def _at(page: Any, place: str) -> tuple[Any, Any]:
    """What holds a place, and its name there."""
    *way, name = place.split(".")
    for step in way:
        page = page[int(step) if step.isdigit() else step]
    return page, name
