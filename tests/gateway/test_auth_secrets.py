"""No password and no token is anywhere but with who owns it: not in Valkey, not in Postgres, not in a log."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contract.settings import Settings
from tests.support.browsers import Browser
from tests.support.http import Response, get, post
from tests.support.kept import in_logs, in_postgres, in_valkey
from tests.support.people import PASSWORD, fresh_email
from tests.support.processes import running, running_gateway

pytestmark = pytest.mark.slow

WRONG = "a wrong battery horse"
REFUSED = "too bad"
DONE_WITHIN_S = 20.0


@pytest.fixture
async def gateway(settings: Settings) -> AsyncIterator[Settings]:
    """A gateway that tells all that it does, without a worker."""
    async with running_gateway(
        Settings(
            redis_url=settings.redis_url,
            postgres_url=settings.postgres_url,
            data_dir=settings.data_dir,
            ask_timeout_s=20,
            log_level="debug",
        )
    ) as served:
        yield served


async def when_done(port: int, place: str) -> Response:
    """The reply to a command that takes its time, asked for until it is there, as a client would."""
    async with asyncio.timeout(DONE_WITHIN_S):
        while (answer := await get(port, place)).status == 202:
            await asyncio.sleep(0.05)
    return answer


async def everywhere(settings: Settings) -> dict[str, bytes]:
    """All that is kept."""
    return await in_valkey(settings) | await in_postgres(settings) | in_logs(settings.data_dir)


def forms(secrets: set[str]) -> set[bytes]:
    """Secrets as somebody may have kept them: as they are, and as bytes in hexadecimal digits."""
    return {secret.encode() for secret in secrets} | {secret.encode().hex().encode() for secret in secrets}


async def test_what_is_secret_is_kept_nowhere(gateway: Settings) -> None:
    email, secrets = fresh_email(), {PASSWORD, WRONG, REFUSED}
    browser = Browser(gateway.port)
    form = {"email": email, "password": PASSWORD}
    # Without its worker the command waits in its stream, for everybody to see who can read that.
    waiting = await browser.post("/api/auth/register", form, Prefer="wait=0")
    assert waiting.status == 202
    in_stream = await in_valkey(gateway)
    assert b'"kind":"register"' in in_stream["Valkey fluxgate:{auth}:commands"]
    async with running(gateway, "worker", "auth"):
        late = await when_done(gateway.port, waiting.headers["location"])
        assert late.status == 201
        secrets |= {late.json()["data"]["token"], late.json()["data"]["refreshToken"]}
        secrets.add(waiting.headers["location"].rpartition(".")[2])
        for password, status in ((PASSWORD, 200), (WRONG, 401)):
            assert (await browser.post("/api/auth/login", form | {"password": password})).status == status
            secrets |= {cookie.value for cookie in browser.jar.values()}
        assert (await browser.post("/api/auth/register", form | {"password": REFUSED})).status == 400
        assert (await browser.post("/api/auth/refresh")).status == 200
        secrets |= {cookie.value for cookie in browser.jar.values()}
        assert (await browser.get("/api/auth/me")).status == 200
        assert (await post(gateway.port, "/api/auth/login", {"email": email, "password": [WRONG]})).status == 400
        assert (await browser.post("/api/auth/logout")).status == 200
    kept = in_stream | await everywhere(gateway)
    assert len(secrets) >= 10
    found = [(place, secret) for place, content in kept.items() for secret in forms(secrets) if secret in content]
    assert found == []
    # The search finds what is there: a name in Postgres, a reply in Valkey, a request in the log.
    assert email.encode() in kept["Postgres users"]
    assert any(place.startswith("Valkey fluxgate:reply:") and b"sealed" in content for place, content in kept.items())
    assert b"/api/auth/login" in kept["log gateway.log"]


async def test_a_late_reply_is_opened_by_its_own_key_alone(gateway: Settings) -> None:
    form = {"email": fresh_email(), "password": PASSWORD}
    waiting = await Browser(gateway.port).post("/api/auth/register", form, Prefer="respond-async")
    place = waiting.headers["location"]
    command, _, key = place.rpartition(".")
    assert (waiting.status, waiting.json()["data"]) == (202, {"state": "pending", "url": place})
    assert (await get(gateway.port, place)).status == 202
    async with running(gateway, "worker", "auth"):
        answer = await when_done(gateway.port, place)
    assert answer.status == 201
    assert answer.json()["data"]["user"]["email"] == form["email"]
    assert not answer.set_cookies
    for guess in (key[::-1], "A" * 43, "short", key + "A"):
        assert (await get(gateway.port, f"{command}.{guess}")).status == 404
    without = await get(gateway.port, command)
    assert without.status == 404 or list(without.json()["data"]) == ["sealed"]
