"""POST /api/webhooks/g2a: what is signed is done once, and whatever else comes is a 4xx that changes nothing."""

import json
import secrets
import time
from asyncio import gather
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.webhooks import BODY_MAX
from tests.support.buyers import balance_of
from tests.support.http import Response, request, send
from tests.support.refusals import code
from tests.support.shop import Shop
from tests.support.store import new_id
from tests.support.webhooks import (
    COMPLETED,
    FAILED,
    PATH,
    Bought,
    Event,
    body_of,
    buy,
    event,
    kept,
    now_ms,
    post_body,
    post_event,
    sign,
    signed_by_node,
    status_of,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

MINUTE_MS = 60_000
EXAMPLES = 100


async def ordered(shop: Shop) -> Bought:
    return await buy(shop.desk)


async def refused(shop: Shop, told: Event | bytes, *statuses: int) -> str:
    """Send what must be refused and kept nowhere; gives the code."""
    answer = await post_body(shop.settings.port, told if isinstance(told, bytes) else told.body)
    if isinstance(told, Event):
        assert await kept(shop.desk, told.event_id) is None
    return code(answer, *(statuses or (400,)))


def taken(answer: Response, status: int = 200) -> str:
    """The message of an event that was taken."""
    assert answer.status == status, answer
    data = answer.json()["data"]
    assert data["success"] is True
    return data["message"]


async def test_an_event_is_done_and_its_copies_are_told_that_it_was(shop: Shop) -> None:
    bought = await ordered(shop)
    told = event(bought.upstream_id, payload=FAILED)
    assert taken(await post_event(shop.settings.port, told)) == "The event is processed."
    assert await status_of(shop.desk, bought) == "REFUNDED"
    assert await balance_of(shop.desk, bought.user_id) == Decimal("100.00")
    # The same message, and the same event signed anew, as a sender does when it has lost the answer.
    for again in (told, told._replace(nonce=new_id("nonce")), told._replace(timestamp=now_ms() + 1)):
        assert code(await post_event(shop.settings.port, again), 409) == "EVENT_ALREADY_PROCESSED"
    assert await balance_of(shop.desk, bought.user_id) == Decimal("100.00")


@pytest.mark.parametrize("same", [True, False], ids=["the same message", "signed anew each time"])
async def test_of_twenty_copies_at_once_one_is_done(shop: Shop, same: bool) -> None:
    bought = await ordered(shop)
    told = event(bought.upstream_id, payload=FAILED)
    copies = [told if same else told._replace(nonce=new_id("nonce")) for _ in range(20)]
    answers = await gather(*(post_event(shop.settings.port, copy) for copy in copies))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 19}
    assert await balance_of(shop.desk, bought.user_id) == Decimal("100.00")


async def test_what_comes_out_of_order_takes_nothing_back(shop: Shop) -> None:
    bought = await ordered(shop)
    for status in ("failed", "processing", "pending"):
        taken(await post_event(shop.settings.port, event(bought.upstream_id, payload=f'{{"status":"{status}"}}')))
    assert await status_of(shop.desk, bought) == "REFUNDED"


async def test_what_node_sends_is_taken_number_by_number_as_it_wrote_it(shop: Shop) -> None:
    bought, at, nonce = await ordered(shop), now_ms(), new_id("nonce")
    script = "{status: 'failed', amount: 10.0, tiny: 1e-7, big: 1e21, sum: 0.1 + 0.2, note: 'é/\\u2028'}"
    text, signature = signed_by_node(script, at, nonce)
    assert '"amount":10,' in text
    told = event(bought.upstream_id, payload=text, signature=signature, timestamp=at, nonce=nonce)
    taken(await post_event(shop.settings.port, told))
    assert await status_of(shop.desk, bought) == "REFUNDED"


@pytest.mark.parametrize(
    "timestamp", [lambda: now_ms(), lambda: str(now_ms()), lambda: now_ms() // 1000, lambda: str(now_ms() // 1000)]
)
async def test_a_time_may_be_a_number_or_a_text_in_seconds_or_milliseconds(shop: Shop, timestamp: Any) -> None:
    taken(await post_event(shop.settings.port, event(timestamp=timestamp())), 202)


@pytest.mark.parametrize("off_ms", [-6 * MINUTE_MS, 6 * MINUTE_MS])
@pytest.mark.parametrize("unit", [1, 1000])
async def test_a_message_of_six_minutes_ago_or_ahead_is_refused(shop: Shop, off_ms: int, unit: int) -> None:
    assert await refused(shop, event(timestamp=(now_ms() + off_ms) // unit)) == "BAD_TIMESTAMP"


@pytest.mark.parametrize("timestamp", [None, True, 1.5, "now", "", [], {}, -1, 0, 10**30, "1" * 5000])
async def test_what_is_no_time_is_refused(shop: Shop, timestamp: Any) -> None:
    assert await refused(shop, event(timestamp=timestamp)) in ("BAD_TIMESTAMP", "MISSING_FIELD")


async def test_what_is_signed_with_another_secret_or_badly_is_refused(shop: Shop) -> None:
    assert await refused(shop, event(secret="another")) == "BAD_SIGNATURE"
    told = event()
    right = sign(told.payload, told.timestamp, told.nonce)
    for wrong in (right[:-1], right[:-2], right + "00", right[:-1] + "g", "0", "é" * 64, "\\u0000" * 64, "0" * 64):
        assert await refused(shop, told._replace(signature=wrong)) == "BAD_SIGNATURE"
    assert await refused(shop, told._replace(signature="")) == "MISSING_FIELD"
    taken(await post_event(shop.settings.port, told), 202)


async def test_a_payload_in_other_words_or_with_one_byte_changed_is_refused(shop: Shop) -> None:
    payload = '{"status":"failed","amount":10,"note":"a/b"}'
    told = event(payload=payload)
    signed = told._replace(signature=sign(payload, told.timestamp, told.nonce))
    others = [
        '{"amount":10,"status":"failed","note":"a/b"}',
        payload.replace("10", "10.0"),
        payload.replace("a/b", "a\\/b"),
        payload.replace(":", ": "),
        *(payload[:at] + " " + payload[at:] for at in (1, len(payload) - 1)),
        payload.replace("failed", "failee"),
    ]
    for other in others:
        assert await refused(shop, signed._replace(payload=other)) == "BAD_SIGNATURE"


async def test_a_payload_is_taken_byte_for_byte_with_whatever_stands_around_it(shop: Shop) -> None:
    payload = '{ "status"\t: "failed" , "a" : [ 1.0 , 1e2 ] ,"\\u0062":"\\/\\u00e9é"\n}'
    told = event((await ordered(shop)).upstream_id, payload=payload)
    body = b" \n" + body_of(told.members | {"payload": f" \r\n\t{payload} \n"}) + b"\n"
    taken(await post_body(shop.settings.port, body))
    row = await kept(shop.desk, told.event_id)
    assert row is not None
    assert row["payload"] == payload.encode()


async def test_a_nonce_comes_with_one_event_only(shop: Shop) -> None:
    first = event()
    taken(await post_event(shop.settings.port, first), 202)
    for other in ({"event_id": new_id("event")}, {"order_id": new_id("order")}, {"type": "order.failed"}):
        assert code(await post_event(shop.settings.port, first._replace(**other)), 400) == "REPLAYED_NONCE"
    assert await refused(shop, event(nonce=first.nonce, payload=FAILED)) == "REPLAYED_NONCE"


async def test_digits_of_the_time_cannot_be_passed_off_as_those_of_a_nonce(shop: Shop) -> None:
    first = event((await ordered(shop)).upstream_id, payload=FAILED)
    taken(await post_event(shop.settings.port, first))
    # What was signed is the same text: "...1795000000" + "123nonce" instead of "...1795000000123" + "nonce".
    milliseconds = str(first.timestamp)
    victim = await ordered(shop)
    moved = event(
        victim.upstream_id, payload=FAILED, nonce=milliseconds[10:] + first.nonce, timestamp=milliseconds[:10]
    )
    moved = moved._replace(signature=sign(first.payload, first.timestamp, first.nonce))
    assert moved.signature == sign(moved.payload, moved.timestamp, moved.nonce)
    assert await refused(shop, moved) == "REPLAYED_NONCE"
    assert await status_of(shop.desk, victim) == "PROCESSING"


async def test_nobody_without_the_secret_can_spoil_an_event_or_a_nonce(shop: Shop) -> None:
    told = event((await ordered(shop)).upstream_id, payload=FAILED)
    for forged in (told._replace(secret="a guess"), told._replace(payload=COMPLETED, signature="0" * 64)):
        assert await refused(shop, forged) == "BAD_SIGNATURE"
    taken(await post_event(shop.settings.port, told))


async def test_values_may_be_headers_and_two_different_ones_are_refused(shop: Shop) -> None:
    told = event()
    proof = {f"X_G2A_{name}": json.loads(told.members[name]) for name in ("signature", "nonce", "timestamp")}
    rest = body_of({name: told.members[name] for name in ("event_id", "order_id", "type", "payload")})
    taken(await post_body(shop.settings.port, rest, **proof), 202)
    assert code(await post_body(shop.settings.port, told.body, **proof), 409) == "EVENT_ALREADY_PROCESSED"
    for name in proof:
        assert code(await post_body(shop.settings.port, told.body, **{name: "7"}), 400) == "BAD_REQUEST"


@pytest.mark.parametrize("name", ["event_id", "order_id", "type", "payload", "signature", "nonce", "timestamp"])
async def test_every_field_is_missed_and_has_to_be_of_its_type(shop: Shop, name: str) -> None:
    told = event()
    members = told.members
    assert await refused(shop, body_of({other: members[other] for other in members if other != name})) in (
        ("MISSING_FIELD",) if name != "payload" else ("BAD_SIGNATURE",)
    )
    for wrong in ("[]", "{}", "null", "true", "7", '""', '"\\u0000"', '"\\n"', '"' + "x" * 200 + '"'):
        if (name, wrong) != ("payload", "{}"):
            await refused(shop, body_of(members | {name: wrong}))
    assert await kept(shop.desk, told.event_id) is None


@pytest.mark.parametrize("payload", ["[]", '"text"', "7", "null"])
async def test_a_payload_that_is_signed_and_no_object_is_refused(shop: Shop, payload: str) -> None:
    assert await refused(shop, event(payload=payload)) == "BAD_REQUEST"


async def test_what_two_readers_could_read_differently_is_refused_though_it_is_signed(shop: Shop) -> None:
    told = event()
    for name, text in (("payload", FAILED), ("order_id", '"another"'), ("event_id", '"another"')):
        twice = b"{" + f'"{name}": {text}, '.encode() + told.body[1:]
        assert await refused(shop, twice) == "BAD_REQUEST"
    assert await refused(shop, event(payload='{"status":"failed","status":"completed"}')) == "BAD_REQUEST"
    assert await refused(shop, event(payload='{"status":"failed","orderId":"another"}')) == "BAD_REQUEST"
    assert await kept(shop.desk, told.event_id) is None
    of_itself = event(told.order_id, payload=f'{{"status":"failed","orderId":"{told.order_id}"}}')
    taken(await post_event(shop.settings.port, of_itself), 202)


async def test_a_payload_that_is_no_utf_8_is_refused_though_it_is_signed(shop: Shop) -> None:
    told = event(payload='{"note":"\udcff"}')
    right = sign(told.payload, told.timestamp, told.nonce)
    body = body_of(told._replace(signature=right).members)
    assert b'{"note":"\xff"}' in body
    assert await refused(shop, body) == "BAD_REQUEST"


async def test_a_body_that_is_too_large_or_none_is_refused(shop: Shop) -> None:
    port = shop.settings.port
    filler = "x" * (BODY_MAX - len(event(payload='{"a":""}').body))
    taken(await post_event(port, event(payload=f'{{"a":"{filler}"}}')))
    assert await refused(shop, event(payload=f'{{"a":"{filler}x"}}'), 413) == "BODY_TOO_LARGE"
    assert await refused(shop, event(payload=f'{{"a":"{"x" * 1_000_000}"}}'), 413) == "BODY_TOO_LARGE"
    for body in (b"", b"{", b"[]", b"null", b"\xff", b"{" * BODY_MAX, b'{"payload":' + b"[" * (BODY_MAX - 11)):
        assert await refused(shop, body) == "BAD_REQUEST"
    assert await refused(shop, b"{}") == "MISSING_FIELD"
    assert code(await send(port, request("POST", PATH, b"{}", Content_Type="text/plain")), 415)
    assert (await send(port, request("GET", PATH))).status == 405


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["event_id", "order_id", "type", "payload", "signature", "nonce", "timestamp", "status"])
visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=70)
headers = st.dictionaries(
    st.sampled_from(["X_G2A_Signature", "X_G2A_Nonce", "X_G2A_Timestamp", "Webhook_Id", "Webhook_Signature"]),
    visible | st.just(str(int(time.time()))) | st.just(secrets.token_hex(32)),
)
bodies = st.binary(max_size=200) | (st.dictionaries(names, values) | values).map(
    lambda document: json.dumps(document).encode()
)
bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(body=bodies, lines=headers)
@bounded
async def test_no_body_and_no_header_without_a_signature_is_more_than_a_400(
    shop: Shop, body: bytes, lines: dict[str, str]
) -> None:
    assert code(await post_body(shop.settings.port, body, **lines), 400)


@given(payload=st.dictionaries(names | st.text(max_size=5), values, max_size=4), kind=visible.filter(bool))
@bounded
async def test_nothing_that_is_signed_makes_us_fail(shop: Shop, payload: dict[str, Any], kind: str) -> None:
    told = event(payload=json.dumps(payload), type=kind if kind[0] < "n" else "order.status_changed")
    assert (await post_event(shop.settings.port, told)).status in (200, 202, 400)
