"""Webhooks where a secret is renewed, as Standard Webhooks have them, away from Redis, and without any secret."""

import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import pytest
import pytest_asyncio

from bench.ports import free_port
from chaos.system import refusal
from contract.auth_keys import derive_keys
from tests.support.http import Response
from tests.support.processes import running_gateway
from tests.support.refusals import code
from tests.support.sandbox import running_g2a
from tests.support.shop import Shop
from tests.support.store import new_id
from tests.support.webhooks import (
    COMPLETED,
    FAILED,
    SECRET,
    buy,
    event,
    kept,
    post_body,
    post_event,
    sign_as_standard,
    status_of,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

NEW, OLD = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


class Gates(NamedTuple):
    """Ports of more gateways of the shop: one whose secret is being renewed, one of Standard Webhooks, one away from
    Redis, and one in production that has no secret."""

    renewing: int
    standard: int
    away: int
    unset: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gates(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gates]:
    public = derive_keys("7e" * 32).public.text
    changes = {
        "renewing": {"g2a_webhook_secret": "new", "g2a_webhook_secret_old": SECRET},
        "standard": {
            "g2a_webhook_scheme": "standard",
            "g2a_webhook_secret": NEW,
            "g2a_webhook_secret_old": OLD,
        },
        "away": {"redis_url": f"redis://127.0.0.1:{free_port()}/0"},
        "unset": {"env": "production", "admin_key": "x" * 16, "auth_public": public},
    }
    async with contextlib.AsyncExitStack() as stack:
        ports: list[int] = []
        for name, own in changes.items():
            settings = msgspec.structs.replace(shop.settings, data_dir=tmp_path_factory.mktemp(name), **own)
            ports.append((await stack.enter_async_context(running_gateway(settings))).port)
        yield Gates(*ports)


async def test_while_a_secret_is_renewed_both_are_good_and_no_other_one(gates: Gates) -> None:
    for secret in ("new", SECRET):
        assert (await post_event(gates.renewing, event(secret=secret))).status == 202
    assert code(await post_event(gates.renewing, event(secret="older")), 400) == "BAD_SIGNATURE"


async def test_the_same_message_may_be_signed_with_either_secret_and_is_done_once(shop: Shop, gates: Gates) -> None:
    told = event((await buy(shop.desk)).upstream_id, payload=FAILED)
    assert (await post_event(gates.renewing, told)).status == 200
    again = await post_event(gates.renewing, told._replace(secret="new"))
    assert code(again, 409) == "EVENT_ALREADY_PROCESSED"
    assert code(await post_event(gates.renewing, told._replace(secret="new", event_id="other")), 400)


async def test_without_redis_what_is_unsigned_is_refused_as_ever_and_what_is_signed_is_to_come_again(
    shop: Shop, gates: Gates
) -> None:
    assert code(await post_event(gates.away, event(secret="another")), 400) == "BAD_SIGNATURE"
    assert code(await post_event(gates.away, event(timestamp=1)), 400) == "BAD_TIMESTAMP"
    assert code(await post_body(gates.away, b'{"payload":{}}'), 400) == "MISSING_FIELD"
    told = event((await buy(shop.desk)).upstream_id, payload=FAILED)
    answer = await post_event(gates.away, told)
    assert code(answer, 503) == "SERVICE_UNAVAILABLE"
    assert int(answer.headers["retry-after"]) >= 1
    assert (await post_event(shop.settings.port, told)).status == 200


async def test_without_a_secret_none_is_taken_and_its_sender_is_to_come_again(gates: Gates) -> None:
    for told in (event(), event(secret="")):
        answer = await post_event(gates.unset, told)
        assert code(answer, 503) == "WEBHOOKS_OFF"
        assert answer.json()["error"]["details"]["retryable"] is True


def standard_body(order_id: str, payload: str = COMPLETED) -> bytes:
    return json.dumps({"order_id": order_id, "type": "order.status_changed", "payload": json.loads(payload)}).encode()


async def send_standard(
    port: int, body: bytes, event_id: str, *secrets: str, at: float = 0.0, **headers: str
) -> Response:
    timestamp = int(at or time.time())
    signatures = " ".join(sign_as_standard(event_id, timestamp, body, secret) for secret in secrets)
    own = {"Webhook_Id": event_id, "Webhook_Timestamp": str(timestamp), "Webhook_Signature": signatures}
    return await post_body(port, body, **{name: value for name, value in (own | headers).items() if value != "-"})


async def test_standard_webhooks_are_done_once_with_any_of_their_signatures(shop: Shop, gates: Gates) -> None:
    for secrets in ((NEW,), (OLD,), (NEW, OLD), ("whsec_" + "AAAA" * 8, OLD)):
        bought, event_id = await buy(shop.desk), new_id("msg")
        body = standard_body(bought.upstream_id, FAILED)
        assert (await send_standard(gates.standard, body, event_id, *secrets)).status == 200
        # Its sender signs a repetition anew, with the time of that moment.
        for later_s in (0, 1):
            again = await send_standard(gates.standard, body, event_id, *secrets, at=time.time() + later_s)
            assert code(again, 409) == "EVENT_ALREADY_PROCESSED"
        assert await status_of(shop.desk, bought) == "REFUNDED"


async def test_what_is_no_standard_webhook_is_refused(shop: Shop, gates: Gates) -> None:
    body, event_id = standard_body(new_id("order")), new_id("msg")

    async def refused(*secrets: str, sent: bytes = body, own: str = event_id, at: float = 0.0, **headers: str) -> str:
        return code(await send_standard(gates.standard, sent, own, *secrets, at=at, **headers), 400)

    assert await refused("whsec_" + "AAAA" * 8) == "BAD_SIGNATURE"
    right = sign_as_standard(event_id, int(time.time()), body, NEW)
    assert await refused(NEW, Webhook_Signature=right.replace("v1,", "v1a,")) == "BAD_SIGNATURE"
    assert await refused(NEW, Webhook_Signature="v1,not base64") == "BAD_SIGNATURE"
    assert await refused(NEW, Webhook_Id="-") == "MISSING_FIELD"
    assert await refused(NEW, Webhook_Timestamp="-") == "MISSING_FIELD"
    assert await refused(NEW, Webhook_Signature="-") == "MISSING_FIELD"
    assert await refused(NEW, Webhook_Id="another") == "BAD_SIGNATURE"
    assert await refused(NEW, own="a.b") == "BAD_REQUEST"
    for off_s in (360, -360):
        assert await refused(NEW, at=time.time() + off_s) == "BAD_TIMESTAMP"
    for sent, found in ((b"{}", "BAD_REQUEST"), (b"[]", "BAD_REQUEST"), (b'{"payload":{}}', "MISSING_FIELD")):
        assert await refused(NEW, sent=sent) == found
    assert code(await post_event(gates.standard, event()), 400) == "MISSING_FIELD"
    assert await kept(shop.desk, event_id) is None


async def test_the_sandbox_and_we_agree_on_either_scheme(shop: Shop, gates: Gates) -> None:
    schemes = {
        shop.settings.port: shop.settings,
        gates.standard: msgspec.structs.replace(
            shop.settings, port=gates.standard, g2a_webhook_scheme="standard", g2a_webhook_secret=NEW
        ),
    }
    for settings in schemes.values():
        bought = await buy(shop.desk)
        async with running_g2a(settings) as sandbox:
            sent = await sandbox.webhook(bought.upstream_id, type="order.failed", payload={"status": "failed"}, times=3)
        assert [delivery["status"] for delivery in sent["deliveries"]] == [200, 409, 409], sent
        assert await status_of(shop.desk, bought) == "REFUNDED"


async def test_a_gateway_does_not_start_with_a_secret_that_standard_webhooks_cannot_have(shop: Shop) -> None:
    for secret in ("", "whsec_too-short"):
        own = {"port": free_port(), "g2a_webhook_scheme": "standard", "g2a_webhook_secret": secret}
        said = await refusal(msgspec.structs.replace(shop.settings, **own), "gateway")
        assert "FLUXGATE_G2A_WEBHOOK_SECRET must be whsec_ and the base64 of 24 to 64 bytes" in said
