"""Webhooks: POST /api/webhooks/g2a, where G2A tells what has become of an order.

Anybody can reach this, and whatever comes is hostile until its signature holds: it is checked over the bytes as they
came, before anything is asked of Redis, and before anything is kept. Then its nonce is kept for as long as it could be
repeated, together with what it came with; and the event goes to the worker, which does each once. What cannot be done
now is answered with 503, so that its sender sends it again; that may be the same message, and is no misuse of a nonce.
"""

import json
import re
from typing import Any, NamedTuple, NoReturn

import msgspec

import lua
from contract.webhooks import G2A, Visible, Webhook
from gateway.asking import command_of
from gateway.body import SALE_BODY_MAX, decode, read_body
from gateway.envelope import enveloped, refuse
from gateway.gate import Call
from gateway.identity import GUEST
from gateway.redis_faults import as_not_ready
from gateway.replying import Reply
from gateway.webhook_signatures import TOLERANCE_S, is_signed, is_signed_as_standard, is_timely

WORKER = "webhooks"
EXAMPLE = (
    '{"event_id":"e-1","order_id":"80201019921771","type":"order.completed","payload":{"status":"completed"},'
    '"signature":"...","nonce":"...","timestamp":"1795000000000"}'
)
BODY_MAX = SALE_BODY_MAX
"""Bytes of a webhook. One of G2A has a few hundred, and none may be larger than what a command can hold."""
NONCE_TTL_S = 2 * TOLERANCE_S + 60
"""A message that is dated as late as can be is timely for twice the tolerance, and clocks of gateways differ a bit."""
_VISIBLE = re.compile(r"[!-~]{1,128}")


class _Event(msgspec.Struct):
    """A body, of the contract or as Standard Webhooks have it, whose id, time and signature are headers."""

    event_id: Visible = ""
    order_id: Visible = ""
    type: Visible = ""
    payload: msgspec.Raw = msgspec.Raw(b"")
    signature: str = ""
    nonce: str = ""
    timestamp: msgspec.Raw = msgspec.Raw(b"")


class _Signed(NamedTuple):
    """An event whose signature holds, and what may come with no other one."""

    event: Webhook
    nonces: tuple[bytes, ...] = ()


_events = msgspec.json.Decoder(_Event)


async def take_g2a_event(call: Call) -> Reply:
    """POST /api/webhooks/g2a: 200 when it is done, 202 when it waits for its order, 409 when it was here before."""
    gate = call.gate
    if not gate.webhook_secrets:
        message = "No secret is set that webhooks could be signed with, so none is taken."
        refuse(call.request_id, 503, "WEBHOOKS_OFF", message, retryable=True, action="retry_later")
    body = await read_body(call.headers, call.exchange, gate.patience, BODY_MAX)
    is_standard = gate.settings.g2a_webhook_scheme == "standard"
    event, nonces = _read_standard(call, body) if is_standard else _read(call, body)
    _check_text(call, body, event.order_id)
    if nonces:
        with as_not_ready():
            is_theirs = await lua.claim_nonces(gate.redis, nonces, msgspec.json.encode(event), NONCE_TTL_S)
        if not is_theirs:
            refuse(call.request_id, 400, "REPLAYED_NONCE", "The nonce has come with another event; send a new one.")
    command = command_of(call, "g2a_event", event, GUEST)
    reply = await gate.replies.ask(WORKER, command, gate.settings.ask_timeout_s)
    if reply is None:
        # Not 202: it may wait until nobody does it any more, and its sender would believe that it was done.
        message = "It is not known yet what became of the event. Send it again."
        refuse(call.request_id, 503, "SERVICE_UNAVAILABLE", message, retryable=True, action="retry_later")
    return enveloped(call.request_id, reply)


def _read(call: Call, body: bytes) -> _Signed:
    """An event as the contract signs it. Raises Refused with a 400 unless it is timely and signed."""
    told = decode(call.headers, body, _events, EXAMPLE)
    signature = _either(call, "signature", told.signature)
    nonce = _either(call, "nonce", told.nonce)
    timestamp = _either(call, "timestamp", bytes(told.timestamp).decode(errors="replace").strip('"'))
    if not _VISIBLE.fullmatch(nonce):
        _refuse(call, "A nonce is 1 to 128 visible ASCII characters, such as a UUID.")
    _check_time(call, timestamp)
    payload = bytes(told.payload)
    signed = payload + timestamp.encode() + nonce.encode()
    if not is_signed(call.gate.webhook_secrets, signed, signature):
        _unsigned(call)
    event = _event(call, told, told.event_id, payload)
    return _Signed(event, (b"nonce " + nonce.encode(), b"signed " + signed))


def _read_standard(call: Call, body: bytes) -> _Signed:
    """An event as Standard Webhooks sign it, its id included, so that it needs no nonce. Raises Refused as `_read`."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    event_id, timestamp, signatures = (_given(call, name, call.headers.get(name) or "") for name in names)
    # A point stands between the parts that are signed, so that it can be in none.
    if not _VISIBLE.fullmatch(event_id) or "." in event_id:
        _refuse(call, "The id of a webhook is 1 to 128 visible ASCII characters without a point.")
    _check_time(call, timestamp)
    signed = b"%s.%s.%s" % (event_id.encode(), timestamp.encode(), body)
    if not is_signed_as_standard(call.gate.webhook_secrets, signed, signatures):
        _unsigned(call)
    told = decode(call.headers, body, _events, EXAMPLE)
    return _Signed(_event(call, told, event_id, bytes(told.payload)))


def _event(call: Call, told: _Event, event_id: str, payload: bytes) -> Webhook:
    """What the worker is told."""
    if not payload.startswith(b"{"):
        _refuse(call, "The payload must be an object.")
    named = {"event_id": event_id, "order_id": told.order_id, "type": told.type}
    ids = {name: _given(call, name, text) for name, text in named.items()}
    return Webhook(source=G2A, **ids, payload=msgspec.Raw(payload))


def _check_text(call: Call, body: bytes, order_id: str) -> None:
    """Refuse what two readers could read differently: a member that stands twice, what is no UTF-8, and an order other
    than the one that the payload names, which is signed in either scheme."""
    try:
        payload = json.loads(body.decode(), object_pairs_hook=_members, parse_int=str, parse_float=str)["payload"]
    except (ValueError, RecursionError):
        _refuse(call, "The body must be UTF-8, and no member of an object may stand in it twice.")
    if any(payload.get(name, order_id) != order_id for name in ("order_id", "orderId")):
        _refuse(call, "The payload is about another order than the event.")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _check_time(call: Call, timestamp: str) -> None:
    if not is_timely(timestamp):
        message = f"The timestamp must be now, to {TOLERANCE_S} seconds, in seconds or milliseconds since 1970."
        refuse(call.request_id, 400, "BAD_TIMESTAMP", message)


def _either(call: Call, name: str, in_body: str) -> str:
    """What stands in the body or in the header of its name."""
    in_head = call.headers.get(f"x-g2a-{name}") or ""
    if in_head and in_body and in_head != in_body:
        _refuse(call, f"The head of the request and its body carry two different values as {name}; send one.")
    return _given(call, name, in_body or in_head)


def _given(call: Call, name: str, text: str) -> str:
    if not text:
        refuse(call.request_id, 400, "MISSING_FIELD", f"The event has no {name}. Send JSON such as {EXAMPLE}.")
    return text


def _unsigned(call: Call) -> NoReturn:
    refuse(call.request_id, 400, "BAD_SIGNATURE", "The signature is not that of this event with a secret of ours.")


def _refuse(call: Call, message: str) -> NoReturn:
    refuse(call.request_id, 400, "BAD_REQUEST", message)
