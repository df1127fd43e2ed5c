"""The contract's client against the sandbox: what every failure means, and that no outcome is taken for another."""

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
import stamina

import lua
from contract.settings import Settings, SettingsError
from contract.transport import open_redis
from tests.support.sandbox import Sandbox
from tests.workers.clients.buying import fault_of, some, wanted
from tests.workers.clients.conftest import Open
from tests.workers.clients.stand_in import said, standing_in
from workers.clients.g2a import G2A, Wanted
from workers.clients.g2a_adapters import open_g2a
from workers.clients.g2a_contract import PAGES_MAX, signing

ORDERS = "POST /contract/orders"
PRODUCT = "GET /contract/products/*"


@pytest.fixture
async def g2a(opened: Open) -> G2A:
    return await opened()


def test_a_request_proves_who_makes_it() -> None:
    headers = signing("a-hash", "a-key", lambda: 1_700_000_000.9)()
    proof = sha256(b"a-hasha-key1700000000").hexdigest()
    assert headers == {
        "X-API-HASH": "a-hash",
        "X-API-KEY": "a-key",
        "X-G2A-Timestamp": "1700000000",
        "X-G2A-Hash": proof,
    }


async def test_the_catalogue_is_read_page_by_page(sandbox: Sandbox, g2a: G2A) -> None:
    await sandbox.control(size=230)
    pages = [await g2a.list_products(number, share=0.5) for number in (1, 2, 3)]
    assert [(page.number, page.pages, page.total, len(page.products)) for page in pages] == [
        (1, 3, 230, 100),
        (2, 3, 230, 100),
        (3, 3, 230, 30),
    ]
    assert len({product.id for page in pages for product in page.products}) == 230
    beyond = await g2a.list_products(4)
    assert (beyond.pages, beyond.products) == (3, [])


async def test_what_cannot_be_read_keeps_nothing_else_from_being_read(sandbox: Sandbox, g2a: G2A) -> None:
    first = await some(g2a)
    await sandbox.ask("PUT", "/sandbox/control", {"products": [{"id": first.id, "broken": "price_text"}]})
    page = await g2a.list_products(1)
    assert [(bad.id, bad.reason) for bad in page.bad] == [(first.id, "its minPrice is no number")]
    assert len(page.products) == 99
    fault = await fault_of(g2a.find_product(first.id))
    assert (fault.code, fault.is_passing) == ("G2A_API_ERROR", False)
    assert "its minPrice is no number" in fault.message


async def test_a_purchase_has_its_keys(sandbox: Sandbox, g2a: G2A) -> None:
    product = await some(g2a)
    want = wanted(product, 3)
    assert await g2a.reserve(want) == ""
    await g2a.take_turn()
    bought = await g2a.pay(want)
    assert (bought.status, len(set(bought.keys)), bought.price) == ("completed", 3, 3 * product.price)
    assert await g2a.look_up(want) == await g2a.read_order(bought.id) == bought
    assert await g2a.download_keys(bought.id) == bought.keys
    assert (await g2a.find_product(product.id)).stock == product.stock - 3
    assert [order["reference"] for order in await sandbox.orders()] == [want.reference]


async def test_an_order_that_is_on_its_way_has_no_keys_yet(sandbox: Sandbox, g2a: G2A) -> None:
    await sandbox.control(completion="never")
    bought = await g2a.pay(wanted(await some(g2a)))
    assert (bought.status, bought.keys) == ("pending", ())
    fault = await fault_of(g2a.download_keys(bought.id))
    assert (fault.code, fault.is_passing) == ("G2A_API_ERROR", True)


async def test_fewer_keys_than_were_ordered_are_told_as_they_are(sandbox: Sandbox, g2a: G2A) -> None:
    await sandbox.control(deliver_keys=1)
    assert len((await g2a.pay(wanted(await some(g2a), 3))).keys) == 1


async def test_an_order_that_fails_is_failed(sandbox: Sandbox, g2a: G2A) -> None:
    await sandbox.control(fail_orders=1)
    want = wanted(await some(g2a))
    assert (await g2a.pay(want)).status == "failed"
    again = await g2a.pay(want)
    found = await g2a.look_up(want)
    assert found == again, "of several orders the one that has come furthest counts"


async def test_what_costs_too_much_or_is_gone_is_not_bought(sandbox: Sandbox, g2a: G2A) -> None:
    product = await some(g2a)
    dear = await fault_of(g2a.reserve(wanted(product)._replace(price_max=product.price - Decimal("0.01"))))
    await sandbox.ask("PUT", "/sandbox/control", {"products": [{"id": product.id, "quantity": 0}]})
    gone = await fault_of(g2a.reserve(wanted(product)))
    refused = await fault_of(g2a.pay(wanted(product)))
    for fault in (dear, gone, refused):
        assert (fault.code, fault.is_passing, fault.is_unknown) == ("G2A_OUT_OF_STOCK", False, False)
    assert refused.status == 402


async def test_a_product_that_is_not_there_is_not_found(g2a: G2A) -> None:
    for product_id in ("10000000000000", "a/../b?c", "../orders?reference=x"):
        fault = await fault_of(g2a.find_product(product_id))
        assert (fault.code, fault.status, fault.is_passing) == ("G2A_PRODUCT_NOT_FOUND", 404, False), product_id


async def test_who_is_not_known_is_told_so(opened: Open) -> None:
    g2a = await opened(g2a_key="another-key")
    for work in (g2a.list_products(1), g2a.pay(Wanted("r", "1", 1, Decimal(1)))):
        fault = await fault_of(work)
        assert (fault.code, fault.status, fault.is_passing, fault.is_unknown) == ("G2A_AUTH_FAILED", 401, False, False)


async def test_requests_are_counted_by_call_and_outcome(sandbox: Sandbox, g2a: G2A) -> None:
    product = await some(g2a)
    await sandbox.control(faults=[{"match": PRODUCT, "status": 500}])
    with stamina.set_testing(True, attempts=2):
        await g2a.find_product(product.id)
    redis = open_redis(sandbox.settings)
    counted = await lua.read_upstream_calls(redis)
    await redis.aclose()
    assert [(own.upstream, own.call, own.outcome, own.times) for own in counted] == [
        ("g2a", "find_product", "200", 1),
        ("g2a", "find_product", "500", 1),
        ("g2a", "list_products", "200", 1),
    ]
    assert all(0 < own.seconds < 20 for own in counted)


async def test_a_full_rate_is_told_and_not_waited_for_beyond_the_patience(opened: Open) -> None:
    g2a = await opened(g2a_rate_per_minute=20)
    await g2a.find_product((await some(await opened())).id, patience_s=1.0)
    fault = await fault_of(g2a.find_product("1", patience_s=1.0))
    assert (fault.code, fault.is_passing, fault.status) == ("G2A_RATE_LIMIT", True, 0)
    assert 0 < fault.after_s <= 3.2


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"env": "production"}, "FLUXGATE_G2A_URL"),
        ({"env": "production", "g2a_url": "http://localhost:1"}, "FLUXGATE_G2A_HASH"),
        ({"env": "production", "g2a_url": "http://localhost:1", "g2a_hash": "h"}, "FLUXGATE_G2A_KEY"),
        (
            {
                "env": "production",
                "g2a_url": "http://localhost:1",
                "g2a_hash": "h",
                "g2a_key": "k",
                "g2a_dialect": "g2a",
            },
            "FLUXGATE_G2A_EMAIL",
        ),
    ],
)
def test_without_an_address_or_credentials_nothing_is_opened(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        open_g2a(Settings(**changes))


def page_of(count: int, **meta: Any) -> bytes:
    documents = [{"id": str(number), "name": "Halo", "qty": 1, "minPrice": 1} for number in range(count)]
    return said(json.dumps({"data": documents, "meta": meta}).encode())


@pytest.mark.parametrize(
    ("number", "answer", "expected"),
    [
        (1, page_of(0, currentPage=1, lastPage=0, perPage=100, total=0), (1, 0)),
        (1, page_of(100, total="250"), (3, 100)),
        (2, page_of(50, lastPage=1, perPage=50, total=500), (10, 50)),
        # The catalogue has become shorter, and the server gives its last page instead.
        (5, page_of(10, currentPage=4, lastPage=4, total=310), (4, 0)),
        (2, page_of(100, currentPage=1, lastPage=9), "it is another page"),
        (2, page_of(0, currentPage=2, lastPage=9), "a page is empty, and not the last one"),
        (1, page_of(100, lastPage=PAGES_MAX + 1), f"the catalogue has more than {PAGES_MAX} pages"),
        (1, page_of(100), "a page does not say how many there are"),
        (1, said(b'{"data": {}, "meta": {}}'), "there is no list in it"),
        (1, said(b"[]"), "there is no list in it"),
    ],
)
async def test_a_page_that_cannot_be_is_not_believed(
    servers: Any, number: int, answer: bytes, expected: tuple[int, int] | str
) -> None:
    async with standing_in(answer) as there:
        g2a = open_g2a(Settings(redis_url=servers.redis_url, g2a_url=there.url, g2a_rate_per_minute=100_000))
        if isinstance(expected, str):
            fault = await fault_of(g2a.list_products(number))
            assert fault.message == f"G2A has answered something else than was asked for: {expected}."
        else:
            page = await g2a.list_products(number)
            assert (page.pages, len(page.products)) == expected
        await g2a.close()
