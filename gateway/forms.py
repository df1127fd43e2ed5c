"""The form of a refusal at its path: most routes of /api share one, and some contracts have one of their own."""

from collections.abc import Callable

import msgspec

from contract.bus import encode
from gateway.envelope import API, wrapped
from gateway.replying import Reply

Form = Callable[[msgspec.Raw], bytes]
_ENVELOPED = b'{"status":"error","error":'


class _Envelope(msgspec.Struct):
    """A refusal as the envelope has it, but for who asked and when."""

    error: msgspec.Raw


_envelopes = msgspec.json.Decoder(_Envelope)


def error_alone(error: msgspec.Raw) -> bytes:
    """`{"error":{"code","message","details"}}`."""
    return encode({"error": error})


FORMS: tuple[tuple[str, Form], ...] = (("/api/admin/g2a/", error_alone),)
"""What paths begin with, and the form of whatever is refused below them."""


def formed(path: str, request_id: str, answer: Reply) -> Reply:
    """A refusal in the form of its path; any other reply as it is."""
    if answer.status < 400 or not path.startswith(API):
        return answer
    answer = wrapped(request_id, answer)
    form = next((own for prefix, own in FORMS if path.startswith(prefix)), None)
    if form is None or not answer.body.startswith(_ENVELOPED):
        return answer
    return Reply(answer.status, answer.headers, form(_envelopes.decode(answer.body).error))
