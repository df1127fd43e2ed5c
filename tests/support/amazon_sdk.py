"""Reads an account with Amazon's own SDK, as a process that is told in JSON what to read.

A process of its own, because the SDK sets the log of whoever imports it. Each page goes through the SDK's classes and
back into JSON, so what the SDK did not understand is missing in what this prints: pages and rows of each operation.
"""

import sys
from collections.abc import Callable
from typing import Any

import msgspec
from spapi import (
    FbaInventoryApi,
    FinancesV0Api,
    FinancesV2024Api,
    OrdersV0Api,
    SearchOrdersApi,
    SPAPIClient,
    SPAPIConfig,
)

PAGES_MAX = 200
Document = dict[str, Any]
Fetch = Callable[..., Any]


class Wanted(msgspec.Struct):
    """Where to read, as whom, and since when; `items_of` are orders."""

    base: str
    token_url: str
    client_id: str
    client_secret: str
    refresh_token: str
    marketplace: str
    since: str
    items_of: list[str]


def main() -> None:
    """Read everything and print it."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Wanted)
    config = SPAPIConfig(wanted.client_id, wanted.client_secret, wanted.refresh_token)
    client: Any = SPAPIClient(config, wanted.token_url, wanted.base).api_client
    sys.stdout.buffer.write(msgspec.json.encode(read_all(client, wanted)))


def read_all(client: Any, wanted: Wanted) -> Document:
    """The pages of each operation, by its name."""
    orders, since = OrdersV0Api(client), wanted.since
    places = [wanted.marketplace]
    # The SDK writes True where it is given a bool, which Amazon's own model does not know.
    stock = {"granularity_type": "Marketplace", "granularity_id": wanted.marketplace, "details": "true"}
    calls: dict[str, tuple[Fetch, Document, str, tuple[str, ...]]] = {
        "listFinancialEvents": (
            FinancesV0Api(client).list_financial_events,
            {"posted_after": since},
            "next_token",
            ("payload", "NextToken"),
        ),
        "listTransactions": (
            FinancesV2024Api(client).list_transactions,
            {"posted_after": since},
            "next_token",
            ("payload", "nextToken"),
        ),
        "getInventorySummaries": (
            FbaInventoryApi(client).get_inventory_summaries,
            stock | {"marketplace_ids": places},
            "next_token",
            ("pagination", "nextToken"),
        ),
        "getOrders": (
            orders.get_orders,
            {"marketplace_ids": places, "last_updated_after": since},
            "next_token",
            ("payload", "NextToken"),
        ),
        "searchOrders": (
            SearchOrdersApi(client).search_orders,
            {"marketplace_ids": places, "last_updated_after": since},
            "pagination_token",
            ("pagination", "nextToken"),
        ),
    } | {
        f"getOrderItems {order_id}": (
            orders.get_order_items,
            {"order_id": order_id},
            "next_token",
            ("payload", "NextToken"),
        )
        for order_id in wanted.items_of
    }
    return {name: pages_of(client, *call) for name, call in calls.items()}


def pages_of(client: Any, fetch: Fetch, asked: Document, token_name: str, token_at: tuple[str, ...]) -> list[Document]:
    """Every page of an operation, as the SDK has understood it."""
    pages: list[Document] = []
    more: Document = {}
    while len(pages) < PAGES_MAX:
        page = client.sanitize_for_serialization(fetch(**asked, **more))
        pages.append(page)
        token: Any = page
        for name in token_at:
            token = (token or {}).get(name)
        if not token:
            return pages
        more = {token_name: token}
    raise SystemExit(f"There are more than {PAGES_MAX} pages.")


if __name__ == "__main__":
    main()
