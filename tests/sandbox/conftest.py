"""One sandbox of each party for all tests of it, which each of them finds as new."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.ports import free_port
from contract.settings import Settings
from tests.support.amazon_pages import Reader
from tests.support.sandbox import AmazonSandbox, Sandbox, running_amazon, running_g2a


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
