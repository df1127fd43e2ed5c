"""Reads and decodes request bodies: bounded in size and time, and never a 5xx, whatever a client sends."""

import asyncio
from typing import Any, TypeVar

import msgspec

from gateway.head import Head
from gateway.patience import Patience
from gateway.replying import Reply, refusal

SALE_BODY_MAX = 16 * 1024
"""Bytes of a body at the sale routes; an order needs a hundredth of it."""

_JSON = b"application/json"
T = TypeVar("T")
CLOSE = (b"connection", b"close")


class Disconnected(Exception):
    """The client has gone before its body was whole, or has broken its framing."""


async def read_document(
    head: Head, receive: Any, patience: Patience, decoder: msgspec.json.Decoder[T], example: str
) -> T | Reply:
    """The decoded body, or a 4xx that says what to change; `example` shows a right one. Raises Disconnected."""
    body = await _read(head, receive, patience)
    return body if isinstance(body, Reply) else _decode(head, body, decoder, example)


async def _read(head: Head, receive: Any, patience: Patience) -> bytes | Reply:
    """The whole body, or the reply to a body that is too large or too slow. Raises Disconnected."""
    if head.content_length > SALE_BODY_MAX:
        return _too_large()
    wait = patience.begin()
    try:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            body = body + chunk if body else chunk
            if len(body) > SALE_BODY_MAX:
                return _too_large()
            if not message.get("more_body", False):
                return body
    except asyncio.CancelledError:
        if not wait.expired:
            raise
        return refusal(408, f"The body did not arrive within {patience.limit_s:g} seconds.", CLOSE)
    finally:
        wait.end()


def _decode(head: Head, body: bytes, decoder: msgspec.json.Decoder[T], example: str) -> T | Reply:
    if head.content_type != _JSON and head.content_type.split(b";", 1)[0].strip().lower() != _JSON:
        return refusal(415, "Send the body as JSON with the header Content-Type: application/json.")
    if not body:
        return refusal(400, f"The body is empty; send JSON such as {example}.")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        return refusal(400, f"{_sentence(str(error))} Send JSON such as {example}.")
    except msgspec.DecodeError as error:
        return refusal(400, f"The body is not JSON: {error}. Send JSON such as {example}.")
    except UnicodeDecodeError:
        return refusal(400, f"The body is not UTF-8. Send JSON such as {example}.")
    except RecursionError:
        return refusal(400, f"The body is nested too deeply. Send JSON such as {example}.")


def _sentence(reason: str) -> str:
    """A validation error of msgspec as a sentence of ours: the pattern of an id says nothing to a client."""
    reason, _, where = reason.partition(" - at ")
    field = where.strip("`").removeprefix("$.")
    if "matching regex" in reason:
        reason = "Expected text without control characters"
    return f"{reason}, in the field {field}." if field else f"{reason}."


def _too_large() -> Reply:
    return refusal(413, f"The body is larger than {SALE_BODY_MAX} bytes.", CLOSE)
