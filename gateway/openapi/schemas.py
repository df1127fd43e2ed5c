"""The parts that the OpenAPI document is made of: schemas, parameters, headers, answers that many routes share."""

from typing import Any

from contract.messages import ID_LENGTH_MAX, KEY_LENGTH_MAX, QUANTITY_MAX
from gateway.body import SALE_BODY_MAX
from gateway.head import URL_LENGTH_MAX
from gateway.replying import NOT_READY_MESSAGE, OVERLOADED_MESSAGE

Part = dict[str, Any]

ORDER_ID = "019a6f3c-5e21-7000-9c41-8d2f6b7a1e05"


def ref(kind: str, name: str) -> Part:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def record(fields: Part, *optional: str, text: str = "") -> Part:
    """The schema of an object whose fields are all required but the optional ones."""
    required = [name for name in fields if name not in optional]
    return {"type": "object", "properties": fields, "required": required, **({"description": text} if text else {})}


def word(*words: str) -> Part:
    """One of these words."""
    return {"const": words[0]} if len(words) == 1 else {"enum": list(words)}


def answer(text: str, schema: str, examples: Part, *headers: str) -> Part:
    """A JSON response; `examples` are bodies by name."""
    content = {"schema": ref("schemas", schema), "examples": {name: {"value": body} for name, body in examples.items()}}
    return {"description": text, "headers": _named(headers), "content": {"application/json": content}}


def error(text: str, *messages: str, headers: tuple[str, ...] = ()) -> Part:
    """A response in the form that every refusal has; its examples are named after their first words."""
    examples = {_name(message): {"status": "error", "msg": message} for message in messages}
    return answer(text, "Refusal", examples, *headers)


def responses(**others: Part) -> Part:
    """The responses of a route: its own, written `s200=...`, and those that every route has."""
    shared = {"400": "BadFraming", "414": "TooLong", "500": "Bug"}
    own = {status[1:]: part for status, part in others.items()}
    return dict(sorted({**{status: ref("responses", name) for status, name in shared.items()}, **own}.items()))


def guarded(**others: Part) -> Part:
    """The responses of a route that passes the token bucket."""
    refs = {"s302": "Diverted", "s429": "Crowded", "s503": "NotReady"}
    return responses(**{status: ref("responses", name) for status, name in refs.items()}, **others)


def with_body(**others: Part) -> Part:
    """The responses of a route that reads a body, beside its own."""
    refs = {"s408": "TooSlow", "s413": "TooLarge", "s415": "WrongType"}
    return {status: ref("responses", name) for status, name in refs.items()} | others


def route(name: str, summary: str, responses: Part, *parameters: str, family: str = "Sale", **more: Any) -> Part:
    """One route; `parameters` are names of components."""
    given = [ref("parameters", parameter) for parameter in (*parameters, "RequestId")]
    head = {"operationId": name, "summary": summary, "tags": [family]}
    return {**head, "parameters": given, **more, "responses": responses}


def body(schema: str, example: Part) -> Part:
    """A body of JSON."""
    content = {"application/json": {"schema": ref("schemas", schema), "example": example}}
    return {"required": True, "content": content}


def query(name: str, text: str) -> Part:
    """A parameter of the query that may be repeated."""
    many = {"type": "array", "items": {"type": "string"}}
    return {"name": name, "in": "query", "description": text, "required": False, "schema": many}


def _name(message: str) -> str:
    return "-".join(word.strip(",.:`") for word in message.lower().split()[:5])


def _named(headers: tuple[str, ...]) -> Part:
    return {name: ref("headers", name) for name in (*headers, "X-Request-Id")}


TEXT: Part = {"type": "string"}
_UNITS: Part = {"type": "integer", "minimum": 0, "maximum": QUANTITY_MAX}
_IDENTIFIER: Part = {
    "type": "string",
    "minLength": 1,
    "maxLength": ID_LENGTH_MAX,
    "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
    "description": "Any characters but control characters.",
}
_ORDER_ID: Part = {"type": "string", "format": "uuid", "description": "A UUID of version 7. It cannot be guessed."}
_ONE_OR_MORE: Part = {"type": "integer", "minimum": 1, "maximum": QUANTITY_MAX}

SCHEMAS: Part = {
    "Identifier": _IDENTIFIER,
    "OrderId": _ORDER_ID,
    "OrderRequest": record(
        {
            "productId": ref("schemas", "Identifier"),
            "userId": ref("schemas", "Identifier"),
            "quantity": {**_ONE_OR_MORE, "default": 1},
        },
        "quantity",
    )
    | {"additionalProperties": False},
    "SaleRequest": record(
        {
            "productId": ref("schemas", "Identifier"),
            "quantity": _UNITS,
            "maxPerUser": {
                **_ONE_OR_MORE,
                "type": ["integer", "null"],
                "description": "Units that one buyer may have; any number without it.",
            },
        },
        "maxPerUser",
    )
    | {"additionalProperties": False},
    "Accepted": record({"status": word("success"), "msg": TEXT, "orderId": ref("schemas", "OrderId")}),
    "Duplicate": record({"status": word("ignored"), "msg": TEXT, "orderId": ref("schemas", "OrderId")}),
    "Decision": {"oneOf": [ref("schemas", "Accepted"), ref("schemas", "Duplicate")]},
    "SoldOut": record({"status": word("sold_out"), "msg": TEXT, "available": _UNITS}, "available"),
    "LimitReached": record({"status": word("limit_reached"), "msg": TEXT, "limit": _ONE_OR_MORE}),
    "Conflict": {"oneOf": [ref("schemas", "SoldOut"), ref("schemas", "LimitReached")]},
    "MissingKey": record({"error": word("Missing Idempotency Key")}),
    "Refusal": record({"status": word("error"), "msg": TEXT}, text="`msg` says in a sentence what to change."),
    "BadOrder": {"oneOf": [ref("schemas", "MissingKey"), ref("schemas", "Refusal")]},
    "Done": record({"status": word("ok"), "msg": TEXT}),
    "Healthy": record({"status": word("ok")}),
    "OrderStatus": record(
        {
            "status": word("ok"),
            "orderId": ref("schemas", "OrderId"),
            "productId": ref("schemas", "Identifier"),
            "userId": ref("schemas", "Identifier"),
            "quantity": _ONE_OR_MORE,
            "state": word("accepted", "persisted", "fulfilled", "cancelled", "failed"),
            "acceptedAt": {"type": "string", "format": "date-time"},
        }
    ),
    "Cancelled": record({"status": word("cancelled"), "orderId": ref("schemas", "OrderId")}),
    "NotCancelled": record({"status": word("fulfilled", "failed"), "msg": TEXT, "orderId": ref("schemas", "OrderId")}),
    "Inventory": record(
        {"status": word("ok"), "productId": ref("schemas", "Identifier"), "quantity": _UNITS, "available": _UNITS}
    ),
    "Room": record(
        {
            "status": word("open", "busy", "sold_out"),
            "retryAfterMs": {"type": "integer", "minimum": 0, "description": "When it makes sense to ask again."},
            "msg": TEXT,
        }
    ),
    "StockEvent": record(
        {
            "type": word("inventory"),
            "productId": ref("schemas", "Identifier"),
            "available": _UNITS,
            "quantity": _UNITS,
        }
    ),
    "OrderEvent": record(
        {
            "type": word("order"),
            "productId": TEXT,
            "state": word("accepted", "persisted", "fulfilled", "cancelled", "failed"),
            "orderId": {**_ORDER_ID, "description": "Only for a watcher that named this order."},
        },
        "orderId",
    ),
    "Event": {"oneOf": [ref("schemas", "StockEvent"), ref("schemas", "OrderEvent")]},
}

_KEY_SCHEMA: Part = {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX, "pattern": "^[!-~]*$"}
_KEY_TEXT = (
    "Unique to the intention of one order; repeat it with every retry. Bare or in double quotes, 1 to "
    f"{KEY_LENGTH_MAX} visible ASCII characters. One of the two names is needed; both must agree."
)


def _parameter(name: str, where: str, text: str, schema: Part, **more: Any) -> Part:
    return {"name": name, "in": where, "description": text, "required": where == "path", "schema": schema, **more}


PARAMETERS: Part = {
    "XIdempotencyKey": _parameter("x-idempotency-key", "header", _KEY_TEXT, _KEY_SCHEMA),
    "IdempotencyKey": _parameter("Idempotency-Key", "header", _KEY_TEXT, {"type": "string"}),
    "RequestId": _parameter(
        "X-Request-Id",
        "header",
        "Comes back in the answer and in our logs, if it has 1 to 64 letters, digits and any of `_.:-`; any other is "
        "replaced.",
        {"type": "string"},
    ),
    "AdminKey": _parameter(
        "X-Admin-Key", "header", "The operator's key, where FLUXGATE_ADMIN_KEY sets one.", {"type": "string"}
    ),
    "Accept": _parameter(
        "Accept",
        "header",
        "A client that names JSON above HTML gets 429 where others are redirected to the waiting room.",
        {"type": "string"},
    ),
    "OrderId": _parameter("orderId", "path", "As the accept gave it.", ref("schemas", "OrderId")),
    "ProductId": _parameter(
        "productId", "path", "Percent-encoded; may contain slashes.", ref("schemas", "Identifier"), example="ps5-disc"
    ),
}

HEADERS: Part = {
    "X-Request-Id": {"description": "Names this request in our logs.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds, spread at random.", "schema": {"type": "integer", "minimum": 1}},
    "Idempotent-Replayed": {"description": "This answer is of an earlier request.", "schema": word("true")},
    "Location": {"description": "The waiting room.", "schema": {"type": "string", "format": "uri"}},
    "Cache-Control": {"description": "What is told here is true for a moment.", "schema": word("no-store")},
    "Upgrade": {"description": "The protocol that this route speaks.", "schema": word("websocket")},
}

_CROWDED = "The sale is crowded. Come back later with the same key."

RESPONSES: Part = {
    "Diverted": {
        "description": "There is no token for this request. Nothing was taken, and no key was used up.",
        "headers": _named(("Location", "Cache-Control")),
    },
    "Crowded": error("The same for a client that prefers JSON.", _CROWDED, headers=("Retry-After", "Cache-Control")),
    "NoProduct": error("There is no such sale.", "There is no sale of this product."),
    "BadProduct": error(
        "The product id is malformed.", f"A product id has 1 to {ID_LENGTH_MAX} characters and no control characters."
    ),
    "NoOrder": error("There is no such order.", "There is no order of this id."),
    "TooSlow": error("The body took too long.", "The body did not arrive within 5 seconds."),
    "TooLarge": error("The body is too large.", f"The body is larger than {SALE_BODY_MAX} bytes."),
    "TooLong": error("The URL is too long.", f"The URL is longer than {URL_LENGTH_MAX} bytes."),
    "BadFraming": error("The request is malformed.", "Send exactly one Host header."),
    "WrongType": error(
        "The body is of another type.", "Send the body as JSON with the header Content-Type: application/json."
    ),
    "NotReady": error(
        "Redis is away, or a named limit is reached. Repeat the request later, an order with the same key.",
        NOT_READY_MESSAGE,
        OVERLOADED_MESSAGE,
        headers=("Retry-After", "Cache-Control"),
    ),
    "Bug": error(
        "Something is wrong on our side.",
        "Something is wrong on our side. Repeat the request with the same key.",
        headers=("Cache-Control",),
    ),
}
