"""The loop of the command bus: every ending of a command, as who asked sees it and as its stream shows it."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

import lua
from contract.bus import BusCommand, decode_command
from contract.settings import Settings
from contract.transport import Stream
from lua.keys import cache_key
from tests.support.desk import command, deliver, handled, open_desk, read
from workers import bus
from workers.once import once, tell
from workers.service import Desk, Ending, Later, More, Never, Refuse, Replied, Service, replied

NAME = "webhooks"
"""A worker of the contract; what it does here is only what these tests need."""


class Amount(msgspec.Struct):
    """How much to add."""

    amount: int


async def echo(_desk: Desk, own: BusCommand) -> Ending:
    """Give the body back, and who asked."""
    return replied({"body": own.body, "user": own.user_id, "attempt": own.attempt})


async def add(desk: Desk, own: BusCommand) -> Ending:
    """Change something, once: leave a command for another worker."""
    msgspec.json.decode(own.body, type=Amount)

    async def work(connection: Any) -> Replied:
        await tell(connection, "goated", command("count", id=next_id(own.id), reply_to=""))
        if own.user_id == "breaks":
            raise ZeroDivisionError
        return replied({"at": time.time_ns()}, status=201, stale=("game:1", "home:*"))

    return await once(desk, own, work)


def next_id(command_id: str) -> str:
    """Another id for each id, always the same."""
    return command_id[:-1] + ("0" if command_id[-1] != "0" else "1")


async def refuse(_desk: Desk, _own: BusCommand) -> Ending:
    """Refuse."""
    raise Refuse(409, "TAKEN", "It is taken already.", action="choose_another")


async def later(_desk: Desk, own: BusCommand) -> Ending:
    """Ask for another attempt twice, then be done."""
    return Later(5.0, "not yet") if own.attempt < 3 else replied({"attempt": own.attempt})


async def never(_desk: Desk, _own: BusCommand) -> Ending:
    """Give up."""
    return Never("it cannot be")


async def away(_desk: Desk, _own: BusCommand) -> Ending:
    """Meet a database that is away."""
    raise asyncpg.CannotConnectNowError("starting up")


async def divide(_desk: Desk, _own: BusCommand) -> Ending:
    """Meet a bug."""
    raise ZeroDivisionError


async def decode(_desk: Desk, own: BusCommand) -> Ending:
    """Read a body."""
    return replied(msgspec.json.decode(own.body, type=Amount).amount)


KINDS = (echo, add, refuse, later, never, away, divide, decode)
SERVICE = Service(NAME, {kind.__name__: kind for kind in KINDS}, query_file="bus")


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """What the handlers use."""
    async with open_desk(settings, SERVICE) as opened:
        yield opened


async def waiting(desk: Desk) -> int:
    """How many commands are on the stream."""
    return await desk.redis.xlen(lua.commands_key(NAME))


async def outbox(desk: Desk) -> list[Any]:
    """What waits in Postgres."""
    return await desk.pool.fetch("SELECT *, extract(epoch FROM due_at - now()) AS due_s FROM outbox")


async def test_a_reply_is_kept_and_its_command_leaves_the_stream(desk: Desk) -> None:
    reply = await handled(desk, SERVICE, "echo", {"a": 1}, user_id="ann")
    assert (reply.status, msgspec.json.decode(reply.data)) == (200, {"body": {"a": 1}, "user": "ann", "attempt": 1})
    assert await waiting(desk) == 0
    assert 0 < await desk.redis.ttl(lua.reply_key(reply.id)) <= 600


async def test_a_refusal_reaches_who_asked_with_its_code_and_its_advice(desk: Desk) -> None:
    reply = await handled(desk, SERVICE, "refuse")
    assert reply.status == 409
    assert reply.problem is not None
    assert (reply.problem.code, reply.problem.action) == ("TAKEN", "choose_another")


async def test_a_body_that_does_not_fit_is_the_clients_mistake(desk: Desk) -> None:
    reply = await handled(desk, SERVICE, "decode", {"amount": "much"})
    assert reply.status == 400
    assert reply.problem is not None
    assert "amount" in reply.problem.message


async def test_a_command_past_its_deadline_is_answered_and_not_run(desk: Desk) -> None:
    reply = await handled(desk, SERVICE, "add", {"amount": 1}, deadline_ms=1)
    assert reply.status == 503
    assert reply.problem is not None
    assert reply.problem.code == "EXPIRED"
    assert await outbox(desk) == []


async def test_a_command_that_was_done_in_time_is_told_so_after_its_deadline(desk: Desk) -> None:
    own = command("add", {"amount": 1})
    first = await deliver(desk, SERVICE, own)
    await desk.redis.hset(cache_key("game:1"), "value", "old")
    assert await deliver(desk, SERVICE, msgspec.structs.replace(own, deadline_ms=1)) == first
    assert not await desk.redis.exists(cache_key("game:1"))


async def test_a_command_that_is_delivered_twice_changes_once_and_replies_the_same(desk: Desk) -> None:
    own = command("add", {"amount": 1})
    first, second = await deliver(desk, SERVICE, own), await deliver(desk, SERVICE, own)
    assert first == second
    assert first.status == 201
    assert len(await outbox(desk)) == 1


async def test_a_bug_is_answered_with_500_and_rolls_back_what_it_began(desk: Desk) -> None:
    reply = await handled(desk, SERVICE, "add", {"amount": 1}, user_id="breaks")
    assert reply.status == 500
    assert await outbox(desk) == []
    assert await desk.pool.fetchval("SELECT count(*) FROM handled_commands") == 0


async def test_a_bug_that_nobody_waits_for_is_tried_again_later(desk: Desk) -> None:
    await handled(desk, SERVICE, "divide", reply_to="")
    [row] = await outbox(desk)
    assert decode_command(row["command"]).attempt == 2
    assert 0 < row["due_s"] <= bus.PAUSE_FIRST_S
    assert await waiting(desk) == 0


async def test_a_database_that_is_away_is_waited_for_and_then_admitted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "PATIENCE_S", 0.05)
    reply = await handled(desk, SERVICE, "away")
    assert reply.status == 503
    assert reply.problem is not None
    assert (reply.problem.code, reply.problem.retryable) == ("DATABASE_UNAVAILABLE", True)


async def test_later_waits_in_the_outbox_and_is_counted_as_an_attempt(desk: Desk) -> None:
    own = command("later")
    assert (await deliver(desk, SERVICE, own)).status == 202
    assert await desk.redis.get(lua.reply_key(own.id)) == b""
    [row] = await outbox(desk)
    assert (row["worker"], 4 < row["due_s"] <= 5) == (NAME, True)
    again = decode_command(row["command"])
    assert (again.id, again.attempt) == (own.id, 2)
    await desk.pool.execute("TRUNCATE outbox")
    third = msgspec.structs.replace(again, attempt=3)
    assert msgspec.json.decode((await deliver(desk, SERVICE, third)).data) == {"attempt": 3}


async def test_what_is_put_off_too_often_is_dead_lettered(desk: Desk) -> None:
    own = msgspec.structs.replace(command("later"), attempt=bus.ATTEMPTS_MAX)
    handlers = {"later": lambda _desk, _own: never_ready()}
    reply = await deliver(desk, Service(NAME, handlers, query_file="bus"), own)
    assert reply.status == 500
    [(_, fields)] = await desk.redis.xrange(lua.dead_commands_key(NAME))
    assert fields[b"reason"] == b"still not"


async def never_ready() -> Ending:
    """Put it off."""
    return Later(1.0, "still not")


@pytest.mark.parametrize(("kind", "reason"), [("never", b"it cannot be"), ("unheard", b"no handler")])
async def test_what_cannot_be_handled_is_parked_whole_with_its_reason(desk: Desk, kind: str, reason: bytes) -> None:
    own = command(kind, {"a": 1})
    assert (await deliver(desk, SERVICE, own)).status == 500
    assert await waiting(desk) == 0
    [(_, fields)] = await desk.redis.xrange(lua.dead_commands_key(NAME))
    assert decode_command(fields[b"command"]) == own
    assert fields[b"reason"].startswith(reason)


@pytest.mark.parametrize("text", [b"", b"{", b'{"id":"x","kind":"echo"}', b'"\xff"'])
async def test_what_is_no_command_is_parked_and_blocks_nothing(desk: Desk, text: bytes) -> None:
    assert await lua.submit(desk.redis, NAME, text, 10)
    assert (await handled(desk, SERVICE, "echo")).status == 200
    [(_, fields)] = await desk.redis.xrange(lua.dead_commands_key(NAME))
    assert fields[b"command"] == text


async def test_a_command_that_keeps_killing_its_worker_is_parked(desk: Desk) -> None:
    own = command("echo")
    assert await lua.submit(desk.redis, NAME, msgspec.json.encode(own), 10)
    [delivery] = await read(desk, SERVICE)
    stream = Stream(desk.redis, lua.commands_key(NAME), NAME, "test")
    worn = delivery._replace(deliveries=bus.DELIVERIES_MAX + 1)
    await bus.run_once(desk, SERVICE, stream, worn, asyncio.Event())
    assert await desk.redis.xlen(lua.dead_commands_key(NAME)) == 1


async def test_every_command_is_counted_by_kind_and_ending(desk: Desk) -> None:
    for kind in ("echo", "echo", "refuse", "unheard"):
        await handled(desk, SERVICE, kind)
    found = {(one.kind, one.status): one.times for one in await lua.read_handled(desk.redis)}
    assert found == {("echo", "200"): 2, ("refuse", "409"): 1, ("unknown", "dead"): 1}


async def test_a_count_knows_the_trace_and_the_request_of_its_latest_command(desk: Desk) -> None:
    for digit in ("a", "b"):
        trace = f"00-{digit * 32}-{'1' * 16}-01"
        await handled(desk, SERVICE, "echo", trace=trace, request_id=f"request-{digit}")
    [found] = await lua.read_handled(desk.redis)
    assert (found.times, found.trace_id, found.request_id) == (2, "b" * 32, "request-b")


def test_pauses_grow_and_are_bounded() -> None:
    pauses = [bus.pause_s(attempt) for attempt in range(1, 60)]
    assert pauses[:3] == [1.0, 2.0, 4.0]
    assert pauses == sorted(pauses)
    assert max(pauses) == bus.PAUSE_MAX_S


async def test_a_command_that_has_done_a_part_goes_on_however_late_and_replies_at_its_end(desk: Desk) -> None:
    parts = iter((More(), More(3), replied("whole")))
    given: list[tuple[int, bool]] = []

    async def work(_desk: Desk, own: BusCommand) -> Ending:
        given.append((own.attempt, own.deadline_ms > 0))
        return next(parts)

    service = Service(NAME, {"parts": work}, query_file="bus")
    assert (await deliver(desk, service, command("parts"))).status == 202
    for after_s, status in ((0, 202), (3, 200)):
        [row] = await outbox(desk)
        assert after_s - 1 < row["due_s"] <= after_s
        await desk.pool.execute("TRUNCATE outbox")
        reply = await deliver(desk, service, decode_command(row["command"]))
        assert reply.status == status
    assert bytes(reply.data) == b'"whole"'
    assert given == [(1, True), (1, False), (1, False)]
