"""One call to Amazon: what is sent, what every answer means, what is repeated, and what no message may hold."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
import structlog

import lua
from contract.settings import Settings
from contract.transport import open_redis
from tests.support.servers import Servers, emptied_redis
from tests.workers.clients.amazon_stand_in import (
    ACCESS,
    ACCOUNT,
    REFRESH,
    SECRET,
    WINDOW,
    amazon_stands_in,
    fault_of,
    granted,
    refused,
    told,
)
from tests.workers.clients.stand_in import HANG, said
from workers.clients import amazon_line
from workers.clients.amazon_line import BODY_MAX, PATIENCE_S

EMPTY = told({"payload": {"Orders": []}})
EXPIRED = "The access token you provided has expired."
UNKNOWN = "The access token you provided is revoked, malformed or invalid."


@pytest.fixture
async def redis_url(servers: Servers) -> AsyncIterator[str]:
    async with emptied_redis(servers.redis_url):
        yield servers.redis_url


async def test_a_request_says_who_we_are_and_what_is_wanted_and_nothing_else(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [EMPTY]) as (amazon, there, login):
        await amazon.list_orders(ACCOUNT, WINDOW, "to be|continued+")
    head, _, form = login.requests[0].decode().partition("\r\n\r\n")
    assert head.startswith("POST /auth/o2/token HTTP/1.1\r\n")
    assert "content-type: application/x-www-form-urlencoded" in head.lower()
    assert form == (
        "grant_type=refresh_token&refresh_token=Atzr%7Cthe-refresh-token-of-a-seller"
        f"&client_id=amzn1.application-oa2-client.sandbox&client_secret={SECRET}"
    )
    head = there.requests[0].decode()
    assert head.startswith(
        "GET /orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER&MaxResultsPerPage=100"
        "&LastUpdatedAfter=2026-08-03T12%3A30%3A15Z&LastUpdatedBefore=2026-11-01T12%3A30%3A15Z"
        "&NextToken=to+be%7Ccontinued%2B HTTP/1.1\r\n"
    )
    lines = dict(line.lower().split(": ", 1) for line in head.strip().splitlines()[1:])
    assert lines["x-amz-access-token"] == ACCESS.lower()
    assert re.fullmatch(r"\d{8}t\d{6}z", lines["x-amz-date"])
    assert re.fullmatch(r"flux-gate/[\d.]+ \(language=python/3\.\d+\)", lines["user-agent"])
    assert "authorization" not in lines


ANSWERS: list[tuple[str, bytes, str, str]] = [
    ("500", refused(500, "InternalFailure", "We had a problem."), "away", "500 (InternalFailure): We had a problem."),
    ("503 of a proxy", said(b"<html>busy</html>", status=503), "away", "503, and no JSON."),
    ("503 empty", said(b"", status=503), "away", "503, and nothing."),
    ("408", said(b"{}", status=408), "away", "408."),
    ("HTML", said(b"<!DOCTYPE html>"), "unreadable", "200, and no JSON."),
    ("empty", said(b""), "unreadable", "200, and nothing."),
    ("204", said(b"", status=204), "unreadable", "204, and nothing."),
    ("301", said(b"", "location: https://elsewhere.example/", status=301), "unreadable", "301, and nothing."),
    ("no object", said(b"[]"), "unreadable", "200."),
    ("null", said(b"null"), "unreadable", "200."),
    ("nothing in it", said(b"{}"), "unreadable", "there is no payload in it"),
    ("no list in it", told({"payload": {"NextToken": "t"}}), "unreadable", "Orders is no list"),
    ("a token that is none", told({"payload": {"Orders": [], "NextToken": 7}}), "unreadable", "NextToken is no token"),
    (
        "errors in a 200",
        told({"payload": {"Orders": []}, "errors": [{"code": "string"}]}),
        "unreadable",
        "200 (string).",
    ),
    ("errors of another kind", told({"payload": {"Orders": []}, "errors": "yes"}), "unreadable", "200."),
    (
        "400",
        refused(400, "InvalidInput", "CreatedAfter", "is missing"),
        "refused",
        "400 (InvalidInput): CreatedAfter is missing",
    ),
    ("404", refused(404, "NotFound"), "refused", "404 (NotFound)."),
    ("413", said(b"too large", status=413), "refused", "413, and no JSON."),
    ("415", told({"errors": []}, status=415), "refused", "415."),
    (
        "403",
        refused(403, "Unauthorized", "Access to requested resource is denied."),
        "denied",
        "403 (Unauthorized): Access",
    ),
    ("403 of a proxy", said(b"<html>", status=403), "denied", "403, and no JSON."),
    (
        "missing token",
        refused(403, "Unauthorized", "", "Access token is missing in the request header."),
        "denied",
        "403",
    ),
    ("401", refused(401, "Unauthorized"), "denied", "401"),
]


@pytest.mark.parametrize(("raw", "kind", "message"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
async def test_what_an_answer_means(redis_url: str, raw: bytes, kind: str, message: str) -> None:
    async with amazon_stands_in(redis_url, [raw]) as (amazon, there, _):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
    assert fault.kind == kind
    assert message in fault.message
    # What does not pass is asked for once; what may pass, twice.
    assert len(there.requests) == (2 if fault.is_passing else 1)


async def test_what_passes_at_once_is_not_heard_of(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [refused(500, "InternalFailure"), EMPTY]) as (amazon, there, login):
        assert (await amazon.list_orders(ACCOUNT, WINDOW, "")).rows == []
    assert (len(there.requests), len(login.requests)) == (2, 1)


@pytest.mark.parametrize("raw", [b"", said(b'{"payload"')[:-4], b"HTTP/1.1 nonsense\r\n\r\n"])
async def test_a_connection_that_breaks_off_passes(redis_url: str, raw: bytes) -> None:
    async with amazon_stands_in(redis_url, [raw]) as (amazon, there, _):
        assert (await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))).kind == "away"
    assert len(there.requests) == 2


@pytest.mark.slow
async def test_an_answer_that_takes_too_long_is_not_waited_for_twice(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [HANG], amazon_timeout_s=PATIENCE_S) as (amazon, there, _):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
    assert (fault.kind, len(there.requests)) == ("away", 1)
    assert "did not answer in time" in fault.message


async def test_a_call_ends_in_time_whatever_it_waits_for(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amazon_line, "CALL_S", 0.2)
    async with amazon_stands_in(redis_url, [EMPTY], [HANG]) as (amazon, there, _):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
    assert (fault.kind, len(there.requests)) == ("away", 0)


async def test_a_page_of_ten_megabytes_is_read_and_one_beyond_all_measure_is_not(redis_url: str) -> None:
    large = json.dumps({"payload": {"Orders": [], "padding": "x" * 10_000_000}}).encode()
    async with amazon_stands_in(redis_url, [said(large)]) as (amazon, _, _):
        assert (await amazon.list_orders(ACCOUNT, WINDOW, "")).rows == []
    async with amazon_stands_in(redis_url, [said(b" " * (BODY_MAX + 1))]) as (amazon, _, _):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
    assert (fault.kind, fault.message) == ("unreadable", "Amazon has answered with more than it may.")


@pytest.mark.parametrize(("headers", "after_s"), [((), 60.0), (("retry-after: 7",), 7.0)])
async def test_after_429_nobody_asks_before_there_can_be_a_turn(
    redis_url: str, headers: tuple[str, ...], after_s: float
) -> None:
    throttled = refused(429, "QuotaExceeded", "You exceeded your quota for the requested resource.", "", *headers)
    async with amazon_stands_in(redis_url, [throttled]) as (amazon, there, _):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
        assert (fault.kind, fault.after_s) == ("throttled", pytest.approx(after_s, abs=1))
        then = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
    assert (then.kind, then.after_s) == ("waiting", pytest.approx(60, abs=2))
    assert len(there.requests) == 1


async def test_a_fault_that_lasts_longer_than_a_call_is_told_at_once(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [refused(503, "ServiceUnavailable", "", "", "retry-after: 9")]) as (
        amazon,
        there,
        _,
    ):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
    assert (fault.kind, fault.after_s, len(there.requests)) == ("away", 9, 1)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (refused(400, "InvalidInput", "NextToken is not valid."), "stale"),
        (refused(400, "InvalidInput"), "stale"),
        (refused(400, "InvalidSomething"), "refused"),
        (refused(404, "NotFound"), "refused"),
    ],
)
async def test_a_token_that_is_not_good_any_more_is_told_from_a_request_that_is_wrong(
    redis_url: str, raw: bytes, kind: str
) -> None:
    async with amazon_stands_in(redis_url, [raw]) as (amazon, _, _):
        assert (await fault_of(amazon.list_inventory(ACCOUNT, "a token"))).kind == kind
        assert (await fault_of(amazon.list_inventory(ACCOUNT, ""))).kind == "refused"


@pytest.mark.parametrize("where", ["details", "message"])
async def test_a_token_that_has_expired_is_replaced_and_the_request_made_once_more(redis_url: str, where: str) -> None:
    expired = refused(403, "Unauthorized", **{where: EXPIRED})
    async with amazon_stands_in(redis_url, [expired, EMPTY], [granted(), granted("Atza|two")]) as (
        amazon,
        there,
        login,
    ):
        assert (await amazon.list_orders(ACCOUNT, WINDOW, "")).rows == []
    assert (len(there.requests), len(login.requests)) == (2, 2)
    assert b"Atza|two" in there.requests[1]


async def test_a_new_token_that_is_said_to_be_old_is_no_reason_to_ask_for_ever(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [refused(403, "Unauthorized", EXPIRED)]) as (amazon, there, login):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
    assert fault.kind == "away"
    assert (len(there.requests), len(login.requests)) == (2, 2)


async def test_whether_a_seller_has_taken_back_his_consent_login_with_amazon_says(redis_url: str) -> None:
    gone = told({"error": "invalid_grant", "error_description": "User may have revoked"}, status=400)
    unknown = refused(403, "Unauthorized", "", UNKNOWN)
    async with amazon_stands_in(redis_url, [unknown], [granted(), gone]) as (amazon, there, login):
        assert (await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))).kind == "revoked"
        assert (len(there.requests), len(login.requests)) == (1, 2)
    async with amazon_stands_in(redis_url, [unknown, EMPTY], [granted(), granted("Atza|two")]) as (amazon, there, _):
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
        assert (fault.kind, fault.after_s > 0, len(there.requests)) == ("away", True, 1)
        assert (await amazon.list_orders(ACCOUNT, WINDOW, "")).rows == []


async def test_no_message_and_no_log_holds_a_secret(redis_url: str) -> None:
    echo = f"token {ACCESS} of {REFRESH} with {SECRET}, Atza|another.one and amzn1.oa2-cs.v1.another"
    raws = [refused(status, "InvalidInput", echo, echo) for status in (400, 403, 404, 500)]
    with structlog.testing.capture_logs() as logs:
        for raw in [*raws, told({"payload": {"Orders": []}, "errors": [{"message": echo}]})]:
            async with amazon_stands_in(redis_url, [raw]) as (amazon, _, _):
                fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
                logs.append({"event": str(fault), "log_level": repr(fault)})
    text = repr(logs)
    assert "token *** of *** with ***" in text
    assert [word for word in ("Atz", "amzn1.oa2-cs") if word in text] == []


async def test_what_amazon_tells_of_its_rate_is_known_to_the_next_client(redis_url: str) -> None:
    page = told({"payload": {"Orders": []}}, "x-amzn-RateLimit-Limit: 0.25")
    async with amazon_stands_in(redis_url, [page]) as (amazon, _, _):
        assert (await amazon.pace(ACCOUNT, "orders")).rate_per_s == 0.0167
        await amazon.list_orders(ACCOUNT, WINDOW, "")
    async with amazon_stands_in(redis_url, [page]) as (amazon, _, _):
        assert await amazon.pace(ACCOUNT, "orders") == (0.25, 20, "getOrders")


async def test_a_request_that_never_left_costs_no_turn(redis_url: str, servers: Servers) -> None:
    async with amazon_stands_in(redis_url, [EMPTY], amazon_url="http://127.0.0.1:1") as (amazon, _, _):
        for _ in range(6):
            assert (await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))).kind == "away"
        # It is left alone by now, and says for how long.
        fault = await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))
        assert fault.after_s > 0
    async with amazon_stands_in(redis_url, [EMPTY]) as (amazon, there, _):
        for _ in range(20):
            await amazon.list_orders(ACCOUNT, WINDOW, "")
        assert (await fault_of(amazon.list_orders(ACCOUNT, WINDOW, ""))).kind == "waiting"
    assert len(there.requests) == 20


async def test_requests_are_counted_by_operation(redis_url: str, servers: Servers) -> None:
    async with amazon_stands_in(redis_url, [EMPTY]) as (amazon, _, _):
        await amazon.list_orders(ACCOUNT, WINDOW, "")
    redis = open_redis(Settings(redis_url=redis_url))
    counted = {(one.upstream, one.call, one.outcome, one.times) for one in await lua.read_upstream_calls(redis)}
    await redis.aclose()
    assert counted == {("amazon", "getOrders", "200", 1), ("amazon_lwa", "token", "200", 1)}


async def test_calls_at_once_are_made_with_one_token(redis_url: str) -> None:
    async with amazon_stands_in(redis_url, [EMPTY]) as (amazon, there, login):
        await asyncio.gather(*(amazon.list_orders(ACCOUNT, WINDOW, "") for _ in range(10)))
    assert (len(there.requests), len(login.requests)) == (10, 1)
