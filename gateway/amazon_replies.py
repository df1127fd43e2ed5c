"""What the routes of Amazon's syncs answer when all is well: a flat object that begins with `"success":true`."""

from contract.bus import BusReply
from gateway.envelope import enveloped
from gateway.gate import Call
from gateway.replying import JSON, NO_STORE, Reply
from gateway.rsgi import Header

_SUCCESS = b'{"success":true'
_FAILURE = b'{"success":false'


def told(call: Call, answer: BusReply, *headers: Header) -> Reply:
    """What a worker replied. A refusal stands in the envelope, which `forms.py` gives the form of its path."""
    if answer.problem is not None:
        return enveloped(call.request_id, answer, *headers)
    start = _SUCCESS if answer.status < 400 else _FAILURE
    return Reply(answer.status, (JSON, NO_STORE, *headers), spliced(bytes(answer.data), start))


def spliced(document: bytes, start: bytes = _SUCCESS) -> bytes:
    """An object of JSON, as the encoder writes it, whose first field says whether it went well."""
    return start + b"}" if document in (b"{}", b"null", b"") else start + b"," + document[1:]
