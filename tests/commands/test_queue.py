"""`fluxgate queue`: every stream and every row of the outbox is counted where it is, in one lane and in several."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest
from redis.exceptions import ResponseError

import lua
from contract.bus import SERVICES
from contract.settings import Settings
from contract.transport import Stream
from fluxgate.queue import command
from lua import LaneKeys
from sql import Pool, open_pool
from tests.support.waiting import leave


@pytest.fixture(params=[1, 3])
async def gate(settings: Settings, redis: lua.Client, request: pytest.FixtureRequest) -> Settings:
    """Settings of a gate with one lane, and with three, that has been started."""
    await lua.agree_on_lanes(redis, request.param)
    return msgspec.structs.replace(settings, lanes=request.param)


@pytest.fixture
async def outbox(settings: Settings) -> AsyncIterator[Pool]:
    """An empty outbox."""
    pool = await open_pool(settings.postgres_at, name="test", connections=1)
    await pool.execute("TRUNCATE outbox")
    yield pool
    await pool.close()


async def shown(settings: Settings, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON of the command, streams by name."""
    assert await command(settings, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    return {"outbox": document["outbox"], "streams": {row.pop("name"): row for row in document["streams"]}}


async def add(redis: lua.Client, stream: str, count: int, at_ms: int | None = None) -> None:
    for number in range(count):
        await cast(Any, redis).xadd(stream, {"any": "thing"}, id="*" if at_ms is None else f"{at_ms}-{number + 1}")


@pytest.mark.usefixtures("outbox")
async def test_where_nothing_has_happened_nothing_waits(gate: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    found = await shown(gate, capsys)
    assert list(found["streams"]) == [*(f"lane {number}" for number in range(gate.lanes)), *SERVICES]
    nothing = {"waiting": 0, "pending": 0, "dead": 0, "oldest_s": 0}
    assert all(row == nothing for row in found["streams"].values())
    assert found["outbox"] == []
    assert await command(gate, as_json=False) == 0
    assert "No command waits in the outbox." in capsys.readouterr().out


@pytest.mark.usefixtures("outbox")
async def test_what_waits_is_told_apart_from_what_is_at_work_and_what_is_dead(
    gate: Settings, redis: lua.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    last, now_ms = LaneKeys(gate.lanes - 1), await lua.now_ms(redis)
    places = (
        (last.outbox, last.dead, lua.GROUP_OF_ORDERS),
        *[(lua.commands_key(name), lua.dead_commands_key(name), name) for name in ("g2a",)],
    )
    for stream, dead, group in places:
        await add(redis, stream, 5, now_ms - 90_000)
        await add(redis, dead, 1)
        reader = Stream(redis, stream, group, "test")
        await reader.ensure_group()
        assert len(await reader.read(2, 1)) == 2
    streams = (await shown(gate, capsys))["streams"]
    for name in (f"lane {last.lane}", "g2a"):
        assert 90 <= streams[name].pop("oldest_s") < 150
        assert streams[name] == {"waiting": 3, "pending": 2, "dead": 1}
    assert sum(row["waiting"] for row in streams.values()) == 6, "and in no other stream"
    await command(gate, as_json=False)
    table = capsys.readouterr().out
    assert [line.count(" 2 min ") for line in table.splitlines() if "g2a" in line or f"lane {last.lane}" in line] == [
        1,
        1,
    ]


async def test_the_outbox_is_counted_by_worker(
    settings: Settings, outbox: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    await leave(outbox, "g2a", after_s=-7200)
    await leave(outbox, "g2a", after_s=60)
    await leave(outbox, "stranger", after_s=60)
    g2a, stranger = (await shown(settings, capsys))["outbox"]
    assert 7200 <= g2a.pop("late_s") < 7260
    assert g2a == {"worker": "g2a", "due": 1, "later": 1, "again": 0}
    assert stranger == {"worker": "stranger", "due": 0, "later": 1, "late_s": 0, "again": 0}
    await command(settings, as_json=False)
    table = capsys.readouterr().out
    assert "stranger (no such worker)" in table
    assert " 2 h " in table


@pytest.mark.usefixtures("outbox")
async def test_a_stream_that_is_none_is_not_taken_for_an_empty_one(settings: Settings, redis: lua.Client) -> None:
    await cast(Any, redis).set(lua.commands_key("auth"), "no stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await command(settings, as_json=True)
