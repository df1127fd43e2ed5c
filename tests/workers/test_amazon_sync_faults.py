"""Syncs with Amazon under faults: of Amazon, of whoever is at them, and of those who have let us in."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contract.bus import decode_command
from tests.support.amazon_faults import OLDER, counts, failing, reaper, row
from tests.support.amazon_shop import SELLER, Shop
from workers import amazon_cursor, amazon_parts
from workers.amazon_documents import document
from workers.amazon_resume import IDLE_S, RESUMED_MAX, RUN_MAX, TOO_LONG, resume_syncs
from workers.amazon_runs import AT_ONCE_MAX, run_sync
from workers.amazon_setbacks import FAULTS_MAX
from workers.amazon_sync import start_sync
from workers.bus import step_s
from workers.clients.amazon import Kind
from workers.service import More, Replied

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

REVOKED = "Amazon no longer accepts the connection. Please connect your Amazon account again."


async def test_the_token_of_a_page_that_has_become_stale_begins_the_pass_anew(
    sellers: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sellers.sandbox.control(page_max=40)
    shop = sellers.spoilt(failing("inventory", "stale", times=1, skip=2))
    told = await shop.sync()
    assert (told["status"], told["inventoryCount"]) == ("completed", 150)
    tokens = [one["query"].get("nextToken", "") for one in await shop.asked("/fba/")]
    assert tokens.count("") == 2
    assert len(tokens) == 2 + 4


async def test_a_token_that_is_too_old_is_not_even_tried(sellers: Shop, one_step_at_a_time: None) -> None:
    await sellers.sandbox.control(page_max=40)
    await sellers.start()
    while len(await sellers.asked("/fba/")) < 2:
        await sellers.step()
    aged = "jsonb_set(cursor, '{token_at}', to_jsonb((cursor ->> 'token_at')::timestamptz - interval '26 seconds'))"
    await sellers.desk.pool.execute(f"UPDATE sync_progress SET cursor = {aged}")
    await sellers.run()
    asked = await sellers.asked("/fba/")
    assert [one["query"].get("nextToken", "") for one in asked].count("") == 2
    assert {one["status"] for one in asked} == {200}
    assert (await sellers.told())["inventoryCount"] == 150


async def test_a_part_whose_tokens_are_always_stale_is_given_up(sellers: Shop) -> None:
    await sellers.sandbox.control(page_max=40)
    told = await sellers.spoilt(failing("inventory", "stale", skip=1)).sync()
    assert (told["status"], told["results"]["inventory"]["status"]) == ("failed", "failed")
    assert "6 times in a row" in told["results"]["inventory"]["error"]
    assert told["results"]["orders"]["status"] == "success"


@pytest.mark.parametrize("loop", [1, 4])
async def test_tokens_that_go_round_end_the_part_and_not_the_sync(sellers: Shop, loop: int) -> None:
    await sellers.sandbox.control(loop=loop, page_max=10)
    told = await sellers.sync()
    assert told["status"] == "failed"
    error = "Amazon sends the same pages again and again."
    assert {name: result["error"] for name, result in told["results"].items()} == dict.fromkeys(told["results"], error)
    # A circle of n tokens is found after 3 n of them.
    for path in ("/finances/", "/fba/", "/orders/v0/orders"):
        assert len(await sellers.asked(path)) <= 3 * loop + 2


async def test_pages_without_end_are_not_read_without_end(sellers: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amazon_cursor, "PAGES_MAX", 5)
    await sellers.sandbox.control(page_max=20)
    told = await sellers.sync()
    assert told["results"]["orders"] == {
        "count": told["ordersProcessed"],
        "status": "failed",
        "error": "Amazon has more than 5 pages.",
    }
    assert len(await sellers.asked("/orders/v0/orders")) == 5


@pytest.mark.parametrize(
    ("operation", "part", "name"),
    [
        ("listFinancialEvents", "claims", "claims"),
        ("getInventorySummaries", "inventory", "inventory"),
        ("getOrders", "orders", "orders"),
        ("getOrderItems", "items", "items of orders"),
    ],
)
async def test_a_part_that_amazon_denies_is_told_and_the_others_are_read(
    sellers: Shop, operation: str, part: str, name: str
) -> None:
    await sellers.sandbox.control(denied=[operation])
    told = await sellers.sync()
    assert (told["status"], told["message"]) == ("failed", f"Sync failed: the {name} could not be read.")
    assert told["error"].startswith(f"{name.capitalize()}: Amazon has answered 403")
    assert told["progress"] < 100
    statuses = {own: result["status"] for own, result in told["results"].items()}
    assert statuses == {own: "failed" if own == part else "success" for own in ("claims", "inventory", "orders")}
    (account,) = await sellers.rows("SELECT claims_until, orders_until FROM amazon_accounts")
    assert (account["claims_until"] is None) == (part == "claims")
    assert (account["orders_until"] is None) == (part == "orders")
    await sellers.sandbox.control(denied=[])
    assert (await sellers.sync())["status"] == "completed"
    assert await counts(sellers) == (37, 150, 250)


async def test_items_of_one_order_that_cannot_be_had_keep_no_others_from_coming(sellers: Shop) -> None:
    told = await sellers.spoilt(failing("items", "refused", times=1)).sync()
    assert told["status"] == "completed"
    known = await sellers.rows("SELECT count(*) FROM amazon_orders WHERE items IS NOT NULL")
    assert known == [{"count": amazon_parts.ITEMS_OF_ORDERS - 1}]


async def test_an_account_that_amazon_accepts_no_more_ends_the_sync_and_is_marked(sellers: Shop) -> None:
    await sellers.sandbox.control(revoked=[SELLER])
    told = await sellers.sync()
    assert (told["status"], told["message"], told["error"]) == ("failed", REVOKED, REVOKED)
    (account,) = await sellers.rows("SELECT status, sealed_token, ended_at IS NULL AS lives FROM amazon_accounts")
    assert account == {"status": "revoked", "sealed_token": None, "lives": False}
    assert await sellers.ask(start_sync) == (400, "AMAZON_NOT_CONNECTED")


async def test_a_refresh_token_that_amazon_gives_in_place_of_another_is_the_one_that_is_used_then(
    sellers: Shop,
) -> None:
    await sellers.sandbox.control(rotates=True)
    sealed = "SELECT sealed_token FROM amazon_accounts"
    before = await sellers.rows(sealed)
    for _ in range(2):
        # A process that knows none of the access tokens of the other.
        async with sellers.speaking() as other:
            assert (await other.sync())["status"] == "completed"
    assert await sellers.rows(sealed) != before


async def test_an_account_that_is_exchanged_in_the_midst_of_a_sync_ends_it(
    sellers: Shop, one_step_at_a_time: None
) -> None:
    await sellers.start()
    await sellers.step()
    await sellers.desk.pool.execute("UPDATE amazon_accounts SET seller_id = 'A9ANOTHER'")
    assert isinstance(await sellers.step(), Replied)
    told = await sellers.told()
    assert (told["status"], told["message"]) == (
        "failed",
        "The Amazon account was disconnected while it was being synced.",
    )


@pytest.mark.parametrize("kind", ["away", "unreadable", "throttled"])
async def test_a_fault_that_passes_is_waited_out_longer_each_time(sellers: Shop, kind: Kind) -> None:
    shop = sellers.spoilt(failing("inventory", kind, times=FAULTS_MAX - 1))
    await shop.start()
    pauses = [pause.after_s for pause in await shop.run() if pause.after_s >= 1.0]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0, 120.0, 120.0]
    assert (await shop.told())["status"] == "completed"
    assert await counts(sellers) == (37, 150, 250)


async def test_a_fault_that_does_not_pass_ends_its_part(sellers: Shop) -> None:
    shop = sellers.spoilt(failing("claims", "away", skip=0))
    told = await shop.sync()
    assert told["results"]["claims"] == {"count": 0, "status": "failed", "error": "Amazon is away."}
    assert told["results"]["orders"]["status"] == "success"
    assert (await row(shop))["faults"] == 0


async def test_a_sync_that_lasts_too_long_has_failed(sellers: Shop, one_step_at_a_time: None) -> None:
    await sellers.start()
    await sellers.step()
    await sellers.desk.pool.execute(OLDER, RUN_MAX + timedelta(minutes=1))
    assert isinstance(await sellers.step(), Replied)
    told = await sellers.told()
    assert (told["status"], told["message"], told["error"]) == ("failed", TOO_LONG, TOO_LONG)
    assert (await sellers.sync())["status"] == "completed"


async def test_a_sync_that_lies_still_is_taken_up_and_in_the_end_given_up(
    sellers: Shop, one_step_at_a_time: None
) -> None:
    await sellers.start()
    work = await sellers.work()
    await run_sync(sellers.desk, work)
    context = reaper(sellers)
    # As long as its command waits, it is not forgotten.
    await sellers.desk.pool.execute(OLDER, timedelta(seconds=IDLE_S + 1))
    await resume_syncs(context)
    assert (await row(sellers))["resumed"] == 0
    await sellers.desk.pool.execute("TRUNCATE outbox")
    await resume_syncs(context)
    (left,) = await sellers.rows("SELECT worker, command FROM outbox")
    again = decode_command(left["command"])
    assert (left["worker"], again.kind, again.user_id, UUID(again.id)) == ("amazon", "run_sync", "ann", UUID(work.id))
    assert (await row(sellers))["resumed"] == 1
    # Whatever is done counts as a beginning.
    await run_sync(sellers.desk, again)
    assert (await row(sellers))["resumed"] == 0
    for time in range(RESUMED_MAX):
        await sellers.desk.pool.execute("TRUNCATE outbox")
        await resume_syncs(context)
        assert (await row(sellers))["resumed"] == time
        await sellers.desk.pool.execute(OLDER, timedelta(seconds=IDLE_S * 2**time + 1))
        await resume_syncs(context)
    assert (await row(sellers))["resumed"] == RESUMED_MAX
    await sellers.desk.pool.execute(OLDER, timedelta(seconds=IDLE_S * 2**RESUMED_MAX + 1))
    await resume_syncs(context)
    found = await row(sellers)
    assert (found["status"], document({**found, "now": found["updated_at"]})["error"]) == ("failed", TOO_LONG)
    assert isinstance(await run_sync(sellers.desk, work), Replied)


async def test_many_syncs_at_a_hanging_amazon_keep_nobody_from_starting_one(sellers: Shop) -> None:
    is_free = asyncio.Event()

    async def spoil(*_: Any) -> None:
        await is_free.wait()

    shop = sellers.spoilt(spoil)
    users = [await shop.connect(f"seller-{number}") for number in range(AT_ONCE_MAX + 2)]
    for user_id in users:
        await shop.start(user_id)
    hanging = [asyncio.create_task(shop.step(user_id)) for user_id in users[:AT_ONCE_MAX]]
    while not shop.desk.tools.places.are_taken:
        await asyncio.sleep(0)
    # Those who find no place come again one after the other, as fast as places become free.
    for number, user_id in enumerate(users[AT_ONCE_MAX:], 1):
        ending = await shop.step(user_id)
        assert isinstance(ending, More)
        assert 0 < ending.after_s <= number * step_s(sellers.desk.settings) / AT_ONCE_MAX
    assert (await shop.ask(start_sync))[0] == 200
    is_free.set()
    await asyncio.gather(*hanging)
