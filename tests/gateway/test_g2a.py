"""The routes for the catalogue of G2A, through a gateway, its workers and the sandbox."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec
import pytest
import pytest_asyncio

from contract.settings import Settings
from tests.support.g2a_store import RATE, offered
from tests.support.http import Response, get, request, send
from tests.support.http_stage import ADMIN_KEY, own_database
from tests.support.processes import running, running_gateway
from tests.support.refusals import code
from tests.support.sandbox import Sandbox, running_g2a
from tests.support.servers import Servers

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SYNC, STATUS, STOCK = "/api/admin/g2a/sync", "/api/admin/g2a/status", "/api/admin/g2a/stock/"
PRODUCTS = 150


class Served(NamedTuple):
    """Two gateways of one store, and the sandbox."""

    ports: tuple[int, int]
    sandbox: Sandbox

    async def ask(self, method: str, path: str, body: Any = None, *, gateway: int = 0, **headers: str) -> Response:
        """A request of the operator."""
        text = b"" if body is None else json.dumps(body).encode()
        given = {"X_Admin_Key": ADMIN_KEY, **({"Content_Type": "application/json"} if text else {}), **headers}
        return await send(self.ports[gateway], request(method, path, text, **given))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with own_database(servers.postgres_url) as postgres_url:
        settings = Settings(
            redis_url=servers.redis_url,
            postgres_url=postgres_url,
            data_dir=tmp_path_factory.mktemp("g2a"),
            admin_key=ADMIN_KEY,
            ask_timeout_s=20,
            g2a_sandbox_products=PRODUCTS,
            g2a_rate_per_minute=RATE,
        )
        async with (
            running_g2a(settings) as sandbox,
            running(sandbox.settings, "reaper"),
            running(sandbox.settings, "worker", "g2a", "orders"),
            running_gateway(sandbox.settings) as one,
            running_gateway(sandbox.settings) as other,
        ):
            yield Served((one.port, other.port), sandbox)


@pytest_asyncio.fixture(loop_scope="module")
async def served(opened: Served) -> Served:
    """G2A as it is at first."""
    await opened.sandbox.reset()
    return opened


async def test_a_sync_fills_the_shop_and_its_status_tells_so(served: Served) -> None:
    answer = await served.ask("POST", SYNC, {"fullSync": True, "includeRelationships": True})
    assert answer.status == 200, answer
    result = answer.json()
    assert (result["success"], result["synced"], result["errors"]) == (True, PRODUCTS, [])
    shown = (await served.ask("GET", STATUS)).json()
    assert (shown["totalProducts"], shown["syncInProgress"]) == (PRODUCTS, False)
    assert shown["inStock"] + shown["outOfStock"] == PRODUCTS
    assert shown["lastSync"] == shown["lastResult"]["endedAt"]
    product = next(product for product in (await offered(served.sandbox)).values() if product["platform"])
    game = (await get(served.ports[0], f"/api/games/g2a-{product['id']}")).json()["data"]
    assert game["title"] == product["name"]
    assert game["categories"] == sorted({category["name"] for category in product["categories"]})
    assert game["platforms"] == [product["platform"]]


async def test_a_client_that_does_not_wait_finds_the_result_later(served: Served) -> None:
    answer = await served.ask("POST", SYNC, {}, Prefer="respond-async")
    assert answer.status == 202
    place = answer.headers["location"]
    async with asyncio.timeout(20):
        # No event tells a client of it.
        while (later := await served.ask("GET", place)).status == 202:
            await asyncio.sleep(0.05)
    assert later.json()["data"]["synced"] == PRODUCTS


async def test_without_a_body_a_sync_is_as_by_default(served: Served) -> None:
    answer = await served.ask("POST", SYNC)
    assert answer.json()["success"], answer


async def test_g2a_is_asked_for_a_stock_once_in_five_minutes_however_many_want_it(served: Served) -> None:
    product_id = next(iter(await offered(served.sandbox)))
    await served.sandbox.control(latency_ms=50, products=[{"id": product_id, "quantity": 3}])
    path = f"/contract/products/{product_id}"
    answers = await asyncio.gather(*(served.ask("GET", STOCK + product_id, gateway=number % 2) for number in range(20)))
    assert {answer.body for answer in answers} == {b'{"available":true,"stock":3}'}
    await served.sandbox.control(products=[{"id": product_id, "quantity": 0}])
    late = await served.ask("GET", STOCK + product_id)
    assert late.json()["stock"] == 3
    asked_for = [one for one in (await served.sandbox.journal())["requests"] if one["path"] == path]
    assert len(asked_for) == 1


async def test_more_than_g2a_has_is_out_of_stock(served: Served) -> None:
    product_id = list(await offered(served.sandbox))[1]
    await served.sandbox.control(products=[{"id": product_id, "quantity": 3}])
    assert (await served.ask("GET", f"{STOCK}{product_id}?quantity=3")).status == 200
    answer = await served.ask("GET", f"{STOCK}{product_id}?quantity=4")
    assert code(answer, 409) == "G2A_OUT_OF_STOCK"


async def test_a_wrong_key_is_told_as_ours_and_not_as_the_clients(served: Served, servers: Servers) -> None:
    settings = msgspec.structs.replace(
        served.sandbox.settings, redis_url=f"{servers.redis_url.rpartition('/')[0]}/3", g2a_key="wrong"
    )
    async with running(settings, "worker", "g2a"), running_gateway(settings) as gateway:
        other = Served((gateway.port, gateway.port), served.sandbox)
        assert code(await other.ask("GET", STOCK + "10000000001000"), 502) == "G2A_AUTH_FAILED"
        assert code(await other.ask("POST", SYNC, {}), 502) == "G2A_AUTH_FAILED"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "told"),
    [
        ("GET", SYNC, None, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/admin/g2a/nothing", None, 404, "NOT_FOUND"),
        ("POST", SYNC, {"fullSync": "yes"}, 400, "BAD_REQUEST"),
        ("POST", SYNC, {"productIds": []}, 400, "BAD_REQUEST"),
        ("POST", SYNC, {"productIds": ["a b"]}, 400, "BAD_REQUEST"),
        ("POST", SYNC, {"categories": [""] * 101}, 400, "BAD_REQUEST"),
        ("POST", SYNC, {"unknown": 1}, 400, "BAD_REQUEST"),
        ("GET", STOCK + "a%20b", None, 404, "G2A_PRODUCT_NOT_FOUND"),
        ("GET", STOCK + "1?quantity=0", None, 400, "BAD_REQUEST"),
        ("GET", STOCK + "1?quantity=", None, 400, "BAD_REQUEST"),
        ("GET", STOCK + "1?a=1&b=2&c=3&d=4&e=5", None, 400, "BAD_REQUEST"),
    ],
)
async def test_every_refusal_below_this_path_is_its_error_alone(
    served: Served, method: str, path: str, body: Any, status: int, told: str
) -> None:
    answer = await served.ask(method, path, body)
    assert code(answer, status) == told
    assert set(answer.json()) == {"error"}


async def test_whoever_is_no_administrator_is_refused_in_the_same_form(served: Served) -> None:
    for method, path in (("POST", SYNC), ("GET", STATUS), ("GET", STOCK + "1")):
        answer = await send(served.ports[0], request(method, path, b""))
        assert code(answer, 401) == "UNAUTHORIZED"
        assert set(answer.json()) == {"error"}
