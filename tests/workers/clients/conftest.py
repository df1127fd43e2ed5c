"""G2A's sandbox as the tests of its clients share it: one process for a file, which forgets all between tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from contract.settings import Settings
from contract.transport import open_redis
from tests.support.sandbox import Sandbox, running_g2a
from tests.support.servers import Servers
from workers.clients.g2a import G2A
from workers.clients.g2a_adapters import open_g2a

RATE_PER_MINUTE = 100_000
Open = Callable[..., Awaitable[G2A]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_sandbox(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """One process for all tests of a file."""
    settings = Settings(
        redis_url=servers.redis_url,
        data_dir=tmp_path_factory.mktemp("sandbox"),
        g2a_rate_per_minute=RATE_PER_MINUTE,
    )
    async with running_g2a(settings) as sandbox:
        yield sandbox


@pytest.fixture
async def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """A sandbox that knows of nothing, completes orders at once, and sends no webhooks."""
    await shared_sandbox.reset()
    await shared_sandbox.control(completion="inline")
    redis = open_redis(shared_sandbox.settings)
    await redis.flushall()
    await redis.aclose()
    return shared_sandbox


@pytest.fixture
async def opened(sandbox: Sandbox) -> AsyncIterator[Open]:
    """Opens clients of the sandbox, with these settings changed; they are closed after the test."""
    async with AsyncExitStack() as stack:

        async def opening(**changes: Any) -> G2A:
            g2a = open_g2a(msgspec.structs.replace(sandbox.settings, **changes))
            stack.push_async_callback(g2a.close)
            return g2a

        yield opening
