"""Syncs with Amazon: what they bring, what they read again, and what is told of them."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import lua
from tests.support.amazon_shop import Shop
from tests.support.desk import command
from workers.amazon_parts import ITEMS_OF_ORDERS
from workers.amazon_sync import MARGIN_S, start_sync, sync_status
from workers.service import Replied

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

EVENTS, ORDERS, INVENTORY = "/finances/", "/orders/", "/fba/"
VERSIONS = [("v0", "v0"), ("2026-01-01", "2024-06-19")]
STATUSES = {
    "PENDING": "Pending",
    "PENDING_AVAILABILITY": "PendingAvailability",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
    "UNFULFILLABLE": "Unfulfillable",
}
"""The words of the newer API, and what we keep whatever API is spoken."""
CHANNELS = {"AFN": "FBA", "MFN": "FBM"}


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


async def assert_claims_equal(shop: Shop) -> None:
    """Each event is a claim, and each once, with as much of it as is told by the version that is spoken."""
    is_v0 = shop.desk.settings.amazon_finances_api == "v0"
    rows = await shop.rows("SELECT order_id, amount, currency, created_at FROM amazon_claims WHERE user_id = 'ann'")
    told = ("order_id_v0", "posted_at_v0") if is_v0 else ("order_id", "posted_at")
    expected = Counter(
        (one[told[0]], Decimal(one["amount"]), one["currency"], one[told[1]] and when(one[told[1]]))
        for one in await shop.sandbox.books("claims")
    )
    found = Counter((row["order_id"], row["amount"], row["currency"], row["created_at"]) for row in rows)
    assert found == expected


async def assert_equal(shop: Shop) -> None:
    """Every row of Amazon's is here, and no other."""
    await assert_claims_equal(shop)
    stock = {row["sku"]: row for row in await shop.rows("SELECT * FROM amazon_inventory")}
    of_amazon = {row["sku"]: row for row in await shop.sandbox.books("inventory")}
    assert stock.keys() == of_amazon.keys()
    for sku, told in of_amazon.items():
        row = stock[sku]
        for column in ("available", "reserved", "inbound", "total"):
            assert row[f"quantity_{column}"] == told[column], (sku, column)
        assert (row["asin"], row["fnsku"], row["product_name"]) == tuple(
            told[name] or None for name in ("asin", "fnsku", "name")
        )
        assert (row["condition"], row["warehouse_location"]) == (told["condition"] or None, None)
    is_v0 = shop.desk.settings.amazon_orders_api == "v0"
    orders = {row["order_id"]: row for row in await shop.rows("SELECT * FROM amazon_orders")}
    expected = {row["order_id"]: row for row in await shop.sandbox.books("orders")}
    assert orders.keys() == expected.keys()
    for order_id, told in expected.items():
        row = orders[order_id]
        assert row["status"] == (told["status"] if is_v0 else STATUSES[told["status_2026"]])
        assert (row["purchased_at"], row["last_updated_at"]) == (when(told["purchased_at"]), when(told["updated_at"]))
        assert row["fulfillment_channel"] == CHANNELS[told["channel"]]
        assert (row["total"], row["currency"]) == (money(told["total"]), told["currency"]), order_id
        assert (row["items_shipped"], row["items_unshipped"]) == (told["shipped"], told["unshipped"])


async def test_a_sync_brings_all_that_amazon_has_and_says_so(sellers: Shop) -> None:
    sync_id = await sellers.start()
    begun = await sellers.told()
    assert (begun["status"], begun["progress"], begun["message"]) == ("running", 0, "Connecting to Amazon...")
    assert {result["status"] for result in begun["results"].values()} == {"pending"}
    await sellers.run()
    await assert_equal(sellers)
    told = await sellers.told(sync_id=sync_id)
    assert (told["status"], told["progress"], told["message"]) == ("completed", 100, "Sync completed")
    assert (told["step"], told["totalSteps"], told["error"], told["rateLimit"]) == (5, 5, None, None)
    assert (told["claimsDetected"], told["inventoryCount"], told["ordersProcessed"]) == (37, 150, 250)
    assert (told["totalOrders"], told["isTotalEstimated"], told["estimatedCompletion"]) == (250, False, None)
    assert told["results"]["claims"] == {"count": 37, "status": "success", "error": None}
    marks = await sellers.rows("SELECT DISTINCT is_mock, mock_scenario FROM amazon_claims")
    assert marks == [{"is_mock": True, "mock_scenario": "sandbox"}]


@pytest.mark.parametrize(("orders_api", "finances_api"), VERSIONS)
async def test_whatever_versions_are_spoken_the_rows_are_amazons(
    sellers: Shop, orders_api: str, finances_api: str
) -> None:
    await sellers.sandbox.control(page_max=20, empty_pages=1, last_page="null")
    async with sellers.speaking(amazon_orders_api=orders_api, amazon_finances_api=finances_api) as shop:
        assert (await shop.sync())["status"] == "completed"
        await assert_equal(shop)
        before = await shop.rows("SELECT id, claim_id FROM amazon_claims ORDER BY claim_id")
        assert (await shop.sync())["status"] == "completed"
        await assert_equal(shop)
        assert await shop.rows("SELECT id, claim_id FROM amazon_claims ORDER BY claim_id") == before


async def test_items_are_asked_for_of_the_newest_orders_and_once(sellers: Shop) -> None:
    await sellers.sync()
    newest = "SELECT order_id FROM amazon_orders ORDER BY purchased_at DESC NULLS LAST LIMIT $1"
    wanted = {row["order_id"] for row in await sellers.rows(newest, ITEMS_OF_ORDERS)}
    known = {
        row["order_id"]: msgspec.json.decode(row["items"])
        for row in await sellers.rows("SELECT order_id, items FROM amazon_orders WHERE items IS NOT NULL")
    }
    assert known.keys() == wanted
    for order_id, items in known.items():
        of_amazon = await sellers.sandbox.books("items", order=order_id)
        assert [item["asin"] for item in items] == [item["asin"] for item in of_amazon]
    await sellers.sync()
    asked = [one["path"] for one in await sellers.asked(ORDERS) if one["path"].endswith("/orderItems")]
    assert len(asked) == len(set(asked)) == 2 * ITEMS_OF_ORDERS


async def test_items_of_an_order_that_was_pending_are_asked_for_again(sellers: Shop) -> None:
    await sellers.sync()
    pending = "SELECT order_id FROM amazon_orders WHERE status = 'Pending' AND items IS NOT NULL"
    before = {row["order_id"] for row in await sellers.rows(pending)}
    await sellers.sandbox.advance(orders_changed=20)
    await sellers.sync()
    left = {row["order_id"] for row in await sellers.rows(pending)}
    moved = before - left
    assert moved, before
    for order_id in moved:
        (row,) = await sellers.rows("SELECT items FROM amazon_orders WHERE order_id = $1", order_id)
        of_amazon = await sellers.sandbox.books("items", order=order_id)
        told = [item["price"] for item in msgspec.json.decode(row["items"])]
        assert [None if price is None else Decimal(str(price)) for price in told] == [
            money(item["price"]) for item in of_amazon
        ]


async def test_a_second_sync_reads_only_what_can_have_changed(sellers: Shop) -> None:
    await sellers.sync()
    (first,) = await sellers.rows("SELECT until FROM sync_progress")
    before = len((await sellers.sandbox.journal())["requests"])
    moved = await sellers.sandbox.advance(
        orders_changed=3, orders_new=2, events_new=2, events_late=3, skus_gone=4, skus_changed=2, skus_new=1
    )
    assert moved
    told = await sellers.sync()
    assert told["status"] == "completed"
    await assert_equal(sellers)
    asked = (await sellers.sandbox.journal())["requests"][before:]
    events = [one["query"] for one in asked if one["path"].startswith(EVENTS)]
    orders = [one["query"] for one in asked if one["path"] == "/orders/v0/orders"]
    whole = first["until"].replace(microsecond=0)
    # What is read again is read by itself: claims without a date are told apart by that.
    assert [when(one["PostedAfter"]) for one in events] == [whole - timedelta(days=7), whole]
    assert [when(one["LastUpdatedAfter"]) for one in orders] == [whole - timedelta(minutes=5)]
    assert told["ordersProcessed"] < 250


async def test_claims_are_read_in_windows_that_amazon_takes(sellers: Shop) -> None:
    async with sellers.speaking(amazon_history_days=400) as shop:
        await shop.sync()
    asked = [one["query"] for one in await sellers.asked(EVENTS)]
    windows = sorted({(when(one["PostedAfter"]), when(one["PostedBefore"])) for one in asked})
    assert len(windows) == 3
    assert all(before - after <= timedelta(days=180) for after, before in windows)
    assert [after for after, _ in windows[1:]] == [before for _, before in windows[:-1]]
    assert windows[-1][1] - windows[0][0] == timedelta(days=400)
    await assert_claims_equal(sellers)


async def test_what_amazon_has_no_more_of_is_removed_by_a_whole_pass_alone(sellers: Shop) -> None:
    await sellers.sync()
    await sellers.sandbox.advance(skus_gone=5)
    # Of an inventory that says nothing, nothing is believed.
    await sellers.sandbox.control(denied=["getInventorySummaries"])
    assert (await sellers.sync())["results"]["inventory"]["status"] == "failed"
    assert await sellers.rows("SELECT count(*) FROM amazon_inventory") == [{"count": 150}]
    await sellers.sandbox.control(denied=[])
    assert (await sellers.sync())["inventoryCount"] == 145
    await assert_equal(sellers)


async def test_twenty_starts_at_once_are_one_sync_and_nineteen_conflicts(sellers: Shop) -> None:
    starts = await asyncio.gather(*(sellers.ask(start_sync) for _ in range(20)))
    (begun,) = [data for status, data in starts if status == 200]
    refused = [data for status, data in starts if status == 409]
    assert begun == {
        "syncId": begun["syncId"],
        "message": "Sync started successfully",
        "status": "in_progress",
        "estimatedDuration": "30-60 seconds",
    }
    own = begun["syncId"]
    message = f"Sync already in progress ({own}). Please wait for it to complete or cancel it first."
    conflict = {"message": message, "error": "sync_in_progress", "existingSyncId": own}
    assert refused == [conflict] * 19
    assert await sellers.rows("SELECT count(*) FROM sync_progress") == [{"count": 1}]
    assert await sellers.rows("SELECT count(*) FROM outbox") == [{"count": 1}]


async def test_a_start_that_is_delivered_again_says_the_same(sellers: Shop) -> None:
    own = command("start_sync", {}, user_id="ann")
    first = await start_sync(sellers.desk, own)
    assert isinstance(first, Replied)
    assert await start_sync(sellers.desk, own) == first
    await sellers.run()
    assert await start_sync(sellers.desk, own) == first
    assert await sellers.rows("SELECT count(*) FROM sync_progress") == [{"count": 1}]


async def test_who_has_no_account_syncs_nothing(sellers: Shop) -> None:
    refused = (400, "AMAZON_NOT_CONNECTED")
    assert await sellers.ask(start_sync, "nobody") == refused
    ended = "UPDATE amazon_accounts SET status = 'disconnected', sealed_token = NULL, ended_at = now()"
    await sellers.desk.pool.execute(ended)
    assert await sellers.ask(start_sync) == refused


async def test_the_account_of_the_setting_is_for_who_never_had_one(sellers: Shop) -> None:
    token = await sellers.sandbox.refresh_token()
    await sellers.desk.pool.execute("DELETE FROM amazon_accounts")
    async with sellers.speaking(amazon_refresh_token=token) as shop:
        assert (await shop.sync())["status"] == "completed"
        await assert_equal(shop)
        # There is no row that says how far it was read, but the sync does.
        assert (await shop.sync())["ordersProcessed"] < 250
        assert await shop.ask(start_sync, "nobody") == (400, "AMAZON_NOT_CONNECTED")


async def test_syncs_are_listed_the_newest_first_and_only_ones_own(sellers: Shop) -> None:
    ids = [(await sellers.sync())["syncId"] for _ in range(3)]
    await sellers.connect("bob", "A2OTHER")
    page = await sellers.history(limit=2, offset=1)
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 1)
    assert [sync["syncId"] for sync in page["syncs"]] == [ids[1], ids[0]]
    assert all(sync["duration"] > 0 for sync in page["syncs"])
    assert (await sellers.history("bob"))["syncs"] == []
    assert await sellers.ask(sync_status, "bob", sync_id=ids[0]) == (404, "SYNC_NOT_FOUND")
    assert await sellers.ask(sync_status, "bob") == (200, {"hasActiveSync": False, "lastSync": None})
    status, data = await sellers.ask(sync_status)
    assert (status, data["hasActiveSync"], data["lastSync"]["syncId"]) == (200, False, ids[2])


async def test_a_sync_that_took_long_says_so_of_the_next(sellers: Shop) -> None:
    await sellers.sync()
    await sellers.desk.pool.execute("UPDATE sync_progress SET created_at = completed_at - interval '12 minutes'")
    _, data = await sellers.ask(start_sync)
    assert data["estimatedDuration"] == "about 12 minutes"


async def test_progress_is_told_after_each_step_and_never_goes_back(sellers: Shop) -> None:
    await sellers.sandbox.control(page_max=10)
    async with sellers.desk.redis.pubsub() as heard:  # type: ignore[attr-defined]
        await heard.subscribe(lua.PROGRESS_CHANNEL)
        await heard.get_message(timeout=5)
        last = await sellers.sync()
        news: list[Any] = []
        while not news or news[-1]["sync"]["status"] == "running":
            message = await heard.get_message(timeout=5)
            assert message is not None, news[-1:]
            news.append(msgspec.json.decode(message["data"]))
    assert {one["userId"] for one in news} == {"ann"}
    assert [one["steps"] for one in news] == list(range(len(news)))
    progress = [one["sync"]["progress"] for one in news]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 100)
    assert len(set(progress)) > 20
    messages = [one["sync"]["message"] for one in news]
    assert list(dict.fromkeys(messages)) == [
        "Connecting to Amazon...",
        "Fetching claims...",
        "Fetching inventory data...",
        "Fetching orders...",
        "Fetching items of the newest orders...",
        "Finalizing sync...",
        "Sync completed",
    ]
    assert news[-1]["sync"] == last


async def test_a_sync_ends_before_what_amazon_does_not_tell_yet(sellers: Shop) -> None:
    await sellers.start()
    (row,) = await sellers.rows("SELECT created_at - until AS margin FROM sync_progress")
    assert row["margin"] == timedelta(seconds=MARGIN_S) > timedelta(minutes=2)
