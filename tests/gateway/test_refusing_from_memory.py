"""A sold-out sale refuses without asking Redis, and nobody is told a lie by it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_asyncio

import lua
from chaos.waiting import until
from contract.order_ids import parse_order_id
from contract.settings import Settings
from contract.transport import open_redis
from lua.keys import SECRET
from tests.support.buckets import put_tokens
from tests.support.http import get, init, order, post
from tests.support.processes import running_gateway
from tests.support.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = lua.LaneKeys(0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two_gateways(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Settings]]:
    """Two gateways of one Valkey, whose bucket gains nothing while the tests run."""
    settings = Settings(
        redis_url=servers.redis_url, data_dir=tmp_path_factory.mktemp("memory"), rate_per_s=0.001, burst=1_000
    )
    async with running_gateway(settings) as one, running_gateway(settings) as other:
        yield [one, other]


@pytest_asyncio.fixture(loop_scope="module")
async def redis(two_gateways: list[Settings]) -> AsyncIterator[Any]:
    """Their Valkey, emptied, with a sale of one unit and a bucket that is full enough."""
    client = open_redis(two_gateways[0])
    secret = await client.get(SECRET)
    await client.flushall()
    if secret is not None:  # running gateways go on with it
        await client.set(SECRET, secret)
    assert (await init(two_gateways[0].port, quantity=1)).status == 200
    await put_tokens(client, 1_000)
    yield client
    await client.aclose()


async def decided(redis: Any) -> int:
    """How often Redis has run a script."""
    return (await redis.info("commandstats")).get("cmdstat_evalsha", {}).get("calls", 0)


async def until_refused_from_memory(gateway: Settings, redis: Any, expected: int) -> None:
    """Ask until an answer needs no Redis; until then the gateway learns what it has to know."""

    async def without_redis() -> bool:
        before = await decided(redis)
        assert (await order(gateway.port, f"learn-{before}")).status == expected
        return await decided(redis) == before

    await until(without_redis)


async def test_a_sold_out_sale_is_refused_without_a_round_trip(two_gateways: list[Settings], redis: Any) -> None:
    one = two_gateways[0]
    assert (await order(one.port, "first")).json()["status"] == "success"
    await until_refused_from_memory(one, redis, 409)
    before = await decided(redis)
    answers = await asyncio.gather(*(order(one.port, f"late-{i}") for i in range(50)))
    assert {(answer.status, answer.json()["msg"]) for answer in answers} == {(409, "Inventory empty")}
    assert await decided(redis) - before <= 2  # what is known is renewed once a second


async def test_an_empty_bucket_diverts_without_a_round_trip(two_gateways: list[Settings], redis: Any) -> None:
    one = two_gateways[0]
    await init(one.port, quantity=100)
    await put_tokens(redis, 0)
    await until_refused_from_memory(one, redis, 302)
    before = await decided(redis)
    answers = await asyncio.gather(*(order(one.port, f"crowd-{i}") for i in range(50)))
    assert {answer.status for answer in answers} == {302}
    assert await decided(redis) - before <= 2


async def test_the_key_of_an_order_is_a_replay_at_every_gateway(two_gateways: list[Settings], redis: Any) -> None:
    one, other = two_gateways
    bought = (await order(one.port, "mine")).json()["orderId"]
    for gateway in (one, other):
        await until_refused_from_memory(gateway, redis, 409)
        again = await order(gateway.port, "mine")
        assert (again.status, again.json()) == (
            200,
            {"status": "ignored", "msg": "Duplicate request", "orderId": bought},
        )
        assert (await order(gateway.port, "mine", user="somebody else")).status == 422


async def test_a_unit_that_comes_back_anywhere_can_be_bought_everywhere(
    two_gateways: list[Settings], redis: Any
) -> None:
    one, other = two_gateways
    bought = (await order(one.port, "given-back")).json()["orderId"]
    await until_refused_from_memory(other, redis, 409)
    assert (await post(one.port, f"/cancel/{bought}")).status == 200

    async def bought_it() -> bool:
        return (await order(other.port, "patient")).status == 200

    await until(bought_it)


async def test_a_unit_that_a_worker_gives_back_can_be_bought(two_gateways: list[Settings], redis: Any) -> None:
    one = two_gateways[0]
    bought = (await order(one.port, "fails")).json()["orderId"]
    await until_refused_from_memory(one, redis, 409)
    found = parse_order_id(bought)
    assert found is not None
    await redis.xgroup_create(KEYS.outbox, "orders", "0")
    entries = cast(Any, await redis.xreadgroup("orders", "here", {KEYS.outbox: ">"}))[0][1]
    failed = lua.Outcome(len(entries) - 1, found[1], bought, lua.FAILED, "ps5", 1, "user-42")
    names = [(name.decode(), 1) for name, _ in entries]
    assert await lua.settle(redis, KEYS, group="orders", ttl_s=60, entries=names, outcomes=[failed], dead=[]) == len(
        entries
    )

    async def bought_it() -> bool:
        return (await order(one.port, "lucky")).status == 200

    await until(bought_it)


async def test_what_was_refused_from_memory_is_counted_with_the_next_batch(
    two_gateways: list[Settings], redis: Any
) -> None:
    one = two_gateways[0]
    await order(one.port, "counted")
    await until_refused_from_memory(one, redis, 409)
    answers = await asyncio.gather(*(order(one.port, f"more-{i}") for i in range(20)))
    assert {answer.status for answer in answers} == {409}

    async def all_counted() -> bool:
        await get(one.port, "/inventory/ps5")
        return (await lua.read_figures(redis)).sold_out >= 21

    await until(all_counted)


async def test_a_gateway_that_lost_its_connection_asks_again(two_gateways: list[Settings], redis: Any) -> None:
    one = two_gateways[0]
    await order(one.port, "before")
    await until_refused_from_memory(one, redis, 409)
    before = await decided(redis)
    await redis.client_kill_filter(_type="pubsub", skipme=True)
    await redis.client_kill_filter(_type="normal", skipme=True)

    async def asked() -> bool:
        assert (await order(one.port, "new")).status == 409
        return await decided(redis) > before

    await until(asked)
    assert (await order(one.port, "before")).json()["status"] == "ignored"
