"""`replay_command.lua`: a dead-lettered command is in exactly one of the two streams at every moment."""

import asyncio
from typing import Any, cast

import pytest
from redis.exceptions import ResponseError

import lua

COMMANDS, DEAD = lua.commands_key("auth"), lua.dead_commands_key("auth")


async def bury(redis: lua.Client, entry_id: str = "7-1") -> None:
    """Put a dead letter where the bus puts it."""
    await cast(Any, redis).xadd(DEAD, {"command": b"old", "reason": "tried in vain"}, id=entry_id)


async def lengths(redis: lua.Client) -> tuple[int, int]:
    """How many commands wait, and how many are dead-lettered."""
    return await cast(Any, redis).xlen(COMMANDS), await cast(Any, redis).xlen(DEAD)


async def test_a_replayed_command_waits_as_it_was_handed_in(redis: lua.Client) -> None:
    await bury(redis)
    assert await lua.replay_command(redis, "auth", "7-1", b"new")
    assert [fields for _, fields in await cast(Any, redis).xrange(COMMANDS)] == [{b"command": b"new"}]
    assert await lengths(redis) == (1, 0)


async def test_a_command_is_replayed_once_however_many_ask(redis: lua.Client) -> None:
    await bury(redis)
    answers = await asyncio.gather(*(lua.replay_command(redis, "auth", "7-1", b"new") for _ in range(10)))
    assert sorted(answers) == [False] * 9 + [True]
    assert await lengths(redis) == (1, 0)


@pytest.mark.parametrize("entry_id", ["1-1", "7"])
async def test_what_names_no_entry_changes_nothing(redis: lua.Client, entry_id: str) -> None:
    # "7" would find 7-1 and delete 7-0.
    await bury(redis)
    assert not await lua.replay_command(redis, "auth", entry_id, b"new")
    assert await lengths(redis) == (0, 1)


@pytest.mark.parametrize("key", [COMMANDS, DEAD])
async def test_a_key_of_another_type_fails_it_before_any_write(redis: lua.Client, key: str) -> None:
    await bury(redis)
    await cast(Any, redis).delete(key)
    await cast(Any, redis).sadd(key, "a set is what no script of ours uses")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await lua.replay_command(redis, "auth", "7-1", b"new")
    other = DEAD if key == COMMANDS else COMMANDS
    assert await cast(Any, redis).xlen(other) == (1 if other == DEAD else 0)
