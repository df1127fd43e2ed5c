"""The problems that routes of /api answer with, and how a refusal is described.

A problem with a message is an example of the document, and the tests provoke it on every route that has it. One without
is only named among the codes: a fault of a server, which no request brings about.
"""

from typing import NamedTuple

from gateway.body import API_BODY_MAX, SALE_BODY_MAX
from gateway.head import URL_LENGTH_MAX
from gateway.identity import CROSS_SITE as OF_ANOTHER_SITE
from gateway.openapi.schemas import Part, ref, word

INSTANT = "2026-11-27T08:00:00.000Z"
REQUEST_ID = "a-request"


class Problem(NamedTuple):
    """One way to refuse, as the error envelope has it. `name` is that of its example, where its code is not enough."""

    status: int
    code: str
    message: str = ""
    action: str = "correct_request"
    name: str = ""
    retryable: bool = False

    @property
    def example(self) -> str:
        """The name of its example."""
        return self.name or self.code.lower().replace("_", "-")


MALFORMED_HEAD = Problem(400, "BAD_REQUEST", "Send exactly one Host header.", name="malformed-head")
URL_TOO_LONG = Problem(414, "URL_TOO_LONG", f"The URL is longer than {URL_LENGTH_MAX} bytes.")
BUG = Problem(500, "INTERNAL", "Something is wrong on our side, and nothing was changed.", "contact_support")
LATER = Problem(
    503,
    "SERVICE_UNAVAILABLE",
    "The service does not answer, and nothing is promised. Repeat the request.",
    "retry_later",
    retryable=True,
)
DATABASE_AWAY = Problem(503, "DATABASE_UNAVAILABLE")
EXPIRED = Problem(503, "EXPIRED")
KEYS_DIFFER = Problem(503, "KEYS_DIFFER")
LOGGED_OUT = Problem(401, "UNAUTHORIZED", "This route is for people who have logged in.")
BAD_TOKEN = Problem(401, "INVALID_TOKEN", "The access token is not a JWT.", "refresh_token")
BAD_SESSION = Problem(400, "INVALID_SESSION", "A guest session has 32 hexadecimal digits, and is made by this service.")
CROSS_SITE = Problem(403, "CROSS_SITE", OF_ANOTHER_SITE)
NO_ADMIN = Problem(403, "FORBIDDEN", "This route is for administrators.")
TOO_SLOW = Problem(408, "REQUEST_TIMEOUT", "The body did not arrive within 5 seconds.")
TOO_LARGE = Problem(413, "BODY_TOO_LARGE", f"The body is larger than {API_BODY_MAX} bytes.")
TOO_LARGE_A_FORM = Problem(413, "BODY_TOO_LARGE", f"The body is larger than {SALE_BODY_MAX} bytes.")
NOT_JSON = Problem(
    415, "UNSUPPORTED_MEDIA_TYPE", "Send the body as JSON with the header Content-Type: application/json."
)

SHARED: dict[str, tuple[Problem, ...]] = {
    "Malformed": (MALFORMED_HEAD,),
    "MalformedOrBadSession": (MALFORMED_HEAD, BAD_SESSION),
    "LoggedOut": (LOGGED_OUT, BAD_TOKEN),
    "BadToken": (BAD_TOKEN,),
    "CrossSite": (CROSS_SITE,),
    "NoAdmin": (CROSS_SITE, NO_ADMIN),
    "BodyTooSlow": (TOO_SLOW,),
    "BodyTooLarge": (TOO_LARGE,),
    "FormTooLarge": (TOO_LARGE_A_FORM,),
    "UrlTooLong": (URL_TOO_LONG,),
    "NoJson": (NOT_JSON,),
    "Fault": (BUG,),
    "Later": (LATER, DATABASE_AWAY, EXPIRED),
    "LaterOrKeysDiffer": (LATER, DATABASE_AWAY, EXPIRED, KEYS_DIFFER),
}
_MEANINGS = {
    400: "The request is malformed, or asks for what cannot be; nothing was changed.",
    401: "We do not know who asks, or do not any more.",
    403: "Whoever asks may not do this.",
    404: "There is no such thing here.",
    408: "The body took too long.",
    409: "It does not agree with how things are; nothing was changed.",
    413: "The body is too large.",
    414: "The URL is too long.",
    415: "The body is of another type.",
    422: "The request contradicts an earlier one; nothing was changed.",
    429: "There were too many attempts.",
    500: "Something is wrong on our side; nothing was changed.",
    502: "Whom we have to ask refuses us, or makes no sense; repeating it does not help.",
    503: "A server is away, or a named limit is reached. Repeat the request later.",
}
_HEADERS = {400: ("Set-Cookie",), 401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


_ORDER = [problem for problems in SHARED.values() for problem in problems]


def place(problem: Problem) -> tuple[int, int, str]:
    """What a route has of its own stands first, what it shares in the order above."""
    return problem.status, _ORDER.index(problem) if problem in _ORDER else -1, problem.example


def refusal(problems: tuple[Problem, ...]) -> Part:
    """The response with these problems, all of one status; what many routes share is a component."""
    shared = next((name for name, theirs in SHARED.items() if theirs == problems), None)
    return ref("responses", shared) if shared else _described(problems)


def _described(problems: tuple[Problem, ...]) -> Part:
    status = problems[0].status
    names = (*_HEADERS.get(status, ()), "Cache-Control", "X-Request-Id")
    codes = word(*dict.fromkeys(problem.code for problem in problems))
    narrowed = {"properties": {"error": {"properties": {"code": codes}}}}
    content = {
        "schema": {"allOf": [ref("schemas", "Failure"), narrowed]},
        "examples": {problem.example: {"value": _shown(problem)} for problem in problems if problem.message},
    }
    headers = {name: ref("headers", name) for name in names}
    return {"description": _MEANINGS[status], "headers": headers, "content": {"application/json": content}}


def as_at_once(status: int, *problems: Problem) -> Part:
    """A refusal with whatever code the route of a command has; `problems` are examples of it."""
    found = _described((*problems, Problem(status, "ANY")))
    found["content"]["application/json"]["schema"] = ref("schemas", "Failure")
    return found


def _shown(problem: Problem) -> Part:
    details = {"retryable": problem.retryable, "suggestedAction": problem.action}
    error = {"code": problem.code, "message": problem.message, "details": details}
    return {"status": "error", "error": error, "metadata": {"requestId": REQUEST_ID, "timestamp": INSTANT}}


RESPONSES: Part = {name: _described(problems) for name, problems in SHARED.items()}
