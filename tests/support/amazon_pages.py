"""Reading Amazon's sandbox page by page, as a client that knows nothing of the project's own would."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contract.settings import Settings
from tests.support.http import Response
from tests.support.sandbox import AmazonSandbox

MARKETPLACE = Settings().amazon_marketplace
DAY_S = 86_400
# A sound reading of a few hundred rows has far fewer pages, also of one row each.
PAGES_MAX = 500


def ago(seconds: float) -> str:
    """The moment so many seconds ago, as Amazon takes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))


@dataclass(frozen=True)
class Kind:
    """An operation that gives pages: where, what has to be asked, and where rows and tokens are."""

    path: str
    query: Mapping[str, str]
    token_name: str
    rows: Callable[[Any], list[Any]]
    token: Callable[[Any], str | None]
    # What tells one row from another.
    row_id: Callable[[Any], str]


def _events(document: Any) -> list[Any]:
    lists = document["payload"]["FinancialEvents"]
    return [{"list": name, **event} for name, events in lists.items() for event in events]


EVENTS = Kind(
    "/finances/v0/financialEvents",
    {"PostedAfter": ago(90 * DAY_S)},
    "NextToken",
    _events,
    lambda document: document["payload"].get("NextToken"),
    str,
)
TRANSACTIONS = Kind(
    "/finances/2024-06-19/transactions",
    {"postedAfter": ago(90 * DAY_S)},
    "nextToken",
    lambda document: document["payload"]["transactions"],
    lambda document: document["payload"].get("nextToken"),
    lambda row: row["transactionId"],
)
INVENTORY = Kind(
    "/fba/inventory/v1/summaries",
    {
        "granularityType": "Marketplace",
        "granularityId": MARKETPLACE,
        "marketplaceIds": MARKETPLACE,
        "details": "true",
    },
    "nextToken",
    lambda document: document["payload"]["inventorySummaries"],
    lambda document: document.get("pagination", {}).get("nextToken"),
    lambda row: row["sellerSku"],
)
ORDERS = Kind(
    "/orders/v0/orders",
    {"MarketplaceIds": MARKETPLACE, "LastUpdatedAfter": ago(90 * DAY_S)},
    "NextToken",
    lambda document: document["payload"]["Orders"],
    lambda document: document["payload"].get("NextToken"),
    lambda row: row["AmazonOrderId"],
)
ORDERS_2026 = Kind(
    "/orders/2026-01-01/orders",
    {"lastUpdatedAfter": ago(90 * DAY_S), "includedData": "PROCEEDS,FULFILLMENT"},
    "paginationToken",
    lambda document: document["orders"],
    lambda document: document.get("pagination", {}).get("nextToken"),
    lambda row: row["orderId"],
)
KINDS = {
    "events": EVENTS,
    "transactions": TRANSACTIONS,
    "inventory": INVENTORY,
    "orders": ORDERS,
    "orders 2026": ORDERS_2026,
}


@dataclass(frozen=True)
class Reader:
    """A client that has an access token."""

    sandbox: AmazonSandbox
    token: str

    async def ask(self, kind: Kind, **more: Any) -> Response:
        """One page; what is None is left out."""
        asked = {name: value for name, value in {**kind.query, **more}.items() if value is not None}
        return await self.sandbox.get(kind.path, self.token, **asked)

    async def page(self, kind: Kind, token: str = "", **more: Any) -> Any:
        """One page that has to come."""
        reply = await self.ask(kind, **more, **({kind.token_name: token} if token else {}))
        assert reply.status == 200, reply.body
        return reply.json()

    async def pages(self, kind: Kind, **more: Any) -> AsyncIterator[Any]:
        """All pages, until one has no token."""
        token = ""
        for _ in range(PAGES_MAX):
            document = await self.page(kind, token, **more)
            yield document
            token = kind.token(document) or ""
            if not token:
                return
        raise AssertionError(f"{kind.path} has more than {PAGES_MAX} pages.")

    async def rows(self, kind: Kind, **more: Any) -> list[Any]:
        """The rows of all pages."""
        return [row async for document in self.pages(kind, **more) for row in kind.rows(document)]
