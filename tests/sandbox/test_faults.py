"""What goes wrong at the sandbox, as an ordinary HTTP client meets it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import pytest

from tests.support.http import request
from tests.support.sandbox import Sandbox, contract_headers

PRODUCTS = "GET /contract/products"


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that others have written, which keeps its connections."""
    at = f"http://127.0.0.1:{sandbox.port}/contract"
    async with httpx2.AsyncClient(base_url=at, headers=contract_headers(), timeout=5.0) as client:
        yield client


async def spoil(sandbox: Sandbox, **fault: Any) -> None:
    await sandbox.control(faults=[{"match": PRODUCTS, **fault}])


async def statuses(client: httpx2.AsyncClient, count: int) -> list[int]:
    return [(await client.get("/products")).status_code for _ in range(count)]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_burst_of_errors_ends_after_its_number(
    sandbox: Sandbox, client: httpx2.AsyncClient, status: int
) -> None:
    await spoil(sandbox, status=status, skip=1, times=2)
    assert await statuses(client, 4) == [200, status, status, 200]


async def test_the_first_of_several_faults_that_is_not_used_up_counts(
    sandbox: Sandbox, client: httpx2.AsyncClient
) -> None:
    await sandbox.control(
        faults=[{"match": "POST *"}, {"match": "GET *", "status": 503}, {"match": "*", "times": None}]
    )
    assert await statuses(client, 4) == [503, 500, 500, 500]
    await sandbox.control(faults=[])
    assert await statuses(client, 1) == [200]


async def test_retry_after_is_told_in_seconds_as_a_date_or_not_at_all(
    sandbox: Sandbox, client: httpx2.AsyncClient
) -> None:
    await spoil(sandbox, status=429)
    assert "retry-after" not in (await client.get("/products")).headers
    await spoil(sandbox, status=429, retry_after=7)
    assert (await client.get("/products")).headers["retry-after"] == "7"
    await spoil(sandbox, status=429, retry_after=60, retry_after_as="date")
    at = parsedate_to_datetime((await client.get("/products")).headers["retry-after"])
    assert 57 < at.timestamp() - time.time() < 61


async def test_each_api_tells_errors_in_its_own_shape(sandbox: Sandbox, client: httpx2.AsyncClient) -> None:
    await sandbox.control(faults=[{"match": "*", "status": 429, "times": None}])
    assert (await client.get("/products")).json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert (await sandbox.export("GET", "/products")).json()["code"] == "BR03"
    await sandbox.control(faults=[{"match": "*", "status": 403, "code": "ORD121"}])
    assert (await sandbox.export("GET", "/products")).json()["code"] == "ORD121"


async def test_a_dropped_connection_is_no_answer(sandbox: Sandbox, client: httpx2.AsyncClient) -> None:
    await spoil(sandbox, do="drop")
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        await client.get("/products")
    assert await statuses(client, 1) == [200]


async def test_an_answer_that_breaks_off_is_seen_as_such(sandbox: Sandbox, client: httpx2.AsyncClient) -> None:
    await spoil(sandbox, do="half")
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending complete"):
        await client.get("/products")
    assert await statuses(client, 1) == [200]


async def test_truncated_json_comes_in_a_sound_response(sandbox: Sandbox, client: httpx2.AsyncClient) -> None:
    await spoil(sandbox, do="truncate")
    reply = await client.get("/products")
    assert reply.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        reply.json()
    assert await statuses(client, 1) == [200]


async def test_a_page_other_json_and_nothing_come_with_200(sandbox: Sandbox, client: httpx2.AsyncClient) -> None:
    await spoil(sandbox, do="html")
    page = await client.get("/products")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.text.startswith("<!DOCTYPE html>")
    await spoil(sandbox, do="junk")
    assert "data" not in (await client.get("/products")).json()
    await spoil(sandbox, do="empty")
    assert (await client.get("/products")).content == b""


async def test_a_request_that_hangs_hangs_until_the_client_gives_up(
    sandbox: Sandbox, client: httpx2.AsyncClient
) -> None:
    await spoil(sandbox, do="hang")
    with pytest.raises(httpx2.ReadTimeout):
        await client.get("/products", timeout=0.2)
    assert await statuses(client, 1) == [200]


async def test_answers_take_as_long_as_they_are_told_to(sandbox: Sandbox, client: httpx2.AsyncClient) -> None:
    await spoil(sandbox, do="slow", latency_ms=150)
    started = time.monotonic()
    assert await statuses(client, 1) == [200]
    assert time.monotonic() - started >= 0.15
    await sandbox.control(latency_ms=100)
    started = time.monotonic()
    assert await statuses(client, 1) == [200]
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("how", ["error", "drop", "half", "truncate", "html", "junk", "empty"])
async def test_an_order_is_made_though_its_answer_goes_wrong(
    sandbox: Sandbox, client: httpx2.AsyncClient, how: str
) -> None:
    product_id = (await client.get("/products")).json()["data"][0]["id"]
    await sandbox.control(
        products=[{"id": product_id, "quantity": 9}],
        faults=[{"match": "POST /contract/orders", "do": how, "when": "after"}],
    )
    try:
        await client.post("/orders", json={"productId": product_id, "reference": how})
    except (httpx2.RemoteProtocolError, httpx2.ReadError):
        assert how in ("drop", "half")
    assert [order["reference"] for order in await sandbox.orders()] == [how]


@pytest.mark.parametrize("how", ["error", "drop", "html", "junk", "empty"])
async def test_an_order_is_not_made_when_the_fault_comes_before_it(
    sandbox: Sandbox, client: httpx2.AsyncClient, how: str
) -> None:
    product_id = (await client.get("/products")).json()["data"][0]["id"]
    await sandbox.control(faults=[{"match": "POST /contract/orders", "do": how}])
    try:
        await client.post("/orders", json={"productId": product_id})
    except (httpx2.RemoteProtocolError, httpx2.ReadError):
        assert how == "drop"
    assert await sandbox.orders() == []


async def test_more_requests_than_a_minute_may_have_are_refused(sandbox: Sandbox, client: httpx2.AsyncClient) -> None:
    await sandbox.control(rate_per_minute=3)
    assert await statuses(client, 5) == [200, 200, 200, 429, 429]
    assert (await client.get("/products")).headers["retry-after"]
    await sandbox.control(rate_per_minute=None)
    assert await statuses(client, 1) == [200]


async def test_the_journal_tells_what_was_asked_and_what_became_of_it(
    sandbox: Sandbox, client: httpx2.AsyncClient
) -> None:
    await spoil(sandbox, do="drop", skip=1)
    await statuses(client, 1)
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        await client.get("/products?page=2")
    await client.get("/orders/1")
    await client.get("/nowhere")
    journal = await sandbox.journal()
    assert journal["total"] == 4
    assert journal["totals"] == {
        "GET /contract/products": {"200": 1, "0": 1},
        "GET /contract/orders/{id}": {"404": 1},
        "other": {"404": 1},
    }
    first, second = journal["requests"][:2]
    assert (first["method"], first["path"], first["status"]) == ("GET", "/contract/products", 200)
    assert (second["query"], second["status"], second["sent"]) == ({"page": "2"}, 0, "none")
    assert abs(first["at"] - time.time()) < 60


async def test_many_requests_on_one_connection_are_answered_in_order(sandbox: Sandbox) -> None:
    ids = [product["id"] for product in (await sandbox.contract("GET", "/products")).json()["data"]][:20]
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    for product_id in ids:
        raw = request("GET", f"/contract/products/{product_id}", b"", **contract_headers())
        writer.write(raw.replace(b"Connection: close\r\n", b""))
    for product_id in ids:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert product_id.encode() in await reader.readexactly(length)
    writer.close()
