"""The bearer token of Goated: asked for anew once when it is refused, and by one alone however many need it."""

import asyncio
import json
from typing import Any

import pytest

from contract.upstream_settings import GOATED_SANDBOX
from tests.support.sandbox import GoatedSandbox
from tests.workers.clients.conftest import OpenGoated
from tests.workers.clients.stand_in import said, standing_in
from workers.clients import http
from workers.clients.goated import Goated, GoatedFault
from workers.clients.goated_tokens import TOKEN_MAX, Tokens

REFUSED = said(b'{"success":false}', status=401)
GOOD = said(b"[]")


async def asked(sandbox: GoatedSandbox) -> list[tuple[str, int]]:
    """What it was asked for, and what it has answered."""
    requests = (await sandbox.journal())["requests"]
    return [(one["path"].rpartition("/")[2], one["status"]) for one in requests]


async def fault_of(goated: Goated) -> GoatedFault:
    with pytest.raises(GoatedFault) as fault:
        await goated.fetch("")
    return fault.value


async def test_a_token_that_has_expired_is_replaced_and_kept(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    goated = await opened_goated()
    await goated_sandbox.expire()
    for _ in range(2):
        assert await goated.fetch("") is not None
    code = GOATED_SANDBOX[0]
    assert await asked(goated_sandbox) == [(code, 401), ("refresh", 200), (code, 200), (code, 200)]


async def test_however_many_fetch_at_once_one_new_token_is_asked_for(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    goated = await opened_goated()
    await goated_sandbox.expire()
    await goated_sandbox.control(faults=[{"match": "POST *", "do": "slow", "latency_ms": 100}])
    assert all(await asyncio.gather(*(goated.fetch("") for _ in range(8))))
    assert (await goated_sandbox.journal())["totals"]["POST /auth/refresh"] == {"200": 1}


async def test_a_refresh_token_that_rotates_is_followed(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    await goated_sandbox.control(rotates=True)
    goated = await opened_goated()
    for _ in range(3):
        await goated_sandbox.expire()
        assert await goated.fetch("") is not None
    assert (await goated_sandbox.journal())["totals"]["POST /auth/refresh"] == {"200": 3}
    # Who comes with the one of the settings is refused by now.
    await goated_sandbox.expire()
    assert (await fault_of(await opened_goated())).kind == "authentication"


async def test_a_goated_that_looks_at_no_token_is_asked_without_one(opened_goated: OpenGoated) -> None:
    async with standing_in(GOOD) as upstream:
        assert await (await opened_goated(goated_url=upstream.url, goated_code="A")).fetch("") is not None
    assert b"authorization" not in upstream.requests[0].lower()


async def test_a_refused_token_without_another_is_asked_with_once(opened_goated: OpenGoated) -> None:
    async with standing_in(REFUSED) as upstream:
        goated = await opened_goated(goated_url=upstream.url, goated_code="A", goated_token="ours")
        told = await fault_of(goated)
    assert (told.kind, told.code) == ("authentication", "API_AUTH_FAILED")
    assert "FLUXGATE_GOATED_TOKEN" in told.message
    assert len(upstream.requests) == 1


async def test_a_new_token_that_is_refused_as_well_is_no_reason_for_a_third(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    await goated_sandbox.control(faults=[{"match": "GET *", "status": 401, "times": None}])
    told = await fault_of(await opened_goated())
    assert (told.kind, told.code) == ("authentication", "API_AUTH_FAILED")
    code = GOATED_SANDBOX[0]
    assert await asked(goated_sandbox) == [(code, 401), ("refresh", 200), (code, 401)]


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ({"status": 401}, "authentication", "API_AUTH_FAILED"),
        ({"status": 403}, "authentication", "API_AUTH_FAILED"),
        ({"status": 400}, "authentication", "API_AUTH_FAILED"),
        ({"status": 429, "retry_after": 50}, "resource", "API_RATE_LIMIT"),
        ({"status": 503}, "temporary", "API_UNAVAILABLE"),
        ({"do": "drop"}, "temporary", "API_UNAVAILABLE"),
        ({"do": "html"}, "temporary", "API_BAD_ANSWER"),
        ({"do": "junk"}, "temporary", "API_BAD_ANSWER"),
        ({"do": "empty"}, "temporary", "API_BAD_ANSWER"),
    ],
    ids=str,
)
async def test_no_new_token_is_a_fault_that_says_why(
    goated_sandbox: GoatedSandbox,
    opened_goated: OpenGoated,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
    kind: str,
    code: str,
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 1)
    goated = await opened_goated()
    await goated_sandbox.expire()
    await goated_sandbox.control(faults=[{"match": "POST /auth/*", **fault}])
    told = await fault_of(goated)
    assert (told.kind, told.code, told.after_s) == (kind, code, pytest.approx(fault.get("retry_after", 0)))
    assert await goated.fetch("") is not None


@pytest.mark.parametrize(
    "document",
    [
        {"token": "new"},
        {"accessToken": "new", "refreshToken": ""},
        {"access_token": "new", "refresh_token": 5},
        {"success": True, "data": {"token": "new"}},
    ],
    ids=str,
)
async def test_a_new_token_is_found_wherever_it_stands(opened_goated: OpenGoated, document: dict[str, Any]) -> None:
    async with standing_in(REFUSED, GOOD) as upstream, standing_in(said(json.dumps(document).encode())) as login:
        goated = await opened_goated(
            goated_url=upstream.url, goated_code="A", goated_token_url=login.url, goated_refresh_token="ours"
        )
        assert await goated.fetch("") is not None
    assert b"authorization: Bearer new" in upstream.requests[1]
    assert login.requests[0].endswith(b'{"refreshToken":"ours"}')


@pytest.mark.parametrize("token", ["", "two words", "line\r\nfeed", "\u00e9", "x" * (TOKEN_MAX + 1), None, 5])
async def test_what_cannot_stand_in_a_header_is_no_token(
    opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch, token: Any
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 1)
    async with standing_in(REFUSED) as upstream, standing_in(said(json.dumps({"token": token}).encode())) as login:
        goated = await opened_goated(
            goated_url=upstream.url, goated_code="A", goated_token_url=login.url, goated_refresh_token="ours"
        )
        told = await fault_of(goated)
    assert (told.kind, told.code) == ("temporary", "API_BAD_ANSWER")


async def test_whoever_was_refused_with_an_older_token_asks_for_none() -> None:
    async def turn() -> None:
        raise AssertionError("Nobody asks.")

    tokens = Tokens(None, "newer", "refresh")
    await tokens.renew("older", turn)
    assert tokens.token == "newer"
    with pytest.raises(GoatedFault):
        await tokens.renew("newer", turn)
