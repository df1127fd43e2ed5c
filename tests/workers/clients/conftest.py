"""The sandboxes as the tests of the clients share them: one process for a file, which forgets all between tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from contract.settings import Settings
from contract.transport import open_redis
from tests.support.sandbox import (
    AMAZON_SELLER,
    AmazonSandbox,
    GoatedSandbox,
    Sandbox,
    running_amazon,
    running_g2a,
    running_goated,
)
from tests.support.servers import Servers
from workers.clients.amazon import Account, Amazon
from workers.clients.amazon_adapters import open_amazon
from workers.clients.amazon_lwa import Keep
from workers.clients.g2a import G2A
from workers.clients.g2a_adapters import open_g2a
from workers.clients.goated import Goated
from workers.clients.goated_adapters import open_goated

RATE_PER_MINUTE = 100_000
GOATED_RATE_PER_MINUTE = 6_000
Open = Callable[..., Awaitable[G2A]]
OpenAmazon = Callable[..., Awaitable[Amazon]]
OpenGoated = Callable[..., Awaitable[Goated]]


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_amazon(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AmazonSandbox]:
    settings = Settings(redis_url=servers.redis_url, data_dir=tmp_path_factory.mktemp("sandbox"))
    async with running_amazon(settings) as sandbox:
        yield sandbox


@pytest.fixture
async def amazon_sandbox(shared_amazon: AmazonSandbox) -> AmazonSandbox:
    """A sandbox that knows of nothing, and is as fast as can be."""
    await shared_amazon.reset()
    await shared_amazon.control(rate_scale=1000, events=230, sales=30, skus=120, orders=230)
    redis = open_redis(shared_amazon.settings)
    await redis.flushall()
    await redis.aclose()
    return shared_amazon


@pytest.fixture
async def opened_amazon(amazon_sandbox: AmazonSandbox) -> AsyncIterator[OpenAmazon]:
    async with AsyncExitStack() as stack:

        async def opening(keep: Keep | None = None, **changes: Any) -> Amazon:
            amazon = open_amazon(msgspec.structs.replace(amazon_sandbox.settings, **changes), keep)
            stack.push_async_callback(amazon.close)
            return amazon

        yield opening


@pytest.fixture
async def account(amazon_sandbox: AmazonSandbox) -> Account:
    marketplace = amazon_sandbox.settings.amazon_marketplace
    return Account("user-1", AMAZON_SELLER, marketplace, await amazon_sandbox.refresh_token())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_goated(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GoatedSandbox]:
    settings = Settings(
        redis_url=servers.redis_url,
        data_dir=tmp_path_factory.mktemp("sandbox"),
        goated_rate_per_minute=GOATED_RATE_PER_MINUTE,
    )
    async with running_goated(settings) as sandbox:
        yield sandbox


@pytest.fixture
async def goated_sandbox(shared_goated: GoatedSandbox) -> GoatedSandbox:
    """A sandbox that knows of nothing, and whose clock stands in the midst of a month."""
    await shared_goated.reset()
    await shared_goated.control(tick_s=0)
    await shared_goated.advance(to="2026-04-15T12:00:00Z")
    redis = open_redis(shared_goated.settings)
    await redis.flushall()
    await redis.aclose()
    return shared_goated


@pytest.fixture
async def opened_goated(goated_sandbox: GoatedSandbox) -> AsyncIterator[OpenGoated]:
    async with AsyncExitStack() as stack:

        async def opening(**changes: Any) -> Goated:
            goated = open_goated(msgspec.structs.replace(goated_sandbox.settings, **changes))
            stack.push_async_callback(goated.close)
            return goated

        yield opening
