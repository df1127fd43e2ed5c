"""Goated's sandbox when something is wrong: what passes, what does not, who is asked how often, and what is told."""

import asyncio
import time
from typing import Any

import pytest
import structlog

import lua
from contract.settings import Settings, SettingsError
from contract.transport import open_redis
from tests.support.sandbox import GoatedSandbox
from tests.workers.clients.conftest import OpenGoated
from tests.workers.clients.stand_in import HANG, said, standing_in
from workers.clients import goated_line, http
from workers.clients.goated import Goated, GoatedFault
from workers.clients.goated_adapters import open_goated

ROUTE = "GET /user/*"
TEMPORARY: list[tuple[dict[str, Any], str]] = [
    ({"status": 500}, "API_UNAVAILABLE"),
    ({"status": 502}, "API_UNAVAILABLE"),
    ({"status": 503}, "API_UNAVAILABLE"),
    ({"status": 504}, "API_TIMEOUT"),
    ({"status": 408}, "API_TIMEOUT"),
    ({"do": "drop"}, "API_UNAVAILABLE"),
    ({"do": "half"}, "API_UNAVAILABLE"),
    ({"do": "truncate"}, "API_BAD_ANSWER"),
    ({"do": "html"}, "API_BAD_ANSWER"),
    ({"do": "junk"}, "API_BAD_ANSWER"),
    ({"do": "empty"}, "API_BAD_ANSWER"),
]
LASTING: list[tuple[dict[str, Any], str, str]] = [
    ({"status": 400}, "permanent", "API_ERROR"),
    ({"status": 404}, "permanent", "API_ERROR"),
    ({"status": 410}, "permanent", "API_ERROR"),
    ({"status": 301}, "permanent", "API_ERROR"),
    ({"status": 403}, "authentication", "API_AUTH_FAILED"),
    ({"status": 429}, "resource", "API_RATE_LIMIT"),
]


async def fault_of(goated: Goated, etag: str = "") -> GoatedFault:
    with pytest.raises(GoatedFault) as fault:
        await goated.fetch(etag)
    return fault.value


async def statuses(sandbox: GoatedSandbox) -> list[int]:
    return [one["status"] for one in (await sandbox.journal())["requests"]]


@pytest.mark.parametrize(("fault", "code"), TEMPORARY, ids=str)
async def test_what_passes_is_asked_for_again(
    goated_sandbox: GoatedSandbox,
    opened_goated: OpenGoated,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
    code: str,
) -> None:
    goated = await opened_goated()
    await goated_sandbox.control(faults=[{"match": ROUTE, **fault}])
    board = await goated.fetch("")
    assert board is not None
    assert len(board.members) == 500
    assert len(await statuses(goated_sandbox)) == 2
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 1)
    await goated_sandbox.control(faults=[{"match": ROUTE, **fault}])
    told = await fault_of(goated)
    assert (told.kind, told.code) == ("temporary", code)


@pytest.mark.parametrize("form", ["text", "refused"])
async def test_an_answer_that_is_no_leaderboard_is_asked_for_again(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 2)
    await goated_sandbox.control(form=form)
    told = await fault_of(await opened_goated())
    assert (told.kind, told.code) == ("temporary", "API_BAD_ANSWER")
    assert await statuses(goated_sandbox) == [200, 200]


async def test_an_amount_that_no_json_has_makes_the_answer_none(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 1)
    await goated_sandbox.control(odd={"bare_nan": 1})
    told = await fault_of(await opened_goated())
    assert (told.code, told.message) == ("API_BAD_ANSWER", "Goated has answered with no JSON.")


@pytest.mark.parametrize(("fault", "kind", "code"), LASTING, ids=str)
async def test_what_does_not_pass_is_asked_for_once(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, fault: dict[str, Any], kind: str, code: str
) -> None:
    await goated_sandbox.control(faults=[{"match": ROUTE, "times": None, **fault}])
    told = await fault_of(await opened_goated())
    assert (told.kind, told.code) == (kind, code)
    assert await statuses(goated_sandbox) == [fault["status"]]


@pytest.mark.parametrize("written", ["seconds", "date"])
@pytest.mark.parametrize(("status", "kind"), [(429, "resource"), (503, "temporary")])
async def test_the_time_to_come_again_is_told(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, written: str, status: int, kind: str
) -> None:
    fault = {"match": ROUTE, "status": status, "retry_after": 90, "retry_after_as": written, "times": None}
    await goated_sandbox.control(faults=[fault])
    told = await fault_of(await opened_goated())
    assert (told.kind, told.after_s) == (kind, pytest.approx(90, abs=2))
    # It is longer than anybody waits here.
    assert await statuses(goated_sandbox) == [status]


@pytest.mark.slow
async def test_a_short_time_to_come_again_is_waited_for(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    await goated_sandbox.control(faults=[{"match": ROUTE, "status": 503, "retry_after": 1}])
    assert await (await opened_goated()).fetch("") is not None
    requests = (await goated_sandbox.journal())["requests"]
    assert requests[1]["at"] - requests[0]["at"] >= 1


@pytest.mark.slow
async def test_a_hang_is_waited_for_as_long_as_the_settings_say_and_then_asked_again(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    await goated_sandbox.control(faults=[{"match": ROUTE, "do": "hang", "times": 2}])
    assert await (await opened_goated(goated_timeout_s=0.3)).fetch("") is not None
    assert await statuses(goated_sandbox) == [0, 0, 200]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [{"do": "hang"}, {"status": 503}, {"do": "slow", "latency_ms": 5_000}], ids=str)
async def test_a_fetch_ends_in_time_whatever_happens(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    assert goated_line.PATIENCE_S < 25
    monkeypatch.setattr(goated_line, "PATIENCE_S", 1.5)
    await goated_sandbox.control(faults=[{"match": ROUTE, "times": None, **fault}])
    goated = await opened_goated()
    began = time.monotonic()
    told = await fault_of(goated)
    assert told.kind == "temporary"
    assert told.code == ("API_UNAVAILABLE" if "status" in fault else "API_TIMEOUT")
    assert time.monotonic() - began < 2.5


async def test_nobody_asks_more_often_than_the_settings_say(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(goated_line, "PATIENCE_S", 1.0)
    # Another process has the same bucket.
    one, other = [await opened_goated(goated_rate_per_minute=2) for _ in range(2)]
    assert await one.fetch("") is not None
    for goated in (one, other):
        told = await fault_of(goated)
        assert (told.kind, told.code, told.after_s) == ("resource", "API_RATE_LIMIT", pytest.approx(60, abs=2))
    assert await statuses(goated_sandbox) == [200]


async def test_why_goated_was_asked_again_is_told_where_no_turn_is_left_to_do_so(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    await goated_sandbox.control(faults=[{"match": ROUTE, "status": 503, "times": None}])
    told = await fault_of(await opened_goated(goated_rate_per_minute=2))
    assert (told.kind, told.code) == ("temporary", "API_UNAVAILABLE")
    assert await statuses(goated_sandbox) == [503]


async def test_a_goated_that_fails_again_and_again_is_left_alone(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 1)
    await goated_sandbox.control(faults=[{"match": ROUTE, "status": 503, "times": None}])
    goated = await opened_goated()
    told = [await fault_of(goated) for _ in range(7)]
    assert {(one.kind, one.code) for one in told} == {("temporary", "API_UNAVAILABLE")}
    assert [one.after_s > 0 for one in told] == [False] * 5 + [True] * 2
    assert await statuses(goated_sandbox) == [503] * 5


async def test_nobody_there_is_a_fault_that_passes(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 1)
    goated = await opened_goated(goated_url="http://127.0.0.1:1/board", goated_code="A")
    told = await fault_of(goated)
    assert (told.kind, told.code, told.message) == ("temporary", "API_UNAVAILABLE", "Goated cannot be reached.")


async def test_an_answer_that_says_the_same_though_nothing_is_known_is_none(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 1)
    async with standing_in(said(b"", status=304)) as upstream:
        goated = await opened_goated(goated_url=upstream.url, goated_code="A/B c")
        assert (await fault_of(goated)).code == "API_BAD_ANSWER"
        assert await goated.fetch('W/"known"') is None
    assert upstream.requests[0].startswith(b"GET /A%2FB%20c HTTP/1.1\r\n")
    assert b"authorization" not in upstream.requests[0].lower()
    assert b'if-none-match: W/"known"' in upstream.requests[1]


@pytest.mark.parametrize("etag", ["x" * 300, 'W/"\u00e9"'])
async def test_an_etag_that_cannot_be_kept_is_none(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, etag: str
) -> None:
    async with standing_in(said(b"[]", f"etag: {etag}")) as upstream:
        board = await (await opened_goated(goated_url=upstream.url, goated_code="A")).fetch("")
        assert board is not None
        assert (board.etag, board.shape) == ("", "list")


async def test_a_body_beyond_the_limit_is_not_read(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 1)
    monkeypatch.setattr("workers.clients.goated_adapters.BODY_MAX", 1_000)
    told = await fault_of(await opened_goated())
    assert (told.kind, told.code) == ("temporary", "API_BAD_ANSWER")


async def test_every_request_is_counted(goated_sandbox: GoatedSandbox, opened_goated: OpenGoated) -> None:
    goated = await opened_goated()
    await goated_sandbox.expire()
    board = await goated.fetch("")
    assert board is not None
    assert await goated.fetch(board.etag) is None
    redis = open_redis(goated_sandbox.settings)
    counted = {(one.upstream, one.call, one.outcome, one.times) for one in await lua.read_upstream_calls(redis)}
    await redis.aclose()
    told = [("fetch", "401"), ("refresh", "200"), ("fetch", "200"), ("fetch", "304")]
    assert counted == {("goated", *one, 1) for one in told}


async def test_no_secret_stands_in_a_fault_or_in_a_log(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS_MAX", 1)
    token, refresh = "the-token-of-ours", "the-refresh-token-of-ours"
    echo = said(f'{{"message":"{token} {refresh}"}}'.encode(), status=401)
    told: list[str] = []
    with structlog.testing.capture_logs() as logs:
        for answer in (echo, said(f"<p>{token}".encode()), said(token.encode(), status=400), b"", HANG):
            async with standing_in(answer) as upstream:
                goated = await opened_goated(
                    goated_url=upstream.url,
                    goated_code="A",
                    goated_token=token,
                    goated_token_url=upstream.url,
                    goated_refresh_token=refresh,
                    goated_timeout_s=0.2,
                )
                told.append(repr((await fault_of(goated)).args))
                assert token.encode() in upstream.requests[0]
                await goated.close()
    assert len(told) == 5
    # What goes well enough is told to nobody who has not asked for it.
    assert len(logs) >= 3
    assert token not in repr((told, logs))
    assert refresh not in repr((told, logs))


def test_settings_that_lead_nowhere_are_refused() -> None:
    production: dict[str, Any] = {"env": "production", "admin_key": "a-long-admin-key"}
    with pytest.raises(SettingsError, match="FLUXGATE_GOATED_URL"):
        open_goated(Settings(**production))
    with pytest.raises(SettingsError, match="FLUXGATE_GOATED_CODE"):
        open_goated(Settings(**production, goated_url="https://goated.example"))
    with pytest.raises(SettingsError, match="FLUXGATE_GOATED_TOKEN"):
        open_goated(Settings(goated_url="https://goated.example", goated_code="A", goated_token="two words"))


async def test_a_fetch_that_is_cancelled_leaves_nothing_behind(
    goated_sandbox: GoatedSandbox, opened_goated: OpenGoated
) -> None:
    await goated_sandbox.control(faults=[{"match": ROUTE, "do": "hang"}])
    goated = await opened_goated()
    fetching = asyncio.create_task(goated.fetch(""))
    async with asyncio.timeout(5):
        while not (await goated_sandbox.journal())["total"]:
            await asyncio.sleep(0.01)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert await goated.fetch("") is not None
