"""GET /api/sync/events/{id}: what a stream costs, when it ends, and that it holds up nobody."""

import contextlib
import signal
import time

import msgspec
import pytest

from bench.ports import free_port
from chaos.waiting import until
from gateway.progress import OF_ONE_USER_MAX
from gateway.sync_events import BYTES_MAX, HEARTBEAT_S
from tests.support.http import get, request, send
from tests.support.processes import listening, running
from tests.support.streams import Event, NotStreamed
from tests.support.told_syncs import EVENTS, Scene

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOP_WITHIN_S = 3.5
"""A gateway that waited for its watchers would be killed after 4 s."""


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


async def test_whoever_watches_a_sync_counts_as_a_watcher(scene: Scene) -> None:
    async def watchers(wanted: int) -> bool:
        text = (await get(scene.settings.port, "/metrics")).body.decode()
        lines = [line for line in text.splitlines() if line.startswith("fluxgate_event_watchers{")]
        return sum(float(line.rpartition(" ")[2]) for line in lines) == wanted

    async with scene.watching() as stream:
        await stream.hear()
        assert await watchers(1)
    await until(lambda: watchers(0))


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


@pytest.mark.slow
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
