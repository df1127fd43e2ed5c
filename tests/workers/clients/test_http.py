"""One upstream over HTTP: what is sent, what is read, when it is repeated, and what no message of it may hold."""

import asyncio
import contextlib
import datetime
import gzip
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
import stamina
import structlog

from bench.ports import free_port
from tests.workers.clients.stand_in import HANG, said, standing_in
from workers.clients.breaker import FAULTS_MAX, Breaker
from workers.clients.http import AFTER_MAX_S, BODY_MAX, Request, Unanswered, Upstream, repeated

SECRET = "a-secret-that-is-in-no-message"
ASK = Request("ask", "GET", "/things", {"of": "a b&c"})


class Counted(list[tuple[str, str]]):
    async def __call__(self, call: str, outcome: str, seconds: float) -> None:
        self.append((call, outcome))


@contextlib.asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[tuple[Upstream, Counted]]:
    counted = Counted()
    given: dict[str, Any] = {"timeout_s": 5.0, "breaker": Breaker()} | settings
    upstream = Upstream(url, sign=lambda: {"x-proof": SECRET}, count=counted, **given)
    yield upstream, counted
    await upstream.close()


async def answered(raw: bytes) -> Any:
    async with standing_in(raw) as there, opened(there.url) as (upstream, _):
        return await upstream.send(ASK)


async def unanswered(raw: bytes, **settings: Any) -> Unanswered:
    async with standing_in(raw) as there, opened(there.url, **settings) as (upstream, counted):
        with pytest.raises(Unanswered) as fault:
            await upstream.send(ASK)
        assert counted == [("ask", fault.value.why)]
        return fault.value


async def test_a_request_says_what_it_is_told_and_asks_for_json_that_is_not_packed() -> None:
    async with standing_in(said(b"{}")) as there, opened(there.url) as (upstream, counted):
        await upstream.send(ASK)
        await upstream.send(Request("buy", "POST", "/orders", body={"price": Decimal("4.50"), "id": "1"}))
    get, post = there.requests
    assert get.startswith(b"GET /things?of=a+b%26c HTTP/1.1\r\n")
    for line in (b"accept: application/json", b"accept-encoding: identity", b"x-proof: " + SECRET.encode()):
        assert line in get.lower()
    assert post.endswith(b'\r\n\r\n{"price":4.50,"id":"1"}')
    assert counted == [("ask", "200"), ("buy", "200")]


async def test_a_form_is_sent_as_one_with_the_headers_of_its_request_alone() -> None:
    login = Request("login", "POST", "/token", form={"code": "a b&c|d"}, headers={"x-proof": "another", "x-own": "1"})
    assert "a b" not in repr(login)
    assert "another" not in repr(login)
    async with standing_in(said(b"{}")) as there, opened(there.url) as (upstream, _):
        await upstream.send(login)
        await upstream.send(ASK)
    form, ask = there.requests
    assert form.endswith(b"\r\n\r\ncode=a+b%26c%7Cd")
    for line in (b"content-type: application/x-www-form-urlencoded", b"x-proof: another", b"x-own: 1"):
        assert line in form.lower()
    assert b"x-proof: " + SECRET.encode() in ask.lower()
    assert b"x-own" not in ask.lower()


async def test_an_answer_tells_its_headers_and_whether_there_was_anything_in_it() -> None:
    answer = await answered(said(b"", "X-Amzn-RateLimit-Limit: 0.5", status=204))
    assert (answer.is_empty, answer.is_json, answer.is_good) == (True, False, False)
    assert answer.headers["x-amzn-ratelimit-limit"] == "0.5"
    assert not (await answered(said(b" "))).is_empty


async def test_an_upstream_may_have_a_limit_of_its_own() -> None:
    fault = await unanswered(said(b" " * 11), body_max=10)
    assert fault.why == "too large"


async def test_fractions_are_read_as_they_are_written() -> None:
    answer = await answered(said(b'{"price": 0.10, "qty": 3}'))
    assert (answer.data, answer.is_good) == ({"price": Decimal("0.10"), "qty": 3}, True)


@pytest.mark.parametrize("body", [b"<html>", b'{"a": [1', b"", gzip.compress(b"{}", mtime=0)])
async def test_what_is_no_json_is_no_good_answer_and_a_fault(body: bytes) -> None:
    breaker = Breaker()
    async with standing_in(said(body)) as there, opened(there.url, breaker=breaker) as (upstream, counted):
        for _ in range(FAULTS_MAX):
            answer = await upstream.send(ASK)
            assert (answer.status, answer.data, answer.is_good) == (200, None, False)
    assert counted[0] == ("ask", "200 no JSON")
    assert breaker.state == "open"


async def test_a_redirect_is_an_answer_and_nobody_goes_there() -> None:
    async with standing_in(said(b"{}")) as elsewhere:
        answer = await answered(said(b"", f"location: {elsewhere.url}/", status=302))
    assert (answer.status, answer.is_good, elsewhere.requests) == (302, False, [])


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with opened(f"http://127.0.0.1:{free_port()}") as (upstream, _):
        with pytest.raises(Unanswered) as fault:
            await upstream.send(ASK)
    assert (fault.value.why, fault.value.was_sent) == ("refused", False)


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}", b"not HTTP\r\n\r\n"])
async def test_what_breaks_off_was_sent(raw: bytes) -> None:
    fault = await unanswered(raw)
    assert (fault.why, fault.was_sent) == ("broken", True)


async def test_what_is_not_answered_in_time_was_sent() -> None:
    fault = await unanswered(HANG, timeout_s=0.1)
    assert (fault.why, fault.was_sent) == ("timeout", True)


async def test_a_body_that_drips_is_not_waited_for_longer_than_any_other() -> None:
    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        ended.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with opened(f"http://127.0.0.1:{port}", timeout_s=0.2) as (upstream, _):
            with pytest.raises(Unanswered) as fault:
                await upstream.send(ASK)
            await ended.wait()
    assert fault.value.why == "timeout"


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    fault = await unanswered(said(b" " * (BODY_MAX + 1)))
    assert (fault.why, fault.was_sent) == ("too large", True)


async def test_an_upstream_that_fails_again_and_again_is_left_alone() -> None:
    async with standing_in(said(b"{}", status=503)) as there, opened(there.url) as (upstream, counted):
        for _ in range(FAULTS_MAX):
            await upstream.send(ASK)
        with pytest.raises(Unanswered) as fault:
            await upstream.send(ASK)
        assert (fault.value.why, fault.value.was_sent) == ("paused", False)
        assert 0 < fault.value.after_s <= 10
        assert len(there.requests) == FAULTS_MAX
        assert counted[-1] == ("ask", "paused")


async def test_refusals_say_that_an_upstream_is_well() -> None:
    breaker = Breaker()
    statuses = (400, 401, 402, 404, 429)
    answers = [said(b"{}", status=status) for status in statuses]
    async with standing_in(*answers) as there, opened(there.url, breaker=breaker) as (upstream, counted):
        for _ in range(3 * len(statuses)):
            await upstream.send(ASK)
    assert breaker.state == "closed"
    assert [outcome for _, outcome in counted[:5]] == [str(status) for status in statuses]


async def test_who_cannot_wait_says_nothing_about_the_upstream() -> None:
    breaker = Breaker()
    async with standing_in(HANG) as there, opened(there.url, breaker=breaker) as (upstream, _):
        for _ in range(FAULTS_MAX):
            with pytest.raises(Unanswered):
                await upstream.send(ASK, within_s=0.02)
    assert breaker.state == "closed"


async def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    async def after_s(value: str) -> float:
        return (await answered(said(b"{}", f"retry-after: {value}", status=429))).after_s

    assert [await after_s(value) for value in ("7", " 7 ", "", "soon", "-1", "1e3")] == [7, 7, 0, 0, 0, 0]
    assert await after_s("999999999") == AFTER_MAX_S
    now = datetime.datetime.now(datetime.UTC)
    assert 50 < await after_s(format_datetime(now + datetime.timedelta(seconds=60), usegmt=True)) <= 60
    assert await after_s(format_datetime(now - datetime.timedelta(seconds=60), usegmt=True)) == 0


async def test_no_message_and_no_log_line_holds_a_secret() -> None:
    key = "ABCDE-FGHIJ-KLMNO"
    body = json.dumps({"keys": [key]}).encode()
    with structlog.testing.capture_logs() as lines:
        told = [repr(await answered(said(body, status=status))) for status in (200, 403, 500)]
        told.append(repr(await unanswered(b"")))
    assert not [text for text in (*told, repr(lines)) if key in text or SECRET in text]
    assert [line["outcome"] for line in lines if line["log_level"] == "warning"] == ["500", "broken"]


class Passing(Exception):
    def __init__(self, after_s: float | None = 0.0) -> None:
        self.after_s = after_s


def lasts(fault: Exception) -> float | None:
    return fault.after_s if isinstance(fault, Passing) else None


async def test_what_passes_is_repeated_and_nothing_else_is() -> None:
    faults: list[Exception] = [Passing(), Passing(), Passing()]

    async def work() -> str:
        if faults:
            raise faults.pop()
        return "done"

    with stamina.set_testing(True, attempts=5):
        assert await repeated(work, lasts, 60) == "done"
        faults += [KeyError(), Passing()]
        with pytest.raises(KeyError):
            await repeated(work, lasts, 60)
        faults += [Passing(), Passing(None)]
        with pytest.raises(Passing):
            await repeated(work, lasts, 60)
    assert len(faults) == 1


async def test_who_is_told_when_to_come_back_comes_back_then() -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def work() -> None:
        times.append(loop.time())
        if len(times) < 3:
            raise Passing(0.3)

    await repeated(work, lasts, 60)
    assert [times[1] - times[0], times[2] - times[1]] == [pytest.approx(0.3, abs=0.2)] * 2
    assert times[1] - times[0] >= 0.29


async def test_a_fault_that_outlasts_the_patience_is_told_at_once() -> None:
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        raise Passing(30)

    with pytest.raises(Passing):
        await repeated(work, lasts, 20)
    assert tries == 1


async def test_the_patience_is_of_all_attempts_together() -> None:
    async def work() -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await repeated(work, lasts, 0.05)
