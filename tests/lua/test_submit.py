"""`submit.lua`: a command is on its way, or nothing was taken."""

import asyncio

import lua


async def test_a_command_is_appended_to_the_stream_of_its_worker(redis: lua.Client) -> None:
    assert await lua.submit(redis, "auth", b"one", 10)
    entries = await redis.xrange(lua.commands_key("auth"))
    assert [fields for _, fields in entries] == [{b"command": b"one"}]
    assert await redis.xlen(lua.commands_key("orders")) == 0


async def test_a_crowd_does_not_get_past_the_limit_together(redis: lua.Client) -> None:
    taken = await asyncio.gather(*(lua.submit(redis, "auth", b"%d" % i, 7) for i in range(50)))
    assert sum(taken) == 7
    assert await redis.xlen(lua.commands_key("auth")) == 7


async def test_what_was_handled_makes_room(redis: lua.Client) -> None:
    assert await lua.submit(redis, "auth", b"one", 1)
    assert not await lua.submit(redis, "auth", b"two", 1)
    [(entry_id, _)] = await redis.xrange(lua.commands_key("auth"))
    await redis.xdel(lua.commands_key("auth"), entry_id)
    assert await lua.submit(redis, "auth", b"two", 1)


async def test_counts_of_handled_commands_add_up(redis: lua.Client) -> None:
    for seconds in (0.25, 0.5):
        await lua.count_handled(redis, "auth", "login", "200", seconds)
    await lua.count_handled(redis, "auth", "login", "401", 0.125)
    assert await lua.read_handled(redis) == [
        lua.Handled("auth", "login", "200", 2, 0.75),
        lua.Handled("auth", "login", "401", 1, 0.125),
    ]
