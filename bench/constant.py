"""Bare Granian: one constant answer to every request. What no gateway on the same server can be faster than.

It shows what the load generator can drive, and it is the ceiling that the gateway's figures are measured against.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

BODY = b'{"status":"success","msg":"Order accepted","orderId":"00000000-0000-7000-8000-000000000000"}'
HEADERS = [("content-type", "application/json"), ("content-length", str(len(BODY)))]
ASGI_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(name.encode(), value.encode()) for name, value in HEADERS],
}
ASGI_BODY = {"type": "http.response.body", "body": BODY}

Message = MutableMapping[str, Any]


class RsgiProtocol(Protocol):
    """What Granian hands to an RSGI application, as far as this one uses it."""

    async def __call__(self) -> bytes:
        """The whole body of the request."""
        ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer with bytes that are at hand."""
        ...


async def asgi(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Read the body, answer the constant."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send(ASGI_START)
    await send(ASGI_BODY)


class Rsgi:
    """The same as an RSGI application."""

    async def __rsgi__(self, scope: object, protocol: RsgiProtocol) -> None:
        """Read the body, answer the constant."""
        await protocol()
        protocol.response_bytes(200, HEADERS, BODY)


rsgi = Rsgi()
