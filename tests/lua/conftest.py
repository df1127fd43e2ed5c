"""The lane that the tests of the scripts share."""

from collections.abc import AsyncIterator

import pytest

import lua
from tests.lua.lane import Lane
from tests.support.servers import Servers, emptied_redis


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[lua.Client]:
    """A client of the emptied Valkey; no script touches Postgres, so neither does its test."""
    async with emptied_redis(servers.redis_url) as client:
        yield client


@pytest.fixture
def lane(redis: lua.Client) -> Lane:
    """Lane 0 of an empty Valkey."""
    return Lane(redis)
