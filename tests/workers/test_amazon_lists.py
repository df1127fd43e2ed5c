"""Lists of claims, inventory and orders: each row once, whoever's it is, whatever comes in between and is asked for."""

import base64
import contextlib
import datetime
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.amazon import ClaimFilter
from contract.settings import Settings
from tests.support.desk import open_desk
from tests.support.seller_rows import add_claims, add_orders, add_stock
from tests.support.sellers import ACCOUNTS, Seller, add_seller, problem
from workers.amazon_lists import Place, cursor_of, read_cursor
from workers.service import Desk, Refuse

NOON = datetime.datetime(2026, 11, 27, 12, tzinfo=datetime.UTC)
LISTS = ("claims", "inventory", "orders")
KEYS = {"claims": "claimId", "inventory": "sku", "orders": "orderId"}


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The worker, driven by hand."""
    async with open_desk(settings, ACCOUNTS) as opened:
        yield opened


@pytest.fixture
async def ann(desk: Desk) -> Seller:
    return await add_seller(desk)


@pytest.fixture
async def bob(desk: Desk) -> Seller:
    return await add_seller(desk)


def minutes(count: int) -> datetime.datetime:
    """So many minutes before noon."""
    return NOON - datetime.timedelta(minutes=count)


async def add_rows(seller: Seller, of: str, first: int, count: int) -> list[str]:
    """Rows of a list, newest first; every third has no time, where there is one, and stands at the end."""
    numbers = range(first, first + count)
    if of == "inventory":
        return await add_stock(seller, [{"sku": f"SKU {number:05}"} for number in numbers])
    times = {number: None if number % 3 == 2 else minutes(number // 6) for number in numbers}
    if of == "claims":
        return await add_claims(seller, [{"claim_id": f"c{n:05}", "created_at": at} for n, at in times.items()])
    return await add_orders(seller, [{"order_id": f"o{n:05}", "purchased_at": at} for n, at in times.items()])


async def read(seller: Seller, of: str, **wanted: Any) -> Any:
    """One page."""
    return await seller.data(f"list_{of}", wanted)


async def keys(seller: Seller, of: str, **wanted: Any) -> list[str]:
    """The keys of one page that holds everything."""
    page = await read(seller, of, **wanted)
    assert page["nextCursor"] is None
    assert page["total"] == len(page[of])
    return [row[KEYS[of]] for row in page[of]]


async def test_a_claim_shows_all_that_is_known_of_it_and_money_has_all_of_its_digits(ann: Seller) -> None:
    own = {"claim_id": "c1", "order_id": "114-1", "amount": Decimal("123456789012.34567"), "currency": "JPY"}
    more = {"status": "approved", "type": "Refund", "description": "x\u0001é", "created_at": NOON, "is_mock": True}
    await add_claims(ann, [own | more, {"claim_id": "c2"}])
    reply = await ann.ask("list_claims")
    assert b'"amount":123456789012.34567,' in bytes(reply.data)
    first, second = msgspec.json.decode(reply.data)["claims"]
    assert first.pop("amount") == float(own["amount"])
    assert first.pop("syncedAt").endswith("Z")
    assert first == {
        "claimId": "c1",
        "orderId": "114-1",
        "currency": "JPY",
        "status": "approved",
        "type": "Refund",
        "description": "x\u0001é",
        "createdAt": "2026-11-27T12:00:00Z",
        "isMock": True,
    }
    assert (second["orderId"], second["status"], second["description"], second["createdAt"]) == (None,) * 4


async def test_a_sku_shows_what_is_known_of_it(ann: Seller) -> None:
    await add_stock(ann, [{"sku": "A", "asin": "B01", "quantity_available": 3, "quantity_total": 4}])
    [row] = (await read(ann, "inventory"))["inventory"]
    assert row.pop("syncedAt")
    assert row == {
        "sku": "A",
        "asin": "B01",
        "fnsku": None,
        "productName": None,
        "quantityAvailable": 3,
        "quantityReserved": None,
        "quantityInbound": None,
        "quantityTotal": 4,
        "condition": None,
        "warehouseLocation": None,
        "isMock": False,
    }


async def test_an_order_shows_what_is_known_of_it_and_its_items_where_somebody_has_asked(ann: Seller) -> None:
    items = [{"sku": "A", "quantity": 2, "price": 1.5}]
    own = {"order_id": "o1", "purchased_at": NOON, "total": Decimal("0.1"), "currency": "USD", "items": items}
    await add_orders(ann, [own, {"order_id": "o2"}])
    first, second = (await read(ann, "orders"))["orders"]
    assert first.pop("syncedAt")
    assert first == {
        "orderId": "o1",
        "purchaseDate": "2026-11-27T12:00:00Z",
        "lastUpdateDate": None,
        "status": None,
        "fulfillmentChannel": None,
        "marketplaceId": None,
        "total": 0.1,
        "currency": "USD",
        "itemsShipped": None,
        "itemsUnshipped": None,
        "items": items,
        "isMock": False,
    }
    assert (second["purchaseDate"], second["items"]) == (None, None)


@pytest.mark.parametrize("of", LISTS)
@pytest.mark.parametrize("limit", [1, 7, 40])
async def test_page_after_page_shows_each_row_once_in_one_order_also_while_rows_come(
    ann: Seller, bob: Seller, of: str, limit: int
) -> None:
    there = await add_rows(ann, of, 100, 40)
    await add_rows(bob, of, 100, 40)
    in_one = await keys(ann, of, limit=100)
    assert sorted(in_one) == sorted(there)
    seen: list[str] = []
    later: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await read(ann, of, limit=limit, **cursor)
        seen += [row[KEYS[of]] for row in page[of]]
        assert len(seen) == len(set(seen))
        assert page["limit"] == limit
        if page["nextCursor"] is None:
            break
        assert len(page[of]) == limit
        cursor = {"cursor": page["nextCursor"]}
        if len(seen) < 20:
            # Before all others, and behind them, where a later page shows them.
            await add_rows(ann, of, len(seen), 1)
            later += await add_rows(ann, of, 200 + len(seen), 1)
    assert set(later) <= set(seen)
    assert [key for key in seen if key in set(there)] == in_one


@pytest.mark.parametrize("of", LISTS)
async def test_nobody_sees_what_is_somebody_elses(ann: Seller, bob: Seller, of: str) -> None:
    await add_rows(ann, of, 0, 3)
    cursor = (await read(ann, of, limit=1))["nextCursor"]
    assert await read(bob, of) == {of: [], "total": 0, "limit": 50, "nextCursor": None}
    # A cursor lends no eyes.
    assert (await read(bob, of, cursor=cursor))[of] == []


async def test_claims_are_found_by_type_status_order_and_time(ann: Seller) -> None:
    one = {"claim_id": "c1", "type": "Refund", "status": "approved", "order_id": "114-1", "created_at": minutes(0)}
    two = {"claim_id": "c2", "type": "Refund", "status": "pending", "order_id": "114-2", "created_at": minutes(10)}
    await add_claims(ann, [one, two, {"claim_id": "c3", "type": "Adjustment"}])
    assert await keys(ann, "claims") == ["c1", "c2", "c3"]
    assert await keys(ann, "claims", type="Refund") == ["c1", "c2"]
    assert await keys(ann, "claims", type="Refund", status="pending") == ["c2"]
    assert await keys(ann, "claims", orderId="114-1") == ["c1"]
    assert await keys(ann, "claims", after=minutes(0)) == ["c1"]
    # Of what has no time nobody knows whether it was before.
    assert await keys(ann, "claims", before=minutes(0)) == ["c2"]
    assert await keys(ann, "claims", after=minutes(10), before=minutes(0)) == ["c2"]
    assert await keys(ann, "claims", type="refund") == []


async def test_inventory_is_found_by_sku_asin_and_whether_there_is_any(ann: Seller) -> None:
    known = [("A", "B01", 3), ("B", "B01", 0), ("C", None, None)]
    await add_stock(ann, [{"sku": sku, "asin": asin, "quantity_available": there} for sku, asin, there in known])
    assert await keys(ann, "inventory") == ["A", "B", "C"]
    assert await keys(ann, "inventory", sku="B") == ["B"]
    assert await keys(ann, "inventory", asin="B01") == ["A", "B"]
    assert await keys(ann, "inventory", inStock=True) == ["A"]
    # Of what Amazon has told no number, nobody knows that it is gone.
    assert await keys(ann, "inventory", inStock=False) == ["B"]


async def test_orders_are_found_by_status_channel_and_time(ann: Seller) -> None:
    one = {"order_id": "o1", "status": "Shipped", "fulfillment_channel": "FBA", "purchased_at": minutes(0)}
    two = {"order_id": "o2", "status": "Shipped", "fulfillment_channel": "FBM", "purchased_at": minutes(10)}
    await add_orders(ann, [one, two, {"order_id": "o3", "status": "Pending"}])
    assert await keys(ann, "orders") == ["o1", "o2", "o3"]
    assert await keys(ann, "orders", status="Shipped") == ["o1", "o2"]
    assert await keys(ann, "orders", status="Shipped", channel="FBM") == ["o2"]
    assert await keys(ann, "orders", after=minutes(5)) == ["o1"]
    assert await keys(ann, "orders", before=minutes(5)) == ["o2"]


@pytest.mark.parametrize("of", LISTS)
async def test_a_cursor_of_another_list_is_refused(ann: Seller, of: str) -> None:
    for other in LISTS:
        if other != of:
            await add_rows(ann, other, 0, 2)
            cursor = (await read(ann, other, limit=1))["nextCursor"]
            assert problem(await ann.ask(f"list_{of}", {"cursor": cursor}), 400) == "CURSOR_UNKNOWN"


def broken_cursors() -> Iterator[str]:
    """Texts that look like cursors and are none."""
    yield from ("x", "AAAA", "____")
    strange: list[Any] = [[], ["claims"], ["claims", ""], ["claims", "c\0"], ["claims", 1], ["claims", "c" * 256]]
    strange += [["claims", "c", "2026-11-27T12:00:00"], ["claims", "c", None, 1], ["carts", "c"], {"of": "claims"}]
    for document in strange:
        yield base64.urlsafe_b64encode(msgspec.msgpack.encode(document)).rstrip(b"=").decode()


@pytest.mark.parametrize("cursor", [*broken_cursors()])
async def test_a_cursor_that_is_none_is_refused(ann: Seller, cursor: str) -> None:
    assert problem(await ann.ask("list_claims", {"cursor": cursor}), 400) == "CURSOR_UNKNOWN"


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255)
times = st.none() | st.datetimes(timezones=st.just(datetime.UTC))


@given(st.sampled_from(LISTS), texts, times)
def test_whatever_row_a_page_ends_with_the_next_one_begins_behind_it(
    of: Any, key: str, at: datetime.datetime | None
) -> None:
    cursor = cursor_of(Place(of, key, at))
    # It passes where it is looked at first.
    assert msgspec.convert({"cursor": cursor}, ClaimFilter, strict=False).cursor == cursor
    assert read_cursor(of, cursor) == Place(of, key, at)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_whatever_is_sent_for_a_cursor_is_a_row_or_refused(text: str) -> None:
    place = None
    with contextlib.suppress(Refuse):
        place = read_cursor("claims", text)
    if place is not None:
        assert (place.of, "\0" in place.key) == ("claims", False)
        assert place.at is None or place.at.tzinfo is not None


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
async def test_the_ends_of_time_are_times_like_others(ann: Seller, instant: str) -> None:
    await add_claims(ann, [{"claim_id": "c1", "created_at": NOON}])
    is_early = instant.startswith("0001")
    assert await keys(ann, "claims", after=instant) == (["c1"] if is_early else [])
    assert await keys(ann, "claims", before=instant) == ([] if is_early else ["c1"])
    cursor = cursor_of(Place("claims", "c2", datetime.datetime.fromisoformat(instant)))
    assert [row["claimId"] for row in (await read(ann, "claims", cursor=cursor))["claims"]] == (
        [] if is_early else ["c1"]
    )


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-27T12:00:00"])
async def test_what_is_no_instant_is_refused(ann: Seller, instant: str) -> None:
    assert problem(await ann.ask("list_claims", {"after": instant}), 400) == "BAD_REQUEST"
