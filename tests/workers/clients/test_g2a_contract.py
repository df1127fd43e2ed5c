"""The contract's client against the sandbox: what every failure means, and that no outcome is taken for another."""

import asyncio
import json
import uuid
from collections.abc import Awaitable
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
import stamina
import structlog

import lua
from contract.settings import SANDBOX_CREDENTIALS, Settings, SettingsError
from contract.transport import open_redis
from tests.support.sandbox import Sandbox
from tests.workers.clients.conftest import Open
from tests.workers.clients.stand_in import said, standing_in
from workers.clients.g2a import G2A, Bought, G2AFault, Product, Wanted
from workers.clients.g2a_adapters import open_g2a
from workers.clients.g2a_contract import PAGES_MAX, signing

ORDERS = "POST /contract/orders"
PRODUCT = "GET /contract/products/*"


@pytest.fixture
async def g2a(opened: Open) -> G2A:
    return await opened()


async def some(g2a: G2A) -> Product:
    """A product that can be bought."""
    return next(one for one in (await g2a.list_products(1)).products if one.stock > 5)


def wanted(product: Product, quantity: int = 1) -> Wanted:
    return Wanted(str(uuid.uuid4()), product.id, quantity, product.price)


async def fault_of(work: Awaitable[Any]) -> G2AFault:
    with stamina.set_testing(True, attempts=2), pytest.raises(G2AFault) as fault:
        await work
    return fault.value


async def asked(sandbox: Sandbox, route: str) -> int:
    """How often a route was asked for."""
    return sum((await sandbox.journal())["totals"].get(route, {}).values())


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


@pytest.mark.parametrize(
    ("fault", "code", "after_s"),
    [
        ({"status": 429, "retry_after": 9}, "G2A_RATE_LIMIT", 9),
        ({"status": 429}, "G2A_RATE_LIMIT", 0),
        ({"status": 503, "retry_after": 3}, "G2A_API_ERROR", 3),
        ({"status": 500}, "G2A_API_ERROR", 0),
        ({"status": 504}, "G2A_TIMEOUT", 0),
        ({"do": "html"}, "G2A_API_ERROR", 0),
        ({"do": "empty"}, "G2A_API_ERROR", 0),
        ({"do": "truncate"}, "G2A_API_ERROR", 0),
        ({"do": "half"}, "G2A_API_ERROR", 0),
        ({"do": "drop"}, "G2A_API_ERROR", 0),
        ({"do": "hang"}, "G2A_TIMEOUT", 0),
    ],
    ids=lambda value: str(value),
)
async def test_a_read_that_fails_in_passing_is_repeated_and_told_when_it_goes_on(
    sandbox: Sandbox, opened: Open, fault: dict[str, Any], code: str, after_s: float
) -> None:
    product = await some(await opened())
    g2a = await opened(g2a_timeout_s=0.5)
    await sandbox.control(faults=[{"match": PRODUCT, "times": 2} | fault])
    told = await fault_of(g2a.find_product(product.id))
    assert (told.code, told.is_passing, told.after_s, told.is_unknown) == (code, True, after_s, False)
    await sandbox.control(faults=[{"match": PRODUCT, "times": 1} | fault])
    with stamina.set_testing(True, attempts=2):
        assert await g2a.find_product(product.id) == product


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 500}, "G2A_API_ERROR"),
        ({"status": 503, "retry_after": 1}, "G2A_API_ERROR"),
        ({"status": 302}, "G2A_API_ERROR"),
        ({"status": 408}, "G2A_TIMEOUT"),
        ({"status": 504}, "G2A_TIMEOUT"),
        ({"do": "html"}, "G2A_API_ERROR"),
        ({"do": "junk"}, "G2A_API_ERROR"),
        ({"do": "empty"}, "G2A_API_ERROR"),
        ({"do": "truncate"}, "G2A_API_ERROR"),
        ({"do": "half"}, "G2A_API_ERROR"),
        ({"do": "drop"}, "G2A_API_ERROR"),
        ({"do": "hang"}, "G2A_TIMEOUT"),
    ],
    ids=lambda value: str(value),
)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_purchase_whose_outcome_nobody_knows_is_looked_up_and_made_once(
    sandbox: Sandbox, opened: Open, fault: dict[str, Any], code: str, when: str
) -> None:
    want = wanted(await some(await opened()))
    g2a = await opened(g2a_timeout_s=0.5)
    await sandbox.control(faults=[{"match": ORDERS, "when": when} | fault])
    told = await fault_of(g2a.pay(want))
    assert (told.code, told.is_unknown, told.is_passing) == (code, True, False)
    assert await asked(sandbox, ORDERS) == 1
    found = await g2a.look_up(want)
    assert [order["reference"] for order in await sandbox.orders()] == ([want.reference] if found else [])
    # An answer that is cut off is one of what was done.
    assert (found is not None) == (when == "after" or fault.get("do") in ("truncate", "half"))


@pytest.mark.parametrize(
    ("fault", "code", "is_passing"),
    [
        ({"status": 400}, "G2A_API_ERROR", False),
        ({"status": 402}, "G2A_OUT_OF_STOCK", False),
        ({"status": 429, "retry_after": 9}, "G2A_RATE_LIMIT", True),
    ],
    ids=lambda value: str(value),
)
async def test_a_purchase_that_is_refused_was_not_made(
    sandbox: Sandbox, g2a: G2A, fault: dict[str, Any], code: str, is_passing: bool
) -> None:
    want = wanted(await some(g2a))
    await sandbox.control(faults=[{"match": ORDERS} | fault])
    told = await fault_of(g2a.pay(want))
    assert (told.code, told.is_passing, told.is_unknown) == (code, is_passing, False)
    assert (await asked(sandbox, ORDERS), await g2a.look_up(want)) == (1, None)


async def test_where_nobody_listens_a_purchase_was_not_made_and_then_g2a_is_left_alone(servers: Any) -> None:
    async with standing_in(b"") as gone:
        settings = Settings(redis_url=servers.redis_url, g2a_url=gone.url)
    g2a = open_g2a(settings)
    faults = [await fault_of(g2a.pay(Wanted("r", "1", 1, Decimal(1)))) for _ in range(6)]
    assert {(fault.code, fault.is_passing, fault.is_unknown) for fault in faults} == {("G2A_API_ERROR", True, False)}
    assert [fault.after_s > 0 for fault in faults] == [False] * 5 + [True]
    await g2a.close()


async def test_no_fault_and_no_log_line_tells_a_secret_or_a_key(sandbox: Sandbox, g2a: G2A) -> None:
    api_hash, api_key, _ = SANDBOX_CREDENTIALS
    with structlog.testing.capture_logs() as lines:
        bought = await g2a.pay(wanted(await some(g2a), 2))
        await g2a.read_order(bought.id)
        echo = f"{api_hash} {api_key} has {bought.keys[0]}".encode()
        async with standing_in(said(b'{"error": {"code": "NO", "message": "' + echo + b'"}}', status=400)) as there:
            settings = {"g2a_url": there.url, "g2a_hash": api_hash, "g2a_key": api_key}
            other = open_g2a(Settings(redis_url=sandbox.settings.redis_url, **settings))
            fault = await fault_of(other.find_product("1"))
            await other.close()
    told = [repr(bought), str(bought), repr(fault), fault.message, repr(g2a), repr(vars(g2a)), repr(lines)]
    hidden = (api_hash, api_key, *bought.keys)
    assert not [text for text in told for secret in hidden if secret in text]
    assert fault.message == "G2A has answered 400 (NO): *** *** has ***"


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


async def test_a_purchase_is_not_repeated_by_a_client_that_is_stopped(sandbox: Sandbox, g2a: G2A) -> None:
    want = wanted(await some(g2a))
    await sandbox.control(faults=[{"match": ORDERS, "do": "hang", "when": "after"}])
    buying = asyncio.create_task(g2a.pay(want))
    while not await g2a.look_up(want):
        await asyncio.sleep(0.02)
    buying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await buying
    assert await asked(sandbox, ORDERS) == 1
    assert isinstance(await g2a.look_up(want), Bought)
