"""A sync of an account at Amazon whose worker is killed at any moment: every row comes in, and each of them once."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from bench.amazon_books import differences
from chaos.system import own_settings, running_system
from chaos.waiting import until
from contract.settings import Settings
from fluxgate.embedded import resolve
from tests.support.desk import open_desk
from tests.support.http import Response
from tests.support.http_stage import own_database
from tests.support.processes import running, running_gateway
from tests.support.sandbox import AmazonSandbox, running_amazon
from tests.support.servers import Servers
from tests.support.shoppers import Shopper, add_shopper
from tests.support.streams import streaming
from workers.amazon import AMAZON
from workers.service import Desk

pytestmark = [pytest.mark.slow, pytest.mark.fault]

START, STATUS, EVENTS = "/api/v1/integrations/amazon/sync", "/api/sync/status", "/api/sync/events/"
SIZE = {"events": 1_700, "sales": 400, "skus": 1_000, "orders": 2_500}
"""Some hundred pages, with those of items. Two of 25 events are alike in everything."""
FEW = {"events": 400, "sales": 0, "skus": 300, "orders": 500}
"""As many pages as a system reads between its start and the moment at which it is killed, and some more."""
LATENCY_MS = 60
"""Of every answer, so that all pages take twice as long as all lives of the workers together."""
KILLS = 10
LIFE_MAX_S = 0.5
"""How long a worker lives after its first step, at most; the moment is by chance."""
ENDED_WITHIN_S = 60.0
LOSE_ONE = "DELETE FROM amazon_claims WHERE claim_id = (SELECT min(claim_id) FROM amazon_claims)"
# A lease is longer than a step, after which another worker would take it for dead.
QUICK = {"lease_s": 2.5, "ask_timeout_s": 20, "amazon_refresh_token": "Atzr|the account of everybody here"}


class Scene(NamedTuple):
    """A gateway, a sandbox, and somebody with an account; no worker of syncs yet."""

    sandbox: AmazonSandbox
    desk: Desk
    user: Shopper

    @property
    def settings(self) -> Settings:
        """Those of everything here."""
        return self.desk.settings

    async def start(self) -> Response:
        """Ask for a sync."""
        return await self.user.send("POST", START, {})

    async def status(self, sync_id: str) -> dict[str, Any]:
        """What is told of a sync."""
        answer = await self.user.send("GET", f"{STATUS}/{sync_id}")
        assert answer.status == 200, answer
        return answer.json()

    async def steps(self) -> int:
        """Steps of the running sync that are done; -1 where none is running."""
        query = "SELECT steps FROM sync_progress WHERE user_id = $1 AND status = 'running'"
        return await self.desk.pool.fetchval(query, self.user.user_id) or -1


@pytest.fixture
async def scene(servers: Servers, tmp_path: Path) -> AsyncIterator[Scene]:
    """Everything that is never killed here."""
    async with own_database(servers.postgres_url) as postgres_url:
        own = Settings(redis_url=servers.redis_url, postgres_url=postgres_url, data_dir=tmp_path, **QUICK)
        async with (
            running_amazon(own) as sandbox,
            running_gateway(sandbox.settings) as settings,
            running(settings, "reaper"),
            open_desk(settings, AMAZON) as desk,
        ):
            await sandbox.control(rate_scale=1_000, latency_ms=LATENCY_MS, **SIZE)
            yield Scene(sandbox, desk, await add_shopper(settings, desk))


async def watched(scene: Scene, sync_id: str) -> list[dict[str, Any]]:
    """Everything that is told of a sync to who watches it, until the stream ends."""
    told: list[dict[str, Any]] = []
    authorized = {"Authorization": f"Bearer {scene.user.token}"}
    async with streaming(scene.settings.port, EVENTS + sync_id, **authorized) as stream:
        while (event := await stream.hear(ENDED_WITHIN_S)) is not None:
            if event.name == "sync_progress":
                told.append(event.data)
    return told


async def killed_at_any_moment(scene: Scene, first: Callable[[], Awaitable[object]] | None = None) -> None:
    """Run a worker until it has done something, and for a while by chance; then kill it. It does `first` first."""
    before = await scene.steps()

    async def moved() -> bool:
        return await scene.steps() > before

    async with running(scene.settings, "worker", "amazon") as worker:
        if first:
            await first()
        await until(moved, ENDED_WITHIN_S)
        await asyncio.sleep(random.uniform(0, LIFE_MAX_S))
        assert await scene.steps() > 0, "the sync has ended before the worker was killed"
        worker.kill()
        await worker.wait()


async def test_a_sync_whose_worker_is_killed_again_and_again_brings_every_row_once(scene: Scene) -> None:
    begun: list[Response] = []

    async def start() -> None:
        begun.append(await scene.start())

    await killed_at_any_moment(scene, start)
    sync_id = begun[0].json()["syncId"]
    watching = asyncio.create_task(watched(scene, sync_id))
    for _ in range(KILLS - 1):
        await killed_at_any_moment(scene)
    async with running(scene.settings, "worker", "amazon"):
        await asyncio.wait({watching}, timeout=ENDED_WITHIN_S)
        ended = await scene.status(sync_id)
    assert (ended["status"], ended["progress"]) == ("completed", 100), ended
    assert [ended[name] for name in ("claimsDetected", "inventoryCount", "ordersProcessed")] == [
        SIZE["events"],
        SIZE["skus"],
        SIZE["orders"],
    ]
    assert await differences(scene.desk.pool, scene.user.user_id, scene.sandbox.port) == {}
    await scene.desk.pool.execute(
        "DELETE FROM amazon_claims WHERE claim_id = (SELECT min(claim_id) FROM amazon_claims)"
    )
    missing = await differences(scene.desk.pool, scene.user.user_id, scene.sandbox.port)
    assert list(missing) == ["claims that are missing"], "the proof does not see that a row is missing"
    told = await watching
    progress = [one["progress"] for one in told]
    assert progress == sorted(progress)
    assert len(set(progress)) > KILLS
    assert told[-1]["status"] == "completed"


async def test_of_two_starts_at_once_one_begins_a_sync_and_the_other_is_told_of_it(scene: Scene) -> None:
    async with running(scene.settings, "worker", "amazon"), running(scene.settings, "worker", "amazon"):
        begun, refused = sorted(await asyncio.gather(scene.start(), scene.start()), key=lambda one: one.status)
        assert (begun.status, refused.status) == (200, 409)
        assert refused.json()["existingSyncId"] == begun.json()["syncId"]
        assert refused.json()["error"] == "sync_in_progress"
    assert await scene.desk.pool.fetchval("SELECT count(*) FROM sync_progress") == 1
    assert await scene.desk.pool.fetchval("SELECT count(*) FROM outbox WHERE worker = 'amazon'") <= 1


async def test_a_system_that_is_killed_whole_goes_on_with_its_sync_when_it_is_started_again(tmp_path: Path) -> None:
    alone = Settings(data_dir=tmp_path / "sandbox", **QUICK)
    alone.data_dir.mkdir()
    async with running_amazon(alone) as sandbox:
        await sandbox.control(rate_scale=1_000, latency_ms=LATENCY_MS, **FEW)
        settings = msgspec.structs.replace(
            own_settings(tmp_path / "data"),
            amazon_url=sandbox.settings.amazon_at,
            amazon_lwa_url=sandbox.settings.amazon_lwa_at,
            g2a_url="http://127.0.0.1:1",
            **QUICK,
        )
        async with contextlib.AsyncExitStack() as first:
            await first.enter_async_context(running_system(settings))
            desk = await first.enter_async_context(open_desk(resolve(settings), AMAZON))
            scene = Scene(sandbox, desk, await add_shopper(settings, desk))
            sync_id = (await scene.start()).json()["syncId"]

            async def at_work() -> bool:
                return await scene.steps() > 5

            await until(at_work, ENDED_WITHIN_S)
            assert await scene.steps() > 0, "the sync has ended before the system was killed"
        async with running_system(settings, name="again"), open_desk(resolve(settings), AMAZON) as desk:
            scene = scene._replace(desk=desk)

            async def ended() -> bool:
                return (await scene.status(sync_id))["status"] != "running"

            await until(ended, ENDED_WITHIN_S)
            assert (await scene.status(sync_id))["status"] == "completed"
            assert await differences(desk.pool, scene.user.user_id, sandbox.port) == {}
            assert (await scene.start()).status == 200
