"""A client of server-sent events over a plain socket: it reads what it is told to, and leaves without a word."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from tests.support.http import Response, read_chunks, request

HEARS_WITHIN_S = 10.0


class NotStreamed(Exception):
    """The server answered with a reply of its own."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response


class Event(NamedTuple):
    """One event; a comment has the name "" and no data, and an event of no number the number ""."""

    name: str
    data: Any
    number: str = ""


class Stream:
    """One open stream. `headers` are those of the reply, in lower case."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]) -> None:
        self.headers = headers
        self._chunks, self._writer = read_chunks(reader), writer
        self._text = b""

    async def hear(self, within_s: float = HEARS_WITHIN_S) -> Event | None:
        """The next event or comment; None when the reply has ended."""
        async with asyncio.timeout(within_s):
            while b"\n\n" not in self._text:
                try:
                    self._text += await anext(self._chunks)
                except StopAsyncIteration:
                    assert self._text == b"", "the reply ends in the midst of an event"
                    return None
        text, _, self._text = self._text.partition(b"\n\n")
        fields = dict(line.split(": ", 1) for line in text.decode().splitlines() if not line.startswith(":"))
        return Event(
            fields.get("event", ""), json.loads(fields["data"]) if "data" in fields else None, fields.get("id", "")
        )

    async def hear_all(self) -> list[Event]:
        """What comes until the reply ends."""
        heard: list[Event] = []
        while (event := await self.hear()) is not None:
            heard.append(event)
        return heard

    async def leave(self) -> None:
        """Close the connection, as a browser that crashed."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def streaming(port: int, path: str, **headers: str) -> AsyncGenerator[Stream]:
    """A stream inside the block. Raises NotStreamed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request("GET", path, b"", **headers).replace(b"Connection: close\r\n", b""))
        async with asyncio.timeout(HEARS_WITHIN_S):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            given = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            if given.get("transfer-encoding") != "chunked":
                body = await reader.readexactly(int(given["content-length"]))
                raise NotStreamed(Response(int(lines[0].split()[1]), given, body))
        stream = Stream(reader, writer, given)
        yield stream
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def beginning(port: int, raw: bytes, enough: bytes) -> Response:
    """The reply to a request, left once `enough` has come of a body that has no end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(HEARS_WITHIN_S):
            writer.write(raw)
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            given = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
            body, chunks = b"", read_chunks(reader)
            while enough not in body:
                body += await anext(chunks)
            return Response(int(first.split()[1]), given, body)
    finally:
        writer.close()
