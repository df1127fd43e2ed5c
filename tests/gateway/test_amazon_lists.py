"""Claims, inventory and orders over HTTP: after a real sync each row once, to its owner, and as it was asked for."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.http_sellers import HttpSeller, Market, open_market, refusal
from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

LISTS = {"claims": "claimId", "inventory": "sku", "orders": "orderId"}
EVENTS, SKUS, ORDERS = 20, 23, 30


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def market(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Market]:
    async with open_market(servers, tmp_path_factory.mktemp("amazon")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(market: Market) -> HttpSeller:
    """A seller whose account has been synced."""
    await market.sandbox.control(rate_scale=10_000.0, events=EVENTS, sales=5, skus=SKUS, orders=ORDERS)
    seller = await market.seller()
    await seller.connect()
    await seller.sync()
    return seller


async def everything(seller: HttpSeller, of: str, limit: int, **wanted: Any) -> list[dict[str, Any]]:
    """All rows, page by page."""
    rows: list[dict[str, Any]] = []
    page = await seller.data(f"/{of}", limit=limit, **wanted)
    while True:
        assert page["limit"] == limit
        rows += page[of]
        assert len(rows) <= page["total"]
        if page["nextCursor"] is None:
            assert len(rows) == page["total"]
            return rows
        page = await seller.data(f"/{of}", limit=limit, cursor=page["nextCursor"], **wanted)


@pytest.mark.parametrize("of", LISTS)
async def test_what_was_synced_is_read_page_by_page_each_row_once(ann: HttpSeller, of: str) -> None:
    rows = await everything(ann, of, 7)
    own = [row[LISTS[of]] for row in rows]
    assert len(own) == len(set(own))
    books = await ann.market.sandbox.books(of)
    assert len(own) == len(books)
    assert len(own) > 7
    assert rows == await everything(ann, of, 100)
    assert all(row["isMock"] for row in rows)


async def test_orders_are_as_amazon_tells_them(ann: HttpSeller) -> None:
    rows = {row["orderId"]: row for row in await everything(ann, "orders", 50)}
    assert rows.keys() == {book["order_id"] for book in await ann.market.sandbox.books("orders")}
    dates = [row["purchaseDate"] for row in rows.values()]
    assert dates == sorted(dates, reverse=True)


async def test_a_filter_chooses_among_them(ann: HttpSeller) -> None:
    stock = await everything(ann, "inventory", 100)
    one = stock[3]
    assert await everything(ann, "inventory", 100, sku=one["sku"]) == [one]
    assert one in await everything(ann, "inventory", 100, asin=one["asin"])
    there = await everything(ann, "inventory", 5, inStock="true")
    assert there == [row for row in stock if (row["quantityAvailable"] or 0) > 0]
    orders = await everything(ann, "orders", 100)
    middle = orders[len(orders) // 2]["purchaseDate"]
    assert await everything(ann, "orders", 4, after=middle) == [row for row in orders if row["purchaseDate"] >= middle]
    assert await everything(ann, "orders", 4, before=middle) == [row for row in orders if row["purchaseDate"] < middle]
    status = orders[0]["status"]
    assert await everything(ann, "orders", 3, status=status) == [row for row in orders if row["status"] == status]
    claims = await everything(ann, "claims", 100)
    kind = claims[0]["type"]
    assert await everything(ann, "claims", 3, type=kind) == [row for row in claims if row["type"] == kind]


@pytest.mark.parametrize("of", LISTS)
async def test_nobody_sees_the_rows_of_somebody_else(ann: HttpSeller, of: str) -> None:
    eve = await ann.market.seller()
    cursor = (await ann.data(f"/{of}", limit=1))["nextCursor"]
    for query in ({}, {"cursor": cursor}, {"userId": ann.user_id}, {"user_id": ann.user_id}):
        page = await eve.data(f"/{of}", **query)
        assert page == {of: [], "total": 0, "limit": 50, "nextCursor": None}


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("/claims", {"limit": "0"}, "limit"),
        ("/claims", {"limit": "101"}, "limit"),
        ("/orders", {"limit": "ten"}, "limit"),
        ("/claims", {"status": "lost"}, "status"),
        ("/claims", {"type": "x" * 256}, "type"),
        ("/claims", {"type": "a\0b"}, "type"),
        ("/claims", {"after": "yesterday"}, "after"),
        ("/claims", {"after": "2026-11-27"}, "after"),
        ("/claims", {"before": "2026-11-27T08:00:00"}, "before"),
        ("/orders", {"after": "0001-01-01T00:00:00+14:00"}, "after"),
        ("/inventory", {"inStock": "maybe"}, "inStock"),
        ("/inventory", {"sku": "\0"}, "sku"),
        ("/claims", {"cursor": "!"}, "cursor"),
        ("/claims", {"cursor": "AAAA"}, "cursor"),
        ("/claims", {"cursor": "x" * 1537}, "cursor"),
        ("/orders", {f"name{number}": "1" for number in range(30)}, "fields"),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_with_a_sentence_about_it(
    ann: HttpSeller, path: str, query: dict[str, str], named: str
) -> None:
    reply = await ann.get(path, **query)
    assert refusal(reply, 400) in ("bad_request", "cursor_unknown")
    assert named in reply.json()["message"]


async def test_a_cursor_of_another_list_is_refused(ann: HttpSeller) -> None:
    cursor = (await ann.data("/orders", limit=1))["nextCursor"]
    assert refusal(await ann.get("/claims", cursor=cursor), 400) == "cursor_unknown"


async def test_what_is_empty_or_unknown_is_passed_over(ann: HttpSeller) -> None:
    page = await ann.data("/orders", limit=2)
    assert await ann.data("/orders", limit=2, cursor="", status="", colour="blue") == page
