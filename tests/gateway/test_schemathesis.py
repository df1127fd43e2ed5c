"""Every route held against its own description, with data that schemathesis makes of it: what it allows, and what not.

No route is left out. Only one check is: that whatever a schema allows is taken. A schema cannot tell whether a balance
suffices or an address has an account, and such refusals are 400 by the contract.
"""

import datetime
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import positive_data_acceptance

from contract.settings import Settings
from contract.transport import open_redis
from gateway.openapi import DOCUMENT
from tests.support.desk import open_desk
from tests.support.http import post
from tests.support.http_scenes_common import resolved
from tests.support.http_stage import own_database
from tests.support.processes import running, running_gateway
from tests.support.sandbox import running_amazon, running_g2a, running_goated
from tests.support.servers import Servers
from tests.support.shoppers import add_shopper
from tests.support.store import add_game
from tests.support.told_races import ended
from workers.goated_races import month_of, read_zone
from workers.store_orders import STORE

pytestmark = pytest.mark.slow

EXAMPLES = 5
"""Of each kind, for each route: enough to meet each of its fields; more seeds are a matter of this number."""
PRODUCTS = 20
RATE = 1_000_000
"""Products of G2A, and requests to it in a minute: no test waits for a turn."""
GAME, CODE = "half-life", "SPRING"
KNOWN = {"gameId": GAME, "code": CODE, "promoCode": CODE}
LAST_RACE = month_of(datetime.datetime(2025, 4, 15, tzinfo=datetime.UTC), read_zone("UTC"))
KINDS = {"sound": GenerationMode.POSITIVE, "known": GenerationMode.POSITIVE, "unsound": GenerationMode.NEGATIVE}


def can_be_wrong(operation: Any) -> bool:
    """Whether anything that a route is sent has to have a form."""
    schemas = [resolved(resolved(parameter)["schema"]) for parameter in operation["parameters"]]
    return "requestBody" in operation or any(schema.keys() - {"type", "description", "minLength"} for schema in schemas)


CASES = [
    (path, method, kind)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    for kind in KINDS
    if kind != "unsound" or can_be_wrong(operation)
]


class Shop(NamedTuple):
    """Where the gateway listens, and the access token of an administrator who has money."""

    url: str
    token: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A gateway with all workers, on a database of its own, so that it finds no games of other tests."""
    async with own_database(servers.postgres_url) as postgres_url:
        given = Settings(
            redis_url=servers.redis_url,
            postgres_url=postgres_url,
            data_dir=tmp_path_factory.mktemp("shop"),
            rate_per_s=100_000,
            ask_timeout_s=20,
            g2a_sandbox_products=PRODUCTS,
            g2a_rate_per_minute=RATE,
        )
        redis = open_redis(given)
        await redis.flushall()
        await redis.aclose()
        async with (
            running_g2a(given) as g2a,
            running_amazon(g2a.settings) as amazon,
            running_goated(amazon.settings) as goated,
            running_gateway(goated.settings) as served,
            running(served, "worker", "all"),
            open_desk(served, STORE) as desk,
        ):
            await add_game(desk, GAME, stock=1_000_000)
            shopper = await add_shopper(served, desk, "1000000.00", "ADMIN")
            synced = await post(served.port, "/api/admin/goated/sync", {}, Authorization=f"Bearer {shopper.token}")
            assert synced.status == 200, synced
            await ended(desk.pool, LAST_RACE, [])
            yield Shop(f"http://127.0.0.1:{served.port}", shopper.token)


@pytest.fixture(scope="module")
def client() -> Iterator[requests.Session]:
    """One connection for all."""
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="module")
def described() -> Any:
    """The routes as the document has them, for schemathesis."""
    # A stream of events has no end; its first one tells enough.
    config = {"checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}}, "max-stream-events": 1}
    return schemathesis.openapi.from_dict(
        json.loads(msgspec.json.encode(DOCUMENT)), config=schemathesis.Config.from_dict(config)
    )


def aimed(case: Any) -> Any:
    """The same request for what there is, so that it gets further than to a 404."""
    body = case.body if isinstance(case.body, dict) else {}
    for part in (case.path_parameters, body, *body.get("items", ())):
        part.update({name: KNOWN[name] for name in part.keys() & KNOWN})
    return case


@pytest.mark.parametrize("who", ["guest", "administrator"])
@pytest.mark.parametrize(("path", "method", "kind"), CASES)
def test_a_route_answers_as_it_is_described(
    shop: Shop, client: requests.Session, described: Any, path: str, method: str, kind: str, who: str
) -> None:
    operation = described[path][method.upper()]
    own = {"Authorization": f"Bearer {shop.token}"} if who == "administrator" else {}

    @given(case=operation.as_strategy(generation_mode=KINDS[kind]))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        # A parameter without a value counts as not sent, which no schema can tell.
        assume("" not in (case.query or {}).values())
        sent = aimed(case) if kind == "known" else case
        response = sent.call(base_url=shop.url, session=client, headers=own, allow_redirects=False, timeout=10)
        assert response.status_code < 500, response.text
        sent.validate_response(response, excluded_checks=[positive_data_acceptance], headers=own)

    ask()
