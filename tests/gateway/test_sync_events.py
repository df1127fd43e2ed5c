"""GET /api/sync/events/{id}: who is told what of a sync, when the stream ends, and what it costs."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from itertools import count
from typing import Any, NamedTuple

import msgspec
import pytest
import pytest_asyncio

import lua
from bench.ports import free_port
from chaos.waiting import until
from contract.access_tokens import make_access_token
from contract.auth_keys import private_keys
from contract.bus import new_command_id
from contract.settings import Settings
from contract.transport import open_redis
from gateway.progress import OF_ONE_USER_MAX
from gateway.sync_events import BYTES_MAX, HEARTBEAT_S
from tests.support.http import get, request, send
from tests.support.processes import listening, running, running_gateway
from tests.support.servers import Servers
from tests.support.streams import Event, NotStreamed, Stream, streaming
from tests.support.told_syncs import ToldSyncs, telling

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = "/api/sync/events/"
STOP_WITHIN_S = 2.0
"""A gateway that waited for its watchers would be killed after 4 s."""
_numbers = count(1)
Served = tuple[Settings, ToldSyncs, Any]


class Scene(NamedTuple):
    """A gateway, a worker that answers what the test has it know, and somebody who has a sync."""

    settings: Settings
    told: ToldSyncs
    redis: Any
    user_id: str
    sync_id: str
    token: str

    def watching(self, **headers: str) -> contextlib.AbstractAsyncContextManager[Stream]:
        """A stream of this sync."""
        known = {"Authorization": f"Bearer {self.token}"} | headers
        return streaming(self.settings.port, EVENTS + self.sync_id, **known)

    async def publish(self, step: int, status: str = "running", message: str = "") -> None:
        """The sync goes on."""
        await self.told.publish(self.user_id, self.sync_id, step, status, message)

    async def listeners(self) -> int:
        """How many processes listen to the news of syncs."""
        return (await self.redis.pubsub_numsub(lua.PROGRESS_CHANNEL))[0][1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    settings = Settings(
        redis_url=servers.redis_url,
        postgres_url=servers.postgres_url,
        data_dir=tmp_path_factory.mktemp("events"),
        ask_timeout_s=5,
        redis_timeout_s=5,
    )
    redis = open_redis(settings)
    await redis.flushall()
    async with running_gateway(settings) as own, telling(own) as told:
        yield own, told, redis
    await redis.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def scene(served: Served) -> Scene:
    """A sync that has begun, of somebody whom no other test knows."""
    settings, told, redis = served
    user_id, token = somebody(settings)
    sync_id = f"sync_{user_id}_{next(_numbers)}"
    told.know(user_id, sync_id, 0)
    return Scene(settings, told, redis, user_id, sync_id, token)


def somebody(settings: Settings) -> tuple[str, str]:
    """The id and the access token of somebody new."""
    user_id = new_command_id()
    return user_id, make_access_token(private_keys(settings), user_id, new_command_id(), "USER", 900)


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


async def test_one_user_has_so_many_streams_and_no_more_until_one_is_left(scene: Scene) -> None:
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(scene.watching()) for _ in range(OF_ONE_USER_MAX)]
        with pytest.raises(NotStreamed) as refused:
            async with scene.watching():
                pass
        assert refused.value.response.status == 429
        assert refused.value.response.json()["error"] == "too_many_streams"
        assert int(refused.value.response.headers["retry-after"]) >= 1
        await streams[0].leave()

        async def may_watch() -> bool:
            with contextlib.suppress(NotStreamed):
                async with scene.watching():
                    return True
            return False

        await until(may_watch)


async def test_when_the_last_one_leaves_nobody_listens(scene: Scene) -> None:
    async def nobody() -> bool:
        return await scene.listeners() == 0

    await until(nobody)
    async with scene.watching() as stream:
        await stream.hear()
        assert await scene.listeners() == 1
    await until(nobody)


async def test_a_refused_watcher_leaves_nothing_behind(scene: Scene) -> None:
    known = {"Authorization": f"Bearer {scene.token}"}
    for _ in range(OF_ONE_USER_MAX + 1):
        assert (await get(scene.settings.port, EVENTS + "unknown", **known)).status == 404
    assert await scene.listeners() == 0


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


async def test_a_request_that_streams_is_counted_once_under_its_status(scene: Scene) -> None:
    async def counted() -> list[str]:
        text = (await get(scene.settings.port, "/metrics")).body.decode()
        line = 'fluxgate_http_requests_total{process="'
        return [one for one in text.splitlines() if one.startswith(line) and "/api/sync/events/{sync_id}" in one]

    def of_200(lines: list[str]) -> float:
        return sum(float(line.rpartition(" ")[2]) for line in lines if 'status="200"' in line)

    before = of_200(await counted())
    scene.told.know(scene.user_id, scene.sync_id, 100, "completed")
    async with scene.watching() as stream:
        await stream.hear_all()
    assert of_200(await counted()) == before + 1


async def test_a_stream_ends_before_the_server_has_to_keep_too_much_for_one_that_never_reads(scene: Scene) -> None:
    async with scene.watching() as stream:
        for step in range(1, 100):
            await scene.publish(step, message="x" * (BYTES_MAX // 4))
            if await stream.hear() is None:
                break
        else:
            pytest.fail("the stream has no end")
    assert step < 10
    async with scene.watching() as stream:
        assert [event.name for event in (await stream.hear(), await stream.hear()) if event] == [
            "connected",
            "sync_progress",
        ]


@pytest.mark.slow
async def test_a_silent_stream_is_kept_alive_by_comments(scene: Scene) -> None:
    async with scene.watching() as stream:
        await stream.hear()
        await stream.hear()
        began = time.monotonic()
        assert await stream.hear(HEARTBEAT_S + 5) == Event("", None)
        assert time.monotonic() - began > HEARTBEAT_S - 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_gateway_that_stops_ends_its_streams_and_is_not_held_up_by_them(
    scene: Scene, number: signal.Signals
) -> None:
    settings = msgspec.structs.replace(scene.settings, port=free_port())
    async with running(settings, "gateway") as process:
        await listening(settings.port, process)
        async with contextlib.AsyncExitStack() as stack:
            own = scene._replace(settings=settings)
            streams = [await stack.enter_async_context(own.watching()) for _ in range(3)]
            for stream in streams:
                await stream.hear()
                await stream.hear()
            process.send_signal(number)
            began = time.monotonic()
            for stream in streams:
                assert await stream.hear() is None
            await process.wait()
            assert time.monotonic() - began < STOP_WITHIN_S
            assert process.returncode == 0


async def test_a_head_of_a_stream_holds_nothing(scene: Scene) -> None:
    known = {"Authorization": f"Bearer {scene.token}"}
    answer = await send(scene.settings.port, request("HEAD", EVENTS + scene.sync_id, b"", **known))
    assert answer.status == 200

    async def nobody() -> bool:
        return await scene.listeners() == 0

    await until(nobody)
