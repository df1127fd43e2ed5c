"""One sandbox for all tests of it, which each of them finds as new."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.ports import free_port
from contract.settings import Settings
from tests.support.sandbox import Sandbox, running_g2a


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
