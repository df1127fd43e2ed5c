"""Where the race stands, told as it changes: who hears what, over both ways, and what it costs."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

import lua
from bench.ports import free_port
from chaos.waiting import until
from contract.bus import encode
from gateway.server_sent import HEARTBEAT_S
from tests.support.http import get
from tests.support.processes import listening, running
from tests.support.race_stage import AT, Stage
from tests.support.refusals import code, refused
from tests.support.streams import NotStreamed, Stream
from tests.support.told_races import Person, this_month
from tests.support.watching import Denied, Watching

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN, BOB = Person("ann", "Ann", "200.10"), Person("bob", "Bob", "100.5")
STOP_WITHIN_S = 3.5
"""A gateway that waited for its watchers would be killed after 4 s."""


@pytest_asyncio.fixture(loop_scope="module")
async def told(races: Stage) -> AsyncGenerator[Stage]:
    """Ann is known, and the worker is at work."""
    await races.tell([ANN])
    async with races.working():
        yield races


class Ear:
    """One who watches, in whichever way."""

    def __init__(self, way: Stream | Watching) -> None:
        self._way = way

    async def hear(self) -> Any:
        """The next message of a race; None when it is over."""
        while True:
            if isinstance(self._way, Watching):
                heard = await self._way.hear()
            else:
                event = await self._way.hear()
                if event is not None and event.data is None:
                    continue
                if event is not None:
                    assert (event.name, event.number) == ("race", str(event.data["version"]))
                heard = event and event.data
            if heard is None or heard["type"] == "race":
                return heard


@contextlib.asynccontextmanager
async def watching(stage: Stage, way: str, since: int | None = None) -> AsyncGenerator[Ear]:
    """Somebody who watches inside the block, and has heard that version before."""
    if way == "stream":
        heard = {} if since is None else {"Last_Event_ID": str(since)}
        async with stage.stream(**heard) as stream:
            yield Ear(stream)
    else:
        async with stage.socket("" if since is None else f"?since={since}") as socket:
            yield Ear(socket)


both_ways = pytest.mark.parametrize("way", ["stream", "socket"])


@both_ways
async def test_a_watcher_is_told_where_the_race_stands_and_then_each_change(told: Stage, way: str) -> None:
    async with watching(told, way) as ear:
        first = await ear.hear()
        top = [{"uid": "ann", "name": "Ann", "wagered": 200.1, "position": 1, "prize": 250}]
        assert first.pop("lastUpdated").endswith("Z")
        assert first == {
            "type": "race",
            "version": 1,
            "raceId": this_month().id,
            "status": "live",
            "totalWagered": 200.1,
            "participantCount": 1,
            "top": top,
        }
        await told.publish([ANN, BOB])
        second = await ear.hear()
    assert (second["version"], second["participantCount"], second["totalWagered"]) == (2, 2, 300.6)


@both_ways
async def test_whoever_comes_back_is_told_nothing_before_there_is_something_new(told: Stage, way: str) -> None:
    async with watching(told, way, since=1) as ear:
        await told.publish([BOB])
        assert (await ear.hear())["version"] == 2
    async with watching(told, way, since=1) as ear:
        assert (await ear.hear())["version"] == 2


@both_ways
@pytest.mark.parametrize("since", [0, 9_999_999])
async def test_whoever_has_heard_of_another_version_is_told_where_the_race_stands(
    told: Stage, way: str, since: int
) -> None:
    async with watching(told, way, since) as ear:
        assert (await ear.hear())["version"] == 1


async def test_two_watchers_are_told_the_same_over_one_subscription_and_nobody_listens_for_none(told: Stage) -> None:
    async def nobody() -> bool:
        return await told.listeners() == 0

    await until(nobody)
    async with watching(told, "stream") as one, watching(told, "socket") as other:
        assert await one.hear() == await other.hear()
        assert await told.listeners() == 1
        await told.publish([ANN, BOB])
        assert await one.hear() == await other.hear()
    await until(nobody)


@both_ways
async def test_a_slow_watcher_is_told_the_newest_and_not_all_that_he_has_missed(told: Stage, way: str) -> None:
    async with watching(told, way) as ear:
        await ear.hear()
        for number in range(30):
            await told.publish([ANN._replace(this_month=str(201 + number))])
        heard = [await ear.hear()]
        while heard[-1]["version"] < 31:
            heard.append(await ear.hear())
    versions = [one["version"] for one in heard]
    assert versions == sorted(set(versions))
    assert len(versions) < 20
    assert heard[-1]["totalWagered"] == 230


@both_ways
async def test_nothing_goes_back_when_news_overtake_each_other(told: Stage, way: str) -> None:
    def news(version: int) -> bytes:
        return encode({"version": version, "raceId": this_month().id, "status": "live"})

    async with watching(told, way) as ear:
        await ear.hear()
        for version in (40, 39, 41):
            await lua.publish_races(told.desk.redis, news(version))
        heard = [await ear.hear()]
        while heard[-1]["version"] != 41:
            heard.append(await ear.hear())
    assert 39 not in [one["version"] for one in heard]


@both_ways
async def test_a_broken_subscription_is_taken_up_again_and_what_was_missed_is_asked_for(told: Stage, way: str) -> None:
    async with watching(told, way) as ear:
        await ear.hear()
        # Known to the worker, and published by nobody: only who asks can tell.
        await told.tell([ANN, BOB])
        assert await told.redis.client_kill_filter(_type="pubsub") >= 1
        assert (await ear.hear())["version"] == 2
        await told.publish([ANN])
        assert (await ear.hear())["version"] == 3


async def test_junk_that_is_published_harms_nobody(told: Stage) -> None:
    async with watching(told, "stream") as ear:
        await ear.hear()
        for junk in (b"", b"junk", b"[]", b'{"version":"x"}', b'{"version":9,"raceId":"1","status":"odd"}'):
            await lua.publish_races(told.desk.redis, junk)
        await told.publish([ANN, BOB])
        assert (await ear.hear())["version"] == 2


async def test_while_the_worker_is_away_watchers_are_told_what_was_last_known(races: Stage) -> None:
    await races.tell([ANN])
    async with races.working(), watching(races, "stream") as ear:
        await ear.hear()

    async def nobody() -> bool:
        return await races.listeners() == 0

    await until(nobody)
    async with watching(races, "socket") as ear:
        assert (await ear.hear())["version"] == 1


@pytest.mark.slow
async def test_what_is_known_from_a_long_time_ago_is_told_at_once_and_made_up_for(races: Stage) -> None:
    await races.tell([ANN])
    async with races.working(), watching(races, "stream") as ear:
        await ear.hear()
    kept = (await lua.read_cached(races.desk.redis, "race:news")).value
    assert kept is not None
    await races.tell([ANN, BOB])
    await races.keep("race:news", kept, age_s=3600)
    async with races.working(), watching(races, "stream") as ear:
        assert (await ear.hear())["version"] == 1
        assert (await ear.hear())["version"] == 2


async def test_where_nothing_was_ever_fetched_nobody_can_watch_yet(races: Stage) -> None:
    async with races.working():
        with pytest.raises(NotStreamed) as told:
            async with races.stream():
                pass
        with pytest.raises(Denied) as denied:
            async with races.socket():
                pass
    assert code(told.value.response, 503) == "DATA_NOT_READY"
    assert denied.value.response.status == 503
    assert await races.listeners() == 0


async def test_a_plain_request_for_the_socket_is_told_to_upgrade(races: Stage) -> None:
    assert "WebSocket client" in refused(await races.get("/ws/races"), 426)


async def test_a_head_of_a_stream_holds_nothing(told: Stage) -> None:
    assert (await told.ask("HEAD", f"{AT}/events")).status == 200

    async def nobody() -> bool:
        return await told.listeners() == 0

    await until(nobody)


@pytest.mark.slow
async def test_silence_is_broken_by_a_sign_of_life(told: Stage) -> None:
    async with told.stream(Last_Event_ID="1") as stream, told.socket("?since=1") as socket:
        first = await stream.hear()
        began = time.monotonic()
        heard = await asyncio.gather(stream.hear(HEARTBEAT_S + 5), socket.hear(HEARTBEAT_S + 5))
    assert heard == [first, {"type": "alive"}]
    assert time.monotonic() - began > HEARTBEAT_S - 1


@pytest.mark.slow
async def test_a_watcher_that_takes_nothing_is_dropped_and_slows_nobody(told: Stage) -> None:
    large = [Person(f"u{n}", "x" * 200, "1") for n in range(10)]

    async with told.socket():
        async with watching(told, "stream") as ear:
            await ear.hear()
            await told.publish(large)
            assert (await ear.hear())["participantCount"] == 11
        news = {"raceId": this_month().id, "status": "live", "filling": "x" * 4_000_000}
        for version in range(100, 110):
            await lua.publish_races(told.desk.redis, encode({"version": version, **news}))
            await asyncio.sleep(0.25)

        async def nobody() -> bool:
            return await told.listeners() == 0

        await until(nobody, within_s=20)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_gateway_that_stops_ends_what_it_tells_and_is_not_held_up_by_it(
    told: Stage, number: signal.Signals
) -> None:
    settings = msgspec.structs.replace(told.settings, port=free_port())
    async with running(settings, "gateway") as process:
        await listening(settings.port, process)
        own = Stage(settings, told.desk)
        async with watching(own, "stream") as one, watching(own, "socket") as other:
            await one.hear()
            await other.hear()
            process.send_signal(number)
            began = time.monotonic()
            assert await one.hear() is None
            assert await other.hear() is None
            await process.wait()
            assert time.monotonic() - began < STOP_WITHIN_S
            assert process.returncode == 0


async def test_streams_are_counted_like_other_requests(told: Stage) -> None:
    async with watching(told, "stream") as ear:
        await ear.hear()

    async def counted() -> bool:
        text = (await get(told.settings.port, "/metrics")).body.decode()
        return any(f"{AT}/events" in line and 'status="200"' in line for line in text.splitlines())

    await until(counted)
