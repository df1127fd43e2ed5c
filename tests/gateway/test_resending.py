"""A connection to Redis that breaks under a batch: the batch is sent again, and every buyer is told the truth."""

from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

import lua
from contract.messages import Order
from contract.settings import Settings
from gateway.admission import Admission
from lua import Answer, Status

ORDER = Order("ps5", "user-1", 1, "key-1")


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
    await lua.open_sale(redis, lua.LaneKeys(0), ORDER.product_id, 10, 0)
    return redis


def door(redis: lua.Client, settings: Settings, *, after: bool, monkeypatch: pytest.MonkeyPatch) -> Admission:
    # Requests of one key and one millisecond have the same order id, which is how a resent order knows itself.
    monkeypatch.setattr("gateway.admission.time.time_ns", lambda: 1_700_000_000_000_000_000)
    return Admission(cast(lua.Client, BreaksOnce(redis, after=after)), settings)


@pytest.mark.parametrize("after", [False, True], ids=["before it counted", "after it counted"])
async def test_an_order_that_is_sent_again_is_accepted_once(
    sale: lua.Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    admission = door(sale, settings, after=after, monkeypatch=monkeypatch)
    _, decided = admission.order(ORDER, "client")
    assert await decided == Answer(Status.ACCEPTED, 0)
    assert await lua.read_stock(sale, lua.LaneKeys(0), ORDER.product_id) == 9


@pytest.mark.parametrize("after", [False, True], ids=["before it counted", "after it counted"])
async def test_of_two_clicks_that_are_sent_again_one_is_accepted_and_one_a_replay(
    sale: lua.Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    admission = door(sale, settings, after=after, monkeypatch=monkeypatch)
    order_id, first = admission.order(ORDER, "client")
    same_id, second = admission.order(ORDER, "client")
    assert same_id == order_id
    assert await first == Answer(Status.ACCEPTED, 0)
    assert await second == Answer(Status.REPLAYED, order_id.encode())
    assert await lua.read_stock(sale, lua.LaneKeys(0), ORDER.product_id) == 9
