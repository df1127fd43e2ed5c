"""Workshops of several lanes, and shops at G2A's sandbox."""

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from contract.settings import Settings
from tests.support.amazon_shop import Shop, open_shop
from tests.support.g2a_store import Store, open_store
from tests.support.key_shop import KeyShop, assert_bought_once, open_impatient_shop
from tests.support.sandbox import Sandbox, running_g2a
from tests.support.servers import Servers
from tests.support.workshop import Workshop, open_workshop
from workers import amazon_runs


@pytest.fixture(params=[1, 3])
async def gate(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Workshop]:
    """A workshop of one lane, and of three."""
    async with open_workshop(msgspec.structs.replace(settings, lanes=request.param)) as opened:
        yield opened


@pytest.fixture
async def three(settings: Settings) -> AsyncIterator[Workshop]:
    """A workshop of three lanes."""
    async with open_workshop(msgspec.structs.replace(settings, lanes=3)) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """One sandbox of G2A for all tests of a module."""
    directory = tmp_path_factory.mktemp("sandbox")
    async with running_g2a(Settings(redis_url=servers.redis_url, data_dir=directory)) as running:
        yield running


@pytest.fixture(params=["contract", "g2a"])
async def shop(settings: Settings, sandbox: Sandbox, request: pytest.FixtureRequest) -> AsyncIterator[KeyShop]:
    """A shop that speaks one dialect, and the other."""
    async with open_impatient_shop(settings, sandbox, request.param) as opened:
        yield opened
        await assert_bought_once(sandbox)


@pytest.fixture
async def contract_shop(settings: Settings, sandbox: Sandbox) -> AsyncIterator[KeyShop]:
    """A shop that speaks the contract."""
    async with open_impatient_shop(settings, sandbox, "contract") as opened:
        yield opened
        await assert_bought_once(sandbox)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened_store(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    """A store and a sandbox for a module, without anything in it."""
    async with open_store(servers, tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest_asyncio.fixture(loop_scope="module")
async def store(opened_store: Store) -> Store:
    """Nothing is known of G2A yet."""
    await opened_store.clear()
    return opened_store


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened_seller_shop(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop and a sandbox of Amazon for a module, without anybody in it."""
    async with open_shop(servers, tmp_path_factory.mktemp("sellers")) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="module")
async def sellers(opened_seller_shop: Shop) -> AsyncIterator[Shop]:
    """Ann has connected her account, and nothing has been synced yet."""
    await opened_seller_shop.clear()
    # Of the access tokens of the test before, the sandbox knows nothing any more.
    async with opened_seller_shop.speaking() as shop:
        await shop.connect()
        yield shop


@pytest.fixture
def one_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries of a sync that each do one step."""
    monkeypatch.setattr(amazon_runs, "step_s", lambda _: 0.0)
