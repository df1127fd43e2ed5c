"""Amazon's sandbox held against Amazon's own models: whatever it answers, they allow."""

import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from contract.settings import Settings
from tests.support.http import Response
from tests.support.sandbox import AmazonSandbox, running_amazon
from tests.support.swagger import amazon_models

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE = {"events": 230, "sales": 40, "skus": 130, "orders": 230}
PAGES_MAX = 20
ONE_AT_ALL = {"per_s": 0.001, "burst": 1}
AFTER = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
MARKETPLACE = Settings().amazon_marketplace


class Kind(NamedTuple):
    """An operation: its name, how it is asked, what the parameter of the next page is called, and how many pages it
    has, where that is known."""

    operation: str
    path: str
    query: Mapping[str, str] = {}
    token_name: str = ""
    pages: int = 1


STOCK = {"granularityType": "Marketplace", "granularityId": MARKETPLACE, "marketplaceIds": MARKETPLACE}
INCLUDED = "BUYER,RECIPIENT,PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES,TAX,PAYMENT,FULFILLMENT_ORDERS"
SINCE = {"MarketplaceIds": MARKETPLACE, "LastUpdatedAfter": AFTER}
KINDS = (
    Kind("listFinancialEvents", "/finances/v0/financialEvents", {"PostedAfter": AFTER}, "NextToken", 3),
    Kind("listTransactions", "/finances/2024-06-19/transactions", {"postedAfter": AFTER}, "nextToken", 3),
    Kind("getInventorySummaries", "/fba/inventory/v1/summaries", STOCK | {"details": "true"}, "nextToken", 3),
    Kind("getInventorySummaries", "/fba/inventory/v1/summaries", STOCK, "nextToken", 3),
    Kind("getOrders", "/orders/v0/orders", SINCE, "NextToken", 3),
    Kind("getOrder", "/orders/v0/orders/{order}"),
    Kind("getOrderItems", "/orders/v0/orders/{order}/orderItems", {}, "NextToken"),
    Kind("searchOrders", "/orders/2026-01-01/orders", {"lastUpdatedAfter": AFTER}, "paginationToken", 3),
    Kind(
        "searchOrders",
        "/orders/2026-01-01/orders",
        {"createdAfter": AFTER, "includedData": INCLUDED},
        "paginationToken",
        3,
    ),
    Kind("getOrder", "/orders/2026-01-01/orders/{order}", {"includedData": INCLUDED}),
)
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.path} {'+'.join(kind.query)}")


class Scene(NamedTuple):
    """A sandbox, and whoever may ask it."""

    sandbox: AmazonSandbox
    token: str

    async def ask(self, kind: Kind, order: str = "", token: str | None = None, **more: str) -> Response:
        """A request of one kind, which the models must allow, and its answer, which they must allow too."""
        path = kind.path.replace("{order}", order or await self.order())
        query = {**kind.query, **more}
        answer = await self.sandbox.get(path, self.token if token is None else token, **query)
        operation = amazon_models().find("GET", path)
        assert operation.id == kind.operation
        assert operation.faults_of_request(path, urlencode(query)) == []
        assert operation.faults_of_answer(answer.status, answer.headers, answer.body) == []
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-amzn-requestid"]
        return answer

    async def order(self) -> str:
        """The id of an order."""
        return (await self.sandbox.books("orders"))[0]["order_id"]

    async def pages(self, kind: Kind) -> list[Any]:
        """All pages of a kind."""
        pages: list[Any] = []
        more: dict[str, str] = {}
        while len(pages) < PAGES_MAX:
            answer = await self.ask(kind, **more)
            assert answer.status == 200, answer
            assert "x-amzn-ratelimit-limit" in answer.headers
            page = answer.json()
            pages.append(page)
            found = page.get("pagination", page.get("payload", {}))
            token = found.get("NextToken") or found.get("nextToken")
            if not token:
                return pages
            more = {kind.token_name: token}
        raise AssertionError(f"there are more than {PAGES_MAX} pages")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AmazonSandbox]:
    """One process for all tests here."""
    async with running_amazon(Settings(data_dir=tmp_path_factory.mktemp("models"))) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def scene(running_sandbox: AmazonSandbox) -> Scene:
    """The sandbox as it was at first, but for its size and its rates."""
    await running_sandbox.reset()
    await running_sandbox.control(rate_scale=10_000, **SIZE)
    return Scene(running_sandbox, await running_sandbox.access_token())


@EVERY_KIND
async def test_every_page_is_as_the_models_say(scene: Scene, kind: Kind) -> None:
    pages = await scene.pages(kind)
    assert len(pages) == kind.pages


@EVERY_KIND
async def test_an_account_without_anything_is_answered_as_the_models_say(scene: Scene, kind: Kind) -> None:
    order = await scene.order()
    await scene.sandbox.control(events=0, sales=0, skus=0, orders=0)
    answer = await scene.ask(kind, order)
    assert answer.status == (404 if "{order}" in kind.path else 200)


@pytest.mark.slow
async def test_every_kind_of_order_and_of_event_is_among_the_pages(scene: Scene) -> None:
    pages = {kind.operation: await scene.pages(kind) for kind in KINDS if kind.pages > 1}
    statuses = {order["OrderStatus"] for page in pages["getOrders"] for order in page["payload"]["Orders"]}
    assert {"Pending", "Unshipped", "PartiallyShipped", "Shipped", "Canceled"} <= statuses
    lists = {name for page in pages["listFinancialEvents"] for name in page["payload"]["FinancialEvents"]}
    assert {"AdjustmentEventList", "RefundEventList", "ServiceFeeEventList", "ShipmentEventList"} <= lists
    assert len(lists) >= 10


async def test_the_items_of_every_kind_of_order_are_as_the_models_say(scene: Scene) -> None:
    orders = {row["status"]: row["order_id"] for row in await scene.sandbox.books("orders")}
    assert len(orders) >= 5
    for kind in KINDS:
        if "{order}" in kind.path:
            for order in orders.values():
                assert (await scene.ask(kind, order)).status == 200


@EVERY_KIND
async def test_without_a_token_it_refuses_as_the_models_say(scene: Scene, kind: Kind) -> None:
    order = await scene.order()
    for token in ("", "Atza|nobody"):
        answer = await scene.ask(kind, order, token=token)
        assert answer.status == 403
        assert "x-amzn-ratelimit-limit" not in answer.headers
    await scene.sandbox.expire()
    expired = await scene.ask(kind, order)
    assert (expired.status, expired.json()["errors"][0]["details"]) == (
        403,
        "The access token you provided has expired.",
    )


@EVERY_KIND
async def test_a_request_that_is_wrong_is_refused_as_the_models_say(scene: Scene, kind: Kind) -> None:
    if kind.token_name:
        answer = await scene.ask(kind, **{kind.token_name: "no-token"})
        assert (answer.status, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")
    else:
        answer = await scene.ask(kind, "111-1111111-1111111")
        assert (answer.status, answer.json()["errors"][0]["code"]) == (404, "NotFound")


@EVERY_KIND
async def test_who_asks_too_often_is_refused_as_the_models_say(scene: Scene, kind: Kind) -> None:
    order = await scene.order()
    names = ("getOrder2026", *(kind.operation for kind in KINDS))
    await scene.sandbox.control(rate_scale=1, rates=dict.fromkeys(names, ONE_AT_ALL))
    assert (await scene.ask(kind, order)).status == 200
    refused = await scene.ask(kind, order)
    assert refused.status == 429
    assert refused.json()["errors"][0]["code"] == "QuotaExceeded"
    assert not {"x-amzn-ratelimit-limit", "retry-after"} & refused.headers.keys()


@EVERY_KIND
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
async def test_a_fault_that_is_told_to_happen_is_as_the_models_say(scene: Scene, kind: Kind, status: int) -> None:
    order = await scene.order()
    await scene.sandbox.control(faults=[{"match": "GET *", "status": status}])
    assert (await scene.ask(kind, order)).status == status
