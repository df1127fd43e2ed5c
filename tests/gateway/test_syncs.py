"""Syncs with Amazon over HTTP, as the contract has them, through a gateway, its workers and the sandbox."""

import asyncio
import re
import time
from typing import Any

import pytest

from tests.support.connected import AMAZON, CANCEL, EVENTS, HELD_UP, HISTORY, STATUS, Served

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

STARTED = {"success", "syncId", "message", "status", "estimatedDuration"}
NOT_FOUND = {"success": False, "message": "Sync not found", "error": "sync_not_found"}
NOT_CANCELLED = {"success": False, "message": "Sync not found or cannot be cancelled", "error": "sync_not_found"}
DOCUMENT = {
    "syncId",
    "status",
    "progress",
    "message",
    "step",
    "totalSteps",
    "startedAt",
    "updatedAt",
    "estimatedCompletion",
    "completedAt",
    "ordersProcessed",
    "totalOrders",
    "isTotalEstimated",
    "claimsDetected",
    "inventoryCount",
    "results",
    "rateLimit",
    "error",
}


async def test_basic_sync(served: Served) -> None:
    merchant = await served.merchant()
    answer = await merchant.start()
    assert answer.status == 200, answer
    told = answer.json()
    assert set(told) == STARTED
    assert told["success"] is True
    assert re.fullmatch(rf"sync_{merchant.shopper.user_id}_\d{{13}}", told["syncId"])
    assert abs(int(told["syncId"].rpartition("_")[2]) / 1000 - time.time()) < 60
    assert told["message"] == "Sync started successfully"
    assert told["status"] == "in_progress"
    assert told["estimatedDuration"] == "30-60 seconds"


async def test_a_second_start_is_told_of_the_first_and_the_first_goes_on(served: Served) -> None:
    await served.sandbox.control(rates=HELD_UP)
    merchant = await served.merchant()
    first = (await merchant.start()).json()["syncId"]
    again = await merchant.start()
    message = f"Sync already in progress ({first}). Please wait for it to complete or cancel it first."
    assert again.status == 409
    assert again.json() == {
        "success": False,
        "message": message,
        "error": "sync_in_progress",
        "existingSyncId": first,
    }
    assert (await merchant.get(f"{STATUS}/{first}")).json()["status"] == "running"


@pytest.mark.parametrize("at_once", [2, 20])
async def test_of_starts_at_once_one_begins_and_all_others_are_told_of_it(served: Served, at_once: int) -> None:
    await served.sandbox.control(rates=HELD_UP)
    merchant = await served.merchant()
    answers = await asyncio.gather(*(merchant.start() for _ in range(at_once)))
    begun = [answer.json()["syncId"] for answer in answers if answer.status == 200]
    assert len(begun) == 1
    others = [answer for answer in answers if answer.status != 200]
    assert {answer.status for answer in others} == {409}
    assert {answer.json()["existingSyncId"] for answer in others} == set(begun)
    assert (await merchant.get(HISTORY)).json()["total"] == 1


async def test_a_sync_is_followed_to_its_end_and_its_progress_never_goes_back(served: Served) -> None:
    merchant = await served.merchant()
    sync_id = (await merchant.start()).json()["syncId"]
    heard = await merchant.watch(sync_id)
    assert [event.name for event in heard] == ["connected", *["sync_progress"] * (len(heard) - 1)]
    told = [event.data["progress"] for event in heard[1:]]
    assert told == sorted(told)
    last = heard[-1].data
    assert set(last) == DOCUMENT
    assert (last["status"], last["progress"], last["message"]) == ("completed", 100, "Sync completed")
    assert last["completedAt"]
    assert last["results"] == {
        part: {"count": len(await served.sandbox.books(part, merchant.seller)), "status": "success", "error": None}
        for part in ("claims", "inventory", "orders")
    }
    assert last["claimsDetected"] == last["results"]["claims"]["count"]
    assert last["ordersProcessed"] == last["results"]["orders"]["count"]
    for path in (f"{STATUS}/{sync_id}", f"{STATUS}?syncId={sync_id}", f"{STATUS}?id={sync_id}"):
        answer = await merchant.get(path)
        assert (answer.status, answer.json()) == (200, {"success": True, **last}), path
    newest = (await merchant.get(STATUS)).json()
    assert newest == {"success": True, "hasActiveSync": False, "lastSync": last}
    listed = (await merchant.get(HISTORY)).json()
    assert (listed["success"], listed["total"], listed["limit"], listed["offset"]) == (True, 1, 20, 0)
    duration = listed["syncs"][0].pop("duration")
    assert listed["syncs"] == [last]
    assert 0 < duration < 60


async def test_what_a_sync_has_read_is_what_the_lists_have(served: Served) -> None:
    merchant = await served.merchant()
    await merchant.sync()
    for part in ("claims", "inventory", "orders"):
        listed = (await merchant.get(f"{AMAZON}/{part}?limit=100")).json()
        assert listed["success"] is True
        assert listed["total"] == len(await served.sandbox.books(part, merchant.seller))
        assert len(listed[part]) == min(100, listed["total"])
        assert all(row["isMock"] for row in listed[part])


async def test_before_the_first_sync_there_is_none(served: Served) -> None:
    merchant = await served.merchant(connected=False)
    assert (await merchant.get(STATUS)).json() == {"success": True, "hasActiveSync": False, "lastSync": None}
    empty: dict[str, Any] = {"success": True, "syncs": [], "total": 0, "limit": 5, "offset": 3}
    assert (await merchant.get(f"{HISTORY}?limit=5&offset=3")).json() == empty


async def test_a_sync_that_waits_for_amazon_says_so_and_is_cancelled_at_once(served: Served) -> None:
    await served.sandbox.control(rates=HELD_UP)
    merchant = await served.merchant()
    sync_id = (await merchant.start()).json()["syncId"]

    async with asyncio.timeout(20):
        # Its events are told in another test; who polls sees the same.
        while (told := (await merchant.get(f"{STATUS}?syncId={sync_id}")).json())["rateLimit"] is None:
            assert told["status"] == "running", told
            await asyncio.sleep(0.05)
    assert told["rateLimit"]["operation"] == "getOrders"
    assert set(told["rateLimit"]) == {"operation", "ratePerSecond", "burst", "waitsUntil", "reason"}
    watching = asyncio.create_task(merchant.watch(sync_id))
    cancelled = await merchant.post(f"{CANCEL}/{sync_id}")
    assert cancelled.json() == {"success": True, "message": "Sync cancelled successfully"}
    assert (await watching)[-1].data["status"] == "cancelled"
    again = await merchant.post(f"{CANCEL}/{sync_id}")
    assert (again.status, again.json()) == (200, cancelled.json())
    assert (await merchant.get(STATUS)).json()["hasActiveSync"] is False
    assert (await merchant.start()).status == 200


async def test_a_sync_is_found_and_cancelled_by_its_own_user_and_nobody_else(served: Served) -> None:
    await served.sandbox.control(rates=HELD_UP)
    owner, stranger = await served.merchant(), await served.merchant(connected=False)
    sync_id = (await owner.start()).json()["syncId"]
    for path in (f"{STATUS}/{sync_id}", f"{STATUS}?syncId={sync_id}", f"{EVENTS}/{sync_id}"):
        answer = await stranger.get(path)
        assert (answer.status, answer.json()) == (404, NOT_FOUND), path
    answer = await stranger.post(f"{CANCEL}/{sync_id}")
    assert (answer.status, answer.json()) == (404, NOT_CANCELLED)
    assert (await owner.get(f"{STATUS}/{sync_id}")).json()["status"] == "running"


async def test_a_completed_sync_cannot_be_cancelled(served: Served) -> None:
    merchant = await served.merchant()
    done = await merchant.sync()
    answer = await merchant.post(f"{CANCEL}/{done['syncId']}")
    assert (answer.status, answer.json()) == (404, NOT_CANCELLED)
    assert (await merchant.get(f"{STATUS}/{done['syncId']}")).json()["status"] == "completed"
