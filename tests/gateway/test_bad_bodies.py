"""Bodies that are absent, malformed, wrong or too large: each has its 4xx and its sentence, and sells nothing."""

import asyncio
import json

import pytest

from tests.support.http import Response, get, post
from tests.support.refusals import refused
from tests.support.selling import Sale
from tests.support.wire import exchange, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEGABYTES_10 = 10_000_000


async def buy(sale: Sale, body: bytes, content_type: str = "Content-Type: application/json") -> Response | None:
    """POST these bytes as an order, under a key that nobody has used."""
    lines = (content_type, f"X-Idempotency-Key: {sale.product}", f"Content-Length: {len(body)}", "Connection: close")
    return await exchange(sale.port, head("POST /order HTTP/1.1", *lines), body)


def wanted(sale: Sale, **fields: object) -> bytes:
    """A sound order with these fields in it."""
    return json.dumps({"productId": sale.product, "userId": "u", **fields}).encode()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "The body is empty"),
        (b" ", "not JSON"),
        (b"productId=ps5&userId=u", "not JSON"),
        (b'{"productId":"a","userId":"u"', "not JSON"),
        (b'{"productId":"a","userId":"u"}}', "not JSON"),
        (b'\xef\xbb\xbf{"productId":"a","userId":"u"}', "not JSON"),
        (b'{"productId":"a","userId":"u","quantity":NaN}', "not JSON"),
        (b'{"productId":"\xff\xfe","userId":"u"}', "not UTF-8"),
        (b'{"productId":"a","userId":"\xed\xa0\x80"}', "not UTF-8"),
        (b'{"productId":"\\ud800","userId":"u"}', "surrogate"),
        (b'{"productId":"a","userId":"\\udc00\\ud800"}', "surrogate"),
        (b'{"productId":"a\nb","userId":"u"}', "not JSON"),
        (b"[" * 8_000 + b"]" * 8_000, "Expected `object`, got `array`"),
        (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "unknown field"),
        (b'{"productId":' + b"[" * 16_000, "Expected `str`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b'"ps5"', "Expected `object`, got `str`"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `productId`"),
        (b'{"productId":"a"}', "missing required field `userId`"),
        (b'{"userId":"a"}', "missing required field `productId`"),
        (b'{"product_id":"a","user_id":"u"}', "unknown field `product_id`"),
    ],
)
async def test_a_body_that_is_no_order_is_refused_with_an_example_of_one(
    whole_sale: Sale, body: bytes, says: str
) -> None:
    said = refused(await buy(whole_sale, body), 400)
    assert says in said
    assert '{"productId":"ps5-disc","userId":"user-42"}' in said


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": -1},
        {"quantity": 0},
        {"quantity": 1_000_000_001},
        {"quantity": 2**63},
        {"quantity": 10**400},
        {"quantity": 1.5},
        {"quantity": 1.0},
        {"quantity": 1e300},
        {"quantity": "1"},
        {"quantity": True},
        {"quantity": None},
        {"quantity": [1]},
        {"userId": 42},
        {"userId": None},
        {"userId": ""},
        {"userId": "u" * 129},
        {"userId": "a\0b"},
        {"userId": "a\nb"},
        {"userId": "a\x85b"},
        {"productId": ""},
        {"productId": ["a"]},
        {"productId": "p" * 129},
        {"productId": "a\r\nb"},
        {"productId": "\x7f"},
    ],
    ids=str,
)
async def test_a_wrong_field_is_named_in_the_refusal(whole_sale: Sale, fields: dict[str, object]) -> None:
    said = refused(await buy(whole_sale, wanted(whole_sale, **fields)), 400)
    assert next(iter(fields)) in said
    assert "regex" not in said


@pytest.mark.parametrize("name", ["quantity ", "Quantity", "price", "__proto__", "", "a\nb", "{lane:0}"])
async def test_an_unknown_field_is_refused_rather_than_overlooked(whole_sale: Sale, name: str) -> None:
    assert "unknown field" in refused(await buy(whole_sale, wanted(whole_sale, **{name: 1})), 400)


@pytest.mark.parametrize("product", ["nobody-sells-this", "{lane:0}", "a b", "../../etc", "*", "\\", "🎮", "a" * 128])
async def test_an_unknown_product_is_not_found(whole_sale: Sale, product: str) -> None:
    assert "no sale of this product" in refused(await buy(whole_sale, wanted(whole_sale, productId=product)), 404)


@pytest.mark.parametrize("product", ["{lane:0}:stock", "}{", "a:b:c", "a b", "%00", "'\"", "ß🎮", "\U0001d54f" * 128])
async def test_braces_colons_and_every_script_are_sound_in_ids(sale: Sale, product: str) -> None:
    opened = await post(sale.port, "/init", {"productId": product, "quantity": 3})
    assert opened.json() == {"status": "ok", "msg": f"Stock initialized for {product} to 3"}
    key = f"{sale.product}-{len(product)}"
    bought = await post(sale.port, "/order", {"productId": product, "userId": product}, X_Idempotency_Key=key)
    assert bought.json()["status"] == "success"
    status = (await get(sale.port, f"/status/{bought.json()['orderId']}")).json()
    assert (status["productId"], status["userId"]) == (product, product)
    assert await sale.left() == sale.units


@pytest.mark.parametrize(
    "content_type",
    [
        "Content-Type: text/plain",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Type: application/jsonp",
        "Content-Type:",
        "Accept: */*",
    ],
)
async def test_a_body_of_another_type_is_refused(whole_sale: Sale, content_type: str) -> None:
    said = refused(await buy(whole_sale, wanted(whole_sale), content_type), 415)
    assert "Content-Type: application/json" in said


@pytest.mark.parametrize("size", [16_385, 100_000, MEGABYTES_10])
async def test_a_body_that_is_too_large_is_refused_unread(whole_sale: Sale, size: int) -> None:
    assert "16384 bytes" in refused(await buy(whole_sale, b" " * size), 413)


async def test_a_body_nested_a_hundred_thousand_deep_is_refused(whole_sale: Sale) -> None:
    refused(await buy(whole_sale, b"[" * 100_000 + b"]" * 100_000), 413)


@pytest.mark.parametrize("size", [16_385, MEGABYTES_10])
async def test_a_large_body_without_a_length_is_refused_as_soon_as_it_is_too_large(whole_sale: Sale, size: int) -> None:
    lines = ("Content-Type: application/json", "X-Idempotency-Key: chunked", "Transfer-Encoding: chunked")
    body = b"%x\r\n" % size + b" " * size + b"\r\n0\r\n\r\n"
    refused(await exchange(whole_sale.port, head("POST /order HTTP/1.1", *lines), body), 413)


async def test_a_body_of_the_largest_size_is_read(sale: Sale) -> None:
    body = wanted(sale)
    answer = await buy(sale, body + b" " * (16_384 - len(body)))
    assert answer is not None
    assert answer.json()["status"] == "success"
    assert await sale.left() == sale.units - 1


async def test_a_sound_body_in_chunks_is_read(sale: Sale) -> None:
    body = wanted(sale)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    lines = ("Content-Type: application/json", f"X-Idempotency-Key: {sale.product}", "Transfer-Encoding: chunked")
    answer = await exchange(sale.port, head("POST /order HTTP/1.1", *lines), chunks)
    assert answer is not None
    assert answer.json()["status"] == "success"


@pytest.mark.parametrize(
    "document",
    [
        {"productId": "x"},
        {"quantity": 5},
        {"productId": "x", "quantity": -1},
        {"productId": "x", "quantity": 1_000_000_001},
        {"productId": "x", "quantity": 1.5},
        {"productId": "x", "quantity": "5"},
        {"productId": "x\n", "quantity": 5},
        {"productId": "x" * 129, "quantity": 5},
        {"productId": "x", "quantity": 5, "maxPerUser": 0},
        {"productId": "x", "quantity": 5, "maxPerUser": "2"},
        {"productId": "x", "quantity": 5, "max_per_user": 2},
        [],
        None,
    ],
    ids=str,
)
async def test_a_sale_is_not_opened_by_a_wrong_body(whole_sale: Sale, document: object) -> None:
    if isinstance(document, dict) and document.get("productId") == "x":
        document["productId"] = whole_sale.product
    assert '{"productId":"ps5-disc","quantity":50}' in refused(await post(whole_sale.port, "/init", document), 400)


async def test_a_sale_may_open_with_nothing(sale: Sale) -> None:
    assert (await post(sale.port, "/init", {"productId": sale.product, "quantity": 0})).status == 200
    answer = await buy(sale, wanted(sale))
    assert answer is not None
    assert (answer.status, answer.json()) == (409, {"status": "sold_out", "msg": "Inventory empty"})


async def test_a_hundred_bad_bodies_at_once_leave_a_good_one_alone(sale: Sale) -> None:
    bad = [buy(sale, b"[" * 16_000) for _ in range(100)]
    *answers, good = await asyncio.gather(*bad, buy(sale, wanted(sale)))
    assert [answer and answer.status for answer in answers] == [400] * 100
    assert good is not None
    assert good.json()["status"] == "success"
