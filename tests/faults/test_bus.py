"""The command bus while its workers and its servers die: each command is done once, and whoever asked hears of it."""

import asyncio
import contextlib
import random
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import pytest
import pytest_asyncio

import lua
from chaos.proxying.proxy import proxying
from chaos.proxying.roles import BUYERS, buyers
from chaos.proxying.rules import Hold, Rule
from chaos.waiting import until
from contract.bus import BusCommand, encode, new_command_id
from contract.settings import Settings
from tests.support.desk import open_desk
from tests.support.durable import Durable, durable_servers
from tests.support.http import Response, get, post
from tests.support.people import PASSWORD, fresh_email
from tests.support.processes import running, running_gateway
from tests.support.store import add_game, cart_of, new_session
from workers.migration import MIGRATION
from workers.service import Desk

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

SHOPPERS, REGISTRARS, PEOPLE_EACH, GAMES = 6, 2, 4, 12
KILLS = 3
STRUCK_WITHIN = 15
"""Commands: a worker dies before it has done so many, so there is work for all of them."""
ANSWERED_WITHIN_S = 8.0
"""Patience of the bus is 2 s, and one attempt to connect may take longer than that."""
WAITING_FOR_LOCKS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'carts'::regclass"
BACK_WITHIN_S = 30.0
"""A command may wait for the lease of a worker that died, and a busy machine takes its time to start another."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def durable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Durable]:
    """Servers for all tests here: each leaves them as it found them, running."""
    directory = tmp_path_factory.mktemp("durable")
    async with durable_servers(directory, ask_timeout_s=BACK_WITHIN_S, lease_s=0.5, rate_per_s=100_000.0) as servers:
        yield servers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(durable: Durable) -> AsyncIterator[Settings]:
    """A gateway for all tests here."""
    async with running_gateway(durable.settings) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def desk(durable: Durable) -> AsyncIterator[Desk]:
    """A way to both servers."""
    async with open_desk(durable.settings, MIGRATION) as opened:
        yield opened


async def add(port: int, session: str, game: str, **headers: str) -> Response:
    """A guest puts one unit of a game into his cart."""
    return await post(port, "/api/cart", {"gameId": game, "quantity": 1}, X_Session_Id=session, **headers)


async def when_done(port: int, answer: Response) -> Response:
    """The reply to a command; it is fetched later where it was not there in time."""
    while answer.status == 202:
        await asyncio.sleep(0.05)
        answer = await get(port, answer.headers["location"])
    return answer


async def handled(desk: Desk) -> int:
    """How many commands workers have handled."""
    return sum(own.times for own in await lua.read_handled(desk.redis))


@contextlib.asynccontextmanager
async def dying(desk: Desk) -> AsyncGenerator[list[int]]:
    """Workers that are killed one after the other, each in the middle of its work; the last one stays.

    Gives the list of how each has ended.
    """
    ends: list[int] = []

    async def run() -> None:
        for _ in range(KILLS):
            async with running(desk.settings, "worker", "all") as process:
                ends.append(await strike(desk, process))
        async with running(desk.settings, "worker", "all"):
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    try:
        yield ends
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def strike(desk: Desk, process: Process) -> int:
    """Kill a worker at a random moment of its work; gives how it ended."""
    before = await handled(desk)
    few = random.randint(1, STRUCK_WITHIN)

    async def at_work() -> bool:
        return await handled(desk) >= before + few

    await until(at_work, BACK_WITHIN_S)
    process.kill()
    return await process.wait()


async def test_workers_that_are_killed_at_any_moment_do_every_command_once(gateway: Settings, desk: Desk) -> None:
    games = [await add_game(desk) for _ in range(GAMES)]
    sessions = [new_session() for _ in range(SHOPPERS)]

    async def shop(session: str) -> list[int]:
        answers = [await when_done(gateway.port, await add(gateway.port, session, game)) for game in games]
        return [answer.status for answer in answers]

    async def register() -> list[tuple[str, int]]:
        emails = [fresh_email() for _ in range(PEOPLE_EACH)]
        form = {"password": PASSWORD}
        answers = [await post(gateway.port, "/api/auth/register", form | {"email": email}) for email in emails]
        statuses = [(await when_done(gateway.port, answer)).status for answer in answers]
        return list(zip(emails, statuses, strict=True))

    async with dying(desk) as ends:
        shopping = asyncio.gather(*map(shop, sessions))
        registering = asyncio.gather(*(register() for _ in range(REGISTRARS)))
        statuses, people = await shopping, await registering
    assert ends == [-signal.SIGKILL] * KILLS
    assert {status for of_one in statuses for status in of_one} <= {200, 201}
    for session in sessions:
        assert await cart_of(desk, "session", session) == dict.fromkeys(games, 1)
    for email, status in (pair for of_one in people for pair in of_one):
        assert status == 201, "a second delivery is no second account"
        assert await desk.pool.fetchval("SELECT count(*) FROM users WHERE email = $1", email) == 1


async def test_a_worker_that_dies_between_its_commit_and_its_reply_has_done_it_once(
    gateway: Settings, durable: Durable, desk: Desk
) -> None:
    game, session = await add_game(desk), new_session()
    async with proxying(port_of(durable.redis.url), buyers) as proxy:
        through = durable.redis.url.replace(f":{port_of(durable.redis.url)}/", f":{proxy.port}/")
        own = msgspec.structs.replace(durable.settings, redis_url=through)
        async with running(own, "worker", "migration") as process, desk.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("LOCK TABLE carts IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.create_task(add(gateway.port, session, game))

            async def is_at_work() -> bool:
                return bool(await desk.pool.fetchval(WAITING_FOR_LOCKS))

            await until(is_at_work, BACK_WITHIN_S)
            # From here on nothing of this worker reaches Valkey: it commits, and its reply goes nowhere.
            with proxy.rule(Rule(BUYERS, Hold())):
                await transaction.rollback()

                async def has_committed() -> bool:
                    return await cart_of(desk, "session", session) == {game: 1}

                await until(has_committed, BACK_WITHIN_S)
                process.kill()
                await process.wait()
                assert not asking.done()
                async with running(durable.settings, "worker", "migration"):
                    answer = await asking
    assert answer.status in (200, 201), answer
    assert answer.json()["data"]["units"] == 1
    assert await cart_of(desk, "session", session) == {game: 1}


async def test_commands_that_wait_outlive_a_valkey_that_is_killed(
    gateway: Settings, durable: Durable, desk: Desk
) -> None:
    session, games = new_session(), [await add_game(desk) for _ in range(GAMES)]
    answers = [await add(gateway.port, session, game, Prefer="wait=0") for game in games]
    assert [answer.status for answer in answers] == [202] * GAMES
    await durable.redis.kill()
    away = await add(gateway.port, session, games[0], Prefer="wait=0")
    assert (away.status, "retry-after" in away.headers) == (503, True)
    await durable.redis.start()
    async with running(durable.settings, "worker", "migration"):
        done = [await when_done(gateway.port, answer) for answer in answers]
    assert {answer.status for answer in done} <= {200, 201}
    assert await cart_of(desk, "session", session) == dict.fromkeys(games, 1)


async def test_a_valkey_that_is_killed_under_a_worker_loses_no_command(
    gateway: Settings, durable: Durable, desk: Desk
) -> None:
    session, games = new_session(), [await add_game(desk) for _ in range(GAMES)]
    async with running(durable.settings, "worker", "migration"):
        answers = [await add(gateway.port, session, game, Prefer="wait=0") for game in games]
        await durable.redis.kill()
        await durable.redis.start()
        done = [await when_done(gateway.port, answer) for answer in answers if answer.status == 202]
        assert {answer.status for answer in done} <= {200, 201}
        again = await when_done(gateway.port, await add(gateway.port, session, games[0]))
    assert again.status in (200, 201)
    assert await cart_of(desk, "session", session) == dict.fromkeys(games, 1) | {games[0]: 2}


async def test_while_postgres_is_away_who_asks_is_told_so_and_what_nobody_asked_for_waits(
    gateway: Settings, durable: Durable, desk: Desk
) -> None:
    session, game, told = new_session(), await add_game(desk), new_session()
    body = msgspec.Raw(encode({"game_id": game, "quantity": 1}))
    quiet = BusCommand(id=new_command_id(), kind="add_to_cart", session_id=told, body=body)
    async with running(durable.settings, "worker", "migration"):
        assert (await add(gateway.port, session, game)).status in (200, 201)
        await durable.postgres.kill()
        assert await lua.submit(desk.redis, "migration", msgspec.json.encode(quiet), 10)
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            refused = await add(gateway.port, session, game)
        assert (refused.status, refused.json()["error"]["code"]) == (503, "DATABASE_UNAVAILABLE")
        assert "retry-after" in refused.headers
        assert await cast(Any, desk.redis).xlen(lua.commands_key("migration")) == 1, "what nobody asked for waits"
        await durable.postgres.start()

        async def works_again() -> bool:
            return (await add(gateway.port, session, game)).status in (200, 201)

        async def is_done() -> bool:
            return await cart_of(desk, "session", told) == {game: 1}

        await until(works_again, BACK_WITHIN_S)
        await until(is_done, BACK_WITHIN_S)
    assert await cart_of(desk, "session", session) == {game: 2}


def port_of(url: str) -> int:
    """The port that a URL names."""
    port = urlsplit(url).port
    assert port
    return port
