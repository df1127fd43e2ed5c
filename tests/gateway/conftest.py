"""Fixtures of the gateway's tests: one gateway for a whole module, and a sale that must come out of a test whole."""

from collections.abc import AsyncIterator, Callable
from itertools import count

import pytest
import pytest_asyncio

from contract.settings import Settings
from contract.transport import open_redis
from gateway.caching import Cache
from tests.support.cached_reads import Source
from tests.support.connected import Served, open_served
from tests.support.http import init
from tests.support.people_shop import open_people_shop
from tests.support.processes import running, running_gateway
from tests.support.race_stage import Stage, open_race_stage
from tests.support.selling import Sale
from tests.support.servers import Servers
from tests.support.shop import Shop, open_shop
from tests.support.told_syncs import Scene, open_scene

BODY_TIMEOUT_S = 0.5
UNITS = 10
_numbers = count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """A gateway process for all tests of a module, on data that was empty at first; slow bodies soon tire it."""
    settings = Settings(
        redis_url=servers.redis_url,
        postgres_url=servers.postgres_url,
        data_dir=tmp_path_factory.mktemp("gateway"),
        rate_per_s=100_000,
        body_timeout_s=BODY_TIMEOUT_S,
    )
    redis = open_redis(settings)
    await redis.flushall()
    await redis.aclose()
    async with running_gateway(settings) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def sale(shared_gateway: Settings) -> Sale:
    """A sale of UNITS units that no other test knows."""
    product = f"product-{next(_numbers)}"
    assert (await init(shared_gateway.port, product, UNITS)).status == 200
    return Sale(shared_gateway.port, product, UNITS)


@pytest_asyncio.fixture(loop_scope="module")
async def whole_sale(sale: Sale) -> AsyncIterator[Sale]:
    """A sale of which the test may sell nothing: what it sends must not cost a unit."""
    yield sale
    assert await sale.left() == sale.units


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """A gateway and the auth worker, which tell all that they do in their logs; a proxy says where requests come from.

    A busy machine may take its time to hash.
    """
    settings = Settings(
        redis_url=servers.redis_url,
        postgres_url=servers.postgres_url,
        data_dir=tmp_path_factory.mktemp("people"),
        rate_per_s=100_000,
        ask_timeout_s=20,
        trusted_proxies="127.0.0.1",
        web_origins="https://app.example",
        log_level="debug",
    )
    redis = open_redis(settings)
    await redis.flushall()
    await redis.aclose()
    async with running_gateway(settings) as served, running(served, "worker", "auth"):
        yield served


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
async def caches(settings: Settings) -> AsyncIterator[list[Cache]]:
    """The caches of two processes."""
    clients = [open_redis(settings, connections=8) for _ in range(2)]
    both = [Cache(client) for client in clients]
    yield both
    for cache, client in zip(both, clients, strict=True):
        await cache.close()
        await client.aclose()


@pytest.fixture
def cache(caches: list[Cache]) -> Cache:
    return caches[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A gateway with all workers, for all tests of a module."""
    async with open_shop(servers, tmp_path_factory.mktemp("shop")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened_syncs(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A store that syncs with Amazon, for all tests of a module."""
    async with open_served(servers, tmp_path_factory.mktemp("syncs")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def served(opened_syncs: Served) -> Served:
    """The same, with Amazon as it is at first."""
    await opened_syncs.sandbox.reset()
    return opened_syncs


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def begin_scene(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[], Scene]]:
    """A gateway, and a worker that tells of syncs what a test has it tell, for all tests of a module."""
    async with open_scene(servers, tmp_path_factory.mktemp("events")) as begin:
        yield begin


@pytest_asyncio.fixture(loop_scope="module")
async def scene(begin_scene: Callable[[], Scene]) -> Scene:
    """A sync that has begun, of somebody whom no other test knows."""
    return begin_scene()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened_races(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A gateway with a leaderboard, for all tests of a module."""
    async with open_race_stage(servers, tmp_path_factory.mktemp("races")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def races(opened_races: Stage) -> Stage:
    """The same; nothing was ever fetched."""
    await opened_races.clear()
    return opened_races


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people_shop(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A gateway and the worker of people, for all tests of a module."""
    async with open_people_shop(servers, tmp_path_factory.mktemp("people")) as opened:
        yield opened
