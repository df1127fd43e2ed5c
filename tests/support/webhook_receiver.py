"""A gateway's place taken by a server that keeps what it is sent, and answers what it was told to answer."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

COMES_WITHIN_S = 20.0


class Received(NamedTuple):
    """A webhook as it came; header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Receiver:
    """What was received, in order. `answers` are the next statuses; after them every one is 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self._received: asyncio.Queue[Received] = asyncio.Queue()

    async def next(self) -> Received:
        """Wait for the next webhook."""
        async with asyncio.timeout(COMES_WITHIN_S):
            return await self._received.get()

    @property
    def is_empty(self) -> bool:
        """Whether nothing came that was not fetched by `next`."""
        return self._received.empty()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which has one webhook."""
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            self._received.put_nowait(Received(first.split()[1], headers, body))
            status = self.answers.pop(0) if self.answers else 200
            writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" % status)
            await writer.drain()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def receiving(port: int) -> AsyncGenerator[Receiver]:
    """A receiver inside the block."""
    receiver = Receiver()
    async with await asyncio.start_server(receiver.serve, "127.0.0.1", port):
        yield receiver
