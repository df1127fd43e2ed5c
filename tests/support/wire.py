"""Bytes on a socket, for clients that break the rules: they read on when the server stops taking what they send."""

import asyncio
import contextlib
import socket
from typing import Any

from tests.support.http import RESPONSE_WITHIN_S, Response, read_response

CHUNK = 65_536


async def exchange(port: int, *parts: bytes, cut: bool = False) -> Response | None:
    """Send the parts, one write each, and read one response; None when the server closes without one.

    With `cut` the sending half of the connection is closed after the last part.
    """
    responses = await exchange_all(port, *parts, cut=cut, most=1)
    return responses[0] if responses else None


async def exchange_all(port: int, *parts: bytes, cut: bool = False, most: int = 100) -> list[Response]:
    """Send the parts and read responses until there are `most`, or the server closes."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        async with asyncio.timeout(RESPONSE_WITHIN_S):
            await loop.sock_connect(sock, ("127.0.0.1", port))
            sending = asyncio.create_task(_send(sock, parts, cut))
            try:
                return await _read(sock, most)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


async def _send(sock: socket.socket, parts: tuple[bytes, ...], cut: bool) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):  # the server need not take all of it; what it answers is what counts
        for part in parts:
            await loop.sock_sendall(sock, part)
        if cut:
            sock.shutdown(socket.SHUT_WR)


async def _read(sock: socket.socket, most: int) -> list[Response]:
    responses: list[Response] = []
    reader = asyncio.StreamReader()
    feeding = asyncio.create_task(_feed(sock, reader))
    try:
        while len(responses) < most:
            responses.append(await read_response(reader))
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise  # the server stopped in the middle of a response
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    return responses


async def _feed(sock: socket.socket, reader: asyncio.StreamReader) -> None:
    loop: Any = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while data := await loop.sock_recv(sock, CHUNK):
            reader.feed_data(data)
    reader.feed_eof()


def head(line: str, *headers: str, host: str = "localhost") -> bytes:
    """A request's head, with whatever headers are given, in that order."""
    return "\r\n".join([line, *([f"Host: {host}"] if host else []), *headers, "", ""]).encode("latin-1")
