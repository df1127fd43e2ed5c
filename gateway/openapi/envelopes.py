"""How a route of /api is described: by what it does, for whom, and by the problems that it may answer with."""

from collections.abc import Iterable
from typing import Any, Literal, cast

import msgspec

from contract.games import PRICE_MAX
from gateway.openapi.problems import (
    BAD_SESSION,
    BAD_TOKEN,
    BUG,
    CROSS_SITE,
    DATABASE_AWAY,
    EXPIRED,
    LATER,
    LOGGED_OUT,
    MALFORMED_HEAD,
    NO_ADMIN,
    NOT_JSON,
    TOO_LARGE,
    TOO_LARGE_A_FORM,
    TOO_SLOW,
    URL_TOO_LONG,
    Problem,
    place,
    refusal,
)
from gateway.openapi.problems import RESPONSES as REFUSALS
from gateway.openapi.schemas import ORDER_ID, TEXT, Part, record, ref, word

Audience = Literal["anybody", "guests", "people", "administrators"]


def api(
    name: str,
    summary: str,
    family: str,
    done: dict[str, Part],
    *problems: Problem,
    audience: Audience,
    writes: bool = False,
    cached: bool = False,
    body: Part | None = None,
    parameters: Iterable[Part] = (),
) -> Part:
    """A route of /api: `done` are its successes by status, `problems` those that it does not share with its like.

    Whoever writes is asked for the page that he writes from; whoever sends a body may send a wrong one; what is cached
    waits for its worker, whatever its client prefers.
    """
    if body is not None:
        problems += (TOO_LARGE, TOO_SLOW, NOT_JSON) if TOO_LARGE_A_FORM not in problems else (TOO_SLOW, NOT_JSON)
    problems += _problems_of(audience, writes)
    by_status: dict[int, list[Problem]] = {}
    for problem in sorted({*problems, MALFORMED_HEAD, URL_TOO_LONG, BUG, LATER, DATABASE_AWAY, EXPIRED}, key=place):
        by_status.setdefault(problem.status, []).append(problem)
    refusals = {str(status): refusal(tuple(found)) for status, found in by_status.items()}
    later = {} if cached else {"202": ref("responses", "Pending")}
    given = [
        *parameters,
        *(ref("parameters", name) for name in (*(() if cached else ("Prefer",)), "TraceParent", "RequestId")),
    ]
    if audience == "guests":
        given.insert(0, ref("parameters", "SessionId"))
    return {
        "operationId": name,
        "summary": f"{summary} For administrators." if audience == "administrators" else summary,
        "tags": [family],
        "parameters": given,
        **({"requestBody": body} if body is not None else {}),
        **({"security": _SECURITY[audience]} if audience in _SECURITY else {}),
        "responses": dict(sorted({**refusals, **later, **done}.items())),
    }


_TOKENS: list[Part] = [{"bearer": []}, {"cookie": []}]
_SECURITY: dict[str, list[Part]] = {
    "guests": [{}, *_TOKENS],
    "people": _TOKENS,
    "administrators": [*_TOKENS, {"operator": []}],
}


def _problems_of(audience: Audience, writes: bool) -> tuple[Problem, ...]:
    """What a route of such an audience may refuse whoever it does not expect."""
    if audience == "anybody":
        return ()
    found = (BAD_SESSION, BAD_TOKEN, *((CROSS_SITE,) if writes else ()))
    if audience != "guests":
        found += (LOGGED_OUT,)
    return (*found, NO_ADMIN) if audience == "administrators" else found


def success(text: str, schema: str | Part, *headers: str, **examples: Any) -> Part:
    """A success with its data, which is a schema or the name of one; `examples` are data by name."""
    data = ref("schemas", schema) if isinstance(schema, str) else schema
    shown = {name.replace("_", "-"): {"value": {"status": "success", "data": own}} for name, own in examples.items()}
    return _success(text, record({"status": word("success"), "data": data}), headers, shown)


def listing(text: str, schema: str, *headers: str, **examples: Any) -> Part:
    """A page of a list, whose results have the schema of this name; `examples` are whole bodies."""
    results = {"type": "array", "items": ref("schemas", schema)}
    page = record({"results": results, "pagination": ref("schemas", "Pagination")})
    return _success(text, page, headers, {name: {"value": own} for name, own in examples.items()})


def _success(text: str, schema: Part, headers: Iterable[str], examples: Part) -> Part:
    names = dict.fromkeys((*headers, "Cache-Control", "X-Request-Id"))
    content = {"schema": schema, **({"examples": examples} if examples else {})}
    own = {name: ref("headers", name) for name in names}
    return {"description": text, "headers": own, "content": {"application/json": content}}


def pending(late_key: str = "") -> Part:
    """The 202 of a command; where its answer is sealed, the URL ends with the key."""
    url = f"/api/commands/{ORDER_ID}.{late_key}" if late_key else f"/api/commands/{ORDER_ID}"
    text = "It takes longer than the client wants to wait. It is being done, and its answer can be had at `url`."
    found = success(
        text, "Waiting", "Retry-After", "Set-Cookie", "X-Session-Id", pending={"state": "pending", "url": url}
    )
    found["headers"]["Location"] = ref("headers", "CommandLocation")
    return found


def json_body(schema: str, example: Any, *, required: bool = True) -> Part:
    """A body of JSON with the schema of this name."""
    return {
        "required": required,
        "content": {"application/json": {"schema": ref("schemas", schema), "example": example}},
    }


def struct_schemas(*structs: type[msgspec.Struct]) -> Part:
    """The schemas of what is decoded, with the limits that it is decoded with."""
    _, schemas = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    return {name: _plain(schema) for name, schema in schemas.items()}


def _plain(schema: Any) -> Any:
    """A schema as other languages read it: their end of a text, and money as the number or the text that it may be."""
    if isinstance(schema, list):
        return [_plain(item) for item in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    plain: Part = {}
    for name, own in cast(Part, schema).items():
        # A title only repeats the name; but a field may be called so.
        if name != "title" or not isinstance(own, str):
            plain[name] = own.replace("\\Z", "$") if name == "pattern" and isinstance(own, str) else _plain(own)
    return ref("schemas", "Amount") if plain.get("format") == "decimal" else plain


AMOUNT: Part = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": float(PRICE_MAX)},
        {"type": "string", "pattern": "^[0-9]{1,10}([.][0-9]{1,2})?$"},
    ],
    "description": "Money, with at most two decimals.",
}
SCHEMAS: Part = {
    "Amount": AMOUNT,
    "Money": {"type": "number", "minimum": 0, "description": "An amount with two decimals."},
    "GameId": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "Instant": {"type": "string", "format": "date-time"},
    "Pagination": record(
        {
            name: {"type": "integer", "minimum": 1 if name in ("page", "limit") else 0}
            for name in ("page", "limit", "total", "pages")
        }
    ),
    "Failure": record(
        {
            "status": word("error"),
            "error": record(
                {
                    "code": {"type": "string", "description": "What a program goes by."},
                    "message": TEXT,
                    "details": record({"retryable": {"type": "boolean"}, "suggestedAction": TEXT}),
                }
            ),
            "metadata": record({"requestId": TEXT, "timestamp": ref("schemas", "Instant")}),
        },
        text="`message` says in a sentence what to change.",
    ),
    "Waiting": record({"state": word("pending"), "url": TEXT}),
}
PARAMETERS: Part = {
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=n`: wait n seconds for the answer, 30 at most. `respond-async`: do not wait at all.",
        "schema": TEXT,
    },
    "TraceParent": {
        "name": "traceparent",
        "in": "header",
        "description": "The trace that the request belongs to, as W3C has it; it goes with the command to its worker.",
        "schema": TEXT,
    },
    "SessionId": {
        "name": "X-Session-Id",
        "in": "header",
        "description": "The session of a guest, where no cookie `guest_session` has it. Empty, it counts as not sent.",
        "schema": {"type": "string", "pattern": "^([0-9a-f]{32})?$"},
    },
}
HEADERS: Part = {
    "Set-Cookie": {
        "description": "Tokens and guest sessions, for browsers: HttpOnly, Secure, SameSite.",
        "schema": TEXT,
    },
    "WWW-Authenticate": {"description": "Which token is asked for.", "schema": TEXT},
    "Age": {"description": "Seconds since this was read.", "schema": {"type": "integer", "minimum": 0}},
    "X-Session-Id": {"description": "The session that this guest has now.", "schema": TEXT},
    "CommandLocation": {"description": "Where the answer can be had.", "schema": TEXT},
}
RESPONSES: Part = REFUSALS | {"Pending": pending()}
SECURITY_SCHEMES: Part = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session_token"},
    "operator": {"type": "apiKey", "in": "header", "name": "X-Admin-Key"},
}
