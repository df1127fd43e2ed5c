"""Steps of syncs with Amazon: cancelled, late, done twice, taken up by another, and what is alike on their pages."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tests.support.amazon_faults import OLDER, counts, failing, reaper, row
from tests.support.amazon_shop import Shop
from workers import amazon_setbacks
from workers.amazon_resume import RUN_MAX, resume_syncs
from workers.amazon_runs import run_sync
from workers.amazon_setbacks import FAULTS_MAX
from workers.amazon_steps import BEHIND_S
from workers.service import More, Replied

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

DATED = "SELECT count(*) FROM amazon_claims WHERE created_at IS NOT NULL"


async def test_a_sync_that_is_cancelled_between_two_pages_reads_no_other(
    sellers: Shop, one_step_at_a_time: None
) -> None:
    sync_id = await sellers.start()
    await sellers.step()
    assert await sellers.step() == More()
    before, asked = await counts(sellers), (await sellers.sandbox.journal())["total"]
    assert await sellers.cancel(sync_id) == (200, {"message": "Sync cancelled successfully"})
    assert isinstance(await sellers.step(), Replied)
    assert (await counts(sellers), (await sellers.sandbox.journal())["total"]) == (before, asked)
    told = await sellers.told(sync_id=sync_id)
    assert (told["status"], told["message"], told["error"]) == ("cancelled", "Sync cancelled", None)
    assert told["completedAt"] is not None
    assert told["progress"] < 100
    # Said again, it is as true; and the next one begins.
    assert await sellers.cancel(sync_id) == (200, {"message": "Sync cancelled successfully"})
    assert (await sellers.sync())["status"] == "completed"


async def test_nobody_cancels_what_is_not_there_has_ended_or_is_somebody_elses(sellers: Shop) -> None:
    not_found = (404, "SYNC_NOT_FOUND")
    assert await sellers.cancel("sync_ann_1") == not_found
    done = (await sellers.sync())["syncId"]
    assert await sellers.cancel(done) == not_found
    assert (await sellers.told(sync_id=done))["status"] == "completed"
    running = await sellers.start()
    assert await sellers.cancel(running, "bob") == not_found
    assert await sellers.cancel("") == not_found
    assert (await sellers.told())["status"] == "running"


async def test_a_sync_that_waits_for_its_turn_says_so_and_is_cancelled_at_once(sellers: Shop) -> None:
    shop = sellers.spoilt(failing("orders", "waiting", 42.0, skip=1))
    await sellers.sandbox.control(page_max=50)
    sync_id = await shop.start()
    assert await shop.run_until_it_waits() == More(42.0)
    told = await shop.told()
    assert told["rateLimit"] == {
        "operation": "getOrders",
        "ratePerSecond": told["rateLimit"]["ratePerSecond"],
        "burst": 20,
        "waitsUntil": told["rateLimit"]["waitsUntil"],
        "reason": told["rateLimit"]["reason"],
    }
    assert told["rateLimit"]["reason"].startswith("Amazon allows 20 pages of orders at once, and then one every ")
    assert told["message"].startswith("Fetching orders: 50 ")
    assert told["message"].endswith(" are left.") or "the next one comes in about 42 seconds" in told["message"]
    assert await shop.cancel(sync_id) == (200, {"message": "Sync cancelled successfully"})
    told = await shop.told()
    assert (told["status"], told["rateLimit"], told["estimatedCompletion"]) == ("cancelled", None, None)
    assert isinstance(await shop.step(), Replied)


async def test_a_turn_is_waited_for_however_often_and_counts_as_no_fault(sellers: Shop) -> None:
    shop = sellers.spoilt(failing("claims", "waiting", 0.0, times=3 * FAULTS_MAX))
    await shop.start()
    pauses = await shop.run()
    assert [pause for pause in pauses if pause.after_s] == [More(amazon_setbacks.WAIT_LEAST_S)] * 3 * FAULTS_MAX
    assert (await shop.told())["status"] == "completed"


@pytest.mark.parametrize("ending", ["cancelled", "failed"])
async def test_a_page_that_comes_after_the_end_of_its_sync_is_not_written(sellers: Shop, ending: str) -> None:
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def spoil(name: str, *_: Any) -> None:
        if name == "orders":
            is_asked.set()
            await may_answer.wait()

    shop = sellers.spoilt(spoil)
    sync_id = await shop.start()
    running = asyncio.create_task(shop.run())
    await is_asked.wait()
    if ending == "cancelled":
        await shop.cancel(sync_id)
    else:
        await shop.desk.pool.execute(OLDER, RUN_MAX + timedelta(minutes=1))
        await resume_syncs(reaper(shop))
    before = await row(shop)
    may_answer.set()
    await running
    after = await row(shop)
    assert (after["status"], (await counts(shop))[2]) == (ending, 0)
    assert after == before
    assert await shop.rows("SELECT orders_until FROM amazon_accounts") == [{"orders_until": None}]


async def test_of_several_that_do_the_same_step_one_keeps_it(sellers: Shop, one_step_at_a_time: None) -> None:
    await sellers.sandbox.control(page_max=50)
    await sellers.start()
    work = await sellers.work()
    endings: list[Any] = []
    while not any(isinstance(ending, Replied) for ending in endings):
        endings += await asyncio.gather(*(run_sync(sellers.desk, work) for _ in range(3)))
    assert More(BEHIND_S) in endings
    told = await sellers.told()
    assert (told["status"], told["claimsDetected"], told["inventoryCount"]) == ("completed", 37, 150)
    assert await counts(sellers) == (37, 150, 250)


async def test_a_sync_goes_on_behind_its_last_page_whoever_takes_it_up(sellers: Shop, one_step_at_a_time: None) -> None:
    await sellers.sandbox.control(page_max=10, events=55, orders=55, skus=55)
    await sellers.start()
    work = await sellers.work()
    ending: Any = More()
    while isinstance(ending, More):
        # Each step by another process, that dies behind it: nothing of it is left but what stands in Postgres.
        async with sellers.speaking() as other:
            ending = await run_sync(other.desk, work)
    asked = [one for one in (await sellers.sandbox.journal())["requests"] if one["path"] != "/auth/o2/token"]
    pages = Counter((one["path"], str(one["query"])) for one in asked if one["status"] == 200)
    assert set(pages.values()) == {1}
    assert await counts(sellers) == (55, 55, 55)
    told = await sellers.told()
    assert (told["claimsDetected"], told["inventoryCount"], told["ordersProcessed"]) == (55, 55, 55)


async def test_claims_that_are_alike_in_everything_are_all_kept_and_stay_the_same(sellers: Shop) -> None:
    await sellers.sandbox.control(page_max=3, events=60, skus=5, orders=5)
    alike = "SELECT claim_id, id FROM amazon_claims ORDER BY claim_id"
    await sellers.sync()
    before = await sellers.rows(alike)
    assert await sellers.rows("SELECT count(DISTINCT fingerprint) < count(*) AS alike FROM amazon_claims") == [
        {"alike": True}
    ]
    await sellers.desk.pool.execute("UPDATE amazon_accounts SET claims_until = NULL")
    await sellers.sync()
    assert await sellers.rows(alike) == before
    assert len(before) == 60


async def test_a_claim_that_two_pages_tell_is_put_right_when_it_is_read_again(sellers: Shop) -> None:
    await sellers.sandbox.control(page_max=10, events=60, skus=25, orders=25, duplicates=2)
    await sellers.sync()
    # Nothing tells one claim that comes twice from two that are alike.
    claims = await sellers.sandbox.books("claims")
    dated = [{"count": len([one for one in claims if one["posted_at_v0"]])}]
    assert (await sellers.rows(DATED))[0]["count"] > dated[0]["count"]
    assert (await counts(sellers))[1:] == (25, 25)
    await sellers.sandbox.control(duplicates=0)
    await sellers.desk.pool.execute("UPDATE amazon_accounts SET claims_until = NULL")
    await sellers.sync()
    assert await sellers.rows(DATED) == dated
