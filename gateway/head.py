"""Reads what we need of a request's head, and refuses framing that two servers could read differently.

Headers are asked for one by one, where they are needed: a browser sends fifteen, and most requests need five of them.
"""

import itertools
import re
import secrets

from contract.messages import KEY_LENGTH_MAX
from gateway.replying import JSON, Refused, Reply, refusal
from gateway.rsgi import Headers, Scope

CONTRACT_NAME, DRAFT_NAME = KEY_NAMES = ("x-idempotency-key", "idempotency-key")
"""The contract's name of the key, and that of the IETF's draft; they mean the same."""
URL_LENGTH_MAX = 2048
_VISIBLE = re.compile(f"[!-~]{{1,{KEY_LENGTH_MAX}}}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_TRACE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
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
_TOO_LONG = refusal(414, f"The URL is longer than {URL_LENGTH_MAX} bytes.")


def request_id(headers: Headers) -> str:
    """The client's own id of the request where it is sound, or one of ours."""
    given = headers.get("x-request-id")
    return given if given and _REQUEST_ID.fullmatch(given) else f"{_process}-{next(_numbers):x}"


def trace_of(headers: Headers) -> str:
    """The trace that a request belongs to, as W3C's traceparent has it, with a step of ours; a new one where none
    came."""
    given = _TRACE.fullmatch(headers.get("traceparent") or "")
    trace, flags = (given[1], given[2]) if given else (secrets.token_hex(16), "00")
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"


def unsound(scope: Scope, headers: Headers) -> Reply | None:
    """The reply to a request that no handler shall see."""
    hosts = headers.get_all("host")
    if len(hosts) > 1 or (not any(hosts) and scope.http_version not in _WITHOUT_HOST):
        return _ONE_HOST
    if "transfer-encoding" in headers:
        if "content-length" in headers:
            return _TWO_LENGTHS
        if listed(headers, "transfer-encoding").strip().lower() != "chunked":
            return _NOT_CHUNKED
    return _TOO_LONG if len(scope.path) + len(scope.query_string) > URL_LENGTH_MAX else None


def listed(headers: Headers, name: str) -> str:
    """A header that may be repeated, as one list with commas."""
    return ",".join(headers.get_all(name))


def idempotency_key(headers: Headers) -> str:
    """The one bare key of a request. Raises Refused with what is wrong with it."""
    keys = headers.get_all(CONTRACT_NAME)
    if len(keys) == 1 and DRAFT_NAME not in headers:
        # Nearly always: one key, under the contract's name, and bare.
        key = keys[0]
        if key[:1] != '"' and _VISIBLE.fullmatch(key):
            return key
    keys = keys + headers.get_all(DRAFT_NAME)
    if not keys:
        unreadable = any(name in headers for name in KEY_NAMES)
        raise Refused(_BAD_KEY if unreadable else MISSING_KEY)
    key = _unquote(keys[0].strip())
    if any(_unquote(other.strip()) != key for other in keys):
        raise Refused(_TWO_KEYS)
    if not _VISIBLE.fullmatch(key):
        raise Refused(_BAD_KEY if key else MISSING_KEY)
    return key


def _unquote(value: str) -> str:
    """The content of a structured-field string (RFC 8941); a value without quotes is itself."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r'\\(["\\])', r"\1", value[1:-1])
    return value
