"""The requests of our client of Amazon, byte for byte, held against Amazon's own models."""

import datetime
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
import pytest
import pytest_asyncio

from contract.settings import Settings
from contract.transport import open_redis
from tests.support.sandbox import AMAZON_SELLER, running_amazon
from tests.support.servers import Servers
from tests.support.swagger import amazon_models
from tests.support.tap import Tap, Tapped, tapping
from workers.clients.amazon import Account, Amazon, Page, Window
from workers.clients.amazon_adapters import open_amazon

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SIZE = {"events": 250, "sales": 0, "skus": 120, "orders": 250}
PAGES_MAX = 20
ORDERS_READ = 2
HISTORY = datetime.timedelta(days=90)
SETTLED = datetime.timedelta(minutes=3)
USER_AGENT_MAX = 500
CLOCK_S = 60
"""How far the time of a request may be from ours: a slow machine, and no more."""
VERSIONS = {
    "old": (
        {"amazon_finances_api": "v0", "amazon_orders_api": "v0"},
        {"listFinancialEvents": 3, "getInventorySummaries": 3, "getOrders": 3, "getOrderItems": 1},
    ),
    "new": (
        {"amazon_finances_api": "2024-06-19", "amazon_orders_api": "2026-01-01"},
        {"listTransactions": 3, "getInventorySummaries": 3, "searchOrders": 3, "getOrder": 1},
    ),
}
"""Settings, and how many pages each operation has at least."""
TOKEN_NAMES = {"NextToken", "nextToken", "paginationToken"}


class Sent(NamedTuple):
    """A request, and the operation that it asks for."""

    operation: str
    request: Tapped

    @property
    def parameters(self) -> dict[str, str]:
        """Its query."""
        return dict(parse_qsl(self.request.query, keep_blank_values=True))


@pytest_asyncio.fixture(params=VERSIONS, scope="module", loop_scope="module")
async def asked(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> list[Sent]:
    """Everything that a client asks that reads an account from end to end."""
    changes, pages = VERSIONS[request.param]
    settings = Settings(redis_url=servers.redis_url, data_dir=tmp_path_factory.mktemp("requests"), **changes)
    redis = open_redis(settings)
    await redis.flushall()
    await redis.aclose()
    async with running_amazon(settings) as sandbox, tapping(sandbox.settings.amazon_sandbox_port) as tap:
        await sandbox.control(rate_scale=1_000, **SIZE)
        tapped = msgspec.structs.replace(
            sandbox.settings, amazon_url=f"http://127.0.0.1:{tap.port}", amazon_lwa_url=sandbox.settings.amazon_lwa_at
        )
        amazon = open_amazon(tapped)
        try:
            account = Account("somebody", AMAZON_SELLER, settings.amazon_marketplace, await sandbox.refresh_token())
            await read_everything(amazon, account)
        finally:
            await amazon.close()
        sent = sent_through(tap)
    assert {one.operation for one in sent} == set(pages)
    for operation, least in pages.items():
        assert sum(one.operation == operation for one in sent) >= least
    return sent


async def read_everything(amazon: Amazon, account: Account) -> None:
    """Read all pages of all that there is, and the items of a few orders."""
    until = datetime.datetime.now(datetime.UTC) - SETTLED
    window = Window(until - HISTORY, until)
    await every(lambda token: amazon.list_claims(account, window, token))
    await every(lambda token: amazon.list_inventory(account, token))
    orders = await every(lambda token: amazon.list_orders(account, window, token))
    for order in orders[:ORDERS_READ]:
        await every(lambda token, own=order.order_id: amazon.list_items(account, own, token))


async def every(read: Callable[[str], Awaitable[Page[Any]]]) -> list[Any]:
    """The rows of all pages."""
    rows: list[Any] = []
    token = ""
    for _ in range(PAGES_MAX):
        page = await read(token)
        rows += page.rows
        token = page.next_token
        if not token:
            return rows
    raise AssertionError(f"there are more than {PAGES_MAX} pages")


def sent_through(tap: Tap) -> list[Sent]:
    """What was sent, with its operations."""
    return [Sent(amazon_models().find(one.method, one.path).id, one) for one in tap.take()]


async def test_every_request_is_as_amazon_describes_it(asked: list[Sent]) -> None:
    for one in asked:
        operation = amazon_models().find(one.request.method, one.request.path)
        assert operation.faults_of_request(one.request.path, one.request.query) == [], one


async def test_a_page_that_follows_is_asked_for_with_the_same_parameters_and_its_token(asked: list[Sent]) -> None:
    first: dict[str, dict[str, str]] = {}
    for one in asked:
        own = {name: value for name, value in one.parameters.items() if name not in TOKEN_NAMES}
        if own == one.parameters:
            first[one.request.path] = own
        assert own == first[one.request.path], one
    followers = [one for one in asked if TOKEN_NAMES & one.parameters.keys()]
    paged = {operation for operation, count in Counter(one.operation for one in asked).items() if count > ORDERS_READ}
    assert {one.operation for one in followers} == paged
    assert len({tuple(one.parameters.items()) for one in followers}) == len(followers)


async def test_every_request_says_who_asks_with_which_token_and_when(asked: list[Sent]) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for one in asked:
        agent = one.request.header("user-agent")
        assert len(agent) <= USER_AGENT_MAX
        assert re.fullmatch(r"[\w-]+/[\d.]+ \(Language=Python/[\d.]+\)", agent)
        assert one.request.header("x-amz-access-token").startswith("Atza|")
        at = datetime.datetime.strptime(one.request.header("x-amz-date"), "%Y%m%dT%H%M%SZ")
        assert abs((now - at.replace(tzinfo=datetime.UTC)).total_seconds()) < CLOCK_S
        assert one.request.header("host")
        assert not [name for name, _ in one.request.headers if name == "authorization"]


async def test_no_secret_stands_in_a_url(asked: list[Sent]) -> None:
    for one in asked:
        assert not re.search(r"Atz[a-z]|secret|amzn1\.oa2", one.request.path + one.request.query)
