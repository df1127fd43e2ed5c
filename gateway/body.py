"""Reads and decodes request bodies: bounded in size and time, and never a 5xx, whatever a client sends."""

import asyncio
from typing import TypeVar

import msgspec

from gateway.patience import Patience
from gateway.replying import CLOSE, Refused, refusal
from gateway.rsgi import Exchange, Headers

SALE_BODY_MAX = 16 * 1024
"""Bytes of a body at the sale routes; an order needs a hundredth of it."""

API_BODY_MAX = 1024 * 1024
"""Bytes of a body at any other route."""

_JSON = "application/json"
T = TypeVar("T")
_CUT_SHORT = refusal(400, "The body ended before it was whole, or its chunks are malformed. Nothing was taken.", CLOSE)
_NOT_JSON = refusal(415, "Send the body as JSON with the header Content-Type: application/json.")
_TOO_LARGE = {
    limit: refusal(413, f"The body is larger than {limit} bytes.", CLOSE) for limit in (SALE_BODY_MAX, API_BODY_MAX)
}


class Disconnected(Refused):
    """The client has gone before its body was whole, or has broken its framing."""


async def read_body(headers: Headers, exchange: Exchange, patience: Patience, limit: int = SALE_BODY_MAX) -> bytes:
    """The whole body, of at most `limit` bytes, which is one of the two above.

    Raises Refused when it is too large or too slow, Disconnected when it does not come.
    """
    length = headers.get("content-length")
    if length is None and "transfer-encoding" not in headers:
        return b""
    if length is not None and int(length) > limit:
        raise Refused(_TOO_LARGE[limit])
    task = patience.begin()
    try:
        return await (_gather(exchange, limit) if length is None else exchange())
    except asyncio.CancelledError:
        if not patience.end(task):
            raise
    except RuntimeError:
        # Most often nobody is there to read this; but a client that broke its own framing is, and silence from us
        # would make the server answer 500 for it.
        raise Disconnected(_CUT_SHORT) from None
    finally:
        patience.end(task)
    raise Refused(refusal(408, f"The body did not arrive within {patience.limit_s:g} seconds.", CLOSE))


def decode(headers: Headers, body: bytes, decoder: msgspec.json.Decoder[T], example: str) -> T:
    """A JSON body; `example` shows a right one. Raises Refused with a 4xx that says what to change."""
    content_type = headers.get("content-type") or ""
    if content_type != _JSON and content_type.partition(";")[0].strip().lower() != _JSON:
        raise Refused(_NOT_JSON)
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(refusal(400, f"{_explain(body, error)} Send JSON such as {example}.")) from None


async def _gather(exchange: Exchange, limit: int) -> bytes:
    """A body that does not say beforehand how long it is. Raises RuntimeError when its framing is broken."""
    body = b""
    ended = False
    async for piece in exchange:
        # The end is told by one empty piece; after a broken chunk, which is one as well, there comes another.
        if ended:
            raise RuntimeError
        ended = not piece
        body += piece
        if len(body) > limit:
            raise Refused(_TOO_LARGE[limit])
    return body


def _explain(body: bytes, error: Exception) -> str:
    """What is wrong with a body, as a sentence."""
    match error:
        case _ if not body:
            return "The body is empty."
        case msgspec.ValidationError():
            return _sentence(str(error))
        case UnicodeDecodeError():
            return "The body is not UTF-8."
        case RecursionError():
            return "The body is nested too deeply."
        case _:
            return f"The body is not JSON: {error}."


def _sentence(reason: str) -> str:
    """A validation error of msgspec as a sentence of ours: the pattern of an id says nothing to a client."""
    reason, _, where = reason.partition(" - at ")
    field = where.strip("`").removeprefix("$.")
    if "matching regex" in reason:
        reason = "Expected text without control characters"
    return f"{reason}, in the field {field}." if field else f"{reason}."
