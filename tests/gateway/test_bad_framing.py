"""Requests whose bytes are slow, cut off, ambiguous or malformed. What the server cannot read it refuses by itself."""

import asyncio

import pytest

from tests.gateway.conftest import BODY_TIMEOUT_S
from tests.support.http import get
from tests.support.refusals import refused, unread
from tests.support.selling import Sale
from tests.support.wire import exchange, exchange_all, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

POST = "POST /order HTTP/1.1"
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: smuggled\r\n\r\n"


def key(sale: Sale) -> str:
    """The header of a key that nobody has used."""
    return f"X-Idempotency-Key: {sale.product}"


def body(sale: Sale) -> bytes:
    """A sound order."""
    return b'{"productId":"%s","userId":"u"}' % sale.product.encode()


async def test_a_slow_body_is_refused_once_its_time_is_over(whole_sale: Sale) -> None:
    started = asyncio.get_running_loop().time()
    lines = (JSON, key(whole_sale), "Content-Length: 100")
    said = refused(await exchange(whole_sale.port, head(POST, *lines), b'{"prod'), 408)
    assert f"{BODY_TIMEOUT_S:g} seconds" in said
    assert asyncio.get_running_loop().time() - started >= BODY_TIMEOUT_S


async def test_a_slow_body_does_not_hold_up_other_requests(whole_sale: Sale) -> None:
    slow = asyncio.create_task(exchange(whole_sale.port, head(POST, JSON, key(whole_sale), "Content-Length: 9")))
    assert (await get(whole_sale.port, "/livez")).status == 200
    assert not slow.done()
    refused(await slow, 408)


async def test_a_body_that_ends_before_its_length_is_refused(whole_sale: Sale) -> None:
    lines = (JSON, key(whole_sale), f"Content-Length: {len(body(whole_sale)) + 1}")
    said = refused(await exchange(whole_sale.port, head(POST, *lines), body(whole_sale), cut=True), 400)
    assert "Nothing was taken" in said


async def test_a_connection_cut_in_its_head_is_closed(whole_sale: Sale) -> None:
    assert await exchange(whole_sale.port, b"POST /order HTTP/1.1\r\nHost: lo", cut=True) is None


async def test_a_hundred_clients_that_vanish_take_nothing(whole_sale: Sale) -> None:
    async def vanish() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", whole_sale.port)
        writer.write(head(POST, JSON, key(whole_sale), "Content-Length: 100") + b'{"productId":')
        await writer.drain()
        writer.transport.abort()

    await asyncio.gather(*(vanish() for _ in range(100)))
    assert (await get(whole_sale.port, "/livez")).status == 200


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n",
        b"5\r\nabcdeXX\r\n",
        b"-1\r\n",
        b"ffffffffffffffffff\r\n",
        b"5;" + b"x" * 20_000 + b"\r\n",
        b"\r\n\r\n",
    ],
    ids=["no number", "no line end", "negative", "too long a number", "a long extension", "no chunk"],
)
async def test_malformed_chunks_are_refused(whole_sale: Sale, chunks: bytes) -> None:
    answer = await exchange(whole_sale.port, head(POST, JSON, key(whole_sale), CHUNKED), chunks)
    assert "chunks" in refused(answer, 400)


async def test_chunks_that_end_too_early_are_refused(whole_sale: Sale) -> None:
    answer = await exchange(whole_sale.port, head(POST, JSON, key(whole_sale), CHUNKED), b"5\r\nab", cut=True)
    refused(answer, 400)


@pytest.mark.parametrize("first", [True, False])
async def test_length_and_chunks_together_cannot_smuggle_a_request(whole_sale: Sale, first: bool) -> None:
    lines = ["Content-Length: 5", CHUNKED] if first else [CHUNKED, "Content-Length: 5"]
    answers = await exchange_all(
        whole_sale.port, head(POST, JSON, key(whole_sale), *lines), b"0\r\n\r\n" + SMUGGLED, most=2
    )
    # One answer, and the connection is closed behind it: what follows is read by neither of the two framings.
    assert [answer.status for answer in answers] == [400]


@pytest.mark.parametrize(
    "coding", ["gzip", "gzip, chunked", "chunked, gzip", "identity", "xchunked", "chunked, chunked"]
)
async def test_a_transfer_coding_that_nobody_speaks_here_is_refused(whole_sale: Sale, coding: str) -> None:
    lines = (JSON, key(whole_sale), f"Transfer-Encoding: {coding}")
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body(whole_sale)), body(whole_sale))
    answer = await exchange(whole_sale.port, head(POST, *lines), chunk)
    assert answer is not None
    assert answer.status == 400


@pytest.mark.parametrize(
    "lengths",
    [
        ["Content-Length: 30", "Content-Length: 31"],
        ["Content-Length: 30, 31"],
        ["Content-Length: -1"],
        ["Content-Length: +5"],
        ["Content-Length: 0x10"],
        ["Content-Length: 1e3"],
        ["Content-Length: 99999999999999999999999"],
        ["Content-Length: "],
    ],
    ids=str,
)
async def test_a_length_that_is_no_length_is_refused(whole_sale: Sale, lengths: list[str]) -> None:
    answer = await exchange(whole_sale.port, head(POST, JSON, key(whole_sale), *lengths), body(whole_sale))
    unread(answer)


async def test_a_length_of_exabytes_is_refused_at_once(whole_sale: Sale) -> None:
    lines = (JSON, key(whole_sale), "Content-Length: 9000000000000000000")
    refused(await exchange(whole_sale.port, head(POST, *lines), b"{"), 413)


@pytest.mark.parametrize("hosts", [["Host: a", "Host: b"], ["Host: a", "Host: a"], ["Host:"], []], ids=str)
async def test_other_than_one_host_is_refused(whole_sale: Sale, hosts: list[str]) -> None:
    for line in ("GET /livez HTTP/1.1", f"GET /inventory/{whole_sale.product} HTTP/1.1", "GET /nowhere HTTP/1.1"):
        assert "one Host" in refused(await exchange(whole_sale.port, head(line, *hosts, host="")), 400)
    lines = (*hosts, JSON, key(whole_sale), f"Content-Length: {len(body(whole_sale))}")
    refused(await exchange(whole_sale.port, head(POST, *lines, host=""), body(whole_sale)), 400)


async def test_a_client_of_the_old_protocol_needs_no_host(whole_sale: Sale) -> None:
    answer = await exchange(whole_sale.port, b"GET /livez HTTP/1.0\r\n\r\n")
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 5_000 + b"\r\n",
        b"GET /livez HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n: empty\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: b\r\n folded\r\n\r\n",
        b"GET /livez HTTP/3.0\r\nHost: localhost\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET  /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0" * 100 + b"\r\n\r\n",
        b"\r\n" * 20_000,
    ],
    ids=[
        "a huge header",
        "thousands of headers",
        "a space before the colon",
        "no colon",
        "no name",
        "a folded line",
        "another protocol",
        "no protocol",
        "two spaces",
        "TLS",
        "HTTP/2",
        "NULs",
        "line ends",
    ],
)
async def test_what_is_no_request_is_refused_or_closed(whole_sale: Sale, raw: bytes) -> None:
    unread(await exchange(whole_sale.port, raw, cut=True))


async def test_a_refused_body_does_not_become_the_next_request(whole_sale: Sale) -> None:
    # No key, so the body is never read: the connection may go on behind it or close, but not take it for a request.
    lines = (JSON, f"Content-Length: {len(SMUGGLED)}")
    last = head("GET /livez HTTP/1.1", "X-Request-Id: last", "Connection: close")
    answers = await exchange_all(whole_sale.port, head(POST, *lines), SMUGGLED, last)
    assert "smuggled" not in [answer.headers["x-request-id"] for answer in answers]
    assert [answer.status for answer in answers] in ([400], [400, 200])


async def test_requests_in_one_write_are_answered_in_their_order(whole_sale: Sale) -> None:
    ids = [f"pipelined-{i}" for i in range(20)]
    raw = b"".join(head("GET /livez HTTP/1.1", f"X-Request-Id: {name}") for name in ids)
    answers = await exchange_all(whole_sale.port, raw, most=20)
    assert [answer.headers["x-request-id"] for answer in answers] == ids
