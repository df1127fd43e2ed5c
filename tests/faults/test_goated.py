"""Races on a whole system of real processes: from Goated to every route, through an outage and the end of a month."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
import psutil
import pytest
import pytest_asyncio

import lua
from chaos import victims
from chaos.house import KEYS, NOBODY
from chaos.system import System, lives, own_settings, running_system
from chaos.waiting import until
from contract.settings import Settings
from contract.transport import open_redis
from contract.upstream_settings import GOATED_SANDBOX
from fluxgate.embedded import resolve
from sql import Pool, open_pool
from tests.gateway.test_bus_metrics import of, scraped
from tests.support.http import get
from tests.support.processes import listening, running
from tests.support.sandbox import GoatedSandbox
from tests.support.streams import streaming
from workers.schedules import sync_goated
from workers.worker import Context

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

WITHIN_S = 40.0
PEOPLE = 500
CROWD = 20_000
PERIODS = {"today": "today", "weekly": "this_week", "monthly": "this_month", "all_time": "all_time"}
CURRENT, PREVIOUS = "/api/wager-races/current?limit=100", "/api/wager-races/previous?limit=100"
STATS, SCHEDULE = "/api/affiliate/stats", "/api/wager-races/schedule"
OUT_OF_DATE = "UPDATE goated_board SET fetched_at = fetched_at - interval '12 minutes'"
# The race that is open becomes the one of the month before, whose end is now: what the end of a month looks like.
END_OF_MONTH = """
    UPDATE goated_races SET ends_at = now(), starts_at = now() - interval '30 days',
        id = to_char(date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 day', 'YYYYMM')
    WHERE status <> 'completed'
"""
COUNTS = "SELECT (SELECT count(*) FROM goated_members), (SELECT count(*) FROM goated_wagers), people FROM goated_board"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%goated_wagers%'"


class Scene(NamedTuple):
    """A system, and what a test has in its hands of it. Goated's sandbox stands outside, so that nobody revives it."""

    settings: Settings
    system: System
    pool: Pool
    redis: Any
    sandbox: GoatedSandbox

    async def told(self, path: str) -> Any:
        """What a route answers, with all digits."""
        answer = await get(self.settings.port, path)
        assert answer.status == 200, (path, answer)
        document = json.loads(answer.body, parse_float=Decimal)
        return document.get("data", document)

    async def schedule(self) -> None:
        """The schedule comes round, and what it has asked for is done."""
        before = await self.pool.fetchval("SELECT count(*) FROM goated_syncs")
        await self.begin_sync()

        async def noted() -> bool:
            return await self.pool.fetchval("SELECT count(*) FROM goated_syncs") > before

        await until(noted, WITHIN_S)

    async def begin_sync(self) -> None:
        """The schedule comes round."""
        await sync_goated(Context(self.settings, self.redis, self.pool, KEYS, {}, None))

    async def forget_cached(self) -> None:
        """Time goes by for what is cached, too."""
        for pattern in ("race:*", "affiliate:*", "user:*"):
            await lua.invalidate(self.redis, pattern)

    async def failures(self) -> float:
        """Syncs that have failed, by /metrics."""
        return of(await scraped(self.settings.port), "syncs_total", upstream="goated", outcome="failed") or 0.0

    async def good_at(self) -> float:
        """When the last good sync ended, by /metrics."""
        return of(await scraped(self.settings.port), "sync_last_good_timestamp_seconds", upstream="goated") or 0.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What is opened in the midst of a test, and closed after all of them."""
    async with AsyncExitStack() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory, stack: AsyncExitStack) -> Scene:
    """The system, which has synced once, as it does when it starts."""
    directory = tmp_path_factory.mktemp("goated")
    # More requests in a minute than tests make, and nobody else's sandbox.
    more = {"g2a_url": NOBODY, "amazon_url": NOBODY, "goated_rate_per_minute": 600}
    own = msgspec.structs.replace(own_settings(directory / "data"), **more)
    sandbox = GoatedSandbox(own)
    code, token, refresh = GOATED_SANDBOX
    given = {"goated_code": code, "goated_token": token, "goated_refresh_token": refresh}
    settings = msgspec.structs.replace(own, goated_url=own.goated_at, goated_token_url=own.goated_token_at, **given)
    (directory / "sandbox").mkdir()
    await play(sandbox, stack)
    system = await stack.enter_async_context(running_system(settings))
    settings = resolve(settings)
    pool = await open_pool(settings.postgres_at, name="test", connections=4)
    stack.push_async_callback(pool.close)
    redis = open_redis(settings)
    stack.push_async_callback(redis.aclose)
    return Scene(settings, system, pool, redis, sandbox)


async def play(sandbox: GoatedSandbox, stack: AsyncExitStack) -> psutil.Process:
    """Start Goated's sandbox, whose clock stands."""
    own = msgspec.structs.replace(sandbox.settings, data_dir=sandbox.settings.data_dir.parent / "sandbox")
    process = await stack.enter_async_context(running(own, "sandbox", "goated"))
    await listening(sandbox.port, process)
    await sandbox.control(tick_s=0)
    return psutil.Process(process.pid)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(opened: Scene) -> Scene:
    """The same, once all that Goated has is here."""

    async def synced() -> bool:
        return await opened.pool.fetchval("SELECT fetched_at IS NOT NULL FROM goated_board")

    # The first sync is the system's own: nobody has asked for it.
    await until(synced, WITHIN_S)
    await opened.sandbox.control(users=PEOPLE)
    return opened


def wagered(rows: list[Mapping[str, Any]], period: str = "") -> list[tuple[str, str, Decimal]]:
    """Who has wagered how much, in their order."""
    amounts = [row["wagered"][period] if period else row["wagered"] for row in rows]
    return [(row["uid"], row["name"], Decimal(amount)) for row, amount in zip(rows, amounts, strict=True)]


async def test_what_goated_tells_is_told_by_every_route(scene: Scene) -> None:
    await scene.schedule()
    await scene.forget_cached()
    books = await scene.sandbox.books(top=40)
    race = await scene.told(CURRENT)
    best = books["top"]["this_month"]
    assert wagered(race["participants"])[: len(best)] == wagered(best)
    assert (race["totalWagered"], race["participantCount"]) == (Decimal(books["sums"]["this_month"]), PEOPLE)
    assert sum(one["prize"] for one in race["participants"]) + race["metadata"]["unpaid"] == race["prizePool"]
    assert (race["status"], race["metadata"]["stale"]) == ("live", False)
    stats = await scene.told(STATS)
    assert stats["totals"] == {period: Decimal(books["sums"][own]) for period, own in PERIODS.items()}
    assert stats["activeMembers"] == {period: books["active"][own] for period, own in PERIODS.items()}
    for period, own in PERIODS.items():
        page = await scene.told(f"/api/affiliate/leaderboard?period={period}&limit=40")
        assert wagered(page["results"], own)[: len(books["top"][own])] == wagered(books["top"][own])
        assert page["pagination"]["total"] == PEOPLE
    first = best[0]
    found = await scene.told(f"/api/users/search?{urlencode({'q': first['name']})}")
    assert first["uid"] in {profile["uid"] for profile in found["results"]}
    own = await scene.told(f"/api/users/{first['uid']}/stats")
    assert (own["race"]["position"], own["race"]["wagered"]) == (1, Decimal(first["wagered"]))
    assert (await scene.told(SCHEDULE))["races"][0]["id"] == race["id"]
    assert (await get(scene.settings.port, PREVIOUS)).status == 404
    async with streaming(scene.settings.port, "/api/wager-races/events") as stream:
        event = await stream.hear()
        while event is not None and event.name != "race":
            event = await stream.hear()
        assert event
        assert event.data["participantCount"] == PEOPLE
        assert event.data["top"][0]["uid"] == first["uid"]


async def test_an_outage_of_goated_is_lived_through_and_told_and_ends_with_the_next_schedule(
    scene: Scene, stack: AsyncExitStack
) -> None:
    before, stats = await scene.told(CURRENT), await scene.told(STATS)
    counted = await scene.failures()
    sandbox = next(own for own in psutil.Process().children() if "goated" in own.cmdline())
    sandbox.kill()
    # It fails while everybody is served.
    await scene.begin_sync()
    await scene.pool.execute(OUT_OF_DATE)
    await scene.forget_cached()
    assert await as_before(scene, before, stats)
    gateway = victims.gateway_master(scene.system)[0]
    gateway.kill()
    await until(lambda: gone(gateway), WITHIN_S)
    await until(lambda: as_before(scene, before, stats), WITHIN_S)

    async def is_counted() -> bool:
        return await scene.failures() > counted

    await until(is_counted, WITHIN_S)
    assert await scene.good_at() > 0
    await scene.redis.flushall()
    assert await as_before(scene, before, stats)
    # The alarm: of good data nobody knows any more.
    assert await scene.good_at() == 0
    await play(scene.sandbox, stack)
    await scene.begin_sync()

    async def fresh() -> bool:
        await scene.forget_cached()
        return not (await scene.told(CURRENT))["metadata"]["stale"]

    await until(fresh, WITHIN_S)
    assert (await scene.told(CURRENT))["participantCount"] == PEOPLE
    assert await scene.good_at() > 0


async def gone(process: psutil.Process) -> bool:
    """Whether a process has ended."""
    return not lives(process)


async def as_before(scene: Scene, race: Any, stats: Any) -> bool:
    """Whether every route tells the same figures as before, and says that they are old."""
    try:
        now = await scene.told(CURRENT)
    except (OSError, EOFError):
        return False
    assert now["metadata"].pop("stale"), now["metadata"]
    assert {**now, "metadata": None} == {**race, "metadata": None}
    again = await scene.told(STATS)
    assert again.pop("stale"), again
    assert again["totals"] == stats["totals"]
    own = await scene.told(f"/api/users/{race['participants'][0]['uid']}/stats")
    assert own["stale"], own
    return True


async def test_what_a_race_was_when_its_month_ended_is_told_as_the_previous_one(scene: Scene) -> None:
    at = datetime.fromisoformat((await scene.sandbox.books())["at"])
    first = (at.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0)
    await scene.sandbox.advance(to=(first - timedelta(seconds=30)).isoformat())
    await scene.schedule()
    await scene.pool.execute(END_OF_MONTH)
    await scene.forget_cached()
    last = await scene.told(CURRENT)
    assert last["status"] == "transition"
    assert wagered(last["participants"])[:10] == wagered((await scene.sandbox.books())["top"]["this_month"])
    await scene.sandbox.advance(seconds=3_600)
    await scene.schedule()
    await scene.forget_cached()
    previous, current = await scene.told(PREVIOUS), await scene.told(CURRENT)
    for name in ("id", "startDate", "endDate", "prizePool", "participants", "totalWagered", "participantCount"):
        assert previous[name] == last[name], name
    assert previous["status"] == "completed"
    assert sum(one["prize"] for one in previous["participants"]) + previous["metadata"]["unpaid"] == last["prizePool"]
    assert (current["status"], current["id"] > last["id"]) == ("live", True)
    assert current["totalWagered"] == Decimal((await scene.sandbox.books())["sums"]["this_month"])
    assert current["totalWagered"] < last["totalWagered"] / 10
    how = await scene.pool.fetchval("SELECT completed_by FROM goated_races WHERE id = $1", last["id"])
    assert how == "reset"


async def test_a_sync_whose_worker_is_killed_in_the_midst_of_it_is_done_whole_or_not_at_all(scene: Scene) -> None:
    async def kept() -> tuple[int, ...]:
        return tuple(await scene.pool.fetchrow(COUNTS))

    await scene.sandbox.control(users=CROWD)
    (worker,) = victims.child("fluxgate worker migration")(scene.system)
    async with scene.pool.acquire() as connection:
        async with connection.transaction():
            # Whoever writes figures waits here, with everybody's name written in his transaction.
            await connection.execute("LOCK TABLE goated_wagers IN SHARE MODE")
            await scene.begin_sync()

            async def waits() -> bool:
                return await scene.pool.fetchval(WAITS) > 0

            await until(waits, WITHIN_S)
            worker.kill()
            await until(lambda: gone(worker), WITHIN_S)
        assert await kept() == (PEOPLE, PEOPLE, PEOPLE)

    async def whole() -> bool:
        found = await kept()
        assert found in ((PEOPLE,) * 3, (CROWD,) * 3)
        return found[0] == CROWD

    await until(whole, WITHIN_S)
    await scene.forget_cached()
    assert (await scene.told(STATS))["totals"]["all_time"] == Decimal((await scene.sandbox.books())["sums"]["all_time"])
