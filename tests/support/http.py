"""A small HTTP client over real sockets. It sends what it is told, sound or not, and reads one response."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

RESPONSE_WITHIN_S = 10.0


class Response(NamedTuple):
    """One response; header names are lower case. `set_cookies` are all its Set-Cookie headers."""

    status: int
    headers: dict[str, str]
    body: bytes
    set_cookies: tuple[str, ...] = ()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def send(port: int, raw: bytes) -> Response:
    """Send bytes on a connection of their own and read the response."""
    async with asyncio.timeout(RESPONSE_WITHIN_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(raw)
            await writer.drain()
            return await read_response(reader)
        finally:
            writer.close()


async def read_response(reader: asyncio.StreamReader) -> Response:
    """Read one response: it has a Content-Length, or chunks, or ends with its connection, or (101) has no body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]
    headers = dict(pairs)
    status = int(first.split()[1])
    length = "0" if status == 101 else headers.get("content-length")
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join([chunk async for chunk in read_chunks(reader)])
    else:
        body = await (reader.readexactly(int(length)) if length is not None else reader.read())
    return Response(status, headers, body, tuple(value for name, value in pairs if name == "set-cookie"))


async def read_chunks(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    """The chunks of a body as they come."""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        chunk = (await reader.readexactly(size + 2))[:size]
        if not chunk:
            return
        yield chunk


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a sound request; underscores in header names become hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def get(port: int, path: str, **headers: str) -> Response:
    """GET a path."""
    return await send(port, request("GET", path, **headers))


async def post(port: int, path: str, document: Any = None, **headers: str) -> Response:
    """POST a document as JSON."""
    body = b"" if document is None else json.dumps(document).encode()
    return await send(port, request("POST", path, body, Content_Type="application/json", **headers))


async def order(port: int, key: str, product: str = "ps5", user: str = "user-1", **more: Any) -> Response:
    """POST an order."""
    return await post(port, "/order", {"productId": product, "userId": user, **more}, X_Idempotency_Key=key)


async def init(port: int, product: str = "ps5", quantity: int = 100, **more: Any) -> Response:
    """Open a sale."""
    return await post(port, "/init", {"productId": product, "quantity": quantity, **more})
