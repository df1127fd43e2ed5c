"""How the routes for the catalogue of G2A are described. They answer in the form of that contract: a success stands by
itself, and of a refusal there is only `error`."""

from copy import deepcopy
from typing import Any

from contract.g2a import CHOSEN_MAX, PRODUCT_ID, QUANTITY_MAX, SyncBody
from gateway.g2a import SYNC_EXAMPLE
from gateway.openapi.envelopes import api, json_body, struct_schemas
from gateway.openapi.problems import INSTANT, RESPONSES, Problem
from gateway.openapi.schemas import TEXT, Part, answer, record, ref, word

FAMILY = "G2A"
_COUNT: Part = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Part = {"type": ["integer", "null"], "minimum": 0}
_TEXT_OR_NULL: Part = {"type": ["string", "null"]}
_FLAG: Part = {"type": "boolean"}
_INSTANT: Part = ref("schemas", "Instant")
_KIND = word("full", "incremental", "chosen")
_RESULT: Part = {
    "success": _FLAG,
    **dict.fromkeys(
        ("synced", "added", "updated", "removed", "categoriesCreated", "genresCreated", "platformsCreated"), _COUNT
    ),
    "errors": {
        "type": "array",
        "items": record({"productId": TEXT, "error": TEXT}),
        "description": "The first hundred products that could not be written, and why.",
    },
    "errorCount": {**_COUNT, "description": "How many there were in all."},
}
_RESULT_EXAMPLE: Part = {
    "success": True,
    "synced": 20,
    "added": 20,
    "updated": 0,
    "removed": 0,
    "categoriesCreated": 10,
    "genresCreated": 0,
    "platformsCreated": 5,
    "errors": [],
    "errorCount": 0,
}
_ENDED = {"kind": "full", "beganAt": INSTANT, "endedAt": INSTANT, **_RESULT_EXAMPLE, "code": None, "message": None}
_STATUS_EXAMPLE = {
    "lastSync": INSTANT,
    "totalProducts": 20,
    "inStock": 18,
    "outOfStock": 2,
    "syncInProgress": False,
    "progress": None,
    "lastResult": _ENDED,
}

_SAID = ": The sandbox was told to refuse this."
RATE_LIMIT = Problem(
    429, "G2A_RATE_LIMIT", "G2A has answered 429 (RATE_LIMIT_EXCEEDED)" + _SAID, "retry_later", retryable=True
)
AUTH_FAILED = Problem(502, "G2A_AUTH_FAILED", "G2A has answered 401 (UNAUTHORIZED)" + _SAID, "contact_support")
BAD_ANSWER = Problem(
    502, "G2A_API_ERROR", "G2A has answered 400 (BAD_REQUEST)" + _SAID, "contact_support", name="refused"
)
UPSET = Problem(503, "G2A_API_ERROR", "G2A has answered 500 (INTERNAL_ERROR)" + _SAID, "retry_later", retryable=True)
TIMEOUT = Problem(503, "G2A_TIMEOUT", "G2A did not answer within 4 s.", "retry_later", retryable=True)


def _alone(operation: Part) -> Part:
    """An operation whose refusals have no envelope; what it shares with others it then has for itself."""
    for status, response in operation["responses"].items():
        if int(status) < 400:
            continue
        own = deepcopy(RESPONSES[response["$ref"].rpartition("/")[2]] if "$ref" in response else response)
        content = own["content"]["application/json"]
        content["schema"]["allOf"][0] = ref("schemas", "FailureAlone")
        for example in content["examples"].values():
            example["value"] = {"error": example["value"]["error"]}
        operation["responses"][status] = own
    return operation


def _done(text: str, schema: str, *headers: str, **examples: Any) -> Part:
    """A success, as it stands."""
    return answer(text, schema, examples, "Cache-Control", *headers)


_SYNC = api(
    "syncG2A",
    "Bring the catalogue of G2A into the store: what has changed, all of it with what is gone, or some products. "
    "One sync is at work at a time.",
    FAMILY,
    {"200": _done("What came of it.", "G2ASynced", synced=_RESULT_EXAMPLE)},
    Problem(
        400,
        "BAD_REQUEST",
        f"Expected `array` of length <= {CHOSEN_MAX}, in the field productIds. Send JSON such as {SYNC_EXAMPLE}.",
    ),
    Problem(
        409,
        "SYNC_IN_PROGRESS",
        "Another sync is at work. Its progress stands at /api/admin/g2a/status.",
        "retry_later",
        retryable=True,
    ),
    AUTH_FAILED,
    RATE_LIMIT,
    Problem(502, "G2A_API_ERROR"),
    Problem(503, "G2A_API_ERROR"),
    Problem(503, "G2A_TIMEOUT"),
    Problem(503, "SYNC_ABANDONED"),
    audience="administrators",
    writes=True,
    body=json_body("SyncBody", {"fullSync": True, "includeRelationships": True}, required=False),
)
_STATUS = api(
    "readG2AStatus",
    "What there is of G2A's catalogue, how far a sync is that is at work, and what came of the last one.",
    FAMILY,
    {"200": _done("As it is now.", "G2AStatus", status=_STATUS_EXAMPLE)},
    audience="administrators",
)
_STOCK = api(
    "readG2AStock",
    "How many units of a product G2A has, or had within the last five minutes.",
    FAMILY,
    {"200": _done("What there is.", "G2AStock", "Age", stock={"available": True, "stock": 12})},
    Problem(400, "BAD_REQUEST", f"quantity is a whole number from 1 to {QUANTITY_MAX}."),
    Problem(404, "G2A_PRODUCT_NOT_FOUND", "G2A has answered 404 (NOT_FOUND): There is no such product."),
    Problem(409, "G2A_OUT_OF_STOCK", "G2A has 12 of this product, fewer than were asked for.", "lower_quantity"),
    RATE_LIMIT,
    Problem(502, "G2A_AUTH_FAILED"),
    BAD_ANSWER,
    UPSET,
    TIMEOUT,
    audience="administrators",
    cached=True,
    parameters=[ref("parameters", "G2AProductId"), ref("parameters", "G2AQuantity")],
)

PATHS: Part = {
    "/api/admin/g2a/sync": {"post": _alone(_SYNC)},
    "/api/admin/g2a/status": {"get": _alone(_STATUS)},
    "/api/admin/g2a/stock/{productId}": {"get": _alone(_STOCK)},
}
SCHEMAS: Part = {
    **struct_schemas(SyncBody),
    "FailureAlone": record(
        {
            "error": record(
                {
                    "code": {"type": "string", "description": "What a program goes by."},
                    "message": TEXT,
                    "details": record({"retryable": _FLAG, "suggestedAction": TEXT}),
                }
            )
        }
    ),
    "G2ASynced": record(_RESULT),
    "G2AStock": record({"available": _FLAG, "stock": _COUNT}),
    "G2AStatus": record(
        {
            "lastSync": {"anyOf": [_INSTANT, {"type": "null"}]},
            **dict.fromkeys(("totalProducts", "inStock", "outOfStock"), _COUNT),
            "syncInProgress": _FLAG,
            "progress": {
                "anyOf": [
                    record(
                        {
                            "kind": _KIND,
                            "beganAt": _INSTANT,
                            "page": {**_COUNT, "description": "Pages that are done; products, where some were chosen."},
                            "pages": _COUNT_OR_NULL,
                            "missingAsked": {**_COUNT, "description": "Products on no page that were asked for."},
                            **dict.fromkeys(("synced", "added", "updated", "removed", "errorCount"), _COUNT),
                        }
                    ),
                    {"type": "null"},
                ]
            },
            "lastResult": {
                "anyOf": [
                    record(
                        {
                            "kind": _KIND,
                            "beganAt": _INSTANT,
                            "endedAt": _INSTANT,
                            **_RESULT,
                            "code": _TEXT_OR_NULL,
                            "message": _TEXT_OR_NULL,
                        }
                    ),
                    {"type": "null"},
                ]
            },
        }
    ),
}
PARAMETERS: Part = {
    "G2AProductId": {
        "name": "productId",
        "in": "path",
        "required": True,
        "description": "As G2A has it.",
        "schema": {"type": "string", "pattern": PRODUCT_ID.replace("\\Z", "$")},
        "example": "10000000001000",
    },
    "G2AQuantity": {
        "name": "quantity",
        "in": "query",
        "description": "Units that are wanted: 409 where there are fewer.",
        "schema": {"type": "integer", "minimum": 1, "maximum": QUANTITY_MAX},
    },
}
