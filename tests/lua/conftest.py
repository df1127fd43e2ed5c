"""The lane that the tests of the scripts share."""

from collections.abc import AsyncIterator

import pytest

import lua
from contract.settings import Settings
from contract.transport import open_redis
from tests.lua.lane import Lane
from tests.support.servers import Servers


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[lua.Client]:
    """A client of the emptied Valkey; no script touches Postgres, so neither does its test."""
    client = open_redis(Settings(redis_url=servers.redis_url))
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def lane(redis: lua.Client) -> Lane:
    """Lane 0 of an empty Valkey."""
    return Lane(redis)
