"""The client of G2A's own export API against the sandbox: its proof, its orders, its codes, its large catalogues."""

from decimal import Decimal
from typing import Any

import pytest
import stamina

from contract.settings import Settings
from tests.support.sandbox import Sandbox
from tests.workers.clients.buying import asked, fault_of, some
from tests.workers.clients.conftest import Open
from tests.workers.clients.stand_in import said, standing_in
from workers.clients.g2a import G2A, KeyGone, Wanted
from workers.clients.g2a_adapters import open_g2a
from workers.clients.g2a_export import signing

PAY = "PUT /v1/order/pay/*"


@pytest.fixture
async def g2a(opened: Open) -> G2A:
    return await opened(g2a_dialect="g2a")


async def reserved(g2a: G2A) -> Wanted:
    product = await some(g2a)
    want = Wanted("of ours", product.id, 1, product.price)
    return want._replace(upstream_id=await g2a.reserve(want))


def test_the_proof_is_that_of_the_official_client() -> None:
    sign = signing("games-games-games", "quite-nice-secret", "test123@integration-api.g2a")
    proof = "5feaefae655d6d2dcfb27f22e700495aa90e255fc0ad93bc22dfc0ed770fae21"
    assert sign() == {"Authorization": f"games-games-games, {proof}"}


async def test_an_order_is_reserved_then_paid_and_its_key_is_given_out_once(sandbox: Sandbox, g2a: G2A) -> None:
    want = await reserved(g2a)
    assert await g2a.look_up(want) is None, "what is reserved was not bought"
    assert (await g2a.read_order(want.upstream_id)).status == "pending"
    bought = await g2a.pay(want)
    assert (bought.id, bought.status, bought.keys) == (want.upstream_id, "pending", ())
    found = await g2a.look_up(want)
    assert found
    assert (found.status, found.price, found.keys) == ("completed", want.price_max, ())
    [key] = await g2a.download_keys(want.upstream_id)
    with pytest.raises(KeyGone):
        await g2a.download_keys(want.upstream_id)
    assert key.count("-") == 2
    [order] = await sandbox.orders()
    assert (order["orderId"], order["paid"]) == (want.upstream_id, True)


async def test_to_pay_twice_pays_once(sandbox: Sandbox, g2a: G2A) -> None:
    want = await reserved(g2a)
    before = (await sandbox.control())["wallet_cents"]
    assert await g2a.pay(want) == await g2a.pay(want)
    assert before - (await sandbox.control())["wallet_cents"] == want.price_max * 100


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "fault", [{"status": 502}, {"do": "drop"}, {"do": "html"}, {"do": "junk"}], ids=lambda value: str(value)
)
async def test_a_payment_whose_outcome_nobody_knows_is_looked_up(
    sandbox: Sandbox, g2a: G2A, fault: dict[str, Any], when: str
) -> None:
    want = await reserved(g2a)
    await sandbox.control(faults=[{"match": PAY, "when": when} | fault])
    told = await fault_of(g2a.pay(want))
    assert (told.code, told.is_unknown, told.is_passing) == ("G2A_API_ERROR", True, False)
    assert (await g2a.look_up(want) is not None) == (when == "after")


@pytest.mark.parametrize("fault", [{"status": 503}, {"do": "drop"}, {"status": 429}], ids=lambda value: str(value))
async def test_a_reservation_that_fails_in_passing_may_be_made_again(
    sandbox: Sandbox, g2a: G2A, fault: dict[str, Any]
) -> None:
    product = await some(g2a)
    await sandbox.control(faults=[{"match": "POST /v1/order", "when": "after"} | fault])
    want = Wanted("of ours", product.id, 1, product.price)
    told = await fault_of(g2a.reserve(want))
    assert (told.is_unknown, told.is_passing) == (False, True)
    assert await asked(sandbox, "POST /v1/order") == 1
    assert await g2a.reserve(want)


async def test_what_costs_too_much_is_not_reserved(g2a: G2A, servers: Any) -> None:
    product = await some(g2a)
    dear = await fault_of(g2a.reserve(Wanted("r", product.id, 1, product.price - Decimal("0.01"))))
    assert (dear.code, dear.word, dear.is_passing) == ("G2A_PRODUCT_NOT_FOUND", "ORD02", False)
    # An API that does not look at the highest price is not believed either.
    async with standing_in(said(b'{"order_id": 1, "price": 12.56, "currency": "EUR"}')) as there:
        other = open_g2a(Settings(redis_url=servers.redis_url, g2a_url=there.url, g2a_dialect="g2a"))
        fault = await fault_of(other.reserve(Wanted("r", "1", 1, Decimal("12.55"))))
        assert (fault.code, fault.is_passing) == ("G2A_OUT_OF_STOCK", False)
        await other.close()


async def test_a_wallet_that_is_empty_buys_nothing(sandbox: Sandbox, g2a: G2A) -> None:
    want = await reserved(g2a)
    await sandbox.control(wallet_cents=0)
    told = await fault_of(g2a.pay(want))
    assert (told.code, told.word, told.status) == ("G2A_OUT_OF_STOCK", "ORD112", 403)
    assert (told.is_passing, told.is_unknown, await g2a.look_up(want)) == (False, False, None)


@pytest.mark.parametrize(
    ("status", "word", "code", "is_passing"),
    [
        (400, "BR01", "G2A_API_ERROR", False),
        (403, "AUTH01", "G2A_AUTH_FAILED", False),
        (401, "AUTH02", "G2A_AUTH_FAILED", False),
        (403, "AUTH03", "G2A_AUTH_FAILED", False),
        (403, "AUTH04", "G2A_AUTH_FAILED", False),
        (429, "BR03", "G2A_RATE_LIMIT", True),
        (404, "ORD02", "G2A_PRODUCT_NOT_FOUND", False),
        (403, "ORD03", "G2A_API_ERROR", True),
        (402, "ORD05", "G2A_API_ERROR", True),
        (403, "ORD114", "G2A_OUT_OF_STOCK", False),
        (403, "ORD121", "G2A_OUT_OF_STOCK", False),
    ],
)
async def test_the_codes_of_g2a_mean_what_they_say(
    sandbox: Sandbox, g2a: G2A, status: int, word: str, code: str, is_passing: bool
) -> None:
    want = await reserved(g2a)
    await sandbox.control(faults=[{"match": PAY, "status": status, "code": word}])
    told = await fault_of(g2a.pay(want))
    assert (told.code, told.word, told.status) == (code, word, status)
    assert (told.is_passing, told.is_unknown) == (is_passing, False)


async def test_a_key_that_is_not_there_yet_is_waited_for(sandbox: Sandbox, g2a: G2A) -> None:
    await sandbox.control(completion="never")
    want = await reserved(g2a)
    unpaid = await fault_of(g2a.download_keys(want.upstream_id))
    await g2a.pay(want)
    paid = await fault_of(g2a.download_keys(want.upstream_id))
    assert [(fault.word, fault.is_passing) for fault in (unpaid, paid)] == [("ORD05", True), ("ORD03", True)]


async def test_a_key_whose_answer_is_lost_is_gone(sandbox: Sandbox, g2a: G2A) -> None:
    want = await reserved(g2a)
    await g2a.pay(want)
    await sandbox.control(faults=[{"match": "GET /v1/order/key/*", "do": "drop", "when": "after"}])
    with stamina.set_testing(True, attempts=2), pytest.raises(KeyGone) as gone:
        await g2a.download_keys(want.upstream_id)
    assert want.upstream_id in str(gone.value)


async def test_a_product_that_is_not_there_is_not_found(g2a: G2A) -> None:
    assert (await fault_of(g2a.find_product("10000000000000"))).code == "G2A_PRODUCT_NOT_FOUND"
    product = await some(g2a)
    assert await g2a.find_product(product.id) == product


async def test_the_catalogue_has_also_what_is_out_of_stock_and_what_has_changed_can_be_asked_for(
    sandbox: Sandbox, g2a: G2A
) -> None:
    pages = [await g2a.list_products(number) for number in range(1, 12)]
    assert [(page.pages, len(page.products)) for page in pages] == [(10, 20)] * 10 + [(10, 0)]
    products = [product for page in pages for product in page.products]
    assert len({product.id for product in products}) == 200
    assert any(product.quantity == 0 for product in products)
    await sandbox.control(day=1)
    moved = next(one for one in (await g2a.list_products(1)).products if one.updated_at and one.updated_at.year == 2026)
    assert moved.updated_at
    changed = await g2a.list_products(1, since=moved.updated_at)
    assert 0 < changed.total < 100
    assert moved.id in {product.id for product in changed.products}


@pytest.mark.slow
async def test_pages_behind_the_last_one_that_is_shown_are_those_of_windows(sandbox: Sandbox, opened: Open) -> None:
    await sandbox.control(size=12_000)
    g2a = await opened(g2a_dialect="g2a", g2a_timeout_s=20)
    first = await g2a.list_products(1)
    assert first.total == 12_000
    assert 600 < first.pages < 610
    shown = [await g2a.list_products(number) for number in range(2, first.pages + 1, 40)]
    ids = [product.id for page in (first, *shown) for product in page.products]
    # What costs as much as a bound does may come twice.
    assert len(set(ids)) >= len(ids) - 5
    prices = [page.products[0].price for page in shown]
    assert min(prices) < 10 < max(prices)
    last, beyond = [await g2a.list_products(first.pages + step) for step in (0, 1)]
    assert (bool(last.products), beyond.products) == (True, [])


async def test_products_that_no_price_leads_to_are_told_and_not_passed_over(servers: Any) -> None:
    page = b'{"total": %d, "page": 1, "docs": [{"id": "1", "name": "Halo", "qty": 1, "minPrice": 1}]}'
    async with standing_in(said(page % 10_001), said(page % 5_000), said(page % 5_000)) as there:
        g2a = open_g2a(Settings(redis_url=servers.redis_url, g2a_url=there.url, g2a_dialect="g2a"))
        fault = await fault_of(g2a.list_products(1))
        assert (fault.code, fault.is_passing) == ("G2A_API_ERROR", True)
        assert fault.message == "The catalogue cannot be read as a whole: 1 products are at no price."
        await g2a.close()
