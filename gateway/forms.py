"""The form of a refusal at its path: most routes of /api share one, and some contracts have one of their own."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from contract.bus import encode
from gateway.envelope import API, wrapped
from gateway.replying import Reply

AMAZON = "/api/v1/integrations/amazon/"
SYNCS = "/api/sync/"
START_SYNC = AMAZON + "sync"
UNAUTHORIZED = "Unauthorized. Please log in."
"""What the contract of Amazon's syncs says to everybody whom it does not know, whatever is wrong with his token."""
NOT_STARTED = "Failed to start sync. Please try again later."
_ENVELOPED = b'{"status":"error","error":'


class _Envelope(msgspec.Struct):
    """A refusal as the envelope has it, but for who asked and when."""

    error: msgspec.Raw


class _Error(msgspec.Struct):
    code: str
    message: str


class Refusal(NamedTuple):
    """What is refused: at which path, under which status, and the error as the envelope has it."""

    path: str
    status: int
    error: msgspec.Raw


Form = Callable[[Refusal], bytes]
_envelopes = msgspec.json.Decoder(_Envelope)
_errors = msgspec.json.Decoder(_Error)


def error_alone(refused: Refusal) -> bytes:
    """`{"error":{"code","message","details"}}`."""
    return encode({"error": refused.error})


def flat(refused: Refusal) -> bytes:
    """`{"success":false,"message","error"}`, with the code in lower case."""
    error = _errors.decode(refused.error)
    code, message = error.code.lower(), error.message
    if refused.status == 401:
        code, message = "unauthorized", UNAUTHORIZED
    elif error.code == "INTERNAL":
        code, message = "internal_server_error", NOT_STARTED if refused.path == START_SYNC else message
    return encode({"success": False, "message": message, "error": code})


FORMS: tuple[tuple[str, Form], ...] = (("/api/admin/g2a/", error_alone), (AMAZON, flat), (SYNCS, flat))
"""What paths begin with, and the form of whatever is refused below them."""


def formed(path: str, request_id: str, answer: Reply) -> Reply:
    """A refusal in the form of its path; any other reply as it is."""
    if answer.status < 400 or not path.startswith(API):
        return answer
    answer = wrapped(request_id, answer)
    form = next((own for prefix, own in FORMS if f"{path}/".startswith(prefix)), None)
    if form is None or not answer.body.startswith(_ENVELOPED):
        return answer
    error = _envelopes.decode(answer.body).error
    return Reply(answer.status, answer.headers, form(Refusal(path, answer.status, error)))
