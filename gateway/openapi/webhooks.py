"""How the route of webhooks is described."""

from gateway.openapi.envelopes import api, json_body, success
from gateway.openapi.problems import TOO_LARGE_A_FORM, Problem
from gateway.openapi.schemas import Part, record, ref
from gateway.webhook_signatures import TOLERANCE_S
from gateway.webhooks import EXAMPLE

FAMILY = "Webhooks"
SIGNATURE = "5f1d7c0e9b2a4f68" * 4
SENT_AT = "1795000000000"
"""What stands in the examples for a signature, and for when it was made."""
_COMPLETED = {
    "event_id": "e-1",
    "order_id": "80201019921771",
    "type": "order.completed",
    "payload": {"status": "completed"},
    "signature": SIGNATURE,
    "nonce": "n-1",
    "timestamp": SENT_AT,
}


def _taken(message: str) -> Part:
    return {"success": True, "message": message}


PATHS: Part = {
    "/api/webhooks/g2a": {
        "post": api(
            "takeG2AEvent",
            "What G2A tells of an order, signed by it. Any other answer than 200, 202 and 409: send it again.",
            FAMILY,
            {
                "200": success(
                    "The event is done, and is done once.",
                    "TakenEvent",
                    processed=_taken("The event is processed."),
                    ignored=_taken("Events of this type, or with this status, change nothing here."),
                ),
                "202": success(
                    "The event is kept, and done as soon as its order is known.",
                    "TakenEvent",
                    parked=_taken("The order is not known yet. The event is kept, and is tried again."),
                ),
            },
            Problem(
                400, "BAD_REQUEST", f"Expected `str`, got `int`, in the field event_id. Send JSON such as {EXAMPLE}."
            ),
            Problem(400, "MISSING_FIELD", f"The event has no nonce. Send JSON such as {EXAMPLE}."),
            Problem(
                400,
                "BAD_TIMESTAMP",
                f"The timestamp must be now, to {TOLERANCE_S} seconds, in seconds or milliseconds since 1970.",
            ),
            Problem(400, "BAD_SIGNATURE", "The signature is not that of this event with a secret of ours."),
            Problem(400, "REPLAYED_NONCE", "The nonce has come with another event; send a new one."),
            Problem(409, "EVENT_ALREADY_PROCESSED", "This event was here before, and is done once.", "none"),
            Problem(503, "WEBHOOKS_OFF"),
            TOO_LARGE_A_FORM,
            audience="anybody",
            # It waits for its worker, whatever its sender prefers.
            cached=True,
            body=json_body("G2AEvent", _COMPLETED),
            parameters=[
                ref("parameters", name)
                for name in (
                    "EventSignature",
                    "EventNonce",
                    "EventTimestamp",
                    "WebhookId",
                    "WebhookTimestamp",
                    "WebhookSignature",
                )
            ],
        )
    }
}
_VISIBLE: Part = {"type": "string", "pattern": "^[!-~]{1,128}$"}
_DIGITS: Part = {"type": "string", "pattern": "^[0-9]{10}([0-9]{3})?$"}
_HEX: Part = {"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"}
SCHEMAS: Part = {
    "G2AEvent": record(
        {
            "event_id": _VISIBLE,
            "order_id": {**_VISIBLE, "description": "The order at G2A."},
            "type": {**_VISIBLE, "description": "`order.status_changed`, `order.completed`, `order.failed`, or more."},
            "payload": {
                "type": "object",
                "description": "`status` is one of pending, processing, completed, failed and cancelled.",
            },
            "signature": _HEX,
            "nonce": _VISIBLE,
            "timestamp": {"anyOf": [_DIGITS, {"type": "integer", "minimum": 1_000_000_000}]},
        },
        "event_id",
        "signature",
        "nonce",
        "timestamp",
        text="What is not here is a header: of the contract, or as Standard Webhooks have it.",
    ),
    "TakenEvent": record({"success": {"const": True}, "message": {"type": "string"}}),
}


def _header(name: str, text: str, schema: Part) -> Part:
    return {"name": name, "in": "header", "description": text, "schema": schema}


PARAMETERS: Part = {
    "EventSignature": _header("X-G2A-Signature", "`signature`, where it is not in the body.", {"type": "string"}),
    "EventNonce": _header("X-G2A-Nonce", "`nonce`, where it is not in the body.", {"type": "string"}),
    "EventTimestamp": _header("X-G2A-Timestamp", "`timestamp`, where it is not in the body.", {"type": "string"}),
    "WebhookId": _header("webhook-id", "With Standard Webhooks: the id of the event.", {"type": "string"}),
    "WebhookTimestamp": _header("webhook-timestamp", "With Standard Webhooks: when it was sent.", {"type": "string"}),
    "WebhookSignature": _header("webhook-signature", "With Standard Webhooks: `v1,...`.", {"type": "string"}),
}
