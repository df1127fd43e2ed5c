"""How fast Amazon's sandbox lets operations go, what it says of that, and what its journal keeps."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from fluxgate.sandbox.amazon.control import Control, Rate
from fluxgate.sandbox.amazon.rates import RATES, Rates
from tests.support.amazon_pages import EVENTS, INVENTORY, KINDS, ORDERS, Kind, Reader
from tests.support.http import Response
from tests.support.sandbox import AmazonSandbox

HEADER = "x-amzn-ratelimit-limit"
# As Amazon documents them: so many in a second, and so many at once.
DOCUMENTED = {
    "listFinancialEvents": (0.5, 30),
    "listTransactions": (0.5, 10),
    "getInventorySummaries": (2, 2),
    "getOrders": (0.0167, 20),
    "getOrder": (0.5, 30),
    "getOrderItems": (0.5, 30),
    "searchOrders": (0.0056, 20),
    "getOrder2026": (0.5, 30),
}


@pytest.fixture
async def slow_reader(amazon: AmazonSandbox) -> Reader:
    """Somebody who reads at Amazon's true rates."""
    return Reader(amazon, await amazon.access_token())


def throttled(reply: Response) -> None:
    """A 429 as Amazon writes it: it tells nobody when to come again."""
    assert reply.status == 429
    (error,) = reply.json()["errors"]
    message = "You exceeded your quota for the requested resource."
    assert error == {"code": "QuotaExceeded", "message": message, "details": ""}
    assert reply.headers["x-amzn-requestid"]
    assert not {"retry-after", HEADER} & reply.headers.keys()


def test_the_rates_are_those_that_amazon_documents() -> None:
    assert {name: (rate.per_s, rate.burst) for name, rate in RATES.items()} == DOCUMENTED


def clock(moments: list[float]) -> Callable[[], float]:
    return lambda: moments[0]


def test_a_bucket_fills_at_its_rate_and_not_beyond_its_burst() -> None:
    now = [0.0]
    rates = Rates(Control(), clock(now))

    def taken(count: int) -> int:
        return sum(rates.take("A", "getOrders") for _ in range(count))

    assert taken(25) == 20
    now[0] = 59.0
    assert taken(1) == 0
    now[0] = 60.0
    assert taken(2) == 1
    now[0] = 100_000.0
    assert taken(25) == 20


def test_each_seller_and_each_operation_has_a_bucket_of_its_own() -> None:
    rates = Rates(Control(), clock([0.0]))
    assert [rates.take("A", "getInventorySummaries") for _ in range(3)] == [True, True, False]
    assert rates.take("B", "getInventorySummaries")
    assert rates.take("A", "listTransactions")


def test_a_rate_can_be_set_and_all_of_them_scaled() -> None:
    control = Control(rates={"getOrders": Rate(3, 1)}, rate_scale=10)
    rates = Rates(control, clock([0.0]))
    assert (rates.rate("getOrders"), rates.rate("getOrder")) == (Rate(30, 1), Rate(5, 30))


async def test_who_asks_too_often_is_not_told_when_to_come_again(slow_reader: Reader) -> None:
    replies = [await slow_reader.ask(INVENTORY) for _ in range(3)]
    assert [reply.status for reply in replies[:2]] == [200, 200]
    throttled(replies[2])
    assert (await slow_reader.ask(ORDERS)).status == 200


async def test_the_bucket_fills_again_while_time_passes(slow_reader: Reader) -> None:
    amazon = slow_reader.sandbox
    await amazon.control(rates={"getInventorySummaries": {"per_s": 20, "burst": 1}})
    started, statuses = time.monotonic(), list[int]()
    while statuses.count(200) < 5:
        statuses.append((await slow_reader.ask(INVENTORY)).status)
        assert time.monotonic() - started < 20
    assert time.monotonic() - started > 3.5 / 20


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_the_rate_is_told_with_what_goes_well_or_is_wrong(slow_reader: Reader, kind: Kind) -> None:
    name = {
        "events": "listFinancialEvents",
        "transactions": "listTransactions",
        "inventory": "getInventorySummaries",
        "orders": "getOrders",
        "orders 2026": "searchOrders",
    }[next(name for name, known in KINDS.items() if known is kind)]
    good, bad = await slow_reader.ask(kind), await slow_reader.ask(kind, **{kind.token_name: "made-up"})
    assert (good.status, bad.status) == (200, 400)
    assert float(good.headers[HEADER]) == float(bad.headers[HEADER]) == DOCUMENTED[name][0]


async def test_the_rate_is_told_missing_or_is_no_number(reader: Reader) -> None:
    amazon = reader.sandbox
    await amazon.control(rate_scale=1, rates={"getOrders": {"per_s": 0.25, "burst": 100}})
    assert (await reader.ask(ORDERS)).headers[HEADER] == "0.25"
    await amazon.control(rate_header="junk")
    assert (await reader.ask(ORDERS)).headers[HEADER] == "string"
    await amazon.control(rate_header="missing")
    assert HEADER not in (await reader.ask(ORDERS)).headers


async def test_a_role_that_is_missing_is_denied_in_other_words_than_a_bad_token(reader: Reader) -> None:
    await reader.sandbox.control(denied=["getOrders"])
    reply = await reader.ask(ORDERS)
    assert (reply.status, HEADER in reply.headers) == (403, False)
    (error,) = reply.json()["errors"]
    assert error == {"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": ""}
    assert (await reader.ask(EVENTS)).status == 200


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 503}, (503, "ServiceUnavailable")),
        ({"status": 500}, (500, "InternalFailure")),
        ({"status": 400, "code": "SomethingElse"}, (400, "SomethingElse")),
    ],
)
async def test_faults_are_told_as_amazon_tells_them(
    reader: Reader, fault: dict[str, Any], expected: tuple[int, str]
) -> None:
    await reader.sandbox.control(faults=[{"match": "GET /orders/*", **fault}])
    reply = await reader.ask(ORDERS)
    assert (reply.status, reply.json()["errors"][0]["code"]) == expected
    assert reply.headers["x-amzn-requestid"]
    noted = (await reader.sandbox.journal())["requests"][-1]
    assert (noted["operation"], noted["seller"], noted["status"]) == ("getOrders", "A1SANDBOXSELLER", expected[0])
    assert (await reader.ask(ORDERS)).status == 200


@pytest.mark.parametrize("how", ["html", "junk", "empty", "truncate", "half", "drop"])
async def test_answers_go_wrong_as_they_do_at_g2a(reader: Reader, how: str) -> None:
    await reader.sandbox.control(faults=[{"match": "GET /fba/*", "do": how}])
    try:
        reply = await reader.ask(INVENTORY)
    except EOFError:
        assert how in ("half", "drop")
    else:
        assert reply.status == 200
        assert b"inventorySummaries" not in reply.body or not reply.body.endswith(b"}")
    assert len(INVENTORY.rows(await reader.page(INVENTORY))) == 50


async def test_an_answer_can_be_late(reader: Reader) -> None:
    fault = {"match": "POST /auth/*", "do": "slow", "latency_ms": 150}
    await reader.sandbox.control(faults=[fault], latency_ms=50)
    started = time.monotonic()
    assert (await reader.sandbox.login()).status == 400
    assert time.monotonic() - started >= 0.2


async def test_the_journal_tells_who_asked_what_and_when(reader: Reader) -> None:
    amazon = reader.sandbox
    before = (await amazon.journal())["total"]
    await reader.ask(ORDERS, MarketplaceIds=["A", "B"])
    await reader.ask(ORDERS)
    await amazon.ask("GET", INVENTORY.path, User_Agent="x" * 600, x_amz_date="20261127T080000Z")
    journal = await amazon.journal()
    first, second, third = journal["requests"][before:]
    assert first["query"] == {**ORDERS.query, "MarketplaceIds": "A,B"}
    assert (first["operation"], first["seller"], first["status"]) == ("getOrders", "A1SANDBOXSELLER", 200)
    assert (first["after_s"], first["user_agent"]) == (None, "Tests/1.0 (Language=Python)")
    assert abs(second["after_s"] - (second["at"] - first["at"])) < 0.01
    assert first["has_access_token"]
    assert (third["has_access_token"], third["status"]) == (False, 403)
    assert (third["x_amz_date"], third["user_agent"]) == ("20261127T080000Z", "x" * 500)
    assert journal["totals"]["GET /orders/v0/orders"] == {"200": 2}


async def test_the_journal_keeps_no_secret(reader: Reader) -> None:
    amazon = reader.sandbox
    refresh_token = await amazon.refresh_token()
    back = await amazon.consent(state="a-secret-state")
    await amazon.login(grant_type="refresh_token", refresh_token=refresh_token)
    await reader.ask(ORDERS)
    kept = str(await amazon.journal())
    secrets = (
        reader.token,
        refresh_token,
        back["spapi_oauth_code"],
        "a-secret-state",
        amazon.settings.amazon_client[2],
    )
    assert [secret for secret in secrets if secret in kept] == []
    assert "'grant_type': 'refresh_token'" in kept
