"""Both versions of every API of Amazon's, read from its sandbox over HTTP: as it should go, and as it should not."""

import asyncio
import datetime
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from contract.settings import Settings
from contract.transport import open_redis
from tests.support.sandbox import AMAZON_SELLER, AmazonSandbox, running_amazon
from tests.support.servers import Servers
from tests.workers.clients.amazon_stand_in import fault_of
from workers.clients.amazon import Account, Amazon, Page, Window
from workers.clients.amazon_adapters import open_amazon
from workers.clients.amazon_lwa import Keep

V0 = {"amazon_orders_api": "v0", "amazon_finances_api": "v0"}
NEW = {"amazon_orders_api": "2026-01-01", "amazon_finances_api": "2024-06-19"}
ROUTES = {
    "claims": ("GET /finances/v0/financialEvents", "GET /finances/2024-06-19/transactions"),
    "inventory": ("GET /fba/inventory/v1/summaries",) * 2,
    "orders": ("GET /orders/v0/orders", "GET /orders/2026-01-01/orders"),
    "items": ("GET /orders/v0/orders/*/orderItems", "GET /orders/2026-01-01/orders/*"),
}
PAGES_MAX = 50
STAMP = "%Y-%m-%dT%H:%M:%SZ"
TYPES = {
    "refund",
    "service_fee",
    "safet_reimbursement",
    "guarantee_claim",
    "chargeback",
    "charge_refund",
    "retrocharge",
    "liquidation_reimbursement",
}
"""The types of claims that read alike in both versions."""
Open = Callable[..., Awaitable[Amazon]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AmazonSandbox]:
    settings = Settings(redis_url=servers.redis_url, data_dir=tmp_path_factory.mktemp("sandbox"))
    async with running_amazon(settings) as sandbox:
        yield sandbox


@pytest.fixture
async def sandbox(shared: AmazonSandbox) -> AmazonSandbox:
    """A sandbox that knows of nothing, and is as fast as can be."""
    await shared.reset()
    await shared.control(rate_scale=1000, events=230, sales=30, skus=120, orders=230)
    redis = open_redis(shared.settings)
    await redis.flushall()
    await redis.aclose()
    return shared


@pytest.fixture
async def opened(sandbox: AmazonSandbox) -> AsyncGenerator[Open]:
    async with AsyncExitStack() as stack:

        async def opening(keep: Keep | None = None, **changes: Any) -> Amazon:
            amazon = open_amazon(msgspec.structs.replace(sandbox.settings, **changes), keep)
            stack.push_async_callback(amazon.close)
            return amazon

        yield opening


@pytest.fixture
async def account(sandbox: AmazonSandbox) -> Account:
    marketplace = sandbox.settings.amazon_marketplace
    return Account("user-1", AMAZON_SELLER, marketplace, await sandbox.refresh_token())


def window(days: float = 179.9) -> Window:
    until = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=122)
    return Window(until - datetime.timedelta(days=days), until)


class Reader:
    """Reads a part from its first page to its last."""

    def __init__(self, amazon: Amazon, account: Account, asked: Window | None = None) -> None:
        self.amazon, self.account, self.window = amazon, account, asked or window()

    async def page(self, part: str, token: str = "", order_id: str = "") -> Page[Any]:
        match part:
            case "claims":
                return await self.amazon.list_claims(self.account, self.window, token)
            case "inventory":
                return await self.amazon.list_inventory(self.account, token)
            case "orders":
                return await self.amazon.list_orders(self.account, self.window, token)
            case _:
                return await self.amazon.list_items(self.account, order_id, token)

    async def everything(self, part: str, order_id: str = "") -> tuple[list[Any], int]:
        """The rows, and how many pages they were on. A turn that is not there yet is waited for."""
        rows: list[Any] = []
        token = ""
        for number in range(1, PAGES_MAX):
            page = await self.page(part, token, order_id)
            assert page.bad == []
            rows += page.rows
            token = page.next_token
            if not token:
                return rows, number
        raise AssertionError("there is no end to it")


def money(told: Any) -> Decimal | None:
    return None if told is None else Decimal(told)


def status_of(order: dict[str, Any], versions: dict[str, str]) -> str:
    """The status of an order of the books in the words of v0; one of its states is none of the later version."""
    if versions is V0:
        return order["status"]
    return order["status_2026"].title().replace("_", "").replace("Cancelled", "Canceled")


async def asked(sandbox: AmazonSandbox, route: str) -> list[dict[str, Any]]:
    """The requests of a route, the oldest first."""
    method, path = route.split(" ")
    return [one for one in (await sandbox.journal())["requests"] if (one["method"], one["path"]) == (method, path)]


async def logins(sandbox: AmazonSandbox) -> int:
    """How often a refresh token was exchanged."""
    return sum(one["grant_type"] == "refresh_token" for one in await asked(sandbox, "POST /auth/o2/token"))


SHAPES: list[dict[str, Any]] = [
    {},
    {"last_page": "empty"},
    {"last_page": "null", "empty_pages": 2},
    {"is_unknown": True, "rate_header": "junk"},
    {"rate_header": "missing", "denial_text_in": "message"},
]


@pytest.mark.slow
@pytest.mark.parametrize("versions", [V0, NEW], ids=["v0", "new"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
async def test_everything_that_amazon_tells_is_read_once_and_as_it_is(
    sandbox: AmazonSandbox, opened: Open, account: Account, versions: dict[str, str], shape: dict[str, Any]
) -> None:
    await sandbox.control(**shape)
    reader = Reader(await opened(**versions), account)
    claims, pages = await reader.everything("claims")
    books = await sandbox.books("claims")
    since = reader.window.after.strftime(STAMP)
    assert pages > 2
    # Of some kinds v0 tells neither order nor date.
    suffix = "_v0" if versions is V0 else ""
    told = sorted(
        (one[f"order_id{suffix}"] or "", one[f"posted_at{suffix}"] or "", money(one["amount"]), one["currency"])
        for one in books
        if one["posted_at"] >= since
    )
    assert told == sorted(
        (claim.order_id or "", claim.posted_at.strftime(STAMP) if claim.posted_at else "", claim.amount, claim.currency)
        for claim in claims
    )
    assert {claim.type for claim in claims} >= TYPES

    orders, pages = await reader.everything("orders")
    is_known = "is_unknown" not in shape
    told = {
        (one["order_id"], money(one["total"]), status_of(one, versions) if is_known else None)
        for one in await sandbox.books("orders")
        if one["updated_at"] >= since
    }
    assert pages > 2
    assert told == {(order.order_id, order.total, order.status if is_known else None) for order in orders}
    assert {order.channel for order in orders} >= {"FBA", "FBM"}
    assert all((order.items is None) == (versions is V0) for order in orders)


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
async def test_the_inventory_is_read_as_it_is(
    sandbox: AmazonSandbox, opened: Open, account: Account, shape: dict[str, Any]
) -> None:
    # A rate that nobody tells is waited for.
    await sandbox.control(**shape | {"rate_header": "present"})
    rows, pages = await Reader(await opened(), account).everything("inventory")
    assert pages > 2
    told = {
        one["sku"]: (one["asin"], one["fnsku"] or None, one["available"], one["reserved"], one["inbound"], one["total"])
        for one in await sandbox.books("inventory")
    }
    read = {row.sku: (row.asin, row.fnsku, row.available, row.reserved, row.inbound, row.total) for row in rows}
    assert read == told
    assert len(read) == len(rows)


@pytest.mark.parametrize("versions", [V0, NEW], ids=["v0", "new"])
async def test_the_items_of_an_order_are_alike_in_both_versions(
    sandbox: AmazonSandbox, opened: Open, account: Account, versions: dict[str, str]
) -> None:
    reader = Reader(await opened(**versions), account)
    orders = [one for one in await sandbox.books("orders") if one["total"] is not None]
    for order in orders[:3]:
        rows, _ = await reader.everything("items", order["order_id"])
        books = await sandbox.books("items", order=order["order_id"])
        assert rows == [
            {
                "orderItemId": one["item_id"],
                "asin": one["asin"],
                "sku": one["sku"],
                "title": one["title"],
                "quantityOrdered": one["ordered"],
                "quantityShipped": one["shipped"],
                "price": money(one["price"]),
                "currency": one["currency"],
            }
            for one in books
        ]


FAULTS: list[tuple[dict[str, Any], str, float]] = [
    ({"do": "error", "status": 500}, "away", 0),
    ({"do": "error", "status": 503, "retry_after": 3}, "away", 3),
    ({"do": "error", "status": 503, "retry_after": 3, "retry_after_as": "date"}, "away", 3),
    ({"do": "error", "status": 504}, "away", 0),
    ({"do": "html"}, "unreadable", 0),
    ({"do": "junk"}, "unreadable", 0),
    ({"do": "empty"}, "unreadable", 0),
    ({"do": "truncate"}, "unreadable", 0),
    ({"do": "half"}, "away", 0),
    ({"do": "drop"}, "away", 0),
    ({"do": "error", "status": 400}, "refused", 0),
    ({"do": "error", "status": 403}, "denied", 0),
    ({"do": "error", "status": 404}, "refused", 0),
    ({"do": "error", "status": 413}, "refused", 0),
    ({"do": "error", "status": 302}, "unreadable", 0),
    ({"do": "error", "status": 429, "retry_after": 30}, "throttled", 30),
]


@pytest.mark.parametrize(("fault", "kind", "after_s"), FAULTS, ids=lambda value: str(value))
@pytest.mark.parametrize("part", ["claims", "inventory", "orders", "items"])
async def test_what_goes_wrong_is_told_as_what_it_is_and_passes_if_it_can(
    sandbox: AmazonSandbox, opened: Open, account: Account, part: str, fault: dict[str, Any], kind: str, after_s: float
) -> None:
    version = random.Random(f"{part}{fault}").randrange(2)
    route = ROUTES[part][version]
    order_id = (await sandbox.books("orders"))[0]["order_id"]
    reader = Reader(await opened(**(V0, NEW)[version]), account)
    # From here on the rate is known, and as fast as can be.
    await reader.page(part, order_id=order_id)
    await sandbox.control(faults=[{"match": route, "times": None} | fault])
    told = await fault_of(reader.page(part, order_id=order_id))
    assert (told.kind, told.after_s) == (kind, pytest.approx(after_s, abs=1.5))
    if kind in ("away", "unreadable") and not after_s:
        await sandbox.control(faults=[{"match": route, "times": 1} | fault])
        assert (await reader.page(part, order_id=order_id)).rows


@pytest.mark.slow
async def test_a_hang_is_waited_for_as_long_as_the_settings_say(
    sandbox: AmazonSandbox, opened: Open, account: Account
) -> None:
    reader = Reader(await opened(amazon_timeout_s=0.4), account)
    await sandbox.control(faults=[{"match": "GET /orders/*", "do": "hang", "times": 2}])
    assert (await fault_of(reader.page("orders"))).kind == "away"
    await sandbox.control(faults=[{"match": "POST /auth/*", "do": "hang", "times": None}])
    other = Reader(await opened(amazon_timeout_s=0.4), account)
    assert (await fault_of(other.page("orders"))).kind == "away"


@pytest.mark.parametrize("text_in", ["details", "message"])
async def test_a_token_that_expires_while_pages_are_read_is_renewed_and_nobody_notices(
    sandbox: AmazonSandbox, opened: Open, account: Account, text_in: str
) -> None:
    await sandbox.control(denial_text_in=text_in)
    reader = Reader(await opened(), account)
    first = await reader.page("orders")
    before = await logins(sandbox)
    await sandbox.expire()
    second = await reader.page("orders", first.next_token)
    assert second.rows
    assert not {row.order_id for row in first.rows} & {row.order_id for row in second.rows}
    assert await logins(sandbox) == before + 1
    assert [one["status"] for one in await asked(sandbox, "GET /orders/v0/orders")] == [200, 403, 200]


async def test_however_many_calls_are_made_at_once_one_token_is_fetched(
    sandbox: AmazonSandbox, opened: Open, account: Account
) -> None:
    amazon = await opened()
    orders = [one["order_id"] for one in (await sandbox.books("orders"))[:25]]
    await asyncio.gather(*(amazon.list_items(account, order_id, "") for order_id in orders))
    assert await logins(sandbox) == 1
    requests = [one for one in (await sandbox.journal())["requests"] if one["operation"] == "getOrderItems"]
    assert [(one["status"], one["has_access_token"]) for one in requests] == [(200, True)] * 25


async def test_nobody_asks_faster_than_amazon_allows(sandbox: AmazonSandbox, opened: Open, account: Account) -> None:
    await sandbox.control(rate_scale=1.0, rates={"getOrderItems": {"per_s": 20, "burst": 30}})
    readers = [Reader(await opened(), account) for _ in range(2)]
    order_id = (await sandbox.books("orders"))[0]["order_id"]
    await readers[0].page("items", order_id=order_id)
    await asyncio.gather(*(reader.page("items", order_id=order_id) for reader in readers * 18))
    requests = [one for one in (await sandbox.journal())["requests"] if one["operation"] == "getOrderItems"]
    assert [one["status"] for one in requests] == [200] * 37
    assert (await readers[0].amazon.pace(account, "items")).rate_per_s == 20
    assert requests[-1]["at"] - requests[0]["at"] >= (37 - 30) / 20


@pytest.mark.parametrize("header", ["present", "missing", "junk"])
async def test_after_429_nobody_asks_until_there_can_be_a_turn(
    sandbox: AmazonSandbox, opened: Open, account: Account, header: str
) -> None:
    await sandbox.control(rate_scale=1.0, rates={"getOrders": {"per_s": 0.02, "burst": 1}}, rate_header=header)
    reader, other = Reader(await opened(), account), Reader(await opened(), account)
    await reader.page("orders")
    turn_s = 1.01 / (0.02 if header == "present" else 0.0167)
    told = await fault_of(reader.page("orders"))
    assert (told.kind, told.after_s) == ("throttled", pytest.approx(turn_s))
    for waiting in (reader, other):
        told = await fault_of(waiting.page("orders"))
        assert (told.kind, told.after_s) == ("waiting", pytest.approx(turn_s, abs=2))
    assert [one["status"] for one in await asked(sandbox, "GET /orders/v0/orders")] == [200, 429]


async def test_a_seller_who_takes_back_his_consent_is_told_from_a_token_that_is_gone(
    sandbox: AmazonSandbox, opened: Open, account: Account
) -> None:
    reader = Reader(await opened(), account)
    await reader.page("orders")
    await sandbox.expire("revoked")
    assert (await fault_of(reader.page("orders"))).kind == "away"
    assert (await reader.page("orders")).rows
    await sandbox.control(revoked=[AMAZON_SELLER])
    for _ in range(2):
        assert (await fault_of(reader.page("orders"))).kind == "revoked"
    statuses = [one["status"] for one in await asked(sandbox, "GET /orders/v0/orders")]
    assert statuses == [200, 403, 200, 403]


async def test_what_the_application_may_not_do_is_asked_for_once(
    sandbox: AmazonSandbox, opened: Open, account: Account
) -> None:
    await sandbox.control(denied=["getOrders"])
    reader = Reader(await opened(), account)
    assert (await fault_of(reader.page("orders"))).kind == "denied"
    assert len(await asked(sandbox, "GET /orders/v0/orders")) == 1
    assert (await reader.page("inventory")).rows


async def test_an_application_that_amazon_does_not_know_is_denied(
    sandbox: AmazonSandbox, opened: Open, account: Account
) -> None:
    stranger = Reader(await opened(amazon_client_secret="another"), account)
    assert (await fault_of(stranger.page("orders"))).kind == "denied"
    nobody = account._replace(refresh_token="Atzr|nobody.0.00")
    assert (await fault_of(Reader(await opened(), nobody).page("orders"))).kind == "revoked"


@pytest.mark.parametrize("versions", [V0, NEW], ids=["v0", "new"])
async def test_a_token_of_a_page_that_is_not_good_any_more_begins_the_pass_anew(
    sandbox: AmazonSandbox, opened: Open, account: Account, versions: dict[str, str]
) -> None:
    await sandbox.control(inventory_token_s=0.0, page_token_s=0.0)
    reader = Reader(await opened(**versions), account)
    for part in ("claims", "inventory", "orders"):
        page = await reader.page(part)
        assert page.next_token
        assert (await fault_of(reader.page(part, page.next_token))).kind == "stale"
        assert (await reader.page(part)).rows == page.rows


async def test_another_refresh_token_is_kept_and_good(sandbox: AmazonSandbox, opened: Open, account: Account) -> None:
    await sandbox.control(rotates=True)
    kept: list[str] = []

    async def keep(whose: Account, token: str) -> None:
        assert whose == account
        kept.append(token)

    assert (await Reader(await opened(keep), account).page("orders")).rows
    assert len(kept) == 1
    assert (await fault_of(Reader(await opened(), account).page("orders"))).kind == "revoked"
    renewed = account._replace(refresh_token=kept[0])
    assert (await Reader(await opened(), renewed).page("orders")).rows


async def test_a_consent_is_exchanged_once(sandbox: AmazonSandbox, opened: Open) -> None:
    amazon = await opened()
    back = "http://127.0.0.1:1/back?with=more"
    code = (await sandbox.consent(back))["spapi_oauth_code"]
    grant = await amazon.exchange(code, back)
    whose = Account("user-1", AMAZON_SELLER, sandbox.settings.amazon_marketplace, grant.refresh_token)
    assert (await amazon.list_inventory(whose, "")).rows
    assert (await fault_of(amazon.exchange(code, back))).kind == "revoked"


@pytest.mark.slow
async def test_texts_that_nobody_expects_and_pages_of_ten_megabytes_are_read(
    sandbox: AmazonSandbox, opened: Open, account: Account
) -> None:
    await sandbox.control(is_ugly=True, padding=10_000_000)
    reader = Reader(await opened(), account)
    for part in ("claims", "inventory", "orders"):
        page = await reader.page(part)
        assert page.rows
        assert "\0" not in repr(page).replace("\\x00", "\0")
