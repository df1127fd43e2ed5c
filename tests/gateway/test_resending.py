"""A connection to Redis that breaks under a batch: the batch is sent again, and every buyer is told the truth."""

import asyncio
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

import lua
from contract.settings import Settings
from gateway.admission import Admission
from lua import Answer, Status

PRODUCT, DIGEST = "ps5", "8" * 16


class BreaksOnce:
    """A client whose first batch loses its connection, before Redis has run it or after."""

    def __init__(self, redis: lua.Client, *, after: bool) -> None:
        self._redis = cast(Any, redis)
        self._after = after
        self._broken = False

    async def execute_command(self, *command: Any) -> Any:
        if self._broken:
            return await self._redis.execute_command(*command)
        self._broken = True
        if self._after:
            # Not by its hash, which Redis may not know yet.
            await self._redis.eval(lua.scripts.script_text("admit"), *command[2:])
        raise RedisConnectionError("Connection closed by server.")


@pytest.fixture
async def sale(settings: Settings, redis: lua.Client) -> lua.Client:
    await lua.open_sale(redis, lua.LaneKeys(0), PRODUCT, 10, 0)
    return redis


def door(redis: lua.Client, settings: Settings, *, after: bool) -> Admission:
    return Admission(redis, settings, lua.LaneKeys(0), BreaksOnce(redis, after=after))


async def click(admission: Admission) -> tuple[str, Answer]:
    """One order of one buyer, always under the same key."""
    return await admission.order(PRODUCT, 1, "user-1", "key-1", DIGEST, "client")


@pytest.mark.parametrize("after", [False, True], ids=["before it counted", "after it counted"])
async def test_an_order_that_is_sent_again_is_accepted_once(sale: lua.Client, settings: Settings, after: bool) -> None:
    _, answer = await click(door(sale, settings, after=after))
    assert answer == Answer(Status.ACCEPTED, 0)
    assert await lua.read_stock(sale, lua.LaneKeys(0), PRODUCT) == 9


@pytest.mark.parametrize("after", [False, True], ids=["before it counted", "after it counted"])
async def test_of_two_clicks_that_are_sent_again_one_is_accepted_and_one_a_replay(
    sale: lua.Client, settings: Settings, after: bool
) -> None:
    admission = door(sale, settings, after=after)
    (order_id, first), (same_id, second) = await asyncio.gather(click(admission), click(admission))
    assert same_id == order_id
    assert first == Answer(Status.ACCEPTED, 0)
    assert second == Answer(Status.REPLAYED, order_id.encode())
    assert await lua.read_stock(sale, lua.LaneKeys(0), PRODUCT) == 9
