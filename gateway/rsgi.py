"""What the server hands to the gateway: the part of Granian's RSGI that is used here, as types.

RSGI instead of ASGI, because a reply is one call and not two messages: at 64 connections that is a third of what a
request costs the server.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Protocol

Header = tuple[str, str]

CLOSE_MESSAGE = 0
"""The kind of the message with which a WebSocket client says goodbye."""


class Headers(Protocol):
    """The headers of a request; names in lower case. A value that is no visible ASCII is as if not sent, except
    for `in`."""

    def get(self, name: str) -> str | None:
        """The value of a header, the first one where it is repeated."""
        ...

    def get_all(self, name: str) -> list[str]:
        """All values of a header."""
        ...

    def __contains__(self, name: str) -> bool:
        """Whether the header was sent, whatever its value."""
        ...


class Scope(Protocol):
    """The head of a request. Every attribute is computed when it is asked for."""

    @property
    def proto(self) -> str:
        """`http`, or `ws` for the handshake of a WebSocket."""
        ...

    @property
    def http_version(self) -> str:
        """`1` or `1.1`."""
        ...

    @property
    def method(self) -> str:
        """The method, in upper case as it was sent."""
        ...

    @property
    def path(self) -> str:
        """The path, percent-decoded; what is no UTF-8 is replaced."""
        ...

    @property
    def query_string(self) -> str:
        """What follows the question mark, as it was sent."""
        ...

    @property
    def client(self) -> str:
        """Address and port of the peer."""
        ...

    @property
    def headers(self) -> Headers:
        """The headers."""
        ...


class Exchange(Protocol):
    """The way to the body of a request, and for its reply. Its own methods raise RuntimeError when the client is gone
    or has broken its framing; a reply to nobody is dropped."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body, however long."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body as it comes; it ends with an empty piece."""
        ...

    def response_bytes(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Send the reply; Content-Length and Date are added."""
        ...

    def response_stream(self, status: int, headers: Sequence[Header]) -> "Transport":
        """Begin a reply that comes in pieces. It ends when the transport is let go."""
        ...

    def client_disconnect(self) -> Awaitable[None]:
        """Wait until the connection is over."""
        ...


class Transport(Protocol):
    """The way for the pieces of a reply. The server keeps whatever the client has not read yet, without a limit."""

    def send_bytes(self, data: bytes) -> Awaitable[None]:
        """Send a piece. Raises RuntimeError when the client is gone."""
        ...


class Message(Protocol):
    """What a WebSocket client says."""

    @property
    def kind(self) -> int:
        """CLOSE_MESSAGE, or that of bytes or text."""
        ...


class Channel(Protocol):
    """An open WebSocket. Its methods raise RuntimeError when the client is gone."""

    async def receive(self) -> Message:
        """The next message."""
        ...

    async def send_str(self, data: str) -> None:
        """Send text; returns when it has left."""
        ...


class Handshake(Protocol):
    """A WebSocket that is not open yet, and later the way to close it."""

    async def accept(self) -> Channel:
        """Open it."""
        ...

    def close(self, status: int | None = None) -> None:
        """Close it; before it is open, with the status of the refusal, which is all that the server lets us say."""
        ...
