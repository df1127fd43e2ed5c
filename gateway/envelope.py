"""The envelopes of /api: a success with its data, a list with its pages, an error that says what to do about it."""

import datetime
from typing import Any, NoReturn

import msgspec

from contract.bus import BusReply, Problem, encode
from gateway.replying import JSON, NO_STORE, NOT_READY_MESSAGE, OVERLOADED_MESSAGE, Refused, Reply, retry_after
from gateway.rsgi import Header

API = "/api/"
"""Where the envelopes of this page are used; the routes of the sale have a form of their own."""
LATER_STATUSES = (429, 503)
CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "BODY_TOO_LARGE",
    414: "URL_TOO_LONG",
    415: "UNSUPPORTED_MEDIA_TYPE",
    500: "INTERNAL",
    503: "SERVICE_UNAVAILABLE",
}
"""The codes of what is refused before or beside a handler."""
_LIST = b'{"results":'
_PLAIN = b'{"status":"error","msg":'
_SAID_OF_A_SALE = {
    NOT_READY_MESSAGE: "The service does not answer, and nothing is promised. Repeat the request.",
    OVERLOADED_MESSAGE: "Too many requests are waiting, and nothing was taken. Repeat the request.",
}


def success(data: Any, *headers: Header, status: int = 200) -> Reply:
    """`{"status":"success","data":...}`; a list with its pages stands by itself."""
    text = bytes(data) if isinstance(data, msgspec.Raw) else encode(data)
    body = text if text.startswith(_LIST) else b'{"status":"success","data":' + text + b"}"
    return Reply(status, (JSON, *(headers or (NO_STORE,))), body)


def failure(request_id: str, status: int, problem: Problem, *headers: Header) -> Reply:
    """The error envelope."""
    document = {
        "status": "error",
        "error": {
            "code": problem.code,
            "message": problem.message,
            "details": {"retryable": problem.retryable, "suggestedAction": problem.action or "correct_request"},
        },
        "metadata": {"requestId": request_id, "timestamp": timestamp()},
    }
    if status in LATER_STATUSES and not any(name == "retry-after" for name, _ in headers):
        headers = (*headers, retry_after(1))
    return Reply(status, (JSON, NO_STORE, *(header for header in headers if header != NO_STORE)), encode(document))


def refuse(
    request_id: str,
    status: int,
    code: str,
    message: str,
    *headers: Header,
    retryable: bool = False,
    action: str = "",
) -> NoReturn:
    """Raise Refused with the error envelope."""
    raise Refused(failure(request_id, status, Problem(code, message, retryable, action), *headers))


def enveloped(request_id: str, answer: BusReply, *headers: Header) -> Reply:
    """What a worker replied."""
    if answer.problem is not None:
        return failure(request_id, answer.status, answer.problem, *headers)
    return success(answer.data, *headers, status=answer.status)


def wrapped(request_id: str, answer: Reply) -> Reply:
    """A refusal that was made for every route, in the error envelope; any other reply as it is."""
    if answer.status < 400 or not answer.body.startswith(_PLAIN):
        return answer
    message: str = msgspec.json.decode(answer.body)["msg"]
    later = answer.status in LATER_STATUSES
    problem = Problem(
        CODES.get(answer.status, "REFUSED"),
        _SAID_OF_A_SALE.get(message, message),
        later,
        "retry_later" if later else "contact_support" if answer.status == 500 else "correct_request",
    )
    kept = [header for header in answer.headers if header not in (JSON, NO_STORE)]
    return failure(request_id, answer.status, problem, *kept)


def timestamp() -> str:
    """Now, in UTC with milliseconds."""
    now = datetime.datetime.now(datetime.UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
