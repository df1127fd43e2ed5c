"""What the contract says of faults of ours: 500 with everything rolled back, 503 while the database is away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from chaos.waiting import until
from contract.settings import Settings
from tests.support.durable import Durable, durable_servers
from tests.support.http import Response, get, post
from tests.support.people import PASSWORD, fresh_email
from tests.support.processes import running, running_gateway
from tests.support.refusals import refused
from tests.support.store import new_session

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

BACK_WITHIN_S = 30.0
ORDER = {"items": [{"gameId": "halo", "quantity": 1}]}
BREAK = """
CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a bug'; END $$;
CREATE TRIGGER break_it BEFORE INSERT ON refresh_tokens FOR EACH ROW EXECUTE FUNCTION break_it();
"""
"""The last thing that a registration and a login write fails."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def durable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Durable]:
    """Servers that these tests may break."""
    directory = tmp_path_factory.mktemp("durable")
    async with durable_servers(directory, ask_timeout_s=BACK_WITHIN_S, lease_s=0.5) as servers:
        yield servers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(durable: Durable) -> AsyncIterator[Settings]:
    """A gateway with all workers."""
    async with running(durable.settings, "worker", "all"), running_gateway(durable.settings) as served:
        yield served


async def send(shop: Settings, path: str, email: str) -> Response:
    """POST credentials."""
    return await post(shop.port, path, {"email": email, "password": PASSWORD})


def error(answer: Response, status: int) -> dict[str, Any]:
    """The error of an answer with this status, which has the form of the contract."""
    refused(answer, status)
    return answer.json()["error"]


async def count(durable: Durable, table: str) -> int:
    """The rows of a table."""
    connection = await asyncpg.connect(durable.postgres.url)
    try:
        return await connection.fetchval(f"SELECT count(*) FROM {table}")
    finally:
        await connection.close()


async def run(durable: Durable, statement: str) -> None:
    """Execute a statement."""
    connection = await asyncpg.connect(durable.postgres.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_registration_that_fails_is_answered_with_500_and_leaves_nothing(
    durable: Durable, shop: Settings
) -> None:
    email, before = fresh_email(), await count(durable, "users")
    await run(durable, BREAK)
    try:
        broken = error(await send(shop, "/api/auth/register", email), 500)
    finally:
        await run(durable, "DROP TRIGGER break_it ON refresh_tokens; DROP FUNCTION break_it")
    assert broken == {
        "code": "INTERNAL",
        "message": "Something is wrong on our side, and nothing was changed.",
        "details": {"retryable": False, "suggestedAction": "contact_support"},
    }
    assert await count(durable, "users") == before
    assert (await send(shop, "/api/auth/register", email)).status == 201


async def test_while_the_database_is_away_everybody_is_told_to_come_back_and_nothing_was_done(
    durable: Durable, shop: Settings
) -> None:
    known, unknown = fresh_email(), fresh_email()
    registered = await send(shop, "/api/auth/register", known)
    bearer = f"Bearer {registered.json()['data']['token']}"
    session = new_session()
    await durable.postgres.kill()
    try:
        asked = {
            "register": send(shop, "/api/auth/register", unknown),
            "login": send(shop, "/api/auth/login", known),
            "cart": post(shop.port, "/api/cart/migrate", {}, Authorization=bearer, X_Session_Id=session),
            "order": post(shop.port, "/api/orders", ORDER, Authorization=bearer, Idempotency_Key="key-1"),
            "me": get(shop.port, "/api/auth/me", Authorization=bearer),
        }
        answers = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
    finally:
        await durable.postgres.start()
    for what, answer in answers.items():
        assert error(answer, 503)["code"] == "DATABASE_UNAVAILABLE", what
        assert error(answer, 503)["details"] == {"retryable": True, "suggestedAction": "retry_later"}, what
        assert "retry-after" in answer.headers, what

    async def works_again() -> bool:
        return (await send(shop, "/api/auth/register", unknown)).status == 201

    await until(works_again, BACK_WITHIN_S)
    assert error(await send(shop, "/api/auth/register", unknown), 409)["code"] == "USER_EXISTS"
    assert (await send(shop, "/api/auth/login", known)).status == 200
