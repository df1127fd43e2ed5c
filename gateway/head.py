"""Reads what we need of a request's head in one pass, and refuses framing that two servers could read differently."""

import itertools
import re
import secrets
from typing import Any, NamedTuple

from contract.messages import KEY_LENGTH_MAX
from gateway.replying import Reply, refusal

_VISIBLE = re.compile(rb"[!-~]{1,%d}" % KEY_LENGTH_MAX)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_WITHOUT_HOST = ("1", "1.0")
"""HTTP/1.0 as Granian names it, and as ASGI does: its clients need not send a Host."""
_process = secrets.token_hex(4)
_numbers = itertools.count(1)

MISSING_KEY = Reply(400, ((b"content-type", b"application/json"),), b'{"error":"Missing Idempotency Key"}')


class Head(NamedTuple):
    """The headers that decide something. `keys` are the idempotency keys as sent, under either name."""

    request_id: bytes
    keys: list[bytes]
    content_type: bytes
    content_length: int
    accept: bytes
    forwarded_for: bytes
    refused: Reply | None


def read_head(scope: Any) -> Head:
    """Read the head of an ASGI scope. `refused` is the reply to give when the framing is not sound."""
    keys: list[bytes] = []
    content_type = accept = forwarded_for = request_id = host = encoding = b""
    lengths = hosts = 0
    length = -1
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            lengths += 1
            length = int(value) if value.isdigit() and len(value) < 19 else 1 << 60
        elif name in (b"x-idempotency-key", b"idempotency-key"):
            keys.append(value)
        elif name == b"host":
            hosts += 1
            host = value
        elif name == b"accept":
            accept = accept + b"," + value if accept else value
        elif name == b"x-request-id":
            request_id = value
        elif name == b"transfer-encoding":
            encoding = encoding + b"," + value if encoding else value
        elif name == b"x-forwarded-for":
            forwarded_for = forwarded_for + b"," + value if forwarded_for else value
    if not request_id or not _REQUEST_ID.fullmatch(request_id):
        request_id = b"%s-%x" % (_process.encode(), next(_numbers))
    refused = None
    # Granian puts an empty Host where a request has none.
    if hosts > 1 or (not host and scope["http_version"] not in _WITHOUT_HOST):
        refused = refusal(400, "Send exactly one Host header.")
    elif encoding:
        if lengths:
            refused = refusal(400, "Send Content-Length or Transfer-Encoding, not both.")
        elif encoding.strip().lower() != b"chunked":
            refused = refusal(400, "The only Transfer-Encoding that is taken here is chunked.")
    return Head(request_id, keys, content_type, length, accept, forwarded_for, refused)


def idempotency_key(keys: list[bytes]) -> str | Reply:
    """The one bare key of a request, or the reply that says what is wrong with it."""
    if not keys:
        return MISSING_KEY
    key = _unquote(keys[0].strip())
    if len(keys) > 1 and any(_unquote(other.strip()) != key for other in keys):
        return refusal(400, "The request carries two different idempotency keys; send one.")
    if not key:
        return MISSING_KEY
    if not _VISIBLE.fullmatch(key):
        return refusal(
            400, f"The idempotency key must be 1 to {KEY_LENGTH_MAX} visible ASCII characters, such as a UUID."
        )
    return key.decode("ascii")


def _unquote(value: bytes) -> bytes:
    """The content of a structured-field string (RFC 8941); a value without quotes is itself."""
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        return re.sub(rb'\\(["\\])', rb"\1", value[1:-1])
    return value
