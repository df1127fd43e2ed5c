"""One sandbox of each party for all tests of it, which each of them finds as new."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.ports import free_port
from contract.settings import Settings
from tests.support.amazon_pages import Reader
from tests.support.sandbox import AmazonSandbox, GoatedSandbox, Sandbox, running_amazon, running_g2a, running_goated


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """A running sandbox. Its webhooks go to a port that is kept for receivers."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("sandbox"),
        port=free_port(),
        g2a_webhook_secret="the-new-secret",
        g2a_webhook_secret_old="the-old-secret",
    )
    async with running_g2a(settings) as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def sandbox(process: Sandbox) -> Sandbox:
    """The sandbox, which has forgotten everything."""
    await process.reset()
    return process


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def amazon_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AmazonSandbox]:
    """A running sandbox of Amazon."""
    async with running_amazon(Settings(data_dir=tmp_path_factory.mktemp("amazon"))) as amazon:
        yield amazon


@pytest_asyncio.fixture
async def amazon(amazon_process: AmazonSandbox) -> AmazonSandbox:
    """The sandbox of Amazon, which has forgotten everything."""
    await amazon_process.reset()
    return amazon_process


@pytest_asyncio.fixture
async def reader(amazon: AmazonSandbox) -> Reader:
    """Somebody who may read at Amazon, as fast as he likes."""
    await amazon.control(rate_scale=100_000)
    return Reader(amazon, await amazon.access_token())


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def goated_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GoatedSandbox]:
    """A running sandbox of Goated."""
    async with running_goated(Settings(data_dir=tmp_path_factory.mktemp("goated"))) as goated:
        yield goated


@pytest_asyncio.fixture
async def goated(goated_process: GoatedSandbox) -> GoatedSandbox:
    """The sandbox of Goated, which has forgotten everything, and whose clock stands in the midst of a month."""
    await goated_process.reset()
    await goated_process.control(tick_s=0)
    await goated_process.advance(to="2026-04-15T12:00:00Z")
    return goated_process
