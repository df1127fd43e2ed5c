"""The webhooks of the sandbox: signed as the contract says and as Standard Webhooks say, and wrong in every way."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.ports import free_port
from contract.settings import Settings
from tests.support.sandbox import Sandbox, running_g2a
from tests.support.webhook_receiver import Received, Receiver, receiving

NEW, OLD = "the-new-secret", "the-old-secret"


@pytest.fixture
async def receiver(sandbox: Sandbox) -> AsyncIterator[Receiver]:
    """What takes the gateway's place."""
    async with receiving(sandbox.settings.port) as receiver:
        yield receiver


class Body(msgspec.Struct):
    """The payload member, byte for byte as it came."""

    payload: msgspec.Raw


def payload_of(body: bytes) -> bytes:
    return bytes(msgspec.json.decode(body, type=Body).payload)


def is_signed(received: Received, secret: str, given: dict[str, Any] | None = None) -> bool:
    """Whether the signature is that of the contract."""
    proof: dict[str, Any] = given or received.json()
    text = payload_of(received.body) + f"{proof['timestamp']}{proof['nonce']}{secret}".encode()
    return proof["signature"] == hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


async def send(sandbox: Sandbox, receiver: Receiver, **how: Any) -> Received:
    await sandbox.webhook("81", **how)
    return await receiver.next()


async def buy(sandbox: Sandbox) -> str:
    product_id = (await sandbox.contract("GET", "/products")).json()["data"][0]["id"]
    await sandbox.control(products=[{"id": product_id, "quantity": 5}], delay_s=0.0)
    return (await sandbox.contract("POST", "/orders", {"productId": product_id})).json()["orderId"]


async def test_an_order_that_completes_is_told(sandbox: Sandbox, receiver: Receiver) -> None:
    order_id = await buy(sandbox)
    told = await receiver.next()
    document = told.json()
    assert told.path == "/api/webhooks/g2a"
    assert set(document) == {"event_id", "order_id", "type", "payload", "signature", "nonce", "timestamp"}
    assert (document["order_id"], document["type"]) == (order_id, "order.completed")
    assert document["payload"]["status"] == "completed"
    assert is_signed(told, NEW)
    assert abs(int(document["timestamp"]) - time.time()) < 60


async def test_an_order_that_fails_is_told_too(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.control(fail_orders=1)
    await buy(sandbox)
    document = (await receiver.next()).json()
    assert (document["type"], document["payload"]["status"]) == ("order.failed", "failed")


@pytest.mark.slow
async def test_one_that_is_not_taken_is_sent_again_and_is_then_the_same_event(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    receiver.answers = [503]
    await buy(sandbox)
    first, second = (await receiver.next()).json(), (await receiver.next()).json()
    assert first["event_id"] == second["event_id"]
    assert first["nonce"] != second["nonce"]


async def test_a_refusal_is_taken_for_an_answer(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [409]
    await buy(sandbox)
    await receiver.next()
    async with asyncio.timeout(5):
        while not (deliveries := await sandbox.deliveries()):
            await asyncio.sleep(0.01)
    assert [delivery["status"] for delivery in deliveries] == [409]


async def test_one_by_hand_is_about_whatever_is_named_and_its_answer_is_told(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    receiver.answers = [418]
    done = await sandbox.webhook("nobody's", type="order.eaten", payload={"a": [1, None, "é"]}, event_id="one")
    assert [(entry["status"], entry["answer"]) for entry in done["deliveries"]] == [(418, "ok")]
    told = await receiver.next()
    assert told.json() | {"event_id": "one", "order_id": "nobody's", "type": "order.eaten"} == told.json()
    assert payload_of(told.body) == '{"a":[1,null,"é"]}'.encode()
    assert is_signed(told, NEW)


async def test_it_is_sent_to_nobody_when_nobody_listens(sandbox: Sandbox) -> None:
    done = await sandbox.webhook("81")
    assert [entry["status"] for entry in done["deliveries"]] == [0]


async def test_it_is_signed_wrongly_in_every_way(sandbox: Sandbox, receiver: Receiver) -> None:
    assert is_signed(await send(sandbox, receiver, sign="old"), OLD)
    wrong = await send(sandbox, receiver, sign="wrong")
    assert len(wrong.json()["signature"]) == 64
    assert not is_signed(wrong, NEW)
    assert (await send(sandbox, receiver, sign="malformed")).json()["signature"] == "not-hex"
    assert "signature" not in (await send(sandbox, receiver, sign="missing")).json()
    altered = await send(sandbox, receiver, sign="altered")
    assert altered.json()["payload"] == {"status": "completed"}
    assert not is_signed(altered, NEW)


async def test_times_are_told_in_each_form_and_of_any_age(sandbox: Sandbox, receiver: Receiver) -> None:
    document = (await send(sandbox, receiver, timestamp_as="ms", timestamp_is_text=False)).json()
    assert abs(document["timestamp"] / 1000 - time.time()) < 60
    for age_s in (400, -400):
        late = await send(sandbox, receiver, age_s=age_s)
        assert 380 < abs(time.time() - int(late.json()["timestamp"])) < 460
        assert is_signed(late, NEW)


async def test_the_proof_stands_in_headers_on_demand(sandbox: Sandbox, receiver: Receiver) -> None:
    told = await send(sandbox, receiver, in_headers=True)
    assert set(told.json()) == {"event_id", "order_id", "type", "payload"}
    proof = {name: told.headers[f"x-g2a-{name}"] for name in ("signature", "nonce", "timestamp")}
    assert is_signed(told, NEW, proof)


async def test_one_event_is_delivered_several_times_at_once_or_in_turn(sandbox: Sandbox, receiver: Receiver) -> None:
    for at_once in (False, True):
        done = await sandbox.webhook("81", times=3, at_once=at_once)
        assert len(done["deliveries"]) == 3
        told = [(await receiver.next()).json() for _ in range(3)]
        assert {document["event_id"] for document in told} == {done["event_id"]}
        assert len({document["nonce"] for document in told}) == 3


async def test_one_with_a_delay_is_sent_later(sandbox: Sandbox, receiver: Receiver) -> None:
    started = time.monotonic()
    done = await sandbox.webhook("81", delay_s=0.2)
    assert done["deliveries"] == []
    assert (await receiver.next()).json()["event_id"] == done["event_id"]
    assert time.monotonic() - started >= 0.2


async def test_what_an_order_tells_is_sent_in_the_manner_that_was_set(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.control(webhooks={"times": 2, "sign": "old"})
    await buy(sandbox)
    assert all([is_signed(await receiver.next(), OLD) for _ in range(2)])


async def test_standard_webhooks_are_signed_as_their_specification_says(tmp_path: Path) -> None:
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    settings = Settings(data_dir=tmp_path, port=free_port(), g2a_webhook_scheme="standard", g2a_webhook_secret=secret)
    async with running_g2a(settings) as sandbox, receiving(settings.port) as receiver:
        told = await send(sandbox, receiver, event_id="msg_1")
        assert told.json() == {"order_id": "81", "type": "order.completed", "payload": {"status": "completed"}}
        assert told.headers["webhook-id"] == "msg_1"
        signed = f"msg_1.{told.headers['webhook-timestamp']}.".encode() + told.body
        expected = hmac.new(b"0123456789abcdef0123456789abcdef", signed, hashlib.sha256).digest()
        assert told.headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
        altered = await send(sandbox, receiver, sign="altered")
        assert json.loads(altered.body)["payload"] == {"status": "completed"}
        assert "webhook-signature" not in (await send(sandbox, receiver, sign="missing")).headers


async def test_the_vectors_of_a_signer_in_node_hold() -> None:
    from fluxgate.sandbox.g2a.signing import contract_signature

    for payload, signature in (
        ('{"status":"completed","amount":12.5}', "510e55fec481d34afe7566e47cb713853111431297d945646fb2d18ac1ea9002"),
        ('{"b":1,"a":{"z":null,"y":"é"}}', "469b02e3c53cea1a0d152efbad0d8aa56f875dbb0b423355c5fc20fbdc3cc2e4"),
        ('{"price":10,"note":"a/b"}', "061bc2f2663263398d65e7e6851d19fa1ac37412ac72d93bf96f8dee8bfc4ca2"),
    ):
        made = contract_signature(payload.encode(), "1700000000000", "n-0001", "test-api-hash")
        assert made == signature
