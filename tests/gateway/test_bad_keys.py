"""Idempotency keys that are missing, malformed, quoted, doubled or used for something else."""

import asyncio

import pytest

from tests.support.http import Response, order, post
from tests.support.refusals import refused, unread
from tests.support.selling import Sale
from tests.support.wire import exchange, head

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def attempt(sale: Sale, *keys: str) -> Response | None:
    """POST an order with these header lines for its key."""
    body = b'{"productId":"%s","userId":"u"}' % sale.product.encode()
    lines = ("Content-Type: application/json", *keys, f"Content-Length: {len(body)}", "Connection: close")
    return await exchange(sale.port, head("POST /order HTTP/1.1", *lines), body)


@pytest.mark.parametrize(
    "keys",
    [
        (),
        ("X-Idempotency-Key:",),
        ("X-Idempotency-Key:   ",),
        ('Idempotency-Key: ""',),
        ("X-Idempotency-Key:", "Idempotency-Key:"),
    ],
    ids=["absent", "empty", "blank", "empty quotes", "both empty"],
)
async def test_a_missing_key_is_refused_in_the_words_of_the_contract(whole_sale: Sale, keys: tuple[str, ...]) -> None:
    answer = await attempt(whole_sale, *keys)
    assert answer is not None
    assert (answer.status, answer.body) == (400, b'{"error":"Missing Idempotency Key"}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "key",
    ["k" * 256, "k" * 10_000, "two words", "käse", "tab\tkey", '"a b"', "emoji-\xf0\x9f\x98\x80", "\x80"],
    ids=["256 characters", "10 kB", "a space", "an umlaut", "a tab", "a quoted space", "an emoji", "a lone byte"],
)
async def test_a_malformed_key_is_refused_with_what_a_key_may_be(whole_sale: Sale, key: str) -> None:
    said = refused(await attempt(whole_sale, f"X-Idempotency-Key: {key}"), 400)
    assert "1 to 255 visible ASCII characters" in said


@pytest.mark.parametrize("key", ["a\r\n b", "a\rb", "a\nb", "a\0b", "\x01", "\x7f"])
async def test_a_key_with_control_characters_never_reaches_a_sale(whole_sale: Sale, key: str) -> None:
    unread(await attempt(whole_sale, f"X-Idempotency-Key: {key}"))


async def test_a_line_break_in_a_key_cannot_smuggle_a_header(whole_sale: Sale) -> None:
    answer = await attempt(whole_sale, "X-Request-Id: first", "X-Idempotency-Key: \r\nX-Request-Id: second")
    assert answer is not None
    # It is simply two headers, as any client may send them: the key is empty, and of two ids the first counts.
    assert (answer.status, answer.headers["x-request-id"]) == (400, "first")


async def test_the_longest_key_buys_one_unit(sale: Sale) -> None:
    assert (await order(sale.port, "k" * 255, sale.product)).json()["status"] == "success"
    assert await sale.left() == sale.units - 1


@pytest.mark.parametrize(
    "second", ['Idempotency-Key: "one-{p}"', "Idempotency-Key: one-{p}", "X-IDEMPOTENCY-KEY:  one-{p} "]
)
async def test_quoted_or_bare_and_under_either_name_it_is_the_same_key(sale: Sale, second: str) -> None:
    first = await attempt(sale, f"X-Idempotency-Key: one-{sale.product}")
    again = await attempt(sale, second.format(p=sale.product))
    assert first is not None
    assert again is not None
    assert again.json() == {"status": "ignored", "msg": "Duplicate request", "orderId": first.json()["orderId"]}
    assert again.headers["idempotent-replayed"] == "true"
    assert await sale.left() == sale.units - 1


async def test_a_quoted_key_may_contain_escaped_quotes(sale: Sale) -> None:
    first = await attempt(sale, f'X-Idempotency-Key: "a\\"{sale.product}"')
    again = await attempt(sale, f'X-Idempotency-Key: a"{sale.product}')
    assert first is not None
    assert again is not None
    assert again.json()["orderId"] == first.json()["orderId"]


async def test_both_header_names_that_agree_make_one_order(sale: Sale) -> None:
    key = f"both-{sale.product}"
    answer = await attempt(sale, f"X-Idempotency-Key: {key}", f'Idempotency-Key: "{key}"')
    assert answer is not None
    assert answer.json()["status"] == "success"
    assert await sale.left() == sale.units - 1


@pytest.mark.parametrize("names", [("X-Idempotency-Key", "Idempotency-Key"), ("Idempotency-Key", "Idempotency-Key")])
async def test_two_keys_that_disagree_are_refused(whole_sale: Sale, names: tuple[str, str]) -> None:
    said = refused(await attempt(whole_sale, f"{names[0]}: one", f"{names[1]}: two"), 400)
    assert "two different idempotency keys" in said


@pytest.mark.parametrize("change", [{"quantity": 2}, {"userId": "somebody else"}, {"productId": "other"}])
async def test_a_key_with_another_body_is_refused_and_its_order_stands(sale: Sale, change: dict[str, object]) -> None:
    key = f"mine-{sale.product}"
    first = await order(sale.port, key, sale.product)
    other = {"productId": sale.product, "userId": "user-1", **change}
    said = refused(await post(sale.port, "/order", other, X_Idempotency_Key=key), 422)
    assert "new key" in said
    assert (await order(sale.port, key, sale.product)).json()["orderId"] == first.json()["orderId"]
    assert await sale.left() == sale.units - 1


async def test_the_same_body_written_differently_is_the_same_request(sale: Sale) -> None:
    key = f"spelled-{sale.product}"
    first = await order(sale.port, key, sale.product, "u")
    body = b'{ "quantity" : 1, "userId":"\\u0075",\n"productId":"%s" }' % sale.product.encode()
    lines = (
        "Content-Type: application/json; charset=utf-8",
        f"X-Idempotency-Key: {key}",
        f"Content-Length: {len(body)}",
    )
    again = await exchange(sale.port, head("POST /order HTTP/1.1", *lines), body)
    assert again is not None
    assert again.json() == {"status": "ignored", "msg": "Duplicate request", "orderId": first.json()["orderId"]}


async def test_fifty_bodies_under_one_key_at_once_sell_one_unit(sale: Sale) -> None:
    answers = await asyncio.gather(
        *(order(sale.port, f"race-{sale.product}", sale.product, f"u-{i}") for i in range(50))
    )
    assert sorted(answer.status for answer in answers) == [200] + [422] * 49
    assert await sale.left() == sale.units - 1
