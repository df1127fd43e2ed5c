"""Reads what we need of a request's head, and refuses framing that two servers could read differently."""

import itertools
import re
import secrets

import msgspec

from contract.messages import KEY_LENGTH_MAX
from gateway.replying import JSON, Refused, Reply, refusal
from gateway.rsgi import Header, Scope

KEY_NAMES = ("x-idempotency-key", "idempotency-key")
"""The contract's name, and the one of the IETF's draft; they mean the same."""
_VISIBLE = re.compile(f"[!-~]{{1,{KEY_LENGTH_MAX}}}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_WITHOUT_HOST = ("1", "1.0")
"""HTTP/1.0 as Granian names it, and as everybody else does: its clients need not send a Host."""
_process = secrets.token_hex(4)
_numbers = itertools.count(1)

MISSING_KEY = Reply(400, (JSON,), b'{"error":"Missing Idempotency Key"}')
_BAD_KEY = refusal(400, f"The idempotency key must be 1 to {KEY_LENGTH_MAX} visible ASCII characters, such as a UUID.")
_TWO_KEYS = refusal(400, "The request carries two different idempotency keys; send one.")
_ONE_HOST = refusal(400, "Send exactly one Host header.")
_TWO_LENGTHS = refusal(400, "Send Content-Length or Transfer-Encoding, not both.")
_NOT_CHUNKED = refusal(400, "The only Transfer-Encoding that is taken here is chunked.")


class Head(msgspec.Struct, frozen=True):
    """The headers of a request: as they came, and by name, where a repeated one is a list with commas."""

    request_id: str
    fields: dict[str, str]
    pairs: list[Header]
    # The reply to give when the framing is not sound.
    refused: Reply | None


def read_head(scope: Scope) -> Head:
    """Read the head of a request."""
    pairs = scope.headers.items()
    fields = dict(pairs)
    refused = None
    if len(fields) < len(pairs):
        fields, refused = _joined(pairs)
    if "transfer-encoding" in fields or not fields.get("host"):
        refused = refused or _bad_framing(scope, fields)
    request_id = fields.get("x-request-id")
    if not request_id or not _REQUEST_ID.fullmatch(request_id):
        request_id = f"{_process}-{next(_numbers):x}"
    return Head(request_id, fields, pairs, refused)


def idempotency_key(scope: Scope, head: Head) -> str:
    """The one bare key of a request. Raises Refused with what is wrong with it."""
    fields = head.fields
    if "idempotency-key" not in fields and len(fields) == len(head.pairs):
        # Nearly always: one key, under the contract's name, and bare.
        key = fields.get("x-idempotency-key", "")
        if _VISIBLE.fullmatch(key) and key[0] != '"':
            return key
    keys = [value for name, value in head.pairs if name in KEY_NAMES]
    if not keys:
        unreadable = any(name in scope.headers for name in KEY_NAMES)
        raise Refused(_BAD_KEY if unreadable else MISSING_KEY)
    key = _unquote(keys[0].strip())
    if len(keys) > 1 and any(_unquote(other.strip()) != key for other in keys):
        raise Refused(_TWO_KEYS)
    if not _VISIBLE.fullmatch(key):
        raise Refused(_BAD_KEY if key else MISSING_KEY)
    return key


def _joined(pairs: list[Header]) -> tuple[dict[str, str], Reply | None]:
    """The headers by name where some are repeated, which a Host must not be."""
    fields: dict[str, str] = {}
    refused = None
    for name, value in pairs:
        if name == "host" and name in fields:
            refused = _ONE_HOST
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return fields, refused


def _bad_framing(scope: Scope, fields: dict[str, str]) -> Reply | None:
    if not fields.get("host") and scope.http_version not in _WITHOUT_HOST:
        return _ONE_HOST
    encoding = fields.get("transfer-encoding")
    if encoding is None:
        return None
    if "content-length" in fields:
        return _TWO_LENGTHS
    return None if encoding.strip().lower() == "chunked" else _NOT_CHUNKED


def _unquote(value: str) -> str:
    """The content of a structured-field string (RFC 8941); a value without quotes is itself."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r'\\(["\\])', r"\1", value[1:-1])
    return value
