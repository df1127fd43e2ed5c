"""Amazon's sandbox when something is wrong: what passes, what does not, and who is asked how often."""

import asyncio
import random
from typing import Any

import pytest

from tests.support.sandbox import AMAZON_SELLER, AmazonSandbox
from tests.workers.clients.amazon_reader import NEW, V0, Reader, asked, logins
from tests.workers.clients.amazon_stand_in import fault_of
from tests.workers.clients.conftest import OpenAmazon
from workers.clients.amazon import Account

ROUTES = {
    "claims": ("GET /finances/v0/financialEvents", "GET /finances/2024-06-19/transactions"),
    "inventory": ("GET /fba/inventory/v1/summaries",) * 2,
    "orders": ("GET /orders/v0/orders", "GET /orders/2026-01-01/orders"),
    "items": ("GET /orders/v0/orders/*/orderItems", "GET /orders/2026-01-01/orders/*"),
}
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
    amazon_sandbox: AmazonSandbox,
    opened_amazon: OpenAmazon,
    account: Account,
    part: str,
    fault: dict[str, Any],
    kind: str,
    after_s: float,
) -> None:
    version = random.Random(f"{part}{fault}").randrange(2)
    route = ROUTES[part][version]
    order_id = (await amazon_sandbox.books("orders"))[0]["order_id"]
    reader = Reader(await opened_amazon(**(V0, NEW)[version]), account)
    # From here on the rate is known, and as fast as can be.
    await reader.page(part, order_id=order_id)
    await amazon_sandbox.control(faults=[{"match": route, "times": None} | fault])
    told = await fault_of(reader.page(part, order_id=order_id))
    assert (told.kind, told.after_s) == (kind, pytest.approx(after_s, abs=1.5))
    if kind in ("away", "unreadable") and not after_s:
        await amazon_sandbox.control(faults=[{"match": route, "times": 1} | fault])
        assert (await reader.page(part, order_id=order_id)).rows


@pytest.mark.slow
async def test_a_hang_is_waited_for_as_long_as_the_settings_say(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account
) -> None:
    reader = Reader(await opened_amazon(amazon_timeout_s=0.4), account)
    await amazon_sandbox.control(faults=[{"match": "GET /orders/*", "do": "hang", "times": 2}])
    assert (await fault_of(reader.page("orders"))).kind == "away"
    await amazon_sandbox.control(faults=[{"match": "POST /auth/*", "do": "hang", "times": None}])
    other = Reader(await opened_amazon(amazon_timeout_s=0.4), account)
    assert (await fault_of(other.page("orders"))).kind == "away"


@pytest.mark.parametrize("text_in", ["details", "message"])
async def test_a_token_that_expires_while_pages_are_read_is_renewed_and_nobody_notices(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account, text_in: str
) -> None:
    await amazon_sandbox.control(denial_text_in=text_in)
    reader = Reader(await opened_amazon(), account)
    first = await reader.page("orders")
    before = await logins(amazon_sandbox)
    await amazon_sandbox.expire()
    second = await reader.page("orders", first.next_token)
    assert second.rows
    assert not {row.order_id for row in first.rows} & {row.order_id for row in second.rows}
    assert await logins(amazon_sandbox) == before + 1
    assert [one["status"] for one in await asked(amazon_sandbox, "GET /orders/v0/orders")] == [200, 403, 200]


async def test_however_many_calls_are_made_at_once_one_token_is_fetched(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account
) -> None:
    amazon = await opened_amazon()
    orders = [one["order_id"] for one in (await amazon_sandbox.books("orders"))[:25]]
    await asyncio.gather(*(amazon.list_items(account, order_id, "") for order_id in orders))
    assert await logins(amazon_sandbox) == 1
    requests = [one for one in (await amazon_sandbox.journal())["requests"] if one["operation"] == "getOrderItems"]
    assert [(one["status"], one["has_access_token"]) for one in requests] == [(200, True)] * 25


async def test_nobody_asks_faster_than_amazon_allows(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account
) -> None:
    await amazon_sandbox.control(rate_scale=1.0, rates={"getOrderItems": {"per_s": 20, "burst": 30}})
    readers = [Reader(await opened_amazon(), account) for _ in range(2)]
    order_id = (await amazon_sandbox.books("orders"))[0]["order_id"]
    await readers[0].page("items", order_id=order_id)
    await asyncio.gather(*(reader.page("items", order_id=order_id) for reader in readers * 18))
    requests = [one for one in (await amazon_sandbox.journal())["requests"] if one["operation"] == "getOrderItems"]
    assert [one["status"] for one in requests] == [200] * 37
    assert (await readers[0].amazon.pace(account, "items")).rate_per_s == 20
    assert requests[-1]["at"] - requests[0]["at"] >= (37 - 30) / 20


@pytest.mark.parametrize("header", ["present", "missing", "junk"])
async def test_after_429_nobody_asks_until_there_can_be_a_turn(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account, header: str
) -> None:
    await amazon_sandbox.control(rate_scale=1.0, rates={"getOrders": {"per_s": 0.02, "burst": 1}}, rate_header=header)
    reader, other = Reader(await opened_amazon(), account), Reader(await opened_amazon(), account)
    await reader.page("orders")
    turn_s = 1.01 / (0.02 if header == "present" else 0.0167)
    told = await fault_of(reader.page("orders"))
    assert (told.kind, told.after_s) == ("throttled", pytest.approx(turn_s))
    for waiting in (reader, other):
        told = await fault_of(waiting.page("orders"))
        assert (told.kind, told.after_s) == ("waiting", pytest.approx(turn_s, abs=2))
    assert [one["status"] for one in await asked(amazon_sandbox, "GET /orders/v0/orders")] == [200, 429]


async def test_a_seller_who_takes_back_his_consent_is_told_from_a_token_that_is_gone(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account
) -> None:
    reader = Reader(await opened_amazon(), account)
    await reader.page("orders")
    await amazon_sandbox.expire("revoked")
    assert (await fault_of(reader.page("orders"))).kind == "away"
    assert (await reader.page("orders")).rows
    await amazon_sandbox.control(revoked=[AMAZON_SELLER])
    for _ in range(2):
        assert (await fault_of(reader.page("orders"))).kind == "revoked"
    statuses = [one["status"] for one in await asked(amazon_sandbox, "GET /orders/v0/orders")]
    assert statuses == [200, 403, 200, 403]


async def test_what_the_application_may_not_do_is_asked_for_once(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account
) -> None:
    await amazon_sandbox.control(denied=["getOrders"])
    reader = Reader(await opened_amazon(), account)
    assert (await fault_of(reader.page("orders"))).kind == "denied"
    assert len(await asked(amazon_sandbox, "GET /orders/v0/orders")) == 1
    assert (await reader.page("inventory")).rows


async def test_an_application_that_amazon_does_not_know_is_denied(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account
) -> None:
    stranger = Reader(await opened_amazon(amazon_client_secret="another"), account)
    assert (await fault_of(stranger.page("orders"))).kind == "denied"
    nobody = account._replace(refresh_token="Atzr|nobody.0.00")
    assert (await fault_of(Reader(await opened_amazon(), nobody).page("orders"))).kind == "revoked"


@pytest.mark.parametrize("versions", [V0, NEW], ids=["v0", "new"])
async def test_a_token_of_a_page_that_is_not_good_any_more_begins_the_pass_anew(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account, versions: dict[str, str]
) -> None:
    await amazon_sandbox.control(inventory_token_s=0.0, page_token_s=0.0)
    reader = Reader(await opened_amazon(**versions), account)
    for part in ("claims", "inventory", "orders"):
        page = await reader.page(part)
        assert page.next_token
        assert (await fault_of(reader.page(part, page.next_token))).kind == "stale"
        assert (await reader.page(part)).rows == page.rows


async def test_another_refresh_token_is_kept_and_good(
    amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon, account: Account
) -> None:
    await amazon_sandbox.control(rotates=True)
    kept: list[str] = []

    async def keep(whose: Account, token: str) -> None:
        assert whose == account
        kept.append(token)

    assert (await Reader(await opened_amazon(keep), account).page("orders")).rows
    assert len(kept) == 1
    assert (await fault_of(Reader(await opened_amazon(), account).page("orders"))).kind == "revoked"
    renewed = account._replace(refresh_token=kept[0])
    assert (await Reader(await opened_amazon(), renewed).page("orders")).rows


async def test_a_consent_is_exchanged_once(amazon_sandbox: AmazonSandbox, opened_amazon: OpenAmazon) -> None:
    amazon = await opened_amazon()
    back = "http://127.0.0.1:1/back?with=more"
    code = (await amazon_sandbox.consent(back))["spapi_oauth_code"]
    grant = await amazon.exchange(code, back)
    whose = Account("user-1", AMAZON_SELLER, amazon_sandbox.settings.amazon_marketplace, grant.refresh_token)
    assert (await amazon.list_inventory(whose, "")).rows
    assert (await fault_of(amazon.exchange(code, back))).kind == "revoked"
