"""The contract's client against a sandbox that fails: what is repeated, what is unknown, and what nobody may read."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
import stamina
import structlog

from contract.settings import Settings
from contract.upstream_settings import SANDBOX_CREDENTIALS
from tests.support.sandbox import Sandbox
from tests.workers.clients.buying import asked, fault_of, some, wanted
from tests.workers.clients.conftest import Open
from tests.workers.clients.stand_in import said, standing_in
from workers.clients.g2a import G2A, Bought, Wanted
from workers.clients.g2a_adapters import open_g2a

ORDERS = "POST /contract/orders"
PRODUCT = "GET /contract/products/*"


@pytest.fixture
async def g2a(opened: Open) -> G2A:
    return await opened()


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
