"""Replies as values: a status, headers and a body, made beforehand where nothing in them changes."""

import random
from typing import Any

import msgspec

from gateway.rsgi import Header

JSON: Header = ("content-type", "application/json")
NO_STORE: Header = ("cache-control", "no-store")
CLOSE: Header = ("connection", "close")
RETRY_AFTER_JITTER_S = 2
"""Clients come back at the moment that they are told; spread over this many seconds, they are no second crowd."""
RETRY_AFTER_MAX_S = 30


class Reply(msgspec.Struct, frozen=True):
    """One HTTP response. Content-Length and X-Request-Id are added where it is sent."""

    status: int
    headers: tuple[Header, ...]
    body: bytes


class Refused(Exception):
    """A request cannot be served, and this reply says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body.decode())
        self.reply = reply


def reply(status: int, document: dict[str, Any], *headers: Header) -> Reply:
    """A JSON reply."""
    return Reply(status, (JSON, *headers), msgspec.json.encode(document))


def refusal(status: int, message: str, *headers: Header) -> Reply:
    """A reply that tells a client developer in one sentence what to change."""
    return reply(status, {"status": "error", "msg": message}, *headers)


def retry_after(wait_s: float) -> Header:
    """Retry-After in whole seconds: at least `wait_s`, with jitter."""
    seconds = min(RETRY_AFTER_MAX_S, max(1, int(wait_s + 0.999))) + random.randint(0, RETRY_AFTER_JITTER_S)
    return ("retry-after", str(seconds))


NOT_READY_MESSAGE = "The sale is not ready to answer. Nothing is promised; repeat the request with the same key."
OVERLOADED_MESSAGE = "Too many requests are waiting. Nothing was taken; repeat the request with the same key."


def not_ready() -> Reply:
    """Redis is away or slow: the outcome is unknown, and the same key may be repeated."""
    return refusal(503, NOT_READY_MESSAGE, retry_after(1), NO_STORE)


def overloaded() -> Reply:
    """A named limit is reached, and nothing was taken."""
    return refusal(503, OVERLOADED_MESSAGE, retry_after(1), NO_STORE)
