"""What the worker says of the stock of a product at G2A."""

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from tests.support.desk import handled
from tests.support.g2a_store import Store, offered, open_store
from tests.support.servers import Servers
from workers.clients.g2a_adapters import open_g2a
from workers.g2a import G2A

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    async with open_store(servers, tmp_path_factory.mktemp("store"), g2a_timeout_s=0.3) as store:
        yield store


@pytest_asyncio.fixture(loop_scope="module")
async def store(opened: Store) -> AsyncIterator[Store]:
    """G2A as it is at first, and a client that has met no fault of it."""
    await opened.clear()
    client = open_g2a(opened.sandbox.settings)
    yield opened._replace(desk=opened.desk._replace(tools=opened.desk.tools._replace(g2a=client)))
    await client.close()


async def asked(store: Store, product_id: str) -> tuple[int, object]:
    """The status, and the data or the code of the problem."""
    reply = await handled(store.desk, G2A, "check_stock", {"product_id": product_id})
    return reply.status, reply.problem.code if reply.problem else msgspec.json.decode(reply.data)


async def test_a_product_has_as_many_units_as_g2a_can_sell(store: Store) -> None:
    product_id = next(iter(await offered(store.sandbox)))
    for units in (12, 0):
        await store.sandbox.control(products=[{"id": product_id, "quantity": units}])
        assert await asked(store, product_id) == (200, {"available": units > 0, "stock": units})


async def test_a_product_that_is_not_for_sale_has_none_whatever_its_quantity_is(store: Store) -> None:
    product_id = next(
        own
        for own, product in (await offered(store.sandbox)).items()
        if product["qty"] and not product["availableToBuy"]
    )
    assert await asked(store, product_id) == (200, {"available": False, "stock": 0})


async def test_a_product_that_there_is_not_is_told_as_such(store: Store) -> None:
    assert await asked(store, "99999999999999") == (404, "G2A_PRODUCT_NOT_FOUND")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"status": 401}, (502, "G2A_AUTH_FAILED")),
        ({"status": 400}, (502, "G2A_API_ERROR")),
        ({"do": "junk"}, (502, "G2A_API_ERROR")),
        ({"status": 429, "retry_after": 60}, (429, "G2A_RATE_LIMIT")),
        ({"status": 503, "retry_after": 60}, (503, "G2A_API_ERROR")),
        ({"do": "hang"}, (503, "G2A_TIMEOUT")),
    ],
    ids=str,
)
async def test_each_fault_of_g2a_has_its_code(store: Store, fault: dict[str, object], told: tuple[int, str]) -> None:
    product_id = next(iter(await offered(store.sandbox)))
    await store.sandbox.control(faults=[{"match": "GET /contract/products/*", "times": None, **fault}])
    assert await asked(store, product_id) == told


async def test_a_fault_that_passes_in_a_moment_is_not_noticed(store: Store) -> None:
    product_id = next(iter(await offered(store.sandbox)))
    await store.sandbox.control(
        products=[{"id": product_id, "quantity": 3}], faults=[{"match": "GET /contract/products/*", "status": 500}]
    )
    assert await asked(store, product_id) == (200, {"available": True, "stock": 3})
