"""Fixtures that every test may use: real servers for the run, and for each test clean data, a client, a workshop."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

import lua
from contract.settings import Settings
from contract.telemetry import configure_logging
from contract.transport import open_redis
from tests.support.processes import running_gateway
from tests.support.servers import Servers, empty_redis, running_servers
from tests.support.workshop import Workshop, open_workshop

pytest_plugins = ["tests.support.fault_table"]


@pytest.fixture(scope="session")
def shared_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One Valkey and one Postgres for the whole run."""
    configure_logging("test", "warning")
    with running_servers(tmp_path_factory.mktemp("servers")) as urls:
        yield urls


@pytest.fixture(scope="module")
def servers(shared_servers: Servers) -> Servers:
    """Both of them, without what another module has left in Valkey: its lanes would keep a gateway from starting."""
    asyncio.run(empty_redis(shared_servers.redis_url))
    return shared_servers


@pytest.fixture
async def settings(servers: Servers, tmp_path: Path) -> Settings:
    """Settings for the shared servers, which are emptied first; the bucket is wide unless a test narrows it."""
    settings = Settings(
        redis_url=servers.redis_url,
        postgres_url=servers.postgres_url,
        data_dir=tmp_path,
        rate_per_s=100_000,
        lease_s=0.2,
    )
    redis = open_redis(settings)
    await redis.flushall()
    await redis.aclose()
    connection = await asyncpg.connect(servers.postgres_url)
    await connection.execute("TRUNCATE orders, sales, sale_closings, outbox, schedules, handled_commands")
    await connection.close()
    return settings


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[lua.Client]:
    """A client of the emptied Valkey."""
    client = open_redis(settings)
    yield client
    await client.aclose()


@pytest.fixture
async def workshop(settings: Settings) -> AsyncIterator[Workshop]:
    """The orders worker and the reconciliation, driven by hand."""
    async with open_workshop(settings) as opened:
        yield opened


@pytest.fixture
async def gateway(settings: Settings) -> AsyncIterator[Settings]:
    """A real gateway process on a free port; gives its settings."""
    async with running_gateway(settings) as served:
        yield served
