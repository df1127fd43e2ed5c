"""GET /api/sync/events/{id}: who is told what of a sync, when the stream ends, and what it costs."""

import asyncio

import pytest

from chaos.waiting import until
from tests.support.http import get
from tests.support.streams import Event, NotStreamed
from tests.support.told_syncs import EVENTS, Scene, somebody

pytestmark = pytest.mark.asyncio(loop_scope="module")


def steps(heard: list[Event]) -> list[int]:
    """The progress that was told, in order."""
    return [event.data["progress"] for event in heard if event.name == "sync_progress"]


async def test_a_watcher_is_told_where_the_sync_stands_and_each_change_until_its_end(scene: Scene) -> None:
    scene.told.know(scene.user_id, scene.sync_id, 7)
    async with scene.watching() as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert await stream.hear() == Event("connected", {"syncId": scene.sync_id})
        first = await stream.hear()
        assert first is not None
        assert (first.name, first.data["progress"], first.data["syncId"]) == ("sync_progress", 7, scene.sync_id)
        await scene.publish(30)
        second = await stream.hear()
        await scene.publish(100, "completed")
        third = await stream.hear()
        assert second is not None
        assert third is not None
        assert (second.data["progress"], third.data["progress"], third.data["status"]) == (30, 100, "completed")
        assert await stream.hear() is None


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_a_sync_that_is_over_is_told_once(scene: Scene, status: str) -> None:
    scene.told.know(scene.user_id, scene.sync_id, 42, status)
    async with scene.watching() as stream:
        heard = await stream.hear_all()
    assert [event.name for event in heard] == ["connected", "sync_progress"]
    assert heard[-1].data["status"] == status


async def test_what_happens_while_the_worker_is_asked_is_not_missed_and_nothing_goes_back(scene: Scene) -> None:
    scene.told.know(scene.user_id, scene.sync_id, 10)
    scene.told.may_answer.clear()
    before = scene.told.asked

    async def is_asked() -> bool:
        return scene.told.asked > before

    async def meanwhile() -> None:
        await until(is_asked)
        # The worker has read its answer already, and gives it after this.
        await scene.publish(20)
        scene.told.may_answer.set()

    going_on = asyncio.create_task(meanwhile())
    async with scene.watching() as stream:
        await going_on
        await scene.publish(15)  # late, on its way past another
        await scene.publish(100, "completed")
        heard = steps(await stream.hear_all())
    assert 20 in heard
    assert heard == sorted(heard)
    assert heard[-1] == 100


async def test_two_watchers_are_told_the_same_over_one_subscription(scene: Scene) -> None:
    async with scene.watching() as one, scene.watching() as other:
        for stream in (one, other):
            assert steps([event for event in (await stream.hear(), await stream.hear()) if event]) == [0]
        assert await scene.listeners() == 1
        await scene.publish(100, "completed")
        assert steps(await one.hear_all()) == steps(await other.hear_all()) == [100]


async def test_states_that_come_faster_than_anybody_reads_are_replaced_by_the_newest(scene: Scene) -> None:
    async with scene.watching() as stream:
        for step in range(1, 100):
            await scene.publish(step)
        await scene.publish(100, "completed")
        heard = steps(await stream.hear_all())
    assert heard == sorted(heard)
    assert heard[-1] == 100
    assert len(heard) < 20


async def test_nobody_else_is_told_of_a_sync(scene: Scene) -> None:
    _, token = somebody(scene.settings)
    with pytest.raises(NotStreamed) as refused:
        async with scene.watching(Authorization=f"Bearer {token}"):
            pass
    assert refused.value.response.status == 404
    told = {"success": False, "message": "Sync not found", "error": "sync_not_found"}
    assert refused.value.response.json() == told


async def test_news_of_the_same_id_that_are_somebody_elses_are_not_told(scene: Scene) -> None:
    async with scene.watching() as stream:
        await stream.hear()
        await stream.hear()
        stranger, _ = somebody(scene.settings)
        await scene.told.publish(stranger, scene.sync_id, 500, "failed")
        await scene.publish(100, "completed")
        assert steps(await stream.hear_all()) == [100]


@pytest.mark.parametrize("token", [None, "guess"])
async def test_whoever_is_not_logged_in_is_told_so_and_nothing_else(scene: Scene, token: str | None) -> None:
    given = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await get(scene.settings.port, EVENTS + scene.sync_id, **given)
    assert answer.status == 401
    assert answer.json() == {"success": False, "message": "Unauthorized. Please log in.", "error": "unauthorized"}


@pytest.mark.parametrize("sync_id", ["a%20b", "a" * 256, "%C3%A4"])
async def test_what_cannot_be_an_id_is_not_asked_for(scene: Scene, sync_id: str) -> None:
    before = scene.told.asked
    answer = await get(scene.settings.port, EVENTS + sync_id, Authorization=f"Bearer {scene.token}")
    assert (answer.status, answer.json()["error"]) == (404, "sync_not_found")
    assert scene.told.asked == before


async def test_a_broken_subscription_is_taken_up_again_and_what_was_missed_is_asked_for(scene: Scene) -> None:
    async with scene.watching() as stream:
        await stream.hear()
        await stream.hear()
        # Known to the worker, and published by nobody: only who asks can tell.
        scene.told.know(scene.user_id, scene.sync_id, 60)
        assert await scene.redis.client_kill_filter(_type="pubsub") >= 1
        event = await stream.hear()
        assert event is not None
        assert event.data["progress"] == 60
        await scene.publish(100, "completed")
        assert steps(await stream.hear_all()) == [100]
