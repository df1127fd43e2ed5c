"""Server-sent events, as every route tells them."""

import random

from gateway.replying import NO_STORE

HEADERS = (("content-type", "text/event-stream"), NO_STORE, ("x-accel-buffering", "no"))
HEARTBEAT = b":\n\n"
HEARTBEAT_S = 15.0
"""Proxies cut connections that are silent for longer than half a minute or so."""
PACE_S = 0.2
"""A page shows no more than so; of several states within it the newest is told."""
COME_BACK_MS = (1_000, 4_000)
"""When a client comes back to a stream that has ended, from and to: all of them at once would be a crowd."""


def come_back() -> bytes:
    """What tells a client when to come back; an event follows it."""
    return b"retry: %d\n" % random.randint(*COME_BACK_MS)


def event(name: str, document: bytes, number: int | None = None) -> bytes:
    """One event; JSON as we write it has no line breaks. With a number, whoever comes back says which he heard last."""
    own = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (own, name.encode(), document)
