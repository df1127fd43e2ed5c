"""Login with Amazon: one fetch for however many ask, tokens that are renewed in time, and what its refusals mean."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from contract.settings import Settings, SettingsError
from tests.support.servers import Servers, emptied_redis
from tests.workers.clients.amazon_stand_in import (
    ACCOUNT,
    REFRESH,
    SECRET,
    WINDOW,
    amazon_stands_in,
    fault_of,
    granted,
    told,
)
from tests.workers.clients.stand_in import HANG, said
from workers.clients import amazon_lwa
from workers.clients.amazon import Account, AmazonFault, Grant
from workers.clients.amazon_adapters import open_amazon
from workers.clients.amazon_lwa import EARLY_S, KEPT_MAX, LIFE_MAX_S, Tokens
from workers.clients.http import Answer, Request, Unanswered

EMPTY = told({"payload": {"Orders": []}})


class Login:
    """An upstream that grants what it is told, when it is let."""

    def __init__(self, **answer: Any) -> None:
        self.answer: dict[str, Any] = {"expires_in": 3600} | answer
        self.asked: list[str] = []
        self.go = asyncio.Event()
        self.go.set()
        self.faults: list[Exception] = []

    async def send(self, request: Request) -> Answer:
        form = request.form or {}
        self.asked.append(form.get("refresh_token", ""))
        number = len(self.asked)
        await self.go.wait()
        if self.faults:
            raise self.faults.pop()
        return Answer(200, {"access_token": f"Atza|{number}"} | self.answer, True, 0.0)

    async def close(self) -> None:
        pass


class Clock:
    """A clock that stands still."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def tokens_of(login: Any, clock: Clock | None = None, **more: Any) -> Tokens:
    return Tokens(login, "client", "secret", clock=clock or Clock(), **more)


@pytest.fixture
async def redis_url(servers: Servers) -> AsyncIterator[str]:
    async with emptied_redis(servers.redis_url):
        yield servers.redis_url


async def test_however_many_ask_at_once_a_token_is_fetched_once() -> None:
    login = Login()
    login.go.clear()
    tokens = tokens_of(login)
    asking = [asyncio.create_task(tokens.of(ACCOUNT)) for _ in range(50)]
    other = asyncio.create_task(tokens.of(ACCOUNT._replace(refresh_token="Atzr|other")))
    await asyncio.sleep(0)
    login.go.set()
    assert set(await asyncio.gather(*asking)) == {"Atza|1"}
    assert await other == "Atza|2"
    assert login.asked == [REFRESH, "Atzr|other"]


async def test_who_stops_waiting_leaves_the_fetch_to_the_others() -> None:
    login = Login()
    login.go.clear()
    tokens = tokens_of(login)
    first, second = asyncio.create_task(tokens.of(ACCOUNT)), asyncio.create_task(tokens.of(ACCOUNT))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    login.go.set()
    assert await second == "Atza|1"
    assert await tokens.of(ACCOUNT) == "Atza|1"


async def test_a_fault_is_told_to_all_who_wait_and_not_kept() -> None:
    login = Login()
    login.faults = [Unanswered("refused", was_sent=False)]
    tokens = tokens_of(login)
    told_to = await asyncio.gather(*(tokens.of(ACCOUNT) for _ in range(3)), return_exceptions=True)
    assert [getattr(fault, "kind", None) for fault in told_to] == ["away"] * 3
    assert await tokens.of(ACCOUNT) == "Atza|2"


@pytest.mark.parametrize(
    ("expires_in", "good_s"),
    [
        (3600, 3600 - EARLY_S),
        (100, 50),
        ("1800", 1800 - EARLY_S),
        (10**12, LIFE_MAX_S - EARLY_S),
        (10**400, 0),
        (0, 0),
        (-5, 0),
        (None, 0),
        ("soon", 0),
        ([], 0),
        ("nan", 0),
    ],
)
async def test_a_token_is_renewed_a_minute_before_its_end_or_after_half_of_its_life(
    expires_in: Any, good_s: float
) -> None:
    clock, login = Clock(), Login(expires_in=expires_in)
    tokens = tokens_of(login, clock)
    assert await tokens.of(ACCOUNT) == "Atza|1"
    clock.now += max(0.0, good_s - 0.001)
    assert await tokens.of(ACCOUNT) == ("Atza|1" if good_s else "Atza|2")
    clock.now += 0.001
    assert await tokens.of(ACCOUNT) == ("Atza|2" if good_s else "Atza|3")


async def test_a_token_is_forgotten_but_not_the_one_that_came_after_it() -> None:
    login = Login()
    tokens = tokens_of(login)
    old = await tokens.of(ACCOUNT)
    tokens.forget(ACCOUNT, old)
    new = await tokens.of(ACCOUNT)
    tokens.forget(ACCOUNT, old)
    assert await tokens.of(ACCOUNT) == new == "Atza|2"


async def test_no_more_tokens_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amazon_lwa, "KEPT_MAX", 3)
    assert KEPT_MAX > 3
    login = Login()
    tokens = tokens_of(login)
    accounts = [ACCOUNT._replace(refresh_token=f"Atzr|{number}") for number in range(4)]
    for account in accounts[:3]:
        await tokens.of(account)
    await tokens.of(accounts[0])
    await tokens.of(accounts[3])
    before = len(login.asked)
    for account in (accounts[0], accounts[2], accounts[3]):
        await tokens.of(account)
    assert len(login.asked) == before
    await tokens.of(accounts[1])
    assert len(login.asked) == before + 1


async def test_another_refresh_token_is_kept_by_whoever_can() -> None:
    kept: list[tuple[Account, str]] = []

    async def keep(account: Account, token: str) -> None:
        kept.append((account, token))

    login = Login(refresh_token="Atzr|another")
    tokens = tokens_of(login, keep=keep)
    assert await tokens.of(ACCOUNT) == "Atza|1"
    assert kept == [(ACCOUNT, "Atzr|another")]
    # The access token is that of the other one, too: no second exchange follows, which might end that in turn.
    assert await tokens.of(ACCOUNT._replace(refresh_token="Atzr|another")) == "Atza|1"
    assert len(login.asked) == 1
    for refresh_token in (REFRESH, "", None, 5):
        await tokens_of(Login(refresh_token=refresh_token), keep=keep).of(ACCOUNT)
    assert len(kept) == 1


async def test_another_refresh_token_that_nobody_keeps_is_in_the_log_without_it() -> None:
    async def fail(account: Account, token: str) -> None:
        raise RuntimeError(token)

    with structlog.testing.capture_logs() as logs:
        assert await tokens_of(Login(refresh_token="Atzr|another")).of(ACCOUNT) == "Atza|1"
        assert await tokens_of(Login(refresh_token="Atzr|another"), keep=fail).of(ACCOUNT) == "Atza|1"
    assert [line["log_level"] for line in logs] == ["error", "error"]
    assert "Atz" not in repr(logs)


async def test_to_close_ends_what_is_being_fetched() -> None:
    login = Login()
    login.go.clear()
    tokens = tokens_of(login)
    waiting = asyncio.create_task(tokens.of(ACCOUNT))
    await asyncio.sleep(0)
    await tokens.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def error(word: str, status: int = 400) -> bytes:
    return told({"error": word, "error_description": f"about {REFRESH} and {SECRET}"}, status=status)


REFUSALS: list[tuple[bytes, str]] = [
    (error("invalid_grant"), "revoked"),
    (error("invalid_client", 401), "denied"),
    (error("unauthorized_client"), "denied"),
    (error("access_denied", 403), "denied"),
    (error("invalid_scope"), "denied"),
    (error("invalid_request"), "refused"),
    (error("unsupported_grant_type"), "refused"),
    (error("something else"), "refused"),
    (error("server_error", 500), "away"),
    (error("server_error"), "away"),
    (error("temporarily_unavailable", 503), "away"),
    (error("slow_down", 429), "throttled"),
    (said(b"<html>", status=503), "away"),
    (said(b"<html>", status=400), "away"),
    (said(b"<html>"), "away"),
    (said(b""), "away"),
    (said(b"[]"), "away"),
    (said(b"", "location: /", status=302), "away"),
    (b"", "away"),
    (told({}), "unreadable"),
    *((granted(bad, refresh_token=bad), "unreadable") for bad in ("", "a\r\nx-header: b", "é", "A" * 5_000)),
    (told({"access_token": 5, "refresh_token": []}), "unreadable"),
]


@pytest.mark.parametrize(("raw", "kind"), REFUSALS)
async def test_what_a_refusal_of_login_with_amazon_means(redis_url: str, raw: bytes, kind: str) -> None:
    async with amazon_stands_in(redis_url, [EMPTY], [raw]) as (amazon, there, _):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
        exchanged = await fault_of(amazon.exchange("a code", "http://here.example/back"))
    assert (fault.kind, exchanged.kind) == (kind, kind)
    assert not there.requests
    assert [secret for secret in ("Atz", SECRET) if secret in f"{fault} {exchanged}"] == []


async def test_who_runs_this_is_told_which_settings_are_wrong(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [EMPTY], [error("invalid_client", 401)]) as (amazon, _, _):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
    assert "FLUXGATE_AMAZON_CLIENT_ID and FLUXGATE_AMAZON_CLIENT_SECRET" in fault.message


@pytest.mark.slow
async def test_a_login_that_does_not_answer_passes(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [EMPTY], [HANG], amazon_timeout_s=1.5) as (amazon, _, login):
        assert (await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))).kind == "away"
    assert len(login.requests) == 1


async def test_login_and_api_are_left_alone_each_for_its_own_failures(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [EMPTY], [said(b"", status=503)] * 6 + [granted()]) as (amazon, _, login):
        faults = [await fault_of(amazon.list_orders(ACCOUNT, WINDOW, "")) for _ in range(4)]
        assert {fault.kind for fault in faults} == {"away"}
        assert faults[-1].after_s > 0
        assert len(login.requests) == 5
        # The API itself is asked all the same, by whoever has a token.
        assert await amazon.pace(ACCOUNT, "orders")


async def test_a_code_is_exchanged_for_a_refresh_token(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [EMPTY]) as (amazon, _, login):
        grant = await amazon.exchange("a code&more", "https://here.example/back?x=1")
    assert grant == Grant(REFRESH)
    assert REFRESH not in repr(grant)
    form = login.requests[0].decode().partition("\r\n\r\n")[2]
    assert form.startswith(
        "grant_type=authorization_code&code=a+code%26more&redirect_uri=https%3A%2F%2Fhere.example%2Fback%3Fx%3D1&"
    )


async def test_an_exchange_without_a_refresh_token_is_none(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [EMPTY], [granted(refresh_token=None)]) as (amazon, _, _):
        assert (await fault_of(amazon.exchange("a code", "https://here.example/"))).kind == "unreadable"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"env": "production", "admin_key": "k" * 16}, "FLUXGATE_AMAZON_URL"),
        ({"env": "production", "amazon_url": "https://a.example"}, "FLUXGATE_AMAZON_CLIENT_ID"),
        ({"env": "production", "amazon_url": "https://a.example", "amazon_client_id": "c"}, "FLUXGATE_AMAZON_CLIENT"),
    ],
)
def test_without_what_it_needs_the_client_is_not_opened(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        open_amazon(Settings(**changes))


def test_faults_say_whether_they_pass() -> None:
    passing = {kind for kind in ("waiting", "throttled", "away", "unreadable") if AmazonFault(kind, "").is_passing}
    assert passing == {"waiting", "throttled", "away", "unreadable"}
    assert not any(AmazonFault(kind, "").is_passing for kind in ("stale", "revoked", "denied", "refused"))
