"""One keep-alive HTTP/1.1 connection, written by hand so that a request costs the generator a few microseconds.

It writes request bytes that somebody else built and reads of a reply only what the bench needs: the status, the
length and the body. One request is in flight at a time, as in a browser that waits for its answer.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from bench.replies import BadReplyError, parse_reply


class Connection(asyncio.Protocol):
    """A connection with at most one request in flight; tells its owner of the answer, or of its own end.

    `number`, `due` and `sent` belong to the owner: which request is in flight, when it should have been sent, and when
    it was, in seconds of the monotonic clock. `number` is -1 while nothing is in flight.
    """

    __slots__ = ("_answered", "_lost", "_part", "due", "number", "sent", "transport")

    def __init__(
        self, answered: Callable[["Connection", int, bytes], None], lost: Callable[["Connection"], None]
    ) -> None:
        self._answered = answered
        self._lost = lost
        self._part = b""
        self.number = -1
        self.due = 0.0
        self.sent = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand a complete reply to the owner; keep an incomplete one."""
        if self._part:
            data = self._part + data
        try:
            reply = parse_reply(data)
        except BadReplyError:
            self.transport.abort()
            return
        if reply is None:
            self._part = data
            return
        self._part = b""
        self._answered(self, reply[0], reply[1])

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner; what was in flight has an unknown outcome."""
        self._lost(self)
