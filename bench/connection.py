"""One keep-alive HTTP/1.1 connection for asyncio: writes finished bytes, reads status and body."""

import asyncio
from collections.abc import Callable
from typing import cast

from bench.replies import BadReplyError, parse_reply


class Connection(asyncio.Protocol):
    """A connection with at most one request in flight; tells its owner of the answer, or of its own end."""

    def __init__(
        self, answered: Callable[["Connection", int, bytes], None], lost: Callable[["Connection"], None]
    ) -> None:
        self._answered = answered
        self._lost = lost
        self._part = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand a complete reply to the owner; keep an incomplete one."""
        self._part += data
        try:
            reply = parse_reply(self._part)
        except BadReplyError:
            self.transport.abort()
            return
        if reply:
            self._part = b""
            self._answered(self, *reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner; what was in flight has an unknown outcome."""
        self._lost(self)
