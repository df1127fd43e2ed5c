"""Paths, methods and request ids that are not what they should be."""

import asyncio
import re

import pytest

from contract.settings import Settings
from gateway.app import ROUTES
from tests.support.http import get, request, send
from tests.support.refusals import refused, unread
from tests.support.selling import Sale
from tests.support.wire import exchange, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "M" * 300)
TAKEN = {path: {method for method, other, _ in ROUTES if other == path} for _, path, _ in ROUTES}
WRONG = [
    (method, re.sub(r"{[^}]*}", "some-id", path), ", ".join(sorted(taken | ({"HEAD"} if "GET" in taken else set()))))
    for path, taken in TAKEN.items()
    for method in METHODS
    if method not in taken
]
ASK_A_WORKER = ("/api/games", "/api/home")
"""Reads that wait for a worker however little their client wants to; none runs here."""


@pytest.mark.parametrize(("method", "path", "allow"), WRONG, ids=lambda value: str(value)[:20])
async def test_a_wrong_method_is_refused_and_told_the_right_one(
    shared_gateway: Settings, method: str, path: str, allow: str
) -> None:
    answer = await send(shared_gateway.port, request(method, path))
    assert answer.status == 405
    assert answer.headers["allow"] == allow
    assert f"takes {answer.headers['allow']}, not {method[:16]}" in refused(answer, 405)


@pytest.mark.parametrize("path", [path for path in TAKEN if not path.startswith(ASK_A_WORKER)] + ["/nowhere"])
async def test_head_is_answered_without_a_body(sale: Sale, path: str) -> None:
    path = path.replace("{order_id}", "none").replace("{product_id:path}", sale.product)
    full = await get(sale.port, path, Prefer="wait=0")
    reader, writer = await asyncio.open_connection("127.0.0.1", sale.port)
    writer.write(request("HEAD", path, Prefer="wait=0"))
    raw = await reader.read()
    writer.close()
    assert raw.startswith(b"HTTP/1.1 %d " % full.status)
    assert raw.endswith(b"\r\n\r\n")
    assert raw.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "//livez",
        "/livez/",
        "/order/",
        "/LIVEZ",
        "/status",
        "/status/",
        "/cancel/a/b",
        "/api/v1",
        "/.env",
        "*",
    ],
)
async def test_an_unknown_route_is_not_found_and_the_description_is_named(shared_gateway: Settings, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert "/openapi.json" in refused(await send(shared_gateway.port, request(method, path)), 404)


@pytest.mark.parametrize("path", ["/status/", "/cancel/", "/inventory/", "/order?x=", "/livez?"])
async def test_a_long_url_is_refused(whole_sale: Sale, path: str) -> None:
    method = "POST" if path.startswith(("/cancel", "/order")) else "GET"
    answer = await send(whole_sale.port, request(method, path + "a" * 3_000))
    assert "2048 bytes" in refused(answer, 414)


async def test_a_url_beyond_the_largest_head_is_refused(whole_sale: Sale) -> None:
    unread(await exchange(whole_sale.port, head("GET /status/" + "a" * 100_000 + " HTTP/1.1")))


@pytest.mark.parametrize("path", ["/livez%0A", "/livez%00", "/%0A", "/order%0D%0A", "/status/%7f", "/inventory/{p}%0A"])
async def test_control_characters_in_a_path_are_refused(whole_sale: Sale, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await send(whole_sale.port, request(method, path.replace("{p}", whole_sale.product)))
        assert "control characters" in refused(answer, 400)


@pytest.mark.parametrize(
    "name",
    [
        "%FF%FE",
        "%ED%A0%80",
        "%zz",
        "%",
        "%2",
        "%25%30%30",
        "a%2Fb",
        "..%2f..%2fetc",
        "%7Blane:0%7D",
        "é",
        "a;b=c",
        "a:b",
    ],
)
async def test_nonsense_in_an_id_is_not_found(whole_sale: Sale, name: str) -> None:
    for method, route in (("GET", "/status/"), ("POST", "/cancel/"), ("GET", "/inventory/")):
        refused(await send(whole_sale.port, request(method, route + name)), 404)


@pytest.mark.parametrize("path", ["/inventory/../livez", "/status/..", "/../livez", "/inventory/%2e%2e/livez"])
async def test_dots_do_not_climb(shared_gateway: Settings, path: str) -> None:
    refused(await send(shared_gateway.port, request("GET", path)), 404)


@pytest.mark.parametrize("name", ["", "p" * 129, "%C2%85" * 2])
async def test_a_product_id_that_cannot_be_is_refused(shared_gateway: Settings, name: str) -> None:
    refused(await get(shared_gateway.port, f"/inventory/{name}"), 400)
    if name:
        refused(await get(shared_gateway.port, f"/admission?productId={name}"), 400)


async def test_a_product_with_a_slash_can_be_looked_at(sale: Sale) -> None:
    opened = await send(
        sale.port,
        request("POST", "/init", b'{"productId":"a/b","quantity":3}', Content_Type="application/json"),
    )
    assert opened.status == 200
    for path in ("/inventory/a/b", "/inventory/a%2Fb"):
        assert (await get(sale.port, path)).json()["productId"] == "a/b"


@pytest.mark.parametrize("target", ["http://elsewhere.example/livez", "/livez?a=b&&&==%zz%00", "/livez#part"])
async def test_other_forms_of_a_sound_target_are_understood(shared_gateway: Settings, target: str) -> None:
    assert (await send(shared_gateway.port, request("GET", target))).json() == {"status": "ok"}


@pytest.mark.parametrize("request_id", ["a", "A-b_c.d:9", "x" * 64])
async def test_a_sound_request_id_comes_back(shared_gateway: Settings, request_id: str) -> None:
    for path in ("/livez", "/nowhere", "/order", "/status/none"):
        answer = await get(shared_gateway.port, path, X_Request_Id=request_id)
        assert answer.headers["x-request-id"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 65, "a b", "<script>", "a\tb", "é", "${jndi:x}"])
async def test_an_unsound_request_id_is_replaced(shared_gateway: Settings, request_id: str) -> None:
    seen = set[str]()
    for path in ("/livez", "/nowhere", "/order", "/status/none"):
        answer = await get(shared_gateway.port, path, X_Request_Id=request_id)
        seen.add(answer.headers["x-request-id"])
    assert len(seen) == 4
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", name) for name in seen)
