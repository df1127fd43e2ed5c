"""The token bucket as clients meet it: who is diverted, how, and what that costs them."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

import lua
from contract.settings import Settings
from contract.transport import open_redis
from tests.support.buckets import put_tokens, tokens_left
from tests.support.http import Response, get, init, order, post, request, send
from tests.support.processes import running_gateway
from tests.support.servers import Servers
from tests.support.watching import Denied, watching

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAITING_ROOM = "http://waiting.example:4000/room?from=sale"
AXIOS = "application/json, text/plain, */*"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowded(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """A gateway whose bucket gains nothing while the tests run."""
    settings = Settings(
        redis_url=servers.redis_url,
        data_dir=tmp_path_factory.mktemp("crowded"),
        rate_per_s=0.001,
        burst=1_000,
        waiting_room_url=WAITING_ROOM,
    )
    async with running_gateway(settings) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def bucket(crowded: Settings) -> AsyncIterator[lua.Client]:
    """The bucket's Valkey, emptied; a sale of 10 units is open and the bucket is empty."""
    client = open_redis(crowded)
    await client.flushall()
    assert (await init(crowded.port, quantity=10)).status == 200
    await put_tokens(client, 0)
    yield client
    await client.aclose()


async def attempt(port: int, key: str, accept: str | None) -> Response:
    """An order of one unit with this Accept header."""
    headers = {} if accept is None else {"Accept": accept}
    return await post(port, "/order", {"productId": "ps5", "userId": "u"}, X_Idempotency_Key=key, **headers)


async def test_a_buyer_without_a_token_is_sent_to_the_waiting_room(crowded: Settings, bucket: lua.Client) -> None:
    answer = await attempt(crowded.port, "key", None)
    assert (answer.status, answer.body) == (302, b"")
    assert answer.headers["location"] == WAITING_ROOM
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]


async def test_a_diverted_key_is_not_burned(crowded: Settings, bucket: lua.Client) -> None:
    assert (await attempt(crowded.port, "later", None)).status == 302
    await put_tokens(bucket, 1)
    assert (await attempt(crowded.port, "later", None)).json()["status"] == "success"
    assert (await attempt(crowded.port, "another", None)).status == 302


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (None, 302),
        ("", 302),
        ("*/*", 302),
        (BROWSER, 302),
        ("text/html, application/json", 302),
        ("application/json;q=0.5, text/html", 302),
        ("application/json;q=0", 302),
        ("application/*", 302),
        ("text/plain", 302),
        ("application/json;q=banana", 302),
        (",;,;q=,/;==,", 302),
        ("q=1", 302),
        ("\xff\xfe", 302),
        ("a" * 4_000, 302),
        (AXIOS, 429),
        ("application/json", 429),
        ("APPLICATION/JSON", 429),
        ("application/json;charset=utf-8", 429),
        ("application/json, text/html;q=0.9", 429),
        ("text/html;q=0.1 , application/json ; q=0.2", 429),
        ("application/problem+json", 429),
        ("application/json;q=7", 429),
    ],
)
async def test_programs_that_name_json_are_told_in_json(
    crowded: Settings, bucket: lua.Client, accept: str | None, status: int
) -> None:
    answer = await attempt(crowded.port, "key", accept)
    assert answer.status == status
    if status == 429:
        assert 1 <= int(answer.headers["retry-after"]) <= 32
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["status"] == "error"
        assert "same key" in answer.json()["msg"]


async def test_two_accept_lines_count_as_one(crowded: Settings, bucket: lua.Client) -> None:
    raw = request(
        "POST", "/order", b'{"productId":"ps5","userId":"u"}', Content_Type="application/json", Idempotency_Key="k"
    )
    lines = b"Accept: application/json\r\nAccept: text/html\r\n"
    assert (await send(crowded.port, raw.replace(b"Host:", lines + b"Host:", 1))).status == 302


async def test_the_moment_to_come_back_is_spread(crowded: Settings, bucket: lua.Client) -> None:
    answers = await asyncio.gather(*(attempt(crowded.port, f"k{i}", AXIOS) for i in range(50)))
    assert len({answer.headers["retry-after"] for answer in answers}) > 1


async def test_a_replay_and_a_mismatch_need_no_token(crowded: Settings, bucket: lua.Client) -> None:
    await put_tokens(bucket, 1)
    first = await order(crowded.port, "once", user="u")
    again = await order(crowded.port, "once", user="u")
    assert (again.status, again.json()["status"]) == (200, "ignored")
    assert again.json()["orderId"] == first.json()["orderId"]
    assert (await order(crowded.port, "once", user="somebody else")).status == 422


async def test_an_unknown_product_costs_no_token(crowded: Settings, bucket: lua.Client) -> None:
    await put_tokens(bucket, 1)
    for _ in range(5):
        assert (await order(crowded.port, "lost", "unknown")).status == 404
    assert await tokens_left(bucket) == 1
    assert (await order(crowded.port, "found")).status == 200


async def test_a_refused_request_costs_no_token(crowded: Settings, bucket: lua.Client) -> None:
    await put_tokens(bucket, 1)
    assert (await order(crowded.port, "")).status == 400
    assert (await order(crowded.port, "k", quantity=0)).status == 400
    assert await tokens_left(bucket) == 1


async def test_each_decision_about_stock_costs_one_token(crowded: Settings, bucket: lua.Client) -> None:
    await init(crowded.port, quantity=3, maxPerUser=2)
    await put_tokens(bucket, 3)
    assert (await order(crowded.port, "1", quantity=2)).json()["status"] == "success"
    assert (await order(crowded.port, "2")).json()["status"] == "limit_reached"
    assert (await order(crowded.port, "3", user="another", quantity=2)).json()["status"] == "sold_out"
    assert await tokens_left(bucket) == 0


async def test_reads_pass_the_bucket_too(crowded: Settings, bucket: lua.Client) -> None:
    await put_tokens(bucket, 1)
    order_id = (await order(crowded.port, "read")).json()["orderId"]
    paths = [("GET", f"/status/{order_id}"), ("GET", "/inventory/ps5"), ("POST", f"/cancel/{order_id}")]
    for method, path in paths:
        answer = await send(crowded.port, request(method, path))
        assert (answer.status, answer.headers["location"]) == (302, WAITING_ROOM)
        assert (await send(crowded.port, request(method, path, Accept=AXIOS))).status == 429
    await put_tokens(bucket, 3)
    for method, path in paths:
        assert (await send(crowded.port, request(method, path))).status == 200
    assert await tokens_left(bucket) == 0


async def test_a_watcher_without_a_token_is_refused(crowded: Settings, bucket: lua.Client) -> None:
    with pytest.raises(Denied) as denied:
        async with watching(crowded.port):
            pass
    assert denied.value.response.status == 429


async def test_the_operator_and_the_probes_need_no_token(crowded: Settings, bucket: lua.Client) -> None:
    assert (await init(crowded.port, "second", 5)).status == 200
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/admission?productId=ps5", "/"):
        assert (await get(crowded.port, path)).status == 200


async def test_no_more_pass_than_there_are_tokens(crowded: Settings, bucket: lua.Client) -> None:
    await init(crowded.port, quantity=100)
    await put_tokens(bucket, 7)
    answers = await asyncio.gather(*(order(crowded.port, f"crowd-{i}") for i in range(60)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [302] * 53


async def test_one_client_cannot_take_the_tokens_of_the_others(crowded: Settings, bucket: lua.Client) -> None:
    own = msgspec.structs.replace(crowded, client_rate_per_s=0.001, trusted_proxies="127.0.0.1")
    await put_tokens(bucket, 10)
    body = b'{"productId":"ps5","userId":"u"}'

    async def buy(port: int, key: str, came_through: str) -> int:
        raw = request(
            "POST",
            "/order",
            body,
            Content_Type="application/json",
            Idempotency_Key=key,
            X_Forwarded_For=came_through,
        )
        return (await send(port, raw)).status

    async with running_gateway(own) as served:
        assert await buy(served.port, "a1", "192.0.2.1") == 200
        assert await buy(served.port, "a2", "192.0.2.1") == 302
        # What a client claims stands left of what the proxy has added.
        assert await buy(served.port, "a3", "198.51.100.7, 192.0.2.1") == 302
        assert await buy(served.port, "b1", "192.0.2.2") == 200
        # A replay costs neither bucket.
        assert await buy(served.port, "a1", "192.0.2.1") == 200
    assert await tokens_left(bucket) == 8
