"""Random heads, paths and bodies: never a 5xx, never a hang, and the stock is what the accepted orders left of it."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.http import Response
from tests.support.refusals import unread
from tests.support.selling import Sale
from tests.support.wire import exchange

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

EXAMPLES = 150
PRODUCT = "the product"

words = st.sampled_from([PRODUCT, "u", "", "{lane:0}", "a\nb", "\x00", "é", "x" * 129]) | st.text(max_size=20)
numbers = st.sampled_from([0, 1, 2, -1, 10**9, 10**9 + 1, 2**63, 1.0, 0.5, True, None, "1"]) | st.integers()
values = st.recursive(
    words | numbers | st.floats() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
orders = st.fixed_dictionaries(
    {"productId": st.just(PRODUCT) | values, "userId": words | values}, optional={"quantity": numbers | values}
)
documents = (orders | values | st.dictionaries(st.sampled_from(["productId", "quantity", "x"]), values)).map(
    lambda document: json.dumps(document).encode()
)
bodies = documents | st.binary(max_size=200) | st.tuples(documents, st.binary(max_size=8)).map(b"".join)

visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
latin = st.text(st.characters(max_codepoint=255), max_size=40)
header_names = st.sampled_from(
    [
        "Idempotency-Key",
        "X-Idempotency-Key",
        "Content-Type",
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Accept",
        "X-Request-Id",
        "X-Forwarded-For",
        "Connection",
        "Upgrade",
        "Expect",
        "X-Admin-Key",
    ]
)
header_values = st.sampled_from(["application/json", "chunked", "0", "5", "close", "websocket", "100-continue"])
headers = st.lists(st.tuples(header_names, header_values | visible | latin), max_size=5)
paths = st.sampled_from(
    ["/order", "/init", "/status/x", "/cancel/x", "/inventory/x", "/events", "/admission"]
) | st.builds("/{}".format, visible | latin)
methods = st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"]) | st.text(
    "ABC-!", min_size=1, max_size=9
)

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def bought(response: Response | None, body: bytes) -> int:
    """The units that an answer sold."""
    if response is None or response.status != 200 or response.json().get("status") != "success":
        return 0
    return json.loads(body).get("quantity", 1)


def sound(method: str, path: str, lines: list[tuple[str, str]], body: bytes) -> bytes:
    """A request; the body's length is right, if nobody has given another."""
    text = "".join(f"{name}: {value}\r\n" for name, value in lines)
    raw = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{text}Content-Length: {len(body)}\r\n\r\n"
    return raw.encode("latin-1", errors="replace") + body


@given(data=st.data())
@bounded
async def test_no_body_breaks_the_gateway_or_costs_a_unit_unsold(sale: Sale, data: Any) -> None:
    before = await sale.left()
    key = data.draw(st.uuids())
    body = data.draw(bodies).replace(PRODUCT.encode(), sale.product.encode())
    lines = [("Content-Type", "application/json"), ("Idempotency-Key", str(key)), ("Connection", "close")]
    answer = await exchange(sale.port, sound("POST", "/order", lines, body))
    assert answer is not None
    assert answer.status < 500
    answer.json()
    assert await sale.left() == before - bought(answer, body)


@given(method=methods, path=paths, lines=headers, body=bodies)
@bounded
async def test_no_request_breaks_the_gateway_or_costs_a_unit(
    whole_sale: Sale, method: str, path: str, lines: list[tuple[str, str]], body: bytes
) -> None:
    answer = await exchange(whole_sale.port, sound(method, path, lines, body), cut=True)
    assert answer is None or answer.status < 500


@given(raw=st.binary(max_size=300))
@bounded
async def test_no_bytes_break_the_gateway(whole_sale: Sale, raw: bytes) -> None:
    unread(await exchange(whole_sale.port, raw + b"\r\n\r\n", cut=True))
