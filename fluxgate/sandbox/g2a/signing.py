"""Signatures of webhooks, right and wrong, in both schemes; made here and nowhere shared with who checks them."""

import base64
import hashlib
import hmac
import secrets
import time
from typing import Literal, NamedTuple

import msgspec

from fluxgate.sandbox.g2a.control import Manner

STANDARD_PREFIX = "whsec_"


class Event(NamedTuple):
    """What is told; `payload` is JSON as it is sent, byte by byte."""

    id: str
    order_id: str
    type: str
    payload: bytes


class Message(NamedTuple):
    """A webhook that is ready to be sent."""

    body: bytes
    headers: list[tuple[str, str]]


def message(event: Event, manner: Manner, scheme: Literal["contract", "standard"], secret: str, old: str) -> Message:
    """Write and sign a webhook. Each call makes another number used once, as each delivery of G2A has its own."""
    at = time.time() - manner.age_s
    secret = {"old": old, "wrong": secrets.token_hex(16)}.get(manner.sign, secret)
    if scheme == "standard":
        return _standard(event, manner, int(at), secret)
    return _contract(event, manner, at, secret)


def contract_signature(payload: bytes, timestamp: str, number: str, secret: str) -> str:
    """The signature that the contract asks for: over payload, timestamp, number used once, and the secret again."""
    return hmac.new(secret.encode(), payload + f"{timestamp}{number}{secret}".encode(), hashlib.sha256).hexdigest()


def standard_signature(event_id: str, timestamp: int, body: bytes, secret: str) -> str:
    """The signature of Standard Webhooks; a secret that is not base64 is taken as it stands."""
    try:
        key = base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except ValueError:
        key = secret.encode()
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def _contract(event: Event, manner: Manner, at: float, secret: str) -> Message:
    timestamp = str(int(at * 1000) if manner.timestamp_as == "ms" else int(at))
    number = secrets.token_hex(16)
    signature = contract_signature(event.payload, timestamp, number, secret)
    proof = {
        "signature": "not-hex" if manner.sign == "malformed" else signature,
        "nonce": number,
        "timestamp": timestamp if manner.timestamp_is_text or manner.in_headers else int(timestamp),
    }
    if manner.sign == "missing":
        del proof["signature"]
    payload = event.payload if manner.sign != "altered" else altered(event.payload)
    told = {"event_id": event.id, "order_id": event.order_id, "type": event.type, "payload": msgspec.Raw(payload)}
    if manner.in_headers:
        return Message(msgspec.json.encode(told), [(f"x-g2a-{name}", str(value)) for name, value in proof.items()])
    return Message(msgspec.json.encode(told | proof), [])


def _standard(event: Event, manner: Manner, at: int, secret: str) -> Message:
    body = msgspec.json.encode({"order_id": event.order_id, "type": event.type, "payload": msgspec.Raw(event.payload)})
    signature = standard_signature(event.id, at, body, secret)
    headers = [("webhook-id", event.id), ("webhook-timestamp", str(at))]
    if manner.sign != "missing":
        headers.append(("webhook-signature", "v1,not base64" if manner.sign == "malformed" else signature))
    return Message(altered(body) if manner.sign == "altered" else body, headers)


def altered(document: bytes) -> bytes:
    """The same document with a space before its end: another text, of the same meaning."""
    return document[:-1] + b" " + document[-1:]
