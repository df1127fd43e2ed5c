"""Amazon's own SDK reads Amazon's sandbox: what arrives through its classes is what the books of the sandbox have."""

import asyncio
import datetime
import sys
from collections import Counter
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import pytest
import pytest_asyncio

from contract.settings import Settings
from fluxgate.process import launched
from tests.support.amazon_sdk import Wanted
from tests.support.processes import ROOT
from tests.support.sandbox import AmazonSandbox, running_amazon

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SIZE = {"events": 230, "sales": 40, "skus": 130, "orders": 230}
HISTORY = datetime.timedelta(days=90)
READ_WITHIN_S = 60.0
ORDERS_WITH_ITEMS = 5
Rows = list[dict[str, Any]]


class Read(NamedTuple):
    """What the SDK has read, and what there is."""

    pages: dict[str, list[dict[str, Any]]]
    books: dict[str, Rows]

    def rows(self, operation: str, *place: str) -> Rows:
        """The rows of all pages of an operation."""
        return list(chain.from_iterable(_at(page, *place) for page in self.pages[operation]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Everything, read once."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("sdk"))
    async with running_amazon(settings) as sandbox:
        await sandbox.control(rate_scale=1_000, **SIZE)
        books = {part: await sandbox.books(part) for part in ("claims", "inventory", "orders", "items")}
        orders = [row["order_id"] for row in books["orders"][-ORDERS_WITH_ITEMS:]]
        return Read(await read_by_sdk(sandbox, orders), books)


async def read_by_sdk(sandbox: AmazonSandbox, orders: list[str]) -> dict[str, Any]:
    """What the SDK prints that it has read."""
    _, client_id, secret = sandbox.settings.amazon_client
    since = datetime.datetime.now(datetime.UTC) - HISTORY
    wanted = Wanted(
        base=sandbox.settings.amazon_at,
        token_url=sandbox.settings.amazon_lwa_at,
        client_id=client_id,
        client_secret=secret,
        refresh_token=await sandbox.refresh_token(),
        marketplace=sandbox.settings.amazon_marketplace,
        since=since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        items_of=orders,
    )
    process = await asyncio.create_subprocess_exec(
        *launched([sys.executable, "-m", "tests.support.amazon_sdk"], "same"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            said, errors = await process.communicate(msgspec.json.encode(wanted))
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, errors.decode()
    return msgspec.json.decode(said)


async def test_every_claim_and_every_sale_arrives_by_the_old_finances(read: Read) -> None:
    lists: Counter[str] = Counter()
    for page in read.pages["listFinancialEvents"]:
        for name, events in page["payload"]["FinancialEvents"].items():
            lists[name] += len(events)
    assert len(read.pages["listFinancialEvents"]) == 3
    assert lists.pop("ShipmentEventList") == SIZE["sales"]
    assert lists == Counter(row["list"] for row in read.books["claims"])
    assert lists.total() == SIZE["events"]


async def test_every_transaction_arrives_by_the_new_finances_with_its_amount(read: Read) -> None:
    told = {
        one["transactionId"]: (one["totalAmount"]["currencyCode"], Decimal(str(one["totalAmount"]["currencyAmount"])))
        for one in read.rows("listTransactions", "payload", "transactions")
        if one["transactionType"] != "Shipment"
    }
    assert told == {row["transaction_id"]: (row["currency"], Decimal(row["amount"])) for row in read.books["claims"]}
    assert len(told) == SIZE["events"]


async def test_every_sku_arrives_with_its_quantities(read: Read) -> None:
    rows = read.rows("getInventorySummaries", "payload", "inventorySummaries")
    told = [(row["sellerSku"], row["totalQuantity"], row["inventoryDetails"]["fulfillableQuantity"]) for row in rows]
    assert told == [(row["sku"], row["total"], row["available"]) for row in read.books["inventory"]]
    assert len(told) == SIZE["skus"]


async def test_every_order_arrives_by_both_versions_with_its_total(read: Read) -> None:
    there = {row["order_id"]: row for row in read.books["orders"]}
    assert len(there) == SIZE["orders"]
    old = {row["AmazonOrderId"]: row for row in read.rows("getOrders", "payload", "Orders")}
    assert {key: (one["OrderStatus"], one.get("OrderTotal", {}).get("Amount")) for key, one in old.items()} == {
        key: (row["status"], row["total"]) for key, row in there.items()
    }
    new = {row["orderId"]: row for row in read.rows("searchOrders", "orders")}
    assert {key: len(one["orderItems"]) for key, one in new.items()} == Counter(
        item["order_id"] for item in read.books["items"]
    )
    assert new.keys() == there.keys()


async def test_the_items_of_an_order_arrive_with_their_prices(read: Read) -> None:
    names = [name for name in read.pages if name.startswith("getOrderItems ")]
    assert len(names) == ORDERS_WITH_ITEMS
    for name in names:
        order_id = name.partition(" ")[2]
        told = [
            (item["OrderItemId"], item["QuantityOrdered"], item.get("ItemPrice", {}).get("Amount"))
            for item in read.rows(name, "payload", "OrderItems")
        ]
        assert told == [
            (item["item_id"], item["ordered"], item["price"])
            for item in read.books["items"]
            if item["order_id"] == order_id
        ]


def _at(page: dict[str, Any], *place: str) -> Any:
    for name in place:
        page = page[name]
    return page
