"""Commands through HTTP: who does not want to wait comes back later, and a worker that is away holds nobody up."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest

import lua
from chaos.waiting import until
from contract.bus import BusCommand, new_command_id
from contract.settings import Settings
from gateway.replies import AWAITED_MAX, COMMAND_WITHIN_S
from tests.support.desk import open_desk, serving
from tests.support.http import Response, get, init, order, post
from tests.support.processes import running, running_gateway
from tests.support.refusals import refused
from workers.service import Desk, Ending, Refuse, Service, replied

WORKER = "migration"
LINE = {"gameId": "half-life", "quantity": 2}
UNITS = 3
GONE_S = COMMAND_WITHIN_S + 1


async def add(_desk: Desk, own: BusCommand) -> Ending:
    """Say what came."""
    return replied({"session": own.session_id, "line": own.body}, status=201)


async def refuse(_desk: Desk, _own: BusCommand) -> Ending:
    """Refuse."""
    raise Refuse(409, "OUT_OF_STOCK", "There is none left.", action="choose_another")


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """What a worker of these tests uses."""
    async with open_desk(settings, service()) as opened:
        yield opened


def service(handler: Any = add) -> Service:
    """A worker that takes carts; what it does with them is said here."""
    return Service(WORKER, {"add_to_cart": handler}, query_file="bus")


async def ask(port: int, **headers: str) -> Response:
    """A request that makes one command, of a guest."""
    return await post(port, "/api/cart", LINE, **({"X_Session_Id": secrets.token_hex(16)} | headers))


def place(answer: Response) -> str:
    """Where the reply to a command will be."""
    assert answer.status == 202, answer.body
    assert answer.headers["retry-after"] == "1"
    found = answer.headers["location"]
    assert answer.json()["data"] == {"state": "pending", "url": found}
    return found


async def when_done(port: int, at: str) -> Response:
    """The reply at a place, as soon as there is one."""
    answers: list[Response] = []

    async def done() -> bool:
        answers.append(await get(port, at))
        return answers[-1].status != 202

    await until(done)
    return answers[-1]


async def waiting(redis: lua.Client) -> int:
    """How many commands wait for the worker."""
    return await cast(Any, redis).xlen(lua.commands_key(WORKER))


@pytest.mark.parametrize("prefer", ["wait=0", "respond-async", "respond-async, wait=0", 'wait="0"'])
async def test_who_does_not_want_to_wait_fetches_the_reply_that_he_would_have_had(
    gateway: Settings, desk: Desk, prefer: str
) -> None:
    session = secrets.token_hex(16)
    at = place(await ask(gateway.port, Prefer=prefer, X_Session_Id=session))
    assert (await get(gateway.port, at)).status == 202
    async with serving(desk, service()):
        late = await when_done(gateway.port, at)
        at_once = await ask(gateway.port, X_Session_Id=session)
    assert (late.status, late.json()) == (at_once.status, at_once.json())
    assert late.json() == {"status": "success", "data": {"session": session, "line": at_once.json()["data"]["line"]}}
    assert (await get(gateway.port, at)).json() == late.json()


async def test_a_refusal_that_comes_late_is_the_refusal_that_it_would_have_been(gateway: Settings, desk: Desk) -> None:
    at = place(await ask(gateway.port, Prefer="wait=0"))
    async with serving(desk, service(refuse)):
        late, at_once = await when_done(gateway.port, at), await ask(gateway.port)
    assert late.status == at_once.status == 409
    assert late.json()["error"] == at_once.json()["error"]
    assert late.json()["error"]["code"] == "OUT_OF_STOCK"


async def test_who_wants_to_wait_waits_so_long(gateway: Settings) -> None:
    began = asyncio.get_running_loop().time()
    place(await ask(gateway.port, Prefer="wait=1"))
    assert asyncio.get_running_loop().time() - began >= 1


async def test_a_worker_that_is_away_is_waited_for_and_the_command_is_done_when_it_is_back(
    settings: Settings, desk: Desk
) -> None:
    async with running_gateway(msgspec.structs.replace(settings, ask_timeout_s=0.2)) as gateway:
        at = place(await ask(gateway.port))
        async with serving(desk, service()):
            assert (await when_done(gateway.port, at)).status == 201
            assert await waiting(desk.redis) == 0


async def test_a_command_that_waited_longer_than_anybody_is_told_so_and_is_not_done(
    gateway: Settings, desk: Desk
) -> None:
    own = BusCommand(id=new_command_id(), kind="add_to_cart", reply_to="nobody", deadline_ms=1)
    assert await lua.submit(desk.redis, WORKER, msgspec.json.encode(own), 10)
    async with serving(desk, service()):
        late = await when_done(gateway.port, f"/api/commands/{own.id}")
    assert (late.status, late.json()["error"]["code"]) == (503, "EXPIRED")


def of_long_ago(seconds: float) -> str:
    """The id of a command that was made so long ago."""
    digits = f"{int(new_command_id().replace('-', ''), 16) - (int(seconds * 1000) << 80):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


OF_NO_TIME = "ffffffff-ffff-7fff-bfff-ffffffffffff"


@pytest.mark.parametrize(
    "command_id",
    ["nonsense", "0", new_command_id().upper(), of_long_ago(GONE_S), OF_NO_TIME, "a.b"],
    ids=["nonsense", "number", "upper case", "long ago", "no time", "with a dot"],
)
async def test_a_command_that_nobody_knows_is_not_found(gateway: Settings, command_id: str) -> None:
    refused(await get(gateway.port, f"/api/commands/{command_id}"), 404)


async def test_a_full_queue_takes_nothing_and_says_when_to_come_back(settings: Settings, redis: lua.Client) -> None:
    async with running_gateway(msgspec.structs.replace(settings, backlog_max=2)) as gateway:
        for _ in range(2):
            place(await ask(gateway.port, Prefer="wait=0"))
        answer = await ask(gateway.port, Prefer="wait=0")
        refused(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
        assert await waiting(redis) == 2


@pytest.mark.slow
async def test_a_slow_worker_holds_so_many_requests_and_the_sale_goes_on(gateway: Settings, desk: Desk) -> None:
    assert (await init(gateway.port, quantity=UNITS)).status == 200
    held = [asyncio.create_task(ask(gateway.port, Prefer="wait=30")) for _ in range(AWAITED_MAX)]

    async def all_wait() -> bool:
        return await waiting(desk.redis) == AWAITED_MAX

    await until(all_wait, within_s=30)
    answer = await ask(gateway.port, Prefer="wait=30")
    refused(answer, 503)
    assert "retry-after" in answer.headers
    for number in range(UNITS):
        assert (await order(gateway.port, f"key-{number}")).status == 200
    assert await waiting(desk.redis) == AWAITED_MAX
    assert not any(asking.done() for asking in held)
    async with serving(desk, service()):
        assert {answer.status for answer in await asyncio.gather(*held)} == {201}
        assert (await ask(gateway.port)).status == 201


@pytest.mark.slow
async def test_the_log_of_a_worker_names_the_command_the_request_and_the_trace(gateway: Settings) -> None:
    trace, own = secrets.token_hex(16), f"request-{secrets.token_hex(4)}"
    step = secrets.token_hex(8)
    at = place(await ask(gateway.port, Prefer="wait=0", X_Request_Id=own, Traceparent=f"00-{trace}-{step}-01"))
    async with running(gateway, "worker", WORKER):
        await when_done(gateway.port, at)

        async def told() -> bool:
            return bool(lines_of(gateway, own))

        await until(told)
    (line,) = lines_of(gateway, own)
    assert (line["event"], line["kind"], line["worker"]) == ("command", "add_to_cart", WORKER)
    assert line["command"] == at.rpartition("/")[2]
    version, same, next_step, flags = line["trace"].split("-")
    assert (version, same, flags) == ("00", trace, "01")
    assert next_step != step


def lines_of(settings: Settings, request_id: str) -> list[dict[str, Any]]:
    """What the worker has logged for a request."""
    lines = map(json.loads, (settings.data_dir / f"worker-{WORKER}.log").read_text().splitlines())
    return [line for line in lines if line.get("request_id") == request_id]
