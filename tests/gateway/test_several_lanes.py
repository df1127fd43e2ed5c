"""A gateway of three lanes: each product has one, and every route finds it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

import lua
from bench.ports import free_port
from contract.errors import NotReady
from contract.order_ids import parse_order_id
from contract.settings import Settings
from contract.transport import open_redis
from gateway.lanes import Lanes
from lua.keys import SECRET
from tests.support.buckets import NANO
from tests.support.http import get, init, order, post
from tests.support.processes import running, running_gateway
from tests.support.servers import Servers
from tests.support.watching import watching

pytestmark = pytest.mark.asyncio(loop_scope="module")

LANES = 3
PRODUCTS = ("ps5", "xbox", "switch", "deck", "shoe", "ticket")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """A gateway of three lanes with a sale of ten units of each product."""
    settings = Settings(
        redis_url=servers.redis_url,
        data_dir=tmp_path_factory.mktemp("lanes"),
        lanes=LANES,
        rate_per_s=0.003,
        burst=LANES * 1_000,
    )
    client = open_redis(settings)
    await client.flushall()
    async with running_gateway(settings) as served:
        for product in PRODUCTS:
            assert (await init(served.port, product, 10)).status == 200
        yield served
    await client.flushall()
    await client.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def redis(gate: Settings) -> AsyncIterator[Any]:
    """Their Valkey."""
    client = open_redis(gate)
    yield client
    await client.aclose()


def lane_of(product: str) -> int:
    return lua.lane_of(product, LANES)


async def test_the_products_of_this_test_are_in_every_lane() -> None:
    assert {lane_of(product) for product in PRODUCTS} == set(range(LANES))


async def test_every_route_finds_the_lane_of_a_product_and_of_an_order(gate: Settings) -> None:
    for product in PRODUCTS:
        before = (await get(gate.port, f"/inventory/{product}")).json()["available"]
        bought = (await order(gate.port, f"mine-{product}", product)).json()["orderId"]
        found = parse_order_id(bought)
        assert found is not None
        assert found[0] == lane_of(product)
        again = await order(gate.port, f"mine-{product}", product)
        assert (again.json()["status"], again.json()["orderId"]) == ("ignored", bought)
        assert (await get(gate.port, f"/status/{bought}")).json()["productId"] == product
        assert (await get(gate.port, f"/inventory/{product}")).json()["available"] == before - 1
        assert (await get(gate.port, f"/admission?productId={product}")).json()["status"] == "open"
        assert (await post(gate.port, f"/cancel/{bought}")).json()["status"] == "cancelled"
        assert (await get(gate.port, f"/inventory/{product}")).json()["available"] == before


async def test_orders_of_all_lanes_at_once_are_each_accepted_once(gate: Settings) -> None:
    wanted = [(f"crowd-{product}-{i}", product) for product in PRODUCTS for i in range(12)]
    answers = await asyncio.gather(*(order(gate.port, key, product) for key, product in wanted))
    for product in PRODUCTS:
        told = [answer.status for answer, (_, name) in zip(answers, wanted, strict=True) if name == product]
        assert sorted(told) == [200] * 10 + [409] * 2
        await init(gate.port, product, 10)


async def test_a_lane_whose_bucket_is_empty_diverts_alone(gate: Settings, redis: Any) -> None:
    keys = lua.LaneKeys(lane_of("ps5"), LANES)
    seconds, micros = await redis.time()
    await redis.hset(keys.bucket, mapping={"level": 0, "at_us": seconds * 1_000_000 + micros})
    statuses = {product: (await order(gate.port, f"empty-{product}", product)).status for product in PRODUCTS}
    await redis.hset(keys.bucket, mapping={"level": 1_000 * NANO})
    assert statuses == {p: 302 if lane_of(p) == lane_of("ps5") else 200 for p in PRODUCTS}
    for product in PRODUCTS:
        await init(gate.port, product, 10)


async def test_a_watcher_hears_of_every_lane(gate: Settings) -> None:
    async with watching(gate.port) as watcher:
        for product in PRODUCTS:
            await order(gate.port, f"heard-{product}", product)
            await watcher.hear_until(type="order", productId=product)


async def test_the_figures_are_those_of_all_lanes(gate: Settings) -> None:
    text = (await get(gate.port, "/metrics")).body.decode()
    for product in PRODUCTS:
        assert f'fluxgate_stock_left{{product="{product}"}}' in text


async def test_a_gateway_with_another_number_of_lanes_does_not_start(gate: Settings) -> None:
    other = msgspec.structs.replace(gate, lanes=2)
    async with running(other, "gateway") as process:
        assert await process.wait() == 2
    said = (gate.data_dir / "gateway.log").read_text()
    assert "FLUXGATE_LANES is 2, but the sales in Redis are spread over 3" in said


async def test_many_orders_that_wait_for_the_secret_ask_for_it_once(gate: Settings, redis: Any) -> None:
    lanes = Lanes(redis, gate)
    asked = (await redis.info("commandstats"))["cmdstat_set"]["calls"]
    await asyncio.gather(*(lanes.prepare() for _ in range(100)))
    assert lanes.secret == await redis.get(SECRET)
    assert (await redis.info("commandstats"))["cmdstat_set"]["calls"] - asked <= LANES + 1
    await lanes.close()


async def test_orders_that_wait_for_the_secret_in_vain_are_all_told_so(gate: Settings) -> None:
    nobody = open_redis(msgspec.structs.replace(gate, redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    lanes = Lanes(nobody, gate)
    for _ in range(2):
        told = await asyncio.gather(*(lanes.prepare() for _ in range(100)), return_exceptions=True)
        assert {type(error) for error in told} == {NotReady}
    await nobody.aclose()
